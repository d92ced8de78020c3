/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS profiles: their files are read here, so that a wrong one is a mistake like any other. */
#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "config/resolve.h"
#include "config/tls_context.h"

/* A copy of a path that is written; NULL where there is none. */
static int copy_path(
	struct resolve *r, char **out, const char *path, unsigned index, const char *key)
{
	char full[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	if (!path)
		return 0;
	*out = strdup(path);
	mistake_key(full, "tls[%u].%s", index, key);
	if (path[0] != '/')
		mistake_add(r->mistakes, full, "%s is not absolute; expected %s",
			mistake_quote(quoted, path), key_expected(want, full));
	return *out ? 0 : -ENOMEM;
}

static void check_names(struct resolve *r, unsigned index)
{
	const struct file_tls *file = &r->file->tls[index];
	char key[MISTAKE_KEY_MAX], quoted[MISTAKE_QUOTE_MAX], want[KEY_EXPECTED_MAX];

	mistake_key(key, "tls[%u].name", index);
	resolve_name(r, key, file->name);
	for (unsigned i = 0; i < index; i++) {
		if (strcmp(r->file->tls[i].name, file->name) == 0)
			mistake_add(r->mistakes, key,
				"\"%.63s\" is also tls[%u]; expected a name of its own", file->name,
				i);
	}
	mistake_key(key, "tls[%u].fqdn", index);
	if (file->fqdn && !resolve_is_host_name(file->fqdn))
		mistake_add(r->mistakes, key, "%s is no host name; expected %s",
			mistake_quote(quoted, file->fqdn), key_expected(want, key));
}

/* Its texts are there: its files. */
static int resolve_context(struct resolve *r, unsigned index)
{
	struct tls_problem problem;
	char key[MISTAKE_KEY_MAX];
	int ret = tls_context_new(&r->cfg->tls[index], &problem);

	r->cfg->line.tls_certificate[index] =
		document_line(r->mistakes->root, mistake_key(key, "tls[%u].certificate", index));
	if (ret != -EINVAL)
		return ret;
	mistake_add(r->mistakes, mistake_key(key, "tls[%u].%s", index, problem.key), "%s",
		problem.text);
	return 0;
}

static int resolve_profile(struct resolve *r, unsigned index)
{
	const struct file_tls *file = &r->file->tls[index];
	struct tls_profile *tls = &r->cfg->tls[index];
	unsigned mistakes = r->mistakes->count;
	int ret;

	r->cfg->tls_count++;
	tls->name = strdup(file->name);
	tls->fqdn = file->fqdn ? strdup(file->fqdn) : NULL;
	if (!tls->name || (file->fqdn && !tls->fqdn))
		return -ENOMEM;
	check_names(r, index);
	tls->verify = file->verify ? *file->verify : TLS_VERIFY_MUTUAL;
	tls->min_version = file->min_version && *file->min_version == FILE_TLS_1_3 ? TLS1_3_VERSION
										   : TLS1_2_VERSION;
	ret = copy_path(r, &tls->certificate, file->certificate, index, "certificate");
	if (!ret)
		ret = copy_path(r, &tls->key, file->key, index, "key");
	if (!ret)
		ret = copy_path(r, &tls->ca, file->ca, index, "ca");
	if (!ret && r->mistakes->count == mistakes)
		ret = resolve_context(r, index);
	return ret;
}

int resolve_tls(struct resolve *r)
{
	int ret = 0;

	if (!r->file->tls_count)
		return 0;
	r->cfg->tls = calloc(r->file->tls_count, sizeof(*r->cfg->tls));
	if (!r->cfg->tls)
		return -ENOMEM;
	for (unsigned i = 0; i < r->file->tls_count && !ret; i++)
		ret = resolve_profile(r, i);
	return ret;
}
