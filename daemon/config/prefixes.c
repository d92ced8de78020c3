/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/prefixes.h"

#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 16
#define REPEAT_MAX  (PREFIX_MAX + 1) /* of {n}: beyond, no beginning grows any more */

/* Whatever is not understood for sure makes `unknown`: then every number may match. */
struct reader {
	const char *at;
	unsigned depth;
	bool unknown;
};

static void alternatives(struct reader *r, struct prefixes *out);

static void set_empty(struct prefixes *p, bool open)
{
	p->count = 1;
	p->one[0] = (struct prefix){.open = open};
}

static void close_all(struct prefixes *p)
{
	for (unsigned i = 0; i < p->count; i++)
		p->one[i].open = false;
}

static void add_char(struct prefixes *p, char c)
{
	p->one[p->count++] = (struct prefix){.text = {c}, .len = 1, .open = true};
}

/* What follows comes behind each open beginning. */
static void append(struct prefixes *p, const struct prefixes *more)
{
	struct prefixes sum = {.count = 0};
	unsigned open = 0;

	for (unsigned i = 0; i < p->count; i++)
		open += p->one[i].open;
	if (p->count - open + open * more->count > PREFIXES_MAX) {
		close_all(p);
		return;
	}
	for (unsigned i = 0; i < p->count; i++) {
		if (!p->one[i].open) {
			sum.one[sum.count++] = p->one[i];
			continue;
		}
		for (unsigned j = 0; j < more->count; j++) {
			struct prefix *to = &sum.one[sum.count++];
			size_t room = PREFIX_MAX - p->one[i].len, n = more->one[j].len;

			*to = p->one[i];
			to->open = more->one[j].open && n <= room;
			n = n < room ? n : room;
			memcpy(to->text + to->len, more->one[j].text, n);
			to->len = (uint8_t)(to->len + n);
		}
	}
	*p = sum;
}

/* One or the other. */
static void join(struct prefixes *p, const struct prefixes *other)
{
	if (p->count + other->count > PREFIXES_MAX) {
		set_empty(p, false);
		return;
	}
	memcpy(&p->one[p->count], other->one, other->count * sizeof(other->one[0]));
	p->count += other->count;
}

/* ---- atoms ---- */

static const char digits[] = "0123456789";

