# SPDX-License-Identifier: BSD-2-Clause
"""The network changes under a call: its media follow, and what stands in the way is named."""

import contextlib
import socket
import struct
import time

import pytest

import plan
from net import Reader
from rtp import Sniffer, Stream, family_of, ones_complement_sum, wait_until
from scenario import basic_callee, basic_caller, sdp
from sipp import finish
from talk import Talk
from test_restart import no_daemon

# Flows follow within about a second. A machine that is busy with other tests has longer.
FOLLOW_S = 15
LOCKTIME_S = 1.2  # the kernel takes no gratuitous ARP for a neighbour that it learned just now
ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
BEHIND = "198.51.100.9"  # a host behind the routers outside
FIRST_ROUTER = plan.PEERS["trunk"].address
SECOND_ROUTER, SECOND_ROUTER_MAC = "192.0.2.250", "02:00:00:00:02:50"
THIRD_ROUTER, THIRD_ROUTER_MAC = "192.0.2.251", "02:00:00:00:02:51"
LATE = "192.0.2.150"  # nobody has it at first
BEHIND6 = "2001:db8:1::9"
SILENT, SILENT6 = "192.0.2.160", "2001:db8::160"  # who says nothing by itself


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    config["timers"]["attempt"] = 10  # nobody fails over, and emulated machines are slow
    return config


@pytest.fixture(scope="module", autouse=True)
def wires(world):
    """Changes of a MAC address are announced; IPv6 addresses outlive a link that goes down."""
    announce(world)
    world.external.add_address("lo", f"{BEHIND}/32")


def announce(world):
    for ns, device in ((world.internal, "int0"), (world.external, "ext0"),
                       (world.viaduct, "vdi0"), (world.viaduct, "vde0")):
        ns.run("sysctl", "-qw", f"net.ipv4.conf.{device}.arp_notify=1",
               f"net.ipv6.conf.{device}.ndisc_notify=1",
               f"net.ipv6.conf.{device}.keep_addr_on_down=1")


class Media:
    """Both ways of a Talk's RTP, seen by sniffers of its own: they end with their device."""

    def __init__(self, talk):
        self.talk = talk
        self.streams = Stream(), Stream()

    def check_follows(self, mac=None, meanwhile=lambda: None):
        """Sends until the far end of either way hears it again; outside by that MAC address."""
        talk, world = self.talk, self.talk.stage.world
        ends = ((talk.a, talk.to_a(), talk.b, world.external, world.external_device),
                (talk.b, talk.to_b(), talk.a, world.internal, world.internal_device))
        with contextlib.ExitStack() as stack:
            sniffers = []
            for _, _, _, ns, device in ends:
                sniffers.append(Sniffer(ns, device))
                stack.callback(sniffers[-1].close)

            def heard():
                meanwhile()
                done = True
                for i, (sender, to, receiver, _, _) in enumerate(ends):
                    with contextlib.suppress(OSError):  # its own network is down
                        sender.send(self.streams[i].packet(), to)
                    got = sniffers[i].received((receiver.address, receiver.port))
                    assert all(datagram.ok for datagram in got)
                    if mac and i == 0:
                        got = [datagram for datagram in got if datagram.dmac == mac]
                    done = done and len(got) >= 5
                return done
            wait_until(heard, FOLLOW_S, lambda: f"media both ways: {self.path()}, {self.status()}")

    def path(self):
        """Where what leg a sends leaves."""
        return self.talk.stage.cli.streams(self.talk.id)[0]["legs"][0]["path"]

    def status(self):
        status = self.talk.stage.cli.status()
        return status["devices"], status.get("unresolved")

    def wait_for(self, why):
        """Until the next hop outside is not resolved for that reason; a packet is counted."""
        cli = self.talk.stage.cli
        wait_until(lambda: self.path().get("why") == why, FOLLOW_S, lambda: f"{why}: {self.path()}")
        status = cli.status()
        shown = [hop for hop in status["unresolved"]
                 if hop["why"] == why and hop["to"] == self.talk.b.address]
        assert shown and shown[0]["side"] == "external" and shown[0]["device"] == "vde0"
        assert status["nexthops_unresolved"] >= 1
        assert why in cli.text("status").stdout
        findings = cli.streams(self.talk.id)[0]["findings"]
        assert any(f["code"] == "next_hop" and f["text"].endswith(f": {why}") for f in findings)
        wait_until(lambda: not any(d["batched"] and not d["up"] for d in cli.status()["devices"]), 3,
                   lambda: f"no packets to wait for a device that is down: {cli.status()['devices']}")
        before = cli.packets("drop_no_neighbour", "internal")
        self.talk.a.send(self.streams[0].packet(), self.talk.to_a())
        wait_until(lambda: cli.packets("drop_no_neighbour", "internal") == before + 1, 3,
                   "the packet to be counted")

    def check_change(self, change):
        path = self.path()
        assert (path["resolved"], path.get("change")) == (True, change)
        assert path["changed_ms"] < 60000
        cli = self.talk.stage.cli
        assert f"ago: {change}" in cli.text("call", str(self.talk.id)).stdout
        told = f"next hop to {self.talk.b.address} on vde0: {change}"
        assert cli.status()["last_change"] == told
        assert f"ago: {told}" in cli.text("status").stdout


