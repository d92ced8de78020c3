/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/record.h"

#include <errno.h>
#include <stdlib.h>

#include "record/cdr.h"
#include "record/writer.h"

struct record {
	struct writer *writer;
	bool is_kept;           /* there is a file */
	uint64_t out_of_memory; /* lines lost before they were made */
};

int record_open(struct record **out, const char *path, const char *journal)
{
	struct record *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	ret = writer_open(&r->writer, path, journal, RECORD_QUEUE_MAX);
	if (ret) {
		free(r);
		return ret;
	}
	r->is_kept = *path;
	*out = r;
	return 0;
}

int record_set_path(struct record *r, const char *path)
{
	int ret = *path ? writer_set_path(r->writer, path) : 0;

	if (!ret)
		r->is_kept = *path;
	return ret;
}

void record_close(struct record *r, bool remove)
{
	if (!r)
		return;
	writer_close(r->writer, remove);
	free(r);
}

void record_call(void *record, const struct call_record *call)
{
	struct record *r = record;
	char *line = r->is_kept ? cdr_line(call) : NULL;

	if (r->is_kept && !line)
		r->out_of_memory++;
	writer_put(r->writer, call->id, call->setup_ms, line);
	free(line);
}

bool record_had(void *record, uint64_t id, uint64_t setup_ms)
{
	const struct record *r = record;

	return writer_had(r->writer, id, setup_ms);
}

bool record_is_kept(const struct record *r)
{
	return r->is_kept;
}

bool record_get_status(struct record *r, struct record_status *out)
{
	struct writer_status status;

	writer_get_status(r->writer, &status);
	out->written = status.written;
	out->lost = status.lost + r->out_of_memory;
	out->queued = status.queued;
	return r->is_kept;
}
