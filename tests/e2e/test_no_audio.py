# SPDX-License-Identifier: BSD-2-Clause
"""Calls without audio: `viaduct call` names the cause, without a look at anything else."""

import pytest

import plan
from events import Events
from rtp import Stream, wait_until
from scenario import Caller, basic_callee, basic_caller, sdp
from sipp import finish
from talk import Talk

PBX, TRUNK = plan.PEERS["pbx"].address, plan.PEERS["trunk"].address
BEHIND_NAT = "192.168.1.5"


def findings(stage, talk, leg):
    """By their code, what is said of that leg."""
    return {f["code"]: f["text"] for f in stage.cli.streams(talk.id)[0]["findings"] if f.get("leg") == leg}


def ended(stage, talk):
    """The call's record, once it is over."""
    talk.end()
    records = wait_until(lambda: [r for r in stage.daemon.records() if r["id"] == talk.id], 5, "the record")
    return records[0]


def test_whoever_sends_from_another_port_than_its_sdp_says_is_named(stage):
    talk = Talk(stage)
    other = stage.endpoint("trunk")
    source, admitted = f"{TRUNK}:{other.port}", f"{TRUNK}:{talk.b.port}"
    with Events(stage, str(talk.id)) as events:
        other.send_stream(Stream(), talk.to_b(), 30)
        told = events.wait(lambda e: e["kind"] == "stranger")
        assert told["text"] == f"leg b stream 0 media from {source} is refused, admitted is {admitted}"
        text = wait_until(lambda: findings(stage, talk, "b").get("refused_source"), 3, "the finding")
        assert f"come from {source} and not from {admitted}" in text
        # The same source again is nothing new.
        other.send_stream(Stream(), talk.to_b(), 30)
        wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][1]["dropped_source"] == 60, 3, "60 packets")
        assert [e["kind"] for e in events.read()].count("stranger") == 1
    assert stage.cli.streams(talk.id)[0]["legs"][1]["refused_source"] == source
    leg = ended(stage, talk)["streams"][0]["b"]
    assert (leg["packets"], leg["refused"], leg["refused_source"]) == (0, 60, source)


def test_what_is_lost_behind_us_is_told_by_the_far_ends_rtcp(stage):
    """A firewall there, for instance: what we forward never comes to it."""
    talk = Talk(stage)
    streams = [(end, to, Stream()) for end, to, *_ in talk.ways()]
    address, port = talk.to_b()

    def told(report, code):
        for end, to, stream in streams:
            end.send(stream.packet(), to)
        talk.b.send_rtcp(report, (address, port + 1))
        found = {f["code"]: f for f in stage.cli.streams(talk.id)[0]["findings"]}
        return found.get(code)

    def heard(highest):
        report = bytearray(streams[1][2].receiver_report(bytes(18)))
        report[16:20] = highest.to_bytes(4, "big")  # RFC 3550 6.4.1: extended highest sequence number
        return bytes(report)
    explain = lambda: str(stage.cli.streams(talk.id)[0]["findings"])
    numbers = iter(range(1, 1000))
    # Nothing ever, then all, then nothing any more, then all again.
    for nothing in (streams[1][2].sender_report(), heard(0)):
        found = wait_until(lambda: told(nothing, "unheard"), 3, explain)
        assert found["leg"] == "b" and f"sent on to {TRUNK}:{talk.b.port}" in found["text"]
        assert stage.cli.streams(talk.id)[0]["legs"][1]["far_loss_percent"] == 100
        wait_until(lambda: told(heard(next(numbers)), "ok"), 3, explain)
    talk.end()


@pytest.mark.parametrize("payload, reason", [
    pytest.param(None, "media port without a call", id="another-port"),
    pytest.param(bytes.fromhex("16fefd") + bytes(20), "DTLS on a media port", id="dtls")])
def test_what_is_dropped_where_a_silent_leg_should_be_heard_is_told(stage, payload, reason):
    talk = Talk(stage)
    address, port = talk.to_b()
    to = (address, port) if payload else (address, plan.EXTERNAL_PORTS[1] - 1)

    def told():
        talk.b.send(payload or Stream().packet(), to)
        found = findings(stage, talk, "b")
        return "silent" in found and reason in found.get("dropped", "")
    wait_until(told, 5, lambda: str(findings(stage, talk, "b")))
    assert "dropped" not in findings(stage, talk, "a")  # nothing came in on its side
    talk.end()


def test_a_private_address_in_the_sdp_of_a_trunk_is_told(stage):
    b = stage.endpoint("trunk")
    talk = Talk(stage, b=b, answer=sdp(TRUNK, b.port, connection=BEHIND_NAT))
    text = findings(stage, talk, "b")["private_address"]
    assert BEHIND_NAT in text and f"SIP comes from {TRUNK}" in text
    assert "private_address" not in findings(stage, talk, "a")  # as is its SIP
    talk.end()


