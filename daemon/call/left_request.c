/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/left_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/exchange.h"

struct left_request {
	enum leg from;
	uint32_t cseq; /* as it came */
	char *to_tag;  /* of the dialog that it went on in */
	enum exchange_sdp sdp;
	struct sip_dest dest;
	char *text; /* as it went on */
	size_t len;
	struct left_request *next;
};

static void left_request_free(struct left_request *l)
{
	free(l->to_tag);
	free(l->text);
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

static VdState__LeftRequest *save_one(struct arena *a, const struct left_request *l)
{
	VdState__LeftRequest *m = NEW(a, VdState__LeftRequest, VD_STATE__LEFT_REQUEST__INIT);

	if (!m)
		return NULL;
	m->from = l->from;
	m->cseq = l->cseq;
	m->to_tag = bytes_of(l->to_tag);
	m->sdp = l->sdp;
	m->dest = addr_of(a, &l->dest.remote);
	m->over_tcp = l->dest.over_tcp;
	m->request = bytes_in(a, l->text, l->len);
	return m;
}

/* What it would be to the next daemon. False: it has its answer, or is none that was carried. */
static bool view(const struct exchange *x, struct left_request *out)
{
	struct text text;

	if (x->is_invite || !x->server || !x->client || !x->pair ||
		sip_client_save(x->client, &text))
		return false;
	*out = (struct left_request){.from = x->from,
		.cseq = sip_cseq_number(sip_server_request(x->server)),
		.to_tag = x->pair->leg[OTHER_LEG(x->from)].remote_tag,
		.sdp = x->sdp,
		.dest = x->client_dest,
		.text = (char *)(uintptr_t)text.s,
		.len = text.len};
	return true;
}

void left_requests_save(struct arena *a, const struct call *call, VdState__Call *m)
{
	const struct left_request *l;
	struct left_request now;
	const struct exchange *x;
	unsigned count;

	LL_COUNT(call->left_requests, l, count);
	count += call->exchange_count;
	if (!count)
		return;
	m->left = arena_array(a, count, sizeof(*m->left));
	if (!m->left)
		return;
	LL_FOREACH (call->left_requests, l)
		m->left[m->n_left++] = save_one(a, l);
	DL_FOREACH (call->exchanges, x) {
		if (view(x, &now))
			m->left[m->n_left++] = save_one(a, &now);
	}
}

/* ---- reading ---- */

static void adopt_one(struct call *call, const VdState__LeftRequest *in)
{
	struct left_request *l = calloc(1, sizeof(*l));
	const struct peer_config *peer;
	bool failed = false;

	if (!l)
		return;
	l->from = in->from ? LEG_B : LEG_A;
	l->cseq = in->cseq;
	l->sdp = (enum exchange_sdp)in->sdp;
	l->to_tag = copy_bytes(&in->to_tag, DIALOG_REMOTE_TAG_MAX, &failed);
	l->text = copy_message(&in->request, &failed);
	l->len = in->request.len;
	peer = call->peer[OTHER_LEG(l->from)];
	if (failed || (in->sdp != SDP_NONE && in->sdp != SDP_OFFERED) ||
		addr_parse(&l->dest.remote, in->dest, 0)) {
		left_request_free(l);
		return;
	}
	l->dest.over_tcp = in->over_tcp;
	l->dest.peer = peer->name;
	l->dest.listener = listener_for(call->calls, peer, l->dest.remote.family);
	LL_APPEND(call->left_requests, l);
}

void left_requests_adopt(struct call *call, const VdState__Call *in)
{
	const struct left_request *l;

	for (size_t i = 0; i < in->n_left && i < CALL_EXCHANGES_MAX; i++)
		adopt_one(call, in->left[i]);
	/* Its offer is made again when it comes again, if it does. */
	LL_FOREACH (call->left_requests, l) {
		if (l->sdp == SDP_OFFERED && media_offer_pending(call->media))
			media_offer_failed(call->media);
	}
}

/* ---- it comes again ---- */

static struct left_request *take(const struct pair *pair, enum leg leg, uint32_t cseq)
{
	const struct dialog *to = &pair->leg[OTHER_LEG(leg)];
	struct call *call = pair->call;
	struct left_request *l;

	LL_FOREACH (call->left_requests, l) {
		if (l->from == leg && l->cseq == cseq && strcmp(l->to_tag, to->remote_tag) == 0)
			break;
	}
	if (l)
		LL_DELETE(call->left_requests, l);
	return l;
}

/* What its offer becomes is in the text that goes on: here it is but noted. */
static int offer_again(struct exchange *x, osip_message_t *req)
{
	osip_message_t *unsent = NULL;
	int ret;

	if (x->sdp != SDP_OFFERED)
		return 0;
	if (osip_message_init(&unsent))
		return -ENOMEM;
	ret = exchange_carry_body(x, req, x->from, true, unsent);
	osip_message_free(unsent);
	return ret;
}

static int send_again(struct exchange *x, const struct left_request *l, osip_message_t *req)
{
	const struct text text = {l->text, l->len};
	int ret;

	x->sdp = l->sdp;
	x->client_dest = l->dest;
	x->client_peer = x->call->peer[OTHER_LEG(x->from)];
	ret = offer_again(x, req);
	if (ret)
		return ret;
	ret = sip_client_adopt(x->call->calls->sip, &x->client_dest, text, x,
		&exchange_client_handlers, &x->client);
	if (!ret)
		x->client_cseq = sip_cseq_number(sip_client_request(x->client));
	else if (x->sdp == SDP_OFFERED)
		media_offer_failed(x->call->media);
	return ret;
}

bool left_request_again(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req)
{
	struct call *call = pair->call;
	struct left_request *l;
	struct exchange *x;
	int ret = -ENOMEM;

	if (MSG_IS_INVITE(req) || call->leg_gone[OTHER_LEG(leg)])
		return false;
	l = take(pair, leg, sip_cseq_number(req));
	if (!l)
		return false;
	x = exchange_new(call, leg);
	if (x) {
		x->pair = pair;
		ret = send_again(x, l, req);
		if (ret)
			exchange_free(x);
	}
	left_request_free(l);
	if (ret)
		return false;
	x->server = txn;
	sip_server_set_owner(txn, x, &exchange_server_handlers);
	call_touch(call);
	return true;
}
