# SPDX-License-Identifier: BSD-2-Clause
"""Signalling: sipp calls sipp through viaductd, which programs each call's media flows. Everything
shares the machine's CPUs, sipp's work included."""
import contextlib
import os
import shutil
import time

from . import daemon, overload, sipp
from .process import Failed, Tool

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


def run_calls(wires, mediation, callee, rate, seconds, numbers=None):
    """Short calls at that rate for so long. The counts, and what share of a CPU each took."""
    takes = seconds + HOLD_MS / 1000
    start = time.monotonic()
    with sipp.caller(wires, rate, int(rate * seconds), HOLD_MS, numbers=numbers) as caller:
        before = mediation.cpu_seconds(), sipp.cpu_seconds(callee)
        ended = caller.wait(takes + WAIT_SECONDS)
        elapsed = time.monotonic() - start
        after = mediation.cpu_seconds(), sipp.cpu_seconds(callee)
        counts, complaints = caller.counts(), caller.complaints()
    if not counts:
        raise Failed("sipp left no statistics")
    counts.update(rate=rate, elapsed=elapsed, complaints=complaints,
                  viaductd_cpu=(after[0] - before[0]) / elapsed,
                  callee_cpu=(after[1] - before[1]) / elapsed)
    calls = int(rate * seconds)
    counts["sustained"] = (ended and counts["good"] == calls and not counts["failed"] and
                           counts["retransmissions"] <= calls * RETRANSMISSIONS and
                           elapsed <= takes * (1 + LATE) + LATE_SECONDS)
    return counts


def measure_rate(wires, settings, say, ends_of=None, numbers=None):
    """The highest rate sustained: doubled until it is not, then halved in. ends_of() is what calls
    are made through, ends() by default."""
    def sustained(rate, seconds):
        for _ in range(TRIES):
            counts = sustained_once(rate, seconds)
            if counts["sustained"]:
                return counts
        return None

    def sustained_once(rate, seconds):
        with ends_of() if ends_of else ends(wires) as (mediation, callee):
            counts = run_calls(wires, mediation, callee, rate, seconds, numbers)
        if settings.patient:
            counts["sustained"] = counts["good"] == int(rate * seconds) and not counts["failed"]
        say(f"  {rate:>6} calls/s for {seconds} s: {counts['good']} good, {counts['failed']} "
            f"failed, {counts['retransmissions']} retransmissions, viaductd on "
            f"{100 * counts['viaductd_cpu']:.0f} % of a CPU"
            f"{'' if counts['sustained'] else '  (not sustained)'}")
        for text, times in counts["complaints"].items():
            say(f"         {times} x {text}")
        return counts

    low, high, best = 0, settings.sip_rate, None
    while high <= settings.sip_rate_max:
        counts = sustained(high, settings.sip_seconds)
        if not counts:
            break
        low, high, best = high, high * 2, counts
    else:
        return low, best
    for _ in range(settings.sip_steps):
        middle = (low + high) // 2
        counts = sustained(middle, settings.sip_seconds)
        if counts:
            low, best = middle, counts
        else:
            high = middle
    if not best:
        raise Failed(f"not even {settings.sip_rate} calls a second are sustained")
    return low, best


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


def measure_held(wires, settings, say):
    """CPU time a message with few and with many calls held, and the memory they take."""
    cost = {}
    with contextlib.ExitStack() as stack:
        mediation, callee = stack.enter_context(ends(wires))
        run_calls(wires, mediation, callee, FLAT_RATE, settings.sip_seconds)  # warms up
        empty = mediation.resident_bytes()
        held = 0
        for number, target in enumerate(settings.held):
            holder = stack.enter_context(
                sipp.caller(wires, HOLD_RATE, target - held, FOREVER_MS, HOLDER_PORT + number))
            holder.wait_for((target - held) / HOLD_RATE * 2 + WAIT_SECONDS,
                            lambda counts: counts["created"] == target - held)
            time.sleep(settings.settle_seconds)
            counts = holder.counts()
            if counts["failed"] or counts["live"] != target - held:
                raise Failed(f"{target} calls could not be held: {counts}")
            held = target
            full = mediation.resident_bytes()
            cost[str(held)] = cpu_us_a_message(wires, mediation, callee, settings.sip_seconds)
            say(f"  {held:>6} calls held: {cost[str(held)]:.1f} us of CPU a message, resident "
                f"{full['all'] / 2 ** 20:.1f} MiB")
        maps = mediation.maps_bytes()
    memory = {
        "bytes_per_call": (full["anon"] - empty["anon"]) / held + maps / CALLS_MAX,
        "daemon_bytes_per_call": (full["anon"] - empty["anon"]) / held,
        "daemon_bytes_per_call_with_mapped": (full["all"] - empty["all"]) / held,
        "maps_bytes_per_call": maps / CALLS_MAX,
        "maps_bytes": maps, "resident_bytes_empty": empty["all"], "resident_bytes": full["all"],
        "calls_held": held, "calls_max": CALLS_MAX,
    }
    say(f"  memory a call: {memory['daemon_bytes_per_call']:.0f} bytes of the daemon's, "
        f"{memory['maps_bytes_per_call']:.0f} of maps ({maps / 2 ** 20:.1f} MiB for {CALLS_MAX} "
        "calls)")
    return cost, memory


def measure(wires, settings, say, results):
    """Fills results["sip"] and results["memory"] as it goes: what is known stays known where a
    later step fails."""
    if not shutil.which("sipp"):
        raise Failed("sipp is absent (Debian package sip-tester)")
    say(f"sip: sipp - viaductd - sipp on {os.cpu_count()} CPUs, calls of {HOLD_MS} ms, flows "
        "programmed")
    figures = results["sip"] = {}
    rate, figures["calls_per_second_run"] = measure_rate(wires, settings, say)
    figures["calls_per_second"] = rate

    # At half of the load to be reached, so that two runs compare; beside it at half of what this
    # run sustained.
    latency = measure_latency(wires, min(GOAL_RATE, rate) // 2, settings.sip_seconds, say)
    figures["invite_to_invite"] = latency
    figures["invite_to_invite_p50_us"] = latency["p50_us"]
    figures["invite_to_invite_p99_us"] = latency["p99_us"]
    figures["invite_to_invite_at_half_sustained"] = measure_latency(
        wires, rate // 2, settings.sip_seconds, say)

    cost, results["memory"] = measure_held(wires, settings, say)
    few, many = (str(held) for held in settings.held)
    figures["cpu_us_per_message"] = cost
    figures["cpu_many_to_few"] = cost[many] / cost[few]

    figures.update(overload.measure(wires, settings, say))
