/* SPDX-License-Identifier: BSD-2-Clause */
/* The file: one LMDB environment with a database a kind. A record is its checksum and its value. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/internal.h"

#define FILE_MODE 0600
/* NOLOCK: one process has the file, and one thread at a time (writer.c). NOSYNC: see store.h. */
#define FLAGS (MDB_NOSUBDIR | MDB_NOSYNC | MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD)

#define KEY_NUMBER 1 /* the first byte of a key */
#define KEY_NAME   2

static const char *const names[STORE_KIND_COUNT] = {"call", "peer", "room"};

int environment_errno(int rc)
{
	if (rc >= 0)
		return -rc;
	return rc == MDB_MAP_FULL ? -ENOSPC : -EUCLEAN;
}

static int open_databases(struct environment *e, unsigned env_flags)
{
	bool create = !(env_flags & MDB_RDONLY);
	MDB_txn *txn;
	int rc = mdb_txn_begin(e->env, NULL, env_flags & MDB_RDONLY, &txn);

	if (rc)
		return environment_errno(rc);
	rc = mdb_dbi_open(txn, "header", create ? MDB_CREATE : 0, &e->header);
	for (unsigned i = 0; !rc && i < STORE_KIND_COUNT; i++) {
		rc = mdb_dbi_open(txn, names[i], create ? MDB_CREATE : 0, &e->kind[i]);
		/* An older build may know fewer kinds. */
		if (rc == MDB_NOTFOUND && !create) {
			e->kind[i] = 0;
			rc = 0;
		}
	}
	if (rc) {
		mdb_txn_abort(txn);
		return environment_errno(rc);
	}
	return environment_errno(mdb_txn_commit(txn));
}

static int open_with(struct environment *e, const char *path, uint64_t bytes_max, unsigned flags)
{
	int rc = mdb_env_create(&e->env), ret;

	if (rc)
		return environment_errno(rc);
	rc = mdb_env_set_maxdbs(e->env, 1 + STORE_KIND_COUNT);
	if (!rc && bytes_max)
		rc = mdb_env_set_mapsize(e->env, bytes_max);
	if (!rc)
		rc = mdb_env_open(e->env, path, FLAGS | flags, FILE_MODE);
	ret = rc ? environment_errno(rc) : open_databases(e, flags);
	if (ret)
		environment_close(e);
	return ret;
}

int environment_open(struct environment *e, const char *path, uint64_t bytes_max)
{
	return open_with(e, path, bytes_max, 0);
}

int environment_open_to_read(struct environment *e, const char *path)
{
	return open_with(e, path, 0, MDB_RDONLY);
}

void environment_close(struct environment *e)
{
	mdb_env_close(e->env);
	e->env = NULL;
}

int record_key_make(struct record_key *out, struct store_key key)
{
	if (!key.name) {
		out->len = 1 + sizeof(uint64_t);
		out->bytes[0] = KEY_NUMBER;
		for (unsigned i = 0; i < sizeof(uint64_t); i++)
			out->bytes[1 + i] = (uint8_t)(key.number >> (56 - 8 * i));
	} else {
		size_t len = strlen(key.name);

		if (len == 0 || len > STORE_NAME_MAX)
			return -EINVAL;
		out->len = (uint16_t)(1 + len);
		out->bytes[0] = KEY_NAME;
		memcpy(out->bytes + 1, key.name, len);
	}
	return 0;
}

bool record_key_read(struct store_key *out, char text[STORE_NAME_MAX + 1], const MDB_val *key)
{
	const uint8_t *bytes = key->mv_data;

	*out = (struct store_key){0};
	if (key->mv_size == 1 + sizeof(uint64_t) && bytes[0] == KEY_NUMBER) {
		for (unsigned i = 0; i < sizeof(uint64_t); i++)
			out->number = out->number << 8 | bytes[1 + i];
		return true;
	}
	if (key->mv_size < 2 || key->mv_size > 1 + STORE_NAME_MAX || bytes[0] != KEY_NAME ||
		memchr(bytes + 1, '\0', key->mv_size - 1))
		return false;
	memcpy(text, bytes + 1, key->mv_size - 1);
	text[key->mv_size - 1] = '\0';
	out->name = text;
	return true;
}

const char *record_key_show(char *buf, size_t room, enum store_kind kind, struct store_key key)
{
	if (key.name)
		snprintf(buf, room, "%s \"%s\"", names[kind], key.name);
	else
		snprintf(buf, room, "%s %llu", names[kind], (unsigned long long)key.number);
	return buf;
}

static uint64_t checksum(const MDB_val *key, const void *value, size_t len)
{
	return XXH3_64bits_withSeed(value, len, XXH3_64bits(key->mv_data, key->mv_size));
}

int record_put(MDB_txn *txn, MDB_dbi dbi, const MDB_val *key, const void *value, size_t len,
	unsigned flags)
{
	uint64_t sum = checksum(key, value, len);
	MDB_val name = *key, data = {.mv_size = sizeof(sum) + len};
	int rc = mdb_put(txn, dbi, &name, &data, flags | MDB_RESERVE);

	if (rc)
		return environment_errno(rc);
	memcpy(data.mv_data, &sum, sizeof(sum));
	if (len)
		memcpy((uint8_t *)data.mv_data + sizeof(sum), value, len);
	return 0;
}

int record_check(const MDB_val *key, const MDB_val *data, const uint8_t **value, size_t *len)
{
	uint64_t sum;

	if (data->mv_size < sizeof(sum))
		return -EBADMSG;
	memcpy(&sum, data->mv_data, sizeof(sum));
	*value = (const uint8_t *)data->mv_data + sizeof(sum);
	*len = data->mv_size - sizeof(sum);
	return sum == checksum(key, *value, *len) ? 0 : -EBADMSG;
}

/* ---- the position in the journal ---- */

static const MDB_val position_key = {.mv_size = 7, .mv_data = (void *)"journal"};

int position_put(MDB_txn *txn, struct environment *e, const struct store_position *position)
{
	return record_put(txn, e->header, &position_key, position, sizeof(*position), 0);
}

void position_get(MDB_txn *txn, const struct environment *e, struct store_position *out)
{
	MDB_val key = position_key, data;
	const uint8_t *value;
	size_t len;

	*out = (struct store_position){0};
	if (!mdb_get(txn, e->header, &key, &data) &&
		!record_check(&position_key, &data, &value, &len) && len == sizeof(*out))
		memcpy(out, value, len);
}
