# SPDX-License-Identifier: BSD-2-Clause
"""The viaduct command line, asked for JSON."""

import json
import os

from net import Namespace


class CommandFailed(AssertionError):
    def __init__(self, argv, done):
        super().__init__(f"viaduct {' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
        self.code, self.stderr, self.stdout = done.returncode, done.stderr, done.stdout


# Half of what a sanitized CLI takes, and tests ask it thousands of times: leaks of every command are
# what tests/unit/test_control_cli.c looks for.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}


class Cli:
    def __init__(self, ns: Namespace, program):
        self.ns, self.program = ns, program

    def text(self, *argv, check=True, timeout=20):
        done = self.ns.run(self.program, *argv, check=False, timeout=timeout,
                           env={**os.environ, **NO_LEAKS})
        if check and done.returncode:
            raise CommandFailed(argv, done)
        return done

    def json(self, *argv):
        return json.loads(self.text("--json", *argv).stdout)

    def status(self):
        return self.json("status")

    def calls(self):
        return self.json("calls")["calls"]

    def live_calls(self):
        """Without those that have ended and wait for a last answer or retransmission."""
        return [call for call in self.calls() if call["state"] != "ending"]

    def call(self, call_id):
        return self.json("call", str(call_id))

    def flows(self):
        return self.json("flows")["flows"]

    def peers(self):
        return {peer["name"]: peer for peer in self.json("peers")["peers"]}

    def packets(self, reason, side=None):
        """Packets that the kernel counted under a reason."""
        return sum(entry["packets"] for entry in self.status()["packets"]
                   if entry["reason"] == reason and side in (None, entry["side"]))

    def ports_used(self):
        return {side["side"]: side["ports_used"] for side in self.status()["sides"]}

    def ports_quarantined(self):
        return sum(side["ports_quarantined"] for side in self.status()["sides"])

    def streams(self, call_id):
        return self.call(call_id)["streams"]

    def only_call(self):
        calls = self.live_calls()
        assert len(calls) == 1, calls
        return calls[0]["id"]
