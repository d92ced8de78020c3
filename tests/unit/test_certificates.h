/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates made by the test: authorities, what they issue, and the files of both. */
#ifndef VIADUCT_TEST_CERTIFICATES_H
#define VIADUCT_TEST_CERTIFICATES_H

#include <assert.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "test_tmp.h"

#define DAY_S 86400L

struct identity {
	X509 *certificate;
	EVP_PKEY *key;
};

/* What a certificate is to say. san as openssl.cnf has it: "DNS:a.example,IP:127.0.0.1". */
struct wish {
	const char *cn, *san, *usage; /* usage: "serverAuth"; NULL = without the extension */
	long from_s, until_s;         /* from now; both 0: an hour ago, until a year from now */
};

static inline void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, (char *)(uintptr_t)value);
	assert(e && X509_add_ext(x, e, -1) == 1);
	X509_EXTENSION_free(e);
}

/* issuer NULL: an authority, signed by itself. */
static inline struct identity issue(const struct identity *issuer, struct wish wish)
{
	struct identity id = {X509_new(), EVP_EC_gen("P-256")};
	const struct identity *by = issuer ? issuer : &id;
	static long serial;
	X509_NAME *name;

	if (!wish.from_s && !wish.until_s) {
		wish.from_s = -3600;
		wish.until_s = 365 * DAY_S;
	}
	assert(id.certificate && id.key);
	X509_set_version(id.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(id.certificate), wish.from_s);
	X509_gmtime_adj(X509_getm_notAfter(id.certificate), wish.until_s);
	X509_set_pubkey(id.certificate, id.key);
	name = X509_get_subject_name(id.certificate);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)wish.cn, -1, -1, 0);
	X509_set_issuer_name(id.certificate, X509_get_subject_name(by->certificate));
	add_extension(id.certificate, by->certificate, NID_basic_constraints,
		issuer ? "CA:FALSE" : "critical,CA:TRUE");
	if (wish.san)
		add_extension(id.certificate, by->certificate, NID_subject_alt_name, wish.san);
	if (wish.usage)
		add_extension(id.certificate, by->certificate, NID_ext_key_usage, wish.usage);
	assert(X509_sign(id.certificate, by->key, EVP_sha256()) > 0);
	return id;
}

static inline void identity_free(struct identity *id)
{
	X509_free(id->certificate);
	EVP_PKEY_free(id->key);
	memset(id, 0, sizeof(*id));
}

/* A directory for files of the test, removed by remove_files. */
struct files {
	char dir[64];
	char path[16][128];
	unsigned count;
};

static inline void files_init(struct files *f)
{
	memset(f, 0, sizeof(*f));
	assert(mkdtemp(tmp_template(f->dir, sizeof(f->dir), "unit")));
}

static inline FILE *file_open(struct files *f, const char *name, mode_t mode, const char **path)
{
	char text[sizeof(f->path[0])], *p = NULL;
	int fd;

	for (unsigned i = 0; i < f->count && !p; i++) {
		if (strcmp(strrchr(f->path[i], '/') + 1, name) == 0)
			p = f->path[i];
	}
	if (!p)
		p = f->path[f->count++];
	snprintf(text, sizeof(text), "%s/%s", f->dir, name);
	memcpy(p, text, sizeof(text));
	unlink(p);
	fd = open(p, O_WRONLY | O_CREAT | O_EXCL, mode);
	assert(fd >= 0 && fchmod(fd, mode) == 0);
	*path = p;
	return fdopen(fd, "w");
}

static inline const char *write_certificate(struct files *f, const char *name, X509 *x)
{
	const char *path;
	FILE *out = file_open(f, name, 0644, &path);

	assert(PEM_write_X509(out, x) == 1);
	fclose(out);
	return path;
}

static inline const char *write_key(struct files *f, const char *name, EVP_PKEY *key, mode_t mode)
{
	const char *path;
	FILE *out = file_open(f, name, mode, &path);

	assert(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(out);
	return path;
}

/* Of mutual authentication, with files of f: ours under that name, whose issuer is trusted alone.
 */
static inline struct tls_profile profile_of(struct files *f, const struct identity *issuer,
	const struct identity *ours, const char *fqdn)
{
	return (struct tls_profile){.name = (char *)(uintptr_t) "t",
		.fqdn = (char *)(uintptr_t)fqdn,
		.min_version = TLS1_2_VERSION,
		.verify = TLS_VERIFY_MUTUAL,
		.ca = (char *)(uintptr_t)write_certificate(f, "ca.pem", issuer->certificate),
		.certificate =
			(char *)(uintptr_t)write_certificate(f, "cert.pem", ours->certificate),
		.key = (char *)(uintptr_t)write_key(f, "key.pem", ours->key, 0600)};
}

static inline void remove_files(struct files *f)
{
	for (unsigned i = 0; i < f->count; i++)
		unlink(f->path[i]);
	rmdir(f->dir);
}

#endif
