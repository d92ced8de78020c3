# SPDX-License-Identifier: BSD-2-Clause
"""The disk that the state is on is full while the daemon is killed and starts: calls go on, and whoever looks is
told."""

import contextlib
import errno
import glob
import os

import pytest

import ordinary
import plan
from net import run
from rtp import wait_until
from talk import Talk
from transfers import record_of

ROOM = "40m"  # two journals of 16 MiB, and the state beside them


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("disk"))
    run("mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0700", "none", path)
    ordinary.give(path)
    yield path
    run("umount", "--lazy", path)


@pytest.fixture(scope="module")
def configuration(disk):
    return {**plan.configuration(), "state_dir": disk}


@contextlib.contextmanager
def filled(disk):
    """What room there is is taken, until the file named is gone."""
    path = os.path.join(disk, "filler")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC
    os.close(fd)
    yield path
    if os.path.exists(path):
        os.unlink(path)


@pytest.fixture
def filler(disk):
    with filled(disk) as path:
        yield path


def trouble(stage):
    return stage.cli.status().get("state_trouble")


def test_calls_go_on_over_kills_while_the_disk_is_full(stage, filler):
    talk = Talk(stage)
    told = stage.daemon.log().count("it is kept in memory")
    for _ in range(2):
        stage.daemon.kill()
        talk.check_media()
        stage.daemon.start()
        assert stage.cli.only_call() == talk.id
        talk.check_media()
        assert "No space left" in trouble(stage) and "all in the journal" in trouble(stage)
        assert "state trouble" in stage.cli.text("status").stdout
    assert stage.daemon.log().count("it is kept in memory") == told + 2
    os.unlink(filler)
    wait_until(lambda: not trouble(stage), 10, lambda: f"the file to be written: {trouble(stage)}")
    stage.daemon.kill()
    stage.daemon.start()
    assert not trouble(stage)
    talk.check_media()
    talk.end()
    stage.quiet()
    record_of(stage, talk.id)
    assert [record["id"] for record in stage.daemon.records()].count(talk.id) == 1


def test_who_has_no_room_for_a_journal_at_the_start_says_so_until_the_next(stage, disk):
    stage.daemon.kill()
    journal, = glob.glob(f"{disk}/*.journal")
    os.unlink(journal)
    with filled(disk):
        stage.daemon.start()
        assert "has not all of it" in trouble(stage)
    wait_until(lambda: "no journal" in trouble(stage), 10, lambda: f"the file to be written: {trouble(stage)}")
    stage.daemon.kill()
    stage.daemon.start()
    assert not trouble(stage)
