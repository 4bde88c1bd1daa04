"""A signal is read strictly where it matters and kindly where it does not; nothing a child writes raises."""

import itertools
import json
import os
from pathlib import Path

import jsonschema
import pytest
from arbitrary import PROPERTY, json_objects, signal_objects
from hypothesis import example, given
from hypothesis import strategies as st

from samoloop.core import signals
from samoloop.core.signals import BadSignal, GateKind, Needs, Signal, Status, parse, read


def accepted(value: object) -> bool:
    """By the worker, and by the schema that others read."""
    by_worker = isinstance(parse(json.dumps(value).encode()), Signal)
    assert jsonschema.Draft202012Validator(signals.schema()).is_valid(as_it_should_be(value)) == by_worker, value
    return by_worker


def as_it_should_be(value: object) -> object:
    """A signal without what the worker forgives and the schema does not: other letters, a plan that is not named."""
    if not isinstance(value, dict):
        return value
    words = {key: said.lower() for key in ("status", "for", "needs") if isinstance(said := value.get(key), str)}
    kind = words.get("for", "").strip()
    named = isinstance(value.get("file"), str | None) and kind == GateKind.PLAN_APPROVAL
    return {**value, **words} | ({"file": str(value.get("file") or "").strip() or "x"} if named else {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"status": "continue", "phase": "planning"}', Signal(Status.CONTINUE, "planning")),
        (
            '{"status": "waiting", "phase": "requirements", "for": "qa_answers"}',
            Signal(Status.WAITING, "requirements", GateKind.QA_ANSWERS),
        ),
        (
            '{"status": "waiting", "phase": "planning", "for": "plan_approval", "file": "11-21-0930-plan-jwt.md"}',
            Signal(Status.WAITING, "planning", GateKind.PLAN_APPROVAL, "11-21-0930-plan-jwt.md"),
        ),
        (
            '{"status": "waiting", "for": "human_action", "reason": "plug it in"}',
            Signal(Status.WAITING, wait_for=GateKind.HUMAN_ACTION, reason="plug it in"),
        ),
        (
            '{"status": "blocked", "phase": "testing", "reason": "no database", "needs": "human_decision"}',
            Signal(Status.BLOCKED, "testing", reason="no database", needs=Needs.HUMAN_DECISION),
        ),
        (
            '{"status": "done", "phase": "done", "summary": "all of it", "iteration": 12}',
            Signal(Status.DONE, "done", summary="all of it", iteration=12),
        ),
        ('\ufeff{"status": " continue ", "phase": " planning\\n"}', Signal(Status.CONTINUE, "planning")),
        ('{"status": "Continue", "phase": "Planning"}', Signal(Status.CONTINUE, "planning")),
        ('{"status": "WAITING", "for": "Plan_Approval"}', Signal(Status.WAITING, wait_for=GateKind.PLAN_APPROVAL)),
        ('{"status": "done", "phase": null, "reason": "  ", "iteration": 7.0}', Signal(Status.DONE, iteration=7)),
    ],
)
def test_a_well_formed_signal_is_understood(text: str, expected: Signal) -> None:
    assert parse(text.encode()) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "_signal.json is not valid JSON: Expecting value"),
        (b'{"status": "continue", "pha', "_signal.json is not valid JSON"),
        (b"\xff\xfe{}", "_signal.json is not UTF-8 text"),
        (b"null", "_signal.json must hold a JSON object, it holds null"),
        (b"[]", "it holds a list"),
        (b"7", "it holds a number"),
        (b"true", "it holds true or false"),
        (b'"done"', "it holds text"),
        (b"{}", '"status" is missing; allowed: continue, waiting, blocked, done'),
        (b'{"status": "finished"}', '"status" is "finished"; allowed: continue, waiting, blocked, done'),
        (b'{"status": ["done"]}', '"status" must be text, it is a list'),
        (b'{"status": "continue"}', '"continue" needs "phase"'),
        (b'{"status": "continue", "phase": " "}', '"continue" needs "phase"'),
        (b'{"status": "continue", "phase": 3}', '"phase" must be text, it is a number'),
        (b'{"status": "continue", "phase": ["planning"]}', '"phase" must be text, it is a list'),
        (b'{"status": "waiting"}', '"waiting" needs "for"'),
        (b'{"status": "waiting", "for": "ever"}', '"for" is "ever"'),
        (b'{"status": "waiting", "for": "file_update", "file": ""}', 'waiting for "file_update" needs "file"'),
        (b'{"status": "waiting", "for": "human_action"}', 'waiting for "human_action" needs "reason"'),
        (b'{"status": "blocked"}', '"blocked" needs "reason"'),
        (b'{"status": "blocked", "reason": "x", "needs": "money"}', '"needs" is "money"'),
        (b'{"status": "done", "summary": 5}', '"summary" must be text, it is a number'),
        (b'{"status": "done", "iteration": "5"}', '"iteration" must be a whole number, it is text'),
        (b'{"status": "done", "iteration": 5.5}', '"iteration" must be a whole number'),
        (b'{"status": "done", "iteration": true}', '"iteration" must be a whole number, it is true or false'),
        (b'{"status": "done", "x": NaN}', "NaN is not a JSON value"),
        (b'{"status": "done", "x": ' + b"[" * 30_000, "_signal.json is not valid JSON"),
        (b'{"status": "done", "x": ' + b"[" * 60 + b"]" * 60 + b"}", "_signal.json is nested deeper than 50 levels"),
        (b'{"status": "done", "iteration": ' + b"9" * 5000 + b"}", "_signal.json is not valid JSON"),
    ],
)
def test_what_is_no_signal_is_named_exactly(data: bytes, reason: str) -> None:
    found = parse(data)
    assert isinstance(found, BadSignal)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"status": "continue"}', '"continue" needs "phase": the phase to run next'),
        (b'{"status": "blocked"}', '"blocked" needs "reason"'),
        (b'{"status": "done", "phase": 3.5}', '"phase" must be text, it is a number'),
        (b'{"status": "done", "phase": {}}', '"phase" must be text, it is an object'),
        (
            b'{"status": "' + b"d" * 61 + b'"}',
            f'"status" is "{"d" * 60}"; allowed: continue, waiting, blocked, done',
        ),
    ],
)
def test_the_sentence_for_the_next_child_is_said_whole(data: bytes, reason: str) -> None:
    assert parse(data) == BadSignal(reason)


