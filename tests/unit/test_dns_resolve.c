/* SPDX-License-Identifier: BSD-2-Clause */
/* Names against a nameserver that we script: RFC 3263, RFC 2782, RFC 2308, RFC 8767. */
#include "test_dns_server.h"

#include <errno.h>

#include "base/log.h"

#define PATIENCE_MS 3000
#define NO_ANSWER   "the nameservers fail, refuse or cannot be reached"

struct world {
	struct loop *loop;
	struct server server;
	struct dns_options options;
	struct dns *dns;
	unsigned changes;
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(loop_new(&w->loop), 0);
	loop_once(w->loop, 0);
	server_open(&w->server, w->loop);
	w->options = (struct dns_options){.server = {w->server.addr},
		.server_count = 1,
		.timeout_ms = 60,
		.tries = 2,
		.ttl_max_ms = 3600 * 1000,
		.ttl_min_ms = 1,
		.retry_min_ms = 30};
	assert_int_equal(dns_new(&w->dns, w->loop, &w->options), 0);
}

static void close_world(struct world *w)
{
	assert_null(w->dns->names);
	dns_free(w->dns);
	server_close(&w->server);
	loop_free(w->loop);
}

static void changed(void *ctx)
{
	((struct world *)ctx)->changes++;
}

static struct dns_watch *watch_as(struct world *w, const char *host, uint16_t port,
	enum dns_service service, unsigned families)
{
	struct dns_query q = {.host = host, .port = port, .service = service};
	struct dns_watch *watch;

	assert_int_equal(dns_watch(&watch, w->dns, &q, families, changed, w), 0);
	return watch;
}

static struct dns_watch *watch(struct world *w, const char *host, uint16_t port)
{
	return watch_as(w, host, port, DNS_SIP_UDP, DNS_IPV4);
}

