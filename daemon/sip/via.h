/* SPDX-License-Identifier: BSD-2-Clause */
/* Via: what the topmost one says, what we write into it, where a response goes (RFC 3261 18.2,
 * RFC 3581). */
#ifndef VIADUCT_SIP_VIA_H
#define VIADUCT_SIP_VIA_H

#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <osip2/osip.h>

#include "base/addr.h"
#include "base/strbuf.h"
#include "sip/text.h"

#define SIP_PORT          5060
#define SIPS_PORT         5061      /* over TLS */
#define VIA_BRANCH_COOKIE "z9hG4bK" /* RFC 3261 8.1.1.7 */

struct via_text {
	struct text transport;
	struct text host; /* IPv6 in its brackets */
	uint16_t port;    /* 0: not written */
	struct text branch;
	bool has_rport;
	struct text rport;    /* the whole parameter with its ';' */
	struct text received; /* the same */
	size_t len;           /* of the first Via in the text; a comma may follow */
};

/* Reads the first Via of a header field's value. 0 or -EINVAL; where len is not 0 then, all before
 * it is right, and an answer finds its way. */
int via_text_parse(struct via_text *via, struct text value);
/* Where the response to a request with this topmost Via goes over UDP: to the source address, at
 * the source port where rport asks for it (RFC 3581 4), else at the port of sent-by (RFC 3261
 * 18.2.2). maddr is not followed: it would let a peer aim us at third parties. */
void via_response_destination(
	const struct via_text *via, const struct addr *source, struct addr *destination);
/* Appends the header field's value with received and rport filled in for source. */
void via_print_received(struct strbuf *out, struct text value, const struct via_text *via,
	const struct addr *source);
/* The same in a parsed Via. 0 or -ENOMEM. */
int via_set_received(osip_via_t *via, const struct addr *source);
/* A Via of ours: transport "UDP", "TCP" or "TLS", IPv6 host without brackets. */
int via_make(osip_via_t **out, const char *transport, const char *host, uint16_t port,
	const char *branch);

#endif
