/* SPDX-License-Identifier: BSD-2-Clause */
/* Offers and answers through the rewriter. A record's first byte is what it is: O an offer of leg
 * A, o of leg B; F and f a final answer, E and e an early one; X: the offer failed; P: leg B is
 * another peer from now on. The rest is the description. */
#include "fuzz.h"

#include "../unit/test_media_room.h"

/* What is taken comes out as SDP that names our addresses and ports alone. */
static void check_written(const char *out, size_t len)
{
	static struct sdp parsed;

	CLAIM(sdp_parse(&parsed, out, len) == 0);
	CLAIM(strlen(out) == len);
	for (unsigned i = 0; i < parsed.media_count; i++) {
		const struct sdp_media *m = &parsed.media[i];

		CLAIM(m->port == 0 || (m->port >= 20000 && m->port <= 20199));
		CLAIM(m->port == 0 || m->connection.is_reachable);
	}
}

static void describe(struct test_room *r, uint8_t kind, const char *text, size_t len)
{
	enum leg from = kind >= 'a' ? LEG_B : LEG_A;
	char *out = NULL;
	size_t out_len = 0;
	int ret;

	if (kind == 'O' || kind == 'o')
		ret = media_offer(r->s, from, text, len, &out, &out_len);
	else
		ret = media_answer(
			r->s, from, text, len, kind == 'F' || kind == 'f', &out, &out_len);
	CLAIM((ret == 0) == (out != NULL));
	if (out)
		check_written(out, out_len);
	free(out);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

static void take_record(void *ctx, uint8_t kind, const char *text, size_t len)
{
	struct test_room *r = ctx;

	if (kind && strchr("OoFfEe", kind))
		describe(r, kind, text, len);
	else if (kind == 'X')
		media_offer_failed(r->s);
	else if (kind == 'P')
		media_session_set_peer(r->s, LEG_B, &r->c);
	test_now_ms += 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct test_room r;

	test_room_open(&r);
	media_session_start(r.s);
	fuzz_each(data, size, take_record, &r);
	test_room_close(&r);
	return 0;
}