def talk_to(stage, address, peer="trunk"):
    """A call whose called side wants its media there."""
    b = stage.endpoint(peer, address=address)
    return Talk(stage, to=peer, b=b, answer=sdp(address, b.port))


class Host:
    """Somebody outside who has that address and answers for it with a MAC address of its own, as long
    as it is not silent. By itself it says nothing."""

    protocol = ETH_P_ARP

    def __init__(self, ns, address, mac):
        self.address = socket.inet_pton(family_of(address), address)
        self.silent, self.requests = False, []  # each: whether everybody was asked
        self.move(mac)
        self.socket = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.protocol))
        with ns.entered():
            self.socket.bind(("ext0", self.protocol))
        self.socket.settimeout(0.2)
        self.reader = Reader(self._step)

    def move(self, mac):
        self.mac = bytes.fromhex(mac.replace(":", ""))

    def _step(self):
        try:
            frame = self.socket.recv(2000)
        except TimeoutError:
            return True
        except OSError:
            return False
        answer = self._answer(frame)
        if answer:
            to_all = frame[0] & 1 == 1
            self.requests.append(to_all)
            if not self.silent and (to_all or frame[0:6] == self.mac):
                self.socket.send(answer)
        return True

    def _answer(self, frame):
        sender, asked = frame[22:32], frame[38:42]
        if frame[20:22] != b"\0\1" or asked != self.address or sender[6:] == asked:
            return None
        return frame[6:12] + self.mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 2) + \
            self.mac + self.address + sender

    def close(self):
        self.reader.close()
        self.socket.close()


class Router(Host):
    """One of IPv6, who says so to all when asked to."""

    protocol = ETH_P_IPV6
    ICMPV6, HOPS = 58, 255  # RFC 4861 4.2
    ADVERTISEMENT, SOLICITATION, ANSWER = 134, 135, 136
    SOLICITED_ROUTER_OVERRIDES = 0xE0000000

    def _packet(self, mac, to, body):
        header = struct.pack("!IHBB", 6 << 28, len(body), self.ICMPV6, self.HOPS) + self.address + to
        pseudo = self.address + to + struct.pack("!II", len(body), self.ICMPV6)
        checksum = ones_complement_sum(pseudo + body) ^ 0xFFFF
        return mac + self.mac + struct.pack("!H", ETH_P_IPV6) + header + body[:2] + \
            struct.pack("!H", checksum) + body[4:]

    def advertise(self, lifetime_s=1800):
        to = socket.inet_pton(socket.AF_INET6, "ff02::1")
        option = b"\1\1" + self.mac
        self.socket.send(self._packet(bytes.fromhex("333300000001"), to, struct.pack(
            "!BBHBBHII", self.ADVERTISEMENT, 0, 0, 64, 0, lifetime_s, 0, 0) + option))

    def _answer(self, frame):
        if frame[20] != self.ICMPV6 or frame[54] != self.SOLICITATION or frame[62:78] != self.address:
            return None
        return self._packet(frame[6:12], frame[22:38], struct.pack(
            "!BBHI", self.ANSWER, 0, 0, self.SOLICITED_ROUTER_OVERRIDES) + self.address + b"\2\1" + self.mac)


