/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/left_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "call/exchange.h"
#include "call/refer.h"
#include "call/session_timer.h"

struct left_request {
	struct sip_server *server; /* of who asked */
	enum exchange_sdp sdp;
	struct sip_dest dest;
	struct text text; /* as it went on */
	struct left_request *next;
};

static void left_request_free(struct left_request *l)
{
	if (l->server)
		sip_server_abandon(l->server);
	free((char *)(uintptr_t)l->text.s);
	free(l);
}

void left_requests_free(struct call *call)
{
	struct left_request *l, *next;

	LL_FOREACH_SAFE (call->left_requests, l, next)
		left_request_free(l);
	call->left_requests = NULL;
}

/* ---- writing ---- */

static VdState__LeftRequest *save_one(struct arena *a, const struct exchange *x, struct text text)
{
	VdState__LeftRequest *m = NEW(a, VdState__LeftRequest, VD_STATE__LEFT_REQUEST__INIT);

	if (!m)
		return NULL;
	m->sdp = x->sdp;
	m->dest = addr_of(a, &x->client_dest.remote);
	m->over_tcp = x->client_dest.over_tcp;
	m->request = bytes_in(a, text.s, text.len);
	m->asked = save_asked(a, x->server, x->from);
	return m;
}

void left_requests_save(struct arena *a, const struct call *call, VdState__Call *m)
{
	const struct exchange *x;
	struct text text;

	if (!call->exchange_count)
		return;
	m->left = arena_array(a, call->exchange_count, sizeof(*m->left));
	if (!m->left)
		return;
	DL_FOREACH (call->exchanges, x) {
		if (!x->is_invite && x->server && x->client && x->pair &&
			sip_client_save(x->client, &text) == 0)
			m->left[m->n_left++] = save_one(a, x, text);
	}
}

/* ---- reading ---- */

static int take(struct call *call, const VdState__LeftRequest *in, struct left_request *l)
{
	enum leg leg = in->asked->leg ? LEG_B : LEG_A;
	const struct peer_config *to = call->peer[OTHER_LEG(leg)];
	bool failed = false;

	l->sdp = (enum exchange_sdp)in->sdp;
	l->text = (struct text){copy_message(&in->request, &failed), in->request.len};
	l->dest = (struct sip_dest){.over_tcp = in->over_tcp, .peer = to->name};
	if (failed || call->unreachable[leg] || (in->sdp != SDP_NONE && in->sdp != SDP_OFFERED) ||
		addr_parse(&l->dest.remote, in->dest, 0))
		return -EINVAL;
	l->dest.listener = listener_for(call->calls, to, l->dest.remote.family);
	return adopt_asked(call, in->asked, call->peer[leg], &l->server);
}

static void adopt_one(struct call *call, const VdState__LeftRequest *in)
{
	struct left_request *l = in->asked ? calloc(1, sizeof(*l)) : NULL;
	int ret = l ? take(call, in, l) : -EINVAL;

	if (!ret) {
		LL_APPEND(call->left_requests, l);
		return;
	}
	log_error("call %llu: a request within it cannot be answered any more: %s",
		(unsigned long long)call->id, strerror(-ret));
	if (l)
		left_request_free(l);
}

void left_requests_adopt(struct call *call, const VdState__Call *in)
{
	const struct left_request *l;

	for (size_t i = 0; i < in->n_left && i < CALL_EXCHANGES_MAX; i++)
		adopt_one(call, in->left[i]);
	/* Its offer is made again when it goes on. */
	LL_FOREACH (call->left_requests, l) {
		if (l->sdp == SDP_OFFERED && media_offer_pending(call->media))
			media_offer_failed(call->media);
	}
}

/* ---- they go on ---- */

static bool may_come_twice(const osip_message_t *req)
{
	return MSG_IS_NOTIFY(req) || strcmp(req->sip_method, "UPDATE") == 0 ||
	       strcmp(req->sip_method, "PRACK") == 0;
}

/* What its offer becomes is in the text that goes on: here it is but noted. */
static int offer_again(struct exchange *x)
{
	osip_message_t *unsent = NULL;
	int ret;

	if (x->sdp != SDP_OFFERED)
		return 0;
	if (osip_message_init(&unsent))
		return -ENOMEM;
	ret = exchange_carry_body(x, sip_server_request(x->server), x->from, true, unsent);
	osip_message_free(unsent);
	return ret;
}

static int send_again(struct exchange *x, const struct left_request *l)
{
	int ret;

	x->sdp = l->sdp;
	x->client_dest = l->dest;
	x->client_peer = x->call->peer[OTHER_LEG(x->from)];
	x->is_repeat = !sip_went_over_udp(l->text);
	ret = offer_again(x);
	if (ret)
		return ret;
	ret = sip_client_adopt(x->call->calls->sip, &x->client_dest, l->text, x,
		&exchange_client_handlers, &x->client);
	if (!ret) {
		x->client_cseq = sip_cseq_number(sip_client_request(x->client));
		if (strcmp(sip_client_request(x->client)->sip_method, "UPDATE") == 0)
			session_timer_adopt_asked(
				x->call, OTHER_LEG(x->from), sip_client_request(x->client));
	} else if (x->sdp == SDP_OFFERED) {
		media_offer_failed(x->call->media);
	}
	return ret;
}

/* Takes its server transaction. */
static void carry_on(struct pair *pair, enum leg leg, struct left_request *l)
{
	struct exchange *x = exchange_new(pair->call, leg);
	int ret;

	if (!x) {
		sip_server_reply(l->server, SIP_INTERNAL_SERVER_ERROR, NULL, NULL, NULL);
		return;
	}
	x->pair = pair;
	x->server = l->server;
	l->server = NULL;
	sip_server_set_owner(x->server, x, &exchange_server_handlers);
	ret = send_again(x, l);
	if (!ret)
		return;
	exchange_refuse(x, SIP_SERVICE_UNAVAILABLE, NULL, NULL);
	exchange_free(x);
}

static void resume(struct call *call, struct left_request *l)
{
	const osip_message_t *req = sip_server_request(l->server);
	enum leg leg = LEG_A;
	struct pair *pair = pair_of_message(
		call->calls, (osip_message_t *)req, sip_server_peer(l->server), &leg);

	if (!pair || pair->call != call || call->state == CALL_ENDING) {
		sip_server_reply(l->server, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL, NULL);
	} else if (call->leg_gone[OTHER_LEG(leg)]) {
		exchange_refuse_glare(l->server, SIP_INTERNAL_SERVER_ERROR);
	} else if (may_come_twice(req) || sip_went_over_udp(l->text)) {
		carry_on(pair, leg, l);
	} else {
		if (MSG_IS_REFER(req))
			refer_passed(call, leg, call->passed.cseq_out, SIP_SERVER_TIME_OUT, NULL);
		sip_server_reply(l->server, SIP_SERVER_TIME_OUT, NULL, NULL, NULL);
	}
}

void left_requests_resume(struct call *call)
{
	struct left_request *l;

	while ((l = call->left_requests)) {
		LL_DELETE(call->left_requests, l);
		resume(call, l);
		left_request_free(l);
	}
}
