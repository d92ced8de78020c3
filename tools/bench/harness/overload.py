# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of calls beyond the capacity. Both ends are the bench's own, lighter than sipp, and
the caller does not yield: its rate stays what it is told. viaductd has a core of its own where there
are two, so that it is not the callers who take its time."""
import os
import statistics
import time

from . import daemon
from .process import Failed, Tool
from .wires import GENERATOR, INTERNAL, SINK

CALLS_MAX = 60000
HOLD_MS = 200
SIP_PORT = 5060
STEP = 1.25        # from rate to rate, in search of the peak
STEPS = 12
MISSES = 2         # rates in a row that are not sustained: the first may be the machine's mood
GOOD = 0.99        # answered of those made, at a rate that is sustained
BEYOND = 3         # times the peak
ROUNDS = 3         # of the peak and beyond it, in turn: what the machine can do changes meanwhile


def make_calls(caller, rate, seconds):
    counts = caller.ask(f"{rate} {int(seconds * 1000)} {HOLD_MS}")
    counts["sustained"] = (counts["answered"] >= GOOD * counts["sent"] and
                           counts["ended"] == counts["answered"] and not counts["failed"])
    return counts


def tell(counts):
    return (f"{counts['answered_a_second']:.0f} a second admitted, {counts['refused']} refused, "
            f"{counts['failed']} failed, sent again: {counts['invites_again']} INVITE, "
            f"{counts['byes_again']} BYE, {counts['answers_again']} 200")


def part_cores(mediation, *tools):
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        os.sched_setaffinity(mediation.process.pid, {first})
        for tool in tools:
            os.sched_setaffinity(tool.process.pid, others)


def measure(wires, settings, say):
    with daemon.running(wires, CALLS_MAX) as mediation, \
            Tool(wires.sink, "sip_callee", SINK, SIP_PORT) as callee, \
            Tool(wires.gen, "sip_caller", GENERATOR, SIP_PORT, INTERNAL, SIP_PORT) as caller:
        part_cores(mediation, callee, caller)
        rate, peak, missed = settings.overload_rate, None, 0
        for _ in range(STEPS):
            counts = make_calls(caller, rate, settings.overload_seconds)
            say(f"  {rate:>6} calls/s: {tell(counts)}")
            if peak is None or counts["answered_a_second"] > peak["answered_a_second"]:
                peak = counts
            missed = 0 if counts["sustained"] else missed + 1
            if missed == MISSES or rate >= settings.overload_rate_max:
                break
            rate = int(rate * STEP)
        at_peak, beyond = [], []
        for _ in range(ROUNDS):
            for times, of in ((1, at_peak), (BEYOND, beyond)):
                time.sleep(1)
                of.append(make_calls(caller, int(times * peak["answered_a_second"]),
                                     settings.overload_seconds))
                say(f"  {times} times the peak, {of[-1]['rate']} calls/s: {tell(of[-1])}")
        time.sleep(1)
        after = make_calls(caller, settings.overload_rate, settings.overload_seconds)
    if not peak["answered_a_second"]:
        raise Failed("no call was answered")
    return {
        "overload_peak": statistics.median(run["answered_a_second"] for run in at_peak),
        "overload_rate": beyond[0]["rate"],
        "overload_admitted": statistics.median(run["answered_a_second"] for run in beyond),
        # Median of the ratios within each round.
        "overload_admitted_to_peak": statistics.median(
            more["answered_a_second"] / one["answered_a_second"]
            for one, more in zip(at_peak, beyond)),
        # Of calls that stood.
        "overload_calls_lost": sum(run["answered"] - run["ended"] for run in beyond),
        "overload_failed": sum(run["failed"] for run in beyond),
        "overload_byes_again": sum(run["byes_again"] for run in beyond),
        "overload_after": after["answered_a_second"],
        "overload_runs": beyond, "overload_peak_runs": at_peak,
    }
