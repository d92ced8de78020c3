# SPDX-License-Identifier: BSD-2-Clause
"""The deployment examples, as they are installed: each is run, and the calls that its comments
promise are placed. Only devices, instance, nameserver and waiting times are the tests' own."""

import contextlib
import os
import socket
import ssl
import threading

import pytest
import yaml

from daemon import ROOT, Daemon
from nameserver import NAMESERVER, Nameserver
from net import run
from rtp import Endpoint, Sniffer, Stream, wait_until
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
def addresses():
    return [f"{a}/24" for a in INSIDE], [f"{a}/24" for a in (*OUTSIDE, NAMESERVER)]


NO_OPTIONS_S = 3600


class Deployment:
    """viaductd with one of the examples, and sipp in the place of whoever it names."""

    def __init__(self, world, name, change=None):
        self.world = world
        self.agents = []
        with open(os.path.join(EXAMPLES, name + ".yaml"), encoding="utf-8") as f:
            configuration = yaml.safe_load(f)
        configuration["sides"]["internal"]["device"] = world.viaduct_internal
        configuration["sides"]["external"]["device"] = world.viaduct_external
        configuration["instance"] = f"e2e-own-{os.getpid()}"
        configuration["timers"] = {"attempt": 4, "port_quarantine": 0}
        configuration["dns"] = {"servers": [NAMESERVER]}
        for peer in configuration["peers"]:
            # sipp takes an OPTIONS for a call: the next one comes when every test is over.
            peer["liveness"] = {**peer.get("liveness", {}), "interval": NO_OPTIONS_S}
        if change:
            change(configuration)
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

    def make(name, change=None):
        made.append(Deployment(world, name, change))
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


# ---- TLS ----

TEAMS = tuple(f"{name}.pstnhub.microsoft.com" for name in ("sip", "sip2", "sip3"))
TEAMS_RECORDS = [f"host-record={name},{address}" for name, address in zip(TEAMS, OUTSIDE)]
SRTP = ["crypto:1 AES_CM_128_HMAC_SHA1_80 inline:V2VsbCBrbm93biBrZXkgb2YgbWluZSB0byBiZSB0ZXN0"]
TLS_PORT, PLAIN_PORT = 5061, 5063


def openssl(*argv):
    run("openssl", *argv, timeout=30)


def make_certificate(folder, name, names, ca=None):
    """NAME.pem and NAME.key in folder: for those host names, signed by ca, another such name."""
    path = os.path.join(folder, name)
    if ca:
        more = ("-CA", f"{folder}/{ca}.pem", "-CAkey", f"{folder}/{ca}.key", "-addext", "basicConstraints=CA:FALSE",
                "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
    else:
        more = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "90", "-subj", f"/CN={names[0]}", *more,
            "-keyout", f"{path}.key", "-out", f"{path}.pem")
    os.chmod(f"{path}.key", 0o600)


class TlsFront:
    """Stands before a sipp that knows no TLS. forward: what is plain goes out over TLS, to Viaduct;
    else what comes in over TLS goes on plain, to sipp. Neither looks into the messages."""

    def __init__(self, ns, listen, to, context, forward):
        self.ns, self.to, self.context, self.forward = ns, to, context, forward
        self.listener = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(listen)
        self.listener.listen()
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        far = self.ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if self.forward:
                far.bind((self.listener.getsockname()[0], 0))
                far.connect(self.to)
                far = self.context.wrap_socket(far)
            else:
                near = self.context.wrap_socket(near, server_side=True)
                far.connect(self.to)
        except OSError:
            near.close()
            far.close()
            return
        self.sockets += [near, far]
        threading.Thread(target=self._copy, args=(near, far), daemon=True).start()
        self._copy(far, near)

    def _copy(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("certificates"))
    make_certificate(folder, "ca", ["authority.example"])
    make_certificate(folder, "sbc", ["sbc.example.com"], "ca")
    make_certificate(folder, "teams", TEAMS, "ca")
    return folder


