/* SPDX-License-Identifier: BSD-2-Clause */
/* Drives the data plane from a test, without SIP: opens the real engine on two devices and takes
 * one command a line from standard input; answers each with one line.
 *
 *   dpdriver BPF_DIR INSTANCE DEVICE_INTERNAL DEVICE_EXTERNAL PORT_MIN PORT_MAX \
 *            ADDRESS_INTERNAL,... ADDRESS_EXTERNAL,... [CAPACITY_FLOWS]
 *   DEVICE: NAME, or NAME@VLAN
 *
 *   add IN_SIDE LOCAL REMOTE OUT_LOCAL OUT_REMOTE [latch]   ok ID
 *   adopt … (as add)                                        ok ID, none where there is no such flow
 *   done               ok FLOWS that nobody adopted
 *   update ID REMOTE OUT_LOCAL OUT_REMOTE                   ok
 *   del ID                                                  ok
 *   stats ID           ok packets bytes rtcp lost out_of_order ssrc LATCHED (- = not)
 *   slot ID            ok N, of vd_flows
 *   path ID            ok DEVICE DMAC SMAC GATEWAY resolved|WHY
 *   status             ok NAME=PACKETS … (both sides together), modes, flows, memory, what is in
 *                      the way of each side's device (- = nothing)
 *   reload MIN MAX     ok
 *   bench N            ok add_few=NS add_many=NS del_few=NS del_many=NS a flow, while few stand and
 *                      while N do (needs N ports)
 *   fill N             ok: N flows on all sides and addresses, to N / 4 destinations
 *   take N             ok NS to adopt them all
 *   leave              ends, and leaves all in the kernel
 *   quit
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "dataplane/dataplane.h"
#include "dataplane/engine.h"
#include "dataplane/flow_entry.h"

#define CAPACITY_FLOWS 40000
#define LINE_BYTES     1024
#define WORDS_MAX      8
#define NSEC_PER_SEC   1000000000ull

static struct dataplane *dp;
static struct loop *loop;
static struct config cfg;
static unsigned firsts;
static bool leaves;
static char input[LINE_BYTES];
static size_t input_len;

static bool word_addr(struct addr *a, const char *text)
{
	memset(a, 0, sizeof(*a));
	return strcmp(text, "-") == 0 || addr_parse(a, text, 0) == 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void answer(int ret)
{
	if (ret)
		printf("error %s\n", strerror(-ret));
	else
		printf("ok\n");
}

static uint32_t cookie_of(const struct dataplane_flow *spec)
{
	return (uint32_t)spec->in_side << 17 | (uint32_t)(spec->local.family == 6) << 16 |
	       spec->local.port;
}

static int add_or_adopt(const struct dataplane_flow *spec, bool adopts, dataplane_flow_id *id)
{
	return adopts ? dataplane_flow_adopt(dp, spec, id) : dataplane_flow_add(dp, spec, id);
}

static void do_add(char **word, unsigned count)
{
	struct dataplane_flow spec = {.te_pt = 0xff, .clock_rate = 8000, .dscp = 46};
	dataplane_flow_id id;
	int ret = -EINVAL;

	spec.in_side = (uint8_t)atoi(word[1]);
	spec.out_side = (uint8_t)!spec.in_side;
	spec.latch = count > 6 && strcmp(word[6], "latch") == 0;
	if (spec.latch)
		spec.latch_prefix = strchr(word[3], ':') == strrchr(word[3], ':') ? 32 : 128;
	if (word_addr(&spec.local, word[2]) && word_addr(&spec.remote, word[3]) &&
		word_addr(&spec.out_local, word[4]) && word_addr(&spec.out_remote, word[5])) {
		spec.cookie = cookie_of(&spec);
		ret = add_or_adopt(&spec, strcmp(word[0], "adopt") == 0, &id);
	}
	if (ret == -ENOENT && strcmp(word[0], "adopt") == 0)
		printf("ok none\n");
	else if (ret)
		answer(ret);
	else
		printf("ok %u\n", id);
}

static void do_update(char **word)
{
	dataplane_flow_id id = (dataplane_flow_id)strtoul(word[1], NULL, 10);
	const struct dataplane_flow *old = dataplane_flow_get(dp, id);
	struct dataplane_flow spec;

	if (!old) {
		answer(-ENOENT);
		return;
	}
	spec = *old;
	if (!word_addr(&spec.remote, word[2]) || !word_addr(&spec.out_local, word[3]) ||
		!word_addr(&spec.out_remote, word[4]))
		answer(-EINVAL);
	else
		answer(dataplane_flow_update(dp, id, &spec));
}

static void do_stats(char **word)
{
	struct dataplane_stats s;
	char text[ADDR_TEXT_MAX];
	int ret = dataplane_flow_stats(dp, (dataplane_flow_id)strtoul(word[1], NULL, 10), &s);

	if (ret)
		answer(ret);
	else
		printf("ok %lu %lu %lu %ld %lu %x %s\n", s.packets, s.bytes, s.rtcp_packets, s.lost,
			s.out_of_order, s.ssrc,
			s.latched.family ? addr_print(&s.latched, text) : "-");
}

static void do_slot(char **word)
{
	const struct flow_entry *e =
		flow_entry_of(dp->flows, (dataplane_flow_id)strtoul(word[1], NULL, 10));

	if (e)
		printf("ok %u\n", e->slot);
	else
		answer(-ENOENT);
}

static void print_mac(const uint8_t mac[6])
{
	printf(" %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void do_path(char **word)
{
	struct dataplane_path p;
	char text[ADDR_TEXT_MAX];
	int ret = dataplane_flow_path(dp, (dataplane_flow_id)strtoul(word[1], NULL, 10), &p);

	if (ret) {
		answer(ret);
		return;
	}
	printf("ok %s", p.device);
	print_mac(p.dmac);
	print_mac(p.smac);
	printf(" %s %s\n", p.gateway.family ? addr_print_ip(&p.gateway, text) : "-",
		p.resolved ? "resolved" : p.why);
}

static void do_status(void)
{
	struct dataplane_status s;
	int ret = dataplane_status(dp, &s);

	if (ret) {
		answer(ret);
		return;
	}
	printf("ok mode=%s attached=%s flows=%u max=%u nexthops=%u unresolved=%u memory=%lu "
	       "asked=%lu firsts=%u lost=%lu why0=%s why1=%s",
		s.device[0].mode, s.device[0].attached, s.flows, s.flows_max, s.nexthops,
		s.nexthops_unresolved, s.memory_bytes, s.nexthops_asked, firsts, s.events_lost,
		s.device[0].why ? s.device[0].why : "-", s.device[1].why ? s.device[1].why : "-");
	for (unsigned r = 0; r < VD_REASON_MAX; r++)
		printf(" %s=%lu", dataplane_reason_name(r), s.packets[0][r] + s.packets[1][r]);
	printf("\n");
}

#define GROUP  100 /* flows that are timed together */
#define GROUPS 10  /* the least of so many counts: the machine may stall in any of them */

