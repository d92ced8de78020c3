/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of the daemon before this one: from the messages that save.c wrote, back to what they were.
 * A message is checked where the room relies on what it says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "call/attempt.h"
#include "call/end.h"
#include "call/exchange.h"
#include "call/replace_leg.h"
#include "call/session_timer.h"
#include "call/state.h"

/* What changed in the last milliseconds of the daemon before may not have been written down: CSeq
 * numbers go on far from where they were. RFC 3261 12.2.1.1 wants them to grow, no more. */
#define CSEQ_LEAP 100

#define PENDING_RETRY_AFTER_S "1"
#define ID_MAX                (UINT64_MAX / 2)

char *copy_bytes(const ProtobufCBinaryData *in, size_t max, bool *failed)
{
	char *out = NULL;

	if (in->len <= max && (!in->len || !memchr(in->data, '\0', in->len)))
		out = strndup(in->len ? (const char *)in->data : "", in->len);
	*failed |= !out;
	return out;
}

bool take_bytes(const ProtobufCBinaryData *in, char *out, size_t room)
{
	if (in->len >= room || (in->len && memchr(in->data, '\0', in->len)))
		return false;
	if (in->len)
		memcpy(out, in->data, in->len);
	out[in->len] = '\0';
	return true;
}

static bool take_numbers(const VdState__Numbers *in, struct numbers *out)
{
	if (!in)
		return true;
	out->anonymous = in->anonymous;
	return take_bytes(&in->calling, out->calling, sizeof(out->calling)) &&
	       take_bytes(&in->called, out->called, sizeof(out->called));
}

unsigned listener_for(const struct calls *calls, const struct peer_config *peer, uint8_t family)
{
	const struct listener_config *lc = &calls->cfg->listener[peer->listener];

	if (lc->address.local.family == family)
		return sip_listener_slot(calls->sip, lc);
	return call_substitute_listener(calls, peer, family);
}

int adopt_dialog(const struct calls *calls, const struct peer_config *peer,
	const VdState__Dialog *in, struct dialog *d)
{
	bool failed = false;

	memset(d, 0, sizeof(*d));
	if (in->local_tag.len != DIALOG_TAG_LEN ||
		!take_bytes(&in->local_tag, d->local_tag, sizeof(d->local_tag)) ||
		addr_parse(&d->began.remote, in->began, 0) ||
		addr_parse(&d->dest.remote, in->remote, 0))
		return -EINVAL;
	d->call_id = copy_bytes(&in->call_id, SIP_MESSAGE_MAX, &failed);
	d->remote_tag = copy_bytes(&in->remote_tag, DIALOG_REMOTE_TAG_MAX, &failed);
	d->local_uri = copy_bytes(&in->local_uri, DIALOG_URI_MAX, &failed);
	d->remote_uri = copy_bytes(&in->remote_uri, DIALOG_URI_MAX, &failed);
	d->remote_target = copy_bytes(&in->remote_target, DIALOG_URI_MAX, &failed);
	if (in->routes.len) {
		d->routes = copy_bytes(
			&in->routes, (size_t)DIALOG_ROUTES_MAX * (DIALOG_URI_MAX + 1), &failed);
		/* Each ends in one; whoever reads them relies on it. */
		failed |= in->routes.data[in->routes.len - 1] != '\n';
	}
	d->is_uac = in->is_uac;
	d->local_cseq = in->local_cseq + CSEQ_LEAP;
	/* The last request may have been left unanswered, and comes again then. */
	d->remote_cseq = in->remote_cseq ? in->remote_cseq - 1 : 0;
	d->peer = peer;
	d->sip = calls->sip;
	d->began.peer = d->dest.peer = peer->name;
	d->dest.over_tcp = in->over_tcp;
	dialog_move(d, listener_for(calls, peer, d->dest.remote.family));
	if (!failed && d->listener != SIP_NO_LISTENER) {
		struct peer *live = peer_by_name(calls->peers, peer->name);

		if (live)
			peer_keep_address(live, d->listener, &d->dest.remote);
		return 0;
	}
	dialog_clear(d);
	return failed ? -EINVAL : -ENOENT;
}

/* The name lives in the configuration; NULL where it has no such peer any more. */
static const char *peer_name(const struct calls *calls, const char *name)
{
	const struct peer_config *peer = config_peer_by_name(calls->cfg, name);

	return peer ? peer->name : NULL;
}

