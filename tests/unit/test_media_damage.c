/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions that were saved well, and damaged since: refused or harmless, and nothing of them is
 * left. VIADUCT_TEST_SEED repeats a run, VIADUCT_TEST_ROUNDS makes it longer. */
#include <errno.h>

#include "base/log.h"
#include "base/token.h"
#include "media/watchdog.h"
#include "test_media_adoption.h"

#define ROUNDS     6000
#define STATES     60
#define DAMAGE_MAX 4

static char instance[] = "damage";
static struct test_saved saved[STATES];

/* ---- sessions in many states ---- */

static void grow(struct test_room *r)
{
	for (unsigned steps = pick(8); steps; steps--) {
		enum leg leg = (enum leg)pick(2);
		const char *text = said[pick(SAID_COUNT)];

		if (pick(2))
			test_try_offer(r, leg, text);
		else if (r->s->exchange)
			test_try_answer(r, OTHER_LEG(r->s->exchange->from), text, pick(2));
		if (pick(6) == 0)
			media_session_start(r->s);
	}
}

static void save_states(void)
{
	static char site[] = "hq";

	for (unsigned i = 0; i < STATES; i++) {
		struct test_room r;

		test_room_config(&r);
		test_instance(&r, instance);
		r.a.bypass = r.b.bypass = pick(8) ? NULL : site;
		test_room_start(&r);
		grow(&r);
		saved[i] = test_save(r.s);
		test_room_close(&r);
	}
}

/* ---- damage ---- */

static uint64_t odd_number(void)
{
	static const uint64_t odd[] = {0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 20000, 20001, 65535,
		65536, 1u << 20, INT32_MAX, UINT32_MAX, INT64_MAX, 1ull << 63, UINT64_MAX};

	return pick(3) ? odd[pick(sizeof(odd) / sizeof(odd[0]))] : pick(UINT16_MAX);
}

static void damage_message(struct arena *a, ProtobufCMessage *m);

static void damage_bytes(struct arena *a, ProtobufCBinaryData *b)
{
	size_t len = pick(3) ? b->len : pick(80);
	uint8_t *data = arena_array(a, 1, len + 1);

	if (b->len)
		memcpy(data, b->data, len < b->len ? len : b->len);
	for (unsigned n = pick(3); len && n; n--)
		data[pick((unsigned)len)] = (uint8_t)pick(256);
	b->data = len ? data : NULL;
	b->len = len;
}

static void damage_value(struct arena *a, const ProtobufCFieldDescriptor *f, void *value)
{
	uint64_t number = odd_number();
	double measure;

	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		memcpy(value, &number, sizeof(uint32_t));
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		memcpy(value, &number, sizeof(uint64_t));
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)value = !*(protobuf_c_boolean *)value;
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		measure = pick(2) ? __builtin_nan("") : -1e300;
		memcpy(value, &measure, sizeof(measure));
		break;
	case PROTOBUF_C_TYPE_BYTES:
		damage_bytes(a, value);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (!*(ProtobufCMessage **)value)
			break;
		if (pick(8) == 0 && f->label != PROTOBUF_C_LABEL_REPEATED)
			*(ProtobufCMessage **)value = NULL;
		else
			damage_message(a, *(ProtobufCMessage **)value);
		break;
	default:
		fail_msg("%s is of a type that nobody damages", f->name);
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_FIXED32:
		return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_FIXED64:
		return sizeof(uint64_t);
	default:
		return sizeof(void *);
	}
}

/* One field of it, or of a message in it. */
static void damage_message(struct arena *a, ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f = &m->descriptor->fields[pick(m->descriptor->n_fields)];
	char *member = (char *)m + f->offset;
	size_t *count = (size_t *)(void *)((char *)m + f->quantifier_offset);

	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		damage_value(a, f, member);
		return;
	}
	if (*count == 0)
		return;
	if (pick(4) == 0)
		*count = pick((unsigned)*count + 1);
	else
		damage_value(a, f, *(char **)(void *)member + pick((unsigned)*count) * size_of(f));
}

