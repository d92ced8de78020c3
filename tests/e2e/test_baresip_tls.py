# SPDX-License-Identifier: BSD-2-Clause
"""baresip as a peer over TLS, known by its certificate, and baresip registered with the provider's
kamailio: whoever calls, each hears the other.

baresip 1.0 shows its certificate whoever connects, and checks nobody's: what it thinks of ours is not
tested here."""

import re

import pytest

import plan
from baresip import Baresip
from kamailio import Kamailio, load
from nameserver import NAMESERVER, Nameserver
from rtp import wait_until
from test_baresip import HEARD, INSIDE_TONE_HZ, OUTSIDE_TONE_HZ, PURE, heard

# PHONE is the peer over TLS; the provider's subscriber is at a host of its own.
PBX, PHONE, PROVIDER = (plan.PEERS[name] for name in ("pbx", "trunk", "proxy"))
SUBSCRIBER = "192.0.2.3"
# baresip 1.0 sends its media from its host's first address, whichever it takes its calls at.
OUTSIDE_MEDIA = PHONE.address
VIA = PHONE.viaduct
OUR_NAME, PHONE_NAME = "sbc.example.com", "phone.example.com"
# RFC 3263 4.2: where baresip finds us, at the first call and for each request within one.
RECORDS = [f"srv-host=_sips._tcp.{OUR_NAME},{OUR_NAME},5061,1", f"host-record={OUR_NAME},{VIA}",
           "local=/example.com/"]
DOMAIN, PASSWORD = "provider.test", "pAss-for-subscriber"

REGISTRAR = f"""
disable_tcp=yes
alias="{DOMAIN}"
listen=udp:{PROVIDER.address}:5060
""" + load("tm sl rr pv xlog siputils textops auth usrloc registrar") + f"""\
modparam("usrloc", "db_mode", 0)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
request_route {{
	if (is_method("REGISTER")) {{
		if (!pv_www_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{
			www_challenge("{DOMAIN}", "1");
			exit;
		}}
		xlog("L_ERR", "$rm by $au from $si\\n");
		save("location");
		exit;
	}}
	if (is_method("CANCEL|ACK")) {{ if (loose_route() || t_check_trans()) {{ t_relay(); }} exit; }}
	if (has_totag()) {{ loose_route(); t_relay(); exit; }}
	record_route();
	if ($si == "{VIA}") {{
		if (!lookup("location")) {{ sl_send_reply("404", "Nobody"); exit; }}
		t_relay();
		exit;
	}}
	if (!pv_proxy_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{
		proxy_challenge("{DOMAIN}", "1");
		exit;
	}}
	consume_credentials();
	remove_hf("Route");
	$du = "sip:{VIA}:5060";
	xlog("L_ERR", "$rm by $au from $si\\n");
	t_relay();
}}
"""


@pytest.fixture(scope="module")
def addresses():
    return plan.INTERNAL_ADDRESSES, [*plan.EXTERNAL_ADDRESSES, f"{NAMESERVER}/24"]


@pytest.fixture(scope="module")
def configuration(authority):
    ours = authority.issue("ours", [f"DNS:{OUR_NAME}"])
    base = plan.configuration()
    peers = [
        {"name": PBX.name, "kind": "direct", "listener": PBX.listener, "address": PBX.sip_address},
        {"name": "phone", "kind": "trunk", "listener": "external-tls", "address": PHONE.address,
         "certificate_names": [PHONE_NAME], "liveness": {"interval": 0}},
        {"name": "provider", "kind": "trunk", "listener": PROVIDER.listener,
         "address": PROVIDER.sip_address, "liveness": {"interval": 0}},
    ]
    return {**base, "peers": peers,
            "routes": [{"called": PBX.number, "to": [PBX.name]},
                       {"called": PHONE.number, "to": ["phone"]},
                       {"called": PROVIDER.number, "to": ["provider"]}],
            "tls": [{"name": "outside", "certificate": ours.certificate, "key": ours.key,
                     "ca": authority.file, "fqdn": OUR_NAME}],
            "listeners": [*base["listeners"],
                          {"name": "external-tls", "side": "external", "transport": "tls",
                           "address": VIA, "tls": "outside"}]}


@pytest.fixture(scope="module")
def nameserver(world):
    server = Nameserver(world.external, RECORDS)
    yield server
    server.close()


@pytest.fixture(scope="module")
def registrar(world, tmp_path_factory):
    server = Kamailio(world.external, REGISTRAR, str(tmp_path_factory.mktemp("kamailio")),
                      ("udp", PROVIDER.address, 5060))
    yield server
    server.close()


@pytest.fixture(scope="module")
def inside(world):
    phone = Baresip(world.internal, PBX.address, PBX.number, INSIDE_TONE_HZ, answer=True)
    yield phone
    phone.close()