DTLS = sdp(PBX, 5000, extra=["fingerprint:sha-256 AA:BB", "setup:actpass"]).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF")
DTLS_OF_LYNC = DTLS.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVP")


@pytest.mark.parametrize("offer, to, why", [
    pytest.param(sdp(PBX, 5000, ("0 PCMU/8000", "18 G729/8000")), "alaw",
                 "audio with PCMU, G729; PCMA, telephone-event allowed to alaw", id="codecs"),
    pytest.param(DTLS, "trunk", "audio over UDP/TLS/RTP/SAVPF is not relayed", id="dtls"),
    pytest.param(DTLS_OF_LYNC, "trunk", "audio over RTP/SAVP with keys by DTLS is not relayed", id="dtls-by-fingerprint"),
    pytest.param(sdp(PBX, 5000, connection="224.0.0.5"), "trunk",
                 "audio at no address that media can be sent to", id="multicast"),
    pytest.param(sdp(PBX, 5000, more=["m=audio 5000 RTP/AVP 0"] * 8), "trunk", "more than 8 m-lines", id="m-lines")])
def test_a_488_of_ours_says_why_to_caller_events_and_record(stage, offer, to, why):
    with Events(stage) as events:
        calling = stage.caller(Caller().invite(offer).trying().refused(488), to=to).wait()
        refused = events.wait(lambda e: e["kind"] == "refused")
        ended = events.wait(lambda e: e["kind"] == "end")
    number = plan.PEERS[to].number
    assert refused["text"] == f"caller -> {number} at {to}: 488 by us: {why}"
    assert ended["text"] == f"caller -> {number}: not answered: 488: {why}"
    assert calling.received(488)[0].header("warning") == '304 viaduct "Media type not available"'
    record = wait_until(lambda: [r for r in stage.daemon.records() if r["id"] == ended["call"]], 5, "the record")[0]
    assert record["why"] == f"not answered: 488: {why}"


def test_a_change_within_a_call_that_we_refuse_says_why(stage):
    caller = basic_caller(sdp(PBX, 5000, ("8 PCMA/8000",)))
    caller.request("INVITE", sdp(PBX, 5000, ("18 G729/8000",), version=2)).recv(100, optional=True)
    caller.recv(488).ack_failure().bye()
    callee = basic_callee(sdp(plan.PEERS["alaw"].address, 6000, ("8 PCMA/8000",))).answer_bye()
    with Events(stage) as events:
        called = stage.callee(callee, "alaw")
        calling = stage.caller(caller, to="alaw")
        finish(calling, called)
        refused = events.wait(lambda e: e["kind"] == "refused")
    number = plan.PEERS["alaw"].number
    assert refused["text"] == f"caller -> {number}, a change by leg a: 488 by us: audio with G729; " \
                              "PCMA, telephone-event allowed to alaw"
    assert calling.received(488)[0].header("warning") == '304 viaduct "Media type not available"'


def test_srtp_that_is_answered_by_plain_rtp_is_told(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    offer = sdp(PBX, a.port, extra=["crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"])
    talk = Talk(stage, a=a, b=b, offer=offer.replace("RTP/AVP", "RTP/SAVP"), answer=sdp(TRUNK, b.port))
    for sender, to, *_ in talk.ways():
        sender.send_stream(Stream(), to, 5)
    found = {f["code"] for f in stage.cli.streams(talk.id)[0]["findings"]}
    assert "profiles" in found and "ok" not in found
    talk.end()


def test_a_call_that_ends_for_want_of_media_says_whose_was_missing(stage):
    talk = Talk(stage, to="watched", ended_by="viaduct")
    speaking = Stream()

    def over():
        talk.a.send(speaking.packet(), talk.to_a())
        return not stage.cli.live_calls()
    wait_until(over, plan.WATCHED_S + 5, "the call to end")
    finish(talk.calling, talk.called)
    record = wait_until(lambda: [r for r in stage.daemon.records() if r["id"] == talk.id], 5, "the record")[0]
    assert record["why"] == f"media timeout: nothing from leg b (watched) for {plan.WATCHED_S} s"


def test_calls_without_media_are_found_in_the_list(stage):
    talk = Talk(stage)
    streams = {end: (to, Stream()) for end, to, *_ in talk.ways()}

    def listed(*speaking):
        for end in speaking:
            to, stream = streams[end]
            end.send(stream.packet(), to)
        return stage.cli.calls()[0].get("media")
    assert listed() == "none"
    wait_until(lambda: listed(talk.b) == "b", 3, listed)
    wait_until(lambda: listed(talk.a, talk.b) == "both", 3, listed)
    wait_until(lambda: listed(talk.a) == "a", 8, listed)
    assert "from a" in stage.cli.text("calls").stdout
    talk.end()
