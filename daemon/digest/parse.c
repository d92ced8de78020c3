/* SPDX-License-Identifier: BSD-2-Clause */
/* Challenges and credentials as they are written: a scheme, then parameters (RFC 7235 2.1, RFC 3261
 * 25.1). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "digest/internal.h"

struct cursor {
	const char *s, *end;
};

static void skip_space(struct cursor *c)
{
	while (c->s < c->end && strchr(" \t\r\n", *c->s))
		c->s++;
}

static bool is_token_char(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       (ch && strchr("-.!%*_+`'~", ch));
}

/* The length of a token or of a value without quotes: what a parameter may be, and more than that
 * (a bare URI, base64), up to the next separator. */
static size_t bare_len(const struct cursor *c, bool is_value)
{
	const char *s = c->s;

	while (s < c->end &&
		(is_token_char(*s) || (is_value && strchr("/:=@?&$;#^|{}<>()[]", *s) && *s)))
		s++;
	return (size_t)(s - c->s);
}

/* A value, quoted or not, into out; too long a one leaves it and says -EINVAL, as does a control
 * character: neither could be sent back. */
static int read_value(struct cursor *c, char *out, size_t room)
{
	size_t n = 0;

	if (c->s == c->end || *c->s != '"') {
		n = bare_len(c, true);
		if (n == 0 || n >= room)
			return -EINVAL;
		memcpy(out, c->s, n);
		out[n] = '\0';
		c->s += n;
		return 0;
	}
	for (c->s++; c->s < c->end && *c->s != '"'; c->s++) {
		if (*c->s == '\\' && ++c->s == c->end)
			return -EINVAL;
		if ((unsigned char)*c->s < ' ' || *c->s == 0x7f || n + 1 >= room)
			return -EINVAL;
		out[n++] = *c->s;
	}
	if (c->s == c->end)
		return -EINVAL;
	c->s++;
	out[n] = '\0';
	return 0;
}

/* What a parameter's value goes into. */
struct param {
	const char *name;
	char *value;
	size_t room;
	bool found;
};

/* Steps over a value that nobody asked for, however long. */
static int skip_value(struct cursor *c)
{
	size_t n;

	if (c->s == c->end || *c->s != '"') {
		n = bare_len(c, true);
		c->s += n;
		return n ? 0 : -EINVAL;
	}
	for (c->s++; c->s < c->end && *c->s != '"'; c->s++) {
		if (*c->s == '\\' && ++c->s == c->end)
			return -EINVAL;
	}
	if (c->s == c->end)
		return -EINVAL;
	c->s++;
	return 0;
}

static struct param *find_param(struct param *params, const char *name, size_t len)
{
	for (struct param *p = params; p->name; p++) {
		if (strlen(p->name) == len && strncasecmp(p->name, name, len) == 0)
			return p;
	}
	return NULL;
}

/* Parameters up to the end, or to the scheme of the next challenge: where a token after a comma has
 * no "=". 0 or -EINVAL; a parameter twice is that as well. */
static int read_params(struct cursor *c, struct param *params)
{
	unsigned count = 0;

	for (;;) {
		struct cursor at;
		struct param *p;
		size_t n;
		int ret;

		skip_space(c);
		while (c->s < c->end && *c->s == ',') {
			c->s++;
			skip_space(c);
		}
		n = bare_len(c, false);
		if (n == 0)
			return c->s == c->end ? 0 : -EINVAL;
		at = (struct cursor){c->s + n, c->end};
		skip_space(&at);
		if (at.s == at.end || *at.s != '=')
			return count ? 0 : -EINVAL;
		if (++count > DIGEST_PARAMS_MAX)
			return -EINVAL;
		p = find_param(params, c->s, n);
		at.s++;
		skip_space(&at);
		if (p && p->found)
			return -EINVAL;
		ret = p ? read_value(&at, p->value, p->room) : skip_value(&at);
		if (ret)
			return ret;
		if (p)
			p->found = true;
		*c = at;
		skip_space(c);
		if (c->s < c->end && *c->s != ',')
			return -EINVAL;
	}
}

/* Past what another scheme says: to where a comma is followed by a token and then something that is
 * not "=", outside of quotes. */
