# SPDX-License-Identifier: BSD-2-Clause
"""Call detail records: one line for every INVITE that asked for a call, by the schema in include/."""

import json
import os

import jsonschema
import pytest

import plan
from daemon import ROOT
from rtp import Stream, wait_until
from scenario import Callee, Caller
from talk import Talk
from test_calls import basic_callee, basic_caller, offer_of, run_call


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


def test_callee_that_hangs_up_is_named(stage, new_records):
    run_call(stage, basic_caller(offer_of("pbx")).answer_bye(), basic_callee(offer_of("trunk")).bye())
    assert new_records(1)[0]["ended_by"] == "b"


def test_cancelled_call_is_the_callers_doing(stage, new_records):
    run_call(stage, Caller().invite(offer_of("pbx")).trying().recv(180).cancel().recv(200).refused(487),
             Callee().invited().respond(180).recv("CANCEL").reply(200).respond(487).acked())
    record, = new_records(1)
    assert (record["code"], record["ended_by"], record["answer"]) == (487, "a", None)
    assert record["ring"] and record["talk_ms"] == 0


def test_refusals_are_recorded_too(stage, new_records):
    calling = stage.caller(Caller().invite(offer_of("pbx")).trying().refused(404), number="999999")
    calling.wait()
    record, = new_records(1)
    assert (record["code"], record["ended_by"], record["attempts"]) == (404, "viaduct", [])


def test_every_attempt_of_a_failover_is_in_the_record(stage, new_records):
    gone = stage.callee(Callee().invited().respond(503).acked(), "trunk")
    called = stage.callee(basic_callee(offer_of("second")).answer_bye(), "second")
    calling = stage.caller(basic_caller(offer_of("pbx")).bye(), number=plan.FAILOVER)
    for agent in (calling, gone, called):
        agent.wait()
    record, = new_records(1)
    assert [(a["peer"], a["code"]) for a in record["attempts"]] == [("trunk", 503), ("second", 200)]
    assert record["code"] == 200
