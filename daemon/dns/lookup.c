/* SPDX-License-Identifier: BSD-2-Clause */
/* One resolution of a name: RFC 3263 4.1 and 4.2.
 *
 * The listener has chosen the transport, as a transport parameter would (4.1). NAPTR can still say
 * under which name the SRV records of that transport are: it is asked for, and where it has none,
 * or none of that transport, the name is _sip._udp.HOST and so on (4.2). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "dns/internal.h"

#define SIP_PORT  5060 /* RFC 3261 19.1.2 */
#define SIPS_PORT 5061

/* A host that the targets are addresses of. */
struct candidate {
	struct lookup *lookup;
	char host[DNS_HOST_MAX + 1];
	uint16_t port, priority, weight;
	struct addr address[DNS_TARGETS_MAX];
	unsigned count;
	bool failed; /* a query for its addresses */
};

struct lookup {
	struct dns *dns;
	struct dns_name *name; /* NULL: forgotten */
	struct candidate *candidate;
	unsigned candidate_count;
	char srv_name[DNS_HOST_MAX + 1];
	unsigned pending; /* queries, and a hand on it while more may be asked */
	uint32_t ttl_s, negative_ttl_s;
	bool failed, naptr_failed, cut, is_full;
	const char *error;   /* of what failed */
	const char *nothing; /* what the last empty answer was */
	struct message message;
};

static const struct service {
	const char *naptr; /* RFC 3263 4.1 */
	const char *srv;   /* 4.2 */
	uint16_t port;
} services[] = {
	[DNS_SIP_UDP] = {"SIP+D2U", "_sip._udp.", SIP_PORT},
	[DNS_SIP_TCP] = {"SIP+D2T", "_sip._tcp.", SIP_PORT},
	[DNS_SIPS_TCP] = {"SIPS+D2T", "_sips._tcp.", SIPS_PORT},
};

static const char *error_text(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return "NXDOMAIN";
	case ARES_ENODATA:
		return "no records";
	case ARES_ESERVFAIL:
		return "SERVFAIL";
	case ARES_EREFUSED:
		return "REFUSED";
	case ARES_ENOTIMP:
		return "NOTIMP";
	case ARES_EFORMERR:
		return "FORMERR";
	case ARES_ETIMEOUT:
		return "no answer from the nameservers";
	case ARES_ECONNREFUSED: /* c-ares 1.18 says so of SERVFAIL and REFUSED too */
		return "the nameservers fail, refuse or cannot be reached";
	case ARES_EBADRESP:
		return "unusable answer";
	default:
		return ares_strerror(status);
	}
}

void lookup_forget(struct lookup *l)
{
	l->name = NULL;
}

/* ---- the end ---- */

static int by_address(const void *a, const void *b)
{
	const struct addr *x = a, *y = b;

	return x->family != y->family ? (x->family > y->family) - (x->family < y->family)
				      : memcmp(x->ip, y->ip, sizeof(x->ip));
}

static uint32_t hash_of(const struct candidate *c)
{
	char text[DNS_HOST_MAX + 1] = "";
	size_t n = 0;

	for (; c->host[n]; n++)
		text[n] = (char)tolower((unsigned char)c->host[n]);
	return table_hash(text, n);
}

/* An address that is not there yet. */
static void add_address(struct candidate *c, const struct addr *a)
{
	for (unsigned i = 0; i < c->count; i++) {
		if (addr_equal_ip(a, &c->address[i]))
			return;
	}
	if (c->count < DNS_TARGETS_MAX)
		c->address[c->count++] = *a;
	else
		c->lookup->is_full = true;
}

/* A host whose addresses are not to be had keeps those that it had. */
static void keep_addresses(struct lookup *l)
{
	const struct dns_name *name = l->name;

	if (!name || loop_now_ms(l->dns->loop) >= name->stale_until_ms)
		return;
	for (unsigned i = 0; i < l->candidate_count; i++) {
		struct candidate *c = &l->candidate[i];
		uint32_t hash = hash_of(c);

		for (unsigned j = 0; c->failed && j < name->count; j++) {
			struct addr a = name->target[j].address;

			a.port = 0;
			if (name->target[j].host_hash == hash)
				add_address(c, &a);
		}
	}
}

/* The addresses of each candidate in turn, so that none crowds out the others. */
static void gather(struct lookup *l, struct lookup_result *out)
{
	unsigned taken[DNS_TARGETS_MAX] = {0};
	bool more = true;

	for (unsigned i = 0; i < l->candidate_count; i++)
		qsort(l->candidate[i].address, l->candidate[i].count, sizeof(struct addr),
			by_address);
	for (unsigned turn = 0; more && out->count < DNS_TARGETS_MAX; turn++) {
		more = false;
		for (unsigned i = 0; i < l->candidate_count; i++) {
			if (turn >= l->candidate[i].count || out->count >= DNS_TARGETS_MAX)
				continue;
			taken[i]++;
			out->count++;
			more = true;
		}
	}
	out->count = 0;
	for (unsigned i = 0; i < l->candidate_count; i++) {
		const struct candidate *c = &l->candidate[i];

		l->is_full |= taken[i] < c->count;
		for (unsigned j = 0; j < taken[i]; j++) {
			struct dns_target *t = &out->target[out->count++];

			t->address = c->address[j];
			t->address.port = c->port;
			t->priority = c->priority;
			t->weight = c->weight;
			t->srv = (uint16_t)i;
			t->host_hash = hash_of(c);
		}
	}
	if (l->is_full)
		l->dns->status.truncated++;
}

