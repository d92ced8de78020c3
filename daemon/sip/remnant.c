/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

#include <stdlib.h>

/* The key of a client's begins with a word (transaction_key.c). */
static bool is_of_server(const struct remnant *l)
{
	return l->key[0] >= '0' && l->key[0] <= '9';
}

static void remnant_free(struct remnant *l)
{
	loop_timer_stop(l->sip->loop, &l->timer);
	if (is_of_server(l))
		known_drop(&l->sip->known, l->hh.hashv);
	HASH_DELETE(hh, l->sip->remnants, l);
	l->sip->remnant_count--;
	osip_free(l->text);
	free(l);
}

static void remnant_timeout(struct loop_timer *t)
{
	remnant_free((struct remnant *)(void *)((char *)t - offsetof(struct remnant, timer)));
}

struct remnant *remnant_find(struct sip *sip, const char *key, unsigned key_len)
{
	struct remnant *l;

	HASH_FIND(hh, sip->remnants, key, key_len, l);
	return l;
}

void remnant_add(struct sip *sip, const char *key, unsigned key_len, const struct flow *flow,
	char *text, size_t len, unsigned for_ms, bool is_accepted)
{
	struct remnant *l = NULL;

	if (for_ms && sip->remnant_count >= REMNANTS_MAX)
		sip->status.forgotten++;
	else if (for_ms && !remnant_find(sip, key, key_len))
		l = calloc(1, sizeof(*l) + key_len);
	if (!l) {
		osip_free(text);
		return;
	}
	l->sip = sip;
	l->flow = *flow;
	l->is_accepted = is_accepted;
	l->key_len = key_len;
	memcpy(l->key, key, key_len);
	l->timer.fire = remnant_timeout;
	table_add_failed = false;
	HASH_ADD(hh, sip->remnants, key, key_len, l);
	if (table_add_failed) {
		osip_free(text);
		free(l);
		return;
	}
	if (is_of_server(l))
		known_add(&sip->known, l->hh.hashv);
	sip->remnant_count++;
	l->text = text;
	l->len = len;
	if (loop_timer_start(sip->loop, &l->timer, for_ms))
		remnant_free(l);
}

void remnant_free_all(struct sip *sip)
{
	struct remnant *l, *next;

	HASH_ITER (hh, sip->remnants, l, next)
		remnant_free(l);
}
