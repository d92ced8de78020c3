/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/mistake.h"

#define PEM_BYTES_MAX  (1024 * 1024)
#define CHAIN_MAX      10
#define SECURITY_LEVEL 2 /* RSA from 2048 bits, no SHA-1: see SSL_CTX_set_security_level(3) */
/* AES-GCM first, with the shorter key: what processors do in hardware. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

#define EXPECTED_CERTIFICATE "expected a file with our certificate in PEM, the chain below it"
#define EXPECTED_KEY         "expected a file with the private key of the certificate in PEM"
#define EXPECTED_CA          "expected a file with the certificates of authorities in PEM"

static int problem_set(struct tls_problem *p, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int problem_set(struct tls_problem *p, const char *key, const char *fmt, ...)
{
	va_list ap;

	p->key = key;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* OpenSSL's own words for the last thing that went wrong. */
static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "no reason given";
}

/* A file in memory, as a BIO; NULL with the problem told, or without memory (*ret -ENOMEM).
 * O_NONBLOCK: opening a FIFO must not wait for its writer. */
static BIO *read_pem(const char *path, const char *key, const char *expected, mode_t forbidden,
	struct tls_problem *p, int *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char quoted[MISTAKE_QUOTE_MAX], why[MISTAKE_QUOTE_MAX];
	size_t len = 0;
	struct stat st;
	BIO *bio = NULL;
	char *buf = NULL;
	ssize_t n = 0;

	mistake_quote(quoted, path);
	if (fd < 0 || fstat(fd, &st)) {
		*ret = problem_set(p, key, "%s cannot be read (%s); %s", quoted,
			mistake_errno(why, errno), expected);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > PEM_BYTES_MAX) {
		*ret = problem_set(p, key, "%s is no regular file of at most %d bytes; %s", quoted,
			PEM_BYTES_MAX, expected);
		goto out;
	}
	if (st.st_mode & forbidden) {
		*ret = problem_set(p, key,
			"%s is open to every user (mode %04o); expected mode 0600, or 0640", quoted,
			st.st_mode & 07777u);
		goto out;
	}
	*ret = -ENOMEM;
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		goto out;
	while (len < (size_t)st.st_size && (n = read(fd, buf + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	if (n < 0) {
		*ret = problem_set(p, key, "%s cannot be read (%s); %s", quoted,
			mistake_errno(why, errno), expected);
		goto out;
	}
	bio = BIO_new(BIO_s_mem());
	if (bio && BIO_write(bio, buf, (int)len) != (int)len) {
		BIO_free(bio);
		bio = NULL;
	}
	if (bio)
		*ret = 0;
out:
	if (buf)
		OPENSSL_cleanse(buf, len);
	free(buf);
	if (fd >= 0)
		close(fd);
	return bio;
}

/* Keys with a passphrase: nobody is there to be asked. */
static int no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static int use_certificate(SSL_CTX *ctx, const char *path, struct tls_problem *p)
{
	char quoted[MISTAKE_QUOTE_MAX];
	X509 *x = NULL;
	int ret = 0, count = 0;
	BIO *bio = read_pem(path, "certificate", EXPECTED_CERTIFICATE, 0, p, &ret);

	mistake_quote(quoted, path);
	while (bio && !ret && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		bool good = count == 0 ? SSL_CTX_use_certificate(ctx, x) == 1
				       : count <= CHAIN_MAX && SSL_CTX_add1_chain_cert(ctx, x) == 1;

		if (!good)
			ret = problem_set(p, "certificate", "%s is refused (%s); %s", quoted,
				reason(), EXPECTED_CERTIFICATE);
		count++;
		X509_free(x);
	}
	if (bio && !ret && count == 0)
		ret = problem_set(p, "certificate", "%s holds no certificate; %s", quoted,
			EXPECTED_CERTIFICATE);
	BIO_free(bio);
	ERR_clear_error();
	return ret;
}

static int use_key(SSL_CTX *ctx, const char *path, struct tls_problem *p)
{
	char quoted[MISTAKE_QUOTE_MAX];
	bool asked = false;
	int ret = 0;
	BIO *bio = read_pem(path, "key", EXPECTED_KEY, S_IRWXO, p, &ret);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked) : NULL;

	mistake_quote(quoted, path);
	if (bio && asked)
		ret = problem_set(
			p, "key", "%s has a passphrase; expected a key without one", quoted);
	else if (bio && !key)
		ret = problem_set(p, "key", "%s holds no private key; %s", quoted, EXPECTED_KEY);
	else if (key && X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1)
		ret = problem_set(
			p, "key", "%s is not the certificate's; %s", quoted, EXPECTED_KEY);
	else if (key && SSL_CTX_use_PrivateKey(ctx, key) != 1)
		ret = problem_set(
			p, "key", "%s is refused (%s); %s", quoted, reason(), EXPECTED_KEY);
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return ret;
}

/* Whom we believe, and whom clients are told that we believe. */
static int use_ca(SSL_CTX *ctx, const char *path, struct tls_problem *p)
{
	char quoted[MISTAKE_QUOTE_MAX];
	int ret = 0, count = 0;
	X509 *x;
	BIO *bio;

	if (!path) /* the system's; too many to name them to a client */
		return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : -ENOMEM;
	bio = read_pem(path, "ca", EXPECTED_CA, 0, p, &ret);
	mistake_quote(quoted, path);
	while (bio && !ret && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) != 1 ||
			SSL_CTX_add_client_CA(ctx, x) != 1)
			ret = -ENOMEM;
		count++;
		X509_free(x);
	}
	if (bio && !ret && count == 0)
		ret = problem_set(p, "ca", "%s holds no certificate; %s", quoted, EXPECTED_CA);
	BIO_free(bio);
	ERR_clear_error();
	return ret;
}

