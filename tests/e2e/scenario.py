# SPDX-License-Identifier: BSD-2-Clause
"""A sipp scenario, written as the test reads: what one side of a call sends and expects, in order.

    caller = Caller().invite(sdp(...)).recv(100, optional=True).recv(180).recv(200).ack()
    caller.hold().bye()

Every step becomes sipp XML; sipp fails the call on anything that is not expected. hold() waits
until the test says go: it is a NOTIFY that the test itself sends to sipp (sipp.Sipp.go).
"""

import re
from collections import Counter
from xml.sax.saxutils import escape

HOLD_METHOD = "NOTIFY"
RETRANSMIT_MS = 500  # RFC 3261 T1


def sdp(address, port, codecs=("0 PCMU/8000", "8 PCMA/8000"), direction=None, session=1, version=1,
        connection=None, extra=(), more=()):
    """An SDP with one audio line; extra: further a= lines of it, more: further lines after it."""
    kind = "IP6" if ":" in address else "IP4"
    numbers = " ".join(codec.split()[0] for codec in codecs)
    lines = ["v=0", f"o=- {session} {version} IN {kind} {address}", "s=-",
             f"c=IN {kind} {connection or address}", "t=0 0", f"m=audio {port} RTP/AVP {numbers}"]
    lines += [f"a=rtpmap:{codec}" for codec in codecs]
    lines += [f"a={line}" for line in extra]
    if direction:
        lines.append(f"a={direction}")
    return "\r\n".join(lines + list(more)) + "\r\n"