class Steady:
    """RTP from inside, 50 packets a second until closed, and where each one went outside."""

    INTERVAL_S = 0.02

    def __init__(self, talk):
        self.talk, self.stream = talk, Stream()
        world = talk.stage.world
        self.sniffer = Sniffer(world.external, world.external_device)
        self.reader = Reader(self._step)

    def _step(self):
        self.talk.a.send(self.stream.packet(), self.talk.to_a())
        time.sleep(self.INTERVAL_S)

    def mark(self):
        return self.sniffer.mark()

    def heard(self, since):
        return self.sniffer.received((self.talk.b.address, self.talk.b.port), since)

    def wait_for(self, mac, since):
        """Until one goes there, and the next ones. Returns how many went elsewhere before."""
        def seen():
            return [one.dmac for one in self.heard(since)]
        wait_until(lambda: seen().count(mac) > 10, FOLLOW_S, lambda: f"{mac} in {set(seen())}")
        return seen().index(mac)

    def close(self):
        self.reader.close()
        self.sniffer.close()


@pytest.mark.parametrize("peer", ["trunk", "trunk6"])
def test_a_neighbours_new_mac_address_is_followed(stage, peer):
    ns, old, new = stage.world.external, stage.world.external.link_mac("ext0"), "02:00:00:00:00:77"
    talk = Talk(stage, to=peer)
    media = Media(talk)
    media.check_follows(old)
    time.sleep(LOCKTIME_S)
    ns.run("ip", "link", "set", "ext0", "address", new)
    try:
        media.check_follows(new)
        media.check_change("the neighbour has another MAC address")
        assert media.path()["dmac"] == new
    finally:
        time.sleep(LOCKTIME_S)
        ns.run("ip", "link", "set", "ext0", "address", old)
    media.check_follows(old)
    talk.end()


@contextlib.contextmanager
def unannounced(world, mac):
    """The trunk's side has that MAC address and says so to who asks alone. It knows ours: a host that
    asks for it tells its own by that."""
    ns, old, ours = world.external, world.external.link_mac("ext0"), world.viaduct.link_mac("vde0")
    known = [f"{plan.VIADUCT['external', family]} lladdr {ours} dev ext0" for family in (4, 6)]
    ns.run("sysctl", "-qw", "net.ipv4.conf.ext0.arp_notify=0", "net.ipv6.conf.ext0.ndisc_notify=0")
    ns.run("ip", "-batch", "-", input=f"link set ext0 address {mac}\n" + "".join(
        f"neigh replace {entry} nud permanent\n" for entry in known))
    try:
        yield
    finally:
        ns.run("ip", "-batch", "-", input="".join(f"neigh del {entry}\n" for entry in known))
        announce(world)
        time.sleep(LOCKTIME_S)
        ns.run("ip", "link", "set", "ext0", "address", old)


@pytest.mark.parametrize("peer", ["trunk", "trunk6"])
def test_a_neighbours_new_mac_address_that_its_packets_alone_tell_is_followed(stage, peer):
    talk = Talk(stage, to=peer)
    media, cli = Media(talk), stage.cli
    media.check_follows()
    asked = cli.status()["nexthops_asked"]
    with unannounced(stage.world, "02:00:00:00:00:88"):
        media.check_follows("02:00:00:00:00:88")
        assert media.path()["dmac"] == "02:00:00:00:00:88"
        # Whoever is silent is asked for as well, which may come first where this test has to wait.
        if media.path()["change"].endswith("packets came from it"):
            media.check_change("the neighbour has another MAC address after: packets came from it")
            assert cli.status()["nexthops_asked"] > asked
            assert "asked anew for packets from elsewhere" in cli.text("status").stdout
        else:
            media.check_change("the neighbour has another MAC address after: the one before did not answer")
    media.check_follows()
    talk.end()


def test_our_own_new_mac_address_is_followed(stage):
    viaduct, new = stage.world.viaduct, "02:00:00:00:00:66"
    old = viaduct.link_mac("vde0")
    talk = Talk(stage)
    media = Media(talk)
    media.check_follows()
    time.sleep(LOCKTIME_S)
    viaduct.run("ip", "link", "set", "vde0", "address", new)
    try:
        wait_until(lambda: media.path().get("smac") == new, FOLLOW_S, lambda: str(media.path()))
        media.check_follows()
        media.check_change("our device has another MAC address")
    finally:
        time.sleep(LOCKTIME_S)
        viaduct.run("ip", "link", "set", "vde0", "address", old)
    talk.end()


