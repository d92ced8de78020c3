/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as the rest of the daemon sees it: checked, resolved, read-only. A reload makes
 * a new one; running calls keep the one they began with (config_ref). */
#ifndef VIADUCT_CONFIG_CONFIG_H
#define VIADUCT_CONFIG_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/log.h"
#include "config/codes.h"
#include "config/routes.h"
#include "config/auth.h"
#include "config/session_config.h"

#define SIDE_INTERNAL 0
#define SIDE_EXTERNAL 1
#define SIDE_COUNT    2

#define CONFIG_SIDE_ADDRESSES_MAX    8
#define CONFIG_LISTENERS_MAX         64
#define CONFIG_PEERS_MAX             4096
#define CONFIG_CODECS_MAX            32
#define CONFIG_DNS_SERVERS_MAX       4
#define CONFIG_SOURCES_MAX           32
#define CONFIG_TLS_MAX               64 /* profiles */
#define CONFIG_CERTIFICATE_NAMES_MAX 16

/* The calls that give way to an emergency call. */
/* Whether media packets wait at the egress device for others: see struct vd_batch. */
enum batching_mode { BATCHING_AUTO, BATCHING_ON, BATCHING_OFF };
enum preempt { PREEMPT_NONE, PREEMPT_YOUNGEST, PREEMPT_LONGEST };

/* What a peer, or all of them together, may take at once; 0 = no limit. A call beyond it is refused
 * with code. */
struct limits_config {
	unsigned calls;            /* live calls */
	unsigned calls_per_second; /* new calls a second, as a bucket that holds burst of them */
	unsigned burst;            /* 1 at least where calls_per_second is set */
	unsigned bandwidth;     /* kbit/s of media in the busier direction, see media/bandwidth.h */
	unsigned code;          /* 400-699 */
	unsigned retry_after_s; /* 0 = no Retry-After */
};

/* What becomes of a REFER of that peer, and whose calls its INVITE with Replaces may take over. */
enum refer_mode { REFER_LOCAL, REFER_PASS, REFER_REFUSE, REFER_BACK };
enum replaces_mode { REPLACES_OWN, REPLACES_SIDE, REPLACES_REFUSE };
enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS };
enum peer_kind { PEER_DIRECT, PEER_TRUNK };

/* An address of ours on one side; port is 0. advertised is what is written into SIP and SDP: the
 * address itself unless the configuration says otherwise (1:1 NAT before us). */
struct side_address {
	struct addr local;
	struct addr advertised;
};

struct side_config {
	char *device;  /* interface name */
	uint16_t vlan; /* 802.1Q id on that device, 0 = untagged */
	struct side_address
		address[CONFIG_SIDE_ADDRESSES_MAX]; /* first of a family is its default */
	unsigned address_count;
	uint16_t media_port_min, media_port_max; /* inclusive; min even */
	uint8_t dscp;                            /* of media sent from this side */
	unsigned bandwidth;                      /* kbit/s of media over it, 0 = no limit */
};

enum tls_verify {
	TLS_VERIFY_MUTUAL, /* a certificate of whoever connects to us, and of whom we connect to */
	TLS_VERIFY_SERVER, /* the latter alone */
};

/* What we show of ourselves over TLS, and whom we believe. */
struct tls_profile {
	char *name;
	char *certificate, *key; /* paths */
	char *ca;                /* path; NULL = the system's authorities */
	char *fqdn;              /* what SIP calls us; NULL = our address */
	unsigned min_version;    /* as OpenSSL counts: TLS1_2_VERSION, TLS1_3_VERSION */
	enum tls_verify verify;
	struct ssl_ctx_st *context; /* made from the files when the configuration was read */
};

struct listener_config {
	char *name; /* one written without an address serves both families: the second is "name/6"
		     */
	uint8_t side;
	enum transport transport;
	struct side_address address;   /* local.port is the port, advertised.port too */
	char *fqdn;                    /* what SIP says instead of the address; NULL = nothing */
	const struct tls_profile *tls; /* of the configuration; NULL unless transport is TLS */
};

/* P-Asserted-Identity in what a peer is sent. */
enum asserted {
	ASSERTED_STRIP,
	ASSERTED_PASS,   /* where the calling peer is trusted and names one */
	ASSERTED_ALWAYS, /* where none is named, too: the number in From */
};

/* Who is told about whom. */
struct identity_config {
	bool trusted; /* in our trust domain (RFC 3325): its claims count, and it may be told what
			 is private */
	enum asserted asserted;
	bool history;      /* is sent History-Info and Diversion */
	bool referred_by;  /* is sent Referred-By */
	bool user_to_user; /* is sent User-to-User */
	char *domain;      /* host of From and of identities in what it is sent; NULL: ours */
};

