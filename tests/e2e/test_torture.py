# SPDX-License-Identifier: BSD-2-Clause
"""The torture tests of RFC 4475 and RFC 5118, message by message, as a configured peer sends them.

The files under torture/ are the messages as the RFCs print them, CRLF and all. Those of RFC 5118 say
a Content-Length that fits no way of counting their bodies; it is the true one here, since their
addresses are what is tested."""

import os
import re
import urllib.parse

import pytest

import plan
from conftest import Stage

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torture")
SILENCE = 0
BUSY = 486  # what the trunk says to each INVITE: the message has come through
# The RFCs use these again and again. Each message has its own here, or it would be taken for the one
# before, sent again.
COMMON_BRANCHES = (b"z9hG4bKkdjuw", b"z9hG4bKas3-111")

# Section, file, what becomes of it, the transport where it is not UDP, and the reason where the RFC
# leaves a choice or another element is meant. Viaduct is no registrar: a REGISTER that is well formed
# as far as we look gets 405.
CASES = [
    # ---- RFC 4475, 3.1.1: valid messages ----
    ("3.1.1.1", "wsinv", 481),  # its To has a tag, of a dialog that we do not know
    # A quoted NUL is legal and of no use but to break receivers: no control character comes through.
    ("3.1.1.2", "intmeth", 400, "tcp"),
    ("3.1.1.3", "esc01", BUSY),
    # libosip2 would lose what comes after the NUL: such a From, To or Request-URI is refused.
    ("3.1.1.4", "escnull", 400),
    ("3.1.1.5", "esc02", 501, "tcp"),
    ("3.1.1.6", "lwsdisp", 200),
    ("3.1.1.7", "longreq", BUSY, "tcp"),
    ("3.1.1.8", "dblreq", 405),  # of the REGISTER; the INVITE behind it is no message
    ("3.1.1.9", "semiuri", 200),
    ("3.1.1.10", "transports", 200),
    ("3.1.1.11", "mpart01", 405),  # a MESSAGE, whose parts nobody looks into
    ("3.1.1.12", "unreason", SILENCE),  # responses to no request of ours
    ("3.1.1.13", "noreason", SILENCE),
    # ---- 3.1.2: invalid messages ----
    ("3.1.2.1", "badinv01", 400),
    ("3.1.2.2", "clerr", 400),
    ("3.1.2.3", "ncl", 400),
    ("3.1.2.4", "scalar02", 400, "tcp"),
    ("3.1.2.5", "scalarlg", SILENCE, "tcp"),
    ("3.1.2.6", "quotbal", 400),
    ("3.1.2.7", "ltgtruri", 400),
    ("3.1.2.8", "lwsruri", 400),
    ("3.1.2.9", "lwsstart", 400),
    ("3.1.2.10", "trws", 400, "tcp"),
    ("3.1.2.11", "escruri", 400),
    ("3.1.2.12", "baddate", BUSY),  # 400 is allowed; we make nothing of a Date
    ("3.1.2.13", "regbadct", 405),  # no registrar
    ("3.1.2.14", "badaspec", 400),
    ("3.1.2.15", "baddn", 400),
    ("3.1.2.16", "badvers", 505),
    ("3.1.2.17", "mismatch01", 400),
    ("3.1.2.18", "mismatch02", 400),
    ("3.1.2.19", "bigcode", SILENCE),
    # ---- 3.2, 3.3: transaction and application layer ----
    ("3.2.1", "badbranch", 200),
    ("3.3.1", "insuf", 400),
    ("3.3.2", "unkscm", 416, "tcp"),
    ("3.3.3", "novelsc", 416, "tcp"),
    ("3.3.4", "unksm2", 405),
    ("3.3.5", "bext01", 420, "tcp"),
    ("3.3.6", "invut", 415),
    ("3.3.7", "regaut01", 405, "tcp"),
    ("3.3.8", "multi01", 400),
    ("3.3.9", "mcl01", 400),
    ("3.3.10", "bcast", SILENCE),
    ("3.3.11", "zeromf", 200),  # OPTIONS is for whom it reaches (RFC 3261 16.3)
    ("3.3.12", "cparam01", 405),
    ("3.3.13", "cparam02", 405),
    ("3.3.14", "regescrt", 405),
    ("3.3.15", "sdp01", 406),
    # ---- 3.4: backward compatibility ----
    ("3.4.1", "inv2543", 400),  # without a Contact nobody can end the call (RFC 3261 8.1.1.8)
]
IPV6_CASES = [
    ("4.1", "ipv6-good", 405),
    ("4.2", "ipv6-bad", 400),
    ("4.3", "port-ambiguous", 405),
    ("4.4", "port-unambiguous", 405),
    ("4.5", "via-received-param-with-delim", 481),  # a BYE of a dialog that we do not know
    ("4.5", "via-received-param-no-delim", 200),
    ("4.6", "ipv6-in-sdp", BUSY),
    ("4.7", "mult-ip-in-header", 481),
    ("4.8", "mult-ip-in-sdp", BUSY),
    ("4.9", "ipv4-mapped-ipv6", BUSY),
    ("4.10", "ipv6-bug-abnf-3-colons", 200),
    ("4.10", "ipv6-correct-abnf-2-colons", 200),
]


def cases(rfc, table):
    for number, (section, name, expected, *transport) in enumerate(table):
        yield pytest.param(rfc, name, number, expected, transport[0] if transport else "udp",
                           id=f"{section}-{name}")


@pytest.fixture(scope="module")
def configuration():
    whole = plan.configuration()
    return {**whole, "routes": [{"name": "all", "to": ["trunk"]}]}


