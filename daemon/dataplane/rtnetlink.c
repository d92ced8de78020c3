/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rtnetlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/log.h"

#define RECEIVE_BUFFER_BYTES (1024 * 1024) /* of the watching socket: some 2,000 events */
#define DATAGRAM_MAX         (32 * 1024)
#define DATAGRAMS_A_ROUND    64
/* Route events in one round before all destinations are asked about again instead of those that
 * each one touches. */
#define ROUTE_EVENTS_A_ROUND 16
#define VLAN_NAME_MAX        (IFNAMSIZ + 8)

struct watched_device {
	char name[IFNAMSIZ];
	char vlan_name[VLAN_NAME_MAX]; /* DEVICE.VLAN, "" where untagged */
	struct egress egress;
	bool watched; /* it was there once: its going and coming is told */
};

struct rtnetlink {
	struct loop *loop;
	struct nl_sock *request, *monitor;
	struct loop_fd monitor_fd;
	struct nexthop_table *table;
	void (*changed)(void *ctx, uint8_t side, unsigned ifindex);
	void *changed_ctx;
	struct watched_device device[SIDE_COUNT];
	uint32_t seq;
	unsigned route_events;
	_Alignas(NLMSG_ALIGNTO) uint8_t buffer[DATAGRAM_MAX];
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* An answer to rtnetlink_ask(). */
typedef int (*answer_fn)(struct nlmsghdr *nlh, void *arg);

/* Sends a request and takes its answer. With NLM_F_ACK and no answer function the kernel's verdict
 * alone. Frees msg. 0, the kernel's -errno, or -EAGAIN when there was no answer. */
static int rtnetlink_ask(struct rtnetlink *rt, struct nl_msg *msg, answer_fn answer, void *arg)
{
	struct nlmsghdr *nlh = nlmsg_hdr(msg);
	int fd = nl_socket_get_fd(rt->request);
	uint32_t seq = ++rt->seq;
	ssize_t got;
	int len;

	nlh->nlmsg_seq = seq;
	nlh->nlmsg_pid = nl_socket_get_local_port(rt->request);
	nlh->nlmsg_flags |= NLM_F_REQUEST;
	got = send(fd, nlh, nlh->nlmsg_len, MSG_DONTWAIT);
	nlmsg_free(msg);
	if (got < 0)
		return -EAGAIN;
	for (;;) {
		got = recv(fd, rt->buffer, sizeof(rt->buffer), MSG_DONTWAIT);
		if (got < 0)
			return -EAGAIN;
		len = (int)got;
		for (nlh = (struct nlmsghdr *)(void *)rt->buffer; nlmsg_ok(nlh, len);
			nlh = nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_seq != seq)
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)nlmsg_data(nlh))->error;
			return answer ? answer(nlh, arg) : 0;
		}
	}
}

static unsigned ip_len(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static uint8_t af_of(const struct addr *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

static bool addr_from_attr(struct addr *out, uint8_t af, const struct nlattr *nla)
{
	unsigned len = af == AF_INET ? 4 : 16;

	if ((af != AF_INET && af != AF_INET6) || !nla || nla_len(nla) < (int)len)
		return false;
	memset(out, 0, sizeof(*out));
	out->family = af == AF_INET ? 4 : 6;
	memcpy(out->ip, nla_data(nla), len);
	return true;
}

/* ---- routes ---- */

static int gateway_from_attrs(struct addr *out, uint8_t af, struct nlattr *const tb[])
{
	if (tb[RTA_GATEWAY])
		return addr_from_attr(out, af, tb[RTA_GATEWAY]) ? 0 : -EPROTO;
	if (tb[RTA_VIA] && nla_len(tb[RTA_VIA]) > (int)sizeof(struct rtvia)) {
		/* RFC 8950: an IPv4 route by way of an IPv6 router. */
		const struct rtvia *via = nla_data(tb[RTA_VIA]);
		unsigned len = (unsigned)nla_len(tb[RTA_VIA]) - sizeof(*via);

		if (via->rtvia_family != AF_INET6 || len < 16)
			return -EPROTO;
		out->family = 6;
		memcpy(out->ip, via->rtvia_addr, 16);
	}
	return 0;
}

static int route_answer(struct nlmsghdr *nlh, void *arg)
{
	struct route_answer *out = arg;
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtmsg *rtm = nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
		nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, NULL) < 0)
		return -EPROTO;
	if (rtm->rtm_type != RTN_UNICAST || !tb[RTA_OIF])
		return -ENETUNREACH;
	/* Asked with a device and finding no route, IPv4 supposes that the destination is on link;
	 * RTM_F_LOOKUP_TABLE tells that by naming no table. */
	if (tb[RTA_TABLE] && nla_get_u32(tb[RTA_TABLE]) == RT_TABLE_UNSPEC)
		return -ENETUNREACH;
	out->ifindex = nla_get_u32(tb[RTA_OIF]);
	return gateway_from_attrs(&out->gateway, rtm->rtm_family, tb);
}

