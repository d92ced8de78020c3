# SPDX-License-Identifier: BSD-2-Clause
"""The wires: three network namespaces in a row.

    gen  g0 ---- d0  dut  d1 ---- s0  sink
    192.0.2.2    .1       .1      198.51.100.2

The addresses are those that traffic.h holds.
"""
import os

from .process import run

GENERATOR, INTERNAL = "192.0.2.2", "192.0.2.1"
EXTERNAL, SINK = "198.51.100.1", "198.51.100.2"
MAC = {"g0": "02:00:00:00:00:02", "d0": "02:00:00:00:00:01",
       "d1": "02:00:00:00:01:01", "s0": "02:00:00:00:01:02"}


PREFIX = "vdbench"


def remove_leftovers():
    """Namespaces of a bench that was killed outright."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else ():
        prefix, _, rest = name.partition("-")
        if prefix == PREFIX and not os.path.exists(f"/proc/{rest.partition('-')[0]}"):
            run("ip", "netns", "del", name, check=False)


class Wires:
    def __init__(self):
        prefix = f"{PREFIX}-{os.getpid()}"
        self.gen, self.dut, self.sink = (f"{prefix}-{name}" for name in ("gen", "dut", "sink"))

    def __enter__(self):
        remove_leftovers()
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for namespace in (self.gen, self.dut, self.sink):
            run("ip", "netns", "del", namespace, check=False)

    def inside(self, namespace, *command):
        return run("nsenter", f"--net=/run/netns/{namespace}", *command)

    def _make(self):
        for namespace in (self.gen, self.dut, self.sink):
            run("ip", "netns", "add", namespace)
            self.inside(namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            self.inside(namespace, "ip", "link", "set", "lo", "up")
        self._wire(self.gen, "g0", GENERATOR, "d0", INTERNAL)
        self._wire(self.sink, "s0", SINK, "d1", EXTERNAL)
        self.inside(self.gen, "ip", "route", "add", "default", "via", INTERNAL)
        self.inside(self.sink, "ip", "route", "add", "default", "via", EXTERNAL)
        self.inside(self.dut, "sysctl", "-qw", "net.ipv4.ip_forward=1",
                    "net.ipv4.conf.all.rp_filter=0")

    def _wire(self, far, far_device, far_address, device, address):
        run("ip", "link", "add", far_device, "netns", far, "address", MAC[far_device],
            "type", "veth", "peer", "name", device, "netns", self.dut, "address", MAC[device])
        ends = ((far, far_device, far_address, address, device),
                (self.dut, device, address, far_address, far_device))
        for namespace, name, own, neighbour, neighbour_device in ends:
            self.inside(namespace, "ip", "addr", "add", f"{own}/24", "dev", name)
            self.inside(namespace, "ip", "link", "set", name, "up")
            self.inside(namespace, "ip", "neigh", "replace", neighbour, "dev", name,
                        "lladdr", MAC[neighbour_device], "nud", "permanent")
            # A native redirect would deliver a socket's unfinished checksum as it is, and a veth
            # takes redirected frames only where its other end polls: an XDP program, or GRO.
            self.inside(namespace, "ethtool", "-K", name, "tx", "off", "gro", "on")
