"""What happened in a session, in order, from the records of its journal."""

from records import at, closed, created, ended, event, opened, prepared, started, waited, went

from samoloop.api.timeline import Entry, What, timeline
from samoloop.core.records import Record, read
from samoloop.core.words import Tone


def entries(*parts: Record | list[Record]) -> list[Entry]:
    history: list[Record] = [created(), prepared()]
    for part in parts:
        history += part if isinstance(part, list) else [part]
    return timeline(history, lambda name: f"words of {name}")[2:]


def one(*parts: Record | list[Record]) -> Entry:
    (found,) = entries(*parts)
    return found


def test_it_begins_with_what_was_handed_off():
    began, ready = timeline([created(start="v1"), prepared(setup={"command": "make", "exit_code": 2})])
    assert (began.what, began.title, began.lines) == (What.BEGAN, "handed off, workflow small", ["from v1"])
    assert (ready.lines, ready.tone) == (["make ended with exit code 2"], Tone.WARN)


def test_an_iteration_is_one_entry_from_its_start_to_its_end():
    found = one(went(3, "work", "review", usage={"cost_usd": 0.5, "model": "opus"}))
    assert (found.what, found.iteration, found.phase, found.provider, found.model) == (
        What.ITERATION, 3, "work", "claude", "opus",
    )  # fmt: skip
    assert (found.at, found.until, found.seconds) == (at(2), at(3), 60.0)
    assert found.ended is not None
    assert found.ended.decision.phase == "review"
    assert not found.vetoed


def test_a_child_at_work_has_no_end_and_one_that_was_lost_says_so():
    running = one(started(4, "work"))
    assert (running.until, running.seconds, running.ended) == ("", None, None)
    lost, again = entries(
        started(4, "work"), event("interrupted", iteration=4, note="n", why="power"), started(4, "work", 2)
    )
    assert lost.interrupted
    assert lost.lines == ["interrupted: power; it runs again"]
    assert (again.attempt, again.interrupted) == (2, False)


def test_an_end_without_a_start_is_shown_too():
    found = one(ended(4, "work", {"kind": "blocked", "reason": "no"}))
    assert (found.iteration, found.phase, found.tone) == (4, "work", Tone.BAD)


def test_a_veto_and_the_checks_before_it_stand_with_their_iteration():
    decision = {"kind": "continue", "phase": "work", "reason": "pytest: 1 failed", "vetoed": True}
    signal = {"status": "continue", "phase": "review"}
    found = one(
        started(5, "work"), event("checks.ran", said="pytest: 1 failed"), ended(5, "work", decision, signal=signal)
    )
    assert (found.vetoed, found.tone, found.checks) == (True, Tone.BAD, ["pytest: 1 failed"])
    alone = one(event("checks.ran", said="pytest: 9 passed"))
    assert (alone.what, alone.title) == (What.CHECK, "pytest: 9 passed")


def test_a_gate_says_what_was_asked_who_answered_what_and_how_long_it_took():
    answers = {"Q1": {"title": "Which?", "answer": "A"}}
    asked = opened(1, "ask", "qa_answers", questions=["Q1"])
    _, gate = entries(
        waited(1, "ask", "qa_answers"), asked, closed("qa_answers", "answered", answers=answers, comment="soon")
    )
    assert (gate.what, gate.title) == (What.GATE, "waits for answers to Q1 in _qa.md")
    assert (gate.decided, gate.by, gate.seconds) == ("Q1 answered by ada", "ada", 60.0)
    assert gate.lines == ["Q1 Which?: A", "soon"]
    waiting = one(asked)
    assert (waiting.until, waiting.decided, waiting.tone) == ("", "", Tone.WARN)


def test_what_was_approved_and_is_gone_is_said():
    gate, void = entries(opened(3, "plan", "plan_approval", file="p.md"), event("gate_void", gate="g1", why="changed"))
    assert (gate.until, gate.decided) == (at(6), "")
    assert void.title == "changed"


def test_what_people_did_names_them():
    found = entries(
        event("guided", inbox=["a.md", "b.md"]),
        event("moved", **{"from": "plan", "to": "work", "by": "ada"}),
        event("resumed", by="ada", now=True),
        read({"event": "evidence.waived", "at": at(), "name": "pytest", "why": "flaky", "by": "ada"}),
        event("archived", by="ada"),
    )
    assert {entry.what for entry in found} == {What.PERSON}
    assert [(entry.title, entry.by) for entry in found] == [
        ("told to the next child", ""),
        ("moved from plan to work", "ada"),
        ("resumed, within a limit", "ada"),
        ("lets pytest pass", "ada"),
        ("archived: the worktree was removed", "ada"),
    ]
    assert found[0].lines == ["words of a.md", "words of b.md"]


def test_why_it_rested_is_said():
    found = entries(
        event("halted", condition="stopped", reason="asked to"),
        event("failed", reason="disk full", time=1.0),
        event("warned", ceiling="max_cost", share=0.8),
        event("limit_shared", provider="codex", not_before=1.0, reason="429"),
    )
    assert [entry.title for entry in found] == [
        "stopped: asked to",
        "a worker could not go on",
        "80% of the ceiling max_cost is spent",
        "codex is at its usage limit, as another session saw",
    ]
    assert [entry.tone for entry in found] == [Tone.WARN, Tone.BAD, Tone.WARN, Tone.WARN]


def test_what_a_person_went_back_over_stays_and_is_marked():
    first, second = went(1, "ask", "plan"), went(2, "plan", "plan")
    found = entries(first, second, event("rewound", to=1, record=4, by="ada"), went(2, "plan", "work"))
    assert [(entry.iteration, entry.left) for entry in found] == [(1, False), (2, True), (0, False), (2, False)]
    assert found[2].title == "went back to the end of iteration 1"


def test_what_no_version_here_knows_is_left_out():
    assert entries(event("other.room", said="x"), event("rested"), event("torn")) == []
