# SPDX-License-Identifier: BSD-2-Clause
"""Kamailio with rtpengine in user space, from Debian's packages, between the wires as viaductd is."""
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from . import daemon, rtpengine
from .process import Failed, spawn, stop
from .wires import EXTERNAL, INTERNAL, SINK

TEMPLATE = Path(__file__).resolve().parents[1] / "kamailio.cfg.in"
MODULES = ("/usr/lib/x86_64-linux-gnu/kamailio/modules/", "/usr/lib/kamailio/modules/",
           "/usr/lib/aarch64-linux-gnu/kamailio/modules/")
CHILDREN = 8          # a listener; each waits for rtpengine's answers
SHARED_MIB = 2048     # as much as they ask for is taken up, no more
PRIVATE_MIB = 16
CALLS_AN_ENGINE = 4000  # four sockets a call, and 20,000 files a process


def missing():
    """What is not installed, or None."""
    for program, package in (("kamailio", "kamailio"), ("rtpengine", "rtpengine-daemon")):
        if not shutil.which(program):
            return f"{program} is absent (Debian package {package})"
    return None


def descendants(pid):
    """That process and all that it started."""
    pids, unseen = [], [pid]
    while unseen:
        pid = unseen.pop()
        pids.append(pid)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            unseen += [int(child) for child in children.read_text().split()]
    return pids


class Pair:
    """Kamailio's processes and rtpengine's."""

    def __init__(self, processes):
        self.processes = processes

    def _pids(self):
        return [pid for process in self.processes for pid in descendants(process.pid)]

    def cpu_seconds(self):
        return sum(int(task.read_text().split()[0]) for pid in self._pids()
                   for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / daemon.NS_A_SECOND

    def memory_bytes(self):
        """Proportional set size: what they share counts once."""
        total = 0
        for pid in self._pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


@contextlib.contextmanager
def running(wires, calls_max):
    engines = -(-calls_max // CALLS_AN_ENGINE)
    modules = [path for path in MODULES if os.path.isdir(path)]
    if not modules:
        raise Failed("kamailio's modules are nowhere to be found")
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        controls = [stack.enter_context(rtpengine.running(wires, number, engines))
                    for number in range(engines)]
        configuration = Path(directory, "kamailio.cfg")
        configuration.write_text(TEMPLATE.read_text().format(
            children=CHILDREN, modules=":".join(modules), internal=INTERNAL, external=EXTERNAL,
            callee=SINK, engines=" ".join("udp:%s:%u" % engine.address for engine in controls)))
        log = stack.enter_context(open(Path(directory, "log"), "w+"))
        # In a process namespace of its own, so that none of its children outlives it.
        process = spawn(wires.dut, "unshare", "--pid", "--fork", "--kill-child", "kamailio",
                        "-DD", "-E", "-f", configuration, "-m", SHARED_MIB, "-M", PRIVATE_MIB,
                        "-Y", directory, "-P", Path(directory, "pid"), "-w", directory,
                        stdout=log, stderr=log)
        try:
            daemon.wait_for_answer(wires, process, log, "kamailio")
            yield Pair([process, *(engine.process for engine in controls)])
        finally:
            process.kill()  # unshare does not mind SIGTERM; what it started dies with it
            stop(process)
