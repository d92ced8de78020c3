/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/sdp.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define PORT_MAX       65535
#define PORT_COUNT_MAX 255
#define CASE_BIT       0x20 /* by which an ASCII letter and its capital differ */

static const char *const direction_names[] = {
	[SDP_SENDRECV] = "sendrecv",
	[SDP_SENDONLY] = "sendonly",
	[SDP_RECVONLY] = "recvonly",
	[SDP_INACTIVE] = "inactive",
};

const char *sdp_direction_name(enum sdp_direction direction)
{
	return direction_names[direction];
}

bool sdp_text_equal(struct sdp_text text, const char *with)
{
	return strlen(with) == text.len && strncasecmp(text.s, with, text.len) == 0;
}

static bool text_starts_with(struct sdp_text text, const char *with)
{
	size_t n = strlen(with);

	return text.len >= n && strncasecmp(text.s, with, n) == 0;
}

static bool text_contains(struct sdp_text text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.len; i++) {
		if (strncasecmp(text.s + i, part, n) == 0)
			return true;
	}
	return false;
}

bool sdp_text_word(struct sdp_text *rest, struct sdp_text *word)
{
	const char *space;

	while (rest->len && *rest->s == ' ') {
		rest->s++;
		rest->len--;
	}
	if (!rest->len)
		return false;
	space = memchr(rest->s, ' ', rest->len);
	word->s = rest->s;
	word->len = space ? (size_t)(space - rest->s) : rest->len;
	rest->s += word->len;
	rest->len -= word->len;
	return true;
}

int sdp_text_number(struct sdp_text text, unsigned long max, unsigned long *number)
{
	unsigned long v = 0;

	if (text.len == 0 || text.len > 9)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] < '0' || text.s[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(text.s[i] - '0');
	}
	if (v > max)
		return -EINVAL;
	*number = v;
	return 0;
}

void sdp_text_copy(char *buf, size_t room, struct sdp_text text)
{
	size_t n = text.len < room ? text.len : room - 1;

	memcpy(buf, text.s, n);
	buf[n] = '\0';
}

bool sdp_line_is_attribute(const struct sdp_line *line, const char *name, struct sdp_text *value)
{
	size_t n;

	/* Most names asked for differ in their first letter: that is cheaper than a call. */
	if (line->type != 'a' || !line->value.len || ((line->value.s[0] ^ *name) & ~CASE_BIT))
		return false;
	if (!text_starts_with(line->value, name))
		return false;
	n = strlen(name);
	if (line->value.len > n && line->value.s[n] != ':')
		return false;
	if (value) {
		size_t skip = line->value.len > n ? n + 1 : n;

		value->s = line->value.s + skip;
		value->len = line->value.len - skip;
	}
	return true;
}

bool sdp_line_is_direction(const struct sdp_line *line, enum sdp_direction *direction)
{
	for (unsigned i = 0; i < sizeof(direction_names) / sizeof(direction_names[0]); i++) {
		if (line->type == 'a' && sdp_text_equal(line->value, direction_names[i])) {
			*direction = (enum sdp_direction)i;
			return true;
		}
	}
	return false;
}

static bool is_multicast(const struct addr *ip)
{
	return ip->family == 4 ? ip->ip[0] >= 224 : ip->ip[0] == 0xff;
}

/* RFC 8866 5.7: <nettype> <addrtype> <connection-address>; the address may be a name, and a
 * multicast one carries "/ttl" and "/count". */
static int parse_connection(struct sdp_connection *c, struct sdp_text rest)
{
	struct sdp_text net, type, address;
	const char *slash;

	memset(c, 0, sizeof(*c));
	if (!sdp_text_word(&rest, &net) || !sdp_text_word(&rest, &type) ||
		!sdp_text_word(&rest, &address) || !sdp_text_equal(net, "IN"))
		return -EINVAL;
	if (!sdp_text_equal(type, "IP4") && !sdp_text_equal(type, "IP6"))
		return -EINVAL;
	c->present = true;
	slash = memchr(address.s, '/', address.len);
	if (slash)
		address.len = (size_t)(slash - address.s);
	if (addr_parse_ip(&c->ip, address.s, address.len)) {
		/* Not a literal: a name, unless it can only be a mistyped address. */
		for (size_t i = 0; i < address.len; i++) {
			if (!isalnum((unsigned char)address.s[i]) && address.s[i] != '.' &&
				address.s[i] != '-')
				return -EINVAL;
		}
		return address.len ? 0 : -EINVAL;
	}
	if (c->ip.family != (sdp_text_equal(type, "IP4") ? 4 : 6))
		return -EINVAL;
	c->is_any = addr_is_any(&c->ip);
	c->is_reachable = !c->is_any && !is_multicast(&c->ip);
	return 0;
}

