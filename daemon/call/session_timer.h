/* SPDX-License-Identifier: BSD-2-Clause */
/* Session timers (RFC 4028), on each leg alone. Private to the call room. */
#ifndef VIADUCT_CALL_SESSION_TIMER_H
#define VIADUCT_CALL_SESSION_TIMER_H

#include "call/internal.h"

/* Completes an INVITE or UPDATE of ours to that leg. */
int session_timer_ask(struct call *call, enum leg leg, osip_message_t *req);
/* Completes our 2xx to an INVITE or UPDATE of that leg; its session goes by it from here on. */
int session_timer_answer(
	struct call *call, enum leg leg, const osip_message_t *req, osip_message_t *resp);
/* A 2xx of that leg to an INVITE or UPDATE of ours. */
void session_timer_accepted(struct call *call, enum leg leg, const osip_message_t *resp);
/* A 422 of that leg to a request of ours: whether asking again, for longer, makes sense. */
bool session_timer_too_small(struct call *call, enum leg leg, const osip_message_t *resp);
/* Whether an INVITE or UPDATE of that peer asks for what we grant. 0, or the code to refuse it with
 * and a header field that goes with it; value: room for its text. */
#define SESSION_TIMER_VALUE_MAX 16
int session_timer_check(const struct peer_config *peer, const osip_message_t *req,
	const char **header, char value[SESSION_TIMER_VALUE_MAX]);
void session_timers_stop(struct call *call);
/* The interval in seconds, 0 where the leg has no session timer; by whom, and how long it lasts. */
unsigned session_timer_left(
	const struct call *call, enum leg leg, bool *we_refresh, uint64_t *left_ms);
void session_timer_stop(struct call *call, enum leg leg);
/* Another one is asked, or stands in the leg's place: what was heard of the one before is not its.
 */
void session_timer_forget(struct call *call, enum leg leg);
/* The leg, just refreshed, goes on in another call. */
void session_timer_move(struct call *from, enum leg from_leg, struct call *to, enum leg to_leg);
/* As it was in the daemon before; interval_s 0: none was in force. */
struct session_timer_state {
	uint32_t interval_s, min_s;
	uint64_t since_ms;
	bool we_refresh, has_update;
};
void session_timer_adopt(struct call *call, enum leg leg, const struct session_timer_state *was);
/* An INVITE or UPDATE that the daemon before has sent to that leg, and whose answer comes to us. */
void session_timer_adopt_asked(struct call *call, enum leg leg, const osip_message_t *req);
/* Whether the request refreshes the leg's session and nothing else: then it is answered here, and
 * the other leg does not hear of it (session_refresh.c). */
bool session_refresh_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

#endif
