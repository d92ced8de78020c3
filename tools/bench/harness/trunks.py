# SPDX-License-Identifier: BSD-2-Clause
"""Signalling with many trunks: what a hundred of them, all asked by OPTIONS, ten thousand routes and
two thousand live calls take from the calls a second, over UDP and over TLS; beside one trunk over UDP.

What the machine can do moves by a fifth from minute to minute. So the three ways stand side by side,
each on wires of its own, and take turns of two seconds: a way's rate goes up by a step after a turn in
which it was sustained, else down by one, and so stays about the rate that is sustained in half of the
turns. Ways are compared within a round of turns; what is told is the median over the rounds.
sip_caller calls, trunk_callee is all the trunks; viaductd has a core of its own where there are two."""
import contextlib
import random
import statistics
import tempfile

from . import certificates, daemon, overload, sip, sipp
from .daemon import SIP_PORT
from .process import Failed, Tool
from .wires import EXTERNAL, GENERATOR, INTERNAL, Wires

TLS_PORT = 5061
FIRST_TRUNK = "198.51.100.10"
OPTIONS_INTERVAL_S = 30
NUMBER = "+4930{:05d}"  # what a route's prefix is; callers dial more digits
HOLDER_PORT = 5070
HOLD_RATE = 400
CALLS_MAX = sip.CALLS_MAX

GROWTH = 1.25       # from rate to rate until one is not sustained, twice in a row
STEP = 1.05         # after that
FIRST_ROUNDS = 30   # until each way is about its rate, at most
AGAIN = 0.01        # of the calls, sent again at a rate that is sustained
LOWEST_RATE = 50    # calls a second; less is a failure
SAME_RATE = 0.5     # of the slowest way's: at which the CPU time of a call is compared
SAME_SECONDS = 1

HEAD = """\
sides:
  internal: {{device: d0, addresses: [{INTERNAL}], media_ports: {ports}}}
  external: {{device: d1, addresses: [{EXTERNAL}], media_ports: {ports}}}
limits: {{calls: {calls}, calls_per_second: 0}}
timers: {{port_quarantine: 1}}
log: error
instance: {instance}
"""
CALLER = """\
  - {{name: caller, kind: direct, listener: inside, address: "{GENERATOR}:{SIP_PORT}",
      media: {{timeout: 0, timeout_held: 0}}, liveness: {{interval: 0}}}}
"""


def address(trunk):
    head, _, last = FIRST_TRUNK.rpartition(".")
    return f"{head}.{int(last) + trunk}"


def configuration(trunks, routes, tls):
    """Each route leads to one trunk, and to the next where that fails."""
    port, transport = (TLS_PORT, "tls, tls: bench") if tls else (SIP_PORT, "udp")
    text = HEAD + "listeners:\n"
    text += f"  - {{{{name: inside, side: internal, transport: udp, port: {SIP_PORT}}}}}\n"
    text += f"  - {{{{name: outside, side: external, transport: {transport}, port: {port}}}}}\n"
    text += f"peers:\n{CALLER}"
    for trunk in range(trunks):
        text += (f"  - {{{{name: t{trunk}, kind: trunk, listener: outside, "
                 f'address: "{address(trunk)}:{port}", media: {{{{timeout: 0, timeout_held: 0}}}}, '
                 f"liveness: {{{{interval: {OPTIONS_INTERVAL_S}}}}}}}}}\n")
    text += "routes:\n"
    for route in range(routes):
        to = [f"t{(route + step) % trunks}" for step in range(min(2, trunks))]
        text += (f"  - {{{{from: caller, called: '\\{NUMBER.format(route)}\\d*', "
                 f"to: [{', '.join(to)}]}}}}\n")
    return text


def numbers(routes):
    """Numbers of all routes, in no order; the same in each run."""
    mixed = list(range(routes))
    random.Random(1).shuffle(mixed)
    return [NUMBER.format(route) + "77" for route in mixed]


@contextlib.contextmanager
def called_numbers(routes):
    with tempfile.NamedTemporaryFile("w", suffix=".numbers") as file:
        file.write("".join(f"{number}\n" for number in numbers(routes)))
        file.flush()
        yield file.name


