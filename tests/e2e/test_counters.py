# SPDX-License-Identifier: BSD-2-Clause
"""The counters add up: what comes into the devices, what becomes of it, what leaves them. Two queues
a device, each served by a CPU of its own where there are two."""

import contextlib
import multiprocessing
import os
import re
import socket
import struct
import time

import pytest

import plan
from conftest import made_world
from counters import Books, driver_counters, over_queues
from net import run
from rtp import Stream, wait_until
from talk import Talk

QUEUES = 2
CPUS = sorted(os.sched_getaffinity(0))[:QUEUES]
BURST = 3000  # packets of each sender
SENDERS = 4   # flows, so that both queues are used
PATIENCE_S = 120  # of a call: on an emulated machine each question to the daemon takes a second or two


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    config["timers"]["attempt"] = 10  # nobody fails over, and emulated machines are slow
    for peer in config["peers"]:
        peer.setdefault("media", {}).setdefault("timeout", PATIENCE_S)
    return config


@pytest.fixture(scope="module")
def world(addresses):
    with made_world(addresses, queues=QUEUES) as world:
        # The sender's CPU decides the queue, and with it the CPU that runs the program.
        for ns, device in ((world.internal, "int0"), (world.external, "ext0")):
            for queue, cpu in enumerate(CPUS):
                # `ip netns exec` shows the namespace's own devices in /sys.
                run("ip", "netns", "exec", ns.name, "sh", "-c",
                    f"echo {1 << cpu:x} > /sys/class/net/{device}/queues/tx-{queue}/xps_cpus")
        yield world


@pytest.fixture
def books(stage):
    return Books(stage.world, stage.daemon)


def send_on_cpu(sock, to, payloads, cpu):
    os.sched_setaffinity(0, {cpu})
    for payload in payloads:
        sock.sendto(payload, to)
    os._exit(0)


def at_once(jobs):
    """Each (socket, to, payloads, cpu) from a process of its own."""
    fork = multiprocessing.get_context("fork")
    senders = [fork.Process(target=send_on_cpu, args=job) for job in jobs]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(60)
        assert sender.exitcode == 0


def by_queue(counters, name):
    return [counters[f"rx_queue_{queue}_{name}"] for queue in range(QUEUES)]


