/* SPDX-License-Identifier: BSD-2-Clause */
/* The file as libcyaml loads it: everything optional is a pointer, NULL where not written; texts
 * are not yet looked into. */
#ifndef VIADUCT_CONFIG_SCHEMA_H
#define VIADUCT_CONFIG_SCHEMA_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define TEXT_MAX 1024 /* bytes of any text in the file */

struct file_side {
	char *device;
	uint32_t *vlan;
	char **addresses;
	unsigned addresses_count;
	char **advertise;
	unsigned advertise_count;
	char *media_ports;
	uint32_t *dscp;
	uint32_t *bandwidth;
};

enum file_tls_version { FILE_TLS_1_2, FILE_TLS_1_3 };

struct file_tls {
	char *name;
	char *certificate, *key, *ca, *fqdn;
	enum file_tls_version *min_version;
	enum tls_verify *verify;
};

struct file_listener {
	char *name;
	uint32_t side; /* SIDE_INTERNAL, SIDE_EXTERNAL */
	enum transport transport;
	uint32_t *port;
	char *address;
	char *tls, *fqdn;
};

enum file_family { FILE_FAMILY_IPV4 = 4, FILE_FAMILY_IPV6 = 6 };

struct file_register {
	char *aor, *registrar, *contact;
	uint32_t *expires, *min_expires, *retry, *retry_max;
	bool *required;
};

enum file_challenge_uri { FILE_CHALLENGE_URI_SAME, FILE_CHALLENGE_URI_ANY };

struct file_challenge {
	char *realm;
	char *users_file;
	char *user, *password_file, *password_env;
	enum challenge_method *methods;
	unsigned methods_count;
	unsigned *algorithms;
	unsigned algorithms_count;
	uint32_t *nonce_lifetime;
	enum file_challenge_uri *uri;
};

struct file_auth {
	char *user;
	char *realm;
	char *password_file;
	char *password_env;
};

struct file_latch_prefix {
	uint32_t *ipv4, *ipv6;
};

struct file_liveness {
	uint32_t *interval, *misses, *probe, *timeout;
};

struct file_failover {
	char **codes;
	unsigned codes_count;
	uint32_t *retry_after;
};

struct file_failing {
	uint32_t *calls, *failed, *well, *memory;
};

struct file_media {
	enum file_family *family;
	bool *latch;
	struct file_latch_prefix latch_prefix;
	uint32_t *timeout, *timeout_held;
	char *bypass;
};

struct file_session_timer {
	enum session_timer_mode *mode;
	uint32_t *interval, *min;
	enum session_timer_refresher *refresher;
};

/* Keys of a peer, each beside its others: config/session_config.h. */
struct file_session {
	struct file_session_timer timer;
	enum reliable_mode *reliable;
	enum delayed_offer_mode *delayed_offer;
	enum forking_mode *forking;
	uint32_t *early_dialogs;
	enum early_media_mode *early_media;
	enum ringing_mode *ringing;
	enum hold_mode *hold;
};

struct file_identity {
	bool *trusted;
	enum asserted *asserted;
	bool *history, *referred_by, *user_to_user;
	char *domain;
};

struct file_number_rule {
	char *name, *match, *replace;
	char *use; /* a set's name, instead of the others */
};

struct file_numbers {
	struct file_number_rule *called_in, *calling_in, *called_out, *calling_out;
	unsigned called_in_count, calling_in_count, called_out_count, calling_out_count;
	bool *remove_plus;
};

struct file_rule_set {
	char *name;
	struct file_number_rule *rules;
	unsigned rules_count;
};

struct file_peer_limits {
	uint32_t *calls, *calls_per_second, *burst, *bandwidth, *code, *retry_after;
};

struct file_code_rule {
	char *code; /* 404, 400-499 */
	uint32_t *cause;
	uint32_t to;
	char *reason;
};

struct file_q850 {
	bool *write, *translate;
};

struct file_peer {
	char *name;
	enum peer_kind kind;
	struct file_auth *auth;
	struct file_register *registration;
	struct file_challenge *challenge;
	char *listener;
	char *address;
	char **sources;
	unsigned sources_count;
	char **certificate_names;
	unsigned certificate_names_count;
	char **codecs;
	unsigned codecs_count;
	struct file_liveness liveness;
	struct file_failover failover;
	struct file_failing failing;
	struct file_media media;
	struct file_peer_limits limits;
	uint32_t *calls_max;
	struct file_numbers numbers;
	struct file_session session;
	char **usages;
	unsigned usages_count;
	struct file_code_rule *codes_translated;
	unsigned codes_translated_count;
	struct file_q850 q850;
	enum refer_mode *refer;
	enum replaces_mode *replaces;
	struct file_identity identity;
};

struct file_member {
	char *peer;
	uint32_t *priority, *weight, *cost;
};

struct file_group {
	char *name;
	struct file_member *members;
	unsigned members_count;
};

struct file_usage {
	char *name;
	char **routes;
	unsigned routes_count;
};

struct file_time {
	char *name; /* days, hours, dates, except: see document_text */
	char *zone;
};

struct file_caller {
	char *number, *name;
	bool *suppress;
};

enum file_on_failure { FILE_ON_FAILURE_NEXT, FILE_ON_FAILURE_STOP };

struct file_route {
	char *name; /* from, times: see document_text */
	char *called, *calling;
	char **to;
	unsigned to_count;
	bool *trunk_to_trunk, *emergency;
	uint32_t *cost;
	enum file_on_failure *on_failure;
	struct file_caller caller;
};

enum file_strangers { FILE_STRANGERS_REFUSE, FILE_STRANGERS_IGNORE };

struct file_sides {
	struct file_side internal, external;
};

struct file_limits {
	uint32_t *calls, *calls_per_second, *burst, *bandwidth, *code, *retry_after;
	uint32_t *audio_bandwidth, *video_bandwidth;
	enum preempt *preempt;
	uint32_t *tcp_connections, *tls_handshakes, *max_forwards;
};

struct file_overload {
	uint32_t *shed_from, *shed_all;
};

struct file_timers {
	uint32_t *ring, *unanswered, *reinvite, *attempt, *transfer, *port_quarantine;
	uint32_t *tls_handshake, *keepalive, *pong, *reconnect;
};

struct file_control {
	uint32_t *port;
	char *group;
};

struct file_dns {
	char **servers;
	unsigned servers_count;
	uint32_t *timeout, *tries, *ttl_min, *ttl_max, *stale;
};

struct file_records {
	char *file;
};

struct file_config {
	struct file_sides sides;
	struct file_tls *tls;
	unsigned tls_count;
	struct file_listener *listeners;
	unsigned listeners_count;
	struct file_peer *peers;
	unsigned peers_count;
	struct file_route *routes;
	unsigned routes_count;
	struct file_group *groups;
	unsigned groups_count;
	struct file_usage *usages;
	unsigned usages_count;
	struct file_time *times;
	unsigned times_count;
	struct file_rule_set *number_rules;
	unsigned number_rules_count;
	char **emergency;
	unsigned emergency_count;
	struct file_limits limits;
	struct file_overload overload;
	struct file_timers timers;
	struct file_dns dns;
	enum file_strangers *strangers;
	enum log_level *log;
	enum batching_mode *batching;
	char *user;
	char *bpf_dir;
	char *state_dir;
	char *instance;
	struct file_records records;
	struct file_control control;
};

/* Of a pointer to struct file_config. */
extern const cyaml_schema_value_t config_schema;

#endif
