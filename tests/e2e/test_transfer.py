# SPDX-License-Identifier: BSD-2-Clause
"""Transfers: REFER carried out by Viaduct, passed on, refused; INVITE with Replaces. Whoever is left
hears each other afterwards, through XDP."""

import re
from urllib.parse import unquote

import pytest

import plan
from baresip import Baresip
from linphone import Linphone
from rtp import tone_share, ulaw_decode, wait_until
from scenario import Callee, Caller, escaped, replaces, sdp
from sipp import finish
from test_baresip import HEARD, PURE, SKIP, heard
from transfers import notified, record_of, referring, speak, to_number, until_bye

PBX, PHONE, TRUNK, SECOND, PASSING = (
    plan.PEERS[name] for name in ("pbx", "phone", "trunk", "second", "alaw"))
REFUSING = plan.PEERS["latching"]
BACK = plan.PEERS["domain"]


@pytest.fixture(scope="module")
def configuration():
    """With a peer that passes REFER on and one that takes none; two hear causes."""
    config = plan.configuration()
    settings = {PASSING.name: {"refer": "pass"}, REFUSING.name: {"refer": "refuse"},
                BACK.name: {"refer": "back"},
                PBX.name: {"q850": {"write": True}}, SECOND.name: {"q850": {"write": True}},
                "hq-a": {"replaces": "side"}, "hq-b": {"replaces": "refuse"}}
    for peer in config["peers"]:
        peer |= settings.get(peer["name"], {})
    config["timers"]["transfer"] = 5
    return config


def heard_at(sniffer, place, tone):
    address, _, port = place.rpartition(":")
    def audio():
        return [d for d in sniffer.received((address, int(port))) if d.payload[:1] == b"\x80"
                and d.payload_type == 0]
    wait_until(lambda: len(audio()) >= SKIP + HEARD, 5,
               lambda: f"audio at {place}: {len(audio())} packets")
    packets = audio()[SKIP:SKIP + HEARD]
    return tone_share([ulaw_decode(byte) for d in packets for byte in d.payload[12:]], tone)


def test_baresip_transfers_its_call_and_the_others_hear_each_other(stage):
    def phone(peer, tone):
        return stage.keep(Baresip(stage.namespace(peer.side), peer.address, peer.number, tone,
                                  answer=True))
    inside = phone(PBX, 400)
    phone(TRUNK, 700)
    phone(SECOND, 1000)
    before = stage.sniffer("external")
    inside.dial(f"sip:{TRUNK.number}@{PBX.viaduct}")
    assert heard(before, TRUNK.address, 400) > PURE
    first = stage.cli.only_call()
    inside.command("transfer", f"sip:{SECOND.number}@{PBX.viaduct}")
    wait_until(lambda: [c["state"] for c in stage.cli.live_calls()] == ["answered"]
               and stage.cli.only_call() != first, 8, lambda: f"the transfer: {inside.log()}")
    second = stage.cli.only_call()
    legs = stage.cli.streams(second)[0]["legs"]
    after = stage.sniffer("external")
    # Both phones send from their host's first address: their ports tell them apart.
    assert heard_at(after, legs[0]["remote"], 1000) > PURE
    assert heard_at(after, legs[1]["remote"], 700) > PURE
    for leg in stage.cli.streams(second)[0]["legs"]:
        assert leg["packets"] > 0 and leg["lost"] == 0
    record = record_of(stage, first)
    assert [(t["kind"], t["by"], t["to"], t["code"], t["call"]) for t in record["transfers"]] == \
        [("blind", "a", SECOND.number, 200, second)]
    stage.cli.text("hangup", str(second))
    assert record_of(stage, second)["came_of"] == first


