/* SPDX-License-Identifier: BSD-2-Clause */
/* See records.h. */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "records.h"

/* Where the user has changed, the file, or its directory, is still of the one before. It is not
 * ours to give: the directory may be anybody's. */
static void tell_error(const char *path, int error)
{
	char dir[PATH_MAX];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	if (error == -EACCES && stat(path, &st) == 0 && st.st_uid != geteuid())
		log_error(
			"records: %s belongs to user %u, and user %u may not append to it: give it "
			"to that one with chown, or name another file",
			path, st.st_uid, geteuid());
	else if (error == -EACCES && stat(dirname(dir), &st) == 0 && st.st_uid != geteuid())
		log_error("records: %s: its directory belongs to user %u, and user %u may not "
			  "write there: give it to that one with chown, or name another file",
			path, st.st_uid, geteuid());
	else
		log_error("records: %s: %s", path, strerror(-error));
}

static int journal_path(const struct config *cfg, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s.records", cfg->state_dir, cfg->instance);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int records_open(struct record **out, const struct config *cfg)
{
	char journal[PATH_MAX];
	int ret = journal_path(cfg, journal);

	if (!ret)
		ret = record_open(out, cfg->records_file, journal);
	if (ret)
		tell_error(cfg->records_file, ret);
	return ret;
}

void records_move(struct record *record, const char *from, const char *to)
{
	int ret = strcmp(from, to) == 0 ? 0 : record_set_path(record, to);

	if (!ret)
		return;
	tell_error(to, ret);
	if (*from)
		log_warn("records: they still go to %s", from);
}
