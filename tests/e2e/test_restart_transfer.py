# SPDX-License-Identifier: BSD-2-Clause
"""The daemon is killed, or told to leave, in the middle of a transfer or a takeover; the next one goes
on with it, or gives it up so that nobody is left alone in a call."""

import re

import pytest

import plan
from scenario import Callee, Caller, escaped, replaces, sdp
from sipp import finish
from transfers import notified, record_of, speak, until_bye
import transfers

BOTH_WAYS = pytest.mark.parametrize("how", ("kill", "leave"))
PBX, TRUNK, SECOND = (plan.PEERS[name] for name in ("pbx", "trunk", "second"))


def restart(stage, how, calls):
    """The next daemon goes on with so many calls, and has ended none."""
    getattr(stage.daemon, how)()
    stage.daemon.start()
    assert stage.cli.status()["adoption"]["calls"] == calls
    assert stage.cli.status()["adoption"]["calls_ended"] == 0


def answer_late(agent, body, key):
    """A re-INVITE is answered when the test says so, whatever comes meanwhile."""
    kept = [(f"{name}{key}", header) for name, header in
            (("via", "Via"), ("cseq", "CSeq"), ("from", "From"), ("to", "To"))]
    return agent.recv("INVITE", save=kept).hold().send(
        ["SIP/2.0 200 OK", f"Via:[$via{key}]", f"From:[$from{key}]", f"To:[$to{key}]",
         "Call-ID: [call_id]", f"CSeq:[$cseq{key}]", agent.contact], body, retrans=500).recv("ACK")


def answer_now(agent, body):
    return agent.recv("INVITE").answer_invite(body).recv("ACK")


def described(endpoint, version=1):
    return sdp(endpoint.address, endpoint.port, version=version)


def referring(offer, refer_to=transfers.to_number(SECOND.number)):
    """A caller that refers when the test says so."""
    return transfers.referring(
        Caller().invite(offer).trying().recv(180, optional=True).answered().ack(), refer_to)


def ends(stage):
    return [stage.endpoint(name) for name in ("pbx", "trunk", "second")]


def talk_of_the_others(stage, called, at_trunk, target, at_second):
    """The trunk and `second` hear each other, and either's BYE ends it all."""
    speak(stage, at_trunk, called.received("INVITE")[-1].media(), at_second, "external")
    speak(stage, at_second, target.received("INVITE")[-1].media(), at_trunk, "external")
    call = stage.cli.only_call()
    target.go()
    finish(target, called)
    return record_of(stage, call)


@BOTH_WAYS
def test_a_target_that_rings_is_answered_and_joined_after_a_restart(stage, how):
    at_pbx, at_trunk, at_second = ends(stage)
    target = stage.callee(Callee().invited().respond(180).hold().answer(described(at_second)).acked()
                          .hold().bye(), "second")
    called = stage.callee(answer_now(Callee().invited().answer(described(at_trunk)).acked(),
                                     described(at_trunk, 2)).answer_bye())
    calling = stage.caller(until_bye(referring(described(at_pbx))))
    called.expect("ACK")
    first = stage.cli.only_call()
    calling.go()
    notified(calling, 180)
    restart(stage, how, 2)
    target.go()
    assert notified(calling, 200).header("subscription-state").startswith("terminated")
    calling.wait()
    assert [(t["kind"], t["code"]) for t in record_of(stage, first)["transfers"]] == [("blind", 200)]
    assert talk_of_the_others(stage, called, at_trunk, target, at_second)["came_of"] == first


@BOTH_WAYS
def test_a_target_that_rings_is_joined_though_the_referrer_has_hung_up(stage, how):
    at_pbx, at_trunk, at_second = ends(stage)
    target = stage.callee(Callee().invited().respond(180).hold().answer(described(at_second)).acked()
                          .hold().bye(), "second")
    called = stage.callee(answer_now(Callee().invited().answer(described(at_trunk)).acked(),
                                     described(at_trunk, 2)).answer_bye())
    caller = referring(described(at_pbx))
    for _ in range(2):  # 100, 180
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.bye())
    called.expect("ACK")
    calling.go()
    calling.wait()
    restart(stage, how, 2)
    target.go()
    called.expect("ACK", count=2)
    talk_of_the_others(stage, called, at_trunk, target, at_second)


