/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory for records: their file, where that is moved to, and the journal. */
#ifndef TEST_RECORD_PLACE_H
#define TEST_RECORD_PLACE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test_tmp.h"

struct place {
	char dir[64], file[96], moved[96], journal[96];
};

static inline int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	if (!mkdtemp(tmp_template(p->dir, sizeof(p->dir), "record")))
		return -1;
	snprintf(p->journal, sizeof(p->journal), "%s/one.records", p->dir);
	snprintf(p->file, sizeof(p->file), "%s/cdr.json", p->dir);
	snprintf(p->moved, sizeof(p->moved), "%s/cdr.json.1", p->dir);
	*state = p;
	return 0;
}

static inline int teardown(void **state)
{
	struct place *p = *state;
	int ret;

	unlink(p->file);
	unlink(p->moved);
	unlink(p->journal);
	ret = rmdir(p->dir);
	free(p);
	return ret;
}

#endif