/* Asks where packets to dst go. src: NULL = from any address; ifindex: 0 = over any device; flags:
 * RTM_F_FIB_MATCH for the route as it is written, else 0. */
static int ask_way(struct rtnetlink *rt, const struct addr *src, const struct addr *dst,
	unsigned ifindex, unsigned flags, answer_fn answer, void *arg)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	unsigned len = ip_len(dst->family);
	struct rtmsg rtm = {
		.rtm_family = af_of(dst),
		.rtm_dst_len = (unsigned char)(len * 8),
		.rtm_src_len = (unsigned char)(src ? len * 8 : 0),
		.rtm_flags = RTM_F_LOOKUP_TABLE | flags,
	};

	if (!msg)
		return -EAGAIN;
	if (nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) ||
		nla_put(msg, RTA_DST, (int)len, dst->ip) ||
		(src && nla_put(msg, RTA_SRC, (int)len, src->ip)) ||
		(ifindex && nla_put_u32(msg, RTA_OIF, ifindex))) {
		nlmsg_free(msg);
		return -EAGAIN;
	}
	return rtnetlink_ask(rt, msg, answer, arg);
}

static int type_answer(struct nlmsghdr *nlh, void *arg)
{
	unsigned char *type = arg;

	if (nlh->nlmsg_type != RTM_NEWROUTE)
		return -EPROTO;
	*type = ((const struct rtmsg *)nlmsg_data(nlh))->rtm_type;
	return 0;
}

/* 0 where it is an address of this machine, -EADDRNOTAVAIL where it is not, -EAGAIN. */
static int check_local(struct rtnetlink *rt, const struct addr *a, unsigned ifindex)
{
	unsigned char type = RTN_UNSPEC;
	int ret = ask_way(rt, NULL, a, ifindex, 0, type_answer, &type);

	if (ret == -EAGAIN)
		return ret;
	return ret == 0 && type == RTN_LOCAL ? 0 : -EADDRNOTAVAIL;
}

static void add_gateway(struct route_answer *out, const struct addr *gateway)
{
	if (gateway->family && !addr_equal_ip(gateway, &out->gateway) &&
		out->other_count < ROUTE_OTHERS_MAX)
		out->other[out->other_count++] = *gateway;
}

/* Of the gateways of a route those over the device that out names. */
static int gateways_answer(struct nlmsghdr *nlh, void *arg)
{
	struct route_answer *out = arg;
	struct nlattr *tb[RTA_MAX + 1];
	const struct rtmsg *rtm = nlmsg_data(nlh);
	const struct rtnexthop *hop;
	int left;

	if (nlh->nlmsg_type != RTM_NEWROUTE ||
		nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, NULL) < 0)
		return -EPROTO;
	if (!tb[RTA_MULTIPATH])
		return 0;
	hop = nla_data(tb[RTA_MULTIPATH]);
	left = nla_len(tb[RTA_MULTIPATH]);
	for (; RTNH_OK(hop, left); left -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		struct nlattr *of[RTA_MAX + 1];
		struct addr gateway = {0};

		if ((unsigned)hop->rtnh_ifindex == out->ifindex &&
			!(hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) &&
			nla_parse(of, RTA_MAX, (struct nlattr *)(void *)RTNH_DATA(hop),
				hop->rtnh_len - (int)RTNH_LENGTH(0), NULL) == 0 &&
			gateway_from_attrs(&gateway, rtm->rtm_family, of) == 0)
			add_gateway(out, &gateway);
	}
	return 0;
}

