# SPDX-License-Identifier: BSD-2-Clause
# Makes of include/viaduct_xdp.h another layout: whoever reads the maps of the one by the other's header
# reads nonsense. Ports are longer and the other way round, flows tell streams and ports in another order.
s/^#define VD_LAYOUT_VERSION .*/#define VD_LAYOUT_VERSION 0/
/^struct vd_port {/,/^};/ {
	s/__u32 flow;/__u32 pad; __u32 spare[2];/
	t
	s/__u32 pad; /__u32 flow;/
}
/^struct vd_flow {/,/^};/ {
	s/__u32 stream; /__u32 nexthop; /
	t
	s/__u32 nexthop; /__u32 stream; /
	t
	s/__be16 out_sport_be;/__be16 out_dport_be;/
	t
	s/__be16 out_dport_be;/__be16 out_sport_be;/
}
$ i\
#define VD_BEFORE(type, one, other)                                                                \\\
	_Static_assert(__builtin_offsetof(struct type, one) <                                      \\\
			       __builtin_offsetof(struct type, other),                             \\\
		"changed")\
VD_BEFORE(vd_port, spare, flow);\
VD_BEFORE(vd_flow, nexthop, stream);\
VD_BEFORE(vd_flow, out_dport_be, out_sport_be);\
_Static_assert(VD_LAYOUT_VERSION == 0 && sizeof(struct vd_port) == 16, "changed");
