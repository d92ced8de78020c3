# SPDX-License-Identifier: BSD-2-Clause
"""A daemon of one layout of the kernel's tables is followed by one of another, while calls talk: the second
can read nothing of what the first one left in the kernel, but its tables serve until new ones do.

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
    assert "statistics of running calls begin anew" in stage.daemon.log()
    time.sleep(APART_S)
    sent = [voice.end() for voice in voices]
    now = stage.cli.packets("forwarded")
    assert 0 < now < sum(sent), "counted by the tables that serve now"
    talk.check_media(20)
    assert stage.cli.only_call() == talk.id
    talk.end()
    stage.quiet()
    # The record counts since the change, and no packet less.
    assert sum(last_packets(stage.daemon, talk.id)) == now + 2 * 20


def test_latched_end_is_latched_anew(stage, programs):
    """Onto the next that comes from where the peer may send: nobody remembers whom the other tables had."""
    b = stage.endpoint("latching")
    talk = Talk(stage, to="latching", b=b, answer=sdp(b.address, b.port + 1000))
    def both_ways():
        """The one way follows the other once the daemon has heard of it: what comes before is lost."""
        for sender, to, receiver, sniffer in reversed(talk.ways()):
            at, since = (receiver.address, receiver.port), sniffer.mark()
            def comes():
                sender.send(Stream().packet(), to)
                return sniffer.received(at, since)
            wait_until(comes, 5, f"a packet at {at}")
            stream = Stream()
            sender.send_stream(stream, to, 10)
            def heard():
                return [d.payload for d in sniffer.received(at, since) if d.payload in stream.sent]
            wait_until(lambda: len(heard()) >= 10, 5, lambda: f"10 packets at {at}: {len(heard())}")
            assert heard() == stream.sent
    both_ways()
    restart(stage.daemon, programs[1])
    both_ways()
    talk.end()
