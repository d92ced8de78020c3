/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/resolve.h"

static void resolve_timer(struct resolve *r, struct session_config *out,
	const struct file_session_timer *file, const char *base)
{
	char key[MISTAKE_KEY_MAX];

	out->timer = file->mode ? *file->mode : SESSION_TIMER_ACCEPT;
	out->refresher = file->refresher ? *file->refresher : SESSION_REFRESHER_AUTO;
	mistake_key(key, "%s.session_timer.min", base);
	out->min_s = key_number(r->mistakes, key, file->min);
	mistake_key(key, "%s.session_timer.interval", base);
	out->interval_s = key_number(r->mistakes, key, file->interval);
	if (file->interval && out->interval_s < out->min_s)
		mistake_add(r->mistakes, key, "%u is less than min; expected at least %u",
			out->interval_s, out->min_s);
	else if (out->interval_s < out->min_s)
		out->interval_s = out->min_s;
}

void resolve_session(struct resolve *r, struct session_config *out, const struct file_session *file,
	const char *base)
{
	char key[MISTAKE_KEY_MAX];

	resolve_timer(r, out, &file->timer, base);
	out->reliable = file->reliable ? *file->reliable : RELIABLE_PASS;
	out->delayed_offer = file->delayed_offer ? *file->delayed_offer : DELAYED_OFFER_ACCEPT;
	out->forking = file->forking ? *file->forking : FORKING_PASS;
	mistake_key(key, "%s.early_dialogs", base);
	out->early_dialogs_max = key_number(r->mistakes, key, file->early_dialogs);
	out->early_media = file->early_media ? *file->early_media : EARLY_MEDIA_PASS;
	out->ringing = file->ringing ? *file->ringing : RINGING_PASS;
	out->hold = file->hold ? *file->hold : HOLD_PASS;
}
