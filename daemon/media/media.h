/* SPDX-License-Identifier: BSD-2-Clause */
/* The media of a call: rewrites SDP offers and answers (RFC 3264) between the two legs, owns the
 * ports, keeps the flows in step with what was negotiated, watches and measures them.
 *
 * Relayed: any kind of media over RTP/... profiles and udptl. An m-line of another transport (TCP,
 * MSRP, DTLS-SRTP, whose handshake the data plane drops) is passed on with port 0, and so is one
 * with several ports or an address that is a name or multicast. ICE, BUNDLE and k= are taken out. A
 * hold by c=0.0.0.0 (RFC 2543) goes on as a=sendonly or a=inactive with our real address: media on
 * hold may still come from there, and nothing is sent there. What a peer is told of a hold is its
 * setting (hold.h). SDES passes opaquely; there payload types are never mapped, as SRTP
 * authenticates them.
 *
 * Audio formats that are not on the codec lists of both peers are taken out of offers and answers;
 * telephone-event and CN pass every list.
 *
 * Between two peers of one bypass site SDP crosses as it is, and media goes past us; not any more
 * once a leg was shown an SDP of ours, whose o= cannot become another's.
 *
 * The leg that offers gets the address family that it offers in, where its side has it; else the
 * peer's media_family holds. The family of a stream in use does not change any more. */
#ifndef VIADUCT_MEDIA_MEDIA_H
#define VIADUCT_MEDIA_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "config/config.h"
#include "dataplane/dataplane.h"
#include "state.pb-c.h"

#define MEDIA_STREAMS_MAX 8 /* m-lines of a session; one more is refused with 488 */
#define MEDIA_SDP_MAX     (32 * 1024)

/* The legs of a call: A made it, B was called. */
enum leg { LEG_A, LEG_B };
#define OTHER_LEG(leg) ((leg) == LEG_A ? LEG_B : LEG_A)

struct store;
struct media;         /* the room: pools, counters */
struct media_session; /* one call's */

struct media_handlers {
	void *ctx;
	/* No RTP and no RTCP from that leg for the configured time. owner is the one given to
	 * media_session_new. Called once a session, which the handler may free. */
	void (*timeout)(void *ctx, void *owner, enum leg leg, unsigned seconds, bool held);
	/* What the session takes on each leg has changed, in kbit/s as media/bandwidth.h has it:
	 * from an offer until its answer, the most that it can come to. may_refuse: an offer that
	 * -EDQUOT refuses; else the result means nothing. */
	int (*bandwidth)(void *ctx, void *owner, const unsigned kbit[2], bool may_refuse);
	/* For the events stream: text is one line such as "leg a stream 0 latched 192.0.2.7:4000".
	 */
	void (*event)(void *ctx, void *owner, const char *kind, const char *text);
	/* What media_session_save writes has changed by itself: a latch, digits; and what was
	 * measured, each MEDIA_CHANGED_PERIOD_MS of an answered call whose media comes. */
	void (*changed)(void *ctx, void *owner);
};
#define MEDIA_CHANGED_PERIOD_MS 30000

int media_new(struct media **out, struct loop *loop, const struct config *cfg,
	enum dataplane_engine engine, const struct media_handlers *handlers);
void media_free(struct media *m);
int media_reload(struct media *m, const struct config *cfg);
/* Ports that rest in quarantine are written down there, and those of the daemon before go on
 * resting. Once, when the sessions were adopted. store outlives m. 0 or -errno. */
int media_keep_resting(struct media *m, struct store *store);
struct dataplane *media_dataplane(struct media *m);

/* Reserves nothing yet. The peers stay in place as long as the session. Each leg's SDP is written
 * with an address of its peer's side and family. peer_b may be changed until B has answered
 * (failover): media_session_set_peer. */
int media_session_new(struct media *m, void *owner, const struct peer_config *peer_a,
	const struct peer_config *peer_b, struct media_session **out);
/* Of an emergency call: where no port is free it gets one that rests in quarantine. */
void media_session_set_urgent(struct media_session *s);
/* For the next peer of a route: forgets leg B's state, keeps leg A's ports and offer. */
int media_session_set_peer(struct media_session *s, enum leg leg, const struct peer_config *peer);
/* Deletes flows, quarantines ports. NULL is fine. */
void media_session_free(struct media_session *s);