static void run_ms(struct world *w, unsigned ms)
{
	uint64_t end;

	loop_once(w->loop, 0);
	end = loop_now_ms(w->loop) + ms;
	while (loop_now_ms(w->loop) < end)
		loop_once(w->loop, 1);
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

static struct dns_info info(const struct dns_watch *watch)
{
	struct dns_info out;

	dns_get(watch, &out);
	return out;
}

/* c-ares 1.18 does not tell in which way the nameservers failed, newer ones do. */
static void assert_error(const struct dns_watch *watch, const char *expected)
{
	if (strcmp(info(watch).error, NO_ANSWER) != 0)
		assert_string_equal(info(watch).error, expected);
}

/* "10.0.0.1:5060 …" in an order drawn. */
static const char *draw_from(const struct dns_watch *watch, uint8_t prefer)
{
	static char text[DNS_TARGETS_MAX * ADDR_TEXT_MAX];
	struct addr a[DNS_TARGETS_MAX];
	unsigned n = dns_draw(watch, prefer, a);
	char one[ADDR_TEXT_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s%s", i ? " " : "", addr_print(&a[i], one));
	return text;
}

static const char *draw(const struct dns_watch *watch)
{
	return draw_from(watch, 4);
}

static void settled(struct world *w, const struct dns_watch *watch)
{
	wait_for(w, info(watch).state != DNS_PENDING);
}

/* ---- RFC 3263 ---- */

static void a_port_leaves_srv_aside(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	add_srv(&w.server, "_sip._udp.sip.test", 60, 1, 1, 5099, "other.test");
	add_a(&w.server, "other.test", 60, "10.0.0.9");
	x = watch(&w, "sip.test", 5070);
	assert_int_equal(info(x).state, DNS_PENDING);
	assert_int_equal(dns_draw(x, 4, (struct addr[DNS_TARGETS_MAX]){{0}}), 0);
	settled(&w, x);
	assert_int_equal(info(x).state, DNS_FRESH);
	assert_string_equal(draw(x), "10.0.0.1:5070");
	assert_string_equal(info(x).error, "");
	assert_int_equal(w.changes, 1);
	assert_int_equal(w.server.queries, 1);
	dns_unwatch(x);
	close_world(&w);
}

static void without_srv_the_host_at_the_default_port(void **state)
{
	struct world w;
	struct dns_watch *udp, *tls;

	(void)state;
	open_world(&w);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	udp = watch(&w, "sip.test", 0);
	tls = watch_as(&w, "sip.test", 0, DNS_SIPS_TCP, DNS_IPV4);
	settled(&w, udp);
	settled(&w, tls);
	assert_string_equal(draw(udp), "10.0.0.1:5060");
	assert_string_equal(draw(tls), "10.0.0.1:5061");
	dns_unwatch(udp);
	dns_unwatch(tls);
	close_world(&w);
}

static void srv_of_the_listeners_transport_in_order_of_priority(void **state)
{
	struct world w;
	struct dns_watch *udp, *tcp;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 20, 0, 5062, "b.itsp.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 10, 0, 5061, "a.itsp.test");
	add_srv(&w.server, "_sip._tcp.itsp.test", 60, 10, 0, 5080, "b.itsp.test");
	add_a(&w.server, "itsp.test", 60, "10.9.9.9");
	add_a(&w.server, "a.itsp.test", 60, "10.0.0.1");
	add_a(&w.server, "b.itsp.test", 60, "10.0.0.2");
	udp = watch(&w, "itsp.test", 0);
	tcp = watch_as(&w, "itsp.test", 0, DNS_SIP_TCP, DNS_IPV4);
	settled(&w, udp);
	settled(&w, tcp);
	assert_string_equal(draw(udp), "10.0.0.1:5061 10.0.0.2:5062");
	assert_string_equal(draw(tcp), "10.0.0.2:5080");
	dns_unwatch(udp);
	dns_unwatch(tcp);
	close_world(&w);
}

static void naptr_of_our_transport_names_the_srv_records(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	add_naptr(&w.server, "itsp.test", 60, 10, 10, "s", "SIP+D2T", "", "tcp.test");
	add_naptr(&w.server, "itsp.test", 60, 50, 60, "s", "SIP+D2U", "", "late.test");
	add_naptr(&w.server, "itsp.test", 60, 50, 50, "S", "sip+d2u", "", "udp.test");
	add_naptr(&w.server, "itsp.test", 60, 1, 1, "u", "SIP+D2U", "!^.*$!sip:x@y!", "");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 1, 5060, "wrong.test");
	add_srv(&w.server, "tcp.test", 60, 1, 1, 5060, "wrong.test");
	add_srv(&w.server, "late.test", 60, 1, 1, 5060, "wrong.test");
	add_srv(&w.server, "udp.test", 60, 1, 1, 5090, "right.test");
	add_a(&w.server, "right.test", 60, "10.0.0.1");
	add_a(&w.server, "wrong.test", 60, "10.9.9.9");
	x = watch(&w, "itsp.test", 0);
	settled(&w, x);
	assert_string_equal(draw(x), "10.0.0.1:5090");
	dns_unwatch(x);
	close_world(&w);
}

static void naptr_without_our_transport_changes_nothing(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	add_naptr(&w.server, "itsp.test", 60, 10, 10, "s", "SIP+D2T", "", "tcp.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 1, 5091, "right.test");
	add_a(&w.server, "right.test", 60, "10.0.0.1");
	x = watch(&w, "itsp.test", 0);
	settled(&w, x);
	assert_string_equal(draw(x), "10.0.0.1:5091");
	dns_unwatch(x);
	close_world(&w);
}

static void a_nameserver_that_refuses_naptr_is_asked_for_srv(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.server.mode = SERVER_SERVFAIL;
	w.server.mode_type = MESSAGE_NAPTR;
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 1, 5091, "right.test");
	add_a(&w.server, "right.test", 60, "10.0.0.1");
	x = watch(&w, "itsp.test", 0);
	settled(&w, x);
	assert_string_equal(draw(x), "10.0.0.1:5091");
	assert_error(x, "SERVFAIL");
	dns_unwatch(x);
	close_world(&w);
}

static void an_srv_record_of_a_dot_says_there_is_no_service(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 0, 0, 5060, "");
	add_a(&w.server, "itsp.test", 60, "10.0.0.1");
	x = watch(&w, "itsp.test", 0);
	settled(&w, x);
	assert_int_equal(info(x).state, DNS_FAILED);
	assert_string_equal(info(x).error, "its SRV record says that the service is not there");
	dns_unwatch(x);
	close_world(&w);
}

