# SPDX-License-Identifier: BSD-2-Clause
"""Child processes that never outlive the bench."""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
TOOLS = BUILD / "bench"

STOP_SECONDS = 10
BPF_DIR = Path("/sys/fs/bpf")


class Failed(Exception):
    """A part of the bench cannot go on; the text says why."""


def run(*command, check=True, timeout=60):
    """Runs to the end, returns standard output; Failed with its standard error otherwise."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def spawn(namespace, *command, **options):
    """Starts command inside a namespace; it is killed when the bench dies. nsenter, not
    `ip netns exec`, which would hide the bpf file system's pins."""
    words = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{namespace}"]
    return subprocess.Popen(words + [str(word) for word in command], **options)


def stop(process, sign=signal.SIGTERM):
    """Ends a child politely, then not."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def remove_pins(instance):
    """What a data plane leaves pinned when it does not end by itself."""
    shutil.rmtree(BPF_DIR / f"viaduct-{instance}", ignore_errors=True)


def socket_inside(namespace):
    """A UDP socket that belongs to another network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as here, open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        finally:
            libc.setns(here.fileno(), 0)


class Tool:
    """One of the bench's own C tools: says "ready", answers each line with a line of JSON, ends
    when its standard input closes."""

    def __init__(self, namespace, name, *arguments, tools=TOOLS):
        self.name = name
        self.process = spawn(namespace, tools / name, *arguments, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        if self._line() != "ready":
            raise Failed(f"{name} did not get ready")

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            errors = self.process.communicate()[1].strip()
            raise Failed(f"{self.name}: {errors.splitlines()[-1] if errors else 'ended'}")
        return line.strip()

    def ask(self, line=""):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.stdin = None
        try:
            self.process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            stop(self.process)
        remove_pins(f"bench-{self.process.pid}")  # relay_driver's: see relay.c
