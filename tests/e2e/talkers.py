# SPDX-License-Identifier: BSD-2-Clause
"""Both ends of many calls that talk at once: talkers.c at each side."""

import json
import os
import subprocess

from daemon import BUILD


class Talkers:
    """calls: (call, own port, (address, port) where to send) each."""

    def __init__(self, ns, address, calls):
        self.process = ns.popen(os.path.join(BUILD, "tests", "e2e", "talkers"), address,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for call, port, (remote, remote_port) in calls:
            self.process.stdin.write(f"{call} {port} {remote} {remote_port}\n")
        self.say("")
        assert self.process.stdout.readline() == "ready\n"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def report(self):
        self.say("report")
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()
