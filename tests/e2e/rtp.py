# SPDX-License-Identifier: BSD-2-Clause
"""RTP made and watched without any RTP library: plain UDP sockets send, an AF_PACKET socket sees
every frame as it is on the wire and checks it."""

import math
import os
import random
import socket
import struct
import threading
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
IPPROTO_TCP, IPPROTO_UDP = 6, 17


def ones_complement_sum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Datagram:
    """A UDP datagram or TCP segment seen on the wire, and whether its checksums hold."""

    def __init__(self, when, frame, outgoing):
        self.when, self.outgoing, self.frame = when, outgoing, frame
        self.dmac, self.smac = frame[0:6].hex(":"), frame[6:12].hex(":")
        self.ok = True
        self.proto, self.payload = 0, b""
        self.src = self.dst = ("", 0)
        self.ttl = self.dscp = 0
        ethertype = struct.unpack("!H", frame[12:14])[0]
        if ethertype == 0x0800:
            self._ipv4(frame[14:])
        elif ethertype == 0x86DD:
            self._ipv6(frame[14:])

    def _ipv4(self, ip):
        header = (ip[0] & 15) * 4
        total = struct.unpack("!H", ip[2:4])[0]
        self.dscp, self.ttl, self.proto = ip[1] >> 2, ip[8], ip[9]
        if ones_complement_sum(ip[:header]) != 0xFFFF:
            self.ok = False
        src, dst = (socket.inet_ntop(socket.AF_INET, ip[i:i + 4]) for i in (12, 16))
        self._transport(ip[header:total], ip[12:20], src, dst)

    def _ipv6(self, ip):
        total = struct.unpack("!H", ip[4:6])[0]
        self.dscp, self.ttl, self.proto = ip[0] << 2 & 0x3C | ip[1] >> 6, ip[7], ip[6]
        src, dst = (socket.inet_ntop(socket.AF_INET6, ip[i:i + 16]) for i in (8, 24))
        self._transport(ip[40:40 + total], ip[8:40], src, dst)

    def _transport(self, segment, addresses, src, dst):
        if self.proto not in (IPPROTO_UDP, IPPROTO_TCP) or len(segment) < 8:
            return
        sport, dport, length, checksum = struct.unpack("!HHHH", segment[:8])
        self.src, self.dst = (src, sport), (dst, dport)
        if self.proto == IPPROTO_TCP:
            self.payload = segment[(segment[12] >> 4) * 4:]
            return
        self.payload = segment[8:length]
        pseudo = addresses + struct.pack("!HH", IPPROTO_UDP, length)
        if length != len(segment) or (checksum == 0 and len(addresses) == 32):
            self.ok = False
        elif checksum and ones_complement_sum(pseudo + segment) != 0xFFFF:
            self.ok = False

    # RFC 3550 5.1
    @property
    def payload_type(self):
        return self.payload[1] & 0x7F

    @property
    def sequence(self):
        return struct.unpack("!H", self.payload[2:4])[0]


