# SPDX-License-Identifier: BSD-2-Clause
"""The command line against a running daemon: what it shows, what it does, whom it refuses; and the
configuration, checked and swapped."""

import copy
import json
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

import plan
from cli import CommandFailed
from daemon import SANITIZED, Daemon, write_configuration
from events import Events
from rtp import Stream, wait_until
from scenario import Callee, Caller, sdp
from sipp import finish
from talk import Talk

MANY_ROUTES = 4000 if SANITIZED else 15000  # some tenths of a second to read

PBX, TRUNK = "10.10.0.2", "192.0.2.2"


def test_status_names_how_it_is_attached(stage):
    status = stage.cli.status()
    assert [(d["side"], d["name"], d["mode"]) for d in status["devices"]] == [
        ("internal", "vdi0", "native"), ("external", "vde0", "native")]
    assert all(d["up"] and d["attached"] != "none" for d in status["devices"])
    assert status["instance"] == stage.daemon.instance and status["pid"] == stage.daemon.process.pid


@pytest.mark.parametrize("command", ["status", "calls", "flows", "peers"])
def test_tables_for_people(stage, command):
    talk = Talk(stage)
    out = stage.cli.text(command).stdout
    assert out.strip() and not out.lstrip().startswith("{")
    talk.end()


def test_call_shows_both_legs_their_media_and_where_it_goes(stage):
    talk = Talk(stage)
    talk.a.send_stream(Stream(), talk.to_a(), 20)
    wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][0]["packets"] == 20, 2, "20 packets")
    call = stage.cli.call(talk.id)
    legs = {leg["leg"]: leg for leg in call["legs"]}
    assert (legs["a"]["peer"], legs["b"]["peer"]) == ("pbx", "trunk")
    assert legs["a"]["call_id"] == talk.calling.sent("INVITE")[0].header("call-id")
    assert legs["b"]["call_id"] == talk.invite.header("call-id")
    stream = {leg["leg"]: leg for leg in call["streams"][0]["legs"]}
    assert call["streams"][0]["codec"].startswith("PCMU")
    assert stream["a"]["path"]["device"] == "vde0"
    assert stream["a"]["path"]["dmac"] == stage.world.external.link_mac("ext0")
    assert stream["a"]["out_remote"] == f"{TRUNK}:{talk.b.port}"
    assert stream["a"]["remote"] == f"{PBX}:{talk.a.port}"
    text = stage.cli.text("call", str(talk.id)).stdout
    assert PBX in text and TRUNK in text
    talk.end()


def test_flows_are_there_while_the_call_is(stage):
    talk = Talk(stage)
    flows = stage.cli.flows()
    assert {(f["leg"], f["side"]) for f in flows} == {("a", "internal"), ("b", "external")}
    assert {f["call"] for f in flows} == {talk.id}
    talk.end()
    stage.quiet()
    assert stage.cli.flows() == []


def test_peers_show_their_live_calls(stage):
    talk = Talk(stage)
    peers = stage.cli.peers()
    assert peers["pbx"]["calls"] == 1 and peers["trunk"]["calls"] == 1
    assert peers["second"]["calls"] == 0 and peers["one-call"]["calls_max"] == 1
    talk.end()


def test_routes_test_tells_where_a_call_would_go(stage):
    found = stage.cli.json("routes", "test", "pbx", plan.FAILOVER)
    assert found["verdict"] == "found" and found["to"] == ["trunk", "second"]
    assert found["route"] == "failover" and found["trace"]
    # A call that would not go anywhere is an answer too, and an exit status of its own.
    for frm, number, verdict in (("pbx", "9999", "none"), ("trunk", plan.PEERS["second"].number,
                                                           "denied")):
        done = stage.cli.text("--json", "routes", "test", frm, number, check=False)
        assert f'"{verdict}"' in done.stdout and done.returncode != 0


def test_routes_test_of_peers_that_take_no_calls_fails_as_the_call_would(stage):
    argv = ("routes", "test", "pbx", plan.FAILOVER)
    peers = stage.cli.json(*argv)["to"]
    for name in peers:
        stage.cli.text("peer", name, "drain")
    try:
        done = stage.cli.text(*argv, check=False)
        assert done.returncode == 1
        assert done.stdout.endswith("(failover), but none of its peers takes calls now: 503\n"), done.stdout
        told = json.loads(stage.cli.text("--json", *argv, check=False).stdout)
        assert told["verdict"] == "found" and told["code"] == 503 and "to" not in told
    finally:
        for name in peers:
            stage.cli.text("peer", name, "resume")
    assert stage.cli.text(*argv).returncode == 0


