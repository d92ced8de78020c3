/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/internal.h"

/* Parts are told apart by a byte that no part can hold. */
static void add_part(struct strbuf *out, struct text part)
{
	strbuf_addn(out, part.s ? part.s : "", part.len);
	strbuf_addn(out, "\n", 1);
}

static void add_host(struct strbuf *out, struct text host)
{
	strbuf_addn(out, host.s, host.len);
	for (size_t i = 0; i < host.len && !strbuf_error(out); i++) {
		char *c = &out->s[out->len - host.len + i];

		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
}

static bool has_cookie(struct text branch)
{
	size_t n = sizeof(VIA_BRANCH_COOKIE) - 1;

	return branch.len > n && strncasecmp(branch.s, VIA_BRANCH_COOKIE, n) == 0;
}

void transaction_server_key(struct strbuf *out, const struct raw *raw, const struct guard *g,
	const struct flow *flow, struct text method)
{
	if (text_is(method, "ACK"))
		method = (struct text){"INVITE", 6};
	strbuf_addu(out, flow->listener);
	strbuf_addn(out, "\n", 1);
	add_part(out, method);
	if (has_cookie(g->via.branch)) {
		add_host(out, g->via.host);
		strbuf_addn(out, ":", 1);
		strbuf_addu(out, g->via.port ? g->via.port : SIP_PORT);
		strbuf_addn(out, "\n", 1);
		add_part(out, g->via.branch);
		return;
	}
	/* RFC 2543: the fields that stay the same from INVITE to its ACK. To does not: it gets a
	 * tag from us in between. */
	add_part(out, raw->first[RAW_CALL_ID]->value);
	strbuf_addf(out, "%llu\n", (unsigned long long)g->cseq);
	add_part(out, raw->first[RAW_FROM]->value);
	add_part(out, (struct text){raw->first[RAW_VIA]->value.s, g->via.len});
}

void transaction_client_key(struct strbuf *out, struct text branch, struct text method)
{
	strbuf_add(out, "client\n");
	add_part(out, branch);
	add_part(out, method);
}