static int adopt_attempts(struct call *call, const VdState__Call *in)
{
	struct history *h = &call->history;
	bool failed = false;

	if (!in->n_tried)
		return 0;
	if (in->n_tried > ROUTE_CANDIDATES_MAX * CALL_ATTEMPTS_MAX)
		return -EINVAL;
	h->attempt = calloc(in->n_tried, sizeof(*h->attempt));
	if (!h->attempt)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_tried; i++) {
		const VdState__CallAttempt *m = in->tried[i];
		struct call_attempt *attempt = &h->attempt[h->attempt_count++];

		attempt->peer = peer_name(call->calls, m->peer);
		if (!attempt->peer)
			attempt->peer = "";
		attempt->start_ms = m->start_wall_ms;
		attempt->end_ms = m->end_wall_ms;
		attempt->code = (int)m->code;
		attempt->cause = (int)m->cause;
		if (*m->address && addr_parse(&attempt->address, m->address, 0))
			return -EINVAL;
		if (!m->call_id.len)
			continue;
		attempt->call_id = copy_bytes(&m->call_id, SIP_MESSAGE_MAX, &failed);
		attempt->from = copy_bytes(&m->from, NUMBER_MAX, &failed);
		attempt->to = copy_bytes(&m->to, NUMBER_MAX, &failed);
	}
	return failed ? -EINVAL : 0;
}

/* Kinds are literals of those who note a transfer. */
static const char *transfer_kind(const char *kind)
{
	static const char *const known[] = {"blind", "attended", "replaces", "passed"};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(kind, known[i]) == 0)
			return known[i];
	}
	return "blind";
}

static int adopt_transfers(struct call *call, const VdState__Call *in)
{
	struct history *h = &call->history;

	if (!in->n_transferred)
		return 0;
	if (in->n_transferred > CALL_REFERS_MAX + CALL_TRANSFERS_MAX)
		return -EINVAL;
	h->transfer = calloc(in->n_transferred, sizeof(*h->transfer));
	if (!h->transfer)
		return -ENOMEM;
	for (size_t i = 0; i < in->n_transferred; i++) {
		const VdState__CallTransfer *m = in->transferred[i];
		struct call_transfer *transfer = &h->transfer[h->transfer_count++];

		transfer->at_ms = m->at_wall_ms;
		transfer->kind = transfer_kind(m->kind);
		transfer->by = m->by ? 'b' : 'a';
		transfer->code = (int)m->code;
		transfer->call = m->call;
		if (!take_bytes(&m->to, transfer->to, sizeof(transfer->to)))
			return -EINVAL;
	}
	return 0;
}

static const struct route_config *route_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; *name && i < cfg->route_count; i++) {
		if (cfg->route[i].name && strcmp(cfg->route[i].name, name) == 0)
			return &cfg->route[i];
	}
	return NULL;
}

static int adopt_facts(struct call *call, const VdState__Call *in)
{
	struct history *h = &call->history;
	int ret;

	call->route.verdict = ROUTE_FOUND;
	call->route.route = route_by_name(call->cfg, in->route);
	call->route.is_emergency = call->emergency = in->emergency;
	call->takes_any = in->takes_any;
	call->setup_ms = in->setup_ms;
	call->answered_ms = in->answered_ms;
	call->attempt = in->attempt;
	call->refers = in->refers;
	call->transfers = in->transfers;
	call->came_of = in->came_of;
	h->setup_ms = in->setup_wall_ms;
	h->ring_ms = in->ring_wall_ms;
	h->answer_ms = in->answer_wall_ms;
	if (!take_bytes(&in->from, call->from, sizeof(call->from)) ||
		!take_bytes(&in->to, call->to, sizeof(call->to)) ||
		!take_numbers(in->routed, &call->routed) || !take_numbers(in->sent, &call->sent))
		return -EINVAL;
	ret = adopt_attempts(call, in);
	return ret ? ret : adopt_transfers(call, in);
}

static void adopt_session_timer(struct call *call, enum leg leg, const VdState__CallLeg *in)
{
	struct session_timer_state was = {.min_s = in->session_min_s, .has_update = in->has_update};

	if (in->session) {
		was.interval_s = in->session->interval_s;
		was.we_refresh = in->session->we_refresh;
		was.since_ms = in->session->since_ms;
	}
	session_timer_adopt(call, leg, &was);
}

