/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/conform.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "config/document.h"
#include "config/keys.h"
#include "config/schema.h"
#include "config/typo.h"

static const cyaml_schema_value_t text_schema = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MAX),
};

static void check(struct mistakes *m, const struct node *node, const cyaml_schema_value_t *schema,
	const char *path);

static const char *word_of(const cyaml_schema_value_t *schema, unsigned i)
{
	if (schema->type == CYAML_MAPPING)
		return schema->mapping.fields[i].key;
	return i < schema->enumeration.count ? schema->enumeration.strings[i].str : NULL;
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_value_t *schema, const char *key)
{
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key; f++) {
		if (strcmp(f->key, key) == 0)
			return f;
	}
	return NULL;
}

/* A key that stands one level too high: the mappings here that know it, as "media.latch". */
static void add_places_below(
	struct strbuf *out, const cyaml_schema_value_t *schema, const char *word)
{
	if (schema->type != CYAML_MAPPING)
		return;
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key; f++) {
		if (f->value.type == CYAML_MAPPING && find_field(&f->value, word))
			strbuf_addf(out, "%s%s.%s", out->len ? " or " : "", f->key, word);
	}
}

/* Lists the words that a mapping (its keys) or an enumeration knows, and finds the one that was
 * probably meant. */
static void unknown_word(struct mistakes *m, unsigned line, const char *path, const char *word,
	const char *what, const cyaml_schema_value_t *schema)
{
	unsigned best = TYPO_DISTANCE_MAX + 1;
	const char *known, *meant = NULL;
	struct strbuf all = {0}, places = {0};
	char quoted[MISTAKE_QUOTE_MAX];

	add_places_below(&places, schema, word);
	for (unsigned i = 0; (known = word_of(schema, i)); i++) {
		unsigned d = typo_distance(word, known);

		strbuf_addf(&all, "%s%s", i ? ", " : "", known);
		if (d < best && d < strlen(known) && d < strlen(word)) {
			best = d;
			meant = known;
		}
	}
	if (places.len)
		meant = places.s;
	if (strbuf_error(&all) || strbuf_error(&places))
		m->error = strbuf_error(&all) ? strbuf_error(&all) : strbuf_error(&places);
	else
		mistake_add_line(m, line, path, "%s is no %s here%s%s%s; expected one of %s",
			mistake_quote(quoted, word), what, meant ? ", perhaps " : "",
			meant ? meant : "", meant ? " is meant" : "", all.s);
	strbuf_free(&all);
	strbuf_free(&places);
}

static const char *type_expected(const cyaml_schema_value_t *schema)
{
	switch (schema->type) {
	case CYAML_IGNORE:
		return "a text or a list of texts";
	case CYAML_UINT:
		return "a whole number";
	case CYAML_BOOL:
		return "true or false";
	case CYAML_ENUM:
		return "one of its words";
	case CYAML_SEQUENCE:
		return "a list";
	case CYAML_MAPPING:
		return "a mapping";
	default:
		return "a text";
	}
}

/* The key's own wording, an enumeration's words, or the type's. Returns buf. */
static const char *expected(
	char buf[KEY_EXPECTED_MAX], const cyaml_schema_value_t *schema, const char *path)
{
	if (key_expected(buf, path))
		return buf;
	snprintf(buf, KEY_EXPECTED_MAX, "%s", type_expected(schema));
	if (schema->type == CYAML_ENUM) {
		size_t n = (size_t)snprintf(buf, KEY_EXPECTED_MAX, "one of ");

		for (unsigned i = 0; i < schema->enumeration.count && n < KEY_EXPECTED_MAX; i++)
			n += (size_t)snprintf(buf + n, KEY_EXPECTED_MAX - n, "%s%s", i ? ", " : "",
				schema->enumeration.strings[i].str);
	}
	return buf;
}

static void wrong_type(struct mistakes *m, const struct node *node,
	const cyaml_schema_value_t *schema, const char *path)
{
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	const char *key = *path ? path : "file";

	expected(want, schema, path);
	if (node->kind == NODE_SCALAR && !node->text[0])
		mistake_add_line(m, node->line, key, "has no value; expected %s", want);
	else if (node->kind == NODE_SCALAR)
		mistake_add_line(m, node->line, key, "%s is not %s; expected %s",
			mistake_quote(quoted, node->text), type_expected(schema), want);
	else
		mistake_add_line(m, node->line, key, "is a %s; expected %s",
			node->kind == NODE_MAPPING ? "mapping" : "list", want);
}

/* Digits alone, no sign, no octal look-alike: 0 to UINT32_MAX. */
static bool is_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || digits > 10 || (text[0] == '0' && digits > 1))
		return false;
	return strtoull(text, NULL, 10) <= UINT32_MAX;
}

