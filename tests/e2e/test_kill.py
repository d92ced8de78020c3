# SPDX-License-Identifier: BSD-2-Clause
"""The daemon is killed while calls are being made, whatever it is at: what a peer was told by then holds
in the next one."""

import random
import time
from collections import Counter

import pytest

import plan
from rtp import Stream, wait_until
from scenario import Callee, Caller, sdp
from sipp import finish

PBX, TRUNK = (plan.PEERS[name].address for name in ("pbx", "trunk"))
KILLS = 6            # of either sort
CALLS, RATE = 6, 40  # before each, and so many a second
THINKS_MS = 60       # one who answers without ringing
LATEST_S = 0.35      # of a kill, after the first INVITE: calls talk by then
PACKETS = 5


def caller(port):
    """Responses may come again, and be answered once more, when the next daemon hears a request again."""
    scenario = Caller().invite(sdp(PBX, port))
    for code in (100, 180, 100, 180, 100):
        scenario.recv(code, optional=True)
    return scenario.answered().ack().hold().bye()


def callee(port, rings):
    scenario = Callee().invited()
    if rings:
        scenario.respond(180).hold()
    else:
        scenario.pause(THINKS_MS)
    scenario.answer(sdp(TRUNK, port)).acked()
    return scenario.recv("ACK", optional=True).recv("ACK", optional=True).answer_bye()


def answers(agent):
    """The first 2xx of each call, by Call-ID."""
    found = {}
    for message in agent.received(200, "INVITE"):
        found.setdefault(message.header("call-id"), message)
    return found


def check_media(sender, calls, receiver, sniffer):
    """What is sent to each of these calls comes out."""
    since, sent = sniffer.mark(), []
    for ok in calls:
        stream = Stream()
        sender.send_stream(stream, ok.media(), PACKETS)
        sent += stream.sent
    got = sniffer.wait_received((receiver.address, receiver.port), len(sent), since=since)
    assert sorted(d.payload for d in got) == sorted(sent)


def check_records(daemon, call_ids):
    def counted():
        return Counter(record["a"]["call_id"] for record in daemon.records())
    wait_until(lambda: all(counted()[call_id] for call_id in call_ids), 5, "a record of each call")
    assert {call_id: counted()[call_id] for call_id in call_ids} == dict.fromkeys(call_ids, 1)


def ring(stage):
    """Whether all calls do, so far as Viaduct knows: their INVITEs are not sent again any more."""
    return [call["state"] for call in stage.cli.live_calls()] == ["ringing"] * CALLS


@pytest.mark.parametrize("kill", range(KILLS))
@pytest.mark.parametrize("rings", (False, True), ids=("answered", "ringing"))
def test_what_a_peer_was_told_holds_after_a_kill(stage, rings, kill):
    # Over all kills, each part of the time has its own.
    moment = LATEST_S * (kill + random.random()) / KILLS
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    outside = stage.sniffer("external")
    called = stage.callee(callee(b.port, rings), calls=CALLS)
    calling = stage.caller(caller(a.port), calls=CALLS, rate=RATE)
    wait_until(lambda: calling.sent("INVITE"), 5, "the first INVITE")
    time.sleep(moment)
    stage.daemon.kill()
    told = answers(calling)
    check_media(a, told.values(), b, outside)
    stage.daemon.start()
    check_media(a, told.values(), b, outside)
    if rings:
        wait_until(lambda: ring(stage), 10, lambda: f"all to ring: {stage.cli.calls()}, {called.explain()}")
        called.go_all()
    calling.go_all()
    finish(calling, called)
    stage.quiet()
    check_records(stage.daemon, list(answers(calling)))
