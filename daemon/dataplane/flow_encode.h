/* SPDX-License-Identifier: BSD-2-Clause */
/* A flow as the kernel program reads it. Pure functions. */
#ifndef VIADUCT_DATAPLANE_FLOW_ENCODE_H
#define VIADUCT_DATAPLANE_FLOW_ENCODE_H

#include "dataplane/dataplane.h"

/* 0, or -EINVAL for a specification that contradicts itself. */
int flow_check(const struct dataplane_flow *spec);
/* Whether packets of it are sent on: not a blackhole, and a destination is known. */
bool flow_sends(const struct dataplane_flow *spec);
/* Of the two elements what is the flow's, and not the stream's that lies there as well. */
bool flow_encoded_equal(const struct vd_flow *a, const struct vd_flow *b);
/* Makes the one's flow the other's. */
void flow_copy(struct vd_flow *to, const struct vd_flow *from);
/* Leaves alone the stream that lies in the same element. spec passed flow_check(). rtcp_flow: index
 * in vd_flows, 0 = none. */
void flow_encode(struct vd_flow *out, const struct dataplane_flow *spec, uint32_t stream,
	uint32_t nexthop, uint32_t rtcp_flow);
/* IPv4 as ::ffff:a.b.c.d, the way the program compares addresses. */
void flow_map_address(uint8_t out[16], const struct addr *a);
void flow_unmap_address(struct addr *out, const uint8_t in[16], uint16_t port);
/* What turns nanoseconds into RTP timestamp units: see vd_flow.clock_mult. */
uint32_t flow_clock_mult(uint32_t clock_rate_hz);

#endif
