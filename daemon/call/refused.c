/* SPDX-License-Identifier: BSD-2-Clause */
#include "call/refused.h"

#include <string.h>

#include "base/log.h"

/* Its ACK has come, or Timer H has fired. */
static void gone(void *owner, struct sip_server *txn)
{
	struct call *call = owner;

	(void)txn;
	call->refused = NULL;
	call_touch(call);
	call_release_if_done(call);
}

static const struct sip_server_handlers handlers = {.gone = gone};

static void own(struct call *call, struct sip_server *txn)
{
	call->refused = txn;
	sip_server_set_owner(txn, call, &handlers);
}

void refused_keep(struct call *call, struct sip_server *txn)
{
	if (call->saved && sip_server_awaits_ack(txn))
		own(call, txn);
	else
		sip_server_abandon(txn);
}

void refused_free(struct call *call)
{
	if (call->refused)
		sip_server_abandon(call->refused);
	call->refused = NULL;
}

void refused_save(struct arena *a, const struct call *call, VdState__Call *m)
{
	VdState__Refused *r;

	if (!call->refused)
		return;
	r = NEW(a, VdState__Refused, VD_STATE__REFUSED__INIT);
	if (!r)
		return;
	/* The call's own may be another's, once it is over and adopted. */
	r->peer = string_of(sip_server_peer(call->refused)->name);
	r->asked = save_refused(a, call->refused, LEG_A);
	m->refused = r;
}

void refused_adopt(struct call *call, const VdState__Call *in)
{
	const VdState__Refused *r = in->refused;
	const struct peer_config *peer =
		r && r->asked ? config_peer_by_name(call->cfg, r->peer) : NULL;
	struct sip_server *txn;
	int ret;

	if (!peer)
		return;
	ret = adopt_refused(call, r->asked, peer, &txn);
	if (!ret)
		own(call, txn);
	else
		log_error("call %llu: its refusal cannot be sent again: %s",
			(unsigned long long)call->id, strerror(-ret));
}
