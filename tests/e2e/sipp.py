# SPDX-License-Identifier: BSD-2-Clause
"""sipp, run in a namespace with a scenario; what it sent and received can be read while it runs."""

import os
import re
import socket
import tempfile
from collections import Counter

from net import Namespace
from rtp import family_of, wait_until
from scenario import HOLD_METHOD

CALL_TIMEOUT_S = 25

# Of itself it would end after 120 waits of half a second, or 10 of three, for a CPU.
NEVER_GIVES_UP = ("-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000")


def finish(*agents):
    """Until all agents are through their scenarios; when one fails, shows what the others saw."""
    try:
        for agent in agents:
            agent.wait()
    except AssertionError as error:
        others = "\n".join(f"{agent.name}: {agent.explain()}" for agent in agents)
        raise AssertionError(f"{error}\nAll sides:\n{others}") from None


class Message:
    """A SIP message as sipp logged it."""

    def __init__(self, received, text):
        self.received = received
        self.text = text
        head, _, self.body = text.partition("\r\n\r\n")
        self.first_line, *lines = head.split("\r\n")
        self.headers = []
        for line in lines:
            name, _, value = line.partition(":")
            self.headers.append((name.strip().lower(), value.strip()))

    @property
    def is_response(self):
        return self.first_line.startswith("SIP/2.0 ")

    @property
    def code(self):
        return int(self.first_line.split()[1]) if self.is_response else 0

    @property
    def method(self):
        return self.header("cseq").split()[1]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def media(self, index=0):
        """(address, port) of an m-line."""
        sections = re.split(r"(?m)^m=", self.body)
        connection = re.compile(r"(?m)^c=IN IP[46] (\S+)")
        found = connection.search(sections[index + 1]) or connection.search(sections[0])
        return found.group(1), int(sections[index + 1].split()[1])

    def rtcp(self, index=0):
        """(address, port) of an m-line's RTCP: RFC 3605 or the next port."""
        address, port = self.media(index)
        section = re.split(r"(?m)^m=", self.body)[index + 1]
        found = re.search(r"(?m)^a=rtcp:(\d+)(?: IN IP[46] (\S+))?", section)
        if found:
            return found.group(2) or address, int(found.group(1))
        return address, port + 1

    def __repr__(self):
        return f"{'<' if self.received else '>'} {self.first_line}"


_LOGGED = re.compile(r"^-{20,} \d{4}-\d\d-\d\d[^\n]*\n(?:UDP|TCP) message (sent|received) "
                     r"(?:\[(\d+)\] bytes|\((\d+) bytes\)) ?:\n\n", re.M)


def parse_log(text):
    messages = []
    for match in _LOGGED.finditer(text):
        length = int(match.group(2) or match.group(3))
        raw = text[match.end():match.end() + length]
        if len(raw) < length:
            break
        # sipp may write what it sends with bare LF in the log alone.
        messages.append(Message(match.group(1) == "received", raw))
    return messages


