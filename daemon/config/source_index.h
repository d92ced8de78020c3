/* SPDX-License-Identifier: BSD-2-Clause */
/* From {listener, source address} to the peer, the longest prefix first: one hash table of
 * prefixes, asked once for each prefix length that is in use. */
#ifndef VIADUCT_CONFIG_SOURCE_INDEX_H
#define VIADUCT_CONFIG_SOURCE_INDEX_H

#include "base/addr.h"

struct source_index;

int source_index_new(struct source_index **out);
void source_index_free(struct source_index *index);
/* net's bits beyond prefix_len are zero. 0; -EEXIST when another has it, whose peer goes to
 * *holder; -ENOMEM. */
int source_index_add(struct source_index *index, unsigned listener, const struct addr *net,
	unsigned prefix_len, unsigned peer, unsigned *holder);
/* 0 or -ENOENT. */
int source_index_find(const struct source_index *index, unsigned listener,
	const struct addr *source, unsigned *peer);
/* a with the bits beyond prefix_len and the port zeroed. */
struct addr source_index_mask(const struct addr *a, unsigned prefix_len);

#endif
