/* SPDX-License-Identifier: BSD-2-Clause */
/* "Why has it no audio?": from the facts of a stream to what the operator is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/diagnosis.h"

static struct media_stream_info stream;
static struct dataplane_flow flow[2];
static struct diagnosis_facts facts;
static struct findings findings;

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, text, 0), 0);
	return a;
}

/* An answered call whose audio flows both ways. */
static int healthy(void **state)
{
	(void)state;
	memset(&stream, 0, sizeof(stream));
	memset(flow, 0, sizeof(flow));
	stream.active = true;
	for (int i = 0; i < 2; i++) {
		struct media_leg_info *leg = &stream.leg[i];

		leg->local = addr(i ? "198.51.100.1:30000" : "10.0.0.1:20000");
		leg->remote = addr(i ? "192.0.2.9:6000" : "10.0.0.9:4000");
		leg->rtp.packets = 500;
		leg->rtp.last_seen_ms_ago = 20;
		leg->flow = (dataplane_flow_id)i + 1;
		leg->sends = true;
		leg->path.resolved = true;
		leg->far_loss_percent = -1;
		flow[i].in_side = i ? SIDE_EXTERNAL : SIDE_INTERNAL;
		flow[i].out_side = i ? SIDE_INTERNAL : SIDE_EXTERNAL;
		flow[i].local = leg->local;
		flow[i].remote = leg->remote;
		flow[i].out_remote = addr(i ? "10.0.0.9:4000" : "192.0.2.9:6000");
	}
	facts = (struct diagnosis_facts){.state = CALL_ANSWERED,
		.stream = &stream,
		.flow = {&flow[0], &flow[1]},
		.attached = {true, true}};
	return 0;
}

static const struct finding *found(enum finding_code code, int leg)
{
	for (unsigned i = 0; i < findings.count; i++) {
		if (findings.one[i].code == code && findings.one[i].leg == leg)
			return &findings.one[i];
	}
	return NULL;
}

static const struct finding *finds(enum finding_code code, int leg)
{
	diagnose_stream(&facts, &findings);
	if (!found(code, leg))
		fail_msg("%s is not found", finding_name(code));
	return found(code, leg);
}

static void a_healthy_stream_has_one_finding_ok(void **state)
{
	(void)state;
	finds(FINDING_ok, -1);
	assert_int_equal(findings.count, 1);
	assert_true(diagnosis_in_kernel(&facts, LEG_A));
}

static void a_leg_that_sends_nothing_is_named_with_the_port_it_should_send_to(void **state)
{
	(void)state;
	stream.leg[LEG_B].rtp.packets = 0;
	stream.leg[LEG_B].rtp.last_seen_ms_ago = UINT64_MAX;
	assert_string_equal(finds(FINDING_silent, LEG_B)->text,
		"nothing comes from leg b: it should send to 198.51.100.1:30000, and no packet of "
		"its has come there (a firewall on the way, or it sends elsewhere or not at all)");
	assert_non_null(found(FINDING_one_way, LEG_A));
	assert_null(found(FINDING_ok, -1));
}

static void packets_from_a_stranger_name_the_admitted_address(void **state)
{
	(void)state;
	stream.leg[LEG_B].rtp.packets = 0;
	stream.leg[LEG_B].rtp.dropped_source = 77;
	assert_string_equal(finds(FINDING_refused_source, LEG_B)->text,
		"77 packets to 198.51.100.1:30000 were refused: they do not come from "
		"192.0.2.9:6000, the address in the SDP (latching is off)");
}

static void packets_from_a_stranger_name_him_where_the_kernel_told(void **state)
{
	(void)state;
	stream.leg[LEG_B].rtp.dropped_source = 77;
	stream.leg[LEG_B].refused = addr("192.0.2.9:7000");
	assert_string_equal(finds(FINDING_refused_source, LEG_B)->text,
		"77 packets to 198.51.100.1:30000 were refused: they come from 192.0.2.9:7000 and "
		"not from 192.0.2.9:6000, the address in the SDP (latching is off)");
}

static void what_only_the_far_end_can_tell_is_told_by_its_rtcp(void **state)
{
	(void)state;
	stream.leg[LEG_B].far_loss_percent = 4;
	finds(FINDING_ok, -1);
	assert_int_equal(findings.count, 1);
	stream.leg[LEG_B].far_loss_percent = 30;
	assert_string_equal(finds(FINDING_far_loss, LEG_B)->text,
		"leg b says by RTCP that it loses 30.0 % of what is sent on to 192.0.2.9:6000");
	assert_non_null(found(FINDING_ok, -1));
	stream.leg[LEG_B].far_loss_percent = 100;
	assert_string_equal(finds(FINDING_unheard, LEG_B)->text,
		"leg b says by RTCP that it receives nothing of what is sent on to 192.0.2.9:6000: "
		"it is lost on the way there, or refused at its end");
	assert_null(found(FINDING_ok, -1));
	/* Who is sent nothing hears nothing. */
	stream.leg[LEG_A].rtp.packets = 0;
	diagnose_stream(&facts, &findings);
	assert_null(found(FINDING_unheard, LEG_B));
}

