/* SPDX-License-Identifier: BSD-2-Clause */
/* Random lives of two sessions that are told the same: one goes from daemon to daemon on its way,
 * its twin does not, and nothing that they say or do tells them apart. VIADUCT_TEST_SEED repeats a
 * run, VIADUCT_TEST_ROUNDS makes it longer. */
#include <errno.h>

#include "base/log.h"
#include "base/token.h"
#include "media/offer_answer.h"
#include "media/watchdog.h"
#include "test_media_adoption.h"

#define LIVES     100
#define STEPS_MAX 60

struct twin {
	struct test_room r;
	unsigned kbit[LEG_COUNT], tellings, changes;
};

static struct twin twin[2]; /* the first one goes from daemon to daemon */
static char instance[2][16] = {"goes", "stays"};
static char site[] = "hq";

static int on_bandwidth(void *ctx, void *owner, const unsigned kbit[2], bool may_refuse)
{
	struct twin *t = ctx;

	(void)owner;
	memcpy(t->kbit, kbit, sizeof(t->kbit));
	t->tellings++;
	return may_refuse && kbit[LEG_A] > 500 ? -EDQUOT : 0;
}

static void on_changed(void *ctx, void *owner)
{
	struct twin *t = ctx;

	(void)owner;
	t->changes++;
}

static void begin(void)
{
	bool bypass = pick(8) == 0, latch = pick(2), listed = pick(4) == 0;
	static char pcma[] = "PCMA", amr[] = "AMR";

	for (unsigned i = 0; i < 2; i++) {
		struct test_room *r = &twin[i].r;

		memset(&twin[i], 0, sizeof(twin[i]));
		test_room_config(r);
		test_instance(r, instance[i]);
		/* Of few ports the same would come twice, and count as no change of the SDP. */
		for (unsigned side = 0; side < SIDE_COUNT; side++)
			r->cfg.side[side].media_port_max = 59999;
		r->a.address = test_addr("10.0.0.5:5060"); /* for offers of our own */
		r->b.address = test_addr("198.51.100.9:5060");
		r->b.latch = r->c.latch = latch;
		r->a.bypass = r->b.bypass = bypass ? site : NULL;
		if (listed) {
			r->b.codec_count = 2;
			r->b.codec[0] = pcma;
			r->b.codec[1] = amr;
		}
		test_room_start(r);
		r->m->handlers.bandwidth = on_bandwidth;
		r->m->handlers.changed = on_changed;
	}
}

/* ---- what both do ---- */

struct outcome {
	int ret;
	char *text;
};

static struct outcome outcome_of(struct test_room *r, int ret, enum leg to, char *out)
{
	struct outcome o = {ret, NULL};

	if (!ret && out)
		o.text = r->s->sdp[to].id ? test_readable(r->s, to, out) : strdup(out);
	free(out);
	return o;
}

static struct outcome do_offer(struct test_room *r, enum leg leg, const char *text)
{
	char *out = NULL;
	size_t len;
	int ret = media_offer(r->s, leg, text, strlen(text), &out, &len);

	return outcome_of(r, ret, OTHER_LEG(leg), ret ? NULL : out);
}

static struct outcome do_answer(struct test_room *r, enum leg leg, const char *text, bool final)
{
	char *out = NULL;
	size_t len;
	int ret = media_answer(r->s, leg, text, strlen(text), final, &out, &len);

	return outcome_of(r, ret, OTHER_LEG(leg), ret ? NULL : out);
}

static struct outcome do_answer_again(struct test_room *r, enum leg leg, const char *text)
{
	char *out = NULL;
	size_t len;
	int ret = media_answer_again(r->s, leg, text, strlen(text), &out, &len);

	return outcome_of(r, ret, leg, ret ? NULL : out);
}

static struct outcome do_own_offer(struct test_room *r, enum leg to)
{
	char *out = NULL;
	size_t len;
	int ret = media_own_offer(r->s, to, false, &out, &len);

