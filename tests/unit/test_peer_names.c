/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers named by host name: where requests to them go, and whose are those that come. */
#include "test_dns_server.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/log.h"
#include "peer/internal.h"
#include "sip/internal.h"

#define PATIENCE_MS 3000

struct world {
	struct loop *loop;
	struct server server;
	uint16_t port[2]; /* of the listeners */
	struct config *cfg;
	struct sip *sip;
	struct peers *peers;
	unsigned events;
	char last_event[512];
};

/* Below media ports, and those that the kernel gives to whoever asks for any. */
#define PORTS_FROM 10000
#define PORTS      6000
#define PORTS_EACH 16 /* of a program that runs beside this one */

/* Whether nobody has that port of any address. */
static bool is_free(uint16_t port, int type)
{
	struct addr any = {.family = 4, .port = port};
	int fd = listener_socket(&any, type);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* For UDP and TCP, and it stays free until a listener takes it. */
static uint16_t free_port(void)
{
	static unsigned last;
	uint16_t port;

	if (!last)
		last = (unsigned)getpid() * PORTS_EACH;
	do {
		port = (uint16_t)(PORTS_FROM + ++last % PORTS);
	} while (!is_free(port, SOCK_DGRAM) || !is_free(port, SOCK_STREAM));
	return port;
}

static struct config *make_config(struct world *w, const char *peers)
{
	char text[4096], path[64];
	struct config *cfg = NULL;
	int fd = memfd_create("config", 0), n;

	n = snprintf(text, sizeof(text),
		"sides:\n"
		"  internal: {device: a, addresses: [127.0.0.1, '::1']}\n"
		"  external: {device: b, addresses: [127.0.0.2]}\n"
		"listeners:\n"
		"  - {name: in, side: internal, transport: udp, port: %u}\n"
		"  - {name: out, side: external, transport: udp, port: %u}\n"
		"  - {name: out-tcp, side: external, transport: tcp, port: %u}\n"
		"dns: {servers: ['127.0.0.1:%u'], ttl_min: 1, ttl_max: 1}\n"
		"log: error\n"
		"peers:\n%s",
		w->port[0], w->port[1], w->port[1], w->server.addr.port, peers);
	assert_int_equal(write(fd, text, (size_t)n), n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(config_load(&cfg, path, stderr), 0);
	close(fd);
	return cfg;
}

static void on_event(void *ctx, const char *kind, const char *text)
{
	struct world *w = ctx;

	w->events++;
	snprintf(w->last_event, sizeof(w->last_event), "%s: %s", kind, text);
}

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_new(&w->loop), 0);
	loop_once(w->loop, 0);
	server_open(&w->server, w->loop);
	w->port[0] = free_port();
	w->port[1] = free_port();
}

static void start(struct world *w, const char *peers)
{
	struct sip_handlers handlers = {0};

	w->cfg = make_config(w, peers);
	assert_int_equal(sip_new(&w->sip, w->loop, w->cfg, &handlers), 0);
	assert_int_equal(peers_new(&w->peers, w->loop, w->sip, w->cfg, on_event, w), 0);
}

static void reload(struct world *w, const char *peers)
{
	struct config *cfg = make_config(w, peers);

	assert_int_equal(sip_reload(w->sip, cfg, stderr), 0);
	assert_int_equal(peers_reload(w->peers, cfg), 0);
	config_unref(w->cfg);
	w->cfg = cfg;
}

static void close_world(struct world *w)
{
	peers_free(w->peers);
	sip_free(w->sip);
	assert_int_equal(w->cfg->refs, 1);
	config_unref(w->cfg);
	server_close(&w->server);
	loop_free(w->loop);
}

#define wait_for(w, condition)                                                                     \
	do {                                                                                       \
		uint64_t end_;                                                                     \
		loop_once((w)->loop, 0);                                                           \
		end_ = loop_now_ms((w)->loop) + PATIENCE_MS;                                       \
		while (!(condition) && loop_now_ms((w)->loop) < end_)                              \
			loop_once((w)->loop, 1);                                                   \
		assert_true(condition);                                                            \
	} while (0)

