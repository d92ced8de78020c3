# SPDX-License-Identifier: BSD-2-Clause
"""Native XDP on the NIC that a virtual machine has."""

import pytest

from net import run
from rtp import wait_until
from test_dataplane import FAMILIES, Driver, Wires, literal, rtp, udp
from test_dataplane_adoption import OUT


class VirtioWires(Wires):
    """The same wires, of NICs that the machine came with: two pairs, each on a hub of its own."""

    ours, theirs = {"i0": "eth0", "x0": "eth2"}, {"i0": "eth1", "x0": "eth3"}

    def wire(self, ns, device, net):
        for nic, to, name in ((self.ours[device], self.viaduct, device),
                              (self.theirs[device], ns, "e0")):
            run("ip", "link", "set", nic, "netns", to.name, "name", name)
            to.run("ip", "link", "set", name, "up")
        ns.add_address("e0", f"10.{net}.0.2/24")
        ns.add_address("e0", f"fd0{net}::2/64")
        self.viaduct.add_address(device, f"10.{net}.0.1/24")
        self.viaduct.add_address(device, f"fd0{net}::1/64")

    def remove(self):
        for device in self.ours:
            self.viaduct.run("ip", "link", "set", device, "netns", "1", "name", self.ours[device])
        self.near.run("ip", "link", "set", "e0", "netns", "1", "name", self.theirs["i0"])
        self.far.run("ip", "link", "set", "e0", "netns", "1", "name", self.theirs["x0"])
        super().remove()


@pytest.fixture
def virtio():
    wires = VirtioWires()
    wires.create()
    driver = Driver(wires.viaduct, wires.instance)
    try:
        assert driver.first_line == "ready", driver.process.stderr.read()
        yield wires, driver
    finally:
        driver.close()
        wires.remove()


def test_virtio_net_relays_natively(virtio):
    wires, driver = virtio
    assert driver.status()["mode"] == "native"
    for local, remote, out_local, out_remote in FAMILIES.values():
        near, far = udp(wires.near, remote, 4000), udp(wires.far, out_remote, 5000)
        flow = driver.add("0", literal(local, 20000), literal(remote, 4000),
                          literal(out_local, 20002), literal(out_remote, 5000))
        driver.wait_path(flow, why="resolved")
        near.sendto(rtp(1), (local, 20000))
        assert far.recvfrom(2048)[1][:2] == (out_local, 20002)
        driver.ask(f"del {flow}")
        near.close()
        far.close()


def test_virtio_net_keeps_a_latch_and_its_flow_over_a_restart(virtio):
    wires, driver = virtio
    first, second = udp(wires.near, "10.1.0.2", 4444), udp(wires.near, "10.1.0.2", 4446)
    far = udp(wires.far, "10.2.0.2", 5000)
    driver.wait_path(driver.add(*OUT, "latch"), why="resolved")
    first.sendto(rtp(0), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(0)
    driver.kill()
    first.sendto(rtp(1), ("10.1.0.1", 20000))
    assert far.recv(2048) == rtp(1)
    driver = Driver(wires.viaduct, wires.instance)
    try:
        flow = driver.adopt(*OUT, "latch")
        assert driver.done() == 0
        assert driver.latched(flow) == "10.1.0.2:4444"
        before = driver.counted("drop_source")
        second.sendto(rtp(2), ("10.1.0.1", 20000))
        wait_until(lambda: driver.counted("drop_source") == before + 1, 2, "the stranger's packet")
        first.sendto(rtp(3), ("10.1.0.1", 20000))
        assert far.recv(2048) == rtp(3)
        assert driver.packets(flow) == 3
        assert driver.status()["mode"] == "native"
    finally:
        driver.close()
        for s in (first, second, far):
            s.close()
