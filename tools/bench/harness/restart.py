# SPDX-License-Identifier: BSD-2-Clause
"""viaductd is killed and started again while calls are held and each of them sends 50 packets a second:
how long until it serves again, and what the receiver misses."""
import contextlib
import json
import tempfile
import time

from . import daemon, sipp
from .course import Course
from .process import BUILD, Failed
from .versus import Holders, hold
from .ways import Way

PACKETS_A_SECOND = 50  # of a call, G.711 of 20 ms
SDP_PORT = 30000       # in sipp's scenarios
CALLS_MARGIN = 1000
WITHOUT_SECONDS = 0.5  # for which nobody runs
AFTER_SECONDS = 1
WRITTEN_SECONDS = 10


class Held(Way):
    """The flows of the calls that viaductd holds, from their callers to their callees."""

    def __init__(self, calls):
        self.key, self.label, self.streams = "held", f"{calls} calls", calls


def ask(wires, *words):
    return json.loads(wires.inside(wires.dut, BUILD / "viaduct", "--json", *words))


def ports_of_callers(wires):
    """Ports of ours that the callers send their RTP to."""
    return [flow["local"].rpartition(":")[2] for flow in ask(wires, "flows")["flows"]
            if flow["side"] == "internal" and flow["component"] == "rtp"]


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
    """Fills results["restart"]."""
    calls, rate = settings.restart_calls, settings.restart_calls * PACKETS_A_SECOND
    told, way = {}, Held(calls)
    with daemon.running(wires, calls + CALLS_MARGIN) as mediation, sipp.callee(wires), \
            Holders() as stack, contextlib.closing(Course(wires)) as course, \
            tempfile.NamedTemporaryFile("w") as ports:
        hold(wires, stack, 0, calls, settings.versus_hold_rate)
        for port in ports_of_callers(wires):
            ports.write(f"{SDP_PORT} {port}\n")
        ports.flush()
        say(f"restart: {calls} calls held, {rate} packets/s, viaductd killed and started again")
        result = course.carry(way, settings.restart_seconds, rate, ports.name,
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
