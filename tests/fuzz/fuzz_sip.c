/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of peers through guards, parser, transactions and calls, on the null data plane, with
 * reloads, and restarts after which calls go on. When all has ended nothing is left.
 *
 * A record is one message: its first byte says whose (a, b or c: A, B and C of the call tests'
 * world), the rest is its text. Where it is none of these, or of those below, the record as a whole
 * is a message of A's. In a text $v, $f, $t, $i, $n, $m, $u, $g, $h and $r stand for the Via, From,
 * To, Call-ID, CSeq number, CSeq method, URI of Contact, tag in To, tag in From and RSeq of the
 * last message that this peer got, $p for its port; so that an input can answer what it cannot
 * know. $A to $Z before one of these letters: of the first message that any peer got, the second,
 * and so on.
 *
 *   w, w1500   timers run, so many ms
 *   l2         a reload: of the configuration of that number
 *   r          a restart, with time for what is under way
 *   k          the daemon is killed, and the next goes on
 *   eFT...     the data plane tells of flow F, 0 to 9 in the order of their making: an event of
 * type T (0x0f), and the bytes of struct vd_event from value on; of another F, all bytes of it
 * after that, whatever they say h          every call is hung up */
#include "fuzz.h"

#include "../unit/test_call_world.h"
#include "fuzz_sent.h"
#include "fuzz_store.h"
#include "fuzz_text.h"
#include "dataplane/engine.h"
#include "dataplane/events.h"
#include "dataplane/flow_entry.h"
#include "media/room.h"
#include "record/cdr.h"

#define MESSAGE_MAX    65535
#define HISTORY_MAX    26 /* A to Z */
#define WAIT_MS        (T1_MS + 2)
#define WAITS_MAX      12      /* of an input */
#define WAIT_MS_MAX    200000u /* of one of them */
#define RESTARTS_MAX   3       /* of an input, and so many reloads */
#define LAST_WAITS_MAX 100

static struct world w;
static char *got[PEERS]; /* the last message of each; NULL: none yet */
static struct {
	char *s;
	size_t len;
} said[PEERS];                     /* all that each has said */
static char *history[HISTORY_MAX]; /* the first ones of all */
static unsigned history_count;

