# SPDX-License-Identifier: BSD-2-Clause
"""viaductd as an ordinary user with the few capabilities that it keeps."""

import os
import pwd

import plan
from daemon import Daemon
from net import World
from rtp import wait_until


def test_an_ordinary_user_takes_over_what_root_left(monkeypatch):
    monkeypatch.setenv("VIADUCT_DAEMON_USER", "nobody")
    world = World(tag="u")
    world.create(plan.INTERNAL_ADDRESSES, plan.EXTERNAL_ADDRESSES)
    configuration = plan.configuration(f"e2e-adopt-{os.getpid()}")
    daemon = None
    try:
        daemon = Daemon(world.viaduct, configuration)
        daemon.process.kill()
        daemon.process.wait()
        os.chmod(daemon.dir, 0o777)
        os.chmod(daemon.records_path, 0o666)
        daemon.write({**configuration, "user": "nobody"})
        for starts in (1, 2):
            daemon.start()
            assert daemon.log().count("flows of the daemon before go on") == starts
            owners = {os.stat(path).st_uid for path in daemon.pinned()}
            assert owners == {pwd.getpwnam("nobody").pw_uid}
            assert all(d["attached"] != "none" for d in daemon.cli.status()["devices"])
            daemon.process.kill()
            daemon.process.wait()
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
