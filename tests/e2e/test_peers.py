# SPDX-License-Identifier: BSD-2-Clause
"""Peers that are there, that are not, and that the operator takes out of service. The daemon has a
configuration of its own: OPTIONS each second."""

import re
import shutil
import signal

import pytest

import plan
from events import Events
from kamailio import Kamailio, load
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, confirm, sdp

PBX, TRUNK, SECOND, PROXY = (plan.PEERS[name] for name in ("pbx", "trunk", "second", "proxy"))
THIRD = plan.PEERS["alaw"]
ALL = "4000"     # trunk, second, third
TURNED = "4001"  # second, trunk
WAYWARD, ALONE = "4002", "4003"  # third, second; third
LIVENESS = {"interval": 1, "misses": 2, "probe": 1, "timeout": 1}
LOAD_RATE, LOAD_CALLS, LOAD_LIMIT = 50, 250, 200
DOWN_S = 8  # more than misses take


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    kept = ("pbx", "trunk", "second", "alaw", "proxy")
    config["peers"] = [peer for peer in config["peers"] if peer["name"] in kept]
    for peer in config["peers"]:
        if peer["kind"] == "trunk":
            peer["liveness"] = LIVENESS
            peer["failover"] = {"codes": ["408", "500-599"], "retry_after": 2}
        if peer["name"] == "alaw":
            peer["failing"] = {"calls": 2, "failed": 2, "well": 0, "memory": 3600}
    config["routes"] = [
        {"name": "all", "from": "pbx", "called": ALL, "to": ["trunk", "second", "alaw"]},
        {"name": "turned", "from": "pbx", "called": TURNED, "to": ["second", "trunk"]},
        {"name": "wayward", "from": "pbx", "called": WAYWARD, "to": ["alaw", "second"]},
        {"name": "alone", "from": "pbx", "called": ALONE, "to": ["alaw"]},
        {"name": "to-trunk", "called": TRUNK.number, "to": ["trunk"]},
        {"name": "to-pbx", "called": PBX.number, "to": ["pbx"]}]
    return config


class Watched:
    """The scenario of a callee that answers OPTIONS as well; each is a call to sipp."""

    def __init__(self, callee):
        self.callee = callee

    def xml(self):
        head, rest = self.callee.xml().split("\n<recv", 1)
        options = ('\n<recv request="OPTIONS" optional="true" next="options"/>'
                   '\n<recv' + rest.replace(
                       "\n</scenario>",
                       '\n<nop next="end"/><label id="options"/>'
                       "<send><![CDATA[\nSIP/2.0 404 Not here\n[last_Via:]\n[last_From:]\n"
                       "[last_To:];tag=[pid]o[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n"
                       "Content-Length: 0\n\n]]></send>"
                       '<label id="end"/>\n</scenario>'))
        return head + options.replace('next="options"', 'next="1"').replace(
            'id="options"', 'id="1"').replace('next="end"', 'next="2"').replace('id="end"', 'id="2"')


def answering(stage, peer, callee=None, **kwargs):
    """A trunk that is there until the test ends, and takes any number of calls."""
    callee = callee or basic_callee(sdp(peer.address, 6000)).answer_bye()
    return stage.callee(Watched(callee), peer.name, calls=1000000, timeout=120, **kwargs)


def state(stage, name):
    return stage.cli.json("peer", name)


def is_in(stage, name, wanted, timeout=DOWN_S):
    wait_until(lambda: state(stage, name)["state"] == wanted, timeout,
               lambda: f"{name} to be {wanted}: {state(stage, name)}")


def last_attempts(stage):
    return [attempt["peer"] for record in stage.daemon.records()[-1:]
            for attempt in record["attempts"]]


def call(stage, number=ALL, **kwargs):
    offer = sdp(PBX.address, 5000)
    return stage.caller(basic_caller(offer).bye(), number=number, **kwargs).wait()


def test_options_of_a_peer_are_answered(stage):
    """sipsak is the PBX's monitoring."""
    if not shutil.which("sipsak"):
        pytest.skip("sipsak is not installed")
    # -H: it need not resolve the name of this machine.
    stage.world.internal.run("sipsak", "-H", PBX.address, "-s", f"sip:{PBX.viaduct}:5060")


