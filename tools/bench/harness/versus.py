# SPDX-License-Identifier: BSD-2-Clause
"""Viaduct beside Kamailio with rtpengine: the same sipp scenario between the same wires in the same run,
with few calls held and with many. What one of them cannot do is left out, and why is told; the time is
bounded, so that the whole ends."""
import contextlib
import os
import time

from . import daemon, kamailio, sip, sipp
from .process import Failed, Tool
from .search import GROWTH, Clock

# Beside those held: at a rate that is not sustained calls stay behind whose caller is gone, and ports
# rest for a second after their call.
CALLS_MARGIN = 4000
HOLDER_PORT = 5070
HOLDER_CALLS = 10000  # of one sipp
HOLD_TRIES = 4        # each at half of the rate before
SEARCH_SECONDS = 25   # for the highest rate at one level, about


class Ours:
    key, label = "viaduct", "viaductd"
    first_rate = 1500  # where the search for the highest begins

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
    first_rate = 300

    @staticmethod
    def running(wires, calls_max):
        return kamailio.running(wires, calls_max)

    @staticmethod
    def bytes_a_call(mediation, empty, held):
        return (mediation.memory_bytes() - empty) / held

    @staticmethod
    def own_bytes(mediation):
        return mediation.memory_bytes()


class Holders(contextlib.ExitStack):
    """sipps whose calls stay."""

    def __init__(self):
        super().__init__()
        self.callers, self.refused = [], 0

    def add(self, wires, calls, rate, patience):
        """So many more. How many of them stand, once all were tried."""
        caller = self.enter_context(sipp.caller(
            wires, rate, calls, sip.FOREVER_MS, HOLDER_PORT + len(self.callers)))
        self.callers.append(caller)
        caller.wait_for(patience, lambda counts: counts["created"] == calls and
                        counts["live"] + counts["failed"] == calls)
        counts = caller.counts()
        self.refused += counts["failed"]
        return counts["live"]

    def lost(self):
        """Calls that stood and do not any more."""
        return sum(caller.counts()["failed"] for caller in self.callers) - self.refused


def hold(wires, stack, held, target, rate, seconds=float("inf")):
    """More calls that stay, until there are so many, within so many seconds; for those refused
    meanwhile others are made."""
    clock = Clock(seconds)
    if seconds <= 0:
        raise Failed("no time was left")
    for _ in range(HOLD_TRIES):
        while held < target and clock.left() > 0:
            more = min(target - held, HOLDER_CALLS)
            stood = stack.add(wires, more, rate,
                              min(more / rate * 3 + sip.WAIT_SECONDS, clock.left()))
            held += stood
            if stood < more:
                break
        if held == target:
            return held
        rate //= 2
    raise Failed(f"{target} calls could not be held, only {held}"
                 f"{'' if clock.left() > 0 else ' in the time that was left'}: {stack.refused} refused, "
                 f"{stack.callers[-1].complaints() if stack.callers else {}}")


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