def contexts(folder):
    """Of Teams: as a server, and as a client of the SBC."""
    made = []
    for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH):
        context = ssl.create_default_context(purpose, cafile=f"{folder}/ca.pem")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(f"{folder}/teams.pem", f"{folder}/teams.key")
        made.append(context)
    return made


def srtp(address, port):
    return sdp(address, port, extra=SRTP).replace("RTP/AVP", "RTP/SAVP")


def test_teams(deploy, world, certificates):
    def with_files(configuration):
        configuration["tls"][0].update(certificate=f"{certificates}/sbc.pem",
                                       key=f"{certificates}/sbc.key", ca=f"{certificates}/ca.pem")
    server, client = contexts(certificates)
    gateway = INSIDE[0]
    nameserver = Nameserver(world.external, TEAMS_RECORDS)
    fronts = []
    try:
        at = deploy("6-teams", with_files)
        wait_until(lambda: all(p["state"] == "up" for p in at.daemon.cli.peers().values()), 5,
                   lambda: f"the names to resolve: {at.daemon.cli.peers()}")
        # Teams's first host is not there: the second has the call.
        fronts.append(TlsFront(world.external, (OUTSIDE[1], TLS_PORT), ("127.0.0.1", PLAIN_PORT),
                               server, forward=False))
        callee = at.callee(basic_callee(srtp(OUTSIDE[1], 6000)).answer_bye(), "127.0.0.1",
                           transport="tcp", port=PLAIN_PORT)
        caller = at.caller(basic_caller(srtp(gateway, 5000)).bye(), gateway, "+49305551234")
        finish(caller, callee)
        invite = callee.expect("INVITE")
        assert asked(invite) == "sip:+49305551234@sip2.pstnhub.microsoft.com:5061"
        assert "@sbc.example.com" in invite.header("from")
        assert "sbc.example.com:5061;transport=tls" in invite.header("contact")
        assert SRTP[0] in invite.body and invite.media()[0] == VIADUCT["192"]
        at.strike()
        # And when the second refuses, the third.
        fronts.append(TlsFront(world.external, (OUTSIDE[2], TLS_PORT), ("127.0.0.1", PLAIN_PORT + 1),
                               server, forward=False))
        refusing = at.callee(Callee().invited().respond(503).acked(), "127.0.0.1", transport="tcp",
                             port=PLAIN_PORT)
        callee = at.callee(basic_callee(srtp(OUTSIDE[2], 6000)).answer_bye(), "127.0.0.1",
                           transport="tcp", port=PLAIN_PORT + 1)
        finish(at.caller(basic_caller(srtp(gateway, 5000)).bye(), gateway, "+49305551234"), refusing,
               callee)
        assert asked(callee.expect("INVITE")) == "sip:+49305551234@sip3.pstnhub.microsoft.com:5061"
        at.strike()
        # A call from Teams.
        fronts.append(TlsFront(world.external, (OUTSIDE[0], PLAIN_PORT),
                               (VIADUCT["192"], TLS_PORT), client, forward=True))
        callee = at.callee(basic_callee(srtp(gateway, 5000)).answer_bye(), gateway)
        caller = Sipp(world.external, basic_caller(srtp(OUTSIDE[0], 6000)).bye(), "127.0.0.1",
                      (OUTSIDE[0], PLAIN_PORT), "+4989123456", transport="tcp")
        at.agents.append(caller)
        finish(caller, callee)
        assert "sbc.example.com" in caller.expect(200, "INVITE").header("contact")
    finally:
        for front in fronts:
            front.close()
        nameserver.close()


