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

/* A regular expression (PCRE2) for a whole number, anchored both ends. */
struct pattern {
	char *text; /* as written; NULL = every number */
	void *code; /* pcre2_code *, compiled (JIT); NULL = every number */
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
