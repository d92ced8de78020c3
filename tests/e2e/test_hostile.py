# SPDX-License-Identifier: BSD-2-Clause
"""An admitted peer that means harm, or has lost its mind: Viaduct answers, forgets and goes on."""

import os
import random
import time

import pytest

import plan
from conftest import Stage
from rtp import wait_until
from scenario import sdp
from talk import Talk

PBX, TRUNK = plan.PEERS["pbx"], plan.PEERS["trunk"]
SDP_TYPE = "Content-Type: application/sdp"
FORKS = 25       # more than the early dialogs that a call keeps
MESSAGES = 4000
ODD_VALUES = ("", "-1", "4294967296", '"', "<", "<sip:>", "*", "x" * 5000, "tel:+1", "1 INVITE",
              "multipart/mixed;boundary=x", "<sip:a@[::1>", "\xff\xfe", ";tag=", ",,,", "%00")


@pytest.fixture
def stage(world, daemon):
    """Calls may be left: what was never acknowledged goes on being answered, for 32 s."""
    with Stage(world, daemon) as stage:
        yield stage


def response(request, code, tag, body="", headers=()):
    """Of the peer that request came to; the headers last."""
    copied = [f"{name}: {value}" for name, value in request.headers
              if name in ("via", "from", "call-id", "cseq")]
    to = request.header("to")
    lines = [f"SIP/2.0 {code} X", *copied, f"To: {to}" if "tag=" in to else f"To: {to};tag={tag}",
             f"Contact: <sip:x@{TRUNK.address}>", *headers]
    if body:
        lines.append(SDP_TYPE)
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


def invite(caller, **kwargs):
    return caller.request("INVITE", user=TRUNK.number, body=sdp(PBX.address, 5000),
                          headers=[SDP_TYPE], **kwargs)


def request_at(wire, method):
    while True:
        message = wire.receive()
        if not message.is_response and message.method == method:
            return message


def test_forks_beyond_count_after_an_unusable_answer_do_no_harm(stage):
    caller, callee = stage.wire("pbx", port=5060), stage.wire("trunk", port=5060)
    caller.send(invite(caller))
    asked = request_at(callee, "INVITE")
    answer = sdp(TRUNK.address, 6000)
    callee.send(response(asked, 180, "useless"))
    callee.send(response(asked, 200, "useless", "v=0\r\n"))
    while (refused := caller.final()).code < 200:
        pass
    assert refused.code == 502
    for number in range(FORKS):
        callee.send(response(asked, 180, f"early{number}"))
        callee.send(response(asked, 200, f"late{number}", answer))
    wait_until(lambda: not stage.cli.live_calls(), 5, "the call to end")
    stage.daemon.check_alive()


def test_part_of_a_multipart_body_with_two_types_is_refused(stage):
    body = "--x\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n\r\nhi\r\n--x--\r\n"
    wire = stage.wire()
    answer = wire.ask("OPTIONS", headers=["MIME-Version: 1.0",
                                          "Content-Type: multipart/mixed;boundary=x"], body=body)
    assert answer.code == 400


def mutated(rand, message):
    lines = message.split(b"\r\n")
    for _ in range(rand.randrange(1, 4)):
        at = rand.randrange(len(lines))
        name, colon, value = lines[at].partition(b":")
        odd = rand.choice(ODD_VALUES).encode("latin-1")
        lines[at:at + 1] = rand.choice((
            [], [lines[at]] * 2, [name + b": " + odd], [lines[at] + odd],
            [name + colon + value[:rand.randrange(len(value) + 1)]],
            [bytes([rand.randrange(256)]) + lines[at][1:]], lines[at:at + 1] + [odd]))
        lines = lines or [b""]
    return b"\r\n".join(lines)


def drain(wire):
    wire.socket.setblocking(False)
    try:
        while True:
            yield wire.receive()
    except (BlockingIOError, ConnectionError):
        pass
    finally:
        wire.socket.settimeout(3)


def test_broken_messages_of_both_sides_leave_nothing_behind(stage):
    seed = int(os.environ.get("VIADUCT_SEED", time.time_ns() % 2**32))
    print(f"VIADUCT_SEED={seed}")
    rand = random.Random(seed)
    caller, callee = stage.wire("pbx", port=5060), stage.wire("trunk", port=5060)
    for number in range(MESSAGES):
        whole = invite(caller, call_id=f"{seed}-{number}", tag=f"t{number}")
        caller.send(mutated(rand, whole) if rand.random() < 0.7 else whole)
        for message in drain(callee):
            if message.is_response or message.method == "ACK":
                continue
            code = rand.choice((180, 183, 200, 200, 302, 486, 503))
            body = rand.choice(("", sdp(TRUNK.address, 6000), "v=0\r\n"))
            answer = response(message, code, f"t{rand.randrange(3)}", body)
            callee.send(mutated(rand, answer) if rand.random() < 0.5 else answer)
        for _ in drain(caller):
            pass
    stage.daemon.check_alive()
    def nothing_is_left():
        # Again and again: what was sent last may come only now.
        for call in stage.cli.live_calls():
            stage.cli.text("hangup", str(call["id"]), check=False)
        status = stage.cli.status()
        return not (status["calls_live"] or status["flows"] or
                    sum(stage.cli.ports_used().values()) or
                    stage.cli.ports_quarantined())
    wait_until(nothing_is_left, 10, stage.cli.status)
    # Of others: what these two peers left unanswered is still sent to them.
    Talk(stage, frm="phone", to="second").end()
