# SPDX-License-Identifier: BSD-2-Clause
"""More calls than can be taken: the bench's own ends of them, which do not yield as sipp does."""

import json
import os
import subprocess

import plan
from daemon import BUILD


class Tool:
    """Says "ready", answers each line with a line of JSON, ends when its standard input closes."""

    def __init__(self, ns, name, *arguments):
        self.process = ns.popen(os.path.join(BUILD, "tests", "e2e", name), *map(str, arguments),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Rush:
    """Calls of that peer's to that trunk, where each is answered at once and held for so long."""

    def __init__(self, stage, port, frm="pbx", to="trunk", hold_ms=200):
        caller, callee = plan.PEERS[frm], plan.PEERS[to]
        stage.keep(Tool(stage.namespace(callee.side), "sip_callee", callee.address, plan.SIP_PORT))
        self.caller = stage.keep(Tool(stage.namespace(caller.side), "sip_caller", caller.address, port,
                                      caller.viaduct, plan.SIP_PORT))
        self.hold_ms = hold_ms

    def begin(self, rate, seconds):
        """So many new calls a second."""
        self.caller.say(f"{int(rate)} {int(seconds * 1000)} {self.hold_ms}")

    def end(self):
        """What became of them, when all have ended."""
        return self.caller.answer()