static uint64_t least(const uint64_t *ns)
{
	uint64_t min = UINT64_MAX;

	for (unsigned i = 0; i < GROUPS; i++)
		min = ns[i] < min ? ns[i] : min;
	return min / GROUP;
}

/* What it costs to add and to delete one flow, while few stand and while n do. */
static void do_bench(unsigned n)
{
	unsigned groups = n / GROUP;
	dataplane_flow_id *id = calloc(n, sizeof(*id));
	uint64_t *add = calloc(groups, sizeof(*add)), *del = calloc(groups, sizeof(*del));
	struct dataplane_flow spec = {
		.te_pt = 0xff,
		.clock_rate = 8000,
		.local = cfg.side[0].address[0].local,
		.remote = cfg.side[0].address[0].local,
		.out_side = 1,
		.out_local = cfg.side[1].address[0].local,
		.out_remote = cfg.side[1].address[0].local,
	};
	int ret = groups < 2 * GROUPS ? -EINVAL : 0;
	unsigned added = 0;

	spec.remote.port = spec.out_local.port = spec.out_remote.port = 4000;
	for (unsigned g = 0; g < groups && !ret; g++) {
		uint64_t begun = now_ns();

		for (unsigned i = 0; i < GROUP && !ret; i++, added += !ret) {
			spec.local.port = (uint16_t)(cfg.side[0].media_port_min + added);
			ret = dataplane_flow_add(dp, &spec, &id[added]);
		}
		add[g] = now_ns() - begun;
	}
	for (unsigned g = groups; g-- > 0;) {
		uint64_t begun = now_ns();

		for (unsigned i = 0; i < GROUP && added > 0; i++)
			dataplane_flow_del(dp, id[--added]);
		del[g] = now_ns() - begun;
	}
	if (ret)
		answer(ret);
	else
		printf("ok add_few=%lu add_many=%lu del_few=%lu del_many=%lu\n", least(add),
			least(add + groups - GROUPS), least(del), least(del + groups - GROUPS));
	free(id);
	free(add);
	free(del);
}