static void finish(struct lookup *l)
{
	struct lookup_result result;
	struct dns *dns = l->dns;
	unsigned found = 0;

	memset(&result, 0, sizeof(result)); /* padding too: targets are compared as bytes */
	result.whole = !l->failed;
	result.in_doubt = l->naptr_failed;
	for (unsigned i = 0; i < l->candidate_count; i++)
		found += l->candidate[i].count;
	if (found && l->failed)
		keep_addresses(l);
	gather(l, &result);
	if (l->cut) {
		result.end = LOOKUP_CUT;
	} else if (result.count) {
		result.end = LOOKUP_FOUND;
		result.error = l->failed ? l->error : "";
		result.ttl_ms = (uint64_t)l->ttl_s * 1000;
	} else if (l->failed) {
		result.end = LOOKUP_FAILED;
		result.error = l->error;
		dns->status.failed++;
	} else {
		result.end = LOOKUP_NOTHING;
		result.error = l->nothing ? l->nothing : error_text(ARES_ENODATA);
		result.ttl_ms = l->negative_ttl_s == UINT32_MAX
					? UINT64_MAX
					: (uint64_t)l->negative_ttl_s * 1000;
		dns->status.negative++;
	}
	dns->lookups--;
	if (l->name) {
		l->name->lookup = NULL;
		name_looked_up(l->name, &result);
	}
	free(l->candidate);
	free(l);
	names_next(dns);
}

static void let_go(struct lookup *l)
{
	if (--l->pending == 0)
		finish(l);
}

static bool is_negative(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

/* What an answer says into l->message. 0: it could be read, be it that there is nothing; -errno:
 * no answer, noted as the lookup's failure. */
static int take_answer(struct lookup *l, int status, const uint8_t *buf, int len, const char *name,
	enum message_type type)
{
	struct message *m = &l->message;
	int ret;

	m->count = 0;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
		l->cut = true;
		return -ECANCELED;
	}
	if (status != ARES_SUCCESS && !is_negative(status)) {
		if (status == ARES_EBADRESP) /* newer c-ares look first */
			l->dns->status.malformed++;
		l->failed = true;
		l->error = error_text(status);
		return -EIO;
	}
	ret = buf ? message_read(m, buf, (size_t)len, name, type) : -EBADMSG;
	if (ret) {
		l->dns->status.malformed++;
		l->failed = true;
		l->error = ret == -ELOOP    ? "the CNAMEs lead nowhere"
			   : ret == -ENOMEM ? "out of memory"
					    : error_text(ARES_EBADRESP);
		return ret;
	}
	if (m->count) {
		if (m->ttl_s < l->ttl_s)
			l->ttl_s = m->ttl_s;
	} else {
		l->nothing = error_text(is_negative(status) ? status : ARES_ENODATA);
		if (m->negative_ttl_s < l->negative_ttl_s)
			l->negative_ttl_s = m->negative_ttl_s;
	}
	return 0;
}

/* ---- A and AAAA ---- */

/* Who could be on the other end of an address: not 0.0.0.0, not multicast, not link-local. */
static bool is_host(const struct addr *a)
{
	if (addr_is_any(a))
		return false;
	if (a->family == 4)
		return a->ip[0] != 0 && a->ip[0] < 224;
	return a->ip[0] != 0xff && !(a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80);
}

static void take_addresses(
	struct candidate *c, int status, const uint8_t *buf, int len, enum message_type type)
{
	struct lookup *l = c->lookup;

	if (take_answer(l, status, buf, len, c->host, type) == 0) {
		for (unsigned i = 0; i < l->message.count; i++) {
			const struct addr *a = &l->message.record[i].address;

			if (is_host(a))
				add_address(c, a);
		}
	} else {
		c->failed = true;
	}
	let_go(l);
}

static void a_done(void *ctx, int status, int timeouts, unsigned char *buf, int len)
{
	(void)timeouts;
	take_addresses(ctx, status, buf, len, MESSAGE_A);
}

static void aaaa_done(void *ctx, int status, int timeouts, unsigned char *buf, int len)
{
	(void)timeouts;
	take_addresses(ctx, status, buf, len, MESSAGE_AAAA);
}

