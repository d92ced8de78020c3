/* SPDX-License-Identifier: BSD-2-Clause */
/* Valid messages, damaged at random, through guards, parser and transactions: whatever comes, no
 * crash and no leak (run it with SAN=1). VIADUCT_SEED=N repeats a run. */
#include "test_sip_loopback.h"

#include "base/log.h"

#define PARSED   100000
#define RECEIVED 20000
#define DAMAGES  4
#define BUF_MAX  8192

static const char *const valid[] = {
	"INVITE sip:100@192.0.2.1;transport=tcp SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK74bf9;rport, SIP/2.0/TCP [2001:db8::9]:5060"
	";branch=z9hG4bKx\r\n"
	"Max-Forwards: 70\r\n"
	"From: \"Alice \\\"A\\\"\" <sip:1@127.0.0.1:5070>;tag=9fxced76sl\r\n"
	"To: Bob <sip:100@192.0.2.1>\r\n"
	"Call-ID: 3848276298220188511@127.0.0.1\r\n"
	"CSeq: 2 INVITE\r\n"
	"Contact: <sip:1@127.0.0.1:5070;transport=udp>;expires=60\r\n"
	"Record-Route: <sip:p1@192.0.2.9;lr>, <sip:p2@[2001:db8::5];lr>\r\n"
	"Allow: INVITE, ACK, CANCEL, BYE\r\n"
	"Supported: 100rel, timer\r\n"
	"P-Asserted-Identity: <tel:+15551234>\r\n"
	"Authorization: Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"sip:d\", "
	"response=\"e\"\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: 109\r\n\r\n"
	"v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	"m=audio 4000 RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\n",
	"OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
	"v: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKo1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\n"
	"i: x@y\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 1\r\nSubject: folded\r\n  line\r\nl: 0\r\n\r\n",
	"BYE tel:+15551234;phone-context=x SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKb1\r\nFrom: <sip:a@b>;tag=1\r\n"
	"To: <sip:c@d>;tag=2\r\nCall-ID: x@y\r\nCSeq: 9 BYE\r\nMax-Forwards: 70\r\n"
	"Route: <sip:e@f;lr>\r\nReason: Q.850;cause=16\r\n\r\n",
	"CANCEL sip:100@192.0.2.1 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK74bf9;rport\r\nFrom: <sip:a@b>;tag=1\r\n"
	"To: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 2 CANCEL\r\nContent-Length: 0\r\n\r\n",
	"ACK sip:100@192.0.2.1 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK74bf9;rport\r\nFrom: <sip:a@b>;tag=1\r\n"
	"To: <sip:c@d>;tag=3\r\nCall-ID: x@y\r\nCSeq: 2 ACK\r\nContent-Length: 0\r\n\r\n",
	"SIP/2.0 200 OK\r\n"
	"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKr1;received=127.0.0.1;rport=5060\r\n"
	"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\n"
	"Contact: <sip:c@[2001:db8::7]:5060>\r\nWWW-Authenticate: Digest realm=\"r\", "
	"nonce=\"n\"\r\n"
	"Content-Type: multipart/mixed;boundary=\"b\"\r\nContent-Length: 0\r\n\r\n",
};

static const char *const pieces[] = {"\r\n", "\r\n\r\n", "\n", "\r", ":", ";", ",", "\"", "<", ">",
	"\\", "=", "@", "[", "]", "%00", "\t", " ", "-1", "0", "4294967296",
	"99999999999999999999999999", "sip:", "tel:", "SIP/2.0",
	"Via: ", "Content-Length: ", "CSeq: ", "\xff\xfe", "To: x\r\n", ";tag=", "INVITE", "*",
	"\r\n "};

static uint64_t seed;

/* xorshift64* (Vigna) */
static uint32_t random_below(uint32_t n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 2685821657736338717u) >> 33) % n;
}

static void replace(char *buf, size_t *len, size_t at, size_t cut, const char *with, size_t n)
{
	if (*len - cut + n > BUF_MAX)
		return;
	memmove(buf + at + n, buf + at + cut, *len - at - cut);
	memcpy(buf + at, with, n);
	*len = *len - cut + n;
}

