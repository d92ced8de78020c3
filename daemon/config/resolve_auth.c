/* SPDX-License-Identifier: BSD-2-Clause */
/* Who we are for a peer, and who it has to be for us. What a mistake says of a password is where it
 * should have been. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/read_secret.h"
#include "config/resolve.h"
#include "config/users.h"
#include "digest/digest.h"

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

/* The password of the mapping at base. 0, also after a mistake, or -ENOMEM. */
static int resolve_password(
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

/* 0, also after a mistake, or -ENOMEM. */
static int read_users(struct resolve *r, struct users **out, const char *path, const char *key)
{
	char quoted[MISTAKE_QUOTE_MAX];
	struct secret *text = NULL;
	unsigned line = 0;
	int ret = read_secret_file(r->mistakes, &text, key, path);

	if (!text)
		return ret;
	ret = users_parse(out, text, &line);
	if (ret == -ENOMEM)
		return ret;
	if (ret == -EEXIST)
		mistake_add(r->mistakes, key,
			"line %u of %s has a user for the second time; expected each once", line,
			mistake_quote(quoted, path));
	else if (ret)
		mistake_add(r->mistakes, key,
			"line %u of %s cannot be used; expected USER:PASSWORD, for at most %d "
			"users",
			line, mistake_quote(quoted, path), USERS_MAX);
	return 0;
}

static int resolve_users(struct resolve *r, struct challenge_config *challenge,
	const struct file_challenge *file, const char *base)
{
	struct secret *password = NULL;
	char key[MISTAKE_KEY_MAX];
	int ret;

	if (!file->users_file == !file->user ||
		(file->users_file && (file->password_file || file->password_env))) {
		mistake_add(r->mistakes, base,
			"%s; expected users_file, or user with password_file or password_env",
			file->users_file ? "two ways to name its users" : "no users");
		return 0;
	}
	if (file->users_file)
		return read_users(r, &challenge->users, file->users_file,
			mistake_key(key, "%s.users_file", base));
	check_text(r, mistake_key(key, "%s.user", base), file->user, AUTH_USER_MAX);
	ret = resolve_password(r, &password, file->password_file, file->password_env, base);
	return password ? users_single(&challenge->users, file->user, password) : ret;
}

static int resolve_challenge(struct resolve *r, struct peer_config *peer,
	const struct file_challenge *file, const char *base)
{
	struct challenge_config *challenge = calloc(1, sizeof(*challenge));
	char key[MISTAKE_KEY_MAX];

	peer->challenge = challenge;
	if (!challenge)
		return -ENOMEM;
	challenge->realm = strdup(file->realm);
	if (!challenge->realm)
		return -ENOMEM;
	check_text(r, mistake_key(key, "%s.realm", base), challenge->realm, AUTH_REALM_MAX);
	for (unsigned i = 0; i < file->methods_count; i++)
		challenge->methods |= 1u << file->methods[i];
	for (unsigned i = 0; i < file->algorithms_count; i++)
		challenge->algorithms |= 1u << file->algorithms[i];
	if (!file->methods_count)
		challenge->methods = 1u << CHALLENGE_INVITE;
	if (!file->algorithms_count)
		challenge->algorithms = 1u << DIGEST_SHA_256 | 1u << DIGEST_MD5;
	mistake_key(key, "%s.nonce_lifetime", base);
	challenge->nonce_lifetime_s = key_number(r->mistakes, key, file->nonce_lifetime);
	challenge->any_uri = file->uri && *file->uri == FILE_CHALLENGE_URI_ANY;
	return resolve_users(r, challenge, file, base);
}

/* What may stand unescaped in the user part of a SIP URI, and in its host and port (RFC 3261 25.1).
 */
#define USER_CHARS                                                                                 \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()&=+$,;?/%"
#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]"

static bool is_made_of(const char *text, const char *chars)
{
	size_t len = strlen(text);

	return len > 0 && len <= AUTH_USER_MAX && strspn(text, chars) == len;
}

/* Checks a text that is taken over, copies the default where it is not written. */
static int take_text(struct resolve *r, char **out, const char *written, const char *fallback,
	size_t fallback_len, const char *chars, const char *key)
{
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	*out = written ? strdup(written) : strndup(fallback, fallback_len);
	if (*out && written && !is_made_of(written, chars))
		mistake_add(r->mistakes, key, "%s cannot be used; expected %s",
			mistake_quote(quoted, written), key_expected(want, key));
	return *out ? 0 : -ENOMEM;
}

/* sip:USER@DOMAIN; *user and *domain point into aor. */
static bool split_aor(const char *aor, const char **user, size_t *user_len, const char **domain)
{
	static const char scheme[] = "sip:";
	const char *at = strchr(aor, '@');

	if (strncasecmp(aor, scheme, sizeof(scheme) - 1) != 0 || !at)
		return false;
	*user = aor + sizeof(scheme) - 1;
	*user_len = (size_t)(at - *user);
	*domain = at + 1;
	return *user_len > 0 && *user_len <= AUTH_USER_MAX &&
	       strspn(*user, USER_CHARS) == *user_len && is_made_of(*domain, HOST_CHARS);
}

static int resolve_register(struct resolve *r, struct peer_config *peer,
	const struct file_register *file, const char *base)
{
	struct register_config *reg = calloc(1, sizeof(*reg));
	const char *user = "", *domain = "";
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	size_t user_len = 0;
	int ret;

	peer->registration = reg;
	if (!reg)
		return -ENOMEM;
	mistake_key(key, "%s.aor", base);
	if (!split_aor(file->aor, &user, &user_len, &domain))
		mistake_add(r->mistakes, key, "%s cannot be registered; expected %s",
			mistake_quote(quoted, file->aor), key_expected(want, key));
	reg->aor = strdup(file->aor);
	ret = reg->aor ? 0 : -ENOMEM;
	if (!ret)
		ret = take_text(r, &reg->registrar, file->registrar, domain, strlen(domain),
			HOST_CHARS, mistake_key(key, "%s.registrar", base));
	if (!ret)
		ret = take_text(r, &reg->contact, file->contact, user, user_len, USER_CHARS,
			mistake_key(key, "%s.contact", base));
	if (ret)
		return ret;
	mistake_key(key, "%s.expires", base);
	reg->expires_s = key_number(r->mistakes, key, file->expires);
	mistake_key(key, "%s.min_expires", base);
	reg->expires_min_s = key_number(r->mistakes, key, file->min_expires);
	if (reg->expires_min_s > reg->expires_s)
		mistake_add(r->mistakes, key, "%u is more than expires; expected at most %u",
			reg->expires_min_s, reg->expires_s);
	mistake_key(key, "%s.retry", base);
	reg->retry_s = key_number(r->mistakes, key, file->retry);
	mistake_key(key, "%s.retry_max", base);
	reg->retry_max_s = key_number(r->mistakes, key, file->retry_max);
	if (reg->retry_max_s < reg->retry_s)
		mistake_add(r->mistakes, key, "%u is less than retry; expected at least %u",
			reg->retry_max_s, reg->retry_s);
	reg->required = !file->required || *file->required;
	return 0;
}

int resolve_auth(
	struct resolve *r, struct peer_config *peer, const struct file_peer *file, const char *base)
{
	char key[MISTAKE_KEY_MAX];
	int ret = 0;

	if (file->auth)
		ret = resolve_client(r, peer, file->auth, mistake_key(key, "%s.auth", base));
	if (!ret && file->registration)
		ret = resolve_register(
			r, peer, file->registration, mistake_key(key, "%s.register", base));
	if (!ret && file->challenge)
		ret = resolve_challenge(
			r, peer, file->challenge, mistake_key(key, "%s.challenge", base));
	return ret;
}