/* RFC 3605 2.1: a=rtcp:port [nettype addrtype address] */
static int parse_rtcp(struct sdp_media *m, struct sdp_text rest)
{
	struct sdp_text word;
	unsigned long port;

	if (!sdp_text_word(&rest, &word) || sdp_text_number(word, PORT_MAX, &port))
		return -EINVAL;
	m->rtcp_port = (uint16_t)port;
	return rest.len > 1 ? parse_connection(&m->rtcp_connection, rest) : 0;
}

static enum sdp_transport transport_of(struct sdp_text proto)
{
	if (text_starts_with(proto, "RTP/"))
		return SDP_TRANSPORT_RTP;
	if (sdp_text_equal(proto, "udptl"))
		return SDP_TRANSPORT_UDPTL;
	return SDP_TRANSPORT_OTHER;
}

/* RFC 8866 5.14: <media> <port>["/"<number of ports>] <proto> <fmt> ... */
static int parse_media_line(struct sdp_media *m, struct sdp_text rest)
{
	struct sdp_text port, count = {0}, word;
	unsigned long number;
	const char *slash;

	if (!sdp_text_word(&rest, &m->kind) || !sdp_text_word(&rest, &port) ||
		!sdp_text_word(&rest, &m->proto))
		return -EINVAL;
	slash = memchr(port.s, '/', port.len);
	m->port_count = 1;
	if (slash) {
		count.s = slash + 1;
		count.len = port.len - (size_t)(slash + 1 - port.s);
		port.len = (size_t)(slash - port.s);
		if (sdp_text_number(count, PORT_COUNT_MAX, &number) || number == 0)
			return -EINVAL;
		m->port_count = (unsigned)number;
	}
	if (sdp_text_number(port, PORT_MAX, &number))
		return -EINVAL;
	m->port = (uint16_t)number;
	m->transport = transport_of(m->proto);
	m->secure = text_contains(m->proto, "SAVP");
	m->savp = m->secure;
	while (sdp_text_word(&rest, &word)) {
		if (m->format_count == SDP_FORMATS_MAX)
			return -EINVAL;
		if (m->transport == SDP_TRANSPORT_RTP && m->port &&
			sdp_text_number(word, 127, &number))
			return -EINVAL;
		m->format[m->format_count++] = word;
	}
	return m->format_count || m->port == 0 ? 0 : -EINVAL;
}

/* Splits into lines. */
static int split(struct sdp *sdp, const char *text, size_t len)
{
	const char *end = text + len;
	bool ended = false;

	sdp->line_count = 0;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline ? newline : end;
		size_t n;

		if (newline && stop > text && stop[-1] == '\r')
			stop--;
		n = (size_t)(stop - text);
		if (n == 0) {
			ended = true;
		} else {
			if (ended || n < 2 || text[1] != '=' || text[0] < 'a' || text[0] > 'z' ||
				n - 2 > SDP_LINE_MAX || sdp->line_count == SDP_LINES_MAX)
				return -EINVAL;
			for (const char *p = text; p < stop; p++) {
				if ((unsigned char)*p < 0x20 && *p != '\t')
					return -EINVAL;
			}
			sdp->line[sdp->line_count++] = (struct sdp_line){
				.type = text[0], .value = {.s = text + 2, .len = n - 2}};
		}
		text = newline ? newline + 1 : end;
	}
	return 0;
}