/* Four flows a port, one on each of our addresses; two ports share a destination on either side. */
static void numbered_flow(struct dataplane_flow *spec, unsigned i)
{
	unsigned side = i % 2, family = i / 2 % 2, n = i / 4;

	*spec = (struct dataplane_flow){
		.te_pt = 0xff,
		.clock_rate = 8000,
		.in_side = (uint8_t)side,
		.out_side = (uint8_t)!side,
		.local = cfg.side[side].address[family].local,
		.remote = cfg.side[side].address[family].local,
		.out_local = cfg.side[!side].address[0].local,
		.out_remote = cfg.side[!side].address[0].local,
	};
	spec->local.port = (uint16_t)(cfg.side[side].media_port_min + n);
	spec->remote.port = spec->out_local.port = spec->out_remote.port = 4000;
	spec->out_remote.ip[1] = 9;
	spec->out_remote.ip[2] = (uint8_t)(n / 2 >> 8);
	spec->out_remote.ip[3] = (uint8_t)(n / 2);
	spec->cookie = cookie_of(spec);
}

static void do_all(unsigned n, bool adopts)
{
	uint64_t began = now_ns();
	int ret = 0;

	for (unsigned i = 0; i < n && !ret; i++) {
		struct dataplane_flow spec;
		dataplane_flow_id id;

		numbered_flow(&spec, i);
		ret = add_or_adopt(&spec, adopts, &id);
	}
	if (ret)
		answer(ret);
	else
		printf("ok %lu\n", now_ns() - began);
}

static void do_reload(char **word)
{
	struct config next = cfg;

	for (unsigned s = 0; s < SIDE_COUNT; s++) {
		next.side[s].media_port_min = (uint16_t)atoi(word[1]);
		next.side[s].media_port_max = (uint16_t)atoi(word[2]);
	}
	answer(dataplane_reload(dp, &next));
}

static const struct {
	const char *name;
	unsigned words; /* itself included */
} commands[] = {{"add", 6}, {"update", 5}, {"del", 2}, {"stats", 2}, {"path", 2}, {"status", 1},
	{"reload", 3}, {"bench", 2}, {"quit", 1}, {"adopt", 6}, {"done", 1}, {"fill", 2},
	{"take", 2}, {"leave", 1}, {"slot", 2}};

