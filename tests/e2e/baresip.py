# SPDX-License-Identifier: BSD-2-Clause
"""baresip in a namespace: plays a tone, takes calls, is told what to do over its control socket."""

import glob
import json
import math
import os
import shutil
import socket
import struct
import tempfile
import wave

from net import Namespace
from rtp import family_of, wait_until

CONTROL_PORT = 4444
TLS_PORT = 5061  # the one after that of sip_listen
MODULES = ("account", "menu", "g711", "aufile", "aubridge", "ctrl_tcp")


def modules_dir():
    found = glob.glob("/usr/lib/baresip/modules") + glob.glob("/usr/lib/*/baresip/modules")
    return found[0] if found else None


def host_of(address):
    return f"[{address}]" if ":" in address else address


def write_tone(path, frequency, seconds, rate=8000):
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(
            struct.pack("<h", int(12000 * math.sin(2 * math.pi * frequency * i / rate)))
            for i in range(seconds * rate)))


class Baresip:
    """tls: an identity to show, and the file of the authority to believe; then its calls are over TLS.
    registrar: where it registers and calls through, as a user of the domain."""

    def __init__(self, ns: Namespace, address, user, tone_hz, answer=False, seconds=30,
                 account="", tls=None, registrar=None, domain=None, nameserver=None):
        if not (shutil.which("baresip") and modules_dir()):
            import pytest  # pylint: disable=import-outside-toplevel # the demo does without
            pytest.skip("baresip is not installed")
        self.ns, self.address = ns, address
        self.dir = tempfile.mkdtemp(prefix="baresip-")
        tone = os.path.join(self.dir, "tone.wav")
        write_tone(tone, tone_hz, seconds)
        modules = "".join(f"module {name}.so\n" for name in MODULES)
        self._write("config", f"sip_listen {address}:5060\nmodule_path {modules_dir()}\n{modules}"
                    f"audio_source aufile,{tone}\naudio_player aubridge,{user}\n"
                    f"audio_alert aubridge,{user}-alert\nctrl_tcp_listen {address}:{CONTROL_PORT}\n"
                    "rtp_ports 31000-31100\njitter_buffer_delay 1-5\ncall_max_calls 4\n"
                    + (self._tls(*tls) if tls else "")
                    + (f"dns_server {nameserver}:53\n" if nameserver else ""))
        answering = "auto" if answer else "manual"
        host = domain or host_of(address)
        transport = ";transport=tls" if tls else ""
        registering = f';regint=3600;outbound="sip:{registrar}"' if registrar else ";regint=0"
        self._write("accounts", f"<sip:{user}@{host}{transport}>{registering}"
                    f";answermode={answering}{account}\n")
        self._write("contacts", "")
        self.log_path = os.path.join(self.dir, "log")
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = ns.popen("baresip", "-f", self.dir, "-v", stdout=log, stderr=log,
                                    stdin=-3)  # subprocess.DEVNULL
        def listening():
            assert self.process.poll() is None, self.log()
            return all(self.ns.listens(*place, address) for place in (
                ("tcp", CONTROL_PORT), ("udp", 5060), *([("tcp", TLS_PORT)] if tls else [])))
        wait_until(listening, 10, lambda: f"baresip to listen: {self.log()}")

    def _tls(self, identity, authority):
        """The configuration for it; baresip wants certificate and key in one file."""
        both = ""
        for path in (identity.certificate, identity.key):
            with open(path, encoding="utf-8") as f:
                both += f.read()
        self._write("identity.pem", both)
        return f"sip_certificate {self.dir}/identity.pem\nsip_cafile {authority}\n"

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()[-4000:]

    def command(self, name, params=""):
        text = json.dumps({"command": name, "params": params, "token": "t"}).encode()
        with self.ns.socket(family_of(self.address), socket.SOCK_STREAM) as s:
            s.settimeout(5)
            s.connect((self.address, CONTROL_PORT))
            s.sendall(b"%d:%s," % (len(text), text))
            return s.recv(65535).decode(errors="replace")

    def dial(self, uri):
        return self.command("dial", uri)

    def hangup(self):
        return self.command("hangup")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except Exception:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