/* ---- families ---- */

static void a_watch_has_the_families_of_its_listener(void **state)
{
	struct world w;
	struct dns_watch *v4, *both, *v6;

	(void)state;
	open_world(&w);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	add_aaaa(&w.server, "sip.test", 60, "2001:db8::1");
	v4 = watch_as(&w, "sip.test", 5060, DNS_SIP_UDP, DNS_IPV4);
	settled(&w, v4);
	assert_int_equal(w.server.asked[MESSAGE_AAAA], 0);
	assert_string_equal(draw(v4), "10.0.0.1:5060");
	both = watch_as(&w, "SIP.test", 5060, DNS_SIP_UDP, DNS_IPV4 | DNS_IPV6);
	wait_for(&w, info(both).count == 2);
	assert_int_equal(w.dns->status.names, 1);
	assert_string_equal(draw_from(both, 4), "10.0.0.1:5060 [2001:db8::1]:5060");
	assert_string_equal(draw_from(both, 6), "[2001:db8::1]:5060 10.0.0.1:5060");
	assert_string_equal(draw(v4), "10.0.0.1:5060");
	dns_unwatch(v4);
	dns_unwatch(both);
	add_a(&w.server, "four.test", 60, "10.0.0.4");
	v6 = watch_as(&w, "four.test", 5060, DNS_SIP_UDP, DNS_IPV6);
	v4 = watch_as(&w, "four.test", 5060, DNS_SIP_UDP, DNS_IPV4);
	wait_for(&w, info(v4).count == 1);
	assert_int_equal(info(v6).state, DNS_FAILED);
	assert_string_equal(info(v6).error, "no address of the listener's family");
	dns_unwatch(v4);
	dns_unwatch(v6);
	close_world(&w);
}

/* ---- sharing ---- */

static void one_name_is_looked_up_once_for_all(void **state)
{
	struct dns_watch *x[100];
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	for (unsigned i = 0; i < 100; i++)
		x[i] = watch(&w, i % 2 ? "sip.test" : "SIP.TEST", 5060);
	settled(&w, x[99]);
	assert_int_equal(w.server.queries, 1);
	assert_int_equal(w.changes, 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_string_equal(draw(x[i]), "10.0.0.1:5060");
		dns_unwatch(x[i]);
	}
	close_world(&w);
}

static void a_watch_may_go_while_its_name_is_looked_up(void **state)
{
	struct dns_watch *x;
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	x = watch(&w, "sip.test", 0);
	wait_for(&w, w.dns->lookups == 1);
	dns_unwatch(x);
	run_ms(&w, 20);
	assert_int_equal(w.dns->lookups, 0);
	assert_int_equal(w.changes, 0);
	x = watch(&w, "sip.test", 0);
	wait_for(&w, w.dns->lookups == 1);
	dns_unwatch(x);
	close_world(&w); /* with the query still out */
}

/* ---- time ---- */

static void a_new_address_is_taken_before_the_ttl_is_over(void **state)
{
	struct world w;
	struct dns_watch *x;
	uint64_t begin;

	(void)state;
	open_world(&w);
	add_a(&w.server, "sip.test", 1, "10.0.0.1");
	x = watch(&w, "sip.test", 5060);
	settled(&w, x);
	begin = loop_now_ms(w.loop);
	assert_in_range(info(x).ttl_ms, 900, 1000);
	w.server.rows = 0;
	add_a(&w.server, "sip.test", 1, "10.0.0.2");
	wait_for(&w, w.changes == 2);
	assert_in_range(loop_now_ms(w.loop) - begin, 800, 999);
	assert_string_equal(draw(x), "10.0.0.2:5060");
	dns_unwatch(x);
	close_world(&w);
}

