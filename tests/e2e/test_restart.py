# SPDX-License-Identifier: BSD-2-Clause
"""The daemon is killed, or told to leave, while calls are up; the next one goes on with them."""

import contextlib
import os
import socket
import time

import pytest

import plan
from rtp import Stream, wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import finish
from talk import Talk
from wire import StreamCallee

BOTH_WAYS = ("kill", "leave")
PBX, TRUNK = (plan.PEERS[name].address for name in ("pbx", "trunk"))
INTERVAL_S = 10  # of a session
SETTINGS = {
    "alaw": {"refer": "pass"},
    "pbx": {"session_timer": {"min": 1}, "refer": "pass"},
    "informed": {"session_timer": {"mode": "request", "interval": INTERVAL_S, "min": 1}},
}


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    for peer in config["peers"]:
        peer |= SETTINGS.get(peer["name"], {})
    return config


@contextlib.contextmanager
def no_daemon(daemon, how="kill"):
    getattr(daemon, how)()
    yield
    daemon.start()


def restart(daemon, how="kill"):
    with no_daemon(daemon, how):
        pass


def last_record(daemon, call_id):
    def written():
        return [record for record in daemon.records() if record["id"] == call_id]
    return wait_until(written, 3, f"the record of call {call_id}")[-1]


@pytest.mark.parametrize("ended_by", ("caller", "callee"))
@pytest.mark.parametrize("how", BOTH_WAYS)
def test_call_goes_on_and_ends_by_bye(stage, how, ended_by):
    talk = Talk(stage, ended_by=ended_by)
    talk.check_media(20)
    with no_daemon(stage.daemon, how):
        talk.check_media(20)
    assert stage.cli.only_call() == talk.id
    talk.check_media(20)
    talk.end()
    stage.quiet()
    record = last_record(stage.daemon, talk.id)
    assert (record["code"], record["ended_by"]) == (200, ended_by == "caller" and "a" or "b")
    assert (record["a"]["peer"], record["b"]["peer"], record["route"]) == ("pbx", "trunk", "to-trunk")
    assert record["setup"] <= record["answer"] < record["end"]
    # Of before, of the time without a daemon, and of after.
    assert [record["streams"][0][leg]["packets"] for leg in "ab"] == [60, 60]


@pytest.mark.parametrize("family", ("trunk", "trunk6"))
def test_calls_of_several_daemons_go_on_together(stage, family):
    """Two restarts: a call of the first daemon and one of the second, told apart by their ids."""
    first = Talk(stage, frm="pbx", to=family)
    restart(stage.daemon)
    phone, second = (plan.PEERS[name].address for name in ("phone", "second"))
    called = stage.callee(basic_callee(sdp(second, 6100)).answer_bye(), "second")
    calling = stage.caller(basic_caller(sdp(phone, 5100), hold=True).bye(), "phone", to="second")
    called.expect("ACK")
    restart(stage.daemon)
    ids = [call["id"] for call in stage.cli.live_calls()]
    assert ids[0] == first.id and len(set(ids)) == 2
    first.check_media(20)
    calling.go()
    finish(calling, called)
    first.end()


def test_a_bye_while_no_daemon_runs_is_answered_by_the_next(stage):
    talk = Talk(stage)
    with no_daemon(stage.daemon):
        talk.calling.go()
    finish(talk.calling, talk.called)
    stage.quiet()
    assert not stage.cli.flows()


@pytest.mark.parametrize("by", ("caller", "callee"))
def test_media_is_changed_by_a_reinvite_after_a_restart(stage, by):
    a, b, moved = stage.endpoint("pbx"), stage.endpoint("trunk"), stage.endpoint("pbx" if by == "caller" else "trunk")
    caller, callee = basic_caller(sdp(PBX, a.port)), basic_callee(sdp(TRUNK, b.port))
    first, second = (caller, callee) if by == "caller" else (callee, caller)
    addresses = (PBX, TRUNK) if by == "caller" else (TRUNK, PBX)
    first.hold().request("INVITE", sdp(addresses[0], moved.port, version=2)).recv(100, optional=True)
    first.recv(200).ack()
    second.recv("INVITE").answer_invite(sdp(addresses[1], (b if by == "caller" else a).port, version=2))
    second.recv("ACK")
    caller.hold().bye()
    callee.answer_bye()
    sniffer = stage.sniffer("internal" if by == "caller" else "external")
    called, calling = stage.callee(callee), stage.caller(caller)
    before = called.expect("INVITE"), calling.expect(200, "INVITE")
    called.expect("ACK")
    restart(stage.daemon)
    asking, asked = (calling, called) if by == "caller" else (called, calling)
    asking.go()
    answer = asking.expect(200, "INVITE", count=2 if by == "caller" else 1)
    offer = asked.expect("INVITE", count=2 if by == "caller" else 1)
    asked.expect("ACK", count=2 if by == "caller" else 1)
    # Our ports stay.
    known = before if by == "caller" else before[::-1]
    assert offer.media() == known[0].media() and answer.media() == known[1].media()
    sender, to = (b, offer.media()) if by == "caller" else (a, offer.media())
    stream, since = Stream(), sniffer.mark()
    sender.send_stream(stream, to, 20)
    got = sniffer.wait_received((moved.address, moved.port), 20, since=since)
    assert [d.payload for d in got] == stream.sent
    calling.go()
    finish(calling, called)


