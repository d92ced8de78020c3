/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the call room: how a call is made of dialogs and exchanges.
 *
 *        leg A (made the call)                       leg B (is called)
 *   sip_server INVITE ──────────── exchange ───────────── sip_client INVITE
 *   dialog  a.tag=1   ◄─────────── pair 1 ──────────────► dialog b.tag=x   } forked early
 *   dialog  a.tag=2   ◄─────────── pair 2 ──────────────► dialog b.tag=y   } dialogs
 *
 * A pair joins one dialog of leg A with one of leg B. An exchange is one request of one leg that is
 * carried to the other, and its answer back: the first INVITE, a re-INVITE, UPDATE, PRACK, INFO.
 * What ends a call (BYE, CANCEL) is answered here, and asked for anew on the other leg. */
#ifndef VIADUCT_CALL_INTERNAL_H
#define VIADUCT_CALL_INTERNAL_H

#include "base/loop.h"
#include "base/table.h"
#include "call/call.h"
#include "call/limits.h"
#include "route/number.h"
#include "sip/dialog.h"
#include "store/message.h"

#include <utlist.h>

#define PREEMPTIONS_MAX    4          /* calls ended for one emergency call */
#define CALL_PAIRS_MAX     20         /* forked early dialogs of one call */
#define CALL_EXCHANGES_MAX 16         /* requests under way at once in one call, without: */
#define CALL_BYES_MAX      16         /* BYEs of ours that are kept for the next daemon */
#define CALL_ATTEMPTS_MAX  32         /* INVITEs on leg B, one after the other */
#define CALL_NUMBER_MAX    NUMBER_MAX /* bytes of a called or calling user part */
#define CALL_TRANSFERS_MAX 10         /* that a call may come through */
#define CALL_CONFIGS_MAX   16         /* older configurations that its legs came with */
#define CALL_REFERS_MAX    32         /* that may be asked for in one call */
/* Live calls and those whose last transactions run out (64*T1), together: so many times the limit
 * of live ones. The latter hold no ports and no flows; limits.c gives each peer its share. */
#define CALLS_ENDING_FACTOR 8
#define RETRY_AFTER_S       5    /* with 503 for what is not a limit of the configuration */
#define DRAIN_RETRY_AFTER_S "60" /* with 503 to a peer that is drained */

#define SIP_SESSION_INTERVAL_TOO_SMALL 422 /* RFC 4028 6; libosip2 does not name it */

/* The To tag by which a request finds its dialog: ours. On leg A each pair has its own, on leg B
 * all pairs share the one of the INVITE's From. */
struct tag {
	char text[DIALOG_TAG_LEN + 1];
	enum leg leg;
	struct call *call;
	struct pair *pair; /* leg A alone */
	UT_hash_handle hh;
};

struct reliable; /* reliable.c */
/* What becomes of reliable provisional responses in an early dialog (RFC 3262). */
enum reliable_way { RELIABLE_WAY_OPEN, RELIABLE_WAY_PASSED, RELIABLE_WAY_ENDED };

struct pair {
	struct call *call;
	struct dialog leg[2];
	bool has_dialog_a; /* leg[LEG_A] is initialised: leg[LEG_B] always is */
	bool tag_a_added;
	bool retired; /* lost the race, or of an earlier attempt: kept for a late 2xx alone */
	bool refused; /* a 2xx of it was answered with BYE */
	struct tag tag_a;
	char *early_answer; /* SDP answer of the pending INVITE's last 1xx with one; NULL = none */
	size_t early_answer_len;
	bool answer_told;  /* the asking leg has it in a reliable response */
	bool answer_taken; /* leg B's reliable response with it has our PRACK */
	enum reliable_way way;
	uint32_t rseq;             /* of leg B's last response that has our PRACK */
	struct reliable *reliable; /* towards leg A; NULL: none yet */
	struct pair *prev, *next;
};

enum exchange_sdp { SDP_NONE, SDP_OFFERED, SDP_DELAYED, SDP_DONE };