def test_the_default_route_by_another_gateway_is_followed(stage):
    viaduct, first_mac = stage.world.viaduct, stage.world.external.link_mac("ext0")
    viaduct.run("ip", "route", "add", "default", "via", FIRST_ROUTER)
    stage.keep(Host(stage.world.external, SECOND_ROUTER, SECOND_ROUTER_MAC))
    try:
        talk = talk_to(stage, BEHIND)
        media = Media(talk)
        media.check_follows(first_mac)
        assert media.path()["gateway"] == FIRST_ROUTER
        viaduct.run("ip", "route", "replace", "default", "via", SECOND_ROUTER)
        wait_until(lambda: media.path()["resolved"] and media.path()["gateway"] == SECOND_ROUTER, FOLLOW_S,
                   lambda: str(media.path()))
        media.check_follows(SECOND_ROUTER_MAC)
        assert media.path()["change"].startswith("another gateway")
        talk.end()
    finally:
        viaduct.run("ip", "route", "del", "default")


# One second of packets is what it takes, as tests/unit/test_dataplane_reachability.c proves by a clock
# that no machine delays. The kernel takes three for its three requests alone, begun at the very moment.
ASTRAY_MAX = 100


def check_silent_move(stage, kind, address, peer):
    """It has another MAC address from one moment to the next, and sends nothing by which to tell."""
    host = stage.keep(kind(stage.world.external, address, SECOND_ROUTER_MAC))
    family = "ipv6" if ":" in address else "ipv4"  # the kernel there is not to answer for it
    stage.world.external.run("sysctl", "-qw", f"net.{family}.ip_nonlocal_bind=1")
    talk = talk_to(stage, address, peer)
    media, steady = Media(talk), stage.keep(Steady(talk))
    steady.wait_for(SECOND_ROUTER_MAC, 0)
    asked, since = len(host.requests), steady.mark()
    host.move(THIRD_ROUTER_MAC)
    assert steady.wait_for(THIRD_ROUTER_MAC, since) < ASTRAY_MAX
    media.check_change("the neighbour has another MAC address after: the one before did not answer")
    # One that was under way when it moved may have had its answer.
    assert host.requests[asked:].index(True) <= 2
    talk.end()


def test_a_new_mac_address_that_nothing_tells_is_asked_for(stage):
    check_silent_move(stage, Host, SILENT, "trunk")


def test_a_new_mac_address_that_nothing_tells_is_asked_for_in_ipv6(stage):
    check_silent_move(stage, Router, SILENT6, "trunk6")


def test_a_device_that_is_set_to_ask_nobody_alone_loses_nothing(stage):
    """The kernel gives up a neighbour at once that it is had ask at its MAC address."""
    viaduct, cli = stage.world.viaduct, stage.cli
    setting = "net.ipv4.neigh.vde0.ucast_solicit"
    viaduct.run("sysctl", "-qw", f"{setting}=0")
    try:
        talk = Talk(stage)
        steady = stage.keep(Steady(talk))
        before, since = cli.packets("drop_no_neighbour", "internal"), steady.mark()
        wait_until(lambda: len(steady.heard(since)) > 300, FOLLOW_S, "six seconds of packets")
        assert cli.packets("drop_no_neighbour", "internal") == before
        talk.end()
    finally:
        viaduct.run("sysctl", "-qw", f"{setting}=3")


def test_of_two_gateways_of_a_route_one_that_falls_silent_is_left(stage):
    world, hosts = stage.world, {}
    gateways = {SECOND_ROUTER: SECOND_ROUTER_MAC, THIRD_ROUTER: THIRD_ROUTER_MAC}
    for router, mac in gateways.items():
        hosts[router] = stage.keep(Host(world.external, router, mac))
    world.viaduct.run("ip", "route", "add", BEHIND, *(
        word for router in gateways for word in ("nexthop", "via", router, "dev", "vde0")))
    try:
        talk = talk_to(stage, BEHIND)
        media, steady = Media(talk), stage.keep(Steady(talk))
        wait_until(lambda: media.path()["resolved"], FOLLOW_S, lambda: str(media.path()))
        first = media.path()["gateway"]
        second = next(router for router in gateways if router != first)
        steady.wait_for(gateways[first], 0)
        since = steady.mark()
        hosts[first].silent = True
        assert steady.wait_for(gateways[second], since) < ASTRAY_MAX
        media.check_change("another gateway after: the neighbour does not answer")
        left = stage.cli.status().get("gateways_left")
        assert [(one["side"], one["device"], one["gateway"]) for one in left] == [("external", "vde0", first)]
        assert left[0]["why"] in ("the neighbour does not answer", "no neighbour")
        assert f"\n{first} " in stage.cli.text("status").stdout
        since = steady.mark()
        hosts[first].silent = False
        steady.wait_for(gateways[first], since)
        wait_until(lambda: "gateways_left" not in stage.cli.status(), FOLLOW_S, "both gateways")
        talk.end()
    finally:
        world.viaduct.run("ip", "route", "del", BEHIND)