static void the_ttl_is_clamped_and_the_smallest_on_the_way_counts(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.options.ttl_min_ms = w.options.ttl_max_ms = 0; /* the defaults */
	assert_int_equal(dns_reload(w.dns, &w.options), 0);
	add_a(&w.server, "zero.test", 0, "10.0.0.1");
	add_a(&w.server, "ever.test", 0x7fffffff, "10.0.0.1");
	add_cname(&w.server, "alias.test", 40, "ever.test");
	add_srv(&w.server, "_sip._udp.srv.test", 50, 1, 1, 5060, "ever.test");
	x = watch(&w, "zero.test", 5060);
	settled(&w, x);
	assert_in_range(info(x).ttl_ms, 4500, 5000);
	dns_unwatch(x);
	x = watch(&w, "ever.test", 5060);
	settled(&w, x);
	assert_in_range(info(x).ttl_ms, TTL_MAX_MS - 500, TTL_MAX_MS);
	dns_unwatch(x);
	x = watch(&w, "alias.test", 5060);
	settled(&w, x);
	assert_in_range(info(x).ttl_ms, 39500, 40000);
	dns_unwatch(x);
	x = watch(&w, "srv.test", 0);
	settled(&w, x);
	assert_in_range(info(x).ttl_ms, 49500, 50000);
	dns_unwatch(x);
	close_world(&w);
}

static void a_name_that_is_not_there_is_asked_for_again_by_its_soa(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	x = watch(&w, "none.test", 5060);
	settled(&w, x);
	assert_int_equal(info(x).state, DNS_FAILED);
	assert_string_equal(info(x).error, "NXDOMAIN");
	assert_in_range(info(x).retry_ms, NEGATIVE_MS - 500, NEGATIVE_MS);
	dns_unwatch(x);
	w.server.negative_ttl_s = 100000;
	x = watch(&w, "none.test", 5060);
	settled(&w, x);
	assert_in_range(info(x).retry_ms, NEGATIVE_MAX_MS - 500, NEGATIVE_MAX_MS);
	dns_unwatch(x);
	w.server.negative_ttl_s = 1;
	x = watch(&w, "none.test", 5060);
	settled(&w, x);
	add_a(&w.server, "none.test", 60, "10.0.0.1");
	wait_for(&w, info(x).state == DNS_FRESH);
	assert_string_equal(draw(x), "10.0.0.1:5060");
	dns_unwatch(x);
	w.server.rows = 0;
	add_aaaa(&w.server, "six.test", 60, "2001:db8::1");
	x = watch(&w, "six.test", 5060);
	settled(&w, x);
	assert_string_equal(info(x).error, "no records");
	dns_unwatch(x);
	close_world(&w);
}

static void nxdomain_takes_the_targets_away(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.options.ttl_max_ms = 100;
	assert_int_equal(dns_reload(w.dns, &w.options), 0);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	x = watch(&w, "sip.test", 5060);
	settled(&w, x);
	w.server.rows = 0;
	wait_for(&w, info(x).state == DNS_FAILED);
	assert_string_equal(draw(x), "");
	assert_int_equal(w.changes, 2);
	dns_unwatch(x);
	close_world(&w);
}

/* ---- failures ---- */

/* The nameserver fails in that way: targets stay, are told stale, and go in the end; meanwhile it
 * may come back. */
