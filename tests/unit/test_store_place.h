/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of the test's own with a store in it. */
#ifndef TEST_STORE_PLACE_H
#define TEST_STORE_PLACE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "store/internal.h"
#include "store/store.h"
#include "test_tmp.h"

#define BYTES_MAX  (64u * 1024 * 1024)
#define LOADED_MAX 4096

struct place {
	char dir[64], file[96], refused[112], fresh[112], journal[112];
	struct store *s;
	/* what load() found */
	unsigned count;
	uint64_t number[LOADED_MAX];
	char *value[LOADED_MAX];
	size_t len[LOADED_MAX];
	char name[LOADED_MAX][32];
};

static inline void unload(struct place *p)
{
	for (unsigned i = 0; i < p->count; i++)
		free(p->value[i]);
	p->count = 0;
}

static inline int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!mkdtemp(tmp_template(p->dir, sizeof(p->dir), "store")))
		return -1;
	snprintf(p->file, sizeof(p->file), "%s/one.state", p->dir);
	snprintf(p->refused, sizeof(p->refused), "%s/one.state.refused", p->dir);
	snprintf(p->fresh, sizeof(p->fresh), "%s/one.state.new", p->dir);
	snprintf(p->journal, sizeof(p->journal), "%s/one.journal", p->dir);
	*state = p;
	return 0;
}

static inline int place_teardown(void **state)
{
	struct place *p = *state;

	store_close(p->s);
	unload(p);
	unlink(p->file);
	unlink(p->refused);
	unlink(p->fresh);
	unlink(p->journal);
	if (rmdir(p->dir))
		return -1;
	free(p);
	return 0;
}

static inline void reopen(struct place *p)
{
	store_close(p->s);
	p->s = NULL;
	assert_int_equal(store_open(&p->s, p->dir, "one", BYTES_MAX), 0);
}

static inline struct store_status status_of(struct place *p)
{
	struct store_status status;

	store_get_status(p->s, &status);
	return status;
}

static inline int keep(void *ctx, struct store_key key, const uint8_t *value, size_t len)
{
	struct place *p = ctx;

	assert_true(p->count < LOADED_MAX);
	p->number[p->count] = key.number;
	snprintf(p->name[p->count], sizeof(p->name[0]), "%s", key.name ? key.name : "");
	p->value[p->count] = malloc(len + 1);
	memcpy(p->value[p->count], value, len);
	p->value[p->count][len] = '\0';
	p->len[p->count++] = len;
	return 0;
}

static inline void load(struct place *p, enum store_kind kind)
{
	unload(p);
	assert_int_equal(store_load(p->s, kind, keep, p), 0);
}

static inline void put_text(
	struct place *p, enum store_kind kind, struct store_key key, const char *text)
{
	store_put(p->s, kind, key, strdup(text), strlen(text));
}

#endif
