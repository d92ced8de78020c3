/* SPDX-License-Identifier: BSD-2-Clause */
#include "privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/capability.h"
#include "base/log.h"
#include "inherit.h"

#define PORT_UNPRIVILEGED 1024
#define CAPS_MAX          5
#define PIN_DIR_MAX       512

static unsigned needed_caps(const struct config *cfg, cap_value_t caps[CAPS_MAX])
{
	unsigned n = 0;

	caps[n++] = CAP_BPF;
	caps[n++] = CAP_NET_ADMIN;
	caps[n++] = CAP_PERFMON;
	caps[n++] = CAP_SYS_ADMIN;
	for (unsigned i = 0; i < cfg->listener_count; i++) {
		if (cfg->listener[i].address.local.port < PORT_UNPRIVILEGED) {
			caps[n++] = CAP_NET_BIND_SERVICE;
			break;
		}
	}
	return n;
}

/* systemd mounts it of mode 0700: nobody but root can reach what is his own there. Searching is not
 * listing, and what others pinned has modes of its own. */
static int open_bpf_dir(const struct config *cfg, uid_t uid)
{
	struct stat st;

	if (stat(cfg->bpf_dir, &st))
		return -errno;
	if (st.st_mode & S_IXOTH)
		return 0;
	log_info("%s: can be searched by user %u from now on (it was of mode %04o)", cfg->bpf_dir,
		uid, st.st_mode & 07777);
	return chmod(cfg->bpf_dir, (st.st_mode & 07777) | S_IXOTH) ? -errno : 0;
}

static char *pin_dir(const struct config *cfg, char dir[PIN_DIR_MAX])
{
	snprintf(dir, PIN_DIR_MAX, "%s/viaduct-%s", cfg->bpf_dir, cfg->instance);
	return dir;
}

/* The directory that our pins lie in belongs to the user who will write there, and so does what a
 * daemon before us pinned as another user. */
static int give_pin_dir(const struct config *cfg, uid_t uid, gid_t gid)
{
	char dir[PIN_DIR_MAX], *roots[] = {pin_dir(cfg, dir), NULL};
	FTSENT *entry;
	FTS *tree;
	int ret;

	ret = open_bpf_dir(cfg, uid);
	if (ret)
		return ret;
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!tree)
		return -errno;
	while (!ret && (entry = fts_read(tree))) {
		if (lchown(entry->fts_path, uid, gid))
			ret = -errno;
	}
	fts_close(tree);
	return ret;
}

/* So does the directory of the state file, where it was made for that: now, or by a daemon that ran
 * as root or as another user and left its files. */
static int give_state_dir(const struct config *cfg, uid_t uid, gid_t gid)
{
	static const char *const kind[] = {"state", "records"};
	char file[PATH_MAX];
	struct stat st;
	bool ours = mkdir(cfg->state_dir, 0700) == 0;

	if ((!ours && errno != EEXIST) || lstat(cfg->state_dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode) || (st.st_mode & 0777) != 0700)
		return 0;
	if (st.st_uid != 0)
		return st.st_uid == uid
			       ? 0
			       : inherit_state_dir(cfg->state_dir, cfg->instance, uid, gid);
	for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s.%s", cfg->state_dir, cfg->instance, kind[i]);
		if (lchown(file, uid, gid) == 0)
			ours = true;
		else if (errno != ENOENT)
			return -errno;
	}
	return ours && lchown(cfg->state_dir, uid, gid) ? -errno : 0;
}

/* A daemon that runs keeps what is its own, whatever a second one is told that its user is. *lock
 * is to be closed when all is given: no other begins meanwhile; -1: there is no state yet. */
static int lock_state(const struct config *cfg, int *lock)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "%s/%s.state", cfg->state_dir, cfg->instance);
	*lock = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*lock < 0 || flock(*lock, LOCK_SH | LOCK_NB) == 0)
		return 0; /* what is wrong with the file, its heir will see */
	close(*lock);
	*lock = -1;
	log_error("store: %s: another viaductd has it", file);
	return -EBUSY;
}

static int give_all(const struct config *cfg, const struct passwd *pw)
{
	int ret = give_pin_dir(cfg, pw->pw_uid, pw->pw_gid);
	if (ret) {
		log_error("%s/viaduct-%s: %s; is a bpf file system mounted there?", cfg->bpf_dir,
			cfg->instance, strerror(-ret));
		return ret;
	}
	ret = give_state_dir(cfg, pw->pw_uid, pw->pw_gid);
	if (ret) {
		log_error("%s: %s", cfg->state_dir, strerror(-ret));
		return ret;
	}
	return 0;
}