def test_a_session_is_refreshed_after_a_restart(stage):
    """RFC 4028: the daemon that comes after refreshes what the one before agreed to."""
    headers = ["Allow: INVITE, ACK, BYE, UPDATE", "Supported: timer", "Require: timer",
               f"Session-Expires: {INTERVAL_S};refresher=uac"]
    address = plan.PEERS["informed"].address
    callee = Callee().invited().answer(sdp(address, 6000), headers).acked()
    callee.recv("UPDATE").answer_invite("", headers=headers[2:]).hold().answer_bye()
    called = stage.callee(callee, "informed")
    calling = stage.caller(basic_caller(sdp(PBX, 5000), hold=True).bye(), to="informed")
    invite = called.expect("INVITE")
    called.expect("ACK")
    restart(stage.daemon, "leave")
    update = called.expect("UPDATE", timeout=3 * INTERVAL_S)
    assert update.header("session-expires") == f"{INTERVAL_S};refresher=uac"
    assert int(update.header("cseq").split()[0]) > int(invite.header("cseq").split()[0])
    called.go()
    calling.go()
    finish(calling, called)


# ---- calls that ring ----

def ringing(stage, how, caller, callee):
    """A call that rings while one daemon ends and the next one starts."""
    called, calling = stage.callee(callee), stage.caller(caller)
    calling.expect(180)
    restart(stage.daemon, how)
    assert [call["state"] for call in stage.cli.live_calls()] == ["ringing"]
    return calling, called


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_a_call_that_rings_is_answered_after_a_restart(stage, how):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    inside, outside = stage.sniffer("internal"), stage.sniffer("external")
    caller = Caller().invite(sdp(PBX, a.port)).trying().recv(180).recv(180, optional=True)
    caller.answered().ack().hold().bye()
    callee = Callee().invited().respond(180).hold().answer(sdp(TRUNK, b.port)).acked().answer_bye()
    calling, called = ringing(stage, how, caller, callee)
    called.go()
    ok, invite = calling.expect(200, "INVITE"), called.expect("INVITE")
    called.expect("ACK")
    for sniffer, sender, to, receiver in ((outside, a, ok, b), (inside, b, invite, a)):
        stream, since = Stream(), sniffer.mark()
        sender.send_stream(stream, to.media(), 20)
        got = sniffer.wait_received((receiver.address, receiver.port), 20, since=since)
        assert [d.payload for d in got] == stream.sent
    call_id = stage.cli.only_call()
    calling.go()
    finish(calling, called)
    record = last_record(stage.daemon, call_id)
    assert (record["code"], record["ended_by"]) == (200, "a") and record["ring"] <= record["answer"]
    assert [(at["peer"], at["code"]) for at in record["attempts"]] == [("trunk", 200)]


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_a_call_that_rings_is_cancelled_after_a_restart(stage, how):
    caller = Caller().invite(sdp(PBX, 5000)).trying().recv(180, save=[("via", "Via")]).hold()
    caller.cancel("Via:[$via]").cancelled()
    callee = Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487).acked()
    calling, called = ringing(stage, how, caller, callee)
    call_id = stage.cli.only_call()
    calling.go()
    finish(calling, called)
    record = last_record(stage.daemon, call_id)
    assert (record["code"], record["ended_by"]) == (487, "a")


