/* SPDX-License-Identifier: BSD-2-Clause */
/* Number rules: named sets, and the lists of the peers. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "config/pattern.h"
#include "config/resolve.h"

#define GROUP_MAX 9 /* $9 */

void numbers_clear(struct numbers_config *numbers)
{
	free(numbers->called_in.rule);
	free(numbers->calling_in.rule);
	free(numbers->called_out.rule);
	free(numbers->calling_out.rule);
}

void number_rules_free(struct config *cfg)
{
	for (unsigned i = 0; i < cfg->number_rule_count; i++) {
		struct number_rule *rule = cfg->number_rule[i];

		pattern_clear(&rule->match);
		free(rule->replace);
		free(rule->name);
		free(rule);
	}
	for (unsigned i = 0; i < cfg->rule_set_count; i++) {
		free(cfg->rule_set[i].rules.rule);
		free(cfg->rule_set[i].name);
	}
	free(cfg->number_rule);
	free(cfg->rule_set);
}

/* A rule that belongs to cfg. NULL without memory. */
static struct number_rule *rule_new(struct config *cfg)
{
	unsigned n = cfg->number_rule_count;
	struct number_rule **all = cfg->number_rule;

	/* The room doubles at each power of two. */
	if ((n & (n - 1)) == 0)
		all = realloc(all, (n ? 2 * (size_t)n : 1) * sizeof(struct number_rule *));
	if (!all)
		return NULL;
	cfg->number_rule = all;
	all[n] = calloc(1, sizeof(*all[n]));
	if (all[n])
		cfg->number_rule_count++;
	return all[n];
}

static unsigned groups_of(const struct pattern *match)
{
	uint32_t groups = GROUP_MAX;

	if (match->code)
		pcre2_pattern_info(match->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	return groups < GROUP_MAX ? groups : GROUP_MAX;
}

static void check_replace(struct resolve *r, const char *key, const struct number_rule *rule)
{
	unsigned groups = groups_of(&rule->match);
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	for (const char *c = rule->replace; *c; c++) {
		if (*c != '$') {
			if ((unsigned char)*c > ' ' && *c != 0x7f && !strchr(";@\"<>\\", *c))
				continue;
			mistake_add(r->mistakes, key,
				"%s has a character that no number has; expected %s",
				mistake_quote(quoted, rule->replace), key_expected(want, key));
			return;
		}
		c++;
		if (*c == '$')
			continue;
		if (*c < '0' || *c > '9') {
			mistake_add(r->mistakes, key,
				"%s has a $ without a group; expected %s, $$ for a dollar sign",
				mistake_quote(quoted, rule->replace), key_expected(want, key));
			return;
		}
		if ((unsigned)(*c - '0') > groups) {
			mistake_add(r->mistakes, key,
				"match has %u groups; expected no $%c without that group", groups,
				*c);
			return;
		}
	}
}

/* Appends the rule that is written at base to out, which has room for it. */
static int resolve_rule(struct resolve *r, struct number_rules *out,
	const struct file_number_rule *file, const char *base)
{
	struct number_rule *rule = rule_new(r->cfg);
	char key[MISTAKE_KEY_MAX];
	int ret;

	if (!rule)
		return -ENOMEM;
	out->rule[out->count++] = rule;
	rule->name = strdup(file->name ? file->name : "");
	rule->replace = strdup(file->replace);
	if (!rule->name || !rule->replace)
		return -ENOMEM;
	if (rule->name[0])
		resolve_name(r, mistake_key(key, "%s.name", base), rule->name);
	ret = pattern_compile(r, mistake_key(key, "%s.match", base), file->match, &rule->match);
	if (!ret && rule->match.code)
		check_replace(r, mistake_key(key, "%s.replace", base), rule);
	return ret;
}

static const struct number_rule_set *find_set(const struct config *cfg, const char *name)
{
	for (unsigned i = 0; i < cfg->rule_set_count; i++) {
		if (strcmp(cfg->rule_set[i].name, name) == 0)
			return &cfg->rule_set[i];
	}
	return NULL;
}

/* The set that an entry of a peer's list uses; NULL where it is a rule, or no good. */
static const struct number_rule_set *used_set(
	struct resolve *r, const struct file_number_rule *file, const char *base)
{
	const struct number_rule_set *set;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], list[NAME_LIST_MAX];

	if (!file->use) {
		if (!file->match || !file->replace)
			mistake_add(r->mistakes, base,
				"has no %s; expected match and replace, or use",
				file->match ? "replace" : "match");
		return NULL;
	}
	if (file->match || file->replace || file->name)
		mistake_add(r->mistakes, base,
			"has use and a rule of its own; expected match and replace, or use");
	set = find_set(r->cfg, file->use);
	if (!set)
		mistake_add(r->mistakes, mistake_key(key, "%s.use", base),
			"no set of number rules is named %s; expected one of %s",
			mistake_quote(quoted, file->use),
			resolve_name_list(list, r->cfg->rule_set, sizeof(*r->cfg->rule_set),
				r->cfg->rule_set_count));
	return set;
}

