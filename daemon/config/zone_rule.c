/* SPDX-License-Identifier: BSD-2-Clause */
/* The rule by which a zone's clocks change from some year on. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "config/zone_internal.h"

#define HOUR_S      3600
#define CHANGE_S    (2 * HOUR_S) /* of the day, where a rule gives no time */
#define DAYS_A_WEEK 7
#define EPOCH_YEAR  1970
#define EPOCH_WDAY  4   /* a Thursday */
#define HOURS_MAX   167 /* RFC 9636 3.3.2 */
#define NAME_MIN    3

/* When in a year. */
struct moment {
	enum { MONTH_WEEK_DAY, DAY_FROM_1, DAY_FROM_0 } form;
	int month, week, day;
	int32_t second; /* of the day, may lie outside it */
};

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t y = year - 1;

	return 365 * (year - EPOCH_YEAR) + (y / 4 - y / 100 + y / 400) - 477 + before[month - 1] +
	       (month > 2 && leap) + day - 1;
}

static int64_t moment_day(const struct moment *m, int64_t year)
{
	int64_t first, day;

	if (m->form == DAY_FROM_0)
		return days_of(year, 1, 1) + m->day;
	if (m->form == DAY_FROM_1) {
		/* February 29 is never counted. */
		bool leap = days_of(year, 3, 1) - days_of(year, 2, 1) == 29;

		return days_of(year, 1, 1) + m->day - 1 + (leap && m->day >= 60);
	}
	first = days_of(year, m->month, 1);
	day = first + ((m->day - (first + EPOCH_WDAY)) % DAYS_A_WEEK + DAYS_A_WEEK) % DAYS_A_WEEK +
	      (int64_t)DAYS_A_WEEK * (m->week - 1);
	/* Week 5 is the last one. */
	if (day >= (m->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, m->month + 1, 1)))
		day -= DAYS_A_WEEK;
	return day;
}

static bool take_number(const char **text, int max, int *out)
{
	int n = 0, digits = 0;

	for (; **text >= '0' && **text <= '9' && digits < 4; (*text)++, digits++)
		n = n * 10 + (**text - '0');
	*out = n;
	return digits && n <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **text, int32_t *seconds)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes = 0, rest = 0;

	*text += **text == '-' || **text == '+';
	if (!take_number(text, HOURS_MAX, &hours))
		return false;
	if (**text == ':') {
		(*text)++;
		if (!take_number(text, 59, &minutes))
			return false;
		if (**text == ':') {
			(*text)++;
			if (!take_number(text, 59, &rest))
				return false;
		}
	}
	*seconds = sign * (hours * HOUR_S + minutes * 60 + rest);
	return true;
}

static bool take_name(const char **text)
{
	const char *start = *text;

	if (*start == '<') {
		*text = strchr(start, '>');
		if (!*text)
			return false;
		(*text)++;
		return true;
	}
	while ((**text >= 'a' && **text <= 'z') || (**text >= 'A' && **text <= 'Z'))
		(*text)++;
	return *text - start >= NAME_MIN;
}

/* Mm.w.d, Jn or n, with /time perhaps. */
static bool take_moment(const char **text, struct moment *m)
{
	memset(m, 0, sizeof(*m));
	m->second = CHANGE_S;
	if (**text == 'M') {
		(*text)++;
		m->form = MONTH_WEEK_DAY;
		if (!take_number(text, 12, &m->month) || *(*text)++ != '.' ||
			!take_number(text, 5, &m->week) || *(*text)++ != '.' ||
			!take_number(text, 6, &m->day) || !m->month || !m->week)
			return false;
	} else {
		m->form = **text == 'J' ? DAY_FROM_1 : DAY_FROM_0;
		*text += **text == 'J';
		if (!take_number(text, 365, &m->day) || (m->form == DAY_FROM_1 && !m->day))
			return false;
	}
	if (**text != '/')
		return true;
	(*text)++;
	return take_time(text, &m->second);
}

static int64_t year_at(int64_t at)
{
	int64_t year = EPOCH_YEAR + at / ZONE_YEAR_S;

	while (days_of(year, 1, 1) * ZONE_DAY_S > at)
		year--;
	return year;
}

/* The offsets of POSIX count westwards. */
int zone_add_rule(struct zone *zone, const char *rule, int64_t after, int64_t until)
{
	int32_t standard, summer;
	struct moment begin, end;

	if (!take_name(&rule) || !take_time(&rule, &standard))
		return -EINVAL;
	standard = -standard;
	if (!*rule) {
		zone_add(zone, after, standard);
		return 0;
	}
	if (!take_name(&rule))
		return -EINVAL;
	summer = standard + HOUR_S;
	if (*rule != ',') {
		if (!take_time(&rule, &summer))
			return -EINVAL;
		summer = -summer;
	}
	if (*rule++ != ',' || !take_moment(&rule, &begin) || *rule++ != ',' ||
		!take_moment(&rule, &end) || *rule)
		return -EINVAL;
	/* From the year before on: what holds at `after` began then at the latest. */
	for (int64_t year = year_at(after) - 1; year <= year_at(until); year++) {
		int64_t on = moment_day(&begin, year) * ZONE_DAY_S + begin.second - standard;
		int64_t off = moment_day(&end, year) * ZONE_DAY_S + end.second - summer;
		bool on_first = on < off;

		for (int i = 0; i < 2; i++) {
			bool is_on = (i == 0) == on_first;
			int64_t at = is_on ? on : off;

			zone_add(zone, at > after ? at : after, is_on ? summer : standard);
		}
	}
	return 0;
}
