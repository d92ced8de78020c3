/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/journal.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mapped.h"

#define MAGIC  "viaduct records"
#define LAYOUT 1

struct slot {
	uint64_t id, setup_ms;
	uint32_t at, len; /* of the line */
};

/* The file: this, then the slots, then the lines. */
struct content {
	struct mapped head; /* its count: of slots */
	uint64_t put, done; /* since ever: slot n is at n % slots */
	struct {
		uint64_t dev, ino, offset;
		uint64_t done; /* as it was: while it is so, that is under way. UINT64_MAX: none */
	} begun;
	struct slot slot[];
};

struct key {
	uint64_t id, setup_ms;
};

struct journal {
	char path[PATH_MAX];
	struct content *m;
	char *lines;
	size_t size; /* of the mapping */
	struct key *before;
	size_t before_count;
	bool is_new;
};

static struct slot *slot_of(const struct journal *j, uint64_t n)
{
	return &j->m->slot[n % j->m->head.count];
}

/* ---- opening ---- */

/* Every slot that counts lies within the lines, and its line is one; they follow each other as
 * journal_put lays them, so that none is in another's way; and nobody has counted so far that the
 * counters come to their end. */
static bool is_whole(const struct journal *j)
{
	const struct content *m = j->m;
	uint32_t first = slot_of(j, m->done)->at, end = first;
	bool wrapped = false;

	if (m->put < m->done || m->put - m->done > m->head.count || m->put > INT64_MAX)
		return false;
	for (uint64_t n = m->done; n < m->put; n++) {
		const struct slot *s = slot_of(j, n);

		if (s->at != end) {
			if (wrapped || s->at)
				return false;
			wrapped = true;
		}
		if (s->at > JOURNAL_BYTES || s->len > JOURNAL_BYTES - s->at ||
			(s->len && j->lines[s->at + s->len - 1] != '\n'))
			return false;
		end = s->at + s->len;
		if (wrapped && end >= first)
			return false;
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->setup_ms > y->setup_ms) - (x->setup_ms < y->setup_ms);
}

/* Out of memory nothing is known of them: a call may have its record twice. */
static void learn_before(struct journal *j)
{
	const struct content *m = j->m;
	uint64_t first = m->put > m->head.count ? m->put - m->head.count : 0;

	j->before = calloc(m->head.count, sizeof(*j->before));
	if (!j->before)
		return;
	for (uint64_t n = first; n < m->put; n++) {
		const struct slot *s = slot_of(j, n);

		if (s->id)
			j->before[j->before_count++] = (struct key){s->id, s->setup_ms};
	}
	qsort(j->before, j->before_count, sizeof(*j->before), compare);
}

static void begin_anew(struct journal *j, const struct mapped_kind *kind)
{
	struct content *m = j->m;

	memset(m, 0, sizeof(*m));
	m->begun.done = UINT64_MAX;
	(void)mapped_begin(&m->head, kind); /* without the name of the boot nobody reads it */
}

static void take_up(struct journal *j, const struct mapped_kind *kind, bool had)
{
	if (had && !is_whole(j)) {
		log_warn("records: %s is damaged: those that waited are lost", j->path);
		had = false;
	}
	j->is_new = !had;
	if (had)
		learn_before(j);
	else
		begin_anew(j, kind);
}

/* Where the file cannot be had, in memory alone. */
static int map(struct journal *j, const char *path, const struct mapped_kind *kind, bool *had)
{
	struct mapped *m;
	int ret = strlen(path) < sizeof(j->path) ? mapped_open(&m, path, j->size, kind, had)
						 : -ENAMETOOLONG;

	if (!ret) {
		strcpy(j->path, path);
	} else {
		log_warn("records: %s: %s: a kill may lose those that wait", path, strerror(-ret));
		ret = mapped_open(&m, "", j->size, kind, had);
	}
	if (!ret)
		j->m = (struct content *)(void *)m;
	return ret;
}

