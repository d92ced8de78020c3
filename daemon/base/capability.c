/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/capability.h"

static void set(cap_value_t cap, cap_flag_t flag, cap_flag_value_t value)
{
	cap_t caps = cap_get_proc();

	if (!caps)
		return;
	if (cap_set_flag(caps, flag, 1, &cap, value) == 0)
		cap_set_proc(caps);
	cap_free(caps);
}

void capability_raise(cap_value_t cap)
{
	set(cap, CAP_EFFECTIVE, CAP_SET);
}

void capability_lower(cap_value_t cap)
{
	set(cap, CAP_EFFECTIVE, CAP_CLEAR);
}

void capability_forget(cap_value_t cap)
{
	set(cap, CAP_EFFECTIVE, CAP_CLEAR);
	set(cap, CAP_PERMITTED, CAP_CLEAR);
}
