# SPDX-License-Identifier: BSD-2-Clause
import contextlib
import os
import shutil
import signal
import tempfile

import pytest

import ordinary
import plan
from certificates import Authority
from counters import Books
from daemon import BUILD, Daemon
from machine import WORLD
from net import World
from rtp import Endpoint, Sniffer, wait_until
from sipp import Sipp
from wire import Wire

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED_PROGRAMS = ("ip", "ethtool", "sipp")


def pytest_configure(config):
    os.environ["VIADUCT_DAEMON_USER"] = ordinary.USER  # whom the CLI is to trust
    # A SIGTERM, or a terminal that closes, unwinds the fixtures as an interruption from the keyboard does.
    def interrupted(*_):
        raise KeyboardInterrupt
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, interrupted)
    if "VIADUCT_FAILED" in os.environ and not hasattr(config, "workerinput"):  # but a worker's
        config.pluginmanager.register(Failed(os.environ["VIADUCT_FAILED"]))
    if not config.option.basetemp:
        # pytest's own, one for all runs of a user, is locked again by the run that begins next: the daemon,
        # another user, would reach none of its files any more.
        config.option.basetemp = tempfile.mkdtemp(prefix="viaduct-pytest-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


def pytest_collection_modifyitems(items):
    """The longest module first: where several run side by side, none waits for it at the end."""
    items.sort(key=lambda item: item.module.__name__ != "test_load")


@contextlib.contextmanager
def made_world(addresses, tag="", kind=World, **kwargs):
    """The namespaces, with these addresses of the peers inside and of those outside."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for network namespaces")
    missing = [program for program in NEEDED_PROGRAMS if not shutil.which(program)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    world = kind(tag)
    world.create(*addresses, **kwargs)
    try:
        # Silence from an address that no host has, and no "unreachable" once ARP has given up.
        world.viaduct.run("ip", "neighbour", "add", plan.NOBODY, "lladdr", "02:00:00:00:00:99",
                          "dev", world.viaduct_external, "nud", "permanent")
        yield world
    finally:
        world.remove()


@contextlib.contextmanager
def running_daemon(world, configuration):
    """viaductd, which ends by itself and leaves nothing, or the test has failed."""
    if not os.path.exists(Daemon.program):
        pytest.fail(f"{BUILD}/viaductd is not built")
    daemon = Daemon(world.viaduct, configuration)
    try:
        yield daemon
        daemon.stop()
        assert not daemon.pinned(), "pins are left after a stop"
    finally:
        daemon.discard()


@pytest.fixture(scope="module")
def addresses():
    return plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES


@pytest.fixture(scope="module")
def configuration():
    """viaductd's. A module whose tests want another has a fixture of this name."""
    return plan.configuration()


@pytest.fixture(scope="module")
def world(addresses):
    with made_world(addresses, kind=WORLD) as world:
        yield world


@pytest.fixture(scope="module")
def daemon(world, configuration):
    with running_daemon(world, configuration) as daemon:
        books = Books(world, daemon)
        yield daemon
        books.check()


@pytest.fixture(scope="module")
def authority():
    """Who issues the certificates."""
    made = Authority("Test Authority")
    yield made
    made.close()


class Stage:
    """What a test places around Viaduct; struck when the test ends."""

    def __init__(self, world, daemon):
        self.world, self.daemon, self.cli = world, daemon, daemon.cli
        self._actors = []
        self._agents = []

    def keep(self, actor):
        self._actors.append(actor)
        return actor

    def namespace(self, side):
        return self.world.internal if side == "internal" else self.world.external

    def caller(self, scenario, peer="pbx", number=None, to="trunk", **kwargs):
        """sipp calls as that peer: the number, or the other peer's own."""
        peer = plan.PEERS[peer]
        number = number or plan.PEERS[to].number
        agent = Sipp(self.namespace(peer.side), scenario, peer.address,
                     (peer.viaduct, plan.SIP_PORT), number, transport=peer.transport, **kwargs)
        self._agents.append((peer.side, agent))
        return self.keep(agent)

    def callee(self, scenario, peer="trunk", address=None, transport=None, **kwargs):
        """sipp waits for calls as that peer."""
        peer = plan.PEERS[peer]
        agent = Sipp(self.namespace(peer.side), scenario, address or peer.address,
                     transport=transport or peer.transport, **kwargs)
        self._agents.append((peer.side, agent))
        return self.keep(agent)

    def wire(self, peer="pbx", address=None, **kwargs):
        peer = plan.PEERS[peer]
        kwargs.setdefault("transport", peer.transport)
        return self.keep(Wire(self.namespace(peer.side), address or peer.address, peer.viaduct,
                              **kwargs))

    def endpoint(self, peer="pbx", address=None, port=None):
        peer = plan.PEERS[peer]
        return self.keep(Endpoint(self.namespace(peer.side), address or peer.address, port))

    def sniffer(self, side):
        ns = self.namespace(side)
        device = self.world.internal_device if side == "internal" else self.world.external_device
        return self.keep(Sniffer(ns, device))

    def quiet(self, timeout=5):
        """Until no call is left."""
        wait_until(lambda: not self.cli.live_calls(), timeout,
                   lambda: f"no call to be left: {self.cli.calls()}")

    def check_hidden(self):
        """Nothing that a sipp received names an address of the other side."""
        for side, agent in self._agents:
            other = "external" if side == "internal" else "internal"
            for message in agent.received():
                for prefix in plan.PRIVATE[other]:
                    assert prefix not in message.text, f"{other} address shown:\n{message.text}"

    def strike(self):
        for actor in reversed(self._actors):
            actor.close()

    def __enter__(self):
        self.daemon.check_alive()
        return self

    def __exit__(self, *_):
        self.strike()
        self.daemon.check_alive()
        for call in self.cli.live_calls():
            self.cli.text("hangup", str(call["id"]), check=False)


@pytest.fixture
def stage(world, daemon):
    with Stage(world, daemon) as stage:
        yield stage
        stage.check_hidden()
        stage.quiet()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the daemon logged."""
    report = (yield).get_result()
    if report.failed and "daemon" in item.funcargs:
        report.sections.append(("viaductd", item.funcargs["daemon"].log_tail(25)))


class Failed:
    """Writes down, for tests/check, a line a test that failed: what to run again, itself or, where not the
    test but what it or its module makes and takes away failed, the module."""

    def __init__(self, path):
        self.path, self.again = path, {}

    def pytest_runtest_logreport(self, report):
        if report.failed:
            what = report.nodeid if report.when == "call" else report.nodeid.partition("::")[0]
            self.again.setdefault(report.nodeid, f"{os.path.relpath(HERE)}/{what}")

    def pytest_sessionfinish(self):
        with open(self.path, "w", encoding="utf-8") as f:
            f.writelines(f"{what}\n" for what in self.again.values())
