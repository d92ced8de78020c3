/* SPDX-License-Identifier: BSD-2-Clause */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "config/resolve.h"

#define PATTERN_MAX       256 /* bytes; keys.c says so too */
#define PATTERN_ERROR_MAX 128

static int peer_index(struct resolve *r, const char *key, const char *name, unsigned *out)
{
	const struct config *cfg = r->cfg;
	const struct peer_config *peer = config_peer_by_name(cfg, name);
	char quoted[MISTAKE_QUOTE_MAX], list[NAME_LIST_MAX];

	if (!peer) {
		mistake_add(r->mistakes, key, "no peer is named %s; expected one of %s",
			mistake_quote(quoted, name),
			resolve_name_list(list, cfg->peer, sizeof(*cfg->peer), cfg->peer_count));
		return -ENOENT;
	}
	*out = config_peer_index(cfg, peer);
	return 0;
}

static int compile(struct resolve *r, struct route_config *route, const char *key)
{
	static const uint32_t options =
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
	PCRE2_UCHAR error_text[PATTERN_ERROR_MAX];
	char quoted[MISTAKE_QUOTE_MAX];
	PCRE2_SIZE offset;
	int error;

	if (strlen(route->called) > PATTERN_MAX) {
		mistake_add(r->mistakes, key,
			"%zu bytes long; expected a regular expression of at most %d",
			strlen(route->called), PATTERN_MAX);
		return 0;
	}
	route->called_code = pcre2_compile(
		(PCRE2_SPTR)route->called, PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
	if (!route->called_code) {
		if (error == PCRE2_ERROR_HEAP_FAILED)
			return -ENOMEM;
		pcre2_get_error_message(error, error_text, sizeof(error_text));
		mistake_add(r->mistakes, key,
			"%s does not compile: %s at offset %zu; expected a regular expression "
			"(PCRE2)",
			mistake_quote(quoted, route->called), (char *)error_text, offset);
		return 0;
	}
	/* Where this fails (kernels that forbid writable code) the interpreter matches instead. */
	(void)pcre2_jit_compile(route->called_code, PCRE2_JIT_COMPLETE);
	return 0;
}

static void check_trunk_to_trunk(
	struct resolve *r, const struct route_config *route, const char *base)
{
	const struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX];

	if (route->trunk_to_trunk || route->from < 0 || !route->to_count ||
		cfg->peer[route->from].side != SIDE_EXTERNAL)
		return;
	for (unsigned i = 0; i < route->to_count; i++) {
		if (cfg->peer[route->to[i]].side != SIDE_EXTERNAL)
			return;
	}
	mistake_add(r->mistakes, mistake_key(key, "%s.to", base),
		"leads only from the external side to the external side, which is denied; expected "
		"an "
		"internal peer, or trunk_to_trunk: true");
}

static int resolve_route(struct resolve *r, unsigned index)
{
	const struct file_route *file = &r->file->routes[index];
	struct route_config *route = &r->cfg->route[index];
	char base[MISTAKE_KEY_MAX / 2], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	unsigned peer;
	int ret = 0;

	r->cfg->route_count++;
	snprintf(base, sizeof(base), "routes[%u]", index);
	route->name = resolve_text("routes[].name", file->name);
	if (!route->name)
		return -ENOMEM;
	if (route->name[0])
		resolve_name(r, mistake_key(key, "%s.name", base), route->name);
	route->from = -1;
	mistake_key(key, "%s.from", base);
	if (file->from && strcmp(file->from, "any") != 0 &&
		peer_index(r, key, file->from, &peer) == 0)
		route->from = (int)peer;
	route->trunk_to_trunk = file->trunk_to_trunk && *file->trunk_to_trunk;
	for (unsigned i = 0; i < file->to_count; i++) {
		mistake_key(key, "%s.to[%u]", base, i);
		if (peer_index(r, key, file->to[i], &peer))
			continue;
		for (unsigned j = 0; j < route->to_count; j++) {
			if (route->to[j] == peer)
				mistake_add(r->mistakes, key, "%s is written twice; expected once",
					mistake_quote(quoted, file->to[i]));
		}
		route->to[route->to_count++] = peer;
	}
	check_trunk_to_trunk(r, route, base);
	if (file->called) {
		route->called = strdup(file->called);
		if (!route->called)
			return -ENOMEM;
		ret = compile(r, route, mistake_key(key, "%s.called", base));
	}
	return ret;
}

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct config *cfg = ctx;
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	int order = strcmp(cfg->route[x].name, cfg->route[y].name);

	return order ? order : (x > y) - (x < y);
}

static int check_names(struct resolve *r)
{
	struct config *cfg = r->cfg;
	unsigned *order = calloc(cfg->route_count, sizeof(unsigned));
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	if (!order)
		return -ENOMEM;
	for (unsigned i = 0; i < cfg->route_count; i++)
		order[i] = i;
	qsort_r(order, cfg->route_count, sizeof(unsigned), by_name, cfg);
	for (unsigned i = 1; i < cfg->route_count; i++) {
		const char *name = cfg->route[order[i]].name;

		if (name[0] && strcmp(name, cfg->route[order[i - 1]].name) == 0)
			mistake_add(r->mistakes, mistake_key(key, "routes[%u].name", order[i]),
				"%s is also routes[%u]; expected a name of its own",
				mistake_quote(quoted, name), order[i - 1]);
	}
	free(order);
	return 0;
}

/* Sorts the routes by their from, keeping their order. */
static int index_routes(struct config *cfg)
{
	unsigned *next = NULL;
	int ret = -ENOMEM;

	cfg->route_start = calloc(cfg->peer_count + 1, sizeof(unsigned));
	cfg->route_of = calloc(cfg->route_count, sizeof(unsigned));
	cfg->route_any = calloc(cfg->route_count, sizeof(unsigned));
	next = calloc(cfg->peer_count, sizeof(unsigned));
	if (!cfg->route_start || !cfg->route_of || !cfg->route_any || !next)
		goto out;
	for (unsigned i = 0; i < cfg->route_count; i++) {
		if (cfg->route[i].from >= 0)
			cfg->route_start[cfg->route[i].from + 1]++;
	}
	for (unsigned p = 0; p < cfg->peer_count; p++) {
		next[p] = cfg->route_start[p];
		cfg->route_start[p + 1] += cfg->route_start[p];
	}
	for (unsigned i = 0; i < cfg->route_count; i++) {
		if (cfg->route[i].from >= 0)
			cfg->route_of[next[cfg->route[i].from]++] = i;
		else
			cfg->route_any[cfg->route_any_count++] = i;
	}
	ret = 0;
out:
	free(next);
	return ret;
}

int resolve_routes(struct resolve *r)
{
	struct config *cfg = r->cfg;
	int ret = 0;

	if (!r->file->routes_count)
		return 0;
	cfg->route = calloc(r->file->routes_count, sizeof(*cfg->route));
	if (!cfg->route)
		return -ENOMEM;
	for (unsigned i = 0; i < r->file->routes_count && !ret; i++)
		ret = resolve_route(r, i);
	if (!ret)
		ret = check_names(r);
	if (!ret)
		ret = index_routes(cfg);
	return ret;
}
