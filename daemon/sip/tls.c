/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS between a connection and its socket. The loop drives it: nothing here waits. */
#include "sip/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/log.h"

struct tls {
	SSL *ssl;
	char names[CERTIFICATE_TEXT_MAX]; /* of the certificate that was shown */
	bool wants_write;                 /* the socket must take bytes before anything goes on */
	bool has_more;                    /* input that the socket will not tell of */
	bool is_counted;                  /* among the handshakes that peers have under way */
	bool has_ended;
	int error; /* -errno that ends it; told when what came before has been read */
};

X509 *tls_certificate(const struct connection *c)
{
	return c->tls ? SSL_get0_peer_certificate(c->tls->ssl) : NULL;
}

bool tls_has_input(const struct connection *c)
{
	return c->tls->has_more || c->tls->has_ended || c->tls->error;
}

bool tls_wants_write(const struct connection *c)
{
	return c->tls->wants_write;
}

/* ---- whose certificate it is ---- */

/* RFC 5280 4.2.1.12: without the extension, any. Authorities sign fewer and fewer certificates for
 * clients; a SIP peer is both, and shows the one that it has. */
static bool is_for_tls(X509 *certificate)
{
	return X509_get_extended_key_usage(certificate) &
	       (XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_ANYEKU);
}

static bool is_expected(struct connection *c, X509 *certificate)
{
	const struct peer_config *peer;
	bool leaving;

	if (!c->is_ours)
		return admit_certificate(c->sip, &c->remote, c->listener, certificate, &leaving) !=
		       NULL;
	peer = admit_name(c->sip, c->peer);
	return peer && admit_is_for(certificate, peer);
}

/* Once for each certificate of the chain, from the authority down, and for each error. */
static int verify(int good, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct connection *c = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get_current_cert(ctx);
	X509 *leaf = X509_STORE_CTX_get0_cert(ctx);
	struct certificate_info info;

	if (leaf && !c->tls->names[0]) {
		certificate_get_info(leaf, &info);
		certificate_name_list(&info, c->tls->names);
	}
	if (!good && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_INVALID_PURPOSE && certificate &&
		is_for_tls(certificate)) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		good = 1;
	}
	if (!good || X509_STORE_CTX_get_error_depth(ctx) > 0 || is_expected(c, certificate))
		return good;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_HOSTNAME_MISMATCH);
	return 0;
}

/* A resumed session is not verified again: its certificate may have expired meanwhile. */
static long check_again(struct connection *c)
{
	X509 *certificate = tls_certificate(c);

	if (certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		return X509_V_ERR_CERT_HAS_EXPIRED;
	return admit_connection(c, NULL) ? X509_V_OK : X509_V_ERR_HOSTNAME_MISMATCH;
}

/* ---- the handshake ---- */

/* RFC 8446 4.6.1: comes with the handshake, or at any time later. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct connection *c = SSL_get_app_data(ssl);

	if (SSL_is_server(ssl))
		return 0;
	target_keep_session(c->sip, &c->key, session);
	return 1;
}

static int prepare_connect(struct connection *c)
{
	const struct peer_config *peer = admit_name(c->sip, c->peer);
	SSL *ssl = c->tls->ssl;
	SSL_SESSION *session;
	struct addr a;

	if (!peer)
		return -EHOSTUNREACH;
	SSL_set_connect_state(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, verify);
	for (unsigned i = 0; i < peer->certificate_name_count; i++) {
		const char *name = peer->certificate_name[i];

		/* RFC 6066 3: no addresses. */
		if (addr_parse_ip(&a, name, strlen(name)) == 0)
			continue;
		if (SSL_set_tlsext_host_name(ssl, name) != 1)
			return -ENOMEM;
		break;
	}
	session = target_take_session(c->sip, &c->key);
	if (session)
		(void)SSL_set_session(ssl, session);
	SSL_SESSION_free(session);
	return 0;
}

