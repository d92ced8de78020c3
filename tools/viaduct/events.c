/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "table.h"

#define RENEW_MS (VDC_LEASE_MS / 5)

static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void print_event(void *ctx, uint16_t type, json_t *event)
{
	const struct cli *cli = ctx;
	uint64_t time_ms = show_u64(event, "time_ms");
	time_t seconds = (time_t)(time_ms / 1000);
	char clock[32];
	struct tm tm;

	if (type != VDC_EVENT) {
		json_decref(event);
		return;
	}
	if (cli->json) {
		cli_print_json(event, true);
		return;
	}
	localtime_r(&seconds, &tm);
	strftime(clock, sizeof(clock), "%F %T", &tm);
	if (json_object_get(event, "call"))
		show_line("%s.%03u  call %-8" PRIu64 " %-10s %s", clock, (unsigned)(time_ms % 1000),
			show_u64(event, "call"), show_text(event, "kind"),
			show_text(event, "text"));
	else
		show_line("%s.%03u  %-13s %-10s %s", clock, (unsigned)(time_ms % 1000), "-",
			show_text(event, "kind"), show_text(event, "text"));
	json_decref(event);
}

/* The answer to a renewal: a subscription that ended begins anew. */
static enum cli_exit renewed(struct client *c, const struct ask *subscribe)
{
	if (c->error == 0)
		return CLI_OK;
	if (c->error != -ESTALE) {
		cli_error("%s", c->text ? c->text : strerror(-c->error));
		return c->error == -EPERM ? CLI_NOT_PERMITTED : CLI_FAILED;
	}
	cli_error("events were lost: this reader was too slow, or viaductd began anew");
	return client_ask(c, subscribe);
}

static enum cli_exit follow(struct client *c, const struct ask *subscribe)
{
	const struct ask renew = {.request = VDC_RENEW};
	uint64_t renewed_ms = now_ms(), asked_ms = 0; /* 0: no renewal is under way */
	enum cli_exit ret = CLI_OK;

	while (ret == CLI_OK && !interrupted && !ferror(stdout)) {
		uint64_t now = now_ms();
		bool got, answered;

		if (!asked_ms && now - renewed_ms >= RENEW_MS) {
			ret = client_send(c, &renew);
			asked_ms = now;
			if (ret)
				break;
		}
		if (asked_ms && now - asked_ms >= c->cli->timeout_ms) {
			cli_error("control port 0x%08x: viaductd does not answer any more",
				c->cli->port);
			return CLI_UNREACHABLE;
		}
		ret = client_receive(c, RENEW_MS / 4, &got, &answered);
		if (ret == CLI_OK && answered) {
			asked_ms = 0;
			renewed_ms = now_ms();
			ret = renewed(c, subscribe);
		}
	}
	return ret;
}

enum cli_exit cmd_events(const struct cli *cli)
{
	const struct sigaction on_signal = {.sa_handler = interrupt};
	struct ask ask = {.request = VDC_SUBSCRIBE};
	struct client c;
	enum cli_exit ret;

	if (cli->argc == 1 && (cli_parse_u64(cli->argv[0], &ask.call) || ask.call == 0)) {
		cli_error("%s is no call id: see viaduct calls", cli->argv[0]);
		return CLI_USAGE;
	}
	ret = client_open(&c, cli);
	if (ret)
		return ret;
	c.object = print_event;
	c.object_ctx = (void *)cli;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	ret = client_ask(&c, &ask);
	if (ret == CLI_OK)
		ret = follow(&c, &ask);
	if (interrupted && ret == CLI_OK) {
		const struct ask end = {.request = VDC_UNSUBSCRIBE};

		client_send(&c, &end);
	}
	client_close(&c);
	return ret;
}
