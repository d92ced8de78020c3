/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of calls, and a call's life from nothing to nothing. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call/internal.h"

#define ORDER_FIRST 256

/* ---- order of ids: a sorted vector with holes ---- */

static void order_pack(struct order *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->len; i++) {
		if (!o->slot[i])
			continue;
		o->slot[n] = o->slot[i];
		o->id[n] = o->id[i];
		o->slot[n]->index = n;
		n++;
	}
	o->len = n;
	o->dead = 0;
}

static int order_append(struct order *o, struct call *call)
{
	if (o->len == o->room && o->dead > o->len / 2)
		order_pack(o);
	if (o->len == o->room) {
		unsigned room = o->room ? o->room * 2 : ORDER_FIRST;
		struct call **slot = realloc(o->slot, room * sizeof(struct call *));
		uint64_t *id;

		if (!slot)
			return -ENOMEM;
		o->slot = slot;
		id = realloc(o->id, room * sizeof(uint64_t));
		if (!id)
			return -ENOMEM;
		o->id = id;
		o->room = room;
	}
	o->slot[o->len] = call;
	o->id[o->len] = call->id;
	call->index = o->len++;
	return 0;
}

static void order_remove(struct order *o, struct call *call)
{
	o->slot[call->index] = NULL;
	o->dead++;
}

struct call *call_next(struct calls *calls, uint64_t after)
{
	const struct order *o = &calls->order;
	unsigned low = 0, high = o->len;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (o->id[mid] <= after)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < o->len && !o->slot[low])
		low++;
	return low < o->len ? o->slot[low] : NULL;
}

struct call *call_by_id(struct calls *calls, uint64_t id)
{
	struct call *call;

	HASH_FIND(hh_id, calls->by_id, &id, sizeof(id), call);
	return call;
}

/* ---- tags ---- */

int tag_add(struct calls *calls, struct tag *tag)
{
	table_add_failed = false;
	HASH_ADD(hh, calls->tags, text, DIALOG_TAG_LEN, tag);
	return table_add_failed ? -ENOMEM : 0;
}

void tag_del(struct calls *calls, struct tag *tag)
{
	HASH_DELETE(hh, calls->tags, tag);
}

/* ---- merged requests ---- */

static void merge_key_make(const osip_message_t *invite, struct merge_key *key)
{
	const char *tag = sip_tag(invite->from);
	const char *number = invite->call_id->number ? invite->call_id->number : "";
	const char *host = invite->call_id->host ? invite->call_id->host : "";

	key->hash[0] =
		(uint64_t)table_hash(number, strlen(number)) << 32 | table_hash(host, strlen(host));
	key->hash[1] = (uint64_t)table_hash(tag, strlen(tag)) << 32 | sip_cseq_number(invite);
}

bool merge_key_exists(struct calls *calls, const osip_message_t *invite)
{
	struct merge_key key;
	struct call *call;

	merge_key_make(invite, &key);
	HASH_FIND(hh_merge, calls->by_merge_key, &key, sizeof(key), call);
	return call != NULL;
}

int merge_key_add(struct call *call, const osip_message_t *invite)
{
	merge_key_make(invite, &call->merge_key);
	table_add_failed = false;
	HASH_ADD(hh_merge, call->calls->by_merge_key, merge_key, sizeof(struct merge_key), call);
	call->merge_added = !table_add_failed;
	return table_add_failed ? -ENOMEM : 0;
}

void merge_key_del(struct call *call)
{
	if (call->merge_added)
		HASH_DELETE(hh_merge, call->calls->by_merge_key, call);
	call->merge_added = false;
}

/* ---- pairs and exchanges ---- */

struct pair *pair_new(struct call *call)
{
	struct pair *pair;

	if (call->pair_count >= CALL_PAIRS_MAX) {
		DL_FOREACH (call->pairs, pair) {
			if (pair->retired && !pair->refused)
				break;
		}
		if (!pair)
			return NULL;
		pair_free(pair);
	}
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return NULL;
	pair->call = call;
	DL_APPEND(call->pairs, pair);
	call->pair_count++;
	return pair;
}

