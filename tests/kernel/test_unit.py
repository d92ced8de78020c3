# SPDX-License-Identifier: BSD-2-Clause
"""What only a stock kernel can show of the unit: with the drop-in that viaductd(8) names for it, libxdp's dispatcher
lets another XDP program run beside ours; without, ours is alone."""

import pytest

from conftest import addresses, stage, world
from rtp import wait_until
from service import START_TIMEOUT_S, Talking
from test_kernel import DISPATCHER, OLD_LIBXDP
from test_systemd import configuration, daemon, drop_in, machine, talking

DEVICE = "vde0"
ROOT_WITH_ADMIN = ("User=root", "CapabilityBoundingSet=CAP_SYS_ADMIN")  # as the manual has it


def attached(daemon):
    return {device["attached"] for device in daemon.cli.status()["devices"]}


def programs(daemon):
    return daemon.machine.run("xdp-loader", "status", DEVICE).stdout


@pytest.fixture
def dispatcher(daemon, drop_in):
    """The daemon's, and another program beside its own from before it starts until after it ends."""
    daemon.ctl("stop")
    drop_in(*ROOT_WITH_ADMIN)
    daemon.machine.run("xdp-filter", "load", DEVICE)
    try:
        daemon.ctl("start")
        if attached(daemon) != {DISPATCHER} and OLD_LIBXDP in daemon.journal():
            pytest.skip(OLD_LIBXDP)
        assert attached(daemon) == {DISPATCHER}, daemon.log_tail()
        yield
    finally:
        daemon.ctl("stop")
        daemon.machine.run("xdp-filter", "unload", DEVICE)


def test_without_a_drop_in_the_device_is_ours_alone(daemon, stage, talking):
    assert attached(daemon) == {"link"}
    assert daemon.machine.run("xdp-filter", "load", DEVICE, check=False).returncode != 0
    talking.wait_for_packets(10)
    talking.end()


def test_a_restart_with_the_drop_in_keeps_how_the_program_is_attached(daemon, stage, talking, drop_in):
    drop_in(*ROOT_WITH_ADMIN)
    daemon.ctl("restart")
    assert attached(daemon) == {"link"}
    talking.wait_for_packets(10)
    talking.end()


def test_with_the_drop_in_another_program_runs_beside_ours(daemon, stage, dispatcher):
    assert "viaduct_xdp" in programs(daemon) and "xdpfilt" in programs(daemon)
    talking, pid = Talking(stage), daemon.show("MainPID")
    talking.wait_for_packets(10)
    daemon.ctl("restart")
    assert daemon.show("MainPID") != pid and daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    assert programs(daemon).count("viaduct_xdp") == 1 and "xdpfilt" in programs(daemon)
    talking.end()
    stage.quiet()
    daemon.ctl("stop")
    assert "viaduct_xdp" not in programs(daemon) and "xdpfilt" in programs(daemon)
    daemon.ctl("start")


def test_a_restart_that_has_lost_the_drop_in_is_refused_and_media_goes_on(daemon, stage, dispatcher, drop_in):
    talking = Talking(stage)
    drop_in()
    assert daemon.ctl("restart", check=False).returncode != 0
    assert "another XDP program is attached to it" in daemon.journal()
    talking.wait_for_packets(10)
    drop_in(*ROOT_WITH_ADMIN)
    wait_until(lambda: daemon.show("ActiveState") == "active", START_TIMEOUT_S, daemon.log_tail)  # tried each second
    assert daemon.cli.only_call() == talking.id and attached(daemon) == {DISPATCHER}
    talking.wait_for_packets(10)
    talking.end()
