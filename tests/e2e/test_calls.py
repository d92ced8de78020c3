# SPDX-License-Identifier: BSD-2-Clause
"""Calls from INVITE to BYE, with sipp on both sides."""

import contextlib
import time

import pytest

import plan
from net import Namespace
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import finish

INTERNAL = ("pbx", "pbx-tcp", "pbx6", "pbx6-tcp")
EXTERNAL = ("trunk", "trunk-tcp", "trunk6", "trunk6-tcp")


def offer_of(peer, port=5000):
    return sdp(plan.PEERS[peer].address, port)


def run_call(stage, caller, callee, frm="pbx", to="trunk", **kwargs):
    called = stage.callee(callee, to)
    calling = stage.caller(caller, frm, to=to, **kwargs)
    finish(calling, called)
    return calling, called


@pytest.mark.parametrize("to", EXTERNAL)
@pytest.mark.parametrize("frm", INTERNAL)
def test_call_outwards(stage, frm, to):
    calling, called = run_call(stage, basic_caller(offer_of(frm)).bye(),
                               basic_callee(offer_of(to)).answer_bye(), frm, to)
    there, here = plan.PEERS[to], plan.PEERS[frm]
    address, port = called.expect("INVITE").media()
    assert address == there.viaduct
    assert plan.EXTERNAL_PORTS[0] <= port <= plan.EXTERNAL_PORTS[1] and port % 2 == 0
    address, port = calling.expect(200, "INVITE").media()
    assert address == here.viaduct
    assert plan.INTERNAL_PORTS[0] <= port <= plan.INTERNAL_PORTS[1] and port % 2 == 0


@pytest.mark.parametrize("frm, to", [("trunk", "pbx"), ("trunk-tcp", "pbx"), ("trunk", "pbx-tcp"),
                                     ("trunk6", "pbx"), ("trunk", "pbx6"),
                                     ("trunk6-tcp", "pbx6-tcp")])
def test_call_inwards(stage, frm, to):
    run_call(stage, basic_caller(offer_of(frm)).bye(), basic_callee(offer_of(to)).answer_bye(),
             frm, to)


@pytest.mark.parametrize("frm, to", [("pbx", "trunk"), ("pbx-tcp", "trunk-tcp"), ("pbx6", "trunk")])
def test_callee_ends_the_call(stage, frm, to):
    run_call(stage, basic_caller(offer_of(frm)).answer_bye(), basic_callee(offer_of(to)).bye(),
             frm, to)


@pytest.mark.parametrize("way", ["BYE right after the ACK", "2xx that crossed a CANCEL"])
def test_call_that_ended_counts_no_more(stage, way):
    """It would else keep its place under the limits until the last timer has run out."""
    for _ in range(4):
        if way.startswith("BYE"):
            caller = basic_caller(offer_of("pbx")).answer_bye()
            callee = basic_callee(offer_of("trunk")).bye()
        else:
            caller = Caller().invite(offer_of("pbx")).trying().recv(180).cancel().cancelled()
            callee = (Callee().invited().respond(180).recv("CANCEL").reply(200)
                      .answer(offer_of("trunk")).acked().answer_bye())
        run_call(stage, caller, callee)
    wait_until(lambda: stage.cli.status()["calls_live"] == 0, 2,
               lambda: f"no live call: {stage.cli.calls()}")
    assert stage.cli.peers()["trunk"]["calls"] == 0


def test_called_number_and_caller_reach_the_callee(stage):
    _, called = run_call(stage, basic_caller(offer_of("pbx")).bye(),
                         basic_callee(offer_of("trunk")).answer_bye())
    invite = called.expect("INVITE")
    assert invite.first_line.startswith(f"INVITE sip:{plan.PEERS['trunk'].number}@192.0.2.2")
    assert "sip:caller@192.0.2.1" in invite.header("from")


def test_delayed_offer_is_answered_in_ack(stage):
    caller = Caller().invite().trying().recv(180).answered().ack(offer_of("pbx")).bye()
    callee = Callee().invited().respond(180).answer(offer_of("trunk")).acked().answer_bye()
    calling, called = run_call(stage, caller, callee)
    assert called.expect("INVITE").body == ""
    assert calling.expect(200, "INVITE").media()[0] == "10.10.0.1"
    assert called.expect("ACK").media()[0] == "192.0.2.1"


def test_several_provisionals_reach_the_caller_in_order(stage):
    caller = (Caller().invite(offer_of("pbx")).trying().recv(180).recv(181).recv(182).recv(183)
              .answered().ack().bye())
    callee = (Callee().invited().respond(180).respond(181).respond(182).respond(183)
              .answer(offer_of("trunk")).acked().answer_bye())
    calling, _ = run_call(stage, caller, callee)
    tags = {m.header("to").partition("tag=")[2] for m in calling.received() if m.code > 100
            and m.method == "INVITE"}
    assert len(tags) == 1, "one dialog throughout"


