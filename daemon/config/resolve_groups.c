/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of peers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/resolve.h"

const struct group_config *resolve_find_group(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->group_count; i++) {
		if (strcmp(cfg->group[i].name, name) == 0)
			return &cfg->group[i];
	}
	return NULL;
}

static int by_preference(const void *a, const void *b)
{
	const struct group_member *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	/* The heavier first: what is shown where there is no chance. */
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return (x->peer > y->peer) - (x->peer < y->peer);
}

static void resolve_member(struct resolve *r, struct group_config *group,
	const struct file_member *file, const char *base)
{
	struct group_member *member = &group->member[group->member_count];
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	struct mistakes *m = r->mistakes;

	member->priority = key_number(m, mistake_key(key, "%s.priority", base), file->priority);
	member->weight = key_number(m, mistake_key(key, "%s.weight", base), file->weight);
	member->cost = key_number(m, mistake_key(key, "%s.cost", base), file->cost);
	mistake_key(key, "%s.peer", base);
	if (resolve_peer_name(r, key, file->peer, &member->peer))
		return;
	for (unsigned i = 0; i < group->member_count; i++) {
		if (group->member[i].peer == member->peer)
			mistake_add(m, key, "%s is written twice; expected once",
				mistake_quote(quoted, file->peer));
	}
	group->member_count++;
}

static int resolve_group(struct resolve *r, unsigned index)
{
	const struct file_group *file = &r->file->groups[index];
	struct group_config *group = &r->cfg->group[index];
	char base[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	mistake_key(base, "groups[%u].name", index);
	if (resolve_name(r, base, file->name)) {
		if (resolve_find_group(r->cfg, file->name))
			mistake_add(r->mistakes, base,
				"%s is another group's too; expected a name of its own",
				mistake_quote(quoted, file->name));
		else if (config_peer_by_name(r->cfg, file->name))
			mistake_add(r->mistakes, base,
				"%s is a peer's too; expected a name of its own",
				mistake_quote(quoted, file->name));
	}
	r->cfg->group_count++;
	group->name = strdup(file->name);
	group->member = calloc(file->members_count, sizeof(*group->member));
	if (!group->name || !group->member)
		return -ENOMEM;
	for (unsigned i = 0; i < file->members_count; i++) {
		mistake_key(base, "groups[%u].members[%u]", index, i);
		resolve_member(r, group, &file->members[i], base);
	}
	qsort(group->member, group->member_count, sizeof(*group->member), by_preference);
	return 0;
}

int resolve_groups(struct resolve *r)
{
	int ret = 0;

	if (!r->file->groups_count)
		return 0;
	r->cfg->group = calloc(r->file->groups_count, sizeof(*r->cfg->group));
	if (!r->cfg->group)
		return -ENOMEM;
	for (unsigned i = 0; i < r->file->groups_count && !ret; i++)
		ret = resolve_group(r, i);
	return ret;
}