def test_hangup_ends_both_legs_with_bye(stage):
    talk = Talk(stage, ended_by="viaduct")
    stage.cli.text("hangup", str(talk.id))
    talk.end()
    assert talk.calling.received("BYE") and talk.called.received("BYE")


def test_hangup_of_a_ringing_call_cancels_it(stage):
    called = stage.callee(Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487)
                          .acked())
    calling = stage.caller(Caller().invite(sdp(PBX, 5000)).trying().recv(180).refused(480))
    calling.expect(180)
    stage.cli.text("hangup", str(stage.cli.only_call()))
    finish(calling, called)


@pytest.mark.parametrize("argv", [("call", "999999999"), ("hangup", "999999999"),
                                  ("routes", "test", "nobody", "1"), ("log", "loud"),
                                  ("no-such-command",), ("call", "x")])
def test_command_that_cannot_be_done_fails_and_says_why(stage, argv):
    done = stage.cli.text(*argv, check=False)
    assert done.returncode != 0 and done.stderr.strip()


@pytest.mark.parametrize("command", [(), ("status",), ("calls",), ("call",), ("flows",), ("peers",),
                                     ("routes",), ("hangup",), ("events",), ("reload",), ("log",),
                                     ("stop",)])
def test_help_is_there_for_each_command(stage, command):
    done = stage.cli.text(*command, "--help")
    assert "viaduct" in done.stdout


def test_events_tell_a_calls_life_as_it_happens(stage):
    with Events(stage) as events:
        talk = Talk(stage)
        talk.end()
        for kind in ("call", "answer", "end"):
            events.wait(lambda e, k=kind: e["kind"] == k and e["call"] == talk.id)
    times = [e["time_ms"] for e in events.seen]
    assert times == sorted(times)


def test_unprivileged_user_is_refused(stage):
    before = stage.cli.status()["control_refused"]
    program = stage.cli.program
    if not os.access(program, os.X_OK) or _hidden_from_nobody(program):
        program = stage.keep(PublicCopy(program)).path
    done = stage.world.viaduct.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   program, "status", check=False)
    assert done.returncode != 0
    assert re.search(r"(?i)permi|may not|credential", done.stderr), done.stderr
    assert stage.cli.status()["control_refused"] > before


def _hidden_from_nobody(path):
    folder = os.path.dirname(path)
    while folder != "/":
        if not os.stat(folder).st_mode & 0o001:
            return True
        folder = os.path.dirname(folder)
    return False


class PublicCopy:
    """A program where everybody may run it."""

    def __init__(self, program):
        import tempfile
        self.dir = tempfile.mkdtemp(prefix="viaduct-public-")
        os.chmod(self.dir, 0o755)
        self.path = shutil.copy(program, self.dir)

    def close(self):
        shutil.rmtree(self.dir)


def test_log_level_changes_while_running(stage):
    stage.cli.text("log", "warn")
    try:
        assert stage.cli.status()["log_level"] == "warn"
    finally:
        stage.cli.text("log", "debug")


# ---- configuration ----

def viaductd(path, *argv):
    """With those arguments, FILE among them stands for path."""
    return subprocess.run([Daemon.program, *(str(path) if word == "FILE" else word for word in argv)],
                          capture_output=True, text=True, timeout=10, check=False)


def check(tmp_path, configuration):
    path = tmp_path / "viaduct.yaml"
    if isinstance(configuration, str):
        path.write_text(configuration)
    else:
        write_configuration(path, configuration)
    return path, viaductd(path, "--check", "FILE")