void pair_retire(struct pair *pair)
{
	pair->retired = true;
	free(pair->early_answer);
	pair->early_answer = NULL;
	if (!pair->has_dialog_a)
		return;
	pair->has_dialog_a = false;
	tag_del(pair->call->calls, &pair->tag_a);
	dialog_clear(&pair->leg[LEG_A]);
}

void pair_free(struct pair *pair)
{
	struct call *call = pair->call;

	pair_retire(pair);
	DL_DELETE(call->pairs, pair);
	call->pair_count--;
	dialog_clear(&pair->leg[LEG_B]);
	free(pair);
}

struct pair *pair_by_tags(struct call *call, const char *local_tag, const char *remote_tag)
{
	struct pair *pair;

	DL_FOREACH (call->pairs, pair) {
		const struct dialog *d = &pair->leg[LEG_B];

		if (strcmp(d->local_tag, local_tag) == 0 && strcmp(d->remote_tag, remote_tag) == 0)
			return pair;
	}
	return NULL;
}

struct exchange *exchange_new(struct call *call, enum leg from)
{
	struct exchange *x;

	if (call->exchange_count >= CALL_EXCHANGES_MAX)
		return NULL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->call = call;
	x->from = from;
	DL_APPEND(call->exchanges, x);
	call->exchange_count++;
	return x;
}

void exchange_free(struct exchange *x)
{
	struct call *call = x->call;

	if (x->server)
		sip_server_abandon(x->server);
	if (x->client)
		sip_client_abandon(x->client);
	DL_DELETE(call->exchanges, x);
	call->exchange_count--;
	if (call->initial == x)
		call->initial = NULL;
	free(x->ack);
	free(x);
}

void exchange_release_if_done(struct exchange *x)
{
	struct call *call = x->call;

	if (!x->server && !x->client && !x->ack_waits)
		exchange_free(x);
	call_release_if_done(call);
}

/* ---- live calls by peer ---- */

static unsigned *peer_live(const struct calls *calls, const struct peer_config *peer)
{
	/* A call that began before a reload counts with the peer that bears the name now. */
	const struct peer_config *now = config_peer_by_name(calls->cfg, peer->name);

	return now && calls->peer_live ? &calls->peer_live[config_peer_index(calls->cfg, now)]
				       : NULL;
}

bool peer_has_room(const struct calls *calls, const struct peer_config *peer)
{
	const unsigned *live = peer_live(calls, peer);

	return !peer->calls_max || !live || *live < peer->calls_max;
}

static void count_peer(struct call *call, enum leg leg, int change)
{
	unsigned *live = call->peer[leg] ? peer_live(call->calls, call->peer[leg]) : NULL;

	if (live && (change > 0 || *live > 0))
		*live += (unsigned)change;
}

void call_set_peer(struct call *call, enum leg leg, const struct peer_config *peer)
{
	count_peer(call, leg, -1);
	call->peer[leg] = peer;
	count_peer(call, leg, 1);
}

void call_uncount(struct call *call)
{
	if (!call->counted)
		return;
	call->counted = false;
	call->calls->live--;
	count_peer(call, LEG_A, -1);
	count_peer(call, LEG_B, -1);
}

static unsigned *peer_counts_new(const struct config *cfg)
{
	return calloc(cfg->peer_count + 1, sizeof(unsigned));
}

/* Counts anew into counts, for the configuration that is now in force. */
static void count_peers(struct calls *calls, unsigned *counts)
{
	struct call *call;

	free(calls->peer_live);
	calls->peer_live = counts;
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		for (enum leg leg = LEG_A; call->counted && leg <= LEG_B; leg++)
			count_peer(call, leg, 1);
	}
}

/* ---- calls ---- */

