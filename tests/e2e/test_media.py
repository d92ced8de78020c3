# SPDX-License-Identifier: BSD-2-Clause
"""Media of live calls: sent by plain sockets, seen by an AF_PACKET socket at the other end, and
never by user space in between."""

import re
import struct
import time

import pytest

import plan
from events import Events
from rtp import PATIENCE, Endpoint, Stream, wait_until
from scenario import Callee, Caller, basic_caller, sdp
from sipp import finish
from talk import Talk

PBX, TRUNK = "10.10.0.2", "192.0.2.2"
PACKETS = 200


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    config["timers"]["attempt"] = 10  # nobody fails over, and emulated machines are slow
    return config


@pytest.mark.parametrize("frm, to", [("pbx", "trunk"), ("pbx6", "trunk6"), ("pbx", "trunk6"),
                                     ("pbx6", "trunk"), ("trunk", "pbx"), ("trunk6", "pbx")])
def test_rtp_both_ways_is_bit_identical_in_order_and_never_in_user_space(stage, frm, to):
    talk = Talk(stage, frm, to)
    forwarded = stage.cli.packets("forwarded")
    user_space = stage.world.viaduct.udp_counters()
    for sender, via, receiver, sniffer in talk.ways():
        stream, mark = Stream(), sniffer.mark()
        sender.send_stream(stream, via, PACKETS)
        got = sniffer.wait_received((receiver.address, receiver.port), PACKETS, since=mark)
        assert [d.payload for d in got] == stream.sent
        assert all(d.ok for d in got), "IP or UDP checksum"
        assert {d.ttl for d in got} == {63}
    after = stage.world.viaduct.udp_counters()
    for counter in ("InDatagrams", "NoPorts", "InErrors"):
        assert after[counter] == user_space[counter], f"{counter}: RTP in user space"
    assert stage.cli.packets("forwarded") - forwarded == 2 * PACKETS
    talk.end()


def test_media_leaves_from_the_address_and_port_that_sdp_named(stage):
    talk = Talk(stage)
    talk.a.send_stream(Stream(), talk.to_a(), 5)
    got = talk.outside.wait_received((talk.b.address, talk.b.port), 5)
    assert {d.src for d in got} == {talk.to_b()}, "symmetric RTP (RFC 4961)"
    talk.end()


def test_dscp_is_the_egress_sides(stage):
    talk = Talk(stage)
    talk.a.send_stream(Stream(), talk.to_a(), 5)
    got = talk.outside.wait_received((talk.b.address, talk.b.port), 5)
    assert {d.dscp for d in got} == {plan.DSCP_EF}
    talk.end()


def test_rtcp_passes_both_ways(stage):
    talk = Talk(stage)
    for sender, message, receiver, sniffer in ((talk.a, talk.ok, talk.b, talk.outside),
                                               (talk.b, talk.invite, talk.a, talk.inside)):
        report = Stream().sender_report()
        sender.send_rtcp(report, message.rtcp())
        got = sniffer.wait_received((receiver.address, receiver.port + 1), 1)
        assert got[0].payload == report and got[0].ok
    talk.end()


