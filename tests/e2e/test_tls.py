# SPDX-License-Identifier: BSD-2-Clause
"""SIP over TLS with kamailio as the provider's proxy, which asks for our certificate and shows its
own; openssl's programs play those who should not get in."""

import os
import re
import socket
import ssl
import subprocess
from datetime import datetime

import pytest

import plan
import proxy as proxies
from certificates import Authority
from conftest import Stage
from events import Events
from rtp import Stream, wait_until
from scenario import basic_callee, basic_caller, sdp
from sipp import Message, Sipp
from talk import Talk

TLS_PORT = 5061
PROXY, OTHER = "192.0.2.9", "192.0.2.3"
PROXY_NAME, OTHER_NAME, OUR_NAME = "sip.itsp.example", "sip.other.example", "sbc.example.com"
TRUNK, PBX = plan.PEERS["trunk"], plan.PEERS["pbx"]
VIA = plan.VIADUCT["external", 4]
FAILOVER = "2200"
SHORT_DAYS = 20
PACKETS = 50


class TlsStage(Stage):
    """Outside, sipp speaks to the proxy, and the proxy to us."""

    def caller(self, scenario, peer="pbx", number=None, to="trunk", **kwargs):
        if plan.PEERS[peer].side == "internal":
            return super().caller(scenario, peer, number, to, **kwargs)
        agent = Sipp(self.namespace("external"), scenario, plan.PEERS[peer].address,
                     (PROXY, plan.SIP_PORT), number or plan.PEERS[to].number, **kwargs)
        self._agents.append(("external", agent))
        return self.keep(agent)

    def sip(self, counter):
        return self.cli.status()["sip"][counter]


@pytest.fixture(scope="module")
def identities(authority):
    rogue = Authority("Rogue Authority", authority.dir)
    past = {"begins": "20200101000000Z", "ends": "20210101000000Z"}
    return {
        "ours": authority.issue("ours", [f"DNS:{OUR_NAME}"]),
        "proxy": authority.issue("proxy", [f"DNS:{PROXY_NAME}"]),
        "other": authority.issue("other", [f"DNS:{OTHER_NAME}"]),
        "wrong name": authority.issue("wrong", ["DNS:sip.elsewhere.example"]),
        "expired": authority.issue("expired", [f"DNS:{PROXY_NAME}"], **past),
        "untrusted": rogue.issue("untrusted", [f"DNS:{PROXY_NAME}"]),
    }


def showing(ours, authority):
    """The configuration, with that certificate of ours."""
    base = plan.configuration()
    udp, tls = plan.PEERS["pbx"].listener, "external-tls"
    peers = [
        {"name": "pbx", "kind": "direct", "listener": udp, "address": f"{PBX.address}:5060"},
        {"name": "itsp", "kind": "trunk", "listener": tls, "address": PROXY,
         "certificate_names": [PROXY_NAME]},
        # The same address, another certificate.
        {"name": "other", "kind": "trunk", "listener": tls, "address": PROXY,
         "certificate_names": [OTHER_NAME], "liveness": {"interval": 0}},
        {"name": "impostor", "kind": "trunk", "listener": tls, "address": OTHER,
         "liveness": {"interval": 0},
         "certificate_names": [PROXY_NAME]},
    ]
    routes = [{"name": "in", "from": ["itsp"], "called": PBX.number, "to": ["pbx"]},
              {"name": "out", "called": TRUNK.number, "to": ["itsp"]},
              {"name": "failover", "called": FAILOVER, "to": ["impostor", "itsp"]}]
    return {**base, "peers": peers, "routes": routes,
            "tls": [{"name": "outside", "certificate": ours.certificate, "key": ours.key,
                     "ca": authority.file, "fqdn": OUR_NAME}],
            "listeners": [*base["listeners"],
                          {"name": tls, "side": "external", "transport": "tls", "address": VIA,
                           "tls": "outside"}],
            "limits": {**base["limits"], "tls_handshakes": 8},
            "timers": {**base["timers"], "tls_handshake": 3, "pong": 3}}


