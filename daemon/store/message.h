/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of state.proto to and from bytes. */
#ifndef VIADUCT_STORE_MESSAGE_H
#define VIADUCT_STORE_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"

/* malloc'd, for store_put. NULL: no memory. */
void *message_pack(const ProtobufCMessage *m, size_t *len);
/* In the arena, and gone with it: nothing of it is freed by itself. NULL: malformed, or no memory.
 */
void *message_unpack(
	const ProtobufCMessageDescriptor *type, struct arena *a, const void *data, size_t len);

#endif
