# SPDX-License-Identifier: BSD-2-Clause
"""A world whose calls are over TCP inside and TLS outside: kamailio is the proxy of both sides, and sipp, behind
it, speaks UDP. Whose tests are in it imports the fixtures."""

import pytest

import plan
import proxy
from conftest import Stage
from sipp import Sipp

OUR_NAME, PROXY_NAME = "sbc.example.com", "sip.itsp.example"
PROXY = {"pbx": "10.10.0.5", "trunk": "192.0.2.9"}
PBX, TRUNK = plan.PEERS["pbx"], plan.PEERS["trunk"]
PAIRS = (("pbx", "trunk"), ("trunk", "pbx"))


@pytest.fixture(scope="module")
def configuration(authority):
    base = plan.configuration()
    ours = authority.issue("ours", [f"DNS:{OUR_NAME}"])
    listener = {"name": "tls", "side": "external", "transport": "tls", "address": TRUNK.viaduct,
                "tls": "outside"}
    silent = {"liveness": {"interval": 0}}  # nothing but the calls opens a connection
    peers = [{"name": "pbx", "kind": "direct", "listener": "internal-tcp4", "address": PROXY["pbx"], **silent},
             {"name": "trunk", "kind": "trunk", "listener": "tls", "address": PROXY["trunk"],
              "certificate_names": [PROXY_NAME], **silent}]
    routes = [{"name": f"to-{name}", "called": plan.PEERS[name].number, "to": [name]} for name in PROXY]
    return {**base, "peers": peers, "routes": routes, "listeners": [*base["listeners"], listener],
            "tls": [{"name": "outside", "certificate": ours.certificate, "key": ours.key,
                     "ca": authority.file, "fqdn": OUR_NAME}]}


@pytest.fixture(scope="module")
def proxies(world, daemon, authority, tmp_path_factory):
    identity = authority.issue("proxy", [f"DNS:{PROXY_NAME}"])
    servers = [
        proxy.start(world.internal, tmp_path_factory.mktemp("inside"), PROXY["pbx"], PBX.address,
                    PBX.viaduct, PBX.viaduct),
        proxy.start(world.external, tmp_path_factory.mktemp("outside"), PROXY["trunk"], TRUNK.address,
                    TRUNK.viaduct, OUR_NAME, identity, authority)]
    yield servers
    for server in servers:
        server.close()


class ProxiedStage(Stage):
    """On both sides sipp speaks to its proxy, and the proxy to us."""

    def caller(self, scenario, peer="pbx", number=None, to="trunk", **kwargs):
        at = plan.PEERS[peer]
        agent = Sipp(self.namespace(at.side), scenario, at.address, (PROXY[peer], plan.SIP_PORT),
                     number or plan.PEERS[to].number, **kwargs)
        self._agents.append((at.side, agent))
        return self.keep(agent)

    def handshakes(self):
        sip = self.cli.status()["sip"]
        return {"opened by us": sip["tls_connected"], "by the peer": sip["tls_accepted"]}


@pytest.fixture
def stage(world, daemon, proxies):
    with ProxiedStage(world, daemon) as stage:
        yield stage
        stage.check_hidden()
        stage.quiet()
