# SPDX-License-Identifier: BSD-2-Clause
"""A machine for what is installed on one, with Debian's systemd as PID 1. One of its own: namespaces (see boot), a
cgroup, and the network namespace that it is given; all of it is gone when it ends, and it ends with this process.
Or, where VIADUCT_THIS_MACHINE is set, the one that the tests run on, which is theirs to change (tests/kernel)."""

import errno
import os
import re
import subprocess
import time

from net import PREFIX, Namespace, World, run
from rtp import wait_until

BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot")
BOOT_TIMEOUT_S = 60
COMMAND_TIMEOUT_S = 120  # many of them wait for something
INSTALL_TIMEOUT_S = 600
CANNOT = 77  # the exit status of boot
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
THIS_MACHINE = "VIADUCT_THIS_MACHINE" in os.environ
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
    """False while somebody is in it still. Another run may be at it, too."""
    try:
        for directory, _, _ in os.walk(path, topdown=False):
            os.rmdir(directory)
    except OSError as e:
        if e.errno not in (errno.EBUSY, errno.ENOENT):
            raise
    return not os.path.exists(path)


def _remove_stale(parent):
    """Of runs that were killed, with all their processes."""
    for name in os.listdir(parent):
        match = re.fullmatch(rf"{PREFIX}-(\d+)", name)
        if match and (int(match[1]) == os.getpid() or not os.path.exists(f"/proc/{match[1]}")):
            _remove_cgroup(os.path.join(parent, name))


class Machine:
    """What tests do in any."""

    def __init__(self, ns: Namespace):
        self.ns = ns

    def run(self, *argv, env=None, timeout=COMMAND_TIMEOUT_S, **kwargs):
        """As root in there; env is for who runs elsewhere."""
        del env
        return run(*self._enter(), "env", "-i", f"PATH={PATH}", *argv, timeout=timeout, **kwargs)

    def write(self, path, text):
        self.run("tee", path, input=text)

    def unpack(self, directory):
        """Lays its contents over the root."""
        archive = subprocess.run(("tar", "-c", "-C", directory, "."), capture_output=True, check=True)
        self.run("tar", "-x", "-C", "/", "--keep-directory-symlink", "--no-overwrite-dir",
                 input=archive.stdout, text=False)

    def journal(self, *options):
        return self.run("journalctl", "--no-pager", "--output=cat", *options, check=False).stdout


class ThisMachine(Machine):
    """Of its first process. Its journal begins with this object, as that of a machine of one's own does."""

    def __init__(self, ns: Namespace):
        super().__init__(ns)
        self._began = time.time()

    def _enter(self):
        return ()

    def journal(self, *options):
        return super().journal(f"--since=@{self._began:.6f}", *options)

    def install(self, package):
        """With what it depends on, of which what is missing lies in apt's cache."""
        self.run("apt-get", "-y", "install", package, timeout=INSTALL_TIMEOUT_S)

    def remove(self):
        pass


class WorldOfThisMachine(World):
    """Where Viaduct's namespace is that of the machine's first process."""

    def _add(self, ns):
        if ns is self.viaduct:
            run("ip", "netns", "attach", ns.name, "1")
        else:
            super()._add(ns)

    def remove(self):
        for device in (self.viaduct_internal, self.viaduct_external):
            run("ip", "link", "delete", device, check=False)
        super().remove()


class BootedMachine(Machine):
    def __init__(self, ns: Namespace):
        super().__init__(ns)
        parent = _own_cgroup()
        self.cgroup = os.path.join(parent, f"{PREFIX}-{os.getpid()}")
        self.process = None
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

    def _enter(self):
        return ("nsenter", "--target", self._first_process(), *NAMESPACES, "--net", "--")

    def install(self, package):
        """What it depends on is there: it was built here."""
        self.run("dpkg", "--no-triggers", "--install", package)

    def journal(self, *options):
        """Of a machine that is gone: its last words, of all of it."""
        return super().journal(*options) if self.process.poll() is None else self.last_words

    def remove(self):
        if self.process:
            if self.process.poll() is None and self._first_process():
                self.last_words = self.journal("--lines=100")
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
        wait_until(lambda: _remove_cgroup(self.cgroup), 20, lambda: f"all processes to be gone from {self.cgroup}")


MACHINE, WORLD = (ThisMachine, WorldOfThisMachine) if THIS_MACHINE else (BootedMachine, World)
