# SPDX-License-Identifier: BSD-2-Clause
"""As test_kill, over TCP inside and TLS outside: with the daemon its connections are gone, and what was on its way
on them. Who has something to say opens new ones, and so does the next daemon."""

import random
import time

import pytest

from rtp import wait_until
from scenario import Callee, Caller, sdp
from streams import PAIRS, PBX, configuration, proxies, stage
from test_kill import CALLS, LATEST_S, RATE, THINKS_MS, answers, check_media, check_records

KILLS = 3  # of each sort
# What a proxy says of an INVITE that the daemon never saw, or did not live to write down.
LOST = (408, 477, 500, 503)
ANSWERED_S = 10
# What a proxy says late of a call that is lost finds nobody that takes it for a new one.
CALLER_PORT = 5070


def caller(address, port, ends):
    scenario = Caller().invite(sdp(address, port))
    for code in (100, 180, 100, 180):
        scenario.recv(code, optional=True)
    for code in LOST:
        scenario.recv(code, optional=True, next=1)
    scenario.answered().ack()
    if ends:
        scenario.hold().bye()
    else:
        scenario.answer_bye()
    return scenario.label(1)


def callee(address, port, rings, ends):
    scenario = Callee(proxied=True).invited()
    if rings:
        scenario.respond(180).hold()
    else:
        scenario.pause(THINKS_MS)
    scenario.answer(sdp(address, port)).acked()
    return scenario.hold().bye() if ends else scenario.answer_bye()


def call_ids(messages):
    return {message.header("call-id") for message in messages}


@pytest.mark.parametrize("kill", range(KILLS))
@pytest.mark.parametrize("ended_by", ("caller", "callee"))
@pytest.mark.parametrize("frm, to", PAIRS)
@pytest.mark.parametrize("rings", (False, True), ids=("answered", "ringing"))
def test_what_a_peer_was_told_holds_after_a_kill(stage, rings, frm, to, ended_by, kill):
    moment = LATEST_S * (kill + random.random()) / KILLS
    a, b = stage.endpoint(frm), stage.endpoint(to)
    sniffer = stage.sniffer("internal" if b.address == PBX.address else "external")
    by_caller = ended_by == "caller"
    called = stage.callee(callee(b.address, b.port, rings, not by_caller), to, calls=CALLS)
    calling = stage.caller(caller(a.address, a.port, by_caller), frm, to=to, calls=CALLS, rate=RATE,
                           port=CALLER_PORT)
    wait_until(lambda: calling.sent("INVITE"), 5, "the first INVITE")
    time.sleep(moment)
    stage.daemon.kill()
    told = answers(calling)
    check_media(a, told.values(), b, sniffer)
    stage.daemon.start()
    check_media(a, told.values(), b, sniffer)

    def show():
        return f"{stage.cli.calls()}, {calling.explain()}, {called.explain()}"

    # Whoever was asked for is still: an INVITE leaves when its call is written down.
    def all_in(state):
        asked = call_ids(called.received("INVITE"))
        return [call["state"] for call in stage.cli.live_calls()] == [state] * len(asked)
    if rings:
        wait_until(lambda: all_in("ringing"), ANSWERED_S, lambda: f"all to ring: {show()}")
        called.go_calls(call_ids(called.received("INVITE")))
    def talk():
        acked = len(call_ids(called.received("ACK")))
        return all_in("answered") and len(call_ids(calling.sent("ACK"))) == acked == len(stage.cli.live_calls())
    wait_until(talk, ANSWERED_S, lambda: f"all to talk: {show()}")
    told = answers(calling)
    check_media(a, told.values(), b, sniffer)
    asking, asked = (calling, called) if by_caller else (called, calling)
    ids = set(told) if by_caller else call_ids(called.received("ACK"))
    asking.go_calls(ids)
    wait_until(lambda: call_ids(asking.received(200, "BYE")) == ids, 5, lambda: f"200 to each BYE: {show()}")
    assert len(ids) == len(told)
    wait_until(lambda: len(call_ids(asked.received("BYE"))) == len(told), 5, lambda: f"BYE to each: {show()}")
    stage.quiet()
    check_records(stage.daemon, list(told))
