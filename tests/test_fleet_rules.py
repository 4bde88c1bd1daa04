"""What follows from what a machine of a fleet finds: one table each, no git and no database."""

import pytest

from samoloop.fleet import rules
from samoloop.fleet.parcel import Kind
from samoloop.fleet.rows import MachineRow, SessionRow
from samoloop.fleet.rules import AfterEnd, AfterRefusal
from samoloop.fleet.standing import missing, standing


@pytest.mark.parametrize(
    "kind, only_acts, expected",
    [
        (Kind.ITERATION, True, AfterRefusal.MERGE),
        (Kind.MOVED, True, AfterRefusal.MERGE),
        (Kind.ITERATION, False, AfterRefusal.RENEW),
        (Kind.ACT, True, AfterRefusal.RENEW),
        (Kind.ACT, False, AfterRefusal.RENEW),
    ],
)
def test_what_follows_from_a_refused_push(kind: Kind, only_acts: bool, expected: AfterRefusal) -> None:
    assert rules.after_refusal(kind, only_acts) is expected


@pytest.mark.parametrize(
    "code, ends, asked, lost, expected",
    [
        (0, 1, False, False, AfterEnd.HAND_OVER),
        (6, 1, False, False, AfterEnd.HAND_OVER),
        (-9, 1, False, False, AfterEnd.AGAIN),
        (-9, rules.ABNORMAL_ENDS, False, False, AfterEnd.FAILED),
        (-15, 1, True, False, AfterEnd.HAND_OVER),
        (0, 1, False, True, AfterEnd.LEAVE),
        (-9, rules.ABNORMAL_ENDS, True, True, AfterEnd.LEAVE),
    ],
)
def test_what_follows_from_the_end_of_an_iteration_s_process(
    code: int, ends: int, asked: bool, lost: bool, expected: AfterEnd
) -> None:
    assert rules.after_end(code, ends, asked=asked, lost=lost) is expected


def test_a_session_is_left_alone_for_longer_each_time_and_never_for_ever() -> None:
    pauses = [rules.pause(failures) for failures in range(1, 40)]
    assert pauses == sorted(pauses) and pauses[0] == rules.FIRST_PAUSE_SECONDS
    assert pauses[-1] == rules.LONGEST_PAUSE_SECONDS


def test_a_time_that_is_past_is_now_and_none_stays_none() -> None:
    assert rules.due_in(90.0, 100.0) == 0.0
    assert rules.due_in(130.0, 100.0) == 30.0
    assert rules.due_in(None, 100.0) is None


def test_a_session_is_bound_to_one_machine_at_a_time() -> None:
    once = rules.tags_for(("gpu",), "ann")
    assert once == ("gpu", "@ann")
    assert rules.tags_for(once, "ben") == ("gpu", "@ben")
    assert rules.tags_for(once, "") == ("gpu",)


def machine(**given: object) -> MachineRow:
    fields = {
        "name": "ann", "id": "1", "host": "ann", "version": "1", "format": 1, "projects": ("p",),
        "providers": ("claude",), "tags": ("@ann",), "slots": 1, "seconds": 1.0,
    }  # fmt: skip
    return MachineRow(**{**fields, **given})  # type: ignore[arg-type]


def session(**given: object) -> SessionRow:
    fields = {
        "project": "p", "name": "x", "parcel": "0", "number": 1, "machine": "ann", "title": "t", "phase": "planning",
        "iteration": 2, "condition": "ready", "reason": "", "provider": "claude", "tags": (), "format": 1,
        "due_in": 0.0,
    }  # fmt: skip
    return SessionRow(**{**fields, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "row, live, expected",
    [
        ({}, [], "no machine is at work; on one: samoloop fleet work"),
        ({"project": "q"}, [{}], "none serves its project; in a clone of it: samoloop fleet work"),
        ({"format": 2}, [{}], "all have an older samoloop: update one"),
        ({"provider": "codex"}, [{}], "none has codex"),
        ({"tags": ("gpu",)}, [{}], "none has gpu"),
        ({"tags": ("gpu",)}, [{}, {"tags": ("gpu",), "providers": ()}], "none has claude and gpu"),
    ],
)
def test_what_a_session_waits_for_that_no_machine_has(
    row: dict[str, object], live: list[dict[str, object]], expected: str
) -> None:
    assert missing(session(**row), [machine(**one) for one in live]) == expected


def test_who_needs_a_person_stands_first_and_a_dead_machine_serves_nobody() -> None:
    rows = [session(name="a"), session(name="b", condition="waiting", due_in=None), session(name="c", at_work=True)]
    found = standing([machine(seconds=100.0)], rows, 30.0)
    assert [one["session"] for one in found["sessions"]] == ["b", "a", "c"]
    assert [one["unserved"] != "" for one in found["sessions"]] == [False, True, False]
    assert [one["alive"] for one in found["machines"]] == [False]
