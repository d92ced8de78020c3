/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening quality of a stream as received here, by the E-model (ITU-T G.107). */
#ifndef VIADUCT_MEDIA_QUALITY_H
#define VIADUCT_MEDIA_QUALITY_H

/* Loss above which a stream counts as poor: over its time, and in one sample. */
#define QUALITY_POOR_MEAN_PERCENT 1.0
#define QUALITY_POOR_MAX_PERCENT  5.0

/* codec: encoding name ("PCMA", what follows a '/' is ignored). loss_percent 0..100, jitter_ms by
 * RFC 3550 6.4.1, rtt_ms of the leg, < 0 where it is not known. Returns MOS, 1 to 4.5. */
double quality_mos(const char *codec, double loss_percent, double jitter_ms, double rtt_ms);

#endif