void call_event(struct call *call, const char *kind, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_debug("call %llu: %s: %s", (unsigned long long)call->id, kind, text);
	if (call->calls->event)
		call->calls->event(call->calls->event_ctx, call->id, kind, text);
}

struct call *call_new(struct calls *calls, const struct peer_config *from)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->calls = calls;
	call->id = ++calls->next_id;
	call->cfg = config_ref(calls->cfg);
	call->setup_ms = loop_now_ms(calls->loop);
	table_add_failed = false;
	HASH_ADD(hh_id, calls->by_id, id, sizeof(call->id), call);
	if (table_add_failed || order_append(&calls->order, call)) {
		if (!table_add_failed)
			HASH_DELETE(hh_id, calls->by_id, call);
		config_unref(call->cfg);
		free(call);
		return NULL;
	}
	call->counted = true;
	calls->live++;
	calls->count++;
	call_set_peer(call, LEG_A, from);
	return call;
}

static void reap(struct loop_timer *t)
{
	struct calls *calls = (struct calls *)((char *)t - offsetof(struct calls, reaper));

	while (calls->dead) {
		struct call *call = calls->dead;

		calls->dead = call->next_dead;
		config_unref(call->cfg);
		history_clear(call);
		free(call);
	}
}

/* Takes the call out of everything at once; its memory goes when the handler that is running has
 * returned to the loop. */
static void call_free(struct call *call)
{
	struct calls *calls = call->calls;
	struct pair *pair, *next_pair;
	struct exchange *x, *next_x;

	loop_timer_stop(calls->loop, &call->attempt_timer);
	DL_FOREACH_SAFE (call->exchanges, x, next_x) {
		exchange_free(x);
	}
	DL_FOREACH_SAFE (call->pairs, pair, next_pair) {
		pair_free(pair);
	}
	if (call->tag_b_added)
		tag_del(calls, &call->tag_b);
	merge_key_del(call);
	media_session_free(call->media);
	call->media = NULL;
	call_uncount(call);
	HASH_DELETE(hh_id, calls->by_id, call);
	order_remove(&calls->order, call);
	calls->count--;
	call->next_dead = calls->dead;
	calls->dead = call;
	calls->reaper.fire = reap;
	if (!loop_timer_is_started(&calls->reaper))
		loop_timer_start(calls->loop, &calls->reaper, 0);
}

void call_release_if_done(struct call *call)
{
	if (call->state == CALL_ENDING && !call->exchanges)
		call_free(call);
}

static void media_timed_out(void *ctx, void *owner, enum leg leg, unsigned seconds, bool held)
{
	struct calls *calls = ctx;
	struct call *call = owner;
	char reason[96];

	calls->counters.media_timeouts++;
	log_info("call %llu: no media from %s for %u s%s: ended", (unsigned long long)call->id,
		call->peer[leg]->name, seconds, held ? " on hold" : "");
	snprintf(reason, sizeof(reason), "SIP;cause=408;text=\"No media for %u s\"", seconds);
	call_end(call, LEG_NONE, reason, "media timeout");
}

/* Not for the log: what callers dial is among it. */
static void media_event(void *ctx, void *owner, const char *kind, const char *text)
{
	struct calls *calls = ctx;
	const struct call *call = owner;

	if (calls->event)
		calls->event(calls->event_ctx, call->id, kind, text);
}