	return outcome_of(r, ret, to, ret ? NULL : out);
}

static struct outcome do_fresh_offer(struct test_room *r, enum leg leg)
{
	char *out = NULL;
	int ret = media_fresh_offer(r->s, leg, &out);

	return (struct outcome){ret, ret ? NULL : out};
}

/* As the kernel does it: what was latched is in its maps, and the event follows. */
static void latch(struct test_room *r, enum leg leg, unsigned port)
{
	const struct dataplane_flow *f = test_flow(r, 0, leg, COMPONENT_RTP);
	struct dataplane_stats stats = {0};
	struct addr source;

	if (!f || !f->latch)
		return;
	source = f->remote;
	source.port = (uint16_t)port;
	dataplane_flow_stats(
		media_dataplane(r->m), r->s->stream[0]->flow[leg][COMPONENT_RTP], &stats);
	stats.latched = source;
	dataplane_null_set_stats(
		media_dataplane(r->m), r->s->stream[0]->flow[leg][COMPONENT_RTP], &stats);
	media_dataplane_handlers(r->m).latched(r->m, f->cookie, &source);
}

/* An update that reopens a latch does so in the kernel; the null engine's statistics do not know.
 */
static void reopen_latches(struct test_room *r)
{
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		const struct stream *st = r->s->stream[i];

		for (unsigned j = 0; st && j < LEG_COUNT * COMPONENT_COUNT; j++) {
			dataplane_flow_id id = st->flow[j & 1][j >> 1];
			struct dataplane_stats stats = {0};

			if (!id || dataplane_flow_stats(media_dataplane(r->m), id, &stats))
				continue;
			stats.latched = st->latched[j & 1][j >> 1];
			dataplane_null_set_stats(media_dataplane(r->m), id, &stats);
		}
	}
}

static void receive(struct test_room *r, enum leg leg, unsigned packets, unsigned lost)
{
	const struct stream *st = r->s->stream[0];
	struct dataplane_stats stats = {0};

	if (!st || !st->flow[leg][COMPONENT_RTP])
		return;
	dataplane_flow_stats(media_dataplane(r->m), st->flow[leg][COMPONENT_RTP], &stats);
	stats.packets += packets;
	stats.expected += packets + lost;
	stats.lost += lost;
	stats.jitter = 10 * (lost + 1);
	stats.last_seen_ms_ago = lost * 100;
	dataplane_null_set_stats(media_dataplane(r->m), st->flow[leg][COMPONENT_RTP], &stats);
}

static void digit(struct test_room *r, enum leg leg)
{
	const struct dataplane_flow *f = test_flow(r, 0, leg, COMPONENT_RTP);

	if (f)
		media_dataplane_handlers(r->m).dtmf(r->m, f->cookie, 3, 800);
}

/* RFC 3550 6.4.1: a sender report, and what the other leg says of it. */
static void report(struct test_room *r, enum leg leg, uint8_t ntp, bool answered)
{
	const uint8_t sender[28] = {0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, ntp};
	const uint8_t receiver[32] = {[0] = 0x81, 201, 0, 7, [24] = 0, ntp};
	const struct dataplane_flow *f = test_flow(r, 0, leg, COMPONENT_RTCP);

	if (!f)
		return;
	media_dataplane_handlers(r->m).rtcp(r->m, f->cookie, answered ? receiver : sender,
		answered ? sizeof(receiver) : sizeof(sender), test_now_ms * 1000000);
}

static void pass_time(struct test_room *r)
{
	for (unsigned i = 0; i < WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS; i++)
		watchdog_tick(r->m);
}

enum step {
	STEP_OFFER,
	STEP_ANSWER,
	STEP_EARLY_ANSWER,
	STEP_FAIL,
	STEP_AGAIN,
	STEP_OWN,
	STEP_FRESH,
	STEP_PEER,
	STEP_START,
	STEP_PAUSE,
	STEP_SPARE,
	STEP_LATCH,
	STEP_DIGIT,
	STEP_REPORT,
	STEP_TIME,
	STEP_RECEIVE,
	STEP_COUNT,
};

