/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/keys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/session_config.h"
#include "viaduct_control.h"

/* clang-format off */
static const struct key keys[] = {
	{"sides", "the mappings internal and external", 0, 0, 0, NULL},
	{"sides.*", "a mapping with at least device and addresses", 0, 0, 0, NULL},
	{"sides.*.device", "the name of a network device, such as eth0", 0, 0, 0, NULL},
	{"sides.*.vlan", "an 802.1Q id or 0 for untagged,", 0, 4094, 0, NULL},
	{"sides.*.addresses", "a list of this host's addresses", 0, 0, 0, NULL},
	{"sides.*.addresses[]", "an IPv4 or IPv6 address", 0, 0, 0, NULL},
	{"sides.*.advertise", "a list as long as addresses", 0, 0, 0, NULL},
	{"sides.*.advertise[]", "an IPv4 or IPv6 address", 0, 0, 0, NULL},
	{"sides.*.media_ports", "FIRST-LAST, FIRST even and from 1024, LAST to 65535", 0, 0, 0, "16384-32767"},
	{"sides.*.dscp", "a DSCP,", 0, 63, 46, NULL},
	{"sides.*.bandwidth", "kbit/s, 0 for no limit,", 0, 1000000000, 0, NULL},
	{"tls", "a list of {name, certificate, key}", 0, 0, 0, NULL},
	{"tls[]", "a mapping with at least name, certificate and key", 0, 0, 0, NULL},
	{"tls[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"tls[].certificate", "an absolute path of a PEM file", 0, 0, 0, NULL},
	{"tls[].key", "an absolute path of a PEM file", 0, 0, 0, NULL},
	{"tls[].ca", "an absolute path of a PEM file", 0, 0, 0, NULL},
	{"tls[].fqdn", "a host name such as sbc.example.com", 0, 0, 0, NULL},
	{"listeners", "a list of {name, side, transport, port}", 0, 0, 0, NULL},
	{"listeners[]", "a mapping with at least name, side and transport", 0, 0, 0, NULL},
	{"listeners[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"listeners[].port", "a UDP or TCP port,", 1, 65535, 5060, NULL},
	{"listeners[].address", "one of the side's addresses", 0, 0, 0, NULL},
	{"listeners[].tls", "the name of a TLS profile", 0, 0, 0, NULL},
	{"listeners[].fqdn", "a host name such as sbc.example.com", 0, 0, 0, NULL},
	{"peers", "a list of {name, kind, listener, address}", 0, 0, 0, NULL},
	{"peers[]", "a mapping with at least name, kind, listener and address", 0, 0, 0, NULL},
	{"peers[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"peers[].auth", "a mapping with user and password_file or password_env", 0, 0, 0, NULL},
	{"peers[].auth.user", "the name of an account, 1 to 127 bytes", 0, 0, 0, NULL},
	{"peers[].auth.realm", "a realm, 1 to 127 bytes", 0, 0, 0, NULL},
	{"peers[].auth.password_file", "the absolute path of a file whose first line is the password", 0, 0, 0, NULL},
	{"peers[].auth.password_env", "the name of an environment variable", 0, 0, 0, NULL},
	{"peers[].register", "a mapping with aor", 0, 0, 0, NULL},
	{"peers[].register.aor", "a SIP URI such as sip:user@provider.example", 0, 0, 0, NULL},
	{"peers[].register.registrar", "a domain or address, with a port or without", 0, 0, 0, NULL},
	{"peers[].register.contact", "the user part of a SIP URI", 0, 0, 0, NULL},
	{"peers[].register.expires", "seconds,", 10, 86400, 3600, NULL},
	{"peers[].register.min_expires", "seconds,", 1, 3600, 5, NULL},
	{"peers[].register.retry", "seconds,", 1, 3600, 30, NULL},
	{"peers[].register.retry_max", "seconds,", 1, 86400, 1800, NULL},
	{"peers[].challenge", "a mapping with realm and users_file, or user and password_file", 0, 0, 0, NULL},
	{"peers[].challenge.realm", "a realm, 1 to 127 bytes", 0, 0, 0, NULL},
	{"peers[].challenge.users_file", "the absolute path of a file with lines USER:PASSWORD", 0, 0, 0, NULL},
	{"peers[].challenge.user", "the name of an account, 1 to 127 bytes", 0, 0, 0, NULL},
	{"peers[].challenge.password_file", "the absolute path of a file whose first line is the password", 0, 0, 0, NULL},
	{"peers[].challenge.password_env", "the name of an environment variable", 0, 0, 0, NULL},
	{"peers[].challenge.methods", "a list of methods", 0, 0, 0, NULL},
	{"peers[].challenge.algorithms", "a list of SHA-256, SHA-512-256, MD5", 0, 0, 0, NULL},
	{"peers[].challenge.uri", "same or any", 0, 0, 0, NULL},
	{"peers[].challenge.nonce_lifetime", "seconds,", 1, 86400, 300, NULL},
	{"peers[].listener", "the name of a listener", 0, 0, 0, NULL},
	{"peers[].address", "an address such as 192.0.2.1:5060 or \"[2001:db8::1]:5060\", or a host name", 0, 0, 0, NULL},
	{"peers[].sources", "a list of prefixes", 0, 0, 0, NULL},
	{"peers[].sources[]", "a prefix such as 192.0.2.0/24 or 2001:db8::/64", 0, 0, 0, NULL},
	{"peers[].codecs", "a list of codec names", 0, 0, 0, NULL},
	{"peers[].codecs[]", "a codec's name as in SDP, such as PCMA or telephone-event", 0, 0, 0, NULL},
	{"peers[].liveness", "a mapping of liveness options", 0, 0, 0, NULL},
	{"peers[].liveness.interval", "seconds, 0 for no OPTIONS,", 0, 3600, 30, NULL},
	{"peers[].liveness.misses", "a number of requests,", 1, 100, 5, NULL},
	{"peers[].liveness.probe", "seconds,", 1, 3600, 60, NULL},
	{"peers[].liveness.timeout", "seconds,", 1, 32, 5, NULL},
	{"peers[].failover", "a mapping of failover options", 0, 0, 0, NULL},
	{"peers[].failover.codes", "a list of response codes", 0, 0, 0, NULL},
	{"peers[].failover.codes[]", "a response code or a range, such as 503 or 500-504, from 400 to 599", 0, 0, 0, NULL},
	{"peers[].failover.retry_after", "seconds, 0 to ignore it,", 0, 86400, 300, NULL},
	{"peers[].failing", "a mapping of when a peer's calls fail too often", 0, 0, 0, NULL},
	{"peers[].failing.calls", "a number of calls,", 1, FAILING_CALLS_MAX, 10, NULL},
	{"peers[].failing.failed", "a number of calls, 0 for never,", 0, FAILING_CALLS_MAX, 5, NULL},
	{"peers[].failing.well", "a number of calls,", 0, FAILING_CALLS_MAX - 1, 2, NULL},
	{"peers[].failing.memory", "seconds,", 1, 86400, 60, NULL},
	{"peers[].media", "a mapping of media options", 0, 0, 0, NULL},
	{"peers[].media.latch_prefix", "a mapping with ipv4 or ipv6", 0, 0, 0, NULL},
	{"peers[].media.latch_prefix.ipv4", "a prefix length,", 8, 32, 32, NULL},
	{"peers[].media.latch_prefix.ipv6", "a prefix length,", 16, 128, 128, NULL},
	{"peers[].media.timeout", "seconds, 0 for never,", 0, 86400, 30, NULL},
	{"peers[].media.bypass", "a site's name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"peers[].media.timeout_held", "seconds, 0 for never,", 0, 86400, 3600, NULL},
	{"peers[].limits", "a mapping of limits", 0, 0, 0, NULL},
	{"peers[].limits.calls", "live calls, 0 for no limit of its own,", 0, 1000000, 0, NULL},
	{"peers[].limits.calls_per_second", "new calls a second, 0 for no limit of its own,", 0, 100000, 0, NULL},
	{"peers[].limits.burst", "calls at once, 0 for those of a second,", 0, 100000, 0, NULL},
	{"peers[].limits.bandwidth", "kbit/s, 0 for no limit of its own,", 0, 1000000000, 0, NULL},
	{"peers[].limits.code", "a SIP response code,", 400, 699, 503, NULL},
	{"peers[].limits.retry_after", "seconds, 0 for none,", 0, 3600, 5, NULL},
	{"peers[].calls_max", "live calls, 0 for no limit of its own,", 0, 1000000, 0, NULL},
	{"peers[].session_timer", "a mapping with mode, interval, min or refresher", 0, 0, 0, NULL},
	{"peers[].session_timer.interval", "seconds,", 1, 86400, 1800, NULL},
	{"peers[].session_timer.min", "seconds,", 1, 86400, 90, NULL},
	{"peers[].early_dialogs", "early dialogs of one call,", 1, CONFIG_EARLY_DIALOGS_MAX, CONFIG_EARLY_DIALOGS_MAX, NULL},
	{"peers[].identity", "a mapping of identity options", 0, 0, 0, NULL},
	{"peers[].identity.domain", "a host name such as sip.example.com", 0, 0, 0, NULL},
	{"peers[].numbers", "a mapping of lists of number rules", 0, 0, 0, NULL},
	{"peers[].numbers.remove_plus", "true or false", 0, 0, 0, NULL},
	{"peers[].numbers.*.name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"peers[].numbers.*.match", "a regular expression (PCRE2) of at most 256 bytes", 0, 0, 0, NULL},
	{"peers[].numbers.*.replace", "a number, $0 to $9 for groups of match", 0, 0, 0, NULL},
	{"peers[].numbers.*.use", "the name of a set in number_rules", 0, 0, 0, NULL},
	{"peers[].numbers.*[]", "a mapping with match and replace, or with use", 0, 0, 0, NULL},
	{"peers[].numbers.*", "a list of {match, replace} and {use}", 0, 0, 0, NULL},
	{"peers[].codes", "a list of {code, cause, to, reason}", 0, 0, 0, NULL},
	{"peers[].codes[]", "a mapping with to, and with code or cause", 0, 0, 0, NULL},
	{"peers[].codes[].code", "a response code or a range of them, 300 to 699, such as 404 or 500-599", 0, 0, 0, NULL},
	{"peers[].codes[].cause", "a cause of Q.850,", 1, 127, 0, NULL},
	{"peers[].codes[].to", "a response code,", 400, 699, 0, NULL},
	{"peers[].codes[].reason", "a text of 1 to 64 printable characters", 0, 0, 0, NULL},
	{"peers[].q850", "a mapping with write or translate", 0, 0, 0, NULL},
	{"peers[].usages", "a list of names of usages", 0, 0, 0, NULL},
	{"peers[].usages[]", "the name of a usage", 0, 0, 0, NULL},
	{"number_rules", "a list of {name, rules}", 0, 0, 0, NULL},
	{"number_rules[]", "a mapping with name and rules", 0, 0, 0, NULL},
	{"number_rules[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"number_rules[].rules", "a list of {match, replace}", 0, 0, 0, NULL},
	{"number_rules[].rules[]", "a mapping with match and replace", 0, 0, 0, NULL},
	{"number_rules[].rules[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"number_rules[].rules[].match", "a regular expression (PCRE2) of at most 256 bytes", 0, 0, 0, NULL},
	{"number_rules[].rules[].replace", "a number, $0 to $9 for groups of match", 0, 0, 0, NULL},
	{"peers[].certificate_names", "a list of host names or addresses", 0, 0, 0, NULL},
	{"peers[].certificate_names[]", "a host name such as sip.example.com, or an address", 0, 0, 0, NULL},
	{"routes", "a list of {name, from, called, to}", 0, 0, 0, NULL},
	{"routes[]", "a mapping with at least to", 0, 0, 0, NULL},
	{"routes[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, ""},
	{"routes[].from", "a peer's name, a list of them, or any", 0, 0, 0, "any"},
	{"routes[].from[]", "the name of a peer", 0, 0, 0, NULL},
	{"routes[].called", "a regular expression (PCRE2) of at most 256 bytes", 0, 0, 0, NULL},
	{"routes[].calling", "a regular expression (PCRE2) of at most 256 bytes", 0, 0, 0, NULL},
	{"routes[].to", "a list of names of peers and groups", 0, 0, 0, NULL},
	{"routes[].to[]", "the name of a peer or group", 0, 0, 0, NULL},
	{"routes[].times", "the name of a time, or a list of them", 0, 0, 0, NULL},
	{"routes[].times[]", "the name of a time", 0, 0, 0, NULL},
	{"routes[].cost", "an order among the routes of a usage, the lowest first,", 0, 1000000, 0, NULL},
	{"routes[].caller", "a mapping with number, name or suppress", 0, 0, 0, NULL},
	{"routes[].caller.number", "a number", 0, 0, 0, NULL},
	{"routes[].caller.name", "a text of at most 64 printable characters", 0, 0, 0, NULL},
	{"groups", "a list of {name, members}", 0, 0, 0, NULL},
	{"groups[]", "a mapping with name and members", 0, 0, 0, NULL},
	{"groups[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"groups[].members", "a list of {peer, priority, weight, cost}", 0, 0, 0, NULL},
	{"groups[].members[]", "a mapping with at least peer", 0, 0, 0, NULL},
	{"groups[].members[].peer", "the name of a peer", 0, 0, 0, NULL},
	{"groups[].members[].priority", "a priority, the lowest first,", 0, 65535, 1, NULL},
	{"groups[].members[].weight", "a share of the calls,", 0, 65535, 1, NULL},
	{"groups[].members[].cost", "an order within the priority, the lowest first,", 0, 1000000, 0, NULL},
	{"usages", "a list of {name, routes}", 0, 0, 0, NULL},
	{"usages[]", "a mapping with name and routes", 0, 0, 0, NULL},
	{"usages[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"usages[].routes", "a list of names of routes", 0, 0, 0, NULL},
	{"usages[].routes[]", "the name of a route", 0, 0, 0, NULL},
	{"times", "a list of {name, days, hours, zone}", 0, 0, 0, NULL},
	{"times[]", "a mapping with at least name", 0, 0, 0, NULL},
	{"times[].name", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, NULL},
	{"times[].days", "a weekday such as mon, a range such as mon-fri, or a list of them", 0, 0, 0, NULL},
	{"times[].days[]", "a weekday such as mon, or a range such as mon-fri", 0, 0, 0, NULL},
	{"times[].hours", "HH:MM-HH:MM such as 08:00-18:00, or a list of them", 0, 0, 0, NULL},
	{"times[].hours[]", "HH:MM-HH:MM", 0, 0, 0, NULL},
	{"times[].dates", "MM-DD or YYYY-MM-DD, or a list of them", 0, 0, 0, NULL},
	{"times[].dates[]", "MM-DD or YYYY-MM-DD", 0, 0, 0, NULL},
	{"times[].except", "MM-DD or YYYY-MM-DD, or a list of them", 0, 0, 0, NULL},
	{"times[].except[]", "MM-DD or YYYY-MM-DD", 0, 0, 0, NULL},
	{"times[].zone", "a zone of the tz database, such as Europe/Berlin", 0, 0, 0, ""},
	{"emergency", "a list of regular expressions for called numbers", 0, 0, 0, NULL},
	{"emergency[]", "a regular expression (PCRE2) of at most 256 bytes", 0, 0, 0, NULL},
	{"limits", "a mapping of limits", 0, 0, 0, NULL},
	{"limits.calls", "live calls,", 1, 200000, 20000, NULL},
	{"limits.calls_per_second", "new calls a second, 0 for no limit,", 0, 100000, 0, NULL},
	{"limits.burst", "calls at once, 0 for those of a second,", 0, 100000, 0, NULL},
	{"limits.bandwidth", "kbit/s, 0 for no limit,", 0, 1000000000, 0, NULL},
	{"limits.audio_bandwidth", "kbit/s,", 1, 1000000, 100, NULL},
	{"limits.video_bandwidth", "kbit/s,", 1, 1000000, 1500, NULL},
	{"limits.code", "a SIP response code,", 400, 699, 503, NULL},
	{"limits.retry_after", "seconds, 0 for none,", 0, 3600, 5, NULL},
	{"limits.tcp_connections", "TCP connections,", 1, 100000, 1024, NULL},
	{"limits.tls_handshakes", "TLS handshakes under way,", 1, 10000, 256, NULL},
	{"limits.max_forwards", "hops,", 1, 255, 70, NULL},
	{"overload", "a mapping with shed_from or shed_all", 0, 0, 0, NULL},
	{"overload.shed_from", "milliseconds,", 0, 10000, 20, NULL},
	{"overload.shed_all", "milliseconds, 0 for never,", 0, 10000, 60, NULL},
	{"timers", "a mapping of timers", 0, 0, 0, NULL},
	{"timers.ring", "seconds,", 1, 3600, 180, NULL},
	{"timers.unanswered", "seconds,", 1, 86400, 1800, NULL},
	{"timers.reinvite", "seconds,", 1, 3600, 300, NULL},
	{"timers.attempt", "seconds,", 1, 60, 10, NULL},
	{"timers.transfer", "seconds,", 1, 600, 120, NULL},
	{"timers.port_quarantine", "seconds,", 0, 3600, 5, NULL},
	{"dns", "a mapping with servers, timeout, tries, ttl_min, ttl_max or stale", 0, 0, 0, NULL},
	{"dns.servers", "a list of addresses of nameservers", 0, 0, 0, NULL},
	{"dns.servers[]", "an IPv4 or IPv6 address, with a port where it is not 53", 0, 0, 0, NULL},
	{"dns.timeout", "seconds,", 1, 30, 2, NULL},
	{"dns.tries", "tries,", 1, 10, 3, NULL},
	{"dns.ttl_min", "seconds,", 1, 3600, 5, NULL},
	{"dns.ttl_max", "seconds,", 1, 604800, 86400, NULL},
	{"dns.stale", "seconds,", 0, 604800, 86400, NULL},
	{"timers.tls_handshake", "seconds,", 1, 60, 5, NULL},
	{"timers.keepalive", "seconds, 0 for never,", 0, 3600, 110, NULL},
	{"timers.pong", "seconds,", 1, 60, 10, NULL},
	{"timers.reconnect", "seconds,", 1, 3600, 60, NULL},
	{"user", "the name of a user", 0, 0, 0, ""},
	{"bpf_dir", "an absolute path on a BPF file system", 0, 0, 0, "/sys/fs/bpf"},
	{"state_dir", "an absolute path", 0, 0, 0, "/run/viaduct"},
	{"instance", "a name of letters, digits, '.', '_', '-'", 0, 0, 0, "default"},
	{"records", "a mapping with file", 0, 0, 0, NULL},
	{"records.file", "an absolute path", 0, 0, 0, ""},
	{"control", "a mapping with port or group", 0, 0, 0, NULL},
	{"control.port", "a netlink port id,", 1, UINT32_MAX, VDC_PORT_DEFAULT, NULL},
	{"control.group", "the name of a group", 0, 0, 0, ""},
};
/* clang-format on */

static bool row_matches(const char *row, const char *path)
{
	while (*row && *path) {
		if (*row == '*') {
			row++;
			path += strcspn(path, *row == '[' ? ".[" : ".");
		} else if (*row == '[') {
			if (*path != '[')
				return false;
			row += 2;
			path += strcspn(path, "]") + 1;
		} else if (*row++ != *path++) {
			return false;
		}
	}
	return !*row && !*path;
}

const struct key *key_find(const char *path)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (row_matches(keys[i].path, path))
			return &keys[i];
	}
	return NULL;
}

const char *key_expected(char buf[KEY_EXPECTED_MAX], const char *path)
{
	const struct key *key = key_find(path);

	if (!key)
		return NULL;
	if (key->max)
		snprintf(buf, KEY_EXPECTED_MAX, "%s %u to %u", key->expected, key->min, key->max);
	else
		snprintf(buf, KEY_EXPECTED_MAX, "%s", key->expected);
	return buf;
}

uint32_t key_number(struct mistakes *m, const char *path, const uint32_t *value)
{
	const struct key *key = key_find(path);
	char expected[KEY_EXPECTED_MAX];

	if (!key)
		abort(); /* a number without a row: caught by the first test that loads a file */
	if (!value)
		return key->fallback;
	if (*value >= key->min && *value <= key->max)
		return *value;
	mistake_add(
		m, path, "%u is out of range; expected %s", *value, key_expected(expected, path));
	return key->fallback;
}