struct exchange {
	struct call *call;
	struct pair *pair; /* NULL for the first INVITE until its 2xx */
	enum leg from;
	bool is_invite;
	bool is_initial;
	bool accepted;      /* a 2xx was passed on: waits for the ACK */
	bool ack_waits;     /* delayed offer: our ACK goes when theirs has come, with the answer */
	bool converted;     /* no offer came: leg B has one of ours (delayed_offer.c) */
	char *turned;       /* of a converted one: leg B's answer, which leg A is offered */
	bool bye_after_ack; /* RFC 3261 15: the callee's BYE waits for the ACK */
	bool is_bye;        /* of ours (bye.c) */
	bool bye_waits;     /* it has no final response */
	bool is_repeat;     /* of the daemon before: its CSeq may be too low (left_request.c) */
	enum exchange_sdp sdp;
	struct sip_server *server;             /* on leg from; NULL once done with */
	struct sip_client *client;             /* on the other leg; NULL once done with */
	uint32_t client_cseq;                  /* of the request we sent */
	const struct peer_config *client_peer; /* whom we sent it to */
	struct sip_dest client_dest;
	struct loop_timer timer_c; /* a re-INVITE without a final response */
	uint64_t give_up_ms; /* of the loop's clock: it ends then, whatever is said meanwhile */
	struct own *own;     /* of a request of ours (own_request.c), else NULL */
	char *ack;           /* bytes of the ACK we sent for the 2xx, for its retransmissions */
	size_t ack_len;
	struct exchange *prev, *next;
};

/* An INVITE that came twice by different ways has all of these alike (RFC 3261 8.2.2.2). */
struct merge_key {
	uint64_t hash[2];
};

/* Times are wall clock, ms since 1970; 0 = it did not come to that. */
struct history {
	uint64_t setup_ms, ring_ms, answer_ms;
	struct call_attempt *attempt;
	unsigned attempt_count;
	struct call_transfer *transfer;
	unsigned transfer_count;
};

/* A leg's session timer (RFC 4028). */
struct session_timer {
	struct loop_timer timer;
	struct call *call;
	enum leg leg;
	bool active, we_refresh;
	bool asked;          /* our last INVITE or UPDATE asked for one */
	bool has_update;     /* the peer's Allow names UPDATE */
	uint32_t interval_s; /* in force */
	uint32_t min_s;      /* the largest Min-SE that the peer insisted on, 0 = none */
	uint64_t since_ms;   /* of the last refresh, of the loop's clock */
	uint32_t told;       /* the other leg, before our offer went out: media_told */
};

/* A re-INVITE that waits for an ACK of the call (held_back.c). */
struct held_back {
	struct call *call;
	enum leg leg;
	struct sip_server *txn; /* NULL: none */
	struct loop_timer timer;
};

/* A leg that is being led back to the call's media (restore.c). */
struct restore {
	struct call *call;
	enum leg leg;
	unsigned tries;
	bool is_due;             /* it has not followed yet */
	struct loop_timer timer; /* of the next try */
};

/* A REFER that was passed to the other leg, while its NOTIFYs may come. */
struct passed_refer {
	bool live, is_accepted;
	enum leg from;
	uint32_t cseq_in, cseq_out; /* of the REFER, as it came and as it went on */
	uint64_t until_ms;
	char *refer_to;
	char to[CALL_NUMBER_MAX + 1];
};

/* Who else than its owner may take over a leg (RFC 3891). */
struct replaces_grant {
	enum leg leg;
	uint64_t until_ms;
	char peer[64];
};

/* How a call ended. */
struct ending {
	int code;           /* final response to leg A: 200 where it was answered */
	int by;             /* the leg that ended it, LEG_NONE: we */
	const char *reason; /* value of a Reason header field, or NULL */
	const char *why;    /* in words */
	bool is_refusal;    /* leg A hears of it by code, as the answer to its INVITE */
};

/* Where the first INVITE on leg B has come to (attempt.c). */
struct attempts {
	unsigned made;   /* INVITEs */
	unsigned asked;  /* index of the candidate that got the last one, and 1; 0 = nobody yet */
	unsigned places; /* of the present peer that were asked */
	unsigned again;  /* the present place was asked once more, in answer to its refusals */
	unsigned peer_first;       /* index in the history: those of the present peer begin there */
	bool heard;                /* the present INVITE has brought a sign */
	bool reported;             /* the present peer's state has heard how it ended */
	enum peer_outcome outcome; /* of the last one to the present peer */
	uint64_t sent_ms;          /* the last INVITE, of the loop's clock */
	int best_code;             /* of the final responses so far, 0 = none */
	osip_message_t *best_resp; /* NULL where it is our own */
	const struct peer_config *best_peer;
	char *unsupported;      /* why the offer is of no use to a peer, in words; NULL = it was */
	unsigned retry_after_s; /* after so long a peer may take calls again, 0 = not known */
};

