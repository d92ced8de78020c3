# SPDX-License-Identifier: BSD-2-Clause
"""An answered call that holds while a test plays with its media."""

import plan
from rtp import Stream
from scenario import Callee, Caller, sdp
from sipp import CALL_TIMEOUT_S, finish


class Talk:
    """sipp on both sides; a and b are RTP endpoints, to_a and to_b where each of them sends."""

    def __init__(self, stage, frm="pbx", to="trunk", offer=None, answer=None, ended_by="caller",
                 a=None, b=None, timeout=CALL_TIMEOUT_S):
        self.stage = stage
        self.a = a or stage.endpoint(frm)
        self.b = b or stage.endpoint(to)
        offer = offer or sdp(plan.PEERS[frm].address, self.a.port)
        answer = answer or sdp(plan.PEERS[to].address, self.b.port)
        caller = Caller().invite(offer).trying().recv(180, optional=True).answered().ack()
        callee = Callee().invited().answer(answer).acked()
        if ended_by == "caller":
            caller.hold().bye()
            callee.answer_bye()
        elif ended_by == "callee":
            caller.answer_bye()
            callee.hold().bye()
        else:  # Viaduct itself
            caller.answer_bye()
            callee.answer_bye()
        self.ended_by = ended_by
        self.inside, self.outside = stage.sniffer("internal"), stage.sniffer("external")
        self.called = stage.callee(callee, to, timeout=timeout)
        self.calling = stage.caller(caller, frm, to=to, timeout=timeout)
        self.ok = self.calling.expect(200, "INVITE")
        self.invite = self.called.expect("INVITE")
        self.called.expect("ACK")
        self.id = stage.cli.only_call()
        self.sniffer_of_b = self.outside if plan.PEERS[to].side == "external" else self.inside
        self.sniffer_of_a = self.inside if plan.PEERS[frm].side == "internal" else self.outside

    def to_a(self, index=0):
        """Where a sends: as Viaduct's answer told it."""
        return self.ok.media(index)

    def to_b(self, index=0):
        return self.invite.media(index)

    def ways(self):
        """(sender, where to, receiver, the receiver's sniffer) of both directions."""
        return ((self.a, self.to_a(), self.b, self.sniffer_of_b),
                (self.b, self.to_b(), self.a, self.sniffer_of_a))

    def check_media(self, count=10):
        """What either end sends comes to the other, bit for bit."""
        for sender, to, receiver, sniffer in self.ways():
            stream, since = Stream(), sniffer.mark()
            sender.send_stream(stream, to, count)
            got = sniffer.wait_received((receiver.address, receiver.port), count, since=since)
            assert [datagram.payload for datagram in got] == stream.sent

    def end(self):
        if self.ended_by == "caller":
            self.calling.go()
        elif self.ended_by == "callee":
            self.called.go()
        finish(self.calling, self.called)
