/* SPDX-License-Identifier: BSD-2-Clause */
/* viaductd: what its options ask for; without one it serves (serve.h). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "config/config.h"
#include "config/tls_context.h"
#include "dataplane/dataplane.h"
#include "privilege.h"
#include "records.h"
#include "serve.h"
#include "store/store.h"

#define DEFAULT_CONFIG  "/etc/viaduct/viaduct.yaml"
#define DESCRIPTORS_MAX 65536
/* A start takes 40 and one a listener (Linux 6.18), where libxdp makes a dispatcher some more, and
 * who serves needs others: with fewer it would fail somewhere on its way, or later. */
#define DESCRIPTORS_MIN 64

/* Exit codes, as in viaductd(8). */
enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

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
		ret = records_open(&record, cfg);
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

/* Where we are started without them, what is opened next would take their place, and the log would
 * go into a file or socket of ours. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* As many as may be had. 0; -EMFILE: too few, which is told. */
static int raise_descriptor_limit(const struct config *cfg)
{
	struct rlimit files = {DESCRIPTORS_MAX, DESCRIPTORS_MAX};
	unsigned least = DESCRIPTORS_MIN + cfg->listener_count;

	/* What is forbidden above may be allowed below: up to the hard limit. */
	if (setrlimit(RLIMIT_NOFILE, &files) && getrlimit(RLIMIT_NOFILE, &files) == 0 &&
		files.rlim_cur < files.rlim_max) {
		files.rlim_cur =
			files.rlim_max < DESCRIPTORS_MAX ? files.rlim_max : DESCRIPTORS_MAX;
		if (setrlimit(RLIMIT_NOFILE, &files))
			log_debug("descriptor limit stays as it is: %s", strerror(errno));
	}
	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= least)
		return 0;
	log_error("%llu descriptors are too few for a start with %u listeners; expected at least "
		  "%u: raise the limit (ulimit -n, LimitNOFILE= of the unit)",
		(unsigned long long)files.rlim_cur, cfg->listener_count, least);
	return -EMFILE;
}

/* The exit code, once all is written. */
static int flushed(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "viaductd: standard output: %s\n", strerror(errno));
	return code ? code : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"check", required_argument, NULL, 'c'},
		{"remove", required_argument, NULL, 'r'}, {"give", required_argument, NULL, 'g'},
		{"log", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *check_file = NULL, *remove_file = NULL, *receiver = NULL;
	const char *file = DEFAULT_CONFIG;
	struct config *cfg = NULL;
	enum log_level level;
	bool level_given = false;
	int opt;

	open_standard_descriptors();
	signal(SIGXFSZ, SIG_IGN); /* beyond RLIMIT_FSIZE a write fails like any other: EFBIG */
	privilege_forbid_core_files();
	while ((opt = getopt_long(argc, argv, "c:r:g:l:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			check_file = optarg;
			break;
		case 'r':
			remove_file = optarg;
			break;
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
			return flushed(EXIT_OK);
		case 'h':
			fputs(help_text, stdout);
			return flushed(EXIT_OK);
		default:
			fputs(help_text, stderr);
			return EXIT_USAGE;
		}
	}
	if (!!check_file + !!remove_file + !!receiver > 1) {
		fprintf(stderr, "viaductd: one of --check, --remove and --give at a time\n");
		return EXIT_USAGE;
	}
	if (optind < argc && !check_file && !remove_file)
		file = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "viaductd: %s: one FILE is expected, and no more\n", argv[optind]);
		return EXIT_USAGE;
	}
	if (level_given)
		log_set_level(level);
	if (check_file)
		return flushed(check(check_file));
	if (remove_file)
		return remove_left(remove_file);
	if (receiver)
		return give(file, receiver);
	if (config_load(&cfg, file, stderr))
		return EXIT_CONFIG;
	if (!level_given)
		log_set_level(cfg->log_level);
	if (raise_descriptor_limit(cfg)) {
		config_unref(cfg);
		return EXIT_FAILED;
	}
	return serve(file, cfg) ? EXIT_FAILED : EXIT_OK;
}
