/* SPDX-License-Identifier: BSD-2-Clause */
/* Stand-ins for every room that daemon/control reads. Included once in each test_control_*.c that
 * runs a control socket: what is defined here takes the place of the archives' members. */
#ifndef VIADUCT_TEST_CONTROL_FAKE_H
#define VIADUCT_TEST_CONTROL_FAKE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/tls_context.h"
#include "control/control.h"
#include "route/route.h"

#include "test_namespace.h"

#define FAKE_CALLS_MAX 30000
#define FAKE_PEERS     500
#define FAKE_PORT      0x56494144u

struct call {
	uint64_t id;
	bool live;
};

struct fake {
	struct config config;
	struct peer_config peer[FAKE_PEERS];
	struct listener_config listener[2];
	struct route_config route[2];
	struct call call[FAKE_CALLS_MAX]; /* ids are index + 1 */
	unsigned streams;                 /* of each call */
	bool long_texts;
	bool blackhole, unresolved, detached;
	unsigned hung_up, reloads, stops;
	enum stop_mode stop_mode; /* of the last of those */
	int stop_refusal;
	unsigned draining; /* looks at the status since it drains */
	uint64_t hung_up_id;
	const char *reload_refusal;
	struct dataplane_flow flow;
	enum peer_command command; /* of peer-1 */
};
static struct fake fake;

#define fake_calls ((struct calls *)&fake)

static const char fake_long[] =
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567";

static const char *fake_text(const char *text)
{
	return fake.long_texts ? fake_long : text;
}

static struct addr fake_addr(const char *text)
{
	struct addr a = {0};

	addr_parse(&a, text, 0);
	return a;
}

static const struct tls_profile fake_tls = {.name = "t"};

static void fake_reset(unsigned live)
{
	static unsigned from_first = 0;

	memset(&fake, 0, sizeof(fake));
	for (unsigned i = 0; i < FAKE_CALLS_MAX; i++)
		fake.call[i] = (struct call){.id = i + 1, .live = i < live};
	for (unsigned i = 0; i < FAKE_PEERS; i++) {
		static char name[FAKE_PEERS][16];

		snprintf(name[i], sizeof(name[i]), "peer-%u", i);
		fake.peer[i] = (struct peer_config){.name = name[i],
			.kind = i % 2 ? PEER_TRUNK : PEER_DIRECT,
			.side = i % 2,
			.listener = i % 2,
			.listener_other = CONFIG_NO_LISTENER,
			.address = fake_addr("192.0.2.10:5060")};
	}
	fake.listener[0] = (struct listener_config){.name = "inside", .side = SIDE_INTERNAL};
	fake.listener[0].address.local = fake_addr("10.0.0.1:5060");
	fake.listener[1] = (struct listener_config){
		.name = "outside", .side = SIDE_EXTERNAL, .tls = &fake_tls};
	fake.listener[1].address.local = fake_addr("198.51.100.1:5060");
	fake.route[0] = (struct route_config){.name = "out",
		.from = &from_first,
		.from_count = 1,
		.called = {.text = "[0-9]+"},
		.to = {{.index = 1}, {.index = 3}},
		.to_count = 2};
	fake.route[1] = (struct route_config){.name = "", .to = {{0}}, .to_count = 1};
	fake.config = (struct config){.file = "/etc/viaduct.yaml",
		.instance = "default",
		.control_group = "",
		.control_port = FAKE_PORT,
		.peer = fake.peer,
		.peer_count = 2,
		.listener = fake.listener,
		.listener_count = 2,
		.route = fake.route,
		.route_count = 2};
	fake.streams = 1;
	fake.flow = (struct dataplane_flow){.in_side = SIDE_INTERNAL,
		.out_side = SIDE_EXTERNAL,
		.local = fake_addr("10.0.0.1:20000"),
		.remote = fake_addr("10.0.0.9:4000"),
		.out_local = fake_addr("198.51.100.1:30000"),
		.out_remote = fake_addr("192.0.2.10:6000")};
}

