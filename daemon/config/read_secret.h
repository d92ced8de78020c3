/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords from outside of the configuration file. Private to the room. */
#ifndef VIADUCT_CONFIG_READ_SECRET_H
#define VIADUCT_CONFIG_READ_SECRET_H

#include <stdbool.h>

#include "base/secret.h"
#include "config/mistake.h"

#define SECRET_FILE_MAX (1024 * 1024) /* bytes */

/* All of these: 0, also after a mistake (told under key; *out stays NULL then), or -ENOMEM. */

/* The first line of a file that not everybody may read. */
int read_secret_line(struct mistakes *m, struct secret **out, const char *key, const char *path);
/* The whole of such a file. */
int read_secret_file(struct mistakes *m, struct secret **out, const char *key, const char *path);
/* The value of an environment variable. */
int read_secret_env(struct mistakes *m, struct secret **out, const char *key, const char *name);

#endif