static void command(char *line)
{
	char *word[WORDS_MAX], *rest = NULL;
	unsigned count = 0, i;

	for (char *w = strtok_r(line, " ", &rest); w && count < WORDS_MAX;
		w = strtok_r(NULL, " ", &rest))
		word[count++] = w;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (count && strcmp(word[0], commands[i].name) == 0 && count >= commands[i].words)
			break;
	}
	switch (i) {
	case 0:
	case 9:
		do_add(word, count);
		break;
	case 1:
		do_update(word);
		break;
	case 2:
		dataplane_flow_del(dp, (dataplane_flow_id)strtoul(word[1], NULL, 10));
		answer(0);
		break;
	case 3:
		do_stats(word);
		break;
	case 4:
		do_path(word);
		break;
	case 5:
		do_status();
		break;
	case 6:
		do_reload(word);
		break;
	case 7:
		do_bench((unsigned)atoi(word[1]));
		break;
	case 14:
		do_slot(word);
		break;
	case 13:
		leaves = true;
		loop_stop(loop);
		break;
	case 8:
		loop_stop(loop);
		break;
	case 10:
		printf("ok %u\n", dataplane_adoption_done(dp));
		break;
	case 11:
	case 12:
		do_all((unsigned)atoi(word[1]), i == 12);
		break;
	default:
		answer(-EINVAL);
	}
	fflush(stdout);
}

static void input_ready(struct loop_fd *lf, uint32_t epoll_events)
{
	ssize_t got = read(lf->fd, input + input_len, sizeof(input) - input_len);
	char *end;

	(void)epoll_events;
	if (got <= 0) {
		loop_stop(loop);
		return;
	}
	input_len += (size_t)got;
	while ((end = memchr(input, '\n', input_len))) {
		*end = '\0';
		command(input);
		input_len -= (size_t)(end + 1 - input);
		memmove(input, end + 1, input_len);
	}
}

static void on_first_packet(void *ctx, uint32_t cookie, const struct addr *source)
{
	(void)ctx;
	(void)cookie;
	(void)source;
	firsts++;
}

static int take_side(struct side_config *side, char *device, char **argv, char *addresses)
{
	char *rest = NULL, *vlan = strchr(device, '@');

	if (vlan) {
		*vlan = '\0';
		side->vlan = (uint16_t)atoi(vlan + 1);
	}
	side->device = device;
	side->media_port_min = (uint16_t)atoi(argv[5]);
	side->media_port_max = (uint16_t)atoi(argv[6]);
	for (char *a = strtok_r(addresses, ",", &rest); a; a = strtok_r(NULL, ",", &rest)) {
		struct side_address *to = &side->address[side->address_count++];

		if (addr_parse_ip(&to->local, a, strlen(a)))
			return -EINVAL;
		to->advertised = to->local;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct dataplane_handlers handlers = {.first_packet = on_first_packet};
	struct loop_fd in = {.fd = STDIN_FILENO, .ready = input_ready};
	uint64_t began;
	int ret;

	if (argc != 9 && argc != 10) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	if (getenv("DEBUG"))
		log_set_level(LOG_LEVEL_DEBUG);
	cfg.bpf_dir = argv[1];
	cfg.instance = argv[2];
	if (take_side(&cfg.side[0], argv[3], argv, argv[7]) ||
		take_side(&cfg.side[1], argv[4], argv, argv[8]))
		return 2;
	ret = loop_new(&loop);
	if (ret)
		return 1;
	began = now_ns();
	ret = dataplane_open(&dp, DATAPLANE_XDP, &cfg,
		argc == 10 ? (unsigned)atoi(argv[9]) : CAPACITY_FLOWS, loop, &handlers);
	if (ret) {
		loop_free(loop);
		return 1;
	}
	ret = loop_fd_add(loop, &in, EPOLLIN);
	fprintf(stderr, "opened in %lu ns\n", now_ns() - began);
	printf("ready\n");
	fflush(stdout);
	if (!ret)
		ret = loop_run(loop);
	if (leaves)
		dataplane_leave(dp);
	else
		dataplane_close(dp);
	loop_free(loop);
	return ret ? 1 : 0;
}