static int fake_reload(void *ctx, uint64_t *number)
{
	(void)ctx;
	*number = ++fake.reloads;
	return 0;
}

/* Of all that were asked for. */
static inline void fake_reloaded(struct control *control)
{
	control_reloaded(
		control, fake.reloads, fake.reload_refusal ? -EINVAL : 0, fake.reload_refusal);
}

static int fake_stop(void *ctx, enum stop_mode mode)
{
	(void)ctx;
	if (fake.stop_refusal)
		return fake.stop_refusal;
	fake.stop_mode = mode;
	fake.stops++;
	return 0;
}

static bool fake_stopping(void *ctx, enum stop_mode *mode)
{
	(void)ctx;
	*mode = fake.stop_mode;
	return fake.stops > 0;
}

/* ---- call ---- */
const struct config *calls_config(const struct calls *calls)
{
	(void)calls;
	return &fake.config;
}

struct sip *calls_sip(struct calls *calls)
{
	return (struct sip *)calls;
}

struct media *calls_media(struct calls *calls)
{
	return (struct media *)calls;
}

struct call *call_by_id(struct calls *calls, uint64_t id)
{
	(void)calls;
	return id && id <= FAKE_CALLS_MAX && fake.call[id - 1].live ? &fake.call[id - 1] : NULL;
}

struct call *call_next(struct calls *calls, uint64_t after)
{
	(void)calls;
	for (uint64_t i = after; i < FAKE_CALLS_MAX; i++) {
		if (fake.call[i].live)
			return &fake.call[i];
	}
	return NULL;
}

void call_hangup(struct call *call, const char *reason_text)
{
	(void)reason_text;
	fake.hung_up++;
	fake.hung_up_id = call->id;
}

void call_get_info(const struct call *call, struct call_info *out)
{
	*out = (struct call_info){.id = call->id,
		.state = CALL_ANSWERED,
		.from = fake_text("4930123456"),
		.to = fake_text("1000"),
		.route = fake_text("out"),
		.setup_ms_ago = 90000,
		.answered_ms_ago = 83000,
		.attempts = 1};
	for (int i = 0; i < 2; i++)
		out->leg[i] = (struct call_leg_info){.peer = fake_text(i ? "peer-1" : "peer-0"),
			.sip_call_id = fake_text("abc"),
			.local_tag = fake_text("ltag"),
			.remote_tag = fake_text("rtag"),
			.local_uri = fake_text("sip:1000@10.0.0.1"),
			.remote_uri = fake_text("sip:a\xff\x1b[2J@10.0.0.9"),
			.signalling = fake_addr("10.0.0.9:5060"),
			.listener = fake_text("inside"),
			.session_s = i ? 0 : 1800,
			.we_refresh = true,
			.session_left_ms = 1500000};
}

struct media_session *call_media(const struct call *call)
{
	return (struct media_session *)call;
}

const char *call_state_name(enum call_state state)
{
	static const char *const names[] = {"setup", "ringing", "answered", "ending"};

	return names[state];
}

void calls_get_status(const struct calls *calls, struct calls_status *out)
{
	(void)calls;
	if (fake.stops && fake.stop_mode == STOP_DRAIN)
		fake.draining++;
	*out = (struct calls_status){.live = 7 - fake.draining, .live_max = 20000, .answered = 42};
}

void calls_get_adoption(const struct calls *calls, struct calls_adoption *out)
{
	(void)calls;
	*out = (struct calls_adoption){.adopted = 5, .ended = 1, .lost = 2};
}

unsigned calls_unsaved(const struct calls *calls)
{
	(void)calls;
	return 0;
}

void calls_get_load(const struct calls *calls, const char *peer_name, struct calls_load *out)
{
	(void)calls;
	*out = (struct calls_load){.live = 7, .kbit = 651, .refused = {1, 2, 3, 4}};
	if (peer_name && strcmp(peer_name, "peer-0") != 0)
		memset(out, 0, sizeof(*out));
}

