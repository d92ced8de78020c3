# SPDX-License-Identifier: BSD-2-Clause
"""dnsmasq in a namespace."""

import os
import shutil
import signal
import tempfile

import pytest

from rtp import wait_until

NAMESERVER = "192.0.2.53"
TTL_S = 1
BOUND_TIMEOUT_S = 5


class Nameserver:
    """It answers as its records say (options of dnsmasq), and as hosts does, lines of /etc/hosts'
    kind, which can be changed."""

    def __init__(self, ns, records, hosts=""):
        if not shutil.which("dnsmasq"):
            pytest.skip("dnsmasq is not installed")
        self.ns, self.records = ns, records
        self.dir = tempfile.mkdtemp(prefix="viaduct-dns-")
        self.hosts = os.path.join(self.dir, "hosts")
        self.process = None
        self.serve(hosts)

    def serve(self, hosts):
        with open(self.hosts, "w", encoding="utf-8") as f:
            f.write(hosts + "\n")
        if self.process:
            self.process.send_signal(signal.SIGHUP)
            return
        log = open(os.path.join(self.dir, "log"), "w", encoding="utf-8")
        self.process = self.ns.popen(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--user=root", "--pid-file=", f"--listen-address={NAMESERVER}", "--bind-interfaces",
            f"--addn-hosts={self.hosts}", f"--local-ttl={TTL_S}", "--log-facility=-",
            *(f"--{record}" for record in self.records), stdout=log, stderr=log)
        wait_until(lambda: self.ns.listens("udp", 53, NAMESERVER), BOUND_TIMEOUT_S,
                   "dnsmasq to listen")

    def freeze(self):
        """It is there, and says nothing any more."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
