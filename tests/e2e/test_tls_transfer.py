# SPDX-License-Identifier: BSD-2-Clause
"""Over TLS, with two providers' kamailios: INVITE with Replaces, REFER done here, and calls that go on to the
next provider, with session timers."""

import pytest

import plan
import proxy as proxies
from rtp import wait_until
from scenario import Callee, Caller, basic_callee, escaped, replaces, sdp
from sipp import finish
from test_tls import OUR_NAME, PROXY, PROXY_NAME, VIA, TlsStage
from test_transfer import picking_up
from transfers import notified, record_of, referring, speak, until_bye

PBX, PHONE, TRUNK, SECOND, PLAIN = (
    plan.PEERS[name] for name in ("pbx", "phone", "trunk", "second", "informed"))
OTHER, OTHER_NAME = "192.0.2.3", "sip.other.example"
FAILOVER = "2200"
INTERVAL_S = 10  # of a session: refreshed after half of it, ended after two thirds


@pytest.fixture(scope="module")
def identities(authority):
    return {name: authority.issue(name, [f"DNS:{host}"]) for name, host in
            (("ours", OUR_NAME), ("itsp", PROXY_NAME), ("other", OTHER_NAME))}


@pytest.fixture(scope="module")
def configuration(authority, identities):
    base, tls = plan.configuration(), "external-tls"
    silent = {"liveness": {"interval": 0}}
    peers = [{"name": p.name, "kind": "direct" if p.side == "internal" else "trunk", "listener": p.listener,
              "address": p.sip_address, **silent} for p in (PBX, PHONE, PLAIN)]
    timer = {"session_timer": {"mode": "request", "interval": INTERVAL_S, "min": 1}}
    peers += [{"name": "itsp", "kind": "trunk", "listener": tls, "address": PROXY,
               "certificate_names": [PROXY_NAME], **silent, **timer},
              {"name": "other", "kind": "trunk", "listener": tls, "address": OTHER,
               "certificate_names": [OTHER_NAME], **silent, **timer}]
    routes = [{"called": number, "to": to} for number, to in
              ((PBX.number, ["pbx"]), (PHONE.number, ["phone"]), (PLAIN.number, [PLAIN.name]),
               (TRUNK.number, ["itsp"]), (FAILOVER, ["itsp", "other"]))]
    return {**base, "peers": peers, "routes": routes,
            "tls": [{"name": "outside", "certificate": identities["ours"].certificate,
                     "key": identities["ours"].key, "ca": authority.file, "fqdn": OUR_NAME}],
            "listeners": [*base["listeners"], {"name": tls, "side": "external", "transport": "tls",
                                               "address": VIA, "tls": "outside"}]}


@pytest.fixture(scope="module")
def start(world, daemon, authority, identities, tmp_path_factory):
    """Starts a provider's proxy by its name."""
    places = {"itsp": (PROXY, TRUNK.address), "other": (OTHER, SECOND.address)}

    def make(name):
        return proxies.start(world.external, tmp_path_factory.mktemp(name), *places[name], VIA, OUR_NAME,
                             identities[name], authority)
    return make


@pytest.fixture(scope="module")
def itsp(start):
    server = start("itsp")
    yield server
    server.close()


@pytest.fixture
def stage(world, daemon, itsp):
    with TlsStage(world, daemon) as stage:
        yield stage
        stage.check_hidden()
        stage.quiet()


def led_anew(callee, address, port):
    """Is answered, and asked for its media once more."""
    callee.answer(sdp(address, port)).acked().recv("INVITE")
    return callee.answer_invite(sdp(address, port, version=2)).recv("ACK")


def to(number, scheme):
    return f"Refer-To: <{scheme}:{number}@{OUR_NAME}>"


# ---- INVITE with Replaces (RFC 3891) ----

def test_invite_with_replaces_takes_the_callers_place(stage):
    at_pbx, at_new = stage.endpoint(), stage.endpoint("trunk")
    called = stage.callee(led_anew(Callee().invited(), PBX.address, at_pbx.port).answer_bye(), "pbx")
    calling = stage.caller(Caller().invite(sdp(TRUNK.address, stage.endpoint("trunk").port)).trying()
                           .answered().ack().answer_bye(), "trunk", to="pbx")
    ok = calling.expect(200, "INVITE")
    called.expect("ACK")
    call = stage.cli.only_call()
    taking = [f"Replaces: {replaces(ok)}", "Require: replaces"]
    new = stage.caller(Caller().invite(sdp(TRUNK.address, at_new.port), headers=taking).trying().answered()
                       .ack().hold().bye(), "trunk", to="pbx", port=5062)
    answer = new.expect(200, "INVITE")
    calling.wait()
    assert answer.header("contact") == f"<sip:{OUR_NAME}:5061;transport=tls>"
    speak(stage, at_new, answer.media(), at_pbx, "internal")
    speak(stage, at_pbx, called.received("INVITE")[1].media(), at_new, "external")
    new.go()
    finish(new, called)
    assert [t["kind"] for t in record_of(stage, call)["transfers"]] == ["replaces"]


