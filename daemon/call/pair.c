/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts that a call is made of: pairs of dialogs, exchanges. How they come and go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/early.h"
#include "call/exchange.h"

struct pair *pair_new(struct call *call)
{
	struct pair *pair;

	if (call->pair_count >= CALL_PAIRS_MAX) {
		DL_FOREACH (call->pairs, pair) {
			if (pair->retired && !pair->refused)
				break;
		}
		if (!pair)
			return NULL;
		pair_free(pair);
	}
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return NULL;
	pair->call = call;
	DL_APPEND(call->pairs, pair);
	call->pair_count++;
	return pair;
}

void pair_retire(struct pair *pair)
{
	pair->retired = true;
	free(pair->early_answer);
	pair->early_answer = NULL;
	reliable_free(pair);
	if (!pair->has_dialog_a)
		return;
	pair->has_dialog_a = false;
	if (pair->tag_a_added)
		tag_del(pair->call->calls, &pair->tag_a);
	pair->tag_a_added = false;
	dialog_clear(&pair->leg[LEG_A]);
}

void pair_end_requests(struct pair *pair)
{
	struct exchange *x, *next;

	DL_FOREACH_SAFE (pair->call->exchanges, x, next) {
		if (x->pair != pair || x->is_initial)
			continue;
		exchange_refuse(x, SIP_CALL_TRANSACTION_DOES_NOT_EXIST, NULL, NULL);
		exchange_free(x);
	}
}

void pair_free(struct pair *pair)
{
	struct call *call = pair->call;

	pair_retire(pair);
	DL_DELETE(call->pairs, pair);
	call->pair_count--;
	dialog_clear(&pair->leg[LEG_B]);
	free(pair);
}

struct pair *pair_by_tags(struct call *call, const char *local_tag, const char *remote_tag)
{
	struct pair *pair;

	DL_FOREACH (call->pairs, pair) {
		const struct dialog *d = &pair->leg[LEG_B];

		if (strcmp(d->local_tag, local_tag) == 0 && strcmp(d->remote_tag, remote_tag) == 0)
			return pair;
	}
	return NULL;
}

struct exchange *exchange_new(struct call *call, enum leg from)
{
	struct exchange *x;

	if (call->exchange_count >= CALL_EXCHANGES_MAX)
		return NULL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->call = call;
	x->from = from;
	DL_APPEND(call->exchanges, x);
	call->exchange_count++;
	return x;
}

void exchange_free(struct exchange *x)
{
	struct call *call = x->call;

	if (x->server)
		sip_server_abandon(x->server);
	if (x->client)
		sip_client_abandon(x->client);
	loop_timer_stop(call->calls->loop, &x->timer_c);
	DL_DELETE(call->exchanges, x);
	if (x->is_bye)
		call->bye_count--;
	else
		call->exchange_count--;
	if (call->initial == x)
		call->initial = NULL;
	own_request_free(x);
	free(x->turned);
	free(x->ack);
	free(x);
}

void exchange_release_if_done(struct exchange *x)
{
	struct call *call = x->call;

	if (!x->server && !x->client && !x->ack_waits && !own_request_waits(x))
		exchange_free(x);
	call_release_if_done(call);
}