@pytest.fixture
def stage(world, daemon):
    with Stage(world, daemon) as stage:
        yield stage
        stage.quiet()


def bytes_of(rfc, name, number):
    with open(os.path.join(FOLDER, rfc, name), "rb") as f:
        message = f.read()
    for branch in COMMON_BRANCHES:
        message = re.sub(rb"branch=" + branch + rb"(?=[;\s])", b"branch=%s.%d" % (branch, number),
                         message, count=1)
    return message


def header_of(message, name):
    found = re.search(rb"(?im)^(?:" + name + rb")[ \t]*:\s*((?:[^\r]|\r\n[ \t])*)", message)
    return found[1].decode(errors="replace").strip() if found else None


def ears(stage, peer, message):
    """The wire on which the peer sends, and that to which the answer goes: over UDP to the port that
    the topmost Via names (RFC 3261 18.2.2)."""
    if plan.PEERS[peer].transport == "tcp":
        wire = stage.wire(peer)
        return wire, wire
    wire = stage.wire(peer, port=plan.SIP_PORT)
    port = re.search(r"(?<=[^:]):(\d+)$", header_of(message, b"via|v").split(";")[0])
    if not port or int(port[1]) == plan.SIP_PORT or b";rport" in message:
        return wire, wire
    return wire, stage.wire(peer, port=int(port[1]))


def reply(request, code, phrase):
    head = [f"{name}: {value}" for name, value in request.headers
            if name in ("via", "from", "call-id", "cseq")]
    return "\r\n".join([f"SIP/2.0 {code} {phrase}", *head, f"To: {request.header('to')};tag=t",
                        "Content-Length: 0", "", ""]).encode()


def ack(answer):
    """RFC 3261 17.1.1.3, of the fields that the answer repeats."""
    kept = [f"{name}: {value}" for name, value in answer.headers
            if name in ("from", "to", "call-id")]
    return "\r\n".join([
        "ACK sip:x@example.com SIP/2.0", f"Via: {answer.header('via')}", *kept,
        f"CSeq: {answer.header('cseq').split()[0]} ACK", "Content-Length: 0", "", ""]).encode()


def answer_to(hears, call_id):
    """The final response in that Call-ID; what went before over the same port is passed by."""
    while True:
        message = hears.receive()
        if message.is_response and message.code != 100 and message.header("call-id") == call_id:
            return message


def fence(wire):
    """An OPTIONS, which is answered after all that was sent before it has been judged. Returns the
    messages that come until then."""
    call_id = os.urandom(6).hex()
    wire.send(wire.request("OPTIONS", call_id=call_id))
    before = []
    while True:
        message = wire.receive()
        if message.header("call-id") == call_id:
            assert message.code == 200
            return before
        before.append(message)


def refuse_call(trunk):
    """The INVITE that has come through, which is answered, and the answer acknowledged."""
    invite = trunk.receive()
    while invite.is_response or invite.method != "INVITE":
        invite = trunk.receive()
    trunk.send(reply(invite, BUSY, "Busy Here"))
    while trunk.receive().method != "ACK":
        pass
    return invite


def check_carried(invite):
    """What we send must be beyond reproach, whatever it was made of."""
    for name in ("via", "from", "to", "call-id", "cseq", "max-forwards", "contact",
                 "content-length"):
        assert len(invite.all(name)) == 1, f"{name}:\n{invite.text}"
    assert int(invite.header("content-length")) == len(invite.body.encode())
    assert re.fullmatch(r"INVITE sips?:[!-~]+ SIP/2\.0", invite.first_line), invite.first_line
    assert "\0" not in invite.text


def uri_of(value):
    return urllib.parse.unquote(re.search(r"[a-z]+:[^;<>\s]+", value)[0])


def check_answer(answer, message):
    """RFC 3261 8.2.6: what an answer repeats, and what its code obliges it to."""
    for name, names in (("from", b"from|f"), ("to", b"to|t")):
        sent = header_of(message, names)
        assert not sent or uri_of(answer.header(name)) == uri_of(sent)
    assert (answer.header("cseq") or "").split() == (header_of(message, b"cseq") or "").split()
    assert answer.header("via")
    due = {405: "allow", 501: "allow", 415: "accept", 420: "unsupported"}.get(answer.code)
    assert not due or answer.header(due), answer.text


@pytest.mark.parametrize("rfc,name,number,expected,transport",
                         [*cases("rfc4475", CASES), *cases("rfc5118", IPV6_CASES)])
def test_torture(stage, rfc, name, number, expected, transport):
    message = bytes_of(rfc, name, number)
    peer = "pbx6" if rfc == "rfc5118" else "pbx-tcp" if transport == "tcp" else "pbx"
    trunk = stage.wire("trunk", port=plan.SIP_PORT)
    sends, hears = ears(stage, peer, message)
    call_id = header_of(message, b"call-id|i")
    sends.send(message)
    if expected == BUSY:
        check_carried(refuse_call(trunk))
    if expected:
        answer = answer_to(hears, call_id)
        assert answer.code == expected, answer.text
        check_answer(answer, message)
        if message.startswith(b"INVITE"):
            hears.send(ack(answer))
    again = [m.text for m in fence(sends) if m.header("call-id") == call_id]
    assert not again, again[0]


def test_every_message_of_both_rfcs_is_sent():
    for rfc, table, count in (("rfc4475", CASES, 49), ("rfc5118", IPV6_CASES, 12)):
        names = sorted(case[1] for case in table)
        assert names == sorted(os.listdir(os.path.join(FOLDER, rfc)))
        assert len(names) == len(set(names)) == count
