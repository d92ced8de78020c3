/* SPDX-License-Identifier: BSD-2-Clause */
#include "traffic.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "generator.skel.h"
#include "tool.h"

#define RTP_VERSION_2 0x80
#define RTP_PCMA      8 /* payload type, RFC 3551 table 4 */
#define PCMA_SILENCE  0xd5
#define TTL           64

struct traffic_shape traffic_shape_parse(const char *text)
{
	struct traffic_shape shape = {.v6 = *text == '6'};
	const char *at = text + (*text == '4' || *text == '6');

	shape.tagged = *at == 'v';
	at += shape.tagged;
	shape.back = *at == 'b';
	at += shape.back;
	if (at == text || *at != '-')
		tool_fail(0, "'%s' is no shape of frames, such as 4-214 or 6v-60", text);
	shape.bytes = (unsigned)tool_number(at + 1, TRAFFIC_BYTES_MIN, TRAFFIC_BYTES_MAX);
	return shape;
}

unsigned traffic_media_bytes(const struct traffic_shape *shape)
{
	return shape->bytes - TRAFFIC_HEAD_BYTES + sizeof(struct rtp_header);
}

static unsigned ip_offset(const struct traffic_shape *shape)
{
	return ETH_HLEN + (shape->tagged ? GENERATOR_TAG_BYTES : 0);
}

