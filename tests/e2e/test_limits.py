# SPDX-License-Identifier: BSD-2-Clause
"""Limits of peers and of all together, and what happens when Viaduct falls behind."""

import contextlib
import json
import os
import signal
import time

import jsonschema
import pytest

import plan
from daemon import ROOT
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import finish
from talk import Talk

PBX, TRUNK = plan.PEERS["pbx"], plan.PEERS["trunk"]
OFFER, ANSWER = sdp(PBX.address, 5000), sdp(TRUNK.address, 6000)
BURST, RUSH = 2, 20  # calls at once: those that may, those that come
LIMITS = {"trunk": {"calls": 2, "retry_after": 7},
          "alaw": {"bandwidth": 100},
          "second": {"calls_per_second": 1, "burst": BURST, "code": 480}}
EMERGENCY = "112"
G711_KBIT = 93
FLOOD = 50
STALE_S = 0.7  # longer than T1, at which a call that waited is refused


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    for peer in config["peers"]:
        if peer["name"] in LIMITS:
            peer["limits"] = LIMITS[peer["name"]]
    config["emergency"] = [EMERGENCY]
    del config["overload"]
    config["routes"].append({"name": "sos", "called": EMERGENCY, "to": ["trunk"]})
    return config


@pytest.fixture
def stage(stage):
    yield stage
    stage.quiet()
    assert all(peer["calls"] == peer["bandwidth_kbit"] == 0 for peer in peers(stage).values())
    assert all(side["bandwidth_kbit"] == 0 for side in stage.cli.status()["sides"])


def peers(stage):
    return {peer["name"]: peer for peer in stage.cli.json("peers")["peers"]}


def test_full_trunk_is_left_out_and_503_is_heard_only_where_none_is_left(stage):
    called = stage.callee(basic_callee(ANSWER).answer_bye(), calls=3)
    calling = stage.caller(basic_caller(OFFER, hold=True).bye(), calls=1)
    calling.expect(200, "INVITE")
    other = stage.caller(basic_caller(OFFER, hold=True).bye(), port=5061)
    other.expect(200, "INVITE")
    # The next of the route takes it.
    second = stage.callee(basic_callee(ANSWER).answer_bye(), "second")
    finish(stage.caller(basic_caller(OFFER).bye(), number=plan.FAILOVER, port=5062), second)
    refused = stage.caller(Caller().invite(OFFER).trying().refused(503), port=5063)
    refused.wait()
    assert refused.received(503)[0].header("retry-after") == "7"
    # An emergency call goes there all the same.
    urgent = stage.caller(basic_caller(OFFER).bye(), number=EMERGENCY, port=5064)
    urgent.wait()
    trunk = peers(stage)["trunk"]
    assert (trunk["calls"], trunk["calls_max"], trunk["refused_calls"]) == (2, 2, 2)
    assert stage.cli.status()["calls"]["limited_live"] == 2
    assert stage.daemon.log().count("limit: peer trunk: live calls at the limit") == 1
    for agent in (calling, other):
        agent.go()
    finish(calling, other, called)


def test_bandwidth_of_a_peer_and_of_its_side(stage):
    alaw = plan.PEERS["alaw"]
    called = stage.callee(basic_callee(sdp(alaw.address, 6000, ("8 PCMA/8000",))).answer_bye(),
                          "alaw")
    calling = stage.caller(basic_caller(OFFER, hold=True).bye(), to="alaw")
    calling.expect(200, "INVITE")
    assert peers(stage)["alaw"]["bandwidth_kbit"] == G711_KBIT
    assert [side["bandwidth_kbit"] for side in stage.cli.status()["sides"]] == [G711_KBIT] * 2
    stage.caller(Caller().invite(OFFER).trying().refused(503), to="alaw", port=5061).wait()
    assert peers(stage)["alaw"]["refused_bandwidth"] == 1
    assert "93/100" in stage.cli.text("peers").stdout
    calling.go()
    finish(calling, called)
    assert peers(stage)["alaw"]["bandwidth_kbit"] == 0


