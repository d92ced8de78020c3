/* SPDX-License-Identifier: BSD-2-Clause */
/* REGISTER as we write it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer/registration.h"

#define TEXT_MAX 512

static int set_contact(struct registration *reg, osip_message_t *msg, unsigned expires_s)
{
	const struct register_config *config = reg->config->registration;
	char text[TEXT_MAX], *uri = NULL;

	if (asprintf(&uri, "sip:%s@%s", config->contact,
		    sip_listener_contact(reg->peers->sip, reg->dest.listener)) < 0)
		return -ENOMEM;
	free(reg->contact);
	reg->contact = uri;
	snprintf(text, sizeof(text), "<%s>;expires=%u", uri, expires_s);
	return osip_message_set_contact(msg, text) ? -ENOMEM : 0;
}

int registration_make(struct registration *reg, unsigned expires_s, osip_message_t **out)
{
	const struct register_config *config = reg->config->registration;
	osip_message_t *msg = NULL;
	osip_uri_t *uri = NULL;
	char text[TEXT_MAX];
	int ret = -ENOMEM;

	if (osip_message_init(&msg))
		return -ENOMEM;
	osip_message_set_method(msg, osip_strdup("REGISTER"));
	osip_message_set_version(msg, osip_strdup("SIP/2.0"));
	snprintf(text, sizeof(text), "sip:%s", config->registrar);
	if (osip_uri_init(&uri))
		goto fail;
	osip_message_set_uri(msg, uri);
	if (osip_uri_parse(uri, text)) {
		ret = -EINVAL;
		goto fail;
	}
	snprintf(text, sizeof(text), "<%s>;tag=%s", config->aor, reg->tag);
	if (osip_message_set_from(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "<%s>", config->aor);
	if (osip_message_set_to(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%s@%s", reg->call_id,
		sip_listener_host(reg->peers->sip, reg->dest.listener));
	if (osip_message_set_call_id(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%u REGISTER", ++reg->cseq);
	if (osip_message_set_cseq(msg, text))
		goto fail;
	snprintf(text, sizeof(text), "%u", expires_s);
	if (set_contact(reg, msg, expires_s) || osip_message_set_header(msg, "Expires", text))
		goto fail;
	*out = msg;
	return 0;
fail:
	osip_message_free(msg);
	return ret;
}
