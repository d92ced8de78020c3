/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "config/pattern.h"
#include "config/resolve.h"

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

static void check_trunk_to_trunk(
	struct resolve *r, const struct route_config *route, const char *base)
{
	const struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX];

	if (route->trunk_to_trunk || !route->from_count || !route->to_count)
		return;
	for (unsigned i = 0; i < route->from_count; i++) {
		if (cfg->peer[route->from[i]].side != SIDE_EXTERNAL)
			return;
	}
	for (unsigned i = 0; i < route->to_count; i++) {
		if (cfg->peer[route->to[i]].side != SIDE_EXTERNAL)
			return;
	}
	mistake_add(r->mistakes, mistake_key(key, "%s.to", base),
		"leads only from the external side to the external side, which is denied; expected "
		"an "
		"internal peer, or trunk_to_trunk: true");
}

static int by_index(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

/* One peer's name, a list of them, or any. */
static int resolve_from(struct resolve *r, struct route_config *route, const char *base)
{
	char path[MISTAKE_KEY_MAX], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	const struct node *node;
	unsigned count, peer;

	mistake_key(path, "%s.from", base);
	node = document_find(r->mistakes->root, path);
	count = document_text_count(node);
	if (!count || (count == 1 && strcmp(document_text(node, 0), "any") == 0))
		return 0;
	route->from = calloc(count, sizeof(unsigned));
	if (!route->from)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		const char *name = document_text(node, i);

		if (node->kind == NODE_SCALAR)
			mistake_key(key, "%s", path);
		else
			mistake_key(key, "%s[%u]", path, i);
		if (peer_index(r, key, name, &peer) == 0)
			route->from[route->from_count++] = peer;
	}
	qsort(route->from, route->from_count, sizeof(unsigned), by_index);
	for (unsigned i = 1; i < route->from_count; i++) {
		if (route->from[i] == route->from[i - 1])
			mistake_add(r->mistakes, path, "%s is written twice; expected once",
				mistake_quote(quoted, r->cfg->peer[route->from[i]].name));
	}
	return 0;
}

static void resolve_to(struct resolve *r, struct route_config *route, const struct file_route *file,
	const char *base)
{
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	unsigned peer;

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
}

static int resolve_route(struct resolve *r, unsigned index)
{
	const struct file_route *file = &r->file->routes[index];
	struct route_config *route = &r->cfg->route[index];
	char base[MISTAKE_KEY_MAX / 2], key[MISTAKE_KEY_MAX];
	int ret;

	r->cfg->route_count++;
	snprintf(base, sizeof(base), "routes[%u]", index);
	route->name = resolve_text("routes[].name", file->name);
	if (!route->name)
		return -ENOMEM;
	if (route->name[0])
		resolve_name(r, mistake_key(key, "%s.name", base), route->name);
	route->trunk_to_trunk = file->trunk_to_trunk && *file->trunk_to_trunk;
	route->emergency = file->emergency && *file->emergency;
	ret = resolve_from(r, route, base);
	if (ret)
		return ret;
	resolve_to(r, route, file, base);
	check_trunk_to_trunk(r, route, base);
	ret = pattern_compile(r, mistake_key(key, "%s.called", base), file->called, &route->called);
	if (!ret)
		ret = pattern_compile(
			r, mistake_key(key, "%s.calling", base), file->calling, &route->calling);
	return ret;
}

static int resolve_emergency(struct resolve *r)
{
	struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX];
	int ret = 0;

	if (!r->file->emergency_count)
		return 0;
	cfg->emergency = calloc(r->file->emergency_count, sizeof(*cfg->emergency));
	if (!cfg->emergency)
		return -ENOMEM;
	for (unsigned i = 0; i < r->file->emergency_count && !ret; i++) {
		cfg->emergency_count++;
		ret = pattern_compile(r, mistake_key(key, "emergency[%u]", i),
			r->file->emergency[i], &cfg->emergency[i]);
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
	unsigned *next = NULL, entries = 0;
	int ret = -ENOMEM;

	for (unsigned i = 0; i < cfg->route_count; i++)
		entries += cfg->route[i].from_count;
	cfg->route_start = calloc(cfg->peer_count + 1, sizeof(unsigned));
	cfg->route_of = calloc(entries + 1, sizeof(unsigned));
	cfg->route_any = calloc(cfg->route_count, sizeof(unsigned));
	next = calloc(cfg->peer_count, sizeof(unsigned));
	if (!cfg->route_start || !cfg->route_of || !cfg->route_any || !next)
		goto out;
	for (unsigned i = 0; i < cfg->route_count; i++) {
		for (unsigned j = 0; j < cfg->route[i].from_count; j++)
			cfg->route_start[cfg->route[i].from[j] + 1]++;
	}
	for (unsigned p = 0; p < cfg->peer_count; p++) {
		next[p] = cfg->route_start[p];
		cfg->route_start[p + 1] += cfg->route_start[p];
	}
	for (unsigned i = 0; i < cfg->route_count; i++) {
		for (unsigned j = 0; j < cfg->route[i].from_count; j++)
			cfg->route_of[next[cfg->route[i].from[j]]++] = i;
		if (!cfg->route[i].from_count)
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
	int ret = resolve_emergency(r);

	if (ret || !r->file->routes_count)
		return ret;
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
