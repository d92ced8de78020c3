/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/codec_name.h"
#include "config/resolve.h"
#include "config/source_index.h"

#define SIP_PORT  5060 /* RFC 3261 19.1.2: where none is written */
#define SIPS_PORT 5061 /* the same over TLS */
#define PORTS_MAX 5099 /* from SIP_PORT up to here: usual ports of SIP */

/* Of a host name the addresses are not known yet: both families of the listener serve. */
static void resolve_listeners_of_host(
	const struct resolve *r, struct peer_config *peer, unsigned origin)
{
	bool found = false;

	for (unsigned i = 0; i < r->cfg->listener_count; i++) {
		if (r->listener_origin[i] != origin)
			continue;
		if (found)
			peer->listener_other = i;
		else
			peer->listener = i;
		found = true;
	}
}

/* The listener of that name whose family is the peer's. */
static void resolve_listener(
	struct resolve *r, struct peer_config *peer, const char *written, const char *base)
{
	const struct file_config *f = r->file;
	struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], list[NAME_LIST_MAX];
	char text[ADDR_TEXT_MAX];
	unsigned i, origin = 0;
	bool known = false;

	while (origin < f->listeners_count && strcmp(f->listeners[origin].name, written) != 0)
		origin++;
	if (origin == f->listeners_count) {
		mistake_add(r->mistakes, mistake_key(key, "%s.listener", base),
			"no listener is named %s; expected one of %s",
			mistake_quote(quoted, written),
			resolve_name_list(
				list, f->listeners, sizeof(*f->listeners), f->listeners_count));
		return;
	}
	peer->side = (uint8_t)f->listeners[origin].side;
	peer->transport = f->listeners[origin].transport;
	if (peer->host)
		resolve_listeners_of_host(r, peer, origin);
	if (!peer->address.family)
		return;
	for (i = 0; i < cfg->listener_count; i++) {
		if (r->listener_origin[i] != origin)
			continue;
		known = true;
		if (cfg->listener[i].address.local.family == peer->address.family)
			break;
	}
	if (i < cfg->listener_count)
		peer->listener = i;
	else if (known) /* else its own mistake was told */
		mistake_add(r->mistakes, mistake_key(key, "%s.address", base),
			"%s is IPv%u and listener %s is not; expected an address of its family",
			addr_print(&peer->address, text), peer->address.family, written);
	for (i = 0; i < cfg->listener_count; i++) {
		if (addr_equal(&cfg->listener[i].address.local, &peer->address) &&
			cfg->listener[i].transport == peer->transport)
			mistake_add(r->mistakes, mistake_key(key, "%s.address", base),
				"%s is our own listener %s; expected another host's address",
				addr_print(&peer->address, text), cfg->listener[i].name);
	}
}

/* HOST[:PORT]. Not an address, be it a mistyped one. */
static bool looks_like_host(const char *written)
{
	const char *colon = strchr(written, ':');

	return (!colon || !strchr(colon + 1, ':')) && written[0] != '[' &&
	       written[strspn(written, "0123456789.:/")];
}

static int resolve_host(
	struct resolve *r, struct peer_config *peer, const char *written, const char *key)
{
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	const char *colon = strchr(written, ':'), *what;
	unsigned long port = 0;
	char *end;

	peer->host = colon ? strndup(written, (size_t)(colon - written)) : strdup(written);
	if (!peer->host)
		return -ENOMEM;
	what = resolve_host_mistake(peer->host);
	if (colon) {
		port = strtoul(colon + 1, &end, 10);
		if (!what && (!isdigit((unsigned char)colon[1]) || *end || !port || port > 65535))
			what = "has no port after its ':'";
	}
	peer->host_port = (uint16_t)port;
	if (what)
		mistake_add(r->mistakes, key, "%s %s; expected %s", mistake_quote(quoted, written),
			what, key_expected(want, key));
	return 0;
}

/* The port of an address without one, by the listener's transport. */
static uint16_t default_port(const struct resolve *r, const char *listener)
{
	for (unsigned i = 0; i < r->file->listeners_count; i++) {
		const struct file_listener *l = &r->file->listeners[i];

		if (l->transport == TRANSPORT_TLS && strcmp(l->name, listener) == 0)
			return SIPS_PORT;
	}
	return SIP_PORT;
}