static void fails(enum server_mode mode, const char *error)
{
	struct world w;
	struct dns_watch *x, *never;

	open_world(&w);
	w.options.ttl_max_ms = 100;
	w.options.stale_ms = 500;
	assert_int_equal(dns_reload(w.dns, &w.options), 0);
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	x = watch(&w, "sip.test", 5060);
	settled(&w, x);
	w.server.mode = mode;
	never = watch(&w, "other.test", 5060);
	wait_for(&w, info(x).state == DNS_STALE && *info(x).error);
	assert_string_equal(draw(x), "10.0.0.1:5060");
	assert_error(x, error);
	settled(&w, never);
	assert_int_equal(info(never).state, DNS_FAILED);
	assert_error(never, error);
	w.server.mode = SERVER_GOOD;
	wait_for(&w, info(x).state == DNS_FRESH && !*info(x).error);
	w.server.mode = mode;
	wait_for(&w, info(x).state == DNS_FAILED);
	assert_string_equal(draw(x), "");
	w.server.mode = SERVER_GOOD;
	wait_for(&w, info(x).state == DNS_FRESH);
	assert_string_equal(draw(x), "10.0.0.1:5060");
	dns_unwatch(x);
	dns_unwatch(never);
	close_world(&w);
}

static void servfail_leaves_the_old_targets_for_a_time(void **state)
{
	(void)state;
	fails(SERVER_SERVFAIL, "SERVFAIL");
}

static void silence_leaves_the_old_targets_for_a_time(void **state)
{
	(void)state;
	fails(SERVER_SILENT, "no answer from the nameservers");
}

static void failures_are_asked_again_ever_more_slowly(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.server.mode = SERVER_REFUSED;
	x = watch(&w, "sip.test", 5060);
	settled(&w, x);
	assert_error(x, "REFUSED");
	assert_in_range(info(x).retry_ms, 20, 30);
	run_ms(&w, 1000); /* 30, 60, 120, 240, 480 ms: five more */
	assert_in_range(w.dns->status.failed, 5, 6);
	dns_unwatch(x);
	close_world(&w);
}

static void a_host_of_srv_that_fails_keeps_its_addresses(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.options.ttl_max_ms = 100;
	w.options.stale_ms = 600;
	assert_int_equal(dns_reload(w.dns, &w.options), 0);
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 1, 5060, "a.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 2, 1, 5060, "b.test");
	add_a(&w.server, "a.test", 60, "10.0.0.1");
	add_a(&w.server, "b.test", 60, "10.0.0.2");
	x = watch(&w, "itsp.test", 0);
	settled(&w, x);
	w.server.mode = SERVER_SERVFAIL;
	w.server.mode_of = "b.test";
	wait_for(&w, *info(x).error);
	assert_string_equal(draw(x), "10.0.0.1:5060 10.0.0.2:5060");
	w.server.rows = 2;
	add_a(&w.server, "a.test", 60, "10.0.0.3");
	wait_for(&w, w.changes == 3);
	assert_string_equal(draw(x), "10.0.0.3:5060 10.0.0.2:5060");
	wait_for(&w, info(x).count == 1);
	assert_string_equal(draw(x), "10.0.0.3:5060");
	dns_unwatch(x);
	close_world(&w);
}

static void garbage_is_a_failure_and_counted(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.options.retry_min_ms = 1;
	assert_int_equal(dns_reload(w.dns, &w.options), 0);
	add_srv(&w.server, "_sip._udp.sip.test", 60, 1, 1, 5060, "sip.test");
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	w.server.mode = SERVER_CUT_SHORT;
	x = watch(&w, "sip.test", 0);
	settled(&w, x);
	assert_int_equal(info(x).state, DNS_FAILED);
	assert_string_equal(info(x).error, "unusable answer");
	assert_true(w.dns->status.malformed > 0);
	for (unsigned i = 0; i < 30; i++) {
		w.server.mode = SERVER_GARBAGE;
		dns_unwatch(x);
		x = watch(&w, "sip.test", i % 2 ? 0 : 5060);
		settled(&w, x);
	}
	w.server.mode = SERVER_GOOD;
	wait_for(&w, info(x).state == DNS_FRESH);
	dns_unwatch(x);
	close_world(&w);
}

static void a_truncated_answer_is_asked_for_over_tcp(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	w.server.mode = SERVER_TRUNCATES;
	add_a(&w.server, "sip.test", 60, "10.0.0.1");
	x = watch(&w, "sip.test", 5060);
	settled(&w, x);
	assert_string_equal(draw(x), "10.0.0.1:5060");
	assert_int_equal(w.server.over_tcp, 1);
	dns_unwatch(x);
	close_world(&w);
}

