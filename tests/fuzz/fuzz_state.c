/* SPDX-License-Identifier: BSD-2-Clause */
/* A record of the state file, of any bytes, taken up as a call: refused, or a call that can be
 * asked to end by either leg and be written down again, to be taken up once more. The store is this
 * file. */
#include "fuzz.h"

#include "../unit/test_call_world.h"
#include "store/store.h"

#define THE_CALL 7

static struct world w;
static struct store *const no_store = (struct store *)&w;
static uint8_t *record; /* what store_load finds */
static size_t record_len;
static bool is_again;   /* record is what we wrote ourselves */
static bool is_written; /* what is written from now on is not looked at */

int store_load(struct store *s, enum store_kind kind, store_each_fn *each, void *ctx)
{
	uint64_t *aligned;
	int ret;

	(void)s;
	if (kind != STORE_CALL)
		return 0;
	aligned = malloc(record_len + 1);
	CLAIM(aligned);
	memcpy(aligned, record, record_len);
	ret = each(ctx, STORE_NUMBER(THE_CALL), (const uint8_t *)aligned, record_len);
	CLAIM(ret == 0 || !is_again);
	free(aligned);
	return 0;
}

void store_put(struct store *s, enum store_kind kind, struct store_key key, void *value, size_t len)
{
	(void)s;
	CLAIM(kind != STORE_CALL || key.number == THE_CALL);
	if (kind != STORE_CALL || is_written) {
		free(value);
		return;
	}
	free(record);
	record = value;
	record_len = len;
}

void store_del(struct store *s, enum store_kind kind, struct store_key key)
{
	(void)s;
	(void)kind;
	(void)key;
}

void store_begin(struct store *s)
{
	(void)s;
}

void store_end(struct store *s)
{
	(void)s;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	fuzz_be_alone();
	world_open_with(&w, "limits: {calls: 16}\n"); /* small tables: made for each input */
	calls_free(w.calls);
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

/* Any number of calls that the record makes: none or one. Of one that is over BYEs may be left. */
static unsigned take_up(void)
{
	struct calls_adoption got;
	const struct call *call;

	CLAIM(calls_new(&w.calls, w.loop, w.cfg, DATAPLANE_NULL, on_event, &w) == 0);
	sip_set_timers(calls_sip(w.calls), T1_MS, T2_MS, T4_MS);
	CLAIM(calls_adopt(w.calls, no_store) == 0);
	calls_get_adoption(w.calls, &got);
	call = call_by_id(w.calls, THE_CALL);
	CLAIM(got.adopted + got.ended + got.lost == 1 || !call || call->state == CALL_ENDING);
	return got.adopted;
}

/* In the dialog of that leg, where the call that is left has one. */
static void hear(enum leg leg, const char *method)
{
	static char text[TEXT_MAX];
	const struct call *call = call_by_id(w.calls, THE_CALL);
	const struct pair *pair = !call ? NULL : call->answered ? call->answered : call->pairs;
	const struct dialog *d = pair ? &pair->leg[leg] : NULL;
	struct flow flow = {.transport = TRANSPORT_UDP};
	int n;

	if (!d || !d->call_id || d->listener == SIP_NO_LISTENER)
		return;
	flow.listener = d->listener;
	flow.remote = call->peer[leg]->address;
	n = snprintf(text, sizeof(text),
		"%s sip:viaduct SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK%s%u\r\n"
		"From: <sip:x@y>;tag=%s\r\nTo: <sip:z@y>;tag=%s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"Contact: <sip:x@y>\r\nContent-Length: 0\r\n\r\n",
		method, method, leg, d->remote_tag, d->local_tag, d->call_id, d->remote_cseq + 1,
		method);

	if (n < (int)sizeof(text))
		receive_message(calls_sip(w.calls), &flow, text, (size_t)n, false);
	loop_once(w.loop, 0);
}

static void give_back(void)
{
	calls_free(w.calls);
	CLAIM(w.cfg->refs == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	free(record);
	record = malloc(size ? size : 1);
	CLAIM(record);
	memcpy(record, data, size);
	record_len = size;
	is_again = is_written = false;
	if (!take_up()) {
		give_back();
		return 0;
	}
	calls_save(w.calls);
	CLAIM(call_by_id(w.calls, THE_CALL));
	is_written = true;
	hear(LEG_B, "OPTIONS");
	hear(LEG_A, "INVITE");
	hear(LEG_B, "BYE");
	give_back();

	is_again = true;
	CLAIM(take_up() == 1);
	call_hangup(call_by_id(w.calls, THE_CALL), "over");
	loop_once(w.loop, 0);
	give_back();
	return 0;
}
