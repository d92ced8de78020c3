/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/resolve.h"

#define SIPS_PORT 5061 /* RFC 3261 19.1.2: over TLS, where none is written */

static int add_listener(struct resolve *r, unsigned origin, const char *name,
	const struct side_address *address, unsigned port)
{
	const struct file_listener *file = &r->file->listeners[origin];
	struct listener_config *l = &r->cfg->listener[r->cfg->listener_count];

	l->name = strdup(name);
	if (!l->name)
		return -ENOMEM;
	l->side = (uint8_t)file->side;
	l->transport = file->transport;
	if (file->fqdn)
		l->fqdn = strdup(file->fqdn);
	if (file->fqdn && !l->fqdn)
		return -ENOMEM;
	l->address = *address;
	l->address.local.port = l->address.advertised.port = (uint16_t)port;
	r->listener_origin[r->cfg->listener_count++] = origin;
	return 0;
}

/* Without an address a listener serves both families: the side's first address keeps the name, the
 * first of the other family takes "name/4" or "name/6". '/' is in no written name. */
static int add_both_families(struct resolve *r, unsigned origin, unsigned port)
{
	const struct file_listener *file = &r->file->listeners[origin];
	const struct side_config *side = &r->cfg->side[file->side];
	const struct side_address *other;
	char name[NAME_MAX_BYTES + sizeof("/6")];
	uint8_t other_family = side->address[0].local.family == 4 ? 6 : 4;
	int ret;

	if (!side->address[0].local.family)
		return 0; /* told with the side */
	ret = add_listener(r, origin, file->name, &side->address[0], port);
	other = side_address_of(side, other_family);
	if (!ret && other && strlen(file->name) <= NAME_MAX_BYTES) {
		snprintf(name, sizeof(name), "%s/%u", file->name, other_family);
		ret = add_listener(r, origin, name, other, port);
	}
	return ret;
}

static int add_one_address(struct resolve *r, unsigned origin, unsigned port, const char *key)
{
	const struct file_listener *file = &r->file->listeners[origin];
	const struct side_config *side = &r->cfg->side[file->side];
	char quoted[MISTAKE_QUOTE_MAX], all[NAME_LIST_MAX], ip[ADDR_TEXT_MAX];
	size_t n = 0;
	struct addr a;

	if (addr_parse_ip(&a, file->address, strlen(file->address)) == 0) {
		for (unsigned i = 0; i < side->address_count; i++) {
			if (addr_equal_ip(&a, &side->address[i].local))
				return add_listener(r, origin, file->name, &side->address[i], port);
		}
	}
	all[0] = '\0';
	for (unsigned i = 0; i < side->address_count && n < sizeof(all) - ADDR_TEXT_MAX; i++)
		n += (size_t)sprintf(
			all + n, "%s%s", i ? ", " : "", addr_print_ip(&side->address[i].local, ip));
	mistake_add(r->mistakes, key, "%s is no address of the %s side; expected one of %s",
		mistake_quote(quoted, file->address), side_name(file->side), all);
	return 0;
}

/* Against the listeners already there. */
static void check_listener(struct resolve *r, const struct listener_config *l, const char *key)
{
	char text[ADDR_TEXT_MAX];

	for (const struct listener_config *o = r->cfg->listener; o < l; o++) {
		if ((o->transport == TRANSPORT_UDP) == (l->transport == TRANSPORT_UDP) &&
			addr_equal(&o->address.local, &l->address.local))
			mistake_add(r->mistakes, key,
				"%s %s is taken by listener %s; expected another port or address",
				l->transport == TRANSPORT_UDP ? "udp" : "tcp",
				addr_print(&l->address.local, text), o->name);
	}
}

/* Packets to the media ports never reach a socket. */
static void check_media_ports(
	struct resolve *r, const struct file_listener *file, unsigned port, const char *key)
{
	const struct side_config *side = &r->cfg->side[file->side];

	if (file->transport == TRANSPORT_UDP && port >= side->media_port_min &&
		port <= side->media_port_max)
		mistake_add(r->mistakes, key,
			"%u lies in the %s side's media ports; expected one outside %u-%u", port,
			side_name(file->side), side->media_port_min, side->media_port_max);
}

