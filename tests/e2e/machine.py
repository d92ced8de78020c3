# SPDX-License-Identifier: BSD-2-Clause
"""A machine of its own for Debian's systemd, as PID 1: namespaces (see boot), a cgroup, and the network
namespace that it is given. All of it is gone when it ends, and it ends with this process."""

import errno
import os
import re
import subprocess

from net import PREFIX, Namespace, run
from rtp import wait_until

BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot")
BOOT_TIMEOUT_S = 60
COMMAND_TIMEOUT_S = 120  # many of them wait for something
CANNOT = 77  # the exit status of boot
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
NAMESPACES = ("--mount", "--pid", "--cgroup", "--uts", "--ipc")


class Impossible(Exception):
    """This machine cannot boot another; the text says why."""


def _own_cgroup():
    """The directory of ours: what is below it is no matter of the systemd that may run this machine."""
    with open("/proc/mounts", encoding="utf-8") as f:
        mounts = [line.split()[1] for line in f if line.split()[2] == "cgroup2"]
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        own = re.search(r"^0::(.*)$", f.read(), re.M)
    if not mounts or not own:
        raise Impossible("no cgroup2 is mounted")
    return os.path.join(mounts[0], own[1].lstrip("/"))


def _remove_cgroup(path):
    """False while somebody is in it still."""
    try:
        for directory, _, _ in os.walk(path, topdown=False):
            os.rmdir(directory)
    except OSError as e:
        if e.errno != errno.EBUSY:
            raise
    return not os.path.exists(path)


def _remove_stale(parent):
    """Of runs that were killed, with all their processes."""
    for name in os.listdir(parent):
        match = re.fullmatch(rf"{PREFIX}-(\d+)", name)
        if match and not os.path.exists(f"/proc/{match[1]}"):
            _remove_cgroup(os.path.join(parent, name))


class Machine:
    def __init__(self, ns: Namespace):
        parent = _own_cgroup()
        self.cgroup = os.path.join(parent, f"{PREFIX}-{os.getpid()}")
        self.ns, self.process = ns, None
        self.last_words = ""
        try:
            _remove_stale(parent)
            os.mkdir(self.cgroup)
        except OSError as e:
            raise Impossible(f"no cgroup can be made: {e}") from e
        try:
            self._boot()
        except BaseException:
            self.remove()
            raise

    def _boot(self):
        self.process = self.ns.popen(
            "sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.cgroup,
            "unshare", *NAMESPACES, "--fork", "--kill-child", BOOT,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(self._is_up, BOOT_TIMEOUT_S, lambda: f"systemd to be up: {self.journal()}")

    def _first_process(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return f.read().strip()

    def _is_up(self):
        if self.process.poll() is not None:
            error = self.process.stderr.read().strip()
            if self.process.returncode == CANNOT:
                raise Impossible(error)
            raise AssertionError(f"boot: {self.process.returncode}: {error}")
        # What fails of the machine's own services that come with it is no matter of ours.
        return self._first_process() and \
            self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def run(self, *argv, env=None, timeout=COMMAND_TIMEOUT_S, **kwargs):
        """As root in there; env is for who runs elsewhere."""
        del env
        return run("nsenter", "--target", self._first_process(), *NAMESPACES, "--net", "--",
                   "env", "-i", f"PATH={PATH}", *argv, timeout=timeout, **kwargs)

    def write(self, path, text):
        self.run("tee", path, input=text)

    def unpack(self, directory):
        """Lays its contents over the root."""
        archive = subprocess.run(("tar", "-c", "-C", directory, "."), capture_output=True, check=True)
        self.run("tar", "-x", "-C", "/", "--keep-directory-symlink", "--no-overwrite-dir",
                 input=archive.stdout, text=False)

    def journal(self, *options):
        """Of a machine that is gone: its last words, of all of it."""
        if self.process.poll() is not None:
            return self.last_words
        return self.run("journalctl", "--no-pager", "--output=cat", *options, check=False).stdout

    def remove(self):
        if self.process:
            if self.process.poll() is None and self._first_process():
                self.last_words = self.journal("--lines=100")
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
        wait_until(lambda: _remove_cgroup(self.cgroup), 20, lambda: f"all processes to be gone from {self.cgroup}")
