/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>

#include "client.h"
#include "table.h"

#define COLUMNS(names) names, sizeof(names) / sizeof(names[0])

static void keep(void *ctx, uint16_t type, json_t *object)
{
	json_t **status = ctx;

	(void)type;
	json_decref(*status);
	*status = object;
}

#define LIMIT_MAX 64 /* bytes of ", at most N" */

/* ", at most N" where the key is there, else "". Returns buf. */
static const char *at_most(const json_t *s, const char *key, const char *unit, char buf[LIMIT_MAX])
{
	buf[0] = '\0';
	if (json_object_get(s, key))
		snprintf(buf, LIMIT_MAX, ", at most %" PRIu64 "%s", show_u64(s, key), unit);
	return buf;
}

static void print_overload(const json_t *s)
{
	const json_t *sip = json_object_get(s, "sip");

	if (show_u64(sip, "shed_percent") || show_u64(sip, "lag_ms"))
		show_line("overload       %" PRIu64 " ms behind, %" PRIu64
			  " %% of the new calls are refused",
			show_u64(sip, "lag_ms"), show_u64(sip, "shed_percent"));
}

/* What a start has taken up and what is written down for the next one. */
static void print_state(const json_t *s)
{
	const json_t *before = json_object_get(s, "adoption"), *state = json_object_get(s, "state");
	char bytes[SHOW_SHORT_MAX];

	if (show_u64(before, "calls") || show_u64(before, "calls_ended") ||
		show_u64(before, "calls_lost"))
		show_line("taken up       %" PRIu64 " calls of the daemon before, with %" PRIu64
			  " flows; %" PRIu64 " calls ended, %" PRIu64 " lost",
			show_u64(before, "calls"), show_u64(before, "flows"),
			show_u64(before, "calls_ended"), show_u64(before, "calls_lost"));
	if (!state)
		return;
	show_line("state          %" PRIu64 " calls in %s, %s; %" PRIu64 " waiting, %" PRIu64
		  " writes failed",
		show_u64(state, "calls"), show_text(s, "state_file"),
		show_bytes(show_u64(state, "bytes"), bytes), show_u64(state, "queued"),
		show_u64(state, "failures"));
	if (json_object_get(s, "state_trouble"))
		show_line("state trouble  %s", show_text(s, "state_trouble"));
	if (json_object_get(s, "state_refused"))
		show_line("state refused  the file that was found was %s, with %" PRIu64
			  " calls: set aside as *.refused",
			show_text(s, "state_refused"), show_u64(state, "refused_calls"));
	if (show_u64(state, "damaged") || show_u64(state, "unusable"))
		show_line("state lost     %" PRIu64 " records were damaged, %" PRIu64
			  " of no use: see the log",
			show_u64(state, "damaged"), show_u64(state, "unusable"));
}

