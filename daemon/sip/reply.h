/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses written from the request's raw text, without parser and transaction: to what is
 * malformed, to strangers, 100 Trying (RFC 3261 8.2.7). */
#ifndef VIADUCT_SIP_REPLY_H
#define VIADUCT_SIP_REPLY_H

#include "base/addr.h"
#include "base/strbuf.h"
#include "sip/guard.h"

/* Appends the response to out. retry_after_s: 0 for no Retry-After. To gets to_tag unless it has
 * one or code is 100; where that is NULL, a tag that is always the same for the same request (RFC
 * 3261 8.2.7). g->via must be there. */
void reply_print(struct strbuf *out, const struct raw *raw, const struct guard *g,
	const struct addr *source, int code, const char *reason, const char *to_tag,
	unsigned retry_after_s);

/* The tag of a From or To value: what follows a ";tag=" behind the URI; NULL and 0 where there is
 * none. */
struct text reply_tag(struct text value);
bool reply_has_tag(struct text value);

#endif