/* Asked with a device the kernel names one gateway of a multipath route, whatever the addresses,
 * and in IPv4 one that does not answer as well. Without it names the one that it takes for such
 * packets of its own. */
static void find_others(struct rtnetlink *rt, const struct addr *src, const struct addr *dst,
	struct route_answer *out)
{
	struct route_answer usual = {0};
	struct addr first = out->gateway;

	if (ask_way(rt, src, dst, out->ifindex, RTM_F_FIB_MATCH, gateways_answer, out) ||
		!out->other_count || ask_way(rt, src, dst, 0, 0, route_answer, &usual))
		return;
	for (unsigned i = 0; i < out->other_count && usual.ifindex == out->ifindex; i++) {
		if (!addr_equal_ip(&out->other[i], &usual.gateway))
			continue;
		out->gateway = out->other[i];
		out->other[i] = first;
		return;
	}
}

static int rtnetlink_route(void *ctx, const struct addr *src, const struct addr *dst,
	unsigned ifindex, struct route_answer *out)
{
	int ret, local;

	memset(out, 0, sizeof(*out));
	ret = ask_way(ctx, src, dst, ifindex, 0, route_answer, out);
	if (ret == 0 && ifindex && out->ifindex == ifindex && out->gateway.family)
		find_others(ctx, src, dst, out);
	if (ret == -EAGAIN || (ret == 0 && src->family == 4))
		return ret;
	/* Packets from an address that was taken away, or that another host has (RFC 4862 5.4),
	 * IPv6 lets go; in IPv4 there is no route for them. By the device where it is of a VRF. */
	local = check_local(ctx, src, 0);
	if (local == -EADDRNOTAVAIL && ifindex)
		local = check_local(ctx, src, ifindex);
	if (local)
		return local;
	return ret == -EINVAL ? -ENETUNREACH : ret; /* the former for a blackhole of IPv6 */
}

/* ---- neighbours ---- */

static enum neighbour_state neighbour_state_of(const struct ndmsg *ndm, const struct nlattr *lladdr)
{
	if (ndm->ndm_state & NUD_FAILED)
		return NEIGHBOUR_FAILED;
	if (!lladdr || nla_len(lladdr) != 6)
		return ndm->ndm_state & NUD_INCOMPLETE ? NEIGHBOUR_LOOKING : NEIGHBOUR_NONE;
	if (ndm->ndm_state & NUD_STALE)
		return NEIGHBOUR_STALE;
	if (ndm->ndm_state & (NUD_DELAY | NUD_PROBE))
		return NEIGHBOUR_PROBED;
	if (ndm->ndm_state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP))
		return NEIGHBOUR_VALID;
	return NEIGHBOUR_LOOKING;
}

struct neighbour_answer {
	enum neighbour_state state;
	uint8_t mac[6];
	bool imposed; /* by the administrator or a routing daemon: not what the kernel found */
};

static int neighbour_answer(struct nlmsghdr *nlh, void *arg)
{
	struct neighbour_answer *out = arg;
	struct nlattr *tb[NDA_MAX + 1];
	const struct ndmsg *ndm = nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWNEIGH ||
		nlmsg_parse(nlh, sizeof(*ndm), tb, NDA_MAX, NULL) < 0)
		return -EPROTO;
	out->state = neighbour_state_of(ndm, tb[NDA_LLADDR]);
	out->imposed =
		ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP) || ndm->ndm_flags & NTF_EXT_LEARNED;
	if (tb[NDA_LLADDR] && nla_len(tb[NDA_LLADDR]) == 6)
		memcpy(out->mac, nla_data(tb[NDA_LLADDR]), 6);
	return 0;
}

