/* SPDX-License-Identifier: BSD-2-Clause */
/* What a peer's configuration says of digest authentication. The passwords are read from their
 * files or from the environment when the file is loaded, and are in no other place. */
#ifndef VIADUCT_CONFIG_AUTH_H
#define VIADUCT_CONFIG_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

#define AUTH_USER_MAX     127 /* bytes */
#define AUTH_REALM_MAX    127
#define AUTH_PASSWORD_MAX 255

/* What the peer's challenges are answered with. */
struct auth_config {
	char *user;
	char *realm; /* no other is answered; NULL = any */
	struct secret *password;
};

/* REGISTER to a provider (RFC 3261 10). */
struct register_config {
	char *aor;                         /* sip:USER@DOMAIN: To and From */
	char *registrar;                   /* Request-URI: sip:DOMAIN */
	char *contact;                     /* user part of our Contact */
	unsigned expires_s, expires_min_s; /* asked for; what has to be granted */
	unsigned retry_s, retry_max_s;     /* after the first failure, and at most */
	bool required;                     /* without a registration the peer is down */
};

/* Methods that may be challenged; ACK and CANCEL cannot be (RFC 3261 22.1). */
/* clang-format off */
#define CHALLENGE_METHODS(X) \
	X(INVITE) X(BYE) X(UPDATE) X(PRACK) X(INFO) X(OPTIONS) \
	X(REFER) X(NOTIFY) X(SUBSCRIBE) X(MESSAGE) X(PUBLISH)
/* clang-format on */
#define CHALLENGE_METHOD_ENUM(name) CHALLENGE_##name,
enum challenge_method { CHALLENGE_METHODS(CHALLENGE_METHOD_ENUM) CHALLENGE_METHOD_COUNT };

struct users;

/* What the peer's requests are challenged with. */
struct challenge_config {
	char *realm;
	struct users *users;
	unsigned methods;    /* bit of each enum challenge_method */
	unsigned algorithms; /* bit of each enum digest_algorithm */
	unsigned nonce_lifetime_s;
	bool any_uri; /* the one in the credentials may be another than the Request-URI */
};

bool challenge_covers(const struct challenge_config *challenge, const char *method);
void challenge_config_free(struct challenge_config *challenge);
void register_config_free(struct register_config *reg);
void auth_config_free(struct auth_config *auth);
/* Whether both say the same; NULL is fine. */
bool auth_config_equal(const struct auth_config *a, const struct auth_config *b);

#endif
