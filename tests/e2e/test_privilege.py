# SPDX-License-Identifier: BSD-2-Clause
"""viaductd as an ordinary user with the few capabilities that it keeps: started as one, as in all other
tests, and started by root. Under systemd: test_systemd."""

import json
import os
import pwd
import shutil
import tempfile

import pytest

import ordinary
import plan
from conftest import Stage
from daemon import Daemon, write_configuration
from net import World, run
from rtp import Stream, wait_until
from talk import Talk

NAMES = ("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
         "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw",
         "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace",
         "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time",
         "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
         "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read",
         "perfmon", "bpf", "checkpoint_restore")  # linux/capability.h, by number


def of_process(pid):
    """What the kernel says of it: user, no_new_privs, sets of capabilities."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return of_status(f.read())


def of_status(text):
    """The same of what /proc/PID/status holds."""
    lines = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    sets = {name: {cap for number, cap in enumerate(NAMES) if int(lines[name], 16) >> number & 1}
            for name in ("CapPrm", "CapEff", "CapBnd")}
    return {int(uid) for uid in lines["Uid"].split()}, lines["NoNewPrivs"] == "1", sets


def test_tests_run_it_as_an_ordinary_user_with_three_capabilities(daemon):
    users, no_new_privileges, sets = of_process(daemon.process.pid)
    assert users == {pwd.getpwnam(ordinary.USER).pw_uid} and users != {0}
    assert no_new_privileges
    assert sets["CapPrm"] == sets["CapEff"] == sets["CapBnd"] == set(ordinary.CAPABILITIES)
    assert {os.stat(path).st_uid for path in daemon.pinned()} == users


def test_an_ordinary_user_takes_over_what_root_left(monkeypatch):
    monkeypatch.setenv("VIADUCT_DAEMON_USER", "nobody")
    world = World(tag="u")
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    configuration = plan.configuration(f"e2e-adopt-{os.getpid()}")
    daemon = None
    try:
        daemon = Daemon(world.viaduct, configuration, as_root=())
        daemon.kill()
        os.chmod(daemon.records_path, 0o666)
        daemon.write({**configuration, "user": "nobody"})
        for starts in (1, 2):
            daemon.start()
            assert daemon.log().count("flows of the daemon before go on") == starts
            owners = {os.stat(path).st_uid for path in daemon.pinned()}
            assert owners == {pwd.getpwnam("nobody").pw_uid}
            assert all(d["attached"] != "none" for d in daemon.cli.status()["devices"])
            daemon.kill()
        daemon.start()
        # It may attach to a device that comes back, too.
        world.viaduct.run("ip", "link", "del", world.viaduct_external)
        world.wire_external()
        wait_until(lambda: all(d["up"] and d["attached"] != "none" and "why" not in d
                               for d in daemon.cli.status()["devices"]), 15, daemon.log_tail)
        assert any(f"link_{world.viaduct_external}" in path for path in daemon.pinned()) or \
            daemon.cli.status()["devices"][0]["attached"] != "link"
        daemon.stop()
        assert not daemon.pinned()
        assert "xdp" not in daemon.ns.run("ip", "link", "show").stdout
    finally:
        if daemon:
            daemon.discard()
        world.remove()


@pytest.fixture
def changing_user(monkeypatch):
    """(stage, start): the stage of a daemon that root has started as one user, its state directory where
    root alone makes others; start(user) starts the next as another."""
    world = World(tag="i")
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    configuration = plan.configuration(f"e2e-heir-{os.getpid()}")
    daemon = None
    def start(user):
        """None: nobody is named."""
        monkeypatch.setenv("VIADUCT_DAEMON_USER", user or "root")  # whom the CLI is to trust
        daemon.write({**configuration, "user": user} if user else configuration)
        daemon.start()
    try:
        daemon = Daemon(world.viaduct, {**configuration, "user": ordinary.USER}, as_root=())
        os.chmod(daemon.dir, 0o755)
        os.chmod(daemon.records_path, 0o666)
        with Stage(world, daemon) as stage:
            yield stage, start
        daemon.stop()
    finally:
        if daemon:
            daemon.discard()
        world.remove()


def without_user(daemon):
    """The path of the same configuration for root, who names nobody."""
    path = os.path.join(daemon.dir, "by-hand.yaml")
    with open(daemon.file, encoding="utf-8") as f:
        write_configuration(path, {key: value for key, value in json.load(f).items() if key != "user"})
    return path


def test_calls_go_on_when_another_user_is_to_have_them(changing_user):
    stage, start = changing_user
    talk = Talk(stage)
    stage.daemon.kill()
    start("nobody")
    nobody = pwd.getpwnam("nobody").pw_uid
    state = stage.daemon.state_dir
    assert {os.stat(path).st_uid for path in (state, f"{state}/{stage.daemon.instance}.state")} == {nobody}
    assert stage.cli.only_call() == talk.id and "state_refused" not in stage.cli.status()
    talk.check_media(10)
    talk.end()
    stage.quiet()


def test_a_second_daemon_of_another_user_disturbs_nothing(changing_user):
    """Root starts it by mistake."""
    stage, _ = changing_user
    daemon = stage.daemon
    def owners():
        return {path: os.stat(path).st_uid for path in [daemon.state_dir, daemon.pins, *daemon.pinned()]}
    talk, before = Talk(stage), owners()
    second = os.path.join(daemon.dir, "second.yaml")
    with open(daemon.file, encoding="utf-8") as f:
        mistaken = json.load(f) | {"user": "nobody"}
    write_configuration(second, mistaken)
    done = daemon.ns.run(daemon.own_program, second, check=False)
    assert done.returncode == 1 and "another viaductd has it" in done.stderr
    assert owners() == before and len(set(before.values())) == 1
    talk.check_media(10)
    talk.end()
    stage.quiet()


def test_records_of_another_user_are_named_and_the_calls_wait(changing_user):
    stage, start = changing_user
    daemon, nobody = stage.daemon, pwd.getpwnam("nobody").pw_uid
    talk = Talk(stage)
    os.chmod(daemon.records_path, 0o640)
    daemon.kill()
    with pytest.raises(AssertionError, match="exit 1"):
        start("nobody")
    owner = pwd.getpwnam(ordinary.USER).pw_uid
    assert f"{daemon.records_path} belongs to user {owner}, and user {nobody} may not append" in daemon.log()
    os.chown(daemon.records_path, nobody, -1)
    start("nobody")
    assert stage.cli.only_call() == talk.id
    talk.check_media(10)
    talk.end()
    stage.quiet()
    wait_until(lambda: [r for r in daemon.records() if r["id"] == talk.id], 3, "its record")


@pytest.mark.parametrize("strange, why", [
    ("symlink", "Too many levels of symbolic links"), ("third user's", "is not that user's alone"),
    ("other file", "is no file of this instance"), ("anybody's place", "others than root may write")])
def test_a_state_directory_that_may_be_a_trap_is_not_taken_over(changing_user, strange, why):
    stage, start = changing_user
    daemon, state = stage.daemon, stage.daemon.state_dir
    file = f"{state}/{daemon.instance}.state"
    daemon.kill()
    if strange == "symlink":
        os.rename(file, f"{daemon.dir}/elsewhere")
        os.symlink(f"{daemon.dir}/elsewhere", file)
    elif strange == "third user's":
        os.chown(file, pwd.getpwnam("bin").pw_uid, -1)
    elif strange == "other file":
        os.mkdir(f"{state}/more")
    else:
        os.chmod(daemon.dir, 0o1777)
    owner = os.stat(state).st_uid
    with pytest.raises(AssertionError, match="exit 1"):
        start("nobody")
    assert why in daemon.log()
    assert os.stat(state).st_uid == owner == pwd.getpwnam(ordinary.USER).pw_uid
    for entry in os.scandir(state):
        assert entry.stat(follow_symlinks=False).st_uid != pwd.getpwnam("nobody").pw_uid
    shutil.rmtree(state)
    os.chmod(daemon.dir, 0o755)
    start(ordinary.USER)


def test_a_state_directory_where_the_user_may_not_write_is_named(changing_user):
    """Root's, who has another instance there."""
    stage, start = changing_user
    daemon, state = stage.daemon, stage.daemon.state_dir
    daemon.stop()
    shutil.rmtree(state, ignore_errors=True)
    os.mkdir(state, mode=0o700)
    other = f"{state}/other.state"
    with open(other, "w", encoding="ascii"):
        pass
    with pytest.raises(AssertionError, match="exit 1"):
        start("nobody")
    nobody = pwd.getpwnam("nobody").pw_uid
    assert f"{state} belongs to user 0, and user {nobody} may not write there" in daemon.log()
    assert "set aside" not in daemon.log() and os.listdir(state) == ["other.state"]
    shutil.rmtree(state)
    start(ordinary.USER)


