# SPDX-License-Identifier: BSD-2-Clause
"""SIP outside of calls and at its edges: strangers, loops, framing, sizes, what is carried across
and what is hidden."""

import re
import shutil
import time

import pytest

import plan
from scenario import Callee, Caller, basic_callee, confirm, sdp
from sipp import finish

PBX, TRUNK = "10.10.0.2", "192.0.2.2"
OFFER, ANSWER = sdp(PBX, 5000), sdp(TRUNK, 6000)
NUMBER = plan.PEERS["trunk"].number


@pytest.mark.parametrize("peer", ["pbx", "pbx-tcp", "pbx6", "trunk", "trunk6-tcp"])
def test_options_is_answered(stage, peer):
    response = stage.wire(peer).ask("OPTIONS", "ping")
    assert response.code == 200
    assert "INVITE" in response.header("allow")


def test_options_of_sipsak_is_answered(stage):
    if not shutil.which("sipsak"):
        pytest.skip("sipsak is not installed")
    # -H: it need not resolve the name of this machine.
    stage.world.internal.run("sipsak", "-H", plan.PEERS["pbx"].address, "-s", "sip:ping@10.10.0.1:5060")


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "FOO"])
def test_method_that_is_not_understood_is_refused_with_allow(stage, method):
    response = stage.wire().ask(method)
    assert response.code in (405, 501)
    assert "INVITE" in (response.header("allow") or "")


def test_request_in_a_dialog_that_is_not_known_is_481(stage):
    assert stage.wire().ask("BYE", to="<sip:x@10.10.0.1>;tag=unknown").code == 481
    assert stage.wire().ask("CANCEL").code == 481


def test_max_forwards_0_is_483(stage):
    response = stage.wire().ask("INVITE", NUMBER, max_forwards=0)
    assert response.code == 483


def test_max_forwards_counts_down_across(stage):
    called = stage.callee(Callee().invited().respond(486).acked())
    stage.wire().ask("INVITE", NUMBER, max_forwards=17, body=OFFER,
                     headers=["Content-Type: application/sdp"])
    assert called.expect("INVITE").header("max-forwards") == "16"
    called.wait()


# RFC 3261 8.2.2.2
def test_request_that_comes_twice_by_different_ways_is_482(stage):
    called = stage.callee(Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487)
                          .acked())
    wire = stage.wire()
    sdp_type = ["Content-Type: application/sdp"]
    first = wire.request("INVITE", NUMBER, branch="z9hG4bKway1", headers=sdp_type, body=OFFER)
    wire.send(first)
    while wire.receive().code != 180:
        pass
    wire.send(wire.request("INVITE", NUMBER, branch="z9hG4bKway2", headers=sdp_type, body=OFFER))
    assert wire.final().code == 482
    wire.send(wire.request("CANCEL", NUMBER, branch="z9hG4bKway1"))
    assert {wire.final().code, wire.final().code} == {200, 487}
    wire.send(wire.request("ACK", NUMBER, branch="z9hG4bKway1"))
    called.wait()


# RFC 3581, RFC 3261 18.2.1
def test_response_goes_where_the_request_came_from_when_rport_asks_for_it(stage):
    wire = stage.wire(port=5099)
    response = wire.ask("OPTIONS", via="10.99.99.99:1234;rport")
    via = response.header("via")
    assert "received=10.10.0.2" in via and "rport=5099" in via


def test_response_goes_to_the_port_of_via_without_rport(stage):
    asking, listening = stage.wire(port=5098), stage.wire(port=5097)
    asking.send(asking.request("OPTIONS", via="10.10.0.2:5097"))
    assert listening.receive().code == 200


@pytest.mark.parametrize("peer, side", [("pbx", "internal"), ("trunk", "external")])
def test_stranger_is_403_and_counted(stage, peer, side):
    before = stage.cli.status()["sip"]["unknown_source"]
    stranger = stage.wire(peer, plan.STRANGER[side])
    assert stranger.ask("INVITE", NUMBER).code == 403
    assert stage.cli.status()["sip"]["unknown_source"] > before


def test_peer_is_a_stranger_on_a_listener_that_is_not_its_own(stage):
    assert stage.wire("phone").ask("OPTIONS").code == 200
    assert stage.wire("phone", remote_port=plan.LONE_PORT).ask("OPTIONS").code == 403


