/* SPDX-License-Identifier: BSD-2-Clause */
/* Response codes and ISUP causes (ITU-T Q.850): what a refusal becomes for the other leg, and the
 * Reason header field (RFC 3326, RFC 6432). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call/cause.h"
#include "call/exchange.h"

#define CAUSE_NORMAL_CLEARING 16
#define CAUSE_MAX             127

struct mapping {
	int from, to;
};

/* RFC 3398 8.2.6.1. 488 and 606, which it leaves to their Warning, are taken as incompatible. */
static const struct mapping causes[] = {{400, 41}, {401, 21}, {402, 21}, {403, 21}, {404, 1},
	{405, 63}, {406, 79}, {407, 21}, {408, 102}, {410, 22}, {413, 127}, {414, 127}, {415, 79},
	{416, 127}, {420, 127}, {421, 127}, {423, 127}, {480, 18}, {481, 41}, {482, 25}, {483, 25},
	{484, 28}, {485, 1}, {486, 17}, {487, 16}, {488, 88}, {500, 41}, {501, 79}, {502, 38},
	{503, 41}, {504, 102}, {505, 127}, {513, 127}, {580, 47}, {600, 17}, {603, 21}, {604, 1},
	{606, 88}};

/* RFC 3398 7.2.4.1; causes that are not here say nothing that a code would. */
static const struct mapping codes[] = {{1, 404}, {2, 404}, {3, 404}, {17, 486}, {18, 408},
	{19, 480}, {20, 480}, {21, 403}, {22, 410}, {23, 410}, {26, 404}, {27, 502}, {28, 484},
	{29, 501}, {31, 480}, {34, 503}, {38, 503}, {41, 503}, {42, 503}, {47, 503}, {55, 403},
	{57, 403}, {58, 503}, {65, 488}, {70, 488}, {79, 501}, {87, 403}, {88, 503}, {102, 504},
	{111, 500}, {127, 500}};

static int map(const struct mapping *m, size_t count, int from)
{
	for (size_t i = 0; i < count; i++) {
		if (m[i].from == from)
			return m[i].to;
	}
	return 0;
}

#define MAP(table, from) map(table, sizeof(table) / sizeof((table)[0]), from)

int cause_of_code(int code)
{
	int cause = MAP(causes, code);

	if (code < 300)
		return CAUSE_NORMAL_CLEARING;
	/* RFC 3261 8.1.3.2: an unknown code is as x00; 3xx ends as 480 does. */
	if (!cause)
		cause = code < 400 ? MAP(causes, 480) : MAP(causes, code / 100 * 100);
	return cause;
}

int code_of_cause(int cause)
{
	return MAP(codes, cause);
}

/* The cause parameter of a reason-value of that protocol; 0 where the text has none. */
static int cause_in(const char *text, const char *protocol)
{
	const char *at = text ? strcasestr(text, protocol) : NULL;
	const char *cause = at ? strcasestr(at, "cause") : NULL;
	const char *end = at ? at + strcspn(at, ",") : NULL;

	if (!cause || cause > end)
		return 0;
	cause += strlen("cause");
	cause += strspn(cause, " \t=");
	return atoi(cause);
}

int cause_of_reason(const char *reason)
{
	int cause = cause_in(reason, "Q.850");

	return cause > 0 && cause <= CAUSE_MAX ? cause : 0;
}

int cause_of_message(const osip_message_t *msg)
{
	for (int i = 0; msg && i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);
		int cause = h->hname && strcasecmp(h->hname, "Reason") == 0
				    ? cause_in(h->hvalue, "Q.850")
				    : 0;

		if (cause > 0 && cause <= CAUSE_MAX)
			return cause;
	}
	return 0;
}

const char *reason_of(const osip_message_t *msg, char buf[REASON_MAX])
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; msg && i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);
		size_t n;

		if (!h->hname || !h->hvalue || strcasecmp(h->hname, "Reason") != 0)
			continue;
		n = strlen(h->hvalue);
		if (len + n + sizeof(", ") > REASON_MAX)
			continue;
		len += (size_t)sprintf(buf + len, "%s%s", len ? ", " : "", h->hvalue);
	}
	return len ? buf : NULL;
}

const char *reason_for(const struct peer_config *to, const char *reason, char buf[REASON_MAX])
{
	int code = cause_in(reason, "SIP");

	if (!to->codes.write_cause || cause_in(reason, "Q.850"))
		return reason;
	snprintf(buf, REASON_MAX, "%s%sQ.850;cause=%d", reason ? reason : "", reason ? ", " : "",
		code ? cause_of_code(code) : CAUSE_NORMAL_CLEARING);
	return buf;
}

int cause_write(osip_message_t *resp, const struct peer_config *to, int code)
{
	char text[32];

	if (!to->codes.write_cause || cause_of_message(resp))
		return 0;
	snprintf(text, sizeof(text), "Q.850;cause=%d", cause_of_code(code));
	return osip_message_set_header(resp, "Reason", text);
}

int translate_code(
	const struct peer_config *peer, int code, const osip_message_t *resp, const char **phrase)
{
	const struct codes_config *c = &peer->codes;
	int cause = cause_of_message(resp), meant;

	*phrase = NULL;
	for (unsigned i = 0; i < c->rule_count; i++) {
		const struct code_rule *rule = &c->rule[i];

		if (code < rule->code_min || code > rule->code_max ||
			(rule->cause && rule->cause != cause))
			continue;
		*phrase = rule->reason;
		return rule->to;
	}
	meant = c->translate_cause ? code_of_cause(cause) : 0;
	if (meant)
		return meant;
	return carried_error_code(code);
}
