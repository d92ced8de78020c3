/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef VIADUCT_SIP_URI_H
#define VIADUCT_SIP_URI_H

#include <stdbool.h>
#include <sys/time.h>
#include <time.h>
#include <osip2/osip.h>

/* Whether both name the same user at the same place: scheme, user, host and port as RFC 3261 19.1.4
 * compares them, but that a port that is not written is the default one, and that parameters and
 * header fields are not looked at, since nothing here depends on them. tel URIs (RFC 3966 5): by
 * their text without visual separators. */
bool uri_is_same(const osip_uri_t *a, const osip_uri_t *b);

#endif
