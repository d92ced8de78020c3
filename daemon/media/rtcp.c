/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/rtcp.h"

/* RFC 3550 6.4, RFC 3611 2: packet types, lengths in bytes. */
#define RTCP_VERSION       2
#define RTCP_SR            200
#define RTCP_RR            201
#define RTCP_XR            207
#define HEADER_BYTES       8 /* with the sender's SSRC */
#define SENDER_INFO_BYTES  20
#define REPORT_BLOCK_BYTES 24
#define XR_HEADER_BYTES    4
#define XR_REFERENCE_TIME  4
#define XR_DLRR            5
#define XR_DLRR_BYTES      12
#define XR_REFERENCE_BYTES 8
#define DELAY_UNITS_A_SEC  65536.0
#define NS_A_MS            1e6
#define MS_A_SEC           1e3
#define FRACTION_PERCENT   (100.0 / 256)
#define ROUND_TRIP_MAX_MS  30000.0 /* above it, the clocks or the numbers lie */

static uint32_t read32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void note_report(struct rtcp_leg *leg, const uint8_t *ntp, uint64_t time_ns)
{
	uint32_t middle = read32(ntp + 2);

	if (middle == 0)
		return;
	leg->report[leg->next].ntp = middle;
	leg->report[leg->next].seen_ns = time_ns;
	leg->next = (uint8_t)((leg->next + 1) % RTCP_REPORTS_KEPT);
}

/* RFC 3550 6.4.1: last is LSR (or LRR), delay is DLSR (or DLRR) in 1/65536 s. */
static void note_reception(struct rtcp_leg *from, const struct rtcp_leg *to, uint32_t last,
	uint32_t delay, uint64_t time_ns)
{
	double ms;

	if (last == 0)
		return;
	for (unsigned i = 0; i < RTCP_REPORTS_KEPT; i++) {
		if (to->report[i].ntp != last || time_ns < to->report[i].seen_ns)
			continue;
		ms = (double)(time_ns - to->report[i].seen_ns) / NS_A_MS -
		     delay / DELAY_UNITS_A_SEC * MS_A_SEC;
		if (ms < 0 || ms > ROUND_TRIP_MAX_MS)
			return;
		from->rtt_ms = ms;
		from->has_rtt = true;
		return;
	}
}

/* A leg that has never heard anything reports on no source (RFC 3550 6.4.2); one that hears nothing
 * any more names the same highest sequence number again, and a loss of 0, as it expects nothing
 * (A.3).
 */
static void note_hearing(
	struct rtcp_leg *from, const uint8_t *block, unsigned count, uint64_t time_ns)
{
	uint32_t highest = count ? read32(block + 8) : 0;

	from->told_ns = time_ns;
	if (count && (!from->has_highest || highest != from->highest))
		from->unheard = 0;
	else if (from->unheard < RTCP_UNHEARD)
		from->unheard++;
	if (!count)
		return;
	from->has_highest = true;
	from->highest = highest;
	from->loss_percent = block[4] * FRACTION_PERCENT;
}

static void read_blocks(struct rtcp_leg *from, const struct rtcp_leg *to, const uint8_t *p,
	const uint8_t *end, unsigned count, uint64_t time_ns)
{
	if (!count || end - p >= REPORT_BLOCK_BYTES)
		note_hearing(from, p, count, time_ns);
	for (; count && end - p >= REPORT_BLOCK_BYTES; count--, p += REPORT_BLOCK_BYTES)
		note_reception(from, to, read32(p + 16), read32(p + 20), time_ns);
}

static void read_extended(struct rtcp_leg *from, const struct rtcp_leg *to, const uint8_t *p,
	const uint8_t *end, uint64_t time_ns)
{
	while (end - p >= XR_HEADER_BYTES) {
		unsigned bytes = ((unsigned)p[2] << 8 | p[3]) * 4;
		const uint8_t *block = p + XR_HEADER_BYTES;
		const uint8_t *stop = end - block < (long)bytes ? end : block + bytes;

		if (p[0] == XR_REFERENCE_TIME && stop - block >= XR_REFERENCE_BYTES)
			note_report(from, block, time_ns);
		for (; p[0] == XR_DLRR && stop - block >= XR_DLRR_BYTES; block += XR_DLRR_BYTES)
			note_reception(from, to, read32(block + 4), read32(block + 8), time_ns);
		if (end - p < (long)(XR_HEADER_BYTES + bytes))
			return;
		p += XR_HEADER_BYTES + bytes;
	}
}

void rtcp_read(struct rtcp_leg *from, const struct rtcp_leg *to, const uint8_t *data, unsigned len,
	uint64_t time_ns)
{
	const uint8_t *p = data, *end = data + len;

	while (end - p >= HEADER_BYTES && p[0] >> 6 == RTCP_VERSION) {
		unsigned bytes = (((unsigned)p[2] << 8 | p[3]) + 1) * 4, count = p[0] & 0x1f;
		const uint8_t *stop = end - p < (long)bytes ? end : p + bytes;
		const uint8_t *body = p + HEADER_BYTES;

		if (stop < body)
			return;
		if (p[1] == RTCP_SR && stop - body >= SENDER_INFO_BYTES) {
			note_report(from, body, time_ns);
			read_blocks(from, to, body + SENDER_INFO_BYTES, stop, count, time_ns);
		} else if (p[1] == RTCP_RR) {
			read_blocks(from, to, body, stop, count, time_ns);
		} else if (p[1] == RTCP_XR) {
			read_extended(from, to, body, stop, time_ns);
		}
		p = stop;
	}
}
