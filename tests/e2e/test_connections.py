# SPDX-License-Identifier: BSD-2-Clause
"""Connections over TCP and TLS that outlast what is said over them, and peers that go and come back:
kamailio is the peer, linphone and openssl's client ping us."""

import contextlib
import os
import signal
import subprocess
from datetime import datetime

import pytest

import plan
import proxy as proxies
from conftest import Stage
from linphone import Linphone
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, basic_caller, sdp
from sipp import Sipp, finish
from wire import StreamCallee

PBX, BEHIND = plan.PEERS["pbx"], plan.PEERS["trunk"]
VIA, TLS_PORT = plan.VIADUCT["external", 4], 5061
OUR_NAME, PROXY_NAME = "sbc.example.com", "sip.itsp.example"
ADDRESSES = {"tls": "192.0.2.9", "tcp": "192.0.2.3"}
NUMBERS = {"tls": "7001", "tcp": "7002"}
KEEPALIVE_S, PONG_S, RECONNECT_S = 1, 3, 2
PHONE = plan.PEERS["pbx-tcp"]


@pytest.fixture(scope="module")
def identities(authority):
    return {"ours": authority.issue("ours", [f"DNS:{OUR_NAME}"]),
            "proxy": authority.issue("proxy", [f"DNS:{PROXY_NAME}"])}


@pytest.fixture(scope="module")
def configuration(authority, identities):
    base = plan.configuration()
    tls = {"name": "external-tls", "side": "external", "transport": "tls", "address": VIA,
           "tls": "outside"}
    silent = {"liveness": {"interval": 0}}  # nothing but the calls opens a connection
    peers = [{"name": "pbx", "kind": "direct", "listener": PBX.listener, "address": PBX.sip_address, **silent},
             {"name": "phone", "kind": "direct", "listener": PHONE.listener, "address": PHONE.sip_address,
              **silent},
             {"name": "tls", "kind": "trunk", "listener": "external-tls", "address": ADDRESSES["tls"],
              "certificate_names": [PROXY_NAME], **silent},
             {"name": "tcp", "kind": "trunk", "listener": "external-tcp4", "address": ADDRESSES["tcp"],
              **silent}]
    return {**base, "peers": peers, "listeners": [*base["listeners"], tls],
            "routes": [{"called": PBX.number, "from": list(NUMBERS), "to": ["pbx"]},
                       *({"called": NUMBERS[peer], "to": [peer]} for peer in NUMBERS)],
            "tls": [{"name": "outside", "certificate": identities["ours"].certificate,
                     "key": identities["ours"].key, "ca": authority.file, "fqdn": OUR_NAME}],
            "timers": {**base["timers"], "keepalive": KEEPALIVE_S, "pong": PONG_S,
                       "reconnect": RECONNECT_S}}


class Proxy:
    """kamailio as the peer of that transport, with the sipp behind it."""

    def __init__(self, stage, transport, directory, identity, authority):
        self.stage, self.transport = stage, transport
        tls = (identity, authority) if transport == "tls" else ()
        self._make = lambda: proxies.start(stage.world.external, directory, ADDRESSES[transport],
                                           BEHIND.address, VIA, OUR_NAME, *tls)
        self.server = self._make()

    def call(self):
        called = self.stage.callee(basic_callee(sdp(BEHIND.address, 6000)).answer_bye())
        finish(self.stage.caller(basic_caller(sdp(PBX.address, 5000)).bye(),
                                 number=NUMBERS[self.transport]), called)
        called.close()

    def _signal(self, sign):
        """To each of its processes."""
        main = self.server.process.pid
        with open(f"/proc/{main}/task/{main}/children", encoding="ascii") as f:
            for pid in [main, *map(int, f.read().split())]:
                os.kill(pid, sign)

    @contextlib.contextmanager
    def frozen(self):
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def restart(self):
        self.server = self._make()

    def close(self):
        self.server.close()


class ConnectionStage(Stage):
    def sip(self, counter):
        return self.cli.status()["sip"][counter]


@pytest.fixture
def stage(world, daemon):
    with ConnectionStage(world, daemon) as stage:
        yield stage
        stage.quiet()


