/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in a nameserver's answer (RFC 1035 4). The bytes come from the network: nothing in
 * them is believed before it is checked. */
#ifndef VIADUCT_DNS_MESSAGE_H
#define VIADUCT_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "dns/dns.h"

#define MESSAGE_RECORDS_MAX 64 /* of the type asked for; further ones are left out */
#define MESSAGE_CNAMES_MAX  8  /* steps from one name to the next */

enum message_type {
	MESSAGE_A = 1,
	MESSAGE_CNAME = 5,
	MESSAGE_SOA = 6,
	MESSAGE_AAAA = 28,
	MESSAGE_SRV = 33,
	MESSAGE_NAPTR = 35,
};

/* Which members are set depends on the type asked for. */
struct message_record {
	struct addr address;             /* A, AAAA */
	uint16_t priority, weight, port; /* SRV (RFC 2782) */
	uint16_t order, preference;      /* NAPTR (RFC 3403 4.1) */
	char flags[4], service[16];      /* NAPTR: "" where longer than any that we know */
	char target[DNS_HOST_MAX + 1];   /* SRV, NAPTR's replacement; "" is the root */
};

struct message {
	struct message_record record[MESSAGE_RECORDS_MAX];
	unsigned count;
	uint32_t ttl_s; /* the smallest of the records and of the CNAMEs on the way to them */
	/* RFC 2308 5: how long "nothing" holds; UINT32_MAX where no SOA says it. */
	uint32_t negative_ttl_s;
};

/* The records of that type and name, CNAMEs followed. 0 (also with no record), -EBADMSG for what
 * is no answer, -ELOOP where the CNAMEs lead nowhere, -ENOMEM. */
int message_read(struct message *out, const uint8_t *buf, size_t len, const char *name,
	enum message_type type);

#endif
