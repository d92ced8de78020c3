/* SPDX-License-Identifier: BSD-2-Clause */
#include "give.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "inherit.h"

#define PIN_DEPTH     1 /* directories in the directory of our pins: one a layout */
#define USER_TEXT_MAX 64

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

void give_pin_path(const struct config *cfg, char path[GIVE_PATH_MAX])
{
	snprintf(path, GIVE_PATH_MAX, "%s/viaduct-%s", cfg->bpf_dir, cfg->instance);
}

/* What of it is the user's from now on, by descriptors, and no link is followed: whoever it
 * belonged to may change it while root walks there. Takes fd over. */
static int give_tree(int fd, const struct passwd *pw, unsigned depth);

static int give_entry(int dir_fd, const char *name, const struct passwd *pw, unsigned depth)
{
	int fd;

	if (fchownat(dir_fd, name, pw->pw_uid, pw->pw_gid, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (depth == 0)
		return 0;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
	return give_tree(fd, pw, depth - 1);
}

static int give_tree(int fd, const struct passwd *pw, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!dir) {
		ret = -errno;
		close(fd);
		return ret;
	}
	if (fchown(fd, pw->pw_uid, pw->pw_gid))
		ret = -errno;
	while (!ret && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			ret = give_entry(fd, entry->d_name, pw, depth);
	}
	closedir(dir);
	return ret;
}

/* The directory that our pins lie in belongs to the user who will write there, and so does what a
 * daemon before us pinned as another user. */
static int give_pin_dir(const struct config *cfg, const struct passwd *pw)
{
	char dir[GIVE_PATH_MAX];
	int ret = open_bpf_dir(cfg, pw->pw_uid), fd;

	if (ret)
		return ret;
	give_pin_path(cfg, dir);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : give_tree(fd, pw, PIN_DEPTH);
}

/* So does the directory of the state file, where it was made for that: now, or by a daemon that ran
 * as root or as another user and left its files. */
static int give_state_dir(const struct config *cfg, uid_t uid, gid_t gid)
{
	static const char *const kind[] = {"state", "journal", "records"};
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
	/* An empty one is as good as none: a daemon of root's has ended there. */
	if (!ours)
		ours = rmdir(cfg->state_dir) == 0 && mkdir(cfg->state_dir, 0700) == 0;
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
	int ret = give_pin_dir(cfg, pw);

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

int give_to(const struct config *cfg, const struct passwd *pw)
{
	int lock, ret = lock_state(cfg, &lock);

	if (!ret)
		ret = give_all(cfg, pw);
	if (lock >= 0)
		close(lock);
	return ret;
}

/* ---- what is another's ---- */

static const char *user_name(uid_t uid, char text[USER_TEXT_MAX])
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(text, USER_TEXT_MAX, "%s", pw->pw_name);
	else
		snprintf(text, USER_TEXT_MAX, "%u", uid);
	return text;
}

/* Whether it is a directory, as a daemon makes them, of another user's who has left something
 * there. Where nothing is left it goes, if we may. */
static bool is_anothers(const char *path, uid_t *owner)
{
	struct stat st;

	if (lstat(path, &st) || !S_ISDIR(st.st_mode) || st.st_uid == geteuid() ||
		(st.st_mode & 0777) != 0700)
		return false;
	*owner = st.st_uid;
	return rmdir(path) != 0;
}

int give_check(const struct config *cfg)
{
	char pins[GIVE_PATH_MAX], theirs[USER_TEXT_MAX], ours[USER_TEXT_MAX];
	const char *path = cfg->state_dir;
	uid_t owner;

	give_pin_path(cfg, pins);
	if (!is_anothers(path, &owner)) {
		path = pins;
		if (!is_anothers(path, &owner))
			return 0;
	}
	user_name(owner, theirs);
	user_name(geteuid(), ours);
	log_error("%s belongs to user %s, whose viaductd runs or has left something there, and "
		  "this one would run as user %s: start it as %s (systemctl start viaductd, or "
		  "`user:` in %s), or let root hand over first: viaductd --give %s %s",
		path, theirs, ours, theirs, cfg->file, ours, cfg->file);
	return -EPERM;
}
