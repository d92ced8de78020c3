/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "base/strbuf.h"
#include "config_text.h"

#define GOOD "tests/unit/data/good.yaml"

#ifdef __SANITIZE_ADDRESS__
#define PEERS  1000 /* libcyaml grows a list by one, and the sanitizer copies it each time */
#define ROUTES 4000
#else
#define PEERS  CONFIG_PEERS_MAX
#define ROUTES CONFIG_ROUTES_MAX
#endif

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, 0), 0);
	return a;
}

static void assert_address(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(addr_print(a, buf), text);
}

static struct config *load_file(const char *path)
{
	struct config *cfg = NULL;

	assert_int_equal(config_load(&cfg, path, stderr), 0);
	return cfg;
}

static void written_values_arrive(void **state)
{
	struct config *cfg = load_file(GOOD);
	const struct peer_config *pbx = config_peer_by_name(cfg, "pbx");

	(void)state;
	assert_int_equal(cfg->refs, 1);
	assert_string_equal(cfg->side[SIDE_INTERNAL].device, "vdi0");
	assert_int_equal(cfg->side[SIDE_INTERNAL].address_count, 2);
	assert_address(&cfg->side[SIDE_INTERNAL].address[1].local, "fd10::1");
	assert_int_equal(cfg->side[SIDE_EXTERNAL].vlan, 7);
	assert_int_equal(cfg->side[SIDE_EXTERNAL].media_port_min, 20000);
	assert_int_equal(cfg->side[SIDE_EXTERNAL].media_port_max, 39999);
	assert_int_equal(pbx->kind, PEER_DIRECT);
	assert_int_equal(pbx->side, SIDE_INTERNAL);
	assert_address(&pbx->address, "10.10.0.2:5080");
	assert_int_equal(pbx->source_count, 2);
	assert_address(&pbx->source[0].net, "10.10.0.2");
	assert_int_equal(pbx->source[0].prefix_len, 32);
	assert_int_equal(pbx->source[1].prefix_len, 28);
	assert_int_equal(pbx->codec_count, 2);
	assert_string_equal(pbx->codec[1], "telephone-event");
	assert_true(pbx->latch);
	assert_int_equal(pbx->latch_prefix_v4, 24);
	assert_int_equal(pbx->rtp_timeout_s, 20);
	assert_int_equal(cfg->peer[1].limits.calls, 500);
	assert_int_equal(cfg->peer[1].limits.calls_per_second, 20);
	assert_int_equal(cfg->peer[1].limits.burst, 20);
	assert_int_equal(cfg->peer[1].limits.bandwidth, 46500);
	assert_int_equal(cfg->peer[1].limits.code, 480);
	assert_int_equal(cfg->peer[1].limits.retry_after_s, 5);
	assert_int_equal(cfg->route_count, 2);
	assert_int_equal(cfg->route[0].from_count, 1);
	assert_int_equal(cfg->route[0].from[0], 0);
	assert_int_equal(cfg->route[0].to[0].index, 1);
	assert_string_equal(cfg->route[0].called.text, "\\+?[0-9]{3,15}");
	assert_non_null(cfg->route[0].called.code);
	assert_null(cfg->route[1].called.code);
	assert_int_equal(cfg->calls_max, 1000);
	assert_int_equal(cfg->log_level, LOG_LEVEL_DEBUG);
	config_unref(cfg);
}

