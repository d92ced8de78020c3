# SPDX-License-Identifier: BSD-2-Clause
"""Packets a second through each way of relaying RTP, as many as go: same wires, same generator, same
sink."""
import contextlib
import shutil
import statistics

from .course import Course
from .ways import Bare, Nat, Viaduct

BELOW_KNEE = 0.7  # of the measured rate: here nothing may be lost


def measure_runs(course, ways, seconds, runs, say, cpus=1):
    """{key: results}. Runs interleaved, so that the machine's moods meet every way alike."""
    results = {way.key: [] for way in ways}
    for number in range(runs):
        for way in ways if number % 2 == 0 else reversed(ways):
            result = course.measure(way, seconds, cpus=cpus)
            results[way.key].append(result)
            say(f"  run {number + 1}/{runs}  {way.label:<24} {result['pps'] / 1e6:6.3f} Mpps  "
                f"sent {result['sent']:,}  lost {result['lost']:,}")
    return results


def figures_of(results, name):
    return {key: [result[name] for result in of] for key, of in results.items()}


def ratio(rates, key, other):
    """Median of the ratios within each round of runs."""
    return statistics.median(a / b for a, b in zip(rates[key], rates[other]))


def measure_below_knee(course, ways, rates, seconds, say):
    below = {}
    for way in ways:
        rate = int(rates[way.key] * BELOW_KNEE)
        result = course.measure(way, seconds, rate)
        below[way.key] = {name: result[name] for name in ("sent", "received", "lost")}
        below[way.key]["offered_pps"] = rate
        own = ""
        if "viaduct" in result:
            below[way.key]["viaduct"] = result["viaduct"]
            own = f"  its own count {result['viaduct']['packets']:,}"
        say(f"  {way.label:<24} {rate / 1e6:6.3f} Mpps offered  sent {result['sent']:,}  "
            f"received {result['received']:,}  lost {result['lost']:,}{own}")
    return below


def measure(wires, settings, say, results):
    """Fills results["relay"]."""
    viaducts = [Viaduct(streams) for streams in settings.relay_streams]
    most = settings.relay_streams[-1]
    # Of many streams the generator's own tables are felt: a bare redirect of as many beside it.
    # What it costs that packets wait, where the caches hold all that they need.
    waiting = Viaduct(1000, waiting=True)
    ways = [Bare(), Bare(streams=most), *viaducts, waiting]
    notes = []
    if shutil.which("nft"):
        ways.append(Nat())
    else:
        notes.append("nft is absent (Debian package nftables): kernel NAT is not measured")

    with contextlib.closing(Course(wires)) as course:
        say(f"relay: {settings.relay_runs} interleaved runs of {settings.seconds} s each")
        runs = measure_runs(course, ways, settings.seconds, settings.relay_runs, say)
        rates, cpu_ns = figures_of(runs, "pps"), figures_of(runs, "cpu_ns")
        medians = {key: statistics.median(of) for key, of in rates.items()}
        say(f"relay: below the knee, at {BELOW_KNEE:.0%} of each rate")
        below = measure_below_knee(course, ways, medians, settings.seconds, say)

    bare = medians["bare_redirect"]
    by_streams = {str(way.streams): way.key for way in viaducts}
    results["relay"] = {
        "bare_redirect_pps": bare,
        "viaduct_pps": {streams: medians[key] for streams, key in by_streams.items()},
        "nft_nat_pps": medians.get("nft_nat"),
        "bare_redirect_pps_many": medians[f"bare_redirect_{most}"],
        "ratio_to_bare": {streams: ratio(rates, key, "bare_redirect")
                          for streams, key in by_streams.items()},
        "ratio_to_bare_many": ratio(rates, f"viaduct_{most}", f"bare_redirect_{most}"),
        # By the CPU time of a packet: where others use the machine, this is the one to believe.
        "ratio_to_bare_by_cpu": {
            streams: ratio(cpu_ns, "bare_redirect" if int(streams) < most else
                           f"bare_redirect_{most}", key) for streams, key in by_streams.items()},
        # What a packet costs more than by a bare redirect.
        "viaduct_added_ns": {streams: 1e9 / medians[key] - 1e9 / bare
                             for streams, key in by_streams.items()},
        "waiting_added_ns": 1e9 / medians[waiting.key] - 1e9 / medians["viaduct_1000"],
        "ratio_to_nft": ratio(rates, "viaduct_1000", "nft_nat") if "nft_nat" in rates else None,
        "viaduct_lost_below_knee": sum(below[way.key]["lost"] for way in viaducts),
        "viaduct_miscounted": sum(abs(below[way.key]["viaduct"]["packets"] -
                                      below[way.key]["received"]) for way in viaducts),
        "below_knee": below,
        "runs_pps": rates,
        "runs_cpu_ns": cpu_ns,
        "notes": notes,
    }