/* Small tables (they are made for each input), and between them what calls know. */
static const struct {
	const char *extra, *a, *b, *c;
} variants[] = {
	{"limits: {calls: 16}\n", "", "", ""},
	{"limits: {calls: 16, preempt: youngest}\nemergency: ['112']\n"
	 "timers: {ring: 10, attempt: 1, unanswered: 10}\n",
		", limits: {calls: 2}", ", refer: pass",
		", delayed_offer: convert, limits: {calls: 1, code: 486, retry_after: 7}"},
	{"limits: {calls: 16}\n", ", replaces: refuse",
		", auth: {user: u, password_env: VIADUCT_FUZZ_PASSWORD}, delayed_offer: convert",
		", refer: refuse"},
	{"limits: {calls: 16}\n",
		", identity: {trusted: true}, numbers: {called_in: [{match: '0(.*)', replace: "
		"'$1'}], calling_in: [{match: '(..)', replace: '+4930$1'}]}, media: {bypass: x}",
		", identity: {trusted: false, asserted: always, history: true}, numbers: "
		"{remove_plus: true}"
		", register: {aor: 'sip:acc@provider.example', expires: 60, min_expires: 1, "
		"retry: 1, retry_max: 1}, auth: {user: u, password_env: VIADUCT_FUZZ_PASSWORD}",
		", identity: {trusted: false, asserted: pass, history: true, referred_by: true}, "
		"session_timer: {mode: require, "
		"interval: 90}, media: {bypass: x}"},
	{"limits: {calls: 16}\ntimers: {ring: 10, attempt: 1, unanswered: 10}\n"
	 "groups: [{name: g, members: [{peer: b}, {peer: c}]}]\n",
		", refer: pass", ", refer: back", ", refer: back, session_timer: {mode: request}"},
	{"limits: {calls: 16}\ngroups: [{name: g, members: [{peer: a}, {peer: b}, {peer: c}]}]\n",
		", refer: back, delayed_offer: convert", ", refer: back",
		", refer: back, identity: {trusted: false, referred_by: false}"},
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))
static struct config *configs[VARIANTS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	fuzz_be_alone();
	fuzz_have_a_secret();
	world_open_with(&w, variants[0].extra);
	configs[0] = w.cfg;
	calls_free(w.calls);
	for (unsigned i = 1; i < VARIANTS; i++) {
		world_peer_keys[A] = variants[i].a;
		world_peer_keys[B] = variants[i].b;
		world_peer_keys[C] = variants[i].c;
		configs[i] = world_config(&w, variants[i].extra);
	}
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

/* ---- daemons ---- */

/* Of one that was refused before it was a call the two ways say the same. */
static void on_record(void *ctx, const struct call_record *r)
{
	char *line = cdr_call_line(r), *other = cdr_line(r);
	json_t *json;

	(void)ctx;
	CLAIM(line && other);
	json = json_loads(other, 0, NULL);
	CLAIM(json && strcmp(line, other) == 0);
	json_decref(json);
	free(line);
	free(other);
}

static void begin(void)
{
	CLAIM(calls_new(&w.calls, w.loop, w.cfg, DATAPLANE_NULL, on_event, &w) == 0);
	sip_set_timers(calls_sip(w.calls), T1_MS, T2_MS, T4_MS);
	calls_set_recorder(w.calls, on_record, NULL);
	CLAIM(calls_adopt(w.calls, fuzz_store) == 0);
}

/* name: of the configuration, a digit as a rule. */
static void reload(uint8_t name)
{
	unsigned number = name % VARIANTS; /* '0' is a multiple of them */

	if (calls_reload(w.calls, configs[number], stderr) == 0)
		w.cfg = configs[number];
	loop_once(w.loop, 0);
}

/* ---- what peers get ---- */

/* An answer goes to who asked, and nobody hears the credentials of another: b alone has any. */
static void check_heard(enum who who, const char *text)
{
	const char *id = header(text, "Call-ID");

	check_lines(text);
	CLAIM(!fuzz_tells(text, fuzz_secret));
	if (strncmp(text, "SIP/2.0 ", 8) == 0)
		CLAIM(said[who].s && memmem(said[who].s, said[who].len, id, strlen(id)));
	else if (who != B)
		CLAIM(!strcasestr(text, "\nAuthorization:") &&
			!strcasestr(text, "\nProxy-Authorization:"));
}

static void keep(enum who who, const char *text)
{
	free(got[who]);
	CLAIM((got[who] = strdup(text)));
	if (history_count < HISTORY_MAX)
		CLAIM((history[history_count++] = strdup(text)));
}

static void forget_messages(void)
{
	for (unsigned who = 0; who < PEERS; who++) {
		free(got[who]);
		got[who] = NULL;
		free(said[who].s);
		said[who].s = NULL;
		said[who].len = 0;
	}
	while (history_count)
		free(history[--history_count]);
}

static void drain(void)
{
	static char buf[MESSAGE_MAX + 1];

	for (unsigned who = 0; who < PEERS; who++) {
		ssize_t n;

		while ((n = recv(w.fd[who], buf, MESSAGE_MAX, MSG_DONTWAIT)) > 0) {
			buf[n] = '\0';
			check_heard((enum who)who, buf);
			if (strncmp(buf, "SIP/2.0 ", 8) != 0)
				check_request(buf, (size_t)n);
			if (strncmp(buf, "SIP/2.0 100", 11) != 0)
				keep((enum who)who, buf);
		}
	}
}

/* ---- what peers say ---- */

/* What begins at text, a '$', stands for; NULL: itself. *len: of what it replaces. */
static const char *meaning(void *ctx, const char *text, size_t left, size_t *len)
{
	enum who who = *(const enum who *)ctx;
	static char port[8];
	unsigned number;

	*len = 2;
	if (left < 2)
		return NULL;
	if (text[1] == 'p') {
		snprintf(port, sizeof(port), "%u", w.port[who]);
		return port;
	}
	if (text[1] < 'A' || text[1] > 'Z')
		return field_of(got[who] ? got[who] : "", text[1]);
	*len = 3;
	number = (unsigned)(text[1] - 'A');
	return left < 3 ? NULL : field_of(number < history_count ? history[number] : "", text[2]);
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
	expand(&out, meaning, &who, text, len);
	CLAIM((said[who].s = realloc(said[who].s, said[who].len + out.len + 1)));
	memcpy(said[who].s + said[who].len, out.s, out.len);
	said[who].len += out.len;
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

/* ---- what the data plane tells ---- */

static const struct flow_entry *flow_at(const struct flow_table *t, unsigned number)
{
	for (unsigned i = 1; i <= t->capacity; i++) {
		if (t->entries[i].live && number-- == 0)
			return &t->entries[i];
	}
	return NULL;
}

static void event_record(const char *text, size_t len)
{
	struct media *media = calls_media(w.calls);
	const struct flow_table *flows = media_dataplane(media)->flows;
	const struct dataplane_handlers handlers = media_dataplane_handlers(media);
	const struct flow_entry *flow = NULL;
	const size_t whole = sizeof(struct vd_event);
	size_t from = 0, size;
	struct vd_event *event;

	if (len < 2)
		return;
	if (text[0] >= '0' && text[0] <= '9') {
		flow = flow_at(flows, (unsigned)(text[0] - '0'));
		from = offsetof(struct vd_event, value);
	}
	size = from + len - 2;
	if (flow && size < whole)
		size = whole;
	CLAIM((event = calloc(1, size ? size : 1)));
	memcpy((char *)event + from, text + 2, len - 2);
	if (flow) {
		event->type = (uint8_t)text[1] & 0x0f;
		event->cookie = flow->spec.cookie;
		event->stream = flow->stream;
		event->len = (uint16_t)(size - whole);
	}
	events_deliver(flows, &handlers, event, size);
	free(event);
	loop_once(w.loop, 0);
	drain();
}

/* ---- what happens beside them ---- */

/* How often an input has asked for that. */
struct counts {
	unsigned waits, reloads, restarts;
};

static void wait_ms(uint64_t ms)
{
	uint64_t end = loop_now_ms(w.loop) + ms;

	loop_once(w.loop, 0);
	while (fuzz_run_until(w.loop, end))
		drain();
}

static void wait_record(const char *text, size_t len)
{
	wait_ms(len == 0 ? WAIT_MS : fuzz_number(text, len, WAIT_MS_MAX));
}

static void restart(bool is_killed)
{
	uint64_t end = loop_now_ms(w.loop) + TIMEOUT_MS;

	if (!is_killed) {
		calls_leave(w.calls);
		while (calls_under_way(w.calls) && loop_now_ms(w.loop) < end) {
			loop_once(w.loop, T2_MS);
			drain();
		}
	}
	kept_is_closed = is_killed;
	calls_free(w.calls);
	kept_is_closed = false;
	begin();
	loop_once(w.loop, 0);
	drain();
}

static void take_record(void *ctx, uint8_t kind, const char *text, size_t len)
{
	struct counts *counts = ctx;

	if (kind >= 'a' && kind < 'a' + PEERS)
		say_record((enum who)(kind - 'a'), 0, text, len);
	else if (kind == 'w' && counts->waits++ < WAITS_MAX)
		wait_record(text, len);
	else if (kind == 'l' && counts->reloads++ < RESTARTS_MAX)
		reload(len ? (uint8_t)text[0] : 0);
	else if ((kind == 'r' || kind == 'k') && counts->restarts++ < RESTARTS_MAX)
		restart(kind == 'k');
	else if (kind == 'h')
		hang_up_all();
	else if (kind == 'e')
		event_record(text, len);
	else if (!strchr("wlrk", kind))
		say_record(A, kind, text, len);
}

/* Nobody answers any more. */
static void end_all(void)
{
	struct calls_status status;
	struct media_status media;

	hang_up_all();
	for (unsigned i = 0; calls_count(w.calls) && i < LAST_WAITS_MAX; i++)
		wait_ms(TIMEOUT_MS / 4);
	CLAIM(calls_count(w.calls) == 0);
	calls_get_status(w.calls, &status);
	CLAIM(status.live == 0);
	loads_are_empty(w.calls->loads);
	CLAIM(!w.calls->tags && !w.calls->by_id && !w.calls->by_merge_key && !w.calls->dead);
	media_get_status(calls_media(w.calls), &media);
	CLAIM(media.sessions == 0 && media.ports_used[SIDE_INTERNAL] == 0 &&
		media.ports_used[SIDE_EXTERNAL] == 0);
	calls_save(w.calls);
	for (unsigned i = 0; i < kept_count; i++)
		CLAIM(kept[i].kind != STORE_CALL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct counts counts = {0};

	w.cfg = configs[0];
	begin();
	fuzz_each(data, size, take_record, &counts);
	end_all();
	calls_free(w.calls);
	for (unsigned i = 0; i < VARIANTS; i++)
		CLAIM(configs[i]->refs == 1);
	kept_forget();
	forget_messages();
	return 0;
}
