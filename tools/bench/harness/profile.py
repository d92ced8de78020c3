# SPDX-License-Identifier: BSD-2-Clause
"""Where a packet's time goes, by bare redirect and by Viaduct: samples of the thread that does it all,
each share of them taken as that share of the CPU time that a packet takes. Viaduct's program by the
source file that holds the step; see bpf/viaduct.bpf.c."""
import contextlib
import json
import time

from .course import Course
from .process import Failed, TOOLS, run
from .ways import Bare, Viaduct

HEAD_SECONDS = 0.5  # the generator's start, before the first sample
FEW = 20            # samples are too few to say anything
TOLD = 12           # of the functions


def sample(course, way, seconds):
    course.expect(way)
    output = []

    def look(process):
        time.sleep(HEAD_SECONDS)
        output.append(run("nsenter", f"--net=/run/netns/{course.wires.dut}", TOOLS / "profile", "d0",
                          process.pid, int(seconds * 1000)))

    with way.up(course.wires) as up:
        result = course.send(way, seconds + 3 * HEAD_SECONDS, ports_file=up.get("ports_file"),
                             beside=look)
    samples = json.loads(output[0])
    if samples["samples"] < FEW:
        raise Failed(f"profile: only {samples['samples']} samples")
    packet_ns = result["cpu_ns"]
    ns = packet_ns / samples["samples"]
    return {"packet_ns": packet_ns, "samples": samples["samples"],
            "instructions": samples["instructions"],
            "program_ns": {name: count * ns for name, count in samples["program"].items()},
            "functions_ns": {name: count * ns for name, count in samples["functions"].items()}}


def distance(bare, ours):
    """What Viaduct takes more by each function, the program as a whole first: {name: ns}."""
    more = {"the program itself": (sum(ours["program_ns"].values()) -
                                   sum(bare["program_ns"].values()))}
    for name in ours["functions_ns"].keys() | bare["functions_ns"].keys():
        more[name] = ours["functions_ns"].get(name, 0) - bare["functions_ns"].get(name, 0)
    return dict(sorted(more.items(), key=lambda item: -item[1]))


def tell(say, title, figures):
    say(f"  {title}")
    for name, ns in list(figures.items())[:TOLD]:
        say(f"    {name:<44} {ns:7.1f} ns")


def measure(wires, settings, say, results):
    """Fills results["profile"]."""
    ways = [Bare(), *(Viaduct(streams) for streams in settings.profile_streams)]
    of = results["profile"] = {}
    say(f"profile: {settings.profile_seconds} s each, a sample each 100 us")
    with contextlib.closing(Course(wires)) as course:
        for way in ways:
            of[way.key] = sample(course, way, settings.profile_seconds)
            time.sleep(0.1)
    ours = of["viaduct_1000"]
    say("  instructions by step: " + ", ".join(
        f"{name} {count}" for name, count in sorted(ours["instructions"].items(),
                                                    key=lambda item: -item[1])))
    for way in ways[1:]:
        program = dict(sorted(of[way.key]["program_ns"].items(), key=lambda item: -item[1]))
        tell(say, f"{way.label}: {of[way.key]['packet_ns']:.0f} ns a packet; in its program", program)
    of["distance_ns"] = distance(of["bare_redirect"], ours)
    tell(say, f"more than a bare redirect's {of['bare_redirect']['packet_ns']:.0f} ns, 1,000 streams",
         of["distance_ns"])
