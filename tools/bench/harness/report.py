# SPDX-License-Identifier: BSD-2-Clause
"""The table at the end: what was measured beside what is to be reached."""
import os
import platform
from pathlib import Path

from .sip import GOAL_RATE


def machine():
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in cpuinfo.splitlines()
              if line.startswith("model name")]
    return {"kernel": platform.release(), "cpus": os.cpu_count(),
            "cpu": models[0] if models else platform.machine(),
            "load_at_start": os.getloadavg()[0]}


def mpps(value):
    return f"{value / 1e6:.3f} Mpps"


def ratio(value):
    return f"{value:.2f}"


def thousandth(value):
    return f"{value:.3f}"


def times(value):
    return f"{value:.1f} x"


def nanoseconds(value):
    return f"{value:.1f} ns"


def microseconds(value):
    return f"{value:.0f} us"


def percent(value):
    return f"{100 * value:.1f} %"


def whole(value):
    return f"{value:.0f}"


def kibibytes(value):
    return f"{value / 1024:.1f} KiB"


AT_LEAST, AT_MOST = "at least", "at most"


def against_rows(streams):
    return (
        (f"a packet's time to the other's, {streams}", f"against.to_other.{streams}", thousandth,
         None, None),
        (f"bare to this, {streams} streams", f"against.this_to_bare.{streams}", ratio, None, None),
        (f"bare to the other, {streams} streams", f"against.other_to_bare.{streams}", ratio, None,
         None))


def versus_rows(held):
    at = f"versus.ratios.{held}"
    return (
        (f"calls a second to theirs, {held} held", f"{at}.calls_per_second", ratio, AT_LEAST, 2),
        (f"INVITE in to out p99, {held} held", f"{at}.p99", ratio, AT_MOST, 1),
        (f"memory a call, {held} held", f"{at}.memory", ratio, AT_MOST, 0.25))


