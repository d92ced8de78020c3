/* SPDX-License-Identifier: BSD-2-Clause */
/* Dialogs of the daemon before this one, and the texts that messages have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/state.h"

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

unsigned listener_for(const struct calls *calls, const struct peer_config *peer, uint8_t family)
{
	const struct listener_config *lc;

	if (peer->listener == CONFIG_NO_LISTENER)
		return SIP_NO_LISTENER;
	lc = &calls->cfg->listener[peer->listener];
	if (lc->address.local.family == family)
		return sip_listener_slot(calls->sip, lc);
	return call_substitute_listener(calls, peer, family);
}

/* 0 or -EINVAL: it says nothing that could be sent to. */
static int take_addresses(const VdState__Dialog *in, struct dialog *d)
{
	if (addr_parse(&d->began.remote, in->began, 0) ||
		addr_parse(&d->dest.remote, in->remote, 0))
		return -EINVAL;
	return 0;
}

int adopt_dialog(const struct calls *calls, const struct peer_config *peer, bool is_gone,
	const VdState__Dialog *in, struct dialog *d)
{
	bool failed = false;

	memset(d, 0, sizeof(*d));
	if (in->local_tag.len != DIALOG_TAG_LEN ||
		!take_bytes(&in->local_tag, d->local_tag, sizeof(d->local_tag)) ||
		(take_addresses(in, d) && !is_gone))
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
	d->local_cseq = in->local_cseq + calls->cseq_leap;
	/* The last request may have been left unanswered, and comes again then. */
	d->remote_cseq = in->remote_cseq ? in->remote_cseq - 1 : 0;
	d->acked_cseq = in->acked_cseq;
	d->peer = peer;
	d->sip = calls->sip;
	d->began.peer = d->dest.peer = peer->name;
	d->dest.over_tcp = in->over_tcp;
	dialog_move(d, listener_for(calls, peer, d->dest.remote.family));
	if (!failed && is_gone)
		return 0;
	if (!failed && d->listener != SIP_NO_LISTENER) {
		struct peer *live = peer_by_name(calls->peers, peer->name);

		if (live)
			peer_keep_address(live, d->listener, &d->dest.remote);
		return 0;
	}
	dialog_clear(d);
	return failed ? -EINVAL : -ENOENT;
}
