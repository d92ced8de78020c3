/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "record/journal.h"

#define FILE_MODE     0640
#define LINES_AT_ONCE 64
#define GATHER_NS     5000000

struct writer {
	char *path; /* NULL: there is no file */
	int fd;
	char *next_path; /* where it goes on, or NULL */
	int next_fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct journal *journal;
	uint64_t written, lost;
	bool closing;
};

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, FILE_MODE);

	return fd < 0 ? -errno : fd;
}

/* The file at path may have been moved away: then a new one is made. */
static void follow_path(struct writer *w)
{
	struct stat at_path, open_one;
	int fd;

	if (w->fd >= 0 && stat(w->path, &at_path) == 0 && fstat(w->fd, &open_one) == 0 &&
		at_path.st_ino == open_one.st_ino && at_path.st_dev == open_one.st_dev)
		return;
	fd = open_file(w->path);
	if (fd < 0) {
		log_limited(LOG_LEVEL_ERROR, "records: %s: %s", w->path, strerror(-fd));
		return; /* the old file still takes them, if there is one */
	}
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
}

/* Of the lines that begin with the bytes that were written, those that are whole; *bytes: theirs.
 */
static unsigned count_whole(const struct iovec *line, unsigned count, size_t written, size_t *bytes)
{
	unsigned n = 0;

	for (*bytes = 0; n < count && *bytes + line[n].iov_len <= written; n++)
		*bytes += line[n].iov_len;
	return n;
}

/* What a kill leaves half done is told by where the writing began. */
static void tell_journal(struct writer *w, off_t before)
{
	struct stat st;

	if (before < 0 || fstat(w->fd, &st) || !S_ISREG(st.st_mode))
		return;
	pthread_mutex_lock(&w->lock);
	journal_begin(w->journal, &st, (uint64_t)before);
	pthread_mutex_unlock(&w->lock);
}

/* Returns how many went out. A line goes out whole, or is taken back: no reader sees half of one.
 */
static unsigned write_lines(struct writer *w, const struct iovec *line, unsigned count)
{
	unsigned whole;
	size_t bytes;
	off_t before;
	ssize_t n;

	if (w->fd < 0)
		return 0;
	before = lseek(w->fd, 0, SEEK_END);
	tell_journal(w, before);
	n = writev(w->fd, line, (int)count);
	whole = count_whole(line, count, n > 0 ? (size_t)n : 0, &bytes);
	if (whole == count)
		return whole;
	log_limited(LOG_LEVEL_ERROR, "records: %s: %s", w->path,
		n < 0 ? strerror(errno) : "no room left");
	if (n > (ssize_t)bytes && before >= 0 && ftruncate(w->fd, before + (off_t)bytes))
		log_limited(LOG_LEVEL_ERROR, "records: %s: %s", w->path, strerror(errno));
	return whole;
}

/* Under the lock. */
static void take_next_path(struct writer *w)
{
	if (!w->next_path)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	w->path = w->next_path;
	w->fd = w->next_fd;
	w->next_path = NULL;
}

static void *run(void *arg)
{
	static const struct timespec gather = {0, GATHER_NS};
	struct iovec line[LINES_AT_ONCE];
	struct writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		unsigned count, good;

		while (!journal_waiting(w->journal) && !w->closing)
			pthread_cond_wait(&w->wake, &w->lock);
		take_next_path(w);
		if (!journal_waiting(w->journal))
			break;
		/* Whoever puts lines wakes nobody while they gather. */
		if (!w->closing && journal_waiting(w->journal) < LINES_AT_ONCE) {
			pthread_mutex_unlock(&w->lock);
			nanosleep(&gather, NULL);
			pthread_mutex_lock(&w->lock);
		}
		count = journal_look(w->journal, line, LINES_AT_ONCE);
		pthread_mutex_unlock(&w->lock);
		if (w->path)
			follow_path(w);
		good = write_lines(w, line, count);
		pthread_mutex_lock(&w->lock);
		journal_done(w->journal, count);
		w->written += good;
		w->lost += count - good;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* What the daemon before was about to write when it was killed: as much as is whole in the file,
 * which it began at offset in, is done, and half a line is taken back. */
static void settle_in(struct writer *w, int fd, uint64_t offset, uint64_t size)
{
	struct iovec line[LINES_AT_ONCE];
	unsigned count = journal_look(w->journal, line, LINES_AT_ONCE), whole;
	size_t bytes;

	if (size <= offset)
		return;
	whole = count_whole(line, count, size - offset, &bytes);
	if (whole < count && size > offset + bytes && ftruncate(fd, (off_t)(offset + bytes)))
		log_error("records: %s: %s", w->path, strerror(errno));
	journal_done(w->journal, whole);
}

/* Whether all that is behind offset is the beginning of what was about to be written there. The
 * file may be another's, which has the number of one that was deleted. */
static bool is_ours(const struct writer *w, int fd, uint64_t offset, uint64_t size)
{
	struct iovec line[LINES_AT_ONCE];
	unsigned count = journal_look(w->journal, line, LINES_AT_ONCE);
	bool same = true;

	for (unsigned i = 0; i < count && offset < size && same; i++) {
		size_t len = line[i].iov_len < size - offset ? line[i].iov_len : size - offset;
		char *text = malloc(len + 1);

		same = text && pread(fd, text, len, (off_t)offset) == (ssize_t)len &&
		       memcmp(text, line[i].iov_base, len) == 0;
		free(text);
		offset += len;
	}
	return same && offset >= size;
}

static void settle_moved(struct writer *w, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	uint64_t offset;
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && journal_begun(w->journal, &st, &offset) &&
		is_ours(w, fd, offset, (uint64_t)st.st_size))
		settle_in(w, fd, offset, (uint64_t)st.st_size);
	close(fd);
}

