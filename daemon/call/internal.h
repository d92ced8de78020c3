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

#include <utlist.h>

#define PREEMPTIONS_MAX    4          /* calls ended for one emergency call */
#define CALL_PAIRS_MAX     20         /* forked early dialogs of one call */
#define CALL_EXCHANGES_MAX 16         /* requests under way at once in one call */
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
	enum exchange_sdp sdp;
	struct sip_server *server;             /* on leg from; NULL once done with */
	struct sip_client *client;             /* on the other leg; NULL once done with */
	uint32_t client_cseq;                  /* of the request we sent */
	const struct peer_config *client_peer; /* whom we sent it to */
	struct sip_dest client_dest;
	struct loop_timer timer_c; /* a re-INVITE without a final response */
	struct own *own;           /* of a request of ours (own_request.c), else NULL */
	char *ack; /* bytes of the ACK we sent for the 2xx, for its retransmissions */
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

/* A REFER that was passed to the other leg, while its NOTIFYs may come. */
struct passed_refer {
	bool live;
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
	struct exchange *initial;   /* the first INVITE's, until its ACK */
	struct exchange *exchanges; /* all of them, initial included */
	unsigned exchange_count;
	struct pair *pairs;
	unsigned pair_count;
	struct pair *answered; /* the pair that won */
	struct session_timer session_timer[2];
	struct held_back held_back;
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
	struct call *next_dead;
};

/* Calls in order of their ids; the places of ended ones stay empty until the vector is packed. */
struct order {
	struct call **slot;
	uint64_t *id;
	unsigned len, room, dead;
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
	void *record_ctx;
	uint64_t next_id;
	struct call *by_id;
	struct tag *tags;
	struct call *by_merge_key;
	struct order order;
	unsigned live;  /* not ENDING */
	unsigned count; /* all, with those whose last transactions are still under way */
	bool shutting_down;
	struct calls_status counters;
	struct loads *loads;
	struct loop_timer limit_timer; /* while a limit bites */
	struct loop_timer reaper;
	struct call *dead; /* ended calls, freed from the loop: handlers may still hold them */
};

/* ---- call.c: a call's life ---- */
struct call *call_new(struct calls *calls, const struct peer_config *from);
/* Frees the call once nothing of it is under way any more. */
void call_release_if_done(struct call *call);
void call_event(struct call *call, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

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

/* ---- table.c: where calls and dialogs are found ---- */
int order_append(struct order *o, struct call *call);
void order_remove(struct order *o, struct call *call);
int tag_add(struct calls *calls, struct tag *tag);
void tag_del(struct calls *calls, struct tag *tag);
int merge_key_add(struct call *call, const osip_message_t *invite);
bool merge_key_exists(struct calls *calls, const osip_message_t *invite);
void merge_key_del(struct call *call);

/* ---- attempts on leg B (invite.c), their INVITE (make_invite.c), admission (admission.c) ---- */
/* From call->attempt on, the first peer that takes the INVITE; leg A is refused when none does. */
void try_next_peer(struct call *call);
/* Fires call->attempt_timer: the present attempt gives no sign, or has rung for too long. */
void attempt_timed_out(struct loop_timer *t);
/* An INVITE is out: it has attempt_timeout_s to bring a sign. */
void attempt_sent(struct call *call);
/* A peer has answered a request of the call's, in whatever way; is_present: the INVITE of the
 * present attempt. */
void attempt_heard(struct call *call, const struct peer_config *peer, bool is_present);
/* The present attempt got its 2xx. */
void attempt_answered(struct call *call);
/* It got another final response. Whether that was dealt with: the next place or peer is asked, or
 * the caller has heard that there is none. */
bool attempt_refused(struct call *call, osip_message_t *resp);
/* It got none: 408, or 503 where the peer cannot be reached. */
void attempt_failed(struct call *call, int code);
void attempts_clear(struct call *call);
extern const struct sip_client_handlers invite_client_handlers;
/* All dialogs of the call but one end for leg A, with what is under way in them. */
void pairs_retire_others(struct call *call, const struct pair *keep);
/* Leg B's INVITE, a dialog of its own, with leg A's end-to-end header fields and bodies. 0 or
 * -errno as media_offer. */
int make_invite(struct call *call, const struct peer_config *peer, osip_message_t *req,
	osip_message_t **out);
/* host as in a SIP URI: libosip2 writes the brackets of an IPv6 address itself. 0 or -ENOMEM. */
int uri_set_host(osip_uri_t *uri, const char *host);
/* Whether an INVITE of that peer asks for an emergency number. */
bool invite_is_emergency(
	const struct calls *calls, const osip_message_t *req, const struct peer_config *peer);
void invite_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer);
/* Ends a call that is not answered: leg A's INVITE gets code, with the end-to-end header fields of
 * resp (NULL: none) or header: value (NULL: none); the attempt under way is cancelled with reason.
 */
