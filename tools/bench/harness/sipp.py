# SPDX-License-Identifier: BSD-2-Clause
"""sipp at both ends: calls at a rate, and its own count of them."""
import collections
import contextlib
import csv
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .process import Failed, spawn, stop
from .wires import GENERATOR, INTERNAL, SINK

SCENARIOS = Path(__file__).resolve().parents[1] / "sipp"
SIP_PORT = 5060
SOCKET_BYTES = 4 << 20
START_SECONDS = 5
LIVE_CALLS_MAX = 15000  # sipp reckons with a socket for each, and the limit is 20,000 files
COMPLAINT = re.compile(r"received '(?:SIP/2.0 )?([^\r\n]+)|Aborting call on ([^u\n][^\n]*)")
STATISTICS, ERRORS = "statistics.csv", "errors.log"
COLUMNS = {"created": "OutgoingCall(C)", "live": "CurrentCall", "good": "SuccessfulCall(C)",
           "failed": "FailedCall(C)", "retransmissions": "Retransmissions(C)"}


def cpu_seconds(process):
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


class Caller:
    """A sipp that calls; counts() while it runs and after it ended."""

    def __init__(self, process, directory):
        self.process = process
        self.statistics = Path(directory, STATISTICS)
        self.errors = Path(directory, ERRORS)
        self.statistics.touch()

    def counts(self):
        """Its last complete line of statistics; None before the first."""
        with open(self.statistics, newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter=";"))
        for row in reversed(rows):
            if all(row.get(column) for column in COLUMNS.values()):
                return {name: int(row[column]) for name, column in COLUMNS.items()}
        return None

    def complaints(self):
        """Why calls failed, in sipp's own words: {text: how often}."""
        if not self.errors.exists():
            return {}
        errors = self.errors.read_text(errors="replace")
        return dict(collections.Counter(map("".join, COMPLAINT.findall(errors))))

    def wait(self, seconds):
        """Until it has ended; False if it has not by then."""
        try:
            self.process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def finish(self, seconds):
        """It makes no more calls, and ends when the live ones have, or is left as it is."""
        self.process.send_signal(signal.SIGUSR1)
        self.wait(seconds)

    def wait_for(self, seconds, reached):
        """Until reached(counts) holds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            counts = self.counts()
            if counts and reached(counts):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise Failed(f"sipp did not get there: {self.counts()}")


def command(scenario, address, port, *more):
    return ["sipp", "-sf", SCENARIOS / scenario, "-i", address, "-p", port, "-nostdin",
            "-buff_size", SOCKET_BYTES, *more]


@contextlib.contextmanager
def process_in(namespace, words, directory):
    process = spawn(namespace, *words, cwd=directory, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()  # at SIGTERM sipp would first wait for its calls
        stop(process)


def wait_listening(wires):
    """Who calls before the callee listens is refused by the kernel."""
    until = time.monotonic() + START_SECONDS
    while not wires.inside(wires.sink, "ss", "-Hlnu", f"sport = :{SIP_PORT}").strip():
        if time.monotonic() > until:
            raise Failed("sipp does not listen")
        time.sleep(0.02)


@contextlib.contextmanager
def callee(wires):
    with tempfile.TemporaryDirectory() as directory:
        with process_in(wires.sink, command("callee.xml", SINK, SIP_PORT), directory) as process:
            wait_listening(wires)
            yield process


def numbered_scenario(directory, numbers):
    """caller.xml for those called numbers, taken by turns: what sipp's command takes for it."""
    text = (SCENARIOS / "caller.xml").read_text().replace("bench[call_number]", "[field0]")
    Path(directory, "caller.xml").write_text(text)
    Path(directory, "numbers.csv").write_text("\n".join(["SEQUENTIAL", *numbers]) + "\n")
    return Path(directory, "caller.xml"), ["-inf", "numbers.csv"]


@contextlib.contextmanager
def caller(wires, rate, calls, hold_ms, port=SIP_PORT, numbers=None):
    """Makes so many calls, rate a second, each held so long; numbers: whom it calls."""
    with tempfile.TemporaryDirectory() as directory:
        scenario, more = "caller.xml", []
        if numbers:
            scenario, more = numbered_scenario(directory, numbers)
        words = command(scenario, GENERATOR, port, f"{INTERNAL}:{SIP_PORT}", "-r", rate,
                        "-m", calls, "-l", LIVE_CALLS_MAX, "-d", hold_ms, "-trace_stat",
                        "-stf", STATISTICS, "-fd", 1, "-trace_err", "-error_file", ERRORS, *more)
        with process_in(wires.gen, words, directory) as process:
            yield Caller(process, directory)
