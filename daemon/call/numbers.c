/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of a call on their way: as they came, as they are routed, as they are sent. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "call/internal.h"

int numbers_receive(struct call *call, const osip_message_t *req)
{
	const struct peer_config *from = call->peer[LEG_A];
	const osip_uri_t *url = req->from->url;
	int ret;

	/* RFC 3323 4.1.1.3: no number. */
	call->anonymous = url && url->host && strcasecmp(url->host, ANONYMOUS_HOST) == 0;
	ret = number_in(from, NUMBER_CALLED, call->to, call->routed.called, NULL, NULL);
	if (call->anonymous)
		strcpy(call->routed.calling, call->from);
	else if (!ret)
		ret = number_in(from, NUMBER_CALLING, call->from, call->routed.calling, NULL, NULL);
	if (ret)
		call->calls->counters.refused_number++;
	return ret;
}

int numbers_send(struct call *call, const struct peer_config *to)
{
	int ret = number_out(to, NUMBER_CALLED, call->routed.called, call->sent.called, NULL, NULL);

	if (call->anonymous)
		strcpy(call->sent.calling, call->routed.calling);
	else if (!ret)
		ret = number_out(
			to, NUMBER_CALLING, call->routed.calling, call->sent.calling, NULL, NULL);
	if (ret)
		call->calls->counters.refused_number++;
	return ret;
}

int numbers_carry_calling(
	const struct crossing *way, const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1])
{
	char theirs[CALL_NUMBER_MAX + 1], routed[CALL_NUMBER_MAX + 1];
	int ret = number_of(uri, theirs);

	if (!ret)
		ret = number_in(way->from, NUMBER_CALLING, theirs, routed, NULL, NULL);
	return ret ? ret : number_out(way->to, NUMBER_CALLING, routed, number, NULL, NULL);
}

int number_replace(osip_uri_t *uri, const char *number)
{
	bool is_tel = uri->scheme && strcasecmp(uri->scheme, "tel") == 0;
	char **user = is_tel ? &uri->string : &uri->username;
	const char *parameters = *user ? *user + strcspn(*user, ";") : "";
	char *text = osip_malloc(strlen(number) + strlen(parameters) + 1);

	if (!text)
		return -ENOMEM;
	stpcpy(stpcpy(text, number), parameters);
	osip_free(*user);
	*user = text;
	return 0;
}
