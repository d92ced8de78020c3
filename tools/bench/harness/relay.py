# SPDX-License-Identifier: BSD-2-Clause
"""Packets a second through each way of relaying RTP: same wires, same generator, same sink.

The generator is one thread on one CPU; what XDP and the kernel's forwarding do runs in that CPU's
softirq, so a rate is that of one CPU doing everything: making the packet, relaying it, counting it.
rtpengine's threads may use every CPU.
"""
import contextlib
import json
import shutil
import statistics
import subprocess
import tempfile
import time

from . import rtpengine
from .process import Failed, Tool, TOOLS, spawn, stop
from .wires import EXTERNAL, MAC, SINK

GENERATOR_CPU = 0
STREAM_COUNTS = (1, 1000, 20000)
NAT_STREAMS = 1000
PORTS = "10000-59999"  # TRAFFIC_PORT_MIN and what follows

BELOW_KNEE = 0.7       # of the measured rate: here nothing may be lost
RTPENGINE_STREAMS = 100
RTPENGINE_START_PPS = 40000
RTPENGINE_GROWTH = 1.5
# What rtpengine may lose, or still hold in its queues when sending ends, and yet count as keeping
# up; and how often it may try. Kinder than what Viaduct is asked: nothing lost, at once.
RTPENGINE_LOSS = 0.001
RTPENGINE_BEHIND = 0.02
RTPENGINE_TRIES = 2

SETTLE_SECONDS = 0.05
SETTLE_ROUNDS = 40


class Bare:
    """XDP redirect that changes nothing: as fast as these wires go."""
    key, label, streams, addressed = "bare_redirect", "bare XDP redirect", 1000, False

    @contextlib.contextmanager
    def up(self, wires):
        with Tool(wires.dut, "redirect", "d0", "d1"):
            yield None


class Viaduct:
    addressed = True

    def __init__(self, streams):
        self.key, self.streams = f"viaduct_{streams}", streams
        self.label = f"Viaduct, {streams} stream{'s' if streams > 1 else ''}"

    @contextlib.contextmanager
    def up(self, wires):
        with Tool(wires.dut, "relay_driver", "d0", "d1", self.streams) as driver:
            yield driver


class Nat:
    """The kernel's conntrack NAT: destination and source translated by nftables."""
    key, label, streams, addressed = "nft_nat", "kernel NAT (nftables)", NAT_STREAMS, True

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
            yield None
        finally:
            wires.inside(wires.dut, "nft", "delete table ip bench")