# RFC 3261 18.1.1, 18.2.1: a long request may have to come over TCP.
def test_peer_of_a_udp_listener_may_come_over_tcp_to_the_same_port(stage):
    assert stage.wire("phone", transport="tcp").ask("OPTIONS").code == 200


def test_tcp_message_in_pieces_is_one_message(stage):
    wire = stage.wire("pbx-tcp")
    data = wire.request("OPTIONS", headers=["X-Long: " + "x" * 200])
    for i in range(0, len(data), 37):
        wire.send(data[i:i + 37])
        time.sleep(0.002)
    assert wire.final().code == 200


def test_tcp_pipelined_messages_are_all_answered(stage):
    wire = stage.wire("pbx-tcp")
    requests = [wire.request("OPTIONS", cseq=n, call_id=f"pipe{n}") for n in range(1, 21)]
    wire.send(b"\r\n\r\n".join(requests) + b"\r\n")
    answered = {wire.final().header("call-id") for _ in requests}
    assert answered == {f"pipe{n}" for n in range(1, 21)}


def test_tcp_body_split_from_its_head_is_waited_for(stage):
    called = stage.callee(Callee().invited().respond(486).acked())
    wire = stage.wire("pbx-tcp")
    data = wire.request("INVITE", NUMBER, headers=["Content-Type: application/sdp"], body=OFFER)
    cut = data.index(b"\r\n\r\n") + 20
    wire.send(data[:cut])
    assert wire.silent(0.2)
    wire.send(data[cut:])
    assert wire.final().code == 486
    called.wait()


def test_tcp_keepalive_is_answered_and_harmless(stage):
    wire = stage.wire("pbx-tcp")
    wire.send(b"\r\n\r\n")  # RFC 5626 4.4.1
    assert wire.socket.recv(16) == b"\r\n"
    assert wire.ask("OPTIONS").code == 200


