/* SPDX-License-Identifier: BSD-2-Clause */
/* Round-trip times read from RTCP as it passes. The reports go from end to end, so RFC 3550 6.4.1
 * is applied from the middle: a sender report of leg X seen at t1 and the report block of the other
 * leg that names it (LSR, DLSR) seen at t2 give the round trip between us and that other leg,
 * t2 - t1 - DLSR. Receiver reference times and DLRR blocks (RFC 3611 4.4, 4.5) work the same way.
 */
#ifndef VIADUCT_MEDIA_RTCP_H
#define VIADUCT_MEDIA_RTCP_H

#include <stdbool.h>
#include <stdint.h>

#define RTCP_REPORTS_KEPT 3 /* as many reports of a leg may be on the way and not yet answered */
#define RTCP_UNHEARD      2 /* reports in a row without a packet: one may come too early */

struct rtcp_leg {
	struct {
		uint32_t ntp; /* middle 32 bits of the report's NTP timestamp; 0 = empty */
		uint64_t seen_ns;
	} report[RTCP_REPORTS_KEPT];
	uint8_t next;
	bool has_rtt;
	double rtt_ms; /* between us and this leg */
	/* What the leg says of what it is sent. */
	uint8_t unheard; /* last reports in a row by which it heard nothing, RTCP_UNHEARD at most */
	bool has_highest;    /* one has named a source */
	uint32_t highest;    /* extended sequence number that it had heard last */
	uint64_t told_ns;    /* when it said so last; 0 = never */
	double loss_percent; /* since the report before (RFC 3550 6.4.1, fraction lost) */
};

/* Reads the head of a compound packet that came from leg `from` at time_ns (monotonic); may be cut
 * off anywhere. Notes its reports in from, and round trips to from that follow from to's. */
void rtcp_read(struct rtcp_leg *from, const struct rtcp_leg *to, const uint8_t *data, unsigned len,
	uint64_t time_ns);

#endif
