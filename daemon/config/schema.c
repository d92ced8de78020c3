/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/schema.h"

#include "digest/digest.h"

#define MUST CYAML_FLAG_DEFAULT
#define MAY  CYAML_FLAG_OPTIONAL
#define TEXT(key, need, type, member)                                                              \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | (need), type, member, 0, TEXT_MAX)
#define NUMBER(key, type, member) CYAML_FIELD_UINT_PTR(key, CYAML_FLAG_OPTIONAL, type, member)
#define CHOICE(key, type, member, strings)                                                         \
	CYAML_FIELD_ENUM_PTR(key, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, type, member, strings,  \
		CYAML_ARRAY_LEN(strings))
#define MUST_CHOOSE(key, type, member, strings)                                                    \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_STRICT, type, member, strings, CYAML_ARRAY_LEN(strings))
/* One text or a list of so many: not loaded, resolve_* take it from the document. */
#define TEXTS(name, most)                                                                          \
	{                                                                                          \
		.key = (name),                                                                     \
		.value = {                                                                         \
			.type = CYAML_IGNORE,                                                      \
			.flags = CYAML_FLAG_OPTIONAL,                                              \
			.sequence = {.min = 1, .max = (most)},                                     \
		},                                                                                 \
	}
#define LIST(key, need, type, member, entry, min, max)                                             \
	CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | (need), type, member, entry, min, max)

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, TEXT_MAX),
};

static const cyaml_strval_t side_strings[] = {
	{"internal", SIDE_INTERNAL},
	{"external", SIDE_EXTERNAL},
};
static const cyaml_strval_t transport_strings[] = {
	{"udp", TRANSPORT_UDP},
	{"tcp", TRANSPORT_TCP},
	{"tls", TRANSPORT_TLS},
};
static const cyaml_strval_t tls_version_strings[] = {
	{"1.2", FILE_TLS_1_2},
	{"1.3", FILE_TLS_1_3},
};
static const cyaml_strval_t tls_verify_strings[] = {
	{"mutual", TLS_VERIFY_MUTUAL},
	{"server", TLS_VERIFY_SERVER},
};
static const cyaml_strval_t kind_strings[] = {
	{"direct", PEER_DIRECT},
	{"trunk", PEER_TRUNK},
};
static const cyaml_strval_t refer_strings[] = {
	{"local", REFER_LOCAL},
	{"pass", REFER_PASS},
	{"refuse", REFER_REFUSE},
	{"back", REFER_BACK},
};
static const cyaml_strval_t replaces_strings[] = {
	{"own", REPLACES_OWN},
	{"side", REPLACES_SIDE},
	{"refuse", REPLACES_REFUSE},
};
static const cyaml_strval_t family_strings[] = {
	{"ipv4", FILE_FAMILY_IPV4},
	{"ipv6", FILE_FAMILY_IPV6},
};
static const cyaml_strval_t asserted_strings[] = {
	{"strip", ASSERTED_STRIP},
	{"pass", ASSERTED_PASS},
	{"always", ASSERTED_ALWAYS},
};
static const cyaml_strval_t strangers_strings[] = {
	{"refuse", FILE_STRANGERS_REFUSE},
	{"ignore", FILE_STRANGERS_IGNORE},
};
static const cyaml_strval_t log_strings[] = {
	{"error", LOG_LEVEL_ERROR},
	{"warn", LOG_LEVEL_WARN},
	{"info", LOG_LEVEL_INFO},
	{"debug", LOG_LEVEL_DEBUG},
};
static const cyaml_strval_t batching_strings[] = {
	{"auto", BATCHING_AUTO},
	{"on", BATCHING_ON},
	{"off", BATCHING_OFF},
};

