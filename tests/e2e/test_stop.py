# SPDX-License-Identifier: BSD-2-Clause
"""How a daemon is told to end, and what it does yet until it has; each on wires of its own."""

import os
import subprocess

import pytest

import plan
from conftest import Stage, made_world, running_daemon
from rtp import Stream, wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, replaces, sdp
from sipp import finish
from talk import Talk
from transfers import notified, referring, speak, to_number

PBX, TRUNK, SECOND = (plan.PEERS[name] for name in ("pbx", "trunk", "second"))
EMERGENCY = "112"


@pytest.fixture
def own_stage(addresses):
    with made_world(addresses, "own") as world:
        configuration = plan.configuration(f"e2e-own-{os.getpid()}")
        configuration["emergency"] = [EMERGENCY]
        configuration["routes"].append({"name": "rescue", "emergency": True, "to": ["second"]})
        with running_daemon(world, configuration) as daemon:
            stage = Stage(world, daemon)
            yield stage
            stage.strike()


def test_stop_ends_calls_with_bye_and_leaves_nothing_behind(own_stage):
    stage = own_stage
    talk = Talk(stage, ended_by="viaduct")
    stage.cli.text("stop", "--now")
    talk.end()
    assert stage.daemon.process.wait(10) == 0
    assert not stage.daemon.pinned()
    for device in ("vdi0", "vde0"):
        assert "xdp" not in stage.world.viaduct.run("ip", "link", "show", device).stdout


def test_stop_drain_takes_no_new_calls_and_ends_with_the_last(own_stage):
    stage = own_stage
    talk = Talk(stage)
    draining = stage.world.viaduct.popen(stage.cli.program, "stop", "--drain",
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: stage.cli.json("status").get("stopping") == "drain", 5, "it to drain")
        stage.caller(Caller().invite(sdp(PBX.address, 5002)).trying().refused(503), port=5080).wait()
        assert stage.wire("trunk").ask("OPTIONS", call_id="options").code == 503
        stream = Stream()
        talk.a.send_stream(stream, talk.to_a(), 20)
        got = talk.outside.wait_received((talk.b.address, talk.b.port), 20)
        assert [d.payload for d in got] == stream.sent
        assert draining.poll() is None and stage.daemon.process.poll() is None
        talk.end()
        _, progress = draining.communicate(timeout=10)
        assert draining.returncode == 0 and progress.startswith("1 calls left\n"), progress
    finally:
        draining.kill()
    assert stage.daemon.process.wait(10) == 0
    assert not stage.daemon.pinned()


def test_stop_now_ends_a_drain(own_stage):
    stage = own_stage
    talk = Talk(stage, ended_by="viaduct")
    draining = stage.world.viaduct.popen(stage.cli.program, "stop", "--drain")
    try:
        wait_until(lambda: stage.cli.json("status").get("stopping") == "drain", 5, "it to drain")
        draining.kill()
        stage.cli.text("stop", "--now")
    finally:
        draining.kill()
        draining.wait()
    talk.end()
    assert stage.daemon.process.wait(10) == 0
    assert not stage.daemon.pinned()


@pytest.fixture
def drained(own_stage):
    """The daemon begins to drain when it is called, and has ended with the last call when the test is over."""
    commands = []

    def drain():
        commands.append(own_stage.world.viaduct.popen(own_stage.cli.program, "stop", "--drain"))
        wait_until(lambda: own_stage.cli.json("status").get("stopping") == "drain", 5, "it to drain")
    try:
        yield drain
        assert commands[0].wait(20) == 0 and own_stage.daemon.process.wait(10) == 0
    finally:
        for command in commands:
            command.kill()


def test_a_call_is_transferred_while_the_daemon_drains(own_stage, drained):
    stage = own_stage
    at_trunk, at_second = stage.endpoint("trunk"), stage.endpoint("second")
    target = stage.callee(Callee().invited().answer(sdp(SECOND.address, at_second.port)).acked()
                          .hold().bye(), "second")
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(TRUNK.address, at_trunk.port, version=2))
    called = stage.callee(callee.recv("ACK").answer_bye())
    caller = referring(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying().answered().ack(),
                       to_number(SECOND.number))
    for _ in range(2):  # 100, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye())
    called.expect("ACK")
    drained()
    calling.go()
    notified(calling, 200)
    calling.wait()
    speak(stage, at_trunk, called.received("INVITE")[1].media(), at_second, "external")
    target.go()
    finish(target, called)


def test_a_leg_is_replaced_while_the_daemon_drains(own_stage, drained):
    stage = own_stage
    at_trunk, at_new = stage.endpoint("trunk"), stage.endpoint()
    callee = Callee().invited().answer(sdp(TRUNK.address, at_trunk.port)).acked()
    callee.recv("INVITE").answer_invite(sdp(TRUNK.address, at_trunk.port, version=2))
    called = stage.callee(callee.recv("ACK").answer_bye())
    calling = stage.caller(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying()
                           .answered().ack().answer_bye())
    ok = calling.expect(200, "INVITE")
    called.expect("ACK")
    drained()
    refused = stage.caller(Caller().invite(sdp(PBX.address, at_new.port), headers=[
        "Replaces: nobody;to-tag=x;from-tag=y"]).trying().refused(503), port=5062)
    refused.wait()
    new = stage.caller(Caller().invite(sdp(PBX.address, at_new.port), headers=[
        f"Replaces: {replaces(ok)}", "Require: replaces"]).trying().answered().ack().hold().bye(), port=5064)
    answer = new.expect(200, "INVITE")
    calling.wait()
    speak(stage, at_new, answer.media(), at_trunk, "external")
    new.go()
    finish(new, called)


def test_an_emergency_call_is_taken_while_the_daemon_drains(own_stage, drained):
    stage = own_stage
    talk = Talk(stage)
    drained()
    rescue = stage.callee(basic_callee(sdp(SECOND.address, 6100)).answer_bye(), "second")
    calling = stage.caller(basic_caller(sdp(PBX.address, 5002)).bye(), number=EMERGENCY, port=5080)
    finish(calling, rescue)
    talk.end()
