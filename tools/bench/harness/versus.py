# SPDX-License-Identifier: BSD-2-Clause
"""Viaduct beside Kamailio with rtpengine: the same sipp scenario between the same wires in the same run,
with few calls held and with many."""
import contextlib
import os
import time

from . import daemon, kamailio, sip, sipp
from .process import Failed, Tool

CALLS_MARGIN = 2000  # beside those held
HOLDER_PORT = 5070
HOLDER_CALLS = 10000  # of one sipp
HOLD_TRIES = 4        # each at half of the rate before
GROWTH = 1.5
STEPS = 2


class Ours:
    key, label = "viaduct", "viaductd"

    @staticmethod
    def running(wires, calls_max):
        return daemon.running(wires, calls_max)

    @staticmethod
    def bytes_a_call(mediation, empty, held):
        """Maps have their size from the start: a call's share is its share of the capacity."""
        own = mediation.resident_bytes()["anon"] - empty
        return own / held + mediation.maps_bytes() / mediation.calls_max

    @staticmethod
    def own_bytes(mediation):
        return mediation.resident_bytes()["anon"]


class Theirs:
    key, label = "kamailio_rtpengine", "kamailio + rtpengine"

    @staticmethod
    def running(wires, calls_max):
        return kamailio.running(wires, calls_max)

    @staticmethod
    def bytes_a_call(mediation, empty, held):
        return (mediation.memory_bytes() - empty) / held

    @staticmethod
    def own_bytes(mediation):
        return mediation.memory_bytes()


def hold(wires, stack, held, target, rate):
    """More calls that stay, until there are so many; for those refused meanwhile others are made."""
    for _ in range(HOLD_TRIES):
        while held < target:
            more = min(target - held, HOLDER_CALLS)
            holder = stack.enter_context(sipp.caller(
                wires, rate, more, sip.FOREVER_MS, HOLDER_PORT + stack.holders))
            stack.holders += 1
            holder.wait_for(more / rate * 3 + sip.WAIT_SECONDS,
                            lambda counts, more=more: counts["created"] == more and
                            counts["live"] + counts["failed"] == more)
            counts = holder.counts()
            stack.refused += counts["failed"]
            held += counts["live"]
            if counts["failed"]:
                break
        if held == target:
            return held
        rate //= 2
    raise Failed(f"{target} calls could not be held: {stack.refused} refused, {holder.complaints()}")


class Holders(contextlib.ExitStack):
    holders = refused = 0


def highest_rate(wires, mediation, callee, settings, say):
    """Grown until it is not sustained, then halved in; 0 where not even the first one is."""
    def sustained(rate):
        for _ in range(sip.TRIES):
            counts = sip.run_calls(wires, mediation, callee, rate, settings.versus_seconds)
            say(f"    {rate:>6} calls/s: {counts['good']} good, {counts['failed']} failed, "
                f"{counts['retransmissions']} retransmissions, on "
                f"{100 * counts['viaductd_cpu']:.0f} % of a CPU"
                f"{'' if counts['sustained'] else '  (not sustained)'}")
            if counts["sustained"]:
                return True
        return False

    low, high = 0, settings.versus_rate
    while high <= settings.versus_rate_max and sustained(high):
        low, high = high, int(high * GROWTH)
    for _ in range(STEPS):
        middle = (low + high) // 2
        low, high = (middle, high) if sustained(middle) else (low, middle)
    return low


def latency(wires, mediation, callee, settings):
    with Tool(wires.dut, "invite_latency", "d0", "d1") as ear:
        counts = sip.run_calls(wires, mediation, callee, settings.versus_latency_rate,
                               settings.versus_seconds)
        figures = ear.ask()
    if not figures["pairs"]:
        raise Failed("no INVITE was seen to come in and go out")
    figures["failed"] = counts["failed"]
    figures["cpu"] = counts["viaductd_cpu"]
    return figures


def at_levels(wires, system, settings, look):
    """A fresh system, as many calls held as each level says; look(mediation, callee, held) at each."""
    held = 0
    with system.running(wires, settings.versus_held[-1] + CALLS_MARGIN) as mediation, \
            sipp.callee(wires) as callee, Holders() as stack:
        look(mediation, callee, held)
        for target in settings.versus_held:
            held = hold(wires, stack, held, target, settings.versus_hold_rate)
            time.sleep(settings.settle_seconds)
            look(mediation, callee, held)


def measure_system(wires, system, settings, say):
    """{live calls: figures}; what fails ends it, and is told. Memory and latency first, from a system
    that has seen no rate which it does not sustain."""
    levels, empty = {}, []

    def calmly(mediation, callee, held):
        figures = latency(wires, mediation, callee, settings)  # of none held: warms up
        if not held:
            empty.append(system.own_bytes(mediation))
            return
        figures["bytes_per_call"] = system.bytes_a_call(mediation, empty[0], held)
        figures["memory_bytes"] = mediation.memory_bytes()
        levels[str(held)] = figures
        say(f"  {system.label}, {held} calls held: INVITE in to out p50 {figures['p50_us']:.0f} us, "
            f"p99 {figures['p99_us']:.0f} us, {figures['failed']} failed; "
            f"{figures['bytes_per_call'] / 1024:.1f} KiB a call")

    def quickly(mediation, callee, held):
        if str(held) in levels:
            say(f"  {system.label}, {held} calls held:")
            levels[str(held)]["calls_per_second"] = highest_rate(
                wires, mediation, callee, settings, say)

    for look in (calmly, quickly) if settings.versus_rate else (calmly,):
        try:
            at_levels(wires, system, settings, look)
        except Failed as why:
            say(f"  {system.label}: {why}")
            levels.setdefault("ended", str(why))
    return levels


def compare(ours, theirs):
    """Ours to theirs, at each number of calls that both held."""
    ratios = {}
    for held in ours.keys() & theirs.keys() - {"ended"}:
        a, b = ours[held], theirs[held]
        ratios[held] = {
            "p99": a["p99_us"] / b["p99_us"],
            "memory": a["bytes_per_call"] / b["bytes_per_call"],
            "calls_per_second": (a["calls_per_second"] / b["calls_per_second"]
                                 if a.get("calls_per_second") and b.get("calls_per_second")
                                 else None)}
    return ratios


def measure(wires, settings, say, results):
    """Fills results["versus"]."""
    absent = kamailio.missing()
    if absent:
        results["versus"] = {"notes": [absent]}
        return
    say(f"versus: sipp calls of {sip.HOLD_MS} ms on {os.cpu_count()} CPUs beside held ones, latency at "
        f"{settings.versus_latency_rate} calls/s")
    of = results["versus"] = {}
    for system in (Ours, Theirs):
        of[system.key] = measure_system(wires, system, settings, say)
    of["ratios"] = compare(of[Ours.key], of[Theirs.key])
