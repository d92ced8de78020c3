/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS profiles: what is wrong with their files is told like any mistake; peers of one source are
 * told apart by the names of their certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/ssl.h>

#include "base/strbuf.h"
#include "config_text.h"
#include "test_certificates.h"

static struct files files;
static struct identity ca, ours;
static const char *ca_path, *cert_path, *key_path;

static int make_files(void **state)
{
	(void)state;
	files_init(&files);
	ca = issue(NULL, (struct wish){.cn = "CA"});
	ours = issue(&ca, (struct wish){.cn = "x", .san = "DNS:sbc.example.com"});
	ca_path = write_certificate(&files, "ca.pem", ca.certificate);
	cert_path = write_certificate(&files, "cert.pem", ours.certificate);
	key_path = write_key(&files, "key.pem", ours.key, 0600);
	return 0;
}

static int remove_them(void **state)
{
	(void)state;
	remove_files(&files);
	identity_free(&ours);
	identity_free(&ca);
	return 0;
}

/* The profile is line 4; peers are those of one listener. */
static void text(struct strbuf *out, const char *certificate, const char *key,
	const char *authority, const char *more, const char *peers)
{
	strbuf_addf(out,
		"sides:\n"
		"  internal: {device: a, addresses: [10.0.0.1]}\n"
		"  external: {device: b, addresses: [192.0.2.1]}\n"
		"tls: [{name: t, certificate: %s, key: %s, ca: %s%s}]\n"
		"listeners:\n"
		"  - {name: l, side: external, transport: tls, tls: t}\n"
		"peers:\n"
		"%s",
		certificate, key, authority, more, peers);
}

static const char one_peer[] = "  - {name: p, kind: trunk, listener: l, address: 192.0.2.2}\n";

/* errors NULL: it is good. */
static struct config *load(const char *certificate, const char *key, const char *authority,
	const char *more, const char *peers, const char *expected)
{
	struct strbuf b = {0};
	struct config *cfg;
	char *errors;
	int ret;

	text(&b, certificate, key, authority, more, peers);
	ret = load_text(&cfg, b.s, b.len, &errors);
	if (expected)
		assert_non_null(strstr(errors, expected));
	else
		assert_string_equal(errors, "");
	if (expected && !strstr(errors, expected))
		fail_msg("%s", errors);
	assert_int_equal(ret, expected ? -EINVAL : 0);
	/* One mistake, one line. */
	if (expected)
		assert_int_equal(strchr(errors, '\n') - errors, strlen(errors) - 1);
	free(errors);
	strbuf_free(&b);
	return cfg;
}

static void a_good_profile_names_us_and_its_peer_by_address(void **state)
{
	struct config *cfg =
		load(cert_path, key_path, ca_path, ", fqdn: sbc.example.com", one_peer, NULL);
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse(&a, "192.0.2.2:5061", 0), 0);
	assert_ptr_equal(cfg->listener[0].tls, &cfg->tls[0]);
	assert_non_null(cfg->tls[0].context);
	assert_int_equal(cfg->tls[0].verify, TLS_VERIFY_MUTUAL);
	assert_int_equal(cfg->tls[0].min_version, TLS1_2_VERSION);
	assert_string_equal(cfg->listener[0].fqdn, "sbc.example.com");
	assert_int_equal(cfg->listener[0].address.local.port, 5061);
	assert_true(addr_equal(&cfg->peer[0].address, &a));
	assert_int_equal(cfg->peer[0].certificate_name_count, 1);
	assert_string_equal(cfg->peer[0].certificate_name[0], "192.0.2.2");
	config_unref(cfg);
}