/* wanted: flags and state of the entry. */
static int ask_neighbour(struct rtnetlink *rt, int type, int flags, const struct ndmsg *wanted,
	unsigned ifindex, const struct addr *ip, answer_fn answer, void *arg)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
	struct ndmsg ndm = *wanted;

	if (!msg)
		return -EAGAIN;
	ndm.ndm_family = af_of(ip);
	ndm.ndm_ifindex = (int)ifindex;
	if (nlmsg_append(msg, &ndm, sizeof(ndm), NLMSG_ALIGNTO) ||
		nla_put(msg, NDA_DST, (int)ip_len(ip->family), ip->ip)) {
		nlmsg_free(msg);
		return -EAGAIN;
	}
	return rtnetlink_ask(rt, msg, answer, arg);
}

static int read_neighbour(
	struct rtnetlink *rt, unsigned ifindex, const struct addr *ip, struct neighbour_answer *out)
{
	static const struct ndmsg any;

	*out = (struct neighbour_answer){.state = NEIGHBOUR_NONE};
	return ask_neighbour(rt, RTM_GETNEIGH, 0, &any, ifindex, ip, neighbour_answer, out);
}

static enum neighbour_state rtnetlink_neighbour_get(
	void *ctx, unsigned ifindex, const struct addr *ip, uint8_t mac[6])
{
	struct neighbour_answer got;

	if (read_neighbour(ctx, ifindex, ip, &got))
		got.state = NEIGHBOUR_NONE;
	memcpy(mac, got.mac, sizeof(got.mac));
	return got.state;
}

static void rtnetlink_neighbour_use(void *ctx, unsigned ifindex, const struct addr *ip)
{
	static const struct ndmsg use = {.ndm_flags = NTF_USE};
	char text[ADDR_TEXT_MAX];
	int ret = ask_neighbour(ctx, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &use,
		ifindex, ip, NULL, NULL);

	if (ret)
		log_limited(LOG_LEVEL_WARN, "dataplane: cannot have %s looked for: %s",
			addr_print_ip(ip, text), strerror(-ret));
}

/* An entry that is to be confirmed asks the MAC address that it has, three times, a second each.
 * One that is in no state at all begins with everybody. */
static bool rtnetlink_neighbour_ask_anew(void *ctx, unsigned ifindex, const struct addr *ip)
{
	static const struct ndmsg no_state;
	struct neighbour_answer got;

	if (read_neighbour(ctx, ifindex, ip, &got) == 0 && got.imposed)
		return false;
	ask_neighbour(
		ctx, RTM_NEWNEIGH, NLM_F_REPLACE | NLM_F_ACK, &no_state, ifindex, ip, NULL, NULL);
	rtnetlink_neighbour_use(ctx, ifindex, ip);
	return true;
}

static bool rtnetlink_neighbour_confirm(void *ctx, unsigned ifindex, const struct addr *ip)
{
	static const struct ndmsg probe = {.ndm_state = NUD_PROBE};
	struct neighbour_answer got;

	if (read_neighbour(ctx, ifindex, ip, &got))
		return true;
	/* Without NLM_F_REPLACE: that would have a router forgotten to be one. Refused where the
	 * entry has no MAC address. */
	if (!got.imposed)
		ask_neighbour(ctx, RTM_NEWNEIGH, NLM_F_ACK, &probe, ifindex, ip, NULL, NULL);
	return !got.imposed;
}

static void rtnetlink_neighbour_fail(void *ctx, unsigned ifindex, const struct addr *ip)
{
	static const struct ndmsg failed = {.ndm_state = NUD_FAILED};
	struct neighbour_answer got;

	if (read_neighbour(ctx, ifindex, ip, &got) || got.imposed || got.state == NEIGHBOUR_VALID)
		return;
	ask_neighbour(ctx, RTM_NEWNEIGH, NLM_F_ACK, &failed, ifindex, ip, NULL, NULL);
}

void rtnetlink_ops(struct rtnetlink *rt, struct nexthop_ops *ops)
{
	*ops = (struct nexthop_ops){
		.ctx = rt,
		.route = rtnetlink_route,
		.neighbour_use = rtnetlink_neighbour_use,
		.neighbour_ask_anew = rtnetlink_neighbour_ask_anew,
		.neighbour_confirm = rtnetlink_neighbour_confirm,
		.neighbour_fail = rtnetlink_neighbour_fail,
		.neighbour_get = rtnetlink_neighbour_get,
	};
}