void calls_get_side_load(const struct calls *calls, unsigned side, struct calls_load *out)
{
	(void)calls;
	*out = (struct calls_load){.kbit = side == SIDE_EXTERNAL ? 651 : 0};
}

struct peers *calls_peers(struct calls *calls)
{
	return (struct peers *)calls;
}

/* ---- peer ---- */
struct peer *peer_by_name(struct peers *peers, const char *name)
{
	(void)peers;
	for (unsigned i = 0; i < fake.config.peer_count; i++) {
		if (strcmp(fake.peer[i].name, name) == 0)
			return (struct peer *)&fake.peer[i];
	}
	return NULL;
}

const char *peer_state_name(enum peer_state state)
{
	return state == PEER_UP ? "up" : state == PEER_DRAINING ? "draining" : "blocked";
}

void peer_get_status(const struct peer *peer, struct peer_status *out)
{
	static const enum peer_state states[] = {
		[PEER_RESUME] = PEER_UP, [PEER_DRAIN] = PEER_DRAINING, [PEER_BLOCK] = PEER_BLOCKED};
	bool is_first = (const void *)peer == &fake.peer[0];

	*out = (struct peer_status){.state = is_first ? PEER_UP : states[fake.command],
		.since_ms_ago = 83000,
		.why = fake_text("nothing speaks against it")};
}

bool peer_get_registration(const struct peer *peer, struct peer_registration *out)
{
	struct peer_status status;

	peer_get_status(peer, &status);
	if (status.state != PEER_UP)
		return false;
	*out = (struct peer_registration){.state = "registered",
		.left_ms = 90000,
		.why = "registered for 120 s",
		.aor = "sip:acc@provider.example"};
	addr_parse(&out->public_address, "198.51.100.7:5060", 0);
	return true;
}

bool peer_get_name(const struct peer *peer, struct dns_info *out)
{
	static const struct dns_target target[] = {
		{.address = {.family = 4, .port = 5060, .ip = {192, 0, 2, 7}}, .priority = 1},
		{.address = {.family = 6, .port = 5060, .ip = {0x20, 1}}, .priority = 2},
		{.address = {.family = 4, .port = 5070, .ip = {192, 0, 2, 8}},
			.priority = 2,
			.weight = 9}};

	if (peer != (const struct peer *)(const void *)&fake.peer[1])
		return false;
	*out = (struct dns_info){.state = DNS_STALE,
		.error = "no answer",
		.target = target,
		.count = 3,
		.retry_ms = 4000};
	return true;
}

void peers_get_names(const struct peers *peers, struct peers_names *out)
{
	(void)peers;
	memset(out, 0, sizeof(*out));
	out->dns.lookups = 3;
	out->sources_shared = 2;
}

uint64_t peers_options_postponed(const struct peers *peers)
{
	(void)peers;
	return 3;
}

int peer_command_parse(enum peer_command *out, const char *name)
{
	*out = strcmp(name, "drain") == 0   ? PEER_DRAIN
	       : strcmp(name, "block") == 0 ? PEER_BLOCK
					    : PEER_RESUME;
	return *out == PEER_RESUME && strcmp(name, "resume") != 0 ? -EINVAL : 0;
}

void peer_set_command(struct peer *peer, enum peer_command command)
{
	if ((void *)peer == &fake.peer[1])
		fake.command = command;
}

void calls_order(struct calls *calls, struct route_result *route, struct peers_choice *choice,
	peers_trace_fn *trace, void *trace_ctx)
{
	(void)calls;
	(void)trace;
	(void)trace_ctx;
	*choice = (struct peers_choice){.count = route->candidate_count};
}

/* ---- media ---- */
struct dataplane *media_dataplane(struct media *m)
{
	return (struct dataplane *)m;
}

unsigned media_stream_count(const struct media_session *s)
{
	(void)s;
	return fake.streams;
}

bool media_heard(const struct media_session *s, uint64_t ms, bool heard[2])
{
	(void)s;
	(void)ms;
	heard[LEG_A] = true;
	heard[LEG_B] = false;
	return true;
}

