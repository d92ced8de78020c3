# SPDX-License-Identifier: BSD-2-Clause
"""viaductd as a service of a booted Machine, and calls that talk while something happens to it."""

import contextlib
import json
import os
import re
import subprocess
from collections import namedtuple

import pytest

import plan
from cli import Cli
from daemon import ROOT, SANITIZED, SANITIZER_REPORT
from machine import MACHINE, Impossible
from rtp import wait_until
from talk import Talk
from talkers import Talkers

UNIT = "viaductd"
CONFIGURATION = "/etc/viaduct/viaduct.yaml"
STATE = "/run/viaduct"
PINS = "/sys/fs/bpf/viaduct-default"
START_TIMEOUT_S = 30
CALL_TIMEOUT_S = 120  # more than all that may happen meanwhile takes

Place = namedtuple("Place", "address port")  # of media that others than the test itself send


def make(target, *arguments):
    """What `make` says of a target: of the build that is tested."""
    sanitized = ["SAN=1"] if SANITIZED else []
    done = subprocess.run(["make", "-s", "-C", ROOT, target, *sanitized, *arguments],
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def package():
    """Its path: what `make deb` makes, or has made elsewhere."""
    return os.environ.get("VIADUCT_PACKAGE") or make("deb").split()[-1]


@contextlib.contextmanager
def booted(world):
    """The machine of Viaduct's network namespace, or the test is skipped."""
    try:
        machine = MACHINE(world.viaduct)
    except Impossible as why:
        pytest.skip(f"no machine for systemd can be booted: {why}")
    try:
        yield machine
    finally:
        machine.remove()


class Service:
    """viaductd, by the words of systemctl."""

    def __init__(self, machine):
        self.machine = machine
        self.cli = Cli(machine, "viaduct")
        if SANITIZED:  # leaks are looked for by ptrace, which the unit forbids
            self.drop_in("sanitized", "Environment=ASAN_OPTIONS=detect_leaks=0")

    def ctl(self, *argv, check=True):
        return self.machine.run("systemctl", *argv, UNIT, check=check)

    def show(self, key):
        return self.ctl("show", "--value", f"--property={key}").stdout.strip()

    def configure(self, configuration):
        self.machine.write(CONFIGURATION, json.dumps(configuration, indent=1))

    def drop_in(self, name, *lines):
        """What `systemctl edit` would write."""
        directory = f"/etc/systemd/system/{UNIT}.service.d"
        self.machine.run("mkdir", "-p", directory)
        self.machine.write(f"{directory}/{name}.conf", "\n".join(("[Service]", *lines, "")))
        self.machine.run("systemctl", "daemon-reload")

    def status_of_process(self):
        """/proc/PID/status: what the kernel says of it."""
        return self.machine.run("cat", f"/proc/{self.show('MainPID')}/status").stdout

    def journal(self):
        return self.machine.journal(f"--unit={UNIT}")

    def log_tail(self, lines=40):
        return "\n".join(self.journal().splitlines()[-lines:])

    def pinned(self):
        found = self.machine.run("find", PINS, "!", "-type", "d", check=False)
        return found.stdout.split()

    def left(self):
        """What a daemon leaves that is gone: pins, state, programs on devices."""
        attached = re.findall(r"\d+: (\S+):.* xdp", self.machine.run("ip", "-o", "link", "show").stdout)
        return self.pinned() + self.machine.run("ls", STATE, check=False).stdout.split() + attached

    def check_alive(self):
        assert self.show("ActiveState") == "active", self.log_tail()

    def begin(self, configuration):
        """What is installed, it runs from now on, with that configuration."""
        self.machine.run("mkdir", "-p", "/etc/viaduct")
        self.configure(configuration)
        self.ctl("enable")
        self.ctl("restart")

    def check_end(self):
        """It is stopped, and nothing is left."""
        assert not self.left()
        report = SANITIZER_REPORT.search(self.journal())
        assert not report, self.journal()[max(0, report.start() - 500):report.start() + 8000]


class Talking:
    """A call whose media both ends send and count."""

    def __init__(self, stage):
        a, b = Place(plan.PEERS["pbx"].address, 12000), Place(plan.PEERS["trunk"].address, 12000)
        self.call = Talk(stage, a=a, b=b, timeout=CALL_TIMEOUT_S)
        self.id = self.call.id
        self.ends = [stage.keep(Talkers(stage.namespace(side), own.address, [(1, own.port, to)])) for side, own, to in
                     (("internal", a, self.call.to_a()), ("external", b, self.call.to_b()))]
        for end in self.ends:
            end.say("start")

    def _reports(self):
        return [end.report() for end in self.ends]

    def wait_for_packets(self, more):
        """Until each end has received so many more."""
        goal = [report["received"] + more for report in self._reports()]
        wait_until(lambda: all(r["received"] >= n for r, n in zip(self._reports(), goal)), 20,
                   lambda: f"media: {self._reports()}")

    def end(self):
        """By BYE, and not a packet is missing."""
        for end in self.ends:
            end.say("stop")
        wait_until(lambda: sum(r["sent"] - r["received"] for r in self._reports()) == 0, 5, self._reports)
        for report in self._reports():
            assert report["sent"] and not any(
                report[key] for key in ("unsent", "late", "changed", "strange")), report
        self.call.end()
