/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a test's files are: under TMPDIR, so that those of a test that was killed go with it. */
#ifndef TEST_TMP_H
#define TEST_TMP_H

#include <stdio.h>
#include <stdlib.h>

/* A template for mkstemp(3) and mkdtemp(3), which refuse one that was cut. */
static inline char *tmp_template(char *buf, size_t size, const char *name)
{
	const char *dir = getenv("TMPDIR");

	snprintf(buf, size, "%s/viaduct-%s-XXXXXX", dir && *dir ? dir : "/tmp", name);
	return buf;
}

#endif