static unsigned ip_bytes(const struct traffic_shape *shape)
{
	return shape->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static uint32_t csum_add(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < len; i += 2) {
		uint16_t word;

		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void fill_ethernet(uint8_t *frame, const struct traffic_options *o)
{
	uint16_t type = htons(o->shape.v6 ? ETH_P_IPV6 : ETH_P_IP);
	const uint16_t tag[] = {htons(ETH_P_8021Q), htons(GENERATOR_VLAN)};
	uint8_t *at = frame + offsetof(struct ethhdr, h_proto);

	if (o->source_mac)
		memcpy(frame + ETH_ALEN, o->source_mac, ETH_ALEN);
	if (o->dest_mac)
		memcpy(frame, o->dest_mac, ETH_ALEN);
	if (o->shape.tagged) {
		memcpy(at, tag, sizeof(tag));
		at += sizeof(tag);
	}
	memcpy(at, &type, sizeof(type));
}

/* Returns the sum of both addresses. */
static uint32_t fill_ip(uint8_t *at, const struct traffic_shape *shape, unsigned udp_bytes)
{
	struct ipv6hdr ip6 = {.version = 6,
		.payload_len = htons(udp_bytes),
		.nexthdr = IPPROTO_UDP,
		.hop_limit = TTL};
	struct iphdr ip4 = {.version = 4,
		.ihl = sizeof(ip4) / 4,
		.tot_len = htons(sizeof(ip4) + udp_bytes),
		.frag_off = htons(0x4000), /* DF */
		.ttl = TTL,
		.protocol = IPPROTO_UDP};
	int family = shape->v6 ? AF_INET6 : AF_INET;
	void *source = shape->v6 ? (void *)&ip6.saddr : &ip4.saddr;
	void *dest = shape->v6 ? (void *)&ip6.daddr : &ip4.daddr;
	unsigned bytes = shape->v6 ? sizeof(ip6.saddr) : sizeof(ip4.saddr);

	inet_pton(family,
		shape->back ? TRAFFIC_DESTINATION_ADDRESS(shape->v6)
			    : TRAFFIC_SOURCE_ADDRESS(shape->v6),
		source);
	inet_pton(family,
		shape->back ? TRAFFIC_EXTERNAL_ADDRESS(shape->v6)
			    : TRAFFIC_INTERNAL_ADDRESS(shape->v6),
		dest);
	memcpy(at, shape->v6 ? (void *)&ip6 : &ip4, ip_bytes(shape));
	return csum_add(csum_add(0, source, bytes), dest, bytes);
}

/* All of the frame that no packet changes; returns the sum over it that the UDP checksum takes. */
static uint32_t fill_frame(struct traffic *t, const struct traffic_options *o)
{
	const struct traffic_shape *shape = &o->shape;
	unsigned media_bytes = traffic_media_bytes(shape);
	unsigned udp_bytes = sizeof(struct udphdr) + media_bytes;
	const uint16_t pseudo[] = {htons(IPPROTO_UDP), htons(udp_bytes)};
	uint8_t *udp_at = t->frame + ip_offset(shape) + ip_bytes(shape);
	struct udphdr udp = {.len = htons(udp_bytes)};
	struct rtp_header rtp = {.version = RTP_VERSION_2, .payload_type = RTP_PCMA};
	uint32_t sum;

	t->frame_bytes = (unsigned)(udp_at - t->frame) + udp_bytes;
	fill_ethernet(t->frame, o);
	sum = fill_ip(t->frame + ip_offset(shape), shape, udp_bytes);
	memcpy(udp_at, &udp, sizeof(udp));
	memcpy(udp_at + sizeof(udp), &rtp, sizeof(rtp));
	memset(udp_at + sizeof(udp) + sizeof(rtp), PCMA_SILENCE, media_bytes - sizeof(rtp));
	memset(udp_at + sizeof(udp) + sizeof(rtp), 0, GENERATOR_STAMP_BYTES);
	return csum_add(csum_add(sum, pseudo, sizeof(pseudo)), udp_at, udp_bytes);
}

/* Ports come first in a target. The template's destination with the last byte moved on; its IPv4
 * header's checksum; what the UDP checksum has more than the template's. */
static void fill_target(struct stream_target *target, const struct traffic *t,
	const struct traffic_options *o, unsigned stream)
{
	uint8_t header[sizeof(struct ipv6hdr)];
	unsigned bytes = ip_bytes(&o->shape);
	uint8_t *last = header + (o->shape.v6 ? bytes : sizeof(struct iphdr)) - 4;
	uint16_t check, without;

	memcpy(header, t->frame + ip_offset(&o->shape), bytes);
	without = (uint16_t)~csum_add(0, last, 4);
	last[3] += TRAFFIC_ADDRESSES_STEP * (stream / TRAFFIC_PORTS);
	check = (uint16_t)~csum_add(0, header, bytes);
	target->source = htons(o->ports ? o->ports[stream].source : traffic_port(stream));
	target->dest = htons(o->ports ? o->ports[stream].dest : traffic_port(stream));
	memcpy(target->address, last, sizeof(target->address));
	target->ip_check = check;
	target->sum = (uint16_t)csum_add(csum_add(without, last, 4), target, 4);
}

/* Streams follow each other in no order, as those of calls do, so that no cache guesses which is
 * next: the same in each run. */
static void fill_targets(const struct traffic *t, const struct traffic_options *o)
{
	static uint32_t order[TRAFFIC_STREAMS_MAX];
	uint64_t random = 1;

	for (uint32_t i = 0; i < o->streams; i++) {
		uint32_t other;

		random = random * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
		other = (uint32_t)((random >> 32) % (i + 1));
		order[i] = order[other];
		order[other] = i;
	}
	for (uint32_t i = 0; i < o->streams; i++)
		fill_target(&t->bpf->bss->targets[i], t, o, order[i]);
}

void traffic_open(struct traffic *t, const struct traffic_options *o)
{
	struct generator_bpf *bpf = generator_bpf__open();

	if (!bpf)
		tool_fail(-errno, "cannot open the generator program");
	memset(t, 0, sizeof(*t));
	t->shape = o->shape;
	bpf->rodata->to_measured = o->to_measured;
	bpf->rodata->stamped = o->stamped;
	bpf->rodata->v6 = o->shape.v6;
	bpf->rodata->ip_at = ip_offset(&o->shape);
	if (generator_bpf__load(bpf))
		tool_fail(-errno, "cannot load the generator program");
	bpf->bss->base_sum = fill_frame(t, o);
	memcpy(bpf->bss->head, t->frame, GENERATOR_HEAD_MAX);
	t->bpf = bpf;
	fill_targets(t, o);
	traffic_set_cpus(t, o->streams, 0, 1);
	/* A test run of a program that is attached nowhere first enters it in the kernel's XDP
	 * dispatcher, and takes it out at the end: 25 ms a call. So it is attached, where nothing
	 * passes. */
	t->link = bpf_program__attach_xdp(bpf->progs.generator, tool_device("lo"));
	if (!t->link)
		tool_fail(-errno, "cannot attach the generator program to lo");
	t->prog_fd = bpf_program__fd(bpf->progs.generator);
}

static void map_set(struct bpf_map *map, uint32_t value, const char *what)
{
	uint32_t zero = 0;
	int err = bpf_map_update_elem(bpf_map__fd(map), &zero, &value, BPF_ANY);

	if (err)
		tool_fail(err, "cannot set %s", what);
}

void traffic_set_wire(struct traffic *t, unsigned ifindex)
{
	map_set(t->bpf->maps.wire, ifindex, "the wire to send on");
}

void traffic_set_measured(struct traffic *t, int prog_fd)
{
	map_set(t->bpf->maps.measured, (uint32_t)prog_fd, "the program to measure");
}

void traffic_set_cpus(struct traffic *t, unsigned streams, unsigned first, unsigned count)
{
	if (first + count > GENERATOR_CPUS_MAX || count > streams)
		tool_fail(0, "%u streams cannot come from CPUs %u to %u", streams, first,
			first + count - 1);
	for (unsigned i = 0; i < count; i++) {
		struct generator_state *state = &t->bpf->bss->states[first + i];

		state->first = (uint32_t)((uint64_t)streams * i / count);
		state->count = (uint32_t)((uint64_t)streams * (i + 1) / count) - state->first;
	}
}

int traffic_send(struct traffic *t, unsigned count, unsigned batch)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = t->frame, .data_size_in = t->frame_bytes,
		.repeat = (int)count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch);

	return bpf_prog_test_run_opts(t->prog_fd, &opts);
}

double traffic_time(struct traffic *t, unsigned count, unsigned ifindex, enum xdp_action expected)
{
	struct xdp_md md = {.data_end = t->frame_bytes, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = t->frame, .data_size_in = t->frame_bytes,
		.ctx_in = &md, .ctx_size_in = sizeof(md), .repeat = (int)count);
	int err = bpf_prog_test_run_opts(t->prog_fd, &opts);

	if (err)
		tool_fail(err, "cannot run the program");
	if (opts.retval != expected)
		tool_fail(0, "the measured program's verdict is %u, not %u", opts.retval, expected);
	return opts.duration;
}

uint64_t traffic_sent(const struct traffic *t)
{
	uint64_t sent = 0;

	for (unsigned i = 0; i < GENERATOR_CPUS_MAX; i++)
		sent += t->bpf->bss->states[i].sent;
	return sent;
}

void traffic_close(struct traffic *t)
{
	bpf_link__destroy(t->link);
	generator_bpf__destroy(t->bpf);
	t->bpf = NULL;
}