/* It was moved away since, to another name beside its own mostly. (Where it went further, or was
 * compressed, its last lines come again in the new one.) */
static void look_for_moved(struct writer *w)
{
	const char *slash = strrchr(w->path, '/');
	char *path = slash ? strndup(w->path, (size_t)(slash - w->path + 1)) : strdup(".");
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *entry;
	uint64_t offset;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && journal_begun(w->journal, &st, &offset)) {
			settle_moved(w, dirfd(dir), entry->d_name);
			break;
		}
	}
	if (dir)
		closedir(dir);
	free(path);
}

static void settle(struct writer *w)
{
	uint64_t offset;
	struct stat st;

	if (!journal_waiting(w->journal) || fstat(w->fd, &st) || !S_ISREG(st.st_mode))
		return;
	if (journal_begun(w->journal, &st, &offset))
		settle_in(w, w->fd, offset, (uint64_t)st.st_size);
	else
		look_for_moved(w);
}

/* Of no use without a file. */
static void drop(struct writer *w)
{
	unsigned count = journal_waiting(w->journal);

	if (count)
		log_warn("records: %u of before are lost: there is no file for them any more",
			count);
	journal_done(w->journal, count);
	w->lost += count;
}

static int open_path(struct writer *w, const char *path)
{
	w->fd = -1;
	if (!*path) {
		drop(w);
		return 0;
	}
	w->path = strdup(path);
	if (!w->path)
		return -ENOMEM;
	w->fd = open_file(path);
	if (w->fd < 0)
		return w->fd;
	settle(w);
	return 0;
}

int writer_open(struct writer **out, const char *path, const char *journal_path, unsigned lines_max)
{
	struct writer *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return -ENOMEM;
	ret = journal_open(&w->journal, journal_path, lines_max);
	if (ret)
		goto fail;
	ret = open_path(w, path);
	if (ret)
		goto fail;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	ret = thread_start(&w->thread, run, w);
	if (ret) {
		if (w->fd >= 0)
			close(w->fd);
		goto fail;
	}
	*out = w;
	return 0;
fail:
	journal_close(w->journal, w->journal && journal_is_new(w->journal));
	free(w->path);
	free(w);
	return ret;
}

void writer_put(struct writer *w, uint64_t id, uint64_t setup_ms, const char *line)
{
	pthread_mutex_lock(&w->lock);
	if (journal_put(w->journal, id, setup_ms, line, line ? strlen(line) : 0))
		w->lost += line != NULL;
	else if (!line && journal_waiting(w->journal) == 1)
		journal_done(w->journal, 1);
	else
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

bool writer_had(const struct writer *w, uint64_t id, uint64_t setup_ms)
{
	return journal_had(w->journal, id, setup_ms);
}

int writer_set_path(struct writer *w, const char *path)
{
	char *copy = strdup(path);
	int fd;

	if (!copy)
		return -ENOMEM;
	fd = open_file(path);
	if (fd < 0) {
		free(copy);
		return fd;
	}
	pthread_mutex_lock(&w->lock);
	if (w->next_path)
		close(w->next_fd);
	free(w->next_path);
	w->next_path = copy;
	w->next_fd = fd;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

void writer_get_status(struct writer *w, struct writer_status *out)
{
	pthread_mutex_lock(&w->lock);
	out->written = w->written;
	out->lost = w->lost;
	out->queued = journal_waiting(w->journal);
	pthread_mutex_unlock(&w->lock);
}

/* Whether the thread has ended by then. */
static bool join(struct writer *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WRITER_CLOSE_S;
	return pthread_timedjoin_np(w->thread, NULL, &until) == 0;
}

void writer_close(struct writer *w, bool remove)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->closing = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (!join(w)) {
		/* Its thread sits in a write that does not return, and keeps what it uses. */
		pthread_mutex_lock(&w->lock);
		log_error("records: %s does not take them: %u are left", w->path,
			journal_waiting(w->journal));
		pthread_mutex_unlock(&w->lock);
		return;
	}
	if (w->fd >= 0)
		close(w->fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	journal_close(w->journal, remove);
	free(w->path);
	free(w);
}
