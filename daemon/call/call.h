/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls: each a back-to-back user agent of two legs (RFC 7092), from INVITE to the last BYE. */
#ifndef VIADUCT_CALL_CALL_H
#define VIADUCT_CALL_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "media/media.h"
#include "peer/peer.h"
#include "route/route.h"
#include "sip/sip.h"
#include "store/store.h"

struct calls; /* the room */
struct call;

enum call_state { CALL_SETUP, CALL_RINGING, CALL_ANSWERED, CALL_ENDING };

/* kind: "call", "ringing", "answer", "hold", "resume", "end", "media" …; text: one line. */
typedef void calls_event_fn(void *ctx, uint64_t call_id, const char *kind, const char *text);

int calls_new(struct calls **out, struct loop *loop, struct config *cfg,
	enum dataplane_engine engine, calls_event_fn *event, void *event_ctx);
void calls_free(struct calls *calls);
/* New calls use cfg; running ones keep theirs. All or nothing; errors explained in errors. */
int calls_reload(struct calls *calls, struct config *cfg, FILE *errors);
const struct config *calls_config(const struct calls *calls);
struct sip *calls_sip(struct calls *calls);
struct media *calls_media(struct calls *calls);
struct peers *calls_peers(struct calls *calls);

/* Puts the candidates of a route in the order in which a call would try them now, and leaves out
 * those that it would not (peers_order). */
void calls_order(struct calls *calls, struct route_result *route, struct peers_choice *choice,
	peers_trace_fn *trace, void *trace_ctx);

/* Ends a call: BYE or CANCEL both ways, reason in a Reason header field. */
void call_hangup(struct call *call, const char *reason_text);
/* No new call is taken from here on (503), and OPTIONS hear the same, so that peers go elsewhere;
 * running calls go on. */
void calls_drain(struct calls *calls);
/* Ends every call; calls_count reaches 0 when all is said. No new call is taken from here on
 * (503). */
void calls_shutdown(struct calls *calls);
/* All calls, also those that are over but for the last answers. */
unsigned calls_count(const struct calls *calls);

/* What was found of calls that an earlier daemon left (kill -9, calls_leave). */
struct calls_adoption {
	unsigned adopted; /* go on */
	unsigned ended;   /* their dialogs could be taken up, their media not: BYE to both legs */
	unsigned lost;    /* a peer of theirs is in the configuration no more, or worse */
};
/* Takes up the calls that are in the store and writes changes of answered calls there from here on;
 * what the kernel still forwards for nobody is removed. Once, after calls_new and before the first
 * message; store NULL: nothing is written down. 0 or -errno: the store cannot be read. */
int calls_adopt(struct calls *calls, struct store *store);
/* Calls that have changed and are not with the store yet. */
unsigned calls_unsaved(const struct calls *calls);
void calls_get_adoption(const struct calls *calls, struct calls_adoption *out);
/* calls_free then leaves those that there are to the next daemon: in the
 * store, their media in the kernel. Before, calls_under_way should reach 0: it counts those that it
 * could not go on with as they are at the moment, and those that end. */
void calls_leave(struct calls *calls);
unsigned calls_under_way(const struct calls *calls);

struct call *call_by_id(struct calls *calls, uint64_t id);
/* Ids only grow. The live call with the smallest id > after, NULL when there is none: a cursor that
 * survives calls coming and going. O(log n). */
struct call *call_next(struct calls *calls, uint64_t after);

struct call_leg_info {
	const char *peer; /* name */
	const char *sip_call_id;
	const char *local_tag, *remote_tag;
	const char *local_uri, *remote_uri;
	struct addr signalling; /* theirs */
	const char *listener;   /* name */
	unsigned session_s;     /* interval of its session timer (RFC 4028), 0 = none */
	bool we_refresh;
	uint64_t session_left_ms; /* until the call ends, if nobody refreshes it */
};
struct call_info {
	uint64_t id;
	enum call_state state;
	const char *from, *to;                  /* numbers: user parts of From and Request-URI */
	const char *route;                      /* name of the route taken, "" */
	uint64_t setup_ms_ago, answered_ms_ago; /* answered: UINT64_MAX = not yet */
	unsigned attempts;                      /* peers tried, the present one included */
	struct call_leg_info leg[2];
};
void call_get_info(const struct call *call, struct call_info *out);
struct media_session *call_media(const struct call *call);
const char *call_state_name(enum call_state state); /* "setup", "ringing", "answered", "ending" */

