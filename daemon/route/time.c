/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/time.h"

#include <time.h>

#include "config/zone.h"

#define DAYS_A_WEEK 7
#define DAY_S       86400

static bool is_among(const struct date *date, unsigned count, const struct tm *tm)
{
	for (unsigned i = 0; i < count; i++) {
		if ((!date[i].year || date[i].year == tm->tm_year + 1900) &&
			date[i].month == tm->tm_mon + 1 && date[i].day == tm->tm_mday)
			return true;
	}
	return false;
}

/* local: seconds since 1970 as the clock on the wall has it. */
static bool day_applies(const struct time_config *time, int64_t local)
{
	time_t t = (time_t)local;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return false;
	/* tm_wday begins with Sunday. */
	return (time->days >> ((tm.tm_wday + DAYS_A_WEEK - 1) % DAYS_A_WEEK) & 1) &&
	       (!time->date_count || is_among(time->date, time->date_count, &tm)) &&
	       !is_among(time->except, time->except_count, &tm);
}

bool time_holds(const struct time_config *time, int64_t at)
{
	int64_t local = at + zone_offset(time->zone, at);
	int64_t second = ((local % DAY_S) + DAY_S) % DAY_S;
	unsigned minute = (unsigned)(second / 60);
	bool today = day_applies(time, local);

	if (!time->hours_count)
		return today;
	for (unsigned i = 0; i < time->hours_count; i++) {
		unsigned from = time->hours[i].from, to = time->hours[i].to;

		if (to > from) {
			if (today && minute >= from && minute < to)
				return true;
			continue;
		}
		/* Past midnight: the day is the one that it begins on. */
		if ((today && minute >= from) || (minute < to && day_applies(time, local - DAY_S)))
			return true;
	}
	return false;
}
