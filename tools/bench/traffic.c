/* SPDX-License-Identifier: BSD-2-Clause */
#include "traffic.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "generator.skel.h"
#include "tool.h"

#define RTP_VERSION_2 0x80
#define RTP_PCMA      8 /* payload type, RFC 3551 table 4 */
#define PCMA_SILENCE  0xd5
#define TTL           64

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

/* All of the head that no packet changes, and the sums over it. */
static void template_fill(
	struct frame_header *h, const uint8_t *source_mac, const uint8_t *dest_mac)
{
	const uint16_t udp_bytes = sizeof(h->udp) + sizeof(h->rtp) + TRAFFIC_PAYLOAD_BYTES;
	const uint16_t pseudo[] = {htons(IPPROTO_UDP), htons(udp_bytes)};
	uint8_t payload[TRAFFIC_PAYLOAD_BYTES];
	uint32_t sum;

	memset(h, 0, sizeof(*h));
	memset(payload, PCMA_SILENCE, sizeof(payload));
	if (source_mac)
		memcpy(h->eth.h_source, source_mac, ETH_ALEN);
	if (dest_mac)
		memcpy(h->eth.h_dest, dest_mac, ETH_ALEN);
	h->eth.h_proto = htons(ETH_P_IP);
	h->ip.version = 4;
	h->ip.ihl = sizeof(h->ip) / 4;
	h->ip.tot_len = htons(sizeof(h->ip) + udp_bytes);
	h->ip.frag_off = htons(0x4000); /* DF */
	h->ip.ttl = TTL;
	h->ip.protocol = IPPROTO_UDP;
	inet_pton(AF_INET, TRAFFIC_SOURCE_ADDRESS, &h->ip.saddr);
	inet_pton(AF_INET, TRAFFIC_INTERNAL_ADDRESS, &h->ip.daddr);
	h->ip.check = ~csum_add(0, &h->ip, sizeof(h->ip));
	h->udp.len = htons(udp_bytes);
	h->rtp.version = RTP_VERSION_2;
	h->rtp.payload_type = RTP_PCMA;

	sum = csum_add(0, &h->ip.saddr, sizeof(h->ip.saddr));
	sum = csum_add(sum, &h->ip.daddr, sizeof(h->ip.daddr));
	sum = csum_add(sum, pseudo, sizeof(pseudo));
	sum = csum_add(sum, &h->udp, sizeof(h->udp));
	sum = csum_add(sum, &h->rtp, sizeof(h->rtp));
	h->udp.check = csum_add(sum, payload, sizeof(payload));
}

void traffic_open(struct traffic *t, const uint8_t *source_mac, const uint8_t *dest_mac,
	const struct stream_ports *ports, unsigned streams, bool to_measured)
{
	struct generator_bpf *bpf = generator_bpf__open();

	if (!bpf)
		tool_fail(-errno, "cannot open the generator program");
	bpf->rodata->to_measured = to_measured;
	if (generator_bpf__load(bpf))
		tool_fail(-errno, "cannot load the generator program");
	template_fill((struct frame_header *)&bpf->bss->head, source_mac, dest_mac);
	bpf->data->stream_count = streams;
	for (unsigned i = 0; i < streams; i++) {
		uint16_t port = htons(TRAFFIC_PORT_MIN + 2 * i);

		bpf->bss->ports[i].source = ports ? ports[i].source : port;
		bpf->bss->ports[i].dest = ports ? ports[i].dest : port;
	}
	/* A test run of a program that is attached nowhere first enters it in the kernel's XDP
	 * dispatcher, and takes it out at the end: 25 ms a call. So it is attached, where nothing
	 * passes. */
	t->link = bpf_program__attach_xdp(bpf->progs.generator, tool_device("lo"));
	if (!t->link)
		tool_fail(-errno, "cannot attach the generator program to lo");
	t->bpf = bpf;
	t->prog_fd = bpf_program__fd(bpf->progs.generator);
	memcpy(t->frame, &bpf->bss->head, sizeof(struct frame_header));
	memset(t->frame + sizeof(struct frame_header), PCMA_SILENCE, TRAFFIC_PAYLOAD_BYTES);
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

int traffic_send(struct traffic *t, unsigned count, unsigned batch)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = t->frame, .data_size_in = sizeof(t->frame),
		.repeat = (int)count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = batch);

	return bpf_prog_test_run_opts(t->prog_fd, &opts);
}

double traffic_time(struct traffic *t, unsigned count, unsigned ifindex, enum xdp_action expected)
{
	struct xdp_md md = {.data_end = sizeof(t->frame), .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = t->frame, .data_size_in = sizeof(t->frame),
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
	return t->bpf->bss->sent;
}

void traffic_close(struct traffic *t)
{
	bpf_link__destroy(t->link);
	generator_bpf__destroy(t->bpf);
	t->bpf = NULL;
}
