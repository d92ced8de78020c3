/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a call has audio, or has none: what the facts of its streams say, most telling first. */
#ifndef VIADUCT_CONTROL_DIAGNOSIS_H
#define VIADUCT_CONTROL_DIAGNOSIS_H

#include "call/call.h"

#define FINDING_TEXT_MAX 320
#define FINDINGS_MAX     20 /* of one stream */

/* Milliseconds without a packet after which a leg that sent counts as silent. */
#define DIAGNOSIS_SILENT_MS 3000
/* Percent of lost packets that people hear (a stream is poor above it). */
#define DIAGNOSIS_LOSS_PERCENT 5.0

/* X(code, when) */
#define FINDINGS(X)                                                                                \
	X(ok, "media flows both ways in the kernel")                                               \
	X(no_media, "no offer and answer were exchanged yet")                                      \
	X(bypassed, "both peers are at one bypass site: their media goes past us")                 \
	X(rejected, "the stream was rejected in the answer")                                       \
	X(not_attached, "XDP is not attached where the leg's packets come in")                     \
	X(no_flow, "no flow is programmed for what the leg sends")                                 \
	X(next_hop, "the next hop towards the other leg is not resolved")                          \
	X(too_long, "what the leg sends is too long for the device where it leaves")               \
	X(profiles, "one leg speaks SRTP, the other plain RTP: neither understands the other")     \
	X(no_source, "the leg gave no address, and latching is off: nothing is admitted")          \
	X(refused_source, "packets to the leg's port come from somebody else")                     \
	X(private_address, "its SDP names a private address, its SIP comes from a public one")     \
	X(inactive, "by its direction attribute the leg sends nothing (hold)")                     \
	X(silent, "the leg should send, and no packet has come")                                   \
	X(stopped, "the leg sent, and has stopped")                                                \
	X(dropped, "packets of this call or others come in there that are no stream's")            \
	X(held, "the leg's packets are counted and not sent on: the other leg takes none")         \
	X(loss, "packets are lost before they reach us")                                           \
	X(unheard, "by its RTCP the leg receives nothing of what is sent on to it")                \
	X(far_loss, "by its RTCP the leg loses much of what is sent on to it")                     \
	X(one_way, "media flows one way only")                                                     \
	X(driver_loss, "the driver of the device where the leg's packets leave loses packets")

#define FINDING_ENUM(code, when) FINDING_##code,
enum finding_code { FINDINGS(FINDING_ENUM) };
const char *finding_name(enum finding_code code);

struct finding {
	enum finding_code code;
	int leg; /* enum leg, -1 = both */
	char text[FINDING_TEXT_MAX];
};

struct findings {
	unsigned count;
	struct finding one[FINDINGS_MAX];
};

struct diagnosis_facts {
	enum call_state state;
	const struct media_stream_info *stream;
	const struct dataplane_flow
		*flow[2];                  /* as programmed, of what the leg sends; NULL = none */
	struct addr signalling[2];         /* the legs' SIP; family 0 = not known */
	bool attached[SIDE_COUNT];         /* XDP is, on that side's device */
	uint64_t (*lately)[VD_REASON_MAX]; /* a side's packets; NULL = nothing known */
	const struct dataplane_device_status *device[SIDE_COUNT]; /* NULL = nothing known */
};

void diagnose_stream(const struct diagnosis_facts *facts, struct findings *out);
/* A call without streams; site: whose media goes past us, or NULL. */
void diagnose_no_streams(enum call_state state, const char *site, struct findings *out);
/* The packets of that leg find a flow, and a program that looks for it. */
bool diagnosis_in_kernel(const struct diagnosis_facts *facts, enum leg leg);

#endif