def test_rtcp_mux_on_both_legs_uses_one_port(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    talk = Talk(stage, offer=sdp(PBX, a.port, extra=["rtcp-mux"]),
                answer=sdp(TRUNK, b.port, extra=["rtcp-mux"]), a=a, b=b)
    assert "a=rtcp-mux" in talk.invite.body and "a=rtcp-mux" in talk.ok.body
    stream = Stream()
    packet, report = stream.packet(), stream.sender_report()
    a.send(packet, talk.to_a())
    a.send(report, talk.to_a())
    got = talk.outside.wait_received((b.address, b.port), 2)
    assert [d.payload for d in got] == [packet, report]
    talk.end()


def test_rtcp_attribute_of_a_peer_is_followed(stage):
    a, b, reports = stage.endpoint("pbx"), stage.endpoint("trunk"), stage.endpoint("trunk")
    talk = Talk(stage, a=a, b=b, answer=sdp(TRUNK, b.port, extra=[f"rtcp:{reports.port}"]))
    report = Stream().sender_report()
    a.send_rtcp(report, talk.ok.rtcp())
    got = talk.outside.wait_received((TRUNK, reports.port), 1)
    assert got[0].payload == report
    talk.end()


TELEPHONE_EVENT = "101 telephone-event/8000"


def test_telephone_event_passes_in_order_and_is_reported(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    codecs = ("0 PCMU/8000", TELEPHONE_EVENT)
    talk = Talk(stage, a=a, b=b, offer=sdp(PBX, a.port, codecs, extra=["fmtp:101 0-16"]),
                answer=sdp(TRUNK, b.port, codecs, extra=["fmtp:101 0-16"]))
    assert "a=fmtp:101 0-16" in talk.invite.body
    with Events(stage) as events:
        stream = Stream()
        a.send_stream(stream, talk.to_a(), 5)
        for packet in stream.telephone_event(7, 101):
            a.send(packet, talk.to_a())
        a.send_stream(stream, talk.to_a(), 5)
        got = talk.outside.wait_received((b.address, b.port), len(stream.sent))
        assert [d.payload for d in got] == stream.sent
        events.wait(lambda e: e["kind"] == "dtmf" and "digit 7" in e["text"])
    talk.end()


def test_payload_types_that_differ_between_the_legs_are_mapped(stage):
    """The answer numbers telephone-event otherwise than the offer: each leg keeps what it said."""
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    talk = Talk(stage, a=a, b=b, offer=sdp(PBX, a.port, ("0 PCMU/8000", TELEPHONE_EVENT)),
                answer=sdp(TRUNK, b.port, ("0 PCMU/8000", "96 telephone-event/8000")))
    told_a = int(re.search(r"a=rtpmap:(\d+) telephone-event", talk.ok.body).group(1))
    told_b = int(re.search(r"a=rtpmap:(\d+) telephone-event", talk.invite.body).group(1))
    for sender, via, receiver, sniffer, sent_as, wanted in (
            (a, talk.to_a(), b, talk.outside, told_a, 96),
            (b, talk.to_b(), a, talk.inside, told_b, 101)):
        stream = Stream(payload_type=sent_as)
        sender.send_stream(stream, via, 10)
        got = sniffer.wait_received((receiver.address, receiver.port), 10)
        assert {d.payload_type for d in got} == {wanted} and all(d.ok for d in got)
        assert [d.payload[2:] for d in got] == [p[2:] for p in stream.sent]
    talk.end()


def test_audio_and_video_each_have_a_flow_of_their_own(stage):
    a, b, video_a, video_b = (stage.endpoint(p) for p in ("pbx", "trunk", "pbx", "trunk"))
    video = lambda port: [f"m=video {port} RTP/AVP 96", "a=rtpmap:96 VP8/90000"]
    talk = Talk(stage, a=a, b=b, offer=sdp(PBX, a.port, more=video(video_a.port)),
                answer=sdp(TRUNK, b.port, more=video(video_b.port)))
    audio_stream, video_stream = Stream(), Stream(96, size=1100, ticks=3000)
    for _ in range(20):
        a.send(audio_stream.packet(), talk.to_a(0))
        video_a.send(video_stream.packet(), talk.to_a(1))
    for receiver, stream in ((b, audio_stream), (video_b, video_stream)):
        got = talk.outside.wait_received((TRUNK, receiver.port), 20)
        assert [d.payload for d in got] == stream.sent
    assert [s["kind"] for s in stage.cli.streams(talk.id)] == ["audio", "video"]
    talk.end()


def test_rejected_stream_gets_no_flow(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    video = lambda port: [f"m=video {port} RTP/AVP 96", "a=rtpmap:96 VP8/90000"]
    talk = Talk(stage, a=a, b=b, offer=sdp(PBX, a.port, more=video(7000)),
                answer=sdp(TRUNK, b.port, more=video(0)))
    assert talk.ok.media(1)[1] == 0
    assert {flow["stream"] for flow in stage.cli.flows()} == {0}
    talk.end()


def test_fax_over_udptl_is_relayed_as_it_is(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    def fax(address, port):
        return (f"v=0\r\no=- 1 2 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
                f"m=image {port} udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n"
                "a=T38FaxUdpEC:t38UDPRedundancy\r\n")
    talk = Talk(stage, a=a, b=b, offer=fax(PBX, a.port), answer=fax(TRUNK, b.port))
    assert "m=image" in talk.invite.body and "a=T38MaxBitRate:14400" in talk.invite.body
    assert "udptl t38" in talk.invite.body
    sent = [struct.pack("!H", n) + bytes([6, n, 0xC0]) * 5 for n in range(30)]
    for data in sent:
        a.send(data, talk.to_a())
    got = talk.outside.wait_received((TRUNK, b.port), len(sent))
    assert [d.payload for d in got] == sent and all(d.ok for d in got)
    talk.end()


def test_unknown_attributes_ptime_and_fmtp_are_left_alone(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    extra = ["ptime:30", "maxptime:60", "fmtp:0 vad=no", "x-own:thing with spaces"]
    talk = Talk(stage, a=a, b=b, offer=sdp(PBX, a.port, extra=extra))
    for line in extra:
        assert f"a={line}\r\n" in talk.invite.body
    talk.end()


def test_ice_and_what_else_names_addresses_is_removed(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    extra = ["ice-ufrag:8hhY", "ice-pwd:asd88fgpdd777uzjYhagZg",
             f"candidate:1 1 UDP 2130706431 {PBX} {a.port} typ host",
             f"rtcp:{a.port + 1} IN IP4 {PBX}", f"ssrc:2309163472 cname:sip:me@{PBX}"]
    talk = Talk(stage, a=a, b=b, offer=sdp(PBX, a.port, extra=extra))
    assert "candidate" not in talk.invite.body and "ice-" not in talk.invite.body
    assert PBX not in talk.invite.text
    talk.end()


def test_encrypted_profile_passes_as_it_is(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    secure = lambda address, port: sdp(address, port, extra=[
        "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"]
        ).replace("RTP/AVP", "RTP/SAVP")
    talk = Talk(stage, a=a, b=b, offer=secure(PBX, a.port), answer=secure(TRUNK, b.port))
    assert "RTP/SAVP" in talk.invite.body and "a=crypto:1" in talk.invite.body
    stream = Stream(size=170)
    a.send_stream(stream, talk.to_a(), 20)
    got = talk.outside.wait_received((TRUNK, b.port), 20)
    assert [d.payload for d in got] == stream.sent
    talk.end()


def test_codecs_that_a_peer_is_not_allowed_are_not_offered_to_it(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("alaw")
    talk = Talk(stage, to="alaw", a=a, b=b,
                offer=sdp(PBX, a.port, ("0 PCMU/8000", "8 PCMA/8000", "101 telephone-event/8000")),
                answer=sdp(b.address, b.port, ("8 PCMA/8000", "101 telephone-event/8000")))
    assert "PCMU" not in talk.invite.body
    assert re.search(r"m=audio \d+ RTP/AVP 8 101\r", talk.invite.body)
    talk.end()


def test_offer_without_any_allowed_codec_is_488(stage):
    called = stage.callee(Callee().invited(), "alaw")
    stage.caller(Caller().invite(sdp(PBX, 5000, ("0 PCMU/8000",))).trying().refused(488),
                 to="alaw").wait()
    assert not called.received()


# ---- who may send ----

def test_stranger_is_dropped_and_counted(stage):
    talk = Talk(stage)
    stranger = stage.endpoint("trunk", plan.STRANGER["external"])
    before = stage.cli.packets("drop_source", "external")
    stranger.send_stream(Stream(), talk.to_b(), 30)
    wait_until(lambda: stage.cli.packets("drop_source", "external") - before == 30, 2,
               "30 packets dropped")
    assert not talk.inside.received((talk.a.address, talk.a.port))
    legs = {leg["leg"]: leg for leg in stage.cli.streams(talk.id)[0]["legs"]}
    assert legs["b"]["dropped_source"] == 30
    talk.end()


def test_port_of_one_side_is_shut_to_the_other_side(stage):
    """The external peer's own port, reached from the internal network, is no flow."""
    talk = Talk(stage)
    before = stage.cli.packets("forwarded")
    # The external address is not routed inside: a host that tries sends it to Viaduct's MAC.
    stage.world.internal.run("ip", "route", "add", "192.0.2.1/32", "via", "10.10.0.1")
    try:
        talk.a.send_stream(Stream(), talk.to_b(), 10)
        time.sleep(0.2)
        assert stage.cli.packets("forwarded") == before
        assert not talk.outside.received((talk.b.address, talk.b.port))
    finally:
        stage.world.internal.run("ip", "route", "del", "192.0.2.1/32")
    talk.end()


def test_media_port_without_a_call_is_dropped_and_counted(stage):
    before = stage.cli.packets("drop_no_flow", "internal")
    sender = stage.endpoint("pbx")
    sender.send_stream(Stream(), ("10.10.0.1", plan.INTERNAL_PORTS[1] - 1), 20)
    wait_until(lambda: stage.cli.packets("drop_no_flow", "internal") - before == 20, 2, "20 drops")


def test_stun_and_dtls_on_a_media_port_are_dropped_by_name(stage):
    talk = Talk(stage)
    before = {reason: stage.cli.packets(reason) for reason in ("drop_stun", "drop_dtls")}
    talk.a.send(bytes.fromhex("000100002112a442") + b"x" * 12, talk.to_a())
    talk.a.send(bytes.fromhex("16fefd") + b"\0" * 20, talk.to_a())
    for reason, count in before.items():
        wait_until(lambda r=reason, c=count: stage.cli.packets(r) == c + 1, 2, reason)
    talk.end()


def test_without_latching_another_port_of_the_peer_is_a_stranger(stage):
    talk = Talk(stage)
    elsewhere = stage.endpoint("trunk")
    elsewhere.send_stream(Stream(), talk.to_b(), 10)
    talk.b.send_stream(Stream(), talk.to_b(), 1)
    got = talk.inside.wait_received((talk.a.address, talk.a.port), 1)
    assert len(got) == 1
    talk.end()


def test_latching_locks_once_onto_the_first_source_within_the_prefix(stage):
    """The peer sends from a port and address that its SDP did not name (NAT); media back follows,
    and a later source in the same prefix is refused."""
    a, said = stage.endpoint("pbx"), stage.endpoint("latching")
    real, late = stage.endpoint("second", "192.0.2.5"), stage.endpoint("second", "192.0.2.3")
    talk = Talk(stage, to="latching", a=a, b=said)
    with Events(stage) as events:
        outside_prefix = stage.endpoint("trunk", plan.STRANGER["external"])
        outside_prefix.send_stream(Stream(), talk.to_b(), 5)
        stream = Stream()
        real.send_stream(stream, talk.to_b(), 10)
        got = talk.inside.wait_received((a.address, a.port), 10)
        assert [d.payload for d in got] == stream.sent
        event = events.wait(lambda e: "latched" in e["text"])
        assert "192.0.2.5" in event["text"]
        late.send_stream(Stream(), talk.to_b(), 5)
        back = Stream()
        a.send_stream(back, talk.to_a(), 10)
        got = talk.outside.wait_received(("192.0.2.5", real.port), 10)
        assert [d.payload for d in got] == back.sent, "media goes to where it comes from"
    assert len(talk.inside.received((a.address, a.port))) == 10
    talk.end()


# ---- statistics ----

def test_statistics_tell_loss_order_and_source_changes(stage):
    talk = Talk(stage)
    stream = Stream()
    packets = [stream.packet() for _ in range(100)]
    del packets[50:60]
    packets[20], packets[21] = packets[21], packets[20]
    for packet in packets:
        talk.a.send(packet, talk.to_a())
        time.sleep(0.001)
    def leg():
        return {leg["leg"]: leg for leg in stage.cli.streams(talk.id)[0]["legs"]}["a"]
    wait_until(lambda: leg()["packets"] == 90, 2, lambda: f"90 packets: {leg()}")
    seen = leg()
    assert (seen["expected"], seen["lost"], seen["out_of_order"]) == (100, 10, 1)
    assert seen["bytes"] == 90 * 172 and seen["ssrc"] == stream.ssrc
    assert seen["local"].endswith(f":{talk.to_a()[1]}") and seen["in_kernel"]
    second = Stream()
    talk.a.send_stream(second, talk.to_a(), 5)
    wait_until(lambda: leg()["packets"] == 95, 2, "95 packets")
    assert leg()["ssrc"] == second.ssrc and leg()["ssrc_changes"] == 1
    talk.end()


def test_held_leg_is_not_sent_on(stage):
    """inactive: what still comes is counted as held, not forwarded."""
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    caller = basic_caller(sdp(PBX, a.port))
    caller.request("INVITE", sdp(PBX, a.port, version=2, direction="inactive"))
    caller.recv(100, optional=True).recv(200).ack().hold().bye()
    callee = Callee().invited().answer(sdp(TRUNK, b.port)).acked().recv("INVITE")
    callee.answer_invite(sdp(TRUNK, b.port, version=2, direction="inactive")).recv("ACK")
    outside = stage.sniffer("external")
    called = stage.callee(callee.answer_bye())
    calling = stage.caller(caller)
    to_a = calling.expect(200, "INVITE", count=2).media()
    called.expect("ACK", count=2)
    before = stage.cli.packets("drop_held")
    a.send_stream(Stream(), to_a, 10)
    wait_until(lambda: stage.cli.packets("drop_held") - before == 10, 2, "10 packets held")
    assert not outside.received((TRUNK, b.port))
    assert stage.cli.streams(stage.cli.only_call())[0]["held"]
    calling.go()
    finish(calling, called)


# ---- life ----

def test_silence_on_an_answered_call_ends_it_both_ways_with_a_reason(stage):
    talk = Talk(stage, to="watched", ended_by="viaduct")
    for sender, via, _, _ in talk.ways():
        sender.send_stream(Stream(), via, 10)
    started = time.monotonic()
    talk.end()
    assert plan.WATCHED_S / 2 < time.monotonic() - started < 2 * plan.WATCHED_S * PATIENCE
    for agent in (talk.calling, talk.called):
        assert agent.received("BYE")[0].header("reason")


def test_media_keeps_a_watched_call_alive(stage):
    talk = Talk(stage, to="watched")
    streams, begun = (Stream(), Stream()), time.monotonic()
    while time.monotonic() < begun + 1.5 * plan.WATCHED_S:
        for (sender, via, _, _), stream in zip(talk.ways(), streams):
            sender.send(stream.packet(), via)
        time.sleep(0.1)
    assert stage.cli.only_call() == talk.id
    talk.end()


def test_call_that_ended_forwards_nothing_more(stage):
    talk = Talk(stage)
    via = talk.to_a()
    talk.end()
    stage.quiet()
    assert not stage.cli.flows()
    before = stage.cli.packets("drop_no_flow", "internal")
    talk.a.send_stream(Stream(), via, 10)
    wait_until(lambda: stage.cli.packets("drop_no_flow", "internal") - before == 10, 2, "10 drops")
    assert not talk.outside.received((TRUNK, talk.b.port))


# ---- next hops ----

def test_changed_mac_address_of_a_neighbour_is_followed(stage):
    talk = Talk(stage)
    ns, device = stage.world.external, stage.world.external_device
    old = ns.link_mac(device)
    new = "02:00:00:00:be:ef"
    ns.run("ip", "link", "set", device, "address", new)
    try:
        # As the kernel learns it from the ARP of a host that takes an address over.
        stage.world.viaduct.run("ip", "neighbour", "replace", talk.b.address, "lladdr", new, "dev",
                                stage.world.viaduct_external, "nud", "reachable")
        stream = Stream()
        def arrives():
            talk.a.send(stream.packet(), talk.to_a())
            return [d for d in talk.outside.received((TRUNK, talk.b.port)) if d.dmac == new]
        wait_until(arrives, 1, "a packet for the new address")
    finally:
        ns.run("ip", "link", "set", device, "address", old)
        stage.world.viaduct.run("ip", "neighbour", "flush", "dev", stage.world.viaduct_external)
    talk.end()


def test_media_goes_through_the_gateway_that_the_route_names(stage):
    """The peer's SDP names an address behind a router; a new route moves the flow."""
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    far = "198.51.100.7"
    stage.world.external.add_address("lo", far + "/32")
    via = stage.world.viaduct
    via.run("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.3")
    try:
        far_end = stage.keep(Endpoint(stage.world.external, far))
        talk = Talk(stage, a=a, b=b, answer=sdp(far, far_end.port))
        stream = Stream()
        def arrives():
            a.send(stream.packet(), talk.to_a())
            return talk.outside.received((far, far_end.port))
        wait_until(arrives, 2, "media at the far host")
        leg = {l["leg"]: l for l in stage.cli.streams(talk.id)[0]["legs"]}["a"]
        assert leg["path"]["gateway"].startswith("192.0.2.3") and leg["path"]["resolved"]
        via.run("ip", "route", "replace", "198.51.100.0/24", "via", "192.0.2.6")
        wait_until(lambda: {l["leg"]: l for l in stage.cli.streams(talk.id)[0]["legs"]}["a"]["path"]
                   ["gateway"].startswith("192.0.2.6"), 1.5, "the new gateway")
        talk.end()
    finally:
        via.run("ip", "route", "del", "198.51.100.0/24", check=False)
        stage.world.external.run("ip", "address", "del", far + "/32", "dev", "lo")


def test_media_of_one_site_goes_past_viaduct(stage):
    """Each is shown the other's own address; nothing is programmed for the call."""
    talk = Talk(stage, "hq-a", "hq-b")
    assert talk.to_a() == (plan.PEERS["hq-b"].address, talk.b.port)
    assert talk.to_b() == (plan.PEERS["hq-a"].address, talk.a.port)
    call = stage.cli.call(talk.id)
    assert [finding["code"] for finding in call["findings"]] == ["bypassed"]
    assert not stage.cli.flows()
    talk.end()
