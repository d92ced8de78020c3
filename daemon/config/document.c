/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define TAG_SHOWN_MAX 64 /* bytes */

struct reader {
	yaml_parser_t parser;
	const uint8_t *data;
	size_t len;
	struct mistakes *mistakes;
	unsigned nodes;
};

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

static unsigned line_at_offset(const struct reader *r, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset && i < r->len; i++)
		line += r->data[i] == '\n';
	return line;
}

/* From the line of the parser's problem up to the next line; "" behind the end. */
static size_t problem_line(const struct reader *r, const char **line)
{
	const uint8_t *p = r->data, *end = r->data + r->len, *next;

	for (size_t i = 0; i < r->parser.problem_mark.line && p < end; i++) {
		next = memchr(p, '\n', (size_t)(end - p));
		p = next ? next + 1 : end;
	}
	next = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
	*line = (const char *)p;
	return (size_t)((next ? next : end) - p);
}

/* What word processors and web pages make of a quote: U+2018 to U+201F. */
static bool has_typographic_quote(const char *line, size_t len)
{
	for (size_t i = 0; i + 2 < len; i++) {
		if (memcmp(line + i, "\xe2\x80", 2) == 0 && (line[i + 2] & 0xf8) == 0x98)
			return true;
	}
	return false;
}

/* What helps those who do not know YAML by heart. */
static const char *expected_syntax(const struct reader *r)
{
	const char *problem = r->parser.problem ? r->parser.problem : "", *line;
	size_t len = problem_line(r, &line), column = r->parser.problem_mark.column;

	if (strstr(problem, "tab character") || (column < len && line[column] == '\t'))
		return "spaces in the place of tabs";
	if (strstr(problem, "could not find expected ':'"))
		return "KEY: VALUE, with a space behind the colon";
	if (strstr(problem, "cannot start any token"))
		return "quotes around a value that begins so";
	if (strstr(problem, "unexpected end of stream"))
		return "the closing quote";
	if (has_typographic_quote(line, len))
		return "plain quotes (') in the place of typographic ones";
	if (strstr(problem, "unknown escape"))
		return "single quotes around a pattern";
	if (memmem(line, len, "]:", 2))
		return "quotes around an address in brackets";
	if (strstr(problem, "mapping values are not allowed"))
		return "well-formed YAML: one KEY: VALUE, a value with \": \" in it in quotes";
	return "well-formed YAML";
}

/* The place to look at. What never comes to its end is noticed far behind it: there it is where it
 * begins. */
static const yaml_mark_t *mistaken_mark(const yaml_parser_t *p)
{
	if (p->problem && p->context &&
		(strstr(p->problem, "could not find expected ':'") ||
			strstr(p->problem, "unexpected end of stream")))
		return &p->context_mark;
	return &p->problem_mark;
}

/* libyaml gives a reader's error an offset, a scanner's or parser's a mark. */
static int parser_mistake(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "cannot be parsed";
	const yaml_mark_t *mark = mistaken_mark(p);
	char begun[64] = "";

	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		mistake_add_line(r->mistakes, line_at_offset(r, p->problem_offset), "syntax",
			"%s; expected text in UTF-8", problem);
		return -EINVAL;
	default:
		if (p->context && p->context_mark.line < mark->line)
			snprintf(begun, sizeof(begun), ", begun in line %zu",
				p->context_mark.line + 1);
		mistake_add_line(r->mistakes, (unsigned)mark->line + 1, "syntax",
			"%s%s%s%s at column %zu; expected %s", p->context ? p->context : "", begun,
			p->context ? ": " : "", problem, mark->column + 1, expected_syntax(r));
		return -EINVAL;
	}
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	return yaml_parser_parse(&r->parser, event) ? 0 : parser_mistake(r);
}

/* A tag may say what a value is taken for anyway; what any other asks for would not be done. "!" is
 * none (YAML 1.1, 6.2 and 10). */
