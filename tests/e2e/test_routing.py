# SPDX-License-Identifier: BSD-2-Clause
"""Numbers and routes on the wire: what the rules make of them, whom a call reaches, what the caller
hears. The daemon has a configuration of its own."""

import pytest

import plan
from scenario import Callee, Caller, basic_callee, escaped, replaces, sdp
from sipp import finish
from transfers import referring, until_bye

PBX, TRUNK, SECOND, PHONE = (plan.PEERS[name] for name in ("pbx", "trunk", "second", "phone"))
WEIGHED_CALLS = 80


def number(digits):
    """Of a caller."""
    class NumberedCaller(Caller):
        from_header = f"From: \"Alice\" <sip:{digits}@[local_ip]:[local_port]>;tag=[pid]a[call_number]"
    return NumberedCaller()


@pytest.fixture(scope="module")
def configuration():
    config = plan.configuration()
    peers = {peer["name"]: peer for peer in config["peers"]
             if peer["name"] in ("pbx", "phone", "trunk", "second", "proxy")}
    config["number_rules"] = [{"name": "german", "rules": [
        {"name": "international", "match": r"00(\d+)", "replace": "+$1"},
        {"name": "national", "match": r"0(\d+)", "replace": "+49$1"}]}]
    peers["pbx"] |= {
        "q850": {"write": True},
        "numbers": {"called_in": [{"match": "7(.*)", "replace": "+" + "1" * 100 + "$1"},
                                  {"use": "german"}],
                    "calling_in": [{"match": r"1(\d{3})", "replace": "+4930555$1"}]}}
    peers["phone"]["usages"] = ["local", "far"]
    peers["trunk"] |= {
        "identity": {"trusted": True, "asserted": "pass", "history": True}, "q850": {"write": True},
        "numbers": {"called_out": [{"match": r"\+(\d+)", "replace": "00$1"}],
                    "calling_out": [{"match": r"\+49(\d+)", "replace": "0$1"}]},
        "codes": [{"code": "500-599", "cause": 34, "to": 480, "reason": "Circuits busy"},
                  {"code": 503, "to": 486}]}
    peers["second"] |= {"numbers": {"remove_plus": True}, "identity": {"trusted": False, "asserted": "pass"}}
    # The PBX once more: by another port of ours it is another trunk, with routes of its own.
    peers["pbx-lone"] = peers["pbx"] | {
        "name": "pbx-lone", "listener": "lone",
        "numbers": {"calling_in": peers["pbx"]["numbers"]["calling_in"]}}
    config["peers"] = list(peers.values())
    config["groups"] = [{"name": "carriers", "members": [{"peer": "trunk", "weight": 3},
                                                         {"peer": "second"}]}]
    config["usages"] = [{"name": "local", "routes": ["city"]}, {"name": "far", "routes": ["rest"]}]
    config["times"] = [{"name": "night", "hours": "22:00-06:00", "zone": "Europe/Berlin"}]
    config["emergency"] = ["112"]
    config["routes"] = [
        {"name": "city", "called": "2.*", "to": ["trunk"]},
        {"name": "rest", "called": ".*", "to": ["second"]},
        {"name": "rescue", "emergency": True, "to": ["phone"]},
        {"name": "night", "from": ["pbx"], "called": r"\+4940.*", "times": "night", "to": ["phone"]},
        {"name": "germany", "from": ["pbx"], "called": r"\+49.*", "to": ["trunk"]},
        {"name": "austria", "called": r"\+43.*", "to": ["second"]},
        {"name": "both", "called": r"\+41.*", "to": ["trunk", "second"]},
        {"name": "shared", "called": r"\+42.*", "to": ["carriers"]},
        {"name": "replaced", "called": r"\+44.*", "to": ["trunk"],
         "caller": {"number": "+4980012", "name": "Example"}},
        {"name": "hidden", "called": r"\+33.*", "to": ["second"], "caller": {"suppress": True}},
        {"name": "hidden-trusted", "called": r"\+34.*", "to": ["trunk"],
         "caller": {"suppress": True}},
        {"name": "transit", "from": "trunk", "called": "3001", "to": ["second"],
         "trunk_to_trunk": True},
        {"name": "fraud", "called": "3.*", "to": ["second"]},
        {"name": "by-port", "from": "pbx", "called": "5.*", "to": ["trunk"]},
        {"name": "by-lone-port", "from": "pbx-lone", "called": "5.*", "to": ["second"]},
        {"name": "to-lone-port", "from": "trunk", "called": "6.*", "to": ["pbx-lone"]},
    ]
    return config


