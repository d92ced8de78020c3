/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the program looks for an address first. */
#include <string.h>

#include "dataplane/locals.h"

#define FACTOR_STEP  0x9e3779b2u /* even: what is odd stays odd */
#define FACTOR_FIRST 0x9e3779b1u
#define FACTORS      256

static uint32_t low_of(const struct vd_local *local)
{
	uint32_t low;

	memcpy(&low, local->addr + sizeof(local->addr) - sizeof(low), sizeof(low));
	return low;
}

/* Fills likely[] by that factor. Returns how many addresses find their place taken by another. */
static unsigned spread(struct vd_locals *locals, uint32_t factor)
{
	bool taken[VD_LOCALS_LIKELY] = {false};
	unsigned shared = 0;

	locals->factor = factor;
	memset(locals->likely, 0, sizeof(locals->likely));
	for (unsigned i = 0; i < locals->count; i++) {
		const struct vd_local *local = &locals->local[i];
		unsigned at = VD_LOCALS_LIKELY_AT(low_of(local), factor);

		if (!local->ifindex)
			continue;
		if (!taken[at])
			locals->likely[at] = (uint8_t)i;
		else if (low_of(&locals->local[locals->likely[at]]) != low_of(local))
			shared++;
		taken[at] = true;
	}
	return shared;
}

void locals_spread(struct vd_locals *locals)
{
	uint32_t factor = FACTOR_FIRST, best = factor;
	unsigned fewest = VD_LOCALS_MAX + 1;

	for (unsigned i = 0; i < FACTORS && fewest; i++, factor += FACTOR_STEP) {
		unsigned shared = spread(locals, factor);

		if (shared < fewest) {
			fewest = shared;
			best = factor;
		}
	}
	spread(locals, best);
}