def test_caller_hears_100_at_once(stage):
    caller = Caller().invite(offer_of("pbx")).recv(100).recv(180).answered().ack().bye()
    callee = (Callee().invited().pause(300).respond(180).answer(offer_of("trunk")).acked()
              .answer_bye())
    run_call(stage, caller, callee)


# RFC 3261 13.3.1.4: 2xx is sent again until the ACK is there, over UDP and TCP.
@pytest.mark.parametrize("frm", ["pbx", "pbx-tcp"])
def test_2xx_is_sent_again_until_acked(stage, frm):
    caller = (Caller().invite(offer_of(frm)).trying().recv(180).answered().pause(2500).ack()
              .pause(300).bye())
    # Over TCP sipp does not expect a 2xx again: it is told to let pauses pass over messages.
    calling, _ = run_call(stage, caller, basic_callee(offer_of("trunk")).answer_bye(), frm,
                          extra=["-pause_msg_ign"])
    assert len(calling.received(200, "INVITE")) >= 3, "at 0, 0.5 and 1.5 s"


@contextlib.contextmanager
def acks_lost(ns: Namespace):
    """Drops every ACK that comes into that namespace over UDP."""
    ns.run("nft", "add table inet lost; "
           "add chain inet lost c { type filter hook input priority 0; }; "
           "add rule inet lost c meta l4proto udp @th,64,24 0x41434b counter drop")
    try:
        yield
    finally:
        ns.run("nft", "delete table inet lost")


def test_lost_ack_to_callee_is_sent_again_with_each_2xx(stage):
    called = stage.callee(basic_callee(offer_of("trunk")).answer_bye())
    with acks_lost(stage.world.external):
        calling = stage.caller(basic_caller(offer_of("pbx"), hold=True).bye())
        calling.expect(200, "INVITE")
        wait_until(lambda: len(called.sent(200, "INVITE")) >= 2, 3, "the 2xx to be sent again")
        assert not called.received("ACK")
    called.expect("ACK")
    calling.go()
    finish(calling, called)
    assert len(calling.received(200, "INVITE")) == 1, "the caller has acknowledged"


def test_lost_ack_from_caller_brings_2xx_again(stage):
    called = stage.callee(basic_callee(offer_of("trunk")).answer_bye())
    with acks_lost(stage.world.viaduct):
        calling = stage.caller(basic_caller(offer_of("pbx"), hold=True).bye())
        calling.expect(200, "INVITE", count=2)
    wait_until(lambda: len(calling.sent("ACK")) >= 3, 4, "another ACK")
    calling.go()
    finish(calling, called)


def test_invite_sent_again_makes_one_call(stage):
    wire, number = stage.wire(), plan.PEERS["trunk"].number
    called = stage.callee(basic_callee(offer_of("trunk")).answer_bye())
    invite = wire.request("INVITE", number, headers=["Content-Type: application/sdp"],
                          body=offer_of("pbx"))
    for _ in range(3):
        wire.send(invite)
    ok = wire.final()
    while ok.code != 200:
        ok = wire.final()
    wire.send(wire.request("ACK", number, to=ok.header("to")))
    called.expect("ACK")
    assert stage.cli.only_call()
    assert wire.ask("BYE", number, cseq=2, to=ok.header("to")).code == 200
    called.wait()
    assert len(called.received("INVITE")) == 1


def test_cancel_before_ringing(stage):
    caller = Caller().invite(offer_of("pbx")).recv(100).pause(200).cancel().cancelled()
    callee = Callee().invited().respond(100).recv("CANCEL").reply(200).respond(487).acked()
    run_call(stage, caller, callee)


def test_cancel_before_the_callee_says_anything_waits_for_its_provisional(stage):
    caller = Caller().invite(offer_of("pbx")).recv(100).cancel().cancelled()
    callee = (Callee().invited().pause(300).respond(180).recv("CANCEL").reply(200).respond(487)
              .acked())
    calling, called = run_call(stage, caller, callee)
    messages = called.messages()
    ringing = next(i for i, m in enumerate(messages) if m.code == 180)
    cancel = next(i for i, m in enumerate(messages) if m.first_line.startswith("CANCEL"))
    assert ringing < cancel, "RFC 3261 9.1"


@pytest.mark.parametrize("frm, to", [("pbx", "trunk"), ("pbx-tcp", "trunk-tcp")])
def test_cancel_while_ringing(stage, frm, to):
    caller = Caller().invite(offer_of(frm)).trying().recv(180).cancel().cancelled()
    callee = Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487).acked()
    run_call(stage, caller, callee, frm, to)


def test_cancel_that_crosses_200_ends_the_answered_leg_with_bye(stage):
    caller = Caller().invite(offer_of("pbx")).trying().recv(180).cancel().cancelled()
    callee = (Callee().invited().respond(180).recv("CANCEL").reply(200)
              .answer(offer_of("trunk")).acked().answer_bye())
    run_call(stage, caller, callee)


