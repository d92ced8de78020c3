# SPDX-License-Identifier: BSD-2-Clause
"""Calls of baresip, a user agent for people: real audio, heard at the other end."""

import re

import pytest

import plan
from baresip import Baresip
from rtp import tone_share, ulaw_decode, wait_until
from scenario import Callee, Caller, sdp

# Each is where its host's first address is: baresip sends its media from there.
INSIDE, OUTSIDE = plan.PEERS["pbx"], plan.PEERS["trunk"]
INSIDE_TONE_HZ, OUTSIDE_TONE_HZ = 400, 700
PURE = 0.98
# Packets of 20 ms; the first ones may be silence while the players start.
SKIP, HEARD = 25, 50


@pytest.fixture
def phone(stage):
    """Makes a baresip inside or outside that answers calls by itself."""
    def start(peer, tone):
        return stage.keep(Baresip(stage.namespace(peer.side), peer.address, peer.number, tone,
                                  answer=True))
    return start


def heard(sniffer, address, tone):
    """Waits for RTP at an address and tells how much of it is the tone."""
    def audio():
        return [d for d in sniffer.received((address, 0)) if d.src[1] >= plan.INTERNAL_PORTS[0]
                and d.payload[:1] == b"\x80" and d.payload_type == 0]
    wait_until(lambda: len(audio()) >= SKIP + HEARD, 5,
               lambda: f"audio at {address}: {len(audio())} packets")
    packets = audio()[SKIP:SKIP + HEARD]
    assert all(d.ok for d in packets)
    return tone_share([ulaw_decode(byte) for d in packets for byte in d.payload[12:]], tone)


@pytest.mark.parametrize("direction", ["outwards", "inwards"])
def test_baresip_calls_baresip_and_each_hears_the_other(stage, phone, direction):
    inside, outside = phone(INSIDE, INSIDE_TONE_HZ), phone(OUTSIDE, OUTSIDE_TONE_HZ)
    insides, outsides = stage.sniffer("internal"), stage.sniffer("external")
    caller, target = (inside, f"{OUTSIDE.number}@{INSIDE.viaduct}") if direction == "outwards" \
        else (outside, f"{INSIDE.number}@{OUTSIDE.viaduct}")
    caller.dial("sip:" + target)
    wait_until(lambda: [c["state"] for c in stage.cli.live_calls()] == ["answered"], 5, "an answer")
    assert heard(outsides, OUTSIDE.address, INSIDE_TONE_HZ) > PURE
    assert heard(insides, INSIDE.address, OUTSIDE_TONE_HZ) > PURE
    for leg in stage.cli.streams(stage.cli.only_call())[0]["legs"]:
        assert leg["packets"] >= HEARD and leg["lost"] == 0 and leg["mos"] > 4
    caller.hangup()
    stage.quiet()


def test_baresip_calls_sipp(stage, phone):
    answer = sdp(OUTSIDE.address, stage.endpoint("trunk").port, ("0 PCMU/8000",))
    called = stage.callee(Callee().invited().respond(180).answer(answer).acked().bye())
    phone(INSIDE, INSIDE_TONE_HZ).dial(f"sip:{OUTSIDE.number}@{INSIDE.viaduct}")
    called.wait()


def test_sipp_calls_baresip(stage, phone):
    phone(OUTSIDE, OUTSIDE_TONE_HZ)
    offer = sdp(INSIDE.address, stage.endpoint("pbx").port, ("0 PCMU/8000",))
    caller = Caller().invite(offer).trying().recv(180, optional=True).recv(183, optional=True)
    calling = stage.caller(caller.answered().ack().pause(500).bye())
    calling.wait()
    assert re.search(r"m=audio \d+ RTP/AVP 0", calling.received(200, "INVITE")[0].body)
