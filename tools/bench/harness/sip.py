# SPDX-License-Identifier: BSD-2-Clause
"""Signalling: sipp calls sipp through viaductd, which programs each call's media flows. Everything
shares the machine's CPUs, sipp's work included."""
import contextlib
import os
import shutil
import statistics
import time

from . import daemon, overload, search, sipp
from .process import Failed, Tool
from .wires import Wires

CALLS_MAX = 12000  # viaductd's configured capacity
HOLD_MS = 200      # of a short call

# A rate is sustained when no call fails, hardly a message is sent twice, and the calls are made and
# ended in hardly more than the time that they take. The machine may have its moods: a rate that is
# not sustained is tried again.
GOAL_RATE = 1000         # that is to be reached
TRIES = 2
RETRANSMISSIONS = 0.001  # of all calls
LATE = 0.05              # of the run's time
LATE_SECONDS = 1.0       # sipp's own start and end
WAIT_SECONDS = 40        # for a run that does not end
REST_SECONDS = 10        # after a rate that was not sustained, at most
REST_LOOK_SECONDS = 0.5
REST_CPU = 0.1           # of a CPU in that: at rest

# Through viaductd a call takes: from the caller INVITE ACK BYE, to it 100 180 200 200, to the
# callee INVITE ACK BYE, from it 180 200 200.
MESSAGES_A_CALL = 13
FLAT_RATE = 200          # calls a second beside those held
HOLDER_PORT = 5070
HOLD_RATE = 400
FOREVER_MS = 3600 * 1000


@contextlib.contextmanager
def ends(wires):
    with daemon.running(wires, CALLS_MAX) as mediation, sipp.callee(wires) as callee:
        yield mediation, callee


def rest(mediation):
    """Until it has done with what a rate beyond its capacity left behind."""
    until = time.monotonic() + REST_SECONDS
    while time.monotonic() < until:
        before = mediation.cpu_seconds()
        time.sleep(REST_LOOK_SECONDS)
        if mediation.cpu_seconds() - before < REST_CPU * REST_LOOK_SECONDS:
            break


def run_calls(wires, mediation, callee, rate, seconds, numbers=None, patience=WAIT_SECONDS,
              patient=False):
    """Short calls at that rate for so long. The counts, and what share of a CPU each took. patience:
    seconds that the last calls may take to end; then no more are made, and those that stand may end.
    patient: they may take long and be sent again, as long as they succeed."""
    takes = seconds + HOLD_MS / 1000
    start = time.monotonic()
    with sipp.caller(wires, rate, int(rate * seconds), HOLD_MS, numbers=numbers) as caller:
        before = mediation.cpu_seconds(), sipp.cpu_seconds(callee)
        ended = caller.wait(takes + patience)
        elapsed = time.monotonic() - start
        if not ended:
            caller.finish(patience)
        after = mediation.cpu_seconds(), sipp.cpu_seconds(callee)
        counts, complaints = caller.counts(), caller.complaints()
    if not counts:
        raise Failed("sipp left no statistics")
    counts.update(rate=rate, elapsed=elapsed, complaints=complaints, ended=ended,
                  viaductd_cpu=(after[0] - before[0]) / elapsed,
                  callee_cpu=(after[1] - before[1]) / elapsed)
    calls = int(rate * seconds)
    whole = ended and counts["good"] == calls and not counts["failed"]
    counts["sustained"] = whole and (patient or (
        counts["retransmissions"] <= calls * RETRANSMISSIONS and
        elapsed <= takes * (1 + LATE) + LATE_SECONDS))
    if not counts["sustained"]:
        rest(mediation)
    return counts


def measure_rate(run, start, seconds, say, most=float("inf")):
    """The highest rate sustained, and its counts; run(rate) gives those of run_calls(). The search takes
    so many seconds, about."""
    best = {}

    def sustained(rate):
        for _ in range(TRIES):
            counts = run(rate)
            say(f"  {rate:>6} calls/s: {counts['good']} good, {counts['failed']} failed, "
                f"{counts['retransmissions']} retransmissions, on "
                f"{100 * counts['viaductd_cpu']:.0f} % of a CPU"
                f"{'' if counts['sustained'] else '  (not sustained)'}")
            for text, times in counts["complaints"].items():
                say(f"         {times} x {text}")
            if counts["sustained"]:
                best[rate] = counts
                return True
            if not counts["ended"]:
                break  # far beyond: once is enough
        return False

    rate = search.highest(sustained, start, search.Clock(seconds), most)
    return rate, best.get(rate)


def measure_latency(wires, rate, seconds, say):
    with ends(wires) as (mediation, callee), \
            Tool(wires.dut, "invite_latency", "d0", "d1") as ear:
        counts = run_calls(wires, mediation, callee, rate, seconds)
        latency = ear.ask()
    say(f"  INVITE in to INVITE out at {rate} calls/s: p50 {latency['p50_us']:.0f} us, "
        f"p99 {latency['p99_us']:.0f} us, max {latency['max_us']:.0f} us "
        f"({latency['pairs']} pairs, {latency['alone']} alone, {counts['failed']} calls failed)")
    if not latency["pairs"]:
        raise Failed("no INVITE was seen to come in and go out")
    latency["rate"] = rate
    return latency


