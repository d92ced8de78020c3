/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define NS_A_MS 1000000u

void note_age(struct sip *sip, struct overload_window *w, uint64_t age_ns)
{
	uint64_t lag;

	overload_note(&sip->overload, w, age_ns);
	if (!overload_window_closed(&sip->overload, w))
		return;
	lag = overload_window_lag(&sip->overload, &sip->streams);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		const struct listener *l = sip->listener[i];
		uint64_t one = l ? overload_window_lag(&sip->overload, &l->window) : 0;

		lag = one > lag ? one : lag;
	}
	overload_reckon(&sip->overload, lag);
}

void note_stream_age(struct sip *sip)
{
	struct timespec ts;
	uint64_t now_ms;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_A_MS;
	note_age(sip, &sip->streams, (now_ms - loop_now_ms(sip->loop)) * NS_A_MS);
	/* How long it waited before this round nobody tells: as long as what waits elsewhere. */
	if (sip->overload.age_ns < sip->overload.lag_ns)
		sip->overload.age_ns = sip->overload.lag_ns;
}

static void told_overload(void *ctx, bool begins, const char *text)
{
	struct sip *sip = ctx;

	if (begins)
		sip->status.overloads++;
	if (sip->handlers.overload)
		sip->handlers.overload(sip->handlers.ctx, text);
}

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

unsigned sip_t1_ms(const struct sip *sip)
{
	return sip->t1_ms;
}

void sip_set_timers(struct sip *sip, unsigned t1_ms, unsigned t2_ms, unsigned t4_ms)
{
	sip->t1_ms = t1_ms;
	sip->t2_ms = t2_ms;
	sip->t4_ms = t4_ms;
}

void sip_set_before_sending(struct sip *sip, sip_before_sending_fn *fn, void *ctx)
{
	sip->before_sending = fn;
	sip->before_sending_ctx = ctx;
}

void write_down_first(struct sip *sip)
{
	if (sip->before_sending)
		sip->before_sending(sip->before_sending_ctx);
}

static unsigned free_slot(const struct sip *sip)
{
	unsigned slot = 0;

	while (slot < SLOTS_MAX && sip->listener[slot])
		slot++;
	return slot;
}

static const char *listen_words(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another program listens there";
	default:
		return strerror(-error);
	}
}

/* Opens listener number index of cfg in the first free slot. */
static int open_one(struct sip *sip, const struct config *cfg, unsigned index, FILE *errors)
{
	const struct listener_config *lc = &cfg->listener[index];
	unsigned slot = free_slot(sip);
	char text[ADDR_TEXT_MAX];
	int ret = -ENOSPC;

	if (slot < SLOTS_MAX)
		ret = listener_open(&sip->listener[slot], sip, slot, index, lc);
	if (ret) {
		addr_print(&lc->address.local, text);
		log_error("sip: listener %s on %s %s: %s", lc->name, text,
			transport_name(lc->transport), listen_words(ret));
		if (errors)
			fprintf(errors, "listener %s: cannot listen on %s: %s\n", lc->name, text,
				listen_words(ret));
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
	sip->generation = 1;
	sip->reap_timer.fire = reap_fire;
	sip->streams.least_ns = UINT64_MAX;
	overload_init(&sip->overload, loop);
	overload_configure(&sip->overload, cfg);
	sip->overload.told = told_overload;
	sip->overload.ctx = sip;
	sip->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sip_set_timers(sip, SIP_T1_MS, SIP_T2_MS, SIP_T4_MS);
	ret = transaction_osip_new(sip);
	if (!ret)
		ret = udp_batch_new(&sip->batch);
	if (!ret)
		ret = udp_later_new(&sip->later, sip);
	for (unsigned i = 0; !ret && i < cfg->listener_count; i++)
		ret = open_one(sip, cfg, i, NULL);
	if (ret) {
		sip_free(sip);
		return ret;
	}
	tls_watch_expiry(sip);
	listeners_watch(sip);
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
	if (sip->later)
		udp_later_leave(sip->later);
	remnant_free_all(sip);
	auth_client_forget(sip);
	auth_server_free(sip);
	tcp_forget_refusals(sip);
	target_free_all(sip);
	peer_name_free_all(sip);
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		if (sip->listener[i])
			listener_close(sip->listener[i]);
	}
	loop_timer_stop(sip->loop, &sip->reap_timer);
	overload_free(&sip->overload);
	lately_free(&sip->refused);
	loop_timer_stop(sip->loop, &sip->pending_timer);
	loop_timer_stop(sip->loop, &sip->expiry_timer);
	loop_timer_stop(sip->loop, &sip->address_timer);
	if (sip->spare_fd >= 0)
		close(sip->spare_fd);
	udp_batch_free(sip->batch);
	udp_later_free(sip->later);
	if (sip->osip)
		osip_release(sip->osip);
	strbuf_free(&sip->scratch);
	strbuf_free(&sip->request_key);
	known_free(&sip->known);
	admission_free(sip);
	config_unref(sip->cfg);
	free(sip);
}