/* ---- links ---- */

static int link_parse(struct nlmsghdr *nlh, void *arg)
{
	struct egress *out = arg;
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi = nlmsg_data(nlh);
	const unsigned working = IFF_UP | IFF_RUNNING;

	if (nlmsg_parse(nlh, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0 || !tb[IFLA_IFNAME])
		return -EPROTO;
	out->ifindex = (unsigned)ifi->ifi_index;
	out->up = (ifi->ifi_flags & working) == working;
	out->no_carrier = (ifi->ifi_flags & working) == IFF_UP;
	nla_strlcpy(out->device, tb[IFLA_IFNAME], sizeof(out->device));
	if (tb[IFLA_MTU])
		out->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == (int)sizeof(out->mac))
		memcpy(out->mac, nla_data(tb[IFLA_ADDRESS]), sizeof(out->mac));
	return 0;
}

int rtnetlink_find_device(struct rtnetlink *rt, const char *device, struct egress *out)
{
	struct nl_msg *msg;
	struct ifinfomsg ifi = {.ifi_family = AF_UNSPEC};
	int ret;

	memset(out, 0, sizeof(*out));
	if (strlen(device) >= IFNAMSIZ)
		return -ENODEV;
	msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	if (!msg)
		return -ENOMEM;
	if (nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) ||
		nla_put_string(msg, IFLA_IFNAME, device)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	ret = rtnetlink_ask(rt, msg, link_parse, out);
	if (ret)
		memset(out, 0, sizeof(*out));
	return ret;
}

static void take_device(struct rtnetlink *rt, uint8_t side, const struct egress *device)
{
	struct watched_device *w = &rt->device[side];
	bool other = device->ifindex != w->egress.ifindex;

	if (other && !device->ifindex)
		log_error("dataplane: device %s is gone", w->name);
	else if (!other && device->ifindex && device->up != w->egress.up)
		log_limited(LOG_LEVEL_WARN, "dataplane: device %s: %s", w->name,
			device->up ? "up" : egress_why(device));
	w->egress = *device;
	/* What goes is written before, what comes after packets can pass. */
	if (rt->table && !device->ifindex)
		nexthop_set_egress(rt->table, side, device);
	if (other && w->watched)
		rt->changed(rt->changed_ctx, side, device->ifindex);
	if (rt->table && device->ifindex)
		nexthop_set_egress(rt->table, side, device);
	w->watched = w->watched || device->ifindex;
}

static void name_device(const struct watched_device *w, struct egress *device)
{
	memset(device->device, 0, sizeof(device->device));
	memcpy(device->device, w->name, sizeof(w->name));
	device->devmap_index = w->egress.devmap_index;
	device->vlan = w->egress.vlan;
}

/* Reads a side's device anew. A VLAN interface on it, where there is one, gives the addresses and
 * the routes; frames leave by the device itself, tagged by the program. */
static void refresh_device(struct rtnetlink *rt, uint8_t side)
{
	struct watched_device *w = &rt->device[side];
	struct egress device, vlan;
	int ret;

	if (!w->name[0])
		return;
	ret = rtnetlink_find_device(rt, w->name, &device);
	if (ret && ret != -ENODEV) {
		log_limited(LOG_LEVEL_WARN, "dataplane: cannot read device %s: %s", w->name,
			strerror(-ret));
		return;
	}
	name_device(w, &device);
	device.route_ifindex = device.ifindex;
	if (w->vlan_name[0] && device.ifindex &&
		rtnetlink_find_device(rt, w->vlan_name, &vlan) == 0) {
		device.route_ifindex = vlan.ifindex;
		device.no_carrier = device.no_carrier || (device.up && vlan.no_carrier);
		device.up = device.up && vlan.up;
		memcpy(device.mac, vlan.mac, sizeof(device.mac));
		if (vlan.mtu < device.mtu)
			device.mtu = vlan.mtu;
	}
	take_device(rt, side, &device);
}

/* It may be there again, even under its old index, by the time that we hear of it. */
static void device_deleted(struct rtnetlink *rt, uint8_t side)
{
	struct egress none = {0};

	name_device(&rt->device[side], &none);
	take_device(rt, side, &none);
}

