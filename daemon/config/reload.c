/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
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

int config_check_reload(const struct config *old, const struct config *cfg, FILE *errors)
{
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
	ret |= fixed(cfg, errors, line->instance, "instance", old->instance, cfg->instance);
	ret |= fixed_number(cfg, errors, line->control_port, "control.port", old->control_port,
		cfg->control_port);
	return ret ? -EINVAL : 0;
}