struct chosen {
	enum step step;
	enum leg leg;
	const char *text;
	unsigned number;
};

static struct outcome take_step(struct test_room *r, const struct chosen *c)
{
	switch (c->step) {
	case STEP_OFFER:
		return do_offer(r, c->leg, c->text);
	case STEP_ANSWER:
		return do_answer(r, c->leg, c->text, true);
	case STEP_EARLY_ANSWER:
		return do_answer(r, c->leg, c->text, false);
	case STEP_AGAIN:
		return do_answer_again(r, c->leg, c->text);
	case STEP_OWN:
		return do_own_offer(r, c->leg);
	case STEP_FRESH:
		return do_fresh_offer(r, c->leg);
	case STEP_FAIL:
		media_offer_failed(r->s);
		break;
	case STEP_PEER:
		media_session_set_peer(r->s, LEG_B, c->number % 2 ? &r->b : &r->c);
		break;
	case STEP_START:
		media_session_start(r->s);
		break;
	case STEP_PAUSE:
		media_session_pause(r->s);
		break;
	case STEP_SPARE:
		media_session_set_spare(r->s, c->number % 2);
		break;
	case STEP_LATCH:
		latch(r, c->leg, 40000 + c->number % 100);
		break;
	case STEP_DIGIT:
		digit(r, c->leg);
		break;
	case STEP_REPORT:
		report(r, c->leg, (uint8_t)(1 + c->number % 3), c->number & 4);
		break;
	case STEP_TIME:
		pass_time(r);
		break;
	case STEP_RECEIVE:
		receive(r, c->leg, 100 + c->number % 200, c->number % 3 ? 0 : c->number % 50);
		break;
	case STEP_COUNT:
		break;
	}
	return (struct outcome){0};
}

static struct chosen choose(void)
{
	/* Offers and answers most of all. */
	static const enum step often[] = {STEP_OFFER, STEP_OFFER, STEP_ANSWER, STEP_ANSWER,
		STEP_EARLY_ANSWER, STEP_TIME, STEP_RECEIVE, STEP_LATCH};
	struct chosen c = {
		.step = pick(3) ? often[pick(sizeof(often) / sizeof(often[0]))]
				: (enum step)pick(STEP_COUNT),
		.leg = (enum leg)pick(2),
		.text = said[pick(SAID_COUNT)],
		.number = pick(1000),
	};
	const struct negotiation *ex = twin[1].r.s->exchange;

	if (ex && (c.step == STEP_ANSWER || c.step == STEP_EARLY_ANSWER) && pick(10))
		c.leg = OTHER_LEG(ex->from);
	return c;
}

/* ---- what tells them apart ---- */

/* Our own ports are random. */
static void compare_flows(unsigned stream, enum leg leg, enum component component)
{
	struct dataplane_flow f[2] = {0};
	const struct dataplane_flow *p[2];

	for (unsigned i = 0; i < 2; i++) {
		const struct stream *st = twin[i].r.s->stream[stream];

		p[i] = test_flow(&twin[i].r, stream, leg, component);
		if (!p[i])
			continue;
		f[i] = *p[i];
		f[i].local.port = (uint16_t)(f[i].local.port - st->local[leg].port);
		f[i].out_local.port =
			(uint16_t)(f[i].out_local.port - st->local[OTHER_LEG(leg)].port);
		f[i].rtcp_flow = f[i].rtcp_flow != 0;
	}
	assert_int_equal(!p[0], !p[1]);
	assert_memory_equal(&f[0], &f[1], sizeof(f[0]));
}

