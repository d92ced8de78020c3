/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_port(uint16_t *port, const char *text)
{
	unsigned long v = 0;

	if (!*text || strlen(text) > 5)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	if (v == 0 || v > 65535)
		return -EINVAL;
	*port = (uint16_t)v;
	return 0;
}

int addr_parse_ip(struct addr *a, const char *text, size_t len)
{
	char buf[INET6_ADDRSTRLEN];

	memset(a, 0, sizeof(*a));
	if (len == 0 || len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	if (inet_pton(AF_INET, buf, a->ip) == 1) {
		a->family = 4;
		return 0;
	}
	if (inet_pton(AF_INET6, buf, a->ip) == 1) {
		a->family = 6;
		return 0;
	}
	memset(a, 0, sizeof(*a));
	return -EINVAL;
}

int addr_parse(struct addr *a, const char *text, uint16_t default_port)
{
	const char *close, *colon;
	uint16_t port = default_port;
	int ret;

	if (*text == '[') {
		close = strchr(text, ']');
		if (!close)
			return -EINVAL;
		if (close[1] == ':')
			ret = parse_port(&port, close + 2);
		else
			ret = close[1] ? -EINVAL : 0;
		if (!ret)
			ret = addr_parse_ip(a, text + 1, (size_t)(close - text - 1));
		if (!ret && a->family != 6)
			ret = -EINVAL;
	} else {
		colon = strchr(text, ':');
		if (colon && !strchr(colon + 1, ':')) {
			ret = parse_port(&port, colon + 1);
			if (!ret)
				ret = addr_parse_ip(a, text, (size_t)(colon - text));
		} else {
			ret = addr_parse_ip(a, text, strlen(text));
		}
	}
	if (!ret)
		a->port = port;
	return ret;
}

/* Texts of addresses are written several times a call, and again with each record: by hand, in a
 * tenth of the time. */
static char *put_number(char *out, unsigned number)
{
	char digits[3 * sizeof(number)];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n)
		*out++ = digits[--n];
	*out = '\0';
	return out;
}

static void print_ipv4(const uint8_t ip[4], char *out)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*out++ = '.';
		out = put_number(out, ip[i]);
	}
}

const char *addr_print_ip(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	if (a->family == 0)
		strcpy(buf, "-");
	else if (a->family == 4)
		print_ipv4(a->ip, buf);
	else
		inet_ntop(AF_INET6, a->ip, buf, ADDR_TEXT_MAX);
	return buf;
}

const char *addr_print_host(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];

	if (a->family != 6)
		return addr_print_ip(a, buf);
	inet_ntop(AF_INET6, a->ip, ip, sizeof(ip));
	snprintf(buf, ADDR_TEXT_MAX, "[%s]", ip);
	return buf;
}

const char *addr_print(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	char *end;

	if (a->port == 0)
		return addr_print_ip(a, buf);
	addr_print_host(a, buf);
	end = buf + strlen(buf);
	*end++ = ':';
	put_number(end, a->port);
	return buf;
}

void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa)
{
	memset(a, 0, sizeof(*a));
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		a->family = 4;
		a->port = ntohs(in->sin_port);
		memcpy(a->ip, &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

		a->port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			a->family = 4;
			memcpy(a->ip, &in6->sin6_addr.s6_addr[12], 4);
		} else {
			a->family = 6;
			memcpy(a->ip, &in6->sin6_addr, 16);
		}
	}
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (a->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	}
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_equal_ip(a, b);
}

bool addr_in_prefix(const struct addr *ip, const struct addr *net, unsigned prefix_len)
{
	unsigned bytes = prefix_len / 8, bits = prefix_len % 8;
	uint8_t mask = (uint8_t)(0xff00u >> bits);

	if (ip->family != net->family || memcmp(ip->ip, net->ip, bytes) != 0)
		return false;
	return bits == 0 || ((ip->ip[bytes] ^ net->ip[bytes]) & mask) == 0;
}

int addr_parse_prefix(struct addr *net, unsigned *prefix_len, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long len;
	char *end;
	int ret;

	ret = addr_parse_ip(net, text, n);
	if (ret)
		return ret;
	*prefix_len = net->family == 4 ? 32 : 128;
	if (!slash)
		return 0;
	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	len = strtoul(slash + 1, &end, 10);
	if (*end || len > *prefix_len)
		return -EINVAL;
	*prefix_len = (unsigned)len;
	return 0;
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return a->family != 0 && memcmp(a->ip, zero, sizeof(zero)) == 0;
}
