/* SPDX-License-Identifier: BSD-2-Clause */
/* The records' journal as an earlier daemon, or anything else, has left it: begun anew, or taken
 * up, and then what is put is there for the next one. The first byte: I, and the rest follows what
 * says that the journal is of this version and boot; else it is all of the file's beginning. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/journal.h"

#define LINES       4
#define IDENTITY    64 /* bytes that the file of this version begins with */
#define WRITTEN_MAX 8192
#define LINE        "{\"id\":7}\n"

static char path[64];
static char identity[IDENTITY];

static void remove_file(void)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static struct journal *opened(void)
{
	struct journal *j;

	CLAIM(journal_open(&j, path, LINES) == 0);
	return j;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char dir[] = "/tmp/viaduct-fuzz-XXXXXX";
	int fd;

	(void)argc;
	(void)argv;
	CLAIM(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/one.records", dir);
	atexit(remove_file);
	journal_close(opened(), false);
	fd = open(path, O_RDONLY);
	CLAIM(read(fd, identity, IDENTITY) == IDENTITY);
	close(fd);
	return 0;
}

/* What was there before is zero, or of the input. */
static void leave(const uint8_t *data, size_t size)
{
	static const char zero[WRITTEN_MAX];
	bool is_ours = size && *data == 'I';
	int fd = open(path, O_WRONLY);
	off_t at = is_ours ? IDENTITY : 0;

	CLAIM(fd >= 0 && pwrite(fd, zero, sizeof(zero), 0) == sizeof(zero));
	if (is_ours)
		CLAIM(pwrite(fd, identity, IDENTITY, 0) == IDENTITY);
	if (size > 1)
		CLAIM(pwrite(fd, data + 1, size - 1, at) == (ssize_t)size - 1);
	close(fd);
}

/* All that waits is there to be read, each a line. */
static void write_all(struct journal *j)
{
	struct iovec line[LINES];
	unsigned n = journal_look(j, line, LINES);

	CLAIM(n == journal_waiting(j));
	for (unsigned i = 0; i < n; i++) {
		const char *text = line[i].iov_base;

		CLAIM(!line[i].iov_len || text[line[i].iov_len - 1] == '\n');
		CLAIM(!line[i].iov_len || memchr(text, '\n', line[i].iov_len));
	}
	journal_done(j, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat file = {.st_dev = 1, .st_ino = 2};
	struct journal *j;
	unsigned waited;
	uint64_t offset;

	if (size > WRITTEN_MAX - IDENTITY)
		return 0;
	leave(data, size);
	j = opened();
	waited = journal_waiting(j);
	CLAIM(waited <= LINES);
	journal_had(j, 7, 1);
	journal_begun(j, &file, &offset);
	while (journal_put(j, 7, 1, LINE, strlen(LINE)) == 0)
		waited++;
	CLAIM(journal_waiting(j) == waited);
	journal_begin(j, &file, size);
	journal_close(j, false);

	j = opened(); /* the next one */
	CLAIM(journal_waiting(j) == waited);
	CLAIM(journal_begun(j, &file, &offset) && offset == size);
	write_all(j);
	CLAIM(journal_put(j, 8, 2, LINE, strlen(LINE)) == 0);
	journal_close(j, false);

	j = opened();
	CLAIM(journal_had(j, 8, 2) && journal_waiting(j) == 1);
	write_all(j);
	journal_close(j, false);
	return 0;
}
