/* SPDX-License-Identifier: BSD-2-Clause */
/* viaductd: reads the configuration, opens the rooms, runs the loop, takes signals. */
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "call/call.h"
#include "config/config.h"
#include "config/tls_context.h"
#include "control/control.h"
#include "ending.h"
#include "privilege.h"
#include "ready.h"
#include "record/record.h"
#include "store/store.h"

#define DEFAULT_CONFIG  "/etc/viaduct/viaduct.yaml"
#define DESCRIPTORS_MAX 65536

/* Exit codes, as in viaductd(8). */
enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

struct daemon {
	struct loop *loop;
	const char *file;
	struct config *cfg;
	struct calls *calls;
	struct control *control;
	struct record *record;
	struct store *store;
	struct loop_fd signals;
	struct ending ending;
};

static const char help_text[] =
	"usage: viaductd [options] [FILE]\n"
	"\n"
	"The mediation server. Reads FILE (" DEFAULT_CONFIG " by default), stays in the\n"
	"foreground, logs to standard error.\n"
	"\n"
	"  -c, --check FILE  validate FILE and exit: one line a mistake\n"
	"  -r, --remove FILE remove what a daemon of FILE left, media included, and exit\n"
	"  -g, --give USER   give USER the directories that a daemon of FILE needs which starts\n"
	"                    as USER rather than by root, and exit\n"
	"  -l, --log LEVEL   error, warn, info or debug, instead of the file's\n"
	"  -V, --version     print the version\n"
	"  -h, --help        print this\n"
	"\n"
	"SIGHUP reloads FILE. SIGTERM stops and leaves calls and their media to the next\n"
	"start; SIGINT ends every call and stops.\n"
	"Exit codes: 0 stopped as asked, 1 failed, 2 usage, 3 the configuration has mistakes.\n";

/* Where the user has changed, the file, or its directory, is still of the one before. It is not
 * ours to give: the directory may be anybody's. */
static void tell_records_error(const char *path, int error)
{
	char dir[PATH_MAX];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	if (error == -EACCES && stat(path, &st) == 0 && st.st_uid != geteuid())
		log_error(
			"records: %s belongs to user %u, and user %u may not append to it: give it "
			"to that one with chown, or name another file",
			path, st.st_uid, geteuid());
	else if (error == -EACCES && stat(dirname(dir), &st) == 0 && st.st_uid != geteuid())
		log_error("records: %s: its directory belongs to user %u, and user %u may not "
			  "write there: give it to that one with chown, or name another file",
			path, st.st_uid, geteuid());
	else
		log_error("records: %s: %s", path, strerror(-error));
}

