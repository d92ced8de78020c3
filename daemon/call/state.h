/* SPDX-License-Identifier: BSD-2-Clause */
/* A call as the messages of store/state.proto have it: what save.c and save_early.c write, adopt.c
 * and those beside it read. Private to the call room. */
#ifndef VIADUCT_CALL_STATE_H
#define VIADUCT_CALL_STATE_H

#include "base/arena.h"
#include "call/internal.h"
#include "state.pb-c.h"

/* ---- writing; what is short of memory is seen by arena_failed ---- */
static inline ProtobufCBinaryData bytes_of(const char *text)
{
	return (ProtobufCBinaryData){
		.len = text ? strlen(text) : 0, .data = (uint8_t *)(uintptr_t)text};
}

static inline char *string_of(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

static inline char *addr_of(struct arena *a, const struct addr *addr)
{
	char *text = arena_take(a, ADDR_TEXT_MAX);

	if (!text || !addr->family)
		return string_of(NULL);
	return (char *)(uintptr_t)addr_print(addr, text);
}

/* A message of that type in the arena; NULL is seen by arena_failed. */
#define NEW(a, type, INIT)                                                                         \
	({                                                                                         \
		type *new_message = arena_take((a), sizeof(type));                                 \
		if (new_message)                                                                   \
			*new_message = (type)INIT;                                                 \
		new_message;                                                                       \
	})

ProtobufCBinaryData bytes_in(struct arena *a, const char *text, size_t len); /* a copy */
ProtobufCBinaryData save_message(struct arena *a, osip_message_t *msg);
VdState__Dialog *save_dialog(struct arena *a, const struct dialog *d);
/* Whether the next daemon could go on with it as it is now. */
bool call_can_be_saved(const struct call *call);
/* Whether the call can be left as it is while nobody has answered it, and its message. NULL: it
 * cannot; or no memory. */
bool early_can_be_saved(const struct call *call);
VdState__Early *save_early(struct arena *a, const struct call *call);
/* The transaction of who asked. NULL: there is none any more; or no memory. Of an INVITE the call
 * cannot do without: then the arena has failed. */
VdState__Invited *save_asked(struct arena *a, struct sip_server *txn, enum leg leg);
VdState__Invited *save_invited(struct arena *a, struct sip_server *txn, enum leg leg);
/* An INVITE that waits for the ACK to its refusal; NULL: it does not; or no memory. */
VdState__Invited *save_refused(struct arena *a, struct sip_server *txn, enum leg leg);
/* Fills in the INVITEs that the legs of an answered call have under way. */
void save_under_way(struct arena *a, const struct call *call, VdState__Call *m);
/* Fills in what a transfer or takeover under way has of the call. */
void save_moving(struct arena *a, const struct call *call, VdState__Call *m);

/* ---- reading ---- */
/* malloc'd. NULL where it is longer than max or has a NUL in it; *failed is set then, or where
 * there is no memory. */
char *copy_bytes(const ProtobufCBinaryData *in, size_t max, bool *failed);
/* The same of a message, whose body may have any octets. */
char *copy_message(const ProtobufCBinaryData *in, bool *failed);
bool take_bytes(const ProtobufCBinaryData *in, char *out, size_t room);
/* The peer's own listener; where its family is not that, another of the side. */
unsigned listener_for(const struct calls *calls, const struct peer_config *peer, uint8_t family);
/* is_gone: nothing is said in it any more. 0 or -errno; then *d is empty. */
int adopt_dialog(const struct calls *calls, const struct peer_config *peer, bool is_gone,
	const VdState__Dialog *in, struct dialog *d);
/* An INVITE of that peer that waits for its final response from us, or, where until_ms is not 0,
 * has to acknowledge that until then. 0 or -errno. */
int adopt_invited(struct call *call, const VdState__Invited *in, const struct peer_config *peer,
	uint64_t until_ms, struct sip_server **txn);
/* An INVITE of that peer that has to acknowledge its refusal. 0 or -errno. */
int adopt_refused(struct call *call, const VdState__Invited *in, const struct peer_config *peer,
	struct sip_server **txn);
/* A request of that peer, no INVITE, that waits for its final response. 0 or -errno. */
int adopt_asked(struct call *call, const VdState__Invited *in, const struct peer_config *peer,
	struct sip_server **txn);
/* The INVITEs that the legs of an answered call had under way; its media is there. */
void adopt_under_way(struct call *call, const VdState__Call *in);
/* What it is beside its legs, and what it has come through. 0 or -errno. */
int adopt_facts(struct call *call, const VdState__Call *in);
/* Of an answered call: its dialogs; 0 or -errno. Then the rest: whether it goes on; if not, both
 * legs are told. */
int adopt_legs(struct call *call, const VdState__Call *in);
bool adopt_answered(struct call *call, const VdState__Call *in);
void adopt_session_timer(struct call *call, enum leg leg, const VdState__CallLeg *in);
/* When all that is left has gone on: one whose other leg is gone for good is ended. Whether it is
 * there still. */
bool adopt_is_left(struct call *call);
/* 0 or -errno as media_session_adopt. */
int adopt_media(struct call *call, const VdState__Call *in);
/* Of a call that nobody has answered: its INVITE's transactions; then, when its media are there,
 * the rest. 0 or -errno. */
int adopt_early_transactions(struct call *call, const VdState__Call *in);
int adopt_early(struct call *call, const VdState__Call *in);

/* ---- adopt_transfer.c, in this order ---- */
/* A REFER that was passed on, and what it allows. */
void adopt_passed(struct call *call, const VdState__Call *in);
/* That a leg of the call has asked for. 0 or -EINVAL, -ENOMEM: there is none. */
int adopt_transfer(struct call *call, const VdState__Transfer *in);
/* Our INVITE to ourselves for the target of one of those. 0 or -errno. */
int adopt_target_asked(
	struct call *call, const VdState__TransferTarget *in, struct sip_server **txn);
/* When all calls are there. What cannot be taken up is not; then moving_resume gives it up. */
void adopt_moving(struct call *call, const VdState__Call *in);
void adopt_leading(struct call *call, const VdState__OwnInvite *in);
/* When their media are there as well. */
void moving_resume(struct call *call);

#endif
