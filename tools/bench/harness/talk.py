# SPDX-License-Identifier: BSD-2-Clause
"""Calls that are held talk both ways: RTP from their callers and from their callees at once, each end's
generator on a CPU of its own where there are two. What is lost, and what the daemon takes beside it. No
RTCP is sent."""
import contextlib
import json
import os
import tempfile
import threading
import time

from .course import Course, offered_in_time
from .process import BUILD, Failed
from .ways import Way

PACKETS_A_SECOND = 50  # of a call each way, G.711 of 20 ms
SDP_PORT = 30000       # in sipp's scenarios
SLOWER = 0.8           # the next rate, where one was not kept up
RATES = 6              # that are tried
HEAD_SECONDS = 0.5     # of the sending, and of its end, that the daemon's share leaves out


class Held(Way):
    """The flows of the calls that viaductd holds, from their callers to their callees."""

    def __init__(self, calls):
        self.key, self.label, self.streams = "held", f"{calls} calls", calls


class HeldBack(Held):
    """From their callees to their callers."""
    shape_in = shape_out = "4b-214"

    def __init__(self, calls):
        super().__init__(calls)
        self.key, self.label = "held_back", f"{calls} calls, back"


def ask(wires, *words):
    return json.loads(wires.inside(wires.dut, BUILD / "viaduct", "--json", *words))


@contextlib.contextmanager
def ports_file(wires, side):
    """A file of the ports that the RTP from that side comes from and goes to."""
    with tempfile.NamedTemporaryFile("w") as ports:
        for flow in ask(wires, "flows")["flows"]:
            if flow["side"] == side and flow["component"] == "rtp":
                ports.write(f"{SDP_PORT} {flow['local'].rpartition(':')[2]}\n")
        ports.flush()
        yield ports.name


def share_of_a_core(mediation, seconds):
    start, spent = time.monotonic(), mediation.cpu_seconds()
    time.sleep(seconds)
    return (mediation.cpu_seconds() - spent) / (time.monotonic() - start)


def send_both(directions, seconds, rate, beside):
    """Through [(course, way, file of ports)] at once, so many a second each; beside() meanwhile."""
    results, errors = [None] * len(directions), []
    for course, way, _ in directions:
        course.expect(way)  # here: what a thread has started dies with the thread

    def send(number, course, way, ports):
        try:
            results[number] = course.carry(way, seconds, rate, ports, lambda _: None)
        except Failed as why:
            errors.append(why)

    threads = [threading.Thread(target=send, args=(number, *direction))
               for number, direction in enumerate(directions)]
    for thread in threads:
        thread.start()
    beside()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def once(directions, mediation, rate, seconds, say):
    """At that rate, both ways together."""
    share = []

    def beside():
        time.sleep(HEAD_SECONDS)
        share.append(share_of_a_core(mediation, max(seconds - 2 * HEAD_SECONDS, HEAD_SECONDS)))

    sent_both = send_both(directions, seconds, rate // 2, beside)
    figures = {"offered_pps": rate, "daemon_share": share[0],
               "sent": sum(result["sent"] for result in sent_both),
               "lost": sum(result["lost"] for result in sent_both),
               "in_time": all(offered_in_time(result, seconds) for result in sent_both),
               "cores_of_generators": sum(result["cpu_seconds"] / result["seconds"]
                                          for result in sent_both)}
    say(f"  {rate:>9,} packets/s both ways: {figures['sent']:,} sent, {figures['lost']:,} lost"
        f"{'' if figures['in_time'] else ', not offered in time'}; generators and relay on "
        f"{figures['cores_of_generators']:.2f} cores, viaductd on {100 * share[0]:.1f} % of one")
    return figures


def both_ways(wires, mediation, calls, seconds, say):
    """From what so many calls send downwards until it is offered in time and nothing is lost.
    {"calls", "pps": that rate or 0, "daemon_share", "tried": [figures]}"""
    rate, tried = calls * 2 * PACKETS_A_SECOND, []
    back_cpu = min(1, os.cpu_count() - 1)
    with contextlib.closing(Course(wires)) as there, \
            contextlib.closing(Course(wires, back_cpu, back=True)) as back, \
            ports_file(wires, "internal") as internal, ports_file(wires, "external") as external:
        directions = ((there, Held(calls), internal), (back, HeldBack(calls), external))
        for _ in range(RATES):
            tried.append(once(directions, mediation, rate, seconds, say))
            if tried[-1]["in_time"] and not tried[-1]["lost"]:
                break
            rate = int(rate * SLOWER)
    best = tried[-1]
    kept_up = best["in_time"] and not best["lost"]
    return {"calls": calls, "pps": best["offered_pps"] if kept_up else 0,
            "daemon_share": best["daemon_share"], "tried": tried}