int privilege_give(const struct config *cfg, const char *user)
{
	const struct passwd *pw;
	int ret, lock;

	errno = 0;
	pw = getpwnam(user);
	if (!pw) {
		log_error("user \"%s\" does not exist", user);
		return errno ? -errno : -ENOENT;
	}
	ret = lock_state(cfg, &lock);
	if (!ret)
		ret = give_all(cfg, pw);
	if (lock >= 0)
		close(lock);
	return ret;
}

static int change_user(const struct passwd *pw)
{
	int ret = 0;

	if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(pw->pw_name, pw->pw_gid) ||
		setgid(pw->pw_gid) || setuid(pw->pw_uid)) {
		ret = -errno;
		log_error("cannot become user \"%s\": %s", pw->pw_name, strerror(-ret));
	}
	return ret;
}

/* Root becomes the configuration's user. Whoever else we are, we stay. */
static int become_user(const struct config *cfg)
{
	const struct passwd *pw;
	int ret;

	if (!cfg->user[0])
		return 0;
	if (geteuid() != 0) {
		pw = getpwnam(cfg->user);
		if (!pw || pw->pw_uid != geteuid())
			log_warn("user: started as user %u, who cannot become \"%s\": it stays so",
				geteuid(), cfg->user);
		return 0;
	}
	ret = privilege_give(cfg, cfg->user);
	if (ret)
		return ret;
	pw = getpwnam(cfg->user);
	return pw ? change_user(pw) : -ENOENT;
}

/* Root becomes whoever owns the pins, where the configuration names nobody: the daemon was started
 * as an ordinary user. */
static int become_owner(const struct config *cfg)
{
	const struct passwd *pw;
	char dir[PIN_DIR_MAX];
	struct stat st;

	if (cfg->user[0])
		return become_user(cfg);
	if (geteuid() != 0 || lstat(pin_dir(cfg, dir), &st) || st.st_uid == 0)
		return 0;
	pw = getpwuid(st.st_uid);
	return pw ? change_user(pw) : 0;
}

/* They were read by who we were; the next reload reads them as who we are. */
static void warn_of_unreadable_files(const struct config *cfg)
{
	for (unsigned i = 0; i < cfg->tls_count; i++) {
		const struct tls_profile *tls = &cfg->tls[i];
		const char *const path[] = {tls->certificate, tls->key, tls->ca};

		for (unsigned j = 0; j < sizeof(path) / sizeof(path[0]); j++) {
			if (path[j] && access(path[j], R_OK))
				log_warn(
					"tls: user %s cannot read %s (%s): reloads will be refused",
					cfg->user, path[j], strerror(errno));
		}
	}
}

static int drop(const struct config *cfg, int (*become)(const struct config *cfg))
{
	cap_value_t wanted[CAPS_MAX], had[CAPS_MAX];
	const cap_value_t on_demand = CAP_SYS_ADMIN;
	unsigned n = needed_caps(cfg, wanted), kept = 0;
	cap_t caps = cap_get_proc();
	cap_flag_value_t value;
	int ret = 0;

	if (!caps)
		return -errno;
	for (unsigned i = 0; i < n; i++) {
		if (cap_get_flag(caps, wanted[i], CAP_PERMITTED, &value) == 0 && value == CAP_SET)
			had[kept++] = wanted[i];
	}
	cap_free(caps);
	if (kept == 0) {
		log_error("not permitted: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed; start "
			  "as root");
		return -EPERM;
	}
	ret = become(cfg);
	if (ret)
		return ret;
	caps = cap_init();
	if (!caps)
		return -errno;
	if (cap_set_flag(caps, CAP_PERMITTED, (int)kept, had, CAP_SET) ||
		cap_set_flag(caps, CAP_EFFECTIVE, (int)kept, had, CAP_SET) ||
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &on_demand, CAP_CLEAR) || cap_set_proc(caps) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		ret = -errno;
		log_error("capabilities cannot be dropped: %s", strerror(-ret));
	}
	cap_free(caps);
	return ret;
}

int privilege_drop(const struct config *cfg)
{
	int ret = drop(cfg, become_user);

	if (!ret && cfg->user[0])
		warn_of_unreadable_files(cfg);
	return ret;
}

int privilege_drop_to_owner(const struct config *cfg)
{
	return drop(cfg, become_owner);
}

void privilege_settle(struct dataplane *dp)
{
	struct dataplane_status status;

	if (dataplane_status(dp, &status))
		return;
	for (unsigned i = 0; i < SIDE_COUNT; i++) {
		if (strcmp(status.device[i].attached, "libxdp dispatcher") == 0)
			return;
	}
	capability_forget(CAP_SYS_ADMIN);
}
