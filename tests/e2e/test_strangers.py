# SPDX-License-Identifier: BSD-2-Clause
"""Media ports of a live call under traffic from those who have no part in it: RTP as fast as it can be
sent, and frames of any shape. The call does not notice, the daemon does not either, and the counters
say what came."""

import contextlib
import os
import random
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import plan
from daemon import BUILD
from net import Reader
from rtp import Stream, family_of, ones_complement_sum, wait_until
from talk import Talk
from test_hostile import invite, request_at, response

FLOOD = os.path.join(BUILD, "tests/e2e/flood")
PACKETS = 250_000    # of strangers
INTERVAL_S = 0.02    # of the call's own packets
LOSS_ALLOWED = 0.02  # of the call's packets, beyond what the wire itself lost
DAEMON_SHARE = 0.10  # of a CPU that the daemon may take more than in quiet
FRAMES = 10_000      # mutated
T1_S = 0.5           # until a request over UDP is sent again (RFC 3261 17.1.1.2)
ANSWERED_S = 5       # a call, among strangers
HZ = os.sysconf("SC_CLK_TCK")


def cpu_s(daemon):
    with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / HZ


class Speech:
    """Packets of both ends at their pace, until it is stopped; heard by the ends' own sockets."""

    def __init__(self, talk):
        self.talk, self.streams, self._ending = talk, (Stream(), Stream()), False
        # A sniffer would see the flood, and be all that runs.
        talk.inside.close()
        talk.outside.close()
        talk.a.listen()
        talk.b.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ending:
            for stream, (sender, via, _, _) in zip(self.streams, self.talk.ways()):
                sender.send(stream.packet(), via)
            time.sleep(INTERVAL_S)

    def stop(self):
        self._ending = True
        self._thread.join()
        time.sleep(0.2)

    def heard(self):
        """Of each way the payloads that were sent, and those that came for the receiver."""
        for stream, (_, _, receiver, _) in zip(self.streams, self.talk.ways()):
            yield stream.sent, receiver.heard()