class Sipp:
    def __init__(self, ns: Namespace, scenario, local, remote=None, number=None, calls=1, rate=None,
                 transport="udp", port=5060, timeout=CALL_TIMEOUT_S, extra=(), trace=True,
                 limit=None):
        self.local, self.port, self.ns, self.transport = local, port, ns, transport
        self.dir = tempfile.TemporaryDirectory(prefix="sipp-")
        path = os.path.join(self.dir.name, "scenario.xml")
        xml = scenario if isinstance(scenario, str) else scenario.xml()
        with open(path, "w", encoding="utf-8") as f:
            f.write(xml)
        self.name = re.search(r'scenario name="([^"]*)"', xml).group(1)
        self.holds = getattr(scenario, "holds", ())
        self.log_path, self.error_path = self._path("messages"), self._path("errors")
        argv = ["sipp", "-sf", path, "-i", local, "-p", str(port), "-m", str(calls),
                "-t", {"udp": "u1", "tcp": "t1"}[transport], "-nostdin",
                "-timeout", f"{timeout}s", "-timeout_error", "-deadcall_wait", "0",
                "-trace_err", "-error_file", self.error_path, *NEVER_GIVES_UP, *extra]
        if trace:
            argv += ["-trace_msg", "-message_file", self.log_path]
        if rate:
            argv += ["-r", str(rate), "-l", str(limit or calls)]
        if number:
            argv += ["-s", str(number)]
        if remote:
            address, rport = remote
            argv.append(f"[{address}]:{rport}" if ":" in address else f"{address}:{rport}")
        self.timeout, self.calls = timeout, calls
        with open(self._path("screen"), "w", encoding="utf-8") as screen:
            self.process = ns.popen(*argv, stdout=screen, stderr=screen,
                                    env={**os.environ, "TERM": "dumb"}, cwd=self.dir.name)
        if not remote:
            self._wait_listening()

    def _path(self, name):
        return os.path.join(self.dir.name, name)

    def _wait_listening(self):
        def bound():
            if self.process.poll() is not None:
                raise AssertionError(f"sipp did not start: {self.explain()}")
            return self.ns.listens(self.transport, self.port, self.local)
        wait_until(bound, 5, "sipp to listen")

    def read(self, name):
        try:
            with open(self._path(name), encoding="utf-8", errors="replace", newline="") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def messages(self):
        return parse_log(self.read("messages"))

    def received(self, what=None, method=None):
        """Messages received: what is a status code or a method (requests only)."""
        return [m for m in self.messages() if m.received and _is(m, what, method)]

    def sent(self, what=None, method=None):
        return [m for m in self.messages() if not m.received and _is(m, what, method)]

    def expect(self, what, method=None, count=1, timeout=8):
        """Waits for a received message and returns the count-th."""
        def arrived():
            found = self.received(what, method)
            if len(found) >= count:
                return found
            if self.process.poll() is not None and len(self.received(what, method)) < count:
                raise AssertionError(f"sipp ended before {what}: {self.explain()}")
            return None
        return wait_until(arrived, timeout, lambda: f"{what}: {self.explain()}")[count - 1]

    def _has_done(self, steps):
        """Whether it has sent and received so much: sipp fails a call that is told to go on too early."""
        count = {"recv": self.received, "send": self.sent}
        if self.process.poll() is not None:
            raise AssertionError(f"sipp ended before it was to go on: {self.explain()}")
        return all(len(count[way](what)) >= number for (way, what), number in steps.items())

    def go(self):
        """Lets a scenario that holds, or will soon, go on."""
        assert self.transport == "udp", "a scenario over TCP cannot hold"
        before = len(self.received(HOLD_METHOD))
        for steps in self.holds[before:before + 1]:
            wait_until(lambda: self._has_done(steps), 8, lambda: f"{steps}: {self.explain()}")
        self._tell_to_go(self.messages()[0])
        self.expect(HOLD_METHOD, count=before + 1)

    def go_all(self):
        """Lets all of several calls that hold go on, each when it has come so far."""
        for steps in self.holds[:1]:
            total = Counter({step: count * self.calls for step, count in steps.items()})
            wait_until(lambda: self._has_done(total), 8, lambda: f"{total}: {self.explain()}")
        for first in {m.header("call-id"): m for m in reversed(self.messages())}.values():
            self._tell_to_go(first)
        self.expect(HOLD_METHOD, count=self.calls)

    def go_calls(self, call_ids):
        """Lets those go on that hold, or will soon."""
        before = len(self.received(HOLD_METHOD))
        firsts = {m.header("call-id"): m for m in reversed(self.messages())}
        for call_id in call_ids:
            self._tell_to_go(firsts[call_id])
        if call_ids:
            self.expect(HOLD_METHOD, count=before + len(call_ids))

    def _tell_to_go(self, first):
        """The call whose first message that is."""
        text = (f"{HOLD_METHOD} sip:hold@invalid SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP hold.invalid;branch=z9hG4bKhold{os.urandom(4).hex()}\r\n"
                f"From: {first.header('from')}\r\nTo: {first.header('to')}\r\n"
                f"Call-ID: {first.header('call-id')}\r\nCSeq: 1 {HOLD_METHOD}\r\n"
                "Content-Length: 0\r\n\r\n").encode()
        with self.ns.socket(family_of(self.local), socket.SOCK_DGRAM) as s:
            s.sendto(text, (self.local, self.port))

    def wait(self, timeout=None):
        """Until every call has ended as the scenario says."""
        try:
            code = self.process.wait(timeout or self.timeout + 5)
        except Exception as e:
            raise AssertionError(f"sipp {self.name} hangs: {self.explain()}") from e
        assert code == 0, f"sipp {self.name} exit {code}: {self.explain()}"
        return self

    def explain(self):
        flow = "\n  ".join(repr(m) for m in self.messages()[-40:])
        return f"\n  {flow}\nexit code {self.process.poll()}\n{self.read('errors')[-3000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.dir.cleanup()


def _is(message, what, method):
    if method and message.method != method:
        return False
    if what is None:
        return True
    if isinstance(what, int):
        return message.code == what
    return not message.is_response and message.method == what