def over_tls(stage, authority, name):
    """The phone, with a certificate for that name and without connections."""
    wait_until(lambda: not stage.cli.json("peer", "phone")["tls"]["connections"], 5,
               "the phone before it to be gone")
    identity = authority.issue("phone", [f"DNS:{name}"])
    return stage.keep(Baresip(stage.world.external, PHONE.address, PHONE.number, OUTSIDE_TONE_HZ,
                              answer=True, nameserver=NAMESERVER, tls=(identity, authority.file)))


def call_is_heard(stage, inside, outside, outwards, outside_uri, inside_uri):
    """Whoever calls, both hear each other, and the caller's BYE ends it at both."""
    insides, outsides = stage.sniffer("internal"), stage.sniffer("external")
    caller, uri = (inside, outside_uri) if outwards else (outside, inside_uri)
    caller.dial(uri)
    wait_until(lambda: [c["state"] for c in stage.cli.live_calls()] == ["answered"], 5, outside.log)
    assert heard(outsides, OUTSIDE_MEDIA, INSIDE_TONE_HZ) > PURE
    assert heard(insides, PBX.address, OUTSIDE_TONE_HZ) > PURE
    for leg in stage.cli.streams(stage.cli.only_call())[0]["legs"]:
        assert leg["packets"] >= HEARD and leg["lost"] == 0
    caller.hangup()
    stage.quiet()
    # baresip prints this for its own BYE, and for one that it is sent.
    wait_until(lambda: re.search(r"terminated \(duration", outside.log()), 5, outside.log)


# ---- over TLS ----

@pytest.mark.parametrize("outwards", [True, False], ids=["outwards", "inwards"])
def test_baresip_over_tls_talks_to_baresip_inside(stage, nameserver, inside, authority, outwards):
    outside = over_tls(stage, authority, PHONE_NAME)
    before = stage.cli.status()["sip"]
    call_is_heard(stage, inside, outside, outwards, f"sip:{PHONE.number}@{PBX.viaduct}",
                  f"sip:{PBX.number}@{OUR_NAME}")
    tls, after = stage.cli.json("peer", "phone")["tls"], stage.cli.status()["sip"]
    assert tls["connections"] == 1 and tls["opened_by"] == ("us" if outwards else "peer")
    assert tls["certificate"]["names"] == [PHONE_NAME]
    made = "tls_connected" if outwards else "tls_accepted"
    assert after[made] == before[made] + 1


@pytest.mark.parametrize("outwards", [True, False], ids=["outwards", "inwards"])
def test_baresip_with_a_certificate_for_another_name_has_no_call(stage, nameserver, inside,
                                                                 authority, outwards):
    outside = over_tls(stage, authority, "phone.elsewhere.example")
    before, records = stage.cli.status()["sip"], len(stage.daemon.records())
    if outwards:
        inside.dial(f"sip:{PHONE.number}@{PBX.viaduct}")
        record = wait_until(lambda: stage.daemon.records()[records:], 5, "a record")[0]
        assert record["code"] == 503 and [a["peer"] for a in record["attempts"]] == ["phone"]
        assert "sipsess connect" not in outside.log(), "the INVITE has come to it"
    else:
        outside.dial(f"sip:{PBX.number}@{OUR_NAME}")
    wait_until(lambda: stage.cli.status()["sip"]["tls_wrong_name"] == before["tls_wrong_name"] + 1, 5,
               outside.log)
    assert outwards or stage.cli.status()["sip"]["requests_in"] == before["requests_in"]
    assert not stage.cli.live_calls()
    outside.process.kill()  # or it waits for its call


# ---- registered with the provider ----

@pytest.mark.parametrize("outwards", [True, False], ids=["outwards", "inwards"])
def test_registered_baresip_talks_to_baresip_inside(stage, registrar, inside, outwards):
    outside = stage.keep(Baresip(stage.world.external, SUBSCRIBER, PROVIDER.number, OUTSIDE_TONE_HZ,
                                 answer=True, registrar=PROVIDER.address, domain=DOMAIN,
                                 account=f";auth_pass={PASSWORD}"))
    wait_until(lambda: re.search(r"200 OK .*\[\d+ bindings?\]", outside.log()), 5,
               lambda: outside.log() + registrar.log())
    assert f"REGISTER by {PROVIDER.number} from {SUBSCRIBER}" in registrar.log()
    call_is_heard(stage, inside, outside, outwards, f"sip:{PROVIDER.number}@{PBX.viaduct}",
                  f"sip:{PBX.number}@{DOMAIN}")
    assert outwards or f"INVITE by {PROVIDER.number} from {SUBSCRIBER}" in registrar.log()