def user_of(header):
    return header.partition("sip:")[2].partition("@")[0]


def refused_invite(stage, called, peer="trunk", frm="pbx", caller=None, headers=(), code=486):
    """The INVITE that reached the peer, and the refusal that reached the caller."""
    callee = stage.callee(Callee().invited().respond(code, headers=headers).acked(), peer)
    calling = stage.caller((caller or Caller()).invite(sdp(plan.PEERS[frm].address, 5000)).trying()
                           .recv(code).ack_failure(Caller.target),
                           frm, number=called)
    finish(calling, callee)
    return callee.expect("INVITE"), calling.expect(code, "INVITE")


def test_rules_of_both_peers_are_seen_on_the_wire(stage):
    caller = number("1001")
    caller.invite(sdp(PBX.address, 5000),
                  headers=["P-Asserted-Identity: <sip:1002@pbx.example>"]).trying().refused(486)
    callee = stage.callee(Callee().invited().respond(486).acked())
    calling = stage.caller(caller, number="0301234")
    finish(calling, callee)
    invite = callee.expect("INVITE")
    assert user_of(invite.first_line) == "0049301234"
    assert user_of(invite.header("to")) == "0049301234"
    assert user_of(invite.header("from")) == "030555001"
    assert user_of(invite.header("p-asserted-identity")) == "030555002"


def test_plus_is_removed(stage):
    invite, _ = refused_invite(stage, "00431", "second", caller=number("1001"))
    assert user_of(invite.first_line) == user_of(invite.header("to")) == "431"
    assert user_of(invite.header("from")) == "4930555001"


def test_rule_that_gives_no_number_refuses_the_call(stage):
    before = stage.cli.status()["calls"]["refused_number"]
    stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(404),
                 number="7" + "1" * 40).wait()
    assert stage.cli.status()["calls"]["refused_number"] == before + 1


def invite_of(stage, called, peer, headers=()):
    """The INVITE that reaches the peer when Alice calls, who asserts her number."""
    caller = number("1001")
    caller.invite(sdp(PBX.address, 5000), headers=[
        "P-Asserted-Identity: \"Alice\" <sip:1001@pbx.example>", *headers])
    callee = stage.callee(Callee().invited().respond(486).acked(), peer)
    finish(stage.caller(caller.trying().refused(486), number=called), callee)
    return callee.expect("INVITE")


def test_caller_is_replaced_by_the_route(stage):
    """The rules for numbers to the trunk apply to the number of the route, too."""
    invite = invite_of(stage, "00441", "trunk")
    assert invite.header("from").startswith('"Example" <sip:080012@')
    assert user_of(invite.header("p-asserted-identity")) == "080012"
    assert "Alice" not in invite.text and "1001" not in invite.text


def test_numbers_of_those_who_diverted_the_call_take_the_rules_too(stage):
    invite = invite_of(stage, "0301", "trunk", ["Diversion: <sip:1002@pbx.example>;reason=away",
                       "History-Info: <sip:1003@pbx.example>;index=1, <sip:0301@pbx.example>;index=1.1"])
    assert user_of(invite.first_line) == "0049301"
    assert [user_of(value) for value in invite.all("diversion")] == ["030555002"]
    assert [user_of(value) for value in invite.all("history-info")] == ["030555003", "0049301"]


def test_caller_is_suppressed_by_the_route(stage):
    invite = invite_of(stage, "00331", "second")
    assert "<sip:anonymous@anonymous.invalid>" in invite.header("from")
    assert invite.header("privacy") == "id"
    assert invite.header("p-asserted-identity") is None
    assert "Alice" not in invite.text and "555001" not in invite.text


def test_trusted_peer_learns_who_is_suppressed_and_that_it_must_not_tell(stage):
    """RFC 3325 7"""
    invite = invite_of(stage, "00341", "trunk")
    assert "<sip:anonymous@anonymous.invalid>" in invite.header("from")
    assert invite.header("privacy") == "id"
    assert user_of(invite.header("p-asserted-identity")) == "030555001"


