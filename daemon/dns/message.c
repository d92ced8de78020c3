/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/message.h"

#include <ares.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADER_BYTES   12 /* RFC 1035 4.1.1 */
#define QUESTION_BYTES 4  /* after its name: type, class */
#define RECORD_BYTES   10 /* after its name: type, class, TTL, length */
#define CLASS_IN       1
#define TTL_MAX_S      0x7fffffffu /* RFC 2181 8: what is larger counts as 0 */
#define SCANNED_MAX    512         /* records of one answer that are looked at at all */

/* A place in the message. */
struct cursor {
	const uint8_t *buf, *at, *end;
};

struct raw_record {
	char name[DNS_HOST_MAX + 1];
	uint16_t type, class;
	uint32_t ttl_s;
	struct cursor data;
};

static uint16_t read16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read32(const uint8_t *p)
{
	return (uint32_t)read16(p) << 16 | read16(p + 2);
}

static size_t left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* A name, compressed or not, without the dot at its end. 0, -EBADMSG, -ENAMETOOLONG, -ENOMEM. */
static int take_name(struct cursor *c, const uint8_t *message_end, char out[DNS_HOST_MAX + 1])
{
	char *text = NULL;
	long used = 0;
	int status, ret = 0;

	if (c->at >= c->end)
		return -EBADMSG;
	status = ares_expand_name(c->at, c->buf, (int)(message_end - c->buf), &text, &used);
	if (status == ARES_ENOMEM)
		return -ENOMEM;
	if (status != ARES_SUCCESS || used < 0 || (size_t)used > left(c))
		ret = -EBADMSG;
	else if (strlen(text) > DNS_HOST_MAX)
		ret = -ENAMETOOLONG;
	else
		strcpy(out, text);
	if (status == ARES_SUCCESS)
		ares_free_string(text);
	if (ret == 0 || ret == -ENAMETOOLONG)
		c->at += used;
	return ret;
}

/* A character-string (RFC 1035 3.3) that fits out, else "". */
static int take_string(struct cursor *c, char *out, size_t room)
{
	size_t n;

	if (left(c) < 1 || left(c) < 1u + c->at[0])
		return -EBADMSG;
	n = c->at[0];
	out[0] = '\0';
	if (n < room && !memchr(c->at + 1, '\0', n)) {
		memcpy(out, c->at + 1, n);
		out[n] = '\0';
	}
	c->at += 1 + n;
	return 0;
}

static int take_record(struct cursor *c, struct raw_record *r)
{
	int ret = take_name(c, c->end, r->name);
	size_t len;

	if (ret == -ENAMETOOLONG)
		r->name[0] = '\0';
	else if (ret)
		return ret;
	if (left(c) < RECORD_BYTES)
		return -EBADMSG;
	r->type = read16(c->at);
	r->class = read16(c->at + 2);
	r->ttl_s = read32(c->at + 4);
	if (r->ttl_s > TTL_MAX_S)
		r->ttl_s = 0;
	len = read16(c->at + 8);
	c->at += RECORD_BYTES;
	if (left(c) < len)
		return -EBADMSG;
	r->data = (struct cursor){c->buf, c->at, c->at + len};
	c->at += len;
	return 0;
}

static int skip_questions(struct cursor *c, unsigned count)
{
	char name[DNS_HOST_MAX + 1];

	while (count--) {
		int ret = take_name(c, c->end, name);

		if (ret && ret != -ENAMETOOLONG)
			return ret;
		if (left(c) < QUESTION_BYTES)
			return -EBADMSG;
		c->at += QUESTION_BYTES;
	}
	return 0;
}

/* RFC 2782 */
static int read_srv(struct message_record *out, struct cursor *d, const uint8_t *end)
{
	if (left(d) < 7)
		return -EBADMSG;
	out->priority = read16(d->at);
	out->weight = read16(d->at + 2);
	out->port = read16(d->at + 4);
	d->at += 6;
	return take_name(d, end, out->target);
}

/* RFC 3403 4.1; a regular expression has no place with SIP's services (RFC 3263 4.1). */
static int read_naptr(struct message_record *out, struct cursor *d, const uint8_t *end)
{
	char regexp[2] = "";
	int ret;

	if (left(d) < 7)
		return -EBADMSG;
	out->order = read16(d->at);
	out->preference = read16(d->at + 2);
	d->at += 4;
	ret = take_string(d, out->flags, sizeof(out->flags));
	if (!ret)
		ret = take_string(d, out->service, sizeof(out->service));
	if (!ret && left(d) && d->at[0] != 0)
		out->service[0] = '\0';
	if (!ret)
		ret = take_string(d, regexp, sizeof(regexp));
	return ret ? ret : take_name(d, end, out->target);
}

