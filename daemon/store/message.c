/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/message.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- packing ----
 *
 * From the last byte to the first, so that the length of a message is known where it is written:
 * protobuf-c, which goes forwards, asks each message for its size once a level above it. */

#define ROOM_FIRST 8192
#define VARINT_MAX 10

enum wire { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct packing {
	uint8_t *start, *at; /* what is written is behind at */
	bool is_full;
};

static bool has_room(struct packing *p, size_t len)
{
	if ((size_t)(p->at - p->start) < len)
		p->is_full = true;
	return !p->is_full;
}

static void put_bytes(struct packing *p, const void *bytes, size_t len)
{
	if (!len || !has_room(p, len))
		return;
	p->at -= len;
	memcpy(p->at, bytes, len);
}

static void put_varint(struct packing *p, uint64_t v)
{
	unsigned len = (unsigned)(63 - __builtin_clzll(v | 1)) / 7 + 1;

	if (!has_room(p, VARINT_MAX))
		return;
	p->at -= len;
	for (unsigned i = 0; i + 1 < len; i++, v >>= 7)
		p->at[i] = (uint8_t)(v | 0x80);
	p->at[len - 1] = (uint8_t)v;
}

static void put_tag(struct packing *p, uint32_t id, enum wire wire)
{
	put_varint(p, (uint64_t)id << 3 | wire);
}

static uint64_t zigzag(int64_t v)
{
	return v < 0 ? ~((uint64_t)v << 1) : (uint64_t)v << 1;
}

static void put_message(struct packing *p, const ProtobufCMessage *m);

/* The value at v, without its tag. */
static enum wire put_value(struct packing *p, ProtobufCType type, const void *v)
{
	const uint8_t *end = p->at;
	const ProtobufCBinaryData *bytes = v;
	const char *text;
	size_t len;

	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		put_varint(p, *(const protobuf_c_boolean *)v != 0);
		return WIRE_VARINT;
	case PROTOBUF_C_TYPE_UINT32:
		put_varint(p, *(const uint32_t *)v);
		return WIRE_VARINT;
	case PROTOBUF_C_TYPE_UINT64:
		put_varint(p, *(const uint64_t *)v);
		return WIRE_VARINT;
	case PROTOBUF_C_TYPE_SINT64:
		put_varint(p, zigzag(*(const int64_t *)v));
		return WIRE_VARINT;
	case PROTOBUF_C_TYPE_FIXED32:
		put_bytes(p, v, sizeof(uint32_t));
		return WIRE_FIXED32;
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		put_bytes(p, v, sizeof(uint64_t));
		return WIRE_FIXED64;
	case PROTOBUF_C_TYPE_STRING:
		text = *(const char *const *)v;
		len = text ? strlen(text) : 0;
		put_bytes(p, text, len);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		len = bytes->len;
		put_bytes(p, bytes->data, len);
		break;
	default: /* PROTOBUF_C_TYPE_MESSAGE; state.proto has no other, see its test */
		put_message(p, *(const ProtobufCMessage *const *)v);
		len = (size_t)(end - p->at);
		break;
	}
	put_varint(p, len);
	return WIRE_BYTES;
}

/* Whether it says nothing: proto3 leaves it out. */
static bool is_nothing(ProtobufCType type, const void *v)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		return !*(const protobuf_c_boolean *)v;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return !*(const uint32_t *)v;
	case PROTOBUF_C_TYPE_STRING:
		return !*(const char *const *)v || !**(const char *const *)v;
	case PROTOBUF_C_TYPE_BYTES:
		return !((const ProtobufCBinaryData *)v)->len;
	case PROTOBUF_C_TYPE_MESSAGE:
		return !*(const void *const *)v;
	default:
		return !*(const uint64_t *)v;
	}
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return sizeof(uint64_t);
	}
}

static void put_repeated(
	struct packing *p, const ProtobufCFieldDescriptor *f, const uint8_t *values, size_t count)
{
	size_t size = size_of(f->type);
	const uint8_t *end = p->at;

	if (f->flags & PROTOBUF_C_FIELD_FLAG_PACKED) {
		while (count-- > 0)
			put_value(p, f->type, values + count * size);
		put_varint(p, (uint64_t)(end - p->at));
		put_tag(p, f->id, WIRE_BYTES);
		return;
	}
	while (count-- > 0)
		put_tag(p, f->id, put_value(p, f->type, values + count * size));
}

static void put_message(struct packing *p, const ProtobufCMessage *m)
{
	const uint8_t *base = (const uint8_t *)m;

	for (unsigned i = m->descriptor->n_fields; i-- > 0;) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const uint8_t *v = base + f->offset;
		size_t count;

		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			memcpy(&count, base + f->quantifier_offset, sizeof(count));
			if (count)
				put_repeated(p, f, *(const uint8_t *const *)(const void *)v, count);
		} else if (!is_nothing(f->type, v)) {
			put_tag(p, f->id, put_value(p, f->type, v));
		}
	}
}

static bool grow(struct message_room *r)
{
	size_t size = r->size ? r->size * 2 : ROOM_FIRST;
	uint8_t *bytes = realloc(r->bytes, size);

	if (!bytes)
		return false;
	r->bytes = bytes;
	r->size = size;
	return true;
}

void *message_pack_in(struct message_room *r, const ProtobufCMessage *m, size_t *len)
{
	struct packing p = {.is_full = !r->size};
	uint8_t *out;

	do {
		if (p.is_full && !grow(r))
			return NULL;
		p = (struct packing){.start = r->bytes, .at = r->bytes + r->size};
		put_message(&p, m);
	} while (p.is_full);
	*len = r->size - (size_t)(p.at - r->bytes);
	out = malloc(*len ? *len : 1);
	if (out)
		memcpy(out, p.at, *len);
	return out;
}

void message_room_free(struct message_room *r)
{
	free(r->bytes);
	*r = (struct message_room){0};
}

void *message_pack(const ProtobufCMessage *m, size_t *len)
{
	struct message_room room = {0};
	void *out = message_pack_in(&room, m, len);

	message_room_free(&room);
	return out;
}

/* ---- unpacking ---- */

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
