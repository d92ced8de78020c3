/* SPDX-License-Identifier: BSD-2-Clause */
/* OPTIONS to peers (RFC 3261 11): at their interval while they are up, at another while they are
 * down. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"
#include "peer/internal.h"
#include "sip/dialog.h"

#define PEER_OF(t, member) ((struct peer *)(void *)((char *)(t)-offsetof(struct peer, member)))
#define JITTER_PERCENT     5
#define HURRY_MS           1000 /* between the last OPTIONS and one out of turn, at least */
#define CALL_ID_LEN        24
#define REASON_MAX         64 /* bytes */
#define URI_TEXT_MAX       320

static void options_due(struct loop_timer *t);

static uint64_t random_below(uint64_t end)
{
	return end ? token_random64() % end : 0;
}

static void wait_ms(struct peer *peer, uint64_t ms, void (*fire)(struct loop_timer *))
{
	peer->options_timer.fire = fire;
	if (loop_timer_start(peer->peers->loop, &peer->options_timer, ms) == 0)
		return;
	/* Out of memory: no OPTIONS any more until the next reload; calls still tell. */
	log_limited(LOG_LEVEL_ERROR, "peer %s: no memory for its timer", peer->name);
	if (peer->has_turn)
		peer->peers->rounds--;
	peer->has_turn = false;
}

/* ---- turns: so many rounds at once ---- */

/* False: in the queue. */
static bool take_turn(struct peer *peer)
{
	struct peers *peers = peer->peers;

	if (peer->has_turn)
		return true;
	if (peers->rounds < OPTIONS_ROUNDS_MAX) {
		peers->rounds++;
		peer->has_turn = true;
		return true;
	}
	if (!peer->is_queued) {
		peers->options_postponed++;
		peer->is_queued = true;
		DL_APPEND(peers->queue, peer);
	}
	return false;
}

static void leave_queue(struct peer *peer)
{
	if (peer->is_queued)
		DL_DELETE(peer->peers->queue, peer);
	peer->is_queued = false;
}

/* The first in the queue has it now. */
static void give_turn(struct peer *peer)
{
	struct peers *peers = peer->peers;
	struct peer *first = peers->queue;

	if (!peer->has_turn)
		return;
	peer->has_turn = false;
	if (!first) {
		peers->rounds--;
		return;
	}
	leave_queue(first);
	first->has_turn = true;
	wait_ms(first, 0, options_due);
}

/* The next round, counted from the beginning of the last one. */
static void wait_for_turn(struct peer *peer)
{
	const struct liveness_config *lc = &peer->config->liveness;
	uint64_t now = loop_now_ms(peer->peers->loop);
	uint64_t period = peer->fact[FACT_SILENT].holds ? lc->probe_ms : lc->interval_ms;
	uint64_t jitter = period * JITTER_PERCENT / 100;
	uint64_t due = peer->options_ms + period - jitter + random_below(2 * jitter + 1);

	give_turn(peer);
	if (!lc->interval_ms)
		return;
	wait_ms(peer, due > now ? due - now : 0, options_due);
}

/* ---- one OPTIONS ---- */

/* host: IPv6 with or without brackets; port 0: none. */
static osip_uri_t *uri_of_host(const char *host, uint16_t port)
{
	const bool bare = host[0] != '[' && strchr(host, ':');
	char text[URI_TEXT_MAX], port_text[8] = "";
	osip_uri_t *uri = NULL;

	if (port)
		snprintf(port_text, sizeof(port_text), ":%u", port);
	snprintf(text, sizeof(text), bare ? "sip:[%s]%s" : "sip:%s%s", host, port_text);
	if (osip_uri_init(&uri) == 0 && osip_uri_parse(uri, text) == 0)
		return uri;
	osip_uri_free(uri);
	return NULL;
}

