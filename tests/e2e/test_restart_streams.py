# SPDX-License-Identifier: BSD-2-Clause
"""Calls over TCP inside and TLS outside, while one daemon ends and the next one starts: their connections
are gone with it, and the one who has something to say opens a new one."""

import pytest

import plan
from rtp import Stream, wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import finish
from streams import PAIRS, PBX, PROXY, TRUNK, configuration, proxies, stage

BOTH_WAYS = ("kill", "leave")


def restart(stage, how):
    getattr(stage.daemon, how)()
    stage.daemon.start()


def opened_by(*speakers):
    """The handshakes outside: ours where the call's word comes from inside; the provider has its own way, and
    opens a connection to where we listen."""
    return {"opened by us": int(speakers[0] == "pbx"), "by the peer": int("trunk" in speakers)}


def agents(asker):
    """(asking, asked): the sides' scenarios up to the answer, pbx calling trunk."""
    caller, callee = basic_caller(sdp(PBX.address, 5000)), basic_callee(sdp(TRUNK.address, 6000))
    return (caller, callee) if asker == "pbx" else (callee, caller)


def call(stage, asking, asked, asker):
    """Both running, the call answered."""
    caller, callee = (asking, asked) if asker == "pbx" else (asked, asking)
    called = stage.callee(callee)
    calling = stage.caller(caller)
    calling.expect(200, "INVITE")
    called.expect("ACK")
    return (calling, called) if asker == "pbx" else (called, calling)


def answer_late(agent, method, body=None):
    """When it goes on; what it holds for is a message in between."""
    kept = [("via1", "Via", 1), ("via2", "Via", 2), ("fromx", "From"), ("tox", "To"), ("cseqx", "CSeq")]
    agent.recv(method, save=kept).hold()
    agent.send(["SIP/2.0 200 x", "Via:[$via1]", "Via:[$via2]", "From:[$fromx]", "To:[$tox]",
                "Call-ID: [call_id]", "CSeq:[$cseqx]", agent.contact], body)


@pytest.mark.parametrize("asker", PROXY)
@pytest.mark.parametrize("how", BOTH_WAYS)
def test_bye_comes_by_a_new_connection_and_leaves_by_another(stage, how, asker):
    asking, asked = agents(asker)
    asking.hold().bye()
    asked.answer_bye()
    asking, asked = call(stage, asking, asked, asker)
    restart(stage, how)
    asking.go()
    finish(asking, asked)
    assert stage.handshakes() == opened_by(asker)


@pytest.mark.parametrize("asker", PROXY)
def test_a_bye_that_was_not_answered_goes_out_again_by_a_new_connection(stage, asker):
    """The one that it is for has not seen it, or not said a word: kamailio, which has, takes the next for a
    retransmission."""
    asking, asked = agents(asker)
    asking.hold().bye()
    answer_late(asked, "BYE")
    asking, asked = call(stage, asking, asked, asker)
    asking.go()
    asked.expect("BYE")
    restart(stage, "kill")
    wait_until(lambda: stage.cli.status()["sip"]["tcp_connections"] > 0, 5, "a connection for the BYE")
    asked.go()
    finish(asking, asked)
    wait_until(lambda: stage.cli.status()["state"]["calls"] == 0, 8, "the BYE to be answered")


def ask_within(stage, asking, asked, asker, method):
    """What the next daemon is left with: the request went on, and has no answer."""
    asking, asked = call(stage, asking, asked, asker)
    asking.go()
    asked.expect(method)
    restart(stage, "kill")
    return asking, asked


