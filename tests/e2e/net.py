# SPDX-License-Identifier: BSD-2-Clause
"""Network namespaces: internal peers -- Viaduct -- external peers, joined by two veth pairs.

Every name carries this process's id, so that two runs never meet; what a killed run left behind is
removed by the next one, or by this file run as a program.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading

PREFIX = "vde2e"
NETNS_DIR = "/run/netns"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


TAKES = {"tcp": "0A", "udp": "07"}  # states in /proc/net: LISTEN, and of UDP not connected


def _proc_address(version, text):
    """As the kernel prints it there: words of four bytes in its own order."""
    words = struct.unpack(f">{len(text) // 8}I", bytes.fromhex(text))
    return socket.inet_ntop(socket.AF_INET if version == 4 else socket.AF_INET6,
                            struct.pack(f"={len(words)}I", *words))


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*argv, check=True, timeout=20, text=True, **kwargs):
    done = subprocess.run(argv, capture_output=True, text=text, timeout=timeout, check=False,
                          **kwargs)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stderr.strip()}")
    return done


class Namespace:
    def __init__(self, name):
        self.name = name
        self.path = f"{NETNS_DIR}/{name}"

    # A child is born where the thread stands that makes it. `ip netns exec` hides the bpffs mount.
    def run(self, *argv, **kwargs):
        with self.entered():
            return run(*argv, **kwargs)

    def popen(self, *argv, **kwargs):
        with self.entered():
            return subprocess.Popen(argv, preexec_fn=_die_with_parent, **kwargs)

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace; sockets opened here stay there."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")
            try:
                yield
            finally:
                _libc.setns(home.fileno(), CLONE_NEWNET)

    def socket(self, *args):
        with self.entered():
            return socket.socket(*args)

    def read(self, path):
        with self.entered(), open(path.replace("/proc/net", "/proc/thread-self/net"),
                                  encoding="ascii") as f:
            return f.read()

    def listens(self, transport, port, address=None):
        """Whether a socket takes what comes for that port, of that address or of any."""
        for version, table in ((4, transport), (6, transport + "6")):
            for line in self.read(f"/proc/net/{table}").splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                found, found_port = local.split(":")
                if state == TAKES[transport] and int(found_port, 16) == port and \
                        address in (None, _proc_address(version, found)):
                    return True
        return False

    def udp_counters(self):
        """InDatagrams, NoPorts … of IPv4 and IPv6 together: what reached user space."""
        total = {}
        lines = [line.split() for line in self.read("/proc/net/snmp").splitlines()]
        names, values = [line for line in lines if line[0] == "Udp:"]
        for name, value in zip(names[1:], values[1:]):
            total[name] = int(value)
        for line in self.read("/proc/net/snmp6").splitlines():
            name, value = line.split()
            if name.startswith("Udp6"):
                total[name[4:]] = total.get(name[4:], 0) + int(value)
        return total

    def tx_dropped(self, device):
        """Of a veth: what found the ring of the other end full."""
        shown = json.loads(self.run("ip", "-s", "-j", "link", "show", device).stdout)
        return shown[0]["stats64"]["tx"]["dropped"]

    def link_mac(self, device):
        out = self.run("ip", "-o", "link", "show", device).stdout
        return re.search(r"link/ether ([0-9a-f:]{17})", out).group(1)

    def add_address(self, device, address):
        nodad = ["nodad"] if ":" in address else []
        self.run("ip", "address", "add", address, "dev", device, *nodad)


class World:
    """The three namespaces. Viaduct's devices are vdi0 and vde0, its neighbours' int0 and ext0."""

    internal_device, external_device = "int0", "ext0"
    viaduct_internal, viaduct_external = "vdi0", "vde0"

    def __init__(self, tag="", prefix=PREFIX):
        remove_stale(prefix)
        base = f"{prefix}-{os.getpid()}{tag}"
        self.internal = Namespace(f"{base}-int")
        self.viaduct = Namespace(f"{base}-via")
        self.external = Namespace(f"{base}-ext")
        self.all = (self.internal, self.viaduct, self.external)

    def create(self, internal_addresses, external_addresses, queues=1, mtu=1500):
        self._queues = ("numrxqueues", str(queues), "numtxqueues", str(queues))
        self._mtu = str(mtu)
        self.wirings = 0  # pairs that were made, also anew
        self._external_addresses = external_addresses
        try:
            for ns in self.all:
                self._add(ns)
                for key in ("all", "default"):
                    ns.run("sysctl", "-qw", f"net.ipv6.conf.{key}.accept_dad=0",
                           f"net.ipv6.conf.{key}.accept_ra=0")
                ns.run("ip", "link", "set", "lo", "up")
            self._wire(self.internal, self.internal_device, self.viaduct_internal)
            for address in ("10.10.0.1/24", "fd10::1/64"):
                self.viaduct.add_address(self.viaduct_internal, address)
            for address in internal_addresses:
                self.internal.add_address(self.internal_device, address)
            self.wire_external()
        except BaseException:
            self.remove()
            raise

    def _add(self, ns):
        run("ip", "netns", "add", ns.name)

    def wire_external(self, options=()):
        """Also again, when the pair was deleted. options: of `ip link add`, for Viaduct's end."""
        self._wire(self.external, self.external_device, self.viaduct_external, options)
        for address in ("192.0.2.1/24", "2001:db8::1/64"):
            self.viaduct.add_address(self.viaduct_external, address)
        for address in self._external_addresses:
            self.external.add_address(self.external_device, address)

    def _wire(self, ns, device, viaduct_device, options=()):
        self.wirings += 1
        self.viaduct.run("ip", "link", "add", viaduct_device, *options, *self._queues,
                         "type", "veth", "peer", "name", device, *self._queues, "netns", ns.name)
        # A native redirect into a veth needs NAPI on its peer (gro on), and delivers checksums as
        # they are: the endpoint must finish its own (tx off).
        ns.run("ethtool", "-K", device, "tx", "off", "gro", "on")
        self.viaduct.run("ethtool", "-K", viaduct_device, "tx", "off", "gro", "on")
        ns.run("ip", "link", "set", device, "mtu", self._mtu, "up")
        self.viaduct.run("ip", "link", "set", viaduct_device, "mtu", self._mtu, "up")

    def remove(self):
        for ns in self.all:
            run("ip", "netns", "delete", ns.name, check=False)


def remove_stale(prefix):
    """Namespaces of runs that are no more, and who outlived them there: children of children do."""
    for name in os.listdir(NETNS_DIR) if os.path.isdir(NETNS_DIR) else ():
        match = re.match(rf"{prefix}-(\d+)\D", name)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "delete", name, check=False)


class Reader(threading.Thread):
    """A daemon thread that calls step() until it returns False or close() is called."""

    def __init__(self, step):
        super().__init__(daemon=True)
        self._step = step
        self._closing = False
        self.start()

    def run(self):
        while not self._closing and self._step() is not False:
            pass

    def close(self):
        self._closing = True
        self.join(2)


if __name__ == "__main__":
    remove_stale(PREFIX)