struct rejection {
	int code;
	const char *phrase; /* NULL: the standard one */
	const osip_message_t *resp;
	const struct peer_config *resp_peer; /* who sent it; NULL: leg B's present one */
	const char *header, *value;
	const char *reason; /* of the CANCEL */
	bool by_caller;     /* leg A itself gave it up */
};
void invite_reject(struct call *call, const struct rejection *why);
/* Leg B's first 2xx. */
void invite_answered(struct exchange *x, osip_message_t *resp);
/* Of a pair whose 2xx has no taker: it gets its ACK, and a BYE once. */
void invite_refuse_pair(struct exchange *x, struct pair *pair);

/* The user part of a SIP URI, or the number of a tel URI; "" where there is none. -EINVAL when it
 * is too long or has control characters in it. */
int number_of(const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1]);
/* The same from its text, as near as that tells without a parser; what is too long is cut. */
void number_of_text(struct text uri, char number[CALL_NUMBER_MAX + 1]);

/* ---- numbers.c: what the number rules make of the call's numbers ---- */
/* Of those that came, to be routed. 0, or -EINVAL: refused, and counted. */
int numbers_receive(struct call *call, const osip_message_t *req);
/* Of those that the present attempt sends to its candidate. The same. */
int numbers_send(struct call *call, const struct route_candidate *candidate);
/* What another calling number than From's (P-Asserted-Identity) becomes on that way, from leg A to
 * leg B. 0, or -EINVAL: no number. */
struct crossing;
int numbers_carry_calling(
	const struct crossing *way, const osip_uri_t *uri, char number[CALL_NUMBER_MAX + 1]);
/* Puts the number in the place of the one that uri, SIP or tel, has; its parameters stay. 0 or
 * -ENOMEM. */
int number_replace(osip_uri_t *uri, const char *number);

/* ---- replace_leg.c: legs come and go between calls ---- */
/* The leg hears nothing more of this call: what is under way with it ends, its tag is forgotten. */
void call_detach_leg(struct call *call, enum leg leg);
/* Somebody else stands where that leg stood in an answered call; the old one is told by BYE, where
 * it still listens. `with` moves in, also on failure; its peer is of cfg. 0, or -ENOMEM: the call
 * has no such leg any more and must end. */
int call_replace_leg(struct call *call, enum leg leg, struct dialog *with, struct config *cfg,
	const char *reason);
/* The same for the media: session, of the same two positions, takes the place of the call's own. */
void call_replace_media(struct call *call, struct media_session *session);
/* Keeps cfg as long as the call. 0 or -ENOSPC. */
int call_hold_config(struct call *call, struct config *cfg);
/* The configuration that peer is of: one of those the call holds. */
struct config *call_config_of(const struct call *call, const struct peer_config *peer);
/* BYE to that leg of an answered call, where it still listens. */
void call_bye_leg(struct call *call, enum leg leg, const char *reason);