@pytest.fixture(scope="module")
def configuration(authority, identities):
    return showing(identities["ours"], authority)


@pytest.fixture(scope="module")
def proxy(world, daemon, authority, identities, tmp_path_factory):
    server = proxies.start(world.external, tmp_path_factory.mktemp("kamailio"), PROXY, TRUNK.address,
                           VIA, OUR_NAME, identities["proxy"], authority)
    yield server
    server.close()


@pytest.fixture
def stage(world, daemon, proxy):
    with TlsStage(world, daemon) as stage:
        yield stage
        stage.check_hidden()
        stage.quiet()


class Wire:
    """A TLS client of Python's, for what kamailio would not say."""

    def __init__(self, stage, identity, authority, address=PROXY):
        context = ssl.create_default_context(cafile=authority.file)
        if identity:
            context.load_cert_chain(identity.certificate, identity.key)
        plain = stage.world.external.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.settimeout(5)
        plain.bind((address, 0))
        plain.connect((VIA, TLS_PORT))
        self.local = "%s:%u" % plain.getsockname()
        self.socket = context.wrap_socket(plain, server_hostname=OUR_NAME)

    def ask(self, method, user="x"):
        branch = os.urandom(6).hex()
        self.socket.sendall("\r\n".join([
            f"{method} sip:{user}@{OUR_NAME} SIP/2.0",
            f"Via: SIP/2.0/TLS {self.local};branch=z9hG4bK{branch};rport",
            f"From: <sip:x@{PROXY}>;tag=a", f"To: <sip:{user}@{OUR_NAME}>", f"Call-ID: {branch}",
            f"CSeq: 1 {method}", "Max-Forwards: 70", f"Contact: <sip:x@{self.local};transport=tls>",
            "Content-Length: 0", "", ""]).encode())
        text = ""
        while True:
            text += self.socket.recv(65535).decode()
            *answers, text = text.split("\r\n\r\n")
            for answer in (Message(True, one + "\r\n\r\n") for one in answers):
                if answer.code > 100:
                    return answer

    def close(self):
        self.socket.close()


def pass_media(talk):
    for sender, via, receiver, sniffer in talk.ways():
        stream, mark = Stream(), sniffer.mark()
        sender.send_stream(stream, via, PACKETS)
        got = sniffer.wait_received((receiver.address, receiver.port), PACKETS, since=mark)
        assert [d.payload for d in got] == stream.sent


@pytest.mark.parametrize("frm, to", [("pbx", "trunk"), ("trunk", "pbx")])
def test_call_through_a_tls_proxy_has_its_media_in_the_kernel(stage, frm, to):
    forwarded = stage.cli.packets("forwarded")
    talk = Talk(stage, frm, to)
    pass_media(talk)
    assert stage.cli.packets("forwarded") - forwarded == 2 * PACKETS
    talk.end()


def test_what_the_provider_sees_names_us_by_our_fqdn(stage):
    talk = Talk(stage)
    invite = talk.invite
    assert OUR_NAME in invite.header("from")
    assert invite.header("contact") == f"<sip:{OUR_NAME}:{TLS_PORT};transport=tls>"
    assert any(via.startswith(f"SIP/2.0/TLS {OUR_NAME}:{TLS_PORT};") for via in invite.all("via"))
    assert "sips:" not in invite.text
    talk.end()


def test_many_calls_share_the_connection_that_is_there(stage):
    calls = 20
    accepted, connected = stage.sip("tls_accepted"), stage.sip("tls_connected")
    called = stage.callee(basic_callee(sdp(TRUNK.address, 6000)).answer_bye(), calls=calls)
    calling = stage.caller(basic_caller(sdp(PBX.address, 5000)).bye(), calls=calls, rate=20)
    calling.wait()
    called.wait()
    assert stage.sip("tls_accepted") + stage.sip("tls_connected") - accepted - connected <= 1
    assert stage.sip("tls_handshakes") == 0


