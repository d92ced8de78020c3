# SPDX-License-Identifier: BSD-2-Clause
"""Peers by host name, with dnsmasq as the nameserver: where calls go, who is admitted, what moves
and what stays while Viaduct runs."""

import contextlib
import os

import pytest

import plan
from nameserver import NAMESERVER, Nameserver
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import Sipp, finish
from wire import Wire, bracket

FIRST, SECOND, THIRD, OTHER = "192.0.2.31", "192.0.2.32", "192.0.2.33", "192.0.2.34"
SIXTH = "2001:db8::36"
DEAD = "192.0.2.98"  # an address that no host has
PBX = plan.PEERS["pbx"]
PASSWORD = "VIADUCT_E2E_PASSWORD"  # in the daemon's environment

# Number called -> peer -> its address in the configuration.
NAMED = {
    "3001": ("itsp", "itsp.test"),            # NAPTR, SRV: the first target is dead
    "3002": ("plain", "host.test:5060"),      # two A records
    "3003": ("moving", "moving.test"),        # no SRV: A at 5060
    "3004": ("nowhere", "nowhere.test"),
    "3006": ("account-1", "account.test:5066"),  # two accounts with one provider
    "3007": ("account-2", "account.test:5066"),
    "3005": ("twin", "host6.test"),           # over TCP
    "3008": ("six-first", "six-first.test"),    # SRV: a host of an AAAA record alone, then one of an A
    "3009": ("dual", "dual.test:5068"),       # one host with both
    "3010": ("busy", "busy.test"),            # SRV: two hosts
}
# What serves no single family: the listener without an address.
DUAL, DUAL_PORT = "external-both", 5090
RECORDS = [
    "naptr-record=itsp.test,10,10,s,SIP+D2T,,_sip._tcp.wrong.test",
    "naptr-record=itsp.test,20,10,s,SIP+D2U,,_sip._udp.pool.test",
    "srv-host=_sip._udp.itsp.test,wrong.test,5060,1",
    "srv-host=_sip._udp.pool.test,dead.test,5060,10",
    "srv-host=_sip._udp.pool.test,first.test,5062,20",
    "srv-host=_sip._tcp.host6.test,first.test,5064,1",
    "srv-host=_sip._udp.six-first.test,six.test,5068,1",
    "srv-host=_sip._udp.six-first.test,first.test,5069,2",
    "srv-host=_sip._udp.busy.test,first.test,5070,1",
    "srv-host=_sip._udp.busy.test,second.test,5071,2",
    f"host-record=second.test,{SECOND}",
    f"host-record=six.test,{SIXTH}",
    f"host-record=dual.test,{FIRST},{SIXTH}",
    f"host-record=dead.test,{DEAD}",
    f"host-record=first.test,{FIRST}",
    f"host-record=host.test,{FIRST}",
    f"host-record=host.test,{SECOND}",
    f"host-record=account.test,{SECOND}",
    "local=/test/",
]


@pytest.fixture(scope="module")
def addresses():
    return [f"{PBX.address}/24"], [f"{a}/24" for a in (NAMESERVER, FIRST, SECOND, THIRD, OTHER)] + \
        [f"{SIXTH}/64"]


@pytest.fixture(scope="module")
def configuration(nameserver):
    peers = [{"name": "pbx", "kind": "direct", "listener": "internal-udp4",
              "address": PBX.sip_address}]
    listeners = {"twin": "external-tcp4", "six-first": DUAL, "dual": DUAL}
    peers += [{"name": name, "kind": "trunk", "address": address, "liveness": {"interval": 0},
               "listener": listeners.get(name, "external-udp4"),
               **({"auth": {"user": name, "password_env": PASSWORD}}
                  if name.startswith("account") else {})}
              for name, address in NAMED.values()]
    routes = [{"from": "pbx", "called": number, "to": [name]}
              for number, (name, _) in NAMED.items()]
    routes.append({"called": "1001", "to": ["pbx"]})
    whole = plan.configuration()
    os.environ[PASSWORD] = "secret"
    whole["listeners"].append({"name": DUAL, "side": "external", "transport": "udp",
                               "port": DUAL_PORT})
    return {**whole, "peers": peers, "routes": routes,
            "dns": {"servers": [NAMESERVER], "timeout": 1, "tries": 1, "ttl_min": 1}}


@pytest.fixture(scope="module")
def nameserver(world):
    server = Nameserver(world.external, RECORDS, f"{OTHER} moving.test")
    yield server
    server.close()


@pytest.fixture(scope="module")
def daemon(daemon):
    for name in ("itsp", "plain", "moving", "twin", "six-first", "dual", "busy"):
        resolved(daemon, name)
    return daemon


def resolved(daemon, name, address=None, timeout=5):
    """Until that peer's name stands for addresses; one of them address, where it is given."""
    def ready():
        targets = daemon.cli.peers()[name].get("targets", [])
        return targets and (not address or any(address in t["address"] for t in targets))
    wait_until(ready, timeout, lambda: f"{name} to resolve: {daemon.cli.peers()[name]}")


