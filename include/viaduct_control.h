/* SPDX-License-Identifier: BSD-2-Clause */
/* The control protocol between viaductd and its clients (viaduct, the CLI): its reference.
 *
 * Transport: NETLINK_USERSOCK, unicast, in the daemon's network namespace. The daemon listens on
 * the port id of its configuration (VDC_PORT_DEFAULT). A datagram is at most VDC_DATAGRAM_MAX
 * bytes. Whatever is sent to a multicast group is ignored.
 *
 * Trust: SCM_CREDENTIALS on every message, both ways; nlmsg_pid means nothing. The daemon takes
 * requests from uid 0, from its own uid and from members of the control group; everybody else is
 * answered -EPERM. A client trusts uid 0, its own uid and the uid of the user it expects the daemon
 * to run as.
 *
 * A request is one netlink message: nlmsg_type from VDC_REQUESTS, nlmsg_seq of the client's
 * choice (comes back in the answer), attributes from VDC_REQUEST_FIELDS, of which VERSION is in
 * every request; one that the daemon does not know is refused. A datagram holds one request. The
 * answer is one datagram (for VDC_GET_CALL as many as it takes):
 *
 *   done or refused  NLMSG_ERROR: struct nlmsgerr with error 0 or -errno and the request's header
 *                    alone (NLM_F_CAPPED), then, where there is something to say, NLMSGERR_ATTR_MSG
 *                    (NLM_F_ACK_TLVS): a text of one or more lines.
 *   objects          messages of the type in VDC_REQUESTS' second column, NLM_F_MULTI set, ended by
 *                    NLMSG_DONE: an int of 0, then attributes from VDC_DONE_FIELDS.
 *
 * Long lists come in pages, each asked for by the client: while NLMSG_DONE carries CURSOR there is
 * more, and the same request with that CURSOR and GENERATION brings the next page. The daemon keeps
 * nothing between two pages, so that a client may stop at any time, and answers other requests in
 * between. Calls may come and go meanwhile: each that lives throughout is shown exactly once.
 * Where a reload came between two pages of peers, listeners or routes the answer is -ESTALE:
 * begin again.
 *
 * Events: VDC_SUBSCRIBE (with CALL: of that call alone) makes the sender's port id a subscriber for
 * VDC_LEASE_MS; VDC_RENEW renews that, VDC_UNSUBSCRIBE ends it. At most VDC_SUBSCRIBERS_MAX
 * (-EBUSY). An event that finds the subscriber's buffer full ends the subscription: VDC_RENEW then
 * says -ESTALE, and the client knows that it was too slow. Events have nlmsg_seq 0.
 *
 * VDC_RELOAD is answered when the file has been read, which of a large one takes some tenths of a
 * second; the daemon goes on meanwhile, and answers other requests. The file is read as it is when
 * the request comes, or later. At most VDC_RELOADS_MAX wait for it (-EBUSY); where the daemon ends
 * before they are answered they are told -ECANCELED.
 *
 * Compatibility: a client skips attributes it does not know and does without those that are not
 * there. VDC_VERSION rises when that is not enough; a request with another is refused -EPROTO. */
#ifndef VIADUCT_CONTROL_H
#define VIADUCT_CONTROL_H

#include <linux/netlink.h>
#include <linux/types.h>

#define VDC_VERSION         1
#define VDC_PORT_DEFAULT    0x56494144u /* "VIAD" */
#define VDC_DATAGRAM_MAX    (16 * 1024) /* bytes */
#define VDC_TEXT_MAX        512 /* bytes of a TEXT, NUL included; longer ones end in "..." */
#define VDC_REPORT_MAX      (12 * 1024) /* bytes of NLMSGERR_ATTR_MSG */
#define VDC_TRACE_MAX       48          /* lines of a routing trace: the last ones */
#define VDC_SUBSCRIBERS_MAX 16
#define VDC_RELOADS_MAX     16    /* clients that wait for one */
#define VDC_LEASE_MS        15000 /* a subscription that is not renewed ends */

/* ---- messages ----------------------------------------------------------------------------------
 * X(request, answer, what it does). Answer NLMSG_ERROR: done or refused. */
#define VDC_REQUESTS(X)                                                                            \
	X(GET_STATUS, VDC_STATUS, "the daemon as a whole")                                         \
	X(GET_CALLS, VDC_CALL, "live calls, paged by call id")                                     \
	X(GET_CALL, VDC_CALL, "CALL: one call, then a VDC_STREAM for each of its streams")         \
	X(GET_FLOWS, VDC_FLOW, "flows of live calls, paged by call id")                            \
	X(GET_PEERS, VDC_PEER, "configured peers, paged")                                          \
	X(GET_LISTENERS, VDC_LISTENER, "SIP listeners, paged")                                     \
	X(GET_ROUTES, VDC_ROUTE, "routes in their order, paged")                                   \
	X(TEST_ROUTE, VDC_DECISION,                                                                \
		"FROM, NUMBER (CALLING, AT): where such a call would go, and why")                 \
	X(HANGUP, NLMSG_ERROR, "CALL: end it")                                                     \
	X(SUBSCRIBE, NLMSG_ERROR, "CALL (optional): begin to send events")                         \
	X(RENEW, NLMSG_ERROR, "keep sending events")                                               \
	X(UNSUBSCRIBE, NLMSG_ERROR, "stop sending events")                                         \
	X(RELOAD, NLMSG_ERROR, "read the configuration file again")                                \
	X(SET_LOG, NLMSG_ERROR, "LEVEL: log from that level up")                                   \
	X(STOP, NLMSG_ERROR, "COMMAND (optional, now): end the daemon, that way")                  \
	X(GET_PEER, VDC_PEER, "PEER: one peer in detail")                                          \
	X(SET_PEER, NLMSG_ERROR, "PEER, COMMAND: take it out of service, or back")