def test_cancel_after_200_is_answered_and_changes_nothing(stage):
    caller = (Caller().invite(offer_of("pbx")).trying().recv(180).answered().cancel().recv(200)
              .ack().bye())
    # The CANCEL has the INVITE's branch, the transaction is completed: RFC 3261 9.2.
    run_call(stage, caller, basic_callee(offer_of("trunk")).answer_bye())


@pytest.mark.parametrize("code", [400, 403, 404, 410, 415, 480, 484, 486, 488, 500, 600, 603, 604])
def test_final_error_reaches_the_caller(stage, code):
    caller = Caller().invite(offer_of("pbx")).trying().refused(code)
    run_call(stage, caller, Callee().invited().respond(code).acked())


def test_error_after_ringing_reaches_the_caller(stage):
    caller = Caller().invite(offer_of("pbx")).trying().recv(180).refused(486)
    run_call(stage, caller, Callee().invited().respond(180).respond(486).acked())


@pytest.mark.parametrize("code", [503, 408])
def test_peer_that_fails_is_followed_by_the_next_of_the_route(stage, code):
    first = stage.callee(Callee().invited().respond(code).acked(), "trunk")
    second = stage.callee(basic_callee(offer_of("second")).answer_bye(), "second")
    stage.caller(basic_caller(offer_of("pbx")).bye(), number=plan.FAILOVER).wait()
    first.wait()
    second.wait()


@pytest.mark.parametrize("code", [486, 603])
def test_busy_and_decline_are_not_followed_by_the_next_of_the_route(stage, code):
    first = stage.callee(Callee().invited().respond(code).acked(), "trunk")
    second = stage.callee(basic_callee(offer_of("second")), "second")
    stage.caller(Caller().invite(offer_of("pbx")).trying().refused(code),
                 number=plan.FAILOVER).wait()
    first.wait()
    assert not second.received("INVITE")


def test_silent_peer_is_followed_by_the_next_of_the_route(stage):
    second = stage.callee(basic_callee(offer_of("second")).answer_bye(), "second")
    calling = stage.caller(basic_caller(offer_of("pbx")).bye(), number=plan.FAILOVER_SILENT)
    calling.wait()
    second.wait()


def test_port_that_nobody_listens_on_is_followed_by_the_next_of_the_route(stage):
    second = stage.callee(basic_callee(offer_of("second")).answer_bye(), "second")
    stage.caller(basic_caller(offer_of("pbx")).bye(), number=plan.FAILOVER).wait()
    second.wait()


def test_silence_of_the_last_peer_is_told_with_408(stage):
    stage.caller(Caller().invite(offer_of("pbx")).trying().refused(408), to="gone").wait()


def test_number_without_a_route_is_404(stage):
    stage.caller(Caller().invite(offer_of("pbx")).trying().refused(404), number="9999").wait()


def test_external_to_external_is_denied_unless_a_route_allows_it_by_name(stage):
    stage.caller(Caller().invite(offer_of("trunk")).trying().refused(403), "trunk",
                 to="second").wait()
    second = stage.callee(basic_callee(offer_of("second")).answer_bye(), "second")
    stage.caller(basic_caller(offer_of("trunk")).bye(), "trunk", number=plan.TRANSIT).wait()
    second.wait()


def test_peer_at_its_limit_is_503_with_retry_after(stage):
    called = stage.callee(basic_callee(offer_of("one-call")).answer_bye(), "one-call")
    first = stage.caller(basic_caller(offer_of("pbx"), hold=True).bye(), to="one-call")
    called.expect("ACK")
    refused = stage.caller(Caller().invite(offer_of("pbx")).trying().refused(503), to="one-call",
                           port=5070)
    refused.wait()
    assert refused.received(503)[0].header("retry-after")
    first.go()
    first.wait()
    called.wait()


def test_call_is_shown_from_ringing_to_its_end(stage):
    called = stage.callee(Callee().invited().respond(180).hold().answer(offer_of("trunk")).acked()
                          .answer_bye())
    calling = stage.caller(basic_caller(offer_of("pbx"), hold=True).bye())
    calling.expect(180)
    assert [call["state"] for call in stage.cli.live_calls()] == ["ringing"]
    called.go()
    calling.expect(200, "INVITE")
    called.expect("ACK")
    assert [call["state"] for call in stage.cli.live_calls()] == ["answered"]
    calling.go()
    finish(calling, called)
    stage.quiet()


@pytest.mark.parametrize("to", ["trunk", "trunk-tcp"])
def test_callee_that_vanishes_leaves_nothing_once_the_caller_hangs_up(stage, to):
    called = stage.callee(basic_callee(offer_of(to)).hold(), to)
    calling = stage.caller(basic_caller(offer_of("pbx"), hold=True).bye(), to=to)
    called.expect("ACK")
    called.kill()
    calling.go()
    started = time.monotonic()
    calling.wait()
    assert time.monotonic() - started < 20, "the caller's BYE does not wait 32 s for the callee's 200"
    stage.quiet(40)