/* "10.0.0.1:5060 …" in that order. */
static const char *targets_by(struct world *w, const char *name,
	unsigned order(struct peer *peer, struct sip_dest out[PEER_TARGETS_MAX]))
{
	static char text[PEER_TARGETS_MAX * ADDR_TEXT_MAX];
	struct sip_dest dest[PEER_TARGETS_MAX];
	unsigned n = order(peer_by_name(w->peers, name), dest);
	char one[ADDR_TEXT_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		len += (size_t)sprintf(
			text + len, "%s%s", i ? " " : "", addr_print(&dest[i].remote, one));
	return text;
}

/* By what the DNS says. */
static const char *targets(struct world *w, const char *name)
{
	return targets_by(w, name, peer_targets);
}

/* As a call would try them now. */
static const char *able_targets(struct world *w, const char *name)
{
	return targets_by(w, name, peer_targets_by_health);
}

static bool goes_to(struct world *w, const char *name, const char *expected)
{
	return strcmp(targets(w, name), expected) == 0;
}

/* Whose a message from there to that listener is: "" for a stranger's, "NAME (leaving)" where it
 * may speak in its dialogs alone. */
static const char *speaker(struct world *w, const char *ip, const char *listener)
{
	static char text[128];
	const struct peer_config *peer;
	struct addr a;
	bool leaving = true;
	unsigned i = 0;

	assert_int_equal(addr_parse(&a, ip, 40000), 0);
	while (strcmp(w->cfg->listener[i].name, listener) != 0)
		i++;
	peer = admit(w->sip, &a, sip_listener_slot(w->sip, &w->cfg->listener[i]), &leaving);
	snprintf(text, sizeof(text), "%s%s", peer ? peer->name : "", leaving ? " (leaving)" : "");
	return text;
}

static bool shares(struct world *w, const char *named, const char *other)
{
	return peers_share_source(w->peers, named, config_peer_by_name(w->cfg, other));
}

static const char *why(struct world *w, const char *name)
{
	struct peer_status status;

	peer_get_status(peer_by_name(w->peers, name), &status);
	return status.why;
}

static enum peer_state state_of(struct world *w, const char *name)
{
	return peer_get_state(peer_by_name(w->peers, name));
}

/* ---- tests ---- */

static void a_name_is_down_until_it_resolves(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: itsp.test}\n");
	assert_int_equal(state_of(&w, "itsp"), PEER_DOWN);
	assert_string_equal(why(&w, "itsp"), "its name is being looked up");
	assert_string_equal(targets(&w, "itsp"), "");
	assert_int_equal(w.events, 0);
	wait_for(&w, w.events == 1);
	assert_string_equal(why(&w, "itsp"), "name does not resolve: NXDOMAIN");
	assert_int_equal(state_of(&w, "itsp"), PEER_DOWN);
	add_a(&w.server, "itsp.test", 1, "127.0.0.4");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	assert_string_equal(w.last_event, "peer: itsp: up, was down: its name resolves");
	assert_string_equal(targets(&w, "itsp"), "127.0.0.4:5060");
	close_world(&w);
}

static void srv_and_both_families_of_the_listener(void **state)
{
	struct sip_dest dest[PEER_TARGETS_MAX];
	struct world w;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.pbx.test", 60, 2, 0, 5070, "b.test");
	add_srv(&w.server, "_sip._udp.pbx.test", 60, 1, 0, 5061, "a.test");
	add_a(&w.server, "a.test", 60, "127.0.0.4");
	add_aaaa(&w.server, "a.test", 60, "fd00::4");
	add_aaaa(&w.server, "b.test", 60, "fd00::5");
	start(&w, "  - {name: pbx, kind: direct, listener: in, address: pbx.test}\n"
		  "  - {name: far, kind: trunk, listener: out, address: 'a.test:5090'}\n");
	wait_for(&w, goes_to(&w, "pbx", "127.0.0.4:5061 [fd00::4]:5061 [fd00::5]:5070"));
	assert_int_equal(peer_targets(peer_by_name(w.peers, "pbx"), dest), 3);
	assert_string_equal(sip_listener_host(w.sip, dest[0].listener), "127.0.0.1");
	assert_string_equal(sip_listener_host(w.sip, dest[1].listener), "[::1]");
	wait_for(&w, goes_to(&w, "far", "127.0.0.4:5090")); /* its listener is IPv4 */
	assert_string_equal(speaker(&w, "127.0.0.4", "in"), "pbx");
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "far");
	assert_string_equal(speaker(&w, "127.0.0.4", "out-tcp"), "far");
	assert_string_equal(speaker(&w, "fd00::5", "in/6"), "pbx");
	assert_string_equal(speaker(&w, "127.0.0.5", "in"), "");
	close_world(&w);
}