def test_linphone_joins_the_two_that_it_talks_to(stage):
    """An attended transfer by a user agent that we did not write, of two others."""
    for peer, tone in ((TRUNK, 700), (SECOND, 1000)):
        stage.keep(Baresip(stage.namespace(peer.side), peer.address, peer.number, tone, answer=True))
    inside = stage.keep(Linphone(stage.namespace(PBX.side), PBX.address, PBX.number, PBX.viaduct))
    inside.say(f"call sip:{TRUNK.number}@{PBX.viaduct}")
    inside.wait_for(f"Media streams established with sip:{TRUNK.number}@{PBX.viaduct} for call 1")
    first = stage.cli.only_call()
    inside.say("pause 1")
    inside.wait_for(f"Call 1 with sip:{TRUNK.number}@{PBX.viaduct} is now paused")
    inside.say(f"call sip:{SECOND.number}@{PBX.viaduct}")
    inside.wait_for(f"Media streams established with sip:{SECOND.number}@{PBX.viaduct} for call 2")
    second = next(call["id"] for call in stage.cli.live_calls() if call["id"] != first)
    inside.say("transfer 1 --to-call 2")
    wait_until(lambda: [c["id"] for c in stage.cli.live_calls()] == [second], 8,
               lambda: f"the transfer: {inside.log()}")
    legs = stage.cli.streams(second)[0]["legs"]
    after = stage.sniffer("external")
    assert heard_at(after, legs[0]["remote"], 1000) > PURE
    assert heard_at(after, legs[1]["remote"], 700) > PURE
    record = record_of(stage, first)
    assert [(t["kind"], t["by"], t["to"], t["code"], t["call"]) for t in record["transfers"]] == \
        [("attended", "a", SECOND.number, 200, second)]
    stage.cli.text("hangup", str(second))
    assert record_of(stage, second)["came_of"] == first


def test_blind_transfer_by_the_caller_and_the_others_talk(stage):
    at_trunk, at_second = stage.endpoint("trunk"), stage.endpoint("second")
    target = stage.callee(Callee().invited().respond(180).hold().answer(
        sdp(SECOND.address, at_second.port)).acked().hold().bye(), "second")
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(TRUNK.address, at_trunk.port, version=2))
    called = stage.callee(callee.recv("ACK").answer_bye())
    caller = referring(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                       .recv(180, optional=True).answered().ack(), to_number(SECOND.number))
    for _ in range(3):  # 100, 180, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye())
    called.expect("ACK")
    calling.go()
    notified(calling, 180)
    target.go()
    final = notified(calling, 200)
    assert final.header("subscription-state").startswith("terminated")
    calling.wait()
    again = called.received("INVITE")[1]
    invited = target.received("INVITE")[0]
    assert re.search(r"sip:%s@" % TRUNK.number, invited.header("from"))
    speak(stage, at_trunk, again.media(), at_second, "external")
    speak(stage, at_second, invited.media(), at_trunk, "external")
    target.go()
    finish(target, called)
    stage.check_hidden()


def test_a_refer_that_goes_back_is_to_the_letter_and_the_others_talk(stage):
    """The peer refers the PBX to what it alone understands, and is called at that itself."""
    uri = f"sip:{BACK.address}:5060;x-m=8:orgid:fce2158f-0e99;x-tt=aHR0cHM6Ly9h%3d%3D;X-Odd"
    by = "<sip:refers.example;x-m=8:orgid:bdc0511a;x-t=2d88cb42;x-tt=%3D>;x-Own=%3b"
    at_pbx, at_back = stage.endpoint(), stage.endpoint(BACK.name)
    target = stage.callee(Callee().invited().answer(
        sdp(BACK.address, at_back.port)).acked().hold().bye(), BACK.name)
    callee = Callee().invited().answer(sdp(PBX.address, at_pbx.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(PBX.address, at_pbx.port, version=2))
    called = stage.callee(callee.recv("ACK").answer_bye(), "pbx")
    caller = Caller().invite(sdp(BACK.address, stage.endpoint(BACK.name).port)).trying()
    caller = referring(caller.answered().ack(), f"Refer-To: <{uri}>\nReferred-By: {by}")
    for _ in range(2):  # 100, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye(), BACK.name, to="pbx", port=5062)
    called.expect("ACK")
    call = stage.cli.live_calls()[0]["id"]
    calling.go()
    assert notified(calling, 200).header("subscription-state").startswith("terminated")
    calling.wait()
    invited = target.received("INVITE")[0]
    assert invited.first_line == f"INVITE {uri} SIP/2.0"
    assert (invited.header("to"), invited.header("referred-by")) == (f"<{uri}>", by)
    assert re.search(r"sip:%s@" % PBX.number, invited.header("from"))
    assert not invited.all("replaces")
    speak(stage, at_pbx, called.received("INVITE")[1].media(), at_back, "external")
    speak(stage, at_back, invited.media(), at_pbx, "internal")
    target.go()
    finish(target, called)
    transfer = record_of(stage, call)["transfers"][0]
    assert (transfer["kind"], transfer["by"], transfer["to"], transfer["code"]) == \
        ("blind", "a", BACK.address, 200)
    assert record_of(stage, transfer["call"])["came_of"] == call


def test_a_target_that_refuses_leaves_the_two_talking(stage):
    a, b = stage.endpoint(), stage.endpoint("trunk")
    stage.callee(Callee().invited().respond(486).recv("ACK"), "second")
    called = stage.callee(Callee().invited().answer(sdp(TRUNK.address, b.port)).acked()
                          .answer_bye())
    caller = referring(Caller().invite(sdp(PBX.address, a.port)).trying()
                       .recv(180, optional=True).answered().ack(), to_number(SECOND.number))
    for _ in range(2):  # 100, 486
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.hold().bye())
    called.expect("ACK")
    call = stage.cli.only_call()
    calling.go()
    notified(calling, 486)
    speak(stage, a, calling.received(200, "INVITE")[0].media(), b, "external")
    speak(stage, b, called.received("INVITE")[0].media(), a, "internal")
    calling.go()
    finish(calling, called)
    record = record_of(stage, call + 1)
    # There is no caller who could be told a cause.
    assert (record["ended_by"], record["code"], record["cause_out"]) == ("b", 486, None)


