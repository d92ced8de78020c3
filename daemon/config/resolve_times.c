/* SPDX-License-Identifier: BSD-2-Clause */
/* Times: weekdays, hours and dates in a zone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "config/resolve.h"
#include "config/zone.h"

#define DAYS_A_WEEK 7
#define ALL_DAYS    ((1u << DAYS_A_WEEK) - 1)

/* Calls parse for each text of the key. */
typedef bool parse_fn(struct time_config *time, const char *text);

static void parse_texts(struct resolve *r, struct time_config *time, const char *base,
	const char *name, parse_fn *parse)
{
	char path[MISTAKE_KEY_MAX], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	char want[KEY_EXPECTED_MAX];
	const struct node *node;

	mistake_key(path, "%s.%s", base, name);
	node = document_find(r->mistakes->root, path);
	for (unsigned i = 0; i < document_text_count(node); i++) {
		const char *text = document_text(node, i);

		if (node->kind == NODE_SCALAR)
			mistake_key(key, "%s", path);
		else
			mistake_key(key, "%s[%u]", path, i);
		if (!parse(time, text))
			mistake_add(r->mistakes, key, "%s is not usable here; expected %s",
				mistake_quote(quoted, text), key_expected(want, key));
	}
}

static int weekday(const char *text, size_t len)
{
	static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int i = 0; i < DAYS_A_WEEK; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0)
			return i;
	}
	return -1;
}

/* mon, mon-fri, fri-mon */
static bool parse_days(struct time_config *time, const char *text)
{
	size_t n = strcspn(text, "-");
	int from = weekday(text, n);
	int to = text[n] ? weekday(text + n + 1, strlen(text + n + 1)) : from;

	if (from < 0 || to < 0)
		return false;
	for (int day = from;; day = (day + 1) % DAYS_A_WEEK) {
		time->days |= (uint8_t)(1u << day);
		if (day == to)
			return true;
	}
}

static bool is_form(const char *text, const char *form)
{
	for (; *form; form++, text++) {
		if (*form == '9' ? *text < '0' || *text > '9' : *text != *form)
			return false;
	}
	return !*text;
}

static unsigned two_digits(const char *text)
{
	return (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
}

static bool parse_hours(struct time_config *time, const char *text)
{
	unsigned from, to;

	if (!is_form(text, "99:99-99:99") || time->hours_count == CONFIG_HOURS_MAX)
		return false;
	from = two_digits(text) * 60 + two_digits(text + 3);
	to = two_digits(text + 6) * 60 + two_digits(text + 9);
	if (from >= 24 * 60 || to > 24 * 60 || two_digits(text + 3) > 59 ||
		two_digits(text + 9) > 59)
		return false;
	time->hours[time->hours_count].from = (uint16_t)from;
	time->hours[time->hours_count++].to = (uint16_t)to;
	return true;
}

static bool is_leap_year(unsigned year)
{
	return year % 4 == 0 && (year % 100 || year % 400 == 0);
}

/* 29 February without a year is a date, which most years have not. */
static bool parse_date(struct date *date, const char *text)
{
	static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	memset(date, 0, sizeof(*date));
	if (is_form(text, "9999-99-99")) {
		date->year = (uint16_t)(two_digits(text) * 100 + two_digits(text + 2));
		text += 5;
		if (!date->year)
			return false;
	} else if (!is_form(text, "99-99")) {
		return false;
	}
	date->month = (uint8_t)two_digits(text);
	date->day = (uint8_t)two_digits(text + 3);
	if (date->month == 2 && date->day == 29 && date->year && !is_leap_year(date->year))
		return false;
	return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
	       date->day <= days[date->month - 1];
}

static bool parse_dates(struct time_config *time, const char *text)
{
	return time->date_count < CONFIG_DATES_MAX &&
	       parse_date(&time->date[time->date_count++], text);
}

static bool parse_except(struct time_config *time, const char *text)
{
	return time->except_count < CONFIG_DATES_MAX &&
	       parse_date(&time->except[time->except_count++], text);
}

static int resolve_zone(
	struct resolve *r, struct time_config *time, const char *written, const char *base)
{
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	int ret = zone_new(&time->zone, written ? written : "");

	if (ret == -ENOMEM)
		return ret;
	mistake_key(key, "%s.zone", base);
	if (ret)
		mistake_add(r->mistakes, key, "%s is no zone that is known here; expected %s",
			mistake_quote(quoted, written), key_expected(want, key));
	return 0;
}

static const struct time_config *find_time(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->time_count; i++) {
		if (strcmp(cfg->time[i].name, name) == 0)
			return &cfg->time[i];
	}
	return NULL;
}

static int resolve_time(struct resolve *r, unsigned index)
{
	const struct file_time *file = &r->file->times[index];
	struct time_config *time = &r->cfg->time[index];
	char base[MISTAKE_KEY_MAX / 2], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];

	mistake_key(key, "times[%u].name", index);
	if (resolve_name(r, key, file->name) && find_time(r->cfg, file->name))
		mistake_add(r->mistakes, key,
			"%s is another time's too; expected a name of its own",
			mistake_quote(quoted, file->name));
	r->cfg->time_count++;
	time->name = strdup(file->name);
	time->date = calloc(CONFIG_DATES_MAX, sizeof(*time->date));
	time->except = calloc(CONFIG_DATES_MAX, sizeof(*time->except));
	if (!time->name || !time->date || !time->except)
		return -ENOMEM;
	snprintf(base, sizeof(base), "times[%u]", index);
	parse_texts(r, time, base, "days", parse_days);
	parse_texts(r, time, base, "hours", parse_hours);
	parse_texts(r, time, base, "dates", parse_dates);
	parse_texts(r, time, base, "except", parse_except);
	if (!time->days)
		time->days = ALL_DAYS;
	return resolve_zone(r, time, file->zone, base);
}

int resolve_times(struct resolve *r)
{
	int ret = 0;

	if (!r->file->times_count)
		return 0;
	r->cfg->time = calloc(r->file->times_count, sizeof(*r->cfg->time));
	if (!r->cfg->time)
		return -ENOMEM;
	for (unsigned i = 0; i < r->file->times_count && !ret; i++)
		ret = resolve_time(r, i);
	return ret;
}

int resolve_route_times(struct resolve *r, struct route_config *route, const char *base)
{
	char path[MISTAKE_KEY_MAX], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	char list[NAME_LIST_MAX];
	const struct config *cfg = r->cfg;
	const struct node *node;
	unsigned count;

	mistake_key(path, "%s.times", base);
	node = document_find(r->mistakes->root, path);
	count = document_text_count(node);
	if (!count)
		return 0;
	route->time = calloc(count, sizeof(unsigned));
	if (!route->time)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		const struct time_config *time = find_time(cfg, document_text(node, i));

		if (node->kind == NODE_SCALAR)
			mistake_key(key, "%s", path);
		else
			mistake_key(key, "%s[%u]", path, i);
		if (time)
			route->time[route->time_count++] = (unsigned)(time - cfg->time);
		else
			mistake_add(r->mistakes, key, "no time is named %s; expected one of %s",
				mistake_quote(quoted, document_text(node, i)),
				resolve_name_list(
					list, cfg->time, sizeof(*cfg->time), cfg->time_count));
	}
	return 0;
}
