/* SPDX-License-Identifier: BSD-2-Clause */
/* From the files of a TLS profile to what OpenSSL makes connections with. */
#ifndef VIADUCT_CONFIG_TLS_CONTEXT_H
#define VIADUCT_CONFIG_TLS_CONTEXT_H

#include "base/certificate.h"
#include "config/config.h"

#define TLS_PROBLEM_MAX 512

/* The first thing wrong with a profile. */
struct tls_problem {
	const char *key;            /* "certificate", "key", "ca", "fqdn" */
	char text[TLS_PROBLEM_MAX]; /* WHAT IS WRONG; expected WHAT */
};

/* Reads and checks the files of profile, whose texts are set, and makes profile->context. 0,
 * -ENOMEM, or -EINVAL with *problem filled in. */
int tls_context_new(struct tls_profile *profile, struct tls_problem *problem);
/* Our own certificate. */
void tls_profile_get_info(const struct tls_profile *profile, struct certificate_info *out);
/* "our certificate PATH of profile NAME expires in N days", where that is worth a warning, else
 * NULL. Returns buf. */
const char *tls_profile_warning(const struct tls_profile *profile, char buf[TLS_PROBLEM_MAX]);
/* NULL is fine. */
void tls_context_free(struct ssl_ctx_st *context);

#endif
