/* SPDX-License-Identifier: BSD-2-Clause */
/* See reader.h. */
#include "config/reader.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"

/* The thread's for as long as it runs, and of its own: a thread that hangs may outlive the reader.
 */
struct reading {
	const char *file;
	int read_fd;
	struct config *cfg;
	int error;
	FILE *errors;
	char *text; /* written to errors */
	size_t len;
};

static void *read_file(void *arg)
{
	struct reading *g = arg;

	g->error = config_load(&g->cfg, g->file, g->errors);
	(void)eventfd_write(g->read_fd, 1);
	return NULL;
}

static int begin(struct config_reader *r)
{
	struct reading *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	g->file = r->file;
	g->read_fd = r->read.fd;
	g->errors = open_memstream(&g->text, &g->len);
	if (!g->errors) {
		free(g);
		return -ENOMEM;
	}
	r->reading = g;
	r->number++;
	r->has_thread = !thread_start(&r->thread, read_file, g);
	if (!r->has_thread)
		(void)read_file(g); /* there is room for no thread */
	return 0;
}

/* What was written to errors, without the end of its last line; where nothing was, error's name. */
static const char *reasons(struct reading *g, int error)
{
	fclose(g->errors);
	if (!g->text || !g->len)
		return strerror(-error);
	if (g->text[g->len - 1] == '\n')
		g->text[g->len - 1] = '\0';
	return g->text;
}

static void reading_free(struct reading *g)
{
	free(g->text);
	free(g);
}

static void has_read(struct loop_fd *lf, uint32_t events)
{
	struct config_reader *r =
		(struct config_reader *)((char *)lf - offsetof(struct config_reader, read));
	struct reading *g = r->reading;
	eventfd_t count;
	int ret;

	(void)events;
	if (eventfd_read(lf->fd, &count))
		return;
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	ret = g->error;
	if (!ret) {
		ret = r->handlers.take(r->handlers.ctx, g->cfg, g->errors);
		if (ret)
			config_unref(g->cfg);
	}
	r->handlers.done(r->handlers.ctx, r->number, ret, reasons(g, ret));
	reading_free(g);
	r->reading = NULL;
	if (!r->again)
		return;
	r->again = false;
	ret = begin(r);
	if (ret)
		r->handlers.done(r->handlers.ctx, ++r->number, ret, strerror(-ret));
}

int config_reader_ask(struct config_reader *r, uint64_t *number)
{
	int ret = 0;

	if (r->reading)
		r->again = true;
	else
		ret = begin(r);
	*number = r->number + r->again;
	return ret;
}

int config_reader_init(struct config_reader *r, struct loop *loop, const char *file,
	const struct config_reader_handlers *handlers)
{
	int ret;

	*r = (struct config_reader){.loop = loop, .file = file, .handlers = *handlers};
	r->read.ready = has_read;
	r->read.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->read.fd < 0)
		return -errno;
	ret = loop_fd_add(loop, &r->read, EPOLLIN);
	if (ret) {
		close(r->read.fd);
		r->loop = NULL;
	}
	return ret;
}

/* Whether the thread has ended. */
static bool has_ended(struct config_reader *r)
{
	struct timespec until;

	if (!r->has_thread)
		return true;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CONFIG_READER_END_S;
	return pthread_timedjoin_np(r->thread, NULL, &until) == 0;
}

void config_reader_fini(struct config_reader *r)
{
	struct reading *g = r->reading;

	if (!r->loop || r->read.fd < 0)
		return;
	loop_fd_remove(r->loop, &r->read);
	if (g && !has_ended(r)) {
		log_error("%s: who reads it hangs", r->file);
		return; /* its thread uses the rest */
	}
	if (g) {
		if (!g->error)
			config_unref(g->cfg);
		(void)reasons(g, 0);
		reading_free(g);
	}
	close(r->read.fd);
}