def test_a_target_that_rings_is_given_up_when_the_other_one_hangs_up(stage):
    """Its record says that nobody but we ended it, and why."""
    ringing = stage.callee(rung(), SECOND.name)
    called = stage.callee(Callee().invited().answer(sdp(TRUNK.address, stage.endpoint("trunk").port))
                          .acked().hold().bye())
    calling = stage.caller(until_bye(referring(
        Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying().recv(180, optional=True)
        .answered().ack(), to_number(SECOND.number))))
    called.expect("ACK")
    call = stage.cli.only_call()
    calling.go()
    notified(calling, 180)
    target, = {c["id"] for c in stage.cli.live_calls()} - {call}
    called.go()
    finish(called, ringing)
    record = record_of(stage, target)
    assert ringing.received("CANCEL")[0].header("reason") == "Q.850;cause=16"
    assert (record["ended_by"], record["code"], record["cause_out"]) == ("viaduct", 487, 16)
    assert record["why"] == "given up with the transfer it was made for"
    assert record_of(stage, call)["ended_by"] == "b"


def test_attended_transfer_joins_the_far_ends(stage):
    at_trunk, at_second = stage.endpoint("trunk"), stage.endpoint("second")
    target = Callee().invited().answer(sdp(SECOND.address, at_second.port)).acked()
    target.recv("INVITE").answer_invite(sdp(SECOND.address, at_second.port, version=2))
    target = stage.callee(target.recv("ACK").hold().bye(), "second")
    consulting = stage.caller(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                              .answered().ack().answer_bye(), to="second", port=5062)
    ok = consulting.expect(200, "INVITE")
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(TRUNK.address, at_trunk.port, version=2))
    called = stage.callee(callee.recv("ACK").answer_bye())
    caller = referring(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                       .answered().ack(),
                       f"Refer-To: <sip:{SECOND.number}@{PBX.viaduct}?"
                       f"Replaces={escaped(replaces(ok))}>")
    for _ in range(2):  # 100, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye())
    called.expect("ACK")
    calling.go()
    finish(calling, consulting)
    speak(stage, at_trunk, called.received("INVITE")[1].media(), at_second, "external")
    speak(stage, at_second, target.received("INVITE")[1].media(), at_trunk, "external")
    target.go()
    finish(target, called)
    stage.check_hidden()


@pytest.mark.parametrize("who", ["pbx", "hq-a"])
def test_invite_with_replaces_takes_the_callers_place(stage, who):
    """Of its own call, or of one of its side where it may; nobody else does."""
    at_trunk, at_new = stage.endpoint("trunk"), stage.endpoint(who)
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(TRUNK.address, at_trunk.port, version=2))
    called = stage.callee(callee.recv("ACK").answer_bye())
    calling = stage.caller(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                           .answered().ack().answer_bye())
    ok = calling.expect(200, "INVITE")
    called.expect("ACK")
    taking, offer = [f"Replaces: {replaces(ok)}", "Require: replaces"], sdp(at_new.address, at_new.port)
    for other, code in (("phone", 403), ("hq-b", 420)):
        stage.caller(Caller().invite(offer, headers=taking).trying().refused(code), other,
                     port=5062).wait()
    new = stage.caller(Caller().invite(offer, headers=taking).trying().answered().ack().hold().bye(),
                       who, port=5064)
    answer = new.expect(200, "INVITE")
    calling.wait()
    speak(stage, at_new, answer.media(), at_trunk, "external")
    speak(stage, at_trunk, called.received("INVITE")[1].media(), at_new, "internal")
    new.go()
    finish(new, called)
    # A stranger to that dialog takes nothing over.
    refused = stage.caller(Caller().invite(sdp(PBX.address, at_new.port), headers=[
        "Replaces: nobody;to-tag=x;from-tag=y"]).trying().refused(481))
    refused.wait()
    wait_until(lambda: stage.daemon.records()[-1]["code"] == 481, 5, "the refusal's record")


