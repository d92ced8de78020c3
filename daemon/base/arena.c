/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE (16 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	alignas(max_align_t) unsigned char memory[];
};

static struct arena_block *add_block(struct arena *a, size_t size)
{
	size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct arena_block *b = malloc(sizeof(*b) + room);

	if (!b)
		return NULL;
	b->next = a->block;
	b->used = 0;
	b->room = room;
	a->block = b;
	return b;
}

void *arena_take(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->block;
	void *p;

	if (size > SIZE_MAX / 2) {
		a->failed = true;
		return NULL;
	}
	size = (size + align - 1) / align * align;
	if (!b || b->room - b->used < size)
		b = add_block(a, size);
	if (!b) {
		a->failed = true;
		return NULL;
	}
	p = b->memory + b->used;
	b->used += size;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	void *p;

	if (size && count > SIZE_MAX / 2 / size) {
		a->failed = true;
		return NULL;
	}
	p = arena_take(a, count * size);
	if (p)
		memset(p, 0, count * size);
	return p;
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

static void free_after(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_reset(struct arena *a)
{
	if (a->block) {
		free_after(a->block->next);
		a->block->next = NULL;
		a->block->used = 0;
	}
	a->failed = false;
}

void arena_free(struct arena *a)
{
	free_after(a->block);
	*a = (struct arena){0};
}
