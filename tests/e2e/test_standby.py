# SPDX-License-Identifier: BSD-2-Clause
"""Addresses that are not here, as of the standby of two hosts that share them (VRRP): the daemon starts
without, says so, sends nothing, and serves as soon as it has them."""

import socket
import time

import pytest

import plan
from events import Events
from rtp import Sniffer, wait_until
from scenario import basic_callee, basic_caller, sdp
from sipp import finish
from test_restart import no_daemon

PATIENCE_S = 15
SILENCE_S = 2.5  # two intervals of OPTIONS, and more
SHARED = [f"{plan.VIADUCT['external', 4]}/24", f"{plan.VIADUCT['external', 6]}/64"]
WATCHED = plan.PEERS["trunk6"]
MISSING = "no device that is up has that address"


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    for peer in config["peers"]:
        if peer["name"] == WATCHED.name:
            peer["liveness"] = {"interval": 1, "probe": 1}
    return config


def outside(configuration):
    return {listener["name"] for listener in configuration["listeners"] if listener["side"] == "external"}


def take(world):
    for address in SHARED:
        world.viaduct.run("ip", "address", "del", address, "dev", "vde0")


def give(world):
    for address in SHARED:
        world.viaduct.run("ip", "address", "replace", address, "dev", "vde0", "nodad")


def waiting(stage):
    return {text.split()[0] for text in stage.cli.status().get("listeners_waiting", [])}


def start_without(stage):
    with no_daemon(stage.daemon, "stop"):
        take(stage.world)


def lose(stage):
    take(stage.world)


@pytest.mark.parametrize("how", [start_without, lose])
def test_listeners_wait_for_their_addresses_and_serve_when_they_come(stage, configuration, how):
    cli, asked, names = stage.cli, (WATCHED.address, plan.SIP_PORT), outside(configuration)
    sniffer = stage.keep(Sniffer(stage.world.external, "ext0"))
    try:
        how(stage)
        wait_until(lambda: waiting(stage) == names, PATIENCE_S, lambda: str(cli.status()))
        assert cli.text("status").stdout.count(MISSING) == len(names)
        assert {one["name"] for one in cli.json("listeners")["listeners"]
                if one.get("why") == MISSING} == names
        assert cli.text("listeners").stdout.count(MISSING) == len(names)
        since = sniffer.mark()
        time.sleep(SILENCE_S)
        # IPv6 would let go what seems to come from whoever has the address now.
        assert not sniffer.received(asked, since)
        told = stage.daemon.log().count(MISSING)
        cli.text("reload")
        assert stage.daemon.log().count(MISSING) == told + len(names)
        with Events(stage) as events:
            give(stage.world)
            events.wait(lambda e: e["kind"] == "listener" and e["text"].endswith("it serves"), PATIENCE_S)
    finally:
        give(stage.world)
    wait_until(lambda: not waiting(stage), PATIENCE_S, lambda: str(cli.status()))
    assert MISSING not in cli.text("status").stdout + cli.text("listeners").stdout
    wait_until(lambda: sniffer.received(asked, since), PATIENCE_S, "OPTIONS")
    called = stage.callee(basic_callee(sdp(plan.PEERS["trunk"].address, 6000)).answer_bye())
    finish(stage.caller(basic_caller(sdp("10.10.0.2", 5000)).bye(), port=5061), called)
    with stage.world.external.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.connect((plan.VIADUCT["external", 4], plan.SIP_PORT))
