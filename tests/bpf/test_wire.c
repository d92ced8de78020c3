/* SPDX-License-Identifier: BSD-2-Clause */
/* Random packets, many of them broken, over real wires: what comes out of a veth behind the
 * attached program, and what the stack is handed, is what the model says, byte for byte and in
 * order, and every packet is counted as that. VIADUCT_SEED and VIADUCT_WIRE_ROUNDS (of
 * PACKETS_A_ROUND packets) repeat a run.
 *
 *   near ---- internal   viaduct_xdp   external ---- far
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "random_world.h"
#include "viaduct.skel.h"

#define PACKETS_A_ROUND 512
#define ROUNDS          50
#define ROUNDS_FOR_ALL  1000 /* from so many on each reason is met */
#define BATCH           64   /* sent at once: a veth's ring holds 256 */
#define PATIENCE_MS     20000
#define PROBE_MS        10
#define LATE_US         100000
#define SOCKET_BYTES    (8 << 20)
#define TAG_BYTES       4
#define TAG_AT          12

enum end { NEAR, FAR, INTERNAL, EXTERNAL, ENDS };

static const char *const names[ENDS] = {"near", "far", "internal", "external"};

struct expected {
	struct model_answer answer;
	uint8_t in[FRAME_MAX];
	size_t in_len;
};

struct wire {
	struct random_world of;
	int passer;   /* a program without which a veth takes no redirected packets */
	int fd[ENDS]; /* frames that arrive there */
	struct expected expected[ENDS][BATCH];
	unsigned due[ENDS];
	struct vd_counter counted[LAB_SIDES][VD_REASON_MAX];
	uint64_t sent, reasons[VD_REASON_MAX];
	bool touched[LAB_FLOWS], jitter[LAB_FLOWS];
};

/* ---- the wires ---- */

static int load_passer(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "Dual BSD/GPL", insns, 2, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void set_device(const char *name)
{
	struct ethtool_value gro = {.cmd = ETHTOOL_SGRO};
	struct ifreq request = {.ifr_data = (char *)&gro};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &request), 0);
	assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