def test_viaduct_peer_shows_both_certificates_and_the_connection(stage, authority):
    Talk(stage).end()
    peer = stage.cli.json("peer", "itsp")
    tls = peer["tls"]
    assert tls["certificate_names"] == tls["certificate"]["names"] == [PROXY_NAME]
    assert tls["certificate"]["issuer"] == tls["our_certificate"]["issuer"] == authority.name
    assert tls["our_certificate"]["names"] == [OUR_NAME]
    assert 363 <= tls["certificate"]["days_left"] <= 365
    assert tls["connections"] >= 1 and tls["opened_by"] in ("us", "peer")
    assert tls["tls_version"] == "TLSv1.3" and "AES" in tls["cipher"]
    assert "findings" not in peer
    text = stage.cli.text("peer", "itsp").stdout
    assert f"it shows       {PROXY_NAME}" in text and f"we show        {OUR_NAME}" in text
    assert stage.cli.json("peer", "other")["tls"]["connections"] == 0


# ---- who should not get in ----

class Client:
    """openssl s_client, which shows what it is told to and then waits."""

    def __init__(self, stage, identity=None, address=PROXY):
        shown = ["-cert", identity.certificate, "-key", identity.key] if identity else []
        self.process = stage.world.external.popen(
            "openssl", "s_client", "-connect", f"{VIA}:{TLS_PORT}", "-bind", address, "-quiet",
            *shown, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


@pytest.mark.parametrize("who, counter, reason", [
    (None, "tls_no_certificate", "shows no certificate"),
    ("wrong name", "tls_wrong_name", "is for sip.elsewhere.example"),
    ("expired", "tls_expired", "has expired"),
    ("untrusted", "tls_untrusted", "unable to get local issuer certificate")])
def test_wrong_certificate_is_refused_with_one_line_and_one_event(stage, identities, who, counter,
                                                                  reason):
    before, lines = stage.sip(counter), stage.daemon.log().count("tls: ")
    accepted = stage.sip("tls_accepted")
    with Events(stage) as events:
        stage.keep(Client(stage, identities[who] if who else None))
        told = events.wait(lambda e: e["kind"] == "tls")
        assert f"{PROXY}:" in told["text"] and "at listener external-tls" in told["text"]
        assert reason in told["text"]
        wait_until(lambda: stage.sip(counter) == before + 1, 3, "the counter")
        assert len([e for e in events.read() if e["kind"] == "tls"]) == 1
    assert stage.daemon.log().count("tls: ") == lines + 1
    assert stage.sip("tls_accepted") == accepted


def test_plaintext_to_the_tls_port_is_refused(stage):
    before = stage.sip("tls_failed")
    with stage.world.external.socket(socket.AF_INET, socket.SOCK_STREAM) as plain:
        plain.settimeout(3)
        plain.bind((PROXY, 0))
        plain.connect((VIA, TLS_PORT))
        plain.sendall(b"OPTIONS sip:x@192.0.2.1 SIP/2.0\r\n\r\n")
        try:
            while plain.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert stage.sip("tls_failed") == before + 1


def test_half_open_handshakes_are_few_and_short_and_keep_nobody_out(stage, authority, identities):
    refused, timeouts = stage.sip("tls_handshakes_refused"), stage.sip("tls_timeouts")
    stuck = []
    for _ in range(6):
        s = stage.world.external.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.bind((OTHER, 0))
        s.connect((VIA, TLS_PORT))
        stuck.append(s)
    # A source has a quarter of the eight; another one is not in its way.
    wait_until(lambda: stage.sip("tls_handshakes_refused") == refused + 4, 2, stage.cli.status)
    assert stage.sip("tls_handshakes") == 2
    wire = stage.keep(Wire(stage, identities["proxy"], authority))
    assert wire.ask("OPTIONS").code == 200
    wait_until(lambda: stage.sip("tls_timeouts") == timeouts + 2, 6, stage.cli.status)
    for s in stuck:
        s.close()


# ---- peers, failover, reload ----

def test_certificate_tells_two_peers_of_one_address_apart(stage, authority, identities):
    first = stage.keep(Wire(stage, identities["proxy"], authority))
    second = stage.keep(Wire(stage, identities["other"], authority))
    # Nobody has a route for the second one.
    assert first.ask("INVITE", "nobody").code == 404
    assert second.ask("INVITE", PBX.number).code == 404
    assert first.ask("OPTIONS").code == second.ask("OPTIONS").code == 200


class Server:
    """openssl s_server: an impostor that anybody can connect to."""

    def __init__(self, stage, identity, authority):
        self.process = stage.world.external.popen(
            "openssl", "s_server", "-accept", f"{OTHER}:{TLS_PORT}", "-cert", identity.certificate,
            "-key", identity.key, "-CAfile", authority.file, "-Verify", "1", "-quiet",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: stage.world.external.listens("tcp", TLS_PORT, OTHER), 5,
                   "s_server to listen")

    def close(self):
        self.process.kill()
        self.process.wait()


def test_call_fails_over_at_once_from_a_server_with_the_wrong_certificate(stage, authority,
                                                                          identities):
    stage.keep(Server(stage, identities["wrong name"], authority))
    before = stage.sip("tls_wrong_name")
    called = stage.callee(basic_callee(sdp(TRUNK.address, 6000)).answer_bye())
    calling = stage.caller(basic_caller(sdp(PBX.address, 5000)).bye(), number=FAILOVER)
    calling.wait()
    called.wait()
    assert stage.sip("tls_wrong_name") == before + 1
    record = wait_until(lambda: [r for r in stage.daemon.records() if r["to"] == FAILOVER], 5,
                        "the record")[-1]
    assert [a["peer"] for a in record["attempts"]] == ["impostor", "itsp"]
    begun, ended = (datetime.fromisoformat(record["attempts"][0][key].rstrip("Z"))
                    for key in ("start", "end"))
    assert (ended - begun).total_seconds() < 4


def shown_by_us(stage, identity, authority):
    wire = Wire(stage, identity, authority)
    names = [name for kind, name in wire.socket.getpeercert()["subjectAltName"]]
    wire.close()
    return names


def test_reload_takes_new_certificates_during_a_call_and_refuses_bad_ones(stage, configuration,
                                                                          authority, identities):
    talk = Talk(stage)
    connections = stage.sip("tcp_connections")
    renewed = authority.issue("renewed", [f"DNS:{OUR_NAME}", "DNS:renewed.example"],
                              days=SHORT_DAYS)
    stage.daemon.write(showing(renewed, authority))
    stage.cli.text("reload")
    assert stage.sip("tcp_connections") >= connections
    assert "renewed.example" in shown_by_us(stage, identities["proxy"], authority)
    assert re.search(r"our certificate \S+renewed\S+ of profile outside expires in (19|20) days",
                     stage.daemon.log())
    peer = stage.cli.json("peer", "itsp")
    assert [f["code"] for f in peer["findings"]] == ["certificate_expires"]
    assert "renewed.example" in peer["tls"]["our_certificate"]["names"]
    assert peer["tls"]["our_certificate"]["days_left"] in (SHORT_DAYS - 1, SHORT_DAYS)
    renewed.key = identities["other"].key
    stage.daemon.write(showing(renewed, authority))
    refused = stage.cli.text("reload", check=False)
    assert refused.returncode == 1
    assert len([line for line in refused.stderr.splitlines() if "tls[0].key" in line]) == 1
    assert "is not the certificate's; expected" in refused.stderr
    assert "renewed.example" in shown_by_us(stage, identities["proxy"], authority)
    pass_media(talk)
    talk.end()
    stage.daemon.write(configuration)
    stage.cli.text("reload")
