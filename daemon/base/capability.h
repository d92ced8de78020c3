/* SPDX-License-Identifier: BSD-2-Clause */
/* A capability that is needed now and then: kept out of effect save while it is used. */
#ifndef VIADUCT_BASE_CAPABILITY_H
#define VIADUCT_BASE_CAPABILITY_H

#include <stdbool.h>
#include <sys/capability.h>

/* Puts a permitted capability into effect; whether it was out of it. Without the permission nothing
 * happens: what needs it says so itself. */
bool capability_raise(cap_value_t cap);
/* Puts it out of effect again, where raised is capability_raise's true. */
void capability_restore(cap_value_t cap, bool raised);
/* Gives it up for good. */
void capability_forget(cap_value_t cap);

#endif
