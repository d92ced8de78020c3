/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/rewrite.h"

#include <inttypes.h>
#include <string.h>

/* Would reveal the other leg, or lead media past us: ICE (RFC 8839) and its kin, alternative
 * addresses (RFC 6947, RFC 7006, 3GPP TS 29.079), filters by source (RFC 4570), streams that sit on
 * another's port (RFC 8843), DTLS keys (RFC 8122: DTLS does not pass the data plane). */
static const char *const removed[] = {
	"candidate",
	"remote-candidates",
	"end-of-candidates",
	"ice-ufrag",
	"ice-pwd",
	"ice-options",
	"ice-lite",
	"ice-mismatch",
	"ice-pacing",
	"ice2",
	"source-filter",
	"bundle-only",
	"fingerprint",
	"setup",
	"connection",
	"tls-id",
	"dtls-id",
	"altc",
	"ccap",
	"visited-realm",
	"secondary-realm",
	"omr-m-cksum",
	"omr-s-cksum",
	"omr-codecs",
	"omr-m-att",
	"omr-s-att",
	"omr-m-bw",
	"omr-s-bw",
	"rtcp-mux-only",
	"rtcp-candidate",
};

static void add_text(struct strbuf *out, struct sdp_text text)
{
	strbuf_addn(out, text.s, text.len);
}

static void add_line(struct strbuf *out, const struct sdp_line *line)
{
	char head[2] = {line->type, '='};

	strbuf_addn(out, head, sizeof(head));
	add_text(out, line->value);
	strbuf_add(out, "\r\n");
}

static const char *address_type(const struct addr *a)
{
	return a->family == 6 ? "IP6" : "IP4";
}

static void add_connection(struct strbuf *out, const struct addr *a, bool no_address)
{
	char ip[ADDR_TEXT_MAX];

	if (no_address) {
		strbuf_addf(
			out, "c=IN %s %s\r\n", address_type(a), a->family == 6 ? "::" : "0.0.0.0");
		return;
	}
	strbuf_addf(out, "c=IN %s %s\r\n", address_type(a), addr_print_ip(a, ip));
}

/* a=ssrc:1 cname:user@host (RFC 5576 6.1): a canonical name of RFC 3550's kind tells the address
 * that the other leg sends from; a random one (RFC 7022) has none of these characters. */
static bool is_telling_cname(struct sdp_text value)
{
	const char *cname = memmem(value.s, value.len, " cname:", 7);

	if (!cname)
		return false;
	for (const char *c = cname + 7; c < value.s + value.len; c++) {
		if (*c == '@' || *c == '.' || *c == ':')
			return true;
	}
	return false;
}

static bool is_removed(const struct sdp_line *line)
{
	struct sdp_text value, word;

	if (line->type == 'k') /* RFC 8866 5.12: keys in the clear, obsolete */
		return true;
	if (line->type != 'a')
		return false;
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
		if (sdp_line_is_attribute(line, removed[i], NULL))
			return true;
	}
	if (sdp_line_is_attribute(line, "ssrc", &value) && is_telling_cname(value))
		return true;
	return sdp_line_is_attribute(line, "group", &value) && sdp_text_word(&value, &word) &&
	       sdp_text_equal(word, "BUNDLE");
}

static void write_session(struct strbuf *out, const struct sdp *in, const struct addr *address,
	uint64_t session_id, uint64_t version)
{
	bool connection = false;
	char ip[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < in->session_end; i++) {
		const struct sdp_line *line = &in->line[i];

		if (line->type == 'o') {
			strbuf_addf(out, "o=- %" PRIu64 " %" PRIu64 " IN %s %s\r\n", session_id,
				version, address_type(address), addr_print_ip(address, ip));
		} else if (line->type == 'c') {
			if (!connection)
				add_connection(out, address, false);
			connection = true;
		} else if (!is_removed(line) && !sdp_line_is_attribute(line, "rtcp", NULL)) {
			add_line(out, line);
		}
	}
}

/* What a number of this m-line is written as; -1 = its format was taken out. */
static int number_written(const struct rewrite_media *m, unsigned long number)
{
	for (unsigned i = 0; i < m->payload_count; i++) {
		if (m->payload[i].number == number)
			return m->written ? m->written[i] : m->payload[i].number;
	}
	return -1;
}

