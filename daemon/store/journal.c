/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/journal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "base/mapped.h"
#include "base/token.h"
#include "store/internal.h"

#define MAGIC  "viaduct journal"
#define LAYOUT 1

enum what { PUT, DELETED, SKIPPED, GAP };

/* An entry of the ring, in one piece: this, the key, the value. */
struct entry {
	uint64_t sum; /* of the rest, by where it is */
	uint32_t len; /* to the next one, a multiple of UNIT */
	uint32_t value_len;
	uint16_t key_len;
	uint8_t kind, what;
	uint8_t unused[4];
	uint8_t bytes[];
};

#define UNIT 32u /* bytes: wherever one ends, there is room for another's head */

_Static_assert(sizeof(struct entry) <= UNIT, "an entry that says nothing takes one unit");

/* The file: this, then the ring. Places are bytes since ever: place n is at n % size. */
struct content {
	struct mapped head; /* its count: bytes of the ring */
	uint64_t name;      /* 0: it is not begun */
	uint64_t put, done;
	uint64_t is_alone; /* not 0: whatever position the file has, it is of before */
	uint8_t unused[32];
	uint8_t ring[];
};

struct store_journal {
	char path[PATH_MAX];
	struct content *m;
	uint64_t head; /* behind the last that was put */
	bool is_full;  /* nothing more is put until there is a new position */
	uint64_t left_out;
};

static uint32_t size_of_ring(const struct store_journal *j)
{
	return j->m->head.count;
}

static struct entry *entry_at(const struct store_journal *j, uint64_t place)
{
	return (struct entry *)(void *)(j->m->ring + place % size_of_ring(j));
}

/* Up to the end of the ring, which no entry goes across. */
static uint32_t to_end(const struct store_journal *j, uint64_t place)
{
	return size_of_ring(j) - (uint32_t)(place % size_of_ring(j));
}

static uint64_t checksum(const struct store_journal *j, const struct entry *e, uint64_t place)
{
	const uint8_t *from = (const uint8_t *)e + sizeof(e->sum);
	size_t len = sizeof(*e) - sizeof(e->sum) + e->key_len + e->value_len;

	return XXH3_64bits_withSeed(from, len, j->m->name ^ place);
}

/* ---- opening ---- */

static struct mapped_kind kind_of(uint32_t bytes)
{
	return (struct mapped_kind){.magic = MAGIC, .layout = LAYOUT, .count = bytes};
}

int store_journal_open(struct store_journal **out, const char *path, uint32_t bytes)
{
	const struct mapped_kind kind = kind_of(bytes);
	struct store_journal *j = calloc(1, sizeof(*j));
	struct mapped *m;
	bool had;
	int ret;

	if (!j)
		return -ENOMEM;
	ret = strlen(path) < sizeof(j->path)
		      ? mapped_open(&m, path, sizeof(struct content) + bytes, &kind, &had)
		      : -ENAMETOOLONG;
	if (ret) {
		free(j);
		return ret;
	}
	strcpy(j->path, path);
	j->m = (struct content *)(void *)m;
	if (!had) {
		m->count = bytes;
		store_journal_begin(j);
	}
	j->head = j->m->put;
	*out = j;
	return 0;
}

void store_journal_begin(struct store_journal *j)
{
	struct content *m = j->m;
	const struct mapped_kind kind = kind_of(m->head.count);

	MAPPED_PUBLISH(m->name, 0);
	m->put = m->done = m->is_alone = j->head = 0;
	j->is_full = false;
	MAPPED_PUBLISH(m->name, token_random64() | 1);
	(void)mapped_begin(&m->head, &kind); /* without the name of the boot nobody reads it */
}

void store_journal_stand_alone(struct store_journal *j, const struct store_position *file)
{
	if (file->journal != j->m->name)
		MAPPED_PUBLISH(j->m->is_alone, 1);
}

void store_journal_close(struct store_journal *j, bool remove)
{
	if (!j)
		return;
	if (remove && unlink(j->path))
		log_warn("store: %s cannot be removed: %s", j->path, strerror(errno));
	mapped_close(&j->m->head, sizeof(struct content) + size_of_ring(j));
	free(j);
}

/* ---- reading what the daemon before has left ---- */

static bool is_change(const struct entry *e)
{
	return e->kind < STORE_KIND_COUNT && e->key_len > 0 &&
	       e->key_len <= sizeof(((struct record_key *)NULL)->bytes) &&
	       (e->what == PUT || (e->what == DELETED && e->value_len == 0));
}

/* Whether there is an entry at place, and before end. */
static bool is_whole(const struct store_journal *j, uint64_t place, uint64_t end)
{
	const struct entry *e = entry_at(j, place);

	if (e->len < UNIT || e->len % UNIT || e->len > to_end(j, place) || e->len > end - place)
		return false;
	if (sizeof(*e) + e->key_len + (uint64_t)e->value_len > e->len)
		return false;
	if (e->what == SKIPPED || e->what == GAP ? e->key_len || e->value_len : !is_change(e))
		return false;
	return e->sum == checksum(j, e, place);
}

