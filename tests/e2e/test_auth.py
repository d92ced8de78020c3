# SPDX-License-Identifier: BSD-2-Clause
"""Passwords: registration with a provider (kamailio), calls through it, requests that we challenge.

A daemon of their own. Each test brings about what it needs."""

import os
import re

import pytest

import plan
from baresip import Baresip
from conftest import Stage, running_daemon
from daemon import Daemon
from events import Events
from kamailio import Kamailio, load
from linphone import Linphone
from rtp import wait_until
from scenario import Caller, basic_callee, basic_caller, sdp
from sipp import Sipp, finish

PROVIDER, OTHER_PROVIDER, PBX, PHONE, SOFTPHONE, MODERN = (
    plan.PEERS[name] for name in ("proxy", "trunk", "pbx", "phone", "hq-a", "hq-b"))
SUBSCRIBER = plan.FORK_TARGETS[0]  # behind the provider
ACCOUNT, DOMAIN = "viaduct", "provider.test"
PASSWORD, PHONE_PASSWORD, WRONG = "pAss-for-trunk", "pAss-for-phones", "pAss-not-right"
USERS = f"# phones\n{ACCOUNT}:{PHONE_PASSWORD}\n{MODERN.number}:{PHONE_PASSWORD}\n"
REALM = "phones"
ADVERTISED = "198.51.100.1"  # nobody has it
GRANTED_S = 12  # kamailio's least, more than what is asked for
RETRY_MAX_S, RETRY_AFTER_S = 2, 3
CLOCK_S = 0.05  # between two clocks

KAMAILIO_CONFIG = """
disable_tcp=yes
alias="%(domain)s"
listen=udp:%(address)s:5060
""" + load("tm sl rr pv xlog siputils textops auth usrloc registrar nathelper") + """\
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", %(granted)d)
modparam("auth", "algorithm", "%(algorithm)s")
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
request_route {
	if (is_method("REGISTER")) {
		if (!pv_www_authenticate("%(domain)s", "%(password)s", "0")) {
			www_challenge("%(domain)s", "1");
			exit;
		}
		xlog("L_ERR", "REGISTER of $au from $si: expires $hdr(Expires)\\n");
		if ($ct =~ "%(advertised)s") { fix_nated_contact(); }
		append_to_reply("Service-Route: <sip:%(address)s;lr>\\r\\n");
		save("location");
		exit;
	}
	if (is_method("CANCEL|ACK")) { if (t_check_trans() || loose_route()) { t_relay(); } exit; }
	# As a proxy and the server behind it would, each with a realm of its own.
	if ($si == "192.0.2.1" && is_method("INVITE") && has_totag()) {
		t_newtran(); # whose ACK this one knows
		if (!pv_proxy_authenticate("edge", "%(password)s", "0")) {
			xlog("L_ERR", "re-INVITE is challenged by edge\\n");
			proxy_challenge("edge", "1");
			exit;
		}
		if (!pv_www_authenticate("server", "%(password)s", "0")) {
			xlog("L_ERR", "re-INVITE is challenged by server\\n");
			www_challenge("server", "1");
			exit;
		}
		append_hf("X-Authenticated: $au\\r\\n");
	} else if ($si == "192.0.2.1" && is_method("INVITE|BYE")) {
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
		if ($si == "192.0.2.1") { $du = "sip:%(subscriber)s:5060"; }
		else if (!lookup("location")) { sl_send_reply("404", "Nobody"); exit; }
	}
	t_relay();
}
"""

RELUCTANT_CONFIG = """
disable_tcp=yes
listen=udp:%(address)s:5060
""" + load("sl pv xlog textops usrloc registrar") + """\
request_route {
	xlog("L_ERR", "REGISTER $cs at $TV(Sn)\\n");
	if ($cs < 3) {
		sl_send_reply("500", "Not now");
	} else if ($cs == 3) {
		append_to_reply("Retry-After: %(retry_after)d\\r\\n");
		sl_send_reply("503", "Not now");
	} else {
		save("location");
	}
}
"""


