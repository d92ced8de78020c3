/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that are kept resolved: shared by all who watch them, asked for again before they expire,
 * believed beyond that while the nameservers do not answer (RFC 8767). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/internal.h"

#define KEY_MAX (DNS_HOST_MAX + sizeof(":65535/0"))

/* ---- the times ---- */

static unsigned or_default(unsigned value, unsigned fallback)
{
	return value ? value : fallback;
}

static uint64_t ttl_of(const struct dns *dns, uint64_t ttl_ms)
{
	uint64_t min = or_default(dns->options.ttl_min_ms, TTL_MIN_MS);
	uint64_t max = or_default(dns->options.ttl_max_ms, TTL_MAX_MS);

	return ttl_ms < min ? min : ttl_ms > max ? max : ttl_ms;
}

static uint64_t negative_of(const struct dns *dns, uint64_t ttl_ms)
{
	uint64_t max = or_default(dns->options.ttl_max_ms, NEGATIVE_MAX_MS);

	if (ttl_ms == UINT64_MAX)
		ttl_ms = or_default(dns->options.negative_ms, NEGATIVE_MS);
	ttl_ms = ttl_of(dns, ttl_ms);
	if (max > NEGATIVE_MAX_MS)
		max = NEGATIVE_MAX_MS;
	return ttl_ms > max ? max : ttl_ms;
}

