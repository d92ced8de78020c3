# SPDX-License-Identifier: BSD-2-Clause
"""Traffic over the wires: a generator at one end, a sink at the other, a way of relaying between.

Each generating thread keeps to one CPU; what XDP and the kernel's forwarding do runs in that CPU's
softirq, so a rate by one CPU is that of one CPU doing everything: making the packet, relaying it,
counting it. rtpengine's threads may use every CPU.
"""
import json
import subprocess
import time

from .process import Failed, Tool, TOOLS, spawn, stop
from .wires import MAC

GENERATOR_CPU = 0
SETTLE_SECONDS = 0.05
SETTLE_ROUNDS = 40
BEHIND = 0.02  # of what was offered may be under way when sending ends, and of the time missing


class Course:
    """cpu: the generator's. back: from the wires' far end to the near one, in frames of such a shape."""

    def __init__(self, wires, cpu=GENERATOR_CPU, back=False):
        self.wires, self.cpu = wires, cpu
        self.source, self.target = (wires.gen, "g0", "d0"), (wires.sink, "s0", "d1")
        if back:
            self.source, self.target = self.target, self.source
        self.sink, self.shape = None, None

    def close(self):
        if self.sink:
            self.sink.__exit__()
        self.sink = None

    def expect(self, way):
        """Puts up the sink: the payload is what it was when it was sent, the headers are the way out's."""
        shape = f"{way.shape_out.partition('-')[0]}-{way.shape_in.partition('-')[2]}"
        if shape != self.shape or not self.sink:
            self.close()
            namespace, device, _ = self.target
            self.sink, self.shape = Tool(namespace, "sink", device, shape), shape

    def send(self, way, seconds, rate=0, cpus=1, stamped=False, ports_file=None, beside=None):
        """Sends for so long, at that rate (0: as many as go). Counts at the moment when sending
        ends, and again when nothing more arrives. beside: is called with the generator's process
        meanwhile."""
        before = self.sink.ask()
        namespace, device, next_hop = self.source
        command = [TOOLS / "generator", device, MAC[next_hop], way.shape_in, way.streams,
                   int(seconds * 1000), f"{rate}{'s' if stamped else ''}", self.cpu, cpus]
        process = spawn(namespace, *command, *([ports_file] if ports_file else []),
                        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if beside:
                beside(process)
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
        # Of the generating threads, in which all of it runs unless ksoftirqd takes it over.
        result["cpu_ns"] = 1e9 * result["cpu_seconds"] / (result["sent"] - result["first"])
        result["pps"] = (result["received_in_time"] - result["first"]) / result["seconds"]
        return result

    def measure(self, way, seconds, rate=0, cpus=1):
        """The way up for one sending; "viaduct" is what it says of itself."""
        self.expect(way)
        with way.up(self.wires) as up:
            result = self.send(way, seconds, rate, cpus, ports_file=up.get("ports_file"))
            if "driver" in up:
                result["viaduct"] = up["driver"].ask()
        check_whole(way, result)
        return result

    def carry(self, way, seconds, rate, ports_file, beside):
        """Through a way that is up already; beside as in send()."""
        self.expect(way)
        result = self.send(way, seconds, rate, ports_file=ports_file, beside=beside)
        check_whole(way, result)
        return result

    def latencies(self, way, seconds, rate):
        """Sends stamped packets. How many were under way for how long: {ns: packets}."""
        self.expect(way)
        with way.up(self.wires) as up:
            before = self.sink.ask("latencies")
            result = self.send(way, seconds, rate, stamped=True, ports_file=up.get("ports_file"))
            after = self.sink.ask("latencies")
        check_whole(way, result)
        result["latencies"] = {float(ns): count - before.get(ns, 0)
                               for ns, count in after.items() if count != before.get(ns, 0)}
        if not result["latencies"]:
            raise Failed(f"{way.label}: no stamped packet arrived")
        return result

    def probe(self, way):
        """A function that sends at a rate for so long; the way stays up until it is closed."""
        return Probe(self, way)

    def _settled(self):
        counts = self.sink.ask()
        for _ in range(SETTLE_ROUNDS):
            time.sleep(SETTLE_SECONDS)
            now = self.sink.ask()
            if now["packets"] == counts["packets"]:
                break
            counts = now
        return counts


class Probe:
    """A way that is up, for one sending after the other."""

    def __init__(self, course, way):
        self.course, self.way = course, way

    def __enter__(self):
        self.course.expect(self.way)
        self.manager = self.way.up(self.course.wires)
        self.up = self.manager.__enter__()
        return self

    def __exit__(self, *why):
        return self.manager.__exit__(*why)

    def send(self, rate, seconds):
        result = self.course.send(self.way, seconds, rate, ports_file=self.up.get("ports_file"))
        check_whole(self.way, result)
        return result


def offered_in_time(result, seconds):
    return result["seconds"] <= seconds * (1 + BEHIND)


def check_whole(way, result):
    """A rate counts only for packets that arrive whole, at the address they were relayed to."""
    if not result["checked"]:
        raise Failed(f"{way.label}: nothing arrived of {result['sent']} packets sent")
    if result["bad"]:
        raise Failed(f"{way.label}: {result['bad']} of {result['checked']} packets looked at were "
                     "damaged")
    if way.addressed and result["addressed"] != result["checked"]:
        raise Failed(f"{way.label}: packets arrived that were not addressed to the sink")


def percentile(latencies, percent):
    """In microseconds, of {ns: packets}."""
    wanted = sum(latencies.values()) * percent / 100
    for ns in sorted(latencies):
        wanted -= latencies[ns]
        if wanted <= 0:
            return ns / 1000
    return None
