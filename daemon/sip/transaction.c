/* SPDX-License-Identifier: BSD-2-Clause */
/* libosip2's machines, each run by itself: a transaction is taken off the library's linear lists as
 * soon as it exists, is found through our own tables, and has its own timer in the loop. */
#include "sip/internal.h"

#include <errno.h>
#include <stdio.h>

static int send_for_machine(
	osip_transaction_t *ot, osip_message_t *msg, char *host, int port, int socket)
{
	void *owner = osip_transaction_get_reserved1(ot);

	(void)host;
	(void)port;
	(void)socket;
	if (ot->ctx_type == ICT || ot->ctx_type == NICT)
		return client_send_osip(owner, msg);
	return server_send_osip(owner, msg);
}

int transaction_osip_new(struct sip *sip)
{
	/* Silent at every level: each of them quotes what peers send, and uninitialised it writes
	 * to standard output. */
	osip_trace_initialize(TRACE_LEVEL0, stderr);
	memory_watch();
	if (osip_init(&sip->osip))
		return -ENOMEM;
	osip_set_cb_send_message(sip->osip, send_for_machine);
	return 0;
}

static void start_after(struct timeval *start, int ms)
{
	osip_gettimeofday(start, NULL);
	add_gettimeofday(start, ms);
}

/* The machines are born with the RFC's values compiled in. */
static void set_timers(struct sip *sip, osip_transaction_t *ot)
{
	int t1 = (int)sip->t1_ms;

	if (ot->ict_context) {
		if (ot->ict_context->timer_a_length > 0) {
			ot->ict_context->timer_a_length = t1;
			start_after(&ot->ict_context->timer_a_start, t1);
		}
		ot->ict_context->timer_b_length = 64 * t1;
		start_after(&ot->ict_context->timer_b_start, 64 * t1);
	} else if (ot->nict_context) {
		if (ot->nict_context->timer_e_length > 0)
			ot->nict_context->timer_e_length = t1;
		ot->nict_context->timer_f_length = 64 * t1;
		start_after(&ot->nict_context->timer_f_start, 64 * t1);
	} else if (ot->ist_context) {
		if (ot->ist_context->timer_g_length > 0)
			ot->ist_context->timer_g_length = t1;
		ot->ist_context->timer_h_length = 64 * t1;
	}
}

int transaction_osip_init(
	osip_transaction_t **out, struct sip *sip, osip_fsm_type_t type, osip_message_t *request)
{
	if (osip_transaction_init(out, type, sip->osip, request))
		return -ENOMEM;
	osip_remove_transaction(sip->osip, *out);
	if (sip->t1_ms != SIP_T1_MS)
		set_timers(sip, *out);
	return 0;
}

int transaction_execute(osip_transaction_t *ot, type_t type, osip_message_t *sip)
{
	osip_event_t *event = osip_malloc(sizeof(*event));

	if (!event) {
		osip_message_free(sip);
		return -ENOMEM;
	}
	event->type = type;
	event->transactionid = ot->transactionid;
	event->sip = sip;
	osip_transaction_execute(ot, event);
	return 0;
}

struct machine_timer {
	type_t type;
	const struct timeval *start;
};

/* The timers that run in the machine's present state. Those of its last states (D, I, J, K) do not:
 * such a transaction is a struct remnant by then. */
static unsigned running_timers(const osip_transaction_t *ot, struct machine_timer out[2])
{
	if (ot->state == ICT_CALLING) {
		out[0] = (struct machine_timer){TIMEOUT_A, &ot->ict_context->timer_a_start};
		out[1] = (struct machine_timer){TIMEOUT_B, &ot->ict_context->timer_b_start};
	} else if (ot->state == NICT_TRYING || ot->state == NICT_PROCEEDING) {
		out[0] = (struct machine_timer){TIMEOUT_E, &ot->nict_context->timer_e_start};
		out[1] = (struct machine_timer){TIMEOUT_F, &ot->nict_context->timer_f_start};
	} else if (ot->state == IST_COMPLETED) {
		out[0] = (struct machine_timer){TIMEOUT_G, &ot->ist_context->timer_g_start};
		out[1] = (struct machine_timer){TIMEOUT_H, &ot->ist_context->timer_h_start};
	} else {
		return 0;
	}
	return 2;
}

static bool is_started(const struct timeval *start)
{
	return start->tv_sec != -1 && (start->tv_sec != 0 || start->tv_usec != 0);
}

/* Milliseconds from now, rounded up; 0 when due. */
static uint64_t until(const struct timeval *start, const struct timeval *now)
{
	int64_t us =
		((int64_t)start->tv_sec - now->tv_sec) * 1000000 + start->tv_usec - now->tv_usec;

	return us <= 0 ? 0 : (uint64_t)(us + 999) / 1000;
}

void transaction_timer_arm(struct loop *loop, struct loop_timer *timer, osip_transaction_t *ot)
{
	struct machine_timer running[2];
	unsigned n = running_timers(ot, running);
	uint64_t next = UINT64_MAX;
	struct timeval now;

	osip_gettimeofday(&now, NULL);
	for (unsigned i = 0; i < n; i++) {
		if (is_started(running[i].start) && until(running[i].start, &now) < next)
			next = until(running[i].start, &now);
	}
	if (next == UINT64_MAX)
		loop_timer_stop(loop, timer);
	else if (loop_timer_start(loop, timer, next))
		loop_timer_stop(loop, timer);
}

void transaction_timer_run(osip_transaction_t *ot)
{
	struct machine_timer running[2];
	struct timeval now;

	osip_gettimeofday(&now, NULL);
	/* The one that ends the transaction first: no last retransmission at its very end. */
	for (int i = (int)running_timers(ot, running) - 1; i >= 0; i--) {
		if (is_started(running[i].start) && until(running[i].start, &now) == 0) {
			transaction_execute(ot, running[i].type, NULL);
			return;
		}
	}
}