def test_root_who_would_stay_root_is_told_whose_the_calls_are_and_the_ways_out(changing_user):
    """As who tries the service's configuration by hand."""
    stage, start = changing_user
    daemon, state = stage.daemon, stage.daemon.state_dir
    file = f"{state}/{daemon.instance}.state"
    def owners():
        return {path: os.stat(path).st_uid for path in (state, file, daemon.pins, *daemon.pinned())}
    talk, before = Talk(stage), owners()
    by_hand = without_user(daemon)
    def refused():
        done = daemon.ns.run(daemon.own_program, "--log", "info", by_hand, check=False)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
        assert f"{state} belongs to user {ordinary.USER}" in done.stderr and "as user root" in done.stderr
        assert f"viaductd --give root {by_hand}" in done.stderr
        assert owners() == before and set(before.values()) == {pwd.getpwnam(ordinary.USER).pw_uid}
    refused()  # the other runs
    daemon.kill()
    refused()  # it has left a call
    daemon.ns.run(daemon.own_program, "--give", "root", by_hand)
    start(None)
    assert stage.cli.only_call() == talk.id and "state_refused" not in stage.cli.status()
    daemon.kill()
    start(ordinary.USER)
    assert stage.cli.only_call() == talk.id and "state_refused" not in stage.cli.status()
    talk.check_media(10)
    talk.end()
    stage.quiet()