/* Why media_offer or media_answer has just said -EPROTONOSUPPORT, such as "audio over
 * UDP/TLS/RTP/SAVPF is not relayed"; "" where there are no words for it. To be asked before the
 * next of them. */
#define MEDIA_UNSUPPORTED_MAX 240
const char *media_unsupported(const struct media *m);

/* An offer that came from leg `from` in sdp: writes the offer for the other leg. *out is malloc'd,
 * NUL-terminated, *out_len its length. Ports are allocated as needed.
 * 0; -EINVAL malformed (400); -EPROTONOSUPPORT nothing acceptable, too many m-lines, no codec of
 * the peer's list left (488); -ENOSPC out of ports or flows (503); -ENOMEM;
 * -EBUSY an offer of the other leg is pending that was never answered (491); -EDQUOT the owner
 * refuses the bandwidth.
 * After an error the session is as it was before. A new offer replaces a pending one of the same
 * leg. Calling it again for the same sdp (failover) is fine. */
int media_offer(struct media_session *s, enum leg from, const char *sdp, size_t len, char **out,
	size_t *out_len);
/* The answer from leg `from` to the pending offer of the other leg: writes the answer for the
 * other leg and programs the flows. Early answers may be repeated and replaced (forked early
 * dialogs: the latest wins); final marks the one that concludes the exchange. Errors as
 * media_offer; -EBADMSG: no offer pending. */
int media_answer(struct media_session *s, enum leg from, const char *sdp, size_t len, bool final,
	char **out, size_t *out_len);
/* The pending offer was refused or withdrawn: ports that it alone had are given back, streams stay
 * as negotiated before. */
void media_offer_failed(struct media_session *s);
bool media_offer_pending(const struct media_session *s);
/* The last SDP we sent to that leg, NULL if none (for a retransmitted or re-made answer). */
const char *media_last_sdp(const struct media_session *s, enum leg leg);

/* What that leg said last, as it came, of offers and answers that came into force; NULL if none. To
 * be given to media_offer again where we ourselves ask the other leg for something. */
const char *media_heard_sdp(const struct media_session *s, enum leg leg);
/* The same as an offer to somebody new: nothing of it on hold (RFC 3725 7). *out is malloc'd. 0,
 * -ENOENT where the leg has said nothing yet, -ENOMEM. */
int media_fresh_offer(const struct media_session *s, enum leg leg, char **out);

/* What that leg was told last in all but o=, as a number to compare with; 0: nothing. */
uint32_t media_told(const struct media_session *s, enum leg leg);
/* Whether that leg says with sdp what it said last, to the letter. */
bool media_is_unchanged(const struct media_session *s, enum leg from, const char *sdp, size_t len);
/* That leg offers, and is answered with what the other said last; the other hears nothing of it.
 * Errors as media_offer and media_answer; -ENOENT where nothing was agreed yet. */
int media_answer_again(struct media_session *s, enum leg from, const char *sdp, size_t len,
	char **out, size_t *out_len);
/* The site where both peers are, whose media goes past us: no ports, no flows, no watchdog. NULL:
 * it is relayed. */
const char *media_bypass(const struct media_session *s);

/* ---- an offer of our own, where the leg that should make one has not ---- */
/* Audio for that leg, as if the other had offered it: PCMA, PCMU and telephone-event, or what the
 * peers' codec lists allow of what is known here. The answer to it is given to media_offer, to be
 * offered to the other leg, whose answer concludes both. inactive: nobody stands there yet; the
 * answer is given to media_answer. Errors as media_offer. */
int media_own_offer(
	struct media_session *s, enum leg to, bool inactive, char **out, size_t *out_len);
/* An answer in that leg's stead to what it was offered last: inactive. *out is malloc'd. 0, -ENOENT
 * where it was offered nothing, -ENOMEM. */
int media_inactive_answer(const struct media_session *s, enum leg leg, char **out);
/* Whether the answer allows less than what was offered, both as the leg that is to hear of it has
 * them: a format is missing, or it is of one direction. */
bool media_is_narrower(const char *answer, const char *offered);

/* Call is answered: the watchdog starts. */
void media_session_start(struct media_session *s);
/* One that its owner has beside another: what it takes is not reported, until it is spare no more;
 * false also reports anew. */
