# SPDX-License-Identifier: BSD-2-Clause
"""The wires: three network namespaces in a row.

    gen  g0 ---- d0  dut  d1 ---- s0  sink
    192.0.2.2    .1       .1      198.51.100.2
    2001:db8:1::2        ::1      2001:db8:2::2

The addresses are those that traffic.h holds. Each wire has as many queues as there are CPUs.
"""
import os

from .process import run

GENERATOR, INTERNAL = "192.0.2.2", "192.0.2.1"
EXTERNAL, SINK = "198.51.100.1", "198.51.100.2"
GENERATOR6, INTERNAL6 = "2001:db8:1::2", "2001:db8:1::1"
EXTERNAL6, SINK6 = "2001:db8:2::1", "2001:db8:2::2"
MAC = {"g0": "02:00:00:00:00:02", "d0": "02:00:00:00:00:01",
       "d1": "02:00:00:00:01:01", "s0": "02:00:00:00:01:02"}


PREFIX = "vdbench"
VLAN = 5  # GENERATOR_VLAN


def remove_leftovers():
    """Namespaces of a bench that was killed outright."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else ():
        prefix, _, rest = name.partition("-")
        if prefix == PREFIX and not os.path.exists(f"/proc/{rest.partition('-')[0]}"):
            run("ip", "netns", "del", name, check=False)


class Wires:
    """tagged: the addresses are a VLAN's. A kernel without 802.1Q will do: devices d0.5 and d1.5 that
    are none stand in, as the XDP program tags by itself and only routes and neighbours are asked
    for. name: of one of several that are up at once."""

    def __init__(self, tagged=False, name=""):
        self.tagged, self.name = tagged, name or ("tagged" if tagged else "")
        prefix = "-".join(filter(None, (PREFIX, str(os.getpid()), self.name)))
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
            self.inside(namespace, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
                        "net.ipv6.conf.default.router_solicitations=0")
            self.inside(namespace, "ip", "link", "set", "lo", "up")
        self._wire(self.gen, "g0", "d0", ((GENERATOR, INTERNAL, 24), (GENERATOR6, INTERNAL6, 64)))
        self._wire(self.sink, "s0", "d1", ((SINK, EXTERNAL, 24), (SINK6, EXTERNAL6, 64)))
        self.inside(self.gen, "ip", "route", "add", "default", "via", INTERNAL)
        self.inside(self.sink, "ip", "route", "add", "default", "via", EXTERNAL)
        self.inside(self.dut, "sysctl", "-qw", "net.ipv4.ip_forward=1",
                    "net.ipv4.conf.all.rp_filter=0")

    def _wire(self, far, far_device, device, addresses):
        queues = ("numtxqueues", os.cpu_count(), "numrxqueues", os.cpu_count())
        run("ip", "link", "add", far_device, "netns", far, "address", MAC[far_device], *queues,
            "type", "veth", "peer", "name", device, "netns", self.dut, "address", MAC[device],
            *queues)
        for namespace, name in ((far, far_device), (self.dut, device)):
            self.inside(namespace, "ip", "link", "set", name, "addrgenmode", "none", "up")
            # A native redirect would deliver a socket's unfinished checksum as it is, and a veth
            # takes redirected frames only where its other end polls: an XDP program, or GRO.
            self.inside(namespace, "ethtool", "-K", name, "tx", "off", "gro", "on")
        routed = device
        if self.tagged:
            routed = f"{device}.{VLAN}"
            self.inside(self.dut, "ip", "link", "add", routed, "address", MAC[device], "type",
                        "veth", "peer", "name", f"{device}-none")
            for name in (routed, f"{device}-none"):
                self.inside(self.dut, "ip", "link", "set", name, "addrgenmode", "none", "up")
        for address, neighbour, length in addresses:
            self._address(far, far_device, f"{address}/{length}", neighbour, MAC[device])
            self._address(self.dut, routed, f"{neighbour}/{length}", address, MAC[far_device])

    def _address(self, namespace, device, own, neighbour, mac):
        self.inside(namespace, "ip", "addr", "add", own, "dev", device)
        self.inside(namespace, "ip", "neigh", "replace", neighbour, "dev", device,
                    "lladdr", mac, "nud", "permanent")
