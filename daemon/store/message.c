/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/message.h"

#include <stdlib.h>

void *message_pack(const ProtobufCMessage *m, size_t *len)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *out = malloc(size ? size : 1);

	if (out)
		*len = protobuf_c_message_pack(m, out);
	return out;
}

static void *take(void *arena, size_t size)
{
	return arena_take(arena, size);
}

static void leave(void *arena, void *memory)
{
	(void)arena;
	(void)memory;
}

void *message_unpack(
	const ProtobufCMessageDescriptor *type, struct arena *a, const void *data, size_t len)
{
	ProtobufCAllocator allocator = {.alloc = take, .free = leave, .allocator_data = a};

	return protobuf_c_message_unpack(type, &allocator, len, data);
}
