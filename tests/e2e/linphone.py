# SPDX-License-Identifier: BSD-2-Clause
"""linphonec in a namespace, told what to do over its standard input."""

import os
import shutil
import tempfile

import pytest

from rtp import wait_until

SIP_PORT = 5060
CONFIG = """\
[sip]
sip_port={udp_port}
sip_tcp_port={tcp_port}
sip_tls_port=-1
bind_address={address}
guess_hostname=0
use_info=0
contact="{user}" <sip:{user}@{address}>
{more}
[rtp]
audio_rtp_port=32000
[net]
firewall_policy=none
"""


class Linphone:
    """more: lines of its configuration, which begin in its section [sip]."""

    def __init__(self, ns, address, user, gateway, more="", transport="udp"):
        if not shutil.which("linphonec"):
            pytest.skip("linphonec is not installed")
        self.dir = tempfile.mkdtemp(prefix="linphone-")
        os.makedirs(os.path.join(self.dir, ".local/share/linphone"))
        with open(os.path.join(self.dir, "rc"), "w", encoding="utf-8") as f:
            ports = {"udp_port": -1, "tcp_port": -1, f"{transport}_port": SIP_PORT}
            f.write(CONFIG.format(**ports, address=address, user=user, more=more))
        # It wants a way out of the network before it listens.
        ns.run("ip", "route", "replace", "default", "via", gateway)
        with open(os.path.join(self.dir, "log"), "w", encoding="utf-8") as log:
            self.process = ns.popen(
                "linphonec", "-c", os.path.join(self.dir, "rc"), stdin=-1, stdout=log, stderr=log,
                text=True, env={**os.environ, "HOME": self.dir})
        wait_until(lambda: ns.listens(transport, SIP_PORT, address), 10,
                   lambda: f"linphone to listen: {self.log()}")
        self.say("soundcard use files")

    def say(self, command):
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def log(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for(self, text):
        wait_until(lambda: text in self.log(), 15,
                   lambda: f"linphone to say {text}: {self.log()[-3000:]}")

    def close(self):
        self.process.kill()  # in a call it takes its time to end
        self.process.wait()
        self.process.stdin.close()
        shutil.rmtree(self.dir, ignore_errors=True)
