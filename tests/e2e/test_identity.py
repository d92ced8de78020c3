# SPDX-License-Identifier: BSD-2-Clause
"""What one side is told about the callers of the other, and bodies beside SDP."""

import pytest

import plan
from scenario import Caller, basic_callee, sdp
from sipp import Message, finish
from test_hostile import response

PBX, BOUNDARY = plan.PEERS["pbx"], "viaduct-test"
PAI = f"P-Asserted-Identity: \"Ann\" <sip:+4930123@{PBX.address}>"
CLAIMS = [PAI, f"Diversion: <sip:77@{PBX.address}>;reason=no-answer",
          f"History-Info: <sip:77@{PBX.address}>;index=1", f"Referred-By: <sip:78@{PBX.address}>",
          "User-to-User: 0405;encoding=hex"]
PIDF_LO = ("<?xml version=\"1.0\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" "
           "entity=\"pres:ann@example.com\"><tuple id=\"a\"/></presence>")


def call(stage, headers, frm="pbx", to="informed", body=None, **kwargs):
    """A call with those header fields; the INVITE that the callee saw."""
    offer = body or sdp(plan.PEERS[frm].address, 5000)
    caller = Caller().invite(offer, headers=headers, **kwargs).trying().recv(180, optional=True)
    called = stage.callee(basic_callee(sdp(plan.PEERS[to].address, 6000)).answer_bye(), to)
    finish(stage.caller(caller.answered().ack().bye(), frm, to=to), called)
    return called.expect("INVITE")


def test_informed_trunk_is_told_with_our_host(stage):
    invite = call(stage, CLAIMS)
    assert invite.header("P-Asserted-Identity") == '"Ann" <sip:+4930123@192.0.2.1>'
    assert invite.header("Diversion") == "<sip:77@192.0.2.1>;reason=no-answer"
    assert invite.header("History-Info") == "<sip:77@192.0.2.1>;index=1"
    assert invite.header("Referred-By") == "<sip:78@192.0.2.1>"
    assert invite.header("User-to-User") == "0405;encoding=hex"


def test_provider_that_asks_for_its_domain_in_from_gets_it(stage):
    invite = call(stage, [], to="domain")
    assert "@sip.provider.example>" in invite.header("From")
    assert invite.header("P-Asserted-Identity") == "<sip:caller@sip.provider.example>"


def test_other_trunks_are_told_nothing(stage):
    invite = call(stage, CLAIMS, to="trunk")
    for name in ("P-Asserted-Identity", "Diversion", "History-Info", "Referred-By"):
        assert invite.header(name) is None


def test_private_caller_is_not_named_outside(stage):
    invite = call(stage, [PAI, "Privacy: id;user"])
    assert invite.header("P-Asserted-Identity") is None
    assert invite.header("Privacy") == "id"
    assert "sip:anonymous@anonymous.invalid" in invite.header("From")
    assert "caller" not in invite.header("From")


def test_trunk_is_not_believed(stage):
    invite = call(stage, ["P-Asserted-Identity: <sip:112@192.0.2.2>"], frm="trunk", to="pbx")
    assert invite.header("P-Asserted-Identity") is None


@pytest.mark.parametrize("frm, to", [("pbx", "trunk"), ("trunk", "pbx")])
def test_location_crosses_beside_sdp(stage, frm, to):
    """RFC 6442: the body of type PIDF-LO that Geolocation points at, by its Content-ID."""
    offer = sdp(plan.PEERS[frm].address, 5000)
    body = (f"--{BOUNDARY}\nContent-Type: application/sdp\n\n{offer}\n--{BOUNDARY}\n"
            f"Content-Type: application/pidf+xml\nContent-ID: <ann@example.com>\n\n{PIDF_LO}\n"
            f"--{BOUNDARY}--\n")
    invite = call(stage, ["Geolocation: <cid:ann@example.com>"], frm, to, body,
                  content_type=f"multipart/mixed;boundary={BOUNDARY}")
    assert invite.header("Geolocation") == "<cid:ann@example.com>"
    assert "Content-ID: <ann@example.com>" in invite.body
    assert "entity=\"pres:ann@example.com\"" in invite.body
    assert f"c=IN IP4 {plan.PEERS[to].viaduct}" in invite.body
    assert plan.PEERS[frm].address not in invite.text


ISUP = bytes(range(256)) + b"\r\n\r\n\x01\x00--\r\n-\x00\r\n"


def test_isup_crosses_beside_sdp_byte_by_byte(stage):
    """RFC 3204: a binary body, with NULs and line ends wherever they fall."""
    callee, caller = stage.wire("trunk", port=5060), stage.wire("pbx")
    isup = (b"Content-Type: application/isup;version=itu-t92+\r\n"
            b"Content-Disposition: signal;handling=optional\r\n\r\n" + ISUP)
    offer = b"Content-Type: application/sdp\r\n\r\n" + sdp(PBX.address, 5000).encode()
    mark = f"\r\n--{BOUNDARY}".encode()
    body = mark[2:] + b"\r\n" + offer + mark + b"\r\n" + isup + mark + b"--\r\n"
    head = caller.request("INVITE", user=plan.PEERS["trunk"].number, headers=[
        "MIME-Version: 1.0", f"Content-Type: multipart/mixed;boundary={BOUNDARY}"])
    caller.send(head.replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)) + body)
    sent = callee.socket.recv(65535)
    refused = response(Message(True, sent.decode(errors="replace")), 486, "b")
    callee.send(refused)
    assert caller.final().code == 486
    *_, part, end = sent.split(mark)
    fields, _, content = part.partition(b"\r\n\r\n")
    assert content == ISUP and end.startswith(b"--")
    assert sorted(fields.lower().replace(b"; ", b";").split(b"\r\n")[1:]) == [
        b"content-disposition: signal;handling=optional",
        b"content-type: application/isup;version=itu-t92+"]
