/* SPDX-License-Identifier: BSD-2-Clause */
/* From the file as loaded to struct config: looks into the texts, checks the ranges, replaces names
 * by indexes. Private to the room; called in the order written here. All mistakes are told; a
 * function goes on after one, with what is left. 0 or -ENOMEM. */
#ifndef VIADUCT_CONFIG_RESOLVE_H
#define VIADUCT_CONFIG_RESOLVE_H

#include "config/config.h"
#include "config/keys.h"
#include "config/mistake.h"
#include "config/schema.h"

struct resolve {
	const struct file_config *file;
	struct config *cfg;
	struct mistakes *mistakes;
	/* Of each listener in cfg: its index in the file. */
	unsigned listener_origin[CONFIG_LISTENERS_MAX * 2];
};

int resolve_sides(struct resolve *r);
int resolve_rule_sets(struct resolve *r);
int resolve_tls(struct resolve *r);
int resolve_listeners(struct resolve *r);
int resolve_peers(struct resolve *r);
/* What resolve_peers asks of each peer, whose kind is known; base: "peers[3]". */
void resolve_liveness(struct resolve *r, struct peer_config *peer, const struct file_liveness *file,
	const char *base);
void resolve_failing(struct resolve *r, struct peer_config *peer, const struct file_failing *file,
	const char *base);
void resolve_failover(struct resolve *r, struct peer_config *peer, const struct file_failover *file,
	const char *base);
void resolve_session(struct resolve *r, struct session_config *out, const struct file_session *file,
	const char *base);
/* Digest authentication of one peer. 0, also after a mistake, or -ENOMEM. */
int resolve_auth(struct resolve *r, struct peer_config *peer, const struct file_peer *file,
	const char *base);
void resolve_limits(struct resolve *r); /* of all peers together */
/* Of a peer; base: "peers[0]". */
void resolve_peer_limits(struct resolve *r, struct peer_config *peer, const struct file_peer *file,
	const char *base);
int resolve_groups(struct resolve *r);
int resolve_times(struct resolve *r);
int resolve_routes(struct resolve *r); /* with the usages */
int resolve_dns(struct resolve *r);
int resolve_settings(struct resolve *r); /* limits, timers and the rest */
/* ordered: the routes' indexes in the order of their names. */
int resolve_usages(struct resolve *r, const unsigned *ordered);
/* The times of the route whose key is base. */
int resolve_route_times(struct resolve *r, struct route_config *route, const char *base);
/* The peer of that name; -ENOENT, and a mistake of key, where there is none. */
int resolve_peer_name(struct resolve *r, const char *key, const char *name, unsigned *out);
const struct group_config *resolve_find_group(const struct config *cfg, const char *name);
/* What a peer's response codes become; base: its key. */
int resolve_codes_of(struct resolve *r, struct codes_config *out, const struct file_peer *file,
	const char *base);
void codes_clear(struct codes_config *codes);
/* A peer's number rules; base: its key. */
int resolve_numbers(struct resolve *r, struct numbers_config *out, const struct file_numbers *file,
	const char *base);
void numbers_clear(struct numbers_config *numbers);
void number_rules_free(struct config *cfg); /* the rules themselves, and the sets */

/* Letters, digits, '.', '_', '-', not first a '.', at most NAME_MAX_BYTES: for names that end in
 * tables, logs and paths. Otherwise a mistake. */
#define NAME_MAX_BYTES 63
bool resolve_name(struct resolve *r, const char *key, const char *name);
/* The names as "a, b, c" for a mistake; a long list is cut. Returns buf. */
#define NAME_LIST_MAX 240
const char *resolve_name_list(
	char buf[NAME_LIST_MAX], const void *first, size_t size, size_t count);
/* strdup of text, of the key's default where text is NULL. NULL without memory. */
char *resolve_text(const char *key, const char *text);
/* What makes text no host name (RFC 1123 2.1, RFC 1035 2.3.4), in words; NULL where it is one. */
const char *resolve_host_mistake(const char *text);
/* Whether text is a host name (RFC 1123 2.1) and no address. */
bool resolve_is_host_name(const char *text);
/* An address that can be a host's: not 0.0.0.0, not multicast or broadcast, not IPv6 link-local,
 * not IPv4-mapped. */
bool resolve_is_host(const struct addr *a);

#endif
