/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stats.h"

#include <arpa/inet.h>
#include <string.h>

#include "dataplane/flow_encode.h"

#define JITTER_SCALE  16 /* RFC 3550 A.8: the estimate is kept times 16 */
#define NSEC_PER_MSEC 1000000u

/* One load each: the program writes while we read. */
#define READ(field)          __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define READ_IN_ORDER(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

#define SEQUENCE_TRIES 100 /* a sequence is begun anew within nanoseconds */

uint64_t stats_age_ms(uint64_t seen_ns, uint64_t now_ns)
{
	if (!seen_ns)
		return UINT64_MAX;
	return now_ns > seen_ns ? (now_ns - seen_ns) / NSEC_PER_MSEC : 0;
}

/* Returns all packets, and sets the sequence that some of them are counted in. Those of a sequence
 * that is begun anew are for a moment in neither count. */
static uint64_t read_packets(const struct vd_stream *stream, __u64 *sequence)
{
	struct vd_stream now;
	int tries = SEQUENCE_TRIES;
	uint64_t apart;

	do {
		apart = READ_IN_ORDER(stream->packets_apart);
		now.sequence = READ_IN_ORDER(stream->sequence);
	} while ((READ_IN_ORDER(stream->flags) & VD_STREAM_BUSY ||
			 READ(stream->packets_apart) != apart) &&
		 --tries);
	*sequence = now.sequence;
	return apart + now.received_ssrc;
}

void stats_from_stream(struct dataplane_stats *out, const struct vd_stream *stream, uint64_t now_ns)
{
	struct vd_stream now;

	memset(out, 0, sizeof(*out));
	/* Both halves of the sequence in one load: they belong together. Nothing received by
	 * sequence number: no RTP, or not yet. */
	out->packets = read_packets(stream, &now.sequence);
	out->bytes = READ(stream->bytes);
	out->rtcp_packets = READ(stream->rtcp_packets);
	out->out_of_order = READ(stream->out_of_order);
	out->dropped_source = READ(stream->dropped_source);
	out->ssrc_changes = READ(stream->ssrc_changes);
	out->last_seen_ms_ago = stats_age_ms(READ(stream->last_seen_ns), now_ns);
	if (READ(stream->flags) & VD_STREAM_STARTED && now.received_ssrc) {
		/* RFC 3550 A.3; modulo 2^32 as the program counts. */
		uint32_t expected = now.ext_max_seq - READ(stream->base_seq) + 1;

		out->ssrc = READ(stream->ssrc);
		out->jitter = READ(stream->jitter) / JITTER_SCALE;
		out->lost = (int64_t)(int32_t)(expected - now.received_ssrc) +
			    (int32_t)READ(stream->lost_before);
	}
	out->expected = (uint64_t)((int64_t)out->packets + out->lost);
	if (__atomic_load_n(&stream->latch_state, __ATOMIC_ACQUIRE) == VD_LATCH_LOCKED)
		flow_unmap_address(
			&out->latched, stream->latched_addr, ntohs(stream->latched_port_be));
}

void stats_merge(struct dataplane_stats *sum, const struct dataplane_stats *earlier)
{
	sum->packets += earlier->packets;
	sum->bytes += earlier->bytes;
	sum->rtcp_packets += earlier->rtcp_packets;
	sum->expected += earlier->expected;
	sum->lost += earlier->lost;
	sum->out_of_order += earlier->out_of_order;
	sum->dropped_source += earlier->dropped_source;
	sum->ssrc_changes += earlier->ssrc_changes;
	if (earlier->ssrc && sum->ssrc && earlier->ssrc != sum->ssrc)
		sum->ssrc_changes++;
	if (!sum->ssrc) {
		sum->ssrc = earlier->ssrc;
		sum->jitter = earlier->jitter;
	}
	if (earlier->last_seen_ms_ago < sum->last_seen_ms_ago)
		sum->last_seen_ms_ago = earlier->last_seen_ms_ago;
}
