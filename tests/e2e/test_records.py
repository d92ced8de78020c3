# SPDX-License-Identifier: BSD-2-Clause
"""Call detail records: one line for every INVITE that asked for a call, by the schema in include/."""

import json
import os
import time

import jsonschema
import pytest

import plan
from daemon import ROOT, write_configuration
from rtp import Stream, wait_until
from scenario import Callee, Caller, sdp
from talk import Talk
from test_calls import basic_callee, basic_caller, offer_of, run_call

TELEPHONE_EVENT = "101 telephone-event/8000"


@pytest.fixture
def new_records(stage):
    """Waits for that many records that were not there when the test began, and holds each against
    the schema."""
    with open(os.path.join(ROOT, "include", "viaduct_record.schema.json"), encoding="utf-8") as f:
        schema = jsonschema.Draft7Validator(json.load(f))
    before = len(stage.daemon.records())

    def wait(count):
        wait_until(lambda: len(stage.daemon.records()) >= before + count, 3,
                   lambda: f"{count} records: {stage.daemon.records()[before:]}")
        found = stage.daemon.records()[before:]
        assert len(found) == count
        for record in found:
            schema.validate(record)
        return found
    return wait


def test_answered_call_has_one_record_with_both_legs(stage, new_records):
    calling, called = run_call(stage, basic_caller(offer_of("pbx")).bye(),
                               basic_callee(offer_of("trunk")).answer_bye())
    record, = new_records(1)
    assert (record["code"], record["ended_by"], record["route"]) == (200, "a", "to-trunk")
    assert (record["a"]["peer"], record["b"]["peer"]) == ("pbx", "trunk")
    assert record["a"]["call_id"] == calling.sent("INVITE")[0].header("call-id")
    assert record["b"]["call_id"] == called.expect("INVITE").header("call-id")
    assert record["to"] == plan.PEERS["trunk"].number
    assert record["setup"] <= record["ring"] <= record["answer"] <= record["end"]
    assert [(a["peer"], a["code"]) for a in record["attempts"]] == [("trunk", 200)]


def test_record_has_what_each_leg_sent(stage, new_records):
    talk = Talk(stage)
    talk.a.send_stream(Stream(), talk.to_a(), 20)
    talk.b.send_stream(Stream(), talk.to_b(), 30)
    wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][1]["packets"] == 30, 2, "30 packets")
    talk.end()
    record, = new_records(1)
    stream, = record["streams"]
    assert (stream["a"]["packets"], stream["b"]["packets"]) == (20, 30)
    assert stream["a"]["lost"] == stream["b"]["lost"] == 0
    assert stream["a"]["mos"] > 4 and stream["codec"].startswith("PCMU")
    assert stream["a"]["loss_max_percent"] == 0 and not stream["a"]["poor"] and not record["poor"]
    assert stream["a"]["jitter_max_ms"] >= stream["a"]["jitter_mean_ms"] > 0
    assert stream["a"]["bursts"] == 0 and stream["a"]["burst_ms"] is None


def test_loss_is_told_as_poor_with_its_burst(stage, new_records):
    talk = Talk(stage)
    # A third of a second's packets is missing, in the middle.
    stream = Stream()
    talk.a.send_stream(stream, talk.to_a(), 25)
    stream.sequence += 25
    talk.a.send_stream(stream, talk.to_a(), 25)
    wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][0]["packets"] == 50, 2, "50 packets")
    leg = stage.cli.streams(talk.id)[0]["legs"][0]
    assert leg["poor"] and leg["bursts"] == 1
    assert ": poor" in stage.cli.text("call", str(talk.id)).stdout
    talk.end()
    record, = new_records(1)
    received = record["streams"][0]["a"]
    assert record["poor"] and received["poor"] and not record["streams"][0]["b"]["poor"]
    assert received["lost"] == 25 and received["bursts"] == 1
    # A sample may have been taken in between.
    assert 33 < received["loss_max_percent"] < 51
    assert received["burst_percent"] == pytest.approx(received["loss_max_percent"])


def test_round_trip_is_that_to_the_leg_that_reports(stage, new_records):
    """RFC 3550 6.4.1: b has held a's report for 0.1 s, of the 0.25 s or more until its own comes."""
    talk, stream = Talk(stage), Stream()
    report, since = stream.sender_report(), talk.outside.mark()
    talk.a.send_stream(stream, talk.to_a(), 20)
    talk.a.send_rtcp(report, talk.ok.rtcp())
    talk.outside.wait_received((talk.b.address, talk.b.port + 1), 1, since=since)
    time.sleep(0.25)
    talk.b.send_stream(Stream(), talk.to_b(), 1)
    talk.b.send_rtcp(stream.receiver_report(report, held=6554), talk.invite.rtcp())
    wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][1].get("rtt_ms"), 3, "the round trip")
    assert "rtt_ms" not in stage.cli.streams(talk.id)[0]["legs"][0]
    talk.end()
    record, = new_records(1)
    stream, = record["streams"]
    assert 145 < stream["b"]["rtt_ms"] < 10000 and stream["a"]["rtt_ms"] is None