#define VDC_REQUEST_ENUM(name, answer, text) VDC_##name,
enum vdc_request {
	VDC_REQUEST_BASE = NLMSG_MIN_TYPE - 1,
	VDC_REQUESTS(VDC_REQUEST_ENUM) VDC_REQUEST_END
};

/* Answers. An answer holds the attributes of the fields of its name below. */
enum vdc_answer {
	VDC_STATUS = 0x100,
	VDC_CALL,
	VDC_STREAM,
	VDC_FLOW,
	VDC_PEER,
	VDC_LISTENER,
	VDC_ROUTE,
	VDC_DECISION,
	VDC_EVENT,
};

/* ---- attributes --------------------------------------------------------------------------------
 * X(attribute, key, type, of, meaning): key is what the CLI calls it in JSON. Types:
 *   BOOL     __u8, 0 or 1
 *   U32 U64 S64   host order
 *   MILLI    S64, thousandths of the unit
 *   TEXT     NUL-terminated, at most VDC_TEXT_MAX bytes; bytes from the network as they came
 *   ADDRESS  struct vdc_address
 *   MAC      6 bytes
 *   OBJECT   nested attributes: those of the fields in the column "of"
 *   LIST     nested attributes 1, 2 …, each an OBJECT
 *   TEXTS    nested attributes 1, 2 …, each a TEXT
 *   COUNTERS nested attributes 1, 2 …, each nested: VDC_COUNTER_NAME, VDC_COUNTER_VALUE
 * What is not known is left out. */
struct vdc_address {
	__u8 family; /* 4 or 6 */
	__u8 pad;
	__u16 port;  /* host order, 0 = none */
	__u8 ip[16]; /* network order; IPv4 in the first four, the rest zero */
};

enum vdc_counter { VDC_COUNTER_UNSPEC, VDC_COUNTER_NAME, VDC_COUNTER_VALUE, VDC_COUNTER_END };

#define VDC_REQUEST_FIELDS(X)                                                                      \
	X(VERSION, version, U32, none, "VDC_VERSION")                                              \
	X(CURSOR, cursor, U64, none, "as NLMSG_DONE gave it; none: from the beginning")            \
	X(GENERATION, generation, U32, none, "as NLMSG_DONE gave it")                              \
	X(CALL, call, U64, none, "id of a call")                                                   \
	X(FROM, from, TEXT, none, "name of a peer")                                                \
	X(NUMBER, number, TEXT, none, "called number")                                             \
	X(LEVEL, level, TEXT, none, "error, warn, info, debug")                                    \
	X(PEER, peer, TEXT, none, "name of a peer")                                                \
	X(COMMAND, command, TEXT, none, "SET_PEER: drain, block, resume; STOP: now, drain, leave") \
	X(CALLING, calling, TEXT, none, "calling number")                                          \
	X(AT, at, U64, none, "a time, seconds since 1970, UTC")

#define VDC_DONE_FIELDS(X)                                                                         \
	X(CURSOR, cursor, U64, none, "there is more: ask again with this")                         \
	X(GENERATION, generation, U32, none, "rises with each reload")

