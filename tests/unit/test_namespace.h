/* SPDX-License-Identifier: BSD-2-Clause */
/* A network namespace of the test's own: every port is free, and nothing leaves the machine. */
#ifndef VIADUCT_TEST_NAMESPACE_H
#define VIADUCT_TEST_NAMESPACE_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0 or -errno. */
static inline int own_namespace(void)
{
	char map[64];
	uid_t uid = getuid();
	int fd, n;

	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -errno;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = snprintf(map, sizeof(map), "0 %u 1", uid);
	n = write(fd, map, (size_t)n) == n ? 0 : -errno;
	close(fd);
	return n;
}

/* Its loopback takes packets from here on. 0 or -errno. */
static inline int own_namespace_loopback(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, SIOCSIFFLAGS, &lo) ? -errno : 0;
	close(fd);
	return ret;
}

#endif