def test_of_two_routers_that_advertise_themselves_one_that_falls_silent_is_left(stage):
    world = stage.world
    routers = {address: stage.keep(Router(world.external, address, mac)) for address, mac in (
        ("fe80::2:50", SECOND_ROUTER_MAC), ("fe80::2:51", THIRD_ROUTER_MAC))}
    world.viaduct.run("sysctl", "-qw", "net.ipv6.conf.vde0.accept_ra=2")
    world.external.add_address("lo", f"{BEHIND6}/128")
    try:
        for router in routers.values():
            router.advertise()
        wait_until(lambda: world.viaduct.run("ip", "-6", "route", "show", "default").stdout.count("via") == 2,
                   FOLLOW_S, "two routers")
        talk = talk_to(stage, BEHIND6, "trunk6")
        media, steady = Media(talk), stage.keep(Steady(talk))
        wait_until(lambda: media.path()["resolved"], FOLLOW_S, lambda: str(media.path()))
        first = media.path()["gateway"]
        second = next(router for router in routers if router != first)
        steady.wait_for(routers[first].mac.hex(":"), 0)
        since = steady.mark()
        routers[first].silent = True
        assert steady.wait_for(routers[second].mac.hex(":"), since) < ASTRAY_MAX
        media.check_change("another gateway after: the neighbour does not answer")
        talk.end()
    finally:
        for router in routers.values():
            router.advertise(lifetime_s=0)
        world.viaduct.run("sysctl", "-qw", "net.ipv6.conf.vde0.accept_ra=0")


def test_a_route_that_goes_is_named_and_followed_when_it_is_back(stage):
    viaduct, network = stage.world.viaduct, "198.51.100.0/24"
    viaduct.run("ip", "route", "add", network, "via", FIRST_ROUTER)
    try:
        talk = talk_to(stage, BEHIND)
        media = Media(talk)
        media.check_follows()
        viaduct.run("ip", "route", "del", network)
        media.wait_for("no route")
        viaduct.run("ip", "route", "add", network, "via", FIRST_ROUTER)
        media.check_follows()
        media.check_change("resolved after: no route")
        talk.end()
    finally:
        viaduct.run("ip", "route", "del", network, check=False)


@pytest.mark.parametrize("whose,why", [("theirs", "no carrier"), ("ours", "device down")],
                         ids=["theirs", "ours"])
def test_a_link_that_flaps_is_followed(stage, whose, why):
    ns, device = ((stage.world.external, "ext0") if whose == "theirs"
                  else (stage.world.viaduct, "vde0"))
    talk = Talk(stage)
    media = Media(talk)
    media.check_follows()
    ns.run("ip", "link", "set", device, "down")
    try:
        media.wait_for(why)
        shown = {d["name"]: d for d in stage.cli.status()["devices"]}["vde0"]
        assert (shown["up"], shown["why"], shown["attached"]) == (False, why, shown["attached"])
        assert shown["attached"] != "none"
    finally:
        ns.run("ip", "link", "set", device, "up")
    media.check_follows()
    media.check_change(f"resolved after: {why}")
    assert all("why" not in d for d in stage.cli.status()["devices"])
    talk.end()


def test_an_address_that_is_removed_and_comes_back_serves_again(stage):
    viaduct, address = stage.world.viaduct, plan.VIADUCT["external", 4]
    talk = Talk(stage)
    media = Media(talk)
    media.check_follows()
    viaduct.run("ip", "address", "del", f"{address}/24", "dev", "vde0")
    try:
        media.wait_for("media address is not on this machine")
    finally:
        viaduct.add_address("vde0", f"{address}/24")
    media.check_follows()
    media.check_change("resolved after: media address is not on this machine")
    talk.end()
    # New calls too.
    called = stage.callee(basic_callee(sdp(FIRST_ROUTER, 6000)).answer_bye())
    finish(stage.caller(basic_caller(sdp("10.10.0.2", 5000)).bye(), port=5061), called)


def ifindex(world):
    return int(world.viaduct.run("ip", "-o", "link", "show", "vde0").stdout.split(":")[0])