#define VDC_STATUS_FIELDS(X)                                                                       \
	X(VERSION, version, TEXT, none, "of viaductd")                                             \
	X(PID, pid, U32, none, "process id")                                                       \
	X(UID, uid, U32, none, "runs as")                                                          \
	X(UPTIME, uptime_ms, U64, none, "since the start")                                         \
	X(INSTANCE, instance, TEXT, none, "name of the instance")                                  \
	X(CONFIG_FILE, config_file, TEXT, none, "the configuration in force")                      \
	X(RELOADS, reloads, U32, none, "configurations taken up since the start")                  \
	X(LOG_LEVEL, log_level, TEXT, none, "error, warn, info, debug")                            \
	X(STOPPING, stopping, TEXT, none, "how it ends: now, drain, leave; none: it goes on")      \
	X(CALLS_LIVE, calls_live, U32, none, "calls")                                              \
	X(CALLS_MAX, calls_max, U32, none, "their limit")                                          \
	X(RATE, calls_per_second, U32, none, "calls begun in the last second")                     \
	X(RATE_MAX, calls_per_second_max, U32, none, "their limit; none: no limit")                \
	X(BANDWIDTH, bandwidth_kbit, U64, none, "of all calls, each once")                         \
	X(BANDWIDTH_MAX, bandwidth_max_kbit, U64, none, "its limit; none: no limit")               \
	X(CALLS, calls, COUNTERS, none, "since the start")                                         \
	X(SIP, sip, COUNTERS, none, "since the start")                                             \
	X(DNS, dns, COUNTERS, none, "host names of peers, since the start")                        \
	X(DEVICES, devices, LIST, device, "one for each side")                                     \
	X(SIDES, sides, LIST, side, "media ports of each side")                                    \
	X(PACKETS, packets, LIST, packets, "what became of every packet")                          \
	X(FLOWS, flows, U32, none, "in the kernel")                                                \
	X(FLOWS_MAX, flows_max, U32, none, "their limit")                                          \
	X(NEXTHOPS, nexthops, U32, none, "in use")                                                 \
	X(NEXTHOPS_UNRESOLVED, nexthops_unresolved, U32, none, "of those, without a neighbour")    \
	X(EVENTS_LOST, events_lost, U64, none, "kernel events that found the ring buffer full")    \
	X(MAP_BYTES, map_bytes, U64, none, "memory of the kernel maps")                            \
	X(RESIDENT_BYTES, resident_bytes, U64, none, "resident memory of the daemon")              \
	X(RECORDS_WRITTEN, records_written, U64, none, "call detail records, where they are kept") \
	X(RECORDS_LOST, records_lost, U64, none, "of those lost: the disk was full or too slow")   \
	X(RECORDS_QUEUED, records_queued, U32, none, "that wait to be written")                    \
	X(SUBSCRIBERS, subscribers, U32, none, "clients that follow the events")                   \
	X(SUBSCRIBERS_DROPPED, subscribers_dropped, U64, none, "of those dropped: too slow")       \
	X(CONTROL_REFUSED, control_refused, U64, none, "control requests not permitted")           \
	X(ADOPTION, adoption, COUNTERS, none,                                                      \
		"what the daemon before left, as the start found it")                              \
	X(STATE_FILE, state_file, TEXT, none, "where calls are written down for the next daemon")  \
	X(STATE_REFUSED, state_refused, TEXT, none,                                                \
		"what the start found and set aside: damaged, foreign, of a newer version, of "    \
		"another boot")                                                                    \
	X(STATE, state, COUNTERS, none, "of the state file")                                       \
	X(UNRESOLVED, unresolved, LIST, unresolved, "next hops without a neighbour, the first 8")  \
	X(NEXTHOPS_ASKED, nexthops_asked, U64, none,                                               \
		"times that one was asked anew, as packets came from another MAC address")         \
	X(STATE_TROUBLE, state_trouble, TEXT, none,                                                \
		"why the state file lacks what calls do now, and what a kill would find instead; " \
		"or that there is no journal")                                                     \
	X(GATEWAYS_LEFT, gateways_left, LIST, gateway_left,                                        \
		"gateways of multipath routes whose packets take another one, the first 8")        \
	X(LISTENERS_WAITING, listeners_waiting, TEXTS, none,                                       \
		"those whose address no device that is up has, the first 8: NAME ADDRESS "         \
		"TRANSPORT")                                                                       \
	X(LAST_CHANGE, last_change, TEXT, none,                                                    \
		"what the network changed last about a next hop in use, and which")                \
	X(LAST_CHANGE_MS, last_change_ms, U64, none, "since then")

#define VDC_DEVICE_FIELDS(X)                                                                       \
	X(NAME, name, TEXT, none, "interface")                                                     \
	X(SIDE, side, TEXT, none, "internal, external")                                            \
	X(IFINDEX, ifindex, U32, none, "index of the interface")                                   \
	X(MODE, mode, TEXT, none, "native, generic, offload, none")                                \
	X(ATTACHED, attached, TEXT, none, "libxdp dispatcher, link, none")                         \
	X(UP, up, BOOL, none, "the interface is up")                                               \
	X(WHY, why, TEXT, none, "no media passes there; none: it does")                            \
	X(LOST, lost, U64, none,                                                                   \
		"packets sent on by it that its driver lost, since the start; none: not told")     \
	X(LOST_LATELY, lost_lately, U64, none, "of those, in the last 3 s")                        \
	X(LOST_WHY, lost_why, TEXT, none, "the driver's error; none: it had no room")              \
	X(BATCHED, batched, BOOL, none, "packets that leave by it wait for others, see batching")

#define VDC_GATEWAY_LEFT_FIELDS(X)                                                                 \
	X(SIDE, side, TEXT, none, "of the route")                                                  \
	X(DEVICE, device, TEXT, none, "its interface")                                             \
	X(GATEWAY, gateway, ADDRESS, none, "that was left")                                        \
	X(WHY, why, TEXT, none, "it was")

#define VDC_UNRESOLVED_FIELDS(X)                                                                   \
	X(SIDE, side, TEXT, none, "where packets would leave")                                     \
	X(DEVICE, device, TEXT, none, "its interface")                                             \
	X(TO, to, ADDRESS, none, "where they would go")                                            \
	X(GATEWAY, gateway, ADDRESS, none, "the neighbour; none: no route names one")              \
	X(WHY, why, TEXT, none, "it is not resolved")                                              \
	X(SINCE, since_ms, U64, none, "it is not, for that reason; none: it never was")

#define VDC_SIDE_FIELDS(X)                                                                         \
	X(SIDE, side, TEXT, none, "internal, external")                                            \
	X(PORTS_TOTAL, ports_total, U32, none, "media ports of the range, all addresses")          \
	X(PORTS_USED, ports_used, U32, none, "by live calls")                                      \
	X(PORTS_QUARANTINED, ports_quarantined, U32, none, "free again soon")                      \
	X(BANDWIDTH, bandwidth_kbit, U64, none, "of media, by SDP, in the busier direction")       \
	X(BANDWIDTH_MAX, bandwidth_max_kbit, U64, none, "its limit; none: no limit")               \
	X(REFUSED_BANDWIDTH, refused_bandwidth, U64, none, "calls refused at that limit")          \
	X(PORTS_LEFT, ports_left, U32, none, "of the range, to be used now")