static struct dataplane_path fake_path(void)
{
	struct dataplane_path path = {.device = "interface-long0",
		.dmac = {2, 0, 0, 0, 0, 2},
		.smac = {2, 0, 0, 0, 0, 1},
		.vlan = 42,
		.resolved = !fake.unresolved,
		.gateway = fake_addr("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")};

	if (fake.unresolved) {
		path.why = fake_text("no neighbour");
		path.change = path.why;
		path.changed_ms_ago = 61000;
	}
	return path;
}

static struct dataplane_stats fake_stats(void)
{
	return (struct dataplane_stats){.packets = 1000,
		.bytes = 172000,
		.rtcp_packets = 5,
		.expected = 1010,
		.lost = 10,
		.ssrc = 0x1234,
		.last_seen_ms_ago = 20,
		.latched = fake_addr("10.0.0.9:4002")};
}

int media_stream_info(const struct media_session *s, unsigned index, struct media_stream_info *out)
{
	(void)s;
	*out = (struct media_stream_info){.index = index,
		.kind = "audio",
		.proto = "RTP/AVP",
		.codec = "PCMA/8000",
		.active = true};
	for (unsigned i = 0; i < 2; i++)
		out->leg[i] = (struct media_leg_info){.local = fake_addr("10.0.0.1:20000"),
			.local_rtcp = fake_addr("10.0.0.1:20001"),
			.remote = fake_addr("10.0.0.9:4000"),
			.remote_rtcp = fake_addr("10.0.0.9:4001"),
			.rtp = fake_stats(),
			.path = fake_path(),
			.flow = index * 4 + i * 2 + 1,
			.flow_rtcp = index * 4 + i * 2 + 2,
			.sends = true,
			.mos = 4.37,
			.rtt_ms = 12.5,
			.loss_percent = 0.99,
			.jitter_ms = 0.25};
	return 0;
}

void media_get_status(const struct media *m, struct media_status *out)
{
	(void)m;
	*out = (struct media_status){.sessions = 7,
		.ports_total = {10000, 10000},
		.ports_used = {28, 28},
		.ports_left = {9970, 9960}};
}

/* ---- dataplane ---- */
int dataplane_flow_stats(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_stats *out)
{
	(void)dp;
	(void)id;
	*out = fake_stats();
	return 0;
}

int dataplane_flow_path(
	const struct dataplane *dp, dataplane_flow_id id, struct dataplane_path *out)
{
	(void)dp;
	(void)id;
	*out = fake_path();
	return 0;
}

const struct dataplane_flow *dataplane_flow_get(const struct dataplane *dp, dataplane_flow_id id)
{
	(void)dp;
	(void)id;
	fake.flow.blackhole = fake.blackhole;
	return &fake.flow;
}

int dataplane_status(struct dataplane *dp, struct dataplane_status *out)
{
	(void)dp;
	*out = (struct dataplane_status){.flows = 28, .flows_max = 80000, .memory_bytes = 1 << 20};
	if (fake.unresolved) {
		out->nexthops = out->nexthops_unresolved = DATAPLANE_UNRESOLVED_SHOWN + 3;
		for (unsigned i = 0; i < DATAPLANE_UNRESOLVED_SHOWN; i++)
			out->unresolved[i] = (struct dataplane_unresolved){.side = SIDE_EXTERNAL,
				.to = fake_addr("2001:db8::5"),
				.gateway = fake_addr("2001:db8::fe"),
				.why = "no neighbour",
				.since_ms = 61000};
		out->gateways_left = DATAPLANE_GATEWAYS_SHOWN + 3;
		for (unsigned i = 0; i < DATAPLANE_GATEWAYS_SHOWN; i++)
			out->left[i] = (struct dataplane_gateway_left){.side = SIDE_EXTERNAL,
				.gateway = fake_addr("2001:db8::fd"),
				.why = "no neighbour"};
	}
	for (unsigned i = 0; i < SIDE_COUNT; i++)
		out->device[i] = (struct dataplane_device_status){.name = "eth0",
			.side = (uint8_t)i,
			.ifindex = i + 2,
			.mode = fake.detached ? "none" : "native",
			.attached = fake.detached ? "none" : "link",
			.up = !fake.detached,
			.why = fake.detached ? "device gone" : NULL};
	out->packets[SIDE_EXTERNAL][VD_DROP_NO_FLOW] = 99;
	return 0;
}