/* The kernel's own packets, as of neighbour discovery, are none of the test's. */
static void disable_ipv6(void)
{
	FILE *f = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w");

	if (!f)
		return;
	assert_true(fputs("1", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int open_end(const char *name)
{
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), one = 1, bytes = SOCKET_BYTES;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* A device that was just set up drops what is sent until the kernel has seen to its carrier. */
static void wait_until_open(int from, int to)
{
	uint8_t frame[ETH_ZLEN] = {[12] = 0x88, [13] = 0xb5}; /* for local experiments */
	struct pollfd p = {.fd = to, .events = POLLIN};
	unsigned tries = 0;

	do
		assert_int_equal(send(from, frame, sizeof(frame), 0), sizeof(frame));
	while (poll(&p, 1, PROBE_MS) == 0 && tries++ < PATIENCE_MS / PROBE_MS);
	while (recv(to, frame, sizeof(frame), 0) > 0)
		;
}

static void open_wire(struct wire *w, struct lab *lab)
{
	memset(w, 0, sizeof(*w));
	w->of.lab = lab;
	w->of.one_mac = true;
	w->passer = load_passer();
	disable_ipv6();
	for (unsigned i = 0; i < ENDS; i++) {
		set_device(names[i]);
		assert_int_equal(
			bpf_xdp_attach((int)if_nametoindex(names[i]),
				i < INTERNAL ? w->passer : lab->program, XDP_FLAGS_DRV_MODE, NULL),
			0);
	}
	for (unsigned i = 0; i < ENDS; i++)
		w->fd[i] = open_end(names[i]);
	wait_until_open(w->fd[NEAR], w->fd[INTERNAL]);
	wait_until_open(w->fd[FAR], w->fd[EXTERNAL]);
}

static void close_wire(struct wire *w)
{
	for (unsigned i = 0; i < ENDS; i++) {
		close(w->fd[i]);
		bpf_xdp_detach((int)if_nametoindex(names[i]), XDP_FLAGS_DRV_MODE, NULL);
	}
	close(w->passer);
}

/* ---- what has to come, and what comes ---- */

static void report(const char *differs, const struct expected *e, const uint8_t *got, size_t len)
{
	print_error("%s: expected %s\n", differs, lab_reason_name(e->answer.reason));
	random_dump("in", e->in, e->in_len);
	random_dump("expected", e->answer.data, e->answer.len);
	random_dump("got", got, len);
	fail();
}

/* The stack takes the tag off before anybody sees the frame, and drops what then is too short. */
static bool is_lost_untagged(const uint8_t *data, size_t len)
{
	bool tagged = len >= 14 && ((data[12] == 0x81 && data[13] == 0x00) ||
					   (data[12] == 0x88 && data[13] == 0xa8));

	return tagged && len < 14 + TAG_BYTES + 2;
}

static void expect(struct wire *w, unsigned side, const uint8_t *data, size_t len)
{
	enum end end = side ? EXTERNAL : INTERNAL;
	struct expected *e = &w->expected[end][w->due[end]];
	struct model_answer *a = &e->answer;
	struct vd_flow *flow;
	int verdict;

	model_run(&w->of.model, w->of.lab->ifindex[side], data, len, a);
	verdict = lab_reason_verdict(a->reason);
	w->reasons[a->reason]++;
	w->counted[a->side][a->reason].packets++;
	w->counted[a->side][a->reason].bytes += len;
	if (a->stream < LAB_FLOWS) {
		w->touched[a->stream] = true;
		w->jitter[a->stream] |= a->jitter;
	}
	flow = &w->of.model.flows[a->flow];
	if (a->flow && a->new_mac && !flow->src_mac) {
		flow->src_mac = a->new_mac;
		w->of.model.events++;
	}
	if (verdict == XDP_DROP || (verdict == XDP_PASS && is_lost_untagged(data, len)))
		return;
	memcpy(e->in, data, len);
	e->in_len = len;
	if (verdict == XDP_REDIRECT) {
		struct expected *out;

		end = a->device & 1 ? FAR : NEAR;
		out = &w->expected[end][w->due[end]];
		*out = *e;
	}
	w->due[end]++;
}

/* One frame, its tag put back. 0: there is none. */
static size_t receive(int fd, uint8_t *frame, size_t room)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = {.iov_base = frame, .iov_len = room - TAG_BYTES};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(fd, &msg, 0);
	const struct cmsghdr *c = len > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	struct tpacket_auxdata aux;

	if (len <= 0)
		return 0;
	assert_false(msg.msg_flags & MSG_TRUNC);
	assert_non_null(c);
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return (size_t)len;
	memmove(frame + TAG_AT + TAG_BYTES, frame + TAG_AT, (size_t)len - TAG_AT);
	frame[TAG_AT] = (uint8_t)(aux.tp_vlan_tpid >> 8);
	frame[TAG_AT + 1] = (uint8_t)aux.tp_vlan_tpid;
	frame[TAG_AT + 2] = (uint8_t)(aux.tp_vlan_tci >> 8);
	frame[TAG_AT + 3] = (uint8_t)aux.tp_vlan_tci;
	return (size_t)len + TAG_BYTES;
}

static size_t wait_for(int fd, uint8_t *frame, size_t room)
{
	size_t len = receive(fd, frame, room);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (!len && poll(&p, 1, PATIENCE_MS) == 1)
		len = receive(fd, frame, room);
	return len;
}

static void take_in(struct wire *w, enum end end)
{
	uint8_t got[FRAME_MAX + 64];
	size_t len;

	for (unsigned i = 0; i < w->due[end]; i++) {
		struct expected *e = &w->expected[end][i];

		len = wait_for(w->fd[end], got, sizeof(got));
		if (!len)
			report("never came", e, got, 0);
		if (!random_same_bytes(&e->answer, got, len))
			report(names[end], e, got, len);
	}
	w->due[end] = 0;
	len = receive(w->fd[end], got, sizeof(got));
	if (len) {
		random_dump(names[end], got, len);
		fail_msg("more came out at %s than should", names[end]);
	}
}

/* What would come out late, and after all that should. */
static void nothing_more_comes(struct wire *w)
{
	usleep(LATE_US);
	for (unsigned end = 0; end < ENDS; end++)
		take_in(w, (enum end)end);
}

static void wait_until_counted(struct wire *w, uint64_t packets)
{
	uint64_t counted;
	unsigned ms = 0;

	while ((counted = lab_counted(w->of.lab)) < packets && ms++ < PATIENCE_MS)
		usleep(1000);
	assert_int_equal(counted, packets);
}

static void compare_counters(struct wire *w)
{
	for (unsigned side = 0; side < LAB_SIDES; side++) {
		for (unsigned r = 0; r < VD_REASON_MAX; r++) {
			struct vd_counter got = lab_counter(w->of.lab, side, (enum vd_reason)r);
			const struct vd_counter *due = &w->counted[side][r];

			if (got.packets != due->packets || got.bytes != due->bytes)
				fail_msg(
					"side %u %s: counted %lu of %lu bytes, expected %lu of %lu",
					side, lab_reason_name(r), (unsigned long)got.packets,
					(unsigned long)got.bytes, (unsigned long)due->packets,
					(unsigned long)due->bytes);
		}
	}
}

/* But for what time has a say in. */
static void compare_streams(struct wire *w)
{
	for (unsigned i = 0; i < LAB_FLOWS; i++) {
		struct vd_stream *s = &w->of.model.flows[i].own;
		const struct vd_stream *got = &w->of.lab->flows[i].own;

		if (w->touched[i]) {
			s->transit = got->transit;
			s->last_seen_ns = got->last_seen_ns;
			s->event_second = got->event_second;
			s->event_count = got->event_count;
			s->mac_second = got->mac_second;
			if (w->jitter[i])
				s->jitter = got->jitter;
		}
		if (memcmp(s, got, sizeof(*s)) == 0)
			continue;
		random_dump("expected", (const uint8_t *)s, sizeof(*s));
		random_dump("got", (const uint8_t *)got, sizeof(*got));
		fail_msg("statistics of stream %u", i);
	}
}

/* ---- a run ---- */

/* All by one device, so that their order is known. */
static void send_batch(struct wire *w, unsigned side)
{
	static uint8_t data[BATCH][FRAME_MAX];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	unsigned n = 0;

	memset(msgs, 0, sizeof(msgs));
	while (n < BATCH) {
		unsigned by;
		size_t len = random_world_packet(&w->of, data[n], &by);

		if (by != side || len > ETH_FRAME_LEN)
			continue;
		expect(w, side, data[n], len);
		iov[n] = (struct iovec){.iov_base = data[n], .iov_len = len};
		msgs[n].msg_hdr = (struct msghdr){.msg_iov = &iov[n], .msg_iovlen = 1};
		n++;
	}
	for (unsigned done = 0; done < n;) {
		int sent = sendmmsg(w->fd[side ? FAR : NEAR], msgs + done, n - done, 0);

		if (sent < 0)
			fail_msg("sending: %s", strerror(errno));
		done += (unsigned)sent;
	}
	w->sent += n;
}

static void run_round(struct wire *w)
{
	uint64_t told;

	memset(w->counted, 0, sizeof(w->counted));
	memset(w->touched, 0, sizeof(w->touched));
	memset(w->jitter, 0, sizeof(w->jitter));
	random_world_make(&w->of);
	for (unsigned n = BATCH; n <= PACKETS_A_ROUND; n += BATCH) {
		send_batch(w, n / BATCH % 4 == 0);
		wait_until_counted(w, n);
		for (unsigned end = 0; end < ENDS; end++)
			take_in(w, (enum end)end);
		lab_read_events(w->of.lab);
	}
	compare_counters(w);
	compare_streams(w);
	told = w->of.lab->events_count + lab_events_lost(w->of.lab);
	assert_int_equal(told, w->of.model.events);
}

static void what_comes_out_of_the_wires_is_what_the_model_says(struct lab *lab, bool waits)
{
	static struct wire w;
	unsigned long rounds = random_from_environment("VIADUCT_WIRE_ROUNDS", ROUNDS);
	unsigned long seed = random_from_environment("VIADUCT_SEED", (unsigned long)time(NULL));

	print_message("VIADUCT_SEED=%lu VIADUCT_WIRE_ROUNDS=%lu\n", seed, rounds);
	open_wire(&w, lab);
	w.of.waits = waits;
	random_seed(seed);
	for (unsigned long i = 0; i < rounds; i++)
		run_round(&w);
	nothing_more_comes(&w);
	close_wire(&w);
	for (unsigned i = 0; i < VD_REASON_MAX; i++)
		print_message("%9lu %s\n", (unsigned long)w.reasons[i], lab_reason_name(i));
	for (unsigned i = 0; i < VD_REASON_MAX && rounds >= ROUNDS_FOR_ALL; i++)
		assert_true(w.reasons[i] || i == VD_DROP_ADJUST || i == VD_DROP_LATCH_BUSY ||
			    (i == VD_DROP_REDIRECT && waits));
}

static void packets_that_are_finished_as_they_come(void **state)
{
	what_comes_out_of_the_wires_is_what_the_model_says(*state, false);
}

static void packets_that_wait_for_others(void **state)
{
	what_comes_out_of_the_wires_is_what_the_model_says(*state, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_that_are_finished_as_they_come),
		cmocka_unit_test(packets_that_wait_for_others),
	};

	return cmocka_run_group_tests_name("bpf wire", tests, lab_setup_guessing, lab_teardown);
}