@pytest.mark.parametrize("asker", PROXY)
def test_who_has_asked_and_does_not_ask_again_has_the_answer_by_a_new_connection(stage, asker):
    """RFC 3261 18.2.2: to where the asker listens."""
    asking, asked = agents(asker)
    address, other = (PBX.address, TRUNK.address) if asker == "pbx" else (TRUNK.address, PBX.address)
    asking.hold().request("UPDATE", sdp(address, 7000, version=2)).recv(200).bye()
    answer_late(asked, "UPDATE", sdp(other, 7002, version=2))
    asked.recv("UPDATE", optional=True).answer_bye()  # one more of its proxy's may have been on its way
    asking, asked = ask_within(stage, asking, asked, asker, "UPDATE")
    asked.go()
    finish(asking, asked)
    assert asking.received(200, "UPDATE")[0].media()[1] != 0
    branches = {message.header("via").split("branch=")[1] for message in asked.received("UPDATE")}
    assert len(branches) == 1, "its proxy has not taken it for a new one"


@pytest.mark.parametrize("asker", PROXY)
def test_who_has_asked_for_what_may_not_be_done_twice_hears_504(stage, asker):
    """An answer that comes late all the same is no harm."""
    asking, asked = agents(asker)
    asking.hold().request("INFO").recv(504).hold().bye()
    answer_late(asked, "INFO")
    asked.recv("INFO", optional=True).answer_bye()
    asking, asked = ask_within(stage, asking, asked, asker, "INFO")
    asking.expect(504)
    asked.go()
    asking.go()
    finish(asking, asked)


@pytest.mark.parametrize("asker", PROXY)
@pytest.mark.parametrize("how", BOTH_WAYS)
def test_reinvite_and_then_the_other_sides_bye_find_their_way(stage, how, asker):
    asking, asked = agents(asker)
    address, other = (PBX.address, TRUNK.address) if asker == "pbx" else (TRUNK.address, PBX.address)
    asking.hold().request("INVITE", sdp(address, 7000, version=2)).recv(100, optional=True).recv(200).ack()
    asking.answer_bye()
    asked.recv("INVITE").answer_invite(sdp(other, 7002, version=2)).recv("ACK").hold().bye()
    asking, asked = call(stage, asking, asked, asker)
    restart(stage, how)
    asking.go()
    asked.expect("ACK", count=2 if asker == "pbx" else 1)
    asked.go()
    finish(asking, asked)
    assert stage.handshakes() == opened_by(asker, *(name for name in PROXY if name != asker))


@pytest.mark.parametrize("frm, to", PAIRS)
@pytest.mark.parametrize("how", BOTH_WAYS)
def test_ringing_call_is_answered_and_its_media_flows(stage, how, frm, to):
    """Its INVITE goes out again: the provider takes it for a retransmission, and answers where it came from."""
    a, b = stage.endpoint(frm), stage.endpoint(to)
    caller = Caller().invite(sdp(a.address, a.port)).trying().recv(180).recv(180, optional=True)
    caller.answered().ack().hold().bye()
    callee = Callee(proxied=True).invited().respond(180).hold().answer(sdp(b.address, b.port)).acked().answer_bye()
    called = stage.callee(callee, to)
    calling = stage.caller(caller, frm, to=to)
    calling.expect(180)
    restart(stage, how)
    called.go()
    ok, invite = calling.expect(200, "INVITE"), called.expect("INVITE")
    called.expect("ACK")
    for sender, via, receiver in ((a, ok, b), (b, invite, a)):
        sniffer = stage.sniffer("internal" if receiver.address == PBX.address else "external")
        stream, since = Stream(), sniffer.mark()
        sender.send_stream(stream, via.media(), 20)
        got = sniffer.wait_received((receiver.address, receiver.port), 20, since=since)
        assert [d.payload for d in got] == stream.sent
    calling.go()
    finish(calling, called)


@pytest.mark.parametrize("frm, to", PAIRS)
def test_ringing_call_is_cancelled_over_a_new_connection(stage, frm, to):
    caller = Caller().invite(sdp(plan.PEERS[frm].address, 5000)).trying().recv(180, save=[("via", "Via")]).hold()
    caller.cancel("Via:[$via]").cancelled()
    callee = Callee(proxied=True).invited().respond(180).recv("CANCEL").reply(200).respond(487).acked()
    called = stage.callee(callee, to)
    calling = stage.caller(caller, frm, to=to)
    calling.expect(180)
    restart(stage, "kill")
    calling.go()
    finish(calling, called)
