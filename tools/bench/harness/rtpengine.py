# SPDX-License-Identifier: BSD-2-Clause
"""rtpengine in user space, from Debian's package, and the little of its control protocol (bencoded
dictionaries over UDP) that sets up a call."""
import contextlib
import re
import socket
import subprocess
import time

from .process import Failed, socket_inside, spawn, stop
from .wires import EXTERNAL, GENERATOR, INTERNAL, SINK

CONTROL_ADDRESS, CONTROL_PORT = "127.0.0.1", 2223
CONTROL_SECONDS = 2
START_SECONDS = 30
PORT_MIN, PORT_MAX = 6000, 65535  # as many as viaductd has
CALLER_PORT, CALLEE_PORT = 10000, 20000  # of the first stream; the next one 2 higher

SDP = """v=0\r
o=- 1 1 IN IP4 {address}\r
s=-\r
c=IN IP4 {address}\r
t=0 0\r
m=audio {port} RTP/AVP 8\r
a=rtpmap:8 PCMA/8000\r
"""


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(k) + bencode(value[k]) for k in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    if isinstance(value, int):
        return b"i%de" % value
    data = value.encode()
    return b"%d:%s" % (len(data), data)


def bdecode(data, at=0):
    """Returns the value that begins there and where the next one does."""
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"d", b"l"):
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        if kind == b"d":
            items = dict(zip(items[::2], items[1::2]))
        return items, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end].decode(), end


class Engine:
    def __init__(self, process, control, address):
        self.process, self.control, self.address = process, control, address
        self.cookies = 0

    def ask(self, **request):
        self.cookies += 1
        cookie = b"%d " % self.cookies
        request = {name.replace("_", "-"): value for name, value in request.items()}
        self.control.sendto(cookie + bencode(request), self.address)
        answer = self.control.recv(65535)
        while not answer.startswith(cookie):
            answer = self.control.recv(65535)
        answer, _ = bdecode(answer, len(cookie))
        if answer["result"] not in ("ok", "pong"):
            raise Failed(f"rtpengine: {answer.get('error-reason', answer['result'])}")
        return answer

    def call_streams(self, count):
        """Sets up count calls. Yields for each the ports to send from and to."""
        for i in range(count):
            ids = {"call_id": f"bench{i}", "from_tag": f"a{i}"}
            caller = SDP.format(address=GENERATOR, port=CALLER_PORT + 2 * i)
            callee = SDP.format(address=SINK, port=CALLEE_PORT + 2 * i)
            self.ask(command="offer", sdp=caller, direction=["internal", "external"],
                     replace=["origin"], ICE="remove", **ids)
            answer = self.ask(command="answer", sdp=callee, to_tag=f"b{i}",
                              replace=["origin"], ICE="remove", **ids)
            port = re.search(r"^m=audio (\d+)", answer["sdp"], re.MULTILINE)
            yield CALLER_PORT + 2 * i, int(port[1])


@contextlib.contextmanager
def running(wires, number=0, of=1):
    """rtpengine between the wires, without its kernel module; one of so many that share the ports."""
    control_address = (CONTROL_ADDRESS, CONTROL_PORT + number)
    share = (PORT_MAX + 1 - PORT_MIN) // of & ~1
    port_min = PORT_MIN + number * share
    process = spawn(
        wires.dut, "rtpengine", "--config-file=none", "--table=-1", "--foreground",
        "--log-stderr", "--log-level=3", f"--interface=internal/{INTERNAL}",
        f"--interface=external/{EXTERNAL}", "--listen-ng=%s:%u" % control_address,
        f"--port-min={port_min}", f"--port-max={port_min + share - 1}", "--timeout=3600",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with socket_inside(wires.dut) as control:
            control.settimeout(CONTROL_SECONDS)
            engine = Engine(process, control, control_address)
            wait_for_pong(engine, process)
            yield engine
    finally:
        stop(process)


def wait_for_pong(engine, process):
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            engine.ask(command="ping")
            return
        except (ConnectionError, socket.timeout):
            if process.poll() is not None or time.monotonic() > until:
                raise Failed("rtpengine does not start") from None
            time.sleep(0.1)
