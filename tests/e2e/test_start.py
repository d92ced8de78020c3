# SPDX-License-Identifier: BSD-2-Clause
"""How viaductd ends that cannot do what it is asked to: what it says, and what it leaves."""

import subprocess

import pytest


def test_output_that_cannot_be_written_is_told(daemon):
    for options in (("--check", daemon.file), ("--help",), ("--version",)):
        with open("/dev/full", "wb") as full:
            done = subprocess.run((daemon.own_program, *options), stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        assert done.returncode == 1 and "standard output: No space left on device" in done.stderr, options


def limited(daemon, *limits):
    """viaductd's command line, as whom it runs, with these limits of prlimit."""
    return ("prlimit", *limits, *daemon.argv())


@pytest.fixture
def stopped(daemon):
    daemon.stop()
    yield daemon
    daemon.start()


def test_too_few_descriptors_are_told_with_how_many_it_takes(stopped):
    listeners = 9
    for few in (12, 24, 40):
        done = stopped.ns.run(*limited(stopped, f"--nofile={few}:{few}"), check=False)
        assert done.returncode == 1, done.stderr
        assert f"{few} descriptors are too few for a start with {listeners} listeners; expected at least 73: raise" \
            in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_of_descriptors_it_takes_what_the_hard_limit_allows(stopped, monkeypatch):
    argv = limited(stopped, "--nofile=24:1024")
    with monkeypatch.context() as patch:
        patch.setattr(stopped, "argv", lambda *_: argv)
        stopped.start()
    with open(f"/proc/{stopped.process.pid}/limits", encoding="ascii") as f:
        assert next(line for line in f if line.startswith("Max open files")).split()[3:5] == ["1024", "1024"]
    stopped.stop()


def test_with_as_many_as_it_says_it_starts(stopped, monkeypatch):
    argv = limited(stopped, "--nofile=73:73")
    with monkeypatch.context() as patch:
        patch.setattr(stopped, "argv", lambda *_: argv)
        stopped.start()
    stopped.stop()
