/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the XDP program and the daemon share: map names, layouts, verdict reasons, events.
 *
 * A change of anything here that an older daemon or program would misread raises
 * VD_LAYOUT_VERSION: the pin directory carries it, so that layouts never mix.
 *
 * Addresses: 16 bytes, network order; IPv4 as ::ffff:a.b.c.d. Ports and VLAN ids in flows:
 * network order where the name says be, host order elsewhere. */
#ifndef VIADUCT_XDP_H
#define VIADUCT_XDP_H

#include <linux/types.h>

#define VD_LAYOUT_VERSION 7

/* Sizes the program is built for; the daemon sizes maps at load to what the configuration asks. */
#define VD_LOCALS_MAX   16    /* media addresses of ours, both sides and families together */
#define VD_PT_MAP_MAX   6     /* payload types that differ between the two legs of one stream */
#define VD_NEXTHOPS_MAX 16384 /* one per distinct {egress side, next hop, VLAN} in use */
#define VD_DEVICES_MAX  64

/* ---- locals: which packets are media for us ------------------------------------------------
 * Array map "vd_locals" with one element; the program scans it in order. A packet matches when it
 * came in by ifindex with that VLAN to that address. Its flow slot is ports[port_base + (dst port
 * - port_min)]. The whole element is replaced by one map update on reload; old entries keep their
 * port_base while flows live. With several addresses on one device the scan's branches cannot be
 * foreseen: a program that was told so at load looks first at the entry that likely[] names for the
 * address's last four bytes. */
struct vd_local {
	__u8 addr[16];
	__u32 ifindex;
	__u32 port_base;          /* index of port_min's slot in vd_ports */
	__u16 port_min, port_max; /* host order, inclusive */
	__u16 vlan;               /* VLAN id, 0 = untagged */
	__u8 side;                /* 0 internal, 1 external */
	__u8 family;              /* 4 or 6 */
};

#define VD_LOCALS_LIKELY 32
/* low: as the bytes lie in memory. */
#define VD_LOCALS_LIKELY_AT(low, factor) ((__u32)((__u32)(low) * (__u32)(factor)) >> 27)

struct vd_locals {
	__u32 count;
	__u32 batched; /* bit a device of vd_devices: packets for it wait, see batches */
	__u32 factor; /* such that no two addresses share a place in likely[], where there is one */
	__u8 likely[VD_LOCALS_LIKELY]; /* indices in local[], by VD_LOCALS_LIKELY_AT */
	__u8 pad[20];
	struct vd_local local[VD_LOCALS_MAX];
};

/* ---- ports: local address and port -> flow ---------------------------------------------------
 * Array map "vd_ports". This is the {side, local address, local port} table: direct, never full,
 * never evicting. Publishing or replacing a flow is one aligned 32-bit store to flow. */
struct vd_port {
	__u32 flow; /* index in vd_flows, 0 = no flow (flow 0 is never used) */
	__u32 pad;  /* elements of an array map are 8 bytes apart */
};

/* ---- exits: by which device leaves what comes to a port ---------------------------------------
 * Array map "vd_exits", mmap-able: VD_EXIT_PORTS ports an element, VD_EXIT_BITS a port. All that a
 * packet which is to wait (see batches) is asked for at once, so small that the caches keep it.
 * 0: no flow, or one that leads nowhere; else the flow's egress device, an index in vd_devices,
 * plus 1. Written after the port, and a hint: the next hop decides. */
#define VD_EXIT_BITS     2
#define VD_EXIT_MASK     3 /* the devices of both sides, and one to spare */
#define VD_EXIT_PER_BYTE 4
#define VD_EXIT_PORTS    256

struct vd_exits {
	__u8 ports[VD_EXIT_PORTS / VD_EXIT_PER_BYTE]; /* the lowest port in the lowest bits */
};

/* ---- streams: statistics and what the program learns -----------------------------------------
 * One lies in each element of "vd_flows", see there: user space reads without a system call.
 * packets and bytes are exact under any number of CPUs; max_seq too; jitter is an estimate by
 * nature. User space writes a whole element of zeroes before a flow that names it is published, and
 * sets latch_state back to VD_LATCH_OPEN to reopen a latch; all else is the program's. Reading:
 * packets are packets_apart + received_ssrc: what is counted once need not be twice: each atomic
 * addition costs every packet. While VD_STREAM_BUSY is set some are on their way from the one to
 * the other. lost now = lost_before + max(0, ext_max_seq - base_seq + 1 - received_ssrc). */
