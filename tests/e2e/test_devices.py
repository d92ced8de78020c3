# SPDX-License-Identifier: BSD-2-Clause
"""Devices that are not two native ones: generic mode, one device for both sides, a VLAN."""

import contextlib
import os

import pytest

import plan
from conftest import Stage, made_world, running_daemon
from counters import Books
from net import World, run
from rtp import Stream
from talk import Talk

PACKETS = 20
VLAN = 42
# Beyond what a page holds: veth then takes no XDP program of its own.
MTU_WITHOUT_NATIVE_XDP = 9000
FAMILIES = {"v4_to_v4": ("pbx", "trunk"), "v6_to_v6": ("pbx6", "trunk6"),
            "v4_to_v6": ("pbx", "trunk6"), "v6_to_v4": ("pbx6", "trunk")}


@pytest.fixture(scope="module")
def world():
    """Each test has its own."""


def configuration():
    config = plan.configuration()
    config["timers"]["attempt"] = 10  # nobody fails over, and emulated machines are slow
    return config


@contextlib.contextmanager
def staged(world, configuration):
    with running_daemon(world, configuration) as daemon:
        with Stage(world, daemon) as stage:
            books = Books(world, daemon)
            yield stage
            stage.quiet()
            books.check()


def check_calls(stage, families=FAMILIES):
    for frm, to in families.values():
        before = stage.cli.packets("forwarded")
        talk = Talk(stage, frm=frm, to=to)
        for sender, target, receiver, sniffer in talk.ways():
            stream = Stream()
            sender.send_stream(stream, target, PACKETS)
            got = sniffer.wait_received((receiver.address, receiver.port), PACKETS)
            assert [datagram.payload for datagram in got] == stream.sent, (frm, to)
            assert all(datagram.ok for datagram in got)
        assert stage.cli.packets("forwarded") == before + 2 * PACKETS
        talk.end()


def test_generic_mode_carries_calls(addresses):
    with made_world(addresses, "-generic", mtu=MTU_WITHOUT_NATIVE_XDP) as world:
        with staged(world, configuration()) as stage:
            devices = stage.cli.status()["devices"]
            assert [d["mode"] for d in devices] == ["generic", "generic"]
            assert all("why" not in d for d in devices)
            assert stage.daemon.log().count("takes no native XDP") == 2
            check_calls(stage)


def make_vlan(ns, device):
    """The device's VLAN interface, named as the daemon looks for it; None, or why there is none."""
    done = ns.run("ip", "link", "add", "link", device, "name", f"{device}.{VLAN}", "type", "vlan",
                  "id", str(VLAN), check=False)
    return done.stderr.strip() if done.returncode else None


@pytest.fixture(scope="module")
def vlans():
    """Skips where the kernel has none."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for network namespaces")
    ns = World("-probe").viaduct
    run("ip", "netns", "add", ns.name)
    try:
        # lo takes none.
        ns.run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        why = make_vlan(ns, "probe0")
    finally:
        run("ip", "netns", "delete", ns.name)
    if why:
        pytest.skip(f"the kernel has no 802.1Q VLANs: {why}")


def wire_vlan(world, ns, device, viaduct_device):
    for at, name in ((ns, device), (world.viaduct, viaduct_device)):
        # A tag that the card strips is invisible to the program.
        at.run("ethtool", "-K", name, "txvlan", "off", "rxvlan", "off")
        why = make_vlan(at, name)
        if why:
            raise RuntimeError(why)
        at.run("ip", "link", "set", f"{name}.{VLAN}", "up")


class VlanWorld(World):
    """The internal side is a VLAN: its addresses are those of vdi0.42 and int0.42."""

    def _wire(self, ns, device, viaduct_device, options=()):
        super()._wire(ns, device, viaduct_device, options)
        if device == self.internal_device:
            wire_vlan(self, ns, device, viaduct_device)
            self.internal_device, self.viaduct_internal = f"int0.{VLAN}", f"vdi0.{VLAN}"


class OneArmWorld(World):
    """Both sides are on vdi0, with addresses of their own."""

    external_device, viaduct_external = "int0", "vdi0"

    def __init__(self, tag):
        super().__init__(tag)
        self.external = self.internal
        self.all = (self.internal, self.viaduct)

    def _wire(self, ns, device, viaduct_device, options=()):
        if not self.wirings:
            super()._wire(ns, device, viaduct_device, options)


class OneDeviceWorld(OneArmWorld):
    """Both sides are on vdi0: the internal one untagged, the external one in a VLAN."""

    external_device, viaduct_external = f"int0.{VLAN}", f"vdi0.{VLAN}"

    def _wire(self, ns, device, viaduct_device, options=()):
        if device == self.external_device:
            wire_vlan(self, ns, self.internal_device, self.viaduct_internal)
        else:
            super()._wire(ns, device, viaduct_device, options)


def test_a_side_in_a_vlan(addresses, vlans):
    config = configuration()
    config["sides"]["internal"]["vlan"] = VLAN
    with made_world(addresses, "-vlan", kind=VlanWorld) as world:
        with staged(world, config) as stage:
            check_calls(stage)
            talk = Talk(stage)
            path = stage.cli.streams(talk.id)[0]["legs"][1]["path"]
            assert (path["device"], path["vlan"]) == ("vdi0", VLAN)
            talk.end()


def test_both_sides_on_one_device(addresses, vlans):
    config = configuration()
    config["sides"]["external"].update(device="vdi0", vlan=VLAN)
    with made_world(addresses, "-one", kind=OneDeviceWorld) as world:
        with staged(world, config) as stage:
            inside, outside = stage.cli.status()["devices"]
            assert inside["ifindex"] == outside["ifindex"]
            assert inside["mode"] == outside["mode"] == "native"
            check_calls(stage)


def one_arm():
    config = configuration()
    config["sides"]["external"]["device"] = "vdi0"
    return config


def test_both_sides_on_one_untagged_device(addresses):
    with made_world(addresses, "-arm", kind=OneArmWorld) as world:
        with staged(world, one_arm()) as stage:
            inside, outside = stage.cli.status()["devices"]
            assert inside["ifindex"] == outside["ifindex"]
            assert inside["mode"] == outside["mode"] == "native"
            check_calls(stage)


def test_a_call_over_one_untagged_device_outlives_the_daemon(addresses):
    with made_world(addresses, "-arm", kind=OneArmWorld) as world:
        with staged(world, one_arm()) as stage:
            talk = Talk(stage)
            stage.daemon.kill()
            stage.daemon.start()
            talk.check_media()
            talk.end()
