/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers may take at once, each and together. */
#include "config/resolve.h"

/* 0, as for calls a second without a burst of their own: those of one second. */
static unsigned burst_of(unsigned burst, unsigned calls_per_second)
{
	return burst ? burst : calls_per_second;
}

static void resolve_overload(struct resolve *r)
{
	const struct file_overload *f = &r->file->overload;
	struct config *cfg = r->cfg;

	cfg->shed_from_ms = key_number(r->mistakes, "overload.shed_from", f->shed_from);
	cfg->shed_all_ms = key_number(r->mistakes, "overload.shed_all", f->shed_all);
	if (cfg->shed_all_ms && cfg->shed_all_ms <= cfg->shed_from_ms)
		mistake_add(r->mistakes, "overload.shed_all",
			"%u is not above shed_from; expected more than %u, or 0 for never",
			cfg->shed_all_ms, cfg->shed_from_ms);
}

void resolve_limits(struct resolve *r)
{
	const struct file_limits *f = &r->file->limits;
	struct limits_config *l = &r->cfg->limits;
	struct mistakes *m = r->mistakes;

	l->calls = r->cfg->calls_max = key_number(m, "limits.calls", f->calls);
	l->calls_per_second = key_number(m, "limits.calls_per_second", f->calls_per_second);
	l->burst = burst_of(key_number(m, "limits.burst", f->burst), l->calls_per_second);
	l->bandwidth = key_number(m, "limits.bandwidth", f->bandwidth);
	r->cfg->preempt = f->preempt ? *f->preempt : PREEMPT_NONE;
	l->code = key_number(m, "limits.code", f->code);
	l->retry_after_s = key_number(m, "limits.retry_after", f->retry_after);
	r->cfg->audio_kbit = key_number(m, "limits.audio_bandwidth", f->audio_bandwidth);
	r->cfg->video_kbit = key_number(m, "limits.video_bandwidth", f->video_bandwidth);
	resolve_overload(r);
}

void resolve_peer_limits(
	struct resolve *r, struct peer_config *peer, const struct file_peer *file, const char *base)
{
	const struct file_peer_limits *f = &file->limits;
	struct limits_config *l = &peer->limits;
	struct mistakes *m = r->mistakes;
	char key[MISTAKE_KEY_MAX];

	l->calls = key_number(m, mistake_key(key, "%s.limits.calls", base), f->calls);
	l->calls_per_second = key_number(
		m, mistake_key(key, "%s.limits.calls_per_second", base), f->calls_per_second);
	l->burst = burst_of(key_number(m, mistake_key(key, "%s.limits.burst", base), f->burst),
		l->calls_per_second);
	l->bandwidth = key_number(m, mistake_key(key, "%s.limits.bandwidth", base), f->bandwidth);
	l->code = key_number(m, mistake_key(key, "%s.limits.code", base), f->code);
	l->retry_after_s =
		key_number(m, mistake_key(key, "%s.limits.retry_after", base), f->retry_after);
	mistake_key(key, "%s.calls_max", base);
	if (file->calls_max && f->calls)
		mistake_add(m, key, "limits.calls says it too; expected one of the two");
	else if (file->calls_max)
		l->calls = key_number(m, key, file->calls_max);
}
