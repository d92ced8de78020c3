/* SPDX-License-Identifier: BSD-2-Clause */
/* How a call ends. Private to the call room. */
#ifndef VIADUCT_CALL_END_H
#define VIADUCT_CALL_END_H

#include "call/internal.h"

/* Both legs are ended, whatever state they are in. `by`: the leg that has ended itself (its BYE,
 * its 481) and hears nothing more; LEG_NONE: both are told. reason: value of a Reason header field,
 * or NULL. why: for the events. */
#define LEG_NONE (-1)
void call_end(struct call *call, int by, const char *reason, const char *why);
/* What is common to every ending: the media goes, the state is ENDING, the event is told. */
void call_finish(struct call *call, const struct ending *end);
void dialog_bye(struct call *call, struct dialog *d, const char *reason);
void bye_received(struct pair *pair, enum leg leg, struct sip_server *txn, osip_message_t *req);

#endif
