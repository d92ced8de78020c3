# SPDX-License-Identifier: BSD-2-Clause
"""Memory runs out: new calls are refused, those that stand go on, and when there is memory again
calls are taken."""

import contextlib
import os
import re
import socket

import pytest

import ordinary
import plan
from daemon import SANITIZED, Daemon
from net import World, run
from rtp import SO_RCVBUFFORCE, Stream, wait_until
from scenario import basic_callee, basic_caller, sdp
from sipp import finish
from talk import Talk

PBX, SECOND, GONE = (plan.PEERS[name] for name in ("pbx", "second", "gone"))
OFFER, ANSWER = sdp(PBX.address, 5000), sdp(SECOND.address, 6000)
SILENT_CALLS = 1500
SPARE_KIB = 512


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    config["sides"]["internal"]["media_ports"] = "20000-29999"
    config["sides"]["external"]["media_ports"] = "40000-49999"
    config["timers"]["attempt"] = 3
    return config


def memory_limit(daemon, kib):
    limit = "unlimited" if kib is None else kib * 1024
    # Who may say so is the daemon's own user, or CAP_SYS_RESOURCE, which root may lack.
    run(*ordinary.argv("prlimit", "--pid", str(daemon.process.pid), f"--as={limit}:unlimited"))


def address_space_kib(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="utf-8") as f:
        return int(re.search(r"VmSize:\s+(\d+) kB", f.read()).group(1))


@pytest.mark.skipif(SANITIZED, reason="the sanitizers end a program that is refused memory")
def test_without_memory_calls_are_refused_and_those_that_stand_go_on(stage):
    talk = Talk(stage)
    talk.check_media()
    before = stage.cli.status()["sip"]["memory_refused"]
    wire = stage.wire()
    wire.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    memory_limit(stage.daemon, address_space_kib(stage.daemon) + SPARE_KIB)
    try:
        for _ in range(SILENT_CALLS):
            wire.send(wire.request("INVITE", user=GONE.number, call_id=os.urandom(6).hex(),
                                   branch="z9hG4bK" + os.urandom(6).hex(), body=OFFER,
                                   headers=["Content-Type: application/sdp"]))
        refused = 0

        def all_heard():
            nonlocal refused
            with contextlib.suppress(TimeoutError):
                while True:
                    answer = wire.receive()
                    assert answer.code in (100, 500, 503), answer.text
                    refused += answer.code == 503 and answer.header("retry-after") is not None
            return refused
        wire.socket.settimeout(0.5)
        wait_until(all_heard, 10, "a refusal for want of memory")
        talk.check_media()
    finally:
        memory_limit(stage.daemon, None)
    stage.daemon.check_alive()
    assert stage.cli.status()["sip"]["memory_refused"] > before
    # The next call is taken, and the one that stood ends as it should.
    called = stage.callee(basic_callee(ANSWER).answer_bye(), "second")
    finish(stage.caller(basic_caller(OFFER).bye(), to="second", port=5061), called)
    talk.check_media()
    talk.end()


# ---- the kernel's tables ----

class MemoryGroup:
    """A memory cgroup of its own below this process's, of version 1 or 2, where one can be made."""

    def __init__(self, name):
        with open("/proc/self/cgroup", encoding="ascii") as f:
            groups = [line.rstrip("\n").split(":", 2) for line in f]
        below = {controllers: path for _, controllers, path in groups}
        if "memory" in below:
            self.path, self.limit = "/sys/fs/cgroup/memory" + below["memory"], "memory.limit_in_bytes"
        else:
            self.path, self.limit = "/sys/fs/cgroup" + below.get("", "/"), "memory.max"
        self.path = os.path.join(self.path, name)
        try:
            os.mkdir(self.path)
        except OSError as error:
            pytest.skip(f"no memory cgroup can be made here: {error}")
        if not os.path.exists(os.path.join(self.path, self.limit)):
            self.remove()
            pytest.skip("the memory controller is not for groups of this process's")

    def allow(self, mib):
        with open(os.path.join(self.path, self.limit), "w", encoding="ascii") as f:
            f.write(str(mib << 20))

    def runs(self):
        """What runs a command in it."""
        return "sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "sh"

    def remove(self):
        def gone():
            with contextlib.suppress(OSError):  # what ran in it may be on its way out
                os.rmdir(self.path)
            return not os.path.exists(self.path)
        wait_until(gone, 5, "the cgroup to go")


@pytest.fixture
def group():
    made = MemoryGroup(f"viaduct-e2e-{os.getpid()}")
    yield made
    made.remove()


@pytest.mark.skipif(SANITIZED, reason="the sanitizers want more memory than the limit of the test")
def test_tables_without_room_are_named_and_a_running_daemon_is_not_touched(group):
    config = plan.configuration(f"e2e-room-{os.getpid()}")
    for side in config["sides"].values():
        side["media_ports"] = "16384-49151"
    small = {**config, "limits": {**config["limits"], "calls": 100}}
    large = {**config, "limits": {**config["limits"], "calls": 20000}}
    world = World(tag="r")
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    daemon = None
    try:
        group.allow(32)
        daemon = Daemon(world.viaduct, small, as_root=group.runs())
        daemon.write(large)
        daemon.cli.text("reload", check=False)
        daemon.check_alive()
        assert not daemon.cli.live_calls()
        daemon.stop()
        before = daemon.log()
        with pytest.raises(AssertionError, match="exit 1"):
            daemon.start()
        said = daemon.log()[len(before):]
        named = re.findall(r"error dataplane: no memory for table (vd_\w+), ([\d.]+) MiB of the ([\d.]+) MiB that "
                           r"all take: lower limits: calls", said)
        assert len(named) == 1 and 32 < float(named[0][2]) and float(named[0][1]) > 1, said
        assert "does not load" not in said
        assert not daemon.pinned()
        daemon.write(small)
        daemon.start()
        daemon.stop()
    finally:
        if daemon:
            daemon.discard()
        world.remove()
