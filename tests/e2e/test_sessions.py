# SPDX-License-Identifier: BSD-2-Clause
"""How each peer is spoken with in the course of a call: session timers, reliable provisionals,
delayed offers, forks, early media, hold. The daemon has a configuration of its own."""

import re

import pytest

import plan
from baresip import write_tone
from linphone import Linphone
from rtp import Stream
from scenario import Callee, Caller, basic_callee, sdp
from sipp import finish

INTERVAL_S = 10  # of a session: refreshed after half of it, ended after two thirds
SETTINGS = {
    "pbx": {"session_timer": {"min": 1}},
    "phone": {"forking": "fold", "early_media": "block"},
    "trunk": {"session_timer": {"mode": "request", "interval": INTERVAL_S, "min": 1}},
    "alaw": {"codecs": ["PCMA", "PCMU", "telephone-event"], "delayed_offer": "convert"},
    "second": {"reliable": "end"},
    "informed": {"hold": "inactive"},
    "latching": {"media": {}, "hold": "zero"},
}
PBX = plan.PEERS["pbx"]


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    for peer in config["peers"]:
        peer |= SETTINGS.get(peer["name"], {})
    return config


class Scene:
    """Both sides' endpoints, and who listens to them; frm calls to."""

    def __init__(self, stage, frm="pbx", to="trunk"):
        self.stage, self.frm, self.to = stage, frm, to
        self.a, self.b = stage.endpoint(frm), stage.endpoint(to)
        self.inside, self.outside = stage.sniffer("internal"), stage.sniffer("external")
        self.offer = sdp(plan.PEERS[frm].address, self.a.port)
        self.answer = sdp(plan.PEERS[to].address, self.b.port)

    def begin(self, caller, callee):
        self.called = self.stage.callee(callee, self.to)
        self.calling = self.stage.caller(caller, self.frm, to=self.to)

    def media_passes(self, to_a, to_b, payload_type=0):
        """What a sends to Viaduct's address to_a comes to b, and the other way round."""
        for sniffer, sender, to, receiver in ((self.outside, self.a, to_a, self.b),
                                              (self.inside, self.b, to_b, self.a)):
            stream, mark = Stream(payload_type), sniffer.mark()
            sender.send_stream(stream, to, 20)
            got = sniffer.wait_received((receiver.address, receiver.port), 20, since=mark)
            assert [d.payload for d in got] == stream.sent and all(d.ok for d in got)

    def finish(self):
        finish(self.calling, self.called)


def prack(caller):
    """The caller's PRACK for what it has kept of a reliable response."""
    return caller.request("PRACK", headers=[f"RAck:[$rseq] {caller.first_cseq} INVITE"])


# ---- session timers (RFC 4028) ----

def test_a_trunk_that_knows_update_is_refreshed_by_it_and_gone_ends_the_call(stage):
    headers = ["Allow: INVITE, ACK, BYE, UPDATE", "Supported: timer", "Require: timer",
               f"Session-Expires: {INTERVAL_S};refresher=uac"]
    refreshed = ["Require: timer", f"Session-Expires: {INTERVAL_S};refresher=uac"]
    scene = Scene(stage)
    callee = Callee().invited().answer(scene.answer, headers).acked()
    callee.recv("UPDATE").answer_invite("", headers=refreshed).recv("UPDATE").reply(481)
    caller = Caller().invite(scene.offer).trying().answered().ack().answer_bye()
    scene.begin(caller, callee)
    scene.finish()
    invite, update = scene.called.received("INVITE")[0], scene.called.received("UPDATE")[0]
    assert invite.header("session-expires") == str(INTERVAL_S)
    assert "timer" in invite.header("supported") and invite.header("min-se") == "1"
    assert update.header("session-expires") == f"{INTERVAL_S};refresher=uac" and not update.body
    # Nothing of it on the other leg.
    assert not scene.calling.received("UPDATE")
    assert not scene.calling.received(200, "INVITE")[0].header("session-expires")


def test_a_trunk_without_session_timers_is_refreshed_by_reinvite_and_media_goes_on(stage):
    scene = Scene(stage)
    callee = Callee().invited().answer(scene.answer).acked()
    callee.recv("INVITE").answer_invite(scene.answer).acked().hold().answer_bye()
    caller = Caller().invite(scene.offer).trying().answered().ack().hold().bye()
    scene.begin(caller, callee)
    first, again = scene.called.expect("INVITE"), scene.called.expect("INVITE", count=2)
    assert again.body == first.body  # o= too: RFC 4028 7.4
    scene.called.expect("ACK", count=2)
    scene.media_passes(scene.calling.expect(200, "INVITE").media(), again.media())
    scene.called.go()
    scene.calling.go()
    scene.finish()
    assert not scene.calling.received("INVITE")