@pytest.mark.parametrize("called, user, name, privacy", [
    ("00441", "080012", None, None), ("00341", "030555001", "Alice", "id"), ("0301", "030555001", "Alice", None)],
    ids=["replaced", "suppressed", "as it is"])
def test_what_the_route_says_of_the_caller_holds_within_the_call(stage, called, user, name, privacy):
    """In a re-INVITE of the caller, and in its answer to one of the callee."""
    says = ["P-Asserted-Identity: \"Alice\" <sip:1001@pbx.example>"]
    offer, answer = ([sdp(peer.address, port, version=v) for v in (1, 2, 3)]
                     for peer, port in ((PBX, 5000), (TRUNK, 6000)))
    caller = number("1001").invite(offer[0], headers=says).trying().recv(180, optional=True).answered().ack()
    caller.request("INVITE", offer[1], headers=says).recv(100, optional=True).recv(200).ack()
    caller.recv("INVITE").answer_invite(offer[2], headers=says).recv("ACK").bye()
    callee = basic_callee(answer[0], ringing=False).recv("INVITE").answer_invite(answer[1]).acked()
    callee.request("INVITE", answer[2]).recv(100, optional=True).recv(200).ack().answer_bye()
    agent = stage.callee(callee)
    finish(stage.caller(caller, number=called), agent)
    for message in [*agent.received("INVITE")[:2], agent.received(200, "INVITE")[0]]:
        asserted = message.header("p-asserted-identity")
        assert user_of(asserted) == user and message.header("privacy") == privacy, message.text
        assert asserted.startswith(f'"{name}" <' if name else "<")


@pytest.mark.parametrize("called, shown, privacy", [
    ("00441", '"Example" <sip:4980012@', None), ("00341", "<sip:anonymous@anonymous.invalid>", "id"),
    ("0301", '"Alice" <sip:4930555001@', None)], ids=["replaced", "suppressed", "as it is"])
def test_whom_the_callee_transfers_to_learns_no_more_of_the_caller_than_it_did(stage, called, shown, privacy):
    target = stage.callee(Callee().invited().respond(486).acked(), "second")
    callee = basic_callee(sdp(TRUNK.address, 6000), ringing=False)
    callee.request("REFER", headers=[f"Refer-To: <sip:3001@{TRUNK.viaduct}>", "Contact: <sip:callee@[local_ip]>"])
    callee.recv(202)
    for _ in range(2):  # 100, 486
        callee.recv("NOTIFY").reply(200)
    caller = number("1001").invite(sdp(PBX.address, 5000)).trying().recv(180, optional=True).answered().ack()
    referring = stage.callee(callee.bye())
    finish(stage.caller(caller.answer_bye(), number=called), referring, target)
    invite = target.expect("INVITE")
    assert shown in invite.header("from") and invite.header("privacy") == privacy, invite.text
    if called != "0301":
        assert "Alice" not in invite.text and "1001" not in invite.text and "555001" not in invite.text


@pytest.mark.parametrize("called, asserted, dies", [
    ("00441", [], False), ("00441", [], True), ("00341", [], False), ("0301", ["4930555001"], False)],
    ids=["replaced", "replaced, and the daemon dies", "suppressed", "as it is"])
