/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/order.h"

/* SplitMix64: every seed gives a good sequence. */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	if (!*seed)
		*seed = 1;
	return z ^ (z >> 31);
}

/* As RFC 2782 has it, but for its running sum that begins at 0: with that, of two of weight 1 the
 * first would take two thirds. */
void order_by_weight(struct group_member *member, unsigned count, uint64_t *seed)
{
	if (!*seed)
		return;
	for (unsigned i = 0; i + 1 < count; i++) {
		uint64_t sum = 0, at;
		unsigned pick = i, share;
		struct group_member chosen;

		for (unsigned j = i; j < count; j++)
			sum += member[j].weight;
		at = next_random(seed) % (sum ? sum : count - i);
		while (at >= (share = sum ? member[pick].weight : 1)) {
			at -= share;
			pick++;
		}
		chosen = member[pick];
		for (unsigned j = pick; j > i; j--)
			member[j] = member[j - 1];
		member[i] = chosen;
	}
}
