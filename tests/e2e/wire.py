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
            self._pending = self._pending.lstrip(b"\r\n")
            head, found, rest = self._pending.partition(b"\r\n\r\n")
            if found:
                length = int(Message(True, (head + found).decode()).header("content-length"))
                if len(rest) >= length:
                    self._pending = rest[length:]
                    return Message(True, (head + found + rest[:length]).decode())
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