static void write_media_line(
	struct strbuf *out, const struct sdp_media *in, const struct rewrite_media *m)
{
	strbuf_add(out, "m=");
	add_text(out, in->kind);
	strbuf_addf(out, " %u ", m->rejected ? 0 : m->address.port);
	add_text(out, in->proto);
	if (in->format_count == 0)
		strbuf_add(out, " 0");
	if (m->filter && !m->rejected) {
		for (unsigned i = 0; i < m->payload_count; i++)
			strbuf_addf(out, " %d", number_written(m, m->payload[i].number));
	} else {
		for (unsigned i = 0; i < in->format_count; i++) {
			strbuf_add(out, " ");
			add_text(out, in->format[i]);
		}
	}
	strbuf_add(out, "\r\n");
}

/* a=rtpmap, fmtp and rtcp-fb begin with the number of their format. True when it was dealt with. */
static bool write_of_format(
	struct strbuf *out, const struct sdp_line *line, const struct rewrite_media *m)
{
	static const char *const names[] = {"rtpmap", "fmtp", "rtcp-fb"};

	for (unsigned i = 0; m->filter && i < sizeof(names) / sizeof(names[0]); i++) {
		struct sdp_text rest, word;
		unsigned long number;
		int written;

		if (!sdp_line_is_attribute(line, names[i], &rest))
			continue;
		if (!sdp_text_word(&rest, &word) || sdp_text_number(word, 127, &number))
			return false; /* "*" is for all of them */
		written = number_written(m, number);
		if (written < 0)
			return true;
		strbuf_addf(out, "a=%s:%d", names[i], written);
		add_text(out, rest);
		strbuf_add(out, "\r\n");
		return true;
	}
	return false;
}

static void write_rtcp(
	struct strbuf *out, const struct sdp_media *in, const struct rewrite_media *m)
{
	char ip[ADDR_TEXT_MAX];

	strbuf_addf(out, "a=rtcp:%u", m->address.port + (m->muxed ? 0 : 1));
	if (in->rtcp_connection.present)
		strbuf_addf(out, " IN %s %s", address_type(&m->address),
			addr_print_ip(&m->address, ip));
	strbuf_add(out, "\r\n");
}

static void write_media(struct strbuf *out, const struct sdp *in, const struct sdp_media *media,
	const struct addr *session_address, const struct rewrite_media *m)
{
	const struct addr *address = m->rejected ? session_address : &m->address;
	bool connection = media->own_connection || !in->connection.present || m->no_address ||
			  !addr_equal_ip(address, session_address);
	bool rtcp = false;
	enum sdp_direction ignored;
	unsigned i = media->first + 1;

	write_media_line(out, media, m);
	/* RFC 8866 9: i= comes before c=. */
	for (; !m->rejected && i < media->end && in->line[i].type == 'i'; i++)
		add_line(out, &in->line[i]);
	if (connection)
		add_connection(out, address, m->no_address && !m->rejected);
	for (; !m->rejected && i < media->end; i++) {
		const struct sdp_line *line = &in->line[i];

		if (line->type == 'c' || is_removed(line) || write_of_format(out, line, m))
			continue;
		if (m->set_direction && sdp_line_is_direction(line, &ignored))
			continue;
		if (sdp_line_is_attribute(line, "rtcp-mux", NULL) && !m->keep_mux)
			continue;
		if (sdp_line_is_attribute(line, "rtcp", NULL)) {
			if (!rtcp)
				write_rtcp(out, media, m);
			rtcp = true;
			continue;
		}
		add_line(out, line);
	}
	if (m->set_direction && !m->rejected)
		strbuf_addf(out, "a=%s\r\n", sdp_direction_name(m->direction));
}

void rewrite_sdp(struct strbuf *out, const struct sdp *in, const struct addr *address,
	uint64_t session_id, uint64_t version, const struct rewrite_media *media)
{
	write_session(out, in, address, session_id, version);
	for (unsigned i = 0; i < in->media_count; i++)
		write_media(out, in, &in->media[i], address, &media[i]);
}