class System:
    """One of the two, measured level by level: {live calls: figures}, and {live calls: why not}."""

    def __init__(self, kind, wires, settings, say, seconds):
        self.kind, self.wires, self.settings, self.say = kind, wires, settings, say
        self.clock = Clock(seconds)
        self.levels, self.left_out = {}, {}
        self.rate = kind.first_rate

    def _leave_out(self, targets, what, why):
        for held in targets:
            self.left_out[str(held)] = f"{what} left out: {why}"
            self.say(f"  {self.kind.label}, {held} calls held: {self.left_out[str(held)]}")

    def calmly(self, mediation, callee, held, empty):
        """Latency and memory: of a system that has seen no rate which it does not sustain."""
        figures = latency(self.wires, mediation, callee, self.settings)
        figures["bytes_per_call"] = self.kind.bytes_a_call(mediation, empty, held)
        figures["memory_bytes"] = mediation.memory_bytes()
        self.levels[str(held)] = figures
        self.say(f"  {self.kind.label}, {held} calls held: INVITE in to out p50 "
                 f"{figures['p50_us']:.0f} us, p99 {figures['p99_us']:.0f} us, "
                 f"{figures['failed']} failed; {figures['bytes_per_call'] / 1024:.1f} KiB a call")

    def quickly(self, mediation, callee, held, stack):
        def run(rate):
            return sip.run_calls(self.wires, mediation, callee, rate, self.settings.versus_seconds,
                                 patience=self.settings.patience)

        self.say(f"  {self.kind.label}, {held} calls held:")
        figures = self.levels[str(held)]
        rate, figures["calls_per_second_run"] = sip.measure_rate(
            run, self.rate, min(SEARCH_SECONDS, self.clock.left()), self.say)
        figures["calls_per_second"] = rate
        figures["held_lost"] = stack.lost()
        self.rate = int(rate / GROWTH) if rate else self.kind.first_rate

    def pass_over(self, targets, what, look):
        """A fresh one, as many calls held as each level says; look(mediation, callee, held, stack,
        bytes of none held) at each. Where one level fails, those above it are left out, too."""
        held, settings = 0, self.settings
        with self.kind.running(self.wires, settings.versus_held[-1] + CALLS_MARGIN) as mediation, \
                sipp.callee(self.wires) as callee, Holders() as stack:
            latency(self.wires, mediation, callee, settings)  # warms up
            empty = self.kind.own_bytes(mediation)
            for number, target in enumerate(targets):
                try:
                    held = hold(self.wires, stack, held, target, settings.versus_hold_rate,
                                self.clock.left())
                    time.sleep(settings.settle_seconds)
                    look(mediation, callee, held, stack, empty)
                except Failed as why:
                    self._leave_out(targets[number:], what, why)
                    break

    def measure(self):
        """Two of it: one that is calm until all levels are held and then shows what it can beside as
        many, one that shows it at the other levels."""
        targets, most = self.settings.versus_held, self.settings.versus_held[-1]

        def first(mediation, callee, held, stack, empty):
            self.calmly(mediation, callee, held, empty)
            if held == most and self.settings.versus_rates:
                self.quickly(mediation, callee, held, stack)

        def second(mediation, callee, held, stack, _empty):
            if str(held) in self.levels:
                self.quickly(mediation, callee, held, stack)

        self.pass_over(targets, "all", first)
        if self.settings.versus_rates:
            self.pass_over(targets[:-1], "calls a second", second)


def compare(ours, theirs):
    """Ours to theirs, at each number of calls that both held."""
    ratios = {}
    for held in ours.keys() & theirs.keys():
        a, b = ours[held], theirs[held]
        ratios[held] = {
            "p99": a["p99_us"] / b["p99_us"],
            "memory": a["bytes_per_call"] / b["bytes_per_call"],
            "calls_per_second": (a["calls_per_second"] / b["calls_per_second"]
                                 if a.get("calls_per_second") and b.get("calls_per_second")
                                 else None)}
    return ratios


def measure(wires, settings, say, results):
    """Fills results["versus"] as it goes."""
    absent = kamailio.missing()
    if absent:
        results["versus"] = {"notes": [absent]}
        return
    say(f"versus: sipp calls of {sip.HOLD_MS} ms on {os.cpu_count()} CPUs beside held ones, latency at "
        f"{settings.versus_latency_rate} calls/s")
    of = results["versus"] = {"left_out": {}, "notes": []}
    whole = Clock(2 * settings.versus_budget)
    for kind, seconds in ((Ours, lambda: settings.versus_budget), (Theirs, whole.left)):
        system = System(kind, wires, settings, say, seconds())
        of[kind.key], of["left_out"][kind.key] = system.levels, system.left_out
        try:
            system.measure()
        except Failed as why:
            of["notes"].append(f"versus: {kind.label}: {why}")
        of["notes"] += [f"versus: {kind.label} with {held} calls held: {why}"
                        for held, why in system.left_out.items()]
    of["ratios"] = compare(of[Ours.key], of[Theirs.key])
