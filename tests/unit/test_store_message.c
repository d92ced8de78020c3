/* SPDX-License-Identifier: BSD-2-Clause */
/* What is packed is what protobuf-c would have packed, of every message of state.proto. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "state.pb-c.h"
#include "store/message.h"

#define TIMES     300
#define DEPTH_MAX 6

static uint64_t number(void)
{
	uint64_t v = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand();

	return rand() % 4 ? v >> rand() % 64 : 0;
}

static uint8_t *text(struct arena *a, size_t len)
{
	uint8_t *t = arena_take(a, len + 1);

	assert_non_null(t);
	memset(t, 'a' + rand() % 26, len);
	t[len] = '\0';
	return t;
}

static size_t length(void)
{
	return rand() % 3 ? (size_t)(rand() % 40) : (size_t)(rand() % 400);
}

static ProtobufCMessage *make(struct arena *a, const ProtobufCMessageDescriptor *d, unsigned depth);

/* Returns the value's size. */
static size_t fill(struct arena *a, const ProtobufCFieldDescriptor *f, void *at, unsigned depth)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = rand() % 2;
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*(uint32_t *)at = (uint32_t)number();
		return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SINT64:
		*(uint64_t *)at = number();
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)at = rand() % 3 ? (double)number() / 7 : 0;
		return sizeof(double);
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = (char *)text(a, length());
		return sizeof(char *);
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)at = (ProtobufCBinaryData){.len = length()};
		((ProtobufCBinaryData *)at)->data = text(a, ((ProtobufCBinaryData *)at)->len);
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)at = make(a, f->descriptor, depth + 1);
		return sizeof(ProtobufCMessage *);
	default:
		fail_msg("%s: message.c does not know its type", f->name);
		return 0;
	}
}

static ProtobufCMessage *make(struct arena *a, const ProtobufCMessageDescriptor *d, unsigned depth)
{
	ProtobufCMessage *m = arena_take(a, d->sizeof_message);
	uint8_t *base = (uint8_t *)m;

	assert_non_null(m);
	protobuf_c_message_init(d, m);
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		size_t count = (size_t)(rand() % 4), at = 0;
		uint8_t *values;

		if (depth == DEPTH_MAX && f->type == PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			if (f->type != PROTOBUF_C_TYPE_MESSAGE || rand() % 3)
				fill(a, f, base + f->offset, depth);
			continue;
		}
		values = arena_array(a, count + 1, sizeof(ProtobufCBinaryData));
		for (size_t n = 0; n < count; n++)
			at += fill(a, f, values + at, depth);
		memcpy(base + f->quantifier_offset, &count, sizeof(count));
		memcpy(base + f->offset, &values, sizeof(void *));
	}
	return m;
}

static void the_same_as_protobuf_c(void **state)
{
	static const ProtobufCMessageDescriptor *const type[] = {&vd_state__call__descriptor,
		&vd_state__call__descriptor, &vd_state__header__descriptor,
		&vd_state__call_ids__descriptor, &vd_state__resting_ports__descriptor,
		&vd_state__peer_command__descriptor};
	struct message_room room = {0};
	struct arena a = {0};

	(void)state;
	srand(1);
	for (unsigned i = 0; i < TIMES; i++) {
		const ProtobufCMessageDescriptor *d = type[i % (sizeof(type) / sizeof(type[0]))];
		ProtobufCMessage *m = make(&a, d, 0);
		size_t wanted = protobuf_c_message_get_packed_size(m), len;
		uint8_t *expected = malloc(wanted + 1), *packed;

		protobuf_c_message_pack(m, expected);
		packed = message_pack_in(&room, m, &len);
		assert_int_equal(len, wanted);
		assert_memory_equal(packed, expected, len);
		free(packed);
		packed = message_pack(m, &len);
		assert_int_equal(len, wanted);
		assert_memory_equal(packed, expected, len);
		free(packed);
		free(expected);
		arena_reset(&a);
	}
	message_room_free(&room);
	arena_free(&a);
}

static void nothing_is_no_bytes(void **state)
{
	VdState__Call m = VD_STATE__CALL__INIT;
	size_t len = 1;
	void *packed = message_pack(&m.base, &len);

	(void)state;
	assert_non_null(packed);
	assert_int_equal(len, 0);
	free(packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_as_protobuf_c),
		cmocka_unit_test(nothing_is_no_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
