# SPDX-License-Identifier: BSD-2-Clause
"""How long a packet takes from the generator's program to the sink's, by each way at the same offered
loads. Packets come in bursts of 200 us, one in sixteen is stamped."""
import collections
import contextlib
import statistics

from .course import Course, offered_in_time, percentile
from .lossfree import ways_here
from .ways import Viaduct

COMPARED_PPS = 1000000  # at which Viaduct is held against the bare redirect
LOSS = 0.01             # beyond that a way is asked for no higher load
PERCENTS = (50, 99, 99.9)


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
    say(f"latency: {settings.latency_rounds} interleaved runs of {settings.latency_seconds} s each")
    with contextlib.closing(Course(wires)) as course:
        for rate in settings.latency_loads:
            of = measure_load(course, ways, rate, settings, say)
            at = figures["loads"][str(rate)] = {key: gather(rounds) for key, rounds in of.items()}
            if rate == COMPARED_PPS and {many.key, few.key, "bare_redirect"} <= of.keys():
                figures["compared_pps"] = rate
                figures["p50_to_bare"] = compared(of, many, 50)
                figures["p99_to_bare"] = compared(of, many, 99)
                figures["few_p99_to_bare"] = compared(of, few, 99)
            ways = [way for way in ways if at[way.key]["kept_up"]]