static int check_fqdn(const SSL_CTX *ctx, const char *fqdn, struct tls_problem *p)
{
	X509 *x = SSL_CTX_get0_certificate(ctx);
	char list[CERTIFICATE_TEXT_MAX], quoted[MISTAKE_QUOTE_MAX];
	struct certificate_info info;

	if (!fqdn || certificate_is_for(x, fqdn))
		return 0;
	certificate_get_info(x, &info);
	return problem_set(p, "fqdn", "%s is not in the certificate; expected one of %s",
		mistake_quote(quoted, fqdn), certificate_name_list(&info, list));
}

static int set_options(SSL_CTX *ctx, const struct tls_profile *profile)
{
	static const unsigned char id[] = "viaduct";

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
	/* Tickets alone for those who connect to us; what we got ourselves is kept by the sip room.
	 */
	SSL_CTX_set_session_cache_mode(
		ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	return SSL_CTX_set_min_proto_version(ctx, (int)profile->min_version) == 1 &&
			       SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
			       SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 &&
			       SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
			       SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1
		       ? 0
		       : -ENOMEM;
}

int tls_context_new(struct tls_profile *profile, struct tls_problem *problem)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	int ret;

	if (!ctx)
		return -ENOMEM;
	ERR_clear_error();
	ret = set_options(ctx, profile);
	if (!ret)
		ret = use_certificate(ctx, profile->certificate, problem);
	if (!ret)
		ret = use_key(ctx, profile->key, problem);
	if (!ret)
		ret = use_ca(ctx, profile->ca, problem);
	if (!ret)
		ret = check_fqdn(ctx, profile->fqdn, problem);
	if (ret)
		SSL_CTX_free(ctx);
	else
		profile->context = ctx;
	return ret;
}

void tls_profile_get_info(const struct tls_profile *profile, struct certificate_info *out)
{
	certificate_get_info(SSL_CTX_get0_certificate(profile->context), out);
}

const char *tls_profile_warning(const struct tls_profile *profile, char buf[TLS_PROBLEM_MAX])
{
	struct certificate_info info;
	int n;

	tls_profile_get_info(profile, &info);
	if (info.days_left >= CERTIFICATE_WARN_DAYS)
		return NULL;
	n = snprintf(buf, TLS_PROBLEM_MAX, "our certificate %s of profile %s ",
		profile->certificate, profile->name);
	if (n < 0 || n >= TLS_PROBLEM_MAX)
		return buf;
	if (info.days_left < 0)
		snprintf(buf + n, TLS_PROBLEM_MAX - (size_t)n, "has expired");
	else
		snprintf(
			buf + n, TLS_PROBLEM_MAX - (size_t)n, "expires in %d days", info.days_left);
	return buf;
}

void tls_context_free(SSL_CTX *context)
{
	SSL_CTX_free(context);
}
