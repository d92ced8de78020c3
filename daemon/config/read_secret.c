/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/read_secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/auth.h"

/* Opens what is a regular file and not everybody's to read. The descriptor, or -1: told. */
static int open_secret(struct mistakes *m, const char *key, const char *path, size_t *size)
{
	char quoted[MISTAKE_QUOTE_MAX], why[MISTAKE_QUOTE_MAX];
	struct stat st;
	int fd = -1;

	if (path[0] != '/') {
		mistake_add(m, key, "%s is not absolute; expected a path from /",
			mistake_quote(quoted, path));
		return -1;
	}
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st)) {
		mistake_add(m, key, "%s cannot be read (%s); expected a file readable by us",
			mistake_quote(quoted, path), mistake_errno(why, errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		mistake_add(m, key, "%s is not a regular file; expected one",
			mistake_quote(quoted, path));
		goto fail;
	}
	if (st.st_mode & (S_IROTH | S_IWOTH)) {
		mistake_add(m, key,
			"%s can be read or written by everybody (mode %04o); expected 0600 or 0640",
			mistake_quote(quoted, path), (unsigned)st.st_mode & 07777);
		goto fail;
	}
	if (st.st_size > SECRET_FILE_MAX) {
		mistake_add(m, key, "%s is too long; expected at most %d bytes",
			mistake_quote(quoted, path), SECRET_FILE_MAX);
		goto fail;
	}
	*size = (size_t)st.st_size;
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

int read_secret_file(struct mistakes *m, struct secret **out, const char *key, const char *path)
{
	char quoted[MISTAKE_QUOTE_MAX], why[MISTAKE_QUOTE_MAX];
	struct secret *secret = NULL;
	size_t size = 0;
	ssize_t n = 0;
	int fd = open_secret(m, key, path, &size), ret;

	if (fd < 0)
		return 0;
	ret = secret_new(&secret, size);
	while (!ret && secret->len < size &&
		(n = read(fd, secret->text + secret->len, size - secret->len)) > 0)
		secret->len += (size_t)n;
	if (!ret && n < 0) {
		mistake_add(m, key, "%s cannot be read (%s); expected a file readable by us",
			mistake_quote(quoted, path), mistake_errno(why, errno));
		secret_free(secret);
		secret = NULL;
	}
	if (secret && memchr(secret->text, '\0', secret->len)) {
		mistake_add(
			m, key, "%s holds a NUL byte; expected text", mistake_quote(quoted, path));
		secret_free(secret);
		secret = NULL;
	}
	close(fd);
	*out = secret;
	return ret;
}

/* Whether it can be a password. Says nothing of what it is. */
static bool is_password(const char *text, size_t len)
{
	if (len == 0 || len > AUTH_PASSWORD_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (iscntrl((unsigned char)text[i]))
			return false;
	}
	return true;
}

int read_secret_line(struct mistakes *m, struct secret **out, const char *key, const char *path)
{
	struct secret *secret = NULL;
	int ret = read_secret_file(m, &secret, key, path);

	if (!secret)
		return ret;
	secret->len = strcspn(secret->text, "\n");
	if (secret->len && secret->text[secret->len - 1] == '\r')
		secret->len--;
	explicit_bzero(secret->text + secret->len, secret->room - secret->len);
	if (!is_password(secret->text, secret->len)) {
		char quoted[MISTAKE_QUOTE_MAX];

		mistake_add(m, key,
			"the first line of %s is no password; expected 1 to %d bytes without "
			"control characters",
			mistake_quote(quoted, path), AUTH_PASSWORD_MAX);
		secret_free(secret);
		secret = NULL;
	}
	*out = secret;
	return 0;
}

int read_secret_env(struct mistakes *m, struct secret **out, const char *key, const char *name)
{
	const char *value = getenv(name);
	char quoted[MISTAKE_QUOTE_MAX];
	struct secret *secret = NULL;
	int ret;

	if (!value) {
		mistake_add(m, key, "%s is not in the environment; expected it to be set",
			mistake_quote(quoted, name));
		return 0;
	}
	if (!is_password(value, strlen(value))) {
		mistake_add(m, key,
			"the value of %s is no password; expected 1 to %d bytes without control "
			"characters",
			mistake_quote(quoted, name), AUTH_PASSWORD_MAX);
		return 0;
	}
	ret = secret_new(&secret, strlen(value));
	if (ret)
		return ret;
	secret->len = strlen(value);
	memcpy(secret->text, value, secret->len);
	*out = secret;
	return 0;
}
