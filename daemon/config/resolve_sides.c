/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "config/resolve.h"

#define MEDIA_PORT_LOWEST 1024

/* Parses one address of ours; family 0 when it is a mistake. */
static void host_address(struct resolve *r, const char *key, const char *text, struct addr *out)
{
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	if (addr_parse_ip(out, text, strlen(text)) == 0 && resolve_is_host(out))
		return;
	mistake_add(r->mistakes, key, "%s is not usable as an address; expected %s of one host",
		mistake_quote(quoted, text), key_expected(want, key));
	memset(out, 0, sizeof(*out));
}

static void resolve_addresses(struct resolve *r, const char *side_key, struct side_config *side,
	const struct file_side *file)
{
	char key[MISTAKE_KEY_MAX], ip[ADDR_TEXT_MAX];

	if (file->advertise_count && file->advertise_count != file->addresses_count) {
		mistake_key(key, "%s.advertise", side_key);
		mistake_add(r->mistakes, key, "%u entries for %u addresses; expected one for each",
			file->advertise_count, file->addresses_count);
	}
	for (unsigned i = 0; i < file->addresses_count; i++) {
		struct side_address *a = &side->address[i];

		side->address_count++;
		mistake_key(key, "%s.addresses[%u]", side_key, i);
		host_address(r, key, file->addresses[i], &a->local);
		for (unsigned j = 0; a->local.family && j < i; j++) {
			if (addr_equal_ip(&a->local, &side->address[j].local))
				mistake_add(r->mistakes, key, "%s is written twice; expected once",
					addr_print_ip(&a->local, ip));
		}
		a->advertised = a->local;
		if (i >= file->advertise_count)
			continue;
		mistake_key(key, "%s.advertise[%u]", side_key, i);
		host_address(r, key, file->advertise[i], &a->advertised);
		if (a->local.family && a->advertised.family &&
			a->local.family != a->advertised.family)
			mistake_add(r->mistakes, key,
				"is IPv%u for an IPv%u address; expected IPv%u",
				a->advertised.family, a->local.family, a->local.family);
	}
}

static bool parse_port(const char **text, unsigned *port)
{
	char *end;
	unsigned long v;

	if (**text < '0' || **text > '9')
		return false;
	v = strtoul(*text, &end, 10);
	if (v > UINT16_MAX)
		return false;
	*text = end;
	*port = (unsigned)v;
	return true;
}

static void resolve_media_ports(
	struct resolve *r, const char *key, struct side_config *side, const char *written)
{
	const char *text = written ? written : key_find(key)->text_fallback;
	const char *p = text;
	unsigned min, max;
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];
	const char *wrong = NULL;

	if (!parse_port(&p, &min) || *p++ != '-' || !parse_port(&p, &max) || *p)
		wrong = "is no range of ports";
	else if (max < min)
		wrong = "ends before it begins";
	else if (min < MEDIA_PORT_LOWEST)
		wrong = "begins below port 1024";
	else if (min % 2)
		wrong = "begins with an odd port";
	else if (max < min + 1)
		wrong = "holds fewer than two ports";
	if (wrong) {
		mistake_add(r->mistakes, key, "%s %s; expected %s", mistake_quote(quoted, text),
			wrong, key_expected(want, key));
		return;
	}
	side->media_port_min = (uint16_t)min;
	side->media_port_max = (uint16_t)max;
}

static int resolve_side(struct resolve *r, unsigned index, const struct file_side *file)
{
	struct side_config *side = &r->cfg->side[index];
	struct config_lines *line = &r->cfg->line;
	char base[MISTAKE_KEY_MAX / 2], key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX];
	size_t len = strlen(file->device);

	snprintf(base, sizeof(base), "sides.%s", side_name(index));
	side->device = strdup(file->device);
	if (!side->device)
		return -ENOMEM;
	mistake_key(key, "%s.device", base);
	line->device[index] = document_line(r->mistakes->root, key);
	if (!len || len >= IFNAMSIZ || strpbrk(file->device, "/ \t\n") ||
		strcmp(file->device, ".") == 0 || strcmp(file->device, "..") == 0)
		mistake_add(r->mistakes, key,
			"%s cannot be a device; expected a name of 1 to %d bytes, such as eth0",
			mistake_quote(quoted, file->device), IFNAMSIZ - 1);
	mistake_key(key, "%s.vlan", base);
	line->vlan[index] = document_line(r->mistakes->root, key);
	side->vlan = (uint16_t)key_number(r->mistakes, key, file->vlan);
	mistake_key(key, "%s.dscp", base);
	side->dscp = (uint8_t)key_number(r->mistakes, key, file->dscp);
	mistake_key(key, "%s.bandwidth", base);
	side->bandwidth = key_number(r->mistakes, key, file->bandwidth);
	mistake_key(key, "%s.media_ports", base);
	resolve_media_ports(r, key, side, file->media_ports);
	resolve_addresses(r, base, side, file);
	return 0;
}

int resolve_sides(struct resolve *r)
{
	const struct side_config *in = &r->cfg->side[SIDE_INTERNAL];
	const struct side_config *ex = &r->cfg->side[SIDE_EXTERNAL];
	char key[MISTAKE_KEY_MAX], ip[ADDR_TEXT_MAX];
	int ret;

	ret = resolve_side(r, SIDE_INTERNAL, &r->file->sides.internal);
	if (!ret)
		ret = resolve_side(r, SIDE_EXTERNAL, &r->file->sides.external);
	if (ret)
		return ret;
	for (unsigned i = 0; i < ex->address_count; i++) {
		const struct addr *a = &ex->address[i].local;

		for (unsigned j = 0; a->family && j < in->address_count; j++) {
			if (addr_equal_ip(a, &in->address[j].local))
				mistake_add(r->mistakes,
					mistake_key(key, "sides.external.addresses[%u]", i),
					"%s is the internal side's too; expected an address of "
					"one side",
					addr_print_ip(a, ip));
		}
	}
	return 0;
}