@BOTH_WAYS
def test_a_target_that_refuses_after_a_restart_leaves_the_two_talking(stage, how):
    at_pbx, at_trunk, _ = ends(stage)
    target = stage.callee(Callee().invited().respond(180).hold().respond(486).acked(), "second")
    called = stage.callee(Callee().invited().answer(described(at_trunk)).acked().hold().bye())
    calling = stage.caller(until_bye(referring(described(at_pbx))))
    called.expect("ACK")
    calling.go()
    notified(calling, 180)
    restart(stage, how, 2)
    target.go()
    assert notified(calling, 486).header("subscription-state").startswith("terminated")
    target.wait()
    speak(stage, at_pbx, calling.received(200, "INVITE")[0].media(), at_trunk, "external")
    speak(stage, at_trunk, called.received("INVITE")[0].media(), at_pbx, "internal")
    called.go()
    finish(calling, called)


@BOTH_WAYS
def test_the_remaining_one_is_led_over_after_a_restart(stage, how):
    """The target has answered; the remaining one has our re-INVITE, and answers the next daemon."""
    at_pbx, at_trunk, at_second = ends(stage)
    target = stage.callee(Callee().invited().answer(described(at_second)).acked().hold().bye(),
                          "second")
    called = stage.callee(answer_late(Callee().invited().answer(described(at_trunk)).acked(),
                                      described(at_trunk, 2), "x").answer_bye())
    calling = stage.caller(until_bye(referring(described(at_pbx))))
    called.expect("ACK")
    calling.go()
    called.expect("INVITE", count=2)
    restart(stage, how, 2)
    called.go()
    notified(calling, 200)
    calling.wait()
    talk_of_the_others(stage, called, at_trunk, target, at_second)


@BOTH_WAYS
def test_the_referrer_hears_after_a_restart_what_was_decided_before(stage, how):
    """It has not answered the last NOTIFY: another comes, then its BYE. The joined two talk on."""
    at_pbx, at_trunk, at_second = ends(stage)
    target = stage.callee(Callee().invited().answer(described(at_second)).acked().hold().bye(),
                          "second")
    called = stage.callee(answer_now(Callee().invited().answer(described(at_trunk)).acked(),
                                     described(at_trunk, 2)).answer_bye())
    caller = referring(described(at_pbx))
    caller.recv("NOTIFY").reply(200)  # 100
    calling = stage.caller(until_bye(caller.recv("NOTIFY").recv("NOTIFY").reply(200)))
    called.expect("ACK")
    first = stage.cli.only_call()
    calling.go()
    notified(calling, 200)
    restart(stage, how, 2)
    calling.wait()
    assert record_of(stage, first)["why"] == "transferred"
    talk_of_the_others(stage, called, at_trunk, target, at_second)


@pytest.mark.parametrize("asked", ("far", "remaining"))
@BOTH_WAYS
def test_an_attended_transfer_goes_on_from_where_it_had_come_to(stage, how, asked):
    at_pbx, at_trunk, at_second = ends(stage)
    led = {"far": answer_now, "remaining": answer_now}
    led[asked] = lambda agent, body: answer_late(agent, body, "x")
    target = Callee().invited().answer(described(at_second)).acked()
    target = stage.callee(led["far"](target, described(at_second, 2)).hold().bye(), "second")
    consulting = stage.caller(Caller().invite(described(stage.endpoint())).trying().answered().ack()
                              .answer_bye(), to="second", port=5062)
    named = escaped(replaces(consulting.expect(200, "INVITE")))
    called = Callee().invited().answer(described(at_trunk)).acked()
    called = stage.callee(led["remaining"](called, described(at_trunk, 2)).answer_bye())
    calling = stage.caller(until_bye(referring(
        described(at_pbx), f"Refer-To: <sip:{SECOND.number}@{PBX.viaduct}?Replaces={named}>")))
    called.expect("ACK")
    calling.go()
    slow = target if asked == "far" else called
    slow.expect("INVITE", count=2)
    restart(stage, how, 2)
    slow.go()
    notified(calling, 200)
    finish(calling, consulting)
    talk_of_the_others(stage, called, at_trunk, target, at_second)


