/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/log.h"

#define MAGIC     "viaduct records"
#define LAYOUT    1
#define FILE_MODE 0600

struct slot {
	uint64_t id, setup_ms;
	uint32_t at, len; /* of the line */
};

/* The file: this, then the slots, then the lines. A process that is killed stops between two of its
 * stores: what a counter says is there before the counter says it. */
struct mapped {
	char magic[16];
	uint32_t layout, slots;
	char boot_id[BOOT_ID_MAX];
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
	struct mapped *m;
	char *lines;
	size_t size; /* of the mapping */
	struct key *before;
	size_t before_count;
};

/* Behind all stores before it, and before all that follow. */
#define PUBLISH(field, value)                                                                      \
	do {                                                                                       \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                                           \
		__atomic_store_n(&(field), (value), __ATOMIC_RELEASE);                             \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                                           \
	} while (0)

static struct slot *slot_of(const struct journal *j, uint64_t n)
{
	return &j->m->slot[n % j->m->slots];
}

/* ---- opening ---- */

/* Somebody else's file tells us nothing. */
static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	       (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IRWXG | S_IRWXO));
}

/* The descriptor of a file of that size, all of it there: a page that finds no room when it is
 * written to would kill us. *had: it was there. */
static int open_file(const char *path, size_t size, bool *had)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) ? -errno : is_ours(&st) ? 0 : -EPERM;
	*had = !ret && (size_t)st.st_size == size;
	if (!ret && !*had && ftruncate(fd, 0))
		ret = -errno;
	if (!ret)
		ret = -posix_fallocate(fd, 0, (off_t)size);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static void *map_file(const char *path, size_t size, bool *had)
{
	int fd = open_file(path, size, had);
	void *at;

	if (fd < 0) {
		log_warn("records: %s: %s: a kill may lose those that wait", path, strerror(-fd));
		return MAP_FAILED;
	}
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return at;
}

/* Every slot that counts lies within the lines, and its line is one. */
static bool is_whole(const struct journal *j)
{
	const struct mapped *m = j->m;

	if (m->put < m->done || m->put - m->done > m->slots)
		return false;
	for (uint64_t n = m->done; n < m->put; n++) {
		const struct slot *s = slot_of(j, n);

		if (s->at > JOURNAL_BYTES || s->len > JOURNAL_BYTES - s->at ||
			(s->len && j->lines[s->at + s->len - 1] != '\n'))
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
	const struct mapped *m = j->m;
	uint64_t first = m->put > m->slots ? m->put - m->slots : 0;

	j->before = calloc(m->slots, sizeof(*j->before));
	if (!j->before)
		return;
	for (uint64_t n = first; n < m->put; n++) {
		const struct slot *s = slot_of(j, n);

		if (s->id)
			j->before[j->before_count++] = (struct key){s->id, s->setup_ms};
	}
	qsort(j->before, j->before_count, sizeof(*j->before), compare);
}

static void begin_anew(struct journal *j, unsigned slots, const char *boot_id)
{
	struct mapped *m = j->m;

	memset(m, 0, sizeof(*m));
	m->layout = LAYOUT;
	m->slots = slots;
	m->begun.done = UINT64_MAX;
	strcpy(m->boot_id, boot_id);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(m->magic, MAGIC, sizeof(MAGIC));
}

static void take_up(struct journal *j, unsigned slots, bool had)
{
	const struct mapped *m = j->m;
	char boot_id[BOOT_ID_MAX] = "";

	if (boot_id_read(boot_id))
		had = false;
	had = had && memcmp(m->magic, MAGIC, sizeof(MAGIC)) == 0 && m->layout == LAYOUT &&
	      m->slots == slots && strncmp(m->boot_id, boot_id, BOOT_ID_MAX) == 0;
	if (had && !is_whole(j)) {
		log_warn("records: %s is damaged: those that waited are lost", j->path);
		had = false;
	}
	if (had)
		learn_before(j);
	else
		begin_anew(j, slots, boot_id);
}

int journal_open(struct journal **out, const char *path, unsigned lines_max)
{
	size_t head = sizeof(struct mapped) + lines_max * sizeof(struct slot);
	struct journal *j = calloc(1, sizeof(*j));
	void *at = MAP_FAILED;
	bool had = false;

	if (!j)
		return -ENOMEM;
	j->size = head + JOURNAL_BYTES;
	if (*path && strlen(path) < sizeof(j->path))
		at = map_file(strcpy(j->path, path), j->size, &had);
	if (at == MAP_FAILED) {
		had = false;
		j->path[0] = '\0';
		at = mmap(
			NULL, j->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (at == MAP_FAILED) {
		free(j);
		return -ENOMEM;
	}
	j->m = at;
	j->lines = (char *)at + head;
	take_up(j, lines_max, had);
	*out = j;
	return 0;
}

void journal_close(struct journal *j, bool remove)
{
	if (!j)
		return;
	if (remove && *j->path && !journal_waiting(j) && unlink(j->path))
		log_warn("records: %s cannot be removed: %s", j->path, strerror(errno));
	munmap(j->m, j->size);
	free(j->before);
	free(j);
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

	if (journal_waiting(j) >= j->m->slots || !find_room(j, len, &at))
		return -ENOSPC;
	if (len)
		memcpy(j->lines + at, line, len);
	s = slot_of(j, j->m->put);
	*s = (struct slot){.id = id, .setup_ms = setup_ms, .at = at, .len = (uint32_t)len};
	PUBLISH(j->m->put, j->m->put + 1);
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
	struct mapped *m = j->m;

	PUBLISH(m->begun.done, UINT64_MAX);
	m->begun.dev = file->st_dev;
	m->begun.ino = file->st_ino;
	m->begun.offset = offset;
	PUBLISH(m->begun.done, m->done);
}

void journal_done(struct journal *j, unsigned count)
{
	PUBLISH(j->m->done, j->m->done + count);
}

bool journal_begun(const struct journal *j, const struct stat *file, uint64_t *offset)
{
	const struct mapped *m = j->m;

	*offset = m->begun.offset;
	return m->begun.done == m->done && m->begun.dev == file->st_dev &&
	       m->begun.ino == file->st_ino;
}
