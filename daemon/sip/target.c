/* SPDX-License-Identifier: BSD-2-Clause */
/* What is remembered of the places that we connect to: how long to leave them alone after failures
 * (RFC 5626 4.5), and the TLS session to resume. */
#include "sip/internal.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>

static struct target *find(struct sip *sip, const struct remote_key *key)
{
	struct target *t;

	HASH_FIND(hh, sip->targets, key, sizeof(*key), t);
	return t;
}

static void target_free(struct sip *sip, struct target *t)
{
	HASH_DELETE(hh, sip->targets, t);
	SSL_SESSION_free(t->session);
	free(t);
}

/* NULL without memory: then nothing is remembered. */
static struct target *find_or_add(struct sip *sip, const struct remote_key *key)
{
	struct target *t = find(sip, key);

	if (t)
		return t;
	/* Kept in the order of their coming, so the first is the oldest. */
	if (HASH_COUNT(sip->targets) >= TARGETS_MAX) {
		target_free(sip, sip->targets);
		sip->status.places_forgotten++;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->key = *key;
	table_add_failed = false;
	HASH_ADD(hh, sip->targets, key, sizeof(t->key), t);
	if (!table_add_failed)
		return t;
	free(t);
	return NULL;
}

int target_check(struct sip *sip, const struct remote_key *key)
{
	const struct target *t = find(sip, key);

	if (!t || t->until_ms <= loop_now_ms(sip->loop))
		return 0;
	sip->status.backoff_refused++;
	return -EHOSTDOWN;
}

/* The first failure is forgiven: a peer that restarts is back before the next call. */
void target_failed(struct sip *sip, const struct remote_key *key)
{
	uint64_t max_ms = (uint64_t)sip->cfg->reconnect_s * 1000, delay_ms = 0;
	struct target *t = find_or_add(sip, key);

	if (!t)
		return;
	t->failures++;
	if (t->failures > 1)
		delay_ms =
			t->failures < 32 ? (uint64_t)BACKOFF_FIRST_MS << (t->failures - 2) : max_ms;
	if (delay_ms)
		t->until_ms = loop_now_ms(sip->loop) + (delay_ms < max_ms ? delay_ms : max_ms);
}

void target_reached(struct sip *sip, const struct remote_key *key)
{
	struct target *t = find(sip, key);

	if (!t)
		return;
	t->failures = 0;
	t->until_ms = 0;
	if (!t->session)
		target_free(sip, t);
}

void target_keep_session(struct sip *sip, const struct remote_key *key, SSL_SESSION *session)
{
	struct target *t = find_or_add(sip, key);

	if (!t) {
		SSL_SESSION_free(session);
		return;
	}
	SSL_SESSION_free(t->session);
	t->session = session;
}

/* RFC 8446 C.4: a ticket is used once. */
SSL_SESSION *target_take_session(struct sip *sip, const struct remote_key *key)
{
	struct target *t = find(sip, key);
	SSL_SESSION *session = t ? t->session : NULL;

	if (t)
		t->session = NULL;
	return session;
}

/* They were agreed upon with files that are not in force any more. */
void target_forget_sessions(struct sip *sip)
{
	struct target *t, *next;

	HASH_ITER (hh, sip->targets, t, next) {
		SSL_SESSION_free(t->session);
		t->session = NULL;
		if (!t->failures)
			target_free(sip, t);
	}
}

void target_free_all(struct sip *sip)
{
	struct target *t, *next;

	HASH_ITER (hh, sip->targets, t, next)
		target_free(sip, t);
}
