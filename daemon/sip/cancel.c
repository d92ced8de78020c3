/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>

/* RFC 3261 9.1: Request-URI, Call-ID, To, From, CSeq number, Route and the topmost Via of the
 * INVITE. */
int cancel_make(const osip_message_t *invite, const char *reason, osip_message_t **out)
{
	osip_message_t *m;
	osip_via_t *via = NULL;

	if (osip_message_init(&m))
		return -ENOMEM;
	m->sip_method = osip_strdup("CANCEL");
	m->sip_version = osip_strdup("SIP/2.0");
	if (!m->sip_method || !m->sip_version || osip_uri_clone(invite->req_uri, &m->req_uri) ||
		osip_from_clone(invite->from, &m->from) || osip_to_clone(invite->to, &m->to) ||
		osip_call_id_clone(invite->call_id, &m->call_id) ||
		osip_cseq_clone(invite->cseq, &m->cseq) ||
		osip_via_clone(osip_list_get(&invite->vias, 0), &via))
		goto fail;
	if (osip_list_add(&m->vias, via, 0) < 0) {
		osip_via_free(via);
		goto fail;
	}
	osip_free(m->cseq->method);
	m->cseq->method = osip_strdup("CANCEL");
	if (!m->cseq->method ||
		osip_list_clone(
			&invite->routes, &m->routes, (int (*)(void *, void **))osip_route_clone) ||
		osip_message_set_max_forwards(m, MAX_FORWARDS_DEFAULT) ||
		osip_message_set_content_length(m, "0") ||
		(reason && osip_message_set_header(m, "Reason", reason)))
		goto fail;
	*out = m;
	return 0;
fail:
	osip_message_free(m);
	return -ENOMEM;
}