def test_a_call_that_rings_is_picked_up_at_another_phone(stage):
    at_pbx, at_new = stage.endpoint(), stage.endpoint("trunk")
    rings = Callee(proxied=True).invited().respond(180).recv("CANCEL").reply(200).respond(487).acked()
    ringing = stage.callee(rings)
    caller = Caller().invite(sdp(PBX.address, at_pbx.port)).trying().recv(180).answered().ack()
    caller.recv("INVITE").answer_invite(sdp(PBX.address, at_pbx.port, version=2))
    calling = stage.caller(caller.recv("ACK").answer_bye())
    calling.expect(180)
    new = stage.caller(picking_up(ringing, sdp(TRUNK.address, at_new.port)).ack().hold().bye(), "trunk",
                       to="pbx", port=5062)
    answer = new.expect(200, "INVITE")
    ringing.wait()
    speak(stage, at_new, answer.media(), at_pbx, "internal")
    speak(stage, at_pbx, calling.received("INVITE")[0].media(), at_new, "external")
    new.go()
    finish(new, calling)


# ---- REFER done here (RFC 3515) ----

@pytest.mark.parametrize("scheme", ["sip", "sips"])
def test_blind_transfer_by_the_callee_over_tls_and_the_others_talk(stage, scheme):
    at_pbx, at_phone = stage.endpoint(), stage.endpoint("phone")
    target = stage.callee(Callee().invited().respond(180).hold().answer(
        sdp(PHONE.address, at_phone.port)).acked().hold().bye(), "phone")
    callee = Callee().invited().answer(sdp(TRUNK.address, stage.endpoint("trunk").port)).acked()
    called = stage.callee(until_bye(referring(callee, to(PHONE.number, scheme))))
    caller = Caller().invite(sdp(PBX.address, at_pbx.port)).trying().recv(180, optional=True).answered().ack()
    caller.recv("INVITE").answer_invite(sdp(PBX.address, at_pbx.port, version=2))
    calling = stage.caller(caller.recv("ACK").answer_bye())
    called.expect("ACK")
    call = stage.cli.only_call()
    called.go()
    notified(called, 180)
    target.go()
    assert notified(called, 200).header("subscription-state").startswith("terminated")
    called.wait()
    speak(stage, at_pbx, calling.received("INVITE")[0].media(), at_phone, "internal")
    speak(stage, at_phone, target.received("INVITE")[0].media(), at_pbx, "internal")
    target.go()
    finish(target, calling)
    transfer, = record_of(stage, call)["transfers"]
    assert (transfer["kind"], transfer["by"], transfer["code"]) == ("blind", "b", 200)


@pytest.mark.parametrize("code", [200, 486])
def test_blind_transfer_to_one_over_tls(stage, code):
    """Who answers talks to the one transferred; who refuses leaves the two talking."""
    at_plain, at_trunk, at_pbx = stage.endpoint(PLAIN.name), stage.endpoint("trunk"), stage.endpoint()
    target = Callee().invited()
    target = target.answer(sdp(TRUNK.address, at_trunk.port)).acked().hold().bye() if code == 200 else \
        target.respond(code).acked()
    target = stage.callee(target)
    callee = Callee().invited().answer(sdp(PLAIN.address, at_plain.port)).acked()
    if code == 200:
        callee.recv("INVITE").answer_invite(sdp(PLAIN.address, at_plain.port, version=2)).recv("ACK")
    called = stage.callee(callee.answer_bye(), PLAIN.name)
    caller = referring(Caller().invite(sdp(PBX.address, at_pbx.port)).trying().answered().ack(),
                       f"Refer-To: <sip:{TRUNK.number}@{PBX.viaduct}>")
    for _ in range(2):  # 100, and how it ended
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye() if code == 200 else caller.hold().bye(), to=PLAIN.name)
    called.expect("ACK")
    calling.go()
    notified(calling, code)
    invited = target.received("INVITE")[0]
    assert OUR_NAME in invited.header("from")
    assert invited.header("contact") == f"<sip:{OUR_NAME}:5061;transport=tls>"
    if code == 200:
        calling.wait()
        speak(stage, at_plain, called.received("INVITE")[1].media(), at_trunk, "external")
        speak(stage, at_trunk, invited.media(), at_plain, "external")
        target.go()
    else:
        speak(stage, at_pbx, calling.received(200, "INVITE")[0].media(), at_plain, "external")
        speak(stage, at_plain, called.received("INVITE")[0].media(), at_pbx, "internal")
        calling.go()
    finish(target, called, calling)