enum vd_stream_flags {
	VD_STREAM_STARTED =
		1 << 0,          /* a packet was counted: ssrc and base_seq valid where it is RTP */
	VD_STREAM_BUSY = 1 << 1, /* a CPU is starting the sequence anew; lasts nanoseconds */
};

struct vd_stream {
	/* first cache line: written by every packet */
	__u64 packets_apart; /* received from the admitted source and not in received_ssrc: of
			      * earlier SSRCs, behind a big jump, or opaque */
	__u64 bytes;         /* UDP payload bytes of all */
	__u64 last_seen_ns;  /* CLOCK_MONOTONIC of the last packet, RTP or RTCP; coarse */
	union {
		struct {
			__u32 ext_max_seq;   /* RFC 3550 A.1: cycles << 16 | highest seen */
			__u32 received_ssrc; /* packets of this SSRC since base_seq */
		};
		__u64 sequence; /* both, changed by one compare-and-swap */
	};
	union {
		struct {
			__u32 transit; /* RFC 3550 A.8: of the last packet, ticks */
			__u32 jitter;  /* RFC 3550 A.8: scaled by 16, ticks */
		};
		__u64 timing; /* both, in one store */
	};
	__u32 ssrc;
	__u32 flags;        /* enum vd_stream_flags */
	__u32 base_seq;     /* first sequence number of the current SSRC */
	__u32 out_of_order; /* arrived with a sequence number below the highest seen */
	__u32 ssrc_changes;
	__u32 lost_before; /* lost, summed over earlier SSRCs of this stream */
	/* second cache line: latch, RTCP, telephone-events */
	__u32 latch_state; /* enum vd_latch_state */
	__be16 latched_port_be;
	__u16 te_event; /* telephone-event in progress: event | 0x8000, else 0 */
	__u8 latched_addr[16];
	__u64 rtcp_packets; /* RTCP packets received */
	union {
		struct {
			__u32 te_timestamp; /* RTP timestamp of the last telephone-event reported */
			__u32 te_reported;  /* 1 once te_timestamp is valid */
		};
		__u64 te_told; /* both, changed by one compare-and-swap */
	};
	__u32 dropped_source; /* packets from strangers */
	__u32 bad_seq;        /* RFC 3550 A.1: the one after a big jump, | VD_BAD_SEQ_SET, else 0 */
	__u32 event_second;   /* the second, CLOCK_MONOTONIC, that event_count counts in */
	__u32 event_count; /* events of this stream in that second: VD_EVENTS_PER_SECOND at most */
	__u32 mac_second;  /* the second of its last VD_EVENT_SOURCE_MAC */
	__u8 pad[4];
};
/* 128 bytes. */
#define VD_BAD_SEQ_SET (1u << 16)

/* ---- flows: one direction of one component (RTP, or RTCP, or both where muxed) ---------------
 * Array map "vd_flows", mmap-able. Written by user space before it is published in vd_ports, and
 * never changed afterwards save for rtcp_flow, in one store, and what the program writes (src_mac).
 * To change a flow, user space fills another slot and swings the vd_ports entry; a slot that was
 * live is filled again no sooner than VD_FLOW_GRACE_MS after it was unpublished. An element is two
 * things that live apart, a flow and a stream, and is taken as long as either is. A flow counts in
 * its own element's stream, but for the while that it is somewhere else because it was changed:
 * user space takes it home to its stream once that is possible. Thus what each packet needs of both
 * is one pair of cache lines, which comes from memory as one. */
#define VD_FLOW_GRACE_MS 1000

enum vd_flow_flags {
	VD_FLOW_LATCH = 1 << 0,     /* may lock once onto a source in the prefix */
	VD_FLOW_OPAQUE = 1 << 1,    /* not RTP (udptl): no RTP checks, packets and bytes only */
	VD_FLOW_RTCP = 1 << 2,      /* this component is RTCP alone */
	VD_FLOW_MUX = 1 << 3,       /* RTP and RTCP on one port (RFC 5761) */
	VD_FLOW_RTCP_COPY = 1 << 4, /* SR, RR, XR, BYE: copy to user space (rate-limited) */
	VD_FLOW_PT_MAP = 1 << 5,    /* pt_from/pt_to hold something */
	VD_FLOW_OUT_V6 = 1 << 6,    /* leaves as IPv6 */
	VD_FLOW_IN_V6 = 1 << 7,     /* arrives as IPv6 */
	VD_FLOW_BLACKHOLE = 1 << 8, /* known, deliberately not forwarded (no destination yet, or on
				     * hold): counted under "held", statistics are kept */
	VD_FLOW_SECURE = 1 << 9,    /* SRTP passing through: RTCP payload is not readable */
};

