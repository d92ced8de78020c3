/* SPDX-License-Identifier: BSD-2-Clause */
/* A REFER that is passed to the other leg (refer: pass), and the NOTIFYs that come back. The other
 * leg calls the target itself: Refer-To names a place that it can reach, and none of the side that
 * the REFER came from. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "call/carry.h"
#include "call/exchange.h"
#include "call/history.h"
#include "call/pickup.h"
#include "call/refer.h"
#include "call/transfer.h"
#include "route/number.h"

/* ---- Refer-To ---- */

static int find_route(const struct calls *calls, const struct peer_config *from, const char *called,
	struct route_result *out)
{
	const struct route_query query = {
		.from = from, .calling = "", .called = called, .at = time(NULL)};

	route_find(calls->cfg, &query, out, NULL, NULL);
	return out->verdict == ROUTE_FOUND    ? 0
	       : out->verdict == ROUTE_DENIED ? SIP_FORBIDDEN
					      : SIP_NOT_FOUND;
}

static bool leads_to(const struct route_result *route, const struct peer_config *peer)
{
	for (unsigned i = 0; i < route->candidate_count; i++) {
		if (strcmp(route->candidate[i].peer->name, peer->name) == 0)
			return true;
	}
	return false;
}

/* Host and port where the other leg finds the number: with itself, where the number is its own;
 * with us. 0, or the code to refuse with. */
static int find_place(const struct pair *pair, enum leg leg, const char *number,
	char sent[NUMBER_MAX + 1], char place[DIALOG_URI_MAX])
{
	const struct call *call = pair->call;
	const struct calls *calls = call->calls;
	const struct dialog *d = &pair->leg[OTHER_LEG(leg)];
	const struct peer_config *from = config_peer_by_name(calls->cfg, call->peer[leg]->name);
	const struct peer_config *to =
		config_peer_by_name(calls->cfg, call->peer[OTHER_LEG(leg)]->name);
	char routed[NUMBER_MAX + 1];
	struct route_result route;
	int code;

	if (!from || !to)
		return SIP_FORBIDDEN;
	if (number_in(from, NUMBER_CALLED, number, routed, NULL, NULL) ||
		number_out(to, NUMBER_CALLED, routed, sent, NULL, NULL))
		return SIP_NOT_FOUND;
	if (find_route(calls, from, routed, &route) == 0 && leads_to(&route, to)) {
		addr_print(&d->dest.remote, place);
		return 0;
	}
	if (number_in(to, NUMBER_CALLED, sent, routed, NULL, NULL))
		return SIP_NOT_FOUND;
	code = find_route(calls, to, routed, &route);
	if (!code)
		snprintf(
			place, DIALOG_URI_MAX, "%s", sip_listener_contact(calls->sip, d->listener));
	return code;
}

/* Whether that leg may be named to another one. RFC 3891 3: of a call that still rings, that of the
 * called one alone; the target has begun the other early dialog itself, and may give it up. */
static bool may_be_named(const struct pair *pair, enum leg leg)
{
	if (pair->call->state == CALL_ANSWERED)
		return true;
	return pair->has_dialog_a && pickup_check(pair, leg) == 0;
}

/* The dialog that the target itself knows in place of the one that the referring leg named; who
 * gets the REFER may take that one's place. *text: NULL where the target is to be called anew. 0,
 * or the code to refuse with: not 481, by which the referring leg would give up this dialog (RFC
 * 5057 5.1). */
static int map_replaces(
	const struct pair *pair, enum leg leg, const struct replaces *named, char **text)
{
	struct calls *calls = pair->call->calls;
	const struct peer_config *referrer = pair->call->peer[leg];
	const struct dialog *far;
	struct replaces mapped;
	enum leg target_leg;
	struct pair *target;

	if (transfer_take_back(calls, named, referrer))
		return 0;
	target = pair_by_ids(calls, named->call_id, named->to_tag, named->from_tag, &target_leg);
	if (!target || target->call == pair->call || !may_be_named(target, target_leg) ||
		!replaces_is_allowed(referrer, target->call, target_leg))
		return SIP_DECLINE;
	far = &target->leg[OTHER_LEG(target_leg)];
	mapped = (struct replaces){.call_id = far->call_id,
		.to_tag = far->remote_tag,
		.from_tag = (char *)(uintptr_t)far->local_tag,
		.early_only = named->early_only};
	*text = replaces_print(&mapped);
	if (!*text)
		return SIP_INTERNAL_SERVER_ERROR;
	replaces_grant(target->call, target_leg, pair->call->peer[OTHER_LEG(leg)]);
	return 0;
}

static int make_refer_to(
	const struct pair *pair, enum leg leg, const struct refer_to *to, char **out)
{
	char place[DIALOG_URI_MAX], number[NUMBER_MAX + 1];
	char *user, *replaces = NULL, *escaped = NULL;
	int code = find_place(pair, leg, to->number, number, place);

	if (!code && to->has_replaces)
		code = map_replaces(pair, leg, &to->replaces, &replaces);
	if (code)
		return code;
	user = refer_to_escape(number);
	if (replaces)
		escaped = refer_to_escape(replaces);
	if (!user || (replaces && !escaped) ||
		asprintf(out, "<sip:%s@%s%s%s>", user, place, escaped ? "?Replaces=" : "",
			escaped ? escaped : "") < 0) {
		*out = NULL;
		code = SIP_INTERNAL_SERVER_ERROR;
	}
	free(user);
	free(replaces);
	free(escaped);
	return code;
}

