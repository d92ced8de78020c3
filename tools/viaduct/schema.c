/* SPDX-License-Identifier: BSD-2-Clause */
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "base/addr.h"

enum field_type { BOOL, U32, U64, S64, MILLI, TEXT, ADDRESS, MAC, OBJECT, LIST, TEXTS, COUNTERS };

struct schema;
struct field {
	const char *key;
	enum field_type type;
	const struct schema *of;
};
struct schema {
	const struct field *field;
	int count;
};

#define SCHEMA_none         NULL
#define SCHEMA_device       &device_schema
#define SCHEMA_side         &side_schema
#define SCHEMA_packets      &packets_schema
#define SCHEMA_leg          &leg_schema
#define SCHEMA_peer_tls     &peer_tls_schema
#define SCHEMA_certificate  &certificate_schema
#define SCHEMA_finding      &finding_schema
#define SCHEMA_stream_leg   &stream_leg_schema
#define SCHEMA_path         &path_schema
#define SCHEMA_unresolved   &unresolved_schema
#define SCHEMA_gateway_left &gateway_left_schema
#define SCHEMA_candidate    &candidate_schema
#define SCHEMA_target       &target_schema

#define DEFINE_SCHEMA(lower, UPPER, FIELD)                                                         \
	static const struct field lower##_fields[] = {UPPER##_FIELDS(FIELD)};                      \
	static const struct schema lower##_schema = {                                              \
		lower##_fields, sizeof(lower##_fields) / sizeof(lower##_fields[0])};

#define FIELD(prefix, name, key, type, of) [VDC_##prefix##_##name] = {#key, type, SCHEMA_##of},

#define DEVICE_FIELD(name, key, type, of, text) FIELD(DEVICE, name, key, type, of)
DEFINE_SCHEMA(device, VDC_DEVICE, DEVICE_FIELD)
#define UNRESOLVED_FIELD(name, key, type, of, text) FIELD(UNRESOLVED, name, key, type, of)
DEFINE_SCHEMA(unresolved, VDC_UNRESOLVED, UNRESOLVED_FIELD)
#define GATEWAY_LEFT_FIELD(name, key, type, of, text) FIELD(GATEWAY_LEFT, name, key, type, of)
DEFINE_SCHEMA(gateway_left, VDC_GATEWAY_LEFT, GATEWAY_LEFT_FIELD)
#define SIDE_FIELD(name, key, type, of, text) FIELD(SIDE, name, key, type, of)
DEFINE_SCHEMA(side, VDC_SIDE, SIDE_FIELD)
#define PACKETS_FIELD(name, key, type, of, text) FIELD(PACKETS, name, key, type, of)
DEFINE_SCHEMA(packets, VDC_PACKETS, PACKETS_FIELD)
#define STATUS_FIELD(name, key, type, of, text) FIELD(STATUS, name, key, type, of)
DEFINE_SCHEMA(status, VDC_STATUS, STATUS_FIELD)
#define LEG_FIELD(name, key, type, of, text) FIELD(LEG, name, key, type, of)
DEFINE_SCHEMA(leg, VDC_LEG, LEG_FIELD)
#define FINDING_FIELD(name, key, type, of, text) FIELD(FINDING, name, key, type, of)
DEFINE_SCHEMA(finding, VDC_FINDING, FINDING_FIELD)
#define CALL_FIELD(name, key, type, of, text) FIELD(CALL, name, key, type, of)
DEFINE_SCHEMA(call, VDC_CALL, CALL_FIELD)
#define PATH_FIELD(name, key, type, of, text) FIELD(PATH, name, key, type, of)
DEFINE_SCHEMA(path, VDC_PATH, PATH_FIELD)
#define STREAM_LEG_FIELD(name, key, type, of, text) FIELD(STREAM_LEG, name, key, type, of)
DEFINE_SCHEMA(stream_leg, VDC_STREAM_LEG, STREAM_LEG_FIELD)
#define STREAM_FIELD(name, key, type, of, text) FIELD(STREAM, name, key, type, of)
DEFINE_SCHEMA(stream, VDC_STREAM, STREAM_FIELD)
#define FLOW_FIELD(name, key, type, of, text) FIELD(FLOW, name, key, type, of)
DEFINE_SCHEMA(flow, VDC_FLOW, FLOW_FIELD)
#define TARGET_FIELD(name, key, type, of, text) FIELD(TARGET, name, key, type, of)
DEFINE_SCHEMA(target, VDC_TARGET, TARGET_FIELD)
#define CERTIFICATE_FIELD(name, key, type, of, text) FIELD(CERTIFICATE, name, key, type, of)
DEFINE_SCHEMA(certificate, VDC_CERTIFICATE, CERTIFICATE_FIELD)
#define PEER_TLS_FIELD(name, key, type, of, text) FIELD(PEER_TLS, name, key, type, of)
DEFINE_SCHEMA(peer_tls, VDC_PEER_TLS, PEER_TLS_FIELD)
#define PEER_FIELD(name, key, type, of, text) FIELD(PEER, name, key, type, of)
DEFINE_SCHEMA(peer, VDC_PEER, PEER_FIELD)
#define LISTENER_FIELD(name, key, type, of, text) FIELD(LISTENER, name, key, type, of)
DEFINE_SCHEMA(listener, VDC_LISTENER, LISTENER_FIELD)
#define ROUTE_FIELD(name, key, type, of, text) FIELD(ROUTE, name, key, type, of)
DEFINE_SCHEMA(route, VDC_ROUTE, ROUTE_FIELD)
#define CANDIDATE_FIELD(name, key, type, of, text) FIELD(CANDIDATE, name, key, type, of)
DEFINE_SCHEMA(candidate, VDC_CANDIDATE, CANDIDATE_FIELD)
#define DECISION_FIELD(name, key, type, of, text) FIELD(DECISION, name, key, type, of)
DEFINE_SCHEMA(decision, VDC_DECISION, DECISION_FIELD)
#define EVENT_FIELD(name, key, type, of, text) FIELD(EVENT, name, key, type, of)
DEFINE_SCHEMA(event, VDC_EVENT, EVENT_FIELD)