enum vd_latch_state { VD_LATCH_OPEN, VD_LATCH_BUSY, VD_LATCH_LOCKED };

struct vd_flow {
	/* first cache line: all that a packet needs which leaves as IPv4 with its payload type as
	 * it came */
	__u8 src_addr[16];  /* expected source; under latching: the prefix it must lie in */
	__be16 src_port_be; /* 0 = any port of the source (only with VD_FLOW_LATCH) */
	__u16 flags;
	__u32 stream;     /* index in vd_flows, whose own it is: statistics, latch state */
	__u32 nexthop;    /* index in vd_nexthops */
	__u32 rtcp_flow;  /* VD_FLOW_MUX with the other leg not muxed: flow that RTCP takes, else 0
			   */
	__u32 clock_mult; /* RTP clock: ticks = ((ns >> 10) * clock_mult) >> 22; 0 = no jitter */
	__u8 src_prefix;  /* bits of src_addr that count, IPv6 scale (IPv4 /24 = 120) */
	__u8 dscp;        /* 0..63 */
	__u8 ttl;         /* ttl/hop limit to send with; 0 = the received one less one */
	__u8 te_pt;       /* telephone-event payload type on this leg, 0xff = none */
	__be32 out_src_low; /* addresses that it leaves with: the last 4 bytes, IPv4's all */
	__be32 out_dst_low;
	__be16 out_sport_be;
	__be16 out_dport_be;
	/* L3+L4 pseudo-header and port difference between what a packet of this flow arrives with
	 * and leaves with depends on its source (latching), so only the constant part is kept:
	 * ones' complement sum of both 16-byte out addresses + ports, folded to 16 bits, host
	 * order. */
	__u16 out_csum;
	__u8 pad1[2];
	__u32 cookie; /* the daemon's own, comes back in events */
	/* The program's own: the last four bytes of the MAC address that its packets come from, as
	 * they lie in memory; 0 = not known. */
	__u32 src_mac;
	/* second and third cache line */
	struct vd_stream own; /* not the flow's: that of whoever names this element as its stream */
	/* fourth cache line: the rest of IPv6's addresses, and payload types to change */
	__u8 out_src_high[12]; /* IPv4: as the mapped address has it */
	__u8 out_dst_high[12];
	__u8 pt_from[VD_PT_MAP_MAX];
	__u8 pt_to[VD_PT_MAP_MAX];
	__u8 pad3[28];
};
/* 256 bytes: four cache lines. */

/* ---- next hops --------------------------------------------------------------------------------
 * Array map "vd_nexthops". One gateway's new MAC is one update here. */
enum vd_nexthop_flags { VD_NEXTHOP_VALID = 1 };

struct vd_nexthop {
	__u8 dmac[6];
	__u8 smac[6];
	__u16 vlan;    /* VLAN id to send with, 0 = untagged */
	__u16 flags;   /* enum vd_nexthop_flags; not VALID: packets are counted no_neighbour */
	__u32 device;  /* index in the DEVMAP "vd_devices", whose values are __u32 ifindexes */
	__u32 mtu;     /* of the egress device: L3 bytes */
	__u32 ifindex; /* of the egress device */
	__u32 pad;
};

/* ---- clock ------------------------------------------------------------------------------------
 * The program's own, in its .bss, an element a CPU: never pinned, nothing for user space but tests.
 */
struct vd_clock {
	__u64 ns; /* CLOCK_MONOTONIC, as last read */
	__u64 jiffies;
	__u32 share; /* packets, besides the one that read it, that this reading is for */
	__u32 left;  /* of those, still to come */
	__u64 pad[5];
};

/* ---- batches ----------------------------------------------------------------------------------
 * Array map "vd_batches", an element a CPU. With many streams each packet's flow and stream lie in
 * no cache, and waiting for memory is most of what it costs. Where vd_locals says so, packets are
 * therefore not finished as they come: they are redirected as they are, the kernel gathers up to
 * VD_BATCH_MAX for one device, and a second program finishes them there, one after the other,
 * having first asked for the flows, and the streams beside them, of all of them at once. What
 * stands here says only what to ask for: a packet that is taken up again is looked at anew. */
#define VD_BATCH_MAX 16 /* DEV_MAP_BULK_SIZE of the kernel */

struct vd_batch {
	__u32 waiting; /* packets redirected since the second program last began */
	__u32 dropped; /* by the second program, since the driver was last given packets */
	__u32 pad[14];
	__u32 port[VD_BATCH_MAX]; /* theirs: indices in vd_ports */
	__u32 flow[VD_BATCH_MAX]; /* what stood there */
};