static void print_daemon(const json_t *s)
{
	char changed[SHOW_SHORT_MAX], up[SHOW_SHORT_MAX], resident[SHOW_SHORT_MAX],
		maps[SHOW_SHORT_MAX];
	char rate[LIMIT_MAX], bandwidth[LIMIT_MAX];
	const json_t *one;
	size_t i;

	show_line("viaductd %s, instance %s: up %s, pid %" PRIu64 ", uid %" PRIu64,
		show_text(s, "version"), show_text(s, "instance"),
		show_duration(s, "uptime_ms", up), show_u64(s, "pid"), show_u64(s, "uid"));
	show_line("configuration  %s, reloaded %" PRIu64 " times; log level %s",
		show_text(s, "config_file"), show_u64(s, "reloads"), show_text(s, "log_level"));
	if (json_object_get(s, "stopping"))
		show_line("stopping       %s", show_text(s, "stopping"));
	show_line("calls          %" PRIu64 " live, at most %" PRIu64 "; %" PRIu64 " a second%s",
		show_u64(s, "calls_live"), show_u64(s, "calls_max"),
		show_u64(s, "calls_per_second"), at_most(s, "calls_per_second_max", "", rate));
	show_line("bandwidth      %" PRIu64 " kbit/s%s", show_u64(s, "bandwidth_kbit"),
		at_most(s, "bandwidth_max_kbit", " kbit/s", bandwidth));
	print_overload(s);
	json_array_foreach(json_object_get(s, "listeners_waiting"), i, one)
	{
		show_line("listener       %s: no device that is up has that address",
			json_string_value(one));
	}
	show_line("flows          %" PRIu64 " of %" PRIu64, show_u64(s, "flows"),
		show_u64(s, "flows_max"));
	show_line("next hops      %" PRIu64 ", of those not resolved: %" PRIu64
		  "; asked anew for packets from elsewhere: %" PRIu64,
		show_u64(s, "nexthops"), show_u64(s, "nexthops_unresolved"),
		show_u64(s, "nexthops_asked"));
	if (json_object_get(s, "last_change"))
		show_line("network        %s ago: %s", show_duration(s, "last_change_ms", changed),
			show_text(s, "last_change"));
	show_line("kernel events  %" PRIu64 " lost", show_u64(s, "events_lost"));
	show_line("memory         %s resident, %s in kernel maps",
		show_bytes(show_u64(s, "resident_bytes"), resident),
		show_bytes(show_u64(s, "map_bytes"), maps));
	if (json_object_get(s, "records_written"))
		show_line("records        %" PRIu64 " written, %" PRIu64 " lost, %" PRIu64
			  " waiting",
			show_u64(s, "records_written"), show_u64(s, "records_lost"),
			show_u64(s, "records_queued"));
	print_state(s);
	show_line("control        %" PRIu64 " followers of events, %" PRIu64
		  " dropped as too slow, %" PRIu64 " requests not permitted",
		show_u64(s, "subscribers"), show_u64(s, "subscribers_dropped"),
		show_u64(s, "control_refused"));
}

/* What keeps media from passing by the device. */
static void add_trouble(struct table *t, const json_t *device)
{
	uint64_t lately = show_u64(device, "lost_lately");

	if (json_object_get(device, "why"))
		table_add(t, "%s", show_text(device, "why"));
	else if (lately)
		table_add(t, "its driver loses packets, %" PRIu64 " in the last 3 s: %s", lately,
			json_object_get(device, "lost_why") ? show_text(device, "lost_why")
							    : "no room");
	else
		table_add(t, "%s", "");
}

static void print_devices(const json_t *s)
{
	static const char *const heading[] = {
		"SIDE", "DEVICE", "XDP MODE", "ATTACHED BY", ">LOST BY DRIVER", "LINK", ""};
	const json_t *one;
	struct table t;
	size_t i;

	table_init(&t, COLUMNS(heading));
	json_array_foreach(json_object_get(s, "devices"), i, one)
	{
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%s", show_text(one, "name"));
		table_add(&t, "%s", show_text(one, "mode"));
		table_add(&t, "%s", show_text(one, "attached"));
		if (json_object_get(one, "lost"))
			table_add(&t, "%" PRIu64, show_u64(one, "lost"));
		else
			table_add(&t, "not told");
		table_add(&t, "%s", show_bool(one, "up") ? "up" : "down");
		add_trouble(&t, one);
	}
	putchar('\n');
	table_print(&t);
}

static void print_unresolved(const json_t *s)
{
	static const char *const heading[] = {
		"NOT RESOLVED", "NEXT HOP", "SIDE", "DEVICE", ">SINCE", "WHY"};
	uint64_t all = show_u64(s, "nexthops_unresolved");
	const json_t *list = json_object_get(s, "unresolved"), *one;
	char since[SHOW_SHORT_MAX];
	struct table t;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	table_init(&t, COLUMNS(heading));
	json_array_foreach(list, i, one)
	{
		table_add(&t, "%s", show_text(one, "to"));
		table_add(&t, "%s", show_text(one, "gateway"));
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%s", show_text(one, "device"));
		table_add(&t, "%s",
			json_object_get(one, "since_ms") ? show_duration(one, "since_ms", since)
							 : "ever");
		table_add(&t, "%s", show_text(one, "why"));
	}
	putchar('\n');
	table_print(&t);
	if (all > json_array_size(list))
		show_line("and %" PRIu64 " more", all - json_array_size(list));
}

