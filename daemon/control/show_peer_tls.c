/* SPDX-License-Identifier: BSD-2-Clause */
/* One peer's TLS: our certificate, its own, and the connection that stands. */
#include "config/tls_context.h"
#include "control/request.h"

static void put_names(struct answer *a, int attr, char *const *name, unsigned count)
{
	struct nlattr *list = answer_nest(a, attr);

	for (unsigned i = 0; i < count; i++)
		answer_put_text(a, (int)i + 1, name[i]);
	answer_nest_end(a, list);
}

static void put_certificate(struct answer *a, int attr, const struct certificate_info *info)
{
	struct nlattr *one = answer_nest(a, attr);
	struct nlattr *list = answer_nest(a, VDC_CERTIFICATE_NAMES);

	for (unsigned i = 0; i < info->name_count; i++)
		answer_put_text(a, (int)i + 1, info->name[i]);
	answer_nest_end(a, list);
	answer_put_text(a, VDC_CERTIFICATE_ISSUER, info->issuer);
	answer_put_u64(a, VDC_CERTIFICATE_NOT_AFTER, (uint64_t)info->not_after);
	answer_put_s64(a, VDC_CERTIFICATE_DAYS_LEFT, info->days_left);
	answer_nest_end(a, one);
}

static void put_connection(struct answer *a, const struct sip_tls_info *info)
{
	answer_put_u32(a, VDC_PEER_TLS_CONNECTIONS, info->connections);
	if (!info->connections)
		return;
	answer_put_text(a, VDC_PEER_TLS_OPENED_BY, info->opened_by_us ? "us" : "peer");
	answer_put_text(a, VDC_PEER_TLS_TLS_VERSION, info->version);
	answer_put_text(a, VDC_PEER_TLS_CIPHER, info->cipher);
	answer_put_bool(a, VDC_PEER_TLS_RESUMED, info->resumed);
	if (info->has_certificate)
		put_certificate(a, VDC_PEER_TLS_THEIRS, &info->certificate);
}

static void put_findings(struct answer *a, const char *warning)
{
	struct nlattr *list = answer_nest(a, VDC_PEER_FINDINGS);
	struct nlattr *one = answer_nest(a, 1);

	answer_put_text(a, VDC_FINDING_CODE, "certificate_expires");
	answer_put_text(a, VDC_FINDING_TEXT, warning);
	answer_nest_end(a, one);
	answer_nest_end(a, list);
}

void show_put_peer_tls(struct request *r, const struct config *cfg, const struct peer_config *peer)
{
	const struct tls_profile *profile = cfg->listener[peer->listener].tls;
	struct certificate_info ours;
	char warning[TLS_PROBLEM_MAX];
	struct sip_tls_info info;
	struct nlattr *tls;

	if (!profile)
		return;
	tls_profile_get_info(profile, &ours);
	sip_get_tls(calls_sip(r->control->calls), peer->name, &info);
	tls = answer_nest(r->answer, VDC_PEER_TLS);
	answer_put_text(r->answer, VDC_PEER_TLS_PROFILE, profile->name);
	put_names(r->answer, VDC_PEER_TLS_CERTIFICATE_NAMES, peer->certificate_name,
		peer->certificate_name_count);
	put_certificate(r->answer, VDC_PEER_TLS_OURS, &ours);
	put_connection(r->answer, &info);
	answer_nest_end(r->answer, tls);
	if (tls_profile_warning(profile, warning))
		put_findings(r->answer, warning);
}
