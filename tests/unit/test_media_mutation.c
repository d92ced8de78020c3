/* SPDX-License-Identifier: BSD-2-Clause */
/* Random changes of real descriptions: nothing crashes, whatever is taken yields SDP that can be
 * parsed again and names nobody else's address, and nothing is left over. VIADUCT_TEST_SEED repeats
 * a run, VIADUCT_TEST_ROUNDS makes it longer. Run from the top of the tree. */
#include <dirent.h>

#include "base/token.h"
#include "test_media_room.h"

#define DIRECTORY   "tests/unit/data/sdp/"
#define SAMPLES_MAX 64
#define ROUNDS      20000
#define TEXT_MAX    8192

static uint64_t random_state;

/* xorshift64* (Marsaglia, Vigna): the same on every machine for one seed. */
static unsigned pick(unsigned below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static char *sample[SAMPLES_MAX];
static unsigned sample_count;

static void load_samples(void)
{
	DIR *d = opendir(DIRECTORY);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) && sample_count < SAMPLES_MAX) {
		char path[512], *text;
		FILE *f;

		if (!strstr(e->d_name, ".sdp"))
			continue;
		snprintf(path, sizeof(path), DIRECTORY "%s", e->d_name);
		f = fopen(path, "r");
		assert_non_null(f);
		text = calloc(1, TEXT_MAX);
		assert_true(fread(text, 1, TEXT_MAX - 1, f) > 0);
		fclose(f);
		sample[sample_count++] = text;
	}
	closedir(d);
	assert_true(sample_count > 0);
}

/* A mutated copy without a NUL behind it, so that a read past the end is seen. */
static char *mutated(const char *text, size_t *len)
{
	static const char *const pieces[] = {"m=audio 4 RTP/AVP 0\n", "c=IN IP4 0.0.0.0\n",
		"a=rtcp:", "a=rtpmap:96 x/", "/", " ", ":", "=", "\r", "\n", "\r\n", "99999", "-1",
		"a=rtcp-mux\n", "a=inactive\n", "IN IP6 ::1", "m=", "o=", "v=0\n", "a=crypto:1 x\n",
		"udptl", "TCP"};
	size_t n = strlen(text), room = TEXT_MAX * 2;
	char *t = malloc(room), *exact;

	memcpy(t, text, n);
	for (unsigned times = pick(4); times; times--) {
		size_t at = pick((unsigned)n), cut = pick(40);
		const char *piece = pieces[pick(sizeof(pieces) / sizeof(pieces[0]))];

		if (cut > n - at)
			cut = n - at;
		switch (pick(5)) {
		case 0:
			t[at] = (char)pick(256);
			break;
		case 1:
			t[at] = (char)(t[at] ^ 1 << pick(8));
			break;
		case 2:
			if (cut < n) {
				memmove(t + at, t + at + cut, n - at - cut);
				n -= cut;
			}
			break;
		case 3:
			memmove(t + at + strlen(piece), t + at, n - at);
			memcpy(t + at, piece, strlen(piece));
			n += strlen(piece);
			break;
		default:
			memmove(t + at + cut, t + at, n - at);
			n += cut;
			break;
		}
	}
	exact = malloc(n);
	memcpy(exact, t, n);
	free(t);
	*len = n;
	return exact;
}

static int step(struct test_room *r, bool offer, enum leg from, bool final)
{
	static struct sdp parsed;
	char *out = NULL, *text;
	size_t len, out_len = 0;
	int ret;

	text = mutated(sample[pick(sample_count)], &len);
	ret = offer ? media_offer(r->s, from, text, len, &out, &out_len)
		    : media_answer(r->s, from, text, len, final, &out, &out_len);
	free(text);
	if (ret) {
		assert_null(out);
	} else {
		assert_int_equal(sdp_parse(&parsed, out, out_len), 0);
		for (unsigned i = 0; i < parsed.media_count; i++) {
			const struct sdp_media *m = &parsed.media[i];

			assert_true(m->port == 0 || (m->port >= 20000 && m->port < 20200));
			if (m->port)
				assert_true(m->connection.is_reachable);
		}
	}
	free(out);
	return ret;
}

static void mutated_descriptions_do_no_harm(void **state)
{
	const char *seed = getenv("VIADUCT_TEST_SEED"), *rounds = getenv("VIADUCT_TEST_ROUNDS");
	unsigned long count = rounds ? strtoul(rounds, NULL, 10) : ROUNDS;
	unsigned offers = 0, answers = 0;
	struct test_room r;

	(void)state;
	random_state = seed ? strtoull(seed, NULL, 0) : token_random64() | 1;
	print_message("VIADUCT_TEST_SEED=0x%llx\n", (unsigned long long)random_state);
	load_samples();
	test_room_open(&r);
	media_session_start(r.s);
	for (unsigned long i = 0; i < count; i++) {
		enum leg from = (enum leg)pick(2);

		offers += step(&r, true, from, false) == 0;
		for (unsigned n = pick(3); n; n--)
			answers += step(&r, false, OTHER_LEG(from), pick(2)) == 0;
		switch (pick(8)) {
		case 0:
			media_offer_failed(r.s);
			break;
		case 1:
			media_session_set_peer(r.s, (enum leg)pick(2), &r.b);
			media_session_set_peer(r.s, LEG_A, pick(2) ? &r.a : &r.c);
			break;
		case 2:
			media_session_free(r.s);
			assert_int_equal(r.m->flows_reserved, 0);
			assert_int_equal(test_flow_count(&r), 0);
			assert_int_equal(media_session_new(r.m, &r, &r.a, &r.b, &r.s), 0);
			break;
		default:
			break;
		}
		test_now_ms += 1000;
	}
	print_message(
		"%u offers and %u answers of %lu rounds were taken\n", offers, answers, count);
	assert_true(offers > count / 20 && answers > count / 200);
	test_room_close(&r);
	while (sample_count)
		free(sample[--sample_count]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mutated_descriptions_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
