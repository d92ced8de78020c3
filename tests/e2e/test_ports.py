# SPDX-License-Identifier: BSD-2-Clause
"""Media ports run out: what asks for more is refused and counted, what stands goes on."""

import pytest

import plan
from rtp import wait_until
from scenario import Caller, basic_callee, basic_caller, sdp
from sipp import finish
from talk import Talk

PBX, SECOND = plan.PEERS["pbx"], plan.PEERS["second"]
OFFER, ANSWER = sdp(PBX.address, 5000), sdp(SECOND.address, 6000)
PAIRS = 4  # of ports, RTP and RTCP, of each address outside


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    config["sides"]["external"]["media_ports"] = f"40000-{40000 + 2 * PAIRS - 1}"
    return config


def test_without_media_ports_calls_are_refused_until_some_are_free_again(stage):
    talk = Talk(stage)
    talk.check_media()
    called = stage.callee(basic_callee(ANSWER).answer_bye(), "second", calls=PAIRS)
    holding = [stage.caller(basic_caller(OFFER, hold=True).bye(), to="second", port=5061 + i)
               for i in range(PAIRS - 1)]
    for agent in holding:
        agent.expect(200, "INVITE")
    before = stage.cli.status()["calls"]["refused_ports"]
    outside = {side["side"]: side for side in stage.cli.status()["sides"]}["external"]
    assert outside["ports_used"] == 2 * PAIRS
    refused = stage.caller(Caller().invite(OFFER).trying().refused(503), to="second", port=5070)
    refused.wait()
    assert refused.received(503)[0].header("retry-after")
    assert stage.cli.status()["calls"]["refused_ports"] == before + 1
    talk.check_media()
    # A call over IPv6 has other ports.
    called6 = stage.callee(basic_callee(sdp(plan.PEERS["trunk6"].address, 6000)).answer_bye(),
                           "trunk6")
    finish(stage.caller(basic_caller(OFFER).bye(), to="trunk6", port=5071), called6)
    holding[0].go()
    finish(holding[0])
    wait_until(lambda: stage.cli.ports_quarantined() == 0, 10, "ports to be free again")
    finish(stage.caller(basic_caller(OFFER).bye(), to="second", port=5072))
    for agent in holding[1:]:
        agent.go()
    finish(*holding[1:], called)
    talk.check_media()
    talk.end()
