# SPDX-License-Identifier: BSD-2-Clause
"""What a packet costs by this tree's data plane and by another's that is built elsewhere. All ways stand
side by side and have a turn each of a part of a second: so what the machine does meanwhile, which
moves more than a change of the program, meets them alike."""
import contextlib
import statistics
from pathlib import Path

from .course import Course, check_whole
from .process import Failed
from .ways import Bare, Viaduct
from .wires import Wires


def measure_streams(streams, tools, settings, say):
    """{way: CPU time of a packet in each round, ns}"""
    ways = {"bare": Bare(streams=streams), "this": Viaduct(streams),
            "other": Viaduct(streams, tools=tools)}
    cpu_ns = {name: [] for name in ways}
    with contextlib.ExitStack() as stack:
        course = {}
        for name, way in ways.items():
            wires = stack.enter_context(Wires(name=f"against-{name}"))
            course[name] = stack.enter_context(contextlib.closing(Course(wires)))
            course[name].expect(way)
            stack.enter_context(way.up(wires))
        for number in range(settings.against_rounds):
            for name in ways if number % 2 == 0 else reversed(ways):
                result = course[name].send(ways[name], settings.against_seconds)
                check_whole(ways[name], result)
                cpu_ns[name].append(result["cpu_ns"])
    say(f"  {streams:>7,} streams: " + ", ".join(
        f"{name} {statistics.median(of):.0f} ns ({min(of):.0f} to {max(of):.0f})"
        for name, of in cpu_ns.items()))
    return cpu_ns


def ratio(cpu_ns, name, other):
    """Median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(cpu_ns[name], cpu_ns[other]))


def measure(_wires, settings, say, results):
    """Fills results["against"]."""
    tools = Path(settings.against) / "build" / "bench"
    if not (tools / "relay_driver").exists():
        raise Failed(f"{tools}/relay_driver: not there; `make bench-build` in that tree makes it")
    say(f"against: {settings.against_rounds} rounds, {settings.against_seconds} s each way")
    of = results["against"] = {"to_other": {}, "this_to_bare": {}, "other_to_bare": {}, "cpu_ns": {}}
    for streams in settings.against_streams:
        cpu_ns = measure_streams(streams, tools, settings, say)
        of["cpu_ns"][streams] = {name: statistics.median(ns) for name, ns in cpu_ns.items()}
        of["to_other"][str(streams)] = ratio(cpu_ns, "this", "other")
        of["this_to_bare"][str(streams)] = ratio(cpu_ns, "bare", "this")
        of["other_to_bare"][str(streams)] = ratio(cpu_ns, "bare", "other")
