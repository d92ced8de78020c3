/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to the digest room: what goes into a response's hash. */
#ifndef VIADUCT_DIGEST_INTERNAL_H
#define VIADUCT_DIGEST_INTERNAL_H

#include "digest/digest.h"

struct digest_input {
	enum digest_algorithm algorithm;
	bool is_session, has_qop;
	const char *user, *realm, *password;
	size_t password_len;
	const char *nonce, *cnonce, *method, *uri;
	uint32_t nc;
};

/* RFC 7616 3.4.1 to 3.4.3: lower-case hex. 0, -EOPNOTSUPP or -ENOMEM. */
int digest_compute(char out[DIGEST_HEX_MAX + 1], const struct digest_input *in);

/* A name, with its -sess. -EOPNOTSUPP where it is none of ours or not available. */
int digest_algorithm_parse(enum digest_algorithm *algorithm, bool *is_session, const char *name);

#endif