static void each_wrong_file_is_one_line_that_says_what_is_wrong(void **state)
{
	struct identity other = issue(&ca, (struct wish){.cn = "y"});
	const char *foreign = write_key(&files, "foreign.pem", other.key, 0600);
	const char *open_key = write_key(&files, "open.pem", ours.key, 0644);
	const char *group_key = write_key(&files, "group.pem", ours.key, 0640);
	const char *empty, *locked;
	FILE *f;

	(void)state;
	fclose(file_open(&files, "empty.pem", 0600, &empty));
	f = file_open(&files, "locked.pem", 0600, &locked);
	assert_int_equal(PEM_write_PrivateKey(f, ours.key, EVP_aes_128_cbc(),
				 (const unsigned char *)"secret", 6, NULL, NULL),
		1);
	fclose(f);
	load("/nonexistent/c.pem", key_path, ca_path, "", one_peer,
		"4: tls[0].certificate: \"/nonexistent/c.pem\" cannot be read (No such file or "
		"directory); expected");
	load("c.pem", key_path, ca_path, "", one_peer,
		"4: tls[0].certificate: \"c.pem\" is not absolute; expected");
	load("/tmp", key_path, ca_path, "", one_peer, "\"/tmp\" is no regular file");
	load(empty, key_path, ca_path, "", one_peer, "holds no certificate; expected");
	load(cert_path, empty, ca_path, "", one_peer, "holds no private key; expected");
	load(cert_path, locked, ca_path, "", one_peer, "has a passphrase; expected");
	load(cert_path, foreign, ca_path, "", one_peer, "is not the certificate's; expected");
	load(cert_path, open_key, ca_path, "", one_peer,
		"is open to every user (mode 0644); expected mode 0600, or 0640");
	load(cert_path, key_path, empty, "", one_peer, "4: tls[0].ca: ");
	load(cert_path, key_path, ca_path, ", fqdn: other.example.com", one_peer,
		"4: tls[0].fqdn: \"other.example.com\" is not in the certificate; expected one of "
		"sbc.example.com");
	config_unref(load(cert_path, group_key, ca_path, "", one_peer, NULL));
	identity_free(&other);
}

static bool is_named(void *ctx, const struct peer_config *peer)
{
	return strcmp(peer->certificate_name[0], ctx) == 0;
}

static void peers_of_one_address_are_told_apart_by_certificate_names(void **state)
{
	static const char two[] = "  - {name: p, kind: trunk, listener: l, address: 192.0.2.2, "
				  "certificate_names: [a.example]}\n"
				  "  - {name: q, kind: trunk, listener: l, address: 192.0.2.2, "
				  "sources: [192.0.2.0/24], certificate_names: [b.example]}\n";
	static const char same[] = "  - {name: p, kind: trunk, listener: l, address: 192.0.2.2, "
				   "certificate_names: [a.example, b.example]}\n"
				   "  - {name: q, kind: trunk, listener: l, address: 192.0.2.2, "
				   "certificate_names: [B.example]}\n";
	struct config *cfg = load(cert_path, key_path, ca_path, "", two, NULL);
	char a[] = "a.example", b[] = "b.example", none[] = "c.example";
	struct addr source;

	(void)state;
	assert_int_equal(addr_parse(&source, "192.0.2.2:4000", 0), 0);
	assert_string_equal(config_find_peer_that(cfg, &source, 0, is_named, a)->name, "p");
	assert_string_equal(config_find_peer_that(cfg, &source, 0, is_named, b)->name, "q");
	assert_null(config_find_peer_that(cfg, &source, 0, is_named, none));
	assert_int_equal(addr_parse(&source, "192.0.2.3:4000", 0), 0);
	assert_null(config_find_peer_that(cfg, &source, 0, is_named, a));
	assert_string_equal(config_find_peer_that(cfg, &source, 0, is_named, b)->name, "q");
	config_unref(cfg);
	load(cert_path, key_path, ca_path, "", same, "is already peer p's source");
	/* Without certificates of clients nothing tells them apart. */
	load(cert_path, key_path, ca_path, ", verify: server", two, "is already peer p's source");
}

static void an_expired_certificate_replaces_no_valid_one(void **state)
{
	struct config *good = load(cert_path, key_path, ca_path, "", one_peer, NULL), *bad;
	struct identity old =
		issue(&ca, (struct wish){.cn = "x", .from_s = -9 * DAY_S, .until_s = -DAY_S});
	const char *path = write_certificate(&files, "old.pem", old.certificate);
	const char *key = write_key(&files, "oldkey.pem", old.key, 0600);
	char *errors = NULL;
	size_t len;
	FILE *out = open_memstream(&errors, &len);

	(void)state;
	bad = load(path, key, ca_path, "", one_peer, NULL);
	assert_int_equal(config_check_reload(good, bad, out), -EINVAL);
	assert_int_equal(config_check_reload(bad, bad, out), 0);
	assert_int_equal(config_check_reload(bad, good, out), 0);
	fclose(out);
	assert_non_null(strstr(errors, ":4: tls[0].certificate: "));
	assert_non_null(strstr(errors, "is not valid now"));
	free(errors);
	identity_free(&old);
	config_unref(good);
	config_unref(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_profile_names_us_and_its_peer_by_address),
		cmocka_unit_test(each_wrong_file_is_one_line_that_says_what_is_wrong),
		cmocka_unit_test(peers_of_one_address_are_told_apart_by_certificate_names),
		cmocka_unit_test(an_expired_certificate_replaces_no_valid_one),
	};

	return cmocka_run_group_tests(tests, make_files, remove_them);
}
