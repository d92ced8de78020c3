/* SPDX-License-Identifier: BSD-2-Clause */
/* Digest authentication as SIP has it: RFC 7616 and RFC 8760 over RFC 3261 22, RFC 2617 and RFC
 * 2069 for old servers. Hashes are OpenSSL's; where it has one not (MD5 under FIPS), that algorithm
 * is none that we know. */
#ifndef VIADUCT_DIGEST_DIGEST_H
#define VIADUCT_DIGEST_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/strbuf.h"

#define DIGEST_VALUE_MAX  255 /* bytes of a realm, nonce …; a longer one is malformed */
#define DIGEST_URI_MAX    1023
#define DIGEST_HEX_MAX    64
#define DIGEST_PARAMS_MAX 32 /* of one challenge or credentials */

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA_256, DIGEST_SHA_512_256, DIGEST_ALGORITHMS };

bool digest_is_available(enum digest_algorithm algorithm);
/* "MD5", "SHA-256" … */
const char *digest_algorithm_name(enum digest_algorithm algorithm);

/* RFC 7616 3.3. Texts are what the quoted strings mean, without quotes and escapes. */
struct digest_challenge {
	char realm[DIGEST_VALUE_MAX + 1], nonce[DIGEST_VALUE_MAX + 1], opaque[DIGEST_VALUE_MAX + 1];
	bool has_opaque;
	enum digest_algorithm algorithm;
	bool has_algorithm, is_session; /* written at all; "-sess" */
	bool has_qop;                   /* "auth" is among them; none: RFC 2069 */
	bool stale;
};

/* Reads the next challenge of a WWW-Authenticate or Proxy-Authenticate value and advances *text up
 * to end. 0; -EOPNOTSUPP: of another scheme, or of an algorithm or quality that we do not know;
 * -EINVAL: malformed, and nothing after it can be read; -ENOENT: none is left. */
int digest_challenge_next(struct digest_challenge *out, const char **text, const char *end);
/* Whether a is to be preferred where one realm offers both (RFC 8760 2.4): among equals the first
 * one, so the answer is no. */
bool digest_is_stronger(const struct digest_challenge *a, const struct digest_challenge *b);

/* RFC 7616 3.4. username, realm … as above. */
struct digest_credentials {
	char username[DIGEST_VALUE_MAX + 1], realm[DIGEST_VALUE_MAX + 1];
	char nonce[DIGEST_VALUE_MAX + 1], cnonce[DIGEST_VALUE_MAX + 1];
	char uri[DIGEST_URI_MAX + 1];
	char response[DIGEST_HEX_MAX + 1];
	enum digest_algorithm algorithm;
	bool is_session;
	bool has_qop; /* "auth" */
	uint32_t nc;
};

/* Reads an Authorization or Proxy-Authorization value. 0, -EOPNOTSUPP and -EINVAL as above. */
int digest_credentials_parse(struct digest_credentials *out, const char *text, size_t len);

/* Appends the value that answers the challenge (RFC 7616 3.4); nc: how often its nonce was used,
 * this time included. 0 or -errno: -EOPNOTSUPP, -ENOMEM. */
int digest_answer(struct strbuf *out, const struct digest_challenge *challenge, const char *user,
	const struct secret *password, const char *method, const char *uri, uint32_t nc);

/* Whether the response is the one that this password makes (RFC 7616 3.4.6), in a time that does
 * not tell how wrong it is. A wrong response is -EACCES; -EOPNOTSUPP and -ENOMEM as above. */
int digest_verify(const struct digest_credentials *c, const char *password, size_t password_len,
	const char *method);

/* Appends text as a quoted-string (RFC 3261 25.1). */
void digest_add_quoted(struct strbuf *out, const char *text);

/* For tests: as if OpenSSL had it not, or had it again. */
void digest_set_available(enum digest_algorithm algorithm, bool available);

#endif