def test_unknown_fields_are_kept_and_do_not_matter() -> None:
    found = parse(b'{"status": "done", "mood": {"good": [1, 2]}}')
    assert isinstance(found, Signal)
    assert found == Signal(Status.DONE)
    assert found.raw == {"status": "done", "mood": {"good": [1, 2]}}


def test_half_a_surrogate_pair_becomes_something_that_can_be_written() -> None:
    found = parse(b'{"status": "blocked", "reason": "odd \\ud800 name"}')
    assert isinstance(found, Signal)
    assert found.reason == "odd ? name"


def test_a_missing_signal_is_no_signal(tmp_path: Path) -> None:
    assert read(tmp_path / signals.FILE_NAME) == BadSignal("no _signal.json was written")


def test_a_signal_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / signals.FILE_NAME
    path.write_bytes(b'\xef\xbb\xbf{"status": "done"}\r\n')
    assert read(path) == Signal(Status.DONE)


def test_a_link_is_no_signal_even_if_it_leads_to_one(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text('{"status": "done"}')
    path = tmp_path / signals.FILE_NAME
    path.symlink_to("real.json")
    assert read(path) == BadSignal("_signal.json is a link; write _signal.json as a regular file")


def test_a_folder_or_a_pipe_is_no_signal_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "a" / signals.FILE_NAME, tmp_path / "b" / signals.FILE_NAME
    folder.mkdir(parents=True)
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    for path in (folder, pipe):
        found = read(path)
        assert isinstance(found, BadSignal)
        assert "not a regular file" in found.reason


def test_a_hundred_megabytes_are_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / signals.FILE_NAME
    with path.open("wb") as file:
        file.write(b'{"status": "done", "x": "')
        file.truncate(100_000_000)
    assert read(path) == BadSignal("_signal.json is larger than 65536 bytes")


def test_the_largest_signal_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / signals.FILE_NAME
    empty = len('{"status": "done", "summary": ""}')
    path.write_text(json.dumps({"status": "done", "summary": "x" * (signals.LIMIT_BYTES - empty)}))
    assert path.stat().st_size == signals.LIMIT_BYTES
    assert isinstance(read(path), Signal)


@PROPERTY
@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    assert isinstance(parse(data), Signal | BadSignal)


@PROPERTY
@given(json_objects())
def test_an_arbitrary_value_never_raises_and_always_has_a_reason(value: object) -> None:
    found = parse(json.dumps(value).encode())
    assert isinstance(found, Signal) or found.reason


@PROPERTY
@given(signal_objects())
@example({"status": "continue", "for": "plan_approval", "phase": "planning", "file": []})
def test_the_published_schema_accepts_what_the_worker_accepts(value: dict[str, object]) -> None:
    accepted(value)


@pytest.mark.parametrize("status", [*Status, " waiting\n", "waiting for", "WAITING"])
def test_the_schema_needs_the_same_fields_as_the_worker(status: str) -> None:
    kinds = ("-", *GateKind, " file_update ", "plan_approval|file_update", "ever")
    words = ("-", "", " x ")
    said = [
        {
            key: word
            for key, word in zip(("status", "for", "file", "reason", "phase"), values, strict=True)
            if word != "-"
        }
        for values in itertools.product([status], kinds, words, words, words)
    ]
    taken = [accepted(value) for value in said]
    assert any(taken) == (status.strip().lower() in list(Status))
    assert not all(taken)


def test_the_schema_says_what_may_be_waited_for() -> None:
    schema = signals.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["for"] == {
        "type": ["string", "null"],
        "description": "with waiting",
        "pattern": r"^\s*(qa_answers|plan_approval|file_update|human_action)?\s*$",
        "examples": ["qa_answers", "plan_approval", "file_update", "human_action"],
    }