#define VDC_PACKETS_FIELDS(X)                                                                      \
	X(SIDE, side, TEXT, none, "where they came in")                                            \
	X(REASON, reason, TEXT, none, "forwarded, pass_..., drop_...")                             \
	X(VERDICT, verdict, TEXT, none, "TX, PASS, DROP")                                          \
	X(PACKETS, packets, U64, none, "since the program was loaded")                             \
	X(BYTES, bytes, U64, none, "frame bytes")                                                  \
	X(MEANING, meaning, TEXT, none, "the reason in words")

#define VDC_CALL_FIELDS(X)                                                                         \
	X(ID, id, U64, none, "grows from call to call")                                            \
	X(STATE, state, TEXT, none, "setup, ringing, answered, ending")                            \
	X(FROM, from, TEXT, none, "calling number")                                                \
	X(TO, to, TEXT, none, "called number")                                                     \
	X(ROUTE, route, TEXT, none, "name of the route")                                           \
	X(PEER_A, peer_a, TEXT, none, "the peer that called")                                      \
	X(PEER_B, peer_b, TEXT, none, "the peer that is called")                                   \
	X(AGE, age_ms, U64, none, "since the INVITE came")                                         \
	X(TALKING, talking_ms, U64, none, "since the answer")                                      \
	X(ATTEMPTS, attempts, U32, none, "peers tried, the present one included")                  \
	X(STREAM_COUNT, stream_count, U32, none, "m-lines")                                        \
	X(LEGS, legs, LIST, leg, "a: the calling one, b: the called one (one call alone)")         \
	X(FINDINGS, findings, LIST, finding, "diagnosis (one call alone)")                         \
	X(MEDIA, media, TEXT, none, "came from, in the last 3 s: both, a, b, none")

#define VDC_LEG_FIELDS(X)                                                                          \
	X(LEG, leg, TEXT, none, "a, b")                                                            \
	X(PEER, peer, TEXT, none, "name of the peer")                                              \
	X(LISTENER, listener, TEXT, none, "name of our listener")                                  \
	X(SIGNALLING, signalling, ADDRESS, none, "their SIP address")                              \
	X(CALL_ID, call_id, TEXT, none, "Call-ID")                                                 \
	X(LOCAL_TAG, local_tag, TEXT, none, "our tag")                                             \
	X(REMOTE_TAG, remote_tag, TEXT, none, "their tag")                                         \
	X(LOCAL_URI, local_uri, TEXT, none, "we, on this leg")                                     \
	X(REMOTE_URI, remote_uri, TEXT, none, "they, on this leg")                                 \
	X(SESSION, session_s, U32, none, "session timer: its interval in seconds")                 \
	X(REFRESHER, refresher, TEXT, none, "who refreshes the session: viaduct, peer")            \
	X(SESSION_LEFT, session_left_ms, U64, none, "until the call ends without a refresh")

/* code: a word for programs, see daemon/control/diagnosis.h. */
#define VDC_FINDING_FIELDS(X)                                                                      \
	X(CODE, code, TEXT, none, "a word for programs")                                           \
	X(LEG, leg, TEXT, none, "a, b; none: of both")                                             \
	X(TEXT, text, TEXT, none, "a sentence for people")

#define VDC_STREAM_FIELDS(X)                                                                       \
	X(INDEX, index, U32, none, "place of the m-line, from 0")                                  \
	X(KIND, kind, TEXT, none, "audio, video, image ...")                                       \
	X(PROTO, proto, TEXT, none, "RTP/AVP, udptl ...")                                          \
	X(CODEC, codec, TEXT, none, "first of the answer")                                         \
	X(ACTIVE, active, BOOL, none, "not rejected")                                              \
	X(MUX, mux, BOOL, none, "RTP and RTCP on one port")                                        \
	X(HELD, held, BOOL, none, "on hold")                                                       \
	X(LEGS, legs, LIST, stream_leg, "what comes from leg a, from leg b")                       \
	X(FINDINGS, findings, LIST, finding, "diagnosis")

