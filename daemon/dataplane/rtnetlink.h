/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's routes, neighbours and links over rtnetlink: asks for single entries, and feeds
 * changes into the next-hop table.
 *
 * A request to rtnetlink is answered by the kernel before sendmsg() returns, so asking never waits
 * for the network; it may wait for the kernel's own RTNL lock. */
#ifndef VIADUCT_DATAPLANE_RTNETLINK_H
#define VIADUCT_DATAPLANE_RTNETLINK_H

#include "dataplane/nexthop.h"

struct rtnetlink;

/* Opens both sockets; nothing is watched yet. 0 or -errno. */
int rtnetlink_open(struct rtnetlink **out, struct loop *loop);
void rtnetlink_close(struct rtnetlink *rt);
/* For nexthop_table_new(). */
void rtnetlink_ops(struct rtnetlink *rt, struct nexthop_ops *ops);
/* Keeps table true from now on: fills both sides' egress at once and follows every change.
 * changed is called when a side's device has gone (ifindex 0) and when one of its name has come. */
int rtnetlink_watch(struct rtnetlink *rt, struct nexthop_table *table,
	void (*changed)(void *ctx, uint8_t side, unsigned ifindex), void *ctx);
/* Names a side's device; the VLAN decides which device routes are asked for. Takes effect at
 * once when watching. */
int rtnetlink_set_device(struct rtnetlink *rt, uint8_t side, const char *device, uint16_t vlan,
	uint32_t devmap_index);
/* Reads a device by name: ifindex and flags. 0 or -ENODEV. */
int rtnetlink_find_device(struct rtnetlink *rt, const char *device, struct egress *out);

#endif