static void cnames_are_followed_and_their_loops_end(void **state)
{
	struct world w;
	struct dns_watch *x;

	(void)state;
	open_world(&w);
	add_cname(&w.server, "a.test", 60, "b.test");
	add_cname(&w.server, "b.test", 60, "c.test");
	add_a(&w.server, "c.test", 60, "10.0.0.1");
	add_cname(&w.server, "loop.test", 60, "pool.test");
	add_cname(&w.server, "pool.test", 60, "loop.test");
	x = watch(&w, "a.test", 5060);
	settled(&w, x);
	assert_string_equal(draw(x), "10.0.0.1:5060");
	dns_unwatch(x);
	x = watch(&w, "loop.test", 5060);
	settled(&w, x);
	assert_string_equal(info(x).error, "the CNAMEs lead nowhere");
	dns_unwatch(x);
	close_world(&w);
}

/* ---- limits ---- */

static void more_targets_than_one_name_may_have_are_left_out(void **state)
{
	struct world w;
	struct dns_watch *x;
	char text[64];

	(void)state;
	open_world(&w);
	for (unsigned i = 1; i <= 100; i++) {
		snprintf(text, sizeof(text), "10.0.1.%u", i);
		add_a(&w.server, "many.test", 60, text);
		snprintf(text, sizeof(text), "h%u.test", i);
		add_srv(&w.server, "_sip._udp.srv.test", 60, i, 0, 5060, text);
	}
	for (unsigned i = 1; i <= 100; i++) {
		snprintf(text, sizeof(text), "h%u.test", i);
		add_a(&w.server, text, 60, "10.0.0.1");
	}
	x = watch(&w, "many.test", 5060);
	settled(&w, x);
	assert_int_equal(info(x).count, DNS_TARGETS_MAX);
	assert_int_equal(w.dns->status.truncated, 1);
	dns_unwatch(x);
	x = watch(&w, "srv.test", 0);
	settled(&w, x);
	assert_int_equal(info(x).count, DNS_TARGETS_MAX);
	assert_int_equal(w.dns->status.truncated, 2);
	for (unsigned i = 0; i < DNS_TARGETS_MAX; i++)
		assert_int_equal(info(x).target[i].priority, i + 1);
	dns_unwatch(x);
	/* Two hosts share the room. */
	w.server.rows = 0;
	add_srv(&w.server, "_sip._udp.two.test", 60, 1, 0, 5060, "many.test");
	add_srv(&w.server, "_sip._udp.two.test", 60, 2, 0, 5060, "one.test");
	add_a(&w.server, "one.test", 60, "10.0.2.1");
	for (unsigned i = 1; i <= 60; i++) {
		snprintf(text, sizeof(text), "10.0.1.%u", i);
		add_a(&w.server, "many.test", 60, text);
	}
	x = watch(&w, "two.test", 0);
	settled(&w, x);
	assert_int_equal(info(x).count, DNS_TARGETS_MAX);
	assert_non_null(strstr(draw(x), "10.0.2.1:5060"));
	dns_unwatch(x);
	close_world(&w);
}

static void many_names_take_their_turns(void **state)
{
	enum { NAMES = 1000 };
	static struct dns_watch *x[NAMES];
	unsigned most = 0, fresh = 0;
	struct world w;
	char text[64];

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(text, sizeof(text), "h%u.test", i);
		add_a(&w.server, text, 60, "10.0.0.1");
		x[i] = watch(&w, text, 5060);
	}
	for (unsigned round = 0; round < 100000 && fresh < NAMES; round++) {
		loop_once(w.loop, 1);
		if (w.dns->lookups > most)
			most = w.dns->lookups;
		while (fresh < NAMES && info(x[fresh]).state == DNS_FRESH)
			fresh++;
	}
	assert_int_equal(fresh, NAMES);
	assert_int_equal(most, LOOKUPS_MAX);
	for (unsigned i = 0; i < NAMES; i++)
		dns_unwatch(x[i]);
	close_world(&w);
}