/* The profile of a TLS listener, and its name for us. */
static int resolve_profile(struct resolve *r, unsigned origin, struct listener_config *l)
{
	const struct file_listener *file = &r->file->listeners[origin];
	const struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], list[NAME_LIST_MAX];

	mistake_key(key, "listeners[%u].tls", origin);
	if (file->transport != TRANSPORT_TLS) {
		if (file->tls)
			mistake_add(r->mistakes, key,
				"is of no use over %s; expected transport tls, or no such key",
				transport_name(file->transport));
		return 0;
	}
	resolve_name_list(list, cfg->tls, sizeof(*cfg->tls), cfg->tls_count);
	for (unsigned i = 0; file->tls && i < cfg->tls_count; i++) {
		if (strcmp(cfg->tls[i].name, file->tls) == 0)
			l->tls = &cfg->tls[i];
	}
	if (!file->tls)
		mistake_add(r->mistakes, key, "is missing; expected the name of a TLS profile%s%s",
			cfg->tls_count ? ", one of " : "", cfg->tls_count ? list : "");
	else if (!l->tls)
		mistake_add(r->mistakes, key, "no TLS profile is named %s; expected %s%s",
			mistake_quote(quoted, file->tls),
			cfg->tls_count ? "one of " : "a list tls with such an entry",
			cfg->tls_count ? list : "");
	if (!l->tls || !l->tls->fqdn || l->fqdn)
		return 0;
	l->fqdn = strdup(l->tls->fqdn);
	return l->fqdn ? 0 : -ENOMEM;
}

/* Of the same listener in the other family. */
static int copy_profile(struct listener_config *l, const struct listener_config *first)
{
	l->tls = first->tls;
	if (!first->fqdn || l->fqdn)
		return 0;
	l->fqdn = strdup(first->fqdn);
	return l->fqdn ? 0 : -ENOMEM;
}

static void check_fqdn(struct resolve *r, unsigned origin)
{
	const char *fqdn = r->file->listeners[origin].fqdn;
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	mistake_key(key, "listeners[%u].fqdn", origin);
	if (fqdn && !resolve_is_host_name(fqdn))
		mistake_add(r->mistakes, key, "%s is no host name; expected %s",
			mistake_quote(quoted, fqdn), key_expected(want, key));
}

int resolve_listeners(struct resolve *r)
{
	const struct file_config *f = r->file;
	struct config *cfg = r->cfg;
	char key[MISTAKE_KEY_MAX];
	int ret = 0;

	cfg->listener = calloc((size_t)f->listeners_count * 2, sizeof(*cfg->listener));
	if (!cfg->listener)
		return -ENOMEM;
	for (unsigned i = 0; i < f->listeners_count && !ret; i++) {
		const struct file_listener *file = &f->listeners[i];
		unsigned first = cfg->listener_count;
		unsigned port;

		mistake_key(key, "listeners[%u].name", i);
		resolve_name(r, key, file->name);
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(f->listeners[j].name, file->name) == 0)
				mistake_add(r->mistakes, key,
					"\"%.63s\" is also listeners[%u]; expected a name of its "
					"own",
					file->name, j);
		}
		mistake_key(key, "listeners[%u].port", i);
		port = key_number(r->mistakes, key, file->port);
		if (!file->port && file->transport == TRANSPORT_TLS)
			port = SIPS_PORT;
		if (file->port)
			port = *file->port; /* one out of range takes nobody's place */
		check_media_ports(r, file, port, key);
		if (file->address)
			ret = add_one_address(
				r, i, port, mistake_key(key, "listeners[%u].address", i));
		else
			ret = add_both_families(r, i, port);
		mistake_key(key, "listeners[%u].port", i);
		for (unsigned j = first; j < cfg->listener_count; j++)
			check_listener(r, &cfg->listener[j], key);
		if (!ret && first < cfg->listener_count)
			ret = resolve_profile(r, i, &cfg->listener[first]);
		if (!ret && first + 1 < cfg->listener_count)
			ret = copy_profile(&cfg->listener[first + 1], &cfg->listener[first]);
		check_fqdn(r, i);
	}
	if (!ret && cfg->listener_count > CONFIG_LISTENERS_MAX)
		mistake_add(r->mistakes, "listeners",
			"%u sockets, counting both families; expected at most %d",
			cfg->listener_count, CONFIG_LISTENERS_MAX);
	return ret;
}