static void prepare_accept(struct connection *c, const struct listener *l)
{
	SSL_set_accept_state(c->tls->ssl);
	if (l->asks_certificate)
		SSL_set_verify(
			c->tls->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
	c->tls->is_counted = true;
	c->source->handshakes++;
	c->sip->handshake_count++;
	c->sip->status.tls_handshakes = c->sip->handshake_count;
}

void tls_uncount(struct connection *c)
{
	if (!c->tls || !c->tls->is_counted)
		return;
	c->tls->is_counted = false;
	c->source->handshakes--;
	c->sip->handshake_count--;
	c->sip->status.tls_handshakes = c->sip->handshake_count;
}

int tls_start(struct connection *c)
{
	const struct listener *l = listener_at(c->sip, c->listener);
	struct tls *t = calloc(1, sizeof(*t));
	int ret = 0;

	if (!t)
		return -ENOMEM;
	SSL_CTX_sess_set_new_cb(l->tls, keep_session);
	t->ssl = SSL_new(l->tls);
	if (!t->ssl || SSL_set_fd(t->ssl, c->lf.fd) != 1) {
		SSL_free(t->ssl);
		free(t);
		return -ENOMEM;
	}
	SSL_set_app_data(t->ssl, c);
	c->tls = t;
	if (c->is_ours)
		ret = prepare_connect(c);
	else
		prepare_accept(c, l);
	return ret;
}

static void done(struct connection *c)
{
	const struct remote_key by_peer = {.listener = c->listener, .remote = c->remote};
	struct sip_status *status = &c->sip->status;
	struct remote_key key = by_peer;
	long error = check_again(c);

	tls_uncount(c);
	if (!error)
		c->peer = sip_intern(c->sip, admit_connection(c, NULL)->name);
	if (error || !c->peer) {
		if (error)
			tls_report(c, error, 0, c->tls->names);
		tcp_close(c, error ? -EACCES : -ENOMEM);
		return;
	}
	if (!c->is_ours) {
		key.peer = c->peer;
		key.remote.port = 0;
		tcp_key(c, &key);
	}
	status->tls_connected += c->is_ours;
	status->tls_accepted += !c->is_ours;
	status->tls_resumed += SSL_session_reused(c->tls->ssl) == 1;
	c->tls->wants_write = false;
	c->tls->has_more = SSL_has_pending(c->tls->ssl) == 1;
	tcp_established(c);
}

void tls_handshake(struct connection *c)
{
	struct tls *t = c->tls;
	int ret;

	ERR_clear_error();
	ret = SSL_do_handshake(t->ssl);
	if (ret == 1) {
		done(c);
		return;
	}
	ret = SSL_get_error(t->ssl, ret);
	t->wants_write = ret == SSL_ERROR_WANT_WRITE;
	if (ret == SSL_ERROR_WANT_WRITE || ret == SSL_ERROR_WANT_READ)
		return;
	t->error = -EPROTO;
	tls_report(c, SSL_get_verify_result(t->ssl), ERR_peek_error(), t->names);
	tcp_close(c, -EPROTO);
}

void tls_handshake_timeout(struct connection *c)
{
	tls_report_timeout(c);
	tcp_close(c, -ETIMEDOUT);
}

/* ---- data ---- */

/* What SSL_read or SSL_write could not do. 0: it will, later. */
static int take_error(struct connection *c)
{
	struct tls *t = c->tls;
	int system_error = errno;

	switch (SSL_get_error(t->ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		t->wants_write = false;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		t->wants_write = true;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		t->has_ended = true;
		return 0;
	case SSL_ERROR_SYSCALL:
		t->error = system_error ? -system_error : -ECONNRESET;
		return t->error;
	default:
		/* With TLS 1.3 a client hears only now that its certificate is refused. */
		if (c->is_ours && !c->is_proven)
			tls_report(c, X509_V_OK, ERR_peek_error(), t->names);
		t->error = -EPROTO;
		return t->error;
	}
}

ssize_t tls_recv(struct connection *c, char *buf, size_t len)
{
	struct tls *t = c->tls;
	size_t got = 0, n;

	if (t->error)
		return t->error;
	if (t->has_ended)
		return 0;
	t->has_more = false;
	do {
		ERR_clear_error();
		if (SSL_read_ex(t->ssl, buf + got, len - got, &n) != 1) {
			int ret = take_error(c);

			if (got)
				return (ssize_t)got;
			return ret ? ret : t->has_ended ? 0 : -EAGAIN;
		}
		got += n;
	} while (got < len && SSL_has_pending(t->ssl));
	t->has_more = SSL_has_pending(t->ssl) == 1;
	return (ssize_t)got;
}

ssize_t tls_send(struct connection *c, const char *buf, size_t len)
{
	struct tls *t = c->tls;
	size_t sent = 0, n;

	if (t->error)
		return t->error;
	t->wants_write = false;
	while (sent < len) {
		ERR_clear_error();
		if (SSL_write_ex(t->ssl, buf + sent, len - sent, &n) != 1) {
			int ret = take_error(c);

			if (ret)
				return ret;
			break;
		}
		sent += n;
	}
	return sent ? (ssize_t)sent : -EAGAIN;
}

void tls_stop(struct connection *c)
{
	struct tls *t = c->tls;

	ERR_clear_error();
	if (!c->is_handshaking && !t->error)
		(void)SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	free(t);
	c->tls = NULL;
	ERR_clear_error();
}

/* ---- what the operator sees ---- */

void sip_get_tls(const struct sip *sip, const char *peer, struct sip_tls_info *out)
{
	const struct connection *c, *shown = NULL;
	X509 *certificate;

	memset(out, 0, sizeof(*out));
	for (c = sip->connections_by_id; c; c = c->hh_id.next) {
		if (!c->tls || c->is_handshaking || !c->peer || strcmp(c->peer, peer) != 0)
			continue;
		out->connections++;
		shown = c; /* the newest */
	}
	if (!shown)
		return;
	out->opened_by_us = shown->is_ours;
	out->resumed = SSL_session_reused(shown->tls->ssl) == 1;
	snprintf(out->version, sizeof(out->version), "%s", SSL_get_version(shown->tls->ssl));
	snprintf(out->cipher, sizeof(out->cipher), "%s", SSL_get_cipher_name(shown->tls->ssl));
	certificate = tls_certificate(shown);
	out->has_certificate = certificate != NULL;
	if (certificate)
		certificate_get_info(certificate, &out->certificate);
}