static void compare_info(unsigned stream)
{
	struct media_stream_info info[2];

	for (unsigned i = 0; i < 2; i++) {
		media_stream_info(twin[i].r.s, stream, &info[i]);
		for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
			struct media_leg_info *l = &info[i].leg[leg];

			l->local.port = (uint16_t)(l->local.port != 0);
			l->local_rtcp.port = (uint16_t)(l->local_rtcp.port != 0);
			l->flow = l->flow != 0;
			l->flow_rtcp = l->flow_rtcp != 0;
			memset(&l->path, 0, sizeof(l->path));
			l->far_loss_percent = 0; /* its next report says it anew */
		}
	}
	assert_memory_equal(&info[0], &info[1], sizeof(info[0]));
}

static void compare_texts(const char *one, const char *other)
{
	assert_int_equal(!one, !other);
	if (one)
		assert_string_equal(one, other);
}

static void compare(void)
{
	const struct media_session *s[2] = {twin[0].r.s, twin[1].r.s};
	struct media_status st[2];

	assert_int_equal(media_offer_pending(s[0]), media_offer_pending(s[1]));
	assert_int_equal(media_stream_count(s[0]), media_stream_count(s[1]));
	compare_texts(media_bypass(s[0]), media_bypass(s[1]));
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		compare_texts(media_heard_sdp(s[0], leg), media_heard_sdp(s[1], leg));
		assert_int_equal(s[0]->sdp[leg].version, s[1]->sdp[leg].version);
		assert_int_equal(!media_told(s[0], leg), !media_told(s[1], leg));
	}
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++) {
		assert_int_equal(!s[0]->stream[i], !s[1]->stream[i]);
		if (!s[0]->stream[i])
			continue;
		compare_info(i);
		for (unsigned j = 0; j < LEG_COUNT * COMPONENT_COUNT; j++)
			compare_flows(i, (enum leg)(j & 1), (enum component)(j >> 1));
	}
	for (unsigned i = 0; i < 2; i++) {
		media_get_status(twin[i].r.m, &st[i]);
		bandwidth_tell(twin[i].r.s); /* set_peer does not */
	}
	assert_memory_equal(st[0].ports_used, st[1].ports_used, sizeof(st[0].ports_used));
	assert_int_equal(twin[0].r.m->flows_reserved, twin[1].r.m->flows_reserved);
	assert_int_equal(test_flow_count(&twin[0].r), test_flow_count(&twin[1].r));
	assert_int_equal(twin[0].r.timeouts, twin[1].r.timeouts);
	assert_memory_equal(twin[0].kbit, twin[1].kbit, sizeof(twin[0].kbit));
}

static unsigned restarts, answers;

static void live(void)
{
	unsigned steps = 5 + pick(STEPS_MAX);

	begin();
	for (unsigned i = 0; i < steps; i++) {
		struct chosen c = choose();
		struct outcome o[2];

		if (c.step == STEP_TIME)
			test_now_ms += pick(4) ? 2000 : pick(40000);
		if (pick(4) == 0) {
			test_restart(&twin[0].r);
			restarts++;
			compare();
		}
		for (unsigned j = 0; j < 2; j++) {
			o[j] = take_step(&twin[j].r, &c);
			reopen_latches(&twin[j].r);
		}
		assert_int_equal(o[0].ret, o[1].ret);
		compare_texts(o[0].text, o[1].text);
		answers += c.step == STEP_ANSWER && o[0].ret == 0;
		free(o[0].text);
		free(o[1].text);
		compare();
	}
	for (unsigned i = 0; i < 2; i++)
		test_room_close(&twin[i].r);
}

static void adopted_session_and_its_twin_are_alike(void **state)
{
	const char *seed = getenv("VIADUCT_TEST_SEED"), *rounds = getenv("VIADUCT_TEST_ROUNDS");
	unsigned long count = rounds ? strtoul(rounds, NULL, 10) : LIVES;

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) : token_random64() | 1;
	print_message("VIADUCT_TEST_SEED=0x%llx\n", (unsigned long long)random_state);
	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned long i = 0; i < count; i++)
		live();
	print_message("%u restarts, %u answers\n", restarts, answers);
	assert_true(restarts > count && answers > count / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adopted_session_and_its_twin_are_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
