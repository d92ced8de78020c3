# SPDX-License-Identifier: BSD-2-Clause
"""viaductd between the wires, and what it costs: CPU time and memory, from /proc."""
import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .process import BUILD, Failed, remove_pins, socket_inside, spawn, stop
from .wires import EXTERNAL, GENERATOR, INTERNAL, SINK

SIP_PORT = 5060
START_SECONDS = 30
ASK_AGAIN_SECONDS = 0.01
NS_A_SECOND = 1e9

# Media never times out: most of the bench's calls carry none. Ports come back after a second, so that
# a thousand calls a second do not run out of them.
CONFIG = """\
sides:
  internal: {{device: d0, addresses: [{INTERNAL}], media_ports: {ports}}}
  external: {{device: d1, addresses: [{EXTERNAL}], media_ports: {ports}}}
listeners:
  - {{name: inside, side: internal, transport: udp, port: {SIP_PORT}}}
  - {{name: outside, side: external, transport: udp, port: {SIP_PORT}}}
peers:
  - {{name: caller, kind: direct, listener: inside, address: "{GENERATOR}:{SIP_PORT}",
      media: {{timeout: 0, timeout_held: 0}}}}
  - {{name: callee, kind: trunk, listener: outside, address: "{SINK}:{SIP_PORT}",
      liveness: {{interval: 0}},
      media: {{timeout: 0, timeout_held: 0}}}}
routes:
  - {{from: caller, to: [callee]}}
limits: {{calls: {calls}, calls_per_second: 0}}
timers: {{port_quarantine: 1}}
log: error
instance: {instance}
"""
MEDIA_PORTS = "6000-65535"  # 20,000 calls held, and what rests and is made beside them

OPTIONS = """\
OPTIONS sip:{INTERNAL} SIP/2.0\r
Via: SIP/2.0/UDP {GENERATOR}:{port};branch=z9hG4bKbench{number}\r
From: <sip:bench@{GENERATOR}>;tag=bench\r
To: <sip:{INTERNAL}>\r
Call-ID: bench-{number}\r
CSeq: {number} OPTIONS\r
Max-Forwards: 70\r
Content-Length: 0\r
\r
"""


class Daemon:
    def __init__(self, calls_max, start):
        self.calls_max, self.start_process = calls_max, start
        self.process = None
        self.start()

    def start(self):
        """Returns when it answers."""
        self.process = self.start_process()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self):
        """Of all threads, in user space and in the kernel on their behalf."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / NS_A_SECOND

    def resident_bytes(self):
        """{"anon": memory of its own, "all": with pages of files and of mapped maps}"""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return {name: int(fields[field].split()[0]) * 1024
                for name, field in (("anon", "RssAnon"), ("all", "VmRSS"))}

    def memory_bytes(self):
        """All of it: its own and the maps'."""
        return self.resident_bytes()["anon"] + self.maps_bytes()

    def maps_bytes(self):
        """Of all BPF maps that it holds open, as the kernel accounts for them."""
        sizes = {}
        for entry in os.listdir(f"/proc/{self.process.pid}/fdinfo"):
            lines = Path(f"/proc/{self.process.pid}/fdinfo/{entry}").read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            if "map_id" in fields:
                sizes[int(fields["map_id"])] = int(fields["memlock"])
        return sum(sizes.values())


@contextlib.contextmanager
def running(wires, calls_max, configuration=None):
    """configuration: a text with {instance} in it, instead of CONFIG."""
    program = BUILD / "viaductd"
    if not program.exists():
        raise Failed("build/viaductd is not built")
    instance = "-".join(filter(None, ("bench", str(os.getpid()), wires.name)))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config, \
            tempfile.TemporaryDirectory() as state, tempfile.TemporaryFile("w+") as log:
        config.write((configuration or CONFIG).format(ports=MEDIA_PORTS, calls=calls_max,
                                                      instance=instance, **globals()))
        config.write(f"\nstate_dir: {state}\n")
        config.flush()
        processes = []

        def start():
            processes.append(spawn(wires.dut, program, config.name, stdout=log, stderr=log))
            wait_for_answer(wires, processes[-1], log)
            return processes[-1]
        try:
            yield Daemon(calls_max, start)
        finally:
            for process in processes:
                stop(process, signal.SIGINT)  # at SIGTERM it would leave its calls to the next
            remove_pins(instance)


def wait_for_answer(wires, process, log, name="viaductd"):
    """Asks by OPTIONS, as the caller's address, until it answers."""
    until = time.monotonic() + START_SECONDS
    with socket_inside(wires.gen) as asking:
        asking.bind((GENERATOR, 0))
        asking.settimeout(0.2)
        number = 0
        while True:
            number += 1
            request = OPTIONS.format(number=number, port=asking.getsockname()[1], **globals())
            try:
                asking.sendto(request.encode(), (INTERNAL, SIP_PORT))
                asking.recv(65535)
                return
            except (ConnectionError, socket.timeout):
                time.sleep(ASK_AGAIN_SECONDS)
                if process.poll() is None and time.monotonic() < until:
                    continue
            log.seek(0)
            lines = log.read().strip().splitlines()
            lines = [line for line in lines if "ERROR" in line] or lines
            raise Failed(f"{name} does not answer: {lines[-1] if lines else 'no log'}")
