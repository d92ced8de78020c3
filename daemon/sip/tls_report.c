/* SPDX-License-Identifier: BSD-2-Clause */
/* What operators are told of TLS: why there is no connection, and that certificates run out. */
#include "sip/internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>

#include "base/log.h"
#include "config/tls_context.h"

#define REPORT_MAX      512 /* bytes of a line */
#define EXPIRY_EVERY_MS (24 * 3600 * 1000)

static void tell(struct sip *sip, const char *text)
{
	log_warn("tls: %s", text);
	if (sip->handlers.event)
		sip->handlers.event(sip->handlers.ctx, "tls", text);
}

static void refused(struct connection *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The one line and the one event: "192.0.2.2:40000 at listener itsp refused: no certificate". */
static void refused(struct connection *c, const char *fmt, ...)
{
	const struct listener *l = listener_at(c->sip, c->listener);
	char text[REPORT_MAX], remote[ADDR_TEXT_MAX];
	va_list ap;
	size_t n;

	if (!log_limit_ok(&c->sip->tls_limit))
		return;
	addr_print(&c->remote, remote);
	if (c->is_ours)
		n = (size_t)snprintf(text, sizeof(text), "peer %s at %s: ", c->peer, remote);
	else
		n = (size_t)snprintf(text, sizeof(text), "%s at listener %s refused: ", remote,
			l ? c->sip->cfg->listener[l->index].name : "-");
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	tell(c->sip, text);
}

/* What its certificate should have said. */
static void print_expected(const struct connection *c, char buf[CERTIFICATE_TEXT_MAX])
{
	const struct peer_config *peer = c->is_ours ? admit_name(c->sip, c->peer) : NULL;
	size_t n = 0;

	snprintf(buf, CERTIFICATE_TEXT_MAX, "a name of a peer there");
	for (unsigned i = 0; peer && i < peer->certificate_name_count && n < CERTIFICATE_TEXT_MAX;
		i++)
		n += (size_t)snprintf(buf + n, CERTIFICATE_TEXT_MAX - n, "%s%s", i ? " or " : "",
			peer->certificate_name[i]);
}

static void report_certificate(struct connection *c, long error, const char *names)
{
	struct sip_status *status = &c->sip->status;
	char expected[CERTIFICATE_TEXT_MAX];

	if (error == X509_V_ERR_HOSTNAME_MISMATCH) {
		status->tls_wrong_name++;
		print_expected(c, expected);
		refused(c, "its certificate is for %s, expected %s", names[0] ? names : "no name",
			expected);
		return;
	}
	if (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)
		status->tls_expired++;
	else
		status->tls_untrusted++;
	refused(c, "its certificate for %s is not accepted: %s", names[0] ? names : "no name",
		X509_verify_cert_error_string(error));
}

void tls_report(struct connection *c, long verify_error, unsigned long error, const char *names)
{
	struct sip_status *status = &c->sip->status;
	const char *text = ERR_reason_error_string(error);
	int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;

	if (verify_error != X509_V_OK) {
		report_certificate(c, verify_error, names);
	} else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		status->tls_no_certificate++;
		refused(c, "it shows no certificate");
	} else if (reason > SSL_AD_REASON_OFFSET) {
		status->tls_refused_us++;
		refused(c, "it refuses us: %s", text ? text : "an alert");
	} else {
		status->tls_failed++;
		refused(c, "no TLS connection: %s", text ? text : "closed during the handshake");
	}
}

void tls_report_timeout(struct connection *c)
{
	c->sip->status.tls_timeouts++;
	refused(c, "no TLS connection: the handshake is not done in time");
}

static void look_at_expiry(struct sip *sip)
{
	for (unsigned i = 0; i < sip->cfg->tls_count; i++) {
		char text[TLS_PROBLEM_MAX];

		if (tls_profile_warning(&sip->cfg->tls[i], text))
			tell(sip, text);
	}
}

static void expiry_fire(struct loop_timer *t)
{
	tls_watch_expiry((struct sip *)(void *)((char *)t - offsetof(struct sip, expiry_timer)));
}

void tls_watch_expiry(struct sip *sip)
{
	look_at_expiry(sip);
	sip->expiry_timer.fire = expiry_fire;
	if (loop_timer_start(sip->loop, &sip->expiry_timer, EXPIRY_EVERY_MS))
		log_warn("tls: out of memory: expiring certificates are not told any more");
}
