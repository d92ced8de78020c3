/* SPDX-License-Identifier: BSD-2-Clause */
/* What a journal of the store is to be taken up from, of any bytes: refused before any of it is, or
 * changes that are whole; and then it works. The first byte says whether the checksums are made
 * right (R); then come the place that the file of the store names, the journal's done and put, of
 * eight bytes each; the rest is the ring. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/mapped.h"
#include "store/internal.h"

#define RING    4096u
#define HEAD    128u /* bytes of the file before its ring */
#define UNIT    32u
#define OF_HEAD 24u /* bytes of the input before the ring */

/* Of the file, and of an entry: see journal.c. */
struct places {
	uint64_t name, put, done;
};

struct entry_head {
	uint64_t sum;
	uint32_t len, value_len;
	uint16_t key_len;
	uint8_t rest[6];
};

static struct store_journal *j;
static uint8_t *file;
static struct places *places;
static unsigned seen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char dir[] = "/tmp/viaduct-fuzz-XXXXXX", path[64];
	int fd;

	(void)argc;
	(void)argv;
	CLAIM(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/journal", dir);
	CLAIM(store_journal_open(&j, path, RING) == 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	file = mmap(NULL, HEAD + RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CLAIM(file != MAP_FAILED);
	close(fd);
	unlink(path);
	rmdir(dir);
	places = (struct places *)(void *)(file + sizeof(struct mapped));
	return 0;
}

static void make_sums_right(uint64_t place)
{
	while (place < places->put) {
		struct entry_head *e =
			(struct entry_head *)(void *)(file + HEAD + place % RING / UNIT * UNIT);
		uint32_t room = RING - (uint32_t)(place % RING);
		uint64_t len = sizeof(*e) + e->key_len + (uint64_t)e->value_len;

		if (e->len < UNIT || e->len > room || len > room)
			return;
		e->sum = XXH3_64bits_withSeed(&e->len, len - sizeof(e->sum), places->name ^ place);
		place += e->len;
	}
}

static int each(void *ctx, enum store_kind kind, const struct record_key *key, const void *value,
	size_t len)
{
	static volatile uint8_t sum;
	const uint8_t *v = value;

	CLAIM(ctx == file);
	CLAIM(kind < STORE_KIND_COUNT && key->len > 0 && key->len <= sizeof(key->bytes));
	CLAIM(value || !len);
	CLAIM(len <= RING);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + v[i]);
	seen++;
	return 0;
}

static unsigned replay(const struct store_position *from, int *ret)
{
	unsigned count;
	bool gap;

	seen = 0;
	*ret = store_journal_replay(j, from, each, file, &count, &gap);
	CLAIM(count == seen);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_position from;
	struct record_key key;
	int ret;

	if (size < 1 + OF_HEAD || size > 1 + OF_HEAD + RING)
		return 0;
	from.journal = places->name;
	memcpy(&from.at, data + 1, 8);
	memcpy(&places->done, data + 9, 8);
	memcpy(&places->put, data + 17, 8);
	memset(file + HEAD, 0, RING);
	memcpy(file + HEAD, data + 1 + OF_HEAD, size - 1 - OF_HEAD);
	if (*data == 'R' && places->put - from.at <= RING)
		make_sums_right(from.at);
	replay(&from, &ret);
	CLAIM(ret == 0 || (ret == -EBADMSG && seen == 0));

	store_journal_begin(j);
	from = store_journal_position(j);
	CLAIM(record_key_make(&key, STORE_NUMBER(1)) == 0);
	store_journal_put(j, STORE_CALL, &key, "again", 5);
	store_journal_publish(j);
	CLAIM(replay(&from, &ret) == 1 && ret == 0);
	return 0;
}
