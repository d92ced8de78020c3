/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "viaduct_xdp.h"

#define LOCK_ATTEMPTS 8 /* the owner before us may be removing the directory just now */
#define LAYOUT_PREFIX 'v'
#define SET_ASIDE_MAX 4 /* starts in a row that died before they were done */

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

/* The pins of one layout's directory. */
static unsigned each_pin(
	const char *layout, void (*fn)(void *ctx, const char *path, const char *name), void *ctx)
{
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir = opendir(layout);

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !join(path, layout, entry->d_name))
			continue;
		count++;
		if (fn)
			fn(ctx, path, entry->d_name);
	}
	closedir(dir);
	return count;
}

/* Calls fn with the directory of each layout but ours. */
static void each_other(const struct pins *p, void (*fn)(void *ctx, const char *layout), void *ctx)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(p->base);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == LAYOUT_PREFIX && join(path, p->base, entry->d_name) &&
			strcmp(path, p->layout) != 0)
			fn(ctx, path);
	}
	closedir(dir);
}

struct each {
	void (*fn)(void *ctx, const char *path, const char *name);
	void *ctx;
	unsigned count;
};

static void each_pin_of_other(void *ctx, const char *layout)
{
	struct each *each = ctx;

	each->count += each_pin(layout, each->fn, each->ctx);
}

unsigned pins_each(const struct pins *p, enum pins_whose whose,
	void (*fn)(void *ctx, const char *path, const char *name), void *ctx)
{
	struct each each = {.fn = fn, .ctx = ctx};

	if (whose == PINS_OURS)
		return each_pin(p->layout, fn, ctx);
	each_other(p, each_pin_of_other, &each);
	return each.count;
}

struct wanted {
	const char *name;
	char *path;
	bool found;
};

static void look_for(void *ctx, const char *path, const char *name)
{
	struct wanted *w = ctx;

	if (w->found || strcmp(name, w->name) != 0)
		return;
	w->found = true;
	strcpy(w->path, path);
}

bool pins_find_other(const struct pins *p, const char *name, char path[PATH_MAX])
{
	struct wanted wanted = {.name = name, .path = path};

	pins_each(p, PINS_OTHERS, look_for, &wanted);
	return wanted.found;
}

static void unpin(void *ctx, const char *path, const char *name)
{
	(void)ctx;
	(void)name;
	if (unlink(path))
		log_warn("dataplane: cannot remove %s: %s", path, strerror(errno));
}

static void remove_layout(void *ctx, const char *layout)
{
	(void)ctx;
	each_pin(layout, unpin, NULL);
	if (rmdir(layout))
		log_warn("dataplane: cannot remove %s: %s", layout, strerror(errno));
}

void pins_remove(const struct pins *p, enum pins_whose whose)
{
	if (whose == PINS_OURS)
		each_pin(p->layout, unpin, NULL);
	else
		each_other(p, remove_layout, NULL);
}

int pins_set_aside(const struct pins *p)
{
	char path[PATH_MAX];
	int ret = -EEXIST;

	for (unsigned i = 1; ret && i <= SET_ASIDE_MAX; i++) {
		if (snprintf(path, sizeof(path), "%s_old%u", p->layout, i) >= PATH_MAX)
			return -ENAMETOOLONG;
		ret = rename(p->layout, path) ? -errno : 0;
	}
	return ret ? ret : make_directory(p->layout);
}

int pins_open(struct pins *p, const char *bpf_dir, const char *instance)
{
	bool made;
	int ret;

	p->lock_fd = -1;
	if ((size_t)snprintf(p->base, sizeof(p->base), "%s/viaduct-%s", bpf_dir, instance) >=
		sizeof(p->base))
		return -ENAMETOOLONG;
	snprintf(p->layout, sizeof(p->layout), "%s/v%d", p->base, VD_LAYOUT_VERSION);
	made = mkdir(bpf_dir, 0700) == 0;
	ret = check_bpffs(bpf_dir);
	if (ret && made)
		rmdir(bpf_dir);
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
	ret = make_directory(p->layout);
	if (ret) {
		log_error("dataplane: cannot make %s: %s", p->layout, strerror(-ret));
		pins_leave(p);
	}
	return ret;
}

void pins_leave(struct pins *p)
{
	if (p->lock_fd < 0)
		return;
	/* Where nothing is pinned no directories stay. */
	rmdir(p->layout);
	rmdir(p->base);
	close(p->lock_fd);
	p->lock_fd = -1;
}

void pins_close(struct pins *p)
{
	if (p->lock_fd < 0)
		return;
	pins_remove(p, PINS_OTHERS);
	pins_remove(p, PINS_OURS);
	pins_leave(p);
}