def cpu_us_a_message(wires, mediation, callee, seconds):
    before = mediation.cpu_seconds()
    counts = run_calls(wires, mediation, callee, FLAT_RATE, seconds)
    spent = mediation.cpu_seconds() - before
    if not counts["good"]:
        raise Failed("no call succeeded beside those held")
    return spent * 1e6 / (counts["good"] * MESSAGES_A_CALL)


class Held:
    """viaductd with so many calls held, on wires of its own."""

    def __init__(self, held):
        self.held = held
        self.wires = self.mediation = self.callee = self.empty = self.full = None
        self.cost = []

    @contextlib.contextmanager
    def up(self, settings):
        with contextlib.ExitStack() as stack:
            self.wires = stack.enter_context(Wires(name=f"held-{self.held}"))
            self.mediation, self.callee = stack.enter_context(ends(self.wires))
            run_calls(self.wires, self.mediation, self.callee, FLAT_RATE,
                      settings.sip_seconds)  # warms up
            self.empty = self.mediation.resident_bytes()
            holder = stack.enter_context(
                sipp.caller(self.wires, HOLD_RATE, self.held, FOREVER_MS, HOLDER_PORT))
            holder.wait_for(self.held / HOLD_RATE * 2 + WAIT_SECONDS,
                            lambda counts: counts["created"] == self.held)
            time.sleep(settings.settle_seconds)
            counts = holder.counts()
            if counts["failed"] or counts["live"] != self.held:
                raise Failed(f"{self.held} calls could not be held: {counts}")
            self.full = self.mediation.resident_bytes()
            yield self

    def memory(self):
        maps = self.mediation.maps_bytes()
        anon, mapped = (self.full[part] - self.empty[part] for part in ("anon", "all"))
        return {
            "bytes_per_call": anon / self.held + maps / CALLS_MAX,
            "daemon_bytes_per_call": anon / self.held,
            "daemon_bytes_per_call_with_mapped": mapped / self.held,
            "maps_bytes_per_call": maps / CALLS_MAX,
            "maps_bytes": maps, "resident_bytes_empty": self.empty["all"],
            "resident_bytes": self.full["all"],
            "calls_held": self.held, "calls_max": CALLS_MAX,
        }


def measure_held(settings, say):
    """CPU time a message with few and with many calls held, in turns, as what the machine can do changes
    meanwhile; and the memory that many take."""
    with contextlib.ExitStack() as stack:
        sets = [stack.enter_context(Held(held).up(settings)) for held in settings.held]
        for _ in range(settings.held_rounds):
            for one in sets:
                one.cost.append(cpu_us_a_message(one.wires, one.mediation, one.callee,
                                                 settings.sip_seconds))
        memory = sets[-1].memory()
    for one in sets:
        say(f"  {one.held:>6} calls held: {statistics.median(one.cost):.1f} us of CPU a message "
            f"({min(one.cost):.1f} to {max(one.cost):.1f}), resident "
            f"{one.full['all'] / 2 ** 20:.1f} MiB")
    few, many = (one.cost for one in sets)
    ratios = [dear / cheap for cheap, dear in zip(few, many)]
    say(f"  many to few: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    say(f"  memory a call: {memory['daemon_bytes_per_call']:.0f} bytes of the daemon's, "
        f"{memory['maps_bytes_per_call']:.0f} of maps ({memory['maps_bytes'] / 2 ** 20:.1f} MiB for "
        f"{CALLS_MAX} calls)")
    return {
        "cpu_us_per_message": {str(one.held): statistics.median(one.cost) for one in sets},
        "cpu_us_per_message_rounds": {str(one.held): one.cost for one in sets},
        "cpu_many_to_few": statistics.median(ratios),  # of the ratios within each round
    }, memory


def measure(wires, settings, say, results):
    """Fills results["sip"] and results["memory"] as it goes: what is known stays known where a
    later step fails."""
    if not shutil.which("sipp"):
        raise Failed("sipp is absent (Debian package sip-tester)")
    say(f"sip: sipp - viaductd - sipp on {os.cpu_count()} CPUs, calls of {HOLD_MS} ms, flows "
        "programmed")
    figures = results["sip"] = {}

    def run(rate):
        with ends(wires) as (mediation, callee):
            return run_calls(wires, mediation, callee, rate, settings.sip_seconds,
                             patience=settings.patience, patient=settings.patient)

    rate, figures["calls_per_second_run"] = measure_rate(
        run, settings.sip_rate, settings.sip_search_seconds, say, settings.sip_rate_max)
    if not rate:
        raise Failed("no rate of calls is sustained")
    figures["calls_per_second"] = rate

    # At half of the load to be reached, so that two runs compare; beside it at half of what this
    # run sustained.
    latency = measure_latency(wires, min(GOAL_RATE, rate) // 2, settings.sip_seconds, say)
    figures["invite_to_invite"] = latency
    figures["invite_to_invite_p50_us"] = latency["p50_us"]
    figures["invite_to_invite_p99_us"] = latency["p99_us"]
    figures["invite_to_invite_at_half_sustained"] = measure_latency(
        wires, rate // 2, settings.sip_seconds, say)

    cost, results["memory"] = measure_held(settings, say)
    figures.update(cost)

    figures.update(overload.measure(wires, settings, say))