class TlsEar:
    """Stands where one of Teams's names leads, takes connections, and keeps what comes."""

    def __init__(self, ns, address, context):
        self.heard = b""
        self.listener = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind(address)
        self.listener.listen()
        self.context = context
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            near = self.context.wrap_socket(self.listener.accept()[0], server_side=True)
            while data := near.recv(65536):
                self.heard += data

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_teams_rules(deploy, world, certificates):
    """What Teams asks of a session border controller: OPTIONS that name it by its FQDN, no delayed
    offer, hold by a=inactive alone, REFER allowed, the next name after 503 and no second
    try after 603."""
    def hasty(configuration):
        configuration["tls"][0].update(certificate=f"{certificates}/sbc.pem",
                                       key=f"{certificates}/sbc.key", ca=f"{certificates}/ca.pem")
        for peer in configuration["peers"]:
            peer["liveness"] = {"interval": 1 if peer["name"] == "teams-3" else 0}
    server, _ = contexts(certificates)
    gateway, number = INSIDE[0], "+49305551234"
    nameserver = Nameserver(world.external, TEAMS_RECORDS)
    others = [nameserver, TlsEar(world.external, (OUTSIDE[2], TLS_PORT), server)]
    others += [TlsFront(world.external, (OUTSIDE[n], TLS_PORT), ("127.0.0.1", PLAIN_PORT + n),
                        server, forward=False) for n in (0, 1)]

    def teams(host, scenario):
        return at.callee(scenario, "127.0.0.1", transport="tcp", port=PLAIN_PORT + host)
    try:
        at = deploy("6-teams", hasty)
        wait_until(lambda: all(p["state"] == "up" for p in at.daemon.cli.peers().values()), 5,
                   lambda: f"the names to resolve: {at.daemon.cli.peers()}")
        wait_until(lambda: b"OPTIONS sip:" in others[1].heard, 5, "OPTIONS")
        options = others[1].heard.decode().split("\r\n")
        assert "Contact: <sip:sbc.example.com:5061;transport=tls>" in options

        answer, held = (sdp(OUTSIDE[0], 6000, version=v) for v in (1, 2))
        callee = teams(0, Callee().invited().answer(answer).acked().recv("INVITE")
                       .answer_invite(held + "a=inactive\r\n").acked().answer_bye())
        caller = Caller().invite().trying().recv(180, optional=True).answered()
        caller = caller.ack(sdp(gateway, 5000)).request("INVITE", sdp(
            gateway, 5000, version=2, direction="sendonly")).trying().recv(200).ack().bye()
        finish(at.caller(caller, gateway, number), callee)
        first, hold = [m for m in callee.received("INVITE") if not m.is_response][:2]
        assert first.first_line.startswith(f"INVITE sip:{number}@") and "m=audio" in first.body
        assert "a=inactive" in hold.body and "sendonly" not in hold.body
        assert "REFER" in first.header("allow") and "replaces" in first.header("supported")
        at.strike()

        refusing = teams(0, Callee().invited().respond(503).acked())
        callee = teams(1, basic_callee(answer).answer_bye())
        finish(at.caller(basic_caller(sdp(gateway, 5000)).bye(), gateway, number), refusing, callee)
        at.strike()
        teams(0, Callee().invited().respond(603).acked())
        finish(at.caller(Caller().invite(sdp(gateway, 5000)).trying().refused(603), gateway, number))
    finally:
        for other in others:
            other.close()


def refer_to(host):
    """A call that Teams transfers to one of its users (no user part, parameters of its own)."""
    return (f"sip:{host}:5061;transport=tls;x-m=8:orgid:fce2158f-0e99-4ff7-a0b3-5b6b87d16689;"
            "x-t=2d88cb42-f810-417a-a0fc-80244a7fdd61;x-tt=aHR0cHM6Ly9hcGk%3d%3D")


REFERRED_BY = ("<sip:sip.pstnhub.microsoft.com:5061;x-m=8:orgid:bdc0511a-4a8d-48aa-bf1d-5ea6ef316e2a;"
               "x-t=2d88cb42-f810-417a-a0fc-80244a7fdd61;x-ti=9cfa2ad6-c73e-402d-b621-90d9af6ffea2;"
               "x-tt=aHR0cHM6Ly9hcGktZHUtYS1ldXdl%3D>")
SPOKEN = 25  # packets


def hears(sender, where, receiver, device):
    """Media that leaves sender for `where` reaches receiver, unharmed."""
    ns, name = device
    sniffer = Sniffer(ns, name)
    try:
        sender.send_stream(Stream(), where, SPOKEN)
        assert all(d.ok for d in sniffer.wait_received((receiver.address, receiver.port), SPOKEN))
    finally:
        sniffer.close()


