/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of numbers and routes, checked and resolved: part of config.h. */
#ifndef VIADUCT_CONFIG_ROUTES_H
#define VIADUCT_CONFIG_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_ROUTES_MAX      20000
#define CONFIG_ROUTE_PEERS_MAX 16 /* entries of one route's `to` */
#define CONFIG_ROUTE_FROM_MAX  4096
#define CONFIG_EMERGENCY_MAX   64
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

/* Ordered: the first route that fits is taken. */
struct route_config {
	char *name;          /* may be "" */
	unsigned *from;      /* peer indexes, ascending */
	unsigned from_count; /* 0 = any */
	struct pattern called, calling;
	unsigned to[CONFIG_ROUTE_PEERS_MAX]; /* peer indexes, tried in order */
	unsigned to_count;
	bool trunk_to_trunk; /* allows external to external, which is denied otherwise */
	bool emergency;      /* takes emergency calls alone, before all other routes */
};

#endif