static void skip_scheme(struct cursor *c)
{
	while (c->s < c->end) {
		struct cursor at;
		size_t n;

		if (*c->s == '"') {
			if (skip_value(c))
				c->s = c->end;
			continue;
		}
		if (*c->s++ != ',')
			continue;
		at = *c;
		skip_space(&at);
		n = bare_len(&at, false);
		at.s += n;
		if (n && at.s < at.end && strchr(" \t", *at.s)) {
			skip_space(&at);
			if (at.s < at.end && *at.s != '=')
				return;
		}
	}
}

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == len && strncasecmp(list, word, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* 0: "Digest" and what follows it; -EOPNOTSUPP: another scheme; -ENOENT, -EINVAL. */
static int read_scheme(struct cursor *c)
{
	size_t n;
	bool is_digest;

	do
		skip_space(c);
	while (c->s < c->end && *c->s == ',' && c->s++);
	if (c->s == c->end)
		return -ENOENT;
	n = bare_len(c, false);
	if (n == 0)
		return -EINVAL;
	is_digest = n == 6 && strncasecmp(c->s, "Digest", n) == 0;
	c->s += n;
	if (c->s < c->end && !strchr(" \t\r\n,", *c->s))
		return -EINVAL;
	return is_digest ? 0 : -EOPNOTSUPP;
}

int digest_challenge_next(struct digest_challenge *out, const char **text, const char *end)
{
	char stale[8] = "", algorithm[32] = "", qop[64] = "";
	struct param params[] = {{"realm", out->realm, sizeof(out->realm), false},
		{"nonce", out->nonce, sizeof(out->nonce), false},
		{"opaque", out->opaque, sizeof(out->opaque), false},
		{"stale", stale, sizeof(stale), false},
		{"algorithm", algorithm, sizeof(algorithm), false},
		{"qop", qop, sizeof(qop), false}, {0}};
	struct cursor c = {*text, end};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = read_scheme(&c);
	if (ret == -EOPNOTSUPP)
		skip_scheme(&c);
	if (!ret)
		ret = read_params(&c, params);
	if (!ret && (!params[0].found || !params[1].found))
		ret = -EINVAL;
	*text = ret == -EINVAL ? end : c.s;
	if (ret)
		return ret;
	out->has_opaque = params[2].found;
	out->stale = strcasecmp(stale, "true") == 0;
	out->has_algorithm = params[4].found;
	if (out->has_algorithm)
		ret = digest_algorithm_parse(&out->algorithm, &out->is_session, algorithm);
	else if (!digest_is_available(DIGEST_MD5))
		ret = -EOPNOTSUPP;
	out->has_qop = params[5].found;
	if (out->has_qop && !list_has(qop, "auth"))
		ret = -EOPNOTSUPP;
	return ret;
}

bool digest_is_stronger(const struct digest_challenge *a, const struct digest_challenge *b)
{
	return a->algorithm != DIGEST_MD5 && b->algorithm == DIGEST_MD5;
}

static int read_nc(uint32_t *nc, const char *text)
{
	char *stop;

	if (strlen(text) != 8 || strspn(text, "0123456789abcdefABCDEF") != 8)
		return -EINVAL;
	*nc = (uint32_t)strtoul(text, &stop, 16);
	return 0;
}

int digest_credentials_parse(struct digest_credentials *out, const char *text, size_t len)
{
	char algorithm[32] = "", qop[16] = "", nc[16] = "";
	struct param params[] = {{"username", out->username, sizeof(out->username), false},
		{"realm", out->realm, sizeof(out->realm), false},
		{"nonce", out->nonce, sizeof(out->nonce), false},
		{"uri", out->uri, sizeof(out->uri), false},
		{"response", out->response, sizeof(out->response), false},
		{"algorithm", algorithm, sizeof(algorithm), false},
		{"cnonce", out->cnonce, sizeof(out->cnonce), false},
		{"qop", qop, sizeof(qop), false}, {"nc", nc, sizeof(nc), false}, {0}};
	struct cursor c = {text, text + len};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = read_scheme(&c);
	if (!ret)
		ret = read_params(&c, params);
	if (!ret && c.s != c.end)
		ret = -EINVAL;
	for (unsigned i = 0; i < 5 && !ret; i++)
		ret = params[i].found ? 0 : -EINVAL;
	if (!ret && params[5].found)
		ret = digest_algorithm_parse(&out->algorithm, &out->is_session, algorithm);
	else if (!ret && !digest_is_available(DIGEST_MD5))
		ret = -EOPNOTSUPP;
	out->has_qop = params[7].found;
	if (!ret && out->has_qop) {
		if (strcasecmp(qop, "auth") != 0)
			ret = -EOPNOTSUPP;
		else if (!params[6].found || !params[8].found || read_nc(&out->nc, nc))
			ret = -EINVAL;
	}
	if (!ret && out->is_session && !params[6].found)
		ret = -EINVAL;
	return ret == -ENOENT ? -EINVAL : ret;
}