class Sniffer:
    """Every frame of a device, in the order in which they passed."""

    def __init__(self, ns, device):
        self._socket = ns.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        with ns.entered():
            self._socket.bind((device, ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.settimeout(0.2)
        self._frames = []
        self._parsed = []
        self._closing = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._closing:
            try:
                frame, meta = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            except OSError:
                return
            self._frames.append((time.monotonic(), frame, meta[2] == PACKET_OUTGOING))

    def clear(self):
        self._frames.clear()
        self._parsed.clear()

    def mark(self):
        return len(self._frames)

    def datagrams(self, since=0):
        for i in range(len(self._parsed), len(self._frames)):
            self._parsed.append(Datagram(*self._frames[i]))
        return self._parsed[since:]

    def received(self, dst, since=0):
        """UDP datagrams that came in for (address, port); port 0 is any."""
        return [d for d in self.datagrams(since) if d.proto == IPPROTO_UDP and not d.outgoing
                and d.dst[0] == dst[0] and dst[1] in (0, d.dst[1])]

    def wait_received(self, dst, count, timeout=5, since=0):
        wait_until(lambda: len(self.received(dst, since)) >= count, timeout,
                   lambda: f"{len(self.received(dst, since))} of {count} datagrams for {dst}")
        return self.received(dst, since)

    def close(self):
        self._closing = True
        self._thread.join(2)
        self._socket.close()


PATIENCE = 4  # what a machine that is slow, or busy with others, may take of a time allowed


def wait_until(condition, timeout, what="condition"):
    """Polls until condition() is true and returns its value. To ask costs time that the asked may
    need: the longer it lasts, the seldomer."""
    begun = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        waited = time.monotonic() - begun
        if waited > timeout * PATIENCE:
            raise AssertionError(f"not within {timeout} s, nor within {waited:.1f}: "
                                 f"{what() if callable(what) else what}")
        time.sleep(min(0.02 + waited / 10, 0.2))


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Stream:
    """One RTP source: RFC 3550 5.1 headers around random payload."""

    def __init__(self, payload_type=0, ssrc=None, size=160, ticks=160):
        self.payload_type, self.size, self.ticks = payload_type, size, ticks
        self.ssrc = ssrc if ssrc is not None else random.getrandbits(32)
        self.sequence = random.randrange(0, 60000)
        self.timestamp = random.getrandbits(31)
        self.sent = []

    def packet(self, payload=None, payload_type=None, marker=False, timestamp=None):
        payload_type = self.payload_type if payload_type is None else payload_type
        header = struct.pack("!BBHII", 0x80, payload_type | (0x80 if marker else 0),
                             self.sequence & 0xFFFF,
                             (self.timestamp if timestamp is None else timestamp) & 0xFFFFFFFF,
                             self.ssrc)
        self.sequence += 1
        if timestamp is None:
            self.timestamp += self.ticks
        data = header + (os.urandom(self.size) if payload is None else payload)
        self.sent.append(data)
        return data

    # RFC 4733 2.5: the event packets share one timestamp, the last is sent three times with E set.
    def telephone_event(self, event, payload_type, updates=4):
        at = self.timestamp
        packets = []
        for i in range(updates + 3):
            duration = min(i + 1, updates + 1) * self.ticks
            flags = (0x80 if i >= updates else 0) | 10
            packets.append(self.packet(struct.pack("!BBH", event, flags, duration), payload_type,
                                       marker=i == 0, timestamp=at))
        self.timestamp = at + (updates + 1) * self.ticks
        return packets

    # RFC 3550 6.4.1
    def sender_report(self):
        return struct.pack("!BBHIQIII", 0x80, 200, 6, self.ssrc, random.getrandbits(64),
                           self.timestamp & 0xFFFFFFFF, len(self.sent), len(self.sent) * self.size)

    # RFC 3550 6.4.2; how long it has held the sender report, in 1/65536 s.
    def receiver_report(self, sender_report, held=0):
        reporter = (self.ssrc + 1) & 0xFFFFFFFF
        return struct.pack("!BBHII", 0x81, 201, 7, reporter, self.ssrc) + bytes(12) + \
            sender_report[10:14] + struct.pack("!I", held)


class Endpoint:
    """A pair of sockets, RTP on an even port and RTCP on the next, that never reads, for the sniffer
    does; but where listen() was called."""

    _next_port = {}
    _lock = threading.Lock()

    def __init__(self, ns, address, port=None):
        self.ns, self.address = ns, address
        with Endpoint._lock:
            key = (ns.name, address)
            if port is None:
                port = Endpoint._next_port.get(key, 30000)
                Endpoint._next_port[key] = port + 2
        self.port = port
        self._sockets = [self._bind(port), self._bind(port + 1)]

    def _bind(self, port):
        s = self.ns.socket(family_of(self.address), socket.SOCK_DGRAM)
        s.bind((self.address, port))
        return s

    def send(self, data, dst):
        self._sockets[0].sendto(data, dst)

    def listen(self, room=4 << 20):
        """From now on the RTP socket keeps what comes, so many bytes of it."""
        self._sockets[0].setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)
        self.heard()

    def heard(self):
        """What has come since, and takes it away."""
        got = []
        try:
            while True:
                got.append(self._sockets[0].recv(65535, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return got

    def send_rtcp(self, data, dst):
        self._sockets[1].sendto(data, dst)

    def send_stream(self, stream, dst, count, interval=0.0005):
        for _ in range(count):
            self.send(stream.packet(), dst)
            time.sleep(interval)

    def close(self):
        for s in self._sockets:
            s.close()


def ulaw_decode(byte):
    byte = ~byte & 0xFF
    magnitude = ((byte & 0x0F) << 3) + 0x84 << ((byte & 0x70) >> 4)
    return 0x84 - magnitude if byte & 0x80 else magnitude - 0x84


def tone_share(samples, frequency, rate=8000):
    """Share of the signal's energy that lies at one frequency (Goertzel): 1 for a pure tone."""
    if not samples:
        return 0.0
    step = 2 * math.pi * frequency / rate
    real = sum(s * math.cos(step * i) for i, s in enumerate(samples))
    imag = sum(s * math.sin(step * i) for i, s in enumerate(samples))
    energy = sum(s * s for s in samples)
    return 2 * (real * real + imag * imag) / (len(samples) * energy) if energy else 0.0