static void a_dead_nameserver_keeps_nobody_waiting(void **state)
{
	struct dns_watch *x[40];
	struct world w;
	char text[64];
	unsigned slow = 0;
	uint64_t before;

	(void)state;
	open_world(&w);
	w.server.mode = SERVER_SILENT;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "h%u.test", i);
		x[i] = watch(&w, text, 0);
	}
	before = test_clock_real_ms();
	for (unsigned i = 0; i < 300; i++) {
		loop_once(w.loop, 1);
		slow += test_clock_real_ms() - before > 50; /* one query alone waits for 60 */
		before = test_clock_real_ms();
	}
	assert_true(w.server.queries >= 32);
	assert_in_range(slow, 0, 10); /* of a busy machine; each of the 40 would */
	for (unsigned i = 0; i < 40; i++)
		dns_unwatch(x[i]);
	close_world(&w);
}

static void a_reload_with_another_nameserver_asks_there(void **state)
{
	struct server *other = calloc(1, sizeof(*other));
	struct dns_watch *x;
	struct world w;

	(void)state;
	open_world(&w);
	w.server.mode = SERVER_SILENT;
	server_open(other, w.loop);
	add_a(other, "sip.test", 60, "10.0.0.2");
	x = watch(&w, "sip.test", 5060);
	wait_for(&w, w.dns->lookups == 1);
	w.options.server[0] = other->addr;
	assert_int_equal(dns_reload(w.dns, &w.options), 0);
	settled(&w, x);
	assert_string_equal(draw(x), "10.0.0.2:5060");
	dns_unwatch(x);
	server_close(other);
	free(other);
	close_world(&w);
}

/* ---- RFC 2782 ---- */

static void records_of_one_priority_are_drawn_by_weight(void **state)
{
	enum { DRAWS = 20000 };
	unsigned first[3] = {0}, last[3] = {0};
	struct dns_watch *x;
	struct world w;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 60, 5060, "a.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 30, 5060, "b.test");
	add_srv(&w.server, "_sip._udp.itsp.test", 60, 1, 10, 5060, "c.test");
	add_a(&w.server, "a.test", 60, "10.0.0.1");
	add_a(&w.server, "b.test", 60, "10.0.0.2");
	add_a(&w.server, "c.test", 60, "10.0.0.3");
	x = watch(&w, "itsp.test", 0);
	settled(&w, x);
	for (unsigned i = 0; i < DRAWS; i++) {
		struct addr a[DNS_TARGETS_MAX];

		assert_int_equal(dns_draw(x, 4, a), 3);
		first[a[0].ip[3] - 1]++;
		last[a[2].ip[3] - 1]++;
		assert_int_equal(a[0].ip[3] + a[1].ip[3] + a[2].ip[3], 6);
	}
	assert_in_range(first[0], DRAWS * 57 / 100, DRAWS * 62 / 100);
	assert_in_range(first[1], DRAWS * 28 / 100, DRAWS * 32 / 100);
	assert_in_range(first[2], DRAWS * 8 / 100, DRAWS * 12 / 100);
	assert_true(last[2] > last[0]);
	dns_unwatch(x);
	close_world(&w);
}