static void a_leg_that_encrypts_and_one_that_does_not_are_told(void **state)
{
	(void)state;
	stream.profiles_differ = true;
	assert_string_equal(finds(FINDING_profiles, -1)->text,
		"one leg's SDP says SRTP (RTP/SAVP), the other's plain RTP: what one sends is "
		"noise to the other, since SRTP is neither ended nor begun here");
	assert_null(found(FINDING_ok, -1));
}

static void a_private_address_in_the_sdp_of_who_calls_from_a_public_one_is_named(void **state)
{
	(void)state;
	stream.leg[LEG_B].remote = addr("192.168.1.5:6000");
	facts.signalling[LEG_B] = addr("203.0.113.7:5060");
	/* Whoever is heard there is well. */
	finds(FINDING_ok, -1);
	assert_null(found(FINDING_private_address, LEG_B));
	stream.leg[LEG_B].rtp.packets = 0;
	assert_string_equal(finds(FINDING_private_address, LEG_B)->text,
		"leg b's SDP asks for media at 192.168.1.5, a private address, while its SIP comes "
		"from 203.0.113.7: behind NAT it has to name its public address in SDP");
	/* Within a private network that is as it should be. */
	facts.signalling[LEG_B] = addr("10.9.0.7:5060");
	diagnose_stream(&facts, &findings);
	assert_null(found(FINDING_private_address, LEG_B));
}

static void what_is_dropped_on_the_side_of_a_silent_leg_is_told(void **state)
{
	uint64_t lately[SIDE_COUNT][VD_REASON_MAX] = {0};

	(void)state;
	facts.lately = lately;
	lately[SIDE_EXTERNAL][VD_DROP_NO_FLOW] = 150;
	lately[SIDE_EXTERNAL][VD_DROP_DTLS] = 3;
	finds(FINDING_ok, -1);
	assert_int_equal(findings.count, 1);
	stream.leg[LEG_B].rtp.packets = 0;
	assert_string_equal(finds(FINDING_dropped, LEG_B)->text,
		"on the external side, where leg b's packets come in, packets of this call or "
		"others were no stream's in the last 3 s: 150 media port without a call, "
		"3 DTLS on a media port (RFC 7983 20-63)");
	assert_null(found(FINDING_dropped, LEG_A));
}

static void an_unresolved_next_hop_says_which_and_why(void **state)
{
	(void)state;
	stream.leg[LEG_A].path.resolved = false;
	stream.leg[LEG_A].path.gateway = addr("192.0.2.254");
	stream.leg[LEG_A].path.why = "no neighbour";
	assert_string_equal(finds(FINDING_next_hop, LEG_A)->text,
		"next hop 192.0.2.254 towards leg b is not resolved: no neighbour");
	assert_non_null(found(FINDING_one_way, LEG_B));
}

static void what_is_too_long_for_the_device_is_not_said_to_flow(void **state)
{
	(void)state;
	/* Payload, UDP and IPv4. */
	stream.leg[LEG_A].rtp.packets = 100;
	stream.leg[LEG_A].rtp.bytes = 100 * 172;
	strcpy(stream.leg[LEG_A].path.device, "ext0");
	stream.leg[LEG_A].path.mtu = 200;
	finds(FINDING_ok, -1);
	stream.leg[LEG_A].path.mtu = 199;
	assert_string_equal(finds(FINDING_too_long, LEG_A)->text,
		"what leg a sends is dropped as too long: packets of 200 bytes, and ext0 takes "
		"199 (MTU)");
	assert_non_null(found(FINDING_one_way, LEG_B));
	assert_null(found(FINDING_ok, -1));
	/* By the family that they leave with. */
	flow[LEG_A].out_remote = addr("[2001:db8::9]:6000");
	stream.leg[LEG_A].path.mtu = 220;
	finds(FINDING_ok, -1);
	stream.leg[LEG_A].path.mtu = 219;
	finds(FINDING_too_long, LEG_A);
}

