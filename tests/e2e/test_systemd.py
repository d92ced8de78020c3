# SPDX-License-Identifier: BSD-2-Clause
"""viaductd as an installation has it: under Debian's systemd, as PID 1 of a machine, with the unit as it ships."""

import json
import re

import pytest

import ordinary
import plan
from machine import THIS_MACHINE
from rtp import wait_until
from service import CONFIGURATION, PINS, START_TIMEOUT_S, STATE, UNIT, Service, Talking, booted, make, package
from talk import Talk
from test_privilege import of_status

USER = "viaduct"
RECORDS = "/var/log/viaduct/records"
EXPOSURE_MAX = 2.5  # of 10, as `systemd-analyze security` reckons; a unit that says nothing has 9.6
SECOND = 50         # packets that a talker sends in one


@pytest.fixture(scope="module")
def configuration():
    return {**plan.configuration("default"), "log": "info", "records": {"file": RECORDS}}


@pytest.fixture(scope="module")
def machine(world, tmp_path_factory):
    with booted(world) as machine:
        if THIS_MACHINE:  # which has no compilers
            machine.install(package())
        else:
            directory = tmp_path_factory.mktemp("installed")
            make("install", f"DESTDIR={directory}")
            machine.unpack(directory)
            machine.run("systemctl", "daemon-reload")
            machine.run("systemd-sysusers", "viaduct.conf")  # as `make install` by root does
        yield machine


@pytest.fixture(scope="module")
def daemon(machine, configuration):
    service = Service(machine)
    service.begin(configuration)
    yield service
    service.ctl("stop")
    service.check_end()


@pytest.fixture
def talking(stage):
    return Talking(stage)


def test_it_is_active_and_is_started_with_the_machine(daemon):
    assert daemon.ctl("is-active").stdout.strip() == "active"
    assert daemon.ctl("is-enabled").stdout.strip() == "enabled"
    assert all(device["attached"] != "none" for device in daemon.cli.status()["devices"])


def test_it_is_an_ordinary_user_with_three_capabilities(daemon):
    users, no_new_privileges, sets = of_status(daemon.status_of_process())
    uid = int(daemon.machine.run("id", "-u", USER).stdout)
    assert users == {uid} and uid != 0
    assert no_new_privileges
    assert re.search(r"^Seccomp:\t2$", daemon.status_of_process(), re.M)
    three = set(ordinary.CAPABILITIES)
    assert sets["CapPrm"] == sets["CapEff"] == sets["CapBnd"] == three
    owners = daemon.machine.run("stat", "--format=%u", PINS, *daemon.pinned()).stdout.split()
    assert len(owners) > 1 and set(owners) == {str(uid)}


def test_it_cannot_write_where_the_unit_says_so(daemon):
    pid = daemon.show("MainPID")
    def can_write(path):
        # As root: what forbids it is no mode of the directory.
        return daemon.machine.run("nsenter", "--target", pid, "--mount", "--", "touch", path,
                                  check=False).returncode == 0
    assert can_write("/var/log/viaduct/written") and can_write("/run/written")
    daemon.machine.run("mkdir", "-p", "/home/somebody")
    for directory in ("/usr", "/etc", "/sys", "/boot", "/proc/sys/net/ipv4"):
        assert not can_write(f"{directory}/written")
    assert not daemon.machine.run("nsenter", "--target", pid, "--mount", "--", "ls", "/home").stdout