/* fd10::2:5060 is an address as it stands, and surely not the one that was meant. */
static bool forgets_brackets(const char *written)
{
	const char *last = strrchr(written, ':');
	unsigned long port;
	char *end;

	if (written[0] == '[' || !last || !isdigit((unsigned char)last[1]))
		return false;
	port = strtoul(last + 1, &end, 10);
	return strchr(written, ':') != last && !*end && port >= SIP_PORT && port <= PORTS_MAX;
}

/* How long a scheme or transport is that stands before the address, as in a URI; 0 = none. One that
 * digits alone follow is a host of that name with its port. */
static int scheme_length(const char *written)
{
	static const char *const schemes[] = {"sip:", "sips:", "udp:", "tcp:", "tls:"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);

		if (strncasecmp(written, schemes[i], len) == 0 &&
			written[len + strspn(written + len, "0123456789")])
			return (int)len;
	}
	return 0;
}

static int resolve_address(
	struct resolve *r, struct peer_config *peer, const struct file_peer *file, const char *base)
{
	const char *written = file->address;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	mistake_key(key, "%s.address", base);
	peer->listener_other = CONFIG_NO_LISTENER;
	if (scheme_length(written)) {
		mistake_add(r->mistakes, key,
			"%s begins with \"%.*s\", which the listener says; expected %s",
			mistake_quote(quoted, written), scheme_length(written), written,
			key_expected(want, key));
		return 0;
	}
	if (forgets_brackets(written)) {
		mistake_add(r->mistakes, key,
			"%s does not tell address and port apart; expected \"[%.*s]:%s\", or "
			"\"[%s]\" "
			"without a port",
			mistake_quote(quoted, written), (int)(strrchr(written, ':') - written),
			written, strrchr(written, ':') + 1, written);
		return 0;
	}
	if (addr_parse(&peer->address, written, default_port(r, file->listener)) == 0 &&
		resolve_is_host(&peer->address)) {
		peer->source[0].net =
			source_index_mask(&peer->address, peer->address.family == 4 ? 32 : 128);
		peer->source[0].prefix_len = peer->address.family == 4 ? 32 : 128;
		peer->source_count = 1;
		return 0;
	}
	memset(&peer->address, 0, sizeof(peer->address));
	if (looks_like_host(written))
		return resolve_host(r, peer, written, key);
	mistake_add(r->mistakes, key, "%s is not usable as an address; expected %s",
		mistake_quote(quoted, written), key_expected(want, key));
	return 0;
}

/* Whether the peer's listener has a socket of that family. */
static bool is_served(const struct resolve *r, const struct peer_config *peer, uint8_t family)
{
	return peer_listener_of(r->cfg, peer, family) != CONFIG_NO_LISTENER;
}

static void resolve_source(
	struct resolve *r, struct peer_config *peer, const char *written, const char *key)
{
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX], ip[ADDR_TEXT_MAX];
	struct addr net, masked;
	unsigned len;

	if (addr_parse_prefix(&net, &len, written) != 0) {
		mistake_add(r->mistakes, key, "%s is no prefix; expected %s",
			mistake_quote(quoted, written), key_expected(want, key));
		return;
	}
	masked = source_index_mask(&net, len);
	if (!addr_equal_ip(&net, &masked)) {
		mistake_add(r->mistakes, key, "%s has bits beyond its length; expected %s/%u",
			mistake_quote(quoted, written), addr_print_ip(&masked, ip), len);
	} else if (peer->address.family && net.family != peer->address.family) {
		mistake_add(r->mistakes, key,
			"%s is IPv%u and the peer's address is not; expected IPv%u",
			mistake_quote(quoted, written), net.family, peer->address.family);
	} else if (peer->host && r->cfg->listener_count && !is_served(r, peer, net.family)) {
		mistake_add(r->mistakes, key,
			"%s is IPv%u and the peer's listener is not; expected IPv%u",
			mistake_quote(quoted, written), net.family, net.family == 4 ? 6 : 4);
	} else {
		peer->source[peer->source_count].net = masked;
		peer->source[peer->source_count++].prefix_len = len;
	}
}

