/* SPDX-License-Identifier: BSD-2-Clause */
/* Attended: the one who refers has a call to the target already (REFER with Replaces, RFC
 * 5589 7.3). The far end of that call is led first, then the one who remains. */
#include <errno.h>
#include <stdlib.h>

#include "call/attempt.h"
#include "call/exchange.h"
#include "call/replace_leg.h"
#include "call/transfer.h"

void transfer_far_answered(void *ctx, int code, osip_message_t *resp, const char *answer)
{
	struct transfer *t = ctx;

	(void)answer;
	t->asking = NULL;
	t->far_is_led = resp && MSG_IS_STATUS_2XX(resp);
	if (code < 300)
		transfer_lead_remaining(t);
	else
		transfer_fail(t, code);
}

void transfer_lead_far(struct transfer *t)
{
	char *offer = NULL;
	int ret = media_fresh_offer(t->call->media, transfer_remaining(t), &offer);

	if (ret)
		transfer_fail(t, ret == -ENOENT ? SIP_NOT_ACCEPTABLE_HERE : media_error_code(ret));
	else
		transfer_lead(t, t->target, offer);
	free(offer);
}

static struct pair *find_named(struct calls *calls, const struct replaces *r, enum leg *leg)
{
	return pair_by_ids(calls, r->call_id, r->to_tag, r->from_tag, leg);
}

/* What the remaining leg may be led to: a leg that stands, of a call in which nothing else is
 * under way. 0 or the code that says why not. */
static int find_target(struct transfer *t, const struct peer_config *peer)
{
	const struct replaces *r = &t->to.replaces;
	enum leg leg;
	struct pair *pair = find_named(t->call->calls, r, &leg);
	struct call *target = pair ? pair->call : NULL;

	if (!target || target->state != CALL_ANSWERED || target == t->call ||
		target->leg_gone[leg] || target->leg_gone[OTHER_LEG(leg)])
		return SIP_CALL_TRANSACTION_DOES_NOT_EXIST;
	if (!replaces_is_allowed(peer, target, leg))
		return SIP_FORBIDDEN;
	/* RFC 3891 3: an answered call is not to be taken. */
	if (r->early_only)
		return SIP_BUSY_HERE;
	if (target->transfer || target->target_of || target->takeover)
		return SIP_REQUEST_PENDING;
	if (target->transfers + t->call->transfers >= CALL_TRANSFERS_MAX)
		return SIP_FORBIDDEN;
	t->target = target;
	t->target_leg = leg;
	target->target_of = t;
	return 0;
}

bool transfer_is_attended(struct transfer *t, const struct peer_config *referrer)
{
	enum leg leg;

	if (!t->to.has_replaces)
		return false;
	if (transfer_take_back(t->call->calls, &t->to.replaces, referrer)) {
		t->to.has_replaces = false;
		replaces_clear(&t->to.replaces);
		return false;
	}
	/* Where the INVITE goes back, Replaces may name a dialog that its peer alone knows. */
	return !t->to.uri || find_named(t->call->calls, &t->to.replaces, &leg);
}

void transfer_begin_attended(struct transfer *t, const struct peer_config *referrer)
{
	const struct peer_config *peer[2];
	enum leg leg;
	int code, ret;

	t->is_attended = true;
	code = find_target(t, referrer);
	if (code) {
		transfer_fail(t, code);
		return;
	}
	leg = t->target_leg;
	peer[leg] = t->call->peer[transfer_remaining(t)];
	peer[OTHER_LEG(leg)] = t->target->peer[OTHER_LEG(leg)];
	ret = call_hold_config(t->target, call_config_of(t->call, peer[leg]));
	if (!ret)
		ret = media_session_new(
			t->call->calls->media, t->target, peer[LEG_A], peer[LEG_B], &t->media);
	if (ret) {
		transfer_fail(t, media_error_code(ret));
		return;
	}
	media_session_set_spare(t->media, true);
	transfer_lead_far(t);
}

bool transfer_take_back(
	struct calls *calls, const struct replaces *named, const struct peer_config *referrer)
{
	const struct rejection why = {
		.code = SIP_REQUEST_TERMINATED, .given_up = GIVEN_UP_BY_CALLER};
	enum leg leg;
	struct pair *pair = find_named(calls, named, &leg);

	if (!pair || leg != LEG_A || pair->call->state == CALL_ANSWERED ||
		pair->call->state == CALL_ENDING || !replaces_is_allowed(referrer, pair->call, leg))
		return false;
	invite_reject(pair->call, &why);
	return true;
}
