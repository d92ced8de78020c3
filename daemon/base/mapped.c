/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0600

/* Somebody else's file tells us nothing. */
static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	       (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IRWXG | S_IRWXO));
}

/* The descriptor of a file of that size, all of it there: a page that finds no room when it is
 * written to would kill us. *had: it was there. */
static int open_file(const char *path, size_t size, bool *had)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	ret = fstat(fd, &st) ? -errno : is_ours(&st) ? 0 : -EPERM;
	*had = !ret && (size_t)st.st_size == size;
	if (!ret && !*had && ftruncate(fd, 0))
		ret = -errno;
	if (!ret) {
		ret = -posix_fallocate(fd, 0, (off_t)size);
		if (ret && st.st_size == 0)
			(void)unlink(path); /* it says nothing */
	}
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static bool is_of_kind(const struct mapped *m, const struct mapped_kind *kind)
{
	char boot_id[BOOT_ID_MAX] = "";

	return memcmp(m->magic, kind->magic, strlen(kind->magic) + 1) == 0 &&
	       m->layout == kind->layout && m->count == kind->count && !boot_id_read(boot_id) &&
	       strncmp(m->boot_id, boot_id, BOOT_ID_MAX) == 0;
}

int mapped_open(struct mapped **out, const char *path, size_t size, const struct mapped_kind *kind,
	bool *had)
{
	int flags = *path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = -1, ret = 0;
	void *at;

	*had = false;
	if (*path) {
		fd = open_file(path, size, had);
		if (fd < 0)
			return fd;
	}
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (at == MAP_FAILED)
		ret = -errno;
	if (fd >= 0)
		close(fd);
	if (ret)
		return ret;
	*out = at;
	*had = *had && is_of_kind(at, kind);
	return 0;
}

int mapped_begin(struct mapped *m, const struct mapped_kind *kind)
{
	char boot_id[BOOT_ID_MAX] = "";
	int ret = boot_id_read(boot_id);

	memset(m, 0, sizeof(*m));
	m->layout = kind->layout;
	m->count = kind->count;
	strcpy(m->boot_id, boot_id);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memcpy(m->magic, kind->magic, strlen(kind->magic) + 1);
	return ret;
}

void mapped_close(struct mapped *m, size_t size)
{
	munmap(m, size);
}