/* ---- counters ---------------------------------------------------------------------------------
 * Per-CPU array map "vd_counters" of struct vd_counter, index = side * VD_REASON_MAX + reason.
 * Every packet that enters the program is counted exactly once: forwarded, passed, or dropped. */
struct vd_counter {
	__u64 packets;
	__u64 bytes; /* frame bytes */
};

/* X(name, verdict, what it means). Order is ABI within one layout version. */
#define VD_REASONS(X)                                                                              \
	X(FORWARDED, TX, "RTP or RTCP sent on")                                                    \
	X(PASS_NOT_IP, PASS, "ARP, LLDP and other non-IP")                                         \
	X(PASS_NOT_OURS, PASS, "not UDP to a media address and port of ours")                      \
	X(PASS_FRAGMENT, PASS, "an IP fragment to one of our media addresses")                     \
	X(PASS_OPTIONS, PASS, "IPv4 options or IPv6 extension headers, to one of our addresses")   \
	X(PASS_ICMP, PASS, "ICMP and ICMPv6 to one of our media addresses, ND included")           \
	X(DROP_MALFORMED, DROP, "lengths that do not add up")                                      \
	X(DROP_NO_FLOW, DROP, "media port without a call")                                         \
	X(DROP_SOURCE, DROP, "not from the admitted source")                                       \
	X(DROP_TTL, DROP, "TTL or hop limit of 1 or less")                                         \
	X(DROP_STUN, DROP, "STUN on a media port (RFC 7983 0-3)")                                  \
	X(DROP_DTLS, DROP, "DTLS on a media port (RFC 7983 20-63)")                                \
	X(DROP_NOT_RTP, DROP, "neither RTP nor RTCP version 2")                                    \
	X(DROP_HELD, DROP, "the other leg takes no media now")                                     \
	X(DROP_NO_NEIGHBOUR, DROP, "the next hop is not resolved")                                 \
	X(DROP_MTU, DROP, "too big for the egress device")                                         \
	X(DROP_ADJUST, DROP, "no room to change the header size")                                  \
	X(DROP_REDIRECT, DROP, "the egress device is not in the device map")                       \
	X(DROP_LATCH_BUSY, DROP, "came while another packet was locking the source")               \
	X(DROP_ZERO_CSUM, DROP, "IPv6 UDP without a checksum")

#define VD_REASON_ENUM(name, verdict, text) VD_##name,
enum vd_reason { VD_REASONS(VD_REASON_ENUM) VD_REASON_MAX };

/* ---- events -----------------------------------------------------------------------------------
 * Ring buffer "vd_events". Bounded: what finds no room is counted in vd_event_lost (a per-CPU
 * array of one __u64). SSRC, DTMF_END and RTCP, which the peer can provoke, are limited to
 * VD_EVENTS_PER_SECOND a stream; what exceeds it is counted as lost too. RTCP copies hold
 * VD_EVENT_RTCP_BYTES at most. FIRST_PACKET and LATCHED come once a stream, SOURCE_MAC once a
 * second at most, REFUSED whenever what a stream refused has doubled, 33 times until it wraps, and
 * while no more than half of the ring is taken. */
#define VD_EVENT_RTCP_BYTES  128
#define VD_EVENTS_PER_SECOND 32

enum vd_event_type {
	VD_EVENT_FIRST_PACKET = 1, /* of a stream since it was published */
	VD_EVENT_LATCHED,          /* locked onto addr:port */
	VD_EVENT_SSRC,             /* value = the new SSRC */
	VD_EVENT_DTMF_END,         /* value = event | duration << 16 (RFC 4733, timestamp units) */
	VD_EVENT_RTCP,             /* data = the packet's first len bytes */
	VD_EVENT_SOURCE_MAC,       /* value, before: what vd_flow.src_mac is now, and was */
	VD_EVENT_REFUSED,          /* addr:port is not admitted; value = packets refused so far */
};

struct vd_event {
	__u32 type;
	__u32 cookie; /* of the flow */
	__u32 stream;
	__u32 value;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u8 addr[16]; /* source of the packet */
	__be16 port_be;
	__u16 len; /* bytes in data; sizeof(struct vd_event) + len is the record's size */
	__u32 before;
	__u8 data[];
};

/* Pins live in <bpffs>/viaduct-<instance>/v<VD_LAYOUT_VERSION>/ under the maps' names. */

#endif
