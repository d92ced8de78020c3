# SPDX-License-Identifier: BSD-2-Clause
"""What only a stock kernel can show: libxdp's dispatcher, other programs beside ours."""

import glob
import os
import signal
import subprocess

import pytest

import plan
from daemon import BUILD, Daemon
from net import World
from test_dataplane import Driver, driver, rtp, udp, wires
from test_dataplane_adoption import OUT

DISPATCHER = "libxdp dispatcher"
OLD_LIBXDP = "this kernel wants a newer libxdp, whose dispatcher lets programs change packets"
PACKET_TESTS = sorted(t for t in glob.glob(f"{BUILD}/tests/bpf/test_*") if "." not in os.path.basename(t))


@pytest.mark.parametrize("program", PACKET_TESTS, ids=os.path.basename)
def test_packets_come_out_as_they_should(program):
    done = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def attached(wires):
    """How the program is attached here: behind the dispatcher, or alone and with the reason said."""
    driver = Driver(wires.viaduct, wires.instance)
    status = driver.status()
    log = driver.close()
    assert status["mode"] == "native"
    if status["attached"] != DISPATCHER:
        assert status["attached"] == "link" and OLD_LIBXDP in log, log
    return status["attached"]


@pytest.fixture
def dispatcher(attached):
    if attached != DISPATCHER:
        pytest.skip(OLD_LIBXDP)


def test_libxdps_dispatcher_attaches_the_program_natively(dispatcher, driver):
    assert driver.status()["attached"] == DISPATCHER


def test_another_xdp_program_runs_beside_ours_on_the_same_device(dispatcher, wires, driver):
    near, far = udp(wires.near, "10.1.0.2", 4000), udp(wires.far, "10.2.0.2", 5000)
    driver.add("0", "10.1.0.1:20000", "10.1.0.2:4000", "10.2.0.1:20002", "10.2.0.2:5000")
    driver.add("0", "10.1.0.1:20004", "10.1.0.2:4000", "10.2.0.1:20006", "10.2.0.2:5000")
    wires.viaduct.run("xdp-filter", "load", "i0")
    try:
        wires.viaduct.run("xdp-filter", "port", "20004")
        before = driver.counted("forwarded")
        near.sendto(rtp(1), ("10.1.0.1", 20004))  # theirs to drop
        near.sendto(rtp(2), ("10.1.0.1", 20000))
        assert far.recv(2048) == rtp(2)
        assert driver.counted("forwarded") == before + 1
        programs = wires.viaduct.run("xdp-loader", "status", "i0").stdout
        assert "xdp_dispatcher" in programs and "viaduct_xdp" in programs and "xdpfilt" in programs
        driver.close()
        programs = wires.viaduct.run("xdp-loader", "status", "i0").stdout
        assert "viaduct_xdp" not in programs and "xdpfilt" in programs
    finally:
        wires.viaduct.run("xdp-filter", "unload", "i0")
        near.close()
        far.close()


def test_flows_are_adopted_beside_another_xdp_program_that_stays(dispatcher, wires):
    """The dispatcher goes on with both while nobody of ours is there, and the next takes up what is
    pinned."""
    near, far = udp(wires.near, "10.1.0.2", 4000), udp(wires.far, "10.2.0.2", 5000)
    driver = Driver(wires.viaduct, wires.instance)
    wires.viaduct.run("xdp-filter", "load", "i0")
    try:
        driver.add(*OUT)
        wires.viaduct.run("xdp-filter", "port", "20004")
        for packets in (2, 4):
            near.sendto(rtp(packets), ("10.1.0.1", 20000))
            assert far.recv(2048) == rtp(packets)
            driver.kill()
            near.sendto(rtp(packets + 1), ("10.1.0.1", 20000))
            assert far.recv(2048) == rtp(packets + 1)
            driver = Driver(wires.viaduct, wires.instance)
            assert driver.first_line == "ready", driver.close()
            flow = driver.adopt(*OUT)
            assert driver.done() == 0
            assert driver.packets(flow) == packets
            programs = wires.viaduct.run("xdp-loader", "status", "i0").stdout
            assert programs.count("viaduct_xdp") == 1 and "xdpfilt" in programs
    finally:
        driver.close()
        wires.viaduct.run("xdp-filter", "unload", "i0")
        near.close()
        far.close()
    wires.check_nothing_left()


@pytest.fixture
def daemon():
    world = World()
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    try:
        daemon = Daemon(world.viaduct, plan.configuration(f"e2e-{os.getpid()}"), as_root=())
        try:
            yield daemon
        finally:
            daemon.discard()
    finally:
        world.remove()


def test_viaductd_starts_stops_and_starts_again_after_a_crash(daemon, attached):
    for _ in range(2):
        # viaductd holds CAP_SYS_ADMIN back but for the moments in which libxdp wants it.
        for device in daemon.cli.status()["devices"]:
            assert (device["mode"], device["attached"]) == ("native", attached)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.start()
    daemon.stop()
    assert not daemon.pinned()
    assert "xdp" not in daemon.ns.run("ip", "link", "show").stdout