@pytest.mark.parametrize("how", BOTH_WAYS)
@pytest.mark.parametrize("code", (486, 487), ids=("busy", "cancelled"))
def test_a_refusal_is_given_again_after_a_restart_until_its_ack(stage, code, how):
    """Who has had a 180 does not send its INVITE again: nothing else would end the call for it."""
    caller = Caller().invite(sdp(PBX, 5000)).trying().recv(180, save=[("via", "Via")])
    callee = Callee().invited().respond(180)
    if code == 487:
        caller.hold().cancel("Via:[$via]").recv(200, optional=True)
        callee.recv("CANCEL").reply(200)
    else:
        callee.hold()
    caller.recv(code, save=[("refused", "To")]).hold()
    caller.ack_failure(caller.target, "Via:[$via]", "To:[$refused]")
    called = stage.callee(callee.respond(code).acked())
    calling = stage.caller(caller)
    calling.expect(180)
    call_id = stage.cli.only_call()
    (calling if code == 487 else called).go()
    calling.expect(code)
    finish(called)
    with no_daemon(stage.daemon, how):
        before = len(calling.received(code))
    wait_until(lambda: len(calling.received(code)) > before + 1, 10,
               lambda: f"{code} twice more: {calling.explain()}")
    calling.go()
    finish(calling)
    stage.quiet()
    wait_until(lambda: stage.cli.status()["state"]["calls"] == 0, 5, "nothing to be left of it")
    assert len(called.received("INVITE")) == 1
    assert last_record(stage.daemon, call_id)["code"] == code
    assert [record["id"] for record in stage.daemon.records()].count(call_id) == 1


def test_a_call_that_rings_is_refused_and_goes_on_to_the_next_peer_after_a_restart(stage):
    second = plan.PEERS["second"].address
    caller = Caller().invite(sdp(PBX, 5000)).trying().recv(180).recv(180, optional=True)
    caller.recv(180, optional=True).answered().ack().bye()
    callee = Callee().invited().respond(180).hold().respond(503).acked()
    third = stage.callee(basic_callee(sdp(second, 6000)).answer_bye(), "second")
    called = stage.callee(callee)
    calling = stage.caller(caller, number=plan.FAILOVER)
    calling.expect(180)
    restart(stage.daemon)
    called.go()
    finish(calling, called, third)


def test_a_call_that_rings_and_has_no_route_any_more_ends_on_both_legs(stage, configuration):
    caller = Caller().invite(sdp(PBX, 5000)).trying().recv(180).recv(180, optional=True).refused(500)
    callee = Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487).acked()
    called, calling = stage.callee(callee), stage.caller(caller)
    calling.expect(180)
    call_id = stage.cli.only_call()
    stage.daemon.kill()
    stage.daemon.write({**configuration, "routes": [r for r in configuration["routes"]
                                                    if "trunk" not in r["to"]]})
    stage.daemon.start()
    try:
        finish(calling, called)
        assert last_record(stage.daemon, call_id)["code"] == 500
        assert stage.cli.status()["adoption"]["calls_ended"] == 1
    finally:
        restart_with(stage.daemon, configuration)


