# SPDX-License-Identifier: BSD-2-Clause
"""Whether the program's counters add up, by the books of the devices' driver (veth).

Every packet into a device is one that the program counted, under one reason; every one that it sent
on left by a device or is counted as lost by its driver."""

import re
import time

from rtp import wait_until

QUIET_S = 15


def driver_counters(ns, device):
    """`ethtool -S` as a dict: {"rx_queue_0_xdp_packets": …}."""
    lines = ns.run("ethtool", "-S", device).stdout.splitlines()[1:]
    return {name.strip(): int(value) for name, value in (line.split(":") for line in lines)}


def over_queues(counters, name):
    return sum(value for key, value in counters.items() if re.fullmatch(rf"[rt]x_queue_\d+_{name}", key))


class Books:
    """What the devices and the program counted between two moments without traffic."""

    def __init__(self, world, daemon):
        self.world, self.daemon = world, daemon
        self.run = self._run()
        self.opened = self._quiet()

    def _run(self):
        """Counters begin anew with another daemon and with another device."""
        return (self.daemon.process.pid,
                [device["ifindex"] for device in self.daemon.cli.status()["devices"]])

    def _read(self):
        status = self.daemon.cli.status()
        devices = {d["side"]: driver_counters(self.world.viaduct, d["name"])
                   for d in status["devices"]}
        packets = {}
        for entry in status["packets"]:
            packets[entry["side"], entry["reason"]] = entry["packets"]
        lost = [d.get("lost") for d in status["devices"]]
        return {"devices": devices, "packets": packets, "lost": lost}

    def _quiet(self):
        last = [None]

        def stands_still():
            before, last[0] = last[0], self._read()
            time.sleep(0.05)
            return before == last[0]
        wait_until(stands_still, QUIET_S, lambda: f"a moment without packets: {last[0]}")
        return last[0]

    def device(self, side, name):
        """Since the books were opened."""
        return (over_queues(self._now["devices"][side], name) -
                over_queues(self.opened["devices"][side], name))

    def packets(self, side, matches):
        return sum(count - self.opened["packets"][key]
                   for key, count in self._now["packets"].items()
                   if key[0] == side and matches(key[1]))

    def lost(self):
        """None where the kernel does not tell."""
        if None in self._now["lost"] + self.opened["lost"]:
            return None
        return sum(self._now["lost"]) - sum(self.opened["lost"])

    def check(self):
        """Fails where they do not balance. Not asked of a daemon that was started anew."""
        if self._run() != self.run:
            return
        self._now = self._quiet()
        forwarded = sent = 0
        for side in ("internal", "external"):
            counted = self.packets(side, lambda reason: True)
            assert self.device(side, "xdp_packets") == counted, f"into {side}: {self._now}"
            dropped = self.packets(side, lambda reason: reason.startswith("drop_"))
            assert self.device(side, "xdp_drops") == dropped, f"dropped from {side}: {self._now}"
            redirected = self.packets(side, lambda reason: reason == "forwarded")
            assert self.device(side, "xdp_redirect") + self.device(side, "drops") == redirected, \
                f"sent on from {side}: {self._now}"
            forwarded += redirected
            sent += self.device(side, "xdp_xmit")
        if self.lost() is not None:
            assert sent + self.lost() == forwarded, f"out of the devices: {self._now}"