struct call {
	struct calls *calls;
	uint64_t id;
	struct config *cfg; /* that it began with */
	enum call_state state;
	bool held;
	bool counted;           /* against the limits of live calls */
	bool emergency;         /* no limit holds for it */
	bool takes_any;         /* bandwidth: what it comes to is counted and never refused */
	unsigned kbit[2];       /* of its media, as counted */
	struct refusal refusal; /* by the last limit that was reached for it */
	/* Nothing is said to that leg any more: its BYE came and the call goes on, it belongs to
	 * another call now, or it has been ourselves all along. */
	bool leg_gone[2];
	struct transfer *transfer;  /* that one of the legs asked for, under way */
	struct transfer *target_of; /* that leads to this call, under way */
	struct takeover *takeover;  /* of one of the legs, under way */
	struct passed_refer passed;
	struct replaces_grant grant;
	unsigned refers, transfers; /* how many were asked for; through how many it has come */
	uint64_t came_of;           /* call that was transferred to this one, 0 = none */
	/* Who came to that leg by a transfer was shown as another there, or as nobody: nothing that
	 * it says of itself crosses. */
	bool unnamed[2];
	const struct peer_config *asking;          /* whose routes it takes; NULL: leg A's */
	struct config *held_cfg[CALL_CONFIGS_MAX]; /* that legs came from elsewhere with */
	unsigned held_cfg_count;
	const struct peer_config *peer[2];
	struct route_result route;
	bool last_resort; /* no candidate takes calls: they are tried all the same */
	struct attempts attempts;
	unsigned attempt;                                        /* index in route.candidate */
	char from[CALL_NUMBER_MAX + 1], to[CALL_NUMBER_MAX + 1]; /* numbers, as they came */
	struct numbers routed;          /* after the inbound rules of the peer that calls */
	struct numbers sent;            /* of the present attempt, after the outbound ones */
	uint64_t setup_ms, answered_ms; /* of the loop's clock */
	struct history history;
	struct media_session *media;
	struct exchange *initial;           /* the first INVITE's, until its ACK */
	struct exchange *exchanges;         /* all of them, initial included */
	unsigned exchange_count, bye_count; /* of them: BYEs of ours are the latter */
	struct pair *pairs;
	unsigned pair_count;
	struct pair *answered; /* the pair that won */
	struct session_timer session_timer[2];
	struct held_back held_back;
	struct restore restore[2];
	struct left_request *left_requests; /* left_request.c */
	struct sip_server *refused;         /* refused.c */
	uint32_t rseq;       /* last number of a reliable response of ours, to leg A */
	bool no_100rel;      /* leg B has refused to be asked for it */
	uint32_t told_early; /* media_told of the answer that binds leg A already; 0: none */
	struct tag tag_b;    /* of the present attempt's INVITE */
	bool tag_b_added;
	struct loop_timer attempt_timer; /* no provisional: next peer; then timer C */
	struct merge_key merge_key;
	UT_hash_handle hh_merge;
	bool merge_added;
	unsigned index; /* place in calls->order */
	UT_hash_handle hh_id;
	bool touched;                  /* it is to be written down */
	bool saved_early;              /* as it was before it was answered */
	bool saved;                    /* the store has it */
	bool saved_over;               /* as one that is over, for its BYEs or CANCEL */
	bool adopted;                  /* it began in a daemon before us */
	bool recorded;                 /* it has its record: one is enough */
	bool unreachable[2];           /* a leg of a call of before (unreachable.h) */
	struct peer_config *former[2]; /* where its peer is configured no more: in its place */
	struct call *prev_touched, *next_touched;
	struct call *next_dead;
};

/* Calls in order of their ids; the places of ended ones stay empty until the vector is packed. */
struct order {
	struct call **slot;
	uint64_t *id;
	unsigned len, room, dead;
};

/* Calls that are to be written down. */
struct touched {
	struct call *first;
	unsigned count;
	struct loop_timer timer;
};

/* Calls that the store has and that are over, by their ids: they go with the next that is written
 * down, as one call may have gone on in another. */
