/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names in the file, and how they are resolved. */
#include <string.h>

#include "config/resolve.h"

#define HOST_BYTES_MAX  253
#define LABEL_BYTES_MAX 63
#define DNS_PORT        53

const char *resolve_host_mistake(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
	static const char digits[] = "0123456789";
	bool numeric = true;

	if (!*text)
		return "is empty";
	if (strlen(text) > HOST_BYTES_MAX)
		return "is longer than 253 bytes";
	for (;;) {
		size_t n = strcspn(text, ".");

		if (!n)
			return "has an empty label";
		if (n > LABEL_BYTES_MAX)
			return "has a label of more than 63 bytes";
		if (text[0] == '-' || text[n - 1] == '-')
			return "has a label that begins or ends with '-'";
		if (memchr(text, '_', n))
			return "has an underscore, which no host name has";
		for (size_t i = 0; i < n; i++) {
			if (!strchr(letters, text[i]) && !strchr(digits, text[i]))
				return "has characters other than letters, digits, '-' and '.'";
		}
		/* The last label tells a name from a mistyped address. */
		numeric = strspn(text, digits) >= n;
		if (!text[n])
			break;
		text += n + 1;
	}
	return numeric ? "is neither an address nor a host name" : NULL;
}

int resolve_dns(struct resolve *r)
{
	const struct file_dns *f = &r->file->dns;
	struct dns_config *dns = &r->cfg->dns;
	struct mistakes *m = r->mistakes;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	for (unsigned i = 0; i < f->servers_count; i++) {
		struct addr *a = &dns->server[dns->server_count];

		mistake_key(key, "dns.servers[%u]", i);
		if (addr_parse(a, f->servers[i], DNS_PORT) == 0 && resolve_is_host(a) && a->port)
			dns->server_count++;
		else
			mistake_add(m, key, "%s is not usable as an address; expected %s",
				mistake_quote(quoted, f->servers[i]), key_expected(want, key));
	}
	dns->timeout_s = key_number(m, "dns.timeout", f->timeout);
	dns->tries = key_number(m, "dns.tries", f->tries);
	dns->ttl_min_s = key_number(m, "dns.ttl_min", f->ttl_min);
	dns->ttl_max_s = key_number(m, "dns.ttl_max", f->ttl_max);
	dns->stale_s = key_number(m, "dns.stale", f->stale);
	if (dns->ttl_min_s > dns->ttl_max_s)
		mistake_add(m, "dns.ttl_min", "%u is longer than dns.ttl_max; expected at most %u",
			dns->ttl_min_s, dns->ttl_max_s);
	return 0;
}
