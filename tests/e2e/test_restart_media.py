# SPDX-License-Identifier: BSD-2-Clause
"""Many calls talk while daemons come and go: every packet is counted where it arrives.

VIADUCT_TALKING_CALLS=1000 has that many calls, each with 50 packets a second both ways."""

import json
import os
import time

import pytest

import plan
from rtp import wait_until
from scenario import basic_callee, basic_caller, sdp
from sipp import finish
from talkers import Talkers
from test_restart import restart

CALLS = int(os.environ.get("VIADUCT_TALKING_CALLS", "100"))
PBX, TRUNK = (plan.PEERS[name] for name in ("pbx", "trunk"))
RATE = 100  # calls a second
PORTS = 4 * CALLS + 1000
FIRST_PORT = 10000  # of the ends
APART_S = 1  # between what happens to the daemon


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    for side, (first, _) in (("internal", plan.INTERNAL_PORTS), ("external", plan.EXTERNAL_PORTS)):
        config["sides"][side]["media_ports"] = f"{first}-{first + PORTS - 1}"
    config["limits"]["calls"] = CALLS
    config["log"] = "info"
    return config


def by_call(messages, key):
    """{Call-ID: (address, port) that the SDP of its message names}"""
    return {m.header("call-id"): m.media() for m in messages if key(m)}


@pytest.fixture
def talking(stage, tmp_path):
    """The calls, and a Talkers at each end."""
    ports = tmp_path / "ports"
    ports.write_text("\n".join(["SEQUENTIAL", *(f"{FIRST_PORT + 2 * i};" for i in range(CALLS)), ""]))
    each = {"calls": CALLS, "timeout": 120, "extra": ("-inf", str(ports))}
    media = "[field0]"
    called = stage.callee(basic_callee(sdp(TRUNK.address, media), ringing=False).answer_bye(),
                          **each)
    calling = stage.caller(basic_caller(sdp(PBX.address, media)).answer_bye(), rate=RATE, **each)
    wait_until(lambda: len(called.received("ACK")) >= CALLS, 30 + 3 * CALLS / RATE,
               lambda: f"{CALLS} calls: {stage.cli.status()['calls']}")
    own, ours = (by_call(calling.messages(), key) for key in (
        lambda m: m.method == "INVITE" and not m.received and not m.is_response,
        lambda m: m.received and m.code == 200))
    theirs, offered = (by_call(called.messages(), key) for key in (
        lambda m: not m.received and m.code == 200 and m.method == "INVITE",
        lambda m: m.received and m.method == "INVITE" and not m.is_response))
    # Which call is which: leg B's Call-ID is another.
    legs = {}
    for call in stage.cli.live_calls():
        shown = stage.cli.call(call["id"])["legs"]
        legs[call["id"]] = [leg["call_id"] for leg in shown]
    assert len(legs) == CALLS
    a = [(i, own[id_a][1], ours[id_a]) for i, (id_a, _) in legs.items()]
    b = [(i, theirs[id_b][1], offered[id_b]) for i, (_, id_b) in legs.items()]
    ends = [stage.keep(Talkers(stage.namespace(peer.side), peer.address, calls))
            for peer, calls in ((PBX, a), (TRUNK, b))]
    yield ends, calling, called


def driver_losses(stage):
    """Packets that the program has sent on and a device of ours has thrown away, by its own word:
    a machine that is too busy for its rings."""
    lost = 0
    for device in (stage.world.viaduct_internal, stage.world.viaduct_external):
        for line in stage.world.viaduct.run("ethtool", "-S", device).stdout.splitlines():
            name, _, value = line.strip().partition(": ")
            if name.endswith(("xdp_xmit_errors", "xdp_drops")):
                lost += int(value)
    return lost


def test_every_packet_arrives_while_daemons_come_and_go(stage, talking):
    ends, calling, called = talking
    lost_before = driver_losses(stage)
    for end in ends:
        end.say("start")
    for how in ("kill", "leave", "kill"):
        time.sleep(APART_S)
        getattr(stage.daemon, how)()
        time.sleep(APART_S)
        stage.daemon.start()
        assert stage.cli.status()["adoption"]["calls"] == CALLS
    stage.cli.text("reload")
    time.sleep(APART_S)
    for end in ends:
        end.say("stop")
    def settled():
        reports = [end.report() for end in ends]
        return reports if sum(r["sent"] - r["received"] for r in reports) == 0 else None
    try:
        reports = wait_until(settled, 5)
    except AssertionError:
        reports = [end.report() for end in ends]
    lost = driver_losses(stage) - lost_before
    assert sum(r["sent"] - r["received"] for r in reports) == lost, reports
    for report in reports:
        assert report["sent"] > CALLS * 50 and not report["unsent"], reports
        assert not report["late"] and not report["changed"] and not report["strange"], reports
    print(json.dumps({"calls": CALLS, "ends": reports, "lost_in_rings": lost}))
    # Every dialog is there still: each call is ended by BYE on both legs.
    stage.cli.text("stop", "--now")
    finish(calling, called)
    stage.daemon.start()
