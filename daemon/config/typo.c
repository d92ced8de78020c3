/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/typo.h"

#include <string.h>

unsigned typo_distance(const char *a, const char *b)
{
	size_t n = strlen(a), k = strlen(b);
	unsigned row[TYPO_LENGTH_MAX];

	if (n >= TYPO_LENGTH_MAX || k >= TYPO_LENGTH_MAX)
		return TYPO_LENGTH_MAX;
	for (unsigned j = 0; j <= k; j++)
		row[j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= k; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (best > row[j] + 1)
				best = row[j] + 1;
			if (best > row[j - 1] + 1)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[k];
}