def call(world, number, at, port=5060, transport="udp", caller_port=5060):
    """A whole call from the PBX; what sipp saw that answered at that address."""
    callee = Sipp(world.external, basic_callee(sdp(at, 6000)).answer_bye(), at, port=port,
                  transport=transport)
    caller = Sipp(world.internal, basic_caller(sdp(PBX.address, 5000)).bye(), PBX.address,
                  (PBX.viaduct, plan.SIP_PORT), number, port=caller_port)
    try:
        finish(caller, callee)
        return callee.expect("INVITE")
    finally:
        caller.close()
        callee.close()


def options_from(world, address, port=plan.SIP_PORT):
    wire = Wire(world.external, address, plan.VIADUCT["external", 6 if ":" in address else 4],
                remote_port=port)
    try:
        return wire.ask("OPTIONS").code
    finally:
        wire.close()


def test_srv_of_a_tcp_listener(world, daemon):
    invite = call(world, "3005", FIRST, 5064, "tcp")
    assert invite.first_line == "INVITE sip:3005@host6.test SIP/2.0"
    assert "sip:3005@host6.test" in invite.header("to")
    assert plan.VIADUCT["external", 4] in invite.header("from")


def test_naptr_and_srv_say_where(daemon):
    targets = daemon.cli.peers()["itsp"]["targets"]
    assert [t["address"] for t in targets] == [f"{DEAD}:5060", f"{FIRST}:5062"]


@contextlib.contextmanager
def tried(daemon, number, peer, *places):
    """The record of the one call that is made within says that it was, in this order."""
    before = len(daemon.records())
    yield
    wait_until(lambda: len(daemon.records()) > before, 3, "the call's record")
    found = [(record["to"], [(a["peer"], a["address"]) for a in record["attempts"]])
             for record in daemon.records()[before:]]
    assert found == [(number, [(peer, place) for place in places])]


@pytest.mark.parametrize("number, peer, places", [
    ("3008", "six-first", [(SIXTH, 5068), (FIRST, 5069)]),
    ("3009", "dual", [(FIRST, 5068), (SIXTH, 5068)])])
def test_a_name_is_called_over_one_family_and_where_nobody_is_there_over_the_other(
        world, daemon, number, peer, places):
    """RFC 3263 4.2: by the order of the SRV records; the addresses of one host as the listener's are."""
    texts = [f"{bracket(host)}:{port}" for host, port in places]
    for count, (host, port) in enumerate(places, 1):
        family = 6 if ":" in host else 4
        with tried(daemon, number, peer, *texts[:count]):
            invite = call(world, number, host, port)  # where nobody listens, ICMP says so at once
        assert f"{bracket(plan.VIADUCT['external', family])}:{DUAL_PORT}" in invite.header("contact")
        assert options_from(world, host, DUAL_PORT) == 200
    assert options_from(world, SECOND, DUAL_PORT) == 403


def test_a_target_that_is_dead_costs_the_first_call_a_moment_and_the_next_none(world, daemon):
    """RFC 3263 4.3: the next target of the same peer; who was silent is then asked last."""
    with tried(daemon, "3001", "itsp", f"{DEAD}:5060", f"{FIRST}:5062"):
        call(world, "3001", FIRST, 5062)
    with tried(daemon, "3001", "itsp", f"{FIRST}:5062"):
        call(world, "3001", FIRST, 5062)


def refused(world, number, *places):
    """The answer to a call that each of these places refuses with 503 and Retry-After."""
    refusal = Callee().invited().respond(503, headers=["Retry-After: 120"]).acked()
    agents = [Sipp(world.external, refusal, host, port=port) for host, port in places]
    caller = Caller().invite(sdp(PBX.address, 5000)).trying().refused(503)
    agents.append(Sipp(world.internal, caller, PBX.address, (PBX.viaduct, plan.SIP_PORT), number))
    try:
        finish(*agents)
        return agents[-1].received(503)[0]
    finally:
        for agent in agents:
            agent.close()


def test_an_address_that_wants_no_calls_is_left_alone_and_the_peer_is_when_none_wants_any(world, daemon):
    """RFC 3261 21.5.4: nothing else goes to that server for as long as its Retry-After says."""
    first, second = (FIRST, 5070), (SECOND, 5071)
    asked = [f"{host}:{port}" for host, port in (first, second)]
    refusing = Sipp(world.external, Callee().invited().respond(503, headers=["Retry-After: 120"]).acked(),
                    FIRST, port=5070)
    try:
        with tried(daemon, "3010", "busy", *asked):
            call(world, "3010", *second)
        refusing.wait()
    finally:
        refusing.close()
    with tried(daemon, "3010", "busy", asked[1]):
        call(world, "3010", *second)
    assert daemon.cli.peers()["busy"]["state"] == "up"
    with tried(daemon, "3010", "busy", asked[1]):
        refused(world, "3010", second)
    peer = daemon.cli.json("peer", "busy")
    assert peer["state"] == "down" and "it wants no calls for" in peer["why"]
    with tried(daemon, "3010", "busy"):
        assert 100 < int(refused(world, "3010").header("retry-after")) <= 120


