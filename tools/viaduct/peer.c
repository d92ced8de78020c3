/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "table.h"

static void keep(void *ctx, uint16_t type, json_t *object)
{
	json_t **peer = ctx;

	(void)type;
	json_decref(*peer);
	*peer = object;
}

static void print_config(const json_t *peer)
{
	char *codecs = show_texts(peer, "codecs"), *sources = show_texts(peer, "sources");

	show_line("peer           %s, %s, %s side", show_text(peer, "name"),
		show_text(peer, "kind"), show_text(peer, "side"));
	show_line("address        %s over %s, listener %s",
		show_text(peer, json_object_get(peer, "host") ? "host" : "address"),
		show_text(peer, "transport"), show_text(peer, "listener"));
	show_line("sources        %s", sources);
	show_line("codecs         %s", json_object_get(peer, "codecs") ? codecs : "all");
	show_line("latching       %s", show_bool(peer, "latch") ? "yes" : "no");
	free(sources);
	free(codecs);
}

/* What its host name stands for. */
static void print_name(const json_t *peer)
{
	static const char *const heading[] = {"TARGET", ">PRIORITY", ">WEIGHT"};
	char ttl[SHOW_SHORT_MAX], retry[SHOW_SHORT_MAX];
	const json_t *targets = json_object_get(peer, "targets"), *one;
	const char *error = show_text(peer, "name_error");
	struct table t;
	size_t i;

	if (!json_object_get(peer, "host"))
		return;
	show_line("name           %s%s%s; expires in %s, asked for again in %s",
		show_text(peer, "name_state"), json_object_get(peer, "name_error") ? ": " : "",
		json_object_get(peer, "name_error") ? error : "",
		show_duration(peer, "name_ttl_ms", ttl),
		show_duration(peer, "name_retry_ms", retry));
	if (!json_array_size(targets))
		return;
	table_init(&t, heading, sizeof(heading) / sizeof(heading[0]));
	json_array_foreach(targets, i, one)
	{
		table_add(&t, "%s", show_text(one, "address"));
		table_add(&t, "%" PRIu64, show_u64(one, "priority"));
		table_add(&t, "%" PRIu64, show_u64(one, "weight"));
	}
	putchar('\n');
	table_print(&t);
}

static void print_load(const json_t *peer, const char *label, const char *used, const char *limit,
	const char *unit, const char *refused)
{
	if (json_object_get(peer, limit))
		show_line("%s%" PRIu64 " %s, at most %" PRIu64 "; %" PRIu64 " refused", label,
			show_u64(peer, used), unit, show_u64(peer, limit), show_u64(peer, refused));
	else
		show_line("%s%" PRIu64 " %s", label, show_u64(peer, used), unit);
}

static void print_loads(const json_t *peer)
{
	print_load(peer, "calls          ", "calls", "calls_max", "live", "refused_calls");
	print_load(peer, "               ", "calls_per_second", "calls_per_second_max", "a second",
		"refused_rate");
	print_load(peer, "bandwidth      ", "bandwidth_kbit", "bandwidth_max_kbit", "kbit/s",
		"refused_bandwidth");
}

static void print_state(const json_t *peer)
{
	char since[SHOW_SHORT_MAX];

	show_line("state          %s for %s: %s", show_text(peer, "state"),
		show_duration(peer, "since_ms", since), show_text(peer, "why"));
}

static void print_registration(const json_t *peer)
{
	char left[SHOW_SHORT_MAX];

	if (!json_object_get(peer, "registration"))
		return;
	if (json_object_get(peer, "registration_left_ms"))
		show_line("registration   %s, %s left, as %s: %s", show_text(peer, "registration"),
			show_duration(peer, "registration_left_ms", left),
			show_text(peer, "registration_aor"), show_text(peer, "registration_why"));
	else
		show_line("registration   %s, as %s: %s", show_text(peer, "registration"),
			show_text(peer, "registration_aor"), show_text(peer, "registration_why"));
	if (json_object_get(peer, "public_address"))
		show_line("seen as        %s", show_text(peer, "public_address"));
}