class Way:
    """viaductd, its trunks and who calls them, on wires of its own; so many calls held. Stays up beside
    the other ways, and does next to nothing while it is not its turn."""

    def __init__(self, name, trunks, routes, held, tls):
        self.name, self.trunks, self.routes, self.held, self.tls = name, trunks, routes, held, tls
        self.mediation = self.caller = self.rate = None

    @contextlib.contextmanager
    def up(self):
        with contextlib.ExitStack() as stack:
            wires = stack.enter_context(Wires(name=self.name.replace("_", "-")))
            for trunk in range(self.trunks):
                wires.inside(wires.sink, "ip", "addr", "add", f"{address(trunk)}/24", "dev", "s0")
            text, files = configuration(self.trunks, self.routes, self.tls), ()
            if self.tls:
                made = stack.enter_context(certificates.made(
                    [address(trunk) for trunk in range(self.trunks)]))
                text += made.configuration
                files = made.trunks_certificate, made.trunks_key, made.authority
            callee = stack.enter_context(Tool(
                wires.sink, "trunk_callee", "tls" if self.tls else "udp", FIRST_TRUNK, self.trunks,
                TLS_PORT if self.tls else SIP_PORT, *files))
            self.mediation = stack.enter_context(daemon.running(wires, CALLS_MAX, text))
            if self.held:
                stack.enter_context(self._holder(wires))
            self.caller = stack.enter_context(Tool(
                wires.gen, "sip_caller", GENERATOR, SIP_PORT, INTERNAL, SIP_PORT,
                stack.enter_context(called_numbers(self.routes))))
            overload.part_cores(self.mediation, callee, self.caller)
            yield self

    @contextlib.contextmanager
    def _holder(self, wires):
        with sipp.caller(wires, HOLD_RATE, self.held, sip.FOREVER_MS, HOLDER_PORT,
                         numbers(self.routes)) as holder:
            holder.wait_for(self.held / HOLD_RATE * 2 + sip.WAIT_SECONDS,
                            lambda counts: counts["created"] == counts["live"] == self.held)
            yield

    def run(self, rate, seconds):
        before = self.mediation.cpu_seconds()
        counts = overload.make_calls(self.caller, rate, seconds)
        spent = self.mediation.cpu_seconds() - before
        counts["cpu_us_a_call"] = spent * 1e6 / max(counts["answered"], 1)
        again = counts["invites_again"] + counts["byes_again"] + counts["answers_again"]
        counts["sustained"] &= again <= AGAIN * counts["sent"]
        return counts


class Stair:
    """A way's rate, up and down about what it sustains."""

    def __init__(self, way, rate, most):
        self.way, self.rate, self.most = way, rate, most
        self.missed = 0         # turns in a row
        self.is_there = False

    def turn(self, seconds, say):
        """Returns the rate that was tried."""
        tried, counts = self.rate, self.way.run(self.rate, seconds)
        say(f"  {self.way.name:<8} {tried:>6} calls/s: {overload.tell(counts)}"
            f"{'' if counts['sustained'] else '  (not sustained)'}")
        self.missed = 0 if counts["sustained"] else self.missed + 1
        step = STEP if self.is_there else GROWTH
        self.is_there |= self.missed == overload.MISSES or (counts["sustained"] and
                                                            tried >= self.most)
        if counts["sustained"]:
            self.rate = min(int(tried * step), self.most)
        elif self.is_there:
            self.rate = int(tried / step)
        if self.rate < LOWEST_RATE:
            raise Failed(f"{self.way.name}: no rate of calls is sustained")
        return tried


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def compare(ways, settings, say):
    """The ways' rates, and the CPU time of a call at one rate for all, round by round: {name: [...]}."""
    stairs = [Stair(way, settings.trunks_rate, settings.trunks_rate_max) for way in ways]
    for _ in range(FIRST_ROUNDS):
        for stair in stairs:
            if not stair.is_there:
                stair.turn(settings.trunks_seconds, say)
        if all(stair.is_there for stair in stairs):
            break
    else:
        raise Failed("the machine changes too much: some way's rate is not found")
    same = int(SAME_RATE * min(stair.rate for stair in stairs))
    rates, cpu = {way.name: [] for way in ways}, {way.name: [] for way in ways}
    for number in range(settings.trunks_rounds):
        say(f" round {number + 1} of {settings.trunks_rounds}")
        for stair in stairs:
            rates[stair.way.name].append(stair.turn(settings.trunks_seconds, say))
        for way in ways:
            cpu[way.name].append(way.run(same, SAME_SECONDS)["cpu_us_a_call"])
    return rates, cpu, same


def measure(_wires, settings, say, results):
    trunks, routes, held = settings.trunks
    say(f"trunks: sip_caller - viaductd - trunk_callee; one trunk, and {trunks} trunks with OPTIONS, "
        f"{routes} routes, {held} calls held")
    with contextlib.ExitStack() as stack:
        ways = [stack.enter_context(Way(*way).up()) for way in (
            ("one_udp", 1, 1, 0, False), ("udp", trunks, routes, held, False),
            ("tls", trunks, routes, held, True))]
        rates, cpu, same = compare(ways, settings, say)
    one = rates["one_udp"], cpu["one_udp"]
    figures = results["trunks"] = {
        "cpu_us_a_call_at": same,
        **{name: {"calls_per_second": statistics.median(rates[name]), "rates": rates[name],
                  "cpu_us_a_call": statistics.median(cpu[name])} for name in rates}}
    for name in ("udp", "tls"):
        ratios = spread([own / others for own, others in zip(rates[name], one[0])])
        by_cpu = spread([others / own for own, others in zip(cpu[name], one[1])])
        figures[f"{name}_to_one_udp"] = ratios["median"]
        figures[f"{name}_to_one_udp_spread"] = ratios
        figures[f"{name}_to_one_udp_by_cpu"] = by_cpu["median"]
        figures[f"{name}_to_one_udp_by_cpu_spread"] = by_cpu
        say(f" {name} to one trunk over UDP: {ratios['median']:.2f} of its calls a second "
            f"({ratios['least']:.2f} to {ratios['most']:.2f}), by the CPU time of a call "
            f"{by_cpu['median']:.2f} ({by_cpu['least']:.2f} to {by_cpu['most']:.2f})")
