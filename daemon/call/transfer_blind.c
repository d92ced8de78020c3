/* SPDX-License-Identifier: BSD-2-Clause */
/* A blind transfer's target is called, as a call of the referring leg's peer, whose leg A we are
 * ourselves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/token.h"
#include "call/attempt.h"
#include "call/carry.h"
#include "call/exchange.h"
#include "call/refer.h"
#include "call/replace_leg.h"
#include "call/transfer.h"

#define TOKEN_LEN 24 /* of the Call-ID of our own INVITE */
/* Of its From tag. Not DIALOG_TAG_LEN: it is no tag that anybody could be found by. */
#define FROM_TAG_LEN 20

static void target_responded(void *ctx, struct sip_server *txn, osip_message_t *resp)
{
	struct transfer *t = ctx;
	int code = resp->status_code;

	(void)txn;
	if (code < 200) {
		if (code > SIP_TRYING)
			subscription_tell(&t->sub, code);
		return;
	}
	t->local = NULL;
	if (code >= 300) {
		transfer_fail(t, code);
	} else if (!t->target || t->target->state != CALL_ANSWERED) {
		transfer_fail(t, SIP_TEMPORARILY_UNAVAILABLE);
	} else {
		if (t->target->initial && t->target->initial->server)
			exchange_acked(t->target->initial, NULL);
		if (t->target)
			transfer_lead_remaining(t);
	}
}

const struct sip_local_handlers transfer_local_handlers = {.response = target_responded};

/* What the route has put in the caller's place for who refers it: whom that one calls learns no
 * more. NULL: the remaining one is shown as it shows itself. */
static const struct caller_config *shown_caller(const struct transfer *t)
{
	const struct caller_config *caller =
		transfer_remaining(t) == LEG_A ? identity_caller(t->call) : NULL;

	return caller && (caller->number || caller->name || caller->suppress) ? caller : NULL;
}

static bool is_suppressed(const struct transfer *t)
{
	enum leg leg = transfer_remaining(t);

	return t->call->unnamed[leg] || (leg == LEG_A && t->call->sent.anonymous);
}

static int set_from(const struct transfer *t, osip_message_t *msg, const char *host)
{
	const struct caller_config *caller = shown_caller(t);
	char *text = NULL, *user = NULL, tag[FROM_TAG_LEN + 1];
	bool has_name = caller && caller->name && caller->name[0];
	int n, ret;

	token_make(tag, FROM_TAG_LEN);
	if (is_suppressed(t)) {
		n = asprintf(&text, "<sip:" ANONYMOUS_USER "@" ANONYMOUS_HOST ">;tag=%s", tag);
	} else if (caller) {
		user = refer_to_escape(
			caller->number ? caller->number : transfer_remaining_number(t));
		n = user ? asprintf(&text, "%s%s%s<sip:%s@%s>;tag=%s", has_name ? "\"" : "",
				   has_name ? caller->name : "", has_name ? "\" " : "", user, host,
				   tag)
			 : -1;
	} else {
		n = asprintf(&text, "%s;tag=%s",
			t->call->answered->leg[transfer_remaining(t)].remote_uri, tag);
	}
	ret = n < 0 || osip_message_set_from(msg, text) ||
			      (is_suppressed(t) && osip_message_set_header(msg, "Privacy", "id"))
		      ? -ENOMEM
		      : 0;
	if (n >= 0)
		free(text);
	free(user);
	return ret;
}

/* From the remaining one, as it would call itself (RFC 3515 2.4.3), with the name of who sent it.
 */
static int make_target_invite(struct transfer *t, const osip_message_t *refer, osip_message_t **out)
{
	const struct dialog *by = &t->call->answered->leg[t->by];
	const struct sip *sip = t->call->calls->sip;
	const char *referred_by = header_value(refer, "Referred-By");
	const char *host = sip_listener_host(sip, by->listener);
	char id[TOKEN_LEN + 1], *user = refer_to_escape(t->to.number), *offer = NULL;
	char text[DIALOG_URI_MAX + 64];
	osip_message_t *msg = NULL;
	osip_uri_t *uri = NULL;
	int ret = -ENOMEM;

	if (!referred_by)
		referred_by = header_value(refer, "b");
	if (!user || osip_message_init(&msg) || osip_uri_init(&uri))
		goto out;
	osip_message_set_method(msg, osip_strdup("INVITE"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	osip_message_set_uri(msg, uri);
	/* One that goes back has a URI of its own (refer_back.c), and is no emergency call though
	 * that names an emergency number. */
	if (t->to.uri)
		*user = '\0';
	snprintf(text, sizeof(text), "sip:%s%s%s", user, *user ? "@" : "", host);
	if (osip_uri_parse(uri, text))
		goto out;
	snprintf(text, sizeof(text), "<sip:%s%s%s>", user, *user ? "@" : "", host);
	if (osip_message_set_to(msg, text))
		goto out;
	if (set_from(t, msg, host))
		goto out;
	token_make(id, TOKEN_LEN);
	snprintf(text, sizeof(text), "%s@%s", id, host);
	if (osip_message_set_call_id(msg, text) || osip_message_set_cseq(msg, "1 INVITE"))
		goto out;
	snprintf(text, sizeof(text), "%u", t->call->cfg->max_forwards);
	if (sip_set_contact(msg, sip, by->listener) ||
		osip_message_set_header(msg, "Max-Forwards", text) ||
		osip_message_set_header(
			msg, "Referred-By", referred_by ? referred_by : by->remote_uri))
		goto out;
	ret = media_fresh_offer(t->call->media, transfer_remaining(t), &offer);
	if (!ret && (osip_message_set_body(msg, offer, strlen(offer)) ||
			    osip_message_set_content_type(msg, "application/sdp")))
		ret = -ENOMEM;
out:
	free(offer);
	free(user);
	if (ret)
		osip_message_free(msg);
	else
		*out = msg;
	return ret;
}

void transfer_call_target(
	struct transfer *t, const osip_message_t *refer, const struct peer_config *referrer)
{
	struct calls *calls = t->call->calls;
	struct sip_server *local = NULL;
	osip_message_t *invite = NULL;
	int ret;

	t->target_leg = LEG_A;
	ret = make_target_invite(t, refer, &invite);
	if (!ret)
		ret = sip_local_new(&local, calls->sip, invite, referrer,
			t->call->answered->leg[t->by].listener, &transfer_local_handlers, t);
	if (ret) {
		transfer_fail(
			t, ret == -ENOENT ? SIP_NOT_ACCEPTABLE_HERE : SIP_INTERNAL_SERVER_ERROR);
		return;
	}
	t->local = local;
	invite_received(calls, local, invite, referrer);
}

void transfer_call_made(struct call *call, const struct sip_server *txn)
{
	struct transfer *t = sip_local_asker(txn);
	const struct peer_config *peer;

	if (!t)
		return;
	peer = t->call->peer[transfer_remaining(t)];
	call->asking = call->peer[LEG_A];
	call_hold_config(call, call_config_of(t->call, peer));
	call_set_peer(call, LEG_A, peer);
	call->leg_gone[LEG_A] = true;
	call->target_of = t;
	t->target = call;
}

void transfer_calling_number(struct call *call)
{
	const struct transfer *t = call->target_of;
	const struct caller_config *caller = shown_caller(t);

	strcpy(call->routed.calling, is_suppressed(t)           ? ANONYMOUS_USER
				     : caller && caller->number ? caller->number
								: transfer_remaining_number(t));
}
