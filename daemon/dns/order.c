/* SPDX-License-Identifier: BSD-2-Clause */
/* In which order a name's targets are tried. */
#include "base/token.h"
#include "dns/internal.h"

/* 0 to below - 1. The bias of a 64-bit number taken so is of no account. */
static unsigned draw_below(unsigned below)
{
	return (unsigned)(token_random64() % below);
}

/* RFC 2782 "Weight": of the records left, all of one priority, the one that a number from 0 to the
 * sum of weights falls on; 0 falls on those of weight 0, where there are any. */
static unsigned draw_record(const struct dns_target *const *left, unsigned n)
{
	unsigned sum = 0, light = 0, at, running = 0;

	for (unsigned i = 0; i < n; i++) {
		sum += left[i]->weight;
		light += left[i]->weight == 0;
	}
	at = draw_below(sum + 1);
	if (at == 0 && light) {
		light = draw_below(light);
		for (unsigned i = 0; i < n; i++) {
			if (left[i]->weight == 0 && light-- == 0)
				return i;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		running += left[i]->weight;
		if (left[i]->weight && running >= at)
			return i;
	}
	return 0;
}

static bool is_of(const struct dns_watch *w, const struct dns_target *t)
{
	return w->families & (t->address.family == 4 ? DNS_IPV4 : DNS_IPV6);
}

/* The addresses of the record that first belongs to. Their number. */
static unsigned draw_addresses(
	const struct dns_watch *w, const struct dns_target *first, uint8_t prefer, struct addr *out)
{
	const struct dns_target *end = w->name->target + w->name->count;
	unsigned n = 0;

	for (int turn = 0; turn < 2; turn++) {
		unsigned from = n;

		for (const struct dns_target *t = first; t < end && t->srv == first->srv; t++) {
			unsigned at;

			if (!is_of(w, t) || (t->address.family == prefer) != (turn == 0))
				continue;
			at = from + draw_below(n - from + 1);
			out[n] = out[at];
			out[at] = t->address;
			n++;
		}
	}
	return n;
}

unsigned dns_draw(const struct dns_watch *w, uint8_t prefer, struct addr out[DNS_TARGETS_MAX])
{
	const struct dns_target *t = w->name->target, *end = t + w->name->count;
	unsigned n = 0;

	while (t < end) {
		const struct dns_target *left[DNS_TARGETS_MAX];
		unsigned records = 0, priority = t->priority;

		/* The first target of each record of this priority. */
		for (const struct dns_target *last = NULL; t < end && t->priority == priority;
			last = t++) {
			if (!last || last->srv != t->srv)
				left[records++] = t;
		}
		while (records) {
			unsigned i = draw_record(left, records);

			n += draw_addresses(w, left[i], prefer, out + n);
			left[i] = left[--records];
		}
	}
	return n;
}