static void an_address_that_vanished_speaks_in_its_dialogs_alone(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 1, "127.0.0.4");
	add_a(&w.server, "itsp.test", 1, "127.0.0.5");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp");
	assert_string_equal(speaker(&w, "127.0.0.5", "out"), "itsp");
	w.server.rows = 0;
	add_a(&w.server, "itsp.test", 1, "127.0.0.5");
	add_a(&w.server, "itsp.test", 1, "127.0.0.6");
	wait_for(&w, strcmp(speaker(&w, "127.0.0.6", "out"), "itsp") == 0);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp (leaving)");
	assert_string_equal(speaker(&w, "127.0.0.5", "out"), "itsp");
	w.server.rows = 0;
	add_a(&w.server, "itsp.test", 1, "127.0.0.4");
	wait_for(&w, strcmp(speaker(&w, "127.0.0.4", "out"), "itsp") == 0);
	assert_string_equal(speaker(&w, "127.0.0.6", "out"), "itsp (leaving)");
	close_world(&w);
}

/* 10.x.y.z as source of requests to the listener out. */
static struct source_key source(struct world *w, unsigned i)
{
	struct source_key key;

	memset(&key, 0, sizeof(key));
	key.listener = sip_listener_slot(w->sip, &w->cfg->listener[2]);
	key.ip.family = 4;
	key.ip.ip[0] = 10;
	key.ip.ip[2] = (uint8_t)(i / 256);
	key.ip.ip[3] = (uint8_t)i;
	return key;
}

static uint64_t forgotten(struct world *w)
{
	struct peers_names names;

	peers_get_names(w->peers, &names);
	return names.sources_forgotten;
}

static void vanished_addresses_of_one_peer_are_limited(void **state)
{
	struct source_key key;
	struct world w;
	struct peer *peer;

	(void)state;
	open_world(&w);
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	peer = peer_by_name(w.peers, "itsp");
	for (unsigned i = 0; i <= LEAVING_MAX; i++) {
		key = source(&w, i);
		sources_update(peer, &key, 1);
	}
	assert_int_equal(peer->leaving_count, LEAVING_MAX);
	assert_int_equal(sources_count(w.peers), LEAVING_MAX + 1);
	assert_string_equal(speaker(&w, "10.0.0.64", "out"), "itsp");
	assert_string_equal(speaker(&w, "10.0.0.63", "out"), "itsp (leaving)");
	assert_string_equal(speaker(&w, "10.0.0.0", "out"), "itsp (leaving)");
	assert_int_equal(forgotten(&w), 0);
	key = source(&w, LEAVING_MAX + 1);
	sources_update(peer, &key, 1);
	assert_int_equal(peer->leaving_count, LEAVING_MAX);
	assert_string_equal(speaker(&w, "10.0.0.0", "out"), "");
	assert_string_equal(speaker(&w, "10.0.0.1", "out"), "itsp (leaving)");
	assert_int_equal(forgotten(&w), 1);
	close_world(&w);
}

/* As by a reload. */
static void drop(struct world *w, unsigned i)
{
	struct peer *peer = peer_by_name(w->peers, "itsp");
	struct source_key key = source(w, i);

	sources_update(peer, &key, 1);
	sources_orphan(peer);
}