static const struct schema *const answers[] = {
	[VDC_STATUS - VDC_STATUS] = &status_schema,
	[VDC_CALL - VDC_STATUS] = &call_schema,
	[VDC_STREAM - VDC_STATUS] = &stream_schema,
	[VDC_FLOW - VDC_STATUS] = &flow_schema,
	[VDC_PEER - VDC_STATUS] = &peer_schema,
	[VDC_LISTENER - VDC_STATUS] = &listener_schema,
	[VDC_ROUTE - VDC_STATUS] = &route_schema,
	[VDC_DECISION - VDC_STATUS] = &decision_schema,
	[VDC_EVENT - VDC_STATUS] = &event_schema,
};

static json_t *decode_object(const struct schema *schema, struct nlattr *head, int len);

/* Text that a peer sent need not be UTF-8, which JSON asks for. */
static json_t *decode_text(struct nlattr *nla)
{
	size_t len = strnlen(nla_data(nla), (size_t)nla_len(nla));
	json_t *v = json_stringn(nla_data(nla), len);
	char *copy;

	if (v)
		return v;
	copy = strndup(nla_data(nla), len);
	for (char *c = copy; c && *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	v = copy ? json_string(copy) : NULL;
	free(copy);
	return v;
}

static json_t *decode_address(struct nlattr *nla)
{
	const struct vdc_address *wire = nla_data(nla);
	struct addr addr = {.family = wire->family, .port = wire->port};
	char text[ADDR_TEXT_MAX];

	if (wire->family != 4 && wire->family != 6)
		return NULL;
	memcpy(addr.ip, wire->ip, sizeof(addr.ip));
	return json_string(addr_print(&addr, text));
}

static json_t *decode_mac(struct nlattr *nla)
{
	const uint8_t *m = nla_data(nla);

	return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static json_t *decode_list(const struct schema *of, struct nlattr *nla)
{
	json_t *list = json_array();
	struct nlattr *one;
	int left;

	nla_for_each_nested(one, nla, left)
	{
		json_array_append_new(list,
			of ? decode_object(of, nla_data(one), nla_len(one)) : decode_text(one));
	}
	return list;
}

static json_t *decode_counters(struct nlattr *nla)
{
	json_t *object = json_object();
	struct nlattr *one;
	int left;

	nla_for_each_nested(one, nla, left)
	{
		static const struct nla_policy policy[VDC_COUNTER_END] = {
			[VDC_COUNTER_NAME] = {.type = NLA_STRING},
			[VDC_COUNTER_VALUE] = {.type = NLA_U64},
		};
		struct nlattr *tb[VDC_COUNTER_END];

		if (nla_parse_nested(tb, VDC_COUNTER_END - 1, one, policy) == 0 &&
			tb[VDC_COUNTER_NAME] && tb[VDC_COUNTER_VALUE])
			json_object_set_new(object, nla_get_string(tb[VDC_COUNTER_NAME]),
				json_integer((json_int_t)nla_get_u64(tb[VDC_COUNTER_VALUE])));
	}
	return object;
}

static json_t *decode_integer(struct nlattr *nla)
{
	int64_t v;

	memcpy(&v, nla_data(nla), sizeof(v));
	return json_integer(v);
}

static json_t *decode_milli(struct nlattr *nla)
{
	int64_t v;

	memcpy(&v, nla_data(nla), sizeof(v));
	return json_real((double)v / 1000);
}

static json_t *decode_field(const struct field *field, struct nlattr *nla)
{
	static const int size[] = {
		[BOOL] = 1,
		[U32] = 4,
		[U64] = 8,
		[S64] = 8,
		[MILLI] = 8,
		[TEXT] = 1,
		[ADDRESS] = sizeof(struct vdc_address),
		[MAC] = 6,
		[COUNTERS] = 0,
	};

	if (nla_len(nla) < size[field->type])
		return NULL;
	switch (field->type) {
	case BOOL:
		return json_boolean(nla_get_u8(nla));
	case U32:
		return json_integer(nla_get_u32(nla));
	case U64:
	case S64:
		return decode_integer(nla);
	case MILLI:
		return decode_milli(nla);
	case TEXT:
		return decode_text(nla);
	case ADDRESS:
		return decode_address(nla);
	case MAC:
		return decode_mac(nla);
	case OBJECT:
		return decode_object(field->of, nla_data(nla), nla_len(nla));
	case LIST:
		return decode_list(field->of, nla);
	case TEXTS:
		return decode_list(NULL, nla);
	case COUNTERS:
		return decode_counters(nla);
	}
	return NULL;
}

static json_t *decode_object(const struct schema *schema, struct nlattr *head, int len)
{
	json_t *object = json_object();
	struct nlattr *nla;
	int left;

	nla_for_each_attr(nla, head, len, left)
	{
		int type = nla_type(nla);
		json_t *v = NULL;

		if (type < schema->count && schema->field[type].key)
			v = decode_field(&schema->field[type], nla);
		if (v)
			json_object_set_new(object, schema->field[type].key, v);
	}
	return object;
}

json_t *schema_decode(struct nlmsghdr *h)
{
	if (h->nlmsg_type < VDC_STATUS || h->nlmsg_type > VDC_EVENT)
		return NULL;
	return decode_object(
		answers[h->nlmsg_type - VDC_STATUS], nlmsg_attrdata(h, 0), nlmsg_attrlen(h, 0));
}