# What it is, where it stands in the results, how it is written, what it should reach.
ROWS = (
    ("bare XDP redirect", "relay.bare_redirect_pps", mpps, None, None),
    ("Viaduct, 1 stream", "relay.viaduct_pps.1", mpps, None, None),
    ("Viaduct, 1000 streams", "relay.viaduct_pps.1000", mpps, None, None),
    ("Viaduct, 20000 streams", "relay.viaduct_pps.20000", mpps, None, None),
    ("Viaduct, 100000 streams", "relay.viaduct_pps.100000", mpps, None, None),
    ("kernel NAT (nftables)", "relay.nft_nat_pps", mpps, None, None),
    ("Viaduct to bare, 1 stream", "relay.ratio_to_bare.1", ratio, None, None),
    ("Viaduct to bare, 1000 streams", "relay.ratio_to_bare.1000", ratio, AT_LEAST, 0.80),
    ("Viaduct to bare, 20000 streams", "relay.ratio_to_bare.20000", ratio, None, None),
    ("Viaduct to bare, 100000 streams", "relay.ratio_to_bare.100000", ratio, None, None),
    ("same, to bare of 100000 streams", "relay.ratio_to_bare_many", ratio, AT_LEAST, 0.70),
    ("by CPU time: 1000 streams", "relay.ratio_to_bare_by_cpu.1000", ratio, None, None),
    ("by CPU time: 100000 streams", "relay.ratio_to_bare_by_cpu.100000", ratio, None, None),
    ("added to bare, 1000 streams", "relay.viaduct_added_ns.1000", nanoseconds, None, None),
    ("added to bare, 100000 streams", "relay.viaduct_added_ns.100000", nanoseconds, None, None),
    ("added by waiting, 1000 streams", "relay.waiting_added_ns", nanoseconds, None, None),
    ("Viaduct to kernel NAT", "relay.ratio_to_nft", times, AT_LEAST, 4),
    ("packets lost below the knee", "relay.viaduct_lost_below_knee", whole, AT_MOST, 0),
    ("packets miscounted by statistics", "relay.viaduct_miscounted", whole, AT_MOST, 0),
    ("Viaduct to bare, 60 bytes", "shapes.ipv4.60.ratio", ratio, None, None),
    ("Viaduct to bare, 1200 bytes", "shapes.ipv4.1200.ratio", ratio, None, None),
    ("Viaduct to bare, IPv6", "shapes.ipv6.214.ratio", ratio, None, None),
    ("Viaduct to bare, IPv4 to IPv6", "shapes.4_to_6.214.ratio", ratio, None, None),
    ("Viaduct to bare, IPv6 to IPv4", "shapes.6_to_4.214.ratio", ratio, None, None),
    ("Viaduct to bare, VLAN", "shapes.vlan.214.ratio", ratio, None, None),
    ("Viaduct to bare, two CPUs", "shapes.cpus.2.ratio", ratio, None, None),
    ("Viaduct, two CPUs", "shapes.cpus.2.viaduct_pps", mpps, None, None),
    ("loss-free: bare XDP redirect", "lossfree.pps.bare_redirect", mpps, None, None),
    ("loss-free: Viaduct, 1000 streams", "lossfree.pps.viaduct_1000", mpps, AT_LEAST, 1e6),
    ("loss-free: kernel NAT", "lossfree.pps.nft_nat", mpps, None, None),
    ("loss-free: rtpengine", "lossfree.pps.rtpengine", mpps, None, None),
    ("loss-free: Viaduct to rtpengine", "lossfree.viaduct_to.rtpengine", times, AT_LEAST, 20),
    ("one-way at 1 Mpps: bare, p99", "latency.loads.1000000.bare_redirect.p99_us", microseconds,
     None, None),
    ("one-way at 1 Mpps: Viaduct, p99", "latency.loads.1000000.viaduct_1000.p99_us", microseconds,
     None, None),
    ("same, p99 to bare", "latency.p99_to_bare", ratio, AT_MOST, 1.3),
    ("same, of 100 streams", "latency.few_p99_to_bare", ratio, None, None),
    ("same, p90 to bare", "latency.p90_to_bare", ratio, None, None),
    ("same, p95 to bare", "latency.p95_to_bare", ratio, None, None),
    ("interruptions of that CPU a second", "latency.interruptions.a_second", whole, None, None),
    ("same, how long, p50", "latency.interruptions.p50_us", microseconds, None, None),
    ("program, hit path", "program.hit_ns", nanoseconds, AT_MOST, 110),
    ("program, hit path, 100000 streams", "program.hit_100000_ns", nanoseconds, None, None),
    ("of that, what any redirect takes", "program.redirect_ns", nanoseconds, None, None),
    ("program, miss path", "program.miss_ns", nanoseconds, None, None),
    ("program, from a stranger to a live port", "program.refused_ns", nanoseconds, None, None),
    *(row for streams in (1000, 20000, 100000) for row in against_rows(streams)),
    ("routing a call, 10 routes", "routing.find_10_ns", nanoseconds, None, None),
    ("routing a call, 10000 routes", "routing.find_10000_ns", nanoseconds, AT_MOST, 3000),
    ("patterns run a call, 10000 routes", "routing.patterns_10000", ratio, AT_MOST, 3),
    ("calls a second", "sip.calls_per_second", whole, AT_LEAST, GOAL_RATE),
    (f"INVITE in to out, half of {GOAL_RATE}/s, p50", "sip.invite_to_invite_p50_us",
     microseconds, None, None),
    (f"INVITE in to out, half of {GOAL_RATE}/s, p99", "sip.invite_to_invite_p99_us",
     microseconds, AT_MOST, 2000),
    ("same, at half the rate sustained, p99", "sip.invite_to_invite_at_half_sustained.p99_us",
     microseconds, None, None),
    ("at 3 times its peak: admitted to peak", "sip.overload_admitted_to_peak", ratio, AT_LEAST, 0.9),
    ("same: standing calls lost", "sip.overload_calls_lost", whole, AT_MOST, 0),
    ("CPU a message, many calls to few", "sip.cpu_many_to_few", ratio, AT_MOST, 1.2),
    ("calls a second, one trunk over UDP", "trunks.one_udp.calls_per_second", whole, None, None),
    ("same, many trunks over UDP", "trunks.udp_to_one_udp", ratio, AT_LEAST, 0.9),
    ("same, many trunks over TLS", "trunks.tls_to_one_udp", ratio, AT_LEAST, 0.7),
    ("by CPU time of a call: UDP", "trunks.udp_to_one_udp_by_cpu", ratio, None, None),
    ("by CPU time of a call: TLS", "trunks.tls_to_one_udp_by_cpu", ratio, None, None),
    ("10,000 calls both ways, none lost", "talk.pps", mpps, AT_LEAST, 1e6),
    ("same: viaductd's share of a core", "talk.daemon_share", percent, AT_MOST, 0.05),
    ("restart with 10,000 calls, seconds", "restart.seconds", ratio, AT_MOST, 2.0),
    ("same, at 500,000 packets/s: lost", "restart.lost", whole, AT_MOST, 0),
    ("memory a call", "memory.bytes_per_call", kibibytes, AT_MOST, 24 * 1024),
    # Theirs: kamailio's and rtpengine's.
    *(row for held in (100, 1000, 10000, 20000) for row in versus_rows(held)),
)


def find(results, path):
    for step in path.split("."):
        if not isinstance(results, dict) or step not in results:
            return None
        results = results[step]
    return results


def verdict(value, bound, target):
    if bound is None:
        return ""
    return "reached" if (value >= target if bound == AT_LEAST else value <= target) else "MISSED"


def table(results):
    for label, path, form, bound, target in ROWS:
        if path.split(".")[0] not in results:
            continue
        value = find(results, path)
        if value is None and results["quick"]:
            continue  # it measures less
        written = "not measured" if value is None else form(value)
        if results["quick"]:
            bound = None  # too short to be judged by
        goal = f"{bound} {form(target)}" if bound else ""
        judged = verdict(value, bound, target) if value is not None else ""
        yield f"  {label:<37} {written:>14}  {goal:<20} {judged}".rstrip()
