/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may use the control socket: root, the daemon's own user, the members of one group. */
#ifndef VIADUCT_CONTROL_ACCESS_H
#define VIADUCT_CONTROL_ACCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct ucred;

#define ACCESS_MEMBERS_MAX 1024
#define ACCESS_GROUP_MAX   64

struct access {
	char group_name[ACCESS_GROUP_MAX]; /* "" = none */
	bool has_group;
	gid_t gid;
	uid_t *member; /* those that the group's line names; ucred does not carry other groups */
	unsigned member_count;
};

/* Looks the group up (may read files: at start and reload alone). A group that does not exist is
 * logged and has no members. 0 or -ENOMEM, which leaves *access as it was. */
int access_load(struct access *access, const char *group);
void access_free(struct access *access);
bool access_allows(const struct access *access, const struct ucred *who);

#endif