static void addresses_of_dropped_peers_are_limited_together(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	for (unsigned i = 0; i < ORPHANS_MAX; i++)
		drop(&w, i);
	assert_int_equal(w.peers->orphan_count, ORPHANS_MAX);
	assert_int_equal(forgotten(&w), 0);
	assert_string_equal(speaker(&w, "10.0.0.0", "out"), "itsp (leaving)");
	drop(&w, ORPHANS_MAX);
	assert_int_equal(w.peers->orphan_count, ORPHANS_MAX);
	assert_int_equal(forgotten(&w), 1);
	assert_string_equal(speaker(&w, "10.0.0.0", "out"), "");
	assert_string_equal(speaker(&w, "10.0.0.1", "out"), "itsp (leaving)");
	assert_string_equal(speaker(&w, "10.0.16.0", "out"), "itsp (leaving)");
	close_world(&w);
}

static void a_written_source_goes_before_a_resolved_one(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n"
		  "  - {name: old, kind: trunk, listener: out, address: 127.0.0.4}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "old");
	assert_true(shares(&w, "itsp", "old"));
	assert_int_equal(w.peers->sources_shared, 1);
	reload(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp");
	close_world(&w);
}

static void of_two_names_for_one_address_the_first_in_the_file_counts(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "a.test", 1, "127.0.0.4");
	add_a(&w.server, "b.test", 1, "127.0.0.4");
	start(&w, "  - {name: one, kind: trunk, listener: out, address: 'a.test:5060'}\n"
		  "  - {name: two, kind: trunk, listener: out, address: 'b.test:5060'}\n"
		  "  - {name: else, kind: trunk, listener: out, address: 'c.test:5060'}\n");
	wait_for(&w, state_of(&w, "one") == PEER_UP && state_of(&w, "two") == PEER_UP);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "one");
	assert_int_equal(w.peers->sources_shared, 1);
	assert_true(shares(&w, "two", "one"));
	assert_true(shares(&w, "one", "two"));
	assert_false(shares(&w, "else", "one"));
	/* The first moves away: the second has it, the first its dialogs' rest. */
	w.server.rows = 0;
	add_a(&w.server, "a.test", 1, "127.0.0.5");
	add_a(&w.server, "b.test", 1, "127.0.0.4");
	wait_for(&w, strcmp(speaker(&w, "127.0.0.5", "out"), "one") == 0);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "two");
	/* The order of the file is the present one's. */
	w.server.rows = 0;
	add_a(&w.server, "a.test", 60, "127.0.0.5");
	add_a(&w.server, "b.test", 60, "127.0.0.5");
	wait_for(&w, goes_to(&w, "two", "127.0.0.5:5060"));
	assert_string_equal(speaker(&w, "127.0.0.5", "out"), "one");
	reload(&w, "  - {name: two, kind: trunk, listener: out, address: 'b.test:5060'}\n"
		   "  - {name: one, kind: trunk, listener: out, address: 'a.test:5060'}\n");
	assert_string_equal(speaker(&w, "127.0.0.5", "out"), "two");
	close_world(&w);
}

static void a_reload_keeps_what_was_resolved(void **state)
{
	struct world w;
	unsigned queries;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	w.server.mode = SERVER_SILENT;
	queries = w.server.queries;
	reload(&w, "  - {name: new, kind: trunk, listener: out, address: 127.0.0.9}\n"
		   "  - {name: itsp, kind: trunk, listener: out, address: 'ITSP.test:5060'}\n");
	assert_string_equal(targets(&w, "itsp"), "127.0.0.4:5060");
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp");
	assert_int_equal(state_of(&w, "itsp"), PEER_UP);
	assert_int_equal(w.server.queries, queries);
	/* Another name: what it stands for is not known yet. */
	reload(&w, "  - {name: itsp, kind: trunk, listener: out, address: other.test}\n");
	assert_string_equal(targets(&w, "itsp"), "");
	assert_int_equal(state_of(&w, "itsp"), PEER_DOWN);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp (leaving)");
	reload(&w, "  - {name: itsp, kind: trunk, listener: out, address: 127.0.0.7}\n");
	assert_string_equal(targets(&w, "itsp"), "127.0.0.7:5060");
	assert_int_equal(state_of(&w, "itsp"), PEER_UP);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp (leaving)");
	close_world(&w);
}