static int adopt_legs(struct call *call, const VdState__Call *in)
{
	struct pair *pair = pair_new(call);
	int ret;

	if (!pair)
		return -ENOMEM;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		const VdState__CallLeg *m = in->leg[leg];

		ret = adopt_dialog(call->calls, call->peer[leg], m->dialog, &pair->leg[leg]);
		if (ret)
			return ret;
		if (leg == LEG_A)
			pair->has_dialog_a = true;
	}
	call->answered = pair;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		const VdState__CallLeg *m = in->leg[leg];

		call->leg_gone[leg] = m->gone;
		ret = m->gone ? 0 : call_take_tag(call, leg, pair->leg[leg].local_tag);
		if (ret)
			return ret;
		adopt_session_timer(call, leg, m);
	}
	return 0;
}

/* Without a word to anybody: it never was. */
static void give_up(struct call *call)
{
	call->state = CALL_ENDING;
	call_uncount(call);
	call_release_if_done(call);
}

/* What was under way in an answered call has no owner any more. */
static void refuse_pending(struct call *call, const VdState__Call *in)
{
	if (media_offer_pending(call->media))
		media_offer_failed(call->media);
	for (size_t i = 0; i < in->n_pending; i++) {
		struct sip_server *txn;

		/* RFC 3261 14.2: the session stays as it was; who asked may do so again. */
		if (adopt_invited(call, in->pending[i], &txn) == 0)
			sip_server_reply(txn, SIP_INTERNAL_SERVER_ERROR, NULL, "Retry-After",
				PENDING_RETRY_AFTER_S);
	}
}

static void end_answered(struct call *call, const char *reason, const char *why)
{
	log_error("call %llu: %s: ended", (unsigned long long)call->id, why);
	call->calls->adoption.ended++;
	call_end(call, LEG_NONE, reason, why);
}

static void end_early(struct call *call, int error)
{
	const struct rejection why = {.code = SIP_INTERNAL_SERVER_ERROR};

	log_error("call %llu, not answered yet: it cannot be taken up (%s): ended",
		(unsigned long long)call->id, strerror(-error));
	call->calls->adoption.ended++;
	invite_reject(call, &why);
}

static int adopt_media(struct call *call, const VdState__Call *in)
{
	return media_session_adopt(call->calls->media, call, call->peer[LEG_A], call->peer[LEG_B],
		in->media, &call->media);
}

/* Whether it goes on; if not, both legs are told. */
static bool adopt_unanswered(struct call *call, const VdState__Call *in)
{
	/* The transactions first of all: by them both legs hear of what fails after that. */
	int ret = adopt_early_transactions(call, in->early);

	if (!ret)
		ret = adopt_media(call, in);
	if (!ret)
		ret = adopt_early(call, in->early);
	if (ret)
		end_early(call, ret);
	return !ret;
}

/* The same. */
static bool adopt_answered(struct call *call, const VdState__Call *in)
{
	if (adopt_media(call, in)) {
		end_answered(call, "SIP;cause=500;text=\"Media lost\"",
			"its media could not be taken up after a restart");
		return false;
	}
	if (call->leg_gone[LEG_A] || call->leg_gone[LEG_B]) {
		end_answered(call, "SIP;cause=500;text=\"Transfer lost\"",
			"a transfer was cut off by a restart");
		return false;
	}
	refuse_pending(call, in);
	exchange_note_hold(call);
	return true;
}

static int adopt_parts(struct call *call, const VdState__Call *in)
{
	int ret = adopt_facts(call, in);

	if (!ret && !in->early)
		ret = adopt_legs(call, in);
	if (ret) {
		give_up(call);
		return ret;
	}
	call->state = in->early ? CALL_SETUP : CALL_ANSWERED;
	if (in->early ? !adopt_unanswered(call, in) : !adopt_answered(call, in))
		return 0;
	call_touch(call); /* with its leap of CSeq */
	call->calls->adoption.adopted++;
	return 0;
}

static bool is_whole(const VdState__Call *in)
{
	if (in->n_leg != 2 || !in->media)
		return false;
	return in->early || (in->leg[LEG_A]->dialog && in->leg[LEG_B]->dialog);
}

