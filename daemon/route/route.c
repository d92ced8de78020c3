/* SPDX-License-Identifier: BSD-2-Clause */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "route/route.h"

#include <pcre2.h>
#include <stdarg.h>
#include <string.h>

#include "base/log.h"

/* A number that makes a pattern backtrace is given up at this many steps (well under a
 * millisecond), and counts as no match. */
#define MATCH_LIMIT   20000
#define MATCH_HEAP_KB 256
#define TRACE_MAX     1024 /* bytes of a line, more is cut */

struct trace {
	route_trace_fn *fn;
	void *ctx;
};

static void trace(const struct trace *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void trace(const struct trace *t, const char *fmt, ...)
{
	char line[TRACE_MAX];
	va_list ap;

	if (!t->fn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *c = line; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
	t->fn(t->ctx, line);
}

/* What a match works with: made once for the process, which routes in one thread. NULL without
 * memory. */
static pcre2_match_data *match_data(pcre2_match_context **context)
{
	static pcre2_match_data *data;
	static pcre2_match_context *limits;

	if (!data)
		data = pcre2_match_data_create(1, NULL);
	if (!limits) {
		limits = pcre2_match_context_create(NULL);
		if (limits) {
			pcre2_set_match_limit(limits, MATCH_LIMIT);
			pcre2_set_heap_limit(limits, MATCH_HEAP_KB);
		}
	}
	*context = limits;
	return data && limits ? data : NULL;
}

/* 1 matches, 0 does not, negative: pcre2's error, which counts as no match. */
static int called_matches(const struct route_config *route, const char *called, size_t len)
{
	pcre2_match_context *limits;
	pcre2_match_data *data;
	int n;

	if (!route->called_code)
		return 1;
	data = match_data(&limits);
	if (!data)
		return PCRE2_ERROR_NOMEMORY;
	/* 0: matched, with more groups than data keeps. */
	n = pcre2_match(route->called_code, (PCRE2_SPTR)called, len, 0, 0, data, limits);
	if (n >= 0)
		return 1;
	return n == PCRE2_ERROR_NOMATCH ? 0 : n;
}

/* The routes that may apply to a peer, its own and everybody's, in the order of the file. */
struct candidates {
	const struct config *cfg;
	const unsigned *own, *own_end, *any, *any_end;
};

static void candidates_begin(
	struct candidates *c, const struct config *cfg, const struct peer_config *from)
{
	unsigned p = config_peer_index(cfg, from);

	memset(c, 0, sizeof(*c));
	c->cfg = cfg;
	if (!cfg->route_count)
		return;
	c->own = cfg->route_of + cfg->route_start[p];
	c->own_end = cfg->route_of + cfg->route_start[p + 1];
	c->any = cfg->route_any;
	c->any_end = cfg->route_any + cfg->route_any_count;
}

static bool candidates_next(struct candidates *c, unsigned *index)
{
	if (c->own < c->own_end && (c->any == c->any_end || *c->own < *c->any))
		*index = *c->own++;
	else if (c->any < c->any_end)
		*index = *c->any++;
	else
		return false;
	return true;
}

/* The toll-fraud rule: from outside to outside only where the route says so. */
static void take(const struct config *cfg, const struct peer_config *from, unsigned index,
	struct route_result *out, const struct trace *t)
{
	const struct route_config *route = &cfg->route[index];

	out->route = route;
	out->route_index = index;
	for (unsigned i = 0; i < route->to_count; i++) {
		const struct peer_config *to = &cfg->peer[route->to[i]];

		if (from->side == SIDE_EXTERNAL && to->side == SIDE_EXTERNAL &&
			!route->trunk_to_trunk)
			trace(t, "%s left out: external to external without trunk_to_trunk",
				to->name);
		else
			out->to[out->to_count++] = to;
	}
	out->verdict = out->to_count ? ROUTE_FOUND : ROUTE_DENIED;
	for (unsigned i = 0; i < out->to_count; i++)
		trace(t, "%s: try %s", i ? "then" : "found", out->to[i]->name);
	if (!out->to_count)
		trace(t, "denied: no peer is left");
}

static void trace_skipped(const struct trace *t, const struct config *cfg, unsigned first,
	unsigned end, const struct peer_config *from)
{
	for (unsigned i = first; t->fn && i < end; i++)
		trace(t, "routes[%u] \"%s\": from %s, not %s", i, cfg->route[i].name,
			cfg->peer[cfg->route[i].from].name, from->name);
}

void route_find(const struct config *cfg, const struct peer_config *from, const char *called,
	struct route_result *out, route_trace_fn *trace_fn, void *trace_ctx)
{
	const struct trace t = {.fn = trace_fn, .ctx = trace_ctx};
	size_t len = strnlen(called, ROUTE_CALLED_MAX + 1);
	struct candidates c;
	unsigned seen = 0, i;

	memset(out, 0, sizeof(*out));
	out->verdict = ROUTE_NONE;
	if (len > ROUTE_CALLED_MAX) {
		trace(&t, "no route: called is longer than %d bytes", ROUTE_CALLED_MAX);
		return;
	}
	candidates_begin(&c, cfg, from);
	while (candidates_next(&c, &i)) {
		const struct route_config *route = &cfg->route[i];
		int match = called_matches(route, called, len);

		trace_skipped(&t, cfg, seen, i, from);
		seen = i + 1;
		if (match < 0)
			log_limited(LOG_LEVEL_WARN,
				"routes[%u] \"%s\": matching was given up (pcre2 error %d)", i,
				route->name, match);
		trace(&t, "routes[%u] \"%s\": from %s matches, called \"%s\" %s %s", i, route->name,
			route->from < 0 ? "any" : from->name, called,
			match > 0 ? "matches"
				  : (match < 0 ? "was given up against" : "does not match"),
			route->called ? route->called : "any");
		if (match > 0) {
			take(cfg, from, i, out, &t);
			return;
		}
	}
	trace_skipped(&t, cfg, seen, cfg->route_count, from);
	trace(&t, "no route matches");
}
