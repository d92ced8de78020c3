# SPDX-License-Identifier: BSD-2-Clause
"""What tests of transfers share: who refers, what it hears of it, and who talks to whom afterwards."""

import plan
from rtp import Stream, wait_until

PACKETS = 25


def to_number(number):
    return f"Refer-To: <sip:{number}@{plan.PEERS['pbx'].viaduct}>"


def referring(call, refer_to):
    """The caller refers when the test says so."""
    return call.hold().request("REFER", headers=[refer_to, "Contact: <sip:caller@[local_ip]>"]).recv(202)


def until_bye(agent):
    """Answers NOTIFYs, however many, until it is told BYE."""
    agent.steps.append('<label id="1"/>')
    agent.recv("BYE", optional=True, next="2").recv("NOTIFY").reply(200, next="1")
    agent.steps.append('<label id="2"/>')
    return agent.reply(200)


def notified(agent, code):
    """The NOTIFY that tells of that code has come."""
    def told():
        return [m for m in agent.received("NOTIFY") if m.body.startswith(f"SIP/2.0 {code} ")]
    return wait_until(told, 8, lambda: f"NOTIFY of {code}: {agent.explain()}")[0]


def speak(stage, sender, where, receiver, side):
    """Media that leaves sender for `where` reaches receiver, unharmed."""
    sniffer, stream = stage.sniffer(side), Stream()
    sender.send_stream(stream, where, PACKETS)
    got = sniffer.wait_received((receiver.address, receiver.port), PACKETS)
    assert [datagram.payload for datagram in got] == stream.sent


def record_of(stage, call):
    def found():
        return [r for r in stage.daemon.records() if r["id"] == call]
    return wait_until(found, 5, f"the record of call {call}")[0]