def test_what_a_caller_asked_to_refresh_and_does_not_ends_the_call(stage):
    scene = Scene(stage, to="proxy")
    headers = ["Supported: timer", f"Session-Expires: {INTERVAL_S};refresher=uac"]
    caller = Caller().invite(scene.offer, headers).trying().recv(180, optional=True)
    caller.answered().ack().request("UPDATE", headers=headers).recv(200).answer_bye()
    scene.begin(caller, basic_callee(scene.answer).answer_bye())
    scene.finish()
    ok, bye = scene.calling.received(200, "INVITE")[0], scene.calling.received("BYE")[0]
    assert ok.header("session-expires") == f"{INTERVAL_S};refresher=uac"
    assert "timer" in ok.header("require")
    assert "408" in bye.header("reason")
    assert not scene.called.received("UPDATE")
    assert not scene.called.received("INVITE")[0].header("session-expires")
    assert stage.cli.status()["calls"]["sessions_expired"] >= 1


def test_an_interval_too_small_is_422(stage):
    caller = Caller().invite(sdp(plan.PEERS["phone"].address, 5000),
                             ["Supported: timer", "Session-Expires: 20"]).trying().refused(422)
    calling = stage.caller(caller, "phone")
    calling.wait()
    assert calling.received(422)[0].header("min-se") == "90"


def test_a_422_is_obeyed(stage):
    scene = Scene(stage)
    callee = Callee().invited().respond(422, headers=["Min-SE: 600"]).recv("ACK")
    callee.recv("INVITE", save=[("remote", "From"), ("local", "To"), ("via", "Via"),
                                ("cseq", "CSeq")])
    callee.answer(scene.answer, ["Session-Expires: 600;refresher=uas"]).acked().answer_bye()
    scene.begin(Caller().invite(scene.offer).trying().answered().ack().bye(), callee)
    scene.finish()
    first, second = scene.called.received("INVITE")
    assert second.header("session-expires") == "600" and second.header("min-se") == "600"
    assert second.header("call-id") == first.header("call-id")
    assert second.header("cseq") == "2 INVITE"


# ---- reliable provisional responses (RFC 3262) ----

def test_we_acknowledge_a_reliable_183_for_a_caller_that_cannot(stage):
    scene = Scene(stage, to="second")
    callee = Callee().invited()
    callee.respond(183, scene.answer, headers=["Require: 100rel", "RSeq: 17"], retrans=500)
    callee.recv("PRACK").reply(200).answer().acked().hold().answer_bye()
    caller = Caller().invite(scene.offer).trying().recv(183).answered().ack().hold().bye()
    scene.begin(caller, callee)
    invite, ok = scene.called.expect("INVITE"), scene.calling.expect(200, "INVITE")
    assert "100rel" in invite.header("supported")
    early = scene.calling.received(183)[0]
    assert not early.header("rseq") and not early.header("require")
    assert ok.media() == early.media()  # the callee's 200 had none
    scene.media_passes(ok.media(), invite.media())
    scene.called.go()
    scene.calling.go()
    scene.finish()


def test_we_make_a_183_reliable_for_a_caller_that_needs_it(stage):
    scene = Scene(stage, to="proxy")
    caller = Caller().invite(scene.offer, headers=["Require: 100rel"]).trying()
    caller.recv(183, save=[("remote", "To"), ("rseq", "RSeq")], rrs="true").pause(700)
    prack(caller).recv(183, optional=True).recv(200).answered().ack(cseq=1).bye()
    callee = Callee().invited().respond(183, scene.answer).answer(scene.answer).acked().answer_bye()
    scene.begin(caller, callee)
    scene.finish()
    reliable = scene.calling.received(183)
    assert len(reliable) >= 2 and len({m.header("rseq") for m in reliable}) == 1
    assert reliable[0].header("require") == "100rel"
    messages = scene.calling.messages()
    acknowledged = next(i for i, m in enumerate(messages) if m.method == "PRACK")
    answered = next(i for i, m in enumerate(messages) if m.code == 200 and m.method == "INVITE")
    assert acknowledged < answered


# ---- delayed offers ----

def test_a_delayed_offer_becomes_an_early_one_and_media_passes(stage):
    scene = Scene(stage, to="alaw")
    both = ("8 PCMA/8000", "0 PCMU/8000", "101 telephone-event/8000")
    caller = Caller().invite().trying().answered()
    caller.ack(sdp(PBX.address, scene.a.port, ("0 PCMU/8000", "101 telephone-event/8000")))
    callee = Callee().invited().answer(sdp(plan.PEERS["alaw"].address, scene.b.port, both)).acked()
    callee.recv("INVITE").answer_invite(
        sdp(plan.PEERS["alaw"].address, scene.b.port, ("0 PCMU/8000", "101 telephone-event/8000"),
            version=2)).acked().hold().answer_bye()
    scene.begin(caller.hold().bye(), callee)
    offered, again = scene.called.expect("INVITE"), scene.called.expect("INVITE", count=2)
    assert "RTP/AVP 8 0 101" in offered.body and "RTP/AVP 0 101" in again.body
    scene.called.expect("ACK", count=2)
    ok = scene.calling.expect(200, "INVITE")
    assert "RTP/AVP 8 0 101" in ok.body
    scene.media_passes(ok.media(), again.media())
    scene.called.go()
    scene.calling.go()
    scene.finish()


