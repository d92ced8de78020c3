/* SPDX-License-Identifier: BSD-2-Clause */
/* When a peer counts as down or as failing, and which of its answers have a call go elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "config/resolve.h"

#define CODE_DIGITS 3

static unsigned milliseconds(
	struct resolve *r, const char *base, const char *name, const uint32_t *value)
{
	char key[MISTAKE_KEY_MAX];

	return 1000 * key_number(r->mistakes, mistake_key(key, "%s.%s", base, name), value);
}

void resolve_liveness(struct resolve *r, struct peer_config *peer, const struct file_liveness *file,
	const char *base)
{
	struct liveness_config *out = &peer->liveness;
	char key[MISTAKE_KEY_MAX];

	out->interval_ms = milliseconds(r, base, "liveness.interval", file->interval);
	/* What is inside need not know OPTIONS; a trunk is watched unless the file says otherwise.
	 */
	if (!file->interval && peer->kind == PEER_DIRECT)
		out->interval_ms = 0;
	mistake_key(key, "%s.liveness.misses", base);
	out->misses = key_number(r->mistakes, key, file->misses);
	out->probe_ms = milliseconds(r, base, "liveness.probe", file->probe);
	out->timeout_ms = milliseconds(r, base, "liveness.timeout", file->timeout);
}

static void add_codes(struct failover_config *out, unsigned first, unsigned last)
{
	for (unsigned bit = first - FAILOVER_CODE_MIN; bit <= last - FAILOVER_CODE_MIN; bit++)
		out->code[bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* "503" or "500-504". */
static bool parse_codes(const char *text, unsigned *first, unsigned *last)
{
	const char *rest = text + CODE_DIGITS;

	if (strspn(text, "0123456789") != CODE_DIGITS)
		return false;
	*first = *last = (unsigned)strtoul(text, NULL, 10);
	if (*rest == '-') {
		if (strspn(rest + 1, "0123456789") != CODE_DIGITS)
			return false;
		*last = (unsigned)strtoul(rest + 1, NULL, 10);
		rest += 1 + CODE_DIGITS;
	}
	return !*rest && *first >= FAILOVER_CODE_MIN && *last <= FAILOVER_CODE_MAX &&
	       *first <= *last;
}

void resolve_failover(struct resolve *r, struct peer_config *peer, const struct file_failover *file,
	const char *base)
{
	static const unsigned fallback[] = {408, 500, 502, 503, 504};
	struct failover_config *out = &peer->failover;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	for (unsigned i = 0; i < file->codes_count; i++) {
		unsigned first, last;

		mistake_key(key, "%s.failover.codes[%u]", base, i);
		if (parse_codes(file->codes[i], &first, &last))
			add_codes(out, first, last);
		else
			mistake_add(r->mistakes, key,
				"%s is no response code to move on at; expected %s",
				mistake_quote(quoted, file->codes[i]), key_expected(want, key));
	}
	for (unsigned i = 0; !file->codes && i < sizeof(fallback) / sizeof(fallback[0]); i++)
		add_codes(out, fallback[i], fallback[i]);
	mistake_key(key, "%s.failover.retry_after", base);
	out->retry_after_max_s = key_number(r->mistakes, key, file->retry_after);
}

void resolve_failing(struct resolve *r, struct peer_config *peer, const struct file_failing *file,
	const char *base)
{
	struct failing_config *out = &peer->failing;
	char key[MISTAKE_KEY_MAX];

	mistake_key(key, "%s.failing.calls", base);
	out->calls = key_number(r->mistakes, key, file->calls);
	out->memory_ms = milliseconds(r, base, "failing.memory", file->memory);
	mistake_key(key, "%s.failing.well", base);
	out->well = key_number(r->mistakes, key, file->well);
	mistake_key(key, "%s.failing.failed", base);
	out->failed = key_number(r->mistakes, key, file->failed);
	if (out->failed > out->calls)
		mistake_add(r->mistakes, key, "%u is more than calls; expected at most %u",
			out->failed, out->calls);
	else if (out->failed && out->failed <= out->well)
		mistake_add(r->mistakes, key,
			"%u is not above well; expected more than %u, or 0 for never", out->failed,
			out->well);
}