/* ---- reload ---- */

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

/* The slot of the listener that lc describes, SLOTS_MAX when it is not open. */
static unsigned find_slot(const struct sip *sip, const struct listener_config *lc)
{
	unsigned slot;

	for (slot = 0; slot < SLOTS_MAX; slot++) {
		if (sip->listener[slot] && listener_is(sip->listener[slot], lc))
			break;
	}
	return slot;
}

int sip_reload(struct sip *sip, const struct config *cfg, FILE *errors)
{
	bool keep[SLOTS_MAX] = {false}, opened[SLOTS_MAX] = {false};
	unsigned index[SLOTS_MAX] = {0};
	int ret = 0;

	for (unsigned i = 0; i < cfg->listener_count && !ret; i++) {
		unsigned slot = find_slot(sip, &cfg->listener[i]);

		if (slot == SLOTS_MAX) {
			slot = free_slot(sip);
			ret = open_one(sip, cfg, i, errors);
			if (!ret)
				opened[slot] = true;
		}
		if (!ret) {
			keep[slot] = true;
			index[slot] = i;
		}
	}
	/* Those that go say what they have to say by the configuration that they have. */
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		struct listener *l = sip->listener[slot];

		if (!l || (ret ? !opened[slot] : keep[slot]))
			continue;
		sip->listener[slot] = NULL;
		fail_listener(sip, slot);
		udp_later_flush(sip->later);
		listener_close(l);
	}
	if (ret)
		return ret;
	for (unsigned slot = 0; slot < SLOTS_MAX; slot++) {
		struct listener *l = sip->listener[slot];

		if (!l)
			continue;
		l->index = index[slot];
		if (listener_update(l, &cfg->listener[l->index]))
			log_warn("sip: out of memory: listener %s keeps its old names",
				cfg->listener[l->index].name);
	}
	admission_retire(sip, sip->cfg);
	auth_client_forget(sip);
	sip->cfg = config_ref((struct config *)cfg);
	overload_configure(&sip->overload, cfg);
	sip->generation++;
	target_forget_sessions(sip);
	tls_watch_expiry(sip);
	listeners_watch(sip);
	return 0;
}

unsigned sip_listener_slot(const struct sip *sip, const struct listener_config *lc)
{
	unsigned slot = find_slot(sip, lc);

	return slot < SLOTS_MAX ? slot : SIP_NO_LISTENER;
}

bool sip_listener_is_open(const struct sip *sip, unsigned listener)
{
	return listener_at(sip, listener) != NULL;
}

bool sip_listener_waits(const struct sip *sip, unsigned listener)
{
	const struct listener *l = listener_at(sip, listener);

	return l && l->is_waiting;
}

char *sip_listener_text(const struct listener_config *lc, char buf[LISTENER_TEXT_MAX])
{
	char at[ADDR_TEXT_MAX];

	snprintf(buf, LISTENER_TEXT_MAX, "%s %s %s", lc->name, addr_print(&lc->address.local, at),
		transport_name(lc->transport));
	return buf;
}

const char *sip_listener_contact(const struct sip *sip, unsigned listener)
{
	const struct listener *l = listener_at(sip, listener);

	return l ? l->contact : "";
}

const char *sip_listener_host(const struct sip *sip, unsigned listener)
{
	const struct listener *l = listener_at(sip, listener);

	return l ? l->host_text : "";
}

void sip_get_status(const struct sip *sip, struct sip_status *out)
{
	*out = sip->status;
	if (sip->overload.on) {
		out->shed_percent =
			(sip->overload.share * 100ull + OVERLOAD_ALL / 2) / OVERLOAD_ALL;
		out->lag_ms = sip->overload.lag_ns / NS_A_MS;
	}
}
