/* SPDX-License-Identifier: BSD-2-Clause */
/* Where calls and dialogs are found: by id and in the order of ids, by tag, by what makes two
 * INVITEs the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call/internal.h"

#define ORDER_FIRST 256

/* ---- order of ids: a sorted vector with holes ---- */

static void order_pack(struct order *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->len; i++) {
		if (!o->slot[i])
			continue;
		o->slot[n] = o->slot[i];
		o->id[n] = o->id[i];
		o->slot[n]->index = n;
		n++;
	}
	o->len = n;
	o->dead = 0;
}

int order_append(struct order *o, struct call *call)
{
	if (o->len == o->room && o->dead > o->len / 2)
		order_pack(o);
	if (o->len == o->room) {
		unsigned room = o->room ? o->room * 2 : ORDER_FIRST;
		struct call **slot = realloc(o->slot, room * sizeof(struct call *));
		uint64_t *id;

		if (!slot)
			return -ENOMEM;
		o->slot = slot;
		id = realloc(o->id, room * sizeof(uint64_t));
		if (!id)
			return -ENOMEM;
		o->id = id;
		o->room = room;
	}
	o->slot[o->len] = call;
	o->id[o->len] = call->id;
	call->index = o->len++;
	return 0;
}

void order_remove(struct order *o, struct call *call)
{
	o->slot[call->index] = NULL;
	o->dead++;
}

struct call *call_next(struct calls *calls, uint64_t after)
{
	const struct order *o = &calls->order;
	unsigned low = 0, high = o->len;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (o->id[mid] <= after)
			low = mid + 1;
		else
			high = mid;
	}
	while (low < o->len && !o->slot[low])
		low++;
	return low < o->len ? o->slot[low] : NULL;
}

struct call *call_by_id(struct calls *calls, uint64_t id)
{
	struct call *call;

	HASH_FIND(hh_id, calls->by_id, &id, sizeof(id), call);
	return call;
}

/* ---- tags ---- */

int tag_add(struct calls *calls, struct tag *tag)
{
	table_add_failed = false;
	HASH_ADD(hh, calls->tags, text, DIALOG_TAG_LEN, tag);
	return table_add_failed ? -ENOMEM : 0;
}

void tag_del(struct calls *calls, struct tag *tag)
{
	HASH_DELETE(hh, calls->tags, tag);
}

/* ---- merged requests ---- */

static void merge_key_make(const osip_message_t *invite, struct merge_key *key)
{
	const char *tag = sip_tag(invite->from);
	const char *number = invite->call_id->number ? invite->call_id->number : "";
	const char *host = invite->call_id->host ? invite->call_id->host : "";

	key->hash[0] =
		(uint64_t)table_hash(number, strlen(number)) << 32 | table_hash(host, strlen(host));
	key->hash[1] = (uint64_t)table_hash(tag, strlen(tag)) << 32 | sip_cseq_number(invite);
}

bool merge_key_exists(struct calls *calls, const osip_message_t *invite)
{
	struct merge_key key;
	struct call *call;

	merge_key_make(invite, &key);
	HASH_FIND(hh_merge, calls->by_merge_key, &key, sizeof(key), call);
	return call != NULL;
}

int merge_key_add(struct call *call, const osip_message_t *invite)
{
	merge_key_make(invite, &call->merge_key);
	table_add_failed = false;
	HASH_ADD(hh_merge, call->calls->by_merge_key, merge_key, sizeof(struct merge_key), call);
	call->merge_added = !table_add_failed;
	return table_add_failed ? -ENOMEM : 0;
}

void merge_key_del(struct call *call)
{
	if (call->merge_added)
		HASH_DELETE(hh_merge, call->calls->by_merge_key, call);
	call->merge_added = false;
}