static const cyaml_strval_t session_timer_strings[] = {
	{"off", SESSION_TIMER_OFF},
	{"accept", SESSION_TIMER_ACCEPT},
	{"request", SESSION_TIMER_REQUEST},
	{"require", SESSION_TIMER_REQUIRE},
};
static const cyaml_strval_t refresher_strings[] = {
	{"auto", SESSION_REFRESHER_AUTO},
	{"us", SESSION_REFRESHER_US},
	{"peer", SESSION_REFRESHER_PEER},
};
static const cyaml_strval_t reliable_strings[] = {
	{"pass", RELIABLE_PASS},
	{"end", RELIABLE_END},
	{"off", RELIABLE_OFF},
};
static const cyaml_strval_t delayed_offer_strings[] = {
	{"accept", DELAYED_OFFER_ACCEPT},
	{"convert", DELAYED_OFFER_CONVERT},
	{"refuse", DELAYED_OFFER_REFUSE},
};
static const cyaml_strval_t forking_strings[] = {
	{"pass", FORKING_PASS},
	{"fold", FORKING_FOLD},
};
static const cyaml_strval_t early_media_strings[] = {
	{"pass", EARLY_MEDIA_PASS},
	{"block", EARLY_MEDIA_BLOCK},
};
static const cyaml_strval_t ringing_strings[] = {
	{"pass", RINGING_PASS},
	{"180-to-183", RINGING_180_TO_183},
	{"183-to-180", RINGING_183_TO_180},
};
static const cyaml_strval_t hold_strings[] = {
	{"pass", HOLD_PASS},
	{"inactive", HOLD_INACTIVE},
	{"sendonly", HOLD_SENDONLY},
	{"zero", HOLD_ZERO},
};

static const cyaml_schema_field_t side_fields[] = {
	TEXT("device", MUST, struct file_side, device),
	NUMBER("vlan", struct file_side, vlan),
	LIST("addresses", MUST, struct file_side, addresses, &text_entry, 1,
		CONFIG_SIDE_ADDRESSES_MAX),
	LIST("advertise", MAY, struct file_side, advertise, &text_entry, 0,
		CONFIG_SIDE_ADDRESSES_MAX),
	TEXT("media_ports", MAY, struct file_side, media_ports),
	NUMBER("dscp", struct file_side, dscp),
	NUMBER("bandwidth", struct file_side, bandwidth),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t sides_fields[] = {
	CYAML_FIELD_MAPPING("internal", MUST, struct file_sides, internal, side_fields),
	CYAML_FIELD_MAPPING("external", MUST, struct file_sides, external, side_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t tls_fields[] = {
	TEXT("name", MUST, struct file_tls, name),
	TEXT("certificate", MUST, struct file_tls, certificate),
	TEXT("key", MUST, struct file_tls, key),
	TEXT("ca", MAY, struct file_tls, ca),
	TEXT("fqdn", MAY, struct file_tls, fqdn),
	CHOICE("min_version", struct file_tls, min_version, tls_version_strings),
	CHOICE("verify", struct file_tls, verify, tls_verify_strings),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t tls_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_tls, tls_fields),
};

static const cyaml_schema_field_t listener_fields[] = {
	TEXT("name", MUST, struct file_listener, name),
	MUST_CHOOSE("side", struct file_listener, side, side_strings),
	MUST_CHOOSE("transport", struct file_listener, transport, transport_strings),
	NUMBER("port", struct file_listener, port),
	TEXT("address", MAY, struct file_listener, address),
	TEXT("tls", MAY, struct file_listener, tls),
	TEXT("fqdn", MAY, struct file_listener, fqdn),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t listener_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_listener, listener_fields),
};

static const cyaml_schema_field_t register_fields[] = {
	TEXT("aor", MUST, struct file_register, aor),
	TEXT("registrar", MAY, struct file_register, registrar),
	TEXT("contact", MAY, struct file_register, contact),
	NUMBER("expires", struct file_register, expires),
	NUMBER("min_expires", struct file_register, min_expires),
	NUMBER("retry", struct file_register, retry),
	NUMBER("retry_max", struct file_register, retry_max),
	CYAML_FIELD_BOOL_PTR("required", MAY, struct file_register, required),
	CYAML_FIELD_END,
};

#define METHOD_STRING(name) {#name, CHALLENGE_##name},
static const cyaml_strval_t method_strings[] = {CHALLENGE_METHODS(METHOD_STRING)};
static const cyaml_schema_value_t method_entry = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, enum challenge_method, method_strings,
		CYAML_ARRAY_LEN(method_strings)),
};
static const cyaml_strval_t algorithm_strings[] = {
	{"MD5", DIGEST_MD5},
	{"SHA-256", DIGEST_SHA_256},
	{"SHA-512-256", DIGEST_SHA_512_256},
};
static const cyaml_schema_value_t algorithm_entry = {
	CYAML_VALUE_ENUM(
		CYAML_FLAG_STRICT, unsigned, algorithm_strings, CYAML_ARRAY_LEN(algorithm_strings)),
};

