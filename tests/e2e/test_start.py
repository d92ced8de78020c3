# SPDX-License-Identifier: BSD-2-Clause
"""viaductd that cannot do what it is asked to, by limits of its process mostly: what it says, and what it leaves."""

import contextlib
import os
import socket
import subprocess

import pytest

import ordinary
import plan
from net import run
from rtp import wait_until
from talk import Talk


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


def file_size_limit(daemon, limit):
    run(*ordinary.argv("prlimit", "--pid", str(daemon.process.pid), f"--fsize={limit}:unlimited"))


def test_files_that_may_not_grow_are_told_and_calls_go_on(stage):
    """RLIMIT_FSIZE (ulimit -f) is met while it runs: by records and by the state."""
    talk = Talk(stage)
    talk.end()
    daemon = stage.daemon
    written = len(daemon.records())
    os.truncate(daemon.log_path, 0)  # the log, a file here too, has room
    file_size_limit(daemon, os.path.getsize(daemon.records_path) + 10)
    try:
        talk = Talk(stage)
        talk.check_media()
        wait_until(lambda: "File too large" in stage.cli.status().get("state_trouble", ""), 5, "the state's trouble")
        talk.end()
        wait_until(lambda: f"records: {daemon.records_path}: " in daemon.log(), 5, daemon.log)
        daemon.check_alive()
    finally:
        file_size_limit(daemon, "unlimited")
    assert len(daemon.records()) == written
    wait_until(lambda: "state_trouble" not in stage.cli.status(), 15, "the state to be written")
    talk = Talk(stage)
    talk.end()
    assert len(daemon.records()) == written + 1


def test_a_log_that_may_not_grow_ends_nothing(stage):
    daemon = stage.daemon
    file_size_limit(daemon, os.path.getsize(daemon.log_path))
    try:
        stage.cli.text("reload")  # which is logged
        daemon.check_alive()
    finally:
        file_size_limit(daemon, "unlimited")
    stage.cli.text("reload")
    assert "reloaded" in daemon.log().splitlines()[-1]


def test_a_start_that_may_not_write_a_file_says_so(stopped):
    done = stopped.ns.run(*limited(stopped, "--fsize=1000:1000"), check=False)
    assert done.returncode == 1 and "File too large" in done.stderr, (done.returncode, done.stderr)


@contextlib.contextmanager
def occupied(daemon):
    """A listener's port is another program's: a start fails with all of the kernel's side done."""
    with daemon.ns.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((plan.VIADUCT["internal", 4], plan.SIP_PORT))
        yield


def fails_to_start(daemon, why):
    done = daemon.ns.run(*daemon.argv(), check=False)
    assert done.returncode == 1 and why in done.stderr, (done.returncode, done.stderr)


def test_a_start_that_fails_leaves_no_files(stopped):
    def state():
        return os.listdir(stopped.state_dir)
    assert not state()
    with occupied(stopped):
        fails_to_start(stopped, "another program listens there")
    assert not state() and not stopped.pinned()
    os.rename(stopped.records_path, stopped.records_path + ".away")
    os.mkdir(stopped.records_path)
    fails_to_start(stopped, "records: ")
    os.rmdir(stopped.records_path)
    os.rename(stopped.records_path + ".away", stopped.records_path)
    assert not state() and not stopped.pinned()
    done = stopped.ns.run(*limited(stopped, "--fsize=1000:1000"), check=False)
    assert done.returncode == 1 and not state(), done.stderr


def test_a_start_that_fails_keeps_what_it_found(stage):
    """As a kill has left it: the call goes on with the start that succeeds."""
    talk, daemon = Talk(stage), stage.daemon
    daemon.kill()
    left = sorted(os.listdir(daemon.state_dir))
    assert {f"{daemon.instance}.state", f"{daemon.instance}.journal"} < set(left)
    with occupied(daemon):
        fails_to_start(daemon, "another program listens there")
    assert sorted(os.listdir(daemon.state_dir)) == left
    daemon.start()
    assert stage.cli.only_call() == talk.id
    talk.check_media()
    talk.end()
