/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"

bool resolve_name(struct resolve *r, const char *key, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strlen(name);
	char quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	if (len && len <= NAME_MAX_BYTES && name[0] != '.' && strspn(name, allowed) == len)
		return true;
	mistake_add(r->mistakes, key, "%s is no name; expected %s (1 to %d bytes, no '.' first)",
		mistake_quote(quoted, name), key_expected(want, key), NAME_MAX_BYTES);
	return false;
}

/* Each element begins with its name (struct peer_config, struct listener_config). */
static const char *name_at(const void *first, size_t size, size_t i)
{
	const char *name;

	memcpy(&name, (const char *)first + i * size, sizeof(name));
	return name;
}

/* Two of one name are a mistake of their own. */
static bool stands_before(const void *first, size_t size, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(name_at(first, size, j), name_at(first, size, i)) == 0)
			return true;
	}
	return false;
}

const char *resolve_name_list(char buf[NAME_LIST_MAX], const void *first, size_t size, size_t count)
{
	size_t n = 0;

	strcpy(buf, count ? "" : "(there are none)");
	for (size_t i = 0; i < count; i++) {
		const char *name = name_at(first, size, i);

		if (stands_before(first, size, i))
			continue;
		if (n + strlen(name) + sizeof(", ...") >= NAME_LIST_MAX) {
			strcpy(buf + n, ", ...");
			break;
		}
		n += (size_t)sprintf(buf + n, "%s%s", i ? ", " : "", name);
	}
	return buf;
}

char *resolve_text(const char *key, const char *text)
{
	if (!text)
		text = key_find(key)->text_fallback;
	return strdup(text);
}

bool resolve_is_host(const struct addr *a)
{
	struct in6_addr in6;

	if (addr_is_any(a))
		return false;
	if (a->family == 4)
		return a->ip[0] != 0 && a->ip[0] < 224; /* 224/4 multicast, 240/4 reserved */
	memcpy(&in6, a->ip, sizeof(in6));
	return !IN6_IS_ADDR_MULTICAST(&in6) && !IN6_IS_ADDR_LINKLOCAL(&in6) &&
	       !IN6_IS_ADDR_V4MAPPED(&in6);
}

bool resolve_is_host_name(const char *text)
{
	struct addr a;

	return addr_parse_ip(&a, text, strlen(text)) && !resolve_host_mistake(text);
}

/* Not what was written, and is blamed for its range already. */
static bool is_out_of_range(const uint32_t *written, uint32_t taken)
{
	return written && *written != taken;
}

/* What is written is blamed, not the default that it does not fit. */
static void check_ring(struct resolve *r)
{
	const struct file_config *f = r->file;
	const struct config *cfg = r->cfg;
	unsigned ring = cfg->ring_timeout_s, attempt = cfg->attempt_timeout_s,
		 unanswered = cfg->unanswered_timeout_s;

	if (is_out_of_range(f->timers.ring, ring) || is_out_of_range(f->timers.attempt, attempt) ||
		is_out_of_range(f->timers.unanswered, unanswered))
		return;
	if (attempt > ring && f->timers.attempt)
		mistake_add(r->mistakes, "timers.attempt",
			"%u is longer than timers.ring; expected at most %u", attempt, ring);
	else if (attempt > ring)
		mistake_add(r->mistakes, "timers.ring",
			"%u is shorter than timers.attempt, %u by default; expected at least %u, "
			"or timers.attempt written too",
			ring, attempt, attempt);
	if (unanswered < ring && f->timers.unanswered)
		mistake_add(r->mistakes, "timers.unanswered",
			"%u is shorter than timers.ring; expected at least %u", unanswered, ring);
	else if (unanswered < ring)
		mistake_add(r->mistakes, "timers.ring",
			"%u is longer than timers.unanswered, %u by default; expected at most %u, "
			"or timers.unanswered written too",
			ring, unanswered, unanswered);
}

static void resolve_scalars(struct resolve *r)
{
	const struct file_config *f = r->file;
	struct mistakes *m = r->mistakes;
	struct config *cfg = r->cfg;

	resolve_limits(r);
	cfg->tcp_connections_max =
		key_number(m, "limits.tcp_connections", f->limits.tcp_connections);
	cfg->tls_handshakes_max = key_number(m, "limits.tls_handshakes", f->limits.tls_handshakes);
	cfg->tls_handshake_s = key_number(m, "timers.tls_handshake", f->timers.tls_handshake);
	cfg->keepalive_s = key_number(m, "timers.keepalive", f->timers.keepalive);
	cfg->pong_s = key_number(m, "timers.pong", f->timers.pong);
	cfg->reconnect_s = key_number(m, "timers.reconnect", f->timers.reconnect);
	cfg->max_forwards = key_number(m, "limits.max_forwards", f->limits.max_forwards);
	cfg->ring_timeout_s = key_number(m, "timers.ring", f->timers.ring);
	cfg->unanswered_timeout_s = key_number(m, "timers.unanswered", f->timers.unanswered);
	cfg->reinvite_timeout_s = key_number(m, "timers.reinvite", f->timers.reinvite);
	cfg->attempt_timeout_s = key_number(m, "timers.attempt", f->timers.attempt);
	cfg->transfer_timeout_s = key_number(m, "timers.transfer", f->timers.transfer);
	cfg->port_quarantine_s = key_number(m, "timers.port_quarantine", f->timers.port_quarantine);
	cfg->control_port = key_number(m, "control.port", f->control.port);
	check_ring(r);
}

static void resolve_path(struct resolve *r, const char *key, const char *path)
{
	char quoted[MISTAKE_QUOTE_MAX];

	if (path[0] != '/')
		mistake_add(r->mistakes, key, "%s is not absolute; expected a path from /",
			mistake_quote(quoted, path));
}

int resolve_settings(struct resolve *r)
{
	const struct file_config *f = r->file;
	struct config *cfg = r->cfg;
	const struct node *root = r->mistakes->root;

	resolve_scalars(r);
	cfg->silent_strangers = f->strangers && *f->strangers == FILE_STRANGERS_IGNORE;
	cfg->log_level = f->log ? *f->log : LOG_LEVEL_INFO;
	cfg->batching = f->batching ? *f->batching : BATCHING_AUTO;
	cfg->user = resolve_text("user", f->user);
	cfg->bpf_dir = resolve_text("bpf_dir", f->bpf_dir);
	cfg->state_dir = resolve_text("state_dir", f->state_dir);
	cfg->instance = resolve_text("instance", f->instance);
	cfg->control_group = resolve_text("control.group", f->control.group);
	cfg->records_file = resolve_text("records.file", f->records.file);
	if (!cfg->user || !cfg->bpf_dir || !cfg->state_dir || !cfg->instance ||
		!cfg->control_group || !cfg->records_file)
		return -ENOMEM;
	if (cfg->user[0])
		resolve_name(r, "user", cfg->user);
	if (cfg->control_group[0])
		resolve_name(r, "control.group", cfg->control_group);
	resolve_name(r, "instance", cfg->instance);
	resolve_path(r, "bpf_dir", cfg->bpf_dir);
	resolve_path(r, "state_dir", cfg->state_dir);
	if (cfg->records_file[0])
		resolve_path(r, "records.file", cfg->records_file);
	cfg->line.user = document_line(root, "user");
	cfg->line.bpf_dir = document_line(root, "bpf_dir");
	cfg->line.batching = document_line(root, "batching");
	cfg->line.state_dir = document_line(root, "state_dir");
	cfg->line.instance = document_line(root, "instance");
	cfg->line.control_port = document_line(root, "control.port");
	return 0;
}