int journal_open(struct journal **out, const char *path, unsigned lines_max)
{
	const struct mapped_kind kind = {.magic = MAGIC, .layout = LAYOUT, .count = lines_max};
	size_t head = sizeof(struct content) + lines_max * sizeof(struct slot);
	struct journal *j = calloc(1, sizeof(*j));
	bool had;

	if (!j)
		return -ENOMEM;
	j->size = head + JOURNAL_BYTES;
	if (map(j, path, &kind, &had)) {
		free(j);
		return -ENOMEM;
	}
	j->lines = (char *)j->m + head;
	take_up(j, &kind, had);
	*out = j;
	return 0;
}

void journal_close(struct journal *j, bool remove)
{
	if (!j)
		return;
	if (remove && *j->path && !journal_waiting(j) && unlink(j->path))
		log_warn("records: %s cannot be removed: %s", j->path, strerror(errno));
	mapped_close(&j->m->head, j->size);
	free(j->before);
	free(j);
}

bool journal_is_new(const struct journal *j)
{
	return j->is_new;
}

/* ---- lines ---- */

unsigned journal_waiting(const struct journal *j)
{
	return (unsigned)(j->m->put - j->m->done);
}

/* Where a line of that length goes: behind the newest, or at the beginning, which all lines go back
 * to when none waits, so that no more memory is touched than is needed. */
static bool find_room(const struct journal *j, size_t len, uint32_t *at)
{
	const struct slot *oldest, *newest;
	uint32_t end;

	*at = 0;
	if (!journal_waiting(j))
		return len <= JOURNAL_BYTES;
	oldest = slot_of(j, j->m->done);
	newest = slot_of(j, j->m->put - 1);
	end = newest->at + newest->len;
	if (newest->at < oldest->at) {
		*at = end;
		return end < oldest->at && len < oldest->at - end;
	}
	if (len <= JOURNAL_BYTES - end) {
		*at = end;
		return true;
	}
	return len < oldest->at;
}

int journal_put(struct journal *j, uint64_t id, uint64_t setup_ms, const char *line, size_t len)
{
	struct slot *s;
	uint32_t at;

	if (journal_waiting(j) >= j->m->head.count || !find_room(j, len, &at))
		return -ENOSPC;
	if (len)
		memcpy(j->lines + at, line, len);
	s = slot_of(j, j->m->put);
	*s = (struct slot){.id = id, .setup_ms = setup_ms, .at = at, .len = (uint32_t)len};
	MAPPED_PUBLISH(j->m->put, j->m->put + 1);
	return 0;
}

bool journal_had(const struct journal *j, uint64_t id, uint64_t setup_ms)
{
	const struct key key = {id, setup_ms};

	return j->before_count &&
	       bsearch(&key, j->before, j->before_count, sizeof(key), compare) != NULL;
}

unsigned journal_look(const struct journal *j, struct iovec *line, unsigned max)
{
	unsigned n = journal_waiting(j);

	if (n > max)
		n = max;
	for (unsigned i = 0; i < n; i++) {
		const struct slot *s = slot_of(j, j->m->done + i);

		line[i] = (struct iovec){j->lines + s->at, s->len};
	}
	return n;
}

void journal_begin(struct journal *j, const struct stat *file, uint64_t offset)
{
	struct content *m = j->m;

	MAPPED_PUBLISH(m->begun.done, UINT64_MAX);
	m->begun.dev = file->st_dev;
	m->begun.ino = file->st_ino;
	m->begun.offset = offset;
	MAPPED_PUBLISH(m->begun.done, m->done);
}

void journal_done(struct journal *j, unsigned count)
{
	MAPPED_PUBLISH(j->m->done, j->m->done + count);
}

bool journal_begun(const struct journal *j, const struct stat *file, uint64_t *offset)
{
	const struct content *m = j->m;

	*offset = m->begun.offset;
	return m->begun.done == m->done && m->begun.dev == file->st_dev &&
	       m->begun.ino == file->st_ino;
}
