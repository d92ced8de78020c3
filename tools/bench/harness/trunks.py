# SPDX-License-Identifier: BSD-2-Clause
"""Signalling with many trunks: what a hundred of them, all asked by OPTIONS, ten thousand routes and
two thousand live calls take from the calls a second, over UDP and over TLS; beside one trunk over UDP
in the same run. sipp calls, trunk_callee is all the trunks."""
import contextlib
import random

from . import certificates, daemon, sip, sipp
from .daemon import CONFIG, SIP_PORT
from .process import Failed, Tool
from .wires import EXTERNAL, GENERATOR, INTERNAL

TLS_PORT = 5061
FIRST_TRUNK = "198.51.100.10"
OPTIONS_INTERVAL_S = 30
NUMBER = "+4930{:05d}"  # what a route's prefix is; callers dial more digits
HOLDER_PORT = 5070
HOLD_RATE = 400
CALLS_MAX = sip.CALLS_MAX

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


class Callee:
    """The trunks, seen as a process whose CPU time counts."""

    def __init__(self, tool):
        self.tool = tool
        self.pid = tool.process.pid


@contextlib.contextmanager
def ends(wires, trunks, routes, held, tls):
    """viaductd and its trunks, so many calls held."""
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(certificates.made(
            [address(trunk) for trunk in range(trunks)])) if tls else None
        text = configuration(trunks, routes, tls)
        more = []
        if tls:
            text += files.configuration
            more = [files.trunks_certificate, files.trunks_key, files.authority]
        tool = stack.enter_context(Tool(
            wires.sink, "trunk_callee", "tls" if tls else "udp", FIRST_TRUNK, trunks,
            TLS_PORT if tls else SIP_PORT, *more))
        mediation = stack.enter_context(daemon.running(wires, CALLS_MAX, text))
        if held:
            holder = stack.enter_context(sipp.caller(
                wires, HOLD_RATE, held, sip.FOREVER_MS, HOLDER_PORT, numbers(routes)))
            holder.wait_for(held / HOLD_RATE * 2 + sip.WAIT_SECONDS,
                            lambda counts: counts["created"] == held and counts["live"] == held)
        yield mediation, Callee(tool)


def measure(wires, settings, say, results):
    figures = results["trunks"] = {}
    cpu = {}  # viaductd's share of a CPU, by way and rate that was sustained
    trunks, routes, held = settings.trunks
    for trunk in range(trunks):
        wires.inside(wires.sink, "ip", "addr", "add", f"{address(trunk)}/24", "dev", "s0")
    say(f"trunks: sipp - viaductd - trunk_callee; then {trunks} trunks with OPTIONS, {routes} "
        f"routes, {held} calls held")
    for name, shape in (("one_udp", (1, 1, 0, False)), ("udp", (trunks, routes, held, False)),
                        ("tls", (trunks, routes, held, True))):
        say(f" {name}:")
        cpu[name] = {}
        with ends(wires, *shape) as (mediation, callee):
            def run(rate, mediation=mediation, callee=callee, called=numbers(shape[1]),
                    cpu=cpu[name]):
                counts = sip.run_calls(wires, mediation, callee, rate, settings.trunks_seconds, called,
                                       settings.patience, settings.patient)
                if counts["sustained"]:
                    cpu[rate] = counts["viaductd_cpu"]
                return counts

            rate, counts = sip.measure_rate(run, settings.trunks_rate, settings.trunks_search_seconds,
                                            say, settings.sip_rate_max)
        if not rate:
            raise Failed(f"{name}: no rate of calls is sustained")
        figures[name] = {"calls_per_second": rate, "run": counts}
    # At the highest rate that all sustain: a moment of the machine's fails a rate, and is less felt here.
    alike = max(set.intersection(*(set(of) for of in cpu.values())), default=None)
    for name in ("udp", "tls"):
        if alike:
            figures[f"{name}_to_one_udp_by_cpu"] = cpu["one_udp"][alike] / cpu[name][alike]
        figures[f"{name}_to_one_udp"] = (figures[name]["calls_per_second"] /
                                         figures["one_udp"]["calls_per_second"])
