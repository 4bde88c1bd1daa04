"""The checker of the fleet's fault run sees each kind of violation, and none where there is none."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

# By its path: the phone's run has a checker too.
_SPEC = importlib.util.spec_from_file_location("fleet_checker", Path(__file__).parent / "fleet_faults" / "checker.py")
assert _SPEC and _SPEC.loader
checker = importlib.util.module_from_spec(_SPEC)
sys.modules["fleet_checker"] = checker
_SPEC.loader.exec_module(checker)
Child, Ended, Outage, Said, Seen = checker.Child, checker.Ended, checker.Outage, checker.Said, checker.Seen

S = "26-11-30-s001"
TOKENS = {1: "a", 2: "b"}


def child(token: str, iteration: int, host: str, at: float) -> list[Any]:
    return [Child("begun", S, iteration, host, token, at), Child("signalled", S, iteration, host, token, at + 1)]


ENDED = Ended(
    S, "done", (("g1", "words 0001 Q1"), ("g2", "words 0003")), ("words 0002",),
    {1: 1, 2: 2}, TOKENS, TOKENS, TOKENS, {1: 1, 2: 2},
)  # fmt: skip
RIGHT = Seen(
    children=[*child("a", 1, "ann", 10), Child("begun", S, 2, "bob", "lost", 20), *child("b", 2, "cal", 30)],
    said=(
        Said(S, "ann", "words 0001", "g1"),
        Said(S, "bob", "words 0002"),
        Said(S, "cal", "words 0003", "g2"),
        Said(S, "bob", "words 0004", "g2", told=True),
    ),
    sessions=(ENDED,),
)


def test_a_run_without_fault_has_none() -> None:
    assert checker.violations(RIGHT) == []


def test_who_was_cut_off_may_have_done_what_another_did_again() -> None:
    again = replace(RIGHT, children=[*RIGHT.children, *child("c", 1, "bob", 5)])
    assert len(checker.violations(again)) == 1
    assert checker.violations(replace(again, outages=(Outage("bob", 4, 20),))) == []
    assert len(checker.violations(replace(again, outages=(Outage("ann", 4, 20),)))) == 1
    assert len(checker.violations(replace(again, outages=(Outage("bob", 11, 20),)))) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"condition": "ready"}, "stuck: "),
        ({"differing": ("bob",)}, "stale: "),
        ({"merges": 1}, "not linear: "),
        ({"attempts": {2: 2}}, "missing: iteration 1 of 26-11-30-s001 has no end"),
        ({"changes": {2: 1}}, "missing: iteration 1 of 26-11-30-s001 has no commit"),
        ({"changes": {1: 2, 2: 1}}, "doubled: iteration 1 of 26-11-30-s001 has 2 commits"),
        ({"marks": {1: "a", 2: "lost"}}, "half taken: iteration 2 of 26-11-30-s001 is of several children"),
        ({key: {1: "a", 2: "lost"} for key in ("tokens", "marks", "work")}, "of a child that wrote no signal"),
        ({"closed": (*ENDED.closed, ("g1", "words 0001 Q1"))}, "doubled: g1 of 26-11-30-s001 was closed 2 times"),
        ({"closed": (*ENDED.closed, ("g3", "words 0001"))}, "doubled: 'words 0001'"),
        ({"closed": (("g1", "words 0003"), ("g2", "words 0001"))}, "wrong: 'words 0001'"),
        ({"closed": ENDED.closed[:1]}, "lost: 'words 0003'"),
        ({"guidance": ()}, "lost: 'words 0002'"),
        ({"guidance": ("words 0002", "words 0002")}, "doubled: 'words 0002'"),
    ],
)
def test_what_is_wrong_with_a_session_is_seen(wrong: dict[str, Any], said: str) -> None:
    found = checker.violations(replace(RIGHT, sessions=(replace(ENDED, **wrong),)))
    assert any(said in one for one in found), found


def test_words_may_close_the_gate_that_came_to_the_copy_while_their_command_started() -> None:
    late = Said(S, "ann", "words 0003", "g1", gate_after="g2")
    assert checker.violations(replace(RIGHT, said=(late,))) == []
    assert len(checker.violations(replace(RIGHT, said=(replace(late, gate_after="g3"),)))) == 1


@pytest.mark.parametrize("kind", ["left", "fsck", "hung"])
def test_what_is_left_or_broken_is_seen(kind: str) -> None:
    assert checker.violations(replace(RIGHT, **{kind: ("x",)})) == [f"{kind}: x"]