def secret_file(directory, name, text):
    path = os.path.join(directory, name)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    return path


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    directory = tmp_path_factory.mktemp("secrets")
    return {"trunk": secret_file(directory, "trunk", PASSWORD + "\n"),
            "users": secret_file(directory, "users", USERS)}


def rewrite(secrets, name, text):
    secret_file(os.path.dirname(secrets[name]), name, text)


@pytest.fixture(scope="module")
def configuration(secrets, provider):
    """It needs the provider, so that this one is there before the daemon."""
    built = plan.configuration()
    peers = {peer["name"]: peer for peer in built["peers"]}
    peers[PROVIDER.name].update(
        auth={"user": ACCOUNT, "password_file": secrets["trunk"]},
        register={"aor": f"sip:{ACCOUNT}@{DOMAIN}", "expires": 10, "retry": 1, "retry_max": 1})
    # sipp and baresip 1.0 know MD5 alone, and look at the first challenge alone.
    challenge = {"realm": REALM, "users_file": secrets["users"], "algorithms": ["MD5"]}
    peers[PHONE.name]["challenge"] = {**challenge, "methods": ["INVITE", "BYE"]}
    peers[SOFTPHONE.name]["challenge"] = challenge
    peers[MODERN.name]["challenge"] = {**challenge, "algorithms": ["SHA-256", "MD5"]}
    built["routes"].append({"name": "account", "from": PROVIDER.name, "called": ACCOUNT,
                            "to": [PBX.name]})
    return built


def registrar(world, at, algorithm, directory):
    text = KAMAILIO_CONFIG % {"domain": DOMAIN, "address": at.address, "password": PASSWORD,
                              "subscriber": SUBSCRIBER, "granted": GRANTED_S,
                              "advertised": ADVERTISED, "algorithm": algorithm}
    return Kamailio(world.external, text, str(directory), ("udp", at.address, 5060))


@pytest.fixture(scope="module")
def provider(world, tmp_path_factory):
    """Kamailio's log, as a function."""
    server = registrar(world, PROVIDER, "SHA-256", tmp_path_factory.mktemp("kamailio"))
    yield server.log
    server.close()


def peer(stage):
    return stage.cli.peers()[PROVIDER.name]


def wait_registered(stage):
    wait_until(lambda: peer(stage)["registration"] == "registered", 5, lambda: str(peer(stage)))


@pytest.fixture
def registered(stage):
    wait_registered(stage)


@pytest.fixture
def no_other_daemon(daemon):
    """The module's own gives way to that of the test, and is back afterwards."""
    daemon.stop()
    yield
    daemon.start()


@pytest.mark.usefixtures("no_other_daemon")
def test_wrong_password_is_told_and_the_right_one_is_taken_up_by_a_reload(world, configuration, secrets, provider):
    rewrite(secrets, "trunk", WRONG + "\n")
    try:
        with running_daemon(world, configuration) as daemon, Stage(world, daemon) as stage:
            wait_until(lambda: peer(stage)["registration"] == "failed", 5, lambda: str(peer(stage)))
            failed = peer(stage)
            assert failed["registration_why"] == "401, our credentials are refused"
            assert failed["state"] == "down" and "registration_left_ms" not in failed
            with Events(stage) as events:
                rewrite(secrets, "trunk", PASSWORD + "\n")
                stage.cli.text("reload")
                wait_registered(stage)
                events.wait(lambda e: e["kind"] == "register" and f"registered for {GRANTED_S} s" in e["text"])
            status = peer(stage)
            shown = stage.cli.text("peer", PROVIDER.name).stdout
    finally:
        rewrite(secrets, "trunk", PASSWORD + "\n")
    assert 0 < status["registration_left_ms"] <= GRANTED_S * 1000
    assert status["state"] == "up"
    assert re.search(rf"registration +registered, .* left, as sip:{ACCOUNT}@{DOMAIN}", shown)
    assert f"REGISTER of {ACCOUNT} from 192.0.2.1" in provider()