static int check_tag(struct reader *r, const yaml_event_t *event, const yaml_char_t *written)
{
	static const struct {
		const char *tag;
		yaml_event_type_t of;
	} known[] = {{YAML_STR_TAG, YAML_SCALAR_EVENT}, {YAML_INT_TAG, YAML_SCALAR_EVENT},
		{YAML_BOOL_TAG, YAML_SCALAR_EVENT}, {YAML_SEQ_TAG, YAML_SEQUENCE_START_EVENT},
		{YAML_MAP_TAG, YAML_MAPPING_START_EVENT}};
	static const char standard[] = "tag:yaml.org,2002:";
	const char *tag = (const char *)written;
	bool is_standard;

	if (!tag || strcmp(tag, "!") == 0)
		return 0;
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (event->type == known[i].of && strcmp(tag, known[i].tag) == 0)
			return 0;
	}
	is_standard = strncmp(tag, standard, strlen(standard)) == 0;
	mistake_add_line(r->mistakes, line_of(event), "syntax",
		"the tag %s%.*s is not understood here; expected the value without it",
		is_standard ? "!!" : "", TAG_SHOWN_MAX, is_standard ? tag + strlen(standard) : tag);
	return -EINVAL;
}

static struct node *add_child(struct node *parent)
{
	if (parent->child_count == parent->child_room) {
		unsigned room = parent->child_room ? parent->child_room * 2 : 4;
		struct node *child = realloc(parent->child, room * sizeof(*child));

		if (!child)
			return NULL;
		parent->child = child;
		parent->child_room = room;
	}
	memset(&parent->child[parent->child_count], 0, sizeof(struct node));
	return &parent->child[parent->child_count++];
}

static int scalar_text(struct reader *r, const yaml_event_t *event, char **out)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (strlen(value) != len) {
		mistake_add_line(r->mistakes, line_of(event), "syntax",
			"a NUL character in a text; expected printable text");
		return -EINVAL;
	}
	*out = strdup(value);
	return *out ? 0 : -ENOMEM;
}

/* Takes the key of a mapping's next pair. *out is the new child; NULL at the mapping's end. */
static int read_key(struct reader *r, struct node *mapping, struct node **out)
{
	yaml_event_t event;
	int ret;

	*out = NULL;
	ret = next_event(r, &event);
	if (ret)
		return ret;
	if (event.type == YAML_MAPPING_END_EVENT)
		goto out;
	if (event.type != YAML_SCALAR_EVENT) {
		mistake_add_line(r->mistakes, line_of(&event), "syntax",
			"a key that is not a plain text; expected KEY: VALUE");
		ret = -EINVAL;
		goto out;
	}
	if (mapping->child_count >= DOCUMENT_KEYS_MAX) {
		mistake_add_line(r->mistakes, line_of(&event), "syntax",
			"more than %d keys in one mapping; expected the keys of viaduct.yaml(5)",
			DOCUMENT_KEYS_MAX);
		ret = -EINVAL;
		goto out;
	}
	*out = add_child(mapping);
	if (!*out) {
		ret = -ENOMEM;
		goto out;
	}
	(*out)->line = line_of(&event);
	ret = check_tag(r, &event, event.data.scalar.tag);
	if (!ret)
		ret = scalar_text(r, &event, &(*out)->key);
out:
	yaml_event_delete(&event);
	return ret;
}

static int read_node(struct reader *r, struct node *node, unsigned depth, yaml_event_t *event);

static int read_children(struct reader *r, struct node *parent, unsigned depth)
{
	yaml_event_t event;
	struct node *child;
	int ret;

	for (;;) {
		child = NULL;
		if (parent->kind == NODE_MAPPING) {
			ret = read_key(r, parent, &child);
			if (ret || !child)
				return ret;
		}
		ret = next_event(r, &event);
		if (ret)
			return ret;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		if (!child)
			child = add_child(parent);
		ret = child ? read_node(r, child, depth + 1, &event) : -ENOMEM;
		yaml_event_delete(&event);
		if (ret)
			return ret;
	}
}

static int read_node(struct reader *r, struct node *node, unsigned depth, yaml_event_t *event)
{
	int ret;

	if (!node->line)
		node->line = line_of(event);
	if (depth > DOCUMENT_DEPTH_MAX || ++r->nodes > DOCUMENT_NODES_MAX) {
		mistake_add_line(r->mistakes, line_of(event), "syntax",
			"%s; expected the keys of viaduct.yaml(5)",
			depth > DOCUMENT_DEPTH_MAX ? "nested too deep" : "too many values");
		return -EINVAL;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = NODE_SCALAR;
		ret = check_tag(r, event, event->data.scalar.tag);
		return ret ? ret : scalar_text(r, event, &node->text);
	case YAML_SEQUENCE_START_EVENT:
		node->kind = NODE_SEQUENCE;
		ret = check_tag(r, event, event->data.sequence_start.tag);
		return ret ? ret : read_children(r, node, depth);
	case YAML_MAPPING_START_EVENT:
		node->kind = NODE_MAPPING;
		ret = check_tag(r, event, event->data.mapping_start.tag);
		return ret ? ret : read_children(r, node, depth);
	default:
		mistake_add_line(r->mistakes, line_of(event), "syntax",
			"an alias (*name) is not understood here; expected the value written out");
		return -EINVAL;
	}
}