def test_a_peer_goes_down_and_one_answer_brings_it_back(stage):
    """Any answer: this one is a 404. Calls pass over who is down, and do not try it first."""
    is_in(stage, "second", "down")
    shown = state(stage, "second")
    assert shown["misses"] >= 2 and "no sign on 2 requests" in shown["why"], shown
    answering(stage, TRUNK)
    is_in(stage, "trunk", "up")
    call(stage, TURNED)
    wait_until(lambda: last_attempts(stage) == ["trunk"], 3, lambda: last_attempts(stage))
    test = stage.cli.json("routes", "test", "pbx", TURNED)
    assert test["to"] == ["trunk"] and any("second takes no calls" in t for t in test["trace"])
    with Events(stage) as events:
        answering(stage, SECOND)
        is_in(stage, "second", "up")
        told = events.wait(lambda e: e["kind"] == "peer" and "second: up" in e["text"])
    assert "was down" in told["text"]
    call(stage, TURNED)
    wait_until(lambda: last_attempts(stage) == ["second"], 3, lambda: last_attempts(stage))
    stage.quiet()


def test_where_nobody_is_up_calls_are_tried_all_the_same(stage):
    for name in ("trunk", "second"):
        is_in(stage, name, "down")
    refusal = stage.wire("pbx").ask("INVITE", TURNED, body=sdp(PBX.address, 5000),
                                    headers=["Content-Type: application/sdp"])
    assert refusal.code in (408, 503), refusal.text  # by ICMP or by silence
    wait_until(lambda: last_attempts(stage) == ["second", "trunk"], 3,
               lambda: last_attempts(stage))


def test_drain_block_and_resume_with_a_live_call(stage):
    caller = basic_caller(sdp(PBX.address, 5000))
    callee = basic_callee(sdp(TRUNK.address, 6000))
    confirm(caller, callee)
    caller.hold().request("INFO").recv(200).bye()
    callee.recv("INFO").reply(200).answer_bye()
    called = answering(stage, TRUNK, callee)
    is_in(stage, "trunk", "up")
    calling = stage.caller(caller, to="trunk")
    called.expect("INFO")
    try:
        stage.cli.text("peer", "trunk", "drain")
        assert state(stage, "trunk")["state"] == "draining" and state(stage, "trunk")["calls"] == 1
        trunk = stage.wire("trunk")
        response = trunk.ask("INVITE", PBX.number, body=sdp(TRUNK.address, 6100),
                             headers=["Content-Type: application/sdp"])
        assert response.code == 503 and response.header("retry-after"), response.text
        assert trunk.ask("OPTIONS", call_id="options").code == 503
        stage.caller(Caller().invite(sdp(PBX.address, 5002)).trying().refused(503), to="trunk",
                     port=5080).wait()
        stage.cli.text("peer", "trunk", "block")
        blocked = stage.wire("trunk")
        assert blocked.ask("INVITE", PBX.number, body=sdp(TRUNK.address, 6100),
                           headers=["Content-Type: application/sdp"]).code == 403
        stage.cli.text("reload")
        assert state(stage, "trunk")["state"] == "blocked"
        # The call that stands goes on to its own end.
        calling.go()
        calling.wait()
        wait_until(lambda: state(stage, "trunk")["calls"] == 0, 3, "the last call to end")
        assert stage.cli.text("peer", "trunk", "stop", check=False).returncode == 2
    finally:
        stage.cli.text("peer", "trunk", "resume")
    assert state(stage, "trunk")["state"] in ("up", "down")


def test_a_503_with_retry_after_is_left_alone_for_that_long(stage):
    busy = Callee().invited().respond(503, headers=["Retry-After: 60"]).acked()
    trunk = answering(stage, TRUNK, busy)
    answering(stage, SECOND)
    for name in ("trunk", "second"):
        is_in(stage, name, "up")
    def asked():  # not the INVITEs of earlier tests, sent again to who was silent
        return [m for m in trunk.received("INVITE") if f"sip:{ALL}@" in m.first_line]
    call(stage)
    assert len(asked()) == 1
    assert "wants no calls for 2 s" in state(stage, "trunk")["why"]  # the file's bound
    call(stage, port=5080)
    assert len(asked()) == 1, "it was not asked again"
    is_in(stage, "trunk", "up", 4)