static int read_data(struct message_record *out, struct raw_record *r, const uint8_t *end)
{
	struct cursor *d = &r->data;
	size_t bytes = r->type == MESSAGE_A ? 4 : 16;

	memset(out, 0, sizeof(*out));
	if (r->type == MESSAGE_SRV)
		return read_srv(out, d, end);
	if (r->type == MESSAGE_NAPTR)
		return read_naptr(out, d, end);
	if (left(d) != bytes)
		return -EBADMSG;
	out->address.family = r->type == MESSAGE_A ? 4 : 6;
	memcpy(out->address.ip, d->at, bytes);
	return 0;
}

/* RFC 2308 5: the smaller of the SOA's own TTL and its minimum. */
static void note_soa(struct message *out, struct raw_record *r, const uint8_t *end)
{
	char name[DNS_HOST_MAX + 1];
	uint32_t minimum;

	for (int i = 0; i < 2; i++) {
		int ret = take_name(&r->data, end, name);

		if (ret && ret != -ENAMETOOLONG)
			return;
	}
	if (left(&r->data) < 20)
		return;
	minimum = read32(r->data.at + 16);
	out->negative_ttl_s = minimum < r->ttl_s ? minimum : r->ttl_s;
}

/* One pass over the answers: takes what belongs to name, or, where that is an alias, writes what it
 * stands for into name. 1: another pass. */
static int scan(struct message *out, struct cursor c, unsigned answers, char name[DNS_HOST_MAX + 1],
	enum message_type type)
{
	char alias[DNS_HOST_MAX + 1] = "";
	uint32_t alias_ttl_s = 0;
	struct raw_record r;
	int ret;

	for (unsigned i = 0; i < answers; i++) {
		ret = take_record(&c, &r);
		if (ret)
			return ret;
		if (r.class != CLASS_IN || strcasecmp(r.name, name) != 0)
			continue;
		if (r.type == MESSAGE_CNAME && !alias[0]) {
			ret = take_name(&r.data, c.end, alias);
			if (ret)
				return ret == -ENAMETOOLONG ? -EBADMSG : ret;
			alias_ttl_s = r.ttl_s;
		} else if (r.type == type && out->count < MESSAGE_RECORDS_MAX) {
			ret = read_data(&out->record[out->count], &r, c.end);
			if (ret == -ENAMETOOLONG)
				continue;
			if (ret)
				return ret;
			out->count++;
			if (r.ttl_s < out->ttl_s)
				out->ttl_s = r.ttl_s;
		}
	}
	if (out->count || !alias[0])
		return 0;
	strcpy(name, alias);
	if (alias_ttl_s < out->ttl_s)
		out->ttl_s = alias_ttl_s;
	return 1;
}

int message_read(struct message *out, const uint8_t *buf, size_t len, const char *name,
	enum message_type type)
{
	struct cursor c = {buf, buf, buf + len};
	char now[DNS_HOST_MAX + 1];
	unsigned questions, answers, authorities;
	struct raw_record r;
	int ret, steps = 0;

	out->count = 0;
	out->ttl_s = out->negative_ttl_s = UINT32_MAX;
	if (len < HEADER_BYTES || len > INT16_MAX * 2 + 1 || strlen(name) > DNS_HOST_MAX)
		return -EBADMSG;
	questions = read16(buf + 4);
	answers = read16(buf + 6);
	authorities = read16(buf + 8);
	if (questions > SCANNED_MAX || answers > SCANNED_MAX || authorities > SCANNED_MAX)
		return -EBADMSG;
	c.at += HEADER_BYTES;
	ret = skip_questions(&c, questions);
	if (ret)
		return ret;
	strcpy(now, name);
	do
		ret = scan(out, c, answers, now, type);
	while (ret == 1 && ++steps < MESSAGE_CNAMES_MAX);
	if (ret == 1)
		return -ELOOP;
	if (ret || out->count)
		return ret;
	for (unsigned i = 0; i < answers + authorities; i++) {
		if (take_record(&c, &r))
			break;
		if (i >= answers && r.class == CLASS_IN && r.type == MESSAGE_SOA)
			note_soa(out, &r, c.end);
	}
	return 0;
}