@pytest.mark.parametrize("by, host", [(1, 0), (0, 1)])
def test_teams_transfer(deploy, world, certificates, by, host):
    """A REFER of Teams comes back to it, at the host that it names, to the letter: "Issues that affect
    call transfers" of its documentation. It names another host than the call came from, whose
    connection would be used for the INVITE, too."""
    def with_files(configuration):
        configuration["tls"][0].update(certificate=f"{certificates}/sbc.pem",
                                       key=f"{certificates}/sbc.key", ca=f"{certificates}/ca.pem")
    server, client = contexts(certificates)
    gateway, uri = INSIDE[0], refer_to(TEAMS[host])
    others = [Nameserver(world.external, TEAMS_RECORDS),
              TlsFront(world.external, (OUTSIDE[host], TLS_PORT), ("127.0.0.1", PLAIN_PORT + 1),
                       server, forward=False),
              TlsFront(world.external, (OUTSIDE[by], PLAIN_PORT), (VIADUCT["192"], TLS_PORT), client,
                       forward=True)]
    try:
        at = deploy("6-teams", with_files)
        wait_until(lambda: all(p["state"] == "up" for p in at.daemon.cli.peers().values()), 5,
                   lambda: f"the names to resolve: {at.daemon.cli.peers()}")
        inside, outside = Endpoint(world.internal, gateway), Endpoint(world.external, OUTSIDE[host])
        others += [inside, outside]
        answer, again = (sdp(gateway, inside.port, version=v, extra=SRTP).replace(
            "RTP/AVP", "RTP/SAVP") for v in (1, 2))
        callee = Callee().invited().answer(answer).acked().recv("INVITE").answer_invite(again)
        callee = at.callee(callee.acked().hold().bye(), gateway)
        target = at.callee(Callee().invited().answer(srtp(OUTSIDE[host], outside.port)).acked()
                           .answer_bye(), "127.0.0.1", transport="tcp", port=PLAIN_PORT + 1)
        caller = Caller().invite(srtp(OUTSIDE[by], 6000)).trying().recv(180, optional=True).answered()
        caller.ack().request("REFER", headers=[
            f"Refer-To: <{uri}>", f"Referred-By: {REFERRED_BY}",
            "Contact: <sip:api-du-a-uswe2.pstnhub.microsoft.com:443;x-i=b2646e24>"]).recv(202)
        for _ in range(2):  # 100, 200
            caller.recv("NOTIFY").reply(200)
        caller = Sipp(world.external, caller.answer_bye(), "127.0.0.1", (OUTSIDE[by], PLAIN_PORT),
                      "+4989123456", transport="tcp")
        at.agents.append(caller)
        finish(caller)
        told = [m.body for m in caller.received("NOTIFY")]
        assert told[0].startswith("SIP/2.0 100 ") and told[1].startswith("SIP/2.0 200 ")
        assert "REFER" in caller.received(200, "INVITE")[0].header("allow")
        invite = target.expect("INVITE")
        assert invite.first_line == f"INVITE {uri} SIP/2.0"
        assert (invite.header("to"), invite.header("referred-by")) == (f"<{uri}>", REFERRED_BY)
        assert "@sbc.example.com" in invite.header("from") and not invite.all("replaces")
        assert invite.header("contact") == "<sip:sbc.example.com:5061;transport=tls>"
        assert SRTP[0] in invite.body
        led = callee.received("INVITE")[1]
        hears(inside, led.media(), outside, (world.external, world.external_device))
        hears(outside, invite.media(), inside, (world.internal, world.internal_device))
        callee.go()
        finish(callee, target)
        records = wait_until(lambda: [r for r in at.daemon.records() if r["transfers"]], 5,
                             "the record of the transfer")
        assert [(t["kind"], t["by"], t["to"], t["code"]) for t in records[0]["transfers"]] == \
            [("blind", "a", TEAMS[host], 200)]
    finally:
        for other in others:
            other.close()