@pytest.mark.usefixtures("registered")
def test_call_out_is_challenged_by_the_provider_alone(stage):
    called = stage.keep(Sipp(stage.world.external, basic_callee(sdp(SUBSCRIBER, 6000)).answer_bye(),
                             SUBSCRIBER))
    calling = stage.caller(basic_caller(sdp(PBX.address, 5000)).bye(), to=PROVIDER.name)
    finish(calling, called)
    for method in ("INVITE", "BYE"):
        [request] = called.received(method)
        assert request.header("x-authenticated") == ACCOUNT, request.text
        assert not [c for c in request.all("proxy-authorization") if f'realm="{DOMAIN}"' in c]
    assert len(called.received("ACK")[0].all("via")) == 2, "the ACK came past the proxy"
    assert not [m for m in calling.received() if m.code in (401, 407) or "uthenticat" in m.text]


@pytest.mark.usefixtures("registered")
def test_reinvite_is_challenged_by_a_proxy_and_by_the_server_behind_it(stage, provider):
    moved = sdp(PBX.address, 5002, version=2)
    callee = basic_callee(sdp(SUBSCRIBER, 6000)).recv("INVITE")
    callee.answer_invite(sdp(SUBSCRIBER, 6000, version=2)).acked()
    called = stage.keep(Sipp(stage.world.external, callee.answer_bye(), SUBSCRIBER))
    caller = basic_caller(sdp(PBX.address, 5000)).request("INVITE", moved).trying().recv(200).ack()
    calling = stage.caller(caller.bye(), to=PROVIDER.name)
    finish(calling, called)
    reinvite = called.received("INVITE")[-1]
    assert len(called.received("INVITE")) == 2 and reinvite.header("x-authenticated") == ACCOUNT
    assert re.findall("re-INVITE is challenged by (.*)", provider()) == ["edge", "server"]
    assert not [m for m in calling.received() if m.code in (401, 407) or "uthenticat" in m.text]


@pytest.mark.usefixtures("registered")
def test_call_in_comes_to_the_registered_contact(stage):
    called = stage.callee(basic_callee(sdp(PBX.address, 6000)).bye(), PBX.name)
    caller = Caller()
    caller.target = f"sip:{ACCOUNT}@[remote_ip]:[remote_port]"
    caller.invite(sdp(SUBSCRIBER, 5000)).trying().recv(180, optional=True).answered().ack()
    calling = stage.keep(Sipp(stage.world.external, caller.answer_bye(), SUBSCRIBER,
                              (PROVIDER.address, 5060), ACCOUNT))
    finish(calling, called)


def challenged_caller(password, user=ACCOUNT):
    """INVITE and BYE, each with the credentials that their 401 asked for."""
    answer = f"[authentication username={user} password={password}]"
    caller = Caller().invite(sdp(PHONE.address, 5000)).trying()
    caller.recv(401, auth="true").ack_failure(caller.target)
    caller.cseq += 1
    return caller.invite(sdp(PHONE.address, 5000), headers=[answer]).trying(), answer


def for_uri(to):
    return ("-auth_uri", f"{plan.PEERS[to].number}@{PHONE.viaduct}:5060")


def test_phone_is_challenged_and_calls_with_the_right_password(stage):
    called = stage.callee(basic_callee(sdp(plan.PEERS["second"].address, 6000)).answer_bye(),
                          "second")
    caller, answer = challenged_caller(PHONE_PASSWORD)
    # sipp has one URI for all that it authenticates: the BYE has it as well.
    caller.recv(180, optional=True).answered().ack().request("BYE").recv(401, auth="true")
    caller.request("BYE", headers=[answer], uri=caller.target).recv(200)
    calling = stage.caller(caller, PHONE.name, to="second", extra=for_uri("second"))
    finish(calling, called)
    [challenge] = calling.received(401, "INVITE")[0].all("www-authenticate")
    assert f'realm="{REALM}"' in challenge and "MD5" in challenge and "stale" not in challenge
    assert "uthori" not in called.received("INVITE")[0].text


