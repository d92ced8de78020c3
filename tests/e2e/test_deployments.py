# SPDX-License-Identifier: BSD-2-Clause
"""The deployment examples, as they are installed: each is run, and the calls that its comments
promise are placed. Only devices, instance, nameserver and waiting times are the tests' own."""

import os
import shutil

import pytest
import yaml

from daemon import ROOT, Daemon
from nameserver import NAMESERVER, Nameserver
from net import World
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import Sipp, finish

EXAMPLES = os.path.join(ROOT, "tools", "examples")
INSIDE = ("10.10.0.2", "10.10.0.3")
OUTSIDE = ("192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5")
VIADUCT = {"10.": "10.10.0.1", "192": "192.0.2.1"}
SHARED_CALLS = 24  # by weight 2 to 1: that one gateway gets none has a chance of 1 in 16,000
RECORDS = [
    "srv-host=_sip._udp.sip.provider.example,sbc1.provider.example,5060,1",
    "srv-host=_sip._udp.sip.provider.example,sbc2.provider.example,5060,2",
    f"host-record=sbc1.provider.example,{OUTSIDE[2]}",
    f"host-record=sbc2.provider.example,{OUTSIDE[3]}",
    "local=/example/",
]


@pytest.fixture(scope="module")
def world():
    world = World(tag="x")
    world.create([f"{a}/24" for a in INSIDE], [f"{a}/24" for a in (*OUTSIDE, NAMESERVER)])
    yield world
    world.remove()


class Deployment:
    """viaductd with one of the examples, and sipp in the place of whoever it names."""

    def __init__(self, world, name):
        self.world = world
        self.agents = []
        with open(os.path.join(EXAMPLES, name + ".yaml"), encoding="utf-8") as f:
            configuration = yaml.safe_load(f)
        configuration["sides"]["internal"]["device"] = world.viaduct_internal
        configuration["sides"]["external"]["device"] = world.viaduct_external
        configuration["instance"] = f"e2e-own-{os.getpid()}"
        configuration["timers"] = {"attempt": 1, "port_quarantine": 0}
        configuration["dns"] = {"servers": [NAMESERVER]}
        self.daemon = Daemon(world.viaduct, configuration)

    def namespace(self, address):
        return self.world.internal if address.startswith("10.") else self.world.external

    def callee(self, scenario, address, **kwargs):
        agent = Sipp(self.namespace(address), scenario, address, **kwargs)
        self.agents.append(agent)
        return agent

    def caller(self, scenario, address, number, **kwargs):
        agent = Sipp(self.namespace(address), scenario, address, (VIADUCT[address[:3]], 5060),
                     number, **kwargs)
        self.agents.append(agent)
        return agent

    def call(self, frm, number, to, user="caller", refusing=(), headers=()):
        """A whole call, from that address to that address; what arrived there. refusing: who is
        asked before and answers 503."""
        class Named(Caller):
            from_header = f"From: <sip:{user}@[local_ip]:[local_port]>;tag=[pid]a[call_number]"
        refusals = [self.callee(Callee().invited().respond(503).acked(), address)
                    for address in refusing]
        callee = self.callee(basic_callee(sdp(to, 6000)).answer_bye(), to)
        caller = Named().invite(sdp(frm, 5000), headers=headers).trying().recv(180, optional=True)
        caller = self.caller(caller.answered().ack().bye(), frm, number)
        finish(caller, callee, *refusals)
        invite = callee.expect("INVITE")
        self.strike()
        return invite

    def refused(self, frm, number, code):
        caller = self.caller(Caller().invite(sdp(frm, 5000)).trying().refused(code), frm, number)
        finish(caller)
        self.strike()

    def strike(self):
        for agent in self.agents:
            agent.close()
        self.agents.clear()

    def close(self):
        try:
            self.strike()
            self.daemon.check_alive()
            self.daemon.stop()
        finally:
            self.daemon.discard()


@pytest.fixture
def deploy(world):
    made = []

    def make(name):
        made.append(Deployment(world, name))
        return made[-1]
    yield make
    for one in made:
        one.close()


def asked(invite):
    return invite.first_line.split()[1]


def user_of(header):
    return header.split("sip:")[1].split("@")[0]


def test_pbx_beside_the_voice_system(deploy):
    voice, pbx = INSIDE[0], OUTSIDE[0]
    at = deploy("1-pbx-beside")
    invite = at.call(voice, "+49305552001", pbx, user="+49305555001")
    assert asked(invite) == f"sip:2001@{pbx}"
    assert user_of(invite.header("from")) == "5001"
    invite = at.call(pbx, "5001", voice, user="2001")
    assert asked(invite) == f"sip:+49305555001@{voice}"
    assert user_of(invite.header("from")) == "+49305552001"
    assert asked(at.call(voice, "+4989123456", pbx)) == f"sip:0089123456@{pbx}"
    assert asked(at.call(voice, "+442071234", pbx)) == f"sip:000442071234@{pbx}"
    at.refused(pbx, "2002", 404)  # the PBX has it itself


