/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>

#include "client.h"
#include "table.h"

struct found {
	json_t *call, *streams;
};

#define MS_A_SEC 1000

static void keep(void *ctx, uint16_t type, json_t *object)
{
	struct found *found = ctx;

	if (type == VDC_CALL && !found->call)
		found->call = object;
	else if (type == VDC_STREAM)
		json_array_append_new(found->streams, object);
	else
		json_decref(object);
}

static void add_session(struct table *t, const json_t *leg)
{
	char left[SHOW_SHORT_MAX];

	if (json_object_get(leg, "session_s"))
		table_add(t, "%" PRIu64 " s, refreshed by %s, ends in %s",
			show_u64(leg, "session_s"), show_text(leg, "refresher"),
			show_duration(leg, "session_left_ms", left));
	else
		table_add(t, "%s", "none");
}

static void print_legs(const json_t *call)
{
	static const struct {
		const char *label, *key;
	} rows[] = {
		{"peer", "peer"},
		{"listener", "listener"},
		{"their SIP address", "signalling"},
		{"Call-ID", "call_id"},
		{"our tag", "local_tag"},
		{"their tag", "remote_tag"},
		{"we are", "local_uri"},
		{"they are", "remote_uri"},
	};
	static const char *const heading[] = {"", "LEG A (calling)", "LEG B (called)"};
	const json_t *legs = json_object_get(call, "legs");
	struct table t;

	table_init(&t, heading, 3);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		table_add(&t, "%s", rows[i].label);
		table_add(&t, "%s", show_text(json_array_get(legs, 0), rows[i].key));
		table_add(&t, "%s", show_text(json_array_get(legs, 1), rows[i].key));
	}
	table_add(&t, "%s", "session timer");
	for (size_t i = 0; i < 2; i++)
		add_session(&t, json_array_get(legs, i));
	putchar('\n');
	table_print(&t);
}

static void print_received(const json_t *leg)
{
	bool seen = json_object_get(leg, "last_seen_ms") != NULL;
	char bytes[SHOW_SHORT_MAX], last[SHOW_SHORT_MAX];

	show_line("    received  %" PRIu64 " packets, %s; RTCP %" PRIu64
		  "; last: %s%s; refused from "
		  "others: %" PRIu64,
		show_u64(leg, "packets"), show_bytes(show_u64(leg, "bytes"), bytes),
		show_u64(leg, "rtcp_packets"),
		seen ? show_duration(leg, "last_seen_ms", last) : "never", seen ? " ago" : "",
		show_u64(leg, "dropped_source"));
	if (!json_object_get(leg, "jitter_ms"))
		return;
	show_line("    quality   lost %" JSON_INTEGER_FORMAT " (%.2f %%), out of order %" PRIu64
		  ", jitter %.2f ms",
		json_integer_value(json_object_get(leg, "lost")), show_real(leg, "loss_percent"),
		show_u64(leg, "out_of_order"), show_real(leg, "jitter_ms"));
	show_line("    over time jitter mean %.2f ms, max %.2f ms; loss max %.2f %%%s",
		show_real(leg, "jitter_mean_ms"), show_real(leg, "jitter_max_ms"),
		show_real(leg, "loss_max_percent"), show_bool(leg, "poor") ? ": poor" : "");
	if (show_u64(leg, "bursts"))
		show_line("    bursts    %" PRIu64 ", %.2f %% lost in %.1f s each; between them "
			  "%.2f %% in %.1f s",
			show_u64(leg, "bursts"), show_real(leg, "burst_percent"),
			show_real(leg, "burst_ms") / MS_A_SEC, show_real(leg, "gap_percent"),
			show_real(leg, "gap_ms") / MS_A_SEC);
	if (show_u64(leg, "dtmf"))
		show_line("    DTMF      %" PRIu64 " received", show_u64(leg, "dtmf"));
	if (json_object_get(leg, "mos"))
		show_line("    MOS       %.2f", show_real(leg, "mos"));
	if (json_object_get(leg, "rtt_ms"))
		show_line("    RTT       %.1f ms", show_real(leg, "rtt_ms"));
	show_line("    SSRC      0x%08" PRIx64 ", changed %" PRIu64 " times", show_u64(leg, "ssrc"),
		show_u64(leg, "ssrc_changes"));
}

