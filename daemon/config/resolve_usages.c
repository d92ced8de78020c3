/* SPDX-License-Identifier: BSD-2-Clause */
/* Usages: named lists of routes, and the peers that use them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/resolve.h"
#include "config/route_index.h"

/* Whose name is the text; ordered has the routes in the order of their names. */
static int find_route(
	const struct config *cfg, const unsigned *ordered, const char *name, unsigned *out)
{
	unsigned low = 0, high = cfg->route_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = strcmp(name, cfg->route[ordered[middle]].name);

		if (order == 0) {
			*out = ordered[middle];
			return 0;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}

static int add_routes(struct resolve *r, struct usage_config *usage, const struct file_usage *file,
	const unsigned *ordered, unsigned index)
{
	struct config *cfg = r->cfg;
	bool *seen = calloc(cfg->route_count + 1, sizeof(*seen));
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	usage->route = calloc(file->routes_count, sizeof(unsigned));
	if (!seen || !usage->route) {
		free(seen);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < file->routes_count; i++) {
		unsigned route;

		mistake_key(key, "usages[%u].routes[%u]", index, i);
		if (!file->routes[i][0] || find_route(cfg, ordered, file->routes[i], &route)) {
			mistake_add(r->mistakes, key,
				"no route is named %s; expected the name of a route",
				mistake_quote(quoted, file->routes[i]));
			continue;
		}
		if (seen[route])
			mistake_add(r->mistakes, key, "%s is written twice; expected once",
				mistake_quote(quoted, file->routes[i]));
		if (cfg->route[route].emergency)
			mistake_add(r->mistakes, key,
				"%s takes emergency calls, which have no usages; expected another "
				"route",
				mistake_quote(quoted, file->routes[i]));
		seen[route] = true;
		cfg->route[route].in_usage = true;
		usage->route[usage->route_count++] = route;
	}
	free(seen);
	return 0;
}

static struct usage_config *find_usage(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->usage_count; i++) {
		if (strcmp(cfg->usage[i].name, name) == 0)
			return &cfg->usage[i];
	}
	return NULL;
}

static int resolve_usage(struct resolve *r, unsigned index, const unsigned *ordered)
{
	const struct file_usage *file = &r->file->usages[index];
	struct usage_config *usage = &r->cfg->usage[index];
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	int ret;

	mistake_key(key, "usages[%u].name", index);
	if (resolve_name(r, key, file->name) && find_usage(r->cfg, file->name))
		mistake_add(r->mistakes, key,
			"%s is another usage's too; expected a name of its own",
			mistake_quote(quoted, file->name));
	r->cfg->usage_count++;
	usage->name = strdup(file->name);
	if (!usage->name)
		return -ENOMEM;
	ret = add_routes(r, usage, file, ordered, index);
	return ret ? ret
		   : route_index_new(
			     &usage->index, r->cfg, usage->route, usage->route_count, false);
}

static int resolve_peer_usages(struct resolve *r, unsigned index)
{
	const struct file_peer *file = &r->file->peers[index];
	struct peer_config *peer = &r->cfg->peer[index];
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], list[NAME_LIST_MAX];

	if (!file->usages_count)
		return 0;
	peer->usage = calloc(file->usages_count, sizeof(unsigned));
	if (!peer->usage)
		return -ENOMEM;
	for (unsigned i = 0; i < file->usages_count; i++) {
		const struct usage_config *usage = find_usage(r->cfg, file->usages[i]);

		mistake_key(key, "peers[%u].usages[%u]", index, i);
		if (usage)
			peer->usage[peer->usage_count++] = (unsigned)(usage - r->cfg->usage);
		else
			mistake_add(r->mistakes, key, "no usage is named %s; expected one of %s",
				mistake_quote(quoted, file->usages[i]),
				resolve_name_list(list, r->cfg->usage, sizeof(*r->cfg->usage),
					r->cfg->usage_count));
		for (unsigned j = 0; usage && j + 1 < peer->usage_count; j++) {
			if (peer->usage[j] == (unsigned)(usage - r->cfg->usage))
				mistake_add(r->mistakes, key, "%s is written twice; expected once",
					mistake_quote(quoted, file->usages[i]));
		}
	}
	return 0;
}

int resolve_usages(struct resolve *r, const unsigned *ordered)
{
	const struct file_config *file = r->file;
	int ret = 0;

	if (file->usages_count) {
		r->cfg->usage = calloc(file->usages_count, sizeof(*r->cfg->usage));
		if (!r->cfg->usage)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < file->usages_count && !ret; i++)
		ret = resolve_usage(r, i, ordered);
	for (unsigned i = 0; i < file->peers_count && !ret; i++)
		ret = resolve_peer_usages(r, i);
	return ret;
}