#define VDC_STREAM_LEG_FIELDS(X)                                                                   \
	X(LEG, leg, TEXT, none, "a, b")                                                            \
	X(LOCAL, local, ADDRESS, none, "ours, in the SDP we sent")                                 \
	X(LOCAL_RTCP, local_rtcp, ADDRESS, none, "ours, for RTCP")                                 \
	X(REMOTE, remote, ADDRESS, none, "theirs, in the SDP they sent")                           \
	X(REMOTE_RTCP, remote_rtcp, ADDRESS, none, "theirs, for RTCP")                             \
	X(SENDS, sends, BOOL, none, "by the direction attributes")                                 \
	X(IN_KERNEL, in_kernel, BOOL, none, "a flow is programmed and XDP is attached")            \
	X(FLOW, flow, U32, none, "id of the flow")                                                 \
	X(FLOW_RTCP, flow_rtcp, U32, none, "id of the RTCP flow")                                  \
	X(BLACKHOLE, blackhole, BOOL, none, "received, counted, not sent on")                      \
	X(PACKETS, packets, U64, none, "RTP (or other media) received")                            \
	X(BYTES, bytes, U64, none, "UDP payload bytes received")                                   \
	X(RTCP_PACKETS, rtcp_packets, U64, none, "RTCP received")                                  \
	X(EXPECTED, expected, U64, none, "RFC 3550 A.3")                                           \
	X(LOST, lost, S64, none, "expected less received; negative with duplicates")               \
	X(LOSS, loss_percent, MILLI, none, "of those expected")                                    \
	X(OUT_OF_ORDER, out_of_order, U64, none, "late packets")                                   \
	X(JITTER, jitter_ms, MILLI, none, "RFC 3550 A.8")                                          \
	X(MOS, mos, MILLI, none, "E-model, 1 to 4.5")                                              \
	X(RTT, rtt_ms, MILLI, none, "round trip, from their RTCP")                                 \
	X(JITTER_MEAN, jitter_mean_ms, MILLI, none, "over the call so far")                        \
	X(JITTER_MAX, jitter_max_ms, MILLI, none, "the most of all samples, one in two seconds")   \
	X(LOSS_MAX, loss_max_percent, MILLI, none, "the most of all samples")                      \
	X(BURSTS, bursts, U32, none, "times of dense loss: samples with 1 in 16 lost or more")     \
	X(BURST_DENSITY, burst_percent, MILLI, none, "lost in those")                              \
	X(BURST_DURATION, burst_ms, MILLI, none, "mean length of one")                             \
	X(GAP_DENSITY, gap_percent, MILLI, none, "lost between those")                             \
	X(GAP_DURATION, gap_ms, MILLI, none, "mean length of such a time")                         \
	X(DTMF, dtmf, U32, none, "telephone-events received")                                      \
	X(POOR, poor, BOOL, none, "loss above 1 % in all, or 5 % in a sample")                     \
	X(SSRC, ssrc, U32, none, "the present one")                                                \
	X(SSRC_CHANGES, ssrc_changes, U32, none, "so far")                                         \
	X(LAST_SEEN, last_seen_ms, U64, none, "since the last packet")                             \
	X(DROPPED_SOURCE, dropped_source, U64, none, "packets refused: from somebody else")        \
	X(LATCH, latch, BOOL, none, "latching is allowed")                                         \
	X(LATCHED, latched, ADDRESS, none, "the source it locked onto")                            \
	X(OUT_LOCAL, out_local, ADDRESS, none, "they leave from")                                  \
	X(OUT_REMOTE, out_remote, ADDRESS, none, "they go to")                                     \
	X(PATH, path, OBJECT, path, "where they leave")                                            \
	X(REFUSED_SOURCE, refused_source, ADDRESS, none,                                           \
		"where some of the last of them came from")                                        \
	X(FAR_LOSS, far_loss_percent, MILLI, none,                                                 \
		"lost of what it was sent, as it says by RTCP; 100 where it says that it "         \
		"receives nothing")

#define VDC_PATH_FIELDS(X)                                                                         \
	X(DEVICE, device, TEXT, none, "interface")                                                 \
	X(SMAC, smac, MAC, none, "ours")                                                           \
	X(DMAC, dmac, MAC, none, "the next hop's")                                                 \
	X(VLAN, vlan, U32, none, "802.1Q id")                                                      \
	X(GATEWAY, gateway, ADDRESS, none, "the neighbour")                                        \
	X(RESOLVED, resolved, BOOL, none, "its MAC address is known")                              \
	X(WHY, why, TEXT, none, "why not")                                                         \
	X(CHANGE, change, TEXT, none, "what the network changed last (one call alone)")            \
	X(CHANGED, changed_ms, U64, none, "since then")

#define VDC_FLOW_FIELDS(X)                                                                         \
	X(ID, id, U32, none, "of the flow")                                                        \
	X(CALL, call, U64, none, "id of the call")                                                 \
	X(STREAM, stream, U32, none, "index of the stream")                                        \
	X(LEG, leg, TEXT, none, "that sends: a, b")                                                \
	X(COMPONENT, component, TEXT, none, "rtp, rtcp, rtp+rtcp, opaque")                         \
	X(SIDE, side, TEXT, none, "where it comes in")                                             \
	X(LOCAL, local, ADDRESS, none, "ours, where it comes in")                                  \
	X(REMOTE, remote, ADDRESS, none, "the admitted source")                                    \
	X(LATCHED, latched, ADDRESS, none, "the source it locked onto")                            \
	X(OUT_SIDE, out_side, TEXT, none, "where it leaves")                                       \
	X(OUT_LOCAL, out_local, ADDRESS, none, "leaves from")                                      \
	X(OUT_REMOTE, out_remote, ADDRESS, none, "goes to")                                        \
	X(BLACKHOLE, blackhole, BOOL, none, "counted, not sent on")                                \
	X(PATH, path, OBJECT, path, "where it leaves")                                             \
	X(PACKETS, packets, U64, none, "received, RTP and RTCP")                                   \
	X(BYTES, bytes, U64, none, "UDP payload bytes of RTP (or other media)")                    \
	X(DROPPED_SOURCE, dropped_source, U64, none, "packets refused: from somebody else")        \
	X(LAST_SEEN, last_seen_ms, U64, none, "since the last packet")

#define VDC_TARGET_FIELDS(X)                                                                       \
	X(ADDRESS, address, ADDRESS, none, "with the port")                                        \
	X(PRIORITY, priority, U32, none, "RFC 2782: the lowest first")                             \
	X(WEIGHT, weight, U32, none, "RFC 2782: shares among one priority")