int rtnetlink_set_device(struct rtnetlink *rt, uint8_t side, const char *device, uint16_t vlan,
	uint32_t devmap_index)
{
	struct watched_device *w = &rt->device[side];

	if (strlen(device) >= sizeof(w->name))
		return -ENODEV;
	memset(w->name, 0, sizeof(w->name));
	memcpy(w->name, device, strlen(device));
	w->vlan_name[0] = '\0';
	if (vlan)
		snprintf(w->vlan_name, sizeof(w->vlan_name), "%s.%u", device, vlan);
	w->egress.vlan = vlan;
	w->egress.devmap_index = devmap_index;
	refresh_device(rt, side);
	return rt->device[side].egress.ifindex ? 0 : -ENODEV;
}

static bool concerns_device(
	const struct watched_device *w, const struct ifinfomsg *ifi, const char *name)
{
	return (unsigned)ifi->ifi_index == w->egress.ifindex ||
	       (unsigned)ifi->ifi_index == w->egress.route_ifindex ||
	       (name && (strcmp(name, w->name) == 0 ||
				(w->vlan_name[0] && strcmp(name, w->vlan_name) == 0)));
}

/* ---- events ---- */

static void link_event(struct rtnetlink *rt, struct nlmsghdr *nlh)
{
	static const struct addr anything;
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi = nlmsg_data(nlh);
	bool concerned[SIDE_COUNT];
	const char *name;

	if (nlmsg_parse(nlh, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0 || ifi->ifi_family != AF_UNSPEC)
		return;
	name = tb[IFLA_IFNAME] ? nla_get_string(tb[IFLA_IFNAME]) : NULL;
	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		concerned[side] = concerns_device(&rt->device[side], ifi, name);
		if (nlh->nlmsg_type == RTM_DELLINK &&
			(unsigned)ifi->ifi_index == rt->device[side].egress.ifindex)
			device_deleted(rt, side);
	}
	for (uint8_t side = 0; side < SIDE_COUNT; side++) {
		if (!concerned[side])
			continue;
		refresh_device(rt, side);
		/* Routes that a link took with it are not announced one by one. */
		nexthop_route_changed(rt->table, &anything, 0);
	}
}

static void neighbour_event(struct rtnetlink *rt, struct nlmsghdr *nlh)
{
	static const uint8_t no_mac[6];
	struct nlattr *tb[NDA_MAX + 1];
	const struct ndmsg *ndm = nlmsg_data(nlh);
	enum neighbour_state state;
	struct addr ip;

	if (nlmsg_parse(nlh, sizeof(*ndm), tb, NDA_MAX, NULL) < 0 ||
		!addr_from_attr(&ip, ndm->ndm_family, tb[NDA_DST]))
		return;
	state = nlh->nlmsg_type == RTM_DELNEIGH ? NEIGHBOUR_NONE
						: neighbour_state_of(ndm, tb[NDA_LLADDR]);
	nexthop_neighbour_changed(rt->table, (unsigned)ndm->ndm_ifindex, &ip, state,
		tb[NDA_LLADDR] && nla_len(tb[NDA_LLADDR]) == 6 ? nla_data(tb[NDA_LLADDR]) : no_mac);
}

static void route_event(struct rtnetlink *rt, struct nlmsghdr *nlh)
{
	struct nlattr *tb[RTA_MAX + 1];
	static const struct addr anything;
	const struct rtmsg *rtm = nlmsg_data(nlh);
	struct addr net = {0};

	if (nlmsg_parse(nlh, sizeof(*rtm), tb, RTA_MAX, NULL) < 0 || rtm->rtm_flags & RTM_F_CLONED)
		return;
	if (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6)
		return;
	if (++rt->route_events > ROUTE_EVENTS_A_ROUND)
		return;
	/* The default route carries no destination. */
	if (!addr_from_attr(&net, rtm->rtm_family, tb[RTA_DST]))
		net.family = rtm->rtm_family == AF_INET ? 4 : 6;
	/* An address of ours comes and goes: it is told before its routes are done, and whoever
	 * sends from it has had half an answer until then. */
	if (rtm->rtm_type == RTN_LOCAL)
		nexthop_route_changed(rt->table, &anything, 0);
	else
		nexthop_route_changed(rt->table, &net, rtm->rtm_dst_len);
}