def test_early_media_flows_on_and_the_call_is_answered_after_a_restart(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    inside = stage.sniffer("internal")
    answer = sdp(TRUNK, b.port)
    caller = Caller().invite(sdp(PBX, a.port)).trying().recv(183).recv(183, optional=True)
    caller.answered().ack().bye()
    callee = Callee().invited().respond(183, answer).hold().answer(answer).acked().answer_bye()
    called = stage.callee(callee)
    calling = stage.caller(caller)
    calling.expect(183)
    to_b = called.expect("INVITE").media()
    def passes():
        stream, since = Stream(), inside.mark()
        b.send_stream(stream, to_b, 20)
        got = inside.wait_received((a.address, a.port), 20, since=since)
        assert [d.payload for d in got] == stream.sent
    passes()
    with no_daemon(stage.daemon):
        passes()
    passes()
    called.go()
    finish(calling, called)


# ---- reliable provisional responses (RFC 3262) ----

def prack(caller):
    """For what the caller has kept of a reliable response; that may come once more meanwhile."""
    caller.request("PRACK", headers=[f"RAck:[$rseq] {caller.first_cseq} INVITE"])
    return caller.recv(183, optional=True).recv(200)


RELIABLE = {"save": [("remote", "To"), ("rseq", "RSeq")], "rrs": "true"}


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_a_reliable_response_of_ours_has_its_prack_after_a_restart(stage, how):
    caller = Caller().invite(sdp(PBX, 5000), headers=["Require: 100rel"]).trying().recv(183, **RELIABLE)
    # The callee hears its INVITE again, and says 183 again: that has a number and a PRACK of its own.
    prack(caller.recv(183, optional=True).hold()).recv(183, **RELIABLE)
    prack(caller).answered().ack(cseq=1).bye()
    answer = sdp(TRUNK, 6000)
    called = stage.callee(Callee().invited().respond(183, answer).hold().answer(answer).acked().answer_bye())
    calling = stage.caller(caller)
    first = calling.expect(183)
    restart(stage.daemon, how)
    again = wait_until(lambda: [m for m in calling.received(183) if m.text != first.text], 8,
                       lambda: f"the 183 of the next daemon: {calling.explain()}")[0]
    assert again.header("rseq") == first.header("rseq") and again.body == first.body
    called.expect("INVITE", count=2)
    calling.go()
    calling.expect(200, "PRACK", count=2)
    called.go()
    finish(calling, called)
    numbers = [int(m.header("rack").split()[0]) for m in calling.sent("PRACK")]
    assert sorted(set(numbers)) == [int(first.header("rseq")), int(first.header("rseq")) + 1]


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_a_prack_is_passed_on_after_a_restart(stage, how):
    caller = Caller().invite(sdp(PBX, 5000), headers=["Supported: 100rel"]).trying().recv(183, **RELIABLE)
    prack(caller.hold()).answered().ack(cseq=1).bye()
    answer = sdp(TRUNK, 6000)
    callee = Callee().invited().respond(183, answer, headers=["Require: 100rel", "RSeq: 4711"], retrans=500)
    called = stage.callee(callee.recv("PRACK").reply(200).answer(answer).acked().answer_bye())
    calling = stage.caller(caller)
    calling.expect(183)
    restart(stage.daemon, how)
    assert not called.received("PRACK")
    calling.go()
    finish(calling, called)
    assert called.received("PRACK")[0].header("rack").split()[0] == "4711"


# ---- answers without their ACK (RFC 3261 13.3.1.4) ----

def waits_with_its_ack(stage, is_lost=False):
    """An answered call whose caller has not sent its ACK; is_lost: it will have to say it twice."""
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    caller = Caller().invite(sdp(PBX, a.port)).trying().answered().hold().ack()
    if is_lost:
        caller.recv(200).ack()
    caller.recv(200, optional=True).hold().bye()  # one more may have been on its way
    called = stage.callee(basic_callee(sdp(TRUNK, b.port), ringing=False).answer_bye())
    calling = stage.caller(caller)
    return calling, called, calling.expect(200, "INVITE"), a, b


def answers(calling):
    return len(calling.received(200, "INVITE"))


def ends_after_talk(stage, calling, called, ok, a, b):
    call_id = stage.cli.only_call()
    wait_until(lambda: stage.cli.status()["state"]["queued"] == 0, 3, "the ACK to be written down")
    sniffer = stage.sniffer("external")
    stream, since = Stream(), sniffer.mark()
    a.send_stream(stream, ok.media(), 20)
    got = sniffer.wait_received((b.address, b.port), 20, since=since)
    assert [d.payload for d in got] == stream.sent
    calling.go()
    finish(calling, called)
    record = last_record(stage.daemon, call_id)
    assert (record["code"], record["ended_by"]) == (200, "a")


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_an_answer_is_sent_again_after_a_restart_until_its_ack(stage, how):
    calling, called, *talk = waits_with_its_ack(stage)
    with no_daemon(stage.daemon, how):
        before = answers(calling)
    wait_until(lambda: answers(calling) > before + 1, 10, lambda: f"200 twice more: {calling.explain()}")
    calling.go()
    ends_after_talk(stage, calling, called, *talk)


def test_an_ack_that_was_sent_while_no_daemon_ran_is_sent_again(stage):
    calling, called, *talk = waits_with_its_ack(stage, is_lost=True)
    with no_daemon(stage.daemon):
        calling.go()
        wait_until(lambda: calling.sent("ACK"), 3, "the ACK to nobody")
    wait_until(lambda: len(calling.sent("ACK")) > 1, 8, lambda: f"the next ACK: {calling.explain()}")
    ends_after_talk(stage, calling, called, *talk)


def test_an_answer_that_comes_again_is_acknowledged_again_after_a_restart(stage):
    callee = Callee().invited().answer(sdp(TRUNK, 6000)).acked().hold()
    called = stage.callee(callee.answer(sdp(TRUNK, 6000)).acked().answer_bye())
    calling = stage.caller(basic_caller(sdp(PBX, 5000), hold=True).bye())
    called.expect("ACK")
    restart(stage.daemon)
    called.go()
    called.expect("ACK", count=2)
    calling.go()
    finish(calling, called)
    assert len(called.received("INVITE")) == 1, "it is settled, and asked for nothing more"


# ---- requests under way ----

def test_a_reinvite_under_way_at_a_kill_is_refused_and_the_call_goes_on(stage):
    """RFC 3261 14.2: 500 with Retry-After; the other leg's answer is acknowledged all the same."""
    caller, callee = basic_caller(sdp(PBX, 5000), hold=True), basic_callee(sdp(TRUNK, 6000))
    caller.request("INVITE", sdp(PBX, 5000, version=2)).recv(100, optional=True)
    caller.recv(500).ack_failure().hold().bye()
    callee.recv("INVITE", save=[("via2", "Via"), ("cseq2", "CSeq"), ("from2", "From"), ("to2", "To")])
    callee.hold().send(["SIP/2.0 200 OK", "Via:[$via2]", "From:[$from2]", "To:[$to2]",
                        "Call-ID: [call_id]", "CSeq:[$cseq2]", callee.contact],
                       sdp(TRUNK, 6000, version=2), retrans=500).recv("ACK")
    # Led back to what both had agreed on before.
    callee.recv("INVITE").answer_invite(sdp(TRUNK, 6000, version=3)).recv("ACK").answer_bye()
    called, calling = stage.callee(callee), stage.caller(caller)
    called.expect("ACK")
    calling.go()
    called.expect("INVITE", count=2)
    restart(stage.daemon)
    assert calling.expect(500).header("retry-after")
    called.go()
    called.expect("ACK", count=3)
    calling.go()
    finish(calling, called)


def test_a_leaving_daemon_waits_for_a_reinvite(stage):
    caller, callee = basic_caller(sdp(PBX, 5000), hold=True), basic_callee(sdp(TRUNK, 6000))
    caller.request("INVITE", sdp(PBX, 5000, version=2)).recv(100, optional=True)
    caller.recv(200).ack().hold().bye()
    callee.recv("INVITE").pause(300).answer_invite(sdp(TRUNK, 6000, version=2)).recv("ACK")
    callee.answer_bye()
    called, calling = stage.callee(callee), stage.caller(caller)
    called.expect("ACK")
    calling.go()
    called.expect("INVITE", count=2)
    restart(stage.daemon, "leave")
    calling.expect(200, "INVITE", count=2)
    calling.go()
    finish(calling, called)


def asked_twice(agent, method, code=200, body=None, rings=False):
    """Answers when no daemon runs, and once more when it is asked again; where the call rings, its INVITE
    comes again as well."""
    kept = [(name + "x", name) for name in ("Via", "From", "To", "CSeq")]
    answer = [f"SIP/2.0 {code} x", *(f"{name}:[${name}x]" for _, name in kept), "Call-ID: [call_id]",
              agent.contact]
    agent.recv(method, save=kept).hold().send(answer, body)
    if rings:
        agent.steps.append('<label id="1"/>')
        agent.recv("INVITE", optional=True, next="2").recv(method, next="3")
        agent.steps.append('<label id="2"/>')
        agent.reply(100, next="1")
        agent.steps.append('<label id="3"/>')
    else:
        agent.recv(method)
    return agent.send(answer, body)


def lose_answer(stage, asked, method):
    """What the next daemon asks is what the one before did, to the letter: a retransmission."""
    asked.expect(method)
    with no_daemon(stage.daemon):
        asked.go()
    asked.expect(method, count=2)
    texts = {message.text for message in asked.received(method)}
    assert len(texts) == 1, texts


def test_a_request_whose_answer_was_lost_is_sent_again_after_a_restart(stage):
    """The INFO comes again, with the CSeq that the daemon before has seen."""
    caller, callee = basic_caller(sdp(PBX, 5000), hold=True), basic_callee(sdp(TRUNK, 6000))
    called = stage.callee(asked_twice(callee, "INFO").answer_bye())
    calling = stage.caller(caller.request("INFO").recv(200).bye())
    called.expect("ACK")
    calling.go()
    lose_answer(stage, called, "INFO")
    finish(calling, called)


@pytest.mark.parametrize("by", ("caller", "callee"))
def test_a_bye_whose_answer_was_lost_is_sent_again_after_a_restart(stage, by):
    caller, callee = basic_caller(sdp(PBX, 5000)), basic_callee(sdp(TRUNK, 6000))
    ending, told = (caller, callee) if by == "caller" else (callee, caller)
    ending.hold().bye()
    asked_twice(told, "BYE")
    called, calling = stage.callee(callee), stage.caller(caller)
    ending, told = (calling, called) if by == "caller" else (called, calling)
    called.expect("ACK")
    call_id = stage.cli.only_call()
    ending.go()
    lose_answer(stage, told, "BYE")
    finish(calling, called)
    wait_until(lambda: stage.cli.status()["state"]["calls"] == 0, 5, "nothing to be left of it")
    records = [record for record in stage.daemon.records() if record["id"] == call_id]
    assert [record["ended_by"] for record in records] == ["a" if by == "caller" else "b"]


def test_a_prack_with_an_offer_whose_answer_was_lost_has_it_after_a_restart(stage):
    caller = Caller().invite(sdp(PBX, 5000), headers=["Supported: 100rel"]).trying().recv(183, **RELIABLE)
    caller.request("PRACK", sdp(PBX, 5002, version=2), headers=[f"RAck:[$rseq] {caller.first_cseq} INVITE"])
    caller.recv(183, optional=True).recv(200).answered().ack(cseq=1).bye()
    callee = Callee().invited().respond(183, sdp(TRUNK, 6000), headers=["Require: 100rel", "RSeq: 4711"],
                                        retrans=500)
    asked_twice(callee, "PRACK", body=sdp(TRUNK, 6002, version=2), rings=True).answer().acked().answer_bye()
    called, calling = stage.callee(callee), stage.caller(caller)
    lose_answer(stage, called, "PRACK")
    finish(calling, called)
    assert calling.received(200, "PRACK")[0].media()[1] != 0


def test_a_refer_is_passed_on_once_before_and_after_a_restart(stage):
    alaw, second = plan.PEERS["alaw"], plan.PEERS["second"]
    callee = Callee().invited().answer(sdp(alaw.address, 6000, ("8 PCMA/8000",))).acked().hold()
    callee.request("REFER", headers=[f"Refer-To: <sip:{second.number}@{alaw.viaduct}>",
                                     "Contact: <sip:callee@[local_ip]>"])
    called = stage.callee(callee.recv(202).recv("NOTIFY").reply(200).bye(), "alaw")
    caller = Caller().invite(sdp(PBX, 5000, ("8 PCMA/8000",))).trying().answered().ack()
    asked_twice(caller, "REFER", 202)
    caller.request("NOTIFY", "SIP/2.0 200 OK\r\n", content_type="message/sipfrag", headers=[
        "Event: refer", "Subscription-State: terminated;reason=noresource", "Contact: <sip:caller@[local_ip]>"])
    calling = stage.caller(caller.recv(200).answer_bye(), to="alaw")
    called.expect("ACK")
    called.go()
    lose_answer(stage, calling, "REFER")
    finish(calling, called)


# ---- the same where the other leg is asked over TCP: with its answer it has forgotten the transaction ----

def lose_request(stage, caller, method):
    """(calling, called, what it was asked): by the daemon before, which has heard no answer; and the call."""
    called = stage.keep(StreamCallee(stage.namespace("external"), TRUNK))
    calling = stage.caller(caller, to="trunk-tcp")
    called.reply(called.receive("INVITE"), 200, sdp(TRUNK, 6000))
    called.receive("ACK")
    calling.go()
    asked, call_id = called.receive(method), stage.cli.only_call()
    restart(stage.daemon)
    return calling, called, asked, call_id


def answered_caller():
    return Caller().invite(sdp(PBX, 5000)).trying().answered().ack().hold()


@pytest.mark.parametrize("out_of_order", (False, True), ids=("taken", "out-of-order"))
def test_an_update_is_asked_again_over_tcp_with_the_next_cseq_where_the_same_is_refused(stage, out_of_order):
    """RFC 3261 12.2.2"""
    caller = answered_caller().request("UPDATE", sdp(PBX, 5002, version=2)).recv(200).bye()
    calling, called, first, _ = lose_request(stage, caller, "UPDATE")
    again = called.receive("UPDATE")
    assert again.text == first.text
    if out_of_order:
        called.reply(again, 500)
        again = called.receive("UPDATE")
        assert int(again.header("cseq").split()[0]) > int(first.header("cseq").split()[0])
        assert again.body == first.body
    called.reply(again, 200, sdp(TRUNK, 6002, version=2))
    called.reply(called.receive("BYE"), 200)
    finish(calling)
    assert calling.received(200, "UPDATE")[0].media()[1] != 0


@pytest.mark.parametrize("method", ("INFO", "REFER"))
def test_what_may_not_be_done_twice_is_not_asked_again_over_tcp_and_has_504(stage, method):
    phone = plan.PEERS["phone"]
    headers = {"INFO": (), "REFER": (f"Refer-To: <sip:{phone.number}@{phone.viaduct}>",
                                     "Contact: <sip:caller@[local_ip]>")}
    caller = answered_caller().request(method, headers=headers[method]).recv(504).bye()
    calling, called, _, call_id = lose_request(stage, caller, method)
    called.reply(called.receive("BYE"), 200)
    finish(calling)
    record = last_record(stage.daemon, call_id)
    assert (record["code"], record["ended_by"]) == (200, "a")
    codes = [transfer["code"] for transfer in record.get("transfers", ())]
    assert codes == ([504] if method == "REFER" else [])


# ---- records ----

def test_what_ended_just_before_a_crash_has_one_record(stage):
    """Nothing is waited for: neither the state file nor the records' need know of it yet."""
    ids = []
    for _ in range(5):
        talk = Talk(stage)
        ids.append(talk.id)
        talk.end()
        refused = stage.caller(Caller().invite(sdp(PBX, 5000)).trying().refused(404),
                               number="999999")
        refused.wait()
        call_id = refused.sent("INVITE")[0].header("call-id")
        stage.daemon.kill()
        stage.daemon.start()
        def ended():
            return not stage.cli.live_calls() and last_record(stage.daemon, talk.id)
        wait_until(ended, 5, lambda: f"the call to be over: {stage.cli.live_calls()}")
        records = stage.daemon.records()
        assert [record["code"] for record in records if record["a"]["call_id"] == call_id] == [404]
        assert [record["id"] for record in records if record["id"] in ids] == ids


def test_media_that_stops_ends_an_adopted_call(stage):
    talk = Talk(stage, to="watched", ended_by="viaduct")
    talk.check_media(5)
    restart(stage.daemon)
    finish(talk.calling, talk.called)
    assert talk.called.received("BYE")[0].header("reason")


def test_hangup_ends_an_adopted_call_on_both_legs(stage):
    talk = Talk(stage, ended_by="viaduct")
    restart(stage.daemon)
    stage.cli.text("hangup", str(talk.id))
    finish(talk.calling, talk.called)


def test_status_tells_what_was_taken_up(stage):
    talk = Talk(stage)
    restart(stage.daemon)
    status = stage.cli.status()
    assert status["adoption"] == {"calls": 1, "calls_ended": 0, "calls_lost": 0, "flows": 4,
                                  "flows_added": 0, "flows_removed": 0}
    assert status["state"]["calls"] == 1 and "state_refused" not in status
    assert "taken up       1 calls of the daemon before, with 4 flows" in stage.cli.text("status").stdout
    talk.end()
    wait_until(lambda: stage.cli.status()["state"]["calls"] == 0, 3, "the call to be deleted")


@pytest.mark.parametrize("how", BOTH_WAYS)
def test_ports_of_a_call_that_ended_before_a_restart_rest_on(stage, configuration, how):
    """Late packets of that call never reach one of the next daemon."""
    wait_until(lambda: stage.cli.ports_quarantined() == 0, 3, "the ports of other calls to be free")
    timers = {**configuration["timers"], "port_quarantine": 600}
    restart_with(stage.daemon, {**configuration, "timers": timers})
    Talk(stage).end()
    stage.quiet()
    assert stage.cli.ports_quarantined() == 4, "a pair each leg"
    time.sleep(0.2)  # until it is written down: nobody is told of it
    restart(stage.daemon, how)
    assert stage.cli.ports_quarantined() == 4
    restart_with(stage.daemon, configuration)
    wait_until(lambda: stage.cli.ports_quarantined() == 0, 3, "the end of quarantine")


def test_a_peer_stays_drained_or_blocked(stage):
    stage.cli.text("peer", "trunk", "drain")
    stage.cli.text("peer", "second", "block")
    stage.cli.text("peer", "alaw", "drain")
    stage.cli.text("peer", "alaw", "resume")
    for how in BOTH_WAYS:
        restart(stage.daemon, how)
        states = {name: stage.cli.peers()[name]["state"] for name in ("trunk", "second", "alaw")}
        assert states == {"trunk": "draining", "second": "blocked", "alaw": "up"}
    for name in ("trunk", "second"):
        stage.cli.text("peer", name, "resume")
    restart(stage.daemon)
    assert stage.cli.peers()["trunk"]["state"] == stage.cli.peers()["second"]["state"] == "up"


def test_a_call_of_a_peer_that_is_gone_is_ended_and_says_so(stage, configuration):
    talk = Talk(stage, to="second", ended_by="viaduct")
    talk.check_media(20)
    stage.daemon.kill()
    stage.daemon.write({**configuration,
                        "peers": [p for p in configuration["peers"] if p["name"] != "second"],
                        "routes": [r for r in configuration["routes"] if "second" not in r["to"]]})
    stage.daemon.start()
    try:
        why = 'peer "second" is not configured any more'
        assert f"call {talk.id}: {why}: ended" in stage.daemon.log()
        assert not stage.cli.live_calls() and not stage.cli.flows()
        assert stage.cli.status()["adoption"]["calls_ended"] == 1
        finish(talk.calling)
        assert "Peer removed" in talk.calling.received("BYE")[0].header("reason")
        assert not talk.called.received("BYE"), "it is nobody's any more"
        record = last_record(stage.daemon, talk.id)
        assert (record["code"], record["ended_by"], record["why"]) == (200, "viaduct", why)
        assert (record["a"]["peer"], record["b"]["peer"]) == ("pbx", "second")
        assert [record["streams"][0][leg]["packets"] for leg in "ab"] == [20, 20]
    finally:
        restart_with(stage.daemon, configuration)


def restart_with(daemon, configuration):
    daemon.leave()
    daemon.write(configuration)
    daemon.start()


def state_file(daemon):
    return os.path.join(daemon.state_dir, f"{daemon.instance}.state")


def test_a_damaged_state_file_is_refused_and_said(stage):
    talk = Talk(stage)
    stage.daemon.kill()
    with open(state_file(stage.daemon), "r+b") as f:
        f.write(os.urandom(8192))
    stage.daemon.start()
    assert "is damaged" in stage.daemon.log()
    assert stage.cli.status()["state_refused"] == "damaged"
    assert not stage.cli.live_calls() and not stage.cli.flows(), "nobody knows whose they are"
    assert os.path.exists(state_file(stage.daemon) + ".refused")
    os.unlink(state_file(stage.daemon) + ".refused")
    # Our dialogs are unknown now: 481, and the call is over for the caller.
    talk.calling.kill()
    talk.called.kill()


def test_a_start_that_fails_leaves_calls_and_media(stage):
    talk = Talk(stage)
    stage.daemon.kill()
    taken = stage.keep(stage.world.viaduct.socket(socket.AF_INET, socket.SOCK_DGRAM))
    taken.bind((plan.PEERS["pbx"].viaduct, plan.SIP_PORT))
    with pytest.raises(AssertionError, match="exit 1"):
        stage.daemon.start()
    taken.close()
    talk.check_media(20)
    stage.daemon.start()
    assert stage.cli.only_call() == talk.id
    talk.check_media(20)
    talk.end()


def test_a_second_daemon_is_refused_and_disturbs_nothing(stage):
    talk = Talk(stage)
    done = stage.world.viaduct.run(*stage.daemon.argv(), check=False)
    assert done.returncode == 1 and "another viaductd" in done.stderr
    done = stage.world.viaduct.run(*stage.daemon.argv("--remove"), check=False)
    assert done.returncode == 1 and "another viaductd" in done.stderr
    talk.check_media(20)
    talk.end()


def test_remove_takes_everything_away(stage):
    talk = Talk(stage)
    stage.daemon.kill()
    assert stage.daemon.pinned()
    stage.world.viaduct.run(*stage.daemon.argv("--remove"))
    assert not stage.daemon.pinned() and not os.path.exists(state_file(stage.daemon))
    since = talk.outside.mark()
    talk.a.send_stream(Stream(), talk.to_a(), 10)
    stage.daemon.start()
    assert not stage.cli.live_calls() and not stage.cli.flows()
    assert not talk.outside.received((talk.b.address, talk.b.port), since)
    talk.calling.kill()
    talk.called.kill()


def test_stop_now_ends_the_calls_and_leaves_nothing(stage):
    talk = Talk(stage, ended_by="viaduct")
    stage.cli.text("stop", "--now")
    finish(talk.calling, talk.called)
    assert not stage.daemon.pinned() and not os.path.exists(state_file(stage.daemon))
    stage.daemon.start()


def test_stop_leave_leaves_the_calls(stage):
    talk = Talk(stage)
    stage.cli.text("stop", "--leave")
    assert stage.daemon.process.wait(10) == 0
    talk.check_media(20)
    stage.daemon.start()
    assert stage.cli.only_call() == talk.id
    talk.end()