def ringing_dialog(ringing):
    """The value that names the dialog of the one that rings, for the one it rings for."""
    dialog = wait_until(lambda: [m for m in ringing.messages() if m.code == 180], 5, "a 180")[0]
    tags = [re.search(r";tag=([^;>]+)", dialog.header(name)).group(1) for name in ("from", "to")]
    return f"{dialog.header('call-id')};to-tag={tags[0]};from-tag={tags[1]}"


def picking_up(ringing, body=None):
    """The caller of another phone of the one that rings, asking for its call."""
    # As the colleague's phone knows its dialog; whom it talks to is asked for it.
    return Caller().invite(body, headers=[f"Replaces: {ringing_dialog(ringing)};early-only",
                                          "Require: replaces"]).trying().answered()


def rung():
    """A phone that rings until it is told that it need not."""
    return Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487).acked()


def test_a_call_that_rings_is_picked_up_at_another_phone(stage):
    at_pbx, at_new = stage.endpoint(), stage.endpoint("trunk")
    ringing = stage.callee(rung())
    caller = Caller().invite(sdp(PBX.address, at_pbx.port)).trying().recv(180).answered().ack()
    caller.recv("INVITE").answer_invite(sdp(PBX.address, at_pbx.port, version=2))
    calling = stage.caller(caller.recv("ACK").answer_bye())
    calling.expect(180)
    new = stage.caller(picking_up(ringing, sdp(TRUNK.address, at_new.port)).ack().hold().bye(),
                       "trunk", to="pbx", port=5062)
    answer = new.expect(200, "INVITE")
    ringing.wait()
    assert "Call completed elsewhere" in ringing.received("CANCEL")[0].header("reason")
    assert "a=inactive" in calling.received(200, "INVITE")[0].body
    speak(stage, at_new, answer.media(), at_pbx, "internal")
    speak(stage, at_pbx, calling.received("INVITE")[0].media(), at_new, "external")
    call = stage.cli.only_call()
    new.go()
    finish(new, calling)
    record = record_of(stage, call)
    assert [a["code"] for a in record["attempts"]] == [487, 200] and record["answer"]
    assert [t["kind"] for t in record["transfers"]] == ["replaces"]
    stage.check_hidden()


def test_a_call_without_an_offer_is_picked_up_by_one_without_an_offer(stage):
    at_pbx, at_new = stage.endpoint(), stage.endpoint("trunk")
    ringing = stage.callee(rung())
    inactive = sdp(PBX.address, at_pbx.port, direction="inactive")
    caller = Caller().invite().trying().recv(180).answered().ack(inactive)
    caller.recv("INVITE").answer_invite(sdp(PBX.address, at_pbx.port, version=2))
    calling = stage.caller(caller.recv("ACK").answer_bye())
    calling.expect(180)
    new = stage.caller(picking_up(ringing).ack(sdp(TRUNK.address, at_new.port)).hold().bye(),
                       "trunk", to="pbx", port=5062)
    offer = new.expect(200, "INVITE")
    ringing.wait()
    assert "a=inactive" in calling.received(200, "INVITE")[0].body
    led = wait_until(lambda: calling.received("INVITE"), 5, "the caller's re-INVITE")[0]
    speak(stage, at_new, offer.media(), at_pbx, "internal")
    speak(stage, at_pbx, led.media(), at_new, "external")
    new.go()
    finish(new, calling)
    stage.check_hidden()


def ringing_until_called_anew(answer):
    """Rings until it is told that it need not when the PBX calls, and answers a call of the trunk's."""
    callee = Callee().invited()
    callee.steps.append('<nop><action><ereg regexp="caller@" search_in="var" variable="remote" '
                        'assign_to="asking"/></action></nop>\n<nop next="1" test="asking"/>')
    callee.answer(answer).acked().answer_bye()
    callee.steps.append('<nop next="2"/>\n<label id="1"/>')
    callee.last_received = "INVITE"
    callee.respond(180).recv("CANCEL").reply(200).respond(487).acked()
    callee.steps.append('<label id="2"/>')
    return callee


