/* SPDX-License-Identifier: BSD-2-Clause */
/* See reader.h. */
#include "config/reader.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

static void *read_file(void *arg)
{
	struct config_reader *r = arg;

	r->error = config_load(&r->cfg, r->file, r->errors);
	(void)eventfd_write(r->read.fd, 1);
	return NULL;
}

static int begin(struct config_reader *r)
{
	r->cfg = NULL;
	r->text = NULL;
	r->errors = open_memstream(&r->text, &r->len);
	if (!r->errors)
		return -ENOMEM;
	r->runs = true;
	r->number++;
	r->has_thread = !thread_start(&r->thread, read_file, r);
	if (!r->has_thread)
		(void)read_file(r); /* there is room for no thread */
	return 0;
}

/* What was written to errors, without the end of its last line; where nothing was, error's name. */
static const char *reasons(struct config_reader *r, int error)
{
	fclose(r->errors);
	if (!r->text || !r->len)
		return strerror(-error);
	if (r->text[r->len - 1] == '\n')
		r->text[r->len - 1] = '\0';
	return r->text;
}

static void wait_for_thread(struct config_reader *r)
{
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	r->has_thread = false;
}

static void has_read(struct loop_fd *lf, uint32_t events)
{
	struct config_reader *r =
		(struct config_reader *)((char *)lf - offsetof(struct config_reader, read));
	eventfd_t count;
	int ret;

	(void)events;
	if (eventfd_read(lf->fd, &count))
		return;
	wait_for_thread(r);
	ret = r->error;
	if (!ret) {
		ret = r->handlers.take(r->handlers.ctx, r->cfg, r->errors);
		if (ret)
			config_unref(r->cfg);
	}
	r->handlers.done(r->handlers.ctx, r->number, ret, reasons(r, ret));
	free(r->text);
	r->runs = false;
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

	if (r->runs)
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

void config_reader_fini(struct config_reader *r)
{
	if (!r->loop || r->read.fd < 0)
		return;
	if (r->runs) {
		wait_for_thread(r);
		if (!r->error)
			config_unref(r->cfg);
		(void)reasons(r, 0);
		free(r->text);
	}
	loop_fd_remove(r->loop, &r->read);
	close(r->read.fd);
}
