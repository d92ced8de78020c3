/* SPDX-License-Identifier: BSD-2-Clause */
/* A transport address: IPv4 or IPv6 with a UDP/TCP port. */
#ifndef VIADUCT_BASE_ADDR_H
#define VIADUCT_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Longest text of addr_print(): "[v6%scope]:65535" and the NUL. */
#define ADDR_TEXT_MAX 64

/* ip holds 4 or 16 bytes in network order, the rest zero; so two addresses are equal exactly when
 * their bytes are. port is in host order; 0 means "none". */
struct addr {
	uint8_t family; /* 0 = none, 4, 6 */
	uint8_t pad;
	uint16_t port;
	uint8_t ip[16];
};

/* Parses an IP literal, without port and without brackets. 0 or -EINVAL. */
int addr_parse_ip(struct addr *a, const char *text, size_t len);
/* Parses "192.0.2.1", "192.0.2.1:5060", "2001:db8::1" or "[2001:db8::1]:5060"; where no port is
 * written, default_port is taken. 0 or -EINVAL. */
int addr_parse(struct addr *a, const char *text, uint16_t default_port);
/* Writes "ip:port" ("[ip6]:port") or, where port is 0, the bare IP. Returns buf. */
const char *addr_print(const struct addr *a, char buf[ADDR_TEXT_MAX]);
/* Writes the IP alone: "192.0.2.1", "2001:db8::1". Returns buf. */
const char *addr_print_ip(const struct addr *a, char buf[ADDR_TEXT_MAX]);
/* Writes the IP as a SIP host (RFC 3261 25.1): IPv6 in brackets. Returns buf. */
const char *addr_print_host(const struct addr *a, char buf[ADDR_TEXT_MAX]);
/* Converts; IPv4-mapped IPv6 addresses become IPv4. */
void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_equal_ip(const struct addr *a, const struct addr *b);
/* Whether ip lies in net/prefix_len; families must agree. */
bool addr_in_prefix(const struct addr *ip, const struct addr *net, unsigned prefix_len);
/* Parses "192.0.2.0/24"; without "/len" a host prefix. 0 or -EINVAL. */
int addr_parse_prefix(struct addr *net, unsigned *prefix_len, const char *text);
/* 0.0.0.0 or :: */
bool addr_is_any(const struct addr *a);

#endif
