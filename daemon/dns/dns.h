/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names of SIP peers, kept resolved: where requests to HOST[:PORT] go by RFC 3263, asked of
 * the nameservers by c-ares on the loop, asked again before the answer expires. Nothing here waits:
 * who wants to know where a name stands takes what is known now.
 *
 * A name is looked up once, however many watch it, as long as host, port and service are alike. */
#ifndef VIADUCT_DNS_DNS_H
#define VIADUCT_DNS_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"

#define DNS_HOST_MAX    253 /* bytes of a host name (RFC 1035 2.3.4), without the dot at its end */
#define DNS_TARGETS_MAX 16  /* addresses that one name stands for; further ones are left out */
#define DNS_SERVERS_MAX 4

/* RFC 3263 4.1: what the listener's transport makes of it. */
enum dns_service { DNS_SIP_UDP, DNS_SIP_TCP, DNS_SIPS_TCP };

struct dns; /* the resolver */
struct dns_watch;

struct dns_options {
	struct addr server[DNS_SERVERS_MAX]; /* port 0: 53 */
	unsigned server_count;               /* 0: those of /etc/resolv.conf */
	unsigned timeout_ms;                 /* of a query's first try; doubles with each further */
	unsigned tries;
	/* 0: the defaults. A TTL is brought between these. */
	unsigned ttl_min_ms, ttl_max_ms;
	unsigned negative_ms;  /* an answer "no such name" that says no time itself */
	unsigned retry_min_ms; /* after a failure; doubles with each further one */
	unsigned stale_ms;     /* targets outlive their TTL so long, while lookups fail */
};

/* Reads /etc/resolv.conf where no server is given. 0 or -errno. */
int dns_new(struct dns **out, struct loop *loop, const struct dns_options *options);
/* Every watch must be gone. */
void dns_free(struct dns *dns);
/* Other nameservers and times. What is known stays in force and is asked anew. 0, or -errno and
 * the old ones stay. */
int dns_reload(struct dns *dns, const struct dns_options *options);

struct dns_query {
	const char *host;
	uint16_t port; /* 0: none is written, so that SRV records say it (RFC 3263 4.2) */
	enum dns_service service;
};

enum dns_state {
	DNS_PENDING, /* not one lookup has ended yet */
	DNS_FRESH,
	DNS_STALE,  /* the TTL is over and the nameservers do not answer: the last targets */
	DNS_FAILED, /* no targets */
};

struct dns_target {
	struct addr address;       /* with the port */
	uint16_t priority, weight; /* RFC 2782; 0 without SRV */
	uint16_t srv;              /* number of the SRV record: its addresses share it */
	uint32_t host_hash;        /* private */
};

struct dns_info {
	enum dns_state state;
	const char *error;               /* of the last lookup, in words; "" where it was good */
	const struct dns_target *target; /* in order of priority; until the loop's next round */
	unsigned count;
	uint64_t ttl_ms;   /* until they expire; 0 where they have */
	uint64_t retry_ms; /* until the name is asked for again; 0: a lookup is under way */
};

/* From now on the name is kept resolved. changed (may be NULL) is called from the loop, never from
 * inside a function of this header, when targets or state are others than before. families: bit 0
 * for IPv4, bit 1 for IPv6. 0 or -ENOMEM. */
#define DNS_IPV4 1u
#define DNS_IPV6 2u
int dns_watch(struct dns_watch **out, struct dns *dns, const struct dns_query *query,
	unsigned families, void (*changed)(void *ctx), void *ctx);
/* NULL is harmless. */
void dns_unwatch(struct dns_watch *watch);
void dns_get(const struct dns_watch *watch, struct dns_info *out);
/* The watch's targets of its families, in an order to try them in: priorities ascending, those of
 * one priority drawn by weight anew each time (RFC 2782), the addresses of one host with the
 * preferred family (4, 6) first and shuffled otherwise. Their number. */
unsigned dns_draw(const struct dns_watch *watch, uint8_t prefer, struct addr out[DNS_TARGETS_MAX]);

#define DNS_COUNTERS(X)                                                                            \
	X(lookups, "names looked up: A, AAAA, SRV and NAPTR of one together")                      \
	X(queries, "queries asked of the nameservers")                                             \
	X(failed, "lookups without an answer")                                                     \
	X(negative, "lookups that found no such name or no records")                               \
	X(malformed, "answers that could not be read")                                             \
	X(truncated, "lookups that found more targets than one name may have")                     \
	X(changes, "times that a name's targets became others")                                    \
	X(names, "names kept resolved now")
#define DNS_COUNTER_FIELD(name, text) uint64_t name;
struct dns_status {
	DNS_COUNTERS(DNS_COUNTER_FIELD)
};
void dns_get_status(const struct dns *dns, struct dns_status *out);

#endif
