/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/record.h"

#include <errno.h>
#include <stdlib.h>

#include "record/cdr.h"
#include "record/writer.h"

struct record {
	struct writer *writer;
	uint64_t out_of_memory; /* lines lost before they were made */
};

int record_open(struct record **out, const char *path)
{
	struct record *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	ret = writer_open(&r->writer, path, RECORD_QUEUE_MAX);
	if (ret) {
		free(r);
		return ret;
	}
	*out = r;
	return 0;
}

void record_close(struct record *r)
{
	if (!r)
		return;
	writer_close(r->writer);
	free(r);
}

void record_call(void *record, const struct call_record *call)
{
	struct record *r = record;
	char *line = cdr_line(call);

	if (line)
		writer_put(r->writer, line);
	else
		r->out_of_memory++;
}

void record_get_status(struct record *r, struct record_status *out)
{
	struct writer_status status;

	writer_get_status(r->writer, &status);
	out->written = status.written;
	out->lost = status.lost + r->out_of_memory;
	out->queued = status.queued;
}
