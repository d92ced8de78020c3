/* SPDX-License-Identifier: BSD-2-Clause */
/* The hashes of a response, piece by piece, so that no text with the password in it is put
 * together. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/token.h"
#include "digest/internal.h"

#define CNONCE_LEN 24

static const struct {
	const char *name;    /* RFC 7616 6.1 */
	const char *openssl; /* EVP_MD-SHA2(7), EVP_MD-MD5(7) */
} algorithms[DIGEST_ALGORITHMS] = {
	[DIGEST_MD5] = {"MD5", "MD5"},
	[DIGEST_SHA_256] = {"SHA-256", "SHA2-256"},
	[DIGEST_SHA_512_256] = {"SHA-512-256", "SHA2-512/256"},
};

/* Looking one up costs more than the hash: done once. */
static struct {
	bool is_fetched, is_disabled;
	EVP_MD *md;
} fetched[DIGEST_ALGORITHMS];

static EVP_MD *hash_of(enum digest_algorithm algorithm)
{
	if (!fetched[algorithm].is_fetched) {
		fetched[algorithm].md = EVP_MD_fetch(NULL, algorithms[algorithm].openssl, NULL);
		fetched[algorithm].is_fetched = true;
	}
	return fetched[algorithm].is_disabled ? NULL : fetched[algorithm].md;
}

bool digest_is_available(enum digest_algorithm algorithm)
{
	return hash_of(algorithm) != NULL;
}

void digest_set_available(enum digest_algorithm algorithm, bool available)
{
	fetched[algorithm].is_disabled = !available;
}

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

int digest_algorithm_parse(enum digest_algorithm *algorithm, bool *is_session, const char *name)
{
	static const char sess[] = "-sess";
	size_t len = strlen(name);

	*is_session =
		len > sizeof(sess) - 1 && strcasecmp(name + len - (sizeof(sess) - 1), sess) == 0;
	if (*is_session)
		len -= sizeof(sess) - 1;
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
		if (strlen(algorithms[i].name) == len &&
			strncasecmp(algorithms[i].name, name, len) == 0) {
			*algorithm = i;
			return digest_is_available(i) ? 0 : -EOPNOTSUPP;
		}
	}
	return -EOPNOTSUPP;
}

struct piece {
	const char *s;
	size_t len;
};

#define PIECE(text)                                                                                \
	(struct piece)                                                                             \
	{                                                                                          \
		(text), strlen(text)                                                               \
	}

/* H(a:b:c …) in hex. */
static int hash(char out[DIGEST_HEX_MAX + 1], EVP_MD *md, const struct piece *piece, unsigned count)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;
	int ok;

	if (!ctx)
		return -ENOMEM;
	ok = EVP_DigestInit_ex2(ctx, md, NULL);
	for (unsigned i = 0; i < count && ok; i++)
		ok = (i == 0 || EVP_DigestUpdate(ctx, ":", 1)) &&
		     EVP_DigestUpdate(ctx, piece[i].s, piece[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, raw, &len);
	EVP_MD_CTX_free(ctx);
	if (!ok || 2 * len > DIGEST_HEX_MAX)
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", raw[i]);
	OPENSSL_cleanse(raw, sizeof(raw));
	return 0;
}