static int parse_session(struct sdp *sdp, enum sdp_direction *direction)
{
	bool has_origin = false, has_direction = false;
	enum sdp_direction d;

	for (unsigned i = 0; i < sdp->session_end; i++) {
		const struct sdp_line *line = &sdp->line[i];

		if (line->type == 'v' && (i != 0 || !sdp_text_equal(line->value, "0")))
			return -EINVAL;
		if (line->type == 'o') {
			if (has_origin)
				return -EINVAL;
			has_origin = true;
		}
		if (line->type == 'c' && !sdp->connection.present &&
			parse_connection(&sdp->connection, line->value))
			return -EINVAL;
		if (!has_direction && sdp_line_is_direction(line, &d)) {
			*direction = d;
			has_direction = true;
		}
	}
	return has_origin ? 0 : -EINVAL;
}

static int parse_media(const struct sdp *sdp, struct sdp_media *m, enum sdp_direction direction)
{
	bool has_direction = false;
	struct sdp_text value;
	enum sdp_direction d;

	m->connection = sdp->connection;
	m->direction = direction;
	for (unsigned i = m->first + 1; i < m->end; i++) {
		const struct sdp_line *line = &sdp->line[i];

		if (line->type == 'v' || line->type == 'o')
			return -EINVAL;
		if (line->type == 'c' && !m->own_connection) {
			m->own_connection = true;
			if (parse_connection(&m->connection, line->value))
				return -EINVAL;
		}
		if (!has_direction && sdp_line_is_direction(line, &d)) {
			m->direction = d;
			has_direction = true;
		}
		if (sdp_line_is_attribute(line, "rtcp-mux", NULL))
			m->rtcp_mux = true;
		if (sdp_line_is_attribute(line, "crypto", NULL))
			m->secure = true;
		if (m->port && m->rtcp_port == 0 && sdp_line_is_attribute(line, "rtcp", &value) &&
			parse_rtcp(m, value))
			return -EINVAL;
	}
	return m->port == 0 || m->connection.present ? 0 : -EINVAL;
}

/* A secure RTP profile whose keys come by DTLS (RFC 5763) and not by a=crypto. */
static bool keys_by_dtls(const struct sdp *sdp, const struct sdp_media *m)
{
	bool fingerprint = false;

	if (m->transport != SDP_TRANSPORT_RTP || !text_contains(m->proto, "SAVP"))
		return false;
	for (unsigned i = 0; i < m->end; i++) {
		if (i == sdp->session_end)
			i = m->first;
		if (sdp_line_is_attribute(&sdp->line[i], "crypto", NULL))
			return false;
		if (sdp_line_is_attribute(&sdp->line[i], "fingerprint", NULL))
			fingerprint = true;
	}
	return fingerprint;
}

int sdp_parse(struct sdp *sdp, const char *text, size_t len)
{
	enum sdp_direction direction = SDP_SENDRECV;
	int ret;

	memset(&sdp->connection, 0, sizeof(sdp->connection));
	sdp->media_count = 0;
	if (len == 0 || len > MEDIA_SDP_MAX)
		return -EINVAL;
	ret = split(sdp, text, len);
	if (ret)
		return ret;
	if (sdp->line_count == 0 || sdp->line[0].type != 'v')
		return -EINVAL;
	sdp->session_end = sdp->line_count;
	for (unsigned i = 0; i < sdp->line_count; i++) {
		struct sdp_media *m;

		if (sdp->line[i].type != 'm')
			continue;
		if (sdp->media_count == MEDIA_STREAMS_MAX)
			return -EPROTONOSUPPORT;
		if (sdp->media_count == 0)
			sdp->session_end = i;
		else
			sdp->media[sdp->media_count - 1].end = i;
		m = &sdp->media[sdp->media_count++];
		memset(m, 0, sizeof(*m));
		m->first = i;
		m->end = sdp->line_count;
		ret = parse_media_line(m, sdp->line[i].value);
		if (ret)
			return ret;
	}
	ret = parse_session(sdp, &direction);
	for (unsigned i = 0; i < sdp->media_count && !ret; i++) {
		struct sdp_media *m = &sdp->media[i];

		ret = parse_media(sdp, m, direction);
		m->dtls = keys_by_dtls(sdp, m);
		if (m->dtls)
			m->transport = SDP_TRANSPORT_OTHER;
	}
	return ret;
}
