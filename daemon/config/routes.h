/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of numbers and routes, checked and resolved: part of config.h. */
#ifndef VIADUCT_CONFIG_ROUTES_H
#define VIADUCT_CONFIG_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_ROUTES_MAX      20000
#define CONFIG_ROUTE_PEERS_MAX 16 /* entries of one route's `to` */
#define CONFIG_EMERGENCY_MAX   64
#define CONFIG_GROUPS_MAX      1024
#define CONFIG_MEMBERS_MAX     64 /* of one group */
#define CONFIG_USAGES_MAX      1024
#define CONFIG_PEER_USAGES_MAX 64 /* of one peer */
#define CONFIG_TIMES_MAX       256
#define CONFIG_DAYS_MAX        7 /* entries of one time's `days` */
#define CONFIG_HOURS_MAX       8
#define CONFIG_DATES_MAX       256
#define CONFIG_RULES_MAX       256 /* of one list, those of its sets included */
#define CONFIG_RULE_SETS_MAX   1024

/* A regular expression (PCRE2) for a whole number, anchored both ends. */
struct pattern {
	char *text; /* as written; NULL = every number */
	void *code; /* pcre2_code *, compiled (JIT); NULL = every number */
};

/* A number that matches becomes replace. */
struct number_rule {
	char *name; /* may be "" */
	struct pattern match;
	char *replace; /* $0 to $9 stand for groups of match, $$ for a dollar sign */
};

/* In order: the first that matches is applied. */
struct number_rules {
	const struct number_rule **rule;
	unsigned count;
};

/* What a peer's numbers become: those that it sends us before they are routed, and those that we
 * send to it afterwards. */
struct numbers_config {
	struct number_rules called_in, calling_in, called_out, calling_out;
	bool remove_plus; /* a leading "+" of what we send, after the rules */
};

struct number_rule_set {
	char *name;
	struct number_rules rules;
};

/* Peers that stand for each other, sorted: a lower priority first; of one priority the cheaper
 * first; of one cost by chance, weighted (RFC 2782). */
struct group_member {
	unsigned peer, priority, weight, cost;
};

struct group_config {
	char *name;
	struct group_member *member;
	unsigned member_count;
};

/* A named list of routes. */
struct usage_config {
	char *name;
	unsigned *route;
	unsigned route_count;
	struct route_index *index;
};

struct zone; /* see config/zone.h */

struct date {
	uint16_t year; /* 0 = each */
	uint8_t month, day;
};

/* When a route applies: a weekday and an hour in the zone. */
struct time_config {
	char *name;
	uint8_t days; /* bit 0: Monday */
	struct {
		uint16_t from,
			to; /* minutes since midnight; to <= from: up to that of the next day */
	} hours[CONFIG_HOURS_MAX];
	unsigned hours_count;       /* 0 = all day */
	struct date *date, *except; /* on those alone; on those not */
	unsigned date_count, except_count;
	struct zone *zone;
};

/* Who is said to call. */
struct caller_config {
	char *number, *name; /* NULL = as it is */
	bool suppress;       /* nobody (RFC 3323) */
};

/* An entry of a route's `to`. */
struct route_to {
	bool is_group;
	unsigned index;
};

/* Ordered: the first route that fits is taken. */
struct route_config {
	char *name;          /* may be "" */
	unsigned *from;      /* peer indexes, ascending */
	unsigned from_count; /* 0 = any */
	struct pattern called, calling;
	struct route_to to[CONFIG_ROUTE_PEERS_MAX]; /* tried in order */
	unsigned to_count;
	unsigned *time;      /* indexes: applies while one of them holds */
	unsigned time_count; /* 0 = always */
	unsigned cost;       /* order among the routes of a usage that fit */
	struct caller_config caller;
	bool goes_on;        /* where none of its peers takes the call: the next route that fits */
	bool in_usage;       /* reached through usages alone */
	bool trunk_to_trunk; /* allows external to external, which is denied otherwise */
	bool emergency;      /* takes emergency calls alone, before all other routes */
};

#endif