static void print_path(const json_t *leg)
{
	const json_t *path = json_object_get(leg, "path");
	char vlan[32] = "", changed[SHOW_SHORT_MAX];

	if (!path)
		return;
	show_line("    sent on   from %s to %s%s", show_text(leg, "out_local"),
		show_text(leg, "out_remote"),
		show_bool(leg, "blackhole") ? " (not now: the other leg takes none)" : "");
	if (json_object_get(path, "vlan"))
		snprintf(vlan, sizeof(vlan), ", VLAN %" PRIu64, show_u64(path, "vlan"));
	if (show_bool(path, "resolved"))
		show_line("    next hop  %s on %s%s: %s to %s", show_text(path, "gateway"),
			show_text(path, "device"), vlan, show_text(path, "smac"),
			show_text(path, "dmac"));
	else
		show_line("    next hop  %s on %s%s: not resolved: %s", show_text(path, "gateway"),
			show_text(path, "device"), vlan, show_text(path, "why"));
	if (json_object_get(path, "change"))
		show_line("    changed   %s ago: %s", show_duration(path, "changed_ms", changed),
			show_text(path, "change"));
}

static void print_stream_leg(const json_t *leg)
{
	const char *latched = show_text(leg, "latched");

	show_line("  from leg %s: %s sends to %s%s", show_text(leg, "leg"),
		show_text(leg, "remote"), show_text(leg, "local"),
		show_bool(leg, "sends") ? "" : ", but not now by the SDP's direction");
	if (show_bool(leg, "latch"))
		show_line("    latching  %s%s", *latched == '-' ? "allowed, " : "locked onto ",
			*latched == '-' ? "not locked yet" : latched);
	if (show_bool(leg, "in_kernel"))
		show_line("    in kernel yes, flow %" PRIu64 ", RTCP flow %" PRIu64,
			show_u64(leg, "flow"),
			json_object_get(leg, "flow_rtcp") ? show_u64(leg, "flow_rtcp")
							  : show_u64(leg, "flow"));
	else
		show_line("    in kernel no");
	if (!json_object_get(leg, "flow"))
		return;
	print_received(leg);
	print_path(leg);
}

static void print_findings(const json_t *object)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(object, "findings"), i, one)
	{
		show_line("  diagnosis: %s", show_text(one, "text"));
	}
}

static void print_stream(const json_t *stream)
{
	const json_t *leg;
	size_t i;

	putchar('\n');
	show_line("stream %" PRIu64 ": %s %s %s%s%s%s", show_u64(stream, "index"),
		show_text(stream, "kind"), show_text(stream, "proto"), show_text(stream, "codec"),
		show_bool(stream, "active") ? "" : ", rejected",
		show_bool(stream, "mux") ? ", rtcp-mux" : "",
		show_bool(stream, "held") ? ", held" : "");
	if (show_bool(stream, "active")) {
		json_array_foreach(json_object_get(stream, "legs"), i, leg)
		{
			print_stream_leg(leg);
		}
	}
	print_findings(stream);
}

static void print_call(const json_t *call, const json_t *streams)
{
	char age[SHOW_SHORT_MAX], talking[SHOW_SHORT_MAX];
	const json_t *stream;
	size_t i;

	show_line("call %" PRIu64 ": %s, %s -> %s, route %s, peers tried: %" PRIu64,
		show_u64(call, "id"), show_text(call, "state"), show_text(call, "from"),
		show_text(call, "to"), show_text(call, "route"), show_u64(call, "attempts"));
	show_line("began %s ago, answered: %s%s", show_duration(call, "age_ms", age),
		json_object_get(call, "talking_ms") ? show_duration(call, "talking_ms", talking)
						    : "not yet",
		json_object_get(call, "talking_ms") ? " ago" : "");
	print_legs(call);
	print_findings(call);
	json_array_foreach(streams, i, stream)
	{
		print_stream(stream);
	}
}

enum cli_exit cmd_call(const struct cli *cli)
{
	struct found found = {.streams = json_array()};
	struct ask ask = {.request = VDC_GET_CALL};
	enum cli_exit ret;

	if (cli_parse_u64(cli->argv[0], &ask.call) || ask.call == 0) {
		cli_error("%s is no call id: see viaduct calls", cli->argv[0]);
		ret = CLI_USAGE;
		goto out;
	}
	ret = client_once(cli, &ask, keep, &found);
	if (ret || !found.call)
		goto out;
	if (cli->json) {
		json_object_set(found.call, "streams", found.streams);
		cli_print_json(json_incref(found.call), false);
	} else {
		print_call(found.call, found.streams);
	}
out:
	json_decref(found.call);
	json_decref(found.streams);
	return ret;
}