const char *dataplane_reason_name(unsigned reason)
{
	return reason == VD_DROP_NO_FLOW ? "drop_no_flow" : "other";
}

const char *dataplane_reason_text(unsigned reason)
{
	return reason == VD_DROP_NO_FLOW ? "media port without a call" : "other";
}

const char *dataplane_reason_verdict(unsigned reason)
{
	return reason == VD_FORWARDED ? "TX" : "DROP";
}

/* ---- sip, route, config ---- */
void sip_get_tls(const struct sip *sip, const char *peer, struct sip_tls_info *out)
{
	(void)sip;
	(void)peer;
	memset(out, 0, sizeof(*out));
	out->connections = 2;
	strcpy(out->version, "TLSv1.3");
	strcpy(out->cipher, "TLS_AES_128_GCM_SHA256");
	out->has_certificate = true;
	out->certificate.name_count = 1;
	strcpy(out->certificate.name[0], "sip.peer.example");
	strcpy(out->certificate.issuer, "An Authority");
	out->certificate.days_left = 77;
}

void tls_profile_get_info(const struct tls_profile *profile, struct certificate_info *out)
{
	(void)profile;
	memset(out, 0, sizeof(*out));
	out->name_count = 1;
	strcpy(out->name[0], "sbc.example.com");
	strcpy(out->issuer, "An Authority");
	out->days_left = 12;
}

const char *tls_profile_warning(const struct tls_profile *profile, char buf[TLS_PROBLEM_MAX])
{
	(void)profile;
	return strcpy(buf, "our certificate expires in 12 days");
}

void sip_get_status(const struct sip *sip, struct sip_status *out)
{
	(void)sip;
	*out = (struct sip_status){.requests_in = 1234, .unknown_source = 5};
}

unsigned sip_listener_slot(const struct sip *sip, const struct listener_config *lc)
{
	(void)sip;
	return (unsigned)(lc - fake.config.listener);
}

bool sip_listener_waits(const struct sip *sip, unsigned listener)
{
	(void)sip;
	return listener == 0 || fake.unresolved;
}

char *sip_listener_text(const struct listener_config *lc, char buf[LISTENER_TEXT_MAX])
{
	snprintf(buf, LISTENER_TEXT_MAX, "%.63s 10.0.0.1:5060 udp", fake_text(lc->name));
	return buf;
}

/* Numbers that begin with 0 are denied, with 9 match nothing. */
void route_find(const struct config *cfg, const struct route_query *query, struct route_result *out,
	route_trace_fn *trace, void *trace_ctx)
{
	*out = (struct route_result){.verdict = ROUTE_NONE};
	for (unsigned i = 0; i < 60; i++) {
		char line[300];

		snprintf(line, sizeof(line), "line %u: from %s to %s", i, query->from->name,
			query->called);
		trace(trace_ctx, line);
	}
	if (*query->called == '9')
		return;
	out->verdict = *query->called == '0' ? ROUTE_DENIED : ROUTE_FOUND;
	out->route = &cfg->route[0];
	out->candidate[0] = (struct route_candidate){.peer = &cfg->peer[1], .route = out->route};
	out->candidate_count = 1;
}

unsigned config_peer_index(const struct config *cfg, const struct peer_config *peer)
{
	return (unsigned)(peer - cfg->peer);
}

const struct peer_config *config_peer_by_name(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->peer_count; i++) {
		if (strcmp(cfg->peer[i].name, name) == 0)
			return &cfg->peer[i];
	}
	return NULL;
}

const char *transport_name(enum transport t)
{
	return t == TRANSPORT_UDP ? "udp" : "tcp";
}

const char *side_name(unsigned side)
{
	return side == SIDE_INTERNAL ? "internal" : "external";
}

#endif
