/* SPDX-License-Identifier: BSD-2-Clause */
/* From {listener, source address} to the peer, the longest prefix first: one hash table of
 * prefixes, asked once for each prefix length that is in use. */
#ifndef VIADUCT_CONFIG_SOURCE_INDEX_H
#define VIADUCT_CONFIG_SOURCE_INDEX_H

#include <stdbool.h>

#include "base/addr.h"

struct source_index;

int source_index_new(struct source_index **out);
void source_index_free(struct source_index *index);
/* net's bits beyond prefix_len are zero. A prefix may have several peers, which are found in the
 * order of their coming. 0 or -ENOMEM. */
int source_index_add(struct source_index *index, unsigned listener, const struct addr *net,
	unsigned prefix_len, unsigned peer);
/* Each peer that has exactly that prefix, until one takes it: returns true. */
typedef bool source_index_fn(void *ctx, unsigned peer);
void source_index_holders(const struct source_index *index, unsigned listener,
	const struct addr *net, unsigned prefix_len, source_index_fn *take, void *ctx);
/* Each peer whose prefix source lies in, the longest prefixes first, until one takes it. */
void source_index_each(const struct source_index *index, unsigned listener,
	const struct addr *source, source_index_fn *take, void *ctx);
/* The first of them. 0 or -ENOENT. */
int source_index_find(const struct source_index *index, unsigned listener,
	const struct addr *source, unsigned *peer);
/* a with the bits beyond prefix_len and the port zeroed. */
struct addr source_index_mask(const struct addr *a, unsigned prefix_len);

#endif
