# SPDX-License-Identifier: BSD-2-Clause
"""Thousands of calls made and broken in every way: ports, flows and memory return to where they
were."""

import time

import plan
from daemon import SANITIZED
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import finish

PBX, TRUNK = "10.10.0.2", "192.0.2.2"
OFFER, ANSWER = sdp(PBX, 5000), sdp(TRUNK, 6000)
TRANSACTION_LIFE_S = 33  # RFC 3261 64*T1, and a little
# 2.5 KiB a call: a call that is lost is larger. What the allocator keeps varies as much, with how many
# calls a slow machine has at once: what is lost is lost in each round.
GROWTH_ALLOWED_KIB = 6 * 1024
ROUNDS_MAX = 4


def answered(calls, rate):
    return (basic_caller(OFFER).pause(100).bye(), basic_callee(ANSWER).answer_bye(), calls, rate)


def ended_by_callee(calls, rate):
    return (basic_caller(OFFER).answer_bye(), basic_callee(ANSWER).bye(), calls, rate)


def cancelled(calls, rate):
    return (Caller().invite(OFFER).trying().recv(183).cancel().cancelled(),
            Callee().invited().respond(183, ANSWER).recv("CANCEL").reply(200).respond(487).acked(),
            calls, rate)


def refused(calls, rate):
    return (Caller().invite(OFFER).trying().refused(486), Callee().invited().respond(486).acked(),
            calls, rate)


def reinvited(calls, rate):
    caller = basic_caller(OFFER).request("INVITE", sdp(PBX, 5002, version=2))
    for _ in range(3):  # one more for each time that a slow machine has sipp send it again
        caller.recv(100, optional=True)
    caller.recv(200).ack().bye()
    callee = basic_callee(ANSWER).recv("INVITE").answer_invite(sdp(TRUNK, 6002, version=2))
    return caller, callee.recv("ACK").answer_bye(), calls, rate


def run_load(stage, caller, callee, calls, rate):
    called = stage.callee(callee, calls=calls, trace=False, timeout=60)
    calling = stage.caller(caller, calls=calls, rate=rate, trace=False, timeout=60)
    finish(calling, called)


def left(stage):
    status = stage.cli.status()
    return {"flows": status["flows"], "calls": status["calls_live"],
            "ports": sum(side["ports_used"] for side in status["sides"])}


# Calls of a kind in a round, and calls a second, beside the modules that run at the same time.
CALLS, RATE = (200, 100) if SANITIZED else (500, 300)
FLOWS_OF_A_CALL = 4  # RTP and RTCP, both ways
NOTHING = {"flows": 0, "calls": 0, "ports": 0}


def settle(stage, timeout=10):
    wait_until(lambda: left(stage) == NOTHING, timeout, lambda: f"nothing left: {left(stage)}")
    wait_until(lambda: stage.cli.ports_quarantined() == 0, 5, "the end of quarantine")


def call_that_is_never_acked(stage):
    """Takes 64*T1, the time that has to pass anyway (RFC 3261 13.3.1.4)."""
    before = stage.cli.status()["calls"]["not_acked"]
    called = stage.callee(basic_callee(ANSWER).answer_bye(), timeout=45)
    caller = Caller().invite(OFFER).trying().recv(180, optional=True).answered().answer_bye()
    calling = stage.caller(caller, timeout=45)
    finish(calling, called)
    assert len(calling.received(200, "INVITE")) > 5, "the 2xx was sent again and again"
    assert stage.cli.status()["calls"]["not_acked"] == before + 1


def test_thousands_of_calls_leave_nothing(stage):
    """Like rounds, each when the transactions of the one before, which outlive their calls, are gone:
    what the daemon then has more at the same point, it has lost. While they go, a call whose 2xx is
    never acknowledged ends by itself."""
    def round_of_calls():
        for kind in (answered, ended_by_callee, cancelled, refused, reinvited):
            run_load(stage, *kind(CALLS, RATE))
        settle(stage)
        return stage.daemon.memory_kib()

    stage.cli.text("log", "warn")
    try:
        kib = [round_of_calls()]
        while len(kib) < ROUNDS_MAX:
            begun = time.monotonic()
            call_that_is_never_acked(stage)
            time.sleep(max(0, begun + TRANSACTION_LIFE_S - time.monotonic()))
            kib.append(round_of_calls())
            # A sanitizer keeps freed memory, and tells of leaks itself when the daemon ends.
            if SANITIZED or kib[-1] - kib[-2] < GROWTH_ALLOWED_KIB:
                break
        else:
            raise AssertionError(f"{5 * CALLS} calls more each time, and KiB: {kib}")
    finally:
        stage.cli.text("log", "debug")


def test_peers_that_crash_mid_call_leave_nothing(stage):
    """Both ends of 150 talking and ringing calls vanish at once. A third is hung up by the
    operator, a third noticed by its silence, a third is ringing and cancelled."""
    def agents(caller, callee, to, port):
        return (stage.callee(callee, to, calls=50, trace=False),
                stage.caller(caller, calls=50, rate=200, trace=False, to=to, port=port))
    def answer(peer):
        return sdp(plan.PEERS[peer].address, 6000)
    talking = basic_caller(OFFER, hold=True)
    ringing = Caller().invite(OFFER).trying().recv(183).hold()
    crowd = (
        *agents(talking, basic_callee(answer("crash")).hold(), "crash", 5081),
        *agents(talking, basic_callee(answer("crash-watched")).hold(), "crash-watched", 5082),
        *agents(ringing, Callee().invited().respond(183, answer("crash-ringing")).hold(),
                "crash-ringing", 5083))
    wait_until(lambda: left(stage)["flows"] == 3 * 50 * FLOWS_OF_A_CALL, 10,
               lambda: f"150 calls: {left(stage)}")
    for agent in crowd:
        agent.kill()
    for call in stage.cli.live_calls():
        if call["peer_b"] != "crash-watched":
            stage.cli.text("hangup", str(call["id"]), check=False)
    # Nobody answers the BYEs and CANCELs: what the calls held is free all the same.
    settle(stage)


def test_callee_that_never_answers_is_given_up_and_leaves_nothing(stage):
    started = time.monotonic()
    stage.caller(Caller().invite(OFFER).trying().refused(408), calls=100, rate=200, to="gone",
                 trace=False).wait()
    assert time.monotonic() - started < TRANSACTION_LIFE_S
    settle(stage)


def test_out_of_ports_is_503_and_recovers(stage):
    """Every call takes two ports of each side."""
    room = (plan.INTERNAL_PORTS[1] - plan.INTERNAL_PORTS[0] + 1) // 2
    called = stage.callee(basic_callee(ANSWER, ringing=False).answer_bye(), calls=room,
                          trace=False, timeout=40)
    caller = basic_caller(OFFER).pause(6000).bye()  # until the last is there, on a slow machine too
    calling = stage.caller(caller, calls=room, rate=RATE, trace=False, timeout=40)
    wait_until(lambda: stage.cli.status()["calls_live"] == room, 10,
               lambda: f"{room} calls: {left(stage)}")
    refused = stage.caller(Caller().invite(OFFER).trying().refused(503), port=5070)
    refused.wait()
    calling.wait()
    called.wait()
    settle(stage)