/* ---- refer.c ---- */
void refer_received(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

/* ---- refer_pass.c ---- */
/* What a request that is carried needs, if it is a REFER or one of its NOTIFYs. 0 or -ENOMEM. */
int refer_carry(struct call *call, const osip_message_t *req, osip_message_t *out);
bool refer_notify_expected(const struct call *call, enum leg leg, const osip_message_t *notify);
/* The other leg has answered the request that went to it with that CSeq, or (resp NULL) has not: is
 * it the REFER? */
void refer_passed(
	struct call *call, enum leg from, uint32_t cseq_out, int code, const osip_message_t *resp);

/* ---- replaces.c ---- */
/* Whether the INVITE has a Replaces: then it is dealt with. */
bool replaces_received(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer);
void takeover_call_over(struct call *call);
/* The leg's BYE has come, and somebody is about to stand in its place. */
bool takeover_goes_on_without(const struct call *call, enum leg leg);

/* ---- transfer.c: what the rest of the room tells transfers ---- */
/* A call has been made of that INVITE: is it our own? */
void transfer_call_made(struct call *call, const struct sip_server *txn);
/* The call is over. */
void transfer_call_over(struct call *call);
/* The calling number, as it is routed, of a call that a transfer makes (call->asking). */
void transfer_calling_number(struct call *call);
/* A leg's BYE has come. Whether the call goes on without it. */
bool transfer_leg_left(struct call *call, enum leg leg);

/* ---- exchange.c: requests within a dialog ---- */
/* Carries a request within the dialog of that leg to the other, or refuses it. */
void exchange_carry(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);
void request_in_dialog(struct calls *calls, struct sip_server *txn, osip_message_t *req,
	const struct peer_config *peer);
/* What both kinds of exchange share as owners of their server transaction. */
extern const struct sip_server_handlers exchange_server_handlers;
/* A response of the other leg as it is passed on, header fields and body; code as given. 0 or
 * -errno. */
enum response_flags {
	RESPONSE_FINAL = 1,
	RESPONSE_NO_SDP = 2,     /* its description is left out */
	RESPONSE_UNRELIABLE = 4, /* its 100rel ends here */
};
int exchange_make_response(struct exchange *x, osip_message_t *resp, int code,
	const char *local_tag, unsigned flags, osip_message_t **out);
/* Makes it and sends it. 0 or -errno, then nothing was sent. */
int exchange_respond(
	struct exchange *x, osip_message_t *resp, int code, const char *local_tag, bool final);
/* Answers x's request with a bare final response, and forgets the transaction. */
void exchange_refuse(struct exchange *x, int code, const char *header, const char *value);
/* Keeps the SDP answer of a provisional response, should the 2xx have none. */
void exchange_keep_early_answer(struct pair *pair, const osip_message_t *resp);
/* A 2xx to INVITE from the other leg (x->pair is its dialog): goes to the leg that asked, and is
 * ACKed, now or (delayed offer) when the asking leg has done so. 0 or -errno: the 2xx was ACKed,
 * and nothing was passed on. */
int exchange_accept(struct exchange *x, osip_message_t *resp);
/* ACKs the other leg's 2xx; ack: the asking leg's ACK, or NULL. Where the answer is due with it and
 * not there, or no good, the ACK goes without and the error is returned: the call cannot go on. */
int exchange_send_ack(struct exchange *x, osip_message_t *ack);
/* Offers and INVITEs must not cross (RFC 3261 14.1 and 14.2, RFC 3311 5.2). 0, or the code to
 * refuse one from that leg with. */
int exchange_glare(struct call *call, enum leg leg, bool is_invite, bool has_offer);
/* Whether an INVITE of x has no final answer yet, or one that is not acknowledged. */
bool exchange_is_pending_invite(const struct exchange *x);
/* Writes into out what msg's body becomes on the other leg: SDP rewritten, the rest as it is.
 * from: the leg that msg came from. 0 or -errno as media_offer and media_answer. */
int exchange_carry_body(
	struct exchange *x, osip_message_t *msg, enum leg from, bool final, osip_message_t *out);
/* Tells the events where media was put on hold or taken off. */
void exchange_note_hold(struct call *call);
/* The response code that says an error of the media room. */
int media_error_code(int error);
/* The code that an error response of one leg becomes on the other. */
int carried_error_code(int code);

/* A re-INVITE that is sent has so long for a final response (RFC 3261 16.6, timer C). */
void exchange_start_timer_c(struct exchange *x);

/* ---- own_request.c, for the life of its exchanges; what others ask of it is in own_request.h ----
 */
/* An offer or INVITE is sent and has no final response. */
bool own_request_is_open(const struct exchange *x);
bool own_request_waits(const struct exchange *x); /* to be sent yet */
/* Its call ends, the media has gone: nobody is told any more. */
void own_request_forget(struct exchange *x);
/* The leg that it went to is another one now: its answer means nothing any more. */
void own_request_orphan(struct exchange *x);
/* `to` takes the place of the media session `from`, which is about to go. */
void own_request_replace_media(
	struct exchange *x, const struct media_session *from, struct media_session *to);
void own_request_free(struct exchange *x);

/* ---- session_timer.c: RFC 4028, on each leg alone ---- */
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
/* The leg, just refreshed, goes on in another call. */
void session_timer_move(struct call *from, enum leg from_leg, struct call *to, enum leg to_leg);
/* Whether the request refreshes the leg's session and nothing else: then it is answered here, and
 * the other leg does not hear of it (session_refresh.c). */
bool session_refresh_received(
	struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

/* ---- held_back.c ---- */
/* Takes a re-INVITE that nothing stands in the way of but an ACK that is due. False: it is to be
 * refused. */
bool held_back_take(struct pair *pair, enum leg leg, struct sip_server *txn);
/* An ACK has come: it is carried, unless there is more to wait for. */
void held_back_go(struct call *call);
void held_back_drop(struct call *call);

/* ---- late.c ---- */
void late_2xx_received(void *ctx, struct sip_client *txn, osip_message_t *resp);

/* ---- cause.c: response codes and Q.850 causes, Reason (RFC 3326, RFC 3398, RFC 6432) ---- */
#define REASON_MAX 512 /* bytes of a Reason header field's values */
/* 0 = no code of its own */
int cause_of_code(int code);
int code_of_cause(int cause);
/* The Q.850 cause in a value of Reason (NULL: none), 0 = none. */
int cause_of_reason(const char *reason);
/* The Q.850 cause that the message's Reason names, 0 = none. */
int cause_of_message(const osip_message_t *msg);
/* Values of the message's Reason header fields, or NULL. */
const char *reason_of(const osip_message_t *msg, char buf[REASON_MAX]);
/* reason (NULL: none) as a BYE or CANCEL to that peer has it: with a Q.850 cause where it wants
 * one. */
const char *reason_for(const struct peer_config *to, const char *reason, char buf[REASON_MAX]);
/* The same in a final response to that peer; code: what it is about. 0 or not. */
int cause_write(osip_message_t *resp, const struct peer_config *to, int code);
/* What a refusal of that peer (resp; NULL: it gave none, code stands for that) becomes for the
 * other leg. *phrase: NULL = the standard one. */
int translate_code(
	const struct peer_config *peer, int code, const osip_message_t *resp, const char **phrase);

/* ---- ack.c ---- */
/* The ACK for a 2xx that x passed on has come; NULL: where we ourselves are the asking leg. x may
 * be gone after this. */
void exchange_acked(struct exchange *x, osip_message_t *ack);
void ack_received(void *ctx, osip_message_t *ack, const struct peer_config *peer);

/* ---- dispatch of a request to its dialog ---- */
/* The pair that has such a dialog with our tag local_tag, and which leg it is; NULL when there is
 * none. */
struct pair *pair_by_ids(struct calls *calls, const char *call_id, const char *local_tag,
	const char *remote_tag, enum leg *leg);
/* The pair that a request or ACK with our tag in To belongs to, and the leg that sent it; NULL when
 * there is none (481). */
struct pair *pair_of_message(
	struct calls *calls, osip_message_t *msg, const struct peer_config *peer, enum leg *leg);

/* ---- preempt.c ---- */
/* Ends one call that is no emergency's to make room for one that is: a call of that peer, or
 * (NULL) one that holds ports and flows; which one is a setting. False: none was ended. */
bool preempt_for(struct call *urgent, const struct peer_config *peer);

/* ---- end.c ---- */
/* Both legs are ended, whatever state they are in. `by`: the leg that has ended itself (its BYE,
 * its 481) and hears nothing more; LEG_NONE: both are told. reason: value of a Reason header field,
 * or NULL. why: for the events. */
#define LEG_NONE (-1)
void call_end(struct call *call, int by, const char *reason, const char *why);
/* What is common to every ending: the media goes, the state is ENDING, the event is told. */
void call_finish(struct call *call, const struct ending *end);
void dialog_bye(struct call *call, struct dialog *d, const char *reason);
void bye_received(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

/* ---- history.c ---- */
void history_begin(struct call *call);
void history_ring(struct call *call);
void history_attempt(struct call *call, const struct peer_config *peer);
/* Its INVITE is about to go there. */
void history_attempt_sent(
	struct call *call, const struct sip_dest *dest, const osip_message_t *invite);
/* Whether an attempt from that index on went to target. */
bool history_was_tried(const struct call *call, unsigned first, const struct addr *target);
/* The peer is left out: an attempt that was none, with the code that it stands for. */
void history_attempt_left_out(struct call *call, const struct peer_config *peer, int code);
/* The response that is about to end the last attempt. */
void history_attempt_cause(struct call *call, const osip_message_t *resp);
/* The last attempt has its final response; code 0: the caller gave it up. Once an attempt. */
void history_attempt_over(struct call *call, int code);
/* Hands the record out. Media must still be there. */
void history_end(struct call *call, const struct ending *end);
/* The record of an INVITE that never became a call. */
void history_refused(
	struct calls *calls, const osip_message_t *req, const struct peer_config *peer, int code);
/* The same by its text, of what the SIP room has refused. */
void history_refused_text(void *calls, const struct sip_refused *refused);
#define CALL_ID_KEPT 255 /* bytes of its Call-ID and tag */
/* A transfer that was asked for has come to its end. */
void history_transfer(struct call *call, const struct call_transfer *transfer);
void history_clear(struct call *call);

/* ---- carry.c: what crosses from leg to leg ---- */
struct crossing {
	const struct peer_config *from, *to;
	const char *host; /* ours towards to: stands where a URI names a place of from's side */
	const struct caller_config *caller; /* of the route, of an INVITE alone; NULL = as it is */
	bool withhold;                      /* the caller is suppressed */
};
/* Header fields that are end to end. */
int carry_headers(const struct crossing *way, const osip_message_t *from, osip_message_t *to);
/* The SDP among msg's bodies, NULL if there is none. */
osip_body_t *carry_find_sdp(const osip_message_t *msg);
/* Copies bodies and what describes them; where sdp is not NULL it takes the place of the SDP part,
 * and where it is NULL such a part is left out. */
int carry_bodies(const osip_message_t *from, osip_message_t *to, const char *sdp, size_t sdp_len);
/* Whether the message demands an extension that we neither carry nor speak with that peer;
 * *unsupported gets the option tags ("a, b", malloc'd). 0, -EOPNOTSUPP, -ENOMEM. */
int carry_check_require(
	const osip_message_t *msg, const struct peer_config *peer, char **unsupported);
/* Adds an option tag to Supported or Require, unless it is there. 0 or -ENOMEM. */
int option_add(osip_message_t *msg, const char *name, const char *tag);
/* Takes an option tag out of Supported or Require, and the header field with its last. */
void option_remove(osip_message_t *msg, const char *name, const char *tag);
/* Whether Supported (k), Require or Allow names it. */
bool option_has(const osip_message_t *msg, const char *name, const char *tag);
/* Value of the first header field of that name, NULL if there is none. */
const char *header_value(const osip_message_t *msg, const char *name);

/* ---- identity.c ---- */
/* RFC 3323 4.1.1.3: the host that says "I withhold my name". */
#define ANONYMOUS_HOST "anonymous.invalid"
/* The host of From and of identities in what that peer is sent by way of that listener. */
const char *identity_host(
	const struct calls *calls, const struct peer_config *to, unsigned listener);
/* Identities, as the peers' trust and settings allow, and Privacy. 0 or -ENOMEM. */
int identity_carry(const struct crossing *way, const osip_message_t *from, osip_message_t *to);

/* ---- allow.c ---- */
/* The methods that a peer may use towards us (RFC 3261 20.5). */
const char *call_allow(const struct peer_config *peer);
/* Allow and, what we support of our own accord, Supported. 0 or -ENOMEM. */
int call_announce(osip_message_t *msg, const struct peer_config *peer);

#define CALL_ALLOW "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO"

#endif