# ---- forks and early media ----

def test_a_fork_is_folded_and_its_early_media_blocked(stage):
    scene = Scene(stage, frm="phone", to="proxy")
    caller = Caller().invite(scene.offer).trying().recv(180).recv(180).answered().ack().bye()
    callee = Callee().invited()
    callee.respond(180, tag="first").respond(183, scene.answer, tag=callee.tag)
    scene.begin(caller, callee.answer(scene.answer).acked().answer_bye())
    scene.finish()
    tag = lambda m: re.search("tag=(.*)", m.header("to")).group(1)
    told = scene.calling.received(180) + scene.calling.received(200, "INVITE")
    assert len({tag(m) for m in told}) == 1
    assert [bool(m.body) for m in told] == [False, False, True]


# ---- hold ----

@pytest.mark.parametrize("to, told", [("informed", "a=inactive"), ("latching", "c=IN IP4 0.0.0.0")])
def test_hold_is_told_as_the_peer_understands_it(stage, to, told):
    scene = Scene(stage, to=to)
    address = plan.PEERS[to].address
    caller = Caller().invite(scene.offer).trying().answered().ack()
    callee = basic_callee(scene.answer, ringing=False)
    for version, direction, answered in ((2, "sendonly", "inactive"), (3, None, None)):
        caller.request("INVITE", sdp(PBX.address, scene.a.port, direction=direction,
                                     version=version)).recv(100, optional=True).recv(200).ack()
        callee.recv("INVITE").answer_invite(sdp(address, scene.b.port, direction=answered,
                                                version=version)).acked()
    scene.begin(caller.hold().bye(), callee.hold().answer_bye())
    resumed = scene.called.expect("INVITE", count=3)
    held = scene.called.received("INVITE")[1]
    assert told in held.body and told not in resumed.body
    scene.called.expect("ACK", count=3)
    scene.media_passes(scene.calling.expect(200, "INVITE", count=3).media(), resumed.media())
    scene.called.go()
    scene.calling.go()
    scene.finish()


# ---- what overtakes ----

def test_a_reinvite_that_overtakes_the_callers_ack_is_carried_after_it(stage):
    scene = Scene(stage, to="proxy")
    moved = sdp(plan.PEERS["proxy"].address, scene.b.port, version=2)
    caller = Caller().invite(scene.offer).trying().recv(180, optional=True).answered().pause(600)
    caller.ack().recv("INVITE").answer_invite(scene.offer).recv("ACK").bye()
    callee = basic_callee(scene.answer).request("INVITE", moved).recv(100, optional=True)
    scene.begin(caller, callee.recv(200).ack().answer_bye())
    scene.finish()
    assert not scene.called.received(491)


# ---- a user agent that we did not write ----

LINPHONE_TIMER = """\
session_expires_enabled=1
session_expires_value=90
session_expires_min_value=90
session_expires_refresher_value=uac
"""


def test_linphone_asks_for_a_session_timer_and_is_granted_it(stage, tmp_path):
    scene_b = stage.endpoint("proxy")
    called = stage.callee(Callee().invited().answer(
        sdp(plan.PEERS["proxy"].address, scene_b.port)).acked().hold().answer_bye(), "proxy")
    inside, outside = stage.sniffer("internal"), stage.sniffer("external")
    write_tone(str(tmp_path / "tone.wav"), 400, 20)
    phone = stage.keep(Linphone(stage.world.internal, PBX.address, PBX.number, PBX.viaduct,
                                LINPHONE_TIMER))
    phone.say(f"call sip:{plan.PEERS['proxy'].number}@{PBX.viaduct}")
    try:
        called.expect("ACK", timeout=15)
        phone.say(f"play {tmp_path}/tone.wav")
        outside.wait_received((scene_b.address, scene_b.port), 10, timeout=10)
        asked, granted = (next(d.payload for d in inside.datagrams() if d.payload.startswith(start))
                          for start in (b"INVITE ", b"SIP/2.0 200"))
        assert b"Session-Expires: 90" in asked and b"Session-Expires: 90" in granted
        assert not called.received("INVITE")[0].header("session-expires")
        called.go()
        phone.say("terminate")
        called.wait()
    except AssertionError as error:
        raise AssertionError(f"{error}\n{phone.log()[-3000:]}") from None