static void trunks_are_watched_and_codes_are_a_set(void **state)
{
	static const int defaults[] = {408, 500, 502, 503, 504};
	struct config *cfg =
		load_good("sides:\n"
			  "  internal: {device: a, addresses: [10.0.0.1]}\n"
			  "  external: {device: b, addresses: [192.0.2.1]}\n"
			  "listeners: [{name: x, side: external, transport: udp}]\n"
			  "peers: [{name: p, kind: direct, listener: x, address: 192.0.2.3},\n"
			  "  {name: q, kind: trunk, listener: x, address: 192.0.2.4},\n"
			  "  {name: r, kind: direct, listener: x, address: 192.0.2.5,\n"
			  "   liveness: {interval: 7, misses: 2, probe: 9, timeout: 1},\n"
			  "   failing: {calls: 20, failed: 3, well: 0, memory: 5},\n"
			  "   failover: {codes: [404, 500-503, 599], retry_after: 0}}]\n");
	const struct peer_config *direct = &cfg->peer[0], *trunk = &cfg->peer[1],
				 *told = &cfg->peer[2];
	unsigned count = 0;

	(void)state;
	assert_int_equal(direct->liveness.interval_ms, 0);
	assert_int_equal(trunk->liveness.interval_ms, 30000);
	assert_int_equal(trunk->liveness.misses, 5);
	assert_int_equal(trunk->liveness.probe_ms, 60000);
	assert_int_equal(trunk->liveness.timeout_ms, 5000);
	assert_int_equal(trunk->failing.calls, 10);
	assert_int_equal(trunk->failing.failed, 5);
	assert_int_equal(trunk->failing.well, 2);
	assert_int_equal(trunk->failing.memory_ms, 60000);
	assert_int_equal(told->failing.calls, 20);
	assert_int_equal(told->failing.failed, 3);
	assert_int_equal(told->failing.well, 0);
	assert_int_equal(told->failing.memory_ms, 5000);
	assert_int_equal(told->liveness.interval_ms, 7000);
	assert_int_equal(told->liveness.misses, 2);
	assert_int_equal(told->liveness.probe_ms, 9000);
	assert_int_equal(told->liveness.timeout_ms, 1000);
	for (int code = 300; code < 700; code++)
		count += config_fails_over(trunk, code);
	assert_int_equal(count, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_true(config_fails_over(trunk, defaults[i]));
	count = 0;
	for (int code = 300; code < 700; code++)
		count += config_fails_over(told, code);
	assert_int_equal(count, 6);
	assert_true(config_fails_over(told, 404) && config_fails_over(told, 599));
	assert_int_equal(trunk->failover.retry_after_max_s, 300);
	assert_int_equal(told->failover.retry_after_max_s, 0);
	config_unref(cfg);
}

static void identity_hangs_on_the_kind_where_it_is_not_written(void **state)
{
	struct config *cfg = load_good(
		"sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
		"  external: {device: b, addresses: [192.0.2.1]}}\n"
		"listeners: [{name: l, side: internal, transport: udp},\n"
		"  {name: x, side: external, transport: udp}]\n"
		"peers: [{name: p, kind: direct, listener: l, address: 10.0.0.2},\n"
		"  {name: q, kind: trunk, listener: x, address: 192.0.2.2},\n"
		"  {name: r, kind: trunk, listener: x, address: 192.0.2.3, identity: {trusted: "
		"true,\n"
		"   asserted: always, history: true, referred_by: true, user_to_user: false}}]\n");
	const struct identity_config *in = &cfg->peer[0].identity, *out = &cfg->peer[1].identity,
				     *told = &cfg->peer[2].identity;

	(void)state;
	assert_true(in->trusted && in->asserted == ASSERTED_PASS && in->user_to_user);
	assert_false(in->history || in->referred_by);
	assert_true(!out->trusted && out->asserted == ASSERTED_STRIP && out->user_to_user);
	assert_false(out->history || out->referred_by);
	assert_true(told->trusted && told->asserted == ASSERTED_ALWAYS && told->history);
	assert_true(told->referred_by && !told->user_to_user);
	config_unref(cfg);
}

static void what_is_not_written_has_its_default(void **state)
{
	struct config *cfg =
		load_good("sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
			  "  external: {device: b, addresses: [192.0.2.1]}}\n"
			  "listeners: [{name: l, side: internal, transport: tcp}]\n"
			  "peers: [{name: p, kind: direct, listener: l, address: 10.0.0.2}]\n");
	const struct peer_config *p = &cfg->peer[0];

	(void)state;
	assert_int_equal(cfg->side[0].media_port_min, 16384);
	assert_int_equal(cfg->side[0].media_port_max, 32767);
	assert_int_equal(cfg->side[0].dscp, 46);
	assert_int_equal(cfg->side[0].vlan, 0);
	assert_int_equal(cfg->listener[0].address.local.port, 5060);
	assert_address(&p->address, "10.0.0.2:5060");
	assert_int_equal(p->transport, TRANSPORT_TCP);
	assert_int_equal(p->media_family, 4);
	assert_false(p->latch);
	assert_int_equal(p->latch_prefix_v4, 32);
	assert_int_equal(p->latch_prefix_v6, 128);
	assert_int_equal(p->rtp_timeout_s, 30);
	assert_int_equal(p->rtp_timeout_held_s, 3600);
	assert_int_equal(p->codec_count, 0);
	assert_null(p->bypass);
	assert_int_equal(p->refer, REFER_LOCAL);
	assert_int_equal(p->replaces, REPLACES_OWN);
	assert_false(p->numbers.remove_plus);
	assert_int_equal(p->codes.rule_count, 0);
	assert_int_equal(p->numbers.called_in.count + p->numbers.calling_in.count, 0);
	assert_int_equal(p->numbers.called_out.count + p->numbers.calling_out.count, 0);
	assert_int_equal(p->usage_count, 0);
	assert_int_equal(p->limits.calls, 0);
	assert_int_equal(p->session.timer, SESSION_TIMER_ACCEPT);
	assert_int_equal(p->session.refresher, SESSION_REFRESHER_AUTO);
	assert_int_equal(p->session.interval_s, 1800);
	assert_int_equal(p->session.min_s, 90);
	assert_int_equal(p->session.reliable, RELIABLE_PASS);
	assert_int_equal(p->session.delayed_offer, DELAYED_OFFER_ACCEPT);
	assert_int_equal(p->session.forking, FORKING_PASS);
	assert_int_equal(p->session.early_dialogs_max, 20);
	assert_int_equal(p->session.early_media, EARLY_MEDIA_PASS);
	assert_int_equal(p->session.ringing, RINGING_PASS);
	assert_int_equal(p->session.hold, HOLD_PASS);
	assert_int_equal(cfg->route_count, 0);
	assert_int_equal(cfg->calls_max, 20000);
	assert_int_equal(cfg->limits.calls_per_second, 0);
	assert_int_equal(cfg->tcp_connections_max, 1024);
	assert_int_equal(cfg->max_forwards, 70);
	assert_int_equal(cfg->ring_timeout_s, 180);
	assert_int_equal(cfg->unanswered_timeout_s, 1800);
	assert_int_equal(cfg->reinvite_timeout_s, 300);
	assert_int_equal(cfg->attempt_timeout_s, 10);
	assert_int_equal(cfg->port_quarantine_s, 5);
	assert_false(cfg->silent_strangers);
	assert_int_equal(cfg->log_level, LOG_LEVEL_INFO);
	assert_int_equal(cfg->batching, BATCHING_AUTO);
	assert_string_equal(cfg->user, "");
	assert_string_equal(cfg->bpf_dir, "/sys/fs/bpf");
	assert_string_equal(cfg->state_dir, "/run/viaduct");
	assert_string_equal(cfg->instance, "default");
	assert_string_equal(cfg->control_group, "");
	assert_int_not_equal(cfg->control_port, 0);
	config_unref(cfg);
}

static void how_a_peer_is_spoken_with_is_read(void **state)
{
	struct config *cfg = load_good(
		"sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
		"  external: {device: b, addresses: [192.0.2.1]}}\n"
		"listeners: [{name: l, side: internal, transport: tcp}]\n"
		"peers:\n"
		"  - name: p\n    kind: direct\n    listener: l\n    address: 10.0.0.2\n"
		"    session_timer: {mode: require, interval: 600, min: 120, refresher: us}\n"
		"    reliable: end\n    delayed_offer: convert\n    forking: fold\n"
		"    early_dialogs: 3\n    early_media: block\n    ringing: 180-to-183\n"
		"    hold: inactive\n"
		"  - {name: q, kind: direct, listener: l, address: 10.0.0.3,\n"
		"     session_timer: {min: 2000}}\n");
	const struct session_config *s = &cfg->peer[0].session;

	(void)state;
	assert_int_equal(s->timer, SESSION_TIMER_REQUIRE);
	assert_int_equal(s->refresher, SESSION_REFRESHER_US);
	assert_int_equal(s->interval_s, 600);
	assert_int_equal(s->min_s, 120);
	assert_int_equal(s->reliable, RELIABLE_END);
	assert_int_equal(s->delayed_offer, DELAYED_OFFER_CONVERT);
	assert_int_equal(s->forking, FORKING_FOLD);
	assert_int_equal(s->early_dialogs_max, 3);
	assert_int_equal(s->early_media, EARLY_MEDIA_BLOCK);
	assert_int_equal(s->ringing, RINGING_180_TO_183);
	assert_int_equal(s->hold, HOLD_INACTIVE);
	/* The default interval is never below what is written as the smallest. */
	assert_int_equal(cfg->peer[1].session.interval_s, 2000);
	config_unref(cfg);
}

static void the_example_is_good(void **state)
{
	struct config *cfg = load_file("tools/demo/viaduct.yaml");

	(void)state;
	assert_int_equal(cfg->peer_count, 4);
	assert_int_equal(cfg->route_count, 4);
	config_unref(cfg);
}

/* Which some editors write. */
static void a_byte_order_mark_is_no_mistake(void **state)
{
	char *good = slurp("tests/unit/data/good.yaml"), *text = NULL;
	int len = asprintf(&text, "\xef\xbb\xbf%s", good);
	struct config *cfg = NULL;
	char *errors;

	(void)state;
	assert_true(len > 0);
	assert_int_equal(load_text(&cfg, text, (size_t)len, &errors), 0);
	assert_string_equal(errors, "");
	config_unref(cfg);
	free(errors);
	free(text);
	free(good);
}

static void a_tag_that_says_what_is_so_anyway_is_taken(void **state)
{
	struct config *cfg = load_good(
		"sides: !!map {internal: {device: a, addresses: [10.0.0.1]},\n"
		"  external: {device: b, addresses: !!seq [192.0.2.1]}}\n"
		"listeners: [{name: l, side: internal, transport: udp, port: !!int 5070}]\n"
		"peers: [{name: p, kind: direct, listener: l, address: !!str 10.0.0.2}]\n"
		"log: ! debug\n");

	(void)state;
	assert_int_equal(cfg->listener[0].address.local.port, 5070);
	assert_int_equal(cfg->log_level, LOG_LEVEL_DEBUG);
	config_unref(cfg);
}

static void a_listener_without_address_serves_both_families(void **state)
{
	struct config *cfg = load_good(
		"sides: {internal: {device: a, addresses: ['fd10::1', 10.0.0.1]},\n"
		"  external: {device: b, addresses: [192.0.2.1], advertise: [203.0.113.1]}}\n"
		"listeners: [{name: l, side: internal, transport: udp},\n"
		"  {name: x, side: external, transport: udp}]\n"
		"peers: [{name: p4, kind: direct, listener: l, address: 10.0.0.2},\n"
		"  {name: p6, kind: direct, listener: l, address: 'fd10::2'}]\n");

	(void)state;
	assert_int_equal(cfg->listener_count, 3);
	assert_string_equal(cfg->listener[0].name, "l");
	assert_address(&cfg->listener[0].address.local, "[fd10::1]:5060");
	assert_string_equal(cfg->listener[1].name, "l/4");
	assert_address(&cfg->listener[1].address.local, "10.0.0.1:5060");
	assert_address(&cfg->listener[2].address.advertised, "203.0.113.1:5060");
	assert_int_equal(cfg->peer[0].listener, 1);
	assert_int_equal(cfg->peer[1].listener, 0);
	config_unref(cfg);
}

static void the_longest_prefix_on_the_listener_is_the_peer(void **state)
{
	struct config *cfg =
		load_good("sides: {internal: {device: a, addresses: [10.0.0.1, 'fd10::1']},\n"
			  "  external: {device: b, addresses: [192.0.2.1]}}\n"
			  "listeners: [{name: l, side: internal, transport: udp},\n"
			  "  {name: m, side: internal, transport: udp, port: 5062}]\n"
			  "peers:\n"
			  "  - {name: host, kind: direct, listener: l, address: 10.0.0.2}\n"
			  "  - {name: net, kind: direct, listener: l, address: 10.1.0.1, sources: "
			  "[10.0.0.0/24]}\n"
			  "  - {name: wide, kind: direct, listener: l, address: 10.2.0.1, sources: "
			  "[10.0.0.0/9]}\n"
			  "  - {name: other, kind: direct, listener: m, address: 10.0.0.2, "
			  "sources: [0.0.0.0/0]}\n"
			  "  - {name: six, kind: direct, listener: l, address: 'fd10::2', sources: "
			  "['fd00::/9']}\n");
	static const struct {
		const char *source;
		unsigned listener;
		const char *peer;
	} cases[] = {
		{"10.0.0.2:40000", 0, "host"},
		{"10.0.0.3", 0, "net"},
		{"10.0.1.3", 0, "wide"},
		{"10.127.255.255", 0, "wide"},
		{"10.128.0.0", 0, NULL},
		{"10.0.0.2", 2, "other"},
		{"203.0.113.9", 2, "other"},
		{"203.0.113.9", 0, NULL},
		{"fd10::2", 0, NULL},
		{"fd10::2", 1, "six"},
		{"fd7f:ffff::1", 1, "six"},
		{"fd80::1", 1, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a = address(cases[i].source);
		const struct peer_config *p = config_find_peer(cfg, &a, cases[i].listener);

		if (cases[i].peer)
			assert_string_equal(p ? p->name : "(stranger)", cases[i].peer);
		else
			assert_null(p);
	}
	config_unref(cfg);
}

static void thousands_of_peers_and_routes_load(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	struct config *cfg;
	struct addr a;

	(void)state;
	fputs("sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
	      "  external: {device: b, addresses: [192.0.2.1]}}\n"
	      "listeners: [{name: l, side: internal, transport: udp}]\npeers:\n",
		f);
	for (int i = 0; i < PEERS; i++)
		fprintf(f, "  - {name: p%d, kind: direct, listener: l, address: 10.1.%d.%d}\n", i,
			i / 256, i % 256);
	fputs("routes:\n", f);
	for (int i = 0; i < ROUTES; i++)
		fprintf(f, "  - {called: '%d.*', to: [p%d]}\n", i, i % PEERS);
	fclose(f);
	cfg = load_good(text);
	free(text);
	assert_int_equal(cfg->peer_count, PEERS);
	assert_int_equal(cfg->route_count, ROUTES);
	a = address("10.1.3.231");
	assert_string_equal(config_find_peer(cfg, &a, 0)->name, "p999");
	assert_int_equal(config_peer_index(cfg, &cfg->peer[PEERS - 1]), PEERS - 1);
	assert_int_equal(config_peer_index(cfg, config_peer_by_name(cfg, "p77")), 77);
	assert_null(config_peer_by_name(cfg, "p4096"));
	config_unref(cfg);
}

static void a_reference_keeps_it(void **state)
{
	struct config *cfg = load_file(GOOD);

	(void)state;
	assert_ptr_equal(config_ref(cfg), cfg);
	config_unref(cfg);
	assert_string_equal(cfg->peer[0].name, "pbx");
	config_unref(cfg);
	config_unref(NULL);
}

static void assert_reload(const char *from, const char *to, const char *expected)
{
	char *good = slurp(GOOD), *at, *raw = NULL;
	struct config *old = load_good(good), *cfg;
	struct strbuf text = {0};
	size_t len;
	FILE *out = open_memstream(&raw, &len);
	int ret;

	at = strstr(good, from);
	assert_non_null(at);
	strbuf_addn(&text, good, (size_t)(at - good));
	strbuf_add(&text, to);
	strbuf_add(&text, at + strlen(from));
	cfg = load_good(text.s);
	ret = config_check_reload(old, cfg, out);
	fclose(out);
	assert_int_equal(ret, expected ? -EINVAL : 0);
	if (expected)
		assert_non_null(strstr(raw, expected));
	else
		assert_string_equal(raw, "");
	free(raw);
	strbuf_free(&text);
	free(good);
	config_unref(cfg);
	config_unref(old);
}

static void reload_refuses_what_needs_a_restart(void **state)
{
	(void)state;
	assert_reload("device: vdi0", "device: eth7",
		":3: sides.internal.device: \"eth7\" takes effect by a restart alone; expected "
		"\"vdi0\"\n");
	assert_reload("vlan: 7", "vlan: 8",
		":11: sides.external.vlan: 8 takes effect by a restart alone; expected 7\n");
	assert_reload("log: debug", "log: debug\nuser: nobody", ":33: user: \"nobody\" takes");
	assert_reload("log: debug", "bpf_dir: /run/bpf", ":32: bpf_dir: \"/run/bpf\" takes");
	assert_reload("log: debug", "batching: off", ":32: batching: \"off\" takes");
	assert_reload("log: debug", "state_dir: /run/v", ":32: state_dir: \"/run/v\" takes");
	assert_reload("log: debug", "instance: two", ":32: instance: \"two\" takes");
	assert_reload("log: debug", "control:\n  port: 7", ":33: control.port: 7 takes");
}

static void reload_takes_everything_else(void **state)
{
	(void)state;
	assert_reload("log: debug", "log: warn\ncontrol: {group: wheel}", NULL);
	assert_reload("dscp: 46", "dscp: 0", NULL);
	assert_reload("10.10.0.2:5080", "10.10.0.3", NULL);
	assert_reload("20000-39999", "30000-39999", NULL);
	assert_reload("calls: 1000", "calls: 10", NULL);
}

static void a_host_name_has_the_listeners_of_both_families(void **state)
{
	struct config *cfg = load_good(
		"sides:\n"
		"  internal: {device: a, addresses: ['fd10::1', 10.0.0.1]}\n"
		"  external: {device: b, addresses: [192.0.2.1]}\n"
		"listeners: [{name: l, side: internal, transport: udp},\n"
		"  {name: x, side: external, transport: tcp}]\n"
		"peers: [{name: p, kind: direct, listener: l, address: Pbx-1.example.com,\n"
		"    sources: [10.1.0.0/24, 'fd11::/64']},\n"
		"  {name: q, kind: trunk, listener: x, address: 'sip.example.net:5070'}]\n"
		"dns: {servers: [192.0.2.53, '[fd10::53]:5353'], timeout: 1}\n");
	const struct peer_config *p = config_peer_by_name(cfg, "p");
	const struct peer_config *q = config_peer_by_name(cfg, "q");
	struct addr source = address("10.1.0.9");
	char buf[ADDR_TEXT_MAX];
	uint16_t port;

	(void)state;
	assert_string_equal(p->host, "Pbx-1.example.com");
	assert_int_equal(p->host_port, 0);
	assert_int_equal(p->address.family, 0);
	assert_int_equal(p->media_family, 6);
	assert_int_equal(peer_listener_of(cfg, p, 6), 0);
	assert_int_equal(peer_listener_of(cfg, p, 4), 1);
	assert_int_equal(p->source_count, 2);
	assert_ptr_equal(config_find_peer(cfg, &source, 1), p);
	assert_null(config_find_peer(cfg, &source, 0));
	source = address("fd11::1");
	assert_ptr_equal(config_find_peer(cfg, &source, 0), p);
	assert_string_equal(peer_uri_host(q, buf, &port), "sip.example.net");
	assert_int_equal(port, 5070);
	assert_int_equal(q->media_family, 4);
	assert_int_equal(peer_listener_of(cfg, q, 6), CONFIG_NO_LISTENER);
	assert_int_equal(cfg->dns.server_count, 2);
	assert_address(&cfg->dns.server[0], "192.0.2.53:53");
	assert_address(&cfg->dns.server[1], "[fd10::53]:5353");
	assert_int_equal(cfg->dns.timeout_s, 1);
	assert_int_equal(cfg->dns.tries, 3);
	config_unref(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_name_has_the_listeners_of_both_families),
		cmocka_unit_test(written_values_arrive),
		cmocka_unit_test(what_is_not_written_has_its_default),
		cmocka_unit_test(how_a_peer_is_spoken_with_is_read),
		cmocka_unit_test(trunks_are_watched_and_codes_are_a_set),
		cmocka_unit_test(identity_hangs_on_the_kind_where_it_is_not_written),
		cmocka_unit_test(the_example_is_good),
		cmocka_unit_test(a_byte_order_mark_is_no_mistake),
		cmocka_unit_test(a_tag_that_says_what_is_so_anyway_is_taken),
		cmocka_unit_test(a_listener_without_address_serves_both_families),
		cmocka_unit_test(the_longest_prefix_on_the_listener_is_the_peer),
		cmocka_unit_test(thousands_of_peers_and_routes_load),
		cmocka_unit_test(a_reference_keeps_it),
		cmocka_unit_test(reload_refuses_what_needs_a_restart),
		cmocka_unit_test(reload_takes_everything_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
