/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/capability.h"

/* Whether that changed anything. */
static bool set(cap_value_t cap, cap_flag_t flag, cap_flag_value_t value)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t before;
	bool changed = false;

	if (!caps)
		return false;
	if (cap_get_flag(caps, cap, flag, &before) == 0 && before != value &&
		cap_set_flag(caps, flag, 1, &cap, value) == 0)
		changed = cap_set_proc(caps) == 0;
	cap_free(caps);
	return changed;
}

bool capability_raise(cap_value_t cap)
{
	return set(cap, CAP_EFFECTIVE, CAP_SET);
}

void capability_restore(cap_value_t cap, bool raised)
{
	if (raised)
		set(cap, CAP_EFFECTIVE, CAP_CLEAR);
}

void capability_forget(cap_value_t cap)
{
	set(cap, CAP_EFFECTIVE, CAP_CLEAR);
	set(cap, CAP_PERMITTED, CAP_CLEAR);
}