def test_a_caller_replaced_or_suppressed_stays_so_in_the_call_that_it_is_transferred_to(
        stage, called, asserted, dies):
    """The callee asks the target first, and joins the two; the caller changes its media then."""
    says = ["P-Asserted-Identity: \"Alice\" <sip:1001@pbx.example>"]
    offer, answer = ([sdp(peer.address, port, version=v) for v in (1, 2, 3)]
                     for peer, port in ((PBX, 5000), (SECOND, 6000)))
    target = Callee().invited().answer(answer[0]).acked()
    for again in answer[1:]:
        target.recv("INVITE").answer_invite(again).recv("ACK")
    target = stage.callee(target.answer_bye(), "second")
    consulting = stage.caller(Caller().invite(sdp(TRUNK.address, 6100)).trying().answered().ack().answer_bye(),
                              "trunk", number="3001", port=5062)
    named = escaped(replaces(consulting.expect(200, "INVITE")))
    callee = referring(basic_callee(sdp(TRUNK.address, 6000), ringing=False),
                       f"Refer-To: <sip:3001@{TRUNK.viaduct}?Replaces={named}>")
    referring_one = stage.callee(until_bye(callee))
    caller = number("1001").invite(offer[0], headers=says).trying().recv(180, optional=True).answered().ack()
    caller.recv("INVITE").answer_invite(offer[1]).recv("ACK").hold()
    caller.request("INVITE", offer[2], headers=says).recv(100, optional=True).recv(200).ack().bye()
    calling = stage.caller(caller, number=called)
    referring_one.expect("ACK")
    referring_one.go()
    finish(consulting, referring_one)
    if dies:
        stage.daemon.kill()
        stage.daemon.start()
    calling.go()
    finish(calling, target)
    changed = target.received("INVITE")[2]
    assert [user_of(value) for value in changed.all("p-asserted-identity")] == asserted, changed.text


def test_number_that_the_callee_asserts_takes_the_rules_too(stage):
    says = ["P-Asserted-Identity: \"Bob\" <sip:1002@pbx.example>"]
    callee = Callee().invited().answer(sdp(PBX.address, 5000), headers=says).acked().answer_bye()
    called = stage.callee(callee, "pbx")
    wire = sdp(TRUNK.address, 6000)
    calling = stage.caller(Caller().invite(wire).trying().answered().ack().bye(), "trunk", number="6001")
    finish(calling, called)
    assert user_of(calling.received(200, "INVITE")[0].header("p-asserted-identity")) == "030555002"


def test_group_shares_calls_by_weight(stage):
    agents = [stage.callee(Callee().invited().respond(486).acked(), peer, calls=10000)
              for peer in ("trunk", "second")]
    stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(486), number="00421",
                 calls=WEIGHED_CALLS, rate=80).wait()
    counts = [len({m.header("call-id") for m in agent.received("INVITE")}) for agent in agents]
    assert sum(counts) == WEIGHED_CALLS
    # Three quarters, within five standard deviations.
    assert WEIGHED_CALLS * 3 / 4 - 20 < counts[0] < WEIGHED_CALLS * 3 / 4 + 20, counts


def test_later_usage_takes_over(stage):
    first = stage.callee(Callee().invited().respond(503).acked())
    then = stage.callee(basic_callee(sdp(SECOND.address, 6000)).answer_bye(), "second")
    caller = (Caller().invite(sdp(PHONE.address, 5000)).trying().recv(180, optional=True)
              .answered().ack().bye())
    finish(stage.caller(caller, "phone", number="222"), first, then)
    assert user_of(then.expect("INVITE").first_line) == "222"


def test_refusal_is_translated_by_code_and_cause(stage):
    callee = stage.callee(Callee().invited().respond(
        500, headers=['Reason: Q.850;cause=34;text="No circuit"']).acked())
    calling = stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(480),
                           number="0301")
    finish(calling, callee)
    refusal = calling.expect(480, "INVITE")
    assert refusal.first_line == "SIP/2.0 480 Circuits busy"
    assert refusal.all("reason") == ['Q.850;cause=34;text="No circuit"']


def test_refusal_without_a_cause_gets_that_of_its_code(stage):
    _, refusal = refused_invite(stage, "0301", code=404)
    assert refusal.header("reason") == "Q.850;cause=1"


def test_next_peer_is_tried_by_the_code_as_it_came(stage):
    """503 of the trunk would be 486 for the caller."""
    first = stage.callee(Callee().invited().respond(503).acked())
    then = stage.callee(Callee().invited().respond(404).acked(), "second")
    finish(stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(404),
                        number="00411"), first, then)


def test_bye_and_cancel_carry_a_cause(stage):
    called = stage.callee(basic_callee(sdp(TRUNK.address, 6000)).answer_bye())
    caller = (Caller().invite(sdp(PBX.address, 5000)).trying().recv(180, optional=True)
              .answered().ack().bye())
    finish(stage.caller(caller, number="0301"), called)
    assert called.expect("BYE").header("reason") == "Q.850;cause=16"
    called = stage.callee(Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487)
                          .acked(), port=5060)
    finish(stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().recv(180).cancel()
                        .cancelled(), number="0301"), called)
    assert called.expect("CANCEL").header("reason") == "Q.850;cause=16"


