# SPDX-License-Identifier: BSD-2-Clause
"""kamailio in a namespace."""

import os
import shutil
import subprocess

import pytest

from rtp import wait_until

PROGRAM = shutil.which("kamailio") or "/usr/sbin/kamailio"
LISTEN_TIMEOUT_S = 10


OPENING = """#!KAMAILIO
debug=1
log_stderror=yes
children=1
auto_aliases=no
mpath="%s/"
"""


def load(names):
    """The lines of a configuration that load those modules."""
    return "".join(f'loadmodule "{name}.so"\n' for name in names.split())


class Kamailio:
    """text: its configuration after OPENING. listens is its last transport, address and port: it is there when
    that is."""

    def __init__(self, ns, text, directory, listens):
        if not os.path.exists(PROGRAM):
            pytest.skip("kamailio is not installed")
        modules = ns.run("sh", "-c", "ls -d /usr/lib/*/kamailio/modules").stdout.split()[0]
        config = os.path.join(directory, "kamailio.cfg")
        self.log_path = os.path.join(directory, "kamailio.log")
        with open(config, "w", encoding="utf-8") as f:
            f.write(OPENING % modules + text)
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = ns.popen(PROGRAM, "-f", config, "-DD", "-E", "-Y", directory,
                                    "-P", os.path.join(directory, "pid"), stdout=log, stderr=log)
        transport, address, port = listens
        def listening():
            assert self.process.poll() is None, self.log()
            return ns.listens("udp" if transport == "udp" else "tcp", port, address)
        wait_until(listening, LISTEN_TIMEOUT_S, lambda: f"kamailio to listen: {self.log()}")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