def test_a_peer_that_answers_and_whose_calls_fail_is_tried_after_the_others_until_they_succeed(stage):
    def tried(number, *names):
        call(stage, number)
        wait_until(lambda: last_attempts(stage) == [*names], 3, lambda: last_attempts(stage))
    answering(stage, SECOND)
    broken = answering(stage, THIRD, Callee().invited().respond(500).acked())
    for name in ("second", "alaw"):
        is_in(stage, name, "up")
    for _ in range(2):
        tried(WAYWARD, "alaw", "second")
    assert state(stage, "alaw")["state"] == "failing", state(stage, "alaw")
    tried(WAYWARD, "second")
    broken.kill()
    answering(stage, THIRD, basic_callee(sdp(THIRD.address, 6000, ["8 PCMA/8000"])).answer_bye())
    for _ in range(2):
        tried(ALONE, "alaw")
    assert state(stage, "alaw")["state"] == "up", state(stage, "alaw")
    tried(WAYWARD, "alaw")


def test_a_trunk_that_falls_silent_costs_no_call(stage):
    """Three trunks, 50 calls a second; the first one freezes, and every call is answered."""
    # It never rings: frozen between its 180 and its 200 it would have a call that nobody takes.
    trunk = answering(stage, TRUNK, basic_callee(sdp(TRUNK.address, 6000), ringing=False)
                      .answer_bye(), trace=False)
    for peer in (SECOND, THIRD):
        answering(stage, peer, basic_callee(sdp(peer.address, 6000, ["8 PCMA/8000"])).answer_bye(),
                  trace=False)
    for name in ("trunk", "second", "alaw"):
        is_in(stage, name, "up")
    stage.cli.text("log", "warn")
    try:
        caller = basic_caller(sdp(PBX.address, 5000)).pause(200).bye()
        calling = stage.caller(caller, number=ALL, calls=LOAD_CALLS, rate=LOAD_RATE,
                               limit=LOAD_LIMIT, trace=False, timeout=40)
        wait_until(lambda: state(stage, "trunk")["attempts"] > LOAD_RATE, 10, "calls")
        trunk.process.send_signal(signal.SIGSTOP)
        calling.wait()
        status = stage.cli.status()["calls"]
        assert status["failovers"] > 0
        is_in(stage, "trunk", "down")
        call(stage, port=5080)
        wait_until(lambda: last_attempts(stage) in (["second"], ["alaw"]), 3,
                   lambda: f"a call that is not sent to the trunk: {last_attempts(stage)}")
    finally:
        trunk.process.send_signal(signal.SIGCONT)
        stage.cli.text("log", "debug")


KAMAILIO_CONFIG = """\
listen=udp:192.0.2.9:5060
""" + load("tm sl pv xlog textops dispatcher") + """\
modparam("dispatcher", "list_file", "LIST")
modparam("dispatcher", "ds_ping_interval", 1)
modparam("dispatcher", "ds_probing_mode", 1)
modparam("dispatcher", "ds_probing_threshold", 1)
modparam("dispatcher", "ds_inactive_threshold", 1)
modparam("dispatcher", "ds_ping_from", "sip:proxy@192.0.2.9")
request_route { sl_send_reply("200", "OK"); }
event_route[dispatcher:dst-down] { xlog("L_ERR", "VIADUCT DOWN\\n"); }
event_route[dispatcher:dst-up] { xlog("L_ERR", "VIADUCT UP\\n"); }
"""


@pytest.fixture
def dispatcher(stage, tmp_path):
    """Kamailio, whose dispatcher module asks us each second."""
    (tmp_path / "list").write_text(f"1 sip:{PROXY.viaduct}:5060\n")
    server = Kamailio(stage.world.external, KAMAILIO_CONFIG.replace("LIST", str(tmp_path / "list")),
                      str(tmp_path), ("udp", PROXY.address, 5060))
    yield server
    server.close()


def test_each_asks_the_other_and_a_drained_dispatcher_takes_us_out(stage, dispatcher):
    def told():
        return re.findall("VIADUCT (UP|DOWN)", dispatcher.log())
    is_in(stage, "proxy", "up")
    wait_until(lambda: state(stage, "proxy")["options_answered"] >= 1, 5,
               "kamailio to answer OPTIONS")
    stage.cli.text("peer", "proxy", "drain")
    wait_until(lambda: told()[-1:] == ["DOWN"], 6, lambda: dispatcher.log()[-2000:])
    stage.cli.text("peer", "proxy", "resume")
    wait_until(lambda: told()[-1:] == ["UP"], 6, lambda: dispatcher.log()[-2000:])
