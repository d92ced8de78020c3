/* SPDX-License-Identifier: BSD-2-Clause */
/* route_cost RUNS
 *
 * What it costs to find a call's route among few and among many: numbers that match routes all over
 * the list, and ones that match none. Prints one line of JSON: ns a call, medians of the runs, and
 * the patterns that were run a call. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "route/match.h"
#include "route/route.h"
#include "tool.h"

#define RUNS_MAX      99
#define CALLS         20000 /* a run */
#define ROUTES_MANY   10000
#define ROUTES_FEW    10
#define ROUTES_FIRST  10000 /* number of the first: five digits each */
#define NUMBER_LENGTH 16

/* Half of the patterns begin with an optional plus, as people write them. */
static struct config *load(unsigned routes)
{
	char path[64];
	struct config *cfg = NULL;
	int fd = memfd_create("routes", 0), ret;
	FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");

	if (!f)
		tool_fail(0, "no memory file");
	fputs("sides: {internal: {device: a, addresses: [10.0.0.1]},\n"
	      "  external: {device: b, addresses: [192.0.2.1]}}\n"
	      "listeners: [{name: in, side: internal, transport: udp},\n"
	      "  {name: ex, side: external, transport: udp}]\n"
	      "peers: [{name: pbx, kind: direct, listener: in, address: 10.0.0.2},\n"
	      "  {name: itsp, kind: trunk, listener: ex, address: 192.0.2.2}]\n"
	      "routes:\n",
		f);
	for (unsigned i = 0; i < routes; i++)
		fprintf(f, "  - {from: pbx, called: '%s%u\\d{3,9}', to: [itsp]}\n",
			i % 2 ? "\\+?" : "\\+", ROUTES_FIRST + i);
	fclose(f);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = config_load(&cfg, path, stderr);
	if (ret)
		tool_fail(ret, "the routes do not load");
	close(fd);
	return cfg;
}

/* Of routes all over the list, one in four beyond it. */
static void make_numbers(char (*number)[NUMBER_LENGTH], unsigned routes)
{
	for (unsigned i = 0; i < CALLS; i++)
		snprintf(number[i], NUMBER_LENGTH, "+%u1234",
			ROUTES_FIRST + (i * 7919u) % (routes + routes / 3));
}

static double run(const struct config *cfg, char (*number)[NUMBER_LENGTH])
{
	struct route_query query = {.from = &cfg->peer[0], .calling = "4930123"};
	struct route_result result;
	uint64_t start = tool_now_ns();

	for (unsigned i = 0; i < CALLS; i++) {
		query.called = number[i];
		route_find(cfg, &query, &result, NULL, NULL);
	}
	return (double)(tool_now_ns() - start) / CALLS;
}

/* ns a call; *patterns: run a call. */
static double measure(unsigned routes, unsigned runs, double *patterns)
{
	static char number[CALLS][NUMBER_LENGTH];
	struct config *cfg = load(routes);
	double ns[RUNS_MAX];

	make_numbers(number, routes);
	run(cfg, number);
	match_count = 0;
	for (unsigned i = 0; i < runs; i++)
		ns[i] = run(cfg, number);
	*patterns = (double)match_count / runs / CALLS;
	config_unref(cfg);
	return tool_median(ns, runs);
}

int main(int argc, char **argv)
{
	unsigned runs;
	double few, many, few_patterns, many_patterns;

	if (argc != 2)
		tool_fail(0, "usage: route_cost RUNS");
	runs = (unsigned)tool_number(argv[1], 1, RUNS_MAX);
	few = measure(ROUTES_FEW, runs, &few_patterns);
	many = measure(ROUTES_MANY, runs, &many_patterns);
	tool_say("{\"find_10_ns\": %.1f, \"find_10000_ns\": %.1f, "
		 "\"patterns_10\": %.2f, \"patterns_10000\": %.2f}",
		few, many, few_patterns, many_patterns);
	return 0;
}