void media_session_set_spare(struct media_session *s, bool spare);
/* It is known that a leg sends no more: the watchdog stops. */
void media_session_pause(struct media_session *s);

/* ---- from one daemon to the next ---- */
struct arena;
/* Fills out, which points at what lives: to be packed before anything else is done with the
 * session. 0 or -ENOMEM. */
int media_session_save(const struct media_session *s, struct arena *a, VdState__MediaSession *out);
/* Takes up a session of the daemon before, with its ports, its flows as they are in the kernel, and
 * the offer that is pending; the watchdog goes on where it was. Reports the bandwidth to the owner
 * as an offer does. Before any media_session_new. What in says is checked: 0; -EINVAL it
 * contradicts itself; -EEXIST its ports or its slot are another's; -ENOENT an address that is not
 * ours any more; -ENOSPC, -ENOMEM. What a session that fails had in the kernel is removed. */
int media_session_adopt(struct media *m, void *owner, const struct peer_config *peer_a,
	const struct peer_config *peer_b, const VdState__MediaSession *in,
	struct media_session **out);
/* Once after media_new, when all that there is was adopted, and before any media_session_new: flows
 * of the daemon before that nobody took up are removed. */
void media_adoption_done(struct media *m);
/* From here on a session that is freed leaves its flows to the next daemon. */
void media_set_leaving(struct media *m);
/* Frees the room and its sessions, and leaves what is in the kernel to the next daemon. */
void media_leave(struct media *m);
/* As media_free; before media_adoption_done, of a start that fails, what an earlier daemon left in
 * the kernel goes on. */
void media_abandon(struct media *m);

/* ---- what the CLI and the records read ---- */
struct media_leg_info {
	struct addr local, local_rtcp;     /* ours on that leg, as in the SDP we sent it */
	struct addr remote, remote_rtcp;   /* theirs */
	struct addr refused;               /* where RTP came from that was not admitted, lately */
	struct dataplane_stats rtp;        /* received from that leg */
	struct dataplane_path path;        /* where packets received from that leg leave */
	dataplane_flow_id flow, flow_rtcp; /* of packets received from that leg; 0 = none */
	bool sends;                        /* by the direction attributes */
	double mos;                        /* E-model of what we received from it, 0 = not known */
	double rtt_ms;                     /* from its RTCP reports, < 0 = not known */
	/* Of what is sent to it, as it said last by RTCP; 100: it receives nothing; < 0: it said
	 * nothing lately. */
	double far_loss_percent;
	double loss_percent, jitter_ms;
	/* By samples: see media/samples.h. The mean and the maximum are the present values where
	 * there was no sample yet. */
	double jitter_mean_ms, jitter_max_ms, loss_max_percent;
	unsigned bursts;
	double burst_percent, burst_ms, gap_percent, gap_ms; /* density and mean duration */
	unsigned dtmf;                                       /* telephone-events */
	bool poor; /* loss above QUALITY_POOR_MEAN_PERCENT or QUALITY_POOR_MAX_PERCENT */
};
struct media_stream_info {
	unsigned index;
	char kind[16];  /* "audio", "video", "image" … */
	char proto[32]; /* "RTP/AVP", "udptl" … */
	char codec[64]; /* first of the answer, "PCMA/8000" */
	bool active, mux, held;
	bool profiles_differ; /* one leg speaks SRTP, the other plain RTP */
	struct media_leg_info leg[2];
};
unsigned media_stream_count(const struct media_session *s);
/* Which legs have sent media of any stream within the last ms. False: no stream carries any here.
 */
bool media_heard(const struct media_session *s, uint64_t ms, bool heard[2]);
int media_stream_info(const struct media_session *s, unsigned index, struct media_stream_info *out);

struct media_status {
	unsigned sessions;
	/* At the start: sessions and flows that were taken up, flows that had to be added anew,
	 * flows that were left over and removed. */
	unsigned sessions_adopted, flows_adopted, flows_added, flows_removed;
	unsigned ports_total[SIDE_COUNT], ports_used[SIDE_COUNT], ports_quarantined[SIDE_COUNT];
	unsigned ports_left[SIDE_COUNT];
};
void media_get_status(const struct media *m, struct media_status *out);

#endif
