/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/flow_encode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define DSCP_MAX           63
#define V4_MAPPED_BITS     96 /* of ::ffff:0:0/96 */
#define NSEC_PER_SEC       1000000000ull
#define CLOCK_MULT_SHIFT   32 /* (ns >> 10) * mult >> 22: 32 bits of fraction in all */
#define PAYLOAD_TYPE_LIMIT 128

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* A flow's two parts, before and behind a stream that is not the flow's. */
#define HEAD_BYTES offsetof(struct vd_flow, own)
#define TAIL_AT    offsetof(struct vd_flow, out_src_high)
#define TAIL_BYTES (sizeof(struct vd_flow) - TAIL_AT)

_Static_assert(TAIL_AT == HEAD_BYTES + sizeof(struct vd_stream), "nothing lies between");

void flow_map_address(uint8_t out[16], const struct addr *a)
{
	if (a->family == 4) {
		memcpy(out, v4_mapped, sizeof(v4_mapped));
		memcpy(out + sizeof(v4_mapped), a->ip, 4);
	} else {
		memcpy(out, a->ip, 16);
	}
}

void flow_unmap_address(struct addr *out, const uint8_t in[16], uint16_t port)
{
	memset(out, 0, sizeof(*out));
	out->port = port;
	if (memcmp(in, v4_mapped, sizeof(v4_mapped)) == 0) {
		out->family = 4;
		memcpy(out->ip, in + sizeof(v4_mapped), 4);
	} else {
		out->family = 6;
		memcpy(out->ip, in, 16);
	}
}

uint32_t flow_clock_mult(uint32_t clock_rate_hz)
{
	uint64_t mult =
		(((uint64_t)clock_rate_hz << CLOCK_MULT_SHIFT) + NSEC_PER_SEC / 2) / NSEC_PER_SEC;

	return mult > UINT32_MAX ? UINT32_MAX : (uint32_t)mult;
}

bool flow_sends(const struct dataplane_flow *spec)
{
	return !spec->blackhole && spec->out_remote.family && spec->out_remote.port;
}

static bool family_ok(const struct addr *a)
{
	return a->family == 4 || a->family == 6;
}

int flow_check(const struct dataplane_flow *spec)
{
	if (spec->in_side >= SIDE_COUNT || spec->out_side >= SIDE_COUNT)
		return -EINVAL;
	if (!family_ok(&spec->local) || (!spec->unindexed && !spec->local.port))
		return -EINVAL;
	if (spec->remote.family && spec->remote.family != spec->local.family)
		return -EINVAL;
	if (spec->latch && spec->remote.family &&
		spec->latch_prefix > (spec->remote.family == 4 ? 32u : 128u))
		return -EINVAL;
	if (flow_sends(spec) && (!family_ok(&spec->out_remote) || !spec->out_local.port ||
					spec->out_local.family != spec->out_remote.family))
		return -EINVAL;
	if (spec->dscp > DSCP_MAX || spec->pt_count > VD_PT_MAP_MAX)
		return -EINVAL;
	if (spec->rtcp && (spec->mux || spec->opaque))
		return -EINVAL;
	for (unsigned i = 0; i < spec->pt_count; i++) {
		if (spec->pt_from[i] >= PAYLOAD_TYPE_LIMIT || spec->pt_to[i] >= PAYLOAD_TYPE_LIMIT)
			return -EINVAL;
	}
	return 0;
}

static uint16_t encode_flags(const struct dataplane_flow *spec)
{
	uint16_t flags = 0;

	if (spec->latch)
		flags |= VD_FLOW_LATCH;
	if (spec->opaque)
		flags |= VD_FLOW_OPAQUE;
	if (spec->rtcp)
		flags |= VD_FLOW_RTCP;
	if (spec->mux)
		flags |= VD_FLOW_MUX;
	/* Of SRTCP only the header's first eight bytes are in the clear (RFC 3711 3.4). */
	if ((spec->rtcp || spec->mux) && !spec->secure)
		flags |= VD_FLOW_RTCP_COPY;
	if (spec->pt_count)
		flags |= VD_FLOW_PT_MAP;
	if (flow_sends(spec) && spec->out_remote.family == 6)
		flags |= VD_FLOW_OUT_V6;
	if (spec->local.family == 6)
		flags |= VD_FLOW_IN_V6;
	if (!flow_sends(spec))
		flags |= VD_FLOW_BLACKHOLE;
	if (spec->secure)
		flags |= VD_FLOW_SECURE;
	return flags;
}

