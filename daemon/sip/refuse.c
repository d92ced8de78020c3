/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers from the text of a message alone, before a parser or a transaction: mostly refusals. */
#include "sip/incoming.h"

#include "base/log.h"
#include "sip/reply.h"

#define STRANGER_WINDOW_MS 1000

void incoming_flow(const struct incoming *in, struct flow *out)
{
	transport_response_flow(out, in->flow, &in->guard.via);
}

/* to_tag: as for reply_print. */
static void reply(struct incoming *in, int code, const char *reason, const char *to_tag,
	unsigned retry_after_s)
{
	struct strbuf *out = &in->sip->scratch;
	struct flow flow;

	strbuf_reset(out);
	reply_print(
		out, in->raw, &in->guard, &in->flow->remote, code, reason, to_tag, retry_after_s);
	if (strbuf_error(out))
		return;
	incoming_flow(in, &flow);
	in->sip->status.responses_out++;
	/* After a refusal nothing comes. */
	if (code >= 300)
		(void)transport_send_in_any_order(in->sip, &flow, out->s, out->len);
	else
		(void)transport_send(in->sip, &flow, out->s, out->len);
}

void incoming_reply_tagged(struct incoming *in, int code, const char *reason, const char *to_tag)
{
	reply(in, code, reason, to_tag, 0);
}

void incoming_reply(struct incoming *in, int code, const char *reason)
{
	incoming_reply_tagged(in, code, reason, NULL);
}

void incoming_log(const struct incoming *in, const char *what)
{
	char text[ADDR_TEXT_MAX];

	log_limited(LOG_LEVEL_INFO, "sip: message from %s refused: %s",
		addr_print(&in->flow->remote, text), what);
}

void refuse_malformed(struct incoming *in, int code, const char *reason)
{
	in->sip->status.malformed++;
	incoming_log(in, reason);
	if (in->guard.answerable)
		incoming_reply(in, code, reason);
}

void refuse_stranger(struct incoming *in, size_t len, bool is_stream)
{
	struct sip *sip = in->sip;
	uint64_t now = loop_now_ms(sip->loop);

	sip->status.unknown_source++;
	incoming_log(in, "unknown source");
	if (sip->cfg->silent_strangers)
		return;
	if (now - sip->stranger_window_ms >= STRANGER_WINDOW_MS) {
		sip->stranger_window_ms = now;
		sip->stranger_answers = 0;
	}
	if (sip->stranger_answers >= STRANGER_ANSWERS_A_SECOND)
		return;
	guard_raw(&in->guard, in->raw, in->buf, len, is_stream);
	if (!in->guard.answerable)
		return;
	sip->stranger_answers++;
	incoming_reply(in, 403, "Forbidden");
}

static bool is_new_call(const struct incoming *in)
{
	const struct raw_header *to = in->raw->first[RAW_TO];

	return text_is(in->raw->method, "INVITE") && to && !reply_has_tag(to->value);
}

/* Of its transaction. The halves are hashes with a secret of ours. */
static uint64_t key_of(const struct incoming *in)
{
	const struct text branch = in->guard.via.branch, id = in->raw->first[RAW_CALL_ID]->value;
	uint32_t of_branch = table_hash(branch.s ? branch.s : "", branch.len);

	return (uint64_t)of_branch << 32 | (table_hash(id.s, id.len) ^ (uint32_t)in->guard.cseq);
}

/* What it was refused with before, 0 where it comes for the first time. */
static int code_before(const struct incoming *in, uint64_t key)
{
	return lately_code(&in->sip->refused, key, loop_now_ms(in->sip->loop), 64 * in->sip->t1_ms);
}

