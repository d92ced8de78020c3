/* SPDX-License-Identifier: BSD-2-Clause */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "config/pattern.h"

#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX       256 /* bytes; keys.c says so too */
#define PATTERN_ERROR_MAX 128

int pattern_compile(struct resolve *r, const char *key, const char *text, struct pattern *out)
{
	static const uint32_t options =
		PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
	PCRE2_UCHAR error_text[PATTERN_ERROR_MAX];
	char quoted[MISTAKE_QUOTE_MAX];
	PCRE2_SIZE offset;
	int error;

	memset(out, 0, sizeof(*out));
	if (!text)
		return 0;
	out->text = strdup(text);
	if (!out->text)
		return -ENOMEM;
	if (strlen(text) > PATTERN_MAX) {
		mistake_add(r->mistakes, key,
			"%zu bytes long; expected a regular expression of at most %d", strlen(text),
			PATTERN_MAX);
		return 0;
	}
	out->code = pcre2_compile(
		(PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &error, &offset, NULL);
	if (!out->code) {
		if (error == PCRE2_ERROR_HEAP_FAILED)
			return -ENOMEM;
		pcre2_get_error_message(error, error_text, sizeof(error_text));
		mistake_add(r->mistakes, key,
			"%s does not compile: %s at offset %zu; expected a regular expression "
			"(PCRE2)",
			mistake_quote(quoted, text), (char *)error_text, offset);
		return 0;
	}
	/* Where this fails (kernels that forbid writable code) the interpreter matches instead. */
	(void)pcre2_jit_compile(out->code, PCRE2_JIT_COMPLETE);
	return 0;
}

void pattern_clear(struct pattern *p)
{
	pcre2_code_free(p->code);
	free(p->text);
}