static void a_dropped_peer_is_admitted_while_calls_hold_its_configuration(void **state)
{
	struct config *call;
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	call = config_ref(w.cfg);
	reload(&w, "  - {name: new, kind: trunk, listener: out, address: 127.0.0.9}\n");
	assert_null(peer_by_name(w.peers, "itsp"));
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "itsp (leaving)");
	config_unref(call);
	assert_string_equal(speaker(&w, "127.0.0.4", "out"), "");
	close_world(&w);
}

/* A place of the peer answers 503, with those seconds of Retry-After where they are not 0. */
static void is_unavailable(struct world *w, const char *name, const char *place, unsigned seconds)
{
	osip_message_t *resp = NULL;
	struct addr a;
	char text[16];

	assert_int_equal(addr_parse(&a, place, 0), 0);
	assert_int_equal(osip_message_init(&resp), 0);
	snprintf(text, sizeof(text), "%u", seconds);
	if (seconds)
		assert_int_equal(osip_message_set_header(resp, "Retry-After", text), 0);
	peer_target_unavailable(peer_by_name(w->peers, name), &a, resp);
	osip_message_free(resp);
}

static void each_address_says_for_how_long_it_wants_no_calls(void **state)
{
	struct addr first;
	struct world w;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 0, 5061, "a.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 2, 0, 5062, "b.test");
	add_a(&w.server, "a.test", 60, "127.0.0.4");
	add_a(&w.server, "b.test", 60, "127.0.0.5");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: itsp.test, "
		  "failover: {retry_after: 2}}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	is_unavailable(&w, "itsp", "127.0.0.4:5061", 0);
	assert_string_equal(able_targets(&w, "itsp"), "127.0.0.5:5062 127.0.0.4:5061");
	is_unavailable(&w, "itsp", "127.0.0.4:5061", 2);
	assert_string_equal(able_targets(&w, "itsp"), "127.0.0.5:5062");
	/* What else becomes of it takes nothing back of what it has said. */
	assert_int_equal(addr_parse(&first, "127.0.0.4:5061", 0), 0);
	peer_target_failed(peer_by_name(w.peers, "itsp"), &first);
	peer_target_answered(peer_by_name(w.peers, "itsp"), &first);
	assert_string_equal(able_targets(&w, "itsp"), "127.0.0.5:5062");
	assert_int_equal(state_of(&w, "itsp"), PEER_UP);
	is_unavailable(&w, "itsp", "127.0.0.5:5062", 3600);
	assert_int_equal(state_of(&w, "itsp"), PEER_DOWN);
	assert_string_equal(why(&w, "itsp"), "it wants no calls for 2 s (503 with Retry-After)");
	/* For an emergency call. */
	assert_string_equal(able_targets(&w, "itsp"), "127.0.0.4:5061 127.0.0.5:5062");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	assert_string_equal(able_targets(&w, "itsp"), "127.0.0.4:5061 127.0.0.5:5062");
	close_world(&w);
}

static void a_name_that_moves_away_from_those_who_want_no_calls_takes_calls(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	is_unavailable(&w, "itsp", "127.0.0.4:5060", 120);
	assert_int_equal(state_of(&w, "itsp"), PEER_DOWN);
	w.server.rows = 0;
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	add_a(&w.server, "itsp.test", 60, "127.0.0.6");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	assert_string_equal(
		w.last_event, "peer: itsp: up, was down: its name stands for others now");
	assert_string_equal(able_targets(&w, "itsp"), "127.0.0.6:5060");
	close_world(&w);
}

