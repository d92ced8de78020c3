/* SPDX-License-Identifier: BSD-2-Clause */
/* What Refer-To (RFC 3515 2.1) and Replaces (RFC 3891 6.1) say. Private to the call room. */
#ifndef VIADUCT_CALL_REFER_TO_H
#define VIADUCT_CALL_REFER_TO_H

#include "call/internal.h"

#define REFER_TO_MAX 2048 /* bytes of the value; a longer one is refused */

/* The dialog that is to be replaced, as the one who gets the Replaces knows it. */
struct replaces {
	char *call_id, *to_tag, *from_tag; /* to_tag: the recipient's own */
	bool early_only;
};

struct refer_to {
	char number[CALL_NUMBER_MAX + 1]; /* back: the host, where the URI has no user part */
	char *uri;         /* back: as it stands in Refer-To, less its header fields; else NULL */
	char *referred_by; /* back: as it stands there; NULL: not at all */
	bool has_replaces;
	struct replaces replaces;
};

/* 0; -EINVAL malformed; -ENOMEM. On success replaces_clear is due. */
int replaces_parse(struct replaces *r, const char *value);
void replaces_clear(struct replaces *r);
/* "call-id;to-tag=…;from-tag=…", malloc'd; NULL without memory. */
char *replaces_print(const struct replaces *r);

/* The one Refer-To of a REFER; back: of one that goes back to its peer (refer_back.c), whose URI
 * need not have a user part, and Referred-By. 0; -EINVAL none, several, malformed;
 * -EPROTONOSUPPORT: asks for something other than a call to a number (another scheme or method);
 * -ENOMEM. On success refer_to_clear is due. */
int refer_to_parse(struct refer_to *r, const osip_message_t *refer, bool back);
/* uri and referred_by ("": none) as they were once taken, of a state file. 0, -EINVAL, -ENOMEM. */
int refer_to_restore(struct refer_to *r, const char *uri, const char *referred_by);
void refer_to_clear(struct refer_to *r);
/* text as it may stand in a URI's user part and header values; malloc'd, NULL without memory. */
char *refer_to_escape(const char *text);

#endif