def test_check_accepts_a_good_file(tmp_path):
    _, done = check(tmp_path, plan.configuration("x"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("argv, code", [
    (("--check", "FILE", "--log", "loud"), 2),
    (("--check", "FILE", "--remove", "FILE"), 2),
    (("--remove", "FILE", "--check", "FILE"), 2),
    (("--check", "FILE", "FILE"), 2),
    (("--check", "FILE", "--log", "error"), 0),
    (("--check", "FILE", "--help"), 0),
])
def test_nothing_is_done_before_the_whole_command_line_is_read(tmp_path, argv, code):
    path, _ = check(tmp_path, plan.configuration("x"))
    done = viaductd(path, *argv)
    assert done.returncode == code, done.stderr
    assert ("good: " in done.stdout) == (argv[-1] == "error")


def test_a_bpf_dir_that_is_none_is_named_and_not_made(stage, tmp_path):
    path = tmp_path / "viaduct.yaml"
    write_configuration(path, {**plan.configuration("x"), "bpf_dir": str(tmp_path / "none"),
                               "state_dir": str(tmp_path / "state")})
    done = stage.world.viaduct.run(Daemon.program, str(path), check=False)
    assert done.returncode == 1
    assert f"{tmp_path}/none is not a BPF file system; mount one" in done.stderr, done.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("argv", [
    ("FILE", "more"),
    ("--check", "FILE", "more"),
    ("--remove", "FILE", "more"),
    ("--give", "root", "FILE", "more"),
])
def test_an_argument_too_many_is_named(tmp_path, argv):
    path, _ = check(tmp_path, plan.configuration("x"))
    done = viaductd(path, *argv)
    assert done.returncode == 2
    assert done.stderr == "viaductd: more: one FILE is expected, and no more\n"


@pytest.mark.parametrize("path, value, word", [
    (("peers", 0, "listener"), "nowhere", "listener"),
    (("peers", 3, "address"), "10.10.0.256:5060", "address"),
    (("routes", 1, "to"), ["nobody"], "to"),
    (("routes", 1, "called"), "([0-9", "called"),
    (("sides", "internal", "media_ports"), "20001-20000", "media_ports"),
    (("listeners", 0, "transport"), "carrier pigeon", "transport"),
    (("limits", "calls"), -1, "calls"),
])
def test_mistake_is_told_in_one_line_with_file_line_and_key(tmp_path, path, value, word):
    configuration = copy.deepcopy(plan.configuration("x"))
    place = configuration
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file, done = check(tmp_path, configuration)
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    found = re.match(rf"{re.escape(str(file))}:(\d+): (\S+): .*expected", lines[0])
    assert found and word in found.group(2), lines[0]
    at = file.read_text().splitlines()[int(found.group(1)) - 1]
    assert f'"{word}"' in at or (isinstance(value, list) and value[0] in at), at


def test_every_mistake_is_told(tmp_path):
    configuration = plan.configuration("x")
    for peer in configuration["peers"][:3]:
        peer["listener"] = "nowhere"
    _, done = check(tmp_path, configuration)
    assert len(done.stderr.strip().splitlines()) == 3, done.stderr


def test_file_that_is_no_yaml_is_refused_with_its_line(tmp_path):
    file, done = check(tmp_path, "sides:\n  internal: [\n")
    assert done.returncode != 0 and re.match(rf"{re.escape(str(file))}:\d+: ", done.stderr)


@pytest.fixture
def restored(stage):
    """The configuration file is put back, and taken up, when the test is over."""
    yield stage
    stage.daemon.write(plan.configuration(stage.daemon.instance))
    stage.cli.text("reload")


def test_good_file_is_swapped_in_without_touching_a_call(restored):
    stage = restored
    talk = Talk(stage)
    changed = plan.configuration(stage.daemon.instance)
    changed["routes"].insert(0, {"name": "new", "called": "7777", "to": ["trunk"]})
    changed["peers"] = [p for p in changed["peers"] if p["name"] != "gone"]
    changed["routes"] = [r for r in changed["routes"] if "gone" not in r["to"]]
    reloads = stage.cli.status()["reloads"]
    stage.daemon.write(changed)
    stage.cli.text("reload")
    assert stage.cli.status()["reloads"] == reloads + 1
    assert stage.cli.json("routes", "test", "pbx", "7777")["route"] == "new"
    assert "gone" not in stage.cli.peers()
    for sender, via, receiver, sniffer in talk.ways():
        stream = Stream()
        sender.send_stream(stream, via, 20)
        got = sniffer.wait_received((receiver.address, receiver.port), 20)
        assert [d.payload for d in got] == stream.sent
    talk.end()


def test_peer_of_a_running_call_may_go_and_the_call_stays(restored):
    stage = restored
    talk = Talk(stage, to="second")
    changed = plan.configuration(stage.daemon.instance)
    changed["peers"] = [p for p in changed["peers"] if p["name"] != "second"]
    changed["routes"] = [r for r in changed["routes"] if "second" not in r["to"]]
    stage.daemon.write(changed)
    stage.cli.text("reload")
    assert "second" not in stage.cli.peers()
    stream = Stream()
    talk.a.send_stream(stream, talk.to_a(), 20)
    talk.outside.wait_received((talk.b.address, talk.b.port), 20)
    talk.end()


def test_bad_file_is_refused_and_the_old_one_stays(restored):
    stage = restored
    before = stage.cli.status()["reloads"]
    changed = plan.configuration(stage.daemon.instance)
    changed["peers"][0]["listener"] = "nowhere"
    stage.daemon.write(changed)
    with pytest.raises(CommandFailed) as refused:
        stage.cli.text("reload")
    said = refused.value.stderr + refused.value.stdout
    assert re.search(re.escape(stage.daemon.file) + r":\d+: peers\[0\]\.listener", said), said
    assert stage.cli.status()["reloads"] == before
    talk = Talk(stage)
    talk.end()


def test_each_mistake_of_a_refused_file_is_a_line_of_the_log(restored):
    stage = restored
    changed = plan.configuration(stage.daemon.instance)
    changed["peers"][0]["listener"] = changed["peers"][1]["listener"] = "nowhere-at-all"
    stage.daemon.write(changed)
    with pytest.raises(CommandFailed):
        stage.cli.text("reload")
    told = [line for line in stage.daemon.log().splitlines() if "nowhere-at-all" in line]
    assert [re.search(r"error .*/viaduct\.yaml:\d+: peers\[(\d)\]\.listener", line)[1] for line in told] == ["0", "1"], told


def test_a_listener_that_cannot_be_opened_is_refused_with_the_reason(restored):
    stage = restored
    changed = plan.configuration(stage.daemon.instance)
    address = plan.VIADUCT["internal", 4]
    changed["listeners"].append({"name": "own", "side": "internal", "transport": "udp", "address": address, "port": 5099})
    stage.daemon.write(changed)
    with stage.world.viaduct.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((address, 5099))
        with pytest.raises(CommandFailed) as refused:
            stage.cli.text("reload")
    assert f"listener own: cannot listen on {address}:5099: another program listens there" in refused.value.stderr


def test_what_needs_a_restart_is_refused_by_name(restored):
    stage = restored
    stage.daemon.write(plan.configuration("another-instance"))
    with pytest.raises(CommandFailed) as refused:
        stage.cli.text("reload")
    assert "instance" in refused.value.stderr + refused.value.stdout


def test_tables_that_a_reload_asks_to_be_larger_are_told_to_stay(restored):
    stage = restored
    wider = plan.configuration(stage.daemon.instance)
    for side in wider["sides"].values():
        side["media_ports"] = "20000-39999"
    stage.daemon.write(wider)
    stage.cli.text("reload")
    told = re.search(r"warn  media: the kernel's tables stay as they are, for (\d+) flows where (\d+) are asked for",
                     stage.daemon.log())
    assert told and int(told[1]) == stage.cli.status()["flows_max"] < int(told[2])


def test_silence_for_strangers_is_a_setting(restored):
    stage = restored
    stage.daemon.write(plan.configuration(stage.daemon.instance, strangers="ignore"))
    stage.cli.text("reload")
    before = stage.cli.status()["sip"]["unknown_source"]
    stranger = stage.wire("trunk", plan.STRANGER["external"])
    stranger.send(stranger.request("OPTIONS"))
    assert stranger.silent(0.3)
    assert stage.cli.status()["sip"]["unknown_source"] == before + 1


def test_sighup_reloads_too(restored):
    stage = restored
    before = stage.cli.status()["reloads"]
    stage.daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: stage.cli.status()["reloads"] == before + 1, 3, "a reload")


def test_signalling_goes_on_while_a_large_file_is_read(restored):
    """And each reload that is asked for meanwhile sees the file as it is then."""
    stage = restored
    large = plan.configuration(stage.daemon.instance)
    large["routes"] += [{"from": "pbx", "called": rf"\+4930{route:05d}\d*", "to": ["trunk"]}
                        for route in range(MANY_ROUTES)]
    before = stage.cli.status()["reloads"]
    stage.daemon.write(large)
    stage.daemon.process.send_signal(signal.SIGHUP)
    wire = stage.wire("pbx")
    assert wire.ask("OPTIONS").code == 200
    assert stage.cli.status()["reloads"] == before, "the file was read before anything else was done"
    large["routes"] = [route for route in large["routes"] if "4930" not in route.get("called", "")]
    stage.daemon.write(large)
    stage.cli.text("reload")
    assert stage.cli.status()["reloads"] == before + 2
    assert len(stage.cli.json("routes")["routes"]) == len(large["routes"])


def test_versions_are_told(stage):
    assert re.search(r"\d+\.\d+\.\d+", stage.cli.text("version").stdout)
    done = subprocess.run([Daemon.program, "--version"], capture_output=True, text=True, timeout=10,
                          check=False)
    assert done.returncode == 0 and re.search(r"\d+\.\d+\.\d+", done.stdout)