@BOTH_WAYS
def test_a_leg_is_replaced_after_a_restart(stage, how):
    """INVITE with Replaces: the far leg has our re-INVITE when the daemon ends."""
    at_pbx, at_trunk, _ = ends(stage)
    at_new = stage.endpoint()
    called = stage.callee(answer_late(Callee().invited().answer(described(at_trunk)).acked(),
                                      described(at_trunk, 2), "x").answer_bye())
    calling = stage.caller(Caller().invite(described(at_pbx)).trying().answered().ack()
                           .answer_bye())
    named = replaces(calling.expect(200, "INVITE"))
    called.expect("ACK")
    new = stage.caller(Caller().invite(described(at_new), headers=[
        f"Replaces: {named}", "Require: replaces"]).trying().answered().ack().hold().bye(), port=5062)
    called.expect("INVITE", count=2)
    restart(stage, how, 1)
    called.go()
    answer = new.expect(200, "INVITE")
    calling.wait()
    speak(stage, at_new, answer.media(), at_trunk, "external")
    speak(stage, at_trunk, called.received("INVITE")[1].media(), at_new, "internal")
    new.go()
    finish(new, called)


@BOTH_WAYS
def test_a_call_that_was_picked_up_has_its_new_leg_after_a_restart(stage, how):
    """The caller was answered in the stead of who is called, and is being led to who picked up."""
    at_pbx, at_new = stage.endpoint(), stage.endpoint("trunk")
    ringing = stage.callee(Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487)
                           .acked())
    caller = Caller().invite(described(at_pbx)).trying().recv(180).answered().ack()
    calling = stage.caller(answer_late(caller, described(at_pbx, 2), "x").answer_bye())
    calling.expect(180)
    dialog = next(m for m in ringing.messages() if m.code == 180)
    tags = [re.search(r";tag=([^;>]+)", dialog.header(name)).group(1) for name in ("from", "to")]
    new = stage.caller(Caller().invite(described(at_new), headers=[
        f"Replaces: {dialog.header('call-id')};to-tag={tags[0]};from-tag={tags[1]};early-only",
        "Require: replaces"]).trying().answered().ack().hold().bye(), "trunk", to="pbx", port=5062)
    calling.expect("INVITE")
    ringing.wait()
    restart(stage, how, 1)
    calling.go()
    answer = new.expect(200, "INVITE")
    speak(stage, at_new, answer.media(), at_pbx, "internal")
    speak(stage, at_pbx, calling.received("INVITE")[0].media(), at_new, "external")
    new.go()
    finish(new, calling)


def test_a_target_that_is_lost_is_told_to_the_referrer_and_the_two_talk_on(stage):
    """Its peer is not configured any more: 503, and the transfer is over."""
    at_pbx, at_trunk, _ = ends(stage)
    stage.callee(Callee().invited().respond(180).hold(), "second")
    called = stage.callee(Callee().invited().answer(described(at_trunk)).acked().hold().bye())
    calling = stage.caller(until_bye(referring(described(at_pbx))))
    called.expect("ACK")
    calling.go()
    notified(calling, 180)
    config = plan.configuration()
    stage.daemon.kill()
    stage.daemon.write({**config, "peers": [p for p in config["peers"] if p["name"] != "second"],
                        "routes": [r for r in config["routes"] if "second" not in r["to"]]})
    stage.daemon.start()
    try:
        assert notified(calling, 503).header("subscription-state").startswith("terminated")
        speak(stage, at_pbx, calling.received(200, "INVITE")[0].media(), at_trunk, "external")
        called.go()
        finish(calling, called)
    finally:
        stage.daemon.leave()
        stage.daemon.write(config)
        stage.daemon.start()
