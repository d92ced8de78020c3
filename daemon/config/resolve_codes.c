/* SPDX-License-Identifier: BSD-2-Clause */
/* Response codes of a peer, and what they become. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/resolve.h"

#define CODE_MIN   300
#define CODE_MAX   699
#define PHRASE_MAX 64 /* bytes */

void codes_clear(struct codes_config *codes)
{
	for (unsigned i = 0; i < codes->rule_count; i++)
		free(codes->rule[i].reason);
	free(codes->rule);
}

/* "404", "500-599" */
static bool parse_codes(struct code_rule *rule, const char *text)
{
	unsigned min, max;
	int n = 0;

	if (!text) {
		rule->code_min = CODE_MIN;
		rule->code_max = CODE_MAX;
		return true;
	}
	if (strspn(text, "0123456789-") != strlen(text) || strlen(text) > strlen("300-699"))
		return false;
	if (sscanf(text, "%3u-%3u%n", &min, &max, &n) != 2 || text[n]) {
		n = 0;
		if (sscanf(text, "%3u%n", &min, &n) != 1 || text[n])
			return false;
		max = min;
	}
	rule->code_min = (uint16_t)min;
	rule->code_max = (uint16_t)max;
	return min >= CODE_MIN && max <= CODE_MAX && min <= max;
}

static bool is_phrase(const char *text)
{
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	}
	return *text && strlen(text) <= PHRASE_MAX;
}

static int resolve_rule(struct resolve *r, struct codes_config *out,
	const struct file_code_rule *file, const char *base)
{
	struct code_rule *rule = &out->rule[out->rule_count++];
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	rule->reason = file->reason ? strdup(file->reason) : NULL;
	if (file->reason && !rule->reason)
		return -ENOMEM;
	mistake_key(key, "%s.reason", base);
	if (rule->reason && !is_phrase(rule->reason))
		mistake_add(r->mistakes, key, "%s cannot be a reason phrase; expected %s",
			mistake_quote(quoted, rule->reason), key_expected(want, key));
	if (!file->code && !file->cause)
		mistake_add(r->mistakes, base, "has neither code nor cause; expected one of them");
	mistake_key(key, "%s.code", base);
	if (!parse_codes(rule, file->code))
		mistake_add(r->mistakes, key, "%s is not usable here; expected %s",
			mistake_quote(quoted, file->code), key_expected(want, key));
	rule->cause =
		(uint8_t)key_number(r->mistakes, mistake_key(key, "%s.cause", base), file->cause);
	rule->to = (uint16_t)key_number(r->mistakes, mistake_key(key, "%s.to", base), &file->to);
	/* They would ask for what only the other side can challenge for. */
	if (rule->to == 401 || rule->to == 407)
		mistake_add(
			r->mistakes, key, "%u needs a challenge; expected another code", rule->to);
	return 0;
}

int resolve_codes_of(
	struct resolve *r, struct codes_config *out, const struct file_peer *file, const char *base)
{
	char key[MISTAKE_KEY_MAX];
	int ret = 0;

	out->write_cause = file->q850.write && *file->q850.write;
	out->translate_cause = file->q850.translate && *file->q850.translate;
	if (!file->codes_translated_count)
		return 0;
	out->rule = calloc(file->codes_translated_count, sizeof(*out->rule));
	if (!out->rule)
		return -ENOMEM;
	for (unsigned i = 0; i < file->codes_translated_count && !ret; i++)
		ret = resolve_rule(r, out, &file->codes_translated[i],
			mistake_key(key, "%s.codes[%u]", base, i));
	return ret;
}
