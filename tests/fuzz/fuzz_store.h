/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of the store: what was written down is in memory, for a daemon that comes after one of
 * the same input. */
#ifndef VIADUCT_FUZZ_STORE_H
#define VIADUCT_FUZZ_STORE_H

#include "fuzz.h"
#include "store/store.h"

#define KEPT_MAX 1024 /* records of an input */

struct kept {
	enum store_kind kind;
	uint64_t number;
	char *name; /* NULL: the number */
	void *value;
	size_t len;
};

/* In the order in which store_load gives them: numbers, then names. */
static struct kept kept[KEPT_MAX];
static unsigned kept_count;
static bool kept_is_closed; /* the daemon was killed: nothing of it comes here any more */
/* For callers that ask whether there is one. */
static struct store *const fuzz_store = (struct store *)(void *)kept;

static int kept_order(const struct kept *k, enum store_kind kind, struct store_key key)
{
	if (k->kind != kind)
		return k->kind < kind ? -1 : 1;
	if (!k->name != !key.name)
		return k->name ? 1 : -1;
	if (k->name)
		return strcmp(k->name, key.name);
	return k->number < key.number ? -1 : k->number > key.number;
}

/* The place where it is, or belongs; *found: it is there. */
static unsigned kept_place(enum store_kind kind, struct store_key key, bool *found)
{
	unsigned i = 0;

	while (i < kept_count && kept_order(&kept[i], kind, key) < 0)
		i++;
	*found = i < kept_count && kept_order(&kept[i], kind, key) == 0;
	return i;
}

static void kept_remove(unsigned i)
{
	free(kept[i].name);
	free(kept[i].value);
	kept_count--;
	memmove(&kept[i], &kept[i + 1], (kept_count - i) * sizeof(kept[0]));
}

void store_put(struct store *s, enum store_kind kind, struct store_key key, void *value, size_t len)
{
	bool found;
	unsigned i;

	(void)s;
	if (kept_is_closed) {
		free(value);
		return;
	}
	i = kept_place(kind, key, &found);
	if (found) {
		free(kept[i].value);
	} else {
		CLAIM(kept_count < KEPT_MAX);
		memmove(&kept[i + 1], &kept[i], (kept_count - i) * sizeof(kept[0]));
		kept_count++;
		kept[i] = (struct kept){.kind = kind, .number = key.number};
		if (key.name)
			CLAIM((kept[i].name = strdup(key.name)));
	}
	kept[i].value = value;
	kept[i].len = len;
}

void store_del(struct store *s, enum store_kind kind, struct store_key key)
{
	bool found;
	unsigned i = kept_place(kind, key, &found);

	(void)s;
	if (found && !kept_is_closed)
		kept_remove(i);
}

/* What a daemon wrote the next one can use, whatever peers have sent to it. */
static void kept_give(struct kept *k, store_each_fn *each, void *ctx)
{
	CLAIM(each(ctx, (struct store_key){k->number, k->name}, k->value, k->len) == 0);
	free(k->name);
	free(k->value);
}

static struct kept kept_copy(const struct kept *k)
{
	struct kept copy = *k;

	CLAIM((copy.value = malloc(k->len ? k->len : 1)));
	if (k->len)
		memcpy(copy.value, k->value, k->len);
	if (k->name)
		CLAIM((copy.name = strdup(k->name)));
	return copy;
}

/* Of copies: each may put and delete. */
int store_load(struct store *s, enum store_kind kind, store_each_fn *each, void *ctx)
{
	static struct kept all[KEPT_MAX];
	unsigned count = 0;

	(void)s;
	for (unsigned i = 0; i < kept_count; i++)
		if (kept[i].kind == kind)
			all[count++] = kept_copy(&kept[i]);
	for (unsigned i = 0; i < count; i++)
		kept_give(&all[i], each, ctx);
	return 0;
}

void store_begin(struct store *s)
{
	(void)s;
}

void store_end(struct store *s)
{
	(void)s;
}

static void kept_forget(void)
{
	while (kept_count)
		kept_remove(kept_count - 1);
	kept_is_closed = false;
}

#endif