#define VDC_PEER_FIELDS(X)                                                                         \
	X(NAME, name, TEXT, none, "of the peer")                                                   \
	X(KIND, kind, TEXT, none, "direct, trunk")                                                 \
	X(SIDE, side, TEXT, none, "internal, external")                                            \
	X(TRANSPORT, transport, TEXT, none, "udp, tcp, tls")                                       \
	X(ADDRESS, address, ADDRESS, none, "where requests go; none: see host")                    \
	X(HOST, host, TEXT, none, "the name that requests go to, with its port")                   \
	X(NAME_STATE, name_state, TEXT, none, "of that name: pending, fresh, stale, failed")       \
	X(NAME_ERROR, name_error, TEXT, none, "why its last lookup failed")                        \
	X(NAME_TTL, name_ttl_ms, U64, none, "until its addresses expire")                          \
	X(NAME_RETRY, name_retry_ms, U64, none, "until it is asked for again")                     \
	X(TARGETS, targets, LIST, target, "the addresses that it stands for, best first")          \
	X(LISTENER, listener, TEXT, none, "our listener")                                          \
	X(SOURCES, sources, TEXTS, none, "its requests may come from")                             \
	X(CODECS, codecs, TEXTS, none, "allowed; none: all")                                       \
	X(LATCH, latch, BOOL, none, "its media may latch")                                         \
	X(REGISTRATION, registration, TEXT, none,                                                  \
		"ours: trying, registered, failed; none: not wanted")                              \
	X(REGISTRATION_LEFT, registration_left_ms, U64, none,                                      \
		"until it is over; none: there is none")                                           \
	X(REGISTRATION_WHY, registration_why, TEXT, none, "what was answered to it last")          \
	X(REGISTRATION_AOR, registration_aor, TEXT, none, "what is registered")                    \
	X(PUBLIC_ADDRESS, public_address, ADDRESS, none,                                           \
		"of ours, as the registrar saw it: by Via, or our contact in its answer")          \
	X(CALLS, calls, U32, none, "live calls with it")                                           \
	X(CALLS_MAX, calls_max, U32, none, "their limit; none: the global one alone")              \
	X(STATE, state, TEXT, none, "up, failing, down, draining, blocked")                        \
	X(SINCE, since_ms, U64, none, "in that state")                                             \
	X(WHY, why, TEXT, none, "it is in that state")                                             \
	X(CALLS_ENDING, calls_ending, U32, none, "calls it made that are over but for answers")    \
	X(RATE, calls_per_second, U32, none, "calls begun with it in the last second")             \
	X(RATE_MAX, calls_per_second_max, U32, none, "their limit; none: the global one alone")    \
	X(BANDWIDTH, bandwidth_kbit, U64, none, "of its media, by SDP, in the busier direction")   \
	X(BANDWIDTH_MAX, bandwidth_max_kbit, U64, none, "its limit; none: the global one alone")   \
	X(REFUSED_CALLS, refused_calls, U64, none, "calls refused at its limit of live calls")     \
	X(REFUSED_RATE, refused_rate, U64, none, "at that of calls a second")                      \
	X(REFUSED_BANDWIDTH, refused_bandwidth, U64, none, "at that of bandwidth")                 \
	X(REFUSED_ENDING, refused_ending, U64, none, "at its share of calls that only end")        \
	X(HEARD, heard_ms, U64, none, "since it answered last (one peer alone, as what follows)")  \
	X(MISSES, misses, U32, none, "requests in a row without a sign")                           \
	X(RECENT_CALLS, recent_calls, U32, none, "attempts remembered")                            \
	X(RECENT_FAILED, recent_failed, U32, none, "of those, failed")                             \
	X(OPTIONS_INTERVAL, options_interval_ms, U32, none, "from one OPTIONS to the next")        \
	X(OPTIONS, options, U64, none, "sent")                                                     \
	X(OPTIONS_ANSWERED, options_answered, U64, none, "of those, answered, and not with 503")   \
	X(ATTEMPTS, attempts, U64, none, "calls tried with it")                                    \
	X(ATTEMPTS_FAILED, attempts_failed, U64, none, "of those, failed: they went elsewhere")    \
	X(TLS, tls, OBJECT, peer_tls, "over TLS alone")                                            \
	X(FINDINGS, findings, LIST, finding, "what an operator should see to")

#define VDC_PEER_TLS_FIELDS(X)                                                                     \
	X(PROFILE, profile, TEXT, none, "of its listener")                                         \
	X(CERTIFICATE_NAMES, certificate_names, TEXTS, none, "of which its certificate has one")   \
	X(OURS, our_certificate, OBJECT, certificate, "what we show")                              \
	X(CONNECTIONS, connections, U32, none, "open now")                                         \
	X(OPENED_BY, opened_by, TEXT, none, "the newest of them: us, peer")                        \
	X(TLS_VERSION, tls_version, TEXT, none, "of that: TLSv1.2, TLSv1.3")                       \
	X(CIPHER, cipher, TEXT, none, "of that")                                                   \
	X(RESUMED, resumed, BOOL, none, "its session goes on with an earlier one's")               \
	X(THEIRS, certificate, OBJECT, certificate, "what the peer has shown on it")

