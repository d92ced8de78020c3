# SPDX-License-Identifier: BSD-2-Clause
"""A provider (kamailio) that is reached over TLS and wants an account: its registrar, its calls and ours."""

import pytest

import plan
import proxy
from conftest import Stage
from kamailio import Kamailio, load
from rtp import wait_until
from scenario import Caller, basic_callee, basic_caller, sdp
from sipp import Sipp, finish

TLS_PORT = proxy.PORTS["tls"]
PROVIDER, SUBSCRIBER = "192.0.2.9", plan.FORK_TARGETS[0]
PROVIDER_NAME, OUR_NAME, DOMAIN = "sip.itsp.example", "sbc.example.com", "itsp.example"
PBX = plan.PEERS["pbx"]
VIA = plan.VIADUCT["external", 4]
ACCOUNT, PASSWORD = "acc123", "pAss-over-tls"

TEXT = """
tcp_children=1
enable_tls=yes
listen=udp:%(address)s:5060
listen=tls:%(address)s:5061
tcp_connection_lifetime=3605
""" + load("tm sl rr pv xlog siputils textops auth usrloc registrar nathelper tls") + """\
modparam("tls", "config", "%(tls)s")
modparam("rr", "enable_double_rr", 1)
modparam("usrloc", "db_mode", 0)
modparam("auth", "algorithm", "SHA-256")
modparam("auth", "qop", "auth")
modparam("registrar|nathelper", "received_avp", "$avp(received)")
request_route {
	if (is_method("OPTIONS") && uri == myself) { sl_send_reply("200", "OK"); exit; }
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("%(domain)s", "%(password)s", "0")) {
			www_challenge("%(domain)s", "1");
			exit;
		}
		xlog("L_ERR", "REGISTER of $au over $pr\\n");
		fix_nated_register();
		force_tcp_alias(); # what goes to our port goes over this connection (RFC 5923)
		save("location");
		exit;
	}
	if (is_method("CANCEL|ACK")) { if (t_check_trans() || loose_route()) { route(RELAY); } exit; }
	if ($pr == "tls" && is_method("INVITE|BYE")) {
		if (!pv_proxy_authenticate("%(domain)s", "%(password)s", "0")) {
			proxy_challenge("%(domain)s", "1");
			exit;
		}
		consume_credentials();
		append_hf("X-Authenticated: $au\\r\\n");
	}
	loose_route();
	if (!has_totag()) {
		record_route();
		if ($pr == "tls") { $du = "sip:%(subscriber)s:5060"; }
		else if (!lookup("location")) { sl_send_reply("404", "Nobody"); exit; }
	}
	route(RELAY);
}
route[RELAY] {
	# There is no DNS here.
	if (has_totag() && $rd == "%(name)s") { $du = "sip:%(viaduct)s:5061;transport=tls"; }
	t_relay();
}
"""


@pytest.fixture(scope="module")
def configuration(authority, tmp_path_factory):
    ours = authority.issue("account", [f"DNS:{OUR_NAME}"])
    password = tmp_path_factory.mktemp("account") / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    base, tls = plan.configuration(), "external-tls"
    return {**base,
            "tls": [{"name": "itsp", "certificate": ours.certificate, "key": ours.key,
                     "ca": authority.file, "fqdn": OUR_NAME, "verify": "server"}],
            "listeners": [*base["listeners"],
                          {"name": tls, "side": "external", "transport": "tls", "address": VIA, "tls": "itsp"}],
            "peers": [{"name": "pbx", "kind": "direct", "listener": PBX.listener, "address": f"{PBX.address}:5060"},
                      {"name": "itsp", "kind": "trunk", "listener": tls, "address": PROVIDER,
                       "certificate_names": [PROVIDER_NAME],
                       "register": {"aor": f"sip:{ACCOUNT}@{DOMAIN}", "retry": 1, "retry_max": 1},
                       "auth": {"user": ACCOUNT, "password_file": str(password)}}],
            "routes": [{"name": "in", "from": ["itsp"], "called": ACCOUNT, "to": ["pbx"]},
                       {"name": "out", "from": ["pbx"], "to": ["itsp"]}]}


@pytest.fixture(scope="module")
def provider(world, authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kamailio")
    shown = authority.issue("provider", [f"DNS:{PROVIDER_NAME}"])
    (folder / "tls.cfg").write_text(proxy.TLS.format(key=shown.key, certificate=shown.certificate,
                                                     ca=authority.file))
    text = TEXT % {"address": PROVIDER, "tls": folder / "tls.cfg", "domain": DOMAIN, "password": PASSWORD,
                   "subscriber": SUBSCRIBER, "viaduct": VIA, "name": OUR_NAME}
    server = Kamailio(world.external, text, str(folder), ("tls", PROVIDER, TLS_PORT))
    yield server.log
    server.close()


@pytest.fixture
def stage(world, daemon, provider):
    with Stage(world, daemon) as stage:
        wait_until(lambda: stage.cli.peers()["itsp"].get("registration") == "registered", 8,
                   lambda: f"{stage.cli.peers()['itsp']} {provider()}")
        yield stage
        stage.quiet()


def test_call_out_is_challenged_over_the_connection_that_registered(stage, provider):
    opened = stage.cli.status()["sip"]["tls_connected"]
    called = stage.keep(Sipp(stage.world.external, basic_callee(sdp(SUBSCRIBER, 6000)).answer_bye(), SUBSCRIBER))
    calling = stage.caller(basic_caller(sdp(PBX.address, 5000)).bye(), number="+498912345")
    finish(calling, called)
    for method in ("INVITE", "BYE"):
        assert called.received(method)[0].header("x-authenticated") == ACCOUNT
    assert f"REGISTER of {ACCOUNT} over tls" in provider()
    assert stage.cli.status()["sip"]["tls_connected"] == opened
    assert not [m for m in calling.received() if m.code in (401, 407)]


def test_call_in_comes_over_the_connection_that_registered(stage):
    before = stage.cli.status()["sip"]
    called = stage.callee(basic_callee(sdp(PBX.address, 6000)).bye(), PBX.name)
    caller = Caller()
    caller.target = f"sip:{ACCOUNT}@{DOMAIN}"
    caller.invite(sdp(SUBSCRIBER, 5000)).trying().recv(180, optional=True).answered().ack()
    calling = stage.keep(Sipp(stage.world.external, caller.answer_bye(), SUBSCRIBER, (PROVIDER, 5060), ACCOUNT))
    finish(calling, called)
    after = stage.cli.status()["sip"]
    assert [after[key] - before[key] for key in ("tls_connected", "tls_accepted")] == [0, 0]
