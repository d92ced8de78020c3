# SPDX-License-Identifier: BSD-2-Clause
"""The ways of relaying RTP that are compared, each put up between the same wires."""
import contextlib
import tempfile

from . import rtpengine
from .process import Tool, TOOLS
from .wires import EXTERNAL, SINK

SHAPE = "4-214"  # IPv4, G.711 of 20 ms; see traffic.h
PORTS = "10000-59999"  # TRAFFIC_PORT_MIN and what follows


class Way:
    addressed = True          # packets arrive at the sink's address
    shape_in = shape_out = SHAPE

    @contextlib.contextmanager
    def up(self, wires):
        """Yields what the traffic must know: {"ports_file": path, "driver": Tool}, or less."""
        yield {}


class Bare(Way):
    """XDP redirect that changes nothing: as fast as these wires go."""
    addressed = False

    def __init__(self, shape=SHAPE, streams=1000):
        few = streams <= 1000
        self.key = "bare_redirect" if few else f"bare_redirect_{streams}"
        self.label = "bare XDP redirect" if few else f"bare, {streams:,} streams"
        self.shape_in = self.shape_out = shape
        self.streams = streams

    @contextlib.contextmanager
    def up(self, wires):
        with Tool(wires.dut, "redirect", "d0", "d1"):
            yield {}


class Viaduct(Way):
    """waiting: packets wait for others, however few streams there are. tools: where the data plane's
    driver lies."""

    def __init__(self, streams, shape_in=SHAPE, shape_out=None, waiting=False, tools=TOOLS):
        self.tools = tools
        self.key, self.streams, self.waiting = f"viaduct_{streams}", streams, waiting
        self.label = f"Viaduct, {streams:,} stream{'s' if streams > 1 else ''}"
        if waiting:
            self.key, self.label = f"{self.key}_waiting", f"Viaduct, {streams:,}, waiting"
        self.shape_in, self.shape_out = shape_in, shape_out or shape_in

    @contextlib.contextmanager
    def up(self, wires):
        with Tool(wires.dut, "relay_driver", "d0", "d1", self.shape_in, self.shape_out,
                  self.streams, *(["waiting"] if self.waiting else []),
                  tools=self.tools) as driver:
            yield {"driver": driver}


class Nat(Way):
    """The kernel's conntrack NAT: destination and source translated by nftables."""
    key, label, streams = "nft_nat", "kernel NAT (nftables)", 1000

    RULES = f"""table ip bench {{
        chain before {{ type nat hook prerouting priority dstnat;
            udp dport {PORTS} dnat to {SINK}; }}
        chain after {{ type nat hook postrouting priority srcnat;
            oifname "d1" snat to {EXTERNAL}; }}
    }}"""

    @contextlib.contextmanager
    def up(self, wires):
        wires.inside(wires.dut, "nft", self.RULES)
        try:
            yield {}
        finally:
            wires.inside(wires.dut, "nft", "delete table ip bench")


class Rtpengine(Way):
    """In user space, as Debian's package is without its kernel module."""
    key, label, streams = "rtpengine", "rtpengine in user space", 100

    @contextlib.contextmanager
    def up(self, wires):
        with tempfile.NamedTemporaryFile("w") as ports_file, rtpengine.running(wires) as engine:
            for ports in engine.call_streams(self.streams):
                ports_file.write("%u %u\n" % ports)
            ports_file.flush()
            yield {"ports_file": ports_file.name}