/* Request-URI and To without a user part: it is the server that is meant (RFC 3261 11.1). */
static int fill_in(osip_message_t *msg, const struct peer *peer, const struct sip_dest *dest)
{
	const struct sip *sip = peer->peers->sip;
	char buf[ADDR_TEXT_MAX], text[URI_TEXT_MAX], tag[DIALOG_TAG_LEN + 1];
	char call_id[CALL_ID_LEN + 1];
	const char *own_host = sip_listener_host(sip, dest->listener), *host;
	uint16_t port;

	host = peer_uri_host(peer->config, buf, &port);
	osip_message_set_method(msg, osip_strdup("OPTIONS"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	osip_message_set_uri(msg, uri_of_host(host, port));
	if (!msg->sip_method || !msg->sip_version || !msg->req_uri)
		return -ENOMEM;
	if (osip_to_init(&msg->to) || osip_from_init(&msg->from))
		return -ENOMEM;
	token_make(tag, DIALOG_TAG_LEN);
	msg->to->url = uri_of_host(host, 0);
	msg->from->url = uri_of_host(own_host, 0);
	if (!msg->to->url || !msg->from->url || osip_from_set_tag(msg->from, osip_strdup(tag)))
		return -ENOMEM;
	token_make(call_id, CALL_ID_LEN);
	snprintf(text, sizeof(text), "%s@%s", call_id, own_host);
	if (osip_message_set_call_id(msg, text) || osip_message_set_cseq(msg, "1 OPTIONS") ||
		osip_message_set_accept(msg, "application/sdp"))
		return -ENOMEM;
	return sip_set_contact(msg, sip, dest->listener);
}

static int make_options(const struct peer *peer, const struct sip_dest *dest, osip_message_t **out)
{
	osip_message_t *msg = NULL;
	int ret;

	if (osip_message_init(&msg))
		return -ENOMEM;
	ret = fill_in(msg, peer, dest);
	if (ret)
		osip_message_free(msg);
	else
		*out = msg;
	return ret;
}

/* ---- a round: the peer's targets one after the other, until one answers ---- */

static void try_target(struct peer *peer, const char *last_failure);

static const struct addr *last_tried(const struct peer *peer)
{
	return &peer->options_tried[peer->options_tried_count - 1];
}

static void target_failed(struct peer *peer, const char *reason)
{
	peer_target_failed(peer, last_tried(peer));
	try_target(peer, reason);
}

static void forget_transaction(struct peer *peer)
{
	if (!peer->options)
		return;
	sip_client_abandon(peer->options);
	peer->options = NULL;
}

static void answered(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct peer *peer = owner;
	int code = resp->status_code;
	char reason[REASON_MAX];

	(void)txn;
	if (code < 200) {
		peer_heard(peer);
		return;
	}
	forget_transaction(peer);
	if (code != SIP_SERVICE_UNAVAILABLE) {
		peer->count.options_answered++;
		peer_target_answered(peer, last_tried(peer));
		peer_heard(peer);
		wait_for_turn(peer);
		return;
	}
	/* Where it has other places, this one speaks for itself alone. */
	peer_target_unavailable(peer, last_tried(peer), resp);
	snprintf(reason, sizeof(reason), "OPTIONS answered %d", code);
	target_failed(peer, reason);
}

static void failed(void *owner, struct sip_client *txn, int error)
{
	struct peer *peer = owner;
	char reason[REASON_MAX];

	(void)txn;
	forget_transaction(peer);
	snprintf(reason, sizeof(reason), "OPTIONS: %s", strerror(-error));
	target_failed(peer, reason);
}

static void timed_out(struct loop_timer *t)
{
	struct peer *peer = PEER_OF(t, options_timer);
	struct sip_client *txn = peer->options;

	forget_transaction(peer);
	if (txn)
		sip_client_stop(txn);
	target_failed(peer, "OPTIONS unanswered");
}

static const struct sip_client_handlers handlers = {.response = answered, .failed = failed};

static bool was_tried(const struct peer *peer, const struct addr *remote)
{
	for (unsigned i = 0; i < peer->options_tried_count; i++) {
		if (addr_equal(&peer->options_tried[i], remote))
			return true;
	}
	return false;
}

static int send_to(struct peer *peer, const struct sip_dest *dest)
{
	osip_message_t *msg = NULL;
	int ret = make_options(peer, dest, &msg);

	if (!ret)
		ret = sip_client_send(peer->peers->sip, dest, msg, peer, &handlers, &peer->options);
	if (ret) {
		peer->options = NULL;
		return ret;
	}
	peer->count.options++;
	wait_ms(peer, peer->config->liveness.timeout_ms, timed_out);
	return 0;
}

/* The next target of the round; where none is left the peer has missed it. */
static void try_target(struct peer *peer, const char *last_failure)
{
	struct sip_dest target[PEER_TARGETS_MAX];
	unsigned count = peer_targets(peer, target);
	char reason[REASON_MAX];

	for (unsigned i = 0; i < count && peer->options_tried_count < PEER_TARGETS_MAX; i++) {
		int ret;

		if (was_tried(peer, &target[i].remote))
			continue;
		peer->options_tried[peer->options_tried_count++] = target[i].remote;
		ret = send_to(peer, &target[i]);
		if (!ret)
			return;
		snprintf(reason, sizeof(reason), "OPTIONS: %s", strerror(-ret));
		last_failure = reason;
		/* That is our own limit, and says nothing of the peer. */
		if (ret == -EAGAIN || ret == -ENOMEM || ret == -EMFILE) {
			wait_for_turn(peer);
			return;
		}
		peer_target_failed(peer, &target[i].remote);
	}
	/* Without an address it is not the peer that is silent. */
	if (peer->options_tried_count)
		health_missed(peer, peer->options_ms, last_failure);
	wait_for_turn(peer);
}

static void options_due(struct loop_timer *t)
{
	struct peer *peer = PEER_OF(t, options_timer);
	struct peers *peers = peer->peers;

	if (!take_turn(peer))
		return;
	peer->options_ms = loop_now_ms(peers->loop);
	peer->options_tried_count = 0;
	try_target(peer, "no address is known");
}

/* ---- beginning and end ---- */

void liveness_configure(struct peer *peer, const struct liveness_config *before)
{
	const struct liveness_config *now = &peer->config->liveness;

	if (!now->interval_ms) {
		liveness_stop(peer);
		peer->misses = 0;
		fact_clear(peer, FACT_SILENT, "it is not watched any more");
	} else if (!before || before->interval_ms != now->interval_ms ||
		   before->probe_ms != now->probe_ms) {
		/* Anywhere in the interval, so that a thousand peers do not come at once. */
		if (!peer->has_turn && !peer->is_queued)
			wait_ms(peer, random_below(now->interval_ms), options_due);
	}
}

void liveness_hurry(struct peer *peer)
{
	uint64_t now = loop_now_ms(peer->peers->loop), due = peer->options_ms + HURRY_MS;

	if (!peer->config->liveness.interval_ms || peer->has_turn || peer->is_queued)
		return;
	wait_ms(peer, due > now ? due - now : 0, options_due);
}

void peer_asked(struct peer *peer)
{
	if (peer->fact[FACT_SILENT].holds)
		liveness_hurry(peer);
}

void liveness_stop(struct peer *peer)
{
	struct sip_client *txn = peer->options;

	loop_timer_stop(peer->peers->loop, &peer->options_timer);
	leave_queue(peer);
	give_turn(peer);
	forget_transaction(peer);
	if (txn)
		sip_client_stop(txn);
}

uint64_t peers_options_postponed(const struct peers *peers)
{
	return peers->options_postponed;
}