def test_voice_system_behind_the_pbx(deploy):
    voice, pbx = INSIDE[0], OUTSIDE[0]
    at = deploy("2-voice-behind-pbx")
    invite = at.call(pbx, "0305555001", voice, user="089123456",
                     headers=["Diversion: <sip:0305552000@192.0.2.2>;reason=no-answer"])
    assert asked(invite) == f"sip:+49305555001@{voice}"
    assert user_of(invite.header("from")) == "+4989123456"
    assert "reason=no-answer" in invite.header("diversion")
    invite = at.call(voice, "+442071234", pbx, user="+49305555001")
    assert asked(invite) == f"sip:00442071234@{pbx}"
    assert "0305555001" in invite.header("p-asserted-identity")
    assert asked(at.call(voice, "112", pbx)) == f"sip:112@{pbx}"


def test_in_front_of_the_pbx(deploy):
    voice, pbx = INSIDE
    gateway_a, gateway_b, itsp = OUTSIDE[:3]
    at = deploy("3-in-front-of-pbx")
    assert asked(at.call(gateway_a, "0305555001", voice)) == f"sip:+49305555001@{voice}"
    assert asked(at.call(itsp, "+49305552001", pbx)) == f"sip:49305552001@{pbx}"
    assert asked(at.call(voice, "+49305552001", pbx)) == f"sip:49305552001@{pbx}"
    assert asked(at.call(pbx, "+49305555001", voice)) == f"sip:+49305555001@{voice}"
    # The cheapest, and who comes next.
    assert asked(at.call(pbx, "+491701234", gateway_b)) == f"sip:01701234@{gateway_b}"
    assert asked(at.call(voice, "+491701234", gateway_a, refusing=[gateway_b])) == \
        f"sip:01701234@{gateway_a}"
    assert asked(at.call(voice, "+4989123456", gateway_a)) == f"sip:089123456@{gateway_a}"
    assert asked(at.call(voice, "+4989123456", itsp, refusing=[gateway_a])) == \
        f"sip:+4989123456@{itsp}"
    # From trunk to trunk: freephone alone, and from gateway-a alone.
    assert asked(at.call(gateway_a, "0800123456", itsp)) == f"sip:+49800123456@{itsp}"
    at.refused(gateway_b, "0800123456", 404)
    at.refused(itsp, "+4989123456", 404)


def test_no_pbx(deploy, world):
    if not shutil.which("dnsmasq"):
        pytest.skip("not installed: dnsmasq")
    voice, analog, sbc1, sbc2 = INSIDE[0], OUTSIDE[1], OUTSIDE[2], OUTSIDE[3]
    nameserver = Nameserver(world.external, RECORDS)
    try:
        at = deploy("4-no-pbx")
        wait_until(lambda: at.daemon.cli.peers()["itsp"]["state"] == "up", 5,
                   lambda: f"the provider's name to resolve: {at.daemon.cli.peers()['itsp']}")
    finally:
        nameserver.close()
    assert asked(at.call(voice, "+4989123456", sbc1)) == "sip:+4989123456@sip.provider.example"
    assert asked(at.call(sbc1, "+49305555001", voice)) == f"sip:+49305555001@{voice}"
    assert asked(at.call(sbc2, "+49305555001", voice)) == f"sip:+49305555001@{voice}"
    assert asked(at.call(sbc2, "+49305550101", analog)) == f"sip:101@{analog}"
    invite = at.call(analog, "089123456", sbc1, user="101")
    assert asked(invite) == "sip:+4989123456@sip.provider.example"
    assert user_of(invite.header("from")) == "+49305550101"
    assert asked(at.call(voice, "112", sbc1)) == "sip:112@sip.provider.example"


def test_many_trunks(deploy):
    gateways, itsp_a, itsp_b = OUTSIDE[:2], OUTSIDE[2], OUTSIDE[3]
    at = deploy("5-many-trunks")
    # The gateways share the calls, each voice system some of what comes in.
    for frm, number, to in ((INSIDE[0], "+4989123456", gateways),
                            (gateways[0], "+49305555001", INSIDE)):
        callees = [at.callee(basic_callee(sdp(a, 6000)).answer_bye(), a, calls=SHARED_CALLS)
                   for a in to]
        caller = at.caller(basic_caller(sdp(frm, 5000)).bye(), frm, number, calls=SHARED_CALLS,
                           rate=50)
        finish(caller)
        shares = [len({m.header("call-id") for m in c.received("INVITE")}) for c in callees]
        assert sum(shares) == SHARED_CALLS and min(shares) > 0, shares
        at.strike()
    # When both gateways refuse, the first provider; when that does too, the second.
    at.call(INSIDE[1], "+4989123456", itsp_a, refusing=gateways)
    at.call(INSIDE[1], "+4989123456", itsp_b, refusing=[*gateways, itsp_a])
