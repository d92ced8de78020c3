/* SPDX-License-Identifier: BSD-2-Clause */
/* Nonces of our own challenges (RFC 7616 3.3, 5.4, 5.10): they carry their time under a seal, so
 * that nothing is kept for one until somebody has answered it rightly. What is kept then, its uses,
 * has a place of a fixed size. */
#ifndef VIADUCT_DIGEST_NONCE_H
#define VIADUCT_DIGEST_NONCE_H

#include <stdbool.h>
#include <stdint.h>

#define NONCE_LEN     64   /* hexadecimal characters */
#define NONCES_TRACED 4096 /* of which uses are known; another one's nonce is then too old */

struct nonces;

struct nonce_id {
	uint64_t made_ms; /* by the caller's clock */
	uint64_t number;
};

enum nonce_verdict {
	NONCE_FRESH,
	NONCE_OLD,
	NONCE_FOREIGN, /* not ours: of another process, realm, or made up */
};

/* 0 or -ENOMEM. */
int nonces_new(struct nonces **out);
void nonces_free(struct nonces *nonces);

void nonce_make(struct nonces *nonces, char out[NONCE_LEN + 1], const char *realm, uint64_t now_ms);
/* *id is set unless it is foreign. */
enum nonce_verdict nonce_check(struct nonces *nonces, const char *text, const char *realm,
	uint64_t now_ms, uint64_t lifetime_ms, struct nonce_id *id);
/* Takes note of the nonce count of a right answer. False: it was used before, or that cannot be
 * told any more. Counts may come out of order, by up to 63. */
bool nonce_use(struct nonces *nonces, const struct nonce_id *id, uint32_t nc);

#endif