/* Of a new call that was not refused before. */
static void tell(const struct incoming *in, uint64_t key, int code, const char *why)
{
	const struct raw *raw = in->raw;
	struct sip *sip = in->sip;
	struct sip_refused refused = {.peer = in->peer,
		.source = in->flow->remote,
		.uri = raw->uri,
		.code = code,
		.why = why};

	lately_add(&sip->refused, key, loop_now_ms(sip->loop), code);
	if (!sip->handlers.refused)
		return;
	refused.from = raw->first[RAW_FROM]->value;
	refused.from_tag = reply_tag(refused.from);
	refused.call_id = raw->first[RAW_CALL_ID]->value;
	sip->handlers.refused(sip->handlers.ctx, &refused);
}

void refuse_tell(const struct incoming *in, int code, const char *why)
{
	uint64_t key = key_of(in);

	if (is_new_call(in) && !code_before(in, key))
		tell(in, key, code, why);
}

/* 503, with a tag that its ACK is known by. */
static void refuse_for_now(struct incoming *in, uint64_t key, unsigned retry_after_s)
{
	static const char digits[] = "0123456789abcdef";
	char tag[OVERLOAD_TAG_LEN + 2 * sizeof(uint32_t) + 1] = {0};
	uint32_t own = (uint32_t)(key ^ key >> 32);

	memcpy(tag, in->sip->overload.tag, OVERLOAD_TAG_LEN);
	for (char *c = tag + OVERLOAD_TAG_LEN; c < tag + sizeof(tag) - 1; own >>= 4)
		*c++ = digits[own & 0xf];
	reply(in, 503, "Service Unavailable", tag, retry_after_s);
}

static bool is_emergency(const struct incoming *in)
{
	const struct sip_handlers *handlers = &in->sip->handlers;

	return handlers->is_emergency &&
	       handlers->is_emergency(handlers->ctx, in->peer, in->raw->uri.s, in->raw->uri.len);
}

/* A peer may have as many as are free yet: there is always a share left for the others. */
static bool has_share(const struct incoming *in)
{
	const struct peer_name *asker = peer_name_get(in->sip, in->peer->name);

	return !asker || asker->transactions < TRANSACTIONS_MAX - in->sip->status.transactions;
}

/* What ends a call is over with its answer, and gives more back. */
static bool is_taken_beyond_the_share(const struct incoming *in)
{
	return text_is(in->raw->method, "BYE") || (is_new_call(in) && is_emergency(in));
}

bool refuse_busy(struct incoming *in)
{
	struct sip *sip = in->sip;

	if (sip->status.transactions >= TRANSACTIONS_MAX) {
		sip->status.transactions_refused++;
		refuse_tell(in, 503, "too many transactions");
	} else if (!has_share(in) && !is_taken_beyond_the_share(in)) {
		sip->status.share_refused++;
		log_limited(LOG_LEVEL_WARN,
			"sip: peer %s has its share of the transactions, more are refused",
			in->peer->name);
		refuse_tell(in, 503, "too many transactions of its peer");
	} else {
		return false;
	}
	refuse_for_now(in, key_of(in), TRANSACTIONS_RETRY_AFTER_S);
	return true;
}

void refuse_without_memory(struct incoming *in)
{
	log_limited(LOG_LEVEL_WARN, "sip: out of memory for a transaction");
	in->sip->status.memory_refused++;
	refuse_tell(in, 503, "out of memory");
	refuse_for_now(in, key_of(in), TRANSACTIONS_RETRY_AFTER_S);
}

bool refuse_overload(struct incoming *in)
{
	struct sip *sip = in->sip;
	uint64_t key;
	int before;

	if (!is_new_call(in))
		return false;
	key = key_of(in);
	before = code_before(in, key);
	if (before == 503) {
		sip->status.retransmissions_in++;
	} else if (overload_chooses(&sip->overload, (uint32_t)(key ^ key >> 32)) &&
		   !is_emergency(in)) {
		overload_count(&sip->overload);
		sip->status.shed++;
		if (!before)
			tell(in, key, 503, "overload");
	} else {
		return false;
	}
	refuse_for_now(in, key, sip->cfg->limits.retry_after_s);
	return true;
}

void refuse_hops(struct incoming *in)
{
	refuse_tell(in, 483, "no hops left");
	incoming_reply(in, 483, "Too Many Hops");
}