static void damage(char *buf, size_t *len)
{
	size_t at = *len ? random_below((uint32_t)*len) : 0, left = *len - at;
	size_t some = left ? random_below((uint32_t)(left < 64 ? left : 64)) : 0;
	const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
	char copy[64], byte = (char)random_below(256);

	switch (random_below(6)) {
	case 0:
		if (left)
			buf[at] = byte;
		break;
	case 1:
		replace(buf, len, at, some, "", 0);
		break;
	case 2:
		memcpy(copy, buf + at, some);
		replace(buf, len, at, 0, copy, some);
		break;
	case 3:
		replace(buf, len, at, 0, piece, strlen(piece));
		break;
	case 4:
		replace(buf, len, at, some, piece, strlen(piece));
		break;
	default:
		*len = at;
	}
}

static size_t make_damaged(char *buf)
{
	const char *text = valid[random_below(sizeof(valid) / sizeof(valid[0]))];
	size_t len = strlen(text);

	memcpy(buf, text, len);
	for (uint32_t i = 1 + random_below(DAMAGES); i; i--)
		damage(buf, &len);
	return len;
}

/* On the heap at its exact size, so that reading past the end is seen. */
static char *exact(const char *buf, size_t len)
{
	char *out = malloc(len ? len : 1);

	memcpy(out, buf, len);
	return out;
}

static void assert_printed_as_by_the_library(osip_message_t *msg)
{
	char *ours = NULL, *theirs = NULL;
	size_t ours_len, theirs_len;
	int ret = message_print(msg, &ours, &ours_len);

	osip_message_force_update(msg);
	assert_int_equal(osip_message_to_str(msg, &theirs, &theirs_len) != 0, ret != 0);
	if (!ret) {
		assert_int_equal(ours_len, theirs_len);
		assert_memory_equal(ours, theirs, ours_len + 1);
	}
	osip_free(ours);
	osip_free(theirs);
}

static void parse_one(const char *buf, size_t len)
{
	static struct raw raw;
	const char *reason;
	osip_message_t *msg, *clone;
	struct guard g;

	guard_raw(&g, &raw, buf, len, random_below(2));
	if (g.code)
		return;
	assert_true(g.len <= len);
	assert_int_equal(osip_message_init(&msg), 0);
	if (osip_message_parse(msg, buf, g.len) == 0 && guard_parsed(msg, &reason) == 0) {
		assert_int_equal(via_set_received(osip_list_get(&msg->vias, 0),
					 &(struct addr){.family = 4, .port = 9}),
			0);
		if (osip_message_clone(msg, &clone) == 0)
			osip_message_free(clone);
		assert_printed_as_by_the_library(msg);
	}
	osip_message_free(msg);
}

static void test_damaged_messages_pass_guards_and_parser_unharmed(void **state)
{
	static char buf[BUF_MAX + 64];

	(void)state;
	for (unsigned i = 0; i < PARSED; i++) {
		size_t len = make_damaged(buf);
		char *text = exact(buf, len);

		parse_one(text, len);
		free(text);
	}
}

static void test_damaged_messages_leave_the_transactions_as_they_were(void **state)
{
	static char buf[BUF_MAX + 64];
	struct world w;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < RECEIVED; i++) {
		struct flow flow = {
			.listener = 0, .transport = TRANSPORT_UDP, .remote = w.peer_addr};
		size_t len = make_damaged(buf);
		char *text = exact(buf, len);

		w.reply_code = random_below(2) ? 486 : 200;
		receive_message(w.sip, &flow, text, len, false);
		free(text);
		if (i % 64 == 0)
			run_ms(&w, 1);
	}
	run_ms(&w, TIMEOUT_MS + 200);
	assert_int_equal(w.sip->status.transactions, 0);
	assert_int_equal(w.sip->remnant_count, 0);
	assert_int_equal(w.server_gone, w.requests);
	assert_true(w.requests > 0);
	world_close(&w);
}

static int setup(void **state)
{
	const char *wish = getenv("VIADUCT_SEED");

	(void)state;
	seed = wish ? strtoull(wish, NULL, 0) : ((uint64_t)time(NULL) << 16 | (uint64_t)getpid());
	seed |= 1;
	print_message("VIADUCT_SEED=%llu\n", (unsigned long long)seed);
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	log_set_level(LOG_LEVEL_ERROR);
	return parser_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged_messages_pass_guards_and_parser_unharmed),
		cmocka_unit_test(test_damaged_messages_leave_the_transactions_as_they_were),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
