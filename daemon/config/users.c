/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/users.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/auth.h"

static int by_name(const void *a, const void *b)
{
	const struct user *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool is_clean(const char *text, size_t len, size_t max)
{
	for (size_t i = 0; i < len; i++) {
		if (iscntrl((unsigned char)text[i]))
			return false;
	}
	return len > 0 && len <= max;
}

/* A line, ended by NUL in place. False: no user. */
static bool read_line(struct user *user, char *line)
{
	char *colon = strchr(line, ':');

	if (!colon)
		return false;
	*colon = '\0';
	user->name = line;
	user->password = colon + 1;
	user->password_len = strlen(user->password);
	return is_clean(user->name, strlen(user->name), AUTH_USER_MAX) &&
	       is_clean(user->password, user->password_len, AUTH_PASSWORD_MAX);
}

static unsigned count_lines(const char *text)
{
	unsigned n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static int read_lines(struct users *users, unsigned *line)
{
	char *at = users->text->text, *end;

	for (*line = 1; *at; at = end, ++*line) {
		size_t n = strcspn(at, "\n");

		end = at + n + (at[n] == '\n');
		at[n] = '\0';
		if (n && at[n - 1] == '\r')
			at[n - 1] = '\0';
		if (!*at || *at == '#')
			continue;
		if (users->count == USERS_MAX || !read_line(&users->list[users->count], at))
			return -EINVAL;
		users->list[users->count++].line = *line;
	}
	qsort(users->list, users->count, sizeof(users->list[0]), by_name);
	for (unsigned i = 1; i < users->count; i++) {
		const struct user *a = &users->list[i - 1], *b = a + 1;

		if (strcmp(a->name, b->name) != 0)
			continue;
		*line = a->line > b->line ? a->line : b->line;
		return -EEXIST;
	}
	return 0;
}

int users_parse(struct users **out, struct secret *text, unsigned *line)
{
	struct users *users = calloc(1, sizeof(*users));
	unsigned lines = count_lines(text->text);
	int ret = -ENOMEM;

	if (!users) {
		secret_free(text);
		return -ENOMEM;
	}
	users->text = text;
	users->list = calloc(lines < USERS_MAX ? lines : USERS_MAX, sizeof(users->list[0]));
	if (users->list)
		ret = read_lines(users, line);
	if (ret)
		users_free(users);
	else
		*out = users;
	return ret;
}

int users_single(struct users **out, const char *name, struct secret *password)
{
	struct users *users = calloc(1, sizeof(*users));
	char *copy = NULL;

	if (users)
		users->list = calloc(1, sizeof(users->list[0]));
	if (users && users->list)
		copy = strdup(name);
	if (!copy) {
		if (users)
			free(users->list);
		free(users);
		secret_free(password);
		return -ENOMEM;
	}
	users->text = password;
	users->count = 1;
	users->single = copy;
	users->list[0] = (struct user){
		.name = copy, .password = password->text, .password_len = password->len};
	*out = users;
	return 0;
}

void users_free(struct users *users)
{
	if (!users)
		return;
	secret_free(users->text);
	free(users->single);
	free(users->list);
	free(users);
}

const struct user *users_find(const struct users *users, const char *name)
{
	const struct user wanted = {.name = name};

	return bsearch(&wanted, users->list, users->count, sizeof(users->list[0]), by_name);
}