static int journal_path(const struct config *cfg, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s.records", cfg->state_dir, cfg->instance);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_records(struct record **out, const struct config *cfg)
{
	char journal[PATH_MAX];
	int ret = journal_path(cfg, journal);

	if (!ret)
		ret = record_open(out, cfg->records_file, journal);
	if (ret)
		tell_records_error(cfg->records_file, ret);
	return ret;
}

static void reload_records(struct daemon *d, const struct config *cfg)
{
	int ret = 0;

	if (strcmp(d->cfg->records_file, cfg->records_file) != 0)
		ret = record_set_path(d->record, cfg->records_file);
	calls_record_refused(d->calls, record_is_kept(d->record));
	if (!ret)
		return;
	tell_records_error(cfg->records_file, ret);
	if (*d->cfg->records_file)
		log_warn("records: they still go to %s", d->cfg->records_file);
}

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

/* Reads the file anew. On refusal *text holds the reasons (malloc'd). */
static int reload(void *ctx, char **text)
{
	struct daemon *d = ctx;
	struct config *cfg = NULL;
	size_t len = 0;
	FILE *errors;
	int ret;

	*text = NULL;
	errors = open_memstream(text, &len);
	if (!errors)
		return -ENOMEM;
	ret = config_load(&cfg, d->file, errors);
	if (!ret)
		ret = calls_reload(d->calls, cfg, errors);
	fclose(errors);
	len = *text ? strlen(*text) : 0;
	if (len && (*text)[len - 1] == '\n')
		(*text)[len - 1] = '\0';
	if (ret) {
		config_unref(cfg);
		tell_refusal(*text);
		return ret;
	}
	free(*text);
	*text = NULL;
	control_reload(d->control, cfg);
	reload_records(d, cfg);
	log_set_level(cfg->log_level);
	config_unref(d->cfg);
	d->cfg = cfg;
	log_info("reloaded %s: %u peers, %u routes", d->file, cfg->peer_count, cfg->route_count);
	return 0;
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
	char *text;

	(void)events;
	if (read(lf->fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTERM)
		ending_begin(&d->ending, STOP_LEAVE);
	else if (info.ssi_signo == SIGINT)
		ending_begin(&d->ending, STOP_NOW);
	else if (reload(d, &text))
		free(text);
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

static void forbid_core_files(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
}

static int run(struct daemon *d)
{
	struct control_handlers handlers = {.ctx = d,
		.reload = reload,
		.stop = stop,
		.stopping = stopping,
		.state = show_state,
		.records = show_records};
	enum stop_mode how;
	bool leaves;
	int ret;

	d->signals.fd = -1;
	ret = privilege_drop(d->cfg);
	forbid_core_files(); /* the kernel forgets it where the user changes */
	if (!ret)
		ret = loop_new(&d->loop);
	if (ret)
		return ret;
	ret = open_signals(d);
	if (ret)
		goto cleanup;
	/* First of all: where another daemon has it, nothing in the kernel is touched. */
	ret = store_open(&d->store, d->cfg->state_dir, d->cfg->instance,
		store_bytes_max(d->cfg->limits.calls));
	if (ret)
		goto cleanup;
	ret = calls_new(&d->calls, d->loop, d->cfg, DATAPLANE_XDP, tell_event, d);
	if (ret)
		goto cleanup;
	ending_init(&d->ending, d->loop, d->calls);
	privilege_settle(media_dataplane(calls_media(d->calls)));
	ret = open_records(&d->record, d->cfg);
	if (ret)
		goto cleanup;
	calls_set_recorder(d->calls, record_call, d->record);
	calls_set_recorded(d->calls, record_had);
	/* Refusals are cheap, and many when calls come faster than they can be served. */
	calls_record_refused(d->calls, record_is_kept(d->record));
	ret = control_new(&d->control, d->loop, d->calls, d->cfg, &handlers);
	if (ret) {
		log_error("control socket: %s", strerror(-ret));
		goto cleanup;
	}
	/* Last of all: what can fail has not, and calls that cannot go on have their records. */
	ret = calls_adopt(d->calls, d->store);
	if (ret)
		goto cleanup;
	log_info("viaductd " VIADUCT_VERSION " ready: %u listeners, %u peers, %u routes",
		d->cfg->listener_count, d->cfg->peer_count, d->cfg->route_count);
	ready_tell();
	ret = loop_run(d->loop);
	log_info("stopped");
cleanup:
	control_free(d->control);
	d->control = NULL;
	/* A daemon that fails leaves what it took up, as one that is killed would. */
	leaves = ending_begun(&d->ending, &how) && how == STOP_LEAVE;
	if (ret && d->calls && calls_count(d->calls)) {
		calls_leave(d->calls);
		leaves = true;
	}
	calls_free(d->calls);
	if (leaves && store_flush(d->store)) {
		log_error("store: not all calls that are left could be written down");
		ret = ret ? ret : -EIO;
	}
	if (leaves || ret)
		store_close(d->store);
	else
		store_remove(d->store);
	record_close(d->record, !leaves && !ret);
	if (d->signals.fd >= 0)
		close(d->signals.fd);
	loop_free(d->loop);
	return ret;
}

static int check(const char *file)
{
	struct config *cfg = NULL;
	char text[TLS_PROBLEM_MAX];

	if (config_load(&cfg, file, stderr))
		return EXIT_CONFIG;
	for (unsigned i = 0; i < cfg->tls_count; i++) {
		if (tls_profile_warning(&cfg->tls[i], text))
			fprintf(stderr, "%s:%u: tls[%u].certificate: %s\n", file,
				cfg->line.tls_certificate[i], i, text);
	}
	printf("%s: good: %u listeners, %u peers, %u routes\n", file, cfg->listener_count,
		cfg->peer_count, cfg->route_count);
	config_unref(cfg);
	return EXIT_OK;
}

/* Without a word to the peers, whose calls they are: a daemon that starts and is told to stop says
 * it. */
static int remove_left(const char *file)
{
	struct config *cfg = NULL;
	struct store *store = NULL;
	struct record *record = NULL;
	int ret;

	if (config_load(&cfg, file, stderr))
		return EXIT_CONFIG;
	/* As whom the daemon did: what it left lies in directories of its user's. */
	ret = privilege_drop_to_owner(cfg);
	if (!ret)
		ret = dataplane_remove(cfg);
	if (!ret)
		ret = store_open(
			&store, cfg->state_dir, cfg->instance, store_bytes_max(cfg->limits.calls));
	/* What it had not written yet is written. */
	if (!ret)
		ret = open_records(&record, cfg);
	record_close(record, true);
	store_remove(store);
	config_unref(cfg);
	return ret ? EXIT_FAILED : EXIT_OK;
}

/* What exactly is wrong with the file, the start says that comes after this. */
static int give(const char *file, const char *user)
{
	struct config *cfg = NULL;
	FILE *nobody = fopen("/dev/null", "w");
	int ret = nobody ? config_load(&cfg, file, nobody) : -errno;

	if (nobody)
		fclose(nobody);
	if (ret) {
		log_error("%s cannot be used, see --check: user %s is given nothing", file, user);
		return EXIT_CONFIG;
	}
	ret = privilege_give(cfg, user);
	config_unref(cfg);
	return ret ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"check", required_argument, NULL, 'c'},
		{"remove", required_argument, NULL, 'r'}, {"give", required_argument, NULL, 'g'},
		{"log", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct rlimit files = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
	struct daemon d = {.file = DEFAULT_CONFIG};
	const char *receiver = NULL;
	enum log_level level;
	bool level_given = false;
	int opt, ret;

	/* What passes through here is other people's calls, and private keys: no core files of it.
	 */
	forbid_core_files();
	while ((opt = getopt_long(argc, argv, "c:r:g:l:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			return check(optarg);
		case 'r':
			return remove_left(optarg);
		case 'g':
			receiver = optarg;
			break;
		case 'l':
			if (log_level_parse(&level, optarg)) {
				fprintf(stderr,
					"viaductd: --log %s: expected error, warn, info or debug\n",
					optarg);
				return EXIT_USAGE;
			}
			level_given = true;
			break;
		case 'V':
			printf("viaductd %s\n", VIADUCT_VERSION);
			return EXIT_OK;
		case 'h':
			fputs(help_text, stdout);
			return EXIT_OK;
		default:
			fputs(help_text, stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind > 1) {
		fputs(help_text, stderr);
		return EXIT_USAGE;
	}
	if (optind < argc)
		d.file = argv[optind];
	if (receiver)
		return give(d.file, receiver);
	if (config_load(&d.cfg, d.file, stderr))
		return EXIT_CONFIG;
	log_set_level(level_given ? level : d.cfg->log_level);
	if (setrlimit(RLIMIT_NOFILE, &files))
		log_debug("descriptor limit stays as it is: %s", strerror(errno));
	ret = run(&d);
	config_unref(d.cfg);
	return ret ? EXIT_FAILED : EXIT_OK;
}
