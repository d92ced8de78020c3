/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/writer.h"

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

#define FILE_MODE     0640
#define LINES_AT_ONCE 64
#define GATHER_NS     5000000

struct writer {
	char *path;
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	char **line; /* a ring of queue_max */
	unsigned queue_max, first, count;
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

static unsigned take_lines(struct writer *w, struct iovec *line)
{
	unsigned n;

	for (n = 0; n < LINES_AT_ONCE && w->count; n++, w->count--) {
		char *text = w->line[w->first];

		line[n] = (struct iovec){text, strlen(text)};
		w->first = (w->first + 1) % w->queue_max;
	}
	return n;
}

static void *run(void *arg)
{
	static const struct timespec gather = {0, GATHER_NS};
	struct iovec line[LINES_AT_ONCE];
	struct writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		unsigned count, good;

		while (!w->count && !w->closing)
			pthread_cond_wait(&w->wake, &w->lock);
		if (!w->count)
			break;
		/* Whoever puts lines wakes nobody while they gather. */
		if (!w->closing && w->count < LINES_AT_ONCE) {
			pthread_mutex_unlock(&w->lock);
			nanosleep(&gather, NULL);
			pthread_mutex_lock(&w->lock);
		}
		count = take_lines(w, line);
		pthread_mutex_unlock(&w->lock);
		follow_path(w);
		good = write_lines(w, line, count);
		for (unsigned i = 0; i < count; i++)
			free(line[i].iov_base);
		pthread_mutex_lock(&w->lock);
		w->written += good;
		w->lost += count - good;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int writer_open(struct writer **out, const char *path, unsigned queue_max)
{
	struct writer *w = calloc(1, sizeof(*w));
	int ret = -ENOMEM;

	if (!w)
		return -ENOMEM;
	w->queue_max = queue_max;
	w->path = strdup(path);
	w->line = calloc(queue_max, sizeof(char *));
	if (!w->path || !w->line)
		goto fail;
	w->fd = open_file(path);
	ret = w->fd;
	if (ret < 0)
		goto fail;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	ret = thread_start(&w->thread, run, w);
	if (ret) {
		close(w->fd);
		goto fail;
	}
	*out = w;
	return 0;
fail:
	free(w->line);
	free(w->path);
	free(w);
	return ret;
}

void writer_put(struct writer *w, char *line)
{
	pthread_mutex_lock(&w->lock);
	if (w->count == w->queue_max) {
		w->lost++;
		free(line);
	} else {
		w->line[(w->first + w->count++) % w->queue_max] = line;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
}

void writer_get_status(struct writer *w, struct writer_status *out)
{
	pthread_mutex_lock(&w->lock);
	out->written = w->written;
	out->lost = w->lost;
	out->queued = w->count;
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

void writer_close(struct writer *w)
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
		log_error("records: %s does not take them: %u lost", w->path, w->count);
		pthread_mutex_unlock(&w->lock);
		return;
	}
	if (w->fd >= 0)
		close(w->fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w->line);
	free(w->path);
	free(w);
}