static void ask_addresses(struct lookup *l, unsigned families)
{
	l->pending++;
	for (unsigned i = 0; i < l->candidate_count; i++) {
		struct candidate *c = &l->candidate[i];

		c->lookup = l;
		l->pending += !!(families & DNS_IPV4) + !!(families & DNS_IPV6);
		if (families & DNS_IPV4)
			channel_query(l->dns, c->host, MESSAGE_A, a_done, c);
		if (families & DNS_IPV6)
			channel_query(l->dns, c->host, MESSAGE_AAAA, aaaa_done, c);
	}
	let_go(l);
}

/* The host itself, at that port. */
static void ask_host(struct lookup *l, uint16_t port)
{
	struct candidate *c = &l->candidate[0];

	l->candidate_count = 1;
	strcpy(c->host, l->name->host);
	c->port = port;
	ask_addresses(l, l->name->families);
}

/* ---- SRV ---- */

static int by_priority(const void *a, const void *b)
{
	const struct message_record *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return strcasecmp(x->target, y->target);
}

static void take_srv(struct lookup *l)
{
	struct message *m = &l->message;

	qsort(m->record, m->count, sizeof(m->record[0]), by_priority);
	for (unsigned i = 0; i < m->count; i++) {
		const struct message_record *r = &m->record[i];
		struct candidate *c = &l->candidate[l->candidate_count];

		if (!r->target[0] || !r->port)
			continue; /* RFC 2782: "." says that the service is not there */
		if (l->candidate_count == DNS_TARGETS_MAX) {
			l->is_full = true;
			break;
		}
		strcpy(c->host, r->target);
		c->port = r->port;
		c->priority = r->priority;
		c->weight = r->weight;
		l->candidate_count++;
	}
	if (!l->candidate_count)
		l->nothing = "its SRV record says that the service is not there";
}

static void srv_done(void *ctx, int status, int timeouts, unsigned char *buf, int len)
{
	struct lookup *l = ctx;

	(void)timeouts;
	if (take_answer(l, status, buf, len, l->srv_name, MESSAGE_SRV) == 0 && l->name) {
		if (l->message.count) {
			take_srv(l);
			ask_addresses(l, l->name->families);
		} else {
			/* RFC 3263 4.2: without SRV records, the host at the default port. */
			ask_host(l, services[l->name->service].port);
		}
	}
	let_go(l);
}

/* ---- NAPTR ---- */

/* RFC 3263 4.1: flag "s", the service of our transport; RFC 3403 4.1: the lowest order, then the
 * lowest preference. */
static const struct message_record *choose_naptr(const struct lookup *l)
{
	const char *service = services[l->name->service].naptr;
	const struct message_record *best = NULL;

	for (unsigned i = 0; i < l->message.count; i++) {
		const struct message_record *r = &l->message.record[i];

		if (strcasecmp(r->flags, "s") != 0 || strcasecmp(r->service, service) != 0 ||
			!r->target[0])
			continue;
		if (!best || r->order < best->order ||
			(r->order == best->order && r->preference < best->preference))
			best = r;
	}
	return best;
}

static void naptr_done(void *ctx, int status, int timeouts, unsigned char *buf, int len)
{
	const struct message_record *best = NULL;
	struct lookup *l = ctx;
	uint32_t ttl_s = l->ttl_s;
	int n = -1;

	(void)timeouts;
	/* Some nameservers do not know of NAPTR: an error is not the end. */
	if (take_answer(l, status, buf, len, l->name ? l->name->host : "", MESSAGE_NAPTR) == 0 &&
		l->name)
		best = choose_naptr(l);
	else
		l->naptr_failed = true;
	if (l->name && !l->cut) {
		if (best) {
			n = snprintf(l->srv_name, sizeof(l->srv_name), "%s", best->target);
		} else {
			l->ttl_s = ttl_s;
			n = snprintf(l->srv_name, sizeof(l->srv_name), "%s%s",
				services[l->name->service].srv, l->name->host);
		}
	}
	l->negative_ttl_s = UINT32_MAX;
	if (n > DNS_HOST_MAX)
		ask_host(l, services[l->name->service].port);
	else if (n > 0) {
		l->pending++;
		channel_query(l->dns, l->srv_name, MESSAGE_SRV, srv_done, l);
	}
	let_go(l);
}

int lookup_start(struct dns_name *name)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (l)
		l->candidate = calloc(DNS_TARGETS_MAX, sizeof(*l->candidate));
	if (!l || !l->candidate) {
		free(l);
		return -ENOMEM;
	}
	l->dns = name->dns;
	l->name = name;
	l->ttl_s = l->negative_ttl_s = UINT32_MAX;
	l->pending = 1;
	name->lookup = l;
	name->dns->lookups++;
	name->dns->status.lookups++;
	if (name->port) {
		ask_host(l, name->port);
	} else {
		l->pending++;
		channel_query(l->dns, name->host, MESSAGE_NAPTR, naptr_done, l);
	}
	let_go(l);
	return 0;
}
