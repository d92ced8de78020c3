# SPDX-License-Identifier: BSD-2-Clause
"""Who is where in the tests' world, and the configuration that Viaduct is given for it.

Every peer but the first of a kind is there for one setting. A peer is called by its own number."""

import os
from dataclasses import dataclass, field

SIP_PORT = 5060
LONE_PORT = 5070  # a listener inside that no peer belongs to
VIADUCT = {("internal", 4): "10.10.0.1", ("internal", 6): "fd10::1",
           ("external", 4): "192.0.2.1", ("external", 6): "2001:db8::1"}
# Nothing of one side may be seen on the other.
PRIVATE = {"internal": ("10.10.0.", "fd10:"), "external": ("192.0.2.", "2001:db8:")}
INTERNAL_PORTS = (20000, 20999)
EXTERNAL_PORTS = (40000, 40999)
DSCP_EF = 46

STRANGER = {"internal": "10.10.0.77", "external": "192.0.2.77"}
NOBODY = "192.0.2.99"  # an address that no host has
WATCHED_S = 3  # without media, and a call of `watched` ends
FORK_TARGETS = ("192.0.2.11", "192.0.2.12")


@dataclass
class Peer:
    name: str
    address: str
    number: str
    transport: str = "udp"
    settings: dict = field(default_factory=dict)

    @property
    def side(self):
        return "internal" if self.address.startswith(("10.", "fd10:")) else "external"

    @property
    def family(self):
        return 6 if ":" in self.address else 4

    @property
    def sip_address(self):
        return f"[{self.address}]:{SIP_PORT}" if self.family == 6 else f"{self.address}:{SIP_PORT}"

    @property
    def viaduct(self):
        """Viaduct's address towards this peer."""
        return VIADUCT[self.side, self.family]

    @property
    def listener(self):
        return f"{self.side}-{self.transport}{self.family}"


PEERS = {peer.name: peer for peer in (
    Peer("pbx", "10.10.0.2", "1001"),
    Peer("pbx-tcp", "10.10.0.2", "1002", "tcp"),
    Peer("pbx6", "fd10::2", "1003"),
    Peer("pbx6-tcp", "fd10::2", "1004", "tcp"),
    Peer("phone", "10.10.0.3", "1005"),
    Peer("hq-a", "10.10.0.5", "1006", settings={"media": {"bypass": "hq"}}),
    Peer("hq-b", "10.10.0.6", "1007", settings={"media": {"bypass": "hq"}}),
    Peer("trunk", "192.0.2.2", "2001"),
    Peer("trunk-tcp", "192.0.2.2", "2002", "tcp"),
    Peer("trunk6", "2001:db8::2", "2003"),
    Peer("trunk6-tcp", "2001:db8::2", "2004", "tcp"),
    Peer("alaw", "192.0.2.3", "2005", settings={"codecs": ["PCMA", "telephone-event"]}),
    Peer("latching", "192.0.2.4", "2006",
         settings={"media": {"latch": True, "latch_prefix": {"ipv4": 29}}}),
    Peer("watched", "192.0.2.5", "2007", settings={"media": {"timeout": WATCHED_S}}),
    Peer("second", "192.0.2.6", "2008"),
    Peer("one-call", "192.0.2.7", "2009", settings={"calls_max": 1}),
    Peer("informed", "192.0.2.8", "2012",
         settings={"identity": {"asserted": "pass", "history": True, "referred_by": True},
                   "refer": "refuse"}),
    Peer("domain", "192.0.2.10", "2013", settings={
        "identity": {"asserted": "always", "domain": "sip.provider.example"}}),
    Peer("proxy", "192.0.2.9", "2010"),
    Peer("gone", NOBODY, "2011"),
    # Requests to peers that crash are sent again for half a minute: nobody else may hear them.
    Peer("crash", "192.0.2.21", "2021"),
    Peer("crash-watched", "192.0.2.22", "2022", settings={"media": {"timeout": WATCHED_S}}),
    Peer("crash-ringing", "192.0.2.23", "2023"),
)}
FAILOVER = "2100"         # trunk, then second
FAILOVER_SILENT = "2101"  # gone, then second
TRANSIT = "3001"          # external to external, allowed by name

INTERNAL_ADDRESSES = [*(f"10.10.0.{n}/24" for n in (2, 3, 5, 6)), STRANGER["internal"] + "/24", "fd10::2/64"]
EXTERNAL_ADDRESSES = ["192.0.2.2/24", "2001:db8::2/64", STRANGER["external"] + "/24",
                      *(f"{a}/24" for a in FORK_TARGETS),
                      *(f"192.0.2.{n}/24" for n in (3, 4, 5, 6, 7, 8, 9, 10, 21, 22, 23))]


def configuration(instance=None, **changes):
    """The configuration as nested dicts, in the shape of viaduct.yaml(5)."""
    listeners = [{"name": f"{side}-{transport}{family}", "side": side, "transport": transport,
                  "address": address, "port": SIP_PORT}
                 for (side, family), address in VIADUCT.items() for transport in ("udp", "tcp")]
    listeners.append({"name": "lone", "side": "internal", "transport": "udp",
                      "address": VIADUCT["internal", 4], "port": LONE_PORT})
    peers = [{"name": p.name, "kind": "direct" if p.side == "internal" else "trunk",
              "listener": p.listener,
              "address": p.sip_address,
              "liveness": {"interval": 0},  # sipp takes an OPTIONS for a call
              **p.settings} for p in PEERS.values()]
    routes = [{"name": f"to-{p.name}", "called": p.number, "to": [p.name]} for p in PEERS.values()]
    routes += [
        {"name": "failover", "from": "pbx", "called": FAILOVER, "to": ["trunk", "second"]},
        {"name": "failover-silent", "called": FAILOVER_SILENT, "to": ["gone", "second"]},
        {"name": "transit", "from": "trunk", "called": TRANSIT, "to": ["second"],
         "trunk_to_trunk": True},
    ]
    return {
        "sides": {
            "internal": {"device": "vdi0", "media_ports": "%d-%d" % INTERNAL_PORTS,
                         "addresses": [VIADUCT["internal", 4], VIADUCT["internal", 6]]},
            "external": {"device": "vde0", "media_ports": "%d-%d" % EXTERNAL_PORTS,
                         "addresses": [VIADUCT["external", 4], VIADUCT["external", 6]],
                         "dscp": DSCP_EF},
        },
        "listeners": listeners, "peers": peers, "routes": routes,
        "limits": {"calls": 2000, "calls_per_second": 0},
        # Who is silent so long is taken for gone; on a busy machine somebody who is there may be for seconds.
        "timers": {"attempt": 4, "ring": 30, "port_quarantine": 1},
        # A machine that is busy with tests is no reason to refuse calls; test_limits takes this out.
        "overload": {"shed_all": 0},
        "batching": os.environ.get("VIADUCT_BATCHING", "auto"),
        "log": "debug", "instance": instance or f"e2e-{os.getpid()}", **changes,
    }