def rush(stage, *to):
    """RUSH calls at once, to those peers in turn; the answers, and how many more may pass for the time
    that it took. All at once, so that it does not matter how slow the machine is."""
    for peer in to:
        stage.callee(Callee().invited().respond(486).acked(), peer, calls=RUSH)
    wires, begun, answers = [stage.wire() for _ in range(RUSH)], time.monotonic(), []
    numbers = [plan.PEERS[to[i % len(to)]].number for i in range(RUSH)]
    for wire, number in zip(wires, numbers):
        wire.send(wire.request("INVITE", user=number, branch=f"z9hG4bK{wire.call_id}",
                               body=OFFER, headers=["Content-Type: application/sdp"]))
    for wire, number in zip(wires, numbers):
        answers.append(wire.final())
        wire.send(wire.request("ACK", user=number, branch=f"z9hG4bK{wire.call_id}",
                               to=answers[-1].header("to")))
    return answers, time.monotonic() - begun + 1


def test_calls_a_second_beyond_the_burst_hear_the_peers_own_code(stage):
    wait_until(lambda: peers(stage)["second"]["calls_per_second"] == 0, 3, "a quiet second")
    time.sleep(BURST)  # the bucket fills: 1 a second
    answers, more = rush(stage, "second")
    refused = [answer.code for answer in answers].count(480)
    assert [answer.code for answer in answers].count(486) == RUSH - refused
    assert BURST <= RUSH - refused <= BURST + more
    assert peers(stage)["second"]["refused_rate"] == refused > 0


@contextlib.contextmanager
def limits_in_all(stage, configuration, **limits):
    """In force for a while, in the place of those of the file."""
    stage.daemon.write({**configuration, "limits": limits})
    stage.cli.text("reload")
    try:
        yield
    finally:
        stage.daemon.write(configuration)
        stage.cli.text("reload")


def counted(stage):
    return {key: value for key, value in stage.cli.status()["calls"].items()
            if key.startswith("limited_") or key == "preempted"}


@pytest.mark.parametrize("limits, counter", [({"calls": 2}, "limited_live"),
                                             ({"bandwidth": 200}, "limited_bandwidth")])
def test_what_all_peers_have_together_is_limited_too(stage, configuration, limits, counter):
    """Two calls are with two peers that have no limit of their own; a third finds room with none."""
    before, held = counted(stage), []
    with limits_in_all(stage, configuration, code=480, **limits):
        for port, to in ((5060, "domain"), (5061, "informed")):
            called = stage.callee(basic_callee(sdp(plan.PEERS[to].address, 6000)).answer_bye(), to)
            held.append((stage.caller(basic_caller(OFFER, hold=True).bye(), to=to, port=port), called))
            held[-1][0].expect(200, "INVITE")
        stage.caller(Caller().invite(OFFER).trying().refused(480), to="proxy", port=5062).wait()
        assert counted(stage) == {**before, counter: before[counter] + 1}
        stage.callee(basic_callee(sdp(plan.PEERS["proxy"].address, 6000)).answer_bye(), "proxy")
        # One that ends makes room for one.
        held[0][0].go()
        finish(*held[0])
        stage.caller(basic_caller(OFFER).bye(), to="proxy", port=5063).wait()
        held[1][0].go()
        finish(*held[1])


def test_calls_a_second_of_all_peers_together(stage, configuration):
    before = counted(stage)
    with limits_in_all(stage, configuration, calls_per_second=1, burst=BURST, retry_after=9):
        answers, more = rush(stage, "domain", "informed")
        refused = [answer for answer in answers if answer.code == 503]
        assert {answer.header("retry-after") for answer in refused} == {"9"}
        assert [answer.code for answer in answers].count(486) == RUSH - len(refused)
        assert BURST <= RUSH - len(refused) <= BURST + more
        assert counted(stage) == {**before, "limited_rate": before["limited_rate"] + len(refused)}
        assert peers(stage)["domain"]["refused_rate"] == 0