static int read_document(struct reader *r, struct node *root)
{
	yaml_event_t event;
	unsigned documents = 0;
	bool end = false;
	int ret;

	while (!end) {
		ret = next_event(r, &event);
		if (ret)
			return ret;
		switch (event.type) {
		case YAML_STREAM_END_EVENT:
			end = true;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (documents++) {
				mistake_add_line(r->mistakes, line_of(&event), "syntax",
					"a second document begins here; expected one");
				ret = -EINVAL;
			}
			break;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		default:
			ret = read_node(r, root, 0, &event);
			break;
		}
		yaml_event_delete(&event);
		if (ret)
			return ret;
	}
	if (documents && (root->kind != NODE_SCALAR || (root->text && root->text[0])))
		return 0;
	mistake_add_line(r->mistakes, 1, "file",
		"is empty; expected the keys sides, listeners, peers, routes");
	return -EINVAL;
}

int document_parse(struct node **out, const uint8_t *data, size_t len, struct mistakes *mistakes)
{
	struct reader r = {.data = data, .len = len, .mistakes = mistakes};
	struct node *root = calloc(1, sizeof(*root));
	int ret;

	if (!root)
		return -ENOMEM;
	if (!yaml_parser_initialize(&r.parser)) {
		free(root);
		return -ENOMEM;
	}
	/* A byte order mark, which some editors write, says what is so anyway. */
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		r.data += 3;
		r.len -= 3;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, r.data, r.len);
	ret = read_document(&r, root);
	yaml_parser_delete(&r.parser);
	if (ret) {
		document_free(root);
		return ret;
	}
	*out = root;
	return 0;
}

static void node_free(struct node *node)
{
	for (unsigned i = 0; i < node->child_count; i++)
		node_free(&node->child[i]);
	free(node->child);
	free(node->key);
	free(node->text);
}

void document_free(struct node *root)
{
	if (!root)
		return;
	node_free(root);
	free(root);
}

static const struct node *child_n(const struct node *mapping, const char *key, size_t len)
{
	for (unsigned i = 0; i < mapping->child_count; i++) {
		const char *have = mapping->child[i].key;

		if (have && strlen(have) == len && memcmp(have, key, len) == 0)
			return &mapping->child[i];
	}
	return NULL;
}

const struct node *document_child(const struct node *mapping, const char *key)
{
	return child_n(mapping, key, strlen(key));
}

/* The node at path, or the nearest that exists above it. */
static const struct node *walk(const struct node *root, const char *path, bool *found)
{
	const struct node *node = root;

	*found = true;
	while (*path) {
		const struct node *next = NULL;

		if (*path == '[') {
			char *end;
			unsigned long i = strtoul(path + 1, &end, 10);

			if (node->kind == NODE_SEQUENCE && i < node->child_count)
				next = &node->child[i];
			path = *end ? end + 1 : end;
		} else {
			size_t len = strcspn(path += *path == '.', ".[");

			next = child_n(node, path, len);
			path += len;
		}
		if (!next) {
			*found = false;
			break;
		}
		node = next;
	}
	return node;
}

unsigned document_line(const struct node *root, const char *path)
{
	bool found;

	return walk(root, path, &found)->line;
}

const struct node *document_find(const struct node *root, const char *path)
{
	bool found;
	const struct node *node = walk(root, path, &found);

	return found ? node : NULL;
}

unsigned document_text_count(const struct node *node)
{
	if (!node)
		return 0;
	return node->kind == NODE_SCALAR ? 1 : node->child_count;
}

const char *document_text(const struct node *node, unsigned i)
{
	return node->kind == NODE_SCALAR ? node->text : node->child[i].text;
}
