/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets share: an input as a row of records, and claims that end the run. */
#ifndef VIADUCT_FUZZ_H
#define VIADUCT_FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "../unit/test_namespace.h"
#include "base/log.h"
#include "base/loop.h"

#define RECORD_SEPARATOR 0x1e /* ASCII RS */
#define RECORDS_MAX      48   /* of an input: more would only be slow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define CLAIM(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* What no log and no message may tell; NULL: nothing. */
static const char *fuzz_secret;

/* By hand, and unseen by the fuzzer, which makes inputs of what it sees compared. */
__attribute__((no_sanitize("coverage"), optnone)) static inline bool fuzz_tells(
	const char *text, const char *secret)
{
	for (; secret && *text; text++) {
		size_t n = 0;

		while (secret[n] && text[n] == secret[n])
			n++;
		if (!secret[n])
			return true;
	}
	return false;
}

/* In place of log_write (the linker's --wrap): what is logged is made and shown to nobody. */
void __wrap_log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void __wrap_log_write(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	CLAIM(!fuzz_tells(line, fuzz_secret));
}

/* In place of getrandom: the same in each run, so that a run from one seed is one run. */
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
	static uint64_t state = 1;
	uint8_t *out = buf;

	(void)flags;
	for (size_t i = 0; i < len; i++) {
		/* xorshift64* (Vigna) */
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		out[i] = (uint8_t)((state * 2685821657736338717u) >> 56);
	}
	return (ssize_t)len;
}

/* In a network namespace of the target's own: what it binds stays free between two inputs, and what
 * it sends comes to nobody. */
static inline void fuzz_be_alone(void)
{
	if (own_namespace() == 0 && own_namespace_loopback() == 0)
		return;
	fprintf(stderr, "no network namespace can be made\n");
	exit(77);
}

/* Configurations name this variable for their password. */
static inline void fuzz_have_a_secret(void)
{
	fuzz_secret = "that nobody hears of";
	setenv("VIADUCT_FUZZ_PASSWORD", fuzz_secret, 1);
}

/* Lets the loop run once, until end_ms (loop_now_ms) at most; false: that has come. */
static inline bool fuzz_run_until(struct loop *loop, uint64_t end_ms)
{
	uint64_t now = loop_now_ms(loop);

	if (now >= end_ms)
		return false;
	loop_once(loop, (int)(end_ms - now));
	return true;
}

struct fuzz_input {
	const uint8_t *data;
	size_t size;
	unsigned records;
};

/* The next record: its first byte, and the rest as a malloc'd copy of just its size, so that
 * reading beyond it is seen. */
static inline bool fuzz_next(struct fuzz_input *in, uint8_t *kind, char **rest, size_t *len)
{
	const uint8_t *end;
	size_t n;

	if (in->size == 0 || in->records++ == RECORDS_MAX)
		return false;
	end = memchr(in->data, RECORD_SEPARATOR, in->size);
	n = end ? (size_t)(end - in->data) : in->size;
	*kind = n ? in->data[0] : 0;
	*len = n ? n - 1 : 0;
	*rest = malloc(*len ? *len : 1);
	CLAIM(*rest);
	if (*len)
		memcpy(*rest, in->data + 1, *len);
	in->data += end ? n + 1 : n;
	in->size -= end ? n + 1 : n;
	return true;
}

/* Has take() called with each record of an input: its first byte and the rest. */
static inline void fuzz_each(const uint8_t *data, size_t size,
	void (*take)(void *ctx, uint8_t kind, const char *text, size_t len), void *ctx)
{
	struct fuzz_input in = {data, size, 0};
	uint8_t kind;
	char *text;
	size_t len;

	while (fuzz_next(&in, &kind, &text, &len)) {
		take(ctx, kind, text, len);
		free(text);
	}
}

/* The decimal number that text begins with, max where it is larger; 0 where there is none. */
static inline unsigned fuzz_number(const char *text, size_t len, unsigned max)
{
	unsigned n = 0;

	for (size_t i = 0; i < len && text[i] >= '0' && text[i] <= '9' && n < max; i++)
		n = n * 10 + (unsigned)(text[i] - '0');
	return n < max ? n : max;
}

#endif