static void what_the_driver_loses_is_not_said_to_flow(void **state)
{
	struct dataplane_device_status device = {.name = "ext0", .lost = 500, .lost_lately = 57};

	(void)state;
	facts.device[SIDE_EXTERNAL] = &device;
	assert_string_equal(finds(FINDING_driver_loss, LEG_A)->text,
		"what leg a sends is sent on by ext0, whose driver lost 57 packets in the last "
		"3 s, of this call or others: its queue was full");
	assert_null(found(FINDING_driver_loss, LEG_B));
	assert_null(found(FINDING_ok, -1));
	assert_null(found(FINDING_one_way, LEG_B));
	device.lost_error = EOPNOTSUPP;
	assert_non_null(
		strstr(finds(FINDING_driver_loss, LEG_A)->text, "others: it takes none (a veth"));
	/* Long ago. */
	device.lost_lately = 0;
	finds(FINDING_ok, -1);
	/* Nothing is sent there. */
	device.lost_lately = 57;
	stream.leg[LEG_A].rtp.last_seen_ms_ago = 12345;
	diagnose_stream(&facts, &findings);
	assert_null(found(FINDING_driver_loss, LEG_A));
	assert_non_null(found(FINDING_one_way, LEG_B));
}

static void hold_is_no_fault_and_is_named(void **state)
{
	(void)state;
	stream.held = true;
	stream.leg[LEG_A].sends = false;
	flow[LEG_B].blackhole = true;
	finds(FINDING_inactive, LEG_A);
	assert_non_null(found(FINDING_held, LEG_B));
	assert_null(found(FINDING_silent, LEG_A));
	assert_null(found(FINDING_next_hop, LEG_B));
}

static void a_leg_that_stopped_is_told_from_one_that_never_sent(void **state)
{
	(void)state;
	stream.leg[LEG_A].rtp.last_seen_ms_ago = 12345;
	assert_string_equal(finds(FINDING_stopped, LEG_A)->text, "leg a has sent nothing for 12 s");
	assert_null(found(FINDING_silent, LEG_A));
}

static void a_detached_program_means_not_in_the_kernel(void **state)
{
	(void)state;
	facts.attached[SIDE_EXTERNAL] = false;
	finds(FINDING_not_attached, LEG_B);
	assert_false(diagnosis_in_kernel(&facts, LEG_B));
	assert_true(diagnosis_in_kernel(&facts, LEG_A));
}

static void a_missing_flow_is_named(void **state)
{
	(void)state;
	facts.flow[LEG_A] = NULL;
	finds(FINDING_no_flow, LEG_A);
	assert_false(diagnosis_in_kernel(&facts, LEG_A));
}

static void no_address_and_no_latching_admits_nothing(void **state)
{
	(void)state;
	memset(&flow[LEG_B].remote, 0, sizeof(flow[LEG_B].remote));
	finds(FINDING_no_source, LEG_B);
	flow[LEG_B].latch = true;
	diagnose_stream(&facts, &findings);
	assert_null(found(FINDING_no_source, LEG_B));
}

static void a_rejected_stream_has_no_other_finding(void **state)
{
	(void)state;
	stream.active = false;
	stream.leg[LEG_A].flow = 0;
	finds(FINDING_rejected, -1);
	assert_int_equal(findings.count, 1);
}

static void heavy_loss_is_told(void **state)
{
	(void)state;
	stream.leg[LEG_A].loss_percent = 7.25;
	finds(FINDING_loss, LEG_A);
	stream.leg[LEG_A].loss_percent = 0.5;
	diagnose_stream(&facts, &findings);
	assert_null(found(FINDING_loss, LEG_A));
}

static void a_call_without_streams_says_so(void **state)
{
	(void)state;
	diagnose_no_streams(CALL_RINGING, NULL, &findings);
	assert_non_null(found(FINDING_no_media, -1));
	diagnose_no_streams(CALL_ANSWERED, "hq", &findings);
	assert_non_null(strstr(found(FINDING_bypassed, -1)->text, "site hq"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, healthy)
	const struct CMUnitTest tests[] = {
		TEST(a_healthy_stream_has_one_finding_ok),
		TEST(a_leg_that_sends_nothing_is_named_with_the_port_it_should_send_to),
		TEST(packets_from_a_stranger_name_the_admitted_address),
		TEST(packets_from_a_stranger_name_him_where_the_kernel_told),
		TEST(a_private_address_in_the_sdp_of_who_calls_from_a_public_one_is_named),
		TEST(what_only_the_far_end_can_tell_is_told_by_its_rtcp),
		TEST(a_leg_that_encrypts_and_one_that_does_not_are_told),
		TEST(what_is_dropped_on_the_side_of_a_silent_leg_is_told),
		TEST(an_unresolved_next_hop_says_which_and_why),
		TEST(what_is_too_long_for_the_device_is_not_said_to_flow),
		TEST(what_the_driver_loses_is_not_said_to_flow),
		TEST(hold_is_no_fault_and_is_named),
		TEST(a_leg_that_stopped_is_told_from_one_that_never_sent),
		TEST(a_detached_program_means_not_in_the_kernel),
		TEST(a_missing_flow_is_named),
		TEST(no_address_and_no_latching_admits_nothing),
		TEST(a_rejected_stream_has_no_other_finding),
		TEST(heavy_loss_is_told),
		TEST(a_call_without_streams_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
