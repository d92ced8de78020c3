/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the dns room.
 *
 *   names.c    a name that is kept resolved: when to ask, what to believe
 *   lookup.c   one resolution of it: NAPTR, SRV, A and AAAA (RFC 3263 4)
 *   channel.c  c-ares on the loop
 *   message.c  what an answer says
 *   order.c    the order to try targets in (RFC 2782) */
#ifndef VIADUCT_DNS_INTERNAL_H
#define VIADUCT_DNS_INTERNAL_H

/* What takes the place of ares_query is not in Debian 12's c-ares. */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <time.h>

#include "base/table.h"
#include "dns/dns.h"
#include "dns/message.h"

#include <utlist.h>

#define TTL_MIN_MS         5000
#define TTL_MAX_MS         (24u * 3600 * 1000)
#define NEGATIVE_MS        30000  /* where no SOA says it */
#define NEGATIVE_MAX_MS    300000 /* so that what was put right is noticed */
#define RETRY_MIN_MS       1000
#define RETRY_MAX_MS       60000
#define STALE_MS           (24u * 3600 * 1000) /* RFC 8767 5: 1 to 3 days */
#define TIMEOUT_MS_DEFAULT 2000
#define TRIES_DEFAULT      3
#define REFRESH_PERCENT    90   /* of the TTL, then a name is asked for again */
#define LOOKUPS_MAX        32   /* under way at once; others wait their turn */
#define SOCKETS_MAX        32   /* of c-ares: UDP and TCP for each nameserver */
#define EDNS_BYTES         1232 /* RFC 6891: an answer that no path fragments */
#define RESOLV_CONF        "/etc/resolv.conf"

struct dns_socket {
	struct loop_fd lf;
	struct dns *dns;
	bool used, wants_write;
};

struct dns {
	struct loop *loop;
	struct dns_options options;
	ares_channel channel;
	bool has_channel;
	struct dns_socket socket[SOCKETS_MAX];
	struct loop_timer channel_timer, start_timer;
	struct timespec resolv_conf; /* when it was changed, as we have read it */
	struct dns_name *names;
	struct dns_name *waiting; /* for their turn */
	unsigned lookups;         /* under way */
	struct dns_status status;
};

struct dns_watch {
	struct dns_name *name;
	unsigned families;
	void (*changed)(void *ctx);
	void *ctx;
	struct dns_watch *prev, *next;
};

/* How a lookup ended. */
enum lookup_end {
	LOOKUP_FOUND,
	LOOKUP_NOTHING, /* the nameservers say so */
	LOOKUP_FAILED,  /* they do not answer, or with an error */
	LOOKUP_CUT,     /* by us: ask again */
};

struct lookup_result {
	enum lookup_end end;
	bool whole;    /* no query failed on the way */
	bool in_doubt; /* the NAPTR failed: perhaps the SRV records are elsewhere */
	const char *error;
	struct dns_target target[DNS_TARGETS_MAX];
	unsigned count;
	uint64_t ttl_ms; /* of the targets; of nothing: UINT64_MAX where not said */
};

struct lookup;

struct dns_name {
	struct dns *dns;
	char host[DNS_HOST_MAX + 1];
	uint16_t port;
	enum dns_service service;
	unsigned families;
	struct dns_watch *watches;
	struct lookup *lookup; /* under way */
	struct dns_target target[DNS_TARGETS_MAX];
	unsigned count;
	bool in_doubt; /* as in lookup_result, of the targets */
	bool asked;    /* a lookup has ended */
	bool told_stale;
	bool is_waiting;
	const char *error;
	uint64_t expires_ms, stale_until_ms, next_ms;
	unsigned failures; /* since the last good lookup */
	struct loop_timer timer;
	struct dns_name *prev, *next; /* waiting */
	UT_hash_handle hh;
	unsigned key_len;
	char key[];
};

/* ---- channel.c ---- */
int channel_open(struct dns *dns, const struct dns_options *options);
void channel_close(struct dns *dns);
/* Reads /etc/resolv.conf again where it has changed. Not from a callback of c-ares. */
void channel_refresh(struct dns *dns);
/* Asks; done is called exactly once, perhaps before this returns. */
void channel_query(
	struct dns *dns, const char *name, enum message_type type, ares_callback done, void *ctx);

/* ---- lookup.c ---- */
/* 0 or -ENOMEM. name_looked_up is called when it has ended, perhaps before this returns. */
int lookup_start(struct dns_name *name);
/* It ends by itself, and nobody hears of it. */
void lookup_forget(struct lookup *lookup);

/* ---- names.c ---- */
void name_looked_up(struct dns_name *name, const struct lookup_result *result);
/* A lookup has ended: another name's turn. */
void names_next(struct dns *dns);

#endif