static int resolve_list(struct resolve *r, struct number_rules *out,
	const struct file_number_rule *file, unsigned count, const char *peer, const char *name)
{
	char base[MISTAKE_KEY_MAX];
	int ret = 0;

	if (!count)
		return 0;
	out->rule = calloc(CONFIG_RULES_MAX, sizeof(struct number_rule *));
	if (!out->rule)
		return -ENOMEM;
	for (unsigned i = 0; i < count && !ret; i++) {
		const struct number_rule_set *set;
		unsigned more;

		mistake_key(base, "%s.numbers.%s[%u]", peer, name, i);
		set = used_set(r, &file[i], base);
		if (!set && (!file[i].match || !file[i].replace))
			continue;
		more = set ? set->rules.count : 1;
		if (out->count + more > CONFIG_RULES_MAX) {
			mistake_add(r->mistakes, base,
				"is beyond %d rules; expected at most so many in one list",
				CONFIG_RULES_MAX);
			break;
		}
		if (set) {
			for (unsigned j = 0; j < more; j++)
				out->rule[out->count++] = set->rules.rule[j];
		} else {
			ret = resolve_rule(r, out, &file[i], base);
		}
	}
	if (!ret && out->count) {
		void *fitting = realloc(out->rule, out->count * sizeof(struct number_rule *));

		if (fitting)
			out->rule = fitting;
	}
	return ret;
}

int resolve_numbers(struct resolve *r, struct numbers_config *out, const struct file_numbers *file,
	const char *base)
{
	int ret;

	out->remove_plus = file->remove_plus && *file->remove_plus;
	ret = resolve_list(
		r, &out->called_in, file->called_in, file->called_in_count, base, "called_in");
	if (!ret)
		ret = resolve_list(r, &out->calling_in, file->calling_in, file->calling_in_count,
			base, "calling_in");
	if (!ret)
		ret = resolve_list(r, &out->called_out, file->called_out, file->called_out_count,
			base, "called_out");
	if (!ret)
		ret = resolve_list(r, &out->calling_out, file->calling_out, file->calling_out_count,
			base, "calling_out");
	return ret;
}

static int resolve_rule_set(struct resolve *r, unsigned index)
{
	const struct file_rule_set *file = &r->file->number_rules[index];
	struct number_rule_set *set = &r->cfg->rule_set[index];
	char base[MISTAKE_KEY_MAX], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	int ret = 0;

	mistake_key(key, "number_rules[%u].name", index);
	if (resolve_name(r, key, file->name) && find_set(r->cfg, file->name))
		mistake_add(r->mistakes, key, "%s is another set's too; expected a name of its own",
			mistake_quote(quoted, file->name));
	r->cfg->rule_set_count++;
	set->name = strdup(file->name);
	set->rules.rule = calloc(file->rules_count + 1, sizeof(struct number_rule *));
	if (!set->name || !set->rules.rule)
		return -ENOMEM;
	for (unsigned i = 0; i < file->rules_count && !ret; i++) {
		mistake_key(base, "number_rules[%u].rules[%u]", index, i);
		ret = resolve_rule(r, &set->rules, &file->rules[i], base);
	}
	return ret;
}

int resolve_rule_sets(struct resolve *r)
{
	unsigned count = r->file->number_rules_count;
	int ret = 0;

	if (!count)
		return 0;
	r->cfg->rule_set = calloc(count, sizeof(*r->cfg->rule_set));
	if (!r->cfg->rule_set)
		return -ENOMEM;
	for (unsigned i = 0; i < count && !ret; i++)
		ret = resolve_rule_set(r, i);
	return ret;
}
