# SPDX-License-Identifier: BSD-2-Clause
"""A daemon of one layout of the kernel's tables is followed by one of another, while calls talk: the second
can read nothing of what the first one left in the kernel, but its tables serve until new ones do, and what
the first had read of them is in the state file.

The other one is built from the same sources with what tests/e2e/dataplane/other_layout.sed changes."""

import os
import threading
import time

import pytest

import layout
from daemon import BUILD, Daemon
from rtp import Stream, wait_until
from scenario import sdp
from talk import Talk

OURS, OTHER = Daemon.program, os.path.join(BUILD, "tests", "e2e", "viaductd-other-layout")
LAYOUT = {OURS: layout.OURS, OTHER: "v0"}
PACE_S = 0.002
APART_S = 0.3  # between what happens to the daemon


class Voice:
    """RTP one way, all the while."""

    def __init__(self, sender, to, receiver, sniffer):
        self.sender, self.to, self.at, self.sniffer = sender, to, (receiver.address, receiver.port), sniffer
        self.stream, self.since = Stream(), sniffer.mark()
        self._talking = True
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self):
        while self._talking:
            self.sender.send(self.stream.packet(), self.to)
            time.sleep(PACE_S)

    def end(self):
        """Every packet came once, in order, unchanged. How many there were."""
        self._talking = False
        self._thread.join()
        sent = self.stream.sent
        got = self.sniffer.wait_received(self.at, len(sent), since=self.since)
        assert [datagram.payload for datagram in got] == sent
        return len(sent)


def restart(daemon, program, how="leave"):
    getattr(daemon, how)()
    time.sleep(APART_S)
    daemon.use(program)
    daemon.start()
    assert os.listdir(daemon.pins) == [LAYOUT[program]]


@pytest.fixture(params=[(OTHER, OURS), (OURS, OTHER)], ids=["upgrade", "downgrade"])
def programs(request, daemon):
    """(before, after); the first one runs."""
    restart(daemon, request.param[0])
    return request.param


def last_packets(daemon, call_id):
    """What the record of the call counts as received of each end."""
    found = wait_until(lambda: [r for r in daemon.records() if r["id"] == call_id], 3, "the record")
    return [found[-1]["streams"][0][leg]["packets"] for leg in "ab"]


@pytest.mark.parametrize("how", ("kill", "leave"))
def test_media_flows_without_loss_and_the_dialog_lives(stage, programs, how):
    talk = Talk(stage)
    talk.check_media(5)
    voices = [Voice(*way) for way in talk.ways()]
    time.sleep(APART_S)
    restart(stage.daemon, programs[1], how)
    assert stage.cli.status()["adoption"] == {"calls": 1, "calls_ended": 0, "calls_lost": 0, "flows": 0,
                                              "flows_added": 4, "flows_removed": 0}
    time.sleep(APART_S)
    sent = [voice.end() for voice in voices]
    now = stage.cli.packets("forwarded")
    assert 0 < now < sum(sent), "counted by the tables that serve now"
    talk.check_media(20)
    assert stage.cli.only_call() == talk.id
    talk.end()
    stage.quiet()
    # What the daemon before had read last, and all since the change.
    counted = sum(last_packets(stage.daemon, talk.id)) - now - 2 * 20
    assert (2 * 5 if how == "leave" else 0) <= counted <= sum(sent) - now + 2 * 5


def test_what_was_counted_counts_on(stage, programs):
    talk = Talk(stage)
    talk.check_media(20)
    restart(stage.daemon, programs[1])
    talk.check_media(20)
    stage.daemon.kill()  # and on, in the tables of the same layout
    stage.daemon.start()
    talk.check_media(20)
    talk.end()
    assert last_packets(stage.daemon, talk.id) == [60, 60]


def test_a_latched_end_stays_latched_and_a_stranger_is_not_taken_for_it(stage, programs):
    """He comes from where the peer may send, and is the first to send after the change."""
    b, stranger = stage.endpoint("latching"), stage.endpoint("latching")
    talk = Talk(stage, to="latching", b=b, answer=sdp(b.address, b.port + 1000))
    def follows():
        """The one way follows the other once the daemon has heard of it."""
        since = talk.sniffer_of_b.mark()
        b.send(Stream().packet(), talk.to_b())
        talk.a.send(Stream().packet(), talk.to_a())
        return talk.sniffer_of_b.received((b.address, b.port), since)
    wait_until(follows, 5, "the latched end to be sent to")
    restart(stage.daemon, programs[1], "kill")
    since, dropped = talk.sniffer_of_a.mark(), stage.cli.packets("drop_source")
    stranger.send_stream(Stream(), talk.to_b(), 10)
    wait_until(lambda: stage.cli.packets("drop_source") == dropped + 10, 5, "the stranger to be refused")
    assert not talk.sniffer_of_a.received((talk.a.address, talk.a.port), since)
    talk.check_media(20)
    talk.end()