@pytest.fixture(params=["tls", "tcp"])
def proxy(request, stage, tmp_path, authority, identities):
    made = Proxy(stage, request.param, tmp_path, identities["proxy"], authority)
    yield made
    made.close()


def test_who_has_answered_our_pings_and_answers_none_any_more_is_connected_to_anew(stage, proxy):
    """RFC 5626 4.4.1. Its kernel would acknowledge the pings all the same."""
    proxy.call()
    pings, pongs = stage.sip("pings"), stage.sip("keepalives")
    wait_until(lambda: stage.sip("pings") >= pings + 2 and stage.sip("keepalives") >= pongs + 2, 10,
               lambda: f"pings and pongs: {stage.cli.status()['sip']}")
    connections, missed = stage.sip("tcp_connections"), stage.sip("pongs_missed")
    with proxy.frozen():
        wait_until(lambda: stage.sip("pongs_missed") == missed + 1, 10, stage.cli.status)
        assert stage.sip("tcp_connections") == connections - 1
    proxy.call()


def refusal(stage, number):
    """The code that one call is refused with."""
    wire, branch = stage.wire(), "z9hG4bK" + os.urandom(6).hex()
    answer = wire.ask("INVITE", number, branch=branch, body=sdp(PBX.address, 5000),
                      headers=["Content-Type: application/sdp"])
    wire.send(wire.request("ACK", number, branch=branch, to=answer.header("to")))
    return answer.code


def connects(stage):
    """How often Viaduct has begun to connect, by its kernel."""
    names, values = (line.split() for line in stage.world.viaduct.read("/proc/net/snmp").splitlines()
                     if line.startswith("Tcp:"))
    return int(values[names.index("ActiveOpens")])


def test_who_is_gone_is_left_alone_for_a_while_and_called_again_when_it_is_back(stage, proxy):
    proxy.call()
    proxy.close()
    number, asked = NUMBERS[proxy.transport], 0
    before, refused = connects(stage), stage.sip("backoff_refused")
    def is_left_alone():
        nonlocal asked
        asked += 1
        assert refusal(stage, number) == 503
        return stage.sip("backoff_refused") >= refused + 3
    wait_until(is_left_alone, 15, lambda: f"to be left alone: {stage.cli.status()['sip']}")
    assert 2 <= connects(stage) - before <= asked - 3
    proxy.restart()
    busy = stage.callee(Callee().invited().respond(486).acked())
    wait_until(lambda: refusal(stage, number) == 486, RECONNECT_S * 5, stage.cli.status)
    busy.wait()
    proxy.call()


# ---- a connection that ends while a call rings ----

def restart_while_it_rings(stage, proxy):
    """Its kernel says FIN. Of the call the new one knows nothing: what it is told it sends on by the Vias."""
    before = stage.sip("tcp_connections"), stage.sip("transport_errors")
    proxy.close()
    wait_until(lambda: stage.sip("tcp_connections") < before[0], 5, stage.cli.status)
    proxy.restart()
    assert stage.sip("transport_errors") == before[1]
    assert len(stage.cli.live_calls()) == 1


def test_a_proxy_that_restarts_while_a_call_rings_through_it_brings_its_answer_by_another_connection(stage, proxy):
    """RFC 3261 18.2.2"""
    called = stage.callee(Callee(proxied=True).invited().respond(180).hold()
                          .answer(sdp(BEHIND.address, 6000)).acked().answer_bye())
    calling = stage.caller(basic_caller(sdp(PBX.address, 5000)).bye(), number=NUMBERS[proxy.transport])
    calling.expect(180)
    restart_while_it_rings(stage, proxy)
    called.go()
    finish(calling, called)


def test_a_proxy_that_restarts_while_a_call_of_its_own_rings_is_told_by_another_connection(stage, proxy):
    callee = Callee().invited().respond(180).hold().answer(sdp(PBX.address, 5000)).acked().answer_bye()
    called = stage.callee(callee, "pbx")
    calling = stage.keep(Sipp(stage.world.external, basic_caller(sdp(BEHIND.address, 6000)).bye(), BEHIND.address,
                              (ADDRESSES[proxy.transport], plan.SIP_PORT), PBX.number))
    calling.expect(180)
    restart_while_it_rings(stage, proxy)
    called.go()
    finish(calling, called)


