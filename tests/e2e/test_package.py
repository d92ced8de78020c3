# SPDX-License-Identifier: BSD-2-Clause
"""The package that `make deb` makes: on a machine with systemd it is installed, upgraded while a call talks, and
removed. The tests follow one another."""

import pytest

import plan
from service import CONFIGURATION, PINS, STATE, Service, Talking, booted, package

PACKAGE = "/tmp/viaduct.deb"
OWN = ("/usr/sbin/viaductd", "/usr/bin/viaduct", "/usr/lib/systemd/system/viaductd.service")


@pytest.fixture(scope="module")
def configuration():
    return {**plan.configuration("default"), "log": "info"}


@pytest.fixture(scope="module")
def machine(world):
    with booted(world) as machine:
        with open(package(), "rb") as f:
            machine.run("tee", PACKAGE, input=f.read(), text=False)
        machine.install(PACKAGE)
        yield machine


def test_the_first_steps_of_the_readme_lead_to_a_service(machine):
    service = Service(machine)
    machine.run("install", "-D", "-m", "644", "/usr/share/doc/viaduct/viaduct.yaml", CONFIGURATION)
    # Devices and addresses of the example are those of the tests' world.
    assert "good: 8 listeners" in machine.run("viaductd", "--check", CONFIGURATION).stdout
    machine.run("systemctl", "enable", "--now", "viaductd")
    assert all(device["attached"] == "link" for device in service.cli.status()["devices"])
    assert "peers in order: itsp, itsp-v6" in machine.run("viaduct", "routes", "test", "pbx", "2001").stdout
    service.ctl("stop")
    service.check_end()


@pytest.fixture(scope="module")
def daemon(machine, configuration):
    service = Service(machine)
    service.begin(configuration)
    yield service
    service.check_end()


def test_it_needs_what_is_there_and_makes_its_user(machine):
    """All that dpkg asks for are libraries that run-time packages hold: none of a compiler's."""
    wanted = machine.run("dpkg-query", "--show", "--showformat=${Depends}", "viaduct").stdout
    assert "libxdp1" in wanted and "-dev" not in wanted and "gcc" not in wanted
    assert machine.run("getent", "passwd", "viaduct").stdout.split(":")[6].strip() == "/usr/sbin/nologin"
    owners = machine.run("stat", "--format=%U:%a", *OWN).stdout.split()
    assert owners == ["root:755", "root:755", "root:644"]


def test_an_upgrade_loses_no_packet_and_no_call(daemon, stage):
    talking, pid = Talking(stage), daemon.show("MainPID")
    talking.wait_for_packets(10)
    daemon.machine.run("dpkg", "--no-triggers", "--install", PACKAGE)
    assert daemon.show("MainPID") not in (pid, "0")
    assert daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()
    stage.quiet()


def test_an_upgrade_is_done_though_the_daemon_does_not_start_and_its_call_waits(daemon, stage, configuration):
    talking = Talking(stage)
    talking.wait_for_packets(10)
    daemon.configure({**configuration, "log": "loud"})
    done = daemon.machine.run("dpkg", "--no-triggers", "--install", PACKAGE)
    assert "viaductd does not start" in done.stderr and 'log: "loud"' in done.stderr
    assert daemon.machine.run("dpkg-query", "--show", "--showformat=${Status}", "viaduct").stdout == "install ok installed"
    daemon.configure(configuration)
    daemon.ctl("start")
    assert daemon.cli.only_call() == talking.id
    talking.wait_for_packets(10)
    talking.end()
    stage.quiet()


def test_an_upgrade_starts_nothing_that_does_not_run(daemon):
    daemon.ctl("stop")
    daemon.machine.run("dpkg", "--no-triggers", "--install", PACKAGE)
    assert daemon.show("ActiveState") == "inactive"
    assert daemon.ctl("is-enabled").stdout.strip() == "enabled"
    daemon.ctl("start")


def test_a_removal_ends_what_runs_and_keeps_the_configuration(daemon):
    daemon.machine.run("dpkg", "--no-triggers", "--remove", "viaduct")
    assert not daemon.left()
    for path in OWN:
        assert daemon.machine.run("test", "-e", path, check=False).returncode != 0
    assert daemon.machine.run("systemctl", "list-unit-files", "--no-legend", "viaductd.service",
                              check=False).stdout == ""
    daemon.machine.run("test", "-e", "/etc/viaduct/viaduct.yaml")
    daemon.machine.run("dpkg", "--no-triggers", "--purge", "viaduct")
    for path in ("/var/log/viaduct", STATE, PINS):
        assert daemon.machine.run("test", "-e", path, check=False).returncode != 0