#define VDC_CERTIFICATE_FIELDS(X)                                                                  \
	X(NAMES, names, TEXTS, none, "whose it is")                                                \
	X(ISSUER, issuer, TEXT, none, "who has signed it")                                         \
	X(NOT_AFTER, not_after_s, U64, none, "seconds since 1970, UTC")                            \
	X(DAYS_LEFT, days_left, S64, none, "whole days; negative: it has expired")

#define VDC_LISTENER_FIELDS(X)                                                                     \
	X(NAME, name, TEXT, none, "of the listener")                                               \
	X(SIDE, side, TEXT, none, "internal, external")                                            \
	X(TRANSPORT, transport, TEXT, none, "udp, tcp, tls")                                       \
	X(ADDRESS, address, ADDRESS, none, "listens on")                                           \
	X(ADVERTISED, advertised, ADDRESS, none, "what SIP says instead, where that differs")      \
	X(WHY, why, TEXT, none, "it does not serve; none: it does")

#define VDC_ROUTE_FIELDS(X)                                                                        \
	X(INDEX, index, U32, none, "place in the order, from 0")                                   \
	X(NAME, name, TEXT, none, "of the route")                                                  \
	X(FROM, from, TEXT, none, "calling peer, or several, joined by commas; none: any")         \
	X(CALLED, called, TEXT, none, "pattern of the called number; none: any")                   \
	X(TO, to, TEXTS, none, "peers and groups, in the order they are tried")                    \
	X(TRUNK_TO_TRUNK, trunk_to_trunk, BOOL, none, "external to external is allowed")           \
	X(CALLING, calling, TEXT, none, "pattern of the calling number; none: any")                \
	X(EMERGENCY, emergency, BOOL, none, "takes emergency calls alone")                         \
	X(TIMES, times, TEXTS, none, "applies while one of them holds; none: always")              \
	X(IN_USAGE, in_usage, BOOL, none, "reached through usages alone")                          \
	X(COST, cost, U32, none, "order among the routes of a usage")                              \
	X(ON_FAILURE, on_failure, TEXT, none, "next, stop: what follows its peers")                \
	X(CALLER_NUMBER, caller_number, TEXT, none, "in the place of the calling one")             \
	X(CALLER_NAME, caller_name, TEXT, none, "in the place of the caller's")                    \
	X(CALLER_SUPPRESS, caller_suppress, BOOL, none, "nobody is said to call")

#define VDC_DECISION_FIELDS(X)                                                                     \
	X(VERDICT, verdict, TEXT, none, "found, none, denied, refused")                            \
	X(CODE, code, U32, none, "SIP response where nobody would be asked")                       \
	X(INDEX, index, U32, none, "of the route that matched first")                              \
	X(ROUTE, route, TEXT, none, "its name")                                                    \
	X(TO, to, TEXTS, none, "peers, in the order they would be tried")                          \
	X(TRACE, trace, TEXTS, none, "step by step")                                               \
	X(TRACE_OMITTED, trace_omitted, U32, none, "lines before those")                           \
	X(CALLING, calling, TEXT, none, "number after the inbound rules")                          \
	X(CALLED, called, TEXT, none, "number after the inbound rules")                            \
	X(EMERGENCY, emergency, BOOL, none, "an emergency call")                                   \
	X(CANDIDATES, candidates, LIST, candidate, "the same peers, and what they would get")

#define VDC_CANDIDATE_FIELDS(X)                                                                    \
	X(PEER, peer, TEXT, none, "name of the peer")                                              \
	X(ROUTE, route, TEXT, none, "name of the route that gave it")                              \
	X(PRIORITY, priority, U32, none, "class: of one class the order may vary")                 \
	X(CALLING, calling, TEXT, none, "number that it would get")                                \
	X(CALLED, called, TEXT, none, "number that it would get")

#define VDC_EVENT_FIELDS(X)                                                                        \
	X(TIME, time_ms, U64, none, "milliseconds since 1970, UTC")                                \
	X(CALL, call, U64, none, "id of the call; none: of no call")                               \
	X(KIND, kind, TEXT, none, "call, ringing, answer ...: see EVENTS of viaduct(8)")           \
	X(TEXT, text, TEXT, none, "one line")

#define VDC_R_ENUM(name, key, type, of, text)            VDC_REQUEST_##name,
#define VDC_DONE_ENUM(name, key, type, of, text)         VDC_DONE_##name,
#define VDC_STATUS_ENUM(name, key, type, of, text)       VDC_STATUS_##name,
#define VDC_DEVICE_ENUM(name, key, type, of, text)       VDC_DEVICE_##name,
#define VDC_GATEWAY_LEFT_ENUM(name, key, type, of, text) VDC_GATEWAY_LEFT_##name,
#define VDC_UNRESOLVED_ENUM(name, key, type, of, text)   VDC_UNRESOLVED_##name,
#define VDC_SIDE_ENUM(name, key, type, of, text)         VDC_SIDE_##name,
#define VDC_PACKETS_ENUM(name, key, type, of, text)      VDC_PACKETS_##name,
#define VDC_CALL_ENUM(name, key, type, of, text)         VDC_CALL_##name,
#define VDC_LEG_ENUM(name, key, type, of, text)          VDC_LEG_##name,
#define VDC_FINDING_ENUM(name, key, type, of, text)      VDC_FINDING_##name,
#define VDC_STREAM_ENUM(name, key, type, of, text)       VDC_STREAM_##name,
#define VDC_STREAM_LEG_ENUM(name, key, type, of, text)   VDC_STREAM_LEG_##name,
#define VDC_PATH_ENUM(name, key, type, of, text)         VDC_PATH_##name,
#define VDC_FLOW_ENUM(name, key, type, of, text)         VDC_FLOW_##name,
#define VDC_PEER_ENUM(name, key, type, of, text)         VDC_PEER_##name,
#define VDC_PEER_TLS_ENUM(name, key, type, of, text)     VDC_PEER_TLS_##name,
#define VDC_CERTIFICATE_ENUM(name, key, type, of, text)  VDC_CERTIFICATE_##name,
#define VDC_TARGET_ENUM(name, key, type, of, text)       VDC_TARGET_##name,
#define VDC_LISTENER_ENUM(name, key, type, of, text)     VDC_LISTENER_##name,
#define VDC_ROUTE_ENUM(name, key, type, of, text)        VDC_ROUTE_##name,
#define VDC_DECISION_ENUM(name, key, type, of, text)     VDC_DECISION_##name,
#define VDC_CANDIDATE_ENUM(name, key, type, of, text)    VDC_CANDIDATE_##name,
#define VDC_EVENT_ENUM(name, key, type, of, text)        VDC_EVENT_##name,

