/* SPDX-License-Identifier: BSD-2-Clause */
/* A capability that is needed now and then: kept out of effect save while it is used. */
#ifndef VIADUCT_BASE_CAPABILITY_H
#define VIADUCT_BASE_CAPABILITY_H

#include <sys/capability.h>

/* Puts a permitted capability into effect, and out again. Without the permission nothing happens:
 * what needs it says so itself. */
void capability_raise(cap_value_t cap);
void capability_lower(cap_value_t cap);
/* Gives it up for good. */
void capability_forget(cap_value_t cap);

#endif