static void request_received(
	void *ctx, struct sip_server *txn, osip_message_t *req, const struct peer_config *peer)
{
	struct calls *calls = ctx;

	if (sip_tag(req->to)[0])
		request_in_dialog(calls, txn, req, peer);
	else if (peer < calls->cfg->peer || peer >= calls->cfg->peer + calls->cfg->peer_count)
		/* Dropped by a reload: admitted for the calls that it still has, not for new ones.
		 */
		sip_server_reply(txn, SIP_FORBIDDEN, NULL, NULL, NULL);
	else if (MSG_IS_INVITE(req))
		invite_received(calls, txn, req, peer);
	else if (MSG_IS_OPTIONS(req)) {
		osip_message_t *resp;

		/* RFC 3261 11.2 */
		if (sip_response_make(txn, SIP_OK, NULL, NULL, &resp) == 0) {
			osip_message_set_header(resp, "Allow", CALL_ALLOW);
			osip_message_set_header(resp, "Accept", "application/sdp");
			osip_message_set_header(resp, "Supported", "100rel, timer");
			sip_server_respond(txn, resp);
		}
	} else if (MSG_IS_BYE(req) || strcmp(req->sip_method, "PRACK") == 0 ||
		   strcmp(req->sip_method, "UPDATE") == 0 || MSG_IS_INFO(req))
		sip_server_reply(txn, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
	else if (MSG_IS_REGISTER(req) || MSG_IS_SUBSCRIBE(req) || MSG_IS_NOTIFY(req) ||
		 MSG_IS_REFER(req) || MSG_IS_MESSAGE(req) || MSG_IS_PUBLISH(req))
		sip_server_reply(txn, SIP_METHOD_NOT_ALLOWED, NULL, "Allow", CALL_ALLOW);
	else
		sip_server_reply(txn, SIP_NOT_IMPLEMENTED, NULL, "Allow", CALL_ALLOW);
}

int calls_new(struct calls **out, struct loop *loop, struct config *cfg,
	enum dataplane_engine engine, calls_event_fn *event, void *event_ctx)
{
	struct calls *calls = calloc(1, sizeof(*calls));
	struct media_handlers media_handlers = {
		.ctx = calls, .timeout = media_timed_out, .event = media_event};
	struct sip_handlers sip_handlers = {
		.ctx = calls, .request = request_received, .ack = ack_received};
	int ret;

	if (!calls)
		return -ENOMEM;
	calls->loop = loop;
	calls->cfg = config_ref(cfg);
	calls->event = event;
	calls->event_ctx = event_ctx;
	ret = -ENOMEM;
	calls->peer_live = peer_counts_new(cfg);
	if (!calls->peer_live)
		goto fail;
	ret = media_new(&calls->media, loop, cfg, engine, &media_handlers);
	if (ret)
		goto fail;
	ret = sip_new(&calls->sip, loop, cfg, &sip_handlers);
	if (ret)
		goto fail;
	*out = calls;
	return 0;
fail:
	media_free(calls->media);
	config_unref(calls->cfg);
	free(calls->peer_live);
	free(calls);
	return ret;
}

void calls_free(struct calls *calls)
{
	struct call *call;

	if (!calls)
		return;
	while ((call = call_next(calls, 0)))
		call_free(call);
	reap(&calls->reaper);
	loop_timer_stop(calls->loop, &calls->reaper);
	sip_free(calls->sip);
	media_free(calls->media);
	config_unref(calls->cfg);
	free(calls->order.slot);
	free(calls->order.id);
	free(calls->peer_live);
	free(calls);
}

/* An open listener to stand in for one that a reload has closed: same side and transport, best the
 * same family. SIP_NO_LISTENER when there is none. */
static unsigned substitute(const struct calls *calls, const struct peer_config *peer)
{
	const struct config *cfg = calls->cfg;

	for (unsigned i = 0; i < cfg->listener_count; i++) {
		const struct listener_config *lc = &cfg->listener[i];

		if (lc->side == peer->side && lc->transport == peer->transport &&
			lc->address.local.family == peer->address.family)
			return sip_listener_slot(calls->sip, lc);
	}
	return SIP_NO_LISTENER;
}

/* Running calls keep their configuration; their dialogs whose listener is gone move to another. */
static void move_dialogs(struct calls *calls)
{
	struct call *call;
	struct pair *pair;

	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		DL_FOREACH (call->pairs, pair) {
			for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
				struct dialog *d = &pair->leg[leg];

				if (!d->peer || sip_listener_is_open(calls->sip, d->listener))
					continue;
				d->listener = substitute(calls, d->peer);
				d->dest.listener = d->listener;
			}
		}
	}
}

