# SPDX-License-Identifier: BSD-2-Clause
"""Viaduct beside a bare redirect of the same frames: sizes, families, a VLAN tag, one CPU and two.
Ratios are by the CPU time of a packet, which others that use the machine disturb least."""
import contextlib
import os
import statistics

from .course import Course
from .relay import figures_of, measure_runs, ratio
from .wires import Wires
from .ways import Bare, Viaduct

STREAMS = 1000
# Sizes (settings.shape_sizes) are frames' as over IPv4; longer by 20 over IPv6 and by 4 with a tag.
FAMILIES = (("ipv4", "4", "4"), ("ipv6", "6", "6"), ("4_to_6", "4", "6"), ("6_to_4", "6", "4"))
TAGGED = ("vlan", "4v", "4v")


def measure_shape(course, shape, cpus, settings, say):
    ways = [Bare(shape[0], STREAMS), Viaduct(STREAMS, *shape)]
    runs = measure_runs(course, ways, settings.seconds, settings.shape_runs, lambda _: None, cpus)
    rates, cpu_ns = figures_of(runs, "pps"), figures_of(runs, "cpu_ns")
    bare, ours = (statistics.median(rates[way.key]) for way in ways)
    figures = {"bare_pps": bare, "viaduct_pps": ours,
               "ratio": ratio(cpu_ns, ways[0].key, ways[1].key), "runs_pps": rates,
               "runs_cpu_ns": cpu_ns}
    say(f"  {shape[0]:>8} to {shape[1]:<8} {cpus} CPU{'s' if cpus > 1 else ' '}  bare "
        f"{bare / 1e6:.3f} Mpps, Viaduct {ours / 1e6:.3f} Mpps, {figures['ratio']:.2f}")
    return figures


def measure(wires, settings, say, results):
    """Fills results["shapes"]: {family: {size: figures}}, {"cpus": {count: figures}}."""
    of = results["shapes"] = {}
    say(f"shapes: {STREAMS} streams, {settings.shape_runs} interleaved runs of {settings.seconds} s")
    with contextlib.closing(Course(wires)) as course:
        for name, family_in, family_out in FAMILIES:
            of[name] = {str(size): measure_shape(
                course, (f"{family_in}-{size}", f"{family_out}-{size}"), 1, settings, say)
                for size in settings.shape_sizes}
        of["cpus"] = {str(cpus): measure_shape(course, ("4-214", "4-214"), cpus, settings, say)
                      for cpus in range(1, min(os.cpu_count(), 2) + 1)}
    name, family_in, family_out = TAGGED
    with Wires(tagged=True) as tagged, contextlib.closing(Course(tagged)) as course:
        of[name] = {str(size): measure_shape(
            course, (f"{family_in}-{size}", f"{family_out}-{size}"), 1, settings, say)
            for size in settings.shape_sizes}