/* Behind a backslash. */
static void escape(struct reader *r, struct prefixes *out)
{
	char c = *r->at++;

	out->count = 0;
	if (c == 'd') {
		for (const char *d = digits; *d; d++)
			add_char(out, *d);
	} else if (c && strchr("wsDWShHvVNRX", c)) {
		set_empty(out, false);
	} else if (c && !strchr(digits, c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')) {
		add_char(out, c);
	} else {
		r->unknown = true;
	}
}

/* One element of a class; -1 where it is a set, or not understood. */
static int class_char(struct reader *r, bool in[256], bool *wide)
{
	char c = *r->at++;

	if (c == '[' && strchr(":.=", *r->at))
		r->unknown = true;
	if (c != '\\')
		return (unsigned char)c;
	c = *r->at++;
	if (c == 'd') {
		for (const char *d = digits; *d; d++)
			in[(unsigned char)*d] = true;
		return -1;
	}
	if (c && strchr("wsDWShHvV", c)) {
		*wide = true;
		return -1;
	}
	if (!c || strchr(digits, c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		r->unknown = true;
	return (unsigned char)c;
}

/* Behind "[". */
static void class(struct reader *r, struct prefixes *out)
{
	bool in[256] = {false}, wide = *r->at == '^', first = true;
	unsigned count = 0;

	r->at += wide;
	for (; !r->unknown && *r->at && (first || *r->at != ']'); first = false) {
		int low = class_char(r, in, &wide), high = low;

		if (low >= 0 && r->at[0] == '-' && r->at[1] && r->at[1] != ']') {
			r->at++;
			high = class_char(r, in, &wide);
			if (high < low)
				r->unknown = true;
		}
		for (int c = low; c >= 0 && c <= high; c++)
			in[c] = true;
	}
	if (*r->at)
		r->at++;
	else
		r->unknown = true;
	for (unsigned c = 0; c < 256; c++)
		count += in[c];
	if (wide || count > PREFIXES_MAX || in[0]) {
		set_empty(out, false);
		return;
	}
	out->count = 0;
	for (unsigned c = 1; c < 256; c++) {
		if (in[c])
			add_char(out, (char)c);
	}
}

/* Behind "(". */
static void group(struct reader *r, struct prefixes *out)
{
	if (r->at[0] == '?' && r->at[1] == ':')
		r->at += 2;
	else if (r->at[0] == '?' || r->at[0] == '*')
		r->unknown = true;
	if (r->unknown || ++r->depth > NESTING_MAX) {
		r->unknown = true;
		return;
	}
	alternatives(r, out);
	r->depth--;
	if (*r->at == ')')
		r->at++;
	else
		r->unknown = true;
}

static void atom(struct reader *r, struct prefixes *out)
{
	char c = *r->at++;

	out->count = 0;
	switch (c) {
	case '\\':
		escape(r, out);
		break;
	case '[':
		class(r, out);
		break;
	case '(':
		group(r, out);
		break;
	case '.':
	case '$':
		set_empty(out, false);
		break;
	case '^':
		r->unknown = true;
		break;
	default:
		add_char(out, c);
		break;
	}
}

/* ---- how often ---- */

/* {n}, {n,} and {n,m}; other braces are literal, but for what newer versions read into them. */
static bool braces(struct reader *r, unsigned *min, bool *more)
{
	char *end;
	unsigned long n;

	if (*r->at != '{')
		return false;
	if (!strchr(digits, r->at[1]) || !r->at[1]) {
		r->unknown = true;
		return false;
	}
	n = strtoul(r->at + 1, &end, 10);
	*min = n < REPEAT_MAX ? (unsigned)n : REPEAT_MAX;
	*more = n > REPEAT_MAX;
	if (*end == ',') {
		*more = true;
		end++;
		end += strspn(end, digits);
	}
	if (*end != '}') {
		r->unknown = true;
		return false;
	}
	r->at = end + 1;
	return true;
}

/* Makes of an atom what its quantifier says: at least min times, perhaps more. */
static void quantify(struct reader *r, struct prefixes *p)
{
	struct prefixes once = *p, none;
	bool more = true;
	unsigned min = 0;

	if (*r->at == '+')
		min = 1;
	else if (*r->at == '?')
		more = false;
	if (strchr("*+?", *r->at) && *r->at) {
		bool optional = *r->at == '?';

		r->at++;
		set_empty(p, true);
		if (optional)
			join(p, &once);
	} else if (braces(r, &min, &more)) {
		set_empty(p, true);
	} else {
		return;
	}
	for (unsigned i = 0; i < min; i++)
		append(p, &once);
	if (more) {
		/* Whatever comes then. */
		set_empty(&none, false);
		append(p, &none);
	}
	if (*r->at == '?' || *r->at == '+')
		r->at++; /* lazy, possessive */
}

static void sequence(struct reader *r, struct prefixes *out)
{
	struct prefixes next;

	set_empty(out, true);
	while (!r->unknown && *r->at && *r->at != '|' && *r->at != ')') {
		atom(r, &next);
		if (!r->unknown)
			quantify(r, &next);
		if (!r->unknown)
			append(out, &next);
	}
}

static void alternatives(struct reader *r, struct prefixes *out)
{
	struct prefixes next;

	sequence(r, out);
	while (!r->unknown && *r->at == '|') {
		r->at++;
		sequence(r, &next);
		join(out, &next);
	}
}

static bool begins_with(const struct prefix *p, const struct prefix *beginning)
{
	return p->len >= beginning->len && memcmp(p->text, beginning->text, beginning->len) == 0;
}

/* Leaves out those that begin with another. */
static void reduce(struct prefixes *p)
{
	const struct prefixes all = *p;

	p->count = 0;
	for (unsigned i = 0; i < all.count; i++) {
		bool covered = false;

		for (unsigned j = 0; j < all.count && !covered; j++) {
			/* Of two that are alike the first stays. */
			covered = j != i && begins_with(&all.one[i], &all.one[j]) &&
				  (all.one[j].len < all.one[i].len || j < i);
		}
		if (!covered)
			p->one[p->count++] = all.one[i];
	}
}

void prefixes_of(struct prefixes *out, const char *pattern)
{
	struct reader r = {.at = pattern};

	set_empty(out, false);
	if (!pattern)
		return;
	if (*r.at == '^')
		r.at++;
	alternatives(&r, out);
	if (r.unknown || *r.at)
		set_empty(out, false);
	/* Nothing matches an empty class; every number may be tried against it. */
	if (!out->count)
		set_empty(out, false);
	reduce(out);
}
