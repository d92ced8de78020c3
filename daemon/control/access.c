/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define NSS_BUFFER_FIRST (16 * 1024)
#define NSS_BUFFER_MAX   (1024 * 1024) /* bytes: a group with tens of thousands of members */

static int load_group(const char *name, struct group *group, char **buf)
{
	struct group *found = NULL;
	size_t room = NSS_BUFFER_FIRST;
	int err;

	for (;;) {
		char *grown = realloc(*buf, room);

		if (!grown)
			return -ENOMEM;
		*buf = grown;
		err = getgrnam_r(name, group, *buf, room, &found);
		if (err != ERANGE || room >= NSS_BUFFER_MAX)
			break;
		room *= 2;
	}
	return found ? 0 : err ? -err : -ENOENT;
}

static bool uid_of(const char *name, uid_t *uid)
{
	char buf[NSS_BUFFER_FIRST];
	struct passwd pw, *found = NULL;

	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) || !found)
		return false;
	*uid = found->pw_uid;
	return true;
}

static int load_members(struct access *access, char *const *names)
{
	unsigned count = 0;

	while (names[count])
		count++;
	if (count > ACCESS_MEMBERS_MAX) {
		log_warn("control: group %s has %u members, the first %u may use the socket",
			access->group_name, count, ACCESS_MEMBERS_MAX);
		count = ACCESS_MEMBERS_MAX;
	}
	if (count == 0)
		return 0;
	access->member = calloc(count, sizeof(*access->member));
	if (!access->member)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		if (uid_of(names[i], &access->member[access->member_count]))
			access->member_count++;
	}
	return 0;
}

int access_load(struct access *access, const char *name)
{
	struct access fresh = {0};
	struct group group;
	char *buf = NULL;
	int ret = 0;

	if (!name || !*name)
		goto done;
	snprintf(fresh.group_name, sizeof(fresh.group_name), "%s", name);
	ret = load_group(name, &group, &buf);
	if (ret == -ENOMEM)
		goto fail;
	if (ret) {
		log_warn("control: group %s: %s: root and the daemon's user alone may use the "
			 "socket",
			name, ret == -ENOENT ? "no such group" : strerror(-ret));
		goto done;
	}
	fresh.has_group = true;
	fresh.gid = group.gr_gid;
	ret = load_members(&fresh, group.gr_mem);
	if (ret)
		goto fail;
done:
	access_free(access);
	*access = fresh;
	ret = 0;
fail:
	free(buf);
	return ret;
}

void access_free(struct access *access)
{
	free(access->member);
	access->member = NULL;
	access->member_count = 0;
}

bool access_allows(const struct access *access, const struct ucred *who)
{
	if (who->uid == 0 || who->uid == getuid() || who->uid == geteuid())
		return true;
	if (!access->has_group)
		return false;
	if (who->gid == access->gid)
		return true;
	for (unsigned i = 0; i < access->member_count; i++) {
		if (access->member[i] == who->uid)
			return true;
	}
	return false;
}