/* Ones' complement sum (RFC 1071) over 16-bit words in network order, as host numbers. */
static uint32_t sum_words(const uint8_t *p, unsigned len)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

bool flow_encoded_equal(const struct vd_flow *a, const struct vd_flow *b)
{
	return memcmp(a, b, HEAD_BYTES) == 0 &&
	       memcmp((const uint8_t *)a + TAIL_AT, (const uint8_t *)b + TAIL_AT, TAIL_BYTES) == 0;
}

void flow_copy(struct vd_flow *to, const struct vd_flow *from)
{
	memcpy(to, from, HEAD_BYTES);
	memcpy((uint8_t *)to + TAIL_AT, (const uint8_t *)from + TAIL_AT, TAIL_BYTES);
}

void flow_encode(struct vd_flow *out, const struct dataplane_flow *spec, uint32_t stream,
	uint32_t nexthop, uint32_t rtcp_flow)
{
	uint8_t source[16], destination[16];
	uint32_t sum = 0;

	memset(out, 0, HEAD_BYTES);
	memset((uint8_t *)out + TAIL_AT, 0, TAIL_BYTES);
	out->flags = encode_flags(spec);
	out->stream = stream;
	out->nexthop = nexthop;
	out->rtcp_flow = rtcp_flow;
	out->clock_mult = flow_clock_mult(spec->clock_rate);
	out->dscp = spec->dscp;
	out->te_pt = spec->te_pt;
	out->cookie = spec->cookie;
	memset(out->pt_from, 0xff, sizeof(out->pt_from));
	memset(out->pt_to, 0xff, sizeof(out->pt_to));
	memcpy(out->pt_from, spec->pt_from, spec->pt_count);
	memcpy(out->pt_to, spec->pt_to, spec->pt_count);

	if (spec->remote.family) {
		flow_map_address(out->src_addr, &spec->remote);
		out->src_prefix = 128;
		out->src_port_be = htons(spec->remote.port);
		if (spec->latch) {
			out->src_port_be = 0;
			out->src_prefix =
				(uint8_t)(spec->latch_prefix +
					  (spec->remote.family == 4 ? V4_MAPPED_BITS : 0));
		}
	} else if (spec->latch) {
		/* Anyone of that family may be the one. */
		if (spec->local.family == 4) {
			memcpy(out->src_addr, v4_mapped, sizeof(v4_mapped));
			out->src_prefix = V4_MAPPED_BITS;
		}
	} else {
		/* Admits none but a packet from 0.0.0.0:0, which then goes nowhere. */
		out->src_prefix = 128;
		out->flags |= VD_FLOW_BLACKHOLE;
	}
	if (flow_sends(spec)) {
		flow_map_address(source, &spec->out_local);
		flow_map_address(destination, &spec->out_remote);
		memcpy(out->out_src_high, source, sizeof(out->out_src_high));
		memcpy(&out->out_src_low, source + sizeof(out->out_src_high),
			sizeof(out->out_src_low));
		memcpy(out->out_dst_high, destination, sizeof(out->out_dst_high));
		memcpy(&out->out_dst_low, destination + sizeof(out->out_dst_high),
			sizeof(out->out_dst_low));
		out->out_sport_be = htons(spec->out_local.port);
		out->out_dport_be = htons(spec->out_remote.port);
		sum = sum_words(source, 16) + sum_words(destination, 16) + spec->out_local.port +
		      spec->out_remote.port;
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		out->out_csum = (uint16_t)sum;
	}
}
