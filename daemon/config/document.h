/* SPDX-License-Identifier: BSD-2-Clause */
/* The YAML document as a tree that remembers lines. libcyaml loads values and forgets where they
 * stood; a mistake must be told with its line, so the file is read twice: into this tree first,
 * into the schema's structures second. */
#ifndef VIADUCT_CONFIG_DOCUMENT_H
#define VIADUCT_CONFIG_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/mistake.h"

#define DOCUMENT_DEPTH_MAX 8 /* the deepest key, peers[0].media.latch_prefix.ipv4, needs 6 */
#define DOCUMENT_KEYS_MAX  64
#define DOCUMENT_NODES_MAX 1000000 /* 20,000 routes to 16 peers each need 500,000 */

enum node_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct node {
	enum node_kind kind;
	unsigned line; /* of its key in a mapping, else of its own beginning; from 1 */
	char *key;     /* in a mapping, else NULL */
	char *text;    /* of a scalar, else NULL */
	struct node *child;
	unsigned child_count, child_room;
};

/* Reads one YAML document. What YAML itself or this format forbids (syntax, encoding, aliases,
 * unknown tags, a second document) goes to mistakes and gives -EINVAL; -ENOMEM. On success *out is
 * freed with document_free. */
int document_parse(struct node **out, const uint8_t *data, size_t len, struct mistakes *mistakes);
void document_free(struct node *root);

const struct node *document_child(const struct node *mapping, const char *key);
/* The line of "peers[2].address", or of the nearest that exists above it ("peers[2]"). */
unsigned document_line(const struct node *root, const char *path);
/* The node at "routes[2].from", NULL where there is none. */
const struct node *document_find(const struct node *root, const char *path);
/* Of a node that is one text, or a list of them: how many, and the i-th. NULL has none. */
unsigned document_text_count(const struct node *node);
const char *document_text(const struct node *node, unsigned i);

#endif