static void handle_event(struct rtnetlink *rt, struct nlmsghdr *nlh)
{
	static const struct addr anything;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link_event(rt, nlh);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		neighbour_event(rt, nlh);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route_event(rt, nlh);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		nexthop_route_changed(rt->table, &anything, 0);
		break;
	default:
		break;
	}
}

static void monitor_ready(struct loop_fd *lf, uint32_t epoll_events)
{
	struct rtnetlink *rt = container_of(lf, struct rtnetlink, monitor_fd);
	static _Alignas(NLMSG_ALIGNTO) uint8_t buffer[DATAGRAM_MAX];
	static const struct addr anything;

	(void)epoll_events;
	rt->route_events = 0;
	for (unsigned i = 0; i < DATAGRAMS_A_ROUND; i++) {
		ssize_t got = recv(lf->fd, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_TRUNC);
		int len = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != ENOBUFS)
			break;
		if (got < 0 || got > (ssize_t)sizeof(buffer)) {
			log_limited(LOG_LEVEL_WARN,
				"dataplane: network events were lost, reading everything again");
			for (uint8_t side = 0; side < SIDE_COUNT; side++)
				refresh_device(rt, side);
			nexthop_resync(rt->table);
			continue;
		}
		for (struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)buffer; nlmsg_ok(nlh, len);
			nlh = nlmsg_next(nlh, &len))
			handle_event(rt, nlh);
	}
	if (rt->route_events > ROUTE_EVENTS_A_ROUND)
		nexthop_route_changed(rt->table, &anything, 0);
}

static int open_socket(struct nl_sock **out)
{
	int ret;

	*out = nl_socket_alloc();
	if (!*out)
		return -ENOMEM;
	nl_socket_disable_seq_check(*out);
	nl_socket_disable_auto_ack(*out);
	ret = nl_connect(*out, NETLINK_ROUTE);
	return ret < 0 ? -EPROTO : 0;
}

int rtnetlink_open(struct rtnetlink **out, struct loop *loop)
{
	struct rtnetlink *rt = calloc(1, sizeof(*rt));
	int ret;

	if (!rt)
		return -ENOMEM;
	rt->loop = loop;
	ret = open_socket(&rt->request);
	if (ret)
		goto fail;
	ret = open_socket(&rt->monitor);
	if (ret)
		goto fail;
	*out = rt;
	return 0;
fail:
	nl_socket_free(rt->monitor);
	nl_socket_free(rt->request);
	free(rt);
	return ret;
}

void rtnetlink_close(struct rtnetlink *rt)
{
	if (!rt)
		return;
	if (rt->table)
		loop_fd_remove(rt->loop, &rt->monitor_fd);
	nl_socket_free(rt->monitor);
	nl_socket_free(rt->request);
	free(rt);
}

int rtnetlink_watch(struct rtnetlink *rt, struct nexthop_table *table,
	void (*changed)(void *ctx, uint8_t side, unsigned ifindex), void *ctx)
{
	const int bytes = RECEIVE_BUFFER_BYTES;
	int ret;

	/* Past net.core.rmem_max, which CAP_NET_ADMIN permits. */
	if (setsockopt(nl_socket_get_fd(rt->monitor), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		    sizeof(bytes)))
		nl_socket_set_buffer_size(rt->monitor, RECEIVE_BUFFER_BYTES, 0);
	if (nl_socket_add_memberships(rt->monitor, RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE,
		    RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,
		    RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, 0) < 0)
		return -EPERM;
	rt->monitor_fd.fd = nl_socket_get_fd(rt->monitor);
	rt->monitor_fd.ready = monitor_ready;
	ret = loop_fd_add(rt->loop, &rt->monitor_fd, EPOLLIN);
	if (ret)
		return ret;
	rt->table = table;
	rt->changed = changed;
	rt->changed_ctx = ctx;
	for (uint8_t side = 0; side < SIDE_COUNT; side++)
		refresh_device(rt, side);
	return 0;
}