def test_its_exposure_is_low(daemon):
    done = daemon.machine.run("systemd-analyze", "security", "--no-pager", f"{UNIT}.service", check=False)
    found = re.search(r"exposure level for viaductd.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE_MAX, done.stdout


def test_a_call_has_media_both_ways_through_xdp_and_leaves_a_record(daemon, stage):
    before = daemon.cli.packets("forwarded")
    talk = Talk(stage)
    talk.check_media(20)
    assert daemon.cli.packets("forwarded") >= before + 40
    talk.end()
    stage.quiet()
    def record():
        lines = daemon.machine.run("cat", RECORDS).stdout.splitlines()
        return [line for line in lines if json.loads(line)["id"] == talk.id]
    wait_until(record, 5, "its record")


def test_a_reload_keeps_the_call_and_takes_what_changed(daemon, stage, talking, configuration):
    pid = daemon.show("MainPID")
    added = {"name": "added", "called": "4711", "to": ["trunk"]}
    daemon.configure({**configuration, "routes": [*configuration["routes"], added]})
    daemon.ctl("reload")
    def routes():
        return [route["name"] for route in daemon.cli.json("routes")["routes"]]
    wait_until(lambda: "added" in routes(), 10, routes)
    daemon.configure(configuration)
    daemon.ctl("reload")
    wait_until(lambda: "added" not in routes(), 10, routes)
    assert daemon.show("MainPID") == pid and daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()


def test_a_reload_of_a_mistake_fails_with_one_line_and_changes_nothing(daemon, stage, talking, configuration):
    pid = daemon.show("MainPID")
    daemon.configure({**configuration, "log": "loud"})
    assert daemon.ctl("reload", check=False).returncode != 0
    daemon.configure(configuration)
    told = [line for line in daemon.journal().splitlines() if '"loud"' in line]
    assert len(told) == 1 and re.match(rf"{CONFIGURATION}:\d+: log: ", told[0])
    daemon.check_alive()
    assert daemon.show("MainPID") == pid and daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()


def test_a_restart_loses_no_packet_and_no_call(daemon, stage, talking):
    pid = daemon.show("MainPID")
    talking.wait_for_packets(10)
    daemon.ctl("restart")
    assert daemon.show("MainPID") != pid
    assert daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()
    stage.quiet()


def test_one_that_is_killed_is_started_again_and_the_call_goes_on(daemon, stage, talking):
    pid, restarts = daemon.show("MainPID"), int(daemon.show("NRestarts"))
    def written():
        state = daemon.cli.status()["state"]
        return state["calls"] == 1 and not state["queued"]
    wait_until(written, 5, "the call to be written down")
    daemon.ctl("kill", "--kill-whom=main", "--signal=KILL")
    wait_until(lambda: daemon.show("MainPID") not in (pid, "0") and daemon.show("ActiveState") == "active",
               START_TIMEOUT_S, daemon.log_tail)
    assert int(daemon.show("NRestarts")) == restarts + 1
    assert daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()
    stage.quiet()


def test_left_to_the_next_start_media_goes_on_meanwhile(daemon, stage, talking):
    daemon.cli.text("stop", "--leave")
    wait_until(lambda: daemon.show("ActiveState") == "inactive", 20, daemon.log_tail)
    assert daemon.pinned()
    talking.wait_for_packets(SECOND)
    daemon.ctl("start")
    assert daemon.cli.only_call() == talking.id
    talking.end()
    stage.quiet()


def test_what_was_left_is_removed_by_root(daemon, stage, talking):
    daemon.cli.text("stop", "--leave")
    wait_until(lambda: daemon.show("ActiveState") == "inactive", 20, daemon.log_tail)
    talking.wait_for_packets(1)
    daemon.machine.run("viaductd", "--remove", CONFIGURATION)
    assert not daemon.left()
    daemon.ctl("start")
    assert not daemon.cli.live_calls()


def test_a_stop_ends_the_calls_and_leaves_nothing(daemon, stage):
    talk = Talk(stage, ended_by="viaduct")
    daemon.ctl("stop")
    talk.end()  # by BYE on both legs
    assert daemon.show("ActiveState") == "inactive" and daemon.show("Result") == "success"
    assert not daemon.left()
    daemon.ctl("start")
    assert daemon.cli.status()["calls"]


def test_told_to_stop_by_the_command_line_it_is_not_started_again(daemon, stage):
    talk, restarts = Talk(stage, ended_by="viaduct"), daemon.show("NRestarts")
    daemon.cli.text("stop", "--now")
    talk.end()
    wait_until(lambda: daemon.show("ActiveState") == "inactive", 20, daemon.log_tail)
    assert daemon.show("Result") == "success" and daemon.show("NRestarts") == restarts
    assert not daemon.left()
    daemon.ctl("start")


def test_a_start_with_a_mistake_fails_once_and_names_it(daemon, configuration):
    daemon.ctl("stop")
    daemon.configure({**configuration, "log": "shrill"})
    try:
        assert daemon.ctl("start", check=False).returncode != 0
        assert daemon.show("ActiveState") == "failed" and daemon.show("ExecMainStatus") == "3"
        assert daemon.show("NRestarts") == "0"
        told = [line for line in daemon.journal().splitlines() if '"shrill"' in line]
        assert len(told) == 1 and re.match(rf"{CONFIGURATION}:\d+: log: ", told[0])
    finally:
        daemon.configure(configuration)
        daemon.ctl("start")


def test_a_secret_that_is_roots_alone_is_named_at_the_start_with_who_may_not_read_it(daemon, configuration):
    secret = "/etc/viaduct/trunk.password"
    daemon.machine.write(secret, "secret\n")
    daemon.machine.run("chmod", "0600", secret)
    peers = [{**peer, "auth": {"user": "acc", "password_file": secret}} if peer["name"] == "trunk" else peer
             for peer in configuration["peers"]]
    daemon.ctl("stop")
    daemon.configure({**configuration, "peers": peers})
    try:
        assert daemon.ctl("start", check=False).returncode != 0
        assert f'"{secret}" cannot be read (Permission denied to user {USER})' in daemon.journal()
        daemon.machine.run("chown", USER, secret)
        daemon.ctl("start")
    finally:
        daemon.configure(configuration)
        daemon.ctl("restart")


@pytest.fixture
def drop_in(daemon):
    """drop_in(line...): the next start has these in its unit, too, those after the test no more."""
    def write(*lines):
        daemon.drop_in("test", *lines)
    yield write
    write()
    daemon.ctl("restart")


def test_a_drop_in_allows_listeners_below_port_1024(daemon, drop_in, configuration):
    low = {"name": "low", "side": "internal", "transport": "udp", "address": plan.VIADUCT["internal", 4],
           "port": 1023}
    daemon.configure({**configuration, "listeners": [*configuration["listeners"], low]})
    try:
        drop_in("AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE")
        daemon.ctl("restart")
        _, _, sets = of_status(daemon.status_of_process())
        assert sets["CapEff"] == {*ordinary.CAPABILITIES, "net_bind_service"}
        assert daemon.machine.ns.listens("udp", 1023)
    finally:
        daemon.configure(configuration)


def test_a_drop_in_makes_it_root_who_takes_over_and_gives_back(daemon, stage, talking, drop_in):
    drop_in("User=root", "CapabilityBoundingSet=CAP_SYS_ADMIN")
    daemon.ctl("restart")
    users, _, sets = of_status(daemon.status_of_process())
    assert users == {0} and sets["CapBnd"] == {*ordinary.CAPABILITIES, "sys_admin"}
    assert daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    drop_in()
    daemon.ctl("restart")
    users, _, sets = of_status(daemon.status_of_process())
    assert users != {0} and sets["CapPrm"] == set(ordinary.CAPABILITIES)
    owners = daemon.machine.run("find", STATE, "-printf", "%u %f\\n").stdout.splitlines()
    assert sorted(owners) == [f"{USER} {name}" for name in
                              ("default.journal", "default.records", "default.state", "viaduct")]
    assert daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()


def test_a_start_before_its_device_is_there_comes_to_be_with_it(daemon, world):
    daemon.ctl("stop")
    world.viaduct.run("ip", "link", "delete", world.viaduct_external)
    assert daemon.ctl("start", check=False).returncode != 0
    wait_until(lambda: int(daemon.show("NRestarts")) > 0, START_TIMEOUT_S, daemon.log_tail)
    world.wire_external()
    wait_until(lambda: daemon.show("ActiveState") == "active", START_TIMEOUT_S, daemon.log_tail)
    assert all(device["attached"] != "none" for device in daemon.cli.status()["devices"])
