# SPDX-License-Identifier: BSD-2-Clause
"""Whether the program's counters add up, by the books of the devices' driver (veth).

Every packet into a device is one that the program counted, under one reason; every one that it sent
on left by a device or is counted as lost by its driver."""

import os
import re
import time

from rtp import wait_until

QUIET_S = 15
ARP = "pass_not_ip"  # neighbours are asked every now and then, whoever is quiet otherwise
MOVED_BY_ARP = re.compile(r"rx_queue_\d+_xdp_(packets|bytes)")


def driver_counters(ns, device):
    """`ethtool -S` as a dict: {"rx_queue_0_xdp_packets": …}."""
    lines = ns.run("ethtool", "-S", device).stdout.splitlines()[1:]
    return {name.strip(): int(value) for name, value in (line.split(":") for line in lines)}


def over_queues(counters, name):
    return sum(value for key, value in counters.items() if re.fullmatch(rf"[rt]x_queue_\d+_{name}", key))


class Books:
    """What the devices and the program counted between two moments without traffic. ARP may come while
    they are read: what the driver has counted then lies between what the program had before it was
    asked and after it."""

    def __init__(self, world, daemon):
        self.world, self.daemon = world, daemon
        self.run = self._run()
        self.opened = self._quiet()

    def _run(self):
        """Counters begin anew with another daemon and with another device."""
        return (self.daemon.process.pid, self.world.wirings,
                [(device["ifindex"], device["mode"])
                 for device in self.daemon.cli.status()["devices"]])

    def _read_program(self):
        """Packets by device and reason; what drivers lost, by device."""
        status = self.daemon.cli.status()
        device_of = {d["side"]: d["name"] for d in status["devices"]}
        packets = {}
        for entry in status["packets"]:
            key = device_of[entry["side"]], entry["reason"]
            packets[key] = packets.get(key, 0) + entry["packets"]
        return packets, {d["name"]: d.get("lost") for d in status["devices"]}

    def _read(self):
        before, lost = self._read_program()
        devices = {name: driver_counters(self.world.viaduct, name) for name in lost}
        packets, lost = self._read_program()
        return {"devices": devices, "before": before, "packets": packets, "lost": lost}

    def _quiet(self):
        last = [None]

        def but_arp(packets):
            return {key: count for key, count in packets.items() if key[1] != ARP}

        def moving(reading):
            return reading and ({device: {name: count for name, count in counters.items()
                                          if not MOVED_BY_ARP.fullmatch(name)}
                                 for device, counters in reading["devices"].items()},
                                but_arp(reading["packets"]), reading["lost"])

        def stands_still():
            before, last[0] = last[0], self._read()
            time.sleep(0.05)
            return (moving(before) == moving(last[0]) and
                    but_arp(last[0]["before"]) == but_arp(last[0]["packets"]))
        wait_until(stands_still, QUIET_S, lambda: f"a moment without packets: {last[0]}")
        return last[0]

    def _driver(self, now, device, name):
        """Since the books were opened."""
        return (over_queues(now["devices"][device], name) -
                over_queues(self.opened["devices"][device], name))

    def _program(self, now, device, matches, when="packets", since="packets"):
        return sum(count - self.opened[since][key] for key, count in now[when].items()
                   if key[0] == device and matches(key[1]))

    def check(self):
        """Fails where they do not balance. Not asked of a daemon or devices that began anew or ended,
        nor of generic mode, where the driver counts other packets than the program."""
        if self.daemon.process.poll() is not None or self._run() != self.run:
            return
        if any(mode != "native" for _, mode in self.run[2]):
            return
        now = self._quiet()
        forwarded = sent = 0
        for device in now["devices"]:
            at_least = self._program(now, device, lambda reason: True, "before", "packets")
            at_most = self._program(now, device, lambda reason: True, "packets", "before")
            assert at_least <= self._driver(now, device, "xdp_packets") <= at_most, \
                f"into {device}, {at_least} to {at_most}: {now}"
            dropped = self._program(now, device, lambda reason: reason.startswith("drop_"))
            sent_on = self._program(now, device, lambda reason: reason == "forwarded")
            taken = self._driver(now, device, "xdp_redirect") + self._driver(now, device, "drops")
            if os.environ.get("VIADUCT_BATCHING") != "on":
                assert self._driver(now, device, "xdp_drops") == dropped, f"dropped: {device}: {now}"
            # What is dropped at the device that it leaves by was redirected there.
            assert taken + self._driver(now, device, "xdp_drops") == sent_on + dropped, \
                f"sent on from {device}: {now}"
            forwarded += sent_on
            sent += self._driver(now, device, "xdp_xmit")
        if None not in now["lost"].values():
            lost = sum(now["lost"].values()) - sum(self.opened["lost"].values())
            assert sent + lost == forwarded, f"out of the devices: {now}"
