/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/source_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define V4_LENGTHS 33  /* prefix lengths 0 to 32 */
#define V6_LENGTHS 129 /* 0 to 128 */

/* Zeroed before it is filled: its padding is hashed too. */
struct source_key {
	uint32_t listener;
	uint32_t prefix_len;
	struct addr net;
};

struct source {
	struct source_key key;
	unsigned peer;
	struct source *next; /* of the same prefix */
	UT_hash_handle hh;
};

struct source_index {
	struct source *table;
	/* Prefix lengths in use, the longest first. */
	uint8_t v4[V4_LENGTHS], v6[V6_LENGTHS];
	unsigned v4_count, v6_count;
};

struct addr source_index_mask(const struct addr *a, unsigned prefix_len)
{
	struct addr net = *a;

	net.port = 0;
	for (unsigned bit = prefix_len; bit < 8 * sizeof(net.ip); bit++) {
		if (bit % 8 == 0) {
			memset(net.ip + bit / 8, 0, sizeof(net.ip) - bit / 8);
			break;
		}
		net.ip[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	}
	return net;
}

static void note_length(uint8_t *lengths, unsigned *count, uint8_t len)
{
	unsigned i = 0;

	while (i < *count && lengths[i] > len)
		i++;
	if (i < *count && lengths[i] == len)
		return;
	memmove(lengths + i + 1, lengths + i, *count - i);
	lengths[i] = len;
	(*count)++;
}

static struct source *find(const struct source_index *index, unsigned listener,
	const struct addr *net, unsigned prefix_len)
{
	struct source_key key;
	struct source *s;

	memset(&key, 0, sizeof(key));
	key.listener = listener;
	key.prefix_len = prefix_len;
	key.net = *net;
	key.net.pad = 0;
	HASH_FIND(hh, index->table, &key, sizeof(key), s);
	return s;
}

int source_index_new(struct source_index **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void source_index_free(struct source_index *index)
{
	struct source *s, *next;

	if (!index)
		return;
	s = index->table;
	HASH_CLEAR(hh, index->table);
	for (; s; s = next) {
		struct source *more, *after;

		next = s->hh.next;
		for (more = s->next; more; more = after) {
			after = more->next;
			free(more);
		}
		free(s);
	}
	free(index);
}

int source_index_add(struct source_index *index, unsigned listener, const struct addr *net,
	unsigned prefix_len, unsigned peer)
{
	struct source *first = find(index, listener, net, prefix_len), *s;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->key.listener = listener;
	s->key.prefix_len = prefix_len;
	s->key.net = *net;
	s->key.net.pad = 0;
	s->peer = peer;
	if (first) {
		while (first->next)
			first = first->next;
		first->next = s;
		return 0;
	}
	table_add_failed = false;
	HASH_ADD(hh, index->table, key, sizeof(s->key), s);
	if (table_add_failed) {
		free(s);
		return -ENOMEM;
	}
	if (net->family == 4)
		note_length(index->v4, &index->v4_count, (uint8_t)prefix_len);
	else
		note_length(index->v6, &index->v6_count, (uint8_t)prefix_len);
	return 0;
}

static bool offer(const struct source *s, source_index_fn *take, void *ctx)
{
	for (; s; s = s->next) {
		if (take(ctx, s->peer))
			return true;
	}
	return false;
}

void source_index_holders(const struct source_index *index, unsigned listener,
	const struct addr *net, unsigned prefix_len, source_index_fn *take, void *ctx)
{
	offer(find(index, listener, net, prefix_len), take, ctx);
}

void source_index_each(const struct source_index *index, unsigned listener,
	const struct addr *source, source_index_fn *take, void *ctx)
{
	const uint8_t *lengths = source->family == 4 ? index->v4 : index->v6;
	unsigned count = source->family == 4 ? index->v4_count : index->v6_count;

	for (unsigned i = 0; i < count; i++) {
		struct addr net = source_index_mask(source, lengths[i]);

		if (offer(find(index, listener, &net, lengths[i]), take, ctx))
			return;
	}
}

static bool take_first(void *ctx, unsigned peer)
{
	*(int64_t *)ctx = peer;
	return true;
}

int source_index_find(const struct source_index *index, unsigned listener,
	const struct addr *source, unsigned *peer)
{
	int64_t first = -1;

	source_index_each(index, listener, source, take_first, &first);
	if (first < 0)
		return -ENOENT;
	*peer = (unsigned)first;
	return 0;
}