static uint64_t retry_of(const struct dns_name *name)
{
	uint64_t ms = or_default(name->dns->options.retry_min_ms, RETRY_MIN_MS);

	for (unsigned i = 1; i < name->failures && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

static void ask_in(struct dns_name *name, uint64_t ms)
{
	name->next_ms = loop_now_ms(name->dns->loop) + ms;
	if (loop_timer_start(name->dns->loop, &name->timer, ms))
		log_limited(LOG_LEVEL_ERROR, "dns: %s is not asked for again: out of memory",
			name->host);
}

/* ---- lookups, so many at once ---- */

static void start_waiting(struct loop_timer *t)
{
	struct dns *dns = (struct dns *)(void *)((char *)t - offsetof(struct dns, start_timer));

	while (dns->waiting && dns->lookups < LOOKUPS_MAX) {
		struct dns_name *name = dns->waiting;

		DL_DELETE(dns->waiting, name);
		name->is_waiting = false;
		if (lookup_start(name)) {
			name->failures++;
			ask_in(name, retry_of(name));
		}
	}
}

void names_next(struct dns *dns)
{
	dns->start_timer.fire = start_waiting;
	if (dns->waiting && !loop_timer_is_started(&dns->start_timer))
		(void)loop_timer_start(dns->loop, &dns->start_timer, 0);
}

static void is_due(struct loop_timer *t)
{
	struct dns_name *name =
		(struct dns_name *)(void *)((char *)t - offsetof(struct dns_name, timer));

	name->next_ms = 0;
	if (name->lookup || name->is_waiting)
		return;
	channel_refresh(name->dns);
	DL_APPEND(name->dns->waiting, name);
	name->is_waiting = true;
	names_next(name->dns);
}

/* ---- what they say ---- */

static void tell(struct dns_name *name)
{
	struct dns_watch *w, *next;

	DL_FOREACH_SAFE (name->watches, w, next) {
		if (w->changed)
			w->changed(w->ctx);
	}
}

static bool take_targets(struct dns_name *name, const struct lookup_result *r)
{
	bool same = name->count == r->count &&
		    memcmp(name->target, r->target, r->count * sizeof(r->target[0])) == 0;

	if (!same) {
		memcpy(name->target, r->target, sizeof(name->target));
		name->count = r->count;
		name->dns->status.changes++;
	}
	return !same;
}

static bool found(struct dns_name *name, const struct lookup_result *r)
{
	uint64_t ttl = ttl_of(name->dns, r->ttl_ms), now = loop_now_ms(name->dns->loop);
	uint64_t next = ttl * REFRESH_PERCENT / 100;

	name->expires_ms = now + ttl;
	name->in_doubt = r->in_doubt;
	name->told_stale = false;
	if (r->whole) {
		if (name->failures)
			log_limited(LOG_LEVEL_INFO, "dns: %s resolves again", name->host);
		name->failures = 0;
		name->stale_until_ms =
			name->expires_ms + or_default(name->dns->options.stale_ms, STALE_MS);
	} else {
		name->failures++;
		if (retry_of(name) < next)
			next = retry_of(name);
	}
	ask_in(name, next);
	return take_targets(name, r);
}

static bool nothing(struct dns_name *name, const struct lookup_result *r)
{
	if (name->failures++ == 0)
		log_limited(LOG_LEVEL_WARN, "dns: %s does not resolve: %s", name->host, r->error);
	ask_in(name, negative_of(name->dns, r->ttl_ms));
	name->expires_ms = name->stale_until_ms = 0;
	return take_targets(name, r);
}

static bool failed(struct dns_name *name, const struct lookup_result *r)
{
	static const struct lookup_result none;
	uint64_t now = loop_now_ms(name->dns->loop);
	bool changed = false;

	if (name->failures++ == 0)
		log_limited(LOG_LEVEL_WARN, "dns: %s cannot be looked up: %s%s", name->host,
			r->error, name->count ? "; the addresses known before stay in use" : "");
	if (name->count && now >= name->stale_until_ms) {
		log_limited(LOG_LEVEL_WARN,
			"dns: %s has not been resolved for too long: no address of it is left",
			name->host);
		changed = take_targets(name, &none);
	} else if (name->count && now >= name->expires_ms && !name->told_stale) {
		name->told_stale = changed = true;
	}
	ask_in(name, retry_of(name));
	return changed;
}

void name_looked_up(struct dns_name *name, const struct lookup_result *r)
{
	enum lookup_end end = r->end;
	bool first = !name->asked, changed = false;
	const char *before = name->error;

	if (end == LOOKUP_CUT) {
		ask_in(name, 0);
		return;
	}
	if (end == LOOKUP_FOUND && r->in_doubt && name->count && !name->in_doubt &&
		loop_now_ms(name->dns->loop) < name->stale_until_ms)
		end = LOOKUP_FAILED;
	name->asked = true;
	name->error = r->error;
	if (end == LOOKUP_FOUND)
		changed = found(name, r);
	else if (end == LOOKUP_NOTHING)
		changed = nothing(name, r);
	else
		changed = failed(name, r);
	if (first || changed || strcmp(before, name->error) != 0)
		tell(name);
}

/* ---- watches ---- */

static struct dns_name *name_new(struct dns *dns, const struct dns_query *q, const char *key)
{
	size_t n = strlen(key);
	struct dns_name *name = calloc(1, sizeof(*name) + n + 1);

	if (!name)
		return NULL;
	name->dns = dns;
	snprintf(name->host, sizeof(name->host), "%s", q->host);
	name->port = q->port;
	name->service = q->service;
	name->error = "";
	name->timer.fire = is_due;
	name->key_len = (unsigned)n;
	memcpy(name->key, key, n + 1);
	table_add_failed = false;
	HASH_ADD(hh, dns->names, key, n, name);
	if (table_add_failed) {
		free(name);
		return NULL;
	}
	dns->status.names++;
	return name;
}

static void name_free(struct dns_name *name)
{
	struct dns *dns = name->dns;

	if (name->lookup)
		lookup_forget(name->lookup);
	if (name->is_waiting)
		DL_DELETE(dns->waiting, name);
	loop_timer_stop(dns->loop, &name->timer);
	HASH_DEL(dns->names, name);
	dns->status.names--;
	free(name);
}

/* Host names do not differ by case (RFC 4343). */
static void make_key(char key[KEY_MAX], const struct dns_query *q)
{
	int n = snprintf(key, KEY_MAX, "%s:%u/%u", q->host, q->port, (unsigned)q->service);

	for (int i = 0; i < n && i < (int)KEY_MAX; i++)
		key[i] = (char)tolower((unsigned char)key[i]);
}

int dns_watch(struct dns_watch **out, struct dns *dns, const struct dns_query *query,
	unsigned families, void (*changed)(void *ctx), void *ctx)
{
	struct dns_watch *w = calloc(1, sizeof(*w));
	struct dns_name *name;
	char key[KEY_MAX];

	if (!w)
		return -ENOMEM;
	make_key(key, query);
	HASH_FIND(hh, dns->names, key, strlen(key), name);
	if (!name)
		name = name_new(dns, query, key);
	if (!name) {
		free(w);
		return -ENOMEM;
	}
	w->name = name;
	w->families = families;
	w->changed = changed;
	w->ctx = ctx;
	DL_APPEND(name->watches, w);
	if ((name->families | families) != name->families) {
		name->families |= families;
		if (name->lookup) /* which does not know of them yet */
			lookup_forget(name->lookup);
		name->lookup = NULL;
		ask_in(name, 0);
	}
	*out = w;
	return 0;
}

void dns_unwatch(struct dns_watch *w)
{
	struct dns_name *name;

	if (!w)
		return;
	name = w->name;
	DL_DELETE(name->watches, w);
	free(w);
	if (!name->watches)
		name_free(name);
}

static bool is_of(const struct dns_watch *w, const struct dns_target *t)
{
	return w->families & (t->address.family == 4 ? DNS_IPV4 : DNS_IPV6);
}

void dns_get(const struct dns_watch *w, struct dns_info *out)
{
	const struct dns_name *name = w->name;
	uint64_t now = loop_now_ms(name->dns->loop);
	unsigned fit = 0;

	for (unsigned i = 0; i < name->count; i++)
		fit += is_of(w, &name->target[i]);
	*out = (struct dns_info){.error = name->error, .target = name->target};
	out->count = name->count;
	out->ttl_ms = name->expires_ms > now ? name->expires_ms - now : 0;
	out->retry_ms = name->next_ms > now ? name->next_ms - now : 0;
	if (fit)
		out->state = out->ttl_ms ? DNS_FRESH : DNS_STALE;
	else
		out->state = name->asked ? DNS_FAILED : DNS_PENDING;
	if (out->state == DNS_FAILED && name->count)
		out->error = "no address of the listener's family";
}

/* ---- the room ---- */

static struct dns_options with_defaults(const struct dns_options *o)
{
	struct dns_options all = *o;

	all.timeout_ms = or_default(o->timeout_ms, TIMEOUT_MS_DEFAULT);
	all.tries = or_default(o->tries, TRIES_DEFAULT);
	return all;
}

int dns_new(struct dns **out, struct loop *loop, const struct dns_options *options)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	int ret;

	if (!dns)
		return -ENOMEM;
	dns->loop = loop;
	dns->options = with_defaults(options);
	ret = ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
	if (!ret) {
		ret = channel_open(dns, &dns->options);
		if (ret)
			ares_library_cleanup();
	}
	if (ret)
		free(dns);
	else
		*out = dns;
	return ret;
}

void dns_free(struct dns *dns)
{
	struct dns_name *name, *next;

	if (!dns)
		return;
	HASH_ITER (hh, dns->names, name, next) {
		name_free(name);
	}
	channel_close(dns);
	loop_timer_stop(dns->loop, &dns->start_timer);
	ares_library_cleanup();
	free(dns);
}

int dns_reload(struct dns *dns, const struct dns_options *options)
{
	struct dns_options all = with_defaults(options);
	struct dns_name *name;
	int ret;

	if (memcmp(&all, &dns->options, sizeof(all)) == 0)
		return 0;
	ret = channel_open(dns, &all);
	if (ret)
		return ret;
	dns->options = all;
	for (name = dns->names; name; name = name->hh.next)
		ask_in(name, 0);
	return 0;
}

void dns_get_status(const struct dns *dns, struct dns_status *out)
{
	*out = dns->status;
}