def test_an_emergency_call_ends_another_where_its_trunk_is_full(stage, configuration):
    before = counted(stage)
    with limits_in_all(stage, configuration, preempt="longest"):
        caller, callee = basic_caller(OFFER).answer_bye(), basic_callee(ANSWER).answer_bye()
        called = stage.callee(callee, calls=3)
        longest = stage.caller(caller, port=5060)
        longest.expect(200, "INVITE")
        other = stage.caller(basic_caller(OFFER, hold=True).bye(), port=5061)
        other.expect(200, "INVITE")
        urgent = stage.caller(basic_caller(OFFER, hold=True).bye(), number=EMERGENCY, port=5062)
        urgent.expect(200, "INVITE")
        longest.wait()
        assert longest.expect("BYE").header("reason").startswith("preemption;cause=5")
        assert called.expect("BYE").header("reason").startswith("preemption;cause=5")
        assert peers(stage)["trunk"]["calls"] == LIMITS["trunk"]["calls"]
        assert counted(stage) == {**before, "preempted": before["preempted"] + 1}
        for agent in (other, urgent):
            agent.go()
        finish(other, urgent, called)
    why = "preempted by an emergency call"
    wait_until(lambda: [r["ended_by"] for r in stage.daemon.records() if r["why"] == why] == ["viaduct"],
               3, "one record that tells of it")


def test_a_daemon_that_fell_behind_refuses_new_calls_and_serves_those_that_stand(stage):
    """It is stopped, so that messages wait for it, and goes on: whatever the machine's speed."""
    before = stage.cli.status()["sip"]
    records_before = len(stage.daemon.records())
    talk = Talk(stage)
    wires = [stage.wire() for _ in range(FLOOD)]
    stage.daemon.process.send_signal(signal.SIGSTOP)
    try:
        for wire in wires:
            wire.send(wire.request("INVITE", user=TRUNK.number, body=OFFER,
                                   headers=["Content-Type: application/sdp"]))
        talk.calling.go()  # its BYE comes after them
        time.sleep(STALE_S)
    finally:
        stage.daemon.process.send_signal(signal.SIGCONT)
    for wire in wires:
        answer = wire.receive()
        assert (answer.code, answer.header("retry-after")) == (503, "5")
    finish(talk.calling, talk.called)
    sip = stage.cli.status()["sip"]
    assert sip["shed"] - before["shed"] == FLOOD
    assert sip["overloads"] - before["overloads"] == 1
    assert stage.cli.status()["calls"]["attempts"] >= 1 and not stage.cli.live_calls()
    # Each of them has its record, and has it once.
    wait_until(lambda: len(stage.daemon.records()) == records_before + FLOOD + 1, 3, "records")
    shed = [record for record in stage.daemon.records()[records_before:]
            if record["why"] == "overload"]
    with open(os.path.join(ROOT, "include", "viaduct_record.schema.json"), encoding="utf-8") as f:
        schema = jsonschema.Draft7Validator(json.load(f))
    for record in shed:
        schema.validate(record)
        assert (record["id"], record["code"], record["peer"]) == (0, 503, "pbx")
        assert (record["from"], record["to"]) == ("caller", TRUNK.number)
        assert record["a"]["remote_tag"] == "me"
    assert {record["a"]["call_id"] for record in shed} == {wire.call_id for wire in wires}
    assert len(shed) == FLOOD
    wait_until(lambda: "overload: over after" in stage.daemon.log(), 3, "shedding to be over")
    # Calls are taken again.
    called = stage.callee(basic_callee(ANSWER).answer_bye())
    finish(stage.caller(basic_caller(OFFER).bye(), port=5061), called)


def test_every_invite_has_one_record_also_after_a_stop(stage):
    """Those refused by a limit and those that a stop ends too."""
    talk = Talk(stage)
    full = stage.callee(basic_callee(ANSWER).answer_bye(), port=5060, peer="alaw")
    second = stage.caller(basic_caller(OFFER).answer_bye(), to="alaw", port=5061)
    second.expect(200, "INVITE")
    stage.caller(Caller().invite(OFFER).trying().refused(503), to="alaw", port=5062).wait()
    status = stage.cli.status()
    asked = status["calls"]["attempts"] + status["sip"]["shed"]
    stage.daemon.stop()
    for agent in (second, full, talk.calling, talk.called):
        agent.kill()
    records = stage.daemon.records()
    stage.daemon.start()
    assert len(records) == asked
    ids = [record["id"] for record in records if record["id"]]
    assert len(set(ids)) == len(ids)
    refused = [record for record in records if record["code"] == 503][-1]
    attempt, = refused["attempts"]
    assert (attempt["peer"], attempt["code"], attempt["address"]) == ("alaw", 503, None)
    assert refused["a"]["call_id"] and refused["a"]["remote_tag"]
    for record in records[-2:]:
        assert (record["code"], record["ended_by"]) == (200, "viaduct")
        assert record["why"] == "Shutting down" and record["streams"]