@pytest.mark.parametrize("user,password", [(ACCOUNT, WRONG), ("nobody", PHONE_PASSWORD)])
def test_phone_with_wrong_credentials_reaches_nobody(stage, user, password):
    before = stage.cli.status()["sip"]["auth_failures"]
    caller, _ = challenged_caller(password, user)
    calling = stage.caller(caller.recv(401).ack_failure(caller.target), PHONE.name, to="second")
    finish(calling)
    assert stage.cli.status()["sip"]["auth_failures"] == before + 1
    assert not stage.cli.live_calls()


def test_credentials_made_for_another_number_reach_nobody(stage):
    """The password is right: as if somebody in between had put another number in the request."""
    before, records = stage.cli.status()["sip"]["auth_misdirected"], len(stage.daemon.records())
    caller, _ = challenged_caller(PHONE_PASSWORD)
    calling = stage.caller(caller.recv(400).ack_failure(caller.target), PHONE.name, to="second",
                           extra=for_uri("trunk"))
    finish(calling)
    assert stage.cli.status()["sip"]["auth_misdirected"] == before + 1
    assert not stage.cli.live_calls()
    record, = wait_until(lambda: stage.daemon.records()[records:], 3, "the refusal's record")
    assert record["why"] == "credentials for another Request-URI"


def test_baresip_calls_with_its_password(stage):
    second = plan.PEERS["second"]
    called = stage.callee(basic_callee(sdp(second.address, 6000)).answer_bye(), "second")
    phone = stage.keep(Baresip(stage.world.internal, SOFTPHONE.address, SOFTPHONE.number, 400,
                               account=f";auth_user={ACCOUNT};auth_pass={PHONE_PASSWORD}"))
    phone.dial(f"sip:{second.number}@{SOFTPHONE.viaduct}")
    wait_until(lambda: [c["state"] for c in stage.cli.live_calls()] == ["answered"], 5,
               lambda: phone.log())
    phone.hangup()
    finish(called)


LINPHONE_ACCOUNT = f"""\
[auth_info_0]
username={MODERN.number}
passwd={PHONE_PASSWORD}
realm={REALM}
algorithm=SHA-256
available_algorithms=SHA-256
"""


def test_linphone_calls_with_sha_256(stage):
    second = plan.PEERS["second"]
    called = stage.callee(basic_callee(sdp(second.address, 6000)).pause(300).bye(), "second")
    phone = stage.keep(Linphone(stage.world.internal, MODERN.address, MODERN.number, MODERN.viaduct,
                                LINPHONE_ACCOUNT))
    phone.say(f"call sip:{second.number}@{MODERN.viaduct}")
    try:
        called.wait(10)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{phone.log()[-3000:]}") from None


@pytest.mark.usefixtures("registered")
def test_passwords_are_shown_nowhere(stage, secrets):
    """At log level debug, after a registration and a call with credentials, and what the tests before have done."""
    daemon = stage.daemon
    caller, _ = challenged_caller(WRONG)
    finish(stage.caller(caller.recv(401).ack_failure(caller.target), PHONE.name, to="second"))
    told = [daemon.log(), daemon.process.args and str(daemon.process.args)]
    with open(daemon.records_path, encoding="utf-8") as f:
        told.append(f.read())
    assert " debug " in told[0]
    for argv in (("status",), ("peers",), ("peer", PROVIDER.name), ("peer", PHONE.name),
                 ("calls",), ("routes",), ("listeners",)):
        for form in ((), ("--json",)):
            told.append(stage.cli.text(*form, *argv).stdout)
    checked = stage.world.viaduct.run(Daemon.program, "--check", daemon.file)
    told += [checked.stdout, checked.stderr]
    rewrite(secrets, "users", f"{ACCOUNT}{PHONE_PASSWORD}\n")
    try:
        refused = stage.cli.text("reload", check=False)
    finally:
        rewrite(secrets, "users", USERS)
    assert refused.returncode and "USER:PASSWORD" in refused.stderr
    told += [refused.stdout, refused.stderr, daemon.log()]
    for password in (PASSWORD, PHONE_PASSWORD, WRONG):
        assert not [text for text in told if password in text]


