/* SPDX-License-Identifier: BSD-2-Clause */
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/capability.h"
#include "base/log.h"
#include "give.h"

#define PORT_UNPRIVILEGED 1024
#define CAPS_MAX          5

static unsigned needed_caps(const struct config *cfg, cap_value_t caps[CAPS_MAX])
{
	unsigned n = 0;

	caps[n++] = CAP_BPF;
	caps[n++] = CAP_NET_ADMIN;
	caps[n++] = CAP_PERFMON;
	caps[n++] = CAP_SYS_ADMIN;
	for (unsigned i = 0; i < cfg->listener_count; i++) {
		if (cfg->listener[i].address.local.port < PORT_UNPRIVILEGED) {
			caps[n++] = CAP_NET_BIND_SERVICE;
			break;
		}
	}
	return n;
}

int privilege_give(const struct config *cfg, const char *user)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (!pw) {
		log_error("user \"%s\" does not exist", user);
		return errno ? -errno : -ENOENT;
	}
	return give_to(cfg, pw);
}

static int change_user(const struct passwd *pw)
{
	int ret = 0;

	if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(pw->pw_name, pw->pw_gid) ||
		setgid(pw->pw_gid) || setuid(pw->pw_uid)) {
		ret = -errno;
		log_error("cannot become user \"%s\": %s", pw->pw_name, strerror(-ret));
	}
	return ret;
}

/* Root becomes the configuration's user. Whoever else we are, we stay, where what is there is ours.
 */
static int become_user(const struct config *cfg)
{
	const struct passwd *pw;
	int ret;

	if (!cfg->user[0])
		return give_check(cfg);
	if (geteuid() != 0) {
		pw = getpwnam(cfg->user);
		if (!pw || pw->pw_uid != geteuid())
			log_warn("user: started as user %u, who cannot become \"%s\": it stays so",
				geteuid(), cfg->user);
		return give_check(cfg);
	}
	ret = privilege_give(cfg, cfg->user);
	if (ret)
		return ret;
	pw = getpwnam(cfg->user);
	return pw ? change_user(pw) : -ENOENT;
}

/* Root becomes whoever owns the pins, where the configuration names nobody: the daemon was started
 * as an ordinary user. After a boot there are none, and the state directory tells. */
static int become_owner(const struct config *cfg)
{
	const struct passwd *pw;
	char pins[GIVE_PATH_MAX];
	struct stat st;

	if (cfg->user[0])
		return become_user(cfg);
	give_pin_path(cfg, pins);
	if (geteuid() != 0 || (lstat(pins, &st) && lstat(cfg->state_dir, &st)) || st.st_uid == 0)
		return 0;
	pw = getpwuid(st.st_uid);
	return pw ? change_user(pw) : 0;
}

/* They were read by who we were; the next reload reads them as who we are. */
static void warn_of_unreadable_files(const struct config *cfg)
{
	for (unsigned i = 0; i < cfg->tls_count; i++) {
		const struct tls_profile *tls = &cfg->tls[i];
		const char *const path[] = {tls->certificate, tls->key, tls->ca};

		for (unsigned j = 0; j < sizeof(path) / sizeof(path[0]); j++) {
			if (path[j] && access(path[j], R_OK))
				log_warn(
					"tls: user %s cannot read %s (%s): reloads will be refused",
					cfg->user, path[j], strerror(errno));
		}
	}
}

static int drop(const struct config *cfg, int (*become)(const struct config *cfg))
{
	cap_value_t wanted[CAPS_MAX], had[CAPS_MAX];
	const cap_value_t on_demand = CAP_SYS_ADMIN;
	unsigned n = needed_caps(cfg, wanted), kept = 0;
	cap_t caps = cap_get_proc();
	cap_flag_value_t value;
	int ret = 0;

	if (!caps)
		return -errno;
	for (unsigned i = 0; i < n; i++) {
		if (cap_get_flag(caps, wanted[i], CAP_PERMITTED, &value) == 0 && value == CAP_SET)
			had[kept++] = wanted[i];
	}
	cap_free(caps);
	if (kept == 0) {
		log_error("not permitted: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed; start "
			  "as root");
		return -EPERM;
	}
	ret = become(cfg);
	if (ret)
		return ret;
	caps = cap_init();
	if (!caps)
		return -errno;
	if (cap_set_flag(caps, CAP_PERMITTED, (int)kept, had, CAP_SET) ||
		cap_set_flag(caps, CAP_EFFECTIVE, (int)kept, had, CAP_SET) ||
		cap_set_flag(caps, CAP_EFFECTIVE, 1, &on_demand, CAP_CLEAR) || cap_set_proc(caps) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		ret = -errno;
		log_error("capabilities cannot be dropped: %s", strerror(-ret));
	}
	cap_free(caps);
	return ret;
}

int privilege_drop(const struct config *cfg)
{
	int ret = drop(cfg, become_user);

	if (!ret && cfg->user[0])
		warn_of_unreadable_files(cfg);
	return ret;
}

int privilege_drop_to_owner(const struct config *cfg)
{
	return drop(cfg, become_owner);
}

void privilege_forbid_core_files(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	(void)setrlimit(RLIMIT_CORE, &none);
}

void privilege_settle(struct dataplane *dp)
{
	struct dataplane_status status;

	if (dataplane_status(dp, &status))
		return;
	for (unsigned i = 0; i < SIDE_COUNT; i++) {
		if (strcmp(status.device[i].attached, "libxdp dispatcher") == 0)
			return;
	}
	capability_forget(CAP_SYS_ADMIN);
}