static VdState__MediaSession *damaged(struct arena *a)
{
	const struct test_saved *good = &saved[pick(STATES)];
	VdState__MediaSession *m;
	uint8_t *bytes = arena_array(a, 1, good->len + 1);
	size_t len = good->len;
	unsigned times = 1 + pick(DAMAGE_MAX);

	memcpy(bytes, good->data, len);
	if (len && pick(3) == 0) {
		for (; times; times--)
			bytes[pick((unsigned)len)] = (uint8_t)pick(256);
		if (pick(4) == 0)
			len = pick((unsigned)len);
		times = 0;
	}
	m = message_unpack(&vd_state__media_session__descriptor, a, bytes, len);
	for (; m && times; times--)
		damage_message(a, &m->base);
	return m;
}

/* ---- what a session that was taken all the same is used for ---- */

static void use(struct test_room *r)
{
	struct media_stream_info info;
	struct test_saved again = test_save(r->s);
	char *out = NULL;
	size_t len;

	free(again.data);
	for (unsigned i = 0; i < MEDIA_STREAMS_MAX; i++)
		media_stream_info(r->s, i, &info);
	test_now_ms += 2000;
	for (unsigned i = 0; i < WATCHDOG_PERIOD_MS / WATCHDOG_TICK_MS; i++)
		watchdog_tick(r->m);
	for (unsigned leg = 0; leg < LEG_COUNT; leg++) {
		(void)media_told(r->s, (enum leg)leg);
		if (media_fresh_offer(r->s, (enum leg)leg, &out) == 0)
			free(out);
	}
	if (media_answer_again(r->s, (enum leg)pick(2), said[0], strlen(said[0]), &out, &len) == 0)
		free(out);
	if (r->s->exchange && pick(2))
		test_try_answer(r, OTHER_LEG(r->s->exchange->from), said[pick(SAID_COUNT)], true);
	if (pick(2))
		media_offer_failed(r->s);
	if (pick(3) == 0)
		media_session_set_peer(r->s, LEG_B, &r->c);
	grow(r);
}

static void on_timeout(void *ctx, void *owner, enum leg leg, unsigned seconds, bool held)
{
	(void)ctx;
	(void)owner;
	(void)leg;
	(void)seconds;
	(void)held;
}

static void damaged_sessions_are_refused_or_harmless(void **state)
{
	const char *seed = getenv("VIADUCT_TEST_SEED"), *rounds = getenv("VIADUCT_TEST_ROUNDS");
	unsigned long count = rounds ? strtoul(rounds, NULL, 10) : ROUNDS;
	unsigned taken = 0, refused = 0;
	struct test_room r;

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) : token_random64() | 1;
	print_message("VIADUCT_TEST_SEED=0x%llx\n", (unsigned long long)random_state);
	log_set_level(LOG_LEVEL_ERROR);
	save_states();
	test_room_config(&r);
	test_instance(&r, instance);
	test_room_start(&r);
	r.m->handlers.timeout = on_timeout;
	media_session_free(r.s);
	for (unsigned long i = 0; i < count; i++) {
		struct arena a = {0};
		VdState__MediaSession *m = damaged(&a);

		r.s = NULL;
		if (m && media_session_adopt(r.m, &r, &r.a, &r.b, m, &r.s) == 0) {
			taken++;
			use(&r);
			media_session_free(r.s);
		} else {
			refused++;
			assert_null(r.s);
		}
		arena_free(&a);
		assert_int_equal(r.m->flows_reserved, 0);
		assert_int_equal(r.m->started_count, 0);
		assert_int_equal(test_flow_count(&r), 0);
		media_adoption_done(r.m);
		test_now_ms += 6000; /* ports rest no more */
	}
	print_message("%u were taken, %u refused\n", taken, refused);
	assert_true(taken > count / 20 && refused > count / 20);
	r.s = NULL;
	test_room_close(&r);
	for (unsigned i = 0; i < STATES; i++)
		free(saved[i].data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_sessions_are_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
