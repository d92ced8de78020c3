# SPDX-License-Identifier: BSD-2-Clause
"""Many calls are held and talk, first both ways; then, while each of them sends 50 packets a second,
viaductd is killed and started again: how long until it serves again, and what the receiver misses."""
import contextlib
import time

from . import daemon, sipp, talk
from .course import Course
from .process import Failed
from .talk import PACKETS_A_SECOND, Held, ask, ports_file
from .versus import Holders, hold

MEDIA_TIMEOUT_S = 300  # all that hangs on media runs, and no call ends before it has sent any
CALLS_MARGIN = 1000
WITHOUT_SECONDS = 0.5  # for which nobody runs
AFTER_SECONDS = 1
WRITTEN_SECONDS = 10


def wait_written(wires, calls):
    """What happened in the last milliseconds before a kill would be lost."""
    until = time.monotonic() + WRITTEN_SECONDS
    while time.monotonic() < until:
        state = ask(wires, "status")["state"]
        if state["calls"] == calls and not state["queued"]:
            return
        time.sleep(0.1)
    raise Failed(f"{calls} calls were not written down: {state}")


def restart(wires, mediation, calls, told):
    time.sleep(AFTER_SECONDS)
    wait_written(wires, calls)
    mediation.kill()
    time.sleep(WITHOUT_SECONDS)
    start = time.monotonic()
    mediation.start()
    told["seconds"] = time.monotonic() - start
    told["adoption"] = ask(wires, "status")["adoption"]
    told["live"] = ask(wires, "status")["calls_live"]


def measure(wires, settings, say, results):
    """Fills results["talk"] and results["restart"]."""
    calls, rate = settings.restart_calls, settings.restart_calls * PACKETS_A_SECOND
    told, way = {}, Held(calls)
    configuration = daemon.CONFIG.replace(
        "media: {{timeout: 0, timeout_held: 0}}", f"media: {{{{timeout: {MEDIA_TIMEOUT_S}}}}}")
    with daemon.running(wires, calls + CALLS_MARGIN, configuration) as mediation, \
            sipp.callee(wires), Holders() as stack:
        hold(wires, stack, 0, calls, settings.versus_hold_rate)
        say(f"restart: {calls} calls held; first they talk both ways")
        results["talk"] = talk.both_ways(wires, mediation, calls, settings.talk_seconds, say)
        say(f"restart: {rate:,} packets/s, viaductd killed and started again")
        with ports_file(wires, "internal") as ports, contextlib.closing(Course(wires)) as course:
            result = course.carry(way, settings.restart_seconds, rate, ports,
                                  lambda _: restart(wires, mediation, calls, told))
    adopted = told["adoption"]
    say(f"  serves again after {told['seconds']:.2f} s: {adopted['calls']} calls and "
        f"{adopted['flows']} flows taken up, {told['live']} live; {result['sent']} packets sent, "
        f"{result['lost']} lost")
    if adopted["calls"] != calls or told["live"] != calls:
        raise Failed(f"{calls} calls were held: {told}")
    results["restart"] = {"calls": calls, "pps": rate, "seconds": told["seconds"],
                          "adoption": adopted, "sent": result["sent"], "lost": result["lost"],
                          "offered_in_time": result["seconds"]}
