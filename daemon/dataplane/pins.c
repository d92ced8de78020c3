/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "dataplane/xdp_attach.h"
#include "viaduct_xdp.h"

#define LOCK_ATTEMPTS 8 /* the owner before us may be removing the directory just now */

/* dir/name; false where that is no path any more. */
static bool join(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

const char *pins_path(const struct pins *p, const char *name, char path[PATH_MAX])
{
	/* layout leaves room for the longest name: see struct pins. */
	if (!join(path, p->layout, name))
		path[0] = '\0';
	return path;
}

static int make_directory(const char *path)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	return -errno;
}

static int check_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs)) {
		log_error("dataplane: cannot use %s: %s", path, strerror(errno));
		return -errno;
	}
	if (fs.f_type != BPF_FS_MAGIC) {
		log_error("dataplane: %s is not a BPF file system; mount one: "
			  "mount -t bpf bpf /sys/fs/bpf",
			path);
		return -ENODEV;
	}
	return 0;
}

/* Opens and locks base. The directory may be removed between the two by a daemon that ends: then
 * the lock is on nothing and is taken again. */
static int lock_base(struct pins *p)
{
	struct stat at_path, locked;
	int ret;

	for (unsigned i = 0; i < LOCK_ATTEMPTS; i++) {
		ret = make_directory(p->base);
		if (ret)
			return ret;
		p->lock_fd = open(p->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (p->lock_fd < 0) {
			if (errno == ENOENT)
				continue;
			return -errno;
		}
		if (flock(p->lock_fd, LOCK_EX | LOCK_NB))
			ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
		else if (fstat(p->lock_fd, &locked) || stat(p->base, &at_path) ||
			 locked.st_ino != at_path.st_ino)
			ret = -EAGAIN;
		else
			return 0;
		close(p->lock_fd);
		p->lock_fd = -1;
		if (ret != -EAGAIN)
			return ret;
	}
	return -EBUSY;
}

/* A pinned link would detach some time after its pin, its last reference, has gone, and we attach
 * anew at once; a program under libxdp's dispatcher has to be taken out of it. */
static bool remove_layout(const char *layout)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool any = false;
	DIR *dir;

	dir = opendir(layout);
	if (!dir)
		return false;
	if (join(path, layout, PIN_PROGRAM) && access(path, F_OK) == 0)
		xdp_detach_pinned(path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (!join(path, layout, entry->d_name))
			continue;
		if (strncmp(entry->d_name, PIN_LINK_PREFIX, sizeof(PIN_LINK_PREFIX) - 1) == 0)
			xdp_detach_pinned_link(path);
		if (unlink(path))
			log_warn("dataplane: cannot remove %s: %s", path, strerror(errno));
		any = true;
	}
	closedir(dir);
	if (rmdir(layout))
		log_warn("dataplane: cannot remove %s: %s", layout, strerror(errno));
	return any;
}

/* Returns whether there was anything. */
static bool remove_all(const struct pins *p)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool any = false;
	DIR *dir = opendir(p->base);

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != 'v')
			continue;
		if (join(path, p->base, entry->d_name))
			any |= remove_layout(path);
	}
	closedir(dir);
	return any;
}

int pins_open(struct pins *p, const char *bpf_dir, const char *instance)
{
	int ret;

	p->lock_fd = -1;
	if ((size_t)snprintf(p->base, sizeof(p->base), "%s/viaduct-%s", bpf_dir, instance) >=
		sizeof(p->base))
		return -ENAMETOOLONG;
	snprintf(p->layout, sizeof(p->layout), "%s/v%d", p->base, VD_LAYOUT_VERSION);
	make_directory(bpf_dir);
	ret = check_bpffs(bpf_dir);
	if (ret)
		return ret;
	ret = lock_base(p);
	if (ret == -EBUSY) {
		log_error("dataplane: another viaductd runs instance \"%s\" (%s is locked)",
			instance, p->base);
		return ret;
	}
	if (ret) {
		log_error("dataplane: cannot use %s: %s", p->base, strerror(-ret));
		return ret;
	}
	if (remove_all(p))
		log_info("dataplane: removed what an earlier run left in %s", p->base);
	ret = make_directory(p->layout);
	if (ret) {
		log_error("dataplane: cannot make %s: %s", p->layout, strerror(-ret));
		pins_close(p);
	}
	return ret;
}

void pins_leave(struct pins *p)
{
	if (p->lock_fd >= 0)
		close(p->lock_fd);
	p->lock_fd = -1;
}

void pins_close(struct pins *p)
{
	if (p->lock_fd < 0)
		return;
	remove_all(p);
	rmdir(p->base);
	pins_leave(p);
}
