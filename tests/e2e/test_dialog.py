# SPDX-License-Identifier: BSD-2-Clause
"""What happens inside a call: early media, forking, hold, UPDATE, PRACK, INFO, glare."""

import re

import pytest

import plan
from kamailio import Kamailio, load
from rtp import Stream
from scenario import Callee, Caller, basic_callee, basic_caller, confirm, sdp
from sipp import finish

PBX, TRUNK = "10.10.0.2", "192.0.2.2"
OFFER, ANSWER = sdp(PBX, 5000), sdp(TRUNK, 6000)


def run_call(stage, caller, callee, to="trunk"):
    called = stage.callee(callee, to)
    calling = stage.caller(caller, to=to)
    finish(calling, called)
    return calling, called


def media_passes(stage, sniffer, sender, to, receiver, count=20):
    """RTP sent from an endpoint to an address of Viaduct's reaches the other endpoint as it was."""
    stream = Stream()
    mark = sniffer.mark()
    sender.send_stream(stream, to, count)
    got = sniffer.wait_received((receiver.address, receiver.port), count, since=mark)
    assert all(d.ok for d in got)
    assert [d.payload for d in got] == stream.sent


def test_early_media_flows_both_ways_before_the_answer(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    inside, outside = stage.sniffer("internal"), stage.sniffer("external")
    answer = sdp(TRUNK, b.port)
    callee = Callee().invited().respond(183, answer).hold().answer(answer).acked().answer_bye()
    caller = (Caller().invite(sdp(PBX, a.port)).trying().recv(183).answered().ack().bye())
    called = stage.callee(callee)
    calling = stage.caller(caller)
    to_a = calling.expect(183).media()
    to_b = called.expect("INVITE").media()
    media_passes(stage, outside, a, to_a, b)
    media_passes(stage, inside, b, to_b, a)
    assert not calling.received(200)
    called.go()
    finish(calling, called)


def test_early_media_then_ringing_without_sdp(stage):
    caller = (Caller().invite(OFFER).trying().recv(183).recv(180).answered().ack().bye())
    callee = (Callee().invited().respond(183, ANSWER).respond(180).answer(ANSWER).acked()
              .answer_bye())
    calling, _ = run_call(stage, caller, callee)
    assert calling.received(180)[0].body == ""


def test_forked_early_dialogs_stay_apart_and_the_one_that_answers_wins(stage):
    """One callee answers as a forking proxy would: two early dialogs, then 2xx of the second."""
    caller = (Caller().invite(OFFER).trying().recv(180).recv(183).answered().ack().bye())
    callee = Callee().invited()
    callee.respond(180, tag="first").respond(183, ANSWER, tag=callee.tag)
    calling, called = run_call(stage, caller, callee.answer(ANSWER).acked().answer_bye())
    tag = lambda m: re.search("tag=(.*)", m.header("to")).group(1)
    ringing, early, ok = (calling.received(code, "INVITE")[0] for code in (180, 183, 200))
    assert tag(ringing) != tag(early) == tag(ok)


KAMAILIO_CONFIG = """\
listen=udp:192.0.2.9:5060
""" + load("tm sl rr pv siputils textops corex") + """\
request_route {
	if (has_totag()) {
		if (loose_route()) { t_relay(); exit; }
		if (is_method("ACK")) { if (t_check_trans()) { t_relay(); } exit; }
		sl_send_reply("404", "Not here");
		exit;
	}
	if (is_method("CANCEL")) { if (t_check_trans()) { t_relay(); } exit; }
	if (is_method("INVITE")) { record_route(); }
	$ru = "sip:callee@192.0.2.11:5060";
	append_branch("sip:callee@192.0.2.12:5060");
	t_relay();
}
"""


@pytest.fixture
def forking_proxy(stage, tmp_path):
    """Kamailio: record-routes, and forks to two callees."""
    server = Kamailio(stage.world.external, KAMAILIO_CONFIG, str(tmp_path),
                      ("udp", plan.PEERS["proxy"].address, 5060))
    yield
    server.close()


def test_call_through_a_record_routing_forking_proxy(stage, forking_proxy):
    """Two early dialogs at once, the second answers, the first is cancelled by the proxy; every
    later request follows the recorded route both ways."""
    first = stage.callee(Callee("a").invited().respond(180).recv("CANCEL").reply(200)
                         .respond(487).acked(), "proxy", plan.FORK_TARGETS[0])
    callee = Callee("b").invited().respond(183, sdp(plan.FORK_TARGETS[1], 6000)).pause(300)
    callee.answer(sdp(plan.FORK_TARGETS[1], 6000)).acked()
    # Which provisional comes first is the proxy's affair.
    caller = (Caller().invite(OFFER).trying().recv(180, optional=True).recv(183, optional=True)
              .answered().ack())
    confirm(caller, callee)
    callee.request("INFO", headers=["X-From: callee"]).recv(200).answer_bye()
    second = stage.callee(callee, "proxy", plan.FORK_TARGETS[1])
    caller.recv("INFO").reply(200).bye()
    calling = stage.caller(caller, to="proxy")
    calling.wait()
    second.wait()
    first.wait()
    assert calling.received(180) and calling.received(183)
    for method in ("ACK", "BYE"):
        assert len(second.received(method)[0].all("via")) == 2, f"{method} came past the proxy"


@pytest.mark.parametrize("by", ["caller", "callee"])
@pytest.mark.parametrize("form", ["sendonly", "inactive", "c=0.0.0.0"])
def test_hold_and_resume(stage, form, by):
    def held(address, port):
        if form == "c=0.0.0.0":
            return sdp(address, port, version=2, connection="0.0.0.0")
        return sdp(address, port, version=2, direction=form)
    caller, callee = basic_caller(OFFER), basic_callee(ANSWER)
    asking, answering = (caller, callee) if by == "caller" else (callee, caller)
    theirs, ours = ((PBX, 5000), (TRUNK, 6000)) if by == "caller" else ((TRUNK, 6000), (PBX, 5000))
    confirm(caller, callee)
    asking.request("INVITE", held(*theirs)).recv(100, optional=True).recv(200).ack()
    asking.request("INVITE", sdp(*theirs, version=3)).recv(100, optional=True).recv(200).ack()
    agreed = {"sendonly": "recvonly", "inactive": "inactive"}.get(form)
    for direction in (agreed, None):
        answering.recv("INVITE").answer_invite(sdp(*ours, direction=direction, version=2))
        answering.recv("ACK")
    caller.bye()
    callee.answer_bye()
    calling, called = run_call(stage, caller, callee)
    hearing = called if by == "caller" else calling
    invites = hearing.received("INVITE")
    hold, resume = invites[-2:]
    if form == "c=0.0.0.0":
        assert re.search(r"c=IN IP4 0\.0\.0\.0|a=(sendonly|inactive)", hold.body), hold.body
    else:
        assert f"a={form}" in hold.body
    assert not re.search(r"0\.0\.0\.0|a=(sendonly|recvonly|inactive)", resume.body)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_change_of_media_address_is_followed(stage, method):
    a, moved, b = stage.endpoint("pbx"), stage.endpoint("phone"), stage.endpoint("trunk")
    inside, outside = stage.sniffer("internal"), stage.sniffer("external")
    caller = basic_caller(sdp(PBX, a.port), hold=True)
    caller.request(method, sdp(moved.address, moved.port, version=2)).recv(100, optional=True)
    caller.recv(200)
    callee = basic_callee(sdp(TRUNK, b.port)).recv(method)
    callee.answer_invite(sdp(TRUNK, b.port, version=2))
    if method == "INVITE":
        caller.ack()
        callee.recv("ACK")
    called = stage.callee(callee.answer_bye())
    calling = stage.caller(caller.hold().bye())
    called.expect("ACK")
    to_a, to_b = calling.expect(200, "INVITE").media(), called.expect("INVITE").media()
    media_passes(stage, inside, b, to_b, a)
    calling.go()
    offer = called.expect(method, count=2 if method == "INVITE" else 1)
    answer = calling.expect(200, method, count=2 if method == "INVITE" else 1)
    assert offer.media() == to_b and answer.media() == to_a, "our own addresses stay"
    if method == "INVITE":
        called.expect("ACK", count=2)
    media_passes(stage, inside, b, to_b, moved)
    media_passes(stage, outside, moved, to_a, b)
    calling.go()
    finish(calling, called)


def test_reinvite_without_sdp_is_a_delayed_offer(stage):
    caller = basic_caller(OFFER).request("INVITE").recv(100, optional=True).recv(200)
    caller.ack(sdp(PBX, 5000, version=2)).bye()
    callee = basic_callee(ANSWER).recv("INVITE").answer_invite(sdp(TRUNK, 6000, version=2))
    callee.recv("ACK").answer_bye()
    _, called = run_call(stage, caller, callee)
    assert called.received("INVITE")[1].body == ""
    assert called.received("ACK")[1].media()[0] == "192.0.2.1"


def test_refused_reinvite_leaves_the_call_as_it_was(stage):
    a, b = stage.endpoint("pbx"), stage.endpoint("trunk")
    inside = stage.sniffer("internal")
    caller = basic_caller(sdp(PBX, a.port))
    caller.request("INVITE", sdp("10.10.0.3", 7000, version=2)).recv(100, optional=True)
    caller.recv(488).ack_failure().hold().bye()
    callee = basic_callee(sdp(TRUNK, b.port)).recv("INVITE").reply(488).recv("ACK").answer_bye()
    called = stage.callee(callee)
    calling = stage.caller(caller)
    calling.expect(488)
    media_passes(stage, inside, b, called.expect("INVITE").media(), a)
    calling.go()
    finish(calling, called)


def test_added_video_and_its_removal(stage):
    video = ["m=video {} RTP/AVP 96", "a=rtpmap:96 VP8/90000", "a=fmtp:96 max-fr=30"]
    with_video = lambda address, port, video_port, version: sdp(
        address, port, version=version, more=[video[0].format(video_port), *video[1:]])
    caller = basic_caller(OFFER)
    callee = basic_callee(ANSWER)
    for version, theirs, ours in ((2, 5002, 6002), (3, 0, 0)):
        caller.request("INVITE", with_video(PBX, 5000, theirs, version)).recv(100, optional=True)
        caller.recv(200).ack()
        callee.recv("INVITE").answer_invite(with_video(TRUNK, 6000, ours, version)).recv("ACK")
    calling, called = run_call(stage, caller.bye(), callee.answer_bye())
    added, removed = called.received("INVITE")[1:]
    assert added.media(1)[1] not in (0, added.media(0)[1]) and "a=fmtp:96 max-fr=30" in added.body
    assert removed.media(1)[1] == 0
    assert calling.received(200, "INVITE")[2].media(1)[1] == 0


# RFC 3261 14.2: one INVITE at a time in a dialog.
@pytest.mark.parametrize("by", ["callee", "caller"])
def test_glare_is_491(stage, by):
    """The side that was just sent a re-INVITE sends one itself before it answers."""
    caller, callee = basic_caller(OFFER), basic_callee(ANSWER)
    first, second = (caller, callee) if by == "callee" else (callee, caller)
    ours, theirs = ((PBX, 5000), (TRUNK, 6000)) if by == "callee" else ((TRUNK, 6000), (PBX, 5000))
    confirm(caller, callee)
    first.request("INVITE", sdp(*ours, version=2)).recv(100, optional=True).recv(200).ack()
    second.recv("INVITE", save=[("via2", "Via"), ("cseq2", "CSeq"), ("from2", "From"),
                                ("to2", "To")])
    second.request("INVITE", sdp(*theirs, version=2)).recv(100, optional=True).recv(491)
    second.ack_failure()
    second.send(["SIP/2.0 200 OK", "Via:[$via2]", "From:[$from2]", "To:[$to2]",
                 "Call-ID: [call_id]", "CSeq:[$cseq2]", second.contact],
                sdp(*theirs, version=3), retrans=500)
    second.recv("ACK")
    caller.bye()
    callee.answer_bye()
    run_call(stage, caller, callee)


def test_491_of_the_other_side_is_passed_on(stage):
    caller = basic_caller(OFFER).request("INVITE", sdp(PBX, 5000, version=2))
    caller.recv(100, optional=True).recv(491).ack_failure().bye()
    callee = basic_callee(ANSWER).recv("INVITE").reply(491).recv("ACK").answer_bye()
    run_call(stage, caller, callee)


# RFC 3262
def test_reliable_provisional_is_acknowledged_end_to_end(stage):
    caller = Caller().invite(OFFER, headers=["Supported: 100rel"]).trying()
    caller.recv(183, save=[("remote", "To"), ("rseq", "RSeq")], rrs="true")
    caller.request("PRACK", headers=[f"RAck:[$rseq] {caller.first_cseq} INVITE"]).recv(200)
    caller.answered().ack(cseq=1).bye()
    callee = Callee().invited()
    callee.respond(183, ANSWER, headers=["Require: 100rel", "RSeq: 4711"], retrans=500)
    callee.recv("PRACK").reply(200).answer(ANSWER).acked().answer_bye()
    calling, called = run_call(stage, caller, callee)
    provisional = calling.received(183)[0]
    assert "100rel" in provisional.header("require") and provisional.header("rseq")
    invite_cseq = called.received("INVITE")[0].header("cseq").split()[0]
    assert called.received("PRACK")[0].header("rack") == f"4711 {invite_cseq} INVITE"


def test_offer_in_update_before_the_answer(stage):
    caller = Caller().invite(OFFER, headers=["Supported: 100rel"]).trying()
    caller.recv(183, save=[("remote", "To"), ("rseq", "RSeq")], rrs="true")
    caller.request("PRACK", headers=["RAck:[$rseq] 1 INVITE"]).recv(200)
    caller.request("UPDATE", sdp(PBX, 5000, version=2)).recv(200)
    caller.answered().ack(cseq=1).bye()
    callee = Callee().invited()
    callee.respond(183, ANSWER, headers=["Require: 100rel", "RSeq: 1"], retrans=500)
    callee.recv("PRACK").reply(200).recv("UPDATE").answer_invite(sdp(TRUNK, 6000, version=2))
    callee.answer().acked().answer_bye()
    calling, called = run_call(stage, caller, callee)
    assert called.received("UPDATE")[0].media()[0] == "192.0.2.1"
    assert calling.received(200, "UPDATE")[0].media()[0] == "10.10.0.1"


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_info_with_its_body_passes(stage, by):
    body = "Signal=5\r\nDuration=160\r\n"
    caller, callee = basic_caller(OFFER), basic_callee(ANSWER)
    confirm(caller, callee)
    asking, answering = (caller, callee) if by == "caller" else (callee, caller)
    asking.request("INFO", body, content_type="application/dtmf-relay").recv(200)
    answering.recv("INFO").reply(200)
    calling, called = run_call(stage, caller.bye(), callee.answer_bye())
    info = (called if by == "caller" else calling).received("INFO")[-1]
    assert info.body.split() == body.split()
    assert info.header("content-type") == "application/dtmf-relay"


def test_error_to_info_passes_and_the_call_goes_on(stage):
    caller = basic_caller(OFFER).request("INFO").recv(415).bye()
    callee = basic_callee(ANSWER).recv("INFO").reply(415).answer_bye()
    run_call(stage, caller, callee)


def test_transfer_is_refused_where_the_peer_may_not_and_the_call_goes_on(stage):
    informed = plan.PEERS["informed"]
    caller, callee = basic_caller(OFFER), basic_callee(sdp(informed.address, 6000))
    confirm(caller, callee)
    caller.recv("INFO").reply(200).bye()
    callee.request("REFER", headers=["Refer-To: <sip:2002@192.0.2.1>"])
    callee.recv(405).request("INFO").recv(200).answer_bye()
    run_call(stage, caller, callee, to="informed")


def test_requests_count_up_on_each_leg(stage):
    caller = basic_caller(OFFER).request("INFO").recv(200).request("INFO").recv(200).bye()
    callee = basic_callee(ANSWER).recv("INFO").reply(200).recv("INFO").reply(200).answer_bye()
    _, called = run_call(stage, caller, callee)
    numbers = [int(m.header("cseq").split()[0]) for m in called.received()
               if not m.is_response and m.method != "ACK"]
    assert numbers == sorted(set(numbers))


@pytest.fixture
def short_change(stage):
    """timers.reinvite is a second for the calls that begin meanwhile."""
    changed = plan.configuration(stage.daemon.instance)
    changed["timers"]["reinvite"] = 1
    for config in (changed, plan.configuration(stage.daemon.instance)):
        stage.daemon.write(config)
        stage.cli.text("reload")
        if config is changed:
            yield


@pytest.mark.usefixtures("short_change")
def test_a_change_that_is_never_decided_is_given_up_and_the_call_goes_on(stage):
    """The other end says that it rings, and says no more."""
    a, b, elsewhere = stage.endpoint(), stage.endpoint("trunk"), stage.endpoint()
    callee = Callee().invited().answer(sdp(TRUNK, b.port)).acked()
    callee.recv("INVITE", save=[("change_via", "Via"), ("change", "CSeq")]).reply(180)
    callee.recv("CANCEL").reply(200)
    callee.send(["SIP/2.0 487 x", "Via:[$change_via]", "[last_From:]", "[last_To:]",
                 "[last_Call-ID:]", "CSeq:[$change]"]).recv("ACK")
    called = stage.callee(callee.answer_bye())
    caller = Caller().invite(sdp(PBX, a.port)).trying().recv(180, optional=True).answered().ack()
    caller.request("INVITE", sdp(PBX, elsewhere.port, version=2)).trying()
    calling = stage.caller(caller.recv(180).recv(504).ack_failure().hold().bye())
    calling.expect(504)
    called.expect("ACK", count=2)
    to_a, to_b = calling.received(200, "INVITE")[0].media(), called.received("INVITE")[0].media()
    media_passes(stage, stage.sniffer("external"), a, to_a, b)
    media_passes(stage, stage.sniffer("internal"), b, to_b, a)
    calling.go()
    finish(calling, called)
