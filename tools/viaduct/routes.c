/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "table.h"

/* In which cases the route is looked at, beyond its numbers. */
static void table_add_when(struct table *t, const json_t *route)
{
	char *times = show_texts(route, "times");

	table_add(t, "%s%s%s",
		show_bool(route, "emergency")  ? "emergency "
		: show_bool(route, "in_usage") ? "usage "
					       : "",
		json_object_get(route, "times") ? times : "always",
		show_bool(route, "caller_suppress")               ? ", caller suppressed"
		: json_object_get(route, "caller_number") != NULL ? ", caller replaced"
								  : "");
	free(times);
}

static enum cli_exit list_routes(const struct cli *cli)
{
	static const char *const heading[] = {
		">NR", "NAME", "FROM", "CALLED", "CALLING", "TO", "WHEN", "TRUNK TO TRUNK"};
	json_t *list, *one;
	struct table t;
	size_t i;
	enum cli_exit ret = client_list_once(cli, VDC_GET_ROUTES, &list);

	if (ret)
		return ret;
	if (cli->json) {
		cli_print_json(json_pack("{s:o}", "routes", list), false);
		return CLI_OK;
	}
	table_init(&t, heading, sizeof(heading) / sizeof(heading[0]));
	json_array_foreach(list, i, one)
	{
		char *to = show_texts(one, "to");

		table_add(&t, "%" PRIu64, show_u64(one, "index"));
		table_add(&t, "%s", show_text(one, "name"));
		table_add(&t, "%s", json_object_get(one, "from") ? show_text(one, "from") : "any");
		table_add(&t, "%s",
			json_object_get(one, "called") ? show_text(one, "called") : "any");
		table_add(&t, "%s",
			json_object_get(one, "calling") ? show_text(one, "calling") : "any");
		table_add(&t, "%s", to);
		table_add_when(&t, one);
		table_add(&t, "%s", show_bool(one, "trunk_to_trunk") ? "allowed" : "denied");
		free(to);
	}
	table_print(&t);
	json_decref(list);
	return CLI_OK;
}

static void keep(void *ctx, uint16_t type, json_t *object)
{
	json_t **decision = ctx;

	(void)type;
	json_decref(*decision);
	*decision = object;
}

/* Whether somebody would be asked. */
static bool is_taken(const json_t *decision)
{
	return strcmp(show_text(decision, "verdict"), "found") == 0 &&
	       !json_object_get(decision, "code");
}

static void print_decision(const json_t *decision)
{
	const char *verdict = show_text(decision, "verdict");
	const json_t *line;
	size_t i;

	if (json_object_get(decision, "trace_omitted"))
		show_line("... %" PRIu64 " lines left out", show_u64(decision, "trace_omitted"));
	json_array_foreach(json_object_get(decision, "trace"), i, line)
	{
		show_line("%s", json_string_value(line));
	}
	json_array_foreach(json_object_get(decision, "candidates"), i, line)
	{
		const char *calling = json_string_value(json_object_get(line, "calling"));

		if (calling && *calling)
			show_line("%s gets called \"%s\", calling \"%s\"", show_text(line, "peer"),
				show_text(line, "called"), calling);
		else
			show_line("%s gets called \"%s\", no calling number",
				show_text(line, "peer"), show_text(line, "called"));
	}
	if (strcmp(verdict, "found") == 0 && !is_taken(decision)) {
		show_line("found: route %" PRIu64
			  " (%s), but none of its peers takes calls now: %" PRIu64,
			show_u64(decision, "index"), show_text(decision, "route"),
			show_u64(decision, "code"));
	} else if (strcmp(verdict, "found") == 0) {
		char *to = show_texts(decision, "to");

		show_line("found: route %" PRIu64 " (%s), peers in order: %s",
			show_u64(decision, "index"), show_text(decision, "route"), to);
		free(to);
	} else if (strcmp(verdict, "denied") == 0) {
		show_line("denied: route %" PRIu64
			  " (%s) matches, but does not allow trunk to trunk: %" PRIu64,
			show_u64(decision, "index"), show_text(decision, "route"),
			show_u64(decision, "code"));
	} else if (strcmp(verdict, "refused") == 0) {
		show_line("refused: a number rule gives no number: %" PRIu64,
			show_u64(decision, "code"));
	} else {
		show_line("none: no route matches: %" PRIu64, show_u64(decision, "code"));
	}
}

/* "YYYY-MM-DD HH:MM", or with a T, of the host's zone or, with a Z, of UTC. 0 or -EINVAL. */
static int parse_at(const char *text, uint64_t *at)
{
	static const char *const forms[] = {"%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		struct tm day;
		time_t t;

		if (!end || (*end && strcmp(end, "Z") != 0))
			continue;
		day = tm;
		(void)timegm(&day);
		if (day.tm_mday != tm.tm_mday) /* 30 February */
			return -EINVAL;
		t = *end ? timegm(&tm) : mktime(&tm);
		if (t <= 0)
			return -EINVAL;
		*at = (uint64_t)t;
		return 0;
	}
	return -EINVAL;
}

/* FROM CALLED, or FROM CALLING CALLED. */
static enum cli_exit test_route(const struct cli *cli)
{
	struct ask ask = {.request = VDC_TEST_ROUTE,
		.from = cli->argv[1],
		.calling = cli->argc == 4 ? cli->argv[2] : NULL,
		.number = cli->argv[cli->argc - 1]};
	json_t *decision = NULL;
	enum cli_exit ret;

	if (cli->at && parse_at(cli->at, &ask.at)) {
		cli_error("%s is no time, such as \"2026-12-24 18:30\"", cli->at);
		return CLI_USAGE;
	}
	ret = client_once(cli, &ask, keep, &decision);
	if (ret || !decision)
		return ret;
	if (!is_taken(decision))
		ret = CLI_FAILED;
	if (cli->json)
		cli_print_json(json_incref(decision), false);
	else
		print_decision(decision);
	json_decref(decision);
	return ret;
}

enum cli_exit cmd_routes(const struct cli *cli)
{
	bool test = cli->argc > 0 && strcmp(cli->argv[0], "test") == 0;

	if (cli->argc == 0)
		return list_routes(cli);
	if (test && (cli->argc == 3 || cli->argc == 4))
		return test_route(cli);
	cli_error("usage: viaduct routes [test FROM [CALLING] CALLED]");
	return CLI_USAGE;
}
