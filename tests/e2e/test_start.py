# SPDX-License-Identifier: BSD-2-Clause
"""How viaductd ends that cannot do what it is asked to: what it says, and what it leaves."""

import subprocess


def test_output_that_cannot_be_written_is_told(daemon):
    for options in (("--check", daemon.file), ("--help",), ("--version",)):
        with open("/dev/full", "wb") as full:
            done = subprocess.run((daemon.own_program, *options), stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        assert done.returncode == 1 and "standard output: No space left on device" in done.stderr, options