static void weightless_records_share_and_heavy_ones_come_before_them(void **state)
{
	enum { DRAWS = 4000 };
	unsigned first[3] = {0};
	struct dns_watch *x;
	struct world w;

	(void)state;
	open_world(&w);
	add_srv(&w.server, "_sip._udp.none.test", 60, 1, 0, 5060, "a.test");
	add_srv(&w.server, "_sip._udp.none.test", 60, 1, 0, 5060, "b.test");
	add_srv(&w.server, "_sip._udp.some.test", 60, 1, 0, 5060, "a.test");
	add_srv(&w.server, "_sip._udp.some.test", 60, 1, 65535, 5060, "b.test");
	add_a(&w.server, "a.test", 60, "10.0.0.1");
	add_a(&w.server, "b.test", 60, "10.0.0.2");
	x = watch(&w, "none.test", 0);
	settled(&w, x);
	for (unsigned i = 0; i < DRAWS; i++) {
		struct addr a[DNS_TARGETS_MAX];

		assert_int_equal(dns_draw(x, 4, a), 2);
		first[a[0].ip[3] - 1]++;
	}
	assert_in_range(first[0], DRAWS * 45 / 100, DRAWS * 55 / 100);
	dns_unwatch(x);
	x = watch(&w, "some.test", 0);
	settled(&w, x);
	first[0] = first[1] = 0;
	for (unsigned i = 0; i < DRAWS; i++) {
		struct addr a[DNS_TARGETS_MAX];

		assert_int_equal(dns_draw(x, 4, a), 2);
		first[a[0].ip[3] - 1]++;
	}
	assert_in_range(first[0], 0, DRAWS / 100);
	dns_unwatch(x);
	close_world(&w);
}

static void addresses_of_one_host_share_the_load(void **state)
{
	enum { DRAWS = 6000 };
	unsigned first[3] = {0};
	struct dns_watch *x;
	struct world w;

	(void)state;
	open_world(&w);
	add_a(&w.server, "a.test", 60, "10.0.0.1");
	add_a(&w.server, "a.test", 60, "10.0.0.2");
	add_a(&w.server, "a.test", 60, "10.0.0.3");
	x = watch(&w, "a.test", 5060);
	settled(&w, x);
	for (unsigned i = 0; i < DRAWS; i++) {
		struct addr a[DNS_TARGETS_MAX];

		assert_int_equal(dns_draw(x, 4, a), 3);
		first[a[0].ip[3] - 1]++;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(first[i], DRAWS * 30 / 100, DRAWS * 37 / 100);
	dns_unwatch(x);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_leaves_srv_aside),
		cmocka_unit_test(without_srv_the_host_at_the_default_port),
		cmocka_unit_test(srv_of_the_listeners_transport_in_order_of_priority),
		cmocka_unit_test(naptr_of_our_transport_names_the_srv_records),
		cmocka_unit_test(naptr_without_our_transport_changes_nothing),
		cmocka_unit_test(a_nameserver_that_refuses_naptr_is_asked_for_srv),
		cmocka_unit_test(an_srv_record_of_a_dot_says_there_is_no_service),
		cmocka_unit_test(a_watch_has_the_families_of_its_listener),
		cmocka_unit_test(one_name_is_looked_up_once_for_all),
		cmocka_unit_test(a_watch_may_go_while_its_name_is_looked_up),
		cmocka_unit_test(a_new_address_is_taken_before_the_ttl_is_over),
		cmocka_unit_test(the_ttl_is_clamped_and_the_smallest_on_the_way_counts),
		cmocka_unit_test(a_name_that_is_not_there_is_asked_for_again_by_its_soa),
		cmocka_unit_test(nxdomain_takes_the_targets_away),
		cmocka_unit_test(servfail_leaves_the_old_targets_for_a_time),
		cmocka_unit_test(silence_leaves_the_old_targets_for_a_time),
		cmocka_unit_test(failures_are_asked_again_ever_more_slowly),
		cmocka_unit_test(a_host_of_srv_that_fails_keeps_its_addresses),
		cmocka_unit_test(garbage_is_a_failure_and_counted),
		cmocka_unit_test(a_truncated_answer_is_asked_for_over_tcp),
		cmocka_unit_test(cnames_are_followed_and_their_loops_end),
		cmocka_unit_test(more_targets_than_one_name_may_have_are_left_out),
		cmocka_unit_test(many_names_take_their_turns),
		cmocka_unit_test(a_dead_nameserver_keeps_nobody_waiting),
		cmocka_unit_test(a_reload_with_another_nameserver_asks_there),
		cmocka_unit_test(records_of_one_priority_are_drawn_by_weight),
		cmocka_unit_test(weightless_records_share_and_heavy_ones_come_before_them),
		cmocka_unit_test(addresses_of_one_host_share_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
