/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of a call on their way: as they came, as they are routed, as they are sent. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "call/carry.h"
#include "call/number.h"
#include "call/refer.h"

int numbers_receive(struct call *call, const osip_message_t *req)
{
	const struct peer_config *from = call->asking ? call->asking : call->peer[LEG_A];
	const osip_uri_t *url = req->from->url;
	struct numbers received = {
		.anonymous = url && url->host && strcasecmp(url->host, ANONYMOUS_HOST) == 0};
	int ret;

	strcpy(received.calling, call->from);
	strcpy(received.called, call->to);
	if (refer_back_of(call)) {
		call->routed = received; /* it is called by no number */
		ret = 0;
	} else {
		ret = numbers_in(from, &received, &call->routed, NULL, NULL);
	}
	if (!ret && call->asking)
		transfer_calling_number(call);
	if (ret)
		call->calls->counters.refused_number++;
	return ret;
}

/* The caller's alone: whom the INVITE goes to its URI says. */
static int send_back(struct call *call, const struct peer_config *peer)
{
	call->sent = call->routed;
	return call->sent.anonymous ? 0
				    : number_out(peer, NUMBER_CALLING, call->routed.calling,
					      call->sent.calling, NULL, NULL);
}

int numbers_send(struct call *call, const struct route_candidate *candidate)
{
	int ret;

	if (refer_back_of(call))
		ret = send_back(call, candidate->peer);
	else
		ret = numbers_out(candidate, call->route.is_emergency, &call->routed, &call->sent,
			NULL, NULL);
	if (ret)
		call->calls->counters.refused_number++;
	return ret;
}

int numbers_carry_party(
	const struct crossing *way, const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1])
{
	char theirs[CALL_NUMBER_MAX + 1], routed[CALL_NUMBER_MAX + 1];
	int ret = number_of(uri, theirs);

	if (!ret)
		ret = number_in(way->from, NUMBER_CALLING, theirs, routed, NULL, NULL);
	return ret ? ret : number_out(way->to, NUMBER_CALLING, routed, number, NULL, NULL);
}

int numbers_carry_calling(
	const struct crossing *way, const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1])
{
	if (!way->caller || !way->caller->number)
		return numbers_carry_party(way, uri, number);
	return number_out(way->to, NUMBER_CALLING, way->caller->number, number, NULL, NULL);
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