struct over {
	uint64_t *id;
	unsigned count, room;
};

struct calls {
	struct loop *loop;
	struct config *cfg;
	struct sip *sip;
	struct media *media;
	struct peers *peers;
	calls_event_fn *event;
	void *event_ctx;
	calls_record_fn *record;
	calls_recorded_fn *recorded;
	void *record_ctx;
	bool refused_unrecorded; /* see calls_record_refused */
	uint64_t next_id;
	struct call *by_id;
	struct tag *tags;
	struct call *by_merge_key;
	struct order order;
	unsigned live;  /* not ENDING */
	unsigned count; /* all, with those whose last transactions are still under way */
	enum { INTAKE_OPEN, INTAKE_DRAINS, INTAKE_CLOSED } intake;
	bool leave_wanted;   /* what is answered goes on without us, once the room is freed */
	bool leaving;        /* it is being freed */
	struct store *store; /* NULL: nothing is written down */
	uint64_t ids_below;  /* ids that may be given out by what the store has */
	bool ids_read;       /* they are those of before, or there is no before */
	uint64_t start;      /* one more than that of the daemon before */
	uint32_t cseq_leap;  /* of the call that is being adopted */
	struct touched touched;
	struct over over;
	struct arena *save_arena;
	struct message_room save_room;
	struct calls_adoption adoption;
	struct unsettled *unsettled; /* adopt.c */
	struct calls_status counters;
	struct loads *loads;
	struct loop_timer limit_timer; /* while a limit bites */
	struct loop_timer reaper;
	struct call *dead; /* ended calls, freed from the loop: handlers may still hold them */
};

/* ---- call.c: a call's life ---- */
struct call *call_new(struct calls *calls, const struct peer_config *from);
/* The same with that id: greater than of all calls that there are. */
struct call *call_new_at(struct calls *calls, uint64_t id, const struct peer_config *from);
/* An open listener to stand in for one that is gone: same side and transport, same family.
 * SIP_NO_LISTENER when there is none. */
unsigned call_substitute_listener(
	const struct calls *calls, const struct peer_config *peer, uint8_t family);
/* Frees the call once nothing of it is under way any more. */
void call_release_if_done(struct call *call);
void call_event(struct call *call, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- save.c: what the daemon after this one is to know of a call ---- */
#define CALL_IDS_KEY "call"
/* Writes down that ids below that one may be given out, and which start this is. */
void calls_reserve_ids(struct calls *calls, uint64_t below);
/* Something of it has changed: it is written down before what is sent in this round of the loop
 * leaves. Of one that ends only BYEs that wait are. */
void call_touch(struct call *call);
/* Its memory goes, and what was written down of it. */
void call_unsave(struct call *call);
/* Gives out the next id. */
uint64_t call_take_id(struct calls *calls);
/* What was touched is written down now. */
void calls_save(struct calls *calls);
/* calls_free begins. */
void calls_save_end(struct calls *calls);

/* ---- pair.c: pairs and exchanges come and go ---- */
struct pair *pair_new(struct call *call);
void pair_free(struct pair *pair);
/* Leg A's dialog ends; leg B's numbers stay, should a 2xx of it still come. */
void pair_retire(struct pair *pair);
/* What is under way in its dialogs ends; the first INVITE is in none. */
void pair_end_requests(struct pair *pair);
/* By the tags of leg B's dialog: two attempts may meet the same remote tag. */
struct pair *pair_by_tags(struct call *call, const char *local_tag, const char *remote_tag);
struct exchange *exchange_new(struct call *call, enum leg from);
void exchange_free(struct exchange *x);
/* Frees it when neither side has anything more to say, and the call after its last. */
void exchange_release_if_done(struct exchange *x);

/* ---- choice.c ---- */
/* By its numbers as they are now and the present time; back to where refer: back has it lead. */
void call_find_route(const struct call *call, struct route_result *out);

/* ---- table.c: where calls and dialogs are found ---- */
int order_append(struct order *o, struct call *call);
void order_remove(struct order *o, struct call *call);
int tag_add(struct calls *calls, struct tag *tag);
void tag_del(struct calls *calls, struct tag *tag);
int merge_key_add(struct call *call, const osip_message_t *invite);
bool merge_key_exists(struct calls *calls, const osip_message_t *invite);
void merge_key_del(struct call *call);

#endif