@pytest.mark.usefixtures("registered")
def test_registration_is_refreshed_and_taken_back_at_the_end(daemon, provider):
    pattern = re.compile(rf"REGISTER of {ACCOUNT} from 192.0.2.1: expires (\d+)")
    before = len(pattern.findall(provider()))
    wait_until(lambda: len(pattern.findall(provider())) > before, GRANTED_S + 5, "a refresh")
    assert daemon.cli.peers()[PROVIDER.name]["registration"] == "registered"
    daemon.stop()
    try:
        assert pattern.findall(provider())[-1] == "0"
    finally:
        daemon.start()


@pytest.mark.usefixtures("no_other_daemon")
def test_contact_rewritten_by_the_registrar_is_ours_and_tells_of_a_wrong_advertise(
        world, configuration):
    external = configuration["sides"]["external"]
    advertise = [ADVERTISED if address == PROVIDER.viaduct else address
                 for address in external["addresses"]]
    built = {**configuration, "sides": {**configuration["sides"],
                                        "external": {**external, "advertise": advertise}}}
    with running_daemon(world, built) as daemon:
        def shown():
            return daemon.cli.peers()[PROVIDER.name]
        wait_until(lambda: shown()["registration"] == "registered", 5, lambda: str(shown()))
        assert shown()["public_address"] == f"{PROVIDER.viaduct}:5060"
        assert f"sees us at {PROVIDER.viaduct}:5060, our Contact is sip:{ACCOUNT}@{ADVERTISED}" \
            in daemon.log()


def with_other_provider(configuration, **changes):
    """The account is with the other one."""
    peers = [dict(entry) for entry in configuration["peers"]]
    by_name = {entry["name"]: entry for entry in peers}
    auth, register = (by_name[PROVIDER.name].pop(key) for key in ("auth", "register"))
    by_name[OTHER_PROVIDER.name].update(auth=auth, register={**register, **changes})
    return {**configuration, "peers": peers}


def wait_registered_with_other(daemon, timeout):
    def shown():
        return daemon.cli.peers()[OTHER_PROVIDER.name]
    wait_until(lambda: shown()["registration"] == "registered", timeout, lambda: str(shown()))


@pytest.mark.usefixtures("no_other_daemon")
def test_provider_that_knows_md5_alone_registers_us(world, configuration, tmp_path):
    server = registrar(world, OTHER_PROVIDER, "MD5", tmp_path)
    try:
        with running_daemon(world, with_other_provider(configuration)) as daemon:
            wait_registered_with_other(daemon, 5)
            assert f"REGISTER of {ACCOUNT} from {OTHER_PROVIDER.viaduct}" in server.log()
    finally:
        server.close()


@pytest.mark.usefixtures("no_other_daemon")
def test_provider_that_refuses_is_asked_ever_more_slowly_and_when_it_says(world, configuration, tmp_path):
    """Its log has the times: a second try after half a second at least, a third after twice as long, the
    next after what Retry-After says, which is more than retry_max."""
    text = RELUCTANT_CONFIG % {"address": OTHER_PROVIDER.address, "retry_after": RETRY_AFTER_S}
    server = Kamailio(world.external, text, str(tmp_path), ("udp", OTHER_PROVIDER.address, 5060))
    try:
        built = with_other_provider(configuration, retry=1, retry_max=RETRY_MAX_S)
        with running_daemon(world, built) as daemon:
            wait_registered_with_other(daemon, 20)
            assert "not registered: 500" in daemon.log()
    finally:
        server.close()
    first = {}  # time of each, by CSeq; what was sent again has that of the first
    for cseq, when in re.findall(r"REGISTER (\d+) at ([\d.]+)", server.log()):
        first.setdefault(int(cseq), float(when))
    assert list(first)[:4] == [1, 2, 3, 4]
    for cseq, least in ((2, 0.5), (3, 1), (4, RETRY_AFTER_S)):
        assert first[cseq] - first[cseq - 1] > least - CLOCK_S, first