/* clang-format off */
enum { VDC_REQUEST_UNSPEC, VDC_REQUEST_FIELDS(VDC_R_ENUM) VDC_REQUEST_FIELDS_END };
enum { VDC_DONE_UNSPEC, VDC_DONE_FIELDS(VDC_DONE_ENUM) VDC_DONE_FIELDS_END };
enum { VDC_STATUS_UNSPEC, VDC_STATUS_FIELDS(VDC_STATUS_ENUM) VDC_STATUS_FIELDS_END };
enum { VDC_DEVICE_UNSPEC, VDC_DEVICE_FIELDS(VDC_DEVICE_ENUM) VDC_DEVICE_FIELDS_END };
enum { VDC_GATEWAY_LEFT_UNSPEC, VDC_GATEWAY_LEFT_FIELDS(VDC_GATEWAY_LEFT_ENUM) VDC_GATEWAY_LEFT_FIELDS_END };
enum { VDC_UNRESOLVED_UNSPEC, VDC_UNRESOLVED_FIELDS(VDC_UNRESOLVED_ENUM) VDC_UNRESOLVED_FIELDS_END };
enum { VDC_SIDE_UNSPEC, VDC_SIDE_FIELDS(VDC_SIDE_ENUM) VDC_SIDE_FIELDS_END };
enum { VDC_PACKETS_UNSPEC, VDC_PACKETS_FIELDS(VDC_PACKETS_ENUM) VDC_PACKETS_FIELDS_END };
enum { VDC_CALL_UNSPEC, VDC_CALL_FIELDS(VDC_CALL_ENUM) VDC_CALL_FIELDS_END };
enum { VDC_LEG_UNSPEC, VDC_LEG_FIELDS(VDC_LEG_ENUM) VDC_LEG_FIELDS_END };
enum { VDC_FINDING_UNSPEC, VDC_FINDING_FIELDS(VDC_FINDING_ENUM) VDC_FINDING_FIELDS_END };
enum { VDC_STREAM_UNSPEC, VDC_STREAM_FIELDS(VDC_STREAM_ENUM) VDC_STREAM_FIELDS_END };
enum { VDC_STREAM_LEG_UNSPEC, VDC_STREAM_LEG_FIELDS(VDC_STREAM_LEG_ENUM) VDC_STREAM_LEG_FIELDS_END };
enum { VDC_PATH_UNSPEC, VDC_PATH_FIELDS(VDC_PATH_ENUM) VDC_PATH_FIELDS_END };
enum { VDC_FLOW_UNSPEC, VDC_FLOW_FIELDS(VDC_FLOW_ENUM) VDC_FLOW_FIELDS_END };
enum { VDC_PEER_UNSPEC, VDC_PEER_FIELDS(VDC_PEER_ENUM) VDC_PEER_FIELDS_END };
enum { VDC_PEER_TLS_UNSPEC, VDC_PEER_TLS_FIELDS(VDC_PEER_TLS_ENUM) VDC_PEER_TLS_FIELDS_END };
enum { VDC_CERTIFICATE_UNSPEC, VDC_CERTIFICATE_FIELDS(VDC_CERTIFICATE_ENUM) VDC_CERTIFICATE_FIELDS_END };
enum { VDC_TARGET_UNSPEC, VDC_TARGET_FIELDS(VDC_TARGET_ENUM) VDC_TARGET_FIELDS_END };
enum { VDC_LISTENER_UNSPEC, VDC_LISTENER_FIELDS(VDC_LISTENER_ENUM) VDC_LISTENER_FIELDS_END };
enum { VDC_ROUTE_UNSPEC, VDC_ROUTE_FIELDS(VDC_ROUTE_ENUM) VDC_ROUTE_FIELDS_END };
enum { VDC_DECISION_UNSPEC, VDC_DECISION_FIELDS(VDC_DECISION_ENUM) VDC_DECISION_FIELDS_END };
enum { VDC_CANDIDATE_UNSPEC, VDC_CANDIDATE_FIELDS(VDC_CANDIDATE_ENUM) VDC_CANDIDATE_FIELDS_END };
enum { VDC_EVENT_UNSPEC, VDC_EVENT_FIELDS(VDC_EVENT_ENUM) VDC_EVENT_FIELDS_END };
/* clang-format on */

#endif
