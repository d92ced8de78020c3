# SPDX-License-Identifier: BSD-2-Clause
"""SIP by hand over plain sockets, for what a well-behaved stack never sends."""

import os
import socket

from net import Namespace
from rtp import PATIENCE, family_of
from sipp import Message

WAIT_S = 3 * PATIENCE


def bracket(address):
    return f"[{address}]" if ":" in address else address


def first_message(data):
    """Of what has come by a stream: (the message, what is behind it), (None, data) while it is not whole."""
    head, found, rest = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    length = int(Message(True, (head + found).decode()).header("content-length")) if found else 0
    if not found or len(rest) < length:
        return None, data
    return Message(True, (head + found + rest[:length]).decode()), rest[length:]


class Wire:
    """A UDP or TCP socket to Viaduct and the requests sent over it."""

    def __init__(self, ns: Namespace, local, remote, transport="udp", port=0,
                 remote_port=5060):
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.transport, self.remote = transport, remote
        self.socket = ns.socket(family_of(local), kind)
        self.socket.bind((local, port))
        self.socket.settimeout(WAIT_S)
        self.socket.connect((remote, remote_port))
        self.local, self.port = self.socket.getsockname()[:2]
        self._pending = b""
        self.call_id = os.urandom(6).hex()

    def request(self, method, user="x", cseq=1, branch=None, via=None, max_forwards=70, tag="me",
                call_id=None, to=None, headers=(), body=""):
        here = f"{bracket(self.local)}:{self.port}"
        uri = f"sip:{user}@{bracket(self.remote)}:5060"
        via = via or f"{here};rport"
        lines = [f"{method} {uri} SIP/2.0",
                 f"Via: SIP/2.0/{self.transport.upper()} {via};branch="
                 f"{branch or 'z9hG4bK' + os.urandom(6).hex()}",
                 f"From: <sip:caller@{here}>;tag={tag}", f"To: {to or f'<{uri}>'}",
                 f"Call-ID: {call_id or self.call_id}", f"CSeq: {cseq} {method}",
                 f"Contact: <sip:caller@{here};transport={self.transport}>"]
        if max_forwards is not None:
            lines.append(f"Max-Forwards: {max_forwards}")
        lines += [*headers, f"Content-Length: {len(body.encode())}", "", body]
        return "\r\n".join(lines).encode()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next message; TimeoutError when none comes."""
        if self.transport == "udp":
            return Message(True, self.socket.recv(65535).decode(errors="replace"))
        while True:
            message, self._pending = first_message(self._pending)
            if message:
                return message
            data = self.socket.recv(65535)
            if not data:
                raise ConnectionError("closed by Viaduct")
            self._pending += data

    def ask(self, *args, **kwargs):
        """Sends a request and returns its first response that is no 100."""
        self.send(self.request(*args, **kwargs))
        return self.final()

    def final(self):
        while True:
            response = self.receive()
            if response.is_response and response.code != 100:
                return response

    def silent(self, seconds):
        self.socket.settimeout(seconds)
        try:
            self.receive()
            return False
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(WAIT_S)

    def close(self):
        self.socket.close()


class StreamCallee:
    """Is called over TCP, by hand: sipp gives up with the first connection that is closed. Answers by the one
    that it has heard something from last."""

    def __init__(self, ns: Namespace, local, port=5060):
        self.local, self.port = local, port
        self.listener = ns.socket(family_of(local), socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((local, port))
        self.listener.listen()
        self.listener.settimeout(WAIT_S)
        self.socket, self._pending = None, b""
        self.tag = os.urandom(4).hex()

    def _read(self):
        if not self.socket:
            self.socket, _ = self.listener.accept()
            self.socket.settimeout(WAIT_S)
        data = self.socket.recv(65535)
        if not data:
            self.hang_up()
        self._pending += data

    def hang_up(self):
        """In order; what comes next comes by another connection."""
        if self.socket:
            self.socket.close()
        self.socket, self._pending = None, b""

    def receive(self, method):
        """The next message, which has to be that request."""
        while True:
            message, self._pending = first_message(self._pending)
            if message:
                assert message.first_line.startswith(method + " "), message.text
                return message
            self._read()

    def reply(self, request, code, body=""):
        tag = "" if "tag=" in request.header("to") else f";tag={self.tag}"
        lines = [f"SIP/2.0 {code} x", *(f"Via: {via}" for via in request.all("via")),
                 f"From: {request.header('from')}", f"To: {request.header('to')}{tag}",
                 f"Call-ID: {request.header('call-id')}", f"CSeq: {request.header('cseq')}",
                 f"Contact: <sip:callee@{bracket(self.local)}:{self.port};transport=tcp>"]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body.encode())}", "", body]
        self.socket.sendall("\r\n".join(lines).encode())

    def close(self):
        self.hang_up()
        self.listener.close()