def flood(ns, source, destination):
    process = ns.popen(FLOOD, source, destination[0], str(destination[1]), str(PACKETS),
                       stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    sent, seconds = out.split()
    return int(sent), float(seconds)


def device_counters(ns, device):
    """Frames that the program of a veth saw, and those that found its queue full."""
    text = ns.run("ethtool", "-S", device).stdout
    def total(name):
        return sum(int(n) for n in re.findall(rf"rx_queue_\d+_{name}: (\d+)", text))
    return total("xdp_packets"), total("drops")


def lost_on_the_wire(world):
    """Frames from outside that found either end of the wire full."""
    _, full = device_counters(world.viaduct, world.viaduct_external)
    return full + world.external.tx_dropped(world.external_device)


def quiet_share(daemon, seconds):
    before, begun = cpu_s(daemon), time.monotonic()
    time.sleep(seconds)
    return (cpu_s(daemon) - before) / (time.monotonic() - begun)


# The last is within the prefix that the peer may speak from: only that it came second shuts it out.
@pytest.mark.parametrize("to, source", [
    ("trunk", plan.STRANGER["external"]),
    ("latching", plan.STRANGER["external"]),
    ("latching", plan.PEERS["second"].address)])
def test_strangers_at_full_speed_change_nothing_for_a_call(stage, to, source):
    talk = Talk(stage, to=to)
    speech = Speech(talk)
    idle = quiet_share(stage.daemon, 1)
    refused, cpu, begun = stage.cli.packets("drop_source"), cpu_s(stage.daemon), time.monotonic()
    full_before = lost_on_the_wire(stage.world)
    sent, seconds = flood(stage.world.external, source, talk.to_b())
    share = (cpu_s(stage.daemon) - cpu) / (time.monotonic() - begun)
    speech.stop()
    print(f"{sent} packets of strangers in {seconds} s; daemon {idle:.3f} -> {share:.3f} of a CPU")
    assert share - idle < DAEMON_SHARE
    def full_since():
        return lost_on_the_wire(stage.world) - full_before
    def counted():
        return stage.cli.packets("drop_source") - refused
    # The last may still wait in the queue.
    wait_until(lambda: counted() >= sent - full_since(), 5,
               lambda: f"{counted()} refused and {full_since()} lost of {sent}")
    full = full_since()
    assert counted() <= sent
    assert full <= sent / 2, "most came as far as to be refused"
    for said, heard in speech.heard():
        assert set(heard) <= set(said), "a stranger was heard"
        assert heard == [p for p in said if p in set(heard)], "order"
        # The wire's queue, which is full for strangers, is full for the call.
        assert len(said) - len(heard) <= (LOSS_ALLOWED + 2 * full / sent) * len(said)
    talk.end()


def test_strangers_at_full_speed_at_the_sip_port_keep_nobody_from_calling(stage):
    caller, callee = stage.wire("pbx"), stage.wire("trunk", port=plan.SIP_PORT)
    for wire in (caller, callee):
        wire.socket.settimeout(T1_S)
    ns, viaduct = stage.world.external, stage.world.viaduct

    def told():
        """Counted as strangers', or lost in the socket's queue or the wire's."""
        return (stage.cli.status()["sip"]["unknown_source"] + viaduct.udp_counters()["RcvbufErrors"] +
                lost_on_the_wire(stage.world))
    before = told()

    def decline():
        with contextlib.suppress(TimeoutError):
            callee.send(response(request_at(callee, "INVITE"), 486, "busy"))
    declining = stage.keep(Reader(decline))
    flooding = ns.popen(FLOOD, plan.STRANGER["external"], callee.remote, str(plan.SIP_PORT), str(PACKETS),
                        stdout=subprocess.PIPE, text=True)
    calls = 0
    while flooding.poll() is None:
        calls += 1
        request = invite(caller, call_id=f"flood{calls}", tag=f"t{calls}", branch=f"z9hG4bKflood{calls}")

        def declined():
            with contextlib.suppress(TimeoutError):
                # Answers to those before come again: they have no ACK.
                while caller.final().header("call-id") != f"flood{calls}":
                    pass
                return True
            caller.send(request)
            return False
        caller.send(request)
        wait_until(declined, ANSWERED_S, f"the answer to call {calls}")
    sent = int(flooding.communicate()[0].split()[0])
    print(f"{calls} calls among {sent} packets of strangers")
    assert calls > 1
    # A few that are lost may be the call's own.
    wait_until(lambda: told() - before >= sent, 5, lambda: f"{told() - before} told of {sent}")
    declining.close()  # it holds the port


# ---- frames of any shape ----

def checksum(data):
    return struct.pack("!H", 0xFFFF ^ ones_complement_sum(data))


def frame_of(macs, src, dst, payload):
    """Ethernet, IPv4 or IPv6, UDP."""
    udp = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0)
    family = family_of(src[0])
    addresses = socket.inet_pton(family, src[0]) + socket.inet_pton(family, dst[0])
    pseudo = addresses + struct.pack("!HH", 17, len(udp) + len(payload))
    udp = udp[:6] + checksum(pseudo + udp + payload)
    if family == socket.AF_INET6:
        return macs + struct.pack("!HIHBB", 0x86DD, 6 << 28, len(udp) + len(payload), 17, 64) + \
            addresses + udp + payload
    ip = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(udp) + len(payload), 0, 0, 64, 17)
    return macs + b"\x08\x00" + ip + checksum(ip + addresses) + addresses + udp + payload


def marked(rand, rtp):
    """RTP, or anything, whose bytes are found again by those behind the RTP header."""
    return rtp[:12] + rand.randbytes(8) + rtp[20:]