def test_root_removes_what_a_user_left_where_the_pins_are_gone(changing_user):
    """As after a boot, where state_dir outlives it."""
    stage, start = changing_user
    daemon = stage.daemon
    daemon.kill()
    shutil.rmtree(daemon.pins)
    assert os.listdir(daemon.state_dir)
    for _ in ("what is left", "nothing"):
        daemon.ns.run(daemon.own_program, "--remove", without_user(daemon))
        assert not os.listdir(daemon.state_dir)
    start(ordinary.USER)


def test_where_nothing_is_left_root_and_a_user_take_turns(changing_user):
    stage, start = changing_user
    daemon = stage.daemon
    for user in (None, ordinary.USER, None, "nobody"):
        daemon.stop()
        start(user)
        owner = pwd.getpwnam(user or "root").pw_uid
        assert {os.stat(path).st_uid for path in (daemon.state_dir, daemon.pins, *daemon.pinned())} == {owner}


def test_a_directory_of_records_that_is_anothers_is_named(changing_user):
    stage, start = changing_user
    daemon, owner = stage.daemon, pwd.getpwnam(ordinary.USER).pw_uid
    path, directory = daemon.records_path, os.path.join(daemon.dir, "theirs")
    os.mkdir(directory, 0o700)
    os.chown(directory, owner, -1)
    daemon.stop()
    daemon.records_path = os.path.join(directory, "records")
    with pytest.raises(AssertionError, match="exit 1"):
        start(None)
    assert f"{daemon.records_path}: its directory belongs to user {owner}, and user 0 may not" in daemon.log()
    start(ordinary.USER)
    daemon.stop()
    daemon.records_path = path
    start(ordinary.USER)


def test_a_link_in_the_place_of_the_pins_is_not_given(changing_user):
    stage, start = changing_user
    daemon = stage.daemon
    daemon.stop()
    if os.path.isdir(daemon.pins):
        os.rmdir(daemon.pins)
    elsewhere = f"{daemon.pins}-elsewhere"
    os.mkdir(elsewhere)
    os.symlink(elsewhere, daemon.pins)
    try:
        with pytest.raises(AssertionError, match="exit 1"):
            start("nobody")
        assert f"{daemon.pins}: " in daemon.log_tail(1) and os.stat(elsewhere).st_uid == 0
    finally:
        os.unlink(daemon.pins)
        os.rmdir(elsewhere)
    start("nobody")


@pytest.fixture
def bpf_dir():
    """A BPF file system as systemd mounts it."""
    path = tempfile.mkdtemp(prefix="viaduct-bpf-")
    run("mount", "-t", "bpf", "-o", "mode=0700", "bpf", path)
    yield path
    run("umount", path)
    os.rmdir(path)


def test_root_becomes_the_user_where_root_alone_may_enter_the_bpf_file_system(bpf_dir):
    world = World(tag="c")
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    configuration = {**plan.configuration(f"e2e-cage-{os.getpid()}"), "user": ordinary.USER,
                     "bpf_dir": bpf_dir}
    daemon = None
    try:
        daemon = Daemon(world.viaduct, configuration, as_root=())
        users, no_new_privileges, sets = of_process(daemon.process.pid)
        assert users == {pwd.getpwnam(ordinary.USER).pw_uid} and no_new_privileges
        assert sets["CapPrm"] - {"sys_admin"} == set(ordinary.CAPABILITIES)
        assert sets["CapEff"] == set(ordinary.CAPABILITIES)
        with Stage(world, daemon) as stage:
            talk = Talk(stage)
            talk.a.send_stream(Stream(), talk.to_a(), 10)
            talk.outside.wait_received((talk.b.address, talk.b.port), 10)
            daemon.kill()
            daemon.start()
            talk.a.send_stream(Stream(), talk.to_a(), 10)
            talk.outside.wait_received((talk.b.address, talk.b.port), 20)
            talk.end()
            stage.quiet()
        daemon.kill()
        assert daemon.pinned()
        daemon.ns.run(*daemon.argv("--remove"))
        assert not daemon.pinned() and not os.listdir(daemon.state_dir)
    finally:
        if daemon:
            daemon.discard()
        world.remove()


def test_started_without_standard_descriptors_nothing_else_takes_their_place():
    """The log would go into it."""
    world = World(tag="f")
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    daemon = None
    try:
        daemon = Daemon(world.viaduct, plan.configuration(f"e2e-closed-{os.getpid()}"),
                        as_root=("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"))
        for number in range(3):
            assert os.readlink(f"/proc/{daemon.process.pid}/fd/{number}") == "/dev/null"
        daemon.stop()
    finally:
        if daemon:
            daemon.discard()
        world.remove()
