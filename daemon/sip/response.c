/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <errno.h>

static int set_reason(osip_message_t *resp, int code, const char *reason)
{
	if (!reason)
		reason = osip_message_get_reason(code);
	resp->reason_phrase = osip_strdup(reason ? reason : "Unknown");
	resp->sip_version = osip_strdup("SIP/2.0");
	resp->status_code = code;
	return resp->reason_phrase && resp->sip_version ? 0 : -ENOMEM;
}

/* RFC 3261 8.2.6.2: the tag stays the same through all responses to a request. */
static const char *response_tag(struct sip_server *s, const char *to_tag)
{
	if (!to_tag)
		return server_tag(s);
	if (strlen(to_tag) < sizeof(s->tag))
		strcpy(s->tag, to_tag);
	return to_tag;
}

static int set_to(struct sip_server *s, osip_message_t *resp, int code, const char *to_tag)
{
	osip_generic_param_t *tag = NULL;
	char *text;

	if (osip_to_clone(s->request->to, &resp->to))
		return -ENOMEM;
	osip_to_get_tag(resp->to, &tag);
	if (tag || code == 100)
		return 0;
	text = osip_strdup(response_tag(s, to_tag));
	return text && osip_to_set_tag(resp->to, text) == 0 ? 0 : -ENOMEM;
}

/* RFC 3261 8.2.6 */
int sip_response_make(struct sip_server *txn, int code, const char *reason, const char *to_tag,
	osip_message_t **out)
{
	osip_message_t *req = txn->request, *resp;

	if (osip_message_init(&resp))
		return -ENOMEM;
	if (set_reason(resp, code, reason) || set_to(txn, resp, code, to_tag) ||
		osip_list_clone(
			&req->vias, &resp->vias, (int (*)(void *, void **))osip_via_clone) ||
		osip_from_clone(req->from, &resp->from) ||
		osip_call_id_clone(req->call_id, &resp->call_id) ||
		osip_cseq_clone(req->cseq, &resp->cseq) ||
		osip_message_set_content_length(resp, "0"))
		goto fail;
	if (txn->is_invite && code > 100 && code < 300 &&
		osip_list_clone(&req->record_routes, &resp->record_routes,
			(int (*)(void *, void **))osip_record_route_clone))
		goto fail;
	*out = resp;
	return 0;
fail:
	osip_message_free(resp);
	return -ENOMEM;
}

int sip_server_reply(struct sip_server *txn, int code, const char *reason, const char *extra_header,
	const char *extra_value)
{
	osip_message_t *resp;
	int ret;

	ret = sip_response_make(txn, code, reason, NULL, &resp);
	if (ret)
		return ret;
	if (extra_header && osip_message_set_header(resp, extra_header, extra_value)) {
		osip_message_free(resp);
		return -ENOMEM;
	}
	return sip_server_respond(txn, resp);
}