/* OPTIONS to a peer (RFC 3261 11). */
struct liveness_config {
	unsigned interval_ms; /* from one to the next; 0 = none are sent */
	unsigned misses;      /* requests in a row without a sign: down */
	unsigned probe_ms;    /* from one to the next while down */
	unsigned timeout_ms;  /* without an answer for so long it has missed one */
};

/* Responses to INVITE that say that the peer, not the called party, is the trouble. */
#define FAILOVER_CODE_MIN 400
#define FAILOVER_CODE_MAX 599
struct failover_config {
	uint8_t code[(FAILOVER_CODE_MAX - FAILOVER_CODE_MIN) / 8 + 1]; /* a bit each */
	unsigned retry_after_max_s; /* a longer Retry-After counts as this; 0 = it is ignored */
};

/* When a peer's calls fail too often (PEER_FAILING). */
#define FAILING_CALLS_MAX 60
struct failing_config {
	unsigned calls;     /* the last so many are remembered, up to FAILING_CALLS_MAX */
	unsigned failed;    /* so many of them: failing; 0 = never */
	unsigned well;      /* so few of them: well again; less than failed */
	unsigned memory_ms; /* without another failure they are forgotten */
};

/* A peer: IP-PBX, PSTN gateway (direct), or a provider's trunk. Identified by source address and
 * listener. */
struct peer_config {
	char *name;
	enum peer_kind kind;
	struct register_config *registration; /* NULL = we do not register with it */
	struct challenge_config *challenge;   /* NULL = its requests are not challenged */
	struct auth_config *auth;             /* NULL = its challenges are not answered */
	uint8_t side;
	unsigned listener;        /* index; requests to it leave from here, its own arrive here */
	enum transport transport; /* the listener's */
	struct addr address;      /* where requests go; family 0 where host says it */
	char *host;               /* a name that is resolved (RFC 3263); NULL: address is written */
	uint16_t host_port;       /* written after it; 0 = none, so that SRV records say it */
	/* Of a host: the listener of the other family under the same name. */
	unsigned listener_other; /* index, CONFIG_NO_LISTENER = none */
	/* Over TLS: its certificate must be for one of them (certificate_is_for). */
	char *certificate_name[CONFIG_CERTIFICATE_NAMES_MAX];
	unsigned certificate_name_count;
	struct {
		struct addr net;
		unsigned prefix_len;
	} source[CONFIG_SOURCES_MAX]; /* its requests may come from here; address/32 (/128) is
					 first, those of host are not among them
				       */
	unsigned source_count;
	char *codec[CONFIG_CODECS_MAX]; /* allowed audio codecs by SDP name, in order; none = all */
	unsigned codec_count;
	uint8_t media_family; /* 4, 6: family of the SDP we write to it; the address's own by
				 default */
	bool latch;           /* media may lock once onto another source in the prefix */
	unsigned latch_prefix_v4,
		latch_prefix_v6;     /* 32 and 128 by default: port alone may differ */
	unsigned rtp_timeout_s;      /* active call without media; 0 = never */
	unsigned rtp_timeout_held_s; /* held call without media; 0 = never */
	char *bypass; /* site: the SDP of calls between two of its peers stays theirs; NULL = none
		       */
	struct limits_config limits; /* besides those of the configuration */
	struct numbers_config numbers;
	struct session_config session;
	unsigned
		*usage; /* indexes in order: its calls take their routes; none: those of no usage */
	unsigned usage_count;
	struct codes_config codes; /* of its refusals, and in what we send to it */
	enum refer_mode refer;
	enum replaces_mode replaces;
	struct identity_config identity;
	struct liveness_config liveness;
	struct failover_config failover;
	struct failing_config failing;
};

#define CONFIG_NO_LISTENER UINT_MAX

/* How host names are resolved. */
struct dns_config {
	struct addr server[CONFIG_DNS_SERVERS_MAX]; /* none: those of /etc/resolv.conf */
	unsigned server_count;
	unsigned timeout_s, tries;
	unsigned ttl_min_s, ttl_max_s;
	unsigned stale_s; /* addresses outlive their TTL so long, while nameservers do not answer */
};

struct config {
	unsigned refs;
	char *file; /* path it was read from */
	struct side_config side[SIDE_COUNT];
	struct tls_profile *tls;
	unsigned tls_count;
	struct listener_config *listener;
	unsigned listener_count;
	struct peer_config *peer;
	unsigned peer_count;
	struct route_config *route;
	unsigned route_count;
	struct group_config *group;
	unsigned group_count;
	struct usage_config *usage;
	unsigned usage_count;
	struct time_config *time;
	unsigned time_count;
	struct pattern *emergency; /* numbers of emergency calls */
	unsigned emergency_count;

