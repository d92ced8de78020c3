/* SPDX-License-Identifier: BSD-2-Clause */
/* A random walk: three peers that say whatever comes to their minds, right or wrong, in any order.
 * Whatever they did, every request of theirs is answered, and nothing is left in the end.
 * VIADUCT_SEED repeats a walk, VIADUCT_ROUNDS (steps) makes it longer. */
#include "test_call_transfer.h"

#include "base/token.h"

#define STEPS_DEFAULT 4000
#define DIALOGS       24
#define REQUESTS      24
#define OPEN_MAX      65536
#define HEARD_MAX     256
#define ANSWERED_MAX  4096
#define STALLS_ONE_IN 8
#define PROMPT_MS     (TIMEOUT_MS - 150) /* no timer of the INVITE's can have fired by then */

struct mind {
	struct ua dialog[DIALOGS];
	unsigned dialogs;
	char request[REQUESTS][TEXT_MAX]; /* heard */
	unsigned requests;
};

static struct mind mind[PEERS];
static uint64_t seed;
/* Requests said that have no final response yet, by hash of branch and method. */
static uint32_t open_request[OPEN_MAX];
static unsigned open_count;

static unsigned dice(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

static const char *some_sdp(void)
{
	static const char *const sdp[] = {SDP_A, SDP_B, SDP_HOLD, SDP_A, SDP_B, NULL, NULL,
		SDP("0", ""), SDP_A "m=video 6000 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n",
		SDP("4000", "a=inactive\r\n"), "v=nonsense\r\n",
		"v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nt=0 0\r\n",
		SDP_A "m=image 7000 udptl t38\r\n"};

	return sdp[dice(sizeof(sdp) / sizeof(sdp[0]))];
}

/* ---- the book of what is owed ---- */

static uint32_t key_of(const char *text)
{
	const char *branch = strstr(header(text, "Via"), "branch=");
	const char *method = strchr(header(text, "CSeq"), ' ');
	char key[128];

	snprintf(key, sizeof(key), "%.*s%s", branch ? (int)strcspn(branch, ";") : 0,
		branch ? branch : "", method ? method : "");
	return table_hash(key, strlen(key));
}

static void owe(const char *request)
{
	uint32_t key = key_of(request);

	if (strncmp(request, "ACK ", 4) == 0)
		return;
	for (unsigned i = 0; i < open_count; i++) {
		if (open_request[i] == key)
			return;
	}
	assert_true(open_count < OPEN_MAX);
	open_request[open_count++] = key;
}

static void settle(const char *response)
{
	uint32_t key = key_of(response);

	for (unsigned i = 0; i < open_count; i++) {
		if (open_request[i] == key) {
			open_request[i] = open_request[--open_count];
			return;
		}
	}
}

static uint64_t listened_ms; /* when the peers listened last */
/* First INVITEs heard by the callees, by branch. */
static struct heard {
	uint32_t key;
	uint64_t at_ms; /* sent then or later */
	int final;      /* what was answered first, 0 = nothing yet */
} heard[HEARD_MAX];
static unsigned heard_count;
/* Dialogs that callees have made by a 2xx: each has to get its ACK and, in the end, a BYE. */
static struct answered {
	uint32_t call_id, tag;
	bool acked, ended;
} answered[ANSWERED_MAX];
static unsigned answered_count;

static uint32_t hash_of(const char *text)
{
	return table_hash(text, strlen(text));
}

static uint32_t tag_hash(const char *from_or_to)
{
	const char *tag = strstr(from_or_to, ";tag=");

	return hash_of(tag ? tag : "");
}

static struct answered *answered_find(uint32_t call_id, uint32_t tag)
{
	for (unsigned i = 0; i < answered_count; i++) {
		if (answered[i].call_id == call_id && answered[i].tag == tag)
			return &answered[i];
	}
	return NULL;
}

static void note_heard(const char *invite_text)
{
	uint32_t key = key_of(invite_text);

	for (unsigned i = 0; i < heard_count && i < HEARD_MAX; i++) {
		if (heard[i].key == key)
			return;
	}
	heard[heard_count++ % HEARD_MAX] = (struct heard){.key = key, .at_ms = listened_ms};
}

/* A callee answers: does that make a dialog? Not where it came too late, or when the call is over,
 * or after another final response. */
static void note_answer(struct world *w, const char *invite_text, int code, const char *tag)
{
	uint32_t key = key_of(invite_text), call_id = hash_of(header(invite_text, "Call-ID"));
	struct heard *h = NULL;
	char text[64];

	for (unsigned i = 0; i < heard_count && i < HEARD_MAX; i++) {
		if (heard[i].key == key)
			h = &heard[i];
	}
	if (!h || code < 200)
		return;
	if (!h->final)
		h->final = code;
	if (h->final >= 300 || code >= 300 || loop_now_ms(w->loop) - h->at_ms > PROMPT_MS)
		return;
	for (unsigned i = 0; i < answered_count; i++) {
		if (answered[i].call_id == call_id && answered[i].ended)
			return;
	}
	snprintf(text, sizeof(text), "%s%s", tag ? ";tag=" : "", tag ? tag : "");
	if (answered_find(call_id, hash_of(text)))
		return;
	assert_true(answered_count < ANSWERED_MAX);
	answered[answered_count++] = (struct answered){.call_id = call_id, .tag = hash_of(text)};
}

/* What a callee hears about a dialog of its own. */
static void note_dialog(const char *text)
{
	bool is_response = strncmp(text, "SIP/2.0 ", 8) == 0;
	struct answered *d = answered_find(hash_of(header(text, "Call-ID")),
		tag_hash(header(text, is_response ? "From" : "To")));

	/* Not one within a dialog: the first request of ours to a callee that has called itself. */
	if (strcmp(header(text, "CSeq"), "1 INVITE") == 0 && !is_response &&
		!strstr(header(text, "To"), ";tag="))
		note_heard(text);
	if (!d)
		return;
	d->acked |= strncmp(text, "ACK ", 4) == 0;
	d->ended |= strncmp(text, "BYE ", 4) == 0;
	d->ended |= is_response && text[8] == '2' && strstr(header(text, "CSeq"), "BYE");
}

/* ---- hearing ---- */

static struct ua *dialog_of(enum who who, const char *call_id)
{
	struct mind *m = &mind[who];

	for (unsigned i = 0; i < m->dialogs && i < DIALOGS; i++) {
		if (strcmp(m->dialog[i].call_id, call_id) == 0)
			return &m->dialog[i];
	}
	return NULL;
}

static struct ua *new_dialog(enum who who)
{
	return &mind[who].dialog[mind[who].dialogs++ % DIALOGS];
}

/* Does not run the loop: nothing happens between listening and what is said then. */
static void hear(struct world *w)
{
	static char text[TEXT_MAX];
	ssize_t n;

	for (enum who who = A; who < PEERS; who++) {
		while ((n = recv(w->fd[who], text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
			struct ua *d;

			text[n] = '\0';
			d = dialog_of(who, header(text, "Call-ID"));
			if (who != A)
				note_dialog(text);
			if (strncmp(text, "SIP/2.0 ", 8) != 0) {
				copy_text(mind[who].request[mind[who].requests++ % REQUESTS],
					TEXT_MAX, text);
				continue;
			}
			if (text[8] >= '2')
				settle(text);
			if (d && strstr(header(text, "CSeq"), "INVITE") && text[8] <= '2' &&
				*header(text, "Contact"))
				learn(d, text);
		}
	}
	listened_ms = loop_now_ms(w->loop);
}

/* ---- saying ---- */

static const char *some_extra(void)
{
	static const char *const extra[] = {"", "", "", "Supported: 100rel, timer\r\n",
		"Require: 100rel\r\n", "Supported: timer\r\nSession-Expires: 90\r\n",
		"Supported: timer\r\nSession-Expires: 1800;refresher=uas\r\n",
		"Session-Expires: 20\r\nMin-SE: 100\r\nAllow: UPDATE\r\n", "Require: timer\r\n",
		"Session-Expires: now\r\n"};

	return extra[dice(sizeof(extra) / sizeof(extra[0]))];
}

/* The peers are spoken with otherwise from here on. */
static void change_settings(struct world *w)
{
	struct peer_config *peer = &w->cfg->peer[dice(PEERS)];
	struct session_config *s = &peer->session;

	peer->refer = dice(4);
	s->timer = dice(4);
	s->refresher = dice(3);
	s->min_s = 10 + dice(100);
	s->interval_s = s->min_s + dice(1000);
	s->reliable = dice(3);
	s->delayed_offer = dice(3);
	s->forking = dice(2);
	s->early_dialogs_max = 1 + dice(CONFIG_EARLY_DIALOGS_MAX);
	s->early_media = dice(2);
	s->ringing = dice(3);
	s->hold = dice(4);
}

/* Some session is older than it was. */
static void let_sessions_age(struct world *w)
{
	struct call *call = call_next(w->calls, dice((unsigned)w->calls->next_id + 1));
	struct session_timer *st = call ? &call->session_timer[dice(2)] : NULL;

	if (!st || !st->active)
		return;
	st->since_ms -= (uint64_t)dice(st->interval_s) * 1000;
	loop_timer_start(w->loop, &st->timer, 0);
}

static void say_invite(struct world *w)
{
	/* B and C, too, who pick up what rings at them. */
	enum who who = dice(4) ? A : dice(2) ? B : C;
	struct mind *m = &mind[who];
	unsigned known = m->dialogs < DIALOGS ? m->dialogs : DIALOGS;
	unsigned last = m->dialogs ? (m->dialogs - 1) % DIALOGS : 0;
	const struct ua *other = known ? &m->dialog[who == A ? dice(known) : last] : NULL;
	struct ua *d = new_dialog(who);
	const char *extra = some_extra();
	char replaces[1500];

	if (other && other != d && (who != A || dice(3) == 0) && strstr(other->remote, ";tag=")) {
		snprintf(replaces, sizeof(replaces), "Replaces: %s;to-tag=%s;from-tag=%s\r\n",
			other->call_id, strstr(other->remote, ";tag=") + 5,
			strstr(other->local, ";tag=") + 5);
		extra = replaces;
	}
	invite_from(w, d, who, dice(2) ? "100" : "200", extra, some_sdp());
	owe(d->request);
}

static void say_request(struct world *w, enum who who)
{
	static const char *const methods[] = {"BYE", "INVITE", "INVITE", "UPDATE", "UPDATE", "INFO",
		"PRACK", "PRACK", "PRACK", "REFER", "REFER", "REFER", "OPTIONS", "NOTIFY", "FOO",
		"ACK", "ACK", "ACK", "ACK", "ACK", "CANCEL"};
	static const char *const numbers[] = {"<sip:300@127.0.0.1>", "<sip:500@127.0.0.2>",
		"<sip:700@127.0.0.2>", "<sip:100@127.0.0.1>", "<sip:999@127.0.0.1>", "<tel:200>",
		"<sip:127.0.0.4;x=1>", "<sip:300@127.0.0.5;x=2>", "http://a"};
	struct mind *m = &mind[who];
	const char *method = methods[dice(sizeof(methods) / sizeof(methods[0]))];
	const char *branch, *extra = "";
	unsigned cseq = 0;
	char text[1400];
	struct ua *d;

	if (!m->dialogs)
		return;
	d = &m->dialog[dice(m->dialogs < DIALOGS ? m->dialogs : DIALOGS)];
	branch = new_branch();
	if (strcmp(method, "INVITE") == 0 || strcmp(method, "UPDATE") == 0)
		extra = some_extra();
	if (strcmp(method, "ACK") == 0) {
		cseq = dice(3) ? 1 : 1 + dice(d->cseq + 1);
		if (dice(4) == 0)
			branch = d->invite_branch;
	} else if (strcmp(method, "CANCEL") == 0) {
		cseq = 1;
		branch = d->invite_branch;
	} else if (strcmp(method, "PRACK") == 0) {
		snprintf(text, sizeof(text), "RAck: %u %u INVITE\r\n", 1 + dice(3),
			1 + dice(2) * dice(3));
		extra = text;
	} else if (strcmp(method, "REFER") == 0) {
		const struct ua *other =
			&m->dialog[dice(m->dialogs < DIALOGS ? m->dialogs : DIALOGS)];

		snprintf(text, sizeof(text), "Refer-To: %s\r\n%s",
			dice(2) && strstr(other->remote, ";tag=") && strchr(other->call_id, '@')
				? refer_to_dialog(other, "300")
				: numbers[dice(sizeof(numbers) / sizeof(numbers[0]))],
			dice(4) ? "" : "Refer-Sub: false\r\n");
		extra = text;
	} else if (strcmp(method, "INVITE") == 0) {
		copy_text(d->invite_branch, sizeof(d->invite_branch), branch);
	} else if (dice(20) == 0) {
		cseq = 1 + dice(100000);
	}
	if (!*branch)
		return;
	say_with(w, d, method, cseq, branch, extra, dice(2) ? some_sdp() : NULL);
	owe(d->request);
}

static void say_response(struct world *w, enum who who)
{
	static const int codes[] = {100, 180, 183, 183, 183, 199, 200, 200, 200, 200, 200, 200, 202,
		302, 401, 404, 408, 481, 486, 487, 488, 491, 500, 503, 503, 603, 699};
	static const char *const tags[] = {"t1", "t1", "t1", "t2", "t3", NULL};
	struct mind *m = &mind[who];
	const char *request, *tag = tags[dice(6)];
	int code = codes[dice(sizeof(codes) / sizeof(codes[0]))];
	char extra[96] = "";
	struct answered *known;
	struct ua *d;

	if (!m->requests)
		return;
	/* Mostly one of the latest. */
	request = m->request[(m->requests - 1 -
				     dice(dice(2) ? 3
						  : (m->requests < REQUESTS ? m->requests
									    : REQUESTS))) %
			     REQUESTS];
	if (!*request || strncmp(request, "ACK ", 4) == 0)
		return;
	if (dice(3) == 0)
		snprintf(extra, sizeof(extra), "Require: 100rel\r\nRSeq: %u\r\n", 1 + dice(3));
	else if (dice(3) == 0)
		snprintf(extra, sizeof(extra), "%s", some_extra());
	d = dialog_of(who, header(request, "Call-ID"));
	if (!d && strncmp(request, "INVITE ", 7) == 0)
		take(new_dialog(who), who, request, tag ? tag : "");
	if (strncmp(request, "INVITE ", 7) == 0)
		note_answer(w, request, code, tag);
	known = answered_find(hash_of(header(request, "Call-ID")), tag_hash(header(request, "To")));
	if (known && (code == 481 || code == 408))
		known->ended = true; /* it has said so itself */
	if (dice(12) == 0)
		answer_with(w, who, request, code, tag, "", some_sdp());
	else
		answer_more(w, who, request, code, tag, extra, some_sdp());
}

/* What was said before, with one byte of it changed. */
static void say_nonsense(struct world *w, enum who who)
{
	struct mind *m = &mind[who];
	char text[TEXT_MAX];
	struct ua *d;
	size_t len;

	if (!m->dialogs)
		return;
	d = &m->dialog[dice(m->dialogs < DIALOGS ? m->dialogs : DIALOGS)];
	copy_text(text, sizeof(text), d->request);
	len = strlen(text);
	if (!len)
		return;
	if (dice(4))
		text[dice((unsigned)len)] = (char)(1 + dice(127));
	send_text(w, who, text);
}

static void check_bounds(const struct world *w)
{
	const struct call *call;

	assert_true(w->calls->live <= w->calls->count);
	for (uint64_t after = 0; (call = call_next(w->calls, after)); after = call->id) {
		assert_true(call->pair_count <= CALL_PAIRS_MAX);
		/* Requests carried; the attempts before this one. */
		assert_true(call->exchange_count <= CALL_EXCHANGES_MAX + CONFIG_ROUTE_PEERS_MAX);
		assert_true(call->bye_count <= CALL_BYES_MAX);
		assert_true(!call->counted == (call->state == CALL_ENDING));
	}
}

static void step(struct world *w)
{
	enum who who = dice(PEERS);
	struct call *call;

	switch (dice(24)) {
	case 0:
		say_invite(w);
		break;
	case 1 ... 7:
		say_request(w, who);
		break;
	case 8 ... 16:
		say_response(w, who);
		break;
	case 17:
		say_nonsense(w, who);
		break;
	case 18:
		call = call_next(w->calls, dice((unsigned)w->calls->next_id + 1));
		if (call && dice(4) == 0)
			call_hangup(call, "Dice");
		break;
	case 19:
		run_ms(w, dice(10) ? dice(5) : dice(TIMEOUT_MS));
		break;
	case 20:
		if (dice(10) == 0)
			assert_int_equal(calls_reload(w->calls, w->cfg, stderr), 0);
		break;
	case 21:
		if (dice(10) == 0)
			change_settings(w);
		break;
	case 22:
		let_sessions_age(w);
		break;
	case 23:
		if (dice(STALLS_ONE_IN) == 0) {
			/* What is said next finds every timer due, in the same turn. */
			test_clock_pass(dice(2 * TIMEOUT_MS));
			return;
		}
		break;
	default:
		break;
	}
	loop_once(w->loop, 0);
	hear(w);
	check_bounds(w);
}

static void whatever_peers_say_every_request_is_answered_and_nothing_is_left(void **state)
{
	const char *seed_text = getenv("VIADUCT_SEED"), *steps_text = getenv("VIADUCT_ROUNDS");
	unsigned steps = steps_text ? (unsigned)strtoul(steps_text, NULL, 10) : STEPS_DEFAULT;
	struct world w;
	uint64_t end;

	(void)state;
	seed = seed_text ? strtoull(seed_text, NULL, 10) : token_random64() % 1000000;
	print_message("VIADUCT_SEED=%llu VIADUCT_ROUNDS=%u\n", (unsigned long long)seed, steps);
	seed = seed * 2654435761u + 88172645463325252u;
	world_open_with(&w, "limits: {calls: 60}\ntimers: {port_quarantine: 0, attempt: 1}\n"
			    "groups: [{name: g, members: [{peer: b}, {peer: c}]}]\n");
	for (unsigned i = 0; i < steps; i++)
		step(&w);
	calls_shutdown(w.calls);
	end = loop_now_ms(w.loop) + 4 * TIMEOUT_MS;
	while (calls_count(w.calls) && loop_now_ms(w.loop) < end) {
		run_ms(&w, 1);
		hear(&w);
	}
	run_ms(&w, 5);
	hear(&w);
	print_message("%llu calls, %llu answered, %llu failovers, %llu transfers, %llu failed, %u "
		      "dialogs of "
		      "callees\n",
		(unsigned long long)w.calls->counters.attempts,
		(unsigned long long)w.calls->counters.answered,
		(unsigned long long)w.calls->counters.failovers,
		(unsigned long long)w.calls->counters.transfers,
		(unsigned long long)w.calls->counters.transfers_failed, answered_count);
	assert_int_equal(open_count, 0);
	for (unsigned i = 0; i < answered_count; i++) {
		assert_true(answered[i].acked);
		assert_true(answered[i].ended);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_peers_say_every_request_is_answered_and_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