static void print_health(const json_t *peer)
{
	char heard[SHOW_SHORT_MAX], interval[SHOW_SHORT_MAX];
	bool was_heard = json_object_get(peer, "heard_ms") != NULL;

	show_line("answered       %s%s; misses in a row: %" PRIu64,
		was_heard ? show_duration(peer, "heard_ms", heard) : "never",
		was_heard ? " ago" : "", show_u64(peer, "misses"));
	if (show_u64(peer, "options_interval_ms"))
		show_line("OPTIONS        every %s: %" PRIu64 " sent, %" PRIu64 " answered",
			show_duration(peer, "options_interval_ms", interval),
			show_u64(peer, "options"), show_u64(peer, "options_answered"));
	else
		show_line("OPTIONS        none");
	show_line("attempts       %" PRIu64 ", %" PRIu64 " failed; of the last %" PRIu64
		  ", %" PRIu64,
		show_u64(peer, "attempts"), show_u64(peer, "attempts_failed"),
		show_u64(peer, "recent_calls"), show_u64(peer, "recent_failed"));
}

static void print_certificate(const char *label, const json_t *certificate)
{
	char *names = show_texts(certificate, "names");

	if (certificate)
		show_line("%s%s, of %s, %" JSON_INTEGER_FORMAT " days left", label, names,
			show_text(certificate, "issuer"),
			json_integer_value(json_object_get(certificate, "days_left")));
	free(names);
}

static void print_tls(const json_t *peer)
{
	const json_t *tls = json_object_get(peer, "tls"), *one;
	char *names = show_texts(tls, "certificate_names");
	size_t i;

	if (tls) {
		show_line("TLS            profile %s; its certificate is for one of %s",
			show_text(tls, "profile"), names);
		print_certificate("we show        ", json_object_get(tls, "our_certificate"));
		if (show_u64(tls, "connections"))
			show_line("connections    %" PRIu64 "; the newest opened by %s, %s, %s%s",
				show_u64(tls, "connections"), show_text(tls, "opened_by"),
				show_text(tls, "tls_version"), show_text(tls, "cipher"),
				show_bool(tls, "resumed") ? ", resumed" : "");
		else
			show_line("connections    none");
		print_certificate("it shows       ", json_object_get(tls, "certificate"));
	}
	json_array_foreach(json_object_get(peer, "findings"), i, one)
	{
		show_line("finding        %s", show_text(one, "text"));
	}
	free(names);
}

static enum cli_exit show_peer(const struct cli *cli)
{
	struct ask ask = {.request = VDC_GET_PEER, .peer = cli->argv[0]};
	json_t *peer = NULL;
	enum cli_exit ret = client_once(cli, &ask, keep, &peer);

	if (ret || !peer)
		return ret;
	if (cli->json) {
		cli_print_json(peer, false);
		return CLI_OK;
	}
	print_config(peer);
	print_loads(peer);
	print_state(peer);
	print_name(peer);
	print_registration(peer);
	print_health(peer);
	print_tls(peer);
	json_decref(peer);
	return CLI_OK;
}

static bool is_command(const char *word)
{
	return strcmp(word, "drain") == 0 || strcmp(word, "block") == 0 ||
	       strcmp(word, "resume") == 0;
}

enum cli_exit cmd_peer(const struct cli *cli)
{
	struct ask ask = {.request = VDC_SET_PEER, .peer = cli->argv[0]};

	if (cli->argc == 1)
		return show_peer(cli);
	ask.command = cli->argv[1];
	if (!is_command(ask.command)) {
		cli_error("%s is no command for a peer: expected %s", ask.command,
			is_command(ask.peer) ? "the peer's name before the command"
					     : "drain, block or resume");
		return CLI_USAGE;
	}
	return client_do(cli, &ask);
}