def test_dtmf_is_counted_for_the_leg_that_sent_it(stage, new_records):
    talk = Talk(stage, offer=sdp(plan.PEERS["pbx"].address, 5004, ("0 PCMU/8000", TELEPHONE_EVENT)),
                answer=sdp(plan.PEERS["trunk"].address, 6004, ("0 PCMU/8000", TELEPHONE_EVENT)),
                a=stage.endpoint("pbx", port=5004), b=stage.endpoint("trunk", port=6004))
    stream = Stream()
    for digit in (1, 2):
        for packet in stream.telephone_event(digit, 101):
            talk.a.send(packet, talk.to_a())
    wait_until(lambda: stage.cli.streams(talk.id)[0]["legs"][0]["dtmf"] == 2, 2, "two digits")
    talk.end()
    record, = new_records(1)
    assert [record["streams"][0][leg]["dtmf"] for leg in "ab"] == [2, 0]


def test_callee_that_hangs_up_is_named(stage, new_records):
    run_call(stage, basic_caller(offer_of("pbx")).answer_bye(), basic_callee(offer_of("trunk")).bye())
    assert new_records(1)[0]["ended_by"] == "b"


def test_cancelled_call_is_the_callers_doing(stage, new_records):
    run_call(stage, Caller().invite(offer_of("pbx")).trying().recv(180).cancel().cancelled(),
             Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487).acked())
    record, = new_records(1)
    assert (record["code"], record["ended_by"], record["answer"]) == (487, "a", None)
    assert record["ring"] and record["talk_ms"] == 0


def test_refusals_are_recorded_too(stage, new_records):
    calling = stage.caller(Caller().invite(offer_of("pbx")).trying().refused(404), number="999999")
    calling.wait()
    record, = new_records(1)
    assert (record["code"], record["ended_by"], record["attempts"]) == (404, "viaduct", [])
    invite, = calling.sent("INVITE")
    assert record["a"]["call_id"] == invite.header("call-id")
    assert f";tag={record['a']['remote_tag']}" in invite.header("from")
    assert record["routed_to"] == "999999" and record["emergency"] is False


def refuse_one(stage):
    wire = stage.wire()
    wire.send(wire.request("INVITE", user="2001", headers=["Require: nonsense"]))
    wire.receive()
    return wire.call_id


def test_what_is_refused_before_it_is_a_call_names_its_caller(stage, new_records):
    call_id = refuse_one(stage)
    record, = new_records(1)
    assert (record["id"], record["code"], record["peer"]) == (0, 420, "pbx")
    assert (record["a"]["call_id"], record["a"]["remote_tag"]) == (call_id, "me")


def test_a_reload_that_names_no_file_ends_records_and_one_that_does_begins_them(stage, new_records):
    daemon = stage.daemon
    configuration = plan.configuration(daemon.instance)
    write_configuration(daemon.file, {"state_dir": daemon.state_dir, **configuration})
    daemon.cli.text("reload")
    refuse_one(stage)
    daemon.write(configuration)
    daemon.cli.text("reload")
    call_id = refuse_one(stage)
    record, = new_records(1)
    assert record["a"]["call_id"] == call_id


def test_what_is_refused_from_its_text_alone_is_recorded_once(stage, new_records):
    wire = stage.wire()
    invite = wire.request("INVITE", user="2001", max_forwards=0)
    for _ in range(2):
        wire.send(invite)
        assert wire.receive().code == 483
    record, = new_records(1)
    assert (record["id"], record["code"], record["to"]) == (0, 483, "2001")
    assert record["a"]["call_id"] == wire.call_id


def test_causes_received_and_sent(stage, new_records):
    reason = 'Q.850;cause=17;text="User busy"'
    called = stage.callee(Callee().invited().respond(486, headers=[f"Reason: {reason}"]).acked())
    calling = stage.caller(Caller().invite(offer_of("pbx")).trying().refused(486))
    for agent in (calling, called):
        agent.wait()
    record, = new_records(1)
    assert (record["code"], record["reason"], record["ended_by"]) == (486, reason, "b")
    assert (record["cause_in"], record["cause_out"]) == (17, 17)
    attempt, = record["attempts"]
    assert (attempt["code"], attempt["cause"]) == (486, 17)


def test_every_attempt_of_a_failover_is_in_the_record(stage, new_records):
    gone = stage.callee(Callee().invited().respond(503).acked(), "trunk")
    called = stage.callee(basic_callee(offer_of("second")).answer_bye(), "second")
    calling = stage.caller(basic_caller(offer_of("pbx")).bye(), number=plan.FAILOVER)
    for agent in (calling, gone, called):
        agent.wait()
    record, = new_records(1)
    assert [(a["peer"], a["code"]) for a in record["attempts"]] == [("trunk", 503), ("second", 200)]
    assert record["code"] == 200
    assert [a["address"] for a in record["attempts"]] == \
        [plan.PEERS[name].sip_address for name in ("trunk", "second")]
    assert [a["call_id"] for a in record["attempts"]] == \
        [agent.received("INVITE")[0].header("call-id") for agent in (gone, called)]
    assert record["attempts"][1]["call_id"] == record["b"]["call_id"]
    assert all(a["to"] == plan.FAILOVER for a in record["attempts"])
