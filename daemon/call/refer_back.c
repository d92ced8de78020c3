/* SPDX-License-Identifier: BSD-2-Clause */
/* A REFER that leads back to the peer that has sent it (refer: back), as Microsoft Teams has it:
 * its URI means something to that peer alone. The target's INVITE goes there, to a configured peer
 * whatever the URI says, with the URI and Referred-By as they came. The rest is as in any other
 * transfer (transfer_blind.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call/refer.h"
#include "call/transfer.h"

/* No route leads there; nothing of a caller's is replaced. */
static const struct route_config straight = {.name = NULL};

const struct refer_to *refer_back_of(const struct call *call)
{
	const struct transfer *t = call->target_of;

	return t && !t->is_attended && t->to.uri ? &t->to : NULL;
}

/* ---- which peer ---- */

static bool has_host(const struct peer_config *peer, const char *host)
{
	struct addr ip;

	if (peer->host)
		return strcasecmp(peer->host, host) == 0;
	return addr_parse_ip(&ip, host, strlen(host)) == 0 && addr_equal_ip(&ip, &peer->address);
}

static bool is_member(const struct group_config *group, unsigned peer)
{
	for (unsigned i = 0; i < group->member_count; i++) {
		if (group->member[i].peer == peer)
			return true;
	}
	return false;
}

static bool is_candidate(const struct route_result *r, const struct peer_config *peer)
{
	for (unsigned i = 0; i < r->candidate_count; i++) {
		if (r->candidate[i].peer == peer)
			return true;
	}
	return false;
}

static void add(struct route_result *r, const struct peer_config *peer, unsigned priority)
{
	if (r->candidate_count < ROUTE_CANDIDATES_MAX && !is_candidate(r, peer))
		r->candidate[r->candidate_count++] = (struct route_candidate){
			.peer = peer, .route = &straight, .priority = priority};
}

/* The host's, of those that stand in a group with the referrer. */
static const struct peer_config *find_peer(
	const struct config *cfg, const struct peer_config *referrer, const char *host)
{
	unsigned index = config_peer_index(cfg, referrer);

	if (has_host(referrer, host))
		return referrer;
	for (unsigned i = 0; i < cfg->group_count; i++) {
		const struct group_config *group = &cfg->group[i];

		if (!is_member(group, index))
			continue;
		for (unsigned j = 0; j < group->member_count; j++) {
			const struct peer_config *peer = &cfg->peer[group->member[j].peer];

			if (has_host(peer, host))
				return peer;
		}
	}
	return referrer;
}

/* Those that know what such a URI means as the first does, in the order of the groups. */
static void add_others(
	const struct config *cfg, const struct peer_config *referrer, struct route_result *r)
{
	unsigned index = config_peer_index(cfg, referrer), priority = 0;

	for (unsigned i = 0; i < cfg->group_count; i++) {
		const struct group_config *group = &cfg->group[i];

		if (!is_member(group, index))
			continue;
		for (unsigned j = 0; j < group->member_count; j++) {
			const struct group_member *m = &group->member[j];
			const struct peer_config *peer = &cfg->peer[m->peer];

			if (!j || m->priority != m[-1].priority || m->cost != m[-1].cost)
				priority++;
			if (peer->refer == REFER_BACK)
				add(r, peer, priority);
		}
	}
}

/* With its parts as well, for whoever asks for one; it is written as it is. */
static osip_uri_t *make_uri(const char *text)
{
	osip_uri_t *uri = NULL;

	if (osip_uri_init(&uri))
		return NULL;
	if (osip_uri_parse(uri, text) == 0) {
		osip_free(uri->string);
		uri->string = osip_strdup(strchr(text, ':') + 1);
		if (uri->string)
			return uri;
	}
	osip_uri_free(uri);
	return NULL;
}

void refer_back_find(const struct call *call, struct route_result *out)
{
	const struct peer_config *referrer =
		call->asking ? config_peer_by_name(call->cfg, call->asking->name) : NULL;
	osip_uri_t *uri = make_uri(refer_back_of(call)->uri);

	*out = (struct route_result){.verdict = ROUTE_DENIED, .route = &straight};
	if (referrer) {
		out->verdict = ROUTE_FOUND;
		add(out, uri && uri->host ? find_peer(call->cfg, referrer, uri->host) : referrer,
			0);
		add_others(call->cfg, referrer, out);
	}
	osip_uri_free(uri);
}

/* ---- its INVITE ---- */

/* What is too long for the To of a dialog is without its parameters there: the Request-URI alone
 * says whom it goes to (RFC 3261 8.1.1.1). */
static osip_uri_t *make_to(const char *text)
{
	char *cut = strdup(text), *host;
	osip_uri_t *uri = NULL;

	if (!cut)
		return NULL;
	if (strlen(text) + strlen("<>") > DIALOG_URI_MAX) {
		host = strchr(cut, '@') ? strchr(cut, '@') : cut;
		host[strcspn(host, ";")] = '\0';
	}
	uri = make_uri(cut);
	free(cut);
	return uri;
}

int refer_back_write(const struct refer_to *to, osip_message_t *invite)
{
	char *replaces = NULL;
	int ret = 0;

	osip_uri_free(invite->req_uri);
	invite->req_uri = make_uri(to->uri);
	osip_uri_free(invite->to->url);
	invite->to->url = make_to(to->uri);
	if (!invite->req_uri || !invite->to->url)
		return -ENOMEM;
	if (to->referred_by && osip_message_set_header(invite, "Referred-By", to->referred_by))
		return -ENOMEM;
	if (to->has_replaces) {
		replaces = replaces_print(&to->replaces);
		if (!replaces || osip_message_set_header(invite, "Replaces", replaces))
			ret = -ENOMEM;
		free(replaces);
	}
	return ret;
}