def test_attended_transfer_to_one_that_rings_calls_it_anew(stage):
    """Whoever transfers lets go before the target has answered."""
    at_trunk, at_second = stage.endpoint("trunk"), stage.endpoint("second")
    target = stage.callee(ringing_until_called_anew(sdp(SECOND.address, at_second.port)), "second",
                          calls=2)
    asking = stage.caller(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                          .recv(180).refused(487), to="second", port=5062)
    named = replaces(asking.expect(180))
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(TRUNK.address, at_trunk.port, version=2))
    called = stage.callee(callee.recv("ACK").hold().bye())
    caller = referring(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                       .answered().ack(),
                       f"Refer-To: <sip:{SECOND.number}@{PBX.viaduct}?Replaces={escaped(named)}>")
    for _ in range(2):  # 100, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye())
    called.expect("ACK")
    calling.go()
    finish(calling, asking)
    anew = target.received("INVITE")[1]
    assert f"sip:{TRUNK.number}@" in anew.header("from")
    speak(stage, at_trunk, called.received("INVITE")[1].media(), at_second, "external")
    speak(stage, at_second, anew.media(), at_trunk, "external")
    called.go()
    finish(called, target)
    stage.check_hidden()


def test_a_transfers_target_that_rings_is_picked_up(stage):
    at_trunk, at_new = stage.endpoint("trunk"), stage.endpoint("second")
    ringing = stage.callee(rung(), "second")
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    for version, direction in ((2, "inactive"), (3, None)):
        callee.recv("INVITE").answer_invite(
            sdp(TRUNK.address, at_trunk.port, version=version, direction=direction)).recv("ACK")
    called = stage.callee(callee.answer_bye())
    caller = referring(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                       .answered().ack(), to_number(SECOND.number))
    for _ in range(3):  # 100, 180, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye())
    called.expect("ACK")
    calling.go()
    notified(calling, 180)
    new = stage.caller(picking_up(ringing, sdp(SECOND.address, at_new.port)).ack().hold().bye(),
                       "second", to="pbx", port=5063)
    answer = new.expect(200, "INVITE")
    notified(calling, 200)
    finish(calling, ringing)
    speak(stage, at_new, answer.media(), at_trunk, "external")
    speak(stage, at_trunk, called.received("INVITE")[2].media(), at_new, "external")
    new.go()
    finish(new, called)
    stage.check_hidden()


def test_refer_that_is_passed_on_names_us_and_comes_back(stage):
    """alaw, outside, refers the PBX to another trunk."""
    b = stage.endpoint(PASSING.name)
    answer = sdp(PASSING.address, b.port, ("8 PCMA/8000",))
    callee = Callee().invited().answer(answer).acked().hold()
    callee.request("REFER", headers=[f"Refer-To: <sip:{SECOND.number}@{PASSING.viaduct}>",
                                     "Contact: <sip:callee@[local_ip]>"])
    called = stage.callee(callee.recv(202).recv("NOTIFY").reply(200).bye(), PASSING.name)
    caller = Caller().invite(sdp(PBX.address, stage.endpoint().port, ("8 PCMA/8000",))).trying()
    caller.answered().ack().recv("REFER").reply(202, contact=True)
    caller.request("NOTIFY", "SIP/2.0 200 OK\r\nContact: <sip:10.10.0.2>\r\n", content_type="message/sipfrag",
                   headers=["Event: refer", "Subscription-State: terminated;reason=noresource",
                            "Contact: <sip:caller@[local_ip]>"])
    calling = stage.caller(caller.recv(200).answer_bye(), to=PASSING.name)
    called.expect("ACK")
    called.go()
    finish(calling, called)
    refer = calling.received("REFER")[0]
    assert refer.header("refer-to") == f"<sip:{SECOND.number}@{PBX.viaduct}:{plan.SIP_PORT}>"
    assert called.received("NOTIFY")[-1].body == "SIP/2.0 200 OK\r\n"
    stage.check_hidden()


PCMA = ("8 PCMA/8000",)


