/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>

#include "config/config.h"

static int fixed(const struct config *cfg, FILE *errors, unsigned line, const char *key,
	const char *old, const char *now)
{
	if (strcmp(old, now) == 0)
		return 0;
	fprintf(errors, "%s:%u: %s: \"%s\" takes effect by a restart alone; expected \"%s\"\n",
		cfg->file, line, key, now, old);
	return -EINVAL;
}

static int fixed_number(const struct config *cfg, FILE *errors, unsigned line, const char *key,
	unsigned old, unsigned now)
{
	if (old == now)
		return 0;
	fprintf(errors, "%s:%u: %s: %u takes effect by a restart alone; expected %u\n", cfg->file,
		line, key, now, old);
	return -EINVAL;
}

static bool is_valid_now(const struct tls_profile *tls)
{
	const X509 *x = SSL_CTX_get0_certificate(tls->context);

	return X509_cmp_current_time(X509_get0_notBefore(x)) < 0 &&
	       X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

/* A certificate that has run out is no mistake by itself: a daemon that has other things to do
 * must start with it. But it replaces none that is valid. */
static int check_certificates(const struct config *old, const struct config *cfg, FILE *errors)
{
	int ret = 0;

	for (unsigned i = 0; i < cfg->tls_count; i++) {
		for (unsigned j = 0; j < old->tls_count; j++) {
			if (strcmp(cfg->tls[i].name, old->tls[j].name) != 0 ||
				is_valid_now(&cfg->tls[i]) || !is_valid_now(&old->tls[j]))
				continue;
			fprintf(errors,
				"%s:%u: tls[%u].certificate: \"%s\" is not valid now, and the one "
				"in force is; expected one that is valid\n",
				cfg->file, cfg->line.tls_certificate[i], i,
				cfg->tls[i].certificate);
			ret = -EINVAL;
		}
	}
	return ret;
}

int config_check_reload(const struct config *old, const struct config *cfg, FILE *errors)
{
	static const char *const batching_word[] = {
		[BATCHING_AUTO] = "auto", [BATCHING_ON] = "on", [BATCHING_OFF] = "off"};
	static const char *const device_key[] = {"sides.internal.device", "sides.external.device"};
	static const char *const vlan_key[] = {"sides.internal.vlan", "sides.external.vlan"};
	const struct config_lines *line = &cfg->line;
	int ret = 0;

	for (unsigned i = 0; i < SIDE_COUNT; i++) {
		const struct side_config *was = &old->side[i], *is = &cfg->side[i];

		ret |= fixed(cfg, errors, line->device[i], device_key[i], was->device, is->device);
		ret |= fixed_number(cfg, errors, line->vlan[i], vlan_key[i], was->vlan, is->vlan);
	}
	ret |= fixed(cfg, errors, line->user, "user", old->user, cfg->user);
	ret |= fixed(cfg, errors, line->bpf_dir, "bpf_dir", old->bpf_dir, cfg->bpf_dir);
	ret |= fixed(cfg, errors, line->state_dir, "state_dir", old->state_dir, cfg->state_dir);
	ret |= fixed(cfg, errors, line->instance, "instance", old->instance, cfg->instance);
	ret |= fixed_number(cfg, errors, line->control_port, "control.port", old->control_port,
		cfg->control_port);
	ret |= fixed(cfg, errors, line->batching, "batching", batching_word[old->batching],
		batching_word[cfg->batching]);
	ret |= check_certificates(old, cfg, errors);
	return ret ? -EINVAL : 0;
}
