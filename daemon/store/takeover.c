/* SPDX-License-Identifier: BSD-2-Clause */
/* LMDB believes the file: one that is damaged may send it anywhere. So the old file is read by a
 * child, which may come to grief, and the daemon goes on with the copy that the child made. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.pb-c.h"
#include "store/internal.h"
#include "store/message.h"

#define CPU_MAX_S    20   /* for a tree that has loops */
#define COMMIT_EVERY 2048 /* records: they wait for the commit in memory */

static const MDB_val header_key = {.mv_size = 6, .mv_data = (void *)"header"};

const char *refusal_name(enum refusal r)
{
	static const char *const name[] = {
		NULL, "damaged", "foreign", "of a newer version", "of another boot"};

	return name[r];
}

int header_write(struct environment *e, const struct header *h)
{
	VdState__Header m = VD_STATE__HEADER__INIT;
	void *value;
	size_t len;
	MDB_txn *txn;
	int ret;

	m.schema_major = STORE_SCHEMA_MAJOR;
	m.instance = (char *)h->instance;
	m.boot_id = (char *)h->boot_id;
	m.version = (char *)VIADUCT_VERSION;
	value = message_pack(&m.base, &len);
	if (!value)
		return -ENOMEM;
	ret = environment_errno(mdb_txn_begin(e->env, NULL, 0, &txn));
	if (ret)
		goto cleanup;
	ret = record_put(txn, e->header, &header_key, value, len, 0);
	if (ret)
		mdb_txn_abort(txn);
	else
		ret = environment_errno(mdb_txn_commit(txn));
cleanup:
	free(value);
	return ret;
}

/* ---- what the child does ---- */

__attribute__((format(printf, 3, 4))) static enum refusal refuse(
	struct takeover *t, enum refusal r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->detail, sizeof(t->detail), fmt, ap);
	va_end(ap);
	t->refusal = r;
	return r;
}

static enum refusal check_header(
	struct takeover *t, MDB_txn *txn, MDB_dbi dbi, const struct header *own)
{
	struct arena arena = {0};
	VdState__Header *h;
	const uint8_t *value;
	MDB_val key = header_key, data;
	size_t len;
	int rc = mdb_get(txn, dbi, &key, &data);

	if (rc)
		return refuse(t, REFUSAL_DAMAGED, "no header: %s", mdb_strerror(rc));
	if (record_check(&header_key, &data, &value, &len))
		return refuse(t, REFUSAL_DAMAGED, "the header's checksum is wrong");
	h = message_unpack(&vd_state__header__descriptor, &arena, value, len);
	if (!h)
		return refuse(t, REFUSAL_DAMAGED, "the header cannot be read");
	if (h->schema_major > STORE_SCHEMA_MAJOR)
		return refuse(t, REFUSAL_NEWER,
			"viaductd %.32s wrote it, with schema %u; ours is %u", h->version,
			h->schema_major, STORE_SCHEMA_MAJOR);
	if (strcmp(h->instance, own->instance) != 0)
		return refuse(t, REFUSAL_FOREIGN, "instance \"%.64s\" wrote it", h->instance);
	if (strcmp(h->boot_id, own->boot_id) != 0)
		return refuse(t, REFUSAL_OTHER_BOOT, "nothing of those calls is left");
	return REFUSAL_NONE;
}

struct copying {
	struct takeover *t;
	struct environment *to;
	MDB_txn *txn; /* of to */
	unsigned in_txn;
};

static int copy_commit(struct copying *c)
{
	int rc = c->txn ? mdb_txn_commit(c->txn) : 0;

	c->txn = NULL;
	c->in_txn = 0;
	return environment_errno(rc);
}

static int copy_record(struct copying *c, unsigned kind, const MDB_val *key, const MDB_val *data)
{
	char text[STORE_NAME_MAX + 1];
	struct store_key name;
	const uint8_t *value;
	size_t len;
	int ret = 0;

	if (!record_key_read(&name, text, key)) {
		c->t->damaged++;
		return 0;
	}
	if (record_check(key, data, &value, &len)) {
		if (c->t->damaged++ == 0)
			record_key_show(c->t->detail, sizeof(c->t->detail), kind, name);
		return 0;
	}
	if (!c->txn)
		ret = environment_errno(mdb_txn_begin(c->to->env, NULL, 0, &c->txn));
	if (!ret)
		ret = record_put(c->txn, c->to->kind[kind], key, value, len, MDB_APPEND);
	if (!ret && ++c->in_txn == COMMIT_EVERY)
		ret = copy_commit(c);
	return ret;
}