def passing_on(stage, named, target):
    """The peer outside talks to the PBX and refers it to `target`, naming a dialog of its own."""
    pbx = Callee().invited().answer(sdp(PBX.address, stage.endpoint().port, PCMA)).acked()
    referred = stage.callee(pbx.recv("REFER").reply(202, contact=True).hold().bye(), "pbx")
    offer = sdp(PASSING.address, stage.endpoint(PASSING.name).port, PCMA)
    caller = Caller().invite(offer).trying().answered().ack()
    caller.request("REFER", headers=[
        f"Refer-To: <sip:{target.number}@{PASSING.viaduct}?Replaces={escaped(named)}>",
        caller.contact]).recv(202).answer_bye()
    return referred, stage.caller(caller, PASSING.name, to="pbx", port=5065)


def test_a_passed_refer_names_what_rings_with_the_referring_one_and_it_is_picked_up(stage):
    at_phone, at_new = stage.endpoint("phone"), stage.endpoint()
    ringing = stage.callee(rung(), PASSING.name)
    caller = Caller().invite(sdp(PHONE.address, at_phone.port, PCMA)).trying().recv(180)
    caller.answered().ack().recv("INVITE")
    caller.answer_invite(sdp(PHONE.address, at_phone.port, PCMA, version=2)).recv("ACK")
    waiting = stage.caller(caller.answer_bye(), "phone", to=PASSING.name)
    referred, referring_one = passing_on(stage, ringing_dialog(ringing), PHONE)
    refer_to = referred.expect("REFER").header("refer-to")
    place, value = re.fullmatch(r"<sip:(.*)\?Replaces=(.*)>", refer_to).groups()
    assert place == f"{PHONE.number}@{PBX.viaduct}:{plan.SIP_PORT}"
    # What the phone inside knows, and nothing of the dialog outside.
    assert unquote(value).startswith(f"{waiting.received(180)[0].header('call-id')};")
    new = stage.caller(Caller().invite(sdp(PBX.address, at_new.port, PCMA), headers=[
        f"Replaces: {unquote(value)}", "Require: replaces"]).trying().answered().ack().hold().bye(),
        to="phone", port=5062)
    answer = new.expect(200, "INVITE")
    ringing.wait()
    assert "Call completed elsewhere" in ringing.received("CANCEL")[0].header("reason")
    speak(stage, at_new, answer.media(), at_phone, "internal")
    speak(stage, at_phone, waiting.received("INVITE")[0].media(), at_new, "internal")
    new.go()
    finish(new, waiting)
    referred.go()
    finish(referred, referring_one)
    stage.check_hidden()


def test_a_passed_refer_to_one_that_rings_names_no_dialog_and_ends_the_call(stage):
    """RFC 3891 3: an early dialog is not to be replaced at the end that is called."""
    ringing = stage.callee(rung(), "phone")
    asking = stage.caller(Caller().invite(sdp(PASSING.address, 6000, PCMA)).trying().recv(180)
                          .refused(487), PASSING.name, to="phone", port=5066)
    referred, referring_one = passing_on(stage, replaces(asking.expect(180)), PHONE)
    assert referred.expect("REFER").header("refer-to") == \
        f"<sip:{PHONE.number}@{PBX.viaduct}:{plan.SIP_PORT}>"
    finish(asking, ringing)
    referred.go()
    finish(referred, referring_one)
    stage.check_hidden()


def test_refer_before_the_answer_is_refused_for_now(stage):
    called = stage.callee(Callee().invited().respond(180).hold()
                          .answer(sdp(TRUNK.address, stage.endpoint("trunk").port)).acked()
                          .answer_bye())
    calling = stage.caller(
        Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying().early(180)
        .request("REFER", headers=[to_number(SECOND.number), "Contact: <sip:caller@[local_ip]>"])
        .recv(491).answered().ack(cseq=1).bye())
    calling.expect(491)
    called.go()
    finish(calling, called)


def test_refer_is_refused_and_not_offered_where_the_peer_is_set_so(stage):
    callee = Callee().invited().answer(
        sdp(REFUSING.address, stage.endpoint(REFUSING.name).port)).acked().hold()
    callee.request("REFER", headers=[f"Refer-To: <sip:{SECOND.number}@{REFUSING.viaduct}>",
                                     "Contact: <sip:callee@[local_ip]>"])
    called = stage.callee(callee.recv(405).answer_bye(), REFUSING.name)
    calling = stage.caller(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                           .answered().ack().hold().bye(), to=REFUSING.name)
    called.expect("ACK")
    called.go()
    refused = called.expect(405)
    assert "REFER" not in refused.header("allow")
    assert "REFER" not in called.received("INVITE")[0].header("allow")
    assert "REFER" in calling.received(200, "INVITE")[0].header("allow")
    calling.go()
    finish(calling, called)
