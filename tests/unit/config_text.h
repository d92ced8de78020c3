/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads configurations from texts, for the tests of config and route. */
#ifndef VIADUCT_TESTS_CONFIG_TEXT_H
#define VIADUCT_TESTS_CONFIG_TEXT_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

/* config_load of a file that holds text. *errors is malloc'd: what was written, with the file's
 * name cut from each line, so that a line begins with its number. */
static int load_text(struct config **cfg, const char *text, size_t len, char **errors)
{
	char path[64], *raw = NULL, *to;
	size_t raw_len, prefix;
	FILE *out = open_memstream(&raw, &raw_len);
	int fd = memfd_create("config", 0);
	int ret;

	assert(out && fd >= 0 && write(fd, text, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	prefix = strlen(path) + 1;
	*cfg = NULL;
	ret = config_load(cfg, path, out);
	fclose(out);
	close(fd);
	*errors = to = calloc(1, raw_len + 1);
	for (char *from = raw; *from;) {
		size_t n = strcspn(from, "\n") + 1;

		assert(n > prefix && strncmp(from, path, prefix - 1) == 0);
		memcpy(to, from + prefix, n - prefix);
		to += n - prefix;
		from += n;
	}
	free(raw);
	return ret;
}

static inline struct config *load_good(const char *text)
{
	struct config *cfg;
	char *errors;

	if (load_text(&cfg, text, strlen(text), &errors))
		fprintf(stderr, "%s", errors);
	assert(cfg);
	free(errors);
	return cfg;
}

/* The whole file, NUL-terminated; tests run in the root of the tree. */
static inline char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert(f && text);
	assert(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

#endif
