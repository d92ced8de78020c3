/* SPDX-License-Identifier: BSD-2-Clause */
/* interruptions CPU MS
 *
 * How often, and for how long, a thread that does nothing but read the clock is stopped on that
 * CPU: by the timer, by other processes, and by the host where the machine is virtual, of which
 * nothing is seen from inside. What is sent there is stopped alike. Prints one line of JSON:
 * {"a_second":N,"share":S,"p50_us":U,"p99_us":U}; share: of all the time. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

#define CPU_MAX     1023
#define MS_MAX      10000
#define STOPPED_NS  2000 /* reading the clock takes below 100 */
#define STOPS_MAX   1000000
#define NS_A_MS     1000000ull
#define NS_A_SECOND 1e9

static double percentile_us(const double *sorted, unsigned count, double percent)
{
	return count ? sorted[(unsigned)((count - 1) * percent / 100)] / 1000 : 0;
}

int main(int argc, char **argv)
{
	static double stops[STOPS_MAX];
	uint64_t begin, end, last, now;
	unsigned count = 0;
	double sum = 0;

	if (argc != 3)
		tool_fail(0, "CPU MS");
	tool_pin_to_cpu((unsigned)tool_number(argv[1], 0, CPU_MAX));
	begin = last = tool_now_ns();
	end = begin + tool_number(argv[2], 1, MS_MAX) * NS_A_MS;
	for (; last < end; last = now) {
		now = tool_now_ns();
		if (now - last < STOPPED_NS || count == STOPS_MAX)
			continue;
		stops[count] = (double)(now - last);
		sum += stops[count++];
	}
	tool_sort(stops, count);
	tool_say("{\"a_second\":%.0f,\"share\":%.4f,\"p50_us\":%.1f,\"p99_us\":%.1f}",
		count * NS_A_SECOND / (double)(last - begin), sum / (double)(last - begin),
		percentile_us(stops, count, 50), percentile_us(stops, count, 99));
	return 0;
}