static int resolve_codecs(
	struct resolve *r, struct peer_config *peer, const struct file_peer *file, const char *base)
{
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	for (unsigned i = 0; i < file->codecs_count; i++) {
		const char *name = file->codecs[i], *meant;

		mistake_key(key, "%s.codecs[%u]", base, i);
		peer->codec[i] = strdup(name);
		if (!peer->codec[i])
			return -ENOMEM;
		peer->codec_count++;
		meant = codec_name_meant(name);
		if (!codec_name_is_valid(name) || meant)
			mistake_add(r->mistakes, key, "%s is no codec's name%s%s%s; expected %s",
				mistake_quote(quoted, name), meant ? ", perhaps " : "",
				meant ? meant : "", meant ? " is meant" : "",
				key_expected(want, key));
		for (unsigned j = 0; j < i; j++) {
			if (strcasecmp(peer->codec[j], name) == 0)
				mistake_add(r->mistakes, key, "%s is written twice; expected once",
					mistake_quote(quoted, name));
		}
	}
	return 0;
}

static int resolve_media(struct resolve *r, struct peer_config *peer, const struct file_media *file,
	const char *base)
{
	struct mistakes *m = r->mistakes;
	char key[MISTAKE_KEY_MAX];

	if (file->family)
		peer->media_family = (uint8_t)*file->family;
	else if (peer->host && r->cfg->listener_count)
		peer->media_family = r->cfg->listener[peer->listener].address.local.family;
	else
		peer->media_family = peer->address.family;
	peer->latch = file->latch && *file->latch;
	mistake_key(key, "%s.media.latch_prefix.ipv4", base);
	peer->latch_prefix_v4 = key_number(m, key, file->latch_prefix.ipv4);
	mistake_key(key, "%s.media.latch_prefix.ipv6", base);
	peer->latch_prefix_v6 = key_number(m, key, file->latch_prefix.ipv6);
	mistake_key(key, "%s.media.timeout", base);
	peer->rtp_timeout_s = key_number(m, key, file->timeout);
	mistake_key(key, "%s.media.timeout_held", base);
	peer->rtp_timeout_held_s = key_number(m, key, file->timeout_held);
	if (file->bypass) {
		resolve_name(r, mistake_key(key, "%s.media.bypass", base), file->bypass);
		peer->bypass = strdup(file->bypass);
		if (!peer->bypass)
			return -ENOMEM;
	}
	if (file->family && !side_address_of(&r->cfg->side[peer->side], peer->media_family))
		mistake_add(m, mistake_key(key, "%s.media.family", base),
			"the %s side has no IPv%u address; expected %s", side_name(peer->side),
			peer->media_family, peer->media_family == 4 ? "ipv6" : "ipv4");
	return 0;
}

/* What is inside is trusted, what is outside is not, unless the file says otherwise. */
static int resolve_identity(struct resolve *r, struct peer_config *peer,
	const struct file_identity *file, const char *base)
{
	bool inside = peer->kind == PEER_DIRECT;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	peer->identity.trusted = file->trusted ? *file->trusted : inside;
	peer->identity.asserted = file->asserted ? *file->asserted
				  : inside       ? ASSERTED_PASS
						 : ASSERTED_STRIP;
	peer->identity.history = file->history && *file->history;
	peer->identity.referred_by = file->referred_by && *file->referred_by;
	peer->identity.user_to_user = !file->user_to_user || *file->user_to_user;
	if (!file->domain)
		return 0;
	mistake_key(key, "%s.identity.domain", base);
	if (!resolve_is_host_name(file->domain))
		mistake_add(r->mistakes, key, "%s is no host name; expected %s",
			mistake_quote(quoted, file->domain), key_expected(want, key));
	peer->identity.domain = strdup(file->domain);
	return peer->identity.domain ? 0 : -ENOMEM;
}