NONSENSE = {
    "garbage": b"\x00\xff\x17 not sip at all\r\n\r\n",
    "negative length": b"OPTIONS sip:x@10.10.0.1 SIP/2.0\r\nContent-Length: -5\r\n\r\n",
    "no headers": b"INVITE sip:x@10.10.0.1 SIP/2.0\r\n\r\n",
    "lone response": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.10.0.1\r\n\r\n",
    "empty": b"",
    "keep-alive": b"\r\n\r\n",
    "endless header": b"OPTIONS sip:x SIP/2.0\r\nX: " + b"y" * 60000,
    "huge status": b"SIP/2.0 4294967301 OK\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_harms_nothing(stage, name):
    wire = stage.wire()
    for _ in range(5):
        wire.send(NONSENSE[name])
    ask = stage.wire()
    assert ask.ask("OPTIONS").code == 200


LONG = "X-Long: " + "x" * 1500


# RFC 3261 18.1.1
def test_large_request_for_udp_goes_over_tcp(stage):
    called = stage.callee(basic_callee(ANSWER).bye(), transport="tcp")
    calling = stage.caller(Caller().invite(OFFER, headers=[LONG]).trying().recv(180).answered()
                           .ack().answer_bye())
    finish(calling, called)
    invite = called.received("INVITE")[0]
    assert len(invite.text) > 1500 and invite.header("via").startswith("SIP/2.0/TCP")


def test_large_request_comes_back_to_udp_where_tcp_is_refused(stage):
    called = stage.callee(basic_callee(ANSWER).answer_bye())
    stage.caller(Caller().invite(OFFER, headers=[LONG]).trying().recv(180).answered().ack()
                 .bye()).wait()
    called.wait()
    assert called.received("INVITE")[0].header("via").startswith("SIP/2.0/UDP")


def invite_with(stage, body):
    wire = stage.wire()
    response = wire.ask("INVITE", NUMBER, headers=["Content-Type: application/sdp"], body=body)
    return response.code


@pytest.mark.parametrize("body", ["v=0\r\n", "nonsense", OFFER.replace("audio 5000", "audio x")],
                         ids=["too short", "no SDP", "port"])
def test_sdp_that_makes_no_sense_is_400(stage, body):
    assert invite_with(stage, body) == 400


def test_host_name_as_media_address_is_488(stage):
    assert invite_with(stage, OFFER.replace("IP4 10.10.0.2", "IP4 pbx.example.com")) == 488


def test_answer_that_makes_no_sense_ends_the_callees_leg_and_is_502(stage):
    called = stage.callee(Callee().invited().answer("v=0\r\n").acked().answer_bye())
    calling = stage.caller(Caller().invite(OFFER).trying().refused(502))
    finish(calling, called)


def test_more_streams_than_we_take_are_488(stage):
    more = [f"m=audio {6000 + 2 * i} RTP/AVP 0" for i in range(8)]
    assert invite_with(stage, sdp(PBX, 5000, more=more)) == 488


def test_body_that_is_no_sdp_is_415(stage):
    response = stage.wire().ask("INVITE", NUMBER, headers=["Content-Type: text/plain"], body="hi")
    assert response.code == 415 and "application/sdp" in response.header("accept")


END_TO_END = {"X-Custom-Thing": "keep; me=\"as I am\"", "Subject": "lunch",
              "User-To-User": "00c0ffee",
              "Alert-Info": "<urn:alert:source:external>", "Priority": "urgent",
              "Accept-Language": "de"}


def test_header_fields_that_are_not_known_cross_both_ways(stage):
    extra = [f"{name}: {value}" for name, value in END_TO_END.items()]
    called = stage.callee(Callee().invited().respond(180, headers=extra)
                          .answer(ANSWER, headers=extra).acked().answer_bye())
    caller = Caller().invite(OFFER, headers=extra).trying().recv(180).answered().ack().bye()
    calling = stage.caller(caller)
    finish(calling, called)
    for message in (called.expect("INVITE"), calling.received(180)[0], calling.received(200)[0]):
        for name, value in END_TO_END.items():
            assert message.header(name) == value, f"{name} of {message!r}"


def test_hop_by_hop_header_fields_stay_on_their_leg(stage):
    called = stage.callee(basic_callee(ANSWER).answer_bye())
    stage.caller(Caller().invite(OFFER, headers=["Record-Route: <sip:10.10.0.2;lr>"]).trying()
                 .recv(180).answered().ack().bye()).wait()
    called.wait()
    invite = called.received("INVITE")[0]
    assert len(invite.all("via")) == 1 and not invite.all("record-route")
    assert "192.0.2.1" in invite.header("via") and "192.0.2.1" in invite.header("contact")


def test_request_that_requires_an_unknown_extension_is_420(stage):
    response = stage.wire().ask("INVITE", NUMBER, headers=["Require: teleportation"])
    assert response.code == 420 and "teleportation" in response.header("unsupported")


@pytest.mark.parametrize("frm, to", [("pbx", "trunk"), ("pbx-tcp", "trunk-tcp"), ("pbx6", "trunk"),
                                     ("trunk", "pbx")])
def test_topology_is_hidden_in_every_byte_on_the_wire(stage, frm, to):
    """Addresses, Call-ID, tags and branches of one leg are in no packet of the other."""
    caller_peer, callee_peer = plan.PEERS[frm], plan.PEERS[to]
    sniffers = {side: stage.sniffer(side) for side in ("internal", "external")}
    callee = (Callee().invited().respond(183, sdp(callee_peer.address, 6000))
              .answer(sdp(callee_peer.address, 6000)).acked())
    caller = Caller().invite(sdp(caller_peer.address, 5000)).trying().recv(183).answered().ack()
    confirm(caller, callee)
    called = stage.callee(callee.request("INFO").recv(200).answer_bye(), to)
    calling = stage.caller(caller.recv("INFO").reply(200).bye(), frm, to=to)
    finish(calling, called)
    time.sleep(0.1)
    def secrets(agent, side):
        found = set(plan.PRIVATE[side])
        for message in agent.messages():
            found.add(message.header("call-id"))
            for name in ("from", "to"):
                found.update(re.findall(r"tag=([^;>\s]+)", message.header(name)))
            found.update(re.findall(r"branch=([^;>\s]+)", message.header("via")))
        return found
    for agent, peer, other in ((calling, caller_peer, callee_peer),
                               (called, callee_peer, caller_peer)):
        wire = b"\n".join(d.payload for d in sniffers[other.side].datagrams() if d.payload)
        assert b"INVITE sip:" in wire
        for secret in secrets(agent, peer.side):
            assert secret.encode() not in wire, f"{secret} of {peer.side} seen on {other.side}"