int digest_compute(char out[DIGEST_HEX_MAX + 1], const struct digest_input *in)
{
	EVP_MD *md = hash_of(in->algorithm);
	char a1[DIGEST_HEX_MAX + 1] = "", a2[DIGEST_HEX_MAX + 1] = "", nc[9];
	int ret;

	if (!md)
		return -EOPNOTSUPP;
	snprintf(nc, sizeof(nc), "%08x", in->nc);
	ret = hash(a1, md,
		(struct piece[]){
			PIECE(in->user), PIECE(in->realm), {in->password, in->password_len}},
		3);
	if (!ret && in->is_session) {
		char session[DIGEST_HEX_MAX + 1] = "";

		ret = hash(session, md,
			(struct piece[]){PIECE(a1), PIECE(in->nonce), PIECE(in->cnonce)}, 3);
		memcpy(a1, session, sizeof(a1));
		OPENSSL_cleanse(session, sizeof(session));
	}
	if (!ret)
		ret = hash(a2, md, (struct piece[]){PIECE(in->method), PIECE(in->uri)}, 2);
	if (!ret && in->has_qop)
		ret = hash(out, md,
			(struct piece[]){PIECE(a1), PIECE(in->nonce), PIECE(nc), PIECE(in->cnonce),
				PIECE("auth"), PIECE(a2)},
			6);
	else if (!ret)
		ret = hash(out, md, (struct piece[]){PIECE(a1), PIECE(in->nonce), PIECE(a2)}, 3);
	OPENSSL_cleanse(a1, sizeof(a1));
	return ret;
}

void digest_add_quoted(struct strbuf *out, const char *text)
{
	strbuf_add(out, "\"");
	while (*text) {
		size_t n = strcspn(text, "\"\\");

		strbuf_addn(out, text, n);
		text += n;
		if (*text) {
			strbuf_add(out, "\\");
			strbuf_addn(out, text++, 1);
		}
	}
	strbuf_add(out, "\"");
}

static void add_param(struct strbuf *out, const char *name, const char *value)
{
	strbuf_addf(out, ", %s=", name);
	digest_add_quoted(out, value);
}

int digest_answer(struct strbuf *out, const struct digest_challenge *challenge, const char *user,
	const struct secret *password, const char *method, const char *uri, uint32_t nc)
{
	char response[DIGEST_HEX_MAX + 1], cnonce[CNONCE_LEN + 1];
	const struct digest_input in = {.algorithm = challenge->algorithm,
		.is_session = challenge->is_session,
		.has_qop = challenge->has_qop,
		.user = user,
		.realm = challenge->realm,
		.password = password->text,
		.password_len = password->len,
		.nonce = challenge->nonce,
		.cnonce = cnonce,
		.method = method,
		.uri = uri,
		.nc = nc};
	int ret;

	token_make(cnonce, CNONCE_LEN);
	ret = digest_compute(response, &in);
	if (ret)
		return ret;
	strbuf_add(out, "Digest username=");
	digest_add_quoted(out, user);
	add_param(out, "realm", challenge->realm);
	add_param(out, "nonce", challenge->nonce);
	add_param(out, "uri", uri);
	add_param(out, "response", response);
	if (challenge->has_algorithm)
		strbuf_addf(out, ", algorithm=%s%s", digest_algorithm_name(challenge->algorithm),
			challenge->is_session ? "-sess" : "");
	if (challenge->has_opaque)
		add_param(out, "opaque", challenge->opaque);
	if (challenge->has_qop)
		strbuf_addf(out, ", qop=auth, nc=%08x", nc);
	if (challenge->has_qop || challenge->is_session)
		add_param(out, "cnonce", cnonce);
	return strbuf_error(out);
}

int digest_verify(const struct digest_credentials *c, const char *password, size_t password_len,
	const char *method)
{
	char right[DIGEST_HEX_MAX + 1] = "";
	const struct digest_input in = {.algorithm = c->algorithm,
		.is_session = c->is_session,
		.has_qop = c->has_qop,
		.user = c->username,
		.realm = c->realm,
		.password = password,
		.password_len = password_len,
		.nonce = c->nonce,
		.cnonce = c->cnonce,
		.method = method,
		.uri = c->uri,
		.nc = c->nc};
	int ret = digest_compute(right, &in);

	/* Both are whole arrays, zero behind their ends. */
	if (!ret && CRYPTO_memcmp(right, c->response, sizeof(right)) != 0)
		ret = -EACCES;
	OPENSSL_cleanse(right, sizeof(right));
	return ret;
}
