/* SPDX-License-Identifier: BSD-2-Clause */
/* Users and their passwords, from lines USER:PASSWORD. */
#ifndef VIADUCT_CONFIG_USERS_H
#define VIADUCT_CONFIG_USERS_H

#include "base/secret.h"

#define USERS_MAX 10000

struct user {
	const char *name, *password; /* in users->text */
	size_t password_len;
	unsigned line;
};

struct users {
	struct secret *text;
	struct user *list; /* by name */
	unsigned count;
	char *single; /* the name, where there is one user alone */
};

/* Takes text over, also on failure. Empty lines and those that begin with '#' are passed over. 0,
 * -ENOMEM; -EINVAL with the number of a line that is none of these, -EEXIST with that of a user's
 * second. */
int users_parse(struct users **out, struct secret *text, unsigned *line);
/* One user alone. Takes password over, also on failure. 0 or -ENOMEM. */
int users_single(struct users **out, const char *name, struct secret *password);
void users_free(struct users *users);
/* NULL: nobody of that name. */
const struct user *users_find(const struct users *users, const char *name);

#endif
