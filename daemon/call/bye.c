/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/bye.h"

#include <stdlib.h>

#include "base/log.h"
#include "call/attempt.h"
#include "call/cause.h"
#include "call/end.h"
#include "call/exchange.h"

static void waits_no_more(struct exchange *x)
{
	x->bye_waits = false;
	call_touch(x->call);
}

/* A BYE of ours is an exchange without an asking leg. Its answer changes nothing but what is known
 * of the peer. */
static void bye_answered(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct exchange *x = owner;

	(void)txn;
	attempt_heard(x->call, x->client_peer, false);
	if (resp->status_code >= 200)
		waits_no_more(x);
}

static void bye_failed(void *owner, struct sip_client *txn, int error)
{
	(void)txn;
	(void)error;
	waits_no_more(owner);
}

static void bye_gone(void *owner, struct sip_client *txn)
{
	struct exchange *x = owner;

	(void)txn;
	x->client = NULL;
	x->bye_waits = false;
	exchange_release_if_done(x);
}

static const struct sip_client_handlers bye_handlers = {
	.response = bye_answered, .failed = bye_failed, .gone = bye_gone};

/* NULL: no memory; or too many wait. Legs that are replaced, and branches of a fork that answer
 * late, are as many as their peer likes, and it need not answer. */
static struct exchange *bye_new(struct call *call, const struct peer_config *to)
{
	struct exchange *x = call->bye_count < CALL_BYES_MAX ? calloc(1, sizeof(*x)) : NULL;

	if (!x)
		return NULL;
	x->is_bye = true;
	x->call = call;
	DL_APPEND(call->exchanges, x);
	call->bye_count++;
	x->client_peer = to;
	return x;
}

/* x: NULL where nothing of it is kept: it goes out, and is sent again, all the same. 0 or -errno.
 */
static int send_bye(struct call *call, struct dialog *d, const char *reason, struct exchange *x)
{
	struct sip *sip = call->calls->sip;
	osip_message_t *bye = NULL;
	char text[REASON_MAX];
	int ret;

	ret = dialog_request(d, sip, "BYE", &bye);
	if (ret)
		return ret;
	reason = reason_for(d->peer, reason, text);
	if (reason)
		osip_message_set_header(bye, "Reason", reason);
	return x ? sip_client_send(sip, &x->client_dest, bye, x, &bye_handlers, &x->client)
		 : sip_client_send(sip, &d->dest, bye, NULL, NULL, NULL);
}

void dialog_bye(struct call *call, struct dialog *d, const char *reason)
{
	struct exchange *x = bye_new(call, d->peer);
	int ret;

	if (x)
		x->client_dest = d->dest;
	else
		call->calls->counters.byes_not_kept++;
	ret = send_bye(call, d, reason, x);
	if (ret)
		log_limited(LOG_LEVEL_WARN, "call %llu: BYE to %s could not be sent",
			(unsigned long long)call->id, d->peer->name);
	if (ret && x) {
		exchange_free(x);
	} else if (x) {
		x->bye_waits = true;
		call_touch(call);
	}
}

bool byes_wait(const struct call *call)
{
	const struct exchange *x;

	DL_FOREACH (call->exchanges, x) {
		if (x->bye_waits)
			return true;
	}
	return false;
}

static VdState__Bye *save_one(struct arena *a, const struct exchange *x)
{
	VdState__Bye *m = NEW(a, VdState__Bye, VD_STATE__BYE__INIT);
	struct text text;

	if (!m || !x->client || sip_client_save(x->client, &text))
		return m;
	m->peer = string_of(x->client_peer->name);
	m->dest = addr_of(a, &x->client_dest.remote);
	m->over_tcp = x->client_dest.over_tcp;
	m->request = bytes_in(a, text.s, text.len);
	return m;
}

void byes_save(struct arena *a, const struct call *call, VdState__Call *m)
{
	const struct exchange *x;

	if (!byes_wait(call))
		return;
	m->bye = arena_array(a, call->bye_count, sizeof(*m->bye));
	if (!m->bye)
		return;
	DL_FOREACH (call->exchanges, x) {
		if (x->bye_waits)
			m->bye[m->n_bye++] = save_one(a, x);
	}
}

static void adopt_one(struct call *call, const VdState__Bye *in)
{
	const struct peer_config *peer = config_peer_by_name(call->cfg, in->peer);
	const struct text text = {(const char *)in->request.data, in->request.len};
	struct exchange *x;

	if (!peer || !text.len)
		return;
	x = bye_new(call, peer);
	if (!x)
		return;
	x->client_dest.over_tcp = in->over_tcp;
	x->client_dest.peer = peer->name;
	if (addr_parse(&x->client_dest.remote, in->dest, 0))
		goto fail;
	x->client_dest.listener = listener_for(call->calls, peer, x->client_dest.remote.family);
	if (sip_client_adopt(call->calls->sip, &x->client_dest, text, x, &bye_handlers, &x->client))
		goto fail;
	x->bye_waits = true;
	return;
fail:
	exchange_free(x);
}

void byes_adopt(struct call *call, const VdState__Call *in)
{
	for (size_t i = 0; i < in->n_bye && i < CALL_BYES_MAX; i++)
		adopt_one(call, in->bye[i]);
}