	unsigned calls_max; /* live calls; limits.calls is the same */
	struct limits_config limits;
	enum preempt preempt;
	unsigned audio_kbit, video_kbit;    /* of a stream whose SDP does not tell its bandwidth */
	unsigned shed_from_ms, shed_all_ms; /* see sip/overload.h; shed_all_ms 0: never */
	unsigned tcp_connections_max;
	unsigned max_forwards;         /* written where a request has none */
	unsigned ring_timeout_s;       /* since the last provisional response, RFC 3261 timer C */
	unsigned unanswered_timeout_s; /* of a call, whatever its callees say meanwhile */
	unsigned reinvite_timeout_s;   /* of a re-INVITE, whatever is said meanwhile */
	unsigned attempt_timeout_s;    /* without any provisional: the next peer of the route */
	unsigned transfer_timeout_s;   /* REFER until the transfer has succeeded or failed */
	unsigned tls_handshakes_max;   /* under way at once */
	unsigned tls_handshake_s;      /* for a handshake to be done */
	unsigned keepalive_s;          /* idle connections that we opened are pinged; 0 = never */
	unsigned pong_s;               /* for the answer */
	unsigned reconnect_s;          /* the longest pause between attempts to connect */
	unsigned port_quarantine_s;
	struct dns_config dns;
	bool silent_strangers; /* no answer to unknown sources, instead of 403 */
	enum log_level log_level;
	enum batching_mode batching;
	char *user;            /* run as, "" = stay */
	char *records_file;    /* call detail records, "" = none */
	char *bpf_dir;         /* where pins live: <bpf_dir>/viaduct-<instance> */
	char *state_dir;       /* where the calls are written down: <state_dir>/<instance>.state */
	char *instance;        /* "default" */
	uint32_t control_port; /* netlink port id of the control socket */
	char *control_group;   /* whose members may use the CLI besides root; "" = nobody */

	/* Private to the config and route rooms. */
	struct number_rule **number_rule; /* all, wherever they are used */
	unsigned number_rule_count;
	struct number_rule_set *rule_set;
	unsigned rule_set_count;
	struct source_index *sources;     /* see config_find_peer */
	unsigned *peer_by_name;           /* peer indexes in the order of their names */
	struct route_index **route_index; /* by peer, of its own routes; NULL: has none */
	struct route_index *route_any;    /* of every peer's */
	struct config_lines {
		unsigned device[SIDE_COUNT], vlan[SIDE_COUNT];
		unsigned user, bpf_dir, state_dir, instance, control_port, batching;
		unsigned tls_certificate[CONFIG_TLS_MAX];
	} line; /* where they are written, or would be: for config_check_reload */
};

/* Reads, validates, resolves. On a mistake writes one line per mistake to errors, each
 *   FILE:LINE: KEY: WHAT IS WRONG; expected WHAT
 * and returns -EINVAL; -errno when the file cannot be read. *out has one reference. */
int config_load(struct config **out, const char *file, FILE *errors);
struct config *config_ref(struct config *cfg);
void config_unref(struct config *cfg);

/* Whether cfg can replace old in a running daemon; what cannot change without a restart (devices
 * and their VLANs, bpf_dir, state_dir, instance, control_port, user) gets its line in errors. 0 or
 * -EINVAL. */
int config_check_reload(const struct config *old, const struct config *cfg, FILE *errors);

/* The peer whose source and listener this is; NULL = stranger. The most specific prefix wins.
 * Constant time in the number of calls, and near so in the number of peers. */
const struct peer_config *config_find_peer(
	const struct config *cfg, const struct addr *source, unsigned listener);
/* The same where certificates tell peers of one source apart: the first that accepts says true to,
 * longest prefixes first, then in the order of the file. */
typedef bool config_accepts_fn(void *ctx, const struct peer_config *peer);
const struct peer_config *config_find_peer_that(const struct config *cfg, const struct addr *source,
	unsigned listener, config_accepts_fn *accepts, void *ctx);
const struct peer_config *config_peer_by_name(const struct config *cfg, const char *name);
/* Who bears the name in cfg of a peer of any configuration: most of the time that peer itself, and
 * its name is not looked at. NULL = nobody. */
const struct peer_config *config_peer_of(const struct config *cfg, const struct peer_config *peer);
unsigned config_peer_index(const struct config *cfg, const struct peer_config *peer);
/* The host in the URI of requests to the peer (RFC 3261 8.1.1.1): its name, or its address (IPv6
 * without brackets) printed into buf. *port: 0 where none is to be written. */
const char *peer_uri_host(const struct peer_config *peer, char buf[ADDR_TEXT_MAX], uint16_t *port);
/* The listener of the peer's for that family (4, 6), CONFIG_NO_LISTENER if there is none. */
unsigned peer_listener_of(const struct config *cfg, const struct peer_config *peer, uint8_t family);
/* Whether that response of the peer to an INVITE has the call go to another. */
bool config_fails_over(const struct peer_config *peer, int code);
const char *transport_name(enum transport t); /* "udp", "tcp", "tls" */
const char *side_name(unsigned side);         /* "internal", "external" */
/* The side's first address of that family (4 or 6), NULL if it has none. */
const struct side_address *side_address_of(const struct side_config *side, uint8_t family);

#endif
