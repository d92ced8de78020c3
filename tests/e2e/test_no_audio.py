# SPDX-License-Identifier: BSD-2-Clause
"""Calls without audio: `viaduct call` names the cause, without a look at anything else."""

import pytest

import plan
from events import Events
from rtp import Stream, wait_until
from scenario import sdp
from talk import Talk

TRUNK = plan.PEERS["trunk"].address
BEHIND_NAT = "192.168.1.5"


def findings(stage, talk, leg):
    """By their code, what is said of that leg."""
    return {f["code"]: f["text"] for f in stage.cli.streams(talk.id)[0]["findings"] if f.get("leg") == leg}


def ended(stage, talk):
    """The call's record, once it is over."""
    talk.end()
    records = wait_until(lambda: [r for r in stage.daemon.records() if r["id"] == talk.id], 5, "the record")
    return records[0]


def test_whoever_sends_from_another_port_than_its_sdp_says_is_named(stage):
    talk = Talk(stage)
    other = stage.endpoint("trunk")
    source, admitted = f"{TRUNK}:{other.port}", f"{TRUNK}:{talk.b.port}"
    with Events(stage, str(talk.id)) as events:
        other.send_stream(Stream(), talk.to_b(), 30)
        told = events.wait(lambda e: e["kind"] == "stranger")
        assert told["text"] == f"leg b stream 0 media from {source} is refused, admitted is {admitted}"
        text = wait_until(lambda: findings(stage, talk, "b").get("refused_source"), 3, "the finding")
        assert f"come from {source} and not from {admitted}" in text
        # The same source again is nothing new.
        other.send_stream(Stream(), talk.to_b(), 30)
        wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][1]["dropped_source"] == 60, 3, "60 packets")
        assert [e["kind"] for e in events.read()].count("stranger") == 1
    assert stage.cli.streams(talk.id)[0]["legs"][1]["refused_source"] == source
    leg = ended(stage, talk)["streams"][0]["b"]
    assert (leg["packets"], leg["refused"], leg["refused_source"]) == (0, 60, source)


def test_what_is_lost_behind_us_is_told_by_the_far_ends_rtcp(stage):
    """A firewall there, for instance: what we forward never comes to it."""
    talk = Talk(stage)
    streams = [(end, to, Stream()) for end, to, *_ in talk.ways()]
    address, port = talk.to_b()

    def told(report, code):
        for end, to, stream in streams:
            end.send(stream.packet(), to)
        talk.b.send_rtcp(report, (address, port + 1))
        found = {f["code"]: f for f in stage.cli.streams(talk.id)[0]["findings"]}
        return found.get(code)
    nothing_heard, all_heard = streams[1][2].sender_report(), streams[1][2].receiver_report(bytes(14) + bytes(4))
    wait_until(lambda: told(all_heard, "ok"), 3, lambda: str(stage.cli.streams(talk.id)[0]["findings"]))
    found = wait_until(lambda: told(nothing_heard, "unheard"), 3, lambda: str(stage.cli.streams(talk.id)[0]["findings"]))
    assert found["leg"] == "b" and f"sent on to {TRUNK}:{talk.b.port}" in found["text"]
    assert stage.cli.streams(talk.id)[0]["legs"][1]["far_loss_percent"] == 100
    wait_until(lambda: told(all_heard, "ok"), 3, lambda: str(stage.cli.streams(talk.id)[0]["findings"]))
    talk.end()


@pytest.mark.parametrize("payload, reason", [
    pytest.param(None, "media port without a call", id="another-port"),
    pytest.param(bytes.fromhex("16fefd") + bytes(20), "DTLS on a media port", id="dtls")])
def test_what_is_dropped_where_a_silent_leg_should_be_heard_is_told(stage, payload, reason):
    talk = Talk(stage)
    address, port = talk.to_b()
    to = (address, port) if payload else (address, plan.EXTERNAL_PORTS[1] - 1)

    def told():
        talk.b.send(payload or Stream().packet(), to)
        found = findings(stage, talk, "b")
        return "silent" in found and reason in found.get("dropped", "")
    wait_until(told, 5, lambda: str(findings(stage, talk, "b")))
    assert "dropped" not in findings(stage, talk, "a")  # nothing came in on its side
    talk.end()


def test_a_private_address_in_the_sdp_of_a_trunk_is_told(stage):
    b = stage.endpoint("trunk")
    talk = Talk(stage, b=b, answer=sdp(TRUNK, b.port, connection=BEHIND_NAT))
    text = findings(stage, talk, "b")["private_address"]
    assert BEHIND_NAT in text and f"SIP comes from {TRUNK}" in text
    assert "private_address" not in findings(stage, talk, "a")  # as is its SIP
    talk.end()