/* In order and each once, or the tree is not what was written. */
static int copy_kind(struct copying *c, unsigned kind, MDB_txn *from, MDB_dbi dbi)
{
	uint64_t seen = 0;
	MDB_val key, data, before = {0};
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(from, dbi, &cursor), ret = 0;

	if (rc)
		return refuse(c->t, REFUSAL_DAMAGED, "%s", mdb_strerror(rc));
	while (!ret && (rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
		if (seen++ && mdb_cmp(from, dbi, &before, &key) >= 0)
			return refuse(c->t, REFUSAL_DAMAGED, "its records are out of order");
		before = key;
		ret = copy_record(c, kind, &key, &data);
	}
	if (ret) {
		c->t->error = ret;
		return ret;
	}
	if (rc != MDB_NOTFOUND)
		return refuse(c->t, REFUSAL_DAMAGED, "%s", mdb_strerror(rc));
	if (seen != c->t->records[kind])
		return refuse(c->t, REFUSAL_DAMAGED, "%llu of %llu records are found",
			(unsigned long long)seen, (unsigned long long)c->t->records[kind]);
	return 0;
}

static void copy(struct takeover *t, const char *from_path, const char *to_path,
	const struct header *own, uint64_t bytes_max)
{
	struct environment from, to;
	struct copying c = {.t = t, .to = &to};
	MDB_txn *txn;
	MDB_stat stat;
	int ret;

	/* First: where we have no memory or descriptors, it is not the old file's fault. */
	t->error = environment_open(&to, to_path, bytes_max);
	if (t->error)
		return;
	ret = environment_open_to_read(&from, from_path);
	if (!ret)
		ret = environment_errno(mdb_txn_begin(from.env, NULL, MDB_RDONLY, &txn));
	if (ret == -EMFILE || ret == -ENFILE) {
		t->error = ret;
		return;
	}
	if (ret) {
		refuse(t, REFUSAL_DAMAGED, "%s",
			ret == -EUCLEAN ? "it is no store" : strerror(-ret));
		return;
	}
	for (unsigned i = 0; i < STORE_KIND_COUNT; i++) {
		if (from.kind[i] && mdb_stat(txn, from.kind[i], &stat) == 0)
			t->records[i] = stat.ms_entries;
	}
	if (check_header(t, txn, from.header, own))
		return;
	position_get(txn, &from, &t->position);
	t->error = header_write(&to, own);
	for (unsigned i = 0; i < STORE_KIND_COUNT && !t->error; i++) {
		if (from.kind[i] && copy_kind(&c, i, txn, from.kind[i]))
			return;
	}
	if (!t->error)
		t->error = copy_commit(&c);
	if (!t->error)
		t->refusal = REFUSAL_NONE;
}

/* Nothing of a crash here is to look like one of the daemon. */
static void become_expendable(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	const struct rlimit cpu = {CPU_MAX_S, CPU_MAX_S};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], SIG_DFL);
	setrlimit(RLIMIT_CPU, &cpu);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
}

/* ---- and its parent ---- */

int takeover_run(struct takeover *out, const char *from, const char *to, const struct header *own,
	uint64_t bytes_max)
{
	struct takeover *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, ret = 0;
	pid_t pid;

	if (shared == MAP_FAILED)
		return -errno;
	/* So it stands if the child does not come to its end. */
	refuse(shared, REFUSAL_DAMAGED, "reading it fails");
	pid = fork();
	if (pid == 0) {
		become_expendable();
		copy(shared, from, to, own, bytes_max);
		_exit(0);
	}
	if (pid < 0)
		ret = -errno;
	while (!ret && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			ret = -errno;
	}
	*out = *shared;
	out->detail[sizeof(out->detail) - 1] = '\0';
	munmap(shared, sizeof(*shared));
	return ret;
}
