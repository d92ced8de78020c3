/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/auth.h"

#include <stdlib.h>
#include <string.h>

#include "config/users.h"

void auth_config_free(struct auth_config *auth)
{
	if (!auth)
		return;
	free(auth->user);
	free(auth->realm);
	secret_free(auth->password);
	free(auth);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool auth_config_equal(const struct auth_config *a, const struct auth_config *b)
{
	if (!a || !b)
		return a == b;
	return same_text(a->user, b->user) && same_text(a->realm, b->realm) &&
	       a->password->len == b->password->len &&
	       memcmp(a->password->text, b->password->text, a->password->len) == 0;
}

void register_config_free(struct register_config *reg)
{
	if (!reg)
		return;
	free(reg->aor);
	free(reg->registrar);
	free(reg->contact);
	free(reg);
}

void challenge_config_free(struct challenge_config *challenge)
{
	if (!challenge)
		return;
	free(challenge->realm);
	users_free(challenge->users);
	free(challenge);
}

bool challenge_covers(const struct challenge_config *challenge, const char *method)
{
#define METHOD_NAME(name) #name,
	static const char *const names[] = {CHALLENGE_METHODS(METHOD_NAME)};

	for (unsigned i = 0; i < CHALLENGE_METHOD_COUNT; i++) {
		if (strcmp(names[i], method) == 0)
			return challenge->methods & 1u << i;
	}
	return false;
}