static const cyaml_strval_t challenge_uri_strings[] = {
	{"same", FILE_CHALLENGE_URI_SAME},
	{"any", FILE_CHALLENGE_URI_ANY},
};

static const cyaml_schema_field_t challenge_fields[] = {
	TEXT("realm", MUST, struct file_challenge, realm),
	TEXT("users_file", MAY, struct file_challenge, users_file),
	TEXT("user", MAY, struct file_challenge, user),
	TEXT("password_file", MAY, struct file_challenge, password_file),
	TEXT("password_env", MAY, struct file_challenge, password_env),
	LIST("methods", MAY, struct file_challenge, methods, &method_entry, 1,
		CHALLENGE_METHOD_COUNT),
	LIST("algorithms", MAY, struct file_challenge, algorithms, &algorithm_entry, 1,
		CYAML_ARRAY_LEN(algorithm_strings)),
	NUMBER("nonce_lifetime", struct file_challenge, nonce_lifetime),
	CHOICE("uri", struct file_challenge, uri, challenge_uri_strings),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t auth_fields[] = {
	TEXT("user", MUST, struct file_auth, user),
	TEXT("realm", MAY, struct file_auth, realm),
	TEXT("password_file", MAY, struct file_auth, password_file),
	TEXT("password_env", MAY, struct file_auth, password_env),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t latch_prefix_fields[] = {
	NUMBER("ipv4", struct file_latch_prefix, ipv4),
	NUMBER("ipv6", struct file_latch_prefix, ipv6),
	CYAML_FIELD_END,
};

#define FAILOVER_ENTRIES_MAX 64

static const cyaml_schema_field_t liveness_fields[] = {
	NUMBER("interval", struct file_liveness, interval),
	NUMBER("misses", struct file_liveness, misses),
	NUMBER("probe", struct file_liveness, probe),
	NUMBER("timeout", struct file_liveness, timeout),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t failing_fields[] = {
	NUMBER("calls", struct file_failing, calls),
	NUMBER("failed", struct file_failing, failed),
	NUMBER("well", struct file_failing, well),
	NUMBER("memory", struct file_failing, memory),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t failover_fields[] = {
	LIST("codes", MAY, struct file_failover, codes, &text_entry, 0, FAILOVER_ENTRIES_MAX),
	NUMBER("retry_after", struct file_failover, retry_after),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t media_fields[] = {
	CHOICE("family", struct file_media, family, family_strings),
	CYAML_FIELD_BOOL_PTR("latch", MAY, struct file_media, latch),
	CYAML_FIELD_MAPPING(
		"latch_prefix", MAY, struct file_media, latch_prefix, latch_prefix_fields),
	NUMBER("timeout", struct file_media, timeout),
	NUMBER("timeout_held", struct file_media, timeout_held),
	TEXT("bypass", MAY, struct file_media, bypass),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t session_timer_fields[] = {
	CHOICE("mode", struct file_session_timer, mode, session_timer_strings),
	NUMBER("interval", struct file_session_timer, interval),
	NUMBER("min", struct file_session_timer, min),
	CHOICE("refresher", struct file_session_timer, refresher, refresher_strings),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t identity_fields[] = {
	CYAML_FIELD_BOOL_PTR("trusted", MAY, struct file_identity, trusted),
	CHOICE("asserted", struct file_identity, asserted, asserted_strings),
	CYAML_FIELD_BOOL_PTR("history", MAY, struct file_identity, history),
	CYAML_FIELD_BOOL_PTR("referred_by", MAY, struct file_identity, referred_by),
	CYAML_FIELD_BOOL_PTR("user_to_user", MAY, struct file_identity, user_to_user),
	TEXT("domain", MAY, struct file_identity, domain),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t rule_fields[] = {
	TEXT("name", MAY, struct file_number_rule, name),
	TEXT("match", MAY, struct file_number_rule, match),
	TEXT("replace", MAY, struct file_number_rule, replace),
	TEXT("use", MAY, struct file_number_rule, use),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_number_rule, rule_fields),
};

#define RULES(key, member)                                                                         \
	LIST(key, MAY, struct file_numbers, member, &rule_entry, 0, CONFIG_RULES_MAX)
static const cyaml_schema_field_t numbers_fields[] = {
	RULES("called_in", called_in),
	RULES("calling_in", calling_in),
	RULES("called_out", called_out),
	RULES("calling_out", calling_out),
	CYAML_FIELD_BOOL_PTR("remove_plus", MAY, struct file_numbers, remove_plus),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t set_rule_fields[] = {
	TEXT("name", MAY, struct file_number_rule, name),
	TEXT("match", MUST, struct file_number_rule, match),
	TEXT("replace", MUST, struct file_number_rule, replace),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t set_rule_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_number_rule, set_rule_fields),
};
static const cyaml_schema_field_t rule_set_fields[] = {
	TEXT("name", MUST, struct file_rule_set, name),
	LIST("rules", MUST, struct file_rule_set, rules, &set_rule_entry, 0, CONFIG_RULES_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_set_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_rule_set, rule_set_fields),
};

static const cyaml_schema_field_t peer_limits_fields[] = {
	NUMBER("calls", struct file_peer_limits, calls),
	NUMBER("calls_per_second", struct file_peer_limits, calls_per_second),
	NUMBER("burst", struct file_peer_limits, burst),
	NUMBER("bandwidth", struct file_peer_limits, bandwidth),
	NUMBER("code", struct file_peer_limits, code),
	NUMBER("retry_after", struct file_peer_limits, retry_after),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t code_fields[] = {
	TEXT("code", MAY, struct file_code_rule, code),
	NUMBER("cause", struct file_code_rule, cause),
	CYAML_FIELD_UINT("to", MUST, struct file_code_rule, to),
	TEXT("reason", MAY, struct file_code_rule, reason),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t code_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_code_rule, code_fields),
};
static const cyaml_schema_field_t q850_fields[] = {
	CYAML_FIELD_BOOL_PTR("write", MAY, struct file_q850, write),
	CYAML_FIELD_BOOL_PTR("translate", MAY, struct file_q850, translate),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t peer_fields[] = {
	TEXT("name", MUST, struct file_peer, name),
	MUST_CHOOSE("kind", struct file_peer, kind, kind_strings),
	CYAML_FIELD_MAPPING_PTR("auth", MAY, struct file_peer, auth, auth_fields),
	CYAML_FIELD_MAPPING_PTR("register", MAY, struct file_peer, registration, register_fields),
	CYAML_FIELD_MAPPING_PTR("challenge", MAY, struct file_peer, challenge, challenge_fields),
	TEXT("listener", MUST, struct file_peer, listener),
	TEXT("address", MUST, struct file_peer, address),
	LIST("sources", MAY, struct file_peer, sources, &text_entry, 0, CONFIG_SOURCES_MAX - 1),
	LIST("certificate_names", MAY, struct file_peer, certificate_names, &text_entry, 1,
		CONFIG_CERTIFICATE_NAMES_MAX),
	LIST("codecs", MAY, struct file_peer, codecs, &text_entry, 1, CONFIG_CODECS_MAX),
	CYAML_FIELD_MAPPING("liveness", MAY, struct file_peer, liveness, liveness_fields),
	CYAML_FIELD_MAPPING("failover", MAY, struct file_peer, failover, failover_fields),
	CYAML_FIELD_MAPPING("failing", MAY, struct file_peer, failing, failing_fields),
	CYAML_FIELD_MAPPING("media", MAY, struct file_peer, media, media_fields),
	CYAML_FIELD_MAPPING("limits", MAY, struct file_peer, limits, peer_limits_fields),
	NUMBER("calls_max", struct file_peer, calls_max),
	CYAML_FIELD_MAPPING("numbers", MAY, struct file_peer, numbers, numbers_fields),
	CYAML_FIELD_MAPPING(
		"session_timer", MAY, struct file_peer, session.timer, session_timer_fields),
	CHOICE("reliable", struct file_peer, session.reliable, reliable_strings),
	CHOICE("delayed_offer", struct file_peer, session.delayed_offer, delayed_offer_strings),
	CHOICE("forking", struct file_peer, session.forking, forking_strings),
	NUMBER("early_dialogs", struct file_peer, session.early_dialogs),
	CHOICE("early_media", struct file_peer, session.early_media, early_media_strings),
	CHOICE("ringing", struct file_peer, session.ringing, ringing_strings),
	CHOICE("hold", struct file_peer, session.hold, hold_strings),
	LIST("usages", MAY, struct file_peer, usages, &text_entry, 1, CONFIG_PEER_USAGES_MAX),
	LIST("codes", MAY, struct file_peer, codes_translated, &code_entry, 0, CONFIG_CODES_MAX),
	CYAML_FIELD_MAPPING("q850", MAY, struct file_peer, q850, q850_fields),
	CHOICE("refer", struct file_peer, refer, refer_strings),
	CHOICE("replaces", struct file_peer, replaces, replaces_strings),
	CYAML_FIELD_MAPPING("identity", MAY, struct file_peer, identity, identity_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t peer_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_peer, peer_fields),
};

static const cyaml_schema_field_t member_fields[] = {
	TEXT("peer", MUST, struct file_member, peer),
	NUMBER("priority", struct file_member, priority),
	NUMBER("weight", struct file_member, weight),
	NUMBER("cost", struct file_member, cost),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t member_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_member, member_fields),
};
static const cyaml_schema_field_t group_fields[] = {
	TEXT("name", MUST, struct file_group, name),
	LIST("members", MUST, struct file_group, members, &member_entry, 1, CONFIG_MEMBERS_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t group_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_group, group_fields),
};

static const cyaml_schema_field_t usage_fields[] = {
	TEXT("name", MUST, struct file_usage, name),
	LIST("routes", MUST, struct file_usage, routes, &text_entry, 1, CONFIG_ROUTES_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t usage_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_usage, usage_fields),
};

static const cyaml_schema_field_t time_fields[] = {
	TEXT("name", MUST, struct file_time, name),
	TEXTS("days", CONFIG_DAYS_MAX),
	TEXTS("hours", CONFIG_HOURS_MAX),
	TEXTS("dates", CONFIG_DATES_MAX),
	TEXTS("except", CONFIG_DATES_MAX),
	TEXT("zone", MAY, struct file_time, zone),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t time_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_time, time_fields),
};

static const cyaml_schema_field_t caller_fields[] = {
	TEXT("number", MAY, struct file_caller, number),
	TEXT("name", MAY, struct file_caller, name),
	CYAML_FIELD_BOOL_PTR("suppress", MAY, struct file_caller, suppress),
	CYAML_FIELD_END,
};

static const cyaml_strval_t on_failure_strings[] = {
	{"next", FILE_ON_FAILURE_NEXT},
	{"stop", FILE_ON_FAILURE_STOP},
};

static const cyaml_schema_field_t route_fields[] = {
	TEXT("name", MAY, struct file_route, name),
	TEXTS("from", CONFIG_PEERS_MAX),
	TEXT("called", MAY, struct file_route, called),
	TEXT("calling", MAY, struct file_route, calling),
	LIST("to", MUST, struct file_route, to, &text_entry, 1, CONFIG_ROUTE_PEERS_MAX),
	CYAML_FIELD_BOOL_PTR("trunk_to_trunk", MAY, struct file_route, trunk_to_trunk),
	CYAML_FIELD_BOOL_PTR("emergency", MAY, struct file_route, emergency),
	TEXTS("times", CONFIG_TIMES_MAX),
	NUMBER("cost", struct file_route, cost),
	CHOICE("on_failure", struct file_route, on_failure, on_failure_strings),
	CYAML_FIELD_MAPPING("caller", MAY, struct file_route, caller, caller_fields),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t route_entry = {
	CYAML_VALUE_MAPPING(MUST, struct file_route, route_fields),
};

static const cyaml_strval_t preempt_strings[] = {
	{"none", PREEMPT_NONE},
	{"youngest", PREEMPT_YOUNGEST},
	{"longest", PREEMPT_LONGEST},
};

static const cyaml_schema_field_t limits_fields[] = {
	NUMBER("calls", struct file_limits, calls),
	NUMBER("calls_per_second", struct file_limits, calls_per_second),
	NUMBER("burst", struct file_limits, burst),
	NUMBER("bandwidth", struct file_limits, bandwidth),
	NUMBER("audio_bandwidth", struct file_limits, audio_bandwidth),
	NUMBER("video_bandwidth", struct file_limits, video_bandwidth),
	CHOICE("preempt", struct file_limits, preempt, preempt_strings),
	NUMBER("code", struct file_limits, code),
	NUMBER("retry_after", struct file_limits, retry_after),
	NUMBER("tcp_connections", struct file_limits, tcp_connections),
	NUMBER("tls_handshakes", struct file_limits, tls_handshakes),
	NUMBER("max_forwards", struct file_limits, max_forwards),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t overload_fields[] = {
	NUMBER("shed_from", struct file_overload, shed_from),
	NUMBER("shed_all", struct file_overload, shed_all),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t timers_fields[] = {
	NUMBER("ring", struct file_timers, ring),
	NUMBER("unanswered", struct file_timers, unanswered),
	NUMBER("reinvite", struct file_timers, reinvite),
	NUMBER("attempt", struct file_timers, attempt),
	NUMBER("transfer", struct file_timers, transfer),
	NUMBER("port_quarantine", struct file_timers, port_quarantine),
	NUMBER("tls_handshake", struct file_timers, tls_handshake),
	NUMBER("keepalive", struct file_timers, keepalive),
	NUMBER("pong", struct file_timers, pong),
	NUMBER("reconnect", struct file_timers, reconnect),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t dns_fields[] = {
	LIST("servers", MAY, struct file_dns, servers, &text_entry, 0, CONFIG_DNS_SERVERS_MAX),
	NUMBER("timeout", struct file_dns, timeout),
	NUMBER("tries", struct file_dns, tries),
	NUMBER("ttl_min", struct file_dns, ttl_min),
	NUMBER("ttl_max", struct file_dns, ttl_max),
	NUMBER("stale", struct file_dns, stale),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t control_fields[] = {
	NUMBER("port", struct file_control, port),
	TEXT("group", MAY, struct file_control, group),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t records_fields[] = {
	TEXT("file", MUST, struct file_records, file),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t config_fields[] = {
	CYAML_FIELD_MAPPING("sides", MUST, struct file_config, sides, sides_fields),
	LIST("tls", MAY, struct file_config, tls, &tls_entry, 0, CONFIG_TLS_MAX),
	LIST("listeners", MUST, struct file_config, listeners, &listener_entry, 1,
		CONFIG_LISTENERS_MAX),
	LIST("peers", MUST, struct file_config, peers, &peer_entry, 1, CONFIG_PEERS_MAX),
	LIST("routes", MAY, struct file_config, routes, &route_entry, 0, CONFIG_ROUTES_MAX),
	LIST("groups", MAY, struct file_config, groups, &group_entry, 0, CONFIG_GROUPS_MAX),
	LIST("usages", MAY, struct file_config, usages, &usage_entry, 0, CONFIG_USAGES_MAX),
	LIST("times", MAY, struct file_config, times, &time_entry, 0, CONFIG_TIMES_MAX),
	LIST("number_rules", MAY, struct file_config, number_rules, &rule_set_entry, 0,
		CONFIG_RULE_SETS_MAX),
	LIST("emergency", MAY, struct file_config, emergency, &text_entry, 0, CONFIG_EMERGENCY_MAX),
	CYAML_FIELD_MAPPING("limits", MAY, struct file_config, limits, limits_fields),
	CYAML_FIELD_MAPPING("overload", MAY, struct file_config, overload, overload_fields),
	CYAML_FIELD_MAPPING("timers", MAY, struct file_config, timers, timers_fields),
	CYAML_FIELD_MAPPING("dns", MAY, struct file_config, dns, dns_fields),
	CHOICE("strangers", struct file_config, strangers, strangers_strings),
	CHOICE("log", struct file_config, log, log_strings),
	CHOICE("batching", struct file_config, batching, batching_strings),
	TEXT("user", MAY, struct file_config, user),
	TEXT("bpf_dir", MAY, struct file_config, bpf_dir),
	TEXT("state_dir", MAY, struct file_config, state_dir),
	TEXT("instance", MAY, struct file_config, instance),
	CYAML_FIELD_MAPPING("records", MAY, struct file_config, records, records_fields),
	CYAML_FIELD_MAPPING("control", MAY, struct file_config, control, control_fields),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_config, config_fields),
};
