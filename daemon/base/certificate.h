/* SPDX-License-Identifier: BSD-2-Clause */
/* X.509 certificates: whose they are, whether a name is among theirs, how long they last. */
#ifndef VIADUCT_BASE_CERTIFICATE_H
#define VIADUCT_BASE_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

struct x509_st; /* OpenSSL's X509 */

#define CERTIFICATE_NAMES_MAX 16  /* told of one certificate */
#define CERTIFICATE_TEXT_MAX  256 /* bytes, NUL included; longer ones are cut */
#define CERTIFICATE_WARN_DAYS 30  /* of ours: fewer left are worth a warning */

struct certificate_info {
	char name[CERTIFICATE_NAMES_MAX]
		 [CERTIFICATE_TEXT_MAX]; /* as certificate_is_for takes them */
	unsigned name_count;
	char issuer[CERTIFICATE_TEXT_MAX]; /* common name, else the whole name */
	int64_t not_after;                 /* seconds since 1970 */
	int days_left;                     /* whole ones, rounded down; negative: expired */
};

/* Whether name, a DNS name or an IP address, is one of the certificate's (RFC 6125 6.4, RFC 5922
 * 7.2): its subjectAltName entries; the common name where it has none. A leftmost label of "*"
 * stands for exactly one. */
bool certificate_is_for(struct x509_st *certificate, const char *name);
void certificate_get_info(struct x509_st *certificate, struct certificate_info *out);
/* "a.example, b.example"; cut where long. Returns buf. */
const char *certificate_name_list(
	const struct certificate_info *info, char buf[CERTIFICATE_TEXT_MAX]);

#endif
