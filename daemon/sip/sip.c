/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

/* What ended is told and freed here, from the loop, where nothing of it is on the stack. */
static void reap(struct sip *sip)
{
	while (server_reap(sip) || client_reap(sip))
		;
	tcp_reap(sip);
}

static void reap_fire(struct loop_timer *t)
{
	reap((struct sip *)(void *)((char *)t - offsetof(struct sip, reap_timer)));
}

void reap_later(struct sip *sip)
{
	if (!loop_timer_is_started(&sip->reap_timer))
		loop_timer_start(sip->loop, &sip->reap_timer, 0);
}

void sip_set_timers(struct sip *sip, unsigned t1_ms, unsigned t2_ms, unsigned t4_ms)
{
	sip->t1_ms = t1_ms;
	sip->t2_ms = t2_ms;
	sip->t4_ms = t4_ms;
}

static int open_one(struct listener **out, struct sip *sip, unsigned index,
	const struct listener_config *cfg, FILE *errors)
{
	char text[ADDR_TEXT_MAX];
	int ret = listener_open(out, sip, index, cfg);

	if (ret) {
		addr_print(&cfg->address.local, text);
		log_error("sip: listener %s on %s %s: %s", cfg->name, text,
			cfg->transport == TRANSPORT_TCP ? "tcp" : "udp", strerror(-ret));
		if (errors)
			fprintf(errors, "listener %s: cannot listen on %s: %s\n", cfg->name, text,
				strerror(-ret));
	}
	return ret;
}

int sip_new(struct sip **out, struct loop *loop, const struct config *cfg,
	const struct sip_handlers *handlers)
{
	struct sip *sip = calloc(1, sizeof(*sip));
	int ret;

	if (!sip)
		return -ENOMEM;
	sip->loop = loop;
	sip->handlers = *handlers;
	sip->cfg = config_ref((struct config *)cfg);
	sip->reap_timer.fire = reap_fire;
	sip->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sip_set_timers(sip, SIP_T1_MS, SIP_T2_MS, SIP_T4_MS);
	ret = transaction_osip_new(sip);
	if (!ret)
		ret = udp_batch_new(&sip->batch);
	for (unsigned i = 0; !ret && i < cfg->listener_count; i++) {
		ret = open_one(&sip->listener[i], sip, i, &cfg->listener[i], NULL);
		if (!ret)
			sip->listener_count++;
	}
	if (ret) {
		sip_free(sip);
		return ret;
	}
	*out = sip;
	return 0;
}

void sip_free(struct sip *sip)
{
	if (!sip)
		return;
	/* A gone handler may send once more; that ends with the next round. */
	while (sip->servers || sip->clients || sip->ended_servers || sip->ended_clients) {
		while (sip->servers)
			server_end(sip->servers, -ESHUTDOWN);
		while (sip->clients)
			client_end(sip->clients, -ESHUTDOWN);
		reap(sip);
	}
	while (sip->connections_by_id)
		tcp_close(sip->connections_by_id, 0);
	reap(sip);
	remnant_free_all(sip);
	tcp_forget_refusals(sip);
	for (unsigned i = 0; i < sip->listener_count; i++)
		listener_close(sip->listener[i]);
	loop_timer_stop(sip->loop, &sip->reap_timer);
	if (sip->spare_fd >= 0)
		close(sip->spare_fd);
	udp_batch_free(sip->batch);
	if (sip->osip)
		osip_release(sip->osip);
	strbuf_free(&sip->scratch);
	config_unref(sip->cfg);
	free(sip);
}

/* ---- reload ---- */

static bool is_same_listener(const struct listener_config *a, const struct listener_config *b)
{
	return a->transport == b->transport && addr_equal(&a->address.local, &b->address.local) &&
	       addr_equal(&a->address.advertised, &b->address.advertised);
}

/* Running calls name their listener by its index, so one that stays keeps its place. */
static int check_places(const struct config *old, const struct config *cfg, FILE *errors)
{
	for (unsigned i = 0; i < cfg->listener_count; i++) {
		for (unsigned j = 0; j < old->listener_count; j++) {
			if (i == j || !is_same_listener(&cfg->listener[i], &old->listener[j]))
				continue;
			if (errors)
				fprintf(errors,
					"listener %s: was number %u and is number %u; listeners "
					"that stay keep their place, new ones follow them\n",
					cfg->listener[i].name, j + 1, i + 1);
			return -EINVAL;
		}
	}
	return 0;
}

/* The transactions of a listener that is gone have nowhere to go. */
static void fail_listener(struct sip *sip, unsigned index)
{
	struct sip_client *c, *next_client;
	struct sip_server *s, *next_server;

	tcp_close_listener(sip, index);
	for (c = sip->clients; c; c = next_client) {
		next_client = c->hh.next;
		if (c->flow.listener == index)
			client_transport_failed(c, -ENETDOWN);
	}
	for (s = sip->servers; s; s = next_server) {
		next_server = s->hh.next;
		if (s->flow.listener != index || s->is_ended)
			continue;
		server_end(s, -ENETDOWN);
		if (s->handlers && s->handlers->failed)
			s->handlers->failed(s->owner, s, -ENETDOWN);
	}
}

int sip_reload(struct sip *sip, const struct config *cfg, FILE *errors)
{
	struct listener *opened[CONFIG_LISTENERS_MAX] = {0};
	struct listener *removed[CONFIG_LISTENERS_MAX] = {0};
	struct config *old = sip->cfg;
	unsigned n = cfg->listener_count;
	int ret;

	ret = check_places(old, cfg, errors);
	for (unsigned i = 0; !ret && i < n; i++) {
		if (i < old->listener_count &&
			is_same_listener(&old->listener[i], &cfg->listener[i]))
			continue;
		ret = open_one(&opened[i], sip, i, &cfg->listener[i], errors);
	}
	if (ret) {
		for (unsigned i = 0; i < n; i++) {
			if (opened[i])
				listener_close(opened[i]);
		}
		return ret;
	}
	for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++) {
		if (opened[i] || i >= n) {
			removed[i] = sip->listener[i];
			sip->listener[i] = opened[i];
		}
	}
	sip->listener_count = n;
	sip->cfg = config_ref((struct config *)cfg);
	for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++) {
		if (!removed[i])
			continue;
		fail_listener(sip, i);
		listener_close(removed[i]);
	}
	config_unref(old);
	return 0;
}

const char *sip_listener_contact(const struct sip *sip, unsigned listener)
{
	return listener < sip->listener_count ? sip->listener[listener]->contact : "";
}

const char *sip_listener_host(const struct sip *sip, unsigned listener)
{
	return listener < sip->listener_count ? sip->listener[listener]->host_text : "";
}

void sip_get_status(const struct sip *sip, struct sip_status *out)
{
	*out = sip->status;
}