def mutated(rand, frame):
    frame = bytearray(frame)
    for _ in range(rand.choice((0, 1, 1, 1, 2, 3))):
        at = rand.randrange(12, min(len(frame), 14 + 40 + 8 + 12))
        what = rand.randrange(8)
        if what < 3:
            frame[at] = rand.randrange(256)
        elif what == 3:
            frame[at] ^= 1 << rand.randrange(8)
        elif what == 4:
            del frame[rand.randrange(14, len(frame)):]
            return bytes(frame).ljust(14, b"\0")
        elif what == 5:
            frame[at:at] = rand.randbytes(rand.randrange(1, 9))
        elif what == 6:
            del frame[at:at + rand.randrange(1, 9)]
        else:
            frame[12:14] = rand.choice((b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\xa8",
                                        b"\x08\x06", rand.randbytes(2)))
    return bytes(frame)


def counted(cli, side):
    return sum(entry["packets"] for entry in cli.status()["packets"] if entry["side"] == side)


def is_copy(payload, frames_by_mark, frames):
    at = frames_by_mark.get(payload[12:20])
    return at is not None and payload in frames[at] or any(payload in frame for frame in frames)


@pytest.mark.parametrize("to", ["trunk", "trunk6"])
def test_each_frame_of_any_shape_is_counted_and_none_is_made_up(stage, to):
    seed = int(os.environ.get("VIADUCT_SEED", time.time_ns() % 2**32))
    print(f"VIADUCT_SEED={seed}")
    rand = random.Random(seed)
    talk, ns = Talk(stage, to=to), stage.world.external
    talk.outside.close()  # it would see what is sent here
    macs = bytes.fromhex((stage.world.viaduct.link_mac(stage.world.viaduct_external)
                          + ns.link_mac(stage.world.external_device)).replace(":", ""))
    stream, source = Stream(), (talk.b.address, talk.b.port)
    frames, by_mark = [], {}
    for _ in range(FRAMES):
        packet = marked(rand, stream.packet() if rand.random() < 0.9 else stream.sender_report())
        by_mark[packet[12:20]] = len(frames)
        frames.append(mutated(rand, frame_of(macs, source, talk.to_b(), packet)))

    wire = ns.socket(socket.AF_PACKET, socket.SOCK_RAW)
    with ns.entered():
        wire.bind((stage.world.external_device, 0))
    mark, forwarded = talk.inside.mark(), stage.cli.packets("forwarded", "external")
    all_before = counted(stage.cli, "external")
    seen_before, full_before = device_counters(stage.world.viaduct, stage.world.viaduct_external)
    for frame in frames:
        wire.send(frame)
    wire.close()

    def seen():
        seen, full = device_counters(stage.world.viaduct, stage.world.viaduct_external)
        return seen - seen_before, full - full_before
    wait_until(lambda: sum(seen()) >= FRAMES, 10, "all frames to have come")
    # Neighbours may be asking for each other meanwhile.
    wait_until(lambda: counted(stage.cli, "external") - all_before == seen()[0], 5,
               lambda: f"{counted(stage.cli, 'external') - all_before} counted of {seen()}")
    forwarded = stage.cli.packets("forwarded", "external") - forwarded
    assert FRAMES / 20 < forwarded < FRAMES, "some are good, some are not"

    ours, theirs = talk.to_a(), talk.a
    def came():
        return [d for d in talk.inside.datagrams(mark) if not d.outgoing and d.proto == 17
                and d.dst[0] == theirs.address and d.dst[1] in (theirs.port, theirs.port + 1)]
    wait_until(lambda: len(came()) >= forwarded, 5, lambda: f"{len(came())} of {forwarded} came")
    assert len(came()) == forwarded
    for d in came():
        assert d.src[0] == ours[0] and d.src[1] - ours[1] == d.dst[1] - theirs.port
        assert is_copy(d.payload, by_mark, frames), f"bytes that nobody sent: {d.frame.hex()}"
    stage.daemon.check_alive()
    talk.end()
