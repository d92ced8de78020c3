/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/uri.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_equal(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static const char *port_of(const osip_uri_t *uri)
{
	if (uri->port && *uri->port)
		return uri->port;
	return strcasecmp(uri->scheme, "sips") == 0 ? "5061" : "5060"; /* RFC 3261 19.1.2 */
}

/* The next character that counts, 0 at the end. */
static int next_digit(const char **s)
{
	while (**s && strchr("-.()", **s))
		++*s;
	return **s ? tolower((unsigned char)*(*s)++) : 0;
}

static bool is_same_number(const char *a, const char *b)
{
	int c;

	do {
		c = next_digit(&a);
		if (c != next_digit(&b))
			return false;
	} while (c);
	return true;
}

bool uri_is_same(const osip_uri_t *a, const osip_uri_t *b)
{
	if (!a->scheme || !b->scheme || strcasecmp(a->scheme, b->scheme) != 0)
		return false;
	if (a->string || b->string)
		return a->string && b->string && is_same_number(a->string, b->string);
	return a->host && b->host && is_equal(a->username, b->username) &&
	       is_equal(a->password, b->password) && strcasecmp(a->host, b->host) == 0 &&
	       strcmp(port_of(a), port_of(b)) == 0;
}