def test_attended_transfer_over_tls_joins_the_far_ends(stage):
    """A phone outside talks to the PBX and to a phone, and joins the two."""
    at_pbx, at_phone = stage.endpoint(), stage.endpoint("phone")
    called = stage.callee(led_anew(Callee().invited(), PBX.address, at_pbx.port).answer_bye(), "pbx")
    target = stage.callee(led_anew(Callee().invited(), PHONE.address, at_phone.port).hold().bye(), "phone")
    offer = sdp(TRUNK.address, stage.endpoint("trunk").port)
    consulting = stage.caller(Caller().invite(offer).trying().answered().ack().answer_bye(), "trunk",
                              to="phone", port=5062)
    named = replaces(consulting.expect(200, "INVITE"))
    caller = Caller().invite(offer).trying().answered().ack()
    caller = referring(caller, f"Refer-To: <sip:{PHONE.number}@{OUR_NAME}?Replaces={escaped(named)}>")
    for _ in range(2):  # 100, 200
        caller.recv("NOTIFY").reply(200)
    calling = stage.caller(caller.answer_bye(), "trunk", to="pbx")
    called.expect("ACK")
    calling.go()
    finish(calling, consulting)
    speak(stage, at_pbx, called.received("INVITE")[1].media(), at_phone, "internal")
    speak(stage, at_phone, target.received("INVITE")[1].media(), at_pbx, "internal")
    target.go()
    finish(target, called)


# ---- the next provider, and session timers (RFC 4028) ----

@pytest.fixture
def other(start):
    server = start("other")
    yield server
    server.close()


def test_the_next_provider_has_a_session_of_its_own_that_is_refreshed(stage, other):
    """The first asks for a longer session, and fails: the second is asked for what is set."""
    a, b = stage.endpoint(), stage.endpoint("second")
    answer = sdp(SECOND.address, b.port)
    failing = Callee().invited().respond(422, headers=["Min-SE: 600"]).recv("ACK").invited()
    failing = stage.callee(failing.respond(500).acked())
    callee = basic_callee(answer, ringing=False).recv("INVITE").answer_invite(answer).acked()
    called = stage.callee(callee.hold().answer_bye(), "second")
    calling = stage.caller(Caller().invite(sdp(PBX.address, a.port)).trying().answered().ack().hold().bye(),
                           number=FAILOVER)
    first, again = called.expect("INVITE"), called.expect("INVITE", count=2)
    called.expect("ACK", count=2)
    failing.wait()
    assert [m.header("session-expires") for m in failing.received("INVITE")] == [str(INTERVAL_S), "600"]
    assert first.header("session-expires") == str(INTERVAL_S) and first.header("min-se") == "1"
    assert again.body == first.body and again.header("call-id") == first.header("call-id")
    speak(stage, a, calling.expect(200, "INVITE").media(), b, "external")
    speak(stage, b, again.media(), a, "internal")
    call = stage.cli.only_call()
    called.go()
    calling.go()
    finish(calling, called)
    assert [(t["peer"], t["code"]) for t in record_of(stage, call)["attempts"]] == \
        [("itsp", 500), ("other", 200)]


def test_a_session_is_refreshed_over_a_connection_made_anew(stage, other, start):
    """The provider's proxy is started again during the call."""
    answer = sdp(SECOND.address, stage.endpoint("second").port)
    refusing = stage.callee(Callee().invited().respond(503).acked())
    callee = basic_callee(answer, ringing=False).recv("INVITE").answer_invite(answer).acked()
    called = stage.callee(callee.hold().answer_bye(), "second")
    calling = stage.caller(Caller().invite(sdp(PBX.address, stage.endpoint().port)).trying().answered()
                           .ack().hold().bye(), number=FAILOVER)
    called.expect("ACK")
    connected = stage.sip("tls_connected")
    other.close()
    wait_until(lambda: not stage.cli.json("peer", "other")["tls"]["connections"], 3, "the connection to end")
    anew = stage.keep(start("other"))
    called.expect("ACK", count=2)
    assert stage.sip("tls_connected") == connected + 1, anew.log()
    called.go()
    calling.go()
    finish(calling, called, refusing)
