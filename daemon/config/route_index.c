/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/route_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/prefixes.h"

_Static_assert(4 * (PREFIX_MAX + 1) <= ROUTE_CURSOR_RUNS, "a cursor holds two indexes");

/* A beginning, one character longer than its parent's. Children are a list. Node 0 is the empty
 * one. */
struct node {
	unsigned child, sibling; /* 0 = none */
	unsigned first, count;   /* in values */
	char c;
};

struct trie {
	struct node *node;
	unsigned *value;
	unsigned node_count;
};

/* A route is found by its called number, or by its calling one where that alone says something. */
struct route_index {
	struct trie called, calling;
};

struct entry {
	struct prefix prefix;
	unsigned value;
};

struct entries {
	struct entry *one;
	unsigned count, room;
};

static int by_prefix(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	size_t n = x->prefix.len < y->prefix.len ? x->prefix.len : y->prefix.len;
	int order = memcmp(x->prefix.text, y->prefix.text, n);

	if (order)
		return order;
	if (x->prefix.len != y->prefix.len)
		return x->prefix.len < y->prefix.len ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static int add_entries(struct entries *e, const struct prefixes *p, unsigned value)
{
	if (e->count + p->count > e->room) {
		unsigned room = 2 * e->room + PREFIXES_MAX;
		struct entry *one = realloc(e->one, room * sizeof(*one));

		if (!one)
			return -ENOMEM;
		e->one = one;
		e->room = room;
	}
	for (unsigned i = 0; i < p->count; i++)
		e->one[e->count++] = (struct entry){.prefix = p->one[i], .value = value};
	return 0;
}

static unsigned find_child(const struct trie *t, unsigned node, char c)
{
	unsigned i = t->node[node].child;

	while (i && t->node[i].c != c)
		i = t->node[i].sibling;
	return i;
}

/* The node of that beginning, made where it is not there: room for it is. */
static unsigned make_node(struct trie *t, const struct prefix *p)
{
	unsigned at = 0;

	for (unsigned i = 0; i < p->len; i++) {
		unsigned next = find_child(t, at, p->text[i]);

		if (!next) {
			next = t->node_count++;
			t->node[next] =
				(struct node){.c = p->text[i], .sibling = t->node[at].child};
			t->node[at].child = next;
		}
		at = next;
	}
	return at;
}

static int trie_make(struct trie *t, struct entries *e)
{
	size_t nodes = 1;
	void *fitting;

	if (!e->count)
		return 0;
	qsort(e->one, e->count, sizeof(*e->one), by_prefix);
	for (unsigned i = 0; i < e->count; i++)
		nodes += e->one[i].prefix.len;
	t->node = calloc(nodes, sizeof(*t->node));
	t->value = calloc(e->count, sizeof(*t->value));
	if (!t->node || !t->value)
		return -ENOMEM;
	t->node_count = 1;
	for (unsigned i = 0; i < e->count; i++) {
		struct node *node = &t->node[make_node(t, &e->one[i].prefix)];

		if (!node->count++)
			node->first = i;
		t->value[i] = e->one[i].value;
	}
	fitting = realloc(t->node, t->node_count * sizeof(*t->node));
	if (fitting)
		t->node = fitting;
	return 0;
}

static void trie_find(const struct trie *t, const char *number, struct route_cursor *cursor)
{
	unsigned at = 0;

	if (!t->node_count)
		return;
	do {
		const struct node *node = &t->node[at];

		if (node->count) {
			cursor->run[cursor->runs].at = t->value + node->first;
			cursor->run[cursor->runs++].end = t->value + node->first + node->count;
		}
		at = *number ? find_child(t, at, *number++) : 0;
	} while (at);
}

int route_index_new(struct route_index **out, const struct config *cfg, const unsigned *list,
	unsigned count, bool by_route)
{
	struct route_index *index = calloc(1, sizeof(*index));
	struct entries called = {0}, calling = {0};
	int ret = index ? 0 : -ENOMEM;

	for (unsigned i = 0; i < count && !ret; i++) {
		const struct route_config *route = &cfg->route[list[i]];
		struct prefixes p, q;

		prefixes_of(&p, route->called.text);
		prefixes_of(&q, route->calling.text);
		if (!p.one[0].len && q.one[0].len)
			ret = add_entries(&calling, &q, by_route ? list[i] : i);
		else
			ret = add_entries(&called, &p, by_route ? list[i] : i);
	}
	if (!ret)
		ret = trie_make(&index->called, &called);
	if (!ret)
		ret = trie_make(&index->calling, &calling);
	free(called.one);
	free(calling.one);
	if (ret)
		route_index_free(index);
	else
		*out = index;
	return ret;
}

void route_index_free(struct route_index *index)
{
	if (!index)
		return;
	free(index->called.node);
	free(index->called.value);
	free(index->calling.node);
	free(index->calling.value);
	free(index);
}

void route_index_find(const struct route_index *index, const char *called, const char *calling,
	struct route_cursor *cursor)
{
	if (!index)
		return;
	trie_find(&index->called, called, cursor);
	trie_find(&index->calling, calling, cursor);
}

bool route_cursor_next(struct route_cursor *cursor, unsigned *value)
{
	unsigned best = 0;

	for (unsigned i = 1; i < cursor->runs; i++) {
		if (*cursor->run[i].at < *cursor->run[best].at)
			best = i;
	}
	if (!cursor->runs)
		return false;
	*value = *cursor->run[best].at++;
	if (cursor->run[best].at == cursor->run[best].end)
		cursor->run[best] = cursor->run[--cursor->runs];
	return true;
}