@pytest.mark.parametrize("same_index", [False, True], ids=["new_index", "same_index"])
def test_a_device_that_goes_and_comes_back_carries_the_same_calls(stage, same_index):
    world, index = stage.world, ifindex(stage.world)
    talk = Talk(stage)
    media = Media(talk)
    media.check_follows()
    flows = {flow["id"] for flow in stage.cli.flows()}
    world.viaduct.run("ip", "link", "del", "vde0")
    try:
        media.wait_for("device gone")
        shown = {d["name"]: d for d in stage.cli.status()["devices"]}["vde0"]
        assert (shown["mode"], shown["attached"], shown["up"]) == ("none", "none", False)
        assert shown["why"] == "device gone"
    finally:
        world.wire_external(["index", str(index)] if same_index else [])
        announce(world)
    media.check_follows()
    assert (ifindex(world) == index) == same_index
    assert media.path()["change"].endswith(" after: device gone")
    shown = {d["name"]: d for d in stage.cli.status()["devices"]}["vde0"]
    assert (shown["mode"], shown["attached"] != "none", shown["up"]) == ("native", True, True)
    assert "why" not in shown
    assert {flow["id"] for flow in stage.cli.flows()} == flows
    talk.end()


def test_a_device_that_was_made_anew_while_no_daemon_ran_carries_the_calls_it_left(stage):
    world = stage.world
    talk = Talk(stage)
    media = Media(talk)
    media.check_follows()
    with no_daemon(stage.daemon):
        world.viaduct.run("ip", "link", "del", "vde0")
        world.wire_external()
        announce(world)
    assert stage.cli.status()["adoption"]["calls"] == 1
    media.check_follows()
    talk.end()


@contextlib.contextmanager
def link_down(world):
    world.viaduct.run("ip", "link", "set", "vde0", "down")
    yield "device down"
    world.viaduct.run("ip", "link", "set", "vde0", "up")


@contextlib.contextmanager
def carrier_lost(world):
    world.external.run("ip", "link", "set", "ext0", "down")
    yield "no carrier"
    world.external.run("ip", "link", "set", "ext0", "up")


@contextlib.contextmanager
def neighbour_replaced(world):
    old = world.external.link_mac("ext0")
    time.sleep(LOCKTIME_S)
    world.external.run("ip", "link", "set", "ext0", "address", "02:00:00:00:00:79")
    yield None
    time.sleep(LOCKTIME_S)
    world.external.run("ip", "link", "set", "ext0", "address", old)


@pytest.mark.parametrize("change", [link_down, carrier_lost, neighbour_replaced],
                         ids=["link_down", "carrier_lost", "neighbour_replaced"])
def test_what_the_network_did_while_no_daemon_ran_is_followed_by_the_next(stage, change):
    talk = Talk(stage)
    media = Media(talk)
    media.check_follows()
    with contextlib.ExitStack() as stack:
        with no_daemon(stage.daemon):
            why = stack.enter_context(change(stage.world))
        assert stage.cli.status()["adoption"]["calls"] == 1
        if why:
            media.wait_for(why)
        else:
            media.check_follows("02:00:00:00:00:79")
    media.check_follows()
    if why:
        media.check_change(f"resolved after: {why}")
    talk.end()


def test_a_next_hop_that_is_not_there_is_found_without_traffic_of_ours(stage):
    world = stage.world
    world.external.run("sysctl", "-qw", "net.ipv4.conf.ext0.arp_notify=0")
    world.external.run("sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1")
    try:
        talk = talk_to(stage, LATE)
        media = Media(talk)
        media.wait_for("no neighbour")
        hop = [hop for hop in stage.cli.status()["unresolved"] if hop["to"] == LATE][0]
        assert hop["gateway"] == LATE and "since_ms" not in hop
        # It says nothing itself, and nothing is sent to it.
        world.external.add_address("ext0", f"{LATE}/32")
        wait_until(lambda: media.path()["resolved"], FOLLOW_S, lambda: str(media.path()))
        assert stage.cli.status()["nexthops_unresolved"] == 0
        media.check_change("resolved after: no neighbour")
        media.check_follows()
        talk.end()
    finally:
        world.external.run("sysctl", "-qw", "net.ipv4.conf.ext0.arp_notify=1")
        world.external.run("ip", "address", "del", f"{LATE}/32", "dev", "ext0", check=False)