def test_peers_with_one_name_have_their_own_credentials(world, daemon):
    for number, user in (("3006", "account-1"), ("3007", "account-2")):
        callee = Callee().invited().respond(
            401, headers=[f'WWW-Authenticate: Digest realm="p", nonce="{number}", qop="auth"'])
        callee = callee.acked().invited().respond(486).acked()
        callee = Sipp(world.external, callee, SECOND, port=5066)
        caller = Caller().invite(sdp(PBX.address, 5000)).trying().refused(486)
        caller = Sipp(world.internal, caller, PBX.address, (PBX.viaduct, plan.SIP_PORT), number)
        try:
            finish(caller, callee)
            answer = callee.expect("INVITE", count=2).header("authorization")
            assert f'username="{user}"' in answer
        finally:
            caller.close()
            callee.close()


def test_every_resolved_address_is_admitted_and_no_other(world, daemon):
    assert options_from(world, FIRST) == 200
    assert options_from(world, SECOND) == 200
    assert options_from(world, THIRD) == 403
    callee = Sipp(world.internal, basic_callee(sdp(PBX.address, 5000)).answer_bye(),
                  PBX.address)
    caller = Sipp(world.external, basic_caller(sdp(SECOND, 6000)).bye(), SECOND,
                  (plan.VIADUCT["external", 4], plan.SIP_PORT), "1001")
    try:
        finish(caller, callee)
    finally:
        caller.close()
        callee.close()


def test_a_name_that_does_not_resolve_is_a_peer_that_is_down(world, daemon):
    peer = daemon.cli.peers()["nowhere"]
    assert peer["state"] == "down"
    assert peer["why"] == "name does not resolve: NXDOMAIN"
    assert peer["host"] == "nowhere.test"
    assert "NXDOMAIN" in daemon.cli.text("peer", "nowhere").stdout
    caller = Sipp(world.internal, Caller().invite(sdp(PBX.address, 5000)).trying().refused(503),
                  PBX.address, (PBX.viaduct, plan.SIP_PORT), "3004")
    try:
        caller.wait()
    finally:
        caller.close()


def test_calls_follow_a_name_that_moves(world, daemon, nameserver):
    callee = basic_callee(sdp(OTHER, 6000)).hold().request("INFO").recv(200).answer_bye()
    callee = Sipp(world.external, callee, OTHER)
    caller = basic_caller(sdp(PBX.address, 5000)).recv("INFO").reply(200).bye()
    caller = Sipp(world.internal, caller, PBX.address, (PBX.viaduct, plan.SIP_PORT), "3003")
    try:
        callee.expect("ACK")
        nameserver.serve(f"{THIRD} moving.test")
        resolved(daemon, "moving", THIRD)
        call(world, "3003", THIRD, caller_port=5061)
        # The old address has its call, in which it speaks and is spoken to, and no new one.
        assert options_from(world, OTHER) == 403
        callee.go()
        finish(caller, callee)
    finally:
        caller.close()
        callee.close()


def test_a_silent_nameserver_delays_nothing_and_takes_nothing_away(world, configuration, daemon,
                                                                    nameserver):
    nameserver.freeze()
    try:
        wait_until(lambda: daemon.cli.peers()["plain"]["name_state"] == "stale", 8,
                   lambda: f"stale: {daemon.cli.peers()['plain']}")
        assert daemon.cli.peers()["plain"]["state"] == "up"
        call(world, "3005", FIRST, 5064, "tcp")
        # A reload keeps what was resolved, and looks what is new up.
        late = {"name": "late", "kind": "trunk", "listener": "external-udp4", "address": "late.test"}
        daemon.write({**configuration, "peers": [*configuration["peers"], late]})
        daemon.cli.text("reload")
        peers = daemon.cli.peers()
        assert peers["late"]["state"] == "down"
        assert peers["plain"]["state"] == "up"
        call(world, "3005", FIRST, 5064, "tcp")
        assert options_from(world, SECOND) == 200
    finally:
        nameserver.thaw()
    wait_until(lambda: daemon.cli.peers()["plain"]["name_state"] == "fresh", 8,
               lambda: f"fresh: {daemon.cli.peers()['plain']}")


def test_a_restart_without_a_nameserver_knows_whom_its_calls_are_with(world, daemon, nameserver):
    """The callee's BYE comes from an address that no name has told yet; a new call's INVITE may not."""
    callee = basic_callee(sdp(FIRST, 6000)).hold().bye()
    callee = Sipp(world.external, callee, FIRST)
    caller = basic_caller(sdp(PBX.address, 5000)).answer_bye()
    caller = Sipp(world.internal, caller, PBX.address, (PBX.viaduct, plan.SIP_PORT), "3002")
    try:
        callee.expect("ACK")
        nameserver.freeze()
        daemon.leave()
        daemon.start()
        assert options_from(world, FIRST) == 403
        callee.go()
        finish(caller, callee)
    finally:
        nameserver.thaw()
        caller.close()
        callee.close()
    resolved(daemon, "plain")
