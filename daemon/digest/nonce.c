/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/nonce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/token.h"

#define SECRET_WORDS 4
#define SEAL_BYTES   16 /* of the HMAC */
#define WINDOW_BITS  64

/* What is known of one nonce's uses. Nonces that share a place displace each other, the older one
 * going; floor_ms is the newest that went, and what is as old as that counts as used up. */
struct place {
	struct nonce_id id;
	uint64_t floor_ms;
	uint64_t seen; /* counts top, top - 1 …: bit 0, bit 1 … */
	uint32_t top;
};

struct nonces {
	uint64_t secret[SECRET_WORDS]; /* of this process */
	struct place place[NONCES_TRACED];
};

int nonces_new(struct nonces **out)
{
	struct nonces *nonces = calloc(1, sizeof(*nonces));

	if (!nonces)
		return -ENOMEM;
	for (unsigned i = 0; i < SECRET_WORDS; i++)
		nonces->secret[i] = token_random64();
	*out = nonces;
	return 0;
}

void nonces_free(struct nonces *nonces)
{
	if (!nonces)
		return;
	explicit_bzero(nonces->secret, sizeof(nonces->secret));
	free(nonces);
}

/* HMAC-SHA-256 over time, number and realm, cut. */
static bool seal(const struct nonces *nonces, uint8_t out[SEAL_BYTES], const struct nonce_id *id,
	const char *realm)
{
	uint8_t text[sizeof(*id) + 256], mac[EVP_MAX_MD_SIZE];
	size_t len = strnlen(realm, sizeof(text) - sizeof(*id));
	unsigned mac_len = 0;

	memcpy(text, id, sizeof(*id));
	memcpy(text + sizeof(*id), realm, len);
	if (!HMAC(EVP_sha256(), nonces->secret, sizeof(nonces->secret), text, sizeof(*id) + len,
		    mac, &mac_len) ||
		mac_len < SEAL_BYTES)
		return false;
	memcpy(out, mac, SEAL_BYTES);
	return true;
}

void nonce_make(struct nonces *nonces, char out[NONCE_LEN + 1], const char *realm, uint64_t now_ms)
{
	struct nonce_id id = {.made_ms = now_ms, .number = token_random64()};
	uint8_t mac[SEAL_BYTES] = {0};

	/* Without a seal it is nobody's, and its answer is challenged again. */
	if (!seal(nonces, mac, &id, realm))
		id.number = 0;
	sprintf(out, "%016llx%016llx", (unsigned long long)id.made_ms,
		(unsigned long long)id.number);
	for (unsigned i = 0; i < SEAL_BYTES; i++)
		sprintf(out + 32 + 2 * i, "%02x", mac[i]);
}

enum nonce_verdict nonce_check(struct nonces *nonces, const char *text, const char *realm,
	uint64_t now_ms, uint64_t lifetime_ms, struct nonce_id *id)
{
	uint8_t right[SEAL_BYTES];
	char word[17], hex[2 * SEAL_BYTES + 1];

	if (strlen(text) != NONCE_LEN || strspn(text, "0123456789abcdef") != NONCE_LEN)
		return NONCE_FOREIGN;
	snprintf(word, sizeof(word), "%.16s", text);
	id->made_ms = strtoull(word, NULL, 16);
	snprintf(word, sizeof(word), "%.16s", text + 16);
	id->number = strtoull(word, NULL, 16);
	if (!seal(nonces, right, id, realm))
		return NONCE_FOREIGN;
	for (unsigned i = 0; i < SEAL_BYTES; i++)
		sprintf(hex + 2 * i, "%02x", right[i]);
	if (CRYPTO_memcmp(hex, text + 32, 2 * SEAL_BYTES) != 0)
		return NONCE_FOREIGN;
	return now_ms >= id->made_ms && now_ms - id->made_ms <= lifetime_ms ? NONCE_FRESH
									    : NONCE_OLD;
}

static bool use_again(struct place *p, uint32_t nc)
{
	uint32_t back = p->top - nc;

	if (nc > p->top) {
		uint32_t ahead = nc - p->top;

		p->seen = ahead < WINDOW_BITS ? p->seen << ahead : 0;
		p->seen |= 1;
		p->top = nc;
		return true;
	}
	if (back >= WINDOW_BITS || (p->seen >> back & 1))
		return false;
	p->seen |= UINT64_C(1) << back;
	return true;
}

bool nonce_use(struct nonces *nonces, const struct nonce_id *id, uint32_t nc)
{
	struct place *p = &nonces->place[id->number % NONCES_TRACED];

	if (nc == 0)
		return false;
	if (p->top && p->id.number == id->number && p->id.made_ms == id->made_ms)
		return use_again(p, nc);
	if (id->made_ms <= p->floor_ms && p->floor_ms)
		return false;
	if (p->top && p->id.made_ms > id->made_ms)
		return false;
	if (p->top && p->id.made_ms > p->floor_ms)
		p->floor_ms = p->id.made_ms;
	p->id = *id;
	p->top = nc;
	p->seen = 1;
	return true;
}
