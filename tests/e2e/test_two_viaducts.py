# SPDX-License-Identifier: BSD-2-Clause
"""Two Viaducts, each in front of a PBX of its own, joined over TLS by a network between them. Both
PBXs have the same address: neither side knows the network of the other."""

import os

import pytest

from certificates import Authority
from daemon import Daemon
from net import World, run
from rtp import Endpoint, Sniffer, Stream, wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import Sipp, finish

PBX, INSIDE = "10.10.0.2", "10.10.0.1"
BETWEEN = {"west": "203.0.113.1", "east": "203.0.113.2"}
NAMES = {"west": "west.example.com", "east": "east.example.com"}
NUMBERS = {"west": "1000", "east": "2000"}
DEVICE, SIP_PORT, TLS_PORT = "vdx0", 5060, 5061
PACKETS, CALLS = 100, 20


class Site:
    """A Viaduct with its PBX."""

    def __init__(self, name, other, authority):
        self.name, self.other = name, other
        self.world = World(tag=name[0])
        self.world.create([f"{PBX}/24"], [])
        self.identity = authority.issue(NAMES[name], san=[f"DNS:{NAMES[name]}"])
        self.daemon = None

    def configuration(self, authority):
        return {
            "sides": {"internal": {"device": self.world.viaduct_internal, "addresses": [INSIDE],
                                   "media_ports": "20000-20099"},
                      "external": {"device": DEVICE, "addresses": [BETWEEN[self.name]],
                                   "media_ports": "40000-40099"}},
            "tls": [{"name": "edge", "certificate": self.identity.certificate,
                     "key": self.identity.key, "ca": authority.file, "fqdn": NAMES[self.name]}],
            "listeners": [
                {"name": "pbx", "side": "internal", "transport": "udp", "port": SIP_PORT},
                {"name": "edge", "side": "external", "transport": "tls", "tls": "edge",
                 "port": TLS_PORT}],
            "peers": [
                {"name": "pbx", "kind": "direct", "listener": "pbx", "address": PBX,
                 "liveness": {"interval": 0}},
                {"name": self.other, "kind": "trunk", "listener": "edge",
                 "address": f"{BETWEEN[self.other]}:{TLS_PORT}",
                 "certificate_names": [NAMES[self.other]],
                 "liveness": {"interval": 1, "probe": 1, "timeout": 1},
                 "session_timer": {"mode": "accept"}}],
            "routes": [{"from": "pbx", "called": NUMBERS[self.other], "to": [self.other]},
                       {"from": self.other, "called": NUMBERS[self.name], "to": ["pbx"]}],
            "timers": {"port_quarantine": 0}, "log": "debug",
            "instance": f"e2e-{self.name}-{os.getpid()}",
        }

    def start(self, authority):
        self.daemon = Daemon(self.world.viaduct, self.configuration(authority))

    def close(self):
        if self.daemon:
            self.daemon.discard()
        self.world.remove()


def join(west, east):
    """One wire between the two, whose ends both have an XDP program."""
    run("ip", "link", "add", DEVICE, "netns", west.world.viaduct.name, "type", "veth",
        "peer", "name", DEVICE, "netns", east.world.viaduct.name)
    for site in (west, east):
        ns = site.world.viaduct
        ns.run("ethtool", "-K", DEVICE, "tx", "off", "gro", "on")
        ns.run("ip", "link", "set", DEVICE, "up")
        ns.add_address(DEVICE, f"{BETWEEN[site.name]}/24")


@pytest.fixture(scope="module")
def sites():
    authority = Authority("between")
    made = {}
    try:
        made["west"] = Site("west", "east", authority)
        made["east"] = Site("east", "west", authority)
        join(made["west"], made["east"])
        for site in made.values():
            site.start(authority)
        for site in made.values():
            wait_until(lambda site=site: site.daemon.cli.peers()[site.other]["state"] == "up", 10,
                       lambda site=site: f"{site.other} to be up: {site.daemon.log_tail()}")
        yield made
        for site in made.values():
            site.daemon.stop()
    finally:
        for site in made.values():
            site.close()
        authority.close()


@pytest.mark.parametrize("frm, to", [("west", "east"), ("east", "west")])
def test_call_crosses_both_with_its_media_in_both_kernels(sites, frm, to):
    caller, callee = sites[frm], sites[to]
    a = Endpoint(caller.world.internal, PBX)
    b = Endpoint(callee.world.internal, PBX)
    calling = called = None
    try:
        called = Sipp(callee.world.internal, Callee().invited().respond(180)
                      .answer(sdp(PBX, b.port)).acked().answer_bye(), PBX)
        calling = Sipp(caller.world.internal, basic_caller(sdp(PBX, a.port), hold=True).bye(), PBX,
                       (INSIDE, SIP_PORT), NUMBERS[to])
        to_a = calling.expect(200, "INVITE").media()
        invite = called.expect("INVITE")
        called.expect("ACK")
        assert to_a[0] == invite.media()[0] == INSIDE
        assert BETWEEN[frm] not in invite.text and BETWEEN[to] not in invite.text
        for sender, via, receiver, site in ((a, to_a, b, callee), (b, invite.media(), a, caller)):
            wire = Sniffer(site.world.internal, site.world.internal_device)
            sender.send_stream(Stream(), via, PACKETS)
            arrived = wire.wait_received((PBX, receiver.port), PACKETS)
            wire.close()
            assert len(arrived) == PACKETS and all(d.ok for d in arrived)
        for site in (caller, callee):
            legs = site.daemon.cli.streams(site.daemon.cli.only_call())[0]["legs"]
            assert all(leg["in_kernel"] and leg["packets"] == PACKETS for leg in legs)
        calling.go()
        finish(calling, called)
    finally:
        for agent in (calling, called, a, b):
            if agent:
                agent.close()


def connections(site):
    return len(site.world.viaduct.run("ss", "-Hnt", "state", "established",
                                      f"( sport = :{TLS_PORT} or dport = :{TLS_PORT} )")
               .stdout.splitlines())


def test_calls_of_both_ways_take_no_further_connection(sites):
    """RFC 5923: who connected first does not matter."""
    before = connections(sites["west"])
    assert before
    for frm, to in (("west", "east"), ("east", "west")):
        called = Sipp(sites[to].world.internal, basic_callee(sdp(PBX, 6000)).answer_bye(), PBX,
                      calls=CALLS)
        calling = Sipp(sites[frm].world.internal, basic_caller(sdp(PBX, 5000)).bye(), PBX,
                       (INSIDE, SIP_PORT), NUMBERS[to], calls=CALLS, rate=50)
        try:
            finish(calling, called)
        finally:
            calling.close()
            called.close()
    assert connections(sites["west"]) == before


def test_refusal_comes_through_as_it_was_given(sites):
    west, east = sites["west"], sites["east"]
    called = Sipp(east.world.internal, Callee().invited().respond(486, reason="Busy Here").acked(),
                  PBX)
    calling = Sipp(west.world.internal, Caller().invite(sdp(PBX, 5000)).trying().refused(486), PBX,
                   (INSIDE, SIP_PORT), NUMBERS["east"])
    try:
        finish(calling, called)
    finally:
        calling.close()
        called.close()