/* ---- the REFER ---- */

static bool is_live(const struct call *call)
{
	return call->passed.live && loop_now_ms(call->calls->loop) < call->passed.until_ms;
}

int refer_pass(struct pair *pair, enum leg leg, struct sip_server *txn, const struct refer_to *to)
{
	struct call *call = pair->call;
	struct passed_refer *p = &call->passed;
	osip_message_t *refer = sip_server_request(txn);
	char *refer_to = NULL;
	int code;

	if (is_live(call))
		return SIP_REQUEST_PENDING;
	code = make_refer_to(pair, leg, to, &refer_to);
	if (code)
		return code;
	free(p->refer_to);
	*p = (struct passed_refer){.live = true,
		.from = leg,
		.cseq_in = sip_cseq_number(refer),
		.refer_to = refer_to,
		.until_ms = loop_now_ms(call->calls->loop) +
			    (uint64_t)call->cfg->transfer_timeout_s * 1000};
	snprintf(p->to, sizeof(p->to), "%s", to->number);
	call->refers++;
	call_event(call, "transfer", "%s -> %s: leg %c to %s, passed on", call->from, call->to,
		leg == LEG_A ? 'a' : 'b', to->number);
	exchange_carry(pair, leg, txn, refer);
	/* It got no further than here. */
	if (sip_server_is_final(txn))
		p->live = false;
	return 0;
}

void refer_passed(
	struct call *call, enum leg from, uint32_t cseq_out, int code, const osip_message_t *resp)
{
	struct passed_refer *p = &call->passed;
	const char *refer_sub = resp ? header_value(resp, "Refer-Sub") : NULL;
	struct call_transfer note = {.kind = "passed", .by = from == LEG_A ? 'a' : 'b'};

	if (!p->live || p->from != from || p->cseq_out != cseq_out)
		return;
	note.code = code;
	snprintf(note.to, sizeof(note.to), "%s", p->to);
	history_transfer(call, &note);
	if (note.code >= 300)
		call->calls->counters.transfers_failed++;
	p->is_accepted = note.code < 300;
	/* RFC 4488 4 */
	if (note.code >= 300 || (refer_sub && strncasecmp(refer_sub, "false", 5) == 0))
		p->live = false;
}

/* ---- its NOTIFYs ---- */

bool refer_notify_expected(const struct call *call, enum leg leg, const osip_message_t *notify)
{
	const struct passed_refer *p = &call->passed;
	const char *event = header_value(notify, "Event"), *id;

	if (!event)
		event = header_value(notify, "o");
	if (!is_live(call) || leg == p->from || !event || strncasecmp(event, "refer", 5) != 0)
		return false;
	id = strstr(event, "id=");
	return !id || strtoul(id + 3, NULL, 10) == p->cseq_out;
}

/* RFC 3420: of the response that the target gave, the first line alone crosses: what comes after it
 * names addresses. */
static void cut_fragment(osip_message_t *msg)
{
	osip_body_t *body = osip_list_get(&msg->bodies, 0);
	char *end;

	if (osip_list_size(&msg->bodies) != 1 || !body->body ||
		strncmp(body->body, "SIP/2.0 ", strlen("SIP/2.0 ")) != 0) {
		osip_list_special_free(&msg->bodies, (void (*)(void *))osip_body_free);
		osip_content_type_free(msg->content_type);
		msg->content_type = NULL;
		return;
	}
	end = strpbrk(body->body, "\r\n");
	if (!end || end + 2 > body->body + body->length)
		return;
	memcpy(end, "\r\n", 2);
	body->length = (size_t)(end + 2 - body->body);
	body->body[body->length] = '\0';
}

static int carry_notify(struct call *call, const osip_message_t *req, osip_message_t *out)
{
	struct passed_refer *p = &call->passed;
	const char *state = header_value(req, "Subscription-State");
	const char *event = header_value(req, "Event");
	uint64_t now = loop_now_ms(call->calls->loop);
	unsigned long left = (unsigned long)((p->until_ms - now) / 1000);
	bool over = state && strncasecmp(state, "terminated", 10) == 0;
	char text[64];

	snprintf(text, sizeof(text), "refer");
	if (event && strstr(event, "id="))
		snprintf(text, sizeof(text), "refer;id=%u", p->cseq_in);
	if (osip_message_set_header(out, "Event", text))
		return -ENOMEM;
	if (over)
		snprintf(text, sizeof(text), "terminated;reason=noresource");
	else
		snprintf(text, sizeof(text), "active;expires=%lu", left);
	if (osip_message_set_header(out, "Subscription-State", text))
		return -ENOMEM;
	cut_fragment(out);
	p->live = !over;
	return 0;
}

int refer_carry(struct call *call, const osip_message_t *req, osip_message_t *out)
{
	struct passed_refer *p = &call->passed;

	if (MSG_IS_NOTIFY(req))
		return carry_notify(call, req, out);
	if (!MSG_IS_REFER(req))
		return 0;
	p->cseq_out = sip_cseq_number(out);
	return osip_message_set_header(out, "Refer-To", p->refer_to) ? -ENOMEM : 0;
}
