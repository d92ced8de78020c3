# SPDX-License-Identifier: BSD-2-Clause
"""The highest rate that each way relays without loss, by search. The same is asked of all: no packet
lost, none but 2 % still under way when sending ends, and all offered in time."""
import contextlib
import shutil
import statistics

from .course import BEHIND, Course, offered_in_time
from .ways import Bare, Nat, Rtpengine, Viaduct

START_PPS = {"rtpengine": 30000, "nft_nat": 200000}
START_OTHERS_PPS = 1000000
GROWTH = 1.5
LOWEST = 20  # part of the start
TRIES = 2    # the machine may have its moods


def keeps_up(probe, rate, seconds, say):
    for _ in range(TRIES):
        result = probe.send(rate, seconds)
        behind = 1 - result["received_in_time"] / result["sent"]
        good = not result["lost"] and behind <= BEHIND and offered_in_time(result, seconds)
        say(f"  {probe.way.label:<24} offered {rate:>9,} pps: lost {result['lost']:,}, "
            f"{100 * max(behind, 0):.1f} % behind{'' if good else '  (does not keep up)'}")
        if good:
            return True
    return False


def search(probe, settings, say):
    """Grown until it does not keep up, or shrunk until it does; then halved in. 0: no rate was."""
    seconds = settings.lossfree_seconds
    start = START_PPS.get(probe.way.key, START_OTHERS_PPS)
    low, high = 0, start
    while keeps_up(probe, high, seconds, say):
        low, high = high, int(high * GROWTH)
        if high > start * GROWTH ** settings.lossfree_growths:
            return low
    if not low:
        low = int(high / GROWTH)
        while not keeps_up(probe, low, seconds, say):
            low, high = int(low / GROWTH), low
            if low < start / LOWEST:
                return 0
    for _ in range(settings.lossfree_steps):
        middle = (low + high) // 2
        if keeps_up(probe, middle, seconds, say):
            low = middle
        else:
            high = middle
    return low


def ways_here(notes):
    ways = [Bare(), Viaduct(1000)]
    for way, program, package in ((Nat(), "nft", "nftables"),
                                  (Rtpengine(), "rtpengine", "rtpengine-daemon")):
        if shutil.which(program):
            ways.append(way)
        else:
            notes.append(f"{program} is absent (Debian package {package})")
    return ways


def measure(wires, settings, say, results):
    """Fills results["lossfree"]; medians of the searches, ratios within each round of them."""
    notes = []
    ways = ways_here(notes)
    found = {way.key: [] for way in ways}
    say(f"lossfree: {settings.lossfree_rounds} searches, {settings.lossfree_seconds} s a probe")
    with contextlib.closing(Course(wires)) as course:
        for _ in range(settings.lossfree_rounds):
            for way in ways:
                with course.probe(way) as probe:
                    found[way.key].append(search(probe, settings, say))
    results["lossfree"] = {
        "pps": {key: statistics.median(of) for key, of in found.items()},
        "viaduct_to": {key: statistics.median(
            ours / theirs for ours, theirs in zip(found["viaduct_1000"], of))
            for key, of in found.items() if key != "viaduct_1000" and all(of)},
        "searches_pps": found,
        "notes": notes,
    }