class Course:
    """The wires with a sink at the end; sends and counts."""

    def __init__(self, wires):
        self.wires = wires
        self.sink = Tool(wires.sink, "sink", "s0")

    def close(self):
        self.sink.__exit__()

    def send(self, streams, seconds, rate=0, ports_file=None):
        """Sends for so long, at that rate (0: as many as go). Counts at the moment when sending
        ends, and again when nothing more arrives."""
        before = self.sink.ask()
        command = [TOOLS / "generator", "g0", MAC["d0"], streams, seconds, rate, GENERATOR_CPU]
        process = spawn(self.wires.gen, *command, *([ports_file] if ports_file else []),
                        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            line = process.stdout.readline()
            at_end = self.sink.ask()
            errors = process.communicate()[1]
        finally:
            stop(process)
        if not line:
            raise Failed(f"generator: {errors.strip()}")
        result = json.loads(line)
        after = self._settled()
        result.update(
            received=after["packets"] - before["packets"],
            received_in_time=at_end["packets"] - before["packets"],
            **{name: after[name] - before[name] for name in ("checked", "bad", "addressed")})
        result["lost"] = result["sent"] - result["received"]
        result["pps"] = result["received_in_time"] / result["seconds"]
        return result

    def _settled(self):
        counts = self.sink.ask()
        for _ in range(SETTLE_ROUNDS):
            time.sleep(SETTLE_SECONDS)
            now = self.sink.ask()
            if now["packets"] == counts["packets"]:
                break
            counts = now
        return counts


def check_whole(way, result):
    """A rate counts only for packets that arrive whole, at the address they were relayed to."""
    if not result["checked"]:
        raise Failed(f"{way.label}: nothing arrived of {result['sent']} packets sent")
    if result["bad"]:
        raise Failed(f"{way.label}: {result['bad']} of {result['checked']} packets looked at were "
                     "damaged")
    if way.addressed and result["addressed"] != result["checked"]:
        raise Failed(f"{way.label}: packets arrived that were not addressed to the sink")


def measure_way(course, way, seconds, rate=0):
    with way.up(course.wires) as driver:
        result = course.send(way.streams, seconds, rate)
        if driver:
            result["viaduct"] = driver.ask()
    check_whole(way, result)
    return result


def measure_rtpengine(course, seconds, steps, say):
    """The highest offered rate that it keeps up with: grown until it does not, then halved in."""
    with tempfile.NamedTemporaryFile("w") as ports_file, \
            rtpengine.running(course.wires) as engine:
        for ports in engine.call_streams(RTPENGINE_STREAMS):
            ports_file.write("%u %u\n" % ports)
        ports_file.flush()

        def keeps_up(rate):
            return any(keeps_up_once(rate) for _ in range(RTPENGINE_TRIES))

        def keeps_up_once(rate):
            result = course.send(RTPENGINE_STREAMS, seconds, rate, ports_file.name)
            behind = 1 - result["received_in_time"] / result["sent"]
            loss = result["lost"] / result["sent"]
            offered_in_time = result["seconds"] <= seconds * (1 + RTPENGINE_BEHIND)
            good = loss <= RTPENGINE_LOSS and behind <= RTPENGINE_BEHIND and offered_in_time
            say(f"  rtpengine offered {rate:>9,} pps: lost {100 * loss:.2f} %"
                f"{'' if good else '  (does not keep up)'}")
            if result["bad"] or result["addressed"] != result["checked"]:
                raise Failed("rtpengine: packets arrived damaged or at a wrong address")
            return good

        low, high = 0, RTPENGINE_START_PPS
        while keeps_up(high):
            low, high = high, int(high * RTPENGINE_GROWTH)
        for _ in range(steps):
            middle = (low + high) // 2
            if keeps_up(middle):
                low = middle
            else:
                high = middle
        if not low:
            raise Failed(f"rtpengine does not keep up even with {high} packets a second")
        return low


def measure_rates(course, ways, seconds, runs, say):
    """Runs interleaved, so that the machine's moods meet every way alike."""
    results = {way.key: [] for way in ways}
    for number in range(runs):
        for way in ways if number % 2 == 0 else reversed(ways):
            result = measure_way(course, way, seconds)
            results[way.key].append(result)
            say(f"  run {number + 1}/{runs}  {way.label:<24} {result['pps'] / 1e6:6.3f} Mpps  "
                f"sent {result['sent']:,}  lost {result['lost']:,}")
    return {key: [result["pps"] for result in of] for key, of in results.items()}


def ratio(rates, key, other):
    """Median of the ratios within each round of runs."""
    return statistics.median(a / b for a, b in zip(rates[key], rates[other]))


def measure_below_knee(course, ways, rates, seconds, say):
    below = {}
    for way in ways:
        rate = int(rates[way.key] * BELOW_KNEE)
        result = measure_way(course, way, seconds, rate)
        below[way.key] = {name: result[name] for name in ("sent", "received", "lost")}
        below[way.key]["offered_pps"] = rate
        own = ""
        if "viaduct" in result:
            below[way.key]["viaduct"] = result["viaduct"]
            own = f"  its own count {result['viaduct']['packets']:,}"
        say(f"  {way.label:<24} {rate / 1e6:6.3f} Mpps offered  sent {result['sent']:,}  "
            f"received {result['received']:,}  lost {result['lost']:,}{own}")
    return below


def try_rtpengine(course, settings, notes, say):
    """None where it is absent or does not work: that is no failure of Viaduct's."""
    if not shutil.which("rtpengine"):
        notes.append("rtpengine is absent (Debian package rtpengine-daemon)")
        return None
    say(f"relay: rtpengine in user space, {RTPENGINE_STREAMS} streams")
    try:
        return measure_rtpengine(course, settings.rtpengine_seconds, settings.rtpengine_steps, say)
    except Failed as why:
        notes.append(str(why))
        return None


def measure(wires, settings, say, results):
    """Fills results["relay"]."""
    viaducts = [Viaduct(streams) for streams in STREAM_COUNTS]
    ways = [Bare(), *viaducts]
    notes = []
    if shutil.which("nft"):
        ways.append(Nat())
    else:
        notes.append("nft is absent (Debian package nftables): kernel NAT is not measured")

    with contextlib.closing(Course(wires)) as course:
        say(f"relay: {settings.relay_runs} interleaved runs of {settings.seconds} s each")
        rates = measure_rates(course, ways, settings.seconds, settings.relay_runs, say)
        medians = {key: statistics.median(of) for key, of in rates.items()}
        say(f"relay: below the knee, at {BELOW_KNEE:.0%} of each rate")
        below = measure_below_knee(course, ways, medians, settings.seconds, say)
        engine_pps = try_rtpengine(course, settings, notes, say)

    bare, thousand = medians["bare_redirect"], medians["viaduct_1000"]
    by_streams = {str(way.streams): way.key for way in viaducts}
    results["relay"] = {
        "bare_redirect_pps": bare,
        "viaduct_pps": {streams: medians[key] for streams, key in by_streams.items()},
        "nft_nat_pps": medians.get("nft_nat"),
        "rtpengine_pps": engine_pps,
        "ratio_to_bare": {streams: ratio(rates, key, "bare_redirect")
                          for streams, key in by_streams.items()},
        # What a packet costs more than by a bare redirect.
        "viaduct_added_ns": {streams: 1e9 / medians[key] - 1e9 / bare
                             for streams, key in by_streams.items()},
        "ratio_to_nft": ratio(rates, "viaduct_1000", "nft_nat") if "nft_nat" in rates else None,
        "ratio_to_rtpengine": thousand / engine_pps if engine_pps else None,
        "viaduct_lost_below_knee": sum(below[way.key]["lost"] for way in viaducts),
        "viaduct_miscounted": sum(abs(below[way.key]["viaduct"]["packets"] -
                                      below[way.key]["received"]) for way in viaducts),
        "below_knee": below,
        "runs_pps": rates,
        "notes": notes,
    }
