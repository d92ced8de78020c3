/* SPDX-License-Identifier: BSD-2-Clause */
#include "route/number.h"

#include <errno.h>
#include <string.h>

#include "route/match.h"
#include "route/trace.h"

struct number {
	char *text;
	size_t len;
};

static int append(struct number *n, const char *text, size_t len)
{
	if (len > NUMBER_MAX - n->len)
		return -EINVAL;
	memcpy(n->text + n->len, text, len);
	n->len += len;
	return 0;
}

static int expand(const struct number_rule *rule, const char *number,
	size_t group[MATCH_GROUPS_MAX][2], struct number *out)
{
	int ret = 0;

	for (const char *c = rule->replace; *c && !ret; c++) {
		if (*c == '$' && c[1] >= '0' && c[1] <= '9') {
			const size_t *g = group[*++c - '0'];

			ret = append(out, number + g[0], g[1] - g[0]);
		} else {
			c += *c == '$';
			ret = append(out, c, 1);
		}
	}
	return ret;
}

/* RFC 3261 25.1, what user = may be escaped to; ";" would begin parameters. */
static int check(const struct number *n, enum number_kind kind)
{
	if (!n->len && kind == NUMBER_CALLED)
		return -EINVAL;
	for (size_t i = 0; i < n->len; i++) {
		if ((unsigned char)n->text[i] <= ' ' || n->text[i] == 0x7f || n->text[i] == ';')
			return -EINVAL;
	}
	return 0;
}

/* 1: a rule was applied, 0: none matches, -EINVAL. */
static int apply(const struct number_rules *rules, enum number_kind kind, const char *number,
	struct number *out, const struct peer_config *peer, const char *list, const struct trace *t)
{
	size_t group[MATCH_GROUPS_MAX][2], len = strlen(number);

	for (unsigned i = 0; i < rules->count; i++) {
		const struct number_rule *rule = rules->rule[i];
		int match = match_groups(&rule->match, number, len, group), ret;

		if (match == 0)
			continue;
		ret = match < 0 ? -EINVAL : expand(rule, number, group, out);
		if (!ret)
			ret = check(out, kind);
		out->text[out->len] = '\0';
		trace_line(t, "%s %s[%u] \"%s\": \"%s\" %s %s%s%s%s", peer->name, list, i,
			rule->name, number, match < 0 ? "was given up against" : "matches",
			rule->match.text, ret ? ": refused, gives no number" : " and becomes \"",
			ret ? "" : out->text, ret ? "" : "\"");
		return ret ? ret : 1;
	}
	return 0;
}

static int rewrite(const struct number_rules *rules, enum number_kind kind, const char *number,
	char out[NUMBER_MAX + 1], const struct peer_config *peer, const char *list,
	const struct trace *t)
{
	struct number n = {.text = out};
	int ret = strlen(number) > NUMBER_MAX ? -EINVAL : 0;

	out[0] = '\0';
	if (!ret)
		ret = apply(rules, kind, number, &n, peer, list, t);
	if (ret == 0)
		strcpy(out, number);
	return ret < 0 ? ret : 0;
}

int number_in(const struct peer_config *from, enum number_kind kind, const char *number,
	char out[NUMBER_MAX + 1], route_trace_fn *trace, void *trace_ctx)
{
	const struct trace t = {.fn = trace, .ctx = trace_ctx};
	bool called = kind == NUMBER_CALLED;

	return rewrite(called ? &from->numbers.called_in : &from->numbers.calling_in, kind, number,
		out, from, called ? "called_in" : "calling_in", &t);
}

int number_out(const struct peer_config *to, enum number_kind kind, const char *number,
	char out[NUMBER_MAX + 1], route_trace_fn *trace, void *trace_ctx)
{
	const struct trace t = {.fn = trace, .ctx = trace_ctx};
	bool called = kind == NUMBER_CALLED;
	int ret = rewrite(called ? &to->numbers.called_out : &to->numbers.calling_out, kind, number,
		out, to, called ? "called_out" : "calling_out", &t);

	if (!ret && to->numbers.remove_plus && out[0] == '+') {
		memmove(out, out + 1, strlen(out));
		trace_line(&t, "%s remove_plus: %s becomes \"%s\"", to->name,
			called ? "called" : "calling", out);
	}
	return ret;
}

int numbers_in(const struct peer_config *from, const struct numbers *received,
	struct numbers *routed, route_trace_fn *trace, void *trace_ctx)
{
	int ret =
		number_in(from, NUMBER_CALLED, received->called, routed->called, trace, trace_ctx);

	routed->anonymous = received->anonymous;
	if (received->anonymous)
		strcpy(routed->calling, received->calling);
	else if (!ret)
		ret = number_in(
			from, NUMBER_CALLING, received->calling, routed->calling, trace, trace_ctx);
	return ret;
}

int numbers_out(const struct route_candidate *candidate, bool is_emergency,
	const struct numbers *routed, struct numbers *sent, route_trace_fn *trace, void *trace_ctx)
{
	const struct caller_config *caller = &candidate->route->caller;
	const struct trace t = {.fn = trace, .ctx = trace_ctx};
	const char *calling = caller->number ? caller->number : routed->calling;
	int ret = number_out(
		candidate->peer, NUMBER_CALLED, routed->called, sent->called, trace, trace_ctx);

	sent->anonymous = routed->anonymous && !caller->number;
	if (caller->number)
		trace_line(&t, "%s caller: calling becomes \"%s\"", candidate->peer->name, calling);
	if (caller->suppress && !is_emergency) {
		sent->anonymous = true;
		calling = "anonymous";
		trace_line(&t, "%s caller: suppressed", candidate->peer->name);
	}
	if (sent->anonymous)
		strcpy(sent->calling, calling);
	else if (!ret)
		ret = number_out(
			candidate->peer, NUMBER_CALLING, calling, sent->calling, trace, trace_ctx);
	return ret;
}
