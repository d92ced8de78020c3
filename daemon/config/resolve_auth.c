/* SPDX-License-Identifier: BSD-2-Clause */
/* Who we are for a peer's challenges. What a mistake says of a password is where it should have
 * been. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/read_secret.h"
#include "config/resolve.h"

void auth_config_free(struct auth_config *auth)
{
	if (!auth)
		return;
	free(auth->user);
	free(auth->realm);
	secret_free(auth->password);
	free(auth);
}

/* A text that goes into a quoted string: no control characters, 1 to max bytes. */
static void check_text(struct resolve *r, const char *key, const char *text, size_t max)
{
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	size_t len = strlen(text);
	bool is_good = len > 0 && len <= max;

	for (size_t i = 0; i < len; i++)
		is_good = is_good && !iscntrl((unsigned char)text[i]);
	if (!is_good)
		mistake_add(r->mistakes, key, "%s cannot be used; expected %s",
			mistake_quote(quoted, text), key_expected(want, key));
}

int resolve_password(
	struct resolve *r, struct secret **out, const char *file, const char *env, const char *base)
{
	char key[MISTAKE_KEY_MAX];

	if (!file == !env) {
		mistake_add(r->mistakes, base, "%s; expected password_file or password_env",
			file ? "two places for one password" : "no password");
		return 0;
	}
	if (file)
		return read_secret_line(
			r->mistakes, out, mistake_key(key, "%s.password_file", base), file);
	return read_secret_env(r->mistakes, out, mistake_key(key, "%s.password_env", base), env);
}

static int resolve_client(
	struct resolve *r, struct peer_config *peer, const struct file_auth *file, const char *base)
{
	struct auth_config *auth = calloc(1, sizeof(*auth));
	char key[MISTAKE_KEY_MAX];

	peer->auth = auth;
	if (!auth)
		return -ENOMEM;
	auth->user = strdup(file->user);
	auth->realm = file->realm ? strdup(file->realm) : NULL;
	if (!auth->user || (file->realm && !auth->realm))
		return -ENOMEM;
	check_text(r, mistake_key(key, "%s.user", base), auth->user, AUTH_USER_MAX);
	if (auth->realm)
		check_text(r, mistake_key(key, "%s.realm", base), auth->realm, AUTH_REALM_MAX);
	return resolve_password(r, &auth->password, file->password_file, file->password_env, base);
}

int resolve_auth(
	struct resolve *r, struct peer_config *peer, const struct file_peer *file, const char *base)
{
	char key[MISTAKE_KEY_MAX];
	int ret = 0;

	if (file->auth)
		ret = resolve_client(r, peer, file->auth, mistake_key(key, "%s.auth", base));
	return ret;
}
