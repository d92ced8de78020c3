/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "config/pattern.h"
#include "config/resolve.h"
#include "config/route_index.h"

#define CALLER_NUMBER_MAX   128 /* bytes: NUMBER_MAX of the route room */
#define CALLER_NUMBER_CHARS "0123456789+*#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"
#define CALLER_NAME_MAX     64 /* bytes */

int resolve_peer_name(struct resolve *r, const char *key, const char *name, unsigned *out)
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

/* Whether all that `to` names is on the external side. */
static bool leads_outside(const struct config *cfg, const struct route_config *route)
{
	for (unsigned i = 0; i < route->to_count; i++) {
		const struct route_to *to = &route->to[i];

		if (!to->is_group && cfg->peer[to->index].side != SIDE_EXTERNAL)
			return false;
		for (unsigned j = 0; to->is_group && j < cfg->group[to->index].member_count; j++) {
			if (cfg->peer[cfg->group[to->index].member[j].peer].side != SIDE_EXTERNAL)
				return false;
		}
	}
	return true;
}

static void check_trunk_to_trunk(
	struct resolve *r, const struct route_config *route, const char *base)
{
	char key[MISTAKE_KEY_MAX];

	if (route->trunk_to_trunk || !route->from_count || !route->to_count)
		return;
	for (unsigned i = 0; i < route->from_count; i++) {
		if (r->cfg->peer[route->from[i]].side != SIDE_EXTERNAL)
			return;
	}
	if (leads_outside(r->cfg, route))
		mistake_add(r->mistakes, mistake_key(key, "%s.to", base),
			"leads only from the external side to the external side, which is denied; "
			"expected an internal peer, or trunk_to_trunk: true");
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
		if (resolve_peer_name(r, key, name, &peer) == 0)
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

/* Where there are groups, they may have been meant as well. */
static void unknown_destination(struct resolve *r, const char *key, const char *name)
{
	const struct config *cfg = r->cfg;
	char quoted[MISTAKE_QUOTE_MAX], peers[NAME_LIST_MAX], groups[NAME_LIST_MAX];

	mistake_add(r->mistakes, key,
		"no peer or group is named %s; expected one of the peers %s or of the groups %s",
		mistake_quote(quoted, name),
		resolve_name_list(peers, cfg->peer, sizeof(*cfg->peer), cfg->peer_count),
		resolve_name_list(groups, cfg->group, sizeof(*cfg->group), cfg->group_count));
}

static void resolve_to(struct resolve *r, struct route_config *route, const struct file_route *file,
	const char *base)
{
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	for (unsigned i = 0; i < file->to_count; i++) {
		bool is_peer = config_peer_by_name(r->cfg, file->to[i]) != NULL;
		const struct group_config *group =
			is_peer ? NULL : resolve_find_group(r->cfg, file->to[i]);
		struct route_to to = {.is_group = group != NULL};

		mistake_key(key, "%s.to[%u]", base, i);
		if (!is_peer && !group && r->cfg->group_count) {
			unknown_destination(r, key, file->to[i]);
			continue;
		}
		if (group)
			to.index = (unsigned)(group - r->cfg->group);
		else if (resolve_peer_name(r, key, file->to[i], &to.index))
			continue;
		for (unsigned j = 0; j < route->to_count; j++) {
			if (route->to[j].is_group == to.is_group && route->to[j].index == to.index)
				mistake_add(r->mistakes, key, "%s is written twice; expected once",
					mistake_quote(quoted, file->to[i]));
		}
		route->to[route->to_count++] = to;
	}
}

/* What a quoted display name may hold without escapes (RFC 3261 25.1), and a number that we put in
 * the place of another. */
static int resolve_caller(struct resolve *r, struct route_config *route,
	const struct file_caller *file, const char *base)
{
	struct caller_config *caller = &route->caller;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	caller->suppress = file->suppress && *file->suppress;
	caller->number = file->number ? strdup(file->number) : NULL;
	caller->name = file->name ? strdup(file->name) : NULL;
	if ((file->number && !caller->number) || (file->name && !caller->name))
		return -ENOMEM;
	mistake_key(key, "%s.caller.number", base);
	if (caller->number &&
		(!caller->number[0] || strlen(caller->number) > CALLER_NUMBER_MAX ||
			strspn(caller->number, CALLER_NUMBER_CHARS) != strlen(caller->number)))
		mistake_add(r->mistakes, key, "%s is no number; expected %s",
			mistake_quote(quoted, caller->number), key_expected(want, key));
	mistake_key(key, "%s.caller.name", base);
	if (!caller->name)
		return 0;
	for (const unsigned char *c = (const unsigned char *)caller->name;; c++) {
		if (*c >= 0x20 && *c != 0x7f && *c != '"' && *c != '\\' &&
			c - (const unsigned char *)caller->name < CALLER_NAME_MAX)
			continue;
		if (*c)
			mistake_add(r->mistakes, key, "%s cannot be a caller's name; expected %s",
				mistake_quote(quoted, caller->name), key_expected(want, key));
		return 0;
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
	route->cost = key_number(r->mistakes, mistake_key(key, "%s.cost", base), file->cost);
	ret = resolve_route_times(r, route, base);
	if (!ret)
		ret = resolve_caller(r, route, &file->caller, base);
	if (ret)
		return ret;
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

static void check_names(struct resolve *r, const unsigned *ordered)
{
	const struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	for (unsigned i = 1; i < cfg->route_count; i++) {
		const char *name = cfg->route[ordered[i]].name;

		if (name[0] && strcmp(name, cfg->route[ordered[i - 1]].name) == 0)
			mistake_add(r->mistakes, mistake_key(key, "routes[%u].name", ordered[i]),
				"%s is also routes[%u]; expected a name of its own",
				mistake_quote(quoted, name), ordered[i - 1]);
	}
}

/* What a route does by default hangs on whether usages lead to it. */
static void resolve_on_failure(struct resolve *r)
{
	char key[MISTAKE_KEY_MAX];

	for (unsigned i = 0; i < r->cfg->route_count; i++) {
		const struct file_route *file = &r->file->routes[i];
		struct route_config *route = &r->cfg->route[i];

		route->goes_on = file->on_failure ? *file->on_failure == FILE_ON_FAILURE_NEXT
						  : route->in_usage || route->emergency;
		if (file->cost && !route->in_usage)
			mistake_add(r->mistakes, mistake_key(key, "routes[%u].cost", i),
				"has no meaning outside usages; expected a usage to name the "
				"route");
	}
}

/* Puts the routes that no usage names into lists: one for each peer, one, the last, for those of
 * everybody. start[l] to start[l + 1] is where list l is. 0 or -ENOMEM. */
static int list_routes(const struct config *cfg, unsigned *start, unsigned **out)
{
	unsigned lists = cfg->peer_count + 1, *next = calloc(lists, sizeof(unsigned)), *list;

	for (unsigned i = 0; i < cfg->route_count; i++) {
		const struct route_config *route = &cfg->route[i];

		if (route->in_usage)
			continue;
		for (unsigned j = 0; j < route->from_count; j++)
			start[route->from[j] + 1]++;
		start[lists] += !route->from_count;
	}
	for (unsigned l = 0; l < lists; l++)
		start[l + 1] += start[l];
	list = calloc(start[lists] + 1, sizeof(unsigned));
	if (!next || !list) {
		free(next);
		free(list);
		return -ENOMEM;
	}
	memcpy(next, start, lists * sizeof(unsigned));
	for (unsigned i = 0; i < cfg->route_count; i++) {
		const struct route_config *route = &cfg->route[i];

		if (route->in_usage)
			continue;
		for (unsigned j = 0; j < route->from_count; j++)
			list[next[route->from[j]]++] = i;
		if (!route->from_count)
			list[next[cfg->peer_count]++] = i;
	}
	free(next);
	*out = list;
	return 0;
}

static int index_routes(struct config *cfg)
{
	unsigned *start = calloc(cfg->peer_count + 2, sizeof(unsigned)), *list = NULL;
	int ret = -ENOMEM;

	cfg->route_index = calloc(cfg->peer_count, sizeof(struct route_index *));
	if (start && cfg->route_index)
		ret = list_routes(cfg, start, &list);
	for (unsigned l = 0; l <= cfg->peer_count && !ret; l++) {
		unsigned count = start[l + 1] - start[l];

		if (count)
			ret = route_index_new(
				l < cfg->peer_count ? &cfg->route_index[l] : &cfg->route_any, cfg,
				list + start[l], count, true);
	}
	free(start);
	free(list);
	return ret;
}

int resolve_routes(struct resolve *r)
{
	struct config *cfg = r->cfg;
	unsigned count = r->file->routes_count, *ordered = NULL;
	int ret = resolve_emergency(r);

	if (ret)
		return ret;
	cfg->route = calloc(count + 1, sizeof(*cfg->route));
	ordered = calloc(count + 1, sizeof(unsigned));
	if (!cfg->route || !ordered)
		ret = -ENOMEM;
	for (unsigned i = 0; i < count && !ret; i++) {
		ret = resolve_route(r, i);
		ordered[i] = i;
	}
	if (!ret) {
		qsort_r(ordered, count, sizeof(unsigned), by_name, cfg);
		check_names(r, ordered);
		ret = resolve_usages(r, ordered);
	}
	if (!ret) {
		resolve_on_failure(r);
		ret = index_routes(cfg);
	}
	free(ordered);
	return ret;
}