def test_trunk_reaches_trunk_by_name_alone(stage):
    offer = sdp(TRUNK.address, 5000)
    stage.caller(Caller().invite(offer).trying().refused(403), "trunk", number="3002",
                 port=5070).wait()
    invite, _ = refused_invite(stage, "3001", "second", "trunk")
    assert user_of(invite.first_line) == "3001"


def test_two_trunks_to_one_peer_are_told_apart_by_our_port(stage):
    for port, reached in ((plan.SIP_PORT, "trunk"), (plan.LONE_PORT, "second")):
        callee = stage.callee(Callee().invited().respond(486).acked(), reached)
        wire, branch = stage.wire("pbx", remote_port=port), f"z9hG4bKport{port}"
        answer = wire.ask("INVITE", user="500", branch=branch, body=sdp(PBX.address, 5000),
                          headers=["Content-Type: application/sdp"])
        assert answer.code == 486
        wire.send(wire.request("ACK", user="500", branch=branch, to=answer.header("to")))
        callee.wait()
    # And we call it by that port.
    invite, _ = refused_invite(stage, "600", "pbx", "trunk")
    assert f"{PBX.viaduct}:{plan.LONE_PORT};" in invite.header("via")
    assert f"{PBX.viaduct}:{plan.LONE_PORT}" in invite.header("contact")


def test_emergency_calls_take_their_own_route(stage):
    callee = stage.callee(Callee().invited().respond(486).acked(), "phone")
    finish(stage.caller(Caller().invite(sdp(PBX.address, 5000)).trying().refused(486),
                        number="112"), callee)


@pytest.mark.parametrize("called, peer", [("0301234", "trunk"), ("00431", "second"),
                                          ("00441", "trunk"), ("112", "phone")])
def test_routes_test_tells_what_a_call_does(stage, called, peer):
    told = stage.cli.json("routes", "test", "pbx", "1001", called)
    assert told["verdict"] == "found" and told["to"][0] == peer
    invite, _ = refused_invite(stage, called, peer, caller=number("1001"))
    assert user_of(invite.first_line) == told["candidates"][0]["called"]
    assert user_of(invite.header("from")) == told["candidates"][0]["calling"]


def test_routes_test_at_a_given_time(stage):
    def peers(at):
        return stage.cli.json("routes", "test", "pbx", "0401", "--at", at)["to"]
    assert peers("2026-12-24 12:00Z") == ["trunk"]
    assert peers("2026-12-24 22:30Z") == ["phone"]


@pytest.mark.parametrize("day", ["2026-02-29", "2026-04-31"])
@pytest.mark.parametrize("zone", ["", "Z"])
def test_routes_test_at_a_day_that_there_is_not_is_refused(stage, day, zone):
    done = stage.cli.text("routes", "test", "--at", f"{day} 12:00{zone}", "pbx", "0401", check=False)
    assert done.returncode == 2 and f"{day} 12:00{zone} is no time" in done.stderr, done


def test_routes_test_tells_each_step(stage):
    text = stage.cli.text("routes", "test", "phone", "222").stdout
    for line in ("usage local: 1 route", "usage far: 1 route", "found: try trunk",
                 "then: try second"):
        assert line in text, text
    text = stage.cli.text("routes", "test", "pbx", "00421").stdout
    assert 'called_in[1] "international"' in text and "by chance in a call" in text, text
    done = stage.cli.text("routes", "test", "pbx", "7" + "1" * 40, check=False)
    assert done.returncode == 1 and "refused: a number rule gives no number" in done.stdout


def test_routes_are_listed_with_all_that_decides(stage):
    routes = {route["name"]: route for route in stage.cli.json("routes")["routes"]}
    assert routes["night"]["times"] == ["night"] and routes["night"]["from"] == "pbx"
    assert routes["city"]["in_usage"] and routes["city"]["on_failure"] == "next"
    assert routes["rescue"]["emergency"] and routes["hidden"]["caller_suppress"]
    assert routes["replaced"]["caller_number"] == "+4980012"
    assert routes["shared"]["to"] == ["carriers"]