static bool is_bool(const char *text)
{
	static const char *const words[] = {"true", "false", "yes", "no"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static void check_enum(struct mistakes *m, const struct node *node,
	const cyaml_schema_value_t *schema, const char *path)
{
	for (unsigned i = 0; i < schema->enumeration.count; i++) {
		if (strcmp(node->text, schema->enumeration.strings[i].str) == 0)
			return;
	}
	if (node->text[0])
		unknown_word(m, node->line, path, node->text, "choice", schema);
	else
		wrong_type(m, node, schema, path);
}

static void check_scalar(struct mistakes *m, const struct node *node,
	const cyaml_schema_value_t *schema, const char *path)
{
	switch (schema->type) {
	case CYAML_UINT:
		if (!is_number(node->text))
			wrong_type(m, node, schema, path);
		break;
	case CYAML_BOOL:
		if (!is_bool(node->text))
			wrong_type(m, node, schema, path);
		break;
	case CYAML_ENUM:
		check_enum(m, node, schema, path);
		break;
	case CYAML_STRING:
		if (strlen(node->text) > schema->string.max)
			mistake_add(m, path, "%zu bytes long; expected at most %u",
				strlen(node->text), schema->string.max);
		break;
	default:
		wrong_type(m, node, schema, path);
		break;
	}
}

static void check_sequence(struct mistakes *m, const struct node *node,
	const cyaml_schema_value_t *schema, const char *path)
{
	char entry[MISTAKE_KEY_MAX], want[KEY_EXPECTED_MAX];

	if (node->child_count < schema->sequence.min || node->child_count > schema->sequence.max)
		mistake_add(m, path, "%u entries; expected %s (%u to %u)", node->child_count,
			expected(want, schema, path), schema->sequence.min, schema->sequence.max);
	for (unsigned i = 0; i < node->child_count; i++)
		check(m, &node->child[i], schema->sequence.entry,
			mistake_key(entry, "%s[%u]", path, i));
}

static void check_mapping(struct mistakes *m, const struct node *node,
	const cyaml_schema_value_t *schema, const char *path)
{
	char key[MISTAKE_KEY_MAX], want[KEY_EXPECTED_MAX], plain[MISTAKE_QUOTE_MAX];
	const char *dot = *path ? "." : "";

	for (unsigned i = 0; i < node->child_count; i++) {
		const struct node *child = &node->child[i];
		const struct node *first = document_child(node, child->key);
		const cyaml_schema_field_t *field = find_field(schema, child->key);

		mistake_key(key, "%s%s%s", path, dot, mistake_plain(plain, child->key));
		if (first != child)
			mistake_add_line(m, child->line, key,
				"is written twice, first in line %u; expected once", first->line);
		else if (!field)
			unknown_word(m, child->line, key, child->key, "key", schema);
		else
			check(m, child, &field->value, key);
	}
	for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key; f++) {
		if ((f->value.flags & CYAML_FLAG_OPTIONAL) || document_child(node, f->key))
			continue;
		mistake_key(key, "%s%s%s", path, dot, f->key);
		mistake_add(m, key, "is missing; expected %s", expected(want, &f->value, key));
	}
}

/* TEXTS of the schema: taken from the document, since libcyaml knows no "this or that". */
static void check_texts(struct mistakes *m, const struct node *node,
	const cyaml_schema_value_t *schema, const char *path)
{
	char entry[MISTAKE_KEY_MAX], want[KEY_EXPECTED_MAX];
	unsigned count = document_text_count(node);

	if (node->kind == NODE_MAPPING || (node->kind == NODE_SCALAR && !node->text[0])) {
		wrong_type(m, node, schema, path);
		return;
	}
	if (count < schema->sequence.min || count > schema->sequence.max)
		mistake_add(m, path, "%u entries; expected %s (%u to %u)", count,
			expected(want, schema, path), schema->sequence.min, schema->sequence.max);
	for (unsigned i = 0; node->kind == NODE_SEQUENCE && i < count; i++)
		check(m, &node->child[i], &text_schema, mistake_key(entry, "%s[%u]", path, i));
}

static void check(struct mistakes *m, const struct node *node, const cyaml_schema_value_t *schema,
	const char *path)
{
	if (schema->type == CYAML_IGNORE) {
		check_texts(m, node, schema, path);
		return;
	}
	switch (node->kind) {
	case NODE_SCALAR:
		check_scalar(m, node, schema, path);
		break;
	case NODE_SEQUENCE:
		if (schema->type == CYAML_SEQUENCE)
			check_sequence(m, node, schema, path);
		else
			wrong_type(m, node, schema, path);
		break;
	case NODE_MAPPING:
		if (schema->type == CYAML_MAPPING)
			check_mapping(m, node, schema, path);
		else
			wrong_type(m, node, schema, path);
		break;
	}
}

void conform_check(
	const struct node *root, const cyaml_schema_value_t *schema, struct mistakes *mistakes)
{
	check(mistakes, root, schema, "");
}
