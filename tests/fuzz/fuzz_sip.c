/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of peers through guards, parser, transactions and calls, on the null data plane.
 *
 * A record is one message: its first byte says whose (a, b or c: A, B and C of the call tests'
 * world), the rest is its text. Where it is none of these the record as a whole is a message of
 * A's. In a text $v, $f, $t, $i, $n, $m and $u stand for the Via, From, To, Call-ID, CSeq number,
 * CSeq method and URI of Contact of the last message that this peer got, so that an input can
 * answer what it cannot know. A record that begins with w lets timers run. */
#include "fuzz.h"

#include "../unit/test_call_world.h"

#define MESSAGE_MAX 65535
#define WAIT_MS     (T1_MS + 2)
#define WAITS_MAX   3 /* of an input */

static struct world w;
static char got[PEERS][MESSAGE_MAX + 1]; /* the last message of each */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	world_open_with(&w, "limits: {calls: 16}\n"); /* small tables: made for each input */
	calls_free(w.calls);
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

/* ---- what peers get ---- */

/* What we send as a request is beyond reproach by our own measure, whatever it was made of. */
static void check_request(const char *text, size_t len)
{
	static struct raw raw;
	osip_message_t *msg = NULL;
	const char *reason = "";
	struct guard g;
	int code;

	guard_raw(&g, &raw, text, len, false);
	if (g.code)
		fprintf(stderr, "sent: %d %s\n%.*s\n", g.code, g.reason, (int)len, text);
	CLAIM(g.code == 0);
	CLAIM(raw.count_of[RAW_VIA] == 1 && g.via.len == raw.first[RAW_VIA]->value.len);
	CLAIM(raw.count_of[RAW_CONTENT_LENGTH] == 1 && g.len == len);
	CLAIM(osip_message_init(&msg) == 0);
	code = osip_message_parse(msg, text, len);
	if (!code)
		code = guard_parsed(msg, &reason);
	if (code)
		fprintf(stderr, "sent: %d %s\n%.*s\n", code, reason, (int)len, text);
	CLAIM(code == 0);
	osip_message_free(msg);
}

static void drain(void)
{
	static char buf[MESSAGE_MAX + 1];

	for (unsigned who = 0; who < PEERS; who++) {
		ssize_t n;

		while ((n = recv(w.fd[who], buf, MESSAGE_MAX, MSG_DONTWAIT)) > 0) {
			buf[n] = '\0';
			if (strncmp(buf, "SIP/2.0 ", 8) != 0)
				check_request(buf, (size_t)n);
			if (strncmp(buf, "SIP/2.0 100", 11) != 0)
				memcpy(got[who], buf, (size_t)n + 1);
		}
	}
}

/* ---- what peers say ---- */

struct text_out {
	char s[MESSAGE_MAX];
	size_t len;
};

static void add(struct text_out *out, const char *s, size_t n)
{
	if (n > sizeof(out->s) - out->len)
		n = sizeof(out->s) - out->len;
	memcpy(out->s + out->len, s, n);
	out->len += n;
}

static bool add_field(struct text_out *out, const char *last, char letter)
{
	const char *cseq = header(last, "CSeq"), *space = strchr(cseq, ' '), *value;
	char uri[256] = "";

	switch (letter) {
	case 'v':
		value = header(last, "Via");
		break;
	case 'f':
		value = header(last, "From");
		break;
	case 't':
		value = header(last, "To");
		break;
	case 'i':
		value = header(last, "Call-ID");
		break;
	case 'n':
		add(out, cseq, space ? (size_t)(space - cseq) : 0);
		return true;
	case 'm':
		value = space ? space + 1 : "";
		break;
	case 'u':
		copy_uri(uri, sizeof(uri), header(last, "Contact"));
		value = uri;
		break;
	default:
		return false;
	}
	add(out, value, strlen(value));
	return true;
}

static void expand(struct text_out *out, enum who who, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '$' && i + 1 < len && add_field(out, got[who], text[i + 1]))
			i++;
		else
			add(out, text + i, 1);
	}
}

/* first: a byte before the text, 0 for none. */
static void say_record(enum who who, uint8_t first, const char *text, size_t len)
{
	static struct text_out out;
	struct flow flow = {.listener = who == A ? 0 : 1, .transport = TRANSPORT_UDP};
	char *exact;

	out.len = 0;
	if (first)
		add(&out, (const char *)&first, 1);
	expand(&out, who, text, len);
	addr_parse_ip(&flow.remote, host_of[who], strlen(host_of[who]));
	flow.remote.port = w.port[who];
	exact = malloc(out.len ? out.len : 1);
	CLAIM(exact);
	memcpy(exact, out.s, out.len);
	receive_message(calls_sip(w.calls), &flow, exact, out.len, false);
	free(exact);
	loop_once(w.loop, 0);
	drain();
}

static void hang_up_all(void)
{
	struct call *call;

	for (uint64_t after = 0; (call = call_next(w.calls, after));) {
		after = call->id;
		call_hangup(call, "over");
	}
	loop_once(w.loop, 0);
	drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size, 0};
	unsigned waits = 0;
	uint8_t kind;
	char *text;
	size_t len;

	memset(got, 0, sizeof(got));
	CLAIM(calls_new(&w.calls, w.loop, w.cfg, DATAPLANE_NULL, on_event, &w) == 0);
	sip_set_timers(calls_sip(w.calls), T1_MS, T2_MS, T4_MS);
	while (fuzz_next(&in, &kind, &text, &len)) {
		if (kind >= 'a' && kind < 'a' + PEERS)
			say_record((enum who)(kind - 'a'), 0, text, len);
		else if (kind != 'w')
			say_record(A, kind, text, len);
		else if (waits++ < WAITS_MAX) {
			run_ms(&w, WAIT_MS);
			drain();
		}
		free(text);
	}
	hang_up_all();
	calls_free(w.calls);
	CLAIM(w.cfg->refs == 1);
	return 0;
}