class Agent:
    """Steps that both sides have. Subclasses know their From, To and the next CSeq."""

    first_cseq = 1

    def __init__(self, user):
        self.user = user
        self.steps = []
        self.variables = set()
        self.cseq = self.first_cseq
        self.last_received = None
        self.labels = 0
        self.done = Counter()  # of the steps so far: ("recv" or "send", status code or method)
        self.holds = []        # of each hold, what is done before it

    # ---- receiving ----
    def recv(self, what, optional=False, save=(), **attributes):
        """what: a status code or a method. save: (variable, header) pairs to keep, or
        (variable, header, which of several there are)."""
        self.last_received = what
        if not optional:
            self.done["recv", what] += 1
        kind = "response" if isinstance(what, int) else "request"
        fields = {kind: what, **attributes}
        if optional:
            fields["optional"] = "true"
        text = " ".join(f'{name}="{value}"' for name, value in fields.items())
        actions = []
        for variable, header, *which in save:
            self.variables.add(variable)
            occurrence = f'occurrence="{which[0]}" ' if which else ""
            actions.append(f'<ereg regexp=".*" search_in="hdr" header="{header}:" {occurrence}'
                           f'check_it="true" assign_to="{variable}"/>')
        body = f"<action>{''.join(actions)}</action>" if actions else ""
        self.steps.append(f"<recv {text}>{body}</recv>")
        return self

    def hold(self):
        self.holds.append(Counter(self.done))
        return self.recv(HOLD_METHOD)

    def label(self, name):
        """Where a step received with next=name goes on."""
        self.steps.append(f'<label id="{name}"/>')
        return self

    def pause(self, milliseconds):
        self.steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    # ---- sending ----
    def send(self, lines, body=None, content_type="application/sdp", headers=(), **attributes):
        lines = list(lines) + list(headers)
        what, code, *_ = lines[0].split()
        self.done["send", int(code) if what == "SIP/2.0" else what] += 1
        if body:
            lines += [f"Content-Type: {content_type}", "Content-Length: [len]", "", body]
        else:
            lines += ["Content-Length: 0", "", ""]
        text = " ".join(f'{name}="{value}"' for name, value in attributes.items())
        message = "\n".join(lines).replace("\r\n", "\n")
        self.steps.append(f"<send {text}><![CDATA[\n{message}\n]]></send>")
        return self

    def reply(self, code, reason="x", body=None, headers=(), contact=False, **kwargs):
        """Answers the request received last."""
        lines = [f"SIP/2.0 {code} {reason}", "[last_Via:]", "[last_Record-Route:]", "[last_From:]",
                 "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"]
        if contact:
            lines.append(self.contact)
        return self.send(lines, body, headers=headers, **kwargs)

    def request(self, method, body=None, headers=(), cseq=None, uri="[next_url]", **kwargs):
        """A request inside the dialog."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        lines = [f"{method} {uri} SIP/2.0",
                 "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport",
                 "[routes]", *self.dialog_headers(), "Call-ID: [call_id]", f"CSeq: {cseq} {method}",
                 "Max-Forwards: 70"]
        if method in ("INVITE", "UPDATE"):
            lines.append(self.contact)
        if method != "ACK":
            kwargs.setdefault("retrans", RETRANSMIT_MS)
        return self.send(lines, body, headers=headers, **kwargs)

    def ack(self, body=None, cseq=None):
        """Acknowledges a 2xx."""
        return self.request("ACK", body, cseq=cseq or self.cseq)

    # RFC 3261 17.1.1.3: the ACK of any other final response belongs to the INVITE's transaction.
    def ack_failure(self, uri="[next_url]", via="[last_Via:]", to="[last_To:]"):
        return self.send([f"ACK {uri} SIP/2.0", via, "[last_From:]", to,
                          "Call-ID: [call_id]", f"CSeq: {self.cseq} ACK", "Max-Forwards: 70"])

    def bye(self, headers=()):
        return self.request("BYE", headers=headers).recv(200)

    def answer_bye(self):
        return self.recv("BYE").reply(200)

    def answer_invite(self, body, code=200, headers=()):
        """Answers a re-INVITE or UPDATE that was just received."""
        return self.reply(code, "x", body, headers, contact=True)

    @property
    def contact(self):
        return f"Contact: <sip:{self.user}@[local_ip]:[local_port];transport=[transport]>"

    def xml(self):
        names = ",".join(sorted(self.variables))
        references = f'<Reference variables="{names}"/>' if names else ""
        return ('<?xml version="1.0" encoding="UTF-8" ?>\n'
                f'<scenario name="{escape(type(self).__name__)}">\n'
                + "\n".join(self.steps) + f"\n{references}\n</scenario>\n")


class Caller(Agent):
    target = "sip:[service]@[remote_ip]:[remote_port]"
    from_header = "From: <sip:caller@[local_ip]:[local_port]>;tag=[pid]a[call_number]"

    def __init__(self, user="caller"):
        super().__init__(user)

    def initial(self, method, body=None, headers=(), max_forwards=70, **kwargs):
        lines = [f"{method} {self.target} SIP/2.0",
                 "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport",
                 self.from_header, f"To: <{self.target}>", "Call-ID: [call_id]",
                 f"CSeq: {self.cseq} {method}", f"Max-Forwards: {max_forwards}", self.contact]
        kwargs.setdefault("retrans", RETRANSMIT_MS)
        return self.send(lines, body, headers=headers, **kwargs)

    def invite(self, body=None, headers=(), **kwargs):
        return self.initial("INVITE", body, headers, **kwargs)

    def trying(self):
        return self.recv(100, optional=True)

    def answered(self, code=200):
        """The response that makes the dialog: keeps To, Contact and Record-Route."""
        return self.recv(code, save=[("remote", "To")], rrs="true")

    def early(self, code=183):
        return self.answered(code)

    def dialog_headers(self):
        return [self.from_header, "To:[$remote]"]

    # RFC 3261 9.1: as the INVITE, branch included.
    def cancel(self, via="[last_Via:]"):
        return self.send([f"CANCEL {self.target} SIP/2.0", via, self.from_header,
                          f"To: <{self.target}>", "Call-ID: [call_id]", f"CSeq: {self.cseq} CANCEL",
                          "Max-Forwards: 70"], retrans=RETRANSMIT_MS)

    def cancelled(self):
        """200 to the CANCEL and 487 to the INVITE, in whichever order: UDP promises none, and the
        processes of a proxy between us and Viaduct pass each other. A 180 may have crossed the CANCEL."""
        self.labels += 2
        answered, done = self.labels - 1, self.labels
        self.recv(180, optional=True).recv(200, optional=True, next=answered).refused(487).recv(200, next=done)
        either_way = Counter(self.done)
        self.label(answered).recv(180, optional=True).refused(487).label(done)
        self.done = either_way
        return self

    def refused(self, code):
        """A final error to the first INVITE, acknowledged."""
        return self.recv(code).ack_failure(self.target)


class Callee(Agent):
    first_cseq = 100
    tag = "[pid]b[call_number]"

    def __init__(self, user="callee", proxied=False):
        """proxied: its first INVITE comes by a proxy, which changes the transport and so writes two
        Record-Route (RFC 5658)."""
        super().__init__(user)
        self.kept = [("Via", 1)]
        if proxied:
            self.kept += [("Via", 2), ("Record-Route", 1), ("Record-Route", 2)]

    def invited(self):
        saved = [("remote", "From"), ("local", "To"), ("cseq", "CSeq")]
        saved += [(name + str(which), name, which) for name, which in self.kept]
        return self.recv("INVITE", save=saved, rrs="true")

    def respond(self, code, body=None, headers=(), tag=None, reason="x", **kwargs):
        """Answers the first INVITE, whatever was received since."""
        via = [f"{name}:[${name}{which}]" for name, which in self.kept]
        if self.last_received == "INVITE":
            via = ["[last_Via:]", "[last_Record-Route:]"]
        lines = [f"SIP/2.0 {code} {reason}", *via, "From:[$remote]",
                 f"To:[$local];tag={tag or self.tag}", "Call-ID: [call_id]", "CSeq:[$cseq]",
                 self.contact]
        return self.send(lines, body, headers=headers, **kwargs)

    def answer(self, body=None, headers=(), **kwargs):
        kwargs.setdefault("retrans", RETRANSMIT_MS)
        return self.respond(200, body, headers, reason="OK", **kwargs)

    def acked(self):
        return self.recv("ACK")

    def dialog_headers(self):
        return [f"From:[$local];tag={self.tag}", "To:[$remote]"]


def confirm(caller, callee):
    """The callee's ACK is Viaduct's own: the caller's may still be on its way. Until then a re-INVITE
    of the callee is held back, and another request of it may come to the caller before its ACK is sent,
    which sipp takes for an error. An INFO that the caller sends next comes after it."""
    caller.request("INFO").recv(200)
    callee.recv("INFO").reply(200)


def basic_caller(offer, hold=False):
    caller = Caller().invite(offer).trying().recv(180, optional=True).answered().ack()
    return caller.hold() if hold else caller


def basic_callee(answer, ringing=True):
    callee = Callee().invited()
    if ringing:
        callee.respond(180)
    return callee.answer(answer).acked()


def replaces(message_of_200):
    """The value that names the caller's dialog of this 2xx, for the one it talks to."""
    tags = [re.search(r";tag=([^;>]+)", message_of_200.header(name)).group(1)
            for name in ("to", "from")]
    return f"{message_of_200.header('call-id')};to-tag={tags[0]};from-tag={tags[1]}"


def escaped(value):
    return value.replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