#define CALL_COUNTERS(X)                                                                           \
	X(attempts, "calls asked for")                                                             \
	X(answered, "calls answered")                                                              \
	X(failed, "calls that ended unanswered")                                                   \
	X(refused_limit, "refused, or a peer left out: a limit was reached")                       \
	X(limited_live, "of those: live calls")                                                    \
	X(limited_rate, "of those: calls a second")                                                \
	X(limited_bandwidth, "of those: bandwidth")                                                \
	X(limited_ending, "of those: calls that only end")                                         \
	X(preempted, "calls ended to make room for an emergency call")                             \
	X(refused_ports, "refused: out of ports or flows")                                         \
	X(refused_route, "refused: no route, or denied")                                           \
	X(refused_peer, "refused: the peer is draining or blocked")                                \
	X(refused_number, "refused, or a peer left out: a number rule gave no number")             \
	X(loops, "refused: a loop (482) or Max-Forwards at 0 (483)")                               \
	X(failovers, "moves to a further peer of the route")                                       \
	X(attempts_spent, "calls given up after as many INVITEs as one may take")                  \
	X(media_timeouts, "calls ended because media stopped")                                     \
	X(late_answers, "answers that came when their call was over, ended by BYE")                \
	X(byes_not_kept, "BYEs too many at once in one call to be kept for the next daemon")       \
	X(early_dialogs_refused, "early dialogs over the peer's limit")                            \
	X(sessions_expired, "calls ended because a session was not refreshed")                     \
	X(not_acked, "calls ended because the ACK never came")                                     \
	X(transfers, "transfers done: REFER, INVITE with Replaces")                                \
	X(transfers_failed, "transfers tried that failed")                                         \
	X(transfers_refused, "transfers refused: not allowed, or too many")
#define CALL_COUNTER_FIELD(name, text) uint64_t name;
struct calls_status {
	unsigned live, live_max; /* without those that are ending */
	CALL_COUNTERS(CALL_COUNTER_FIELD)
	/* by peer index of the present configuration */
};
void calls_get_status(const struct calls *calls, struct calls_status *out);
/* ---- what the record of a call is made of, once it has ended ---- */
struct call_attempt {
	const char *peer;          /* name */
	uint64_t start_ms, end_ms; /* wall clock, ms since 1970; end: its final response */
	int code;                  /* of the final response; 408, 503 where none came */
	int cause;                 /* Q.850, of its Reason; 0 = none */
	struct addr address;       /* where the INVITE went; family 0 = it was not sent */
	char *call_id;             /* of that INVITE; NULL = it was not sent */
	char *from, *to;           /* numbers as sent; NULL as above */
};
struct call_transfer {
	uint64_t at_ms;   /* wall clock: when it was decided */
	const char *kind; /* "blind", "attended", "replaces", "passed" */
	char by;          /* the leg that asked: 'a', 'b' */
	char to[132];     /* number */
	int code;         /* 200: it took place */
	uint64_t call;    /* where the remaining leg is now; 0: here */
};
struct call_record {
	uint64_t id;                         /* 0: refused before it was a call */
	const char *from, *to;               /* numbers, as they came */
	const char *routed_from, *routed_to; /* after the inbound rules; "" = not that far */
	const char *peer;                    /* name of the peer that asked */
	const char *route;                   /* name of the route taken, "" */
	uint64_t setup_ms, ring_ms, answer_ms, end_ms; /* wall clock; 0 = it did not come to that */
	uint64_t talk_ms;                              /* by a clock that nobody sets */
	int code;                /* of the final response to leg A; 200 where answered */
	const char *ended_by;    /* "a", "b" or "viaduct" */
	const char *why;         /* in words */
	const char *reason;      /* value of the Reason header field that ended it, or NULL */
	int cause_in, cause_out; /* Q.850, received and sent with its end; 0 = none */
	bool emergency;
	struct call_leg_info leg[2]; /* strings may be "" */
	const struct call_attempt *attempt;
	unsigned attempt_count;
	uint64_t came_of; /* id of the call that was transferred to this one; 0 = none */
	const struct call_transfer *transfer;
	unsigned transfer_count;
	const struct media_stream_info *stream;
	unsigned stream_count;
};
typedef void calls_record_fn(void *ctx, const struct call_record *record);
/* Called once for every INVITE that asked for a call, when that has ended or was refused. */
void calls_set_recorder(struct calls *calls, calls_record_fn *record, void *ctx);
/* Whether it is called for what was refused before it was a call, too: it is, unless this says no.
 */
void calls_record_refused(struct calls *calls, bool wanted);
/* Whether the daemon before us has made the record of that call, which began then (wall clock, ms):
 * when it was killed the store may not have known yet that the call was over. Asked with the
 * recorder's ctx. NULL: of none. */
typedef bool calls_recorded_fn(void *ctx, uint64_t id, uint64_t setup_ms);
void calls_set_recorded(struct calls *calls, calls_recorded_fn *recorded);

enum call_limit {
	CALL_LIMIT_LIVE,
	CALL_LIMIT_RATE,
	CALL_LIMIT_BANDWIDTH,
	CALL_LIMIT_ENDING, /* calls that are over but for their last messages */
	CALL_LIMITS
};
/* What a peer, a side or the whole bears now, and how often it refused more. */
struct calls_load {
	unsigned live, ending;
	unsigned calls_per_second; /* begun in the last full second */
	uint64_t kbit;             /* of media, as media/bandwidth.h has it */
	uint64_t refused[CALL_LIMITS];
};
/* peer_name NULL: the whole. All 0 where no peer has that name. */
void calls_get_load(const struct calls *calls, const char *peer_name, struct calls_load *out);
/* Of a side: kbit and its refusals alone. */
void calls_get_side_load(const struct calls *calls, unsigned side, struct calls_load *out);

#endif