def hang_up(stage, called):
    """In order, and Viaduct has seen it."""
    errors = stage.sip("transport_errors")
    called.hang_up()
    wait_until(lambda: stage.sip("tcp_connections") == 0, 5, stage.cli.status)
    assert stage.sip("transport_errors") == errors


def test_whom_nobody_waits_for_any_more_once_it_has_hung_up_is_told_by_a_connection_of_ours(stage):
    called = stage.keep(StreamCallee(stage.world.external, ADDRESSES["tcp"]))
    caller = Caller().invite(sdp(PBX.address, 5000)).trying().recv(180, save=[("via", "Via")]).hold()
    calling = stage.caller(caller.cancel("Via:[$via]").cancelled(), number=NUMBERS["tcp"])
    invite = called.receive("INVITE")
    called.reply(invite, 180)
    calling.expect(180)
    hang_up(stage, called)
    calling.go()
    called.reply(called.receive("CANCEL"), 200)
    called.reply(invite, 487)
    called.receive("ACK")
    finish(calling)


def test_who_hangs_up_without_a_word_has_its_time_all_the_same(stage, configuration):
    called = stage.keep(StreamCallee(stage.world.external, ADDRESSES["tcp"]))
    calling = stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(408), number=NUMBERS["tcp"])
    called.receive("INVITE")
    hang_up(stage, called)
    called.close()
    finish(calling)
    def waited(record):
        begun, ended = (datetime.fromisoformat(record["attempts"][0][key].rstrip("Z")) for key in ("start", "end"))
        return (ended - begun).total_seconds()
    records = wait_until(lambda: [r for r in stage.daemon.records() if r["code"] == 408], 5, "the record")
    assert waited(records[-1]) > configuration["timers"]["attempt"] - 1


def test_a_call_that_crosses_the_end_of_its_connection_goes_by_another_one(stage):
    """Its kernel has nobody to give it to: who hangs up while nobody calls does so at any moment."""
    called, number = stage.keep(StreamCallee(stage.world.external, ADDRESSES["tcp"])), NUMBERS["tcp"]
    def refuse():
        called.reply(called.receive("INVITE"), 486)
        called.receive("ACK")
    def call():
        return stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(486), number=number)
    first = call()
    refuse()
    finish(first)
    first.close()
    with stage.daemon.frozen():
        second = call()
        wait_until(lambda: second.sent("INVITE"), 5, second.explain)
        called.hang_up()
    refuse()
    finish(second)


# ---- pings of others ----

def test_a_ping_over_tls_is_answered(stage, identities):
    """Through openssl s_client."""
    shown = identities["proxy"]
    client = stage.world.external.popen(
        "openssl", "s_client", "-connect", f"{VIA}:{TLS_PORT}", "-bind", ADDRESSES["tls"], "-quiet",
        "-cert", shown.certificate, "-key", shown.key, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.set_blocking(client.stdout.fileno(), False)
    try:
        for _ in range(2):
            client.stdin.write(b"\r\n\r\n")
            client.stdin.flush()
            assert wait_until(lambda: client.stdout.read(16), 5, "a pong") == b"\r\n"
    finally:
        client.kill()
        client.communicate()


def test_pings_of_linphone_over_tcp_are_answered(stage):
    """On the connection of a call: of what comes one way and the other, the pings and pongs."""
    sniffer, sip = stage.sniffer("internal"), (PHONE.viaduct, plan.SIP_PORT)
    phone = stage.keep(Linphone(stage.world.internal, PHONE.address, PHONE.number, PHONE.viaduct,
                                "keepalive_period=500\n", transport="tcp"))
    phone.say(f"call sip:nobody@{PHONE.viaduct};transport=tcp")
    def seen(end, what):
        return len([d for d in sniffer.datagrams() if getattr(d, end) == sip and d.payload == what])
    wait_until(lambda: seen("dst", b"\r\n\r\n") >= 2 and seen("src", b"\r\n") >= 2, 15,
               lambda: f"pings and pongs: {phone.log()[-2000:]}")