def test_both_ways_on_two_queues_and_cpus(stage, books):
    talk = Talk(stage, timeout=PATIENCE_S)
    before = {side: driver_counters(stage.world.viaduct, device)
              for side, device in (("internal", "vdi0"), ("external", "vde0"))}
    forwarded = stage.cli.packets("forwarded")
    jobs = []
    for i in range(SENDERS):
        sender, to = ((talk.a, talk.to_a()), (talk.b, talk.to_b()))[i % 2]
        stream = Stream(ssrc=7 + i % 2)
        payloads = [stream.packet() for _ in range(BURST)]
        jobs.append((sender._sockets[0], to, payloads, CPUS[i // 2 % len(CPUS)]))
    at_once(jobs)
    books.check()
    # Some may be lost in the rings of those who send, before they come to us.
    assert SENDERS * BURST // 2 < stage.cli.packets("forwarded") - forwarded <= SENDERS * BURST
    if len(CPUS) == QUEUES:
        for side, device in (("internal", "vdi0"), ("external", "vde0")):
            counters = driver_counters(stage.world.viaduct, device)
            used = [now - then for now, then in zip(by_queue(counters, "xdp_packets"),
                                                    by_queue(before[side], "xdp_packets"))]
            assert all(packets > BURST // 4 for packets in used), f"{device}: {used}"
    talk.end()


def junk(to):
    """Payloads that are counted under a reason each, sent to a live media port."""
    return {"drop_stun": b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), "drop_dtls": b"\x16\xfe\xfd" + bytes(20),
            "drop_not_rtp": b"\xc0" + bytes(20)}


def test_every_reason_that_the_wire_can_provoke(stage, books):
    talk = Talk(stage, timeout=PATIENCE_S)
    stranger = stage.endpoint("trunk", plan.STRANGER["external"])
    to = talk.to_b()
    before = {reason: stage.cli.packets(reason, "external")
              for reason in ("forwarded", "drop_source", "drop_no_flow", "drop_ttl",
                             "pass_not_ours", "pass_icmp", *junk(to))}
    for payload in junk(to).values():
        talk.b.send(payload, to)
    talk.b.send(Stream().packet(), to)
    stranger.send(Stream().packet(), to)
    talk.b.send(Stream().packet(), (to[0], plan.EXTERNAL_PORTS[1] - 1))
    talk.b.send(b"x", (to[0], 9))
    with contextlib.closing(stage.world.external.socket(socket.AF_INET, socket.SOCK_DGRAM)) as low:
        low.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        low.sendto(Stream().packet(), to)
    # RFC 792, an echo request of eight bytes
    with contextlib.closing(stage.world.external.socket(socket.AF_INET, socket.SOCK_RAW,
                                                        socket.IPPROTO_ICMP)) as echo:
        echo.sendto(struct.pack("!BBHI", 8, 0, 0xf7ff, 0), (to[0], 0))
    books.check()
    for reason, count in before.items():
        now = stage.cli.packets(reason, "external")
        if reason in ("pass_not_ours", "pass_icmp"):  # others may come by themselves
            assert now > count, reason
        else:
            assert now == count + 1, reason
    talk.end()


def kernel_tells():
    with open("/sys/kernel/btf/vmlinux", "rb") as f:
        names = f.read()
    return b"btf_trace_xdp_redirect_err" in names and b"btf_trace_xdp_devmap_xmit" in names


def test_what_the_driver_loses_is_counted_and_named(stage, books):
    """The far end of a veth takes no redirected packet without NAPI."""
    ns, talk = stage.world.external, Talk(stage, timeout=PATIENCE_S)
    stream = Stream()

    def lost():
        return {d["name"]: d for d in stage.cli.status()["devices"]}["vde0"]

    def counted():
        return lost()["lost"], stage.cli.packets("forwarded", "internal")
    if not kernel_tells():
        pytest.skip("the kernel has no tracepoint for what drivers lose of redirected packets")
    talk.a.send_stream(stream, talk.to_a(), 10)
    talk.sniffer_of_b.wait_received((talk.b.address, talk.b.port), 10)
    assert not lost()["lost_lately"]
    ns.run("ethtool", "-K", "ext0", "gro", "off")
    try:
        # Refused before it was finished, a packet is none of those sent on: until that is noticed.
        def lost_by_the_driver():
            talk.a.send(stream.packet(), talk.to_a())
            return not lost()["batched"] or lost()["lost_lately"]

        def at_rest():
            seen = counted()
            time.sleep(0.1)
            return counted() == seen
        wait_until(lost_by_the_driver, 5, lambda: str(lost()))
        wait_until(at_rest, 5, lambda: str(counted()))
        before, forwarded = counted()
        talk.a.send_stream(stream, talk.to_a(), 20)
        wait_until(lambda: counted() == (before + 20, forwarded + 20), 5,
                   lambda: f"the packets to be counted: {counted()}, before {before, forwarded}")

        def named():
            talk.a.send(stream.packet(), talk.to_a())
            return re.search(r"vde0.*its driver loses packets, \d+ in the last 3 s",
                             stage.cli.text("status").stdout)
        wait_until(named, 5, lambda: stage.cli.text("status").stdout)

        def finding():
            talk.a.send(stream.packet(), talk.to_a())
            found = {f["code"]: f for f in stage.cli.streams(talk.id)[0]["findings"]}
            if "driver_loss" in found:
                assert "ok" not in found and "one_way" not in found
            return found.get("driver_loss")
        found = wait_until(finding, 5, lambda: str(stage.cli.streams(talk.id)[0]["findings"]))
        assert found["leg"] == "a" and "it takes none (a veth needs" in found["text"]
    finally:
        ns.run("ethtool", "-K", "ext0", "gro", "on")
    books.check()

    def over():
        talk.a.send(stream.packet(), talk.to_a())
        return "one_way" in {f["code"] for f in stage.cli.streams(talk.id)[0]["findings"]}
    wait_until(over, 15, "the loss to be over")
    talk.end()


RING = 256  # packets: drivers/net/veth.c
PAUSES_S = 1, 4, 16  # for senders as slow as an emulated machine's: a burst is to come within one


def poll_every(ns, device, seconds):
    """The device's NAPI is asleep for so long after each time that it has found packets; 0: never."""
    for name, value in (("gro_flush_timeout", int(seconds * 1e9)), ("napi_defer_hard_irqs", int(seconds > 0))):
        run("ip", "netns", "exec", ns.name, "sh", "-c", f"echo {value} > /sys/class/net/{device}/{name}")


def test_what_finds_no_room_in_a_full_ring_is_counted_as_the_driver_does(stage, books):
    """The far end takes packets too seldom: its ring holds 256 a queue, the rest is lost on the way."""
    if not kernel_tells():
        pytest.skip("the kernel has no tracepoint for what drivers lose of redirected packets")
    ns, talk, stream = stage.world.external, Talk(stage, timeout=PATIENCE_S), Stream()
    burst = 4 * QUEUES * RING

    def driver():
        return over_queues(driver_counters(stage.world.viaduct, "vde0"), "xdp_xmit_errors")

    def daemon():
        return {d["name"]: d for d in stage.cli.status()["devices"]}["vde0"]["lost"]

    def arrived():
        return len(talk.sniffer_of_b.received((talk.b.address, talk.b.port), mark))
    mark = talk.sniffer_of_b.mark()
    by_driver, by_daemon = driver(), daemon()
    forwarded = stage.cli.packets("forwarded", "internal")
    sent = lost = 0
    try:
        for pause in PAUSES_S:
            poll_every(ns, "ext0", pause)
            talk.a.send_stream(stream, talk.to_a(), burst, interval=0)
            sent += burst
            wait_until(lambda: stage.cli.packets("forwarded", "internal") == forwarded + sent, 5,
                       "the packets to be counted")
            lost = driver() - by_driver
            if lost:
                break
        assert lost > 0 and daemon() - by_daemon == lost
        wait_until(lambda: arrived() == sent - lost, 5, lambda: f"{arrived()} of {sent} less {lost}")

        def told():
            talk.a.send_stream(stream, talk.to_a(), burst, interval=0)
            return re.search(r"vde0.*its driver loses packets, \d+ in the last 3 s: no room",
                             stage.cli.text("status").stdout)
        wait_until(told, 5, lambda: stage.cli.text("status").stdout)

        def finding():
            talk.a.send_stream(stream, talk.to_a(), burst, interval=0)
            return {f["code"]: f for f in stage.cli.streams(talk.id)[0]["findings"]}.get("driver_loss")
        found = wait_until(finding, 5, lambda: str(stage.cli.streams(talk.id)[0]["findings"]))
        assert found["leg"] == "a" and "its queue was full" in found["text"]
    finally:
        poll_every(ns, "ext0", 0)
    books.check()
    assert daemon() - by_daemon == driver() - by_driver
    talk.end()


@pytest.mark.parametrize("mtu, longer", [(1300, 1200), (150, 0)], ids=["ipv6", "too_small_for_ipv6"])
def test_what_is_too_long_for_the_way_out_is_counted_as_that(stage, books, mtu, longer):
    """Whether packets wait for others or not."""
    viaduct, talk = stage.world.viaduct, Talk(stage, timeout=PATIENCE_S)
    too_long = Stream().packet() + bytes(longer)

    def waits():
        return {d["name"]: d for d in stage.cli.status()["devices"]}["vde0"]["batched"]
    viaduct.run("ip", "link", "set", "vde0", "mtu", str(mtu))
    try:
        wait_until(lambda: mtu >= 1280 or not waits(), 5, "no packets to wait")
        redirect = stage.cli.packets("drop_redirect", "internal")
        before = stage.cli.packets("drop_mtu", "internal")

        def dropped():
            talk.a.send(too_long, talk.to_a())
            return stage.cli.packets("drop_mtu", "internal") > before
        wait_until(dropped, 5, lambda: stage.cli.text("status").stdout)
        assert stage.cli.packets("drop_redirect", "internal") == redirect
        found = {f["code"]: f for f in stage.cli.streams(talk.id)[0]["findings"]}
        assert f"vde0 takes {mtu} (MTU)" in found["too_long"]["text"]
    finally:
        viaduct.run("ip", "link", "set", "vde0", "mtu", "1500")
        viaduct.run("ip", "address", "replace", f"{plan.VIADUCT['external', 6]}/64", "dev", "vde0", "nodad")
    talk.check_media(5)
    talk.end()
    books.check()
