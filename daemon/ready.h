/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling who started us that we serve. */
#ifndef VIADUCT_READY_H
#define VIADUCT_READY_H

/* Where systemd waits for it (Type=notify): the protocol of sd_notify(3), without its library. */
void ready_tell(void);

#endif
