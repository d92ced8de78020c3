/* SPDX-License-Identifier: BSD-2-Clause */
#include "inherit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define FILES_MAX 5 /* see is_of_instance() */

struct heir {
	const char *dir, *instance;
	uid_t uid;
	struct stat was; /* the directory */
	int dir_fd;
	int file[FILES_MAX];
	unsigned files;
};

static int refuse(const struct heir *h, const char *name, const char *why)
{
	log_error("%s%s%s: %s: user %u's state is not taken over; remove the directory, or name "
		  "another",
		h->dir, *name ? "/" : "", name, why, h->was.st_uid);
	return -EPERM;
}

static bool is_of_instance(const struct heir *h, const char *name)
{
	size_t len = strlen(h->instance);

	return strncmp(name, h->instance, len) == 0 &&
	       (strcmp(name + len, ".state") == 0 || strcmp(name + len, ".state.new") == 0 ||
		       strcmp(name + len, ".state.refused") == 0 ||
		       strcmp(name + len, ".journal") == 0 || strcmp(name + len, ".records") == 0);
}

/* Keeps it open: what is checked is what is given. */
static int check_file(struct heir *h, const char *name)
{
	struct stat st;
	int fd;

	if (!is_of_instance(h, name) || h->files == FILES_MAX)
		return refuse(h, name, "is no file of this instance");
	fd = openat(h->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return refuse(h, name, strerror(errno));
	h->file[h->files++] = fd;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
		(st.st_uid != h->was.st_uid && st.st_uid != 0 && st.st_uid != h->uid))
		return refuse(h, name, "is not that user's alone");
	if (flock(fd, LOCK_SH | LOCK_NB))
		return refuse(h, name, "is in use by another daemon");
	return 0;
}

static int check_files(struct heir *h)
{
	int fd = openat(h->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		return ret;
	}
	while (!ret && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			ret = check_file(h, entry->d_name);
	}
	closedir(dir);
	return ret;
}

/* Whether root alone can have put the directory where it is. */
static bool is_roots_place(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, "..", &st, 0) == 0 && st.st_uid == 0 &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int give_dir(const struct heir *h, uid_t uid, gid_t gid)
{
	return fchownat(h->dir_fd, "", uid, gid, AT_EMPTY_PATH) ? -errno : 0;
}

static int give(struct heir *h, gid_t gid)
{
	int ret = 0;

	for (unsigned i = 0; i < h->files && !ret; i++) {
		if (fchown(h->file[i], h->uid, gid))
			ret = -errno;
	}
	return ret ? ret : give_dir(h, h->uid, gid);
}

int inherit_state_dir(const char *dir, const char *instance, uid_t uid, gid_t gid)
{
	struct heir h = {.dir = dir, .instance = instance, .uid = uid};
	int ret;

	h.dir_fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (h.dir_fd < 0 || fstat(h.dir_fd, &h.was)) {
		ret = -errno;
		log_error("%s: %s", dir, strerror(-ret));
		goto out;
	}
	if (!is_roots_place(h.dir_fd)) {
		ret = refuse(&h, "", "others than root may write to the directory above");
		goto out;
	}
	/* It is root's while it is looked at: nobody changes it meanwhile. */
	ret = give_dir(&h, 0, 0);
	if (!ret)
		ret = check_files(&h);
	if (!ret)
		ret = give(&h, gid);
	if (ret)
		(void)give_dir(&h, h.was.st_uid, h.was.st_gid);
	else
		log_info("%s: what user %u left there is user %u's from now on", dir, h.was.st_uid,
			uid);
out:
	while (h.files)
		close(h.file[--h.files]);
	if (h.dir_fd >= 0)
		close(h.dir_fd);
	return ret;
}