static int add_certificate_name(struct peer_config *peer, const char *name)
{
	char *copy = strdup(name);

	if (copy)
		peer->certificate_name[peer->certificate_name_count++] = copy;
	return copy ? 0 : -ENOMEM;
}

/* The names that its certificate may have; the host of its address where none are written. */
static int resolve_certificate_names(
	struct resolve *r, struct peer_config *peer, const struct file_peer *file, const char *base)
{
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	char ip[ADDR_TEXT_MAX];
	struct addr a;
	int ret = 0;

	if (peer->transport != TRANSPORT_TLS) {
		if (file->certificate_names_count)
			mistake_add(r->mistakes, mistake_key(key, "%s.certificate_names", base),
				"is of no use over %s; expected a TLS listener, or no such key",
				transport_name(peer->transport));
		return 0;
	}
	for (unsigned i = 0; i < file->certificate_names_count && !ret; i++) {
		const char *name = file->certificate_names[i];

		mistake_key(key, "%s.certificate_names[%u]", base, i);
		if (!resolve_is_host_name(name) && addr_parse_ip(&a, name, strlen(name)))
			mistake_add(r->mistakes, key, "%s is no name; expected %s",
				mistake_quote(quoted, name), key_expected(want, key));
		ret = add_certificate_name(peer, name);
	}
	if (!file->certificate_names_count && peer->host)
		ret = add_certificate_name(peer, peer->host);
	else if (!file->certificate_names_count && peer->address.family)
		ret = add_certificate_name(peer, addr_print_ip(&peer->address, ip));
	return ret;
}

static int resolve_peer(struct resolve *r, unsigned index)
{
	const struct file_peer *file = &r->file->peers[index];
	struct peer_config *peer = &r->cfg->peer[index];
	char base[MISTAKE_KEY_MAX / 2], key[MISTAKE_KEY_MAX];
	int ret;

	r->cfg->peer_count++;
	snprintf(base, sizeof(base), "peers[%u]", index);
	peer->name = strdup(file->name);
	if (!peer->name)
		return -ENOMEM;
	mistake_key(key, "%s.name", base);
	if (resolve_name(r, key, file->name) && strcmp(file->name, "any") == 0)
		mistake_add(r->mistakes, key,
			"\"any\" stands for every peer in routes; expected another name");
	peer->kind = file->kind;
	if (resolve_address(r, peer, file, base))
		return -ENOMEM;
	resolve_listener(r, peer, file->listener, base);
	for (unsigned i = 0; i < file->sources_count; i++)
		resolve_source(
			r, peer, file->sources[i], mistake_key(key, "%s.sources[%u]", base, i));
	ret = resolve_media(r, peer, &file->media, base);
	if (ret)
		return ret;
	ret = resolve_identity(r, peer, &file->identity, base);
	if (ret)
		return ret;
	resolve_liveness(r, peer, &file->liveness, base);
	resolve_failover(r, peer, &file->failover, base);
	resolve_failing(r, peer, &file->failing, base);
	resolve_peer_limits(r, peer, file, base);
	peer->refer = file->refer ? *file->refer : REFER_LOCAL;
	peer->replaces = file->replaces ? *file->replaces : REPLACES_OWN;
	resolve_session(r, &peer->session, &file->session, base);
	ret = resolve_numbers(r, &peer->numbers, &file->numbers, base);
	if (!ret)
		ret = resolve_codes_of(r, &peer->codes, file, base);
	if (!ret)
		ret = resolve_auth(r, peer, file, base);
	if (!ret)
		ret = resolve_certificate_names(r, peer, file, base);
	return ret ? ret : resolve_codecs(r, peer, file, base);
}

static int by_name(const void *a, const void *b, void *ctx)
{
	const struct config *cfg = ctx;
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	int order = strcmp(cfg->peer[x].name, cfg->peer[y].name);

	return order ? order : (x > y) - (x < y);
}

