# SPDX-License-Identifier: BSD-2-Clause
"""Three times as many new calls as Viaduct can take.

How many it can take is found in the same run, by asking for ever more until it refuses: a busy machine
has less, and at another moment more. So what is told of numbers is coarse, and tried again; what is
told of each call is exact, whatever the machine does."""

import pytest

import plan
from daemon import SANITIZED
from rtp import Stream, wait_until
from rush import Rush
from scenario import basic_callee, basic_caller, sdp
from sipp import finish

PBX, SECOND, OTHER = (plan.PEERS[name] for name in ("pbx", "second", "latching"))
SECONDS = 1
FIRST_RATE, RATES = (50 if SANITIZED else 400), 8  # calls a second, then twice as many
BEYOND = 3
ROUNDS = 5
OVERLOADED = 0.5  # of the calls refused at the least; else the machine had been slower before
STAYS = 0.75      # of what it took at its capacity, a moment before: the bench measures it more closely
CHANGING, CHANGES, CHANGE_MS = 3, 2, 300  # calls that stand, and are changed so often
PACKETS, PACKET_S = 50, 0.02
RUSH_PORT, TALKING_PORT, CHANGING_PORT = 5061, 5062, 5063


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration(limits={"calls": 20000, "calls_per_second": 0}, log="warn")
    del config["overload"]  # the defaults
    for side in config["sides"].values():
        side["media_ports"] = "16384-65535"
    config["routes"].append({"name": "rush", "from": "pbx", "to": ["trunk"]})
    return config


class Standing:
    """Calls that stood before: one talks, the others are changed again and again; then they end."""

    def __init__(self, stage):
        self.a, self.b = stage.endpoint(), stage.endpoint("second")
        for end in (self.a, self.b):
            end.listen()
        answer = sdp(SECOND.address, self.b.port)
        called = stage.callee(basic_callee(answer, ringing=False).answer_bye(), "second", timeout=90)
        self.talking = stage.caller(basic_caller(sdp(PBX.address, self.a.port), hold=True).bye(),
                                    to="second", port=TALKING_PORT, timeout=90)
        self.agents = [self.talking, called, *self._changing(stage)]
        self.to_a = called.expect("INVITE").media()
        self.to_b = self.talking.expect(200, "INVITE").media()

    @staticmethod
    def _changing(stage):
        answer = sdp(OTHER.address, 6000)
        caller = basic_caller(sdp(PBX.address, 5000))
        callee = basic_callee(answer, ringing=False)
        for version in range(2, 2 + CHANGES):
            caller.pause(CHANGE_MS).request("INVITE", sdp(PBX.address, 5000, version=version))
            for _ in range(3):
                caller.recv(100, optional=True)
            caller.recv(200).ack()
            callee.recv("INVITE").answer_invite(answer).recv("ACK")
        called = stage.callee(callee.answer_bye(), "latching", calls=CHANGING, timeout=90)
        calling = stage.caller(caller.pause(CHANGE_MS).bye(), to="latching", calls=CHANGING, rate=100,
                               port=CHANGING_PORT, timeout=90)
        calling.expect(200, "INVITE", count=CHANGING)
        return calling, called

    def talk(self):
        streams = Stream(), Stream()
        for _ in range(PACKETS):
            self.a.send_stream(streams[0], self.to_b, 1, 0)
            self.b.send_stream(streams[1], self.to_a, 1, PACKET_S)
        for end, stream in zip((self.b, self.a), streams):
            heard = []

            def all_heard(heard=heard, end=end):
                heard.extend(end.heard())
                return len(heard) >= PACKETS
            wait_until(all_heard, 3, lambda heard=heard: f"{PACKETS} packets: {len(heard)}")
            assert heard == stream.sent

    def end(self):
        self.talking.go()
        finish(*self.agents)


def made(rush, rate, meanwhile=lambda: None):
    """What became of so many calls a second. Each of them has come to a good end, whatever the rate: a call
    that was taken is ended in order, a refusal says 503, and nobody is left without an answer."""
    rush.begin(rate, SECONDS)
    meanwhile()
    counts = rush.end()
    assert counts["sent"] == counts["answered"] + counts["refused"], counts
    assert (counts["ended"], counts["failed"]) == (counts["answered"], 0), counts
    return counts


def find_capacity(rush):
    """The most that was taken in a second, when there were ever more until some were refused."""
    rate, most = FIRST_RATE, 0
    for _ in range(RATES):
        counts = made(rush, rate)
        most = max(most, counts["answered"] / SECONDS)
        if counts["refused"]:
            return most
        rate *= 2
    raise AssertionError(f"{rate // 2} calls a second were no overload")


def test_at_three_times_its_capacity_it_takes_what_it_can_refuses_the_rest_and_keeps_what_stands(stage):
    rush = Rush(stage, RUSH_PORT)
    capacity, told = find_capacity(rush), []
    for _ in range(ROUNDS):
        standing = Standing(stage)
        before = stage.cli.status()["sip"]["shed"]
        counts = made(rush, BEYOND * capacity, standing.talk)
        standing.end()
        assert stage.cli.status()["sip"]["shed"] - before == counts["refused"]
        told.append(counts)
        if counts["refused"] < OVERLOADED * counts["sent"]:
            capacity = max(capacity, counts["answered"] / SECONDS)
            continue
        if counts["answered"] / SECONDS >= STAYS * capacity and \
                counts["invites_again"] < counts["sent"] / 2:  # refused before it is asked again (T1)
            return
        # It may be the machine: what does it take now?
        capacity = made(rush, capacity)["answered"] / SECONDS
    raise AssertionError(f"capacity {capacity} calls a second, then {told}")