static int adopt(struct calls *calls, uint64_t id, const VdState__Call *in)
{
	const struct peer_config *peer[2];
	struct call *call;

	if (!is_whole(in) || id <= calls->next_id || id > ID_MAX)
		return -EINVAL;
	for (enum leg leg = LEG_A; leg <= LEG_B; leg++) {
		peer[leg] = config_peer_by_name(calls->cfg, in->leg[leg]->peer);
		if (!peer[leg]) {
			log_error("call %llu: peer \"%s\" is not configured any more: the call is "
				  "lost",
				(unsigned long long)id, in->leg[leg]->peer);
			return -ENOENT;
		}
	}
	call = call_new_at(calls, id, peer[LEG_A]);
	if (!call)
		return -ENOMEM;
	calls->next_id = id;
	call_set_peer(call, LEG_B, peer[LEG_B]);
	call->saved = call->adopted = true;
	return adopt_parts(call, in);
}

static int adopt_ids(struct calls *calls, const uint8_t *value, size_t len)
{
	VdState__CallIds *m = vd_state__call_ids__unpack(NULL, len, value);
	int ret = -EBADMSG;

	if (m && m->below <= ID_MAX) {
		if (m->below > calls->next_id)
			calls->next_id = m->below - 1;
		calls->ids_below = m->below;
		ret = 0;
	}
	if (m)
		vd_state__call_ids__free_unpacked(m, NULL);
	return ret;
}

static int adopt_record(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct calls *calls = ctx;
	VdState__Call *m;
	int ret;

	if (key.name)
		return -EINVAL;
	m = vd_state__call__unpack(NULL, len, value);
	ret = m ? adopt(calls, key.number, m) : -EBADMSG;
	if (m)
		vd_state__call__free_unpacked(m, NULL);
	if (ret)
		calls->adoption.lost++;
	return ret;
}

static int adopt_room_record(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	if (!key.name)
		return -EINVAL;
	return strcmp(key.name, CALL_IDS_KEY) == 0 ? adopt_ids(ctx, value, len) : 0;
}

int calls_adopt(struct calls *calls, struct store *store)
{
	int ret = 0;

	if (store) {
		calls->save_arena = calloc(1, sizeof(*calls->save_arena));
		if (!calls->save_arena)
			return -ENOMEM;
		calls->store = store;
		ret = store_load(store, STORE_CALL, adopt_record, calls);
		if (!ret)
			ret = store_load(store, STORE_ROOM, adopt_room_record, calls);
		if (!ret)
			ret = peers_adopt(calls->peers, store);
		calls->ids_read = !ret;
	}
	if (ret)
		return ret;
	media_adoption_done(calls->media);
	if (calls->adoption.adopted || calls->adoption.ended || calls->adoption.lost)
		log_info("%u calls of before go on, %u were ended, %u are lost",
			calls->adoption.adopted, calls->adoption.ended, calls->adoption.lost);
	return 0;
}

void calls_get_adoption(const struct calls *calls, struct calls_adoption *out)
{
	*out = calls->adoption;
}

/* An INVITE has no final response, which the next daemon would have to refuse, or a 2xx without its
 * ACK, which nobody would send again. */
static bool awaits(const struct call *call)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (x->is_invite && x->server)
			return true;
	}
	return false;
}

void calls_leave(struct calls *calls)
{
	struct call *call;

	/* A call that comes meanwhile is left like the rest. */
	calls->leave_wanted = calls->store != NULL;
	calls->shutting_down = !calls->leave_wanted;
	for (uint64_t after = 0; (call = call_next(calls, after)); after = call->id) {
		if (calls->leave_wanted && call_can_be_saved(call))
			call_touch(call); /* what was measured is written down less often */
		else
			call_hangup(call, "Restarting");
	}
}

unsigned calls_under_way(const struct calls *calls)
{
	unsigned count = calls->leave_wanted ? calls->count - calls->live : calls->count;
	struct call *call;

	if (!calls->leave_wanted)
		return count;
	for (uint64_t after = 0; (call = call_next((struct calls *)calls, after)); after = call->id)
		count += call->state == CALL_ANSWERED && awaits(call);
	return count;
}