static void a_name_that_is_left_with_those_who_want_no_calls_gets_none(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	add_a(&w.server, "itsp.test", 60, "127.0.0.5");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	wait_for(&w, state_of(&w, "itsp") == PEER_UP);
	is_unavailable(&w, "itsp", "127.0.0.4:5060", 120);
	assert_int_equal(state_of(&w, "itsp"), PEER_UP);
	w.server.rows = 0;
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	wait_for(&w, state_of(&w, "itsp") == PEER_DOWN);
	assert_true(peer_retry_after_s(peer_by_name(w.peers, "itsp")) > 100);
	/* Nor does it forget that where the name stands for nothing in between. */
	w.server.rows = 0;
	wait_for(&w, goes_to(&w, "itsp", ""));
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	wait_for(&w, goes_to(&w, "itsp", "127.0.0.4:5060"));
	assert_true(peer_retry_after_s(peer_by_name(w.peers, "itsp")) > 100);
	close_world(&w);
}

static void a_name_resolves_whether_its_listener_has_its_address_or_not(void **state)
{
	struct listener *out;
	struct dns_info info;
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "itsp.test", 60, "127.0.0.4");
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 'itsp.test:5060'}\n");
	out = listener_at(
		w.sip, sip_listener_slot(w.sip, &w.cfg->listener[w.cfg->peer[0].listener]));
	loop_timer_stop(w.loop, &w.sip->address_timer);
	out->is_waiting = true;
	wait_for(&w, peer_get_name(peer_by_name(w.peers, "itsp"), &info) && info.count == 1);
	assert_string_equal(targets(&w, "itsp"), "");
	out->is_waiting = false;
	assert_string_equal(targets(&w, "itsp"), "127.0.0.4:5060");
	assert_int_equal(state_of(&w, "itsp"), PEER_UP);
	close_world(&w);
}

static void our_own_address_is_no_target(void **state)
{
	struct server_row *row;
	struct world w;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 0, w.port[1], "us.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 2, 0, 5060, "them.test");
	add_a(&w.server, "us.test", 60, "127.0.0.2");
	add_a(&w.server, "them.test", 60, "127.0.0.4");
	row = &w.server.row[1];
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: itsp.test}\n");
	wait_for(&w, goes_to(&w, "itsp", "127.0.0.4:5060"));
	assert_string_equal(speaker(&w, "127.0.0.2", "out"), "");
	row->type = 99; /* nobody but us */
	wait_for(&w, state_of(&w, "itsp") == PEER_DOWN);
	assert_string_equal(
		why(&w, "itsp"), "name does not resolve: to no address that we can use");
	close_world(&w);
}

static void without_names_no_resolver_is_started(void **state)
{
	struct peers_names names;
	struct world w;

	(void)state;
	open_world(&w);
	start(&w, "  - {name: itsp, kind: trunk, listener: out, address: 127.0.0.4}\n");
	assert_null(w.peers->dns);
	assert_string_equal(targets(&w, "itsp"), "127.0.0.4:5060");
	peers_get_names(w.peers, &names);
	assert_int_equal(names.sources, 0);
	reload(&w, "  - {name: itsp, kind: trunk, listener: out, address: itsp.test}\n");
	assert_non_null(w.peers->dns);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_down_until_it_resolves),
		cmocka_unit_test(srv_and_both_families_of_the_listener),
		cmocka_unit_test(an_address_that_vanished_speaks_in_its_dialogs_alone),
		cmocka_unit_test(vanished_addresses_of_one_peer_are_limited),
		cmocka_unit_test(addresses_of_dropped_peers_are_limited_together),
		cmocka_unit_test(a_written_source_goes_before_a_resolved_one),
		cmocka_unit_test(of_two_names_for_one_address_the_first_in_the_file_counts),
		cmocka_unit_test(a_reload_keeps_what_was_resolved),
		cmocka_unit_test(a_dropped_peer_is_admitted_while_calls_hold_its_configuration),
		cmocka_unit_test(each_address_says_for_how_long_it_wants_no_calls),
		cmocka_unit_test(a_name_that_moves_away_from_those_who_want_no_calls_takes_calls),
		cmocka_unit_test(a_name_that_is_left_with_those_who_want_no_calls_gets_none),
		cmocka_unit_test(a_name_resolves_whether_its_listener_has_its_address_or_not),
		cmocka_unit_test(our_own_address_is_no_target),
		cmocka_unit_test(without_names_no_resolver_is_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
