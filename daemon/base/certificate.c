/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/certificate.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/addr.h"

#define DAY_S (24 * 3600)

static bool is_address(const char *name)
{
	struct addr a;

	return addr_parse_ip(&a, name, strlen(name)) == 0;
}

/* The host of "sip:host", "" for a URI that names more or something else (RFC 5922 7.1). */
static const char *sip_domain(const char *uri)
{
	if (strncasecmp(uri, "sip:", 4) != 0 || strpbrk(uri + 4, "@:;?/"))
		return "";
	return uri + 4;
}

/* An IA5String as text; NULL where a NUL hides in it. */
static const char *text_of(const ASN1_IA5STRING *s)
{
	const char *text = (const char *)ASN1_STRING_get0_data(s);

	return text && strlen(text) == (size_t)ASN1_STRING_length(s) ? text : NULL;
}

static bool has_sip_domain(const GENERAL_NAMES *names, const char *name)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const char *uri = g->type == GEN_URI ? text_of(g->d.ia5) : NULL;

		if (uri && strcasecmp(sip_domain(uri), name) == 0)
			return true;
	}
	return false;
}

bool certificate_is_for(X509 *certificate, const char *name)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	bool ret;

	if (names)
		flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
	if (!name[0])
		ret = false;
	else if (is_address(name))
		ret = X509_check_ip_asc(certificate, name, 0) == 1;
	else
		ret = X509_check_host(certificate, name, strlen(name), flags, NULL) == 1 ||
		      (names && has_sip_domain(names, name));
	GENERAL_NAMES_free(names);
	return ret;
}

static void add_name(struct certificate_info *out, const char *text)
{
	if (text && text[0] && out->name_count < CERTIFICATE_NAMES_MAX)
		snprintf(out->name[out->name_count++], CERTIFICATE_TEXT_MAX, "%s", text);
}

static void add_address(struct certificate_info *out, const ASN1_OCTET_STRING *ip)
{
	struct addr a = {.family = ASN1_STRING_length(ip) == 4 ? 4 : 6};
	char text[ADDR_TEXT_MAX];

	if (ASN1_STRING_length(ip) != 4 && ASN1_STRING_length(ip) != 16)
		return;
	memcpy(a.ip, ASN1_STRING_get0_data(ip), (size_t)ASN1_STRING_length(ip));
	add_name(out, addr_print_ip(&a, text));
}

static void add_names(struct certificate_info *out, const GENERAL_NAMES *names)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type == GEN_DNS)
			add_name(out, text_of(g->d.dNSName));
		else if (g->type == GEN_IPADD)
			add_address(out, g->d.iPAddress);
		else if (g->type == GEN_URI && text_of(g->d.ia5))
			add_name(out, sip_domain(text_of(g->d.ia5)));
	}
}

static void common_name(X509_NAME *name, char out[CERTIFICATE_TEXT_MAX])
{
	if (X509_NAME_get_text_by_NID(name, NID_commonName, out, CERTIFICATE_TEXT_MAX) < 0)
		out[0] = '\0';
}

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) ? (int64_t)timegm(&tm) : 0;
}

void certificate_get_info(X509 *certificate, struct certificate_info *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int64_t left;

	out->name_count = 0;
	if (names) {
		add_names(out, names);
	} else {
		char cn[CERTIFICATE_TEXT_MAX];

		common_name(X509_get_subject_name(certificate), cn);
		add_name(out, cn);
	}
	GENERAL_NAMES_free(names);
	common_name(X509_get_issuer_name(certificate), out->issuer);
	if (!out->issuer[0])
		X509_NAME_oneline(
			X509_get_issuer_name(certificate), out->issuer, CERTIFICATE_TEXT_MAX);
	out->not_after = seconds_of(X509_get0_notAfter(certificate));
	left = out->not_after - (int64_t)time(NULL);
	out->days_left = (int)(left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S));
}

const char *certificate_name_list(
	const struct certificate_info *info, char buf[CERTIFICATE_TEXT_MAX])
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < info->name_count && n < CERTIFICATE_TEXT_MAX; i++)
		n += (size_t)snprintf(
			buf + n, CERTIFICATE_TEXT_MAX - n, "%s%s", i ? ", " : "", info->name[i]);
	return buf;
}
