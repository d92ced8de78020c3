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