static void print_table_if_any(struct table *t)
{
	if (t->count == 0)
		return;
	putchar('\n');
	table_print(t);
}

static void print_gateways_left(const json_t *s)
{
	static const char *const heading[] = {"GATEWAY LEFT", "SIDE", "DEVICE", "WHY"};
	const json_t *one;
	struct table t;
	size_t i;

	table_init(&t, COLUMNS(heading));
	json_array_foreach(json_object_get(s, "gateways_left"), i, one)
	{
		table_add(&t, "%s", show_text(one, "gateway"));
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%s", show_text(one, "device"));
		table_add(&t, "%s", show_text(one, "why"));
	}
	print_table_if_any(&t);
}

static void print_ports(const json_t *s)
{
	static const char *const heading[] = {
		"SIDE", ">MEDIA PORTS", ">USED", ">QUARANTINED", ">LEFT"};
	const json_t *one;
	struct table t;
	size_t i;

	table_init(&t, COLUMNS(heading));
	json_array_foreach(json_object_get(s, "sides"), i, one)
	{
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%" PRIu64, show_u64(one, "ports_total"));
		table_add(&t, "%" PRIu64, show_u64(one, "ports_used"));
		table_add(&t, "%" PRIu64, show_u64(one, "ports_quarantined"));
		table_add(&t, "%" PRIu64, show_u64(one, "ports_left"));
	}
	putchar('\n');
	table_print(&t);
}

/* Those that are not 0. */
static void print_counters(const json_t *s, const char *key, const char *title)
{
	const char *const heading[] = {title, ">COUNT"};
	json_t *counters = json_object_get(s, key), *v;
	const char *name;
	struct table t;

	table_init(&t, COLUMNS(heading));
	json_object_foreach(counters, name, v)
	{
		if (json_integer_value(v) == 0)
			continue;
		table_add(&t, "%s", name);
		table_add(&t, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	}
	print_table_if_any(&t);
}

static void print_packets(const json_t *s)
{
	static const char *const heading[] = {
		"FROM SIDE", "PACKETS BY REASON", ">PACKETS", ">BYTES", "MEANING"};
	const json_t *one;
	struct table t;
	size_t i;

	table_init(&t, COLUMNS(heading));
	json_array_foreach(json_object_get(s, "packets"), i, one)
	{
		if (show_u64(one, "packets") == 0)
			continue;
		table_add(&t, "%s", show_text(one, "side"));
		table_add(&t, "%s", show_text(one, "reason"));
		table_add(&t, "%" PRIu64, show_u64(one, "packets"));
		table_add(&t, "%" PRIu64, show_u64(one, "bytes"));
		table_add(&t, "%s", show_text(one, "meaning"));
	}
	print_table_if_any(&t);
}

enum cli_exit cmd_status(const struct cli *cli)
{
	struct ask ask = {.request = VDC_GET_STATUS};
	json_t *status = NULL;
	enum cli_exit ret = client_once(cli, &ask, keep, &status);

	if (ret || !status)
		return ret;
	if (cli->json) {
		cli_print_json(status, false);
		return CLI_OK;
	}
	print_daemon(status);
	print_devices(status);
	print_unresolved(status);
	print_gateways_left(status);
	print_ports(status);
	print_counters(status, "calls", "CALLS SINCE THE START");
	print_counters(status, "sip", "SIP");
	print_counters(status, "dns", "HOST NAMES");
	print_packets(status);
	json_decref(status);
	return CLI_OK;
}
