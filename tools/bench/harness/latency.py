# SPDX-License-Identifier: BSD-2-Clause
"""How long a packet takes from the generator's program to the sink's, by each way at the same offered
loads. Packets come in bursts of 200 us, one in sixteen is stamped. Before it, how often the CPU that
does it all is taken away: who is under way then waits, and who takes twice as long is met twice as often."""
import collections
import contextlib
import json
import statistics

from .course import GENERATOR_CPU, Course, offered_in_time, percentile
from .lossfree import ways_here
from .process import TOOLS, run
from .ways import Viaduct

COMPARED_PPS = 1000000  # at which Viaduct is held against the bare redirect
LOSS = 0.01             # beyond that a way is asked for no higher load
PERCENTS = (50, 90, 95, 99, 99.9)
WATCHED_MS = 800          # for interruptions


def tell(result):
    return "  ".join(f"p{percent} {percentile(result['latencies'], percent):.1f} us"
                     for percent in PERCENTS)


def measure_load(course, ways, rate, settings, say):
    """{key: results of the rounds} at that load."""
    of = {way.key: [] for way in ways}
    for number in range(settings.latency_rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            result = course.latencies(way, settings.latency_seconds, rate)
            result["kept_up"] = (result["lost"] <= LOSS * result["sent"] and
                                 offered_in_time(result, settings.latency_seconds))
            of[way.key].append(result)
            say(f"  {rate / 1e6:5.2f} Mpps  {way.label:<24} {tell(result)}  lost {result['lost']:,}")
    return of


def gather(rounds):
    """Of all rounds together."""
    pooled = collections.Counter()
    for result in rounds:
        pooled.update(result["latencies"])
    figures = {f"p{percent}_us".replace(".", "_"): percentile(pooled, percent)
               for percent in PERCENTS}
    figures["lost"] = sum(result["lost"] for result in rounds)
    figures["kept_up"] = any(result["kept_up"] for result in rounds)
    return figures


def compared(of, way, percent):
    """Median of the ratios within each round."""
    return statistics.median(
        percentile(ours["latencies"], percent) / percentile(bare["latencies"], percent)
        for ours, bare in zip(of[way.key], of["bare_redirect"]))


def measure(wires, settings, say, results):
    """Fills results["latency"]: {load: {way: figures}}."""
    notes = []
    many, few = Viaduct(1000), Viaduct(100)
    ways = ways_here(notes) + [few]  # what few need stays in the nearest caches from burst to burst
    figures = results["latency"] = {"loads": {}, "notes": notes}
    stops = figures["interruptions"] = json.loads(
        run(TOOLS / "interruptions", GENERATOR_CPU, WATCHED_MS))
    say(f"latency: CPU {GENERATOR_CPU} is interrupted {stops['a_second']:,.0f} times a second, for "
        f"{stops['p50_us']} us (p50), {stops['p99_us']} us (p99), {stops['share']:.1%} of the time")
    say(f"latency: {settings.latency_rounds} interleaved runs of {settings.latency_seconds} s each")
    with contextlib.closing(Course(wires)) as course:
        for rate in settings.latency_loads:
            of = measure_load(course, ways, rate, settings, say)
            at = figures["loads"][str(rate)] = {key: gather(rounds) for key, rounds in of.items()}
            if rate == COMPARED_PPS and {many.key, few.key, "bare_redirect"} <= of.keys():
                figures["compared_pps"] = rate
                for percent in (50, 90, 95, 99):
                    figures[f"p{percent}_to_bare"] = compared(of, many, percent)
                figures["few_p99_to_bare"] = compared(of, few, 99)
            ways = [way for way in ways if at[way.key]["kept_up"]]
