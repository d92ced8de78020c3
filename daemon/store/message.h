/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of state.proto to and from bytes. */
#ifndef VIADUCT_STORE_MESSAGE_H
#define VIADUCT_STORE_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/* malloc'd, for store_put. NULL: no memory. The same bytes as protobuf-c's. */
void *message_pack(const ProtobufCMessage *m, size_t *len);

/* Room to work in, for one who packs often. Zeroed at first. */
struct message_room {
	uint8_t *bytes;
	size_t size;
};
void *message_pack_in(struct message_room *r, const ProtobufCMessage *m, size_t *len);
void message_room_free(struct message_room *r);
/* In the arena, and gone with it: nothing of it is freed by itself. NULL: malformed, or no memory.
 */
void *message_unpack(
	const ProtobufCMessageDescriptor *type, struct arena *a, const void *data, size_t len);

#endif