static int index_names(struct resolve *r)
{
	struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	cfg->peer_by_name = calloc(cfg->peer_count, sizeof(unsigned));
	if (!cfg->peer_by_name)
		return -ENOMEM;
	for (unsigned i = 0; i < cfg->peer_count; i++)
		cfg->peer_by_name[i] = i;
	qsort_r(cfg->peer_by_name, cfg->peer_count, sizeof(unsigned), by_name, cfg);
	for (unsigned i = 1; i < cfg->peer_count; i++) {
		unsigned a = cfg->peer_by_name[i - 1], b = cfg->peer_by_name[i];

		if (strcmp(cfg->peer[a].name, cfg->peer[b].name) == 0)
			mistake_add(r->mistakes, mistake_key(key, "peers[%u].name", b),
				"%s is also peers[%u]; expected a name of its own",
				mistake_quote(quoted, cfg->peer[b].name), a);
	}
	return 0;
}

/* Two peers that the same packet could come from cannot be told apart. */
static void ambiguous(struct resolve *r, unsigned peer, unsigned source, unsigned holder)
{
	const struct peer_config *p = &r->cfg->peer[peer];
	char key[MISTAKE_KEY_MAX], ip[ADDR_TEXT_MAX];

	if (source == 0 && !p->host)
		mistake_key(key, "peers[%u].address", peer);
	else
		mistake_key(key, "peers[%u].sources", peer);
	mistake_add(r->mistakes, key,
		"%s/%u on listener %s is already peer %s's source; expected another source or "
		"listener",
		addr_print_ip(&p->source[source].net, ip), p->source[source].prefix_len,
		r->cfg->listener[p->listener].name, r->cfg->peer[holder].name);
}

/* Peers of one source on a TLS listener are told apart by their certificates. */
static bool names_differ(const struct peer_config *a, const struct peer_config *b)
{
	for (unsigned i = 0; i < a->certificate_name_count; i++) {
		for (unsigned j = 0; j < b->certificate_name_count; j++) {
			if (strcasecmp(a->certificate_name[i], b->certificate_name[j]) == 0)
				return false;
		}
	}
	return true;
}

struct newcomer {
	struct resolve *r;
	unsigned peer, source;
	bool is_there; /* it has the prefix already, or somebody who cannot be told from it */
};

static bool meet_holder(void *ctx, unsigned holder)
{
	struct newcomer *n = ctx;
	const struct config *cfg = n->r->cfg;
	const struct tls_profile *tls = cfg->listener[cfg->peer[n->peer].listener].tls;

	if (holder == n->peer) {
		n->is_there = true;
	} else if (!tls || tls->verify != TLS_VERIFY_MUTUAL ||
		   !names_differ(&cfg->peer[n->peer], &cfg->peer[holder])) {
		n->is_there = true;
		ambiguous(n->r, n->peer, n->source, holder);
	}
	return n->is_there;
}

static int index_sources(struct resolve *r)
{
	struct config *cfg = r->cfg;
	int ret;

	ret = source_index_new(&cfg->sources);
	if (ret || r->mistakes->count)
		return ret; /* listeners and addresses may be missing: one thing after the other */
	for (unsigned i = 0; i < cfg->peer_count; i++) {
		const struct peer_config *p = &cfg->peer[i];

		for (unsigned j = 0; j < p->source_count; j++) {
			unsigned listener = peer_listener_of(cfg, p, p->source[j].net.family);
			struct newcomer n = {.r = r, .peer = i, .source = j};

			source_index_holders(cfg->sources, listener, &p->source[j].net,
				p->source[j].prefix_len, meet_holder, &n);
			if (!n.is_there)
				ret = source_index_add(cfg->sources, listener, &p->source[j].net,
					p->source[j].prefix_len, i);
			if (ret)
				return ret;
		}
	}
	return 0;
}

int resolve_peers(struct resolve *r)
{
	struct config *cfg = r->cfg;
	int ret = 0;

	cfg->peer = calloc(r->file->peers_count, sizeof(*cfg->peer));
	if (!cfg->peer)
		return -ENOMEM;
	for (unsigned i = 0; i < r->file->peers_count && !ret; i++)
		ret = resolve_peer(r, i);
	if (!ret)
		ret = index_names(r);
	if (!ret)
		ret = index_sources(r);
	return ret;
}