int calls_reload(struct calls *calls, struct config *cfg, FILE *errors)
{
	int ret = config_check_reload(calls->cfg, cfg, errors);
	unsigned *counts;

	if (ret)
		return ret;
	counts = peer_counts_new(cfg);
	if (!counts)
		return -ENOMEM;
	ret = sip_reload(calls->sip, cfg, errors);
	if (ret)
		goto fail;
	ret = media_reload(calls->media, cfg);
	if (ret) {
		fprintf(errors, "%s: media: %s\n", cfg->file, strerror(-ret));
		sip_reload(calls->sip, calls->cfg, errors);
		goto fail;
	}
	config_unref(calls->cfg);
	calls->cfg = config_ref(cfg);
	move_dialogs(calls);
	count_peers(calls, counts);
	return 0;
fail:
	free(counts);
	return ret;
}

const struct config *calls_config(const struct calls *calls)
{
	return calls->cfg;
}

struct sip *calls_sip(struct calls *calls)
{
	return calls->sip;
}

struct media *calls_media(struct calls *calls)
{
	return calls->media;
}

unsigned calls_count(const struct calls *calls)
{
	return calls->count;
}

void call_hangup(struct call *call, const char *reason_text)
{
	char reason[160];

	snprintf(reason, sizeof(reason), "SIP;cause=200;text=\"%.100s\"", reason_text);
	call_end(call, LEG_NONE, reason, reason_text);
}

void calls_shutdown(struct calls *calls)
{
	struct call *call;

	calls->shutting_down = true;
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id)
		call_hangup(call, "Shutting down");
}

/* ---- what others read ---- */

const char *call_state_name(enum call_state state)
{
	static const char *const names[] = {"setup", "ringing", "answered", "ending"};

	return names[state];
}

static void leg_info(const struct call *call, enum leg leg, struct call_leg_info *out)
{
	const struct pair *pair = call->answered ? call->answered : call->pairs;
	const struct peer_config *peer = call->peer[leg];
	const struct dialog *d;

	memset(out, 0, sizeof(*out));
	out->peer = peer ? peer->name : "";
	out->sip_call_id = out->local_tag = out->remote_tag = "";
	out->local_uri = out->remote_uri = "";
	out->listener = peer ? call->cfg->listener[peer->listener].name : "";
	if (peer)
		out->signalling = peer->address;
	if (!pair || (leg == LEG_A && !pair->has_dialog_a))
		return;
	d = &pair->leg[leg];
	out->sip_call_id = d->call_id;
	out->local_tag = d->local_tag;
	out->remote_tag = d->remote_tag;
	out->local_uri = d->local_uri;
	out->remote_uri = d->remote_uri;
	out->signalling = d->dest.remote;
}

void call_get_info(const struct call *call, struct call_info *out)
{
	uint64_t now = loop_now_ms(call->calls->loop);

	memset(out, 0, sizeof(*out));
	out->id = call->id;
	out->state = call->state;
	out->from = call->from;
	out->to = call->to;
	out->route = call->route.route && call->route.route->name ? call->route.route->name : "";
	out->setup_ms_ago = now - call->setup_ms;
	out->answered_ms_ago = call->answered_ms ? now - call->answered_ms : UINT64_MAX;
	out->attempts = call->attempt + 1;
	leg_info(call, LEG_A, &out->leg[LEG_A]);
	leg_info(call, LEG_B, &out->leg[LEG_B]);
}

struct media_session *call_media(const struct call *call)
{
	return call->media;
}

void calls_get_status(const struct calls *calls, struct calls_status *out)
{
	*out = calls->counters;
	out->live = calls->live;
	out->live_max = calls->cfg->calls_max;
}

unsigned calls_count_peer(const struct calls *calls, const char *peer_name)
{
	const struct peer_config *peer = config_peer_by_name(calls->cfg, peer_name);
	const unsigned *live = peer ? peer_live(calls, peer) : NULL;

	return live ? *live : 0;
}