/* From place on, up to the first gap or a damage. 0 or -EBADMSG. *end: where that is. */
static int look(const struct store_journal *j, uint64_t place, uint64_t *end, bool *gap)
{
	uint64_t put = j->m->put;

	for (*gap = false; place < put; place += entry_at(j, place)->len) {
		if (!is_whole(j, place, put))
			return -EBADMSG;
		*gap = entry_at(j, place)->what == GAP;
		if (*gap)
			break;
	}
	*end = place;
	return 0;
}

static int tell(const struct entry *e, store_journal_each_fn *each, void *ctx)
{
	struct record_key key = {.len = e->key_len};

	memcpy(key.bytes, e->bytes, e->key_len);
	return each(ctx, (enum store_kind)e->kind, &key,
		e->what == PUT ? e->bytes + e->key_len : NULL, e->value_len);
}

int store_journal_replay(const struct store_journal *j, const struct store_position *from,
	store_journal_each_fn *each, void *ctx, unsigned *count, bool *gap)
{
	const struct content *m = j->m;
	bool is_of_it = from->journal == m->name;
	uint64_t place = is_of_it && from->at > m->done ? from->at : m->done, end;
	int ret;

	*count = 0;
	if (!m->name || (!is_of_it && !m->is_alone))
		return -ESTALE;
	if (place > m->put || m->put - place > size_of_ring(j) || place % UNIT || m->put % UNIT)
		return -EBADMSG;
	ret = look(j, place, &end, gap);
	for (; !ret && place < end; place += entry_at(j, place)->len) {
		const struct entry *e = entry_at(j, place);

		if (e->what == SKIPPED)
			continue;
		ret = tell(e, each, ctx);
		++*count;
	}
	return ret;
}

/* ---- writing ---- */

/* For an entry of that length, besides a unit for the gap that comes after what has no room. */
static bool has_room(const struct store_journal *j, uint64_t len)
{
	return len <= size_of_ring(j) - UNIT &&
	       j->head - j->m->done <= size_of_ring(j) - UNIT - len;
}

static void add(
	struct store_journal *j, const struct entry *head, const void *key, const void *value)
{
	struct entry *e = entry_at(j, j->head);

	*e = *head;
	if (e->key_len)
		memcpy(e->bytes, key, e->key_len);
	if (e->value_len)
		memcpy(e->bytes + e->key_len, value, e->value_len);
	e->sum = checksum(j, e, j->head);
	j->head += e->len;
}

static void add_empty(struct store_journal *j, enum what what, uint32_t len)
{
	const struct entry e = {.len = len, .what = (uint8_t)what};

	add(j, &e, NULL, NULL);
}

/* What counts together is left out together. */
static void leave_out(struct store_journal *j)
{
	j->is_full = true;
	j->head = j->m->put;
}

void store_journal_put(struct store_journal *j, enum store_kind kind, const struct record_key *key,
	const void *value, size_t len)
{
	uint64_t wanted = sizeof(struct entry) + key->len + (uint64_t)len;
	uint32_t rest = to_end(j, j->head);
	struct entry e = {.key_len = key->len, .kind = (uint8_t)kind};

	wanted = (wanted + UNIT - 1) / UNIT * UNIT;
	if (!j->is_full && !has_room(j, wanted > rest ? rest + wanted : wanted))
		leave_out(j);
	if (j->is_full) {
		j->left_out++;
		return;
	}
	if (wanted > rest)
		add_empty(j, SKIPPED, rest);
	e.len = (uint32_t)wanted;
	e.value_len = (uint32_t)len;
	e.what = value ? PUT : DELETED;
	add(j, &e, key->bytes, value);
}

void store_journal_publish(struct store_journal *j)
{
	MAPPED_PUBLISH(j->m->put, j->head);
}

struct store_position store_journal_position(struct store_journal *j)
{
	/* Where not even that has room, it stays full. */
	if (j->is_full && j->head - j->m->done <= size_of_ring(j) - UNIT) {
		add_empty(j, GAP, UNIT);
		store_journal_publish(j);
		j->is_full = false;
	}
	return (struct store_position){j->m->name, j->m->put};
}

/* Where nothing waits, the next goes to the beginning, so that no more memory is touched than is
 * needed. */
static void rewind_ring(struct store_journal *j)
{
	uint32_t rest = to_end(j, j->head);

	if (rest == size_of_ring(j))
		return;
	add_empty(j, SKIPPED, rest);
	store_journal_publish(j);
	MAPPED_PUBLISH(j->m->done, j->m->put);
}

void store_journal_done(struct store_journal *j, const struct store_position *to)
{
	if (to->journal != j->m->name || to->at <= j->m->done)
		return;
	MAPPED_PUBLISH(j->m->is_alone, 0);
	MAPPED_PUBLISH(j->m->done, to->at);
	if (j->head == j->m->done)
		rewind_ring(j);
}

uint64_t store_journal_left_out(const struct store_journal *j)
{
	return j->left_out;
}
