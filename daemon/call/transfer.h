/* SPDX-License-Identifier: BSD-2-Clause */
/* Third-party call control (RFC 3725) for a leg that refers (RFC 3515, RFC 5589): the leg that
 * remains is joined with a target that is called for it, or with the far end of another call of the
 * referring one's.
 *
 *   blind      call X: by ── rem          a call T is made for the target, as a call of `by`'s,
 *                            └────► T     its leg A being ourselves; once it is answered, rem's
 *                                         dialog moves into T
 *   attended   call X: by ── rem          `by` has a leg of call T already; rem's dialog takes
 *              call T: by'── far          the place of that leg
 *
 * Media: T's session is made of what rem and far say, while X's stands untouched beside it; rem is
 * led over by a re-INVITE, and only then is anything given up. Private to the call room. */
#ifndef VIADUCT_CALL_TRANSFER_H
#define VIADUCT_CALL_TRANSFER_H

#include "call/refer_to.h"

/* REFER within an answered call, to be carried out here: answers txn and begins. Takes what is in
 * to. */
void transfer_begin(struct pair *pair, enum leg by, struct sip_server *txn, struct refer_to *to);
/* Whether the peer may have that leg of that call replaced. */
bool replaces_is_allowed(const struct peer_config *peer, const struct call *call, enum leg leg);

/* peer may, for a while: a REFER that was passed on to it says so. */
void replaces_grant(struct call *call, enum leg leg, const struct peer_config *peer);

/* ---- refer_pass.c ---- */
/* Passes the REFER on. 0, or the code to refuse it with. */
int refer_pass(struct pair *pair, enum leg leg, struct sip_server *txn, const struct refer_to *to);

#endif
