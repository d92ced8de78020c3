/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t mapped(size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (room + page) / page * page;
}

int secret_new(struct secret **out, size_t room)
{
	struct secret *secret = calloc(1, sizeof(*secret));
	void *pages;

	if (!secret)
		return -ENOMEM;
	pages = mmap(
		NULL, mapped(room), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED) {
		free(secret);
		return -ENOMEM;
	}
	madvise(pages, mapped(room), MADV_DONTDUMP);
	madvise(pages, mapped(room), MADV_WIPEONFORK);
	/* Out of swap as well, as long as RLIMIT_MEMLOCK has room. */
	(void)mlock(pages, mapped(room));
	secret->text = pages;
	secret->room = room;
	*out = secret;
	return 0;
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret->text, secret->room);
	munmap(secret->text, mapped(secret->room));
	free(secret);
}
