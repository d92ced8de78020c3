# SPDX-License-Identifier: BSD-2-Clause
"""`viaduct events`, followed while a test goes on."""

import json
import os
import subprocess

from rtp import wait_until


class Events:
    def __init__(self, stage, *argv):
        self.stage = stage
        self.argv = argv
        self.seen = []
        self._text = ""

    def __enter__(self):
        before = self.stage.cli.status()["subscribers"]
        self.process = self.stage.world.viaduct.popen(
            self.stage.cli.program, "--json", "events", *self.argv, stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        wait_until(lambda: self.stage.cli.status()["subscribers"] > before, 3, "the subscription")
        return self

    def read(self):
        self._text += (self.process.stdout.read() or b"").decode()
        *lines, self._text = self._text.split("\n")
        self.seen += [json.loads(line) for line in lines if line.strip()]
        return self.seen

    def wait(self, matches, timeout=4):
        return wait_until(lambda: next((e for e in self.read() if matches(e)), None), timeout,
                          lambda: f"an event among {self.seen}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(5)
        self.process.stdout.close()
