/* SPDX-License-Identifier: BSD-2-Clause */
/* See serve.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "call/call.h"
#include "config/reader.h"
#include "control/control.h"
#include "ending.h"
#include "privilege.h"
#include "ready.h"
#include "records.h"
#include "serve.h"
#include "store/store.h"

struct daemon {
	const char *file;
	struct config *cfg;
	struct loop *loop;
	struct calls *calls;
	struct control *control;
	struct record *record;
	struct store *store;
	struct loop_fd signals;
	struct ending ending;
	struct config_reader reader;
	bool has_started;
};

/* A line a mistake, as of --check. */
static void tell_refusal(const char *text)
{
	log_error("reload refused, the old configuration stays");
	while (*text) {
		size_t len = strcspn(text, "\n");

		log_error("%.*s", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static int take_config(void *ctx, struct config *cfg, FILE *errors)
{
	struct daemon *d = ctx;
	int ret = calls_reload(d->calls, cfg, errors);

	if (ret)
		return ret;
	control_reload(d->control, cfg);
	records_move(d->record, d->cfg->records_file, cfg->records_file);
	calls_record_refused(d->calls, record_is_kept(d->record));
	log_set_level(cfg->log_level);
	config_unref(d->cfg);
	d->cfg = cfg;
	log_info("reloaded %s: %u peers, %u routes", d->file, cfg->peer_count, cfg->route_count);
	return 0;
}

static void reloaded(void *ctx, uint64_t number, int error, const char *text)
{
	struct daemon *d = ctx;

	if (error)
		tell_refusal(text);
	control_reloaded(d->control, number, error, error ? text : NULL);
}

static int reload(void *ctx, uint64_t *number)
{
	struct daemon *d = ctx;

	return config_reader_ask(&d->reader, number);
}

static int stop(void *ctx, enum stop_mode mode)
{
	struct daemon *d = ctx;

	return ending_begin(&d->ending, mode);
}

static bool stopping(void *ctx, enum stop_mode *mode)
{
	const struct daemon *d = ctx;

	return ending_begun(&d->ending, mode);
}

static void signal_ready(struct loop_fd *lf, uint32_t events)
{
	struct daemon *d = (struct daemon *)((char *)lf - offsetof(struct daemon, signals));
	struct signalfd_siginfo info;
	uint64_t number;
	int ret;

	(void)events;
	if (read(lf->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM)
		ending_begin(&d->ending, STOP_LEAVE);
	else if (info.ssi_signo == SIGINT)
		ending_begin(&d->ending, STOP_NOW);
	else if ((ret = reload(d, &number)))
		tell_refusal(strerror(-ret));
}

static int open_signals(struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	d->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->signals.fd < 0)
		return -errno;
	d->signals.ready = signal_ready;
	return loop_fd_add(d->loop, &d->signals, EPOLLIN);
}

static void tell_event(void *ctx, uint64_t call_id, const char *kind, const char *text)
{
	struct daemon *d = ctx;

	if (d->control)
		control_event(d->control, call_id, kind, text);
}

static bool show_records(void *ctx, uint64_t *written, uint64_t *lost, unsigned *queued)
{
	struct daemon *d = ctx;
	struct record_status status;

	if (!record_get_status(d->record, &status))
		return false;
	*written = status.written;
	*lost = status.lost;
	*queued = status.queued;
	return true;
}

static void show_state(void *ctx, struct store_status *out)
{
	struct daemon *d = ctx;

	store_get_status(d->store, out);
}

/* In this order: what may be another daemon's is asked for before anything in the kernel is
 * touched, and calls that another left are taken up when all that can fail has not. */
static int open_rooms(struct daemon *d)
{
	struct control_handlers handlers = {.ctx = d,
		.reload = reload,
		.stop = stop,
		.stopping = stopping,
		.state = show_state,
		.records = show_records};
	const struct config_reader_handlers reloading = {
		.ctx = d, .take = take_config, .done = reloaded};
	int ret = loop_new(&d->loop);

	if (!ret)
		ret = open_signals(d);
	if (!ret)
		ret = store_open(&d->store, d->cfg->state_dir, d->cfg->instance,
			store_bytes_max(d->cfg->limits.calls));
	if (!ret)
		ret = calls_new(&d->calls, d->loop, d->cfg, DATAPLANE_XDP, tell_event, d);
	if (ret)
		return ret;
	ending_init(&d->ending, d->loop, d->calls);
	privilege_settle(media_dataplane(calls_media(d->calls)));
	ret = records_open(&d->record, d->cfg);
	if (ret)
		return ret;
	calls_set_recorder(d->calls, record_call, d->record);
	calls_set_recorded(d->calls, record_had);
	/* Refusals are cheap, and many when calls come faster than they can be served. */
	calls_record_refused(d->calls, record_is_kept(d->record));
	ret = control_new(&d->control, d->loop, d->calls, d->cfg, &handlers);
	if (ret) {
		log_error("control socket: %s", strerror(-ret));
		return ret;
	}
	ret = config_reader_init(&d->reader, d->loop, d->file, &reloading);
	if (ret)
		return ret;
	return calls_adopt(d->calls, d->store);
}

/* A start that fails leaves no more than it found. */
static bool has_nothing_to_keep(const struct daemon *d)
{
	return !d->has_started && d->store && store_is_new(d->store);
}

/* failed: 0 or what the start or the loop ended with. The same, or what failed here. */
static int close_rooms(struct daemon *d, int failed)
{
	enum stop_mode how;
	bool leaves = ending_begun(&d->ending, &how) && how == STOP_LEAVE;
	int ret = failed;
	bool removes;

	control_free(d->control);
	d->control = NULL;
	/* A daemon that fails leaves what it took up, as one that is killed would. */
	if (ret && d->calls && calls_count(d->calls)) {
		calls_leave(d->calls);
		leaves = true;
	}
	calls_free(d->calls);
	if (leaves && store_flush(d->store)) {
		log_error("store: not all calls that are left could be written down");
		ret = ret ? ret : -EIO;
	}
	removes = !leaves && (!ret || has_nothing_to_keep(d));
	record_close(d->record, removes); /* with the lock: none that starts has them open */
	if (removes)
		store_remove(d->store);
	else
		store_close(d->store);
	config_reader_fini(&d->reader); /* it may have to be waited for: after all else is done */
	if (d->signals.fd >= 0)
		close(d->signals.fd);
	loop_free(d->loop);
	return ret;
}

int serve(const char *file, struct config *cfg)
{
	struct daemon d = {.file = file, .cfg = cfg, .signals.fd = -1};
	int ret = privilege_drop(cfg);

	privilege_forbid_core_files(); /* the kernel forgets it where the user changes */
	if (!ret)
		ret = open_rooms(&d);
	if (!ret) {
		log_info("viaductd " VIADUCT_VERSION " ready: %u listeners, %u peers, %u routes",
			cfg->listener_count, cfg->peer_count, cfg->route_count);
		ready_tell();
		d.has_started = true;
		ret = loop_run(d.loop);
		log_info("stopped");
	}
	ret = close_rooms(&d, ret);
	config_unref(d.cfg);
	return ret;
}
