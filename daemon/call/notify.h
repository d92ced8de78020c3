/* SPDX-License-Identifier: BSD-2-Clause */
/* The subscription that a REFER makes (RFC 3515 2.4.4): what we tell the leg that referred, one
 * NOTIFY after the other. Private to the call room. */
#ifndef VIADUCT_CALL_NOTIFY_H
#define VIADUCT_CALL_NOTIFY_H

#include "call/internal.h"

struct subscription {
	struct call *call;
	enum leg leg;
	unsigned id; /* CSeq of the REFER, 0: the dialog's first, which needs none */
	uint64_t expires_ms;
	bool is_over; /* nothing more is told: it was never wanted, has ended, or the leg is gone */
	int told, queued;   /* codes; 0 = none */
	struct exchange *x; /* the NOTIFY under way */
	/* It is over. Called from the loop, once, and only where something was told. */
	void (*over)(void *ctx);
	void *ctx;
};

/* How the call that was asked for stands: "SIP/2.0 code …" as message/sipfrag (RFC 3420). A final
 * code is the last. False when nobody listens any more: over is not called then. */
bool subscription_tell(struct subscription *s, int code);
/* Nothing more is told, and over is not called any more. */
void subscription_stop(struct subscription *s);

#endif
