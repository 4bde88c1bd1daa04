"""The same records always give the same state; every record type, from a literal journal."""

import re
from pathlib import Path

import pytest
from records import (
    SMALL,
    T0,
    closed,
    created,
    ended,
    event,
    in_phase,
    opened,
    prepared,
    started,
    state_of,
    waited,
    went,
)

from samoloop.base.errors import SessionError
from samoloop.core.decision import Note
from samoloop.core.gates import Gate, Verdict
from samoloop.core.records import Noted, Record, Rewound, RoomRecord, line, read
from samoloop.core.session import Session
from samoloop.core.signals import GateKind, Signal, Status
from samoloop.core.state import Condition, State, fold

RETRY = {"kind": "retry", "reason": "exit code 1"}
NETWORK = {"kind": "retry", "reason": "network", "transient": True, "not_before": T0 + 600}
REPAIR = {"kind": "repair", "reason": "no signal", "notes": [{"kind": "repair", "text": "no signal"}]}


def test_without_records_there_is_no_session() -> None:
    assert fold([]) == State()


def test_a_created_session_is_new_and_knows_its_workflow() -> None:
    state = fold([created()])
    assert (state.condition, state.phase, state.iteration) == (Condition.NEW, "init", 0)
    assert state.live_workflow == SMALL
    assert state.updated == "2026-11-21T10:00:00.000Z"


def test_a_prepared_session_is_ready_for_its_first_child() -> None:
    state = state_of()
    assert (state.condition, state.phase, state.tree) == (Condition.READY, "ask", "t0")


def test_a_started_child_is_running_and_counted() -> None:
    state = state_of(started(1, "ask", inbox=["001-ask.inbox.md"]))
    assert (state.condition, state.iteration, state.attempt) == (Condition.RUNNING, 1, 1)
    assert state.open == started(1, "ask", inbox=["001-ask.inbox.md"])
    assert (state.phase_iterations, state.totals.iterations, state.since_resume.iterations) == (1, 1, 1)
    assert state.inbox == ["001-ask.inbox.md"]


def test_a_second_attempt_is_not_another_iteration() -> None:
    state = state_of(started(1, "ask"), ended(1, "ask", RETRY), started(1, "ask", 2))
    assert (state.iteration, state.attempt, state.phase_iterations, state.totals.iterations) == (1, 2, 1, 1)


def test_what_was_spent_adds_up_and_an_unknown_cost_is_counted_as_unknown() -> None:
    known = {"input_tokens": 1000, "output_tokens": 50, "cost_usd": 0.25}
    state = state_of(
        started(1, "ask"),
        ended(1, "ask", RETRY, usage=known, seconds=10),
        started(1, "ask", 2),
        ended(1, "ask", RETRY, usage={"input_tokens": 5}, seconds=2.5, attempt=2),
    )
    totals = state.totals
    assert (totals.input_tokens, totals.output_tokens, totals.cost_usd, totals.seconds) == (1005, 50, 0.25, 12.5)
    assert totals.unpriced == 1
    assert state.phase_totals["ask"] == totals == state.since_resume


@pytest.mark.parametrize(
    ("decision", "condition"),
    [
        ({"kind": "continue", "phase": "ask"}, Condition.READY),
        (REPAIR, Condition.READY),
        (RETRY, Condition.READY),
        (NETWORK, Condition.LIMITED),
        ({"kind": "limited", "reason": "5 h", "not_before": T0 + 18000}, Condition.LIMITED),
        ({"kind": "wait", "for": "qa_answers"}, Condition.WAITING),
        ({"kind": "wait", "reason": "network for 2h 01m"}, Condition.WAITING),
        ({"kind": "blocked", "reason": "no database", "needs": "human_decision"}, Condition.BLOCKED),
        ({"kind": "failed", "reason": "exit code 1"}, Condition.FAILED),
        ({"kind": "done", "summary": "all good"}, Condition.DONE),
    ],
)
def test_each_decision_leads_to_a_condition(decision: dict[str, object], condition: Condition) -> None:
    state = state_of(started(1, "ask"), ended(1, "ask", decision))
    assert state.condition == condition
    assert state.open is None
    assert state.reason == (decision.get("reason") or "")
    assert state.needs == (decision.get("needs") or "")
    assert state.summary == (decision.get("summary") or "")
    assert state.not_before == decision.get("not_before")


def test_a_limit_is_remembered_for_its_provider() -> None:
    state = state_of(started(1, "ask"), ended(1, "ask", {"kind": "limited", "not_before": T0 + 18000}))
    assert state.limits == {"claude": T0 + 18000}
    assert state.retry


def test_entering_a_phase_starts_its_counters_anew() -> None:
    state = state_of(in_phase("plan"))
    assert (state.phase, state.phase_iterations, state.passed, state.still) == ("plan", 0, set(), 0)


def test_going_back_is_counted_by_the_phase_that_goes_back() -> None:
    back = [*went(5, "review", "work"), *went(6, "work", "review"), *went(7, "review", "work")]
    assert state_of(in_phase("review"), back).rounds == {"review": 2}


def test_a_session_that_was_to_end_with_its_plan_goes_on_when_extended() -> None:
    cut = SMALL.until("plan")
    asked = [*waited(3, "plan", "plan_approval"), opened(3, "plan", "plan_approval", "g2", file="p.md")]
    records = [
        created(cut),
        prepared(),
        *in_phase("plan"),
        *asked,
        closed("plan_approval", "approve", "g2", file="p.md"),
    ]
    assert fold(records).condition is Condition.DONE
    state = fold([*records, event("extended", workflow=SMALL.to_json())])
    assert (state.condition, state.phase, state.live_workflow) == (Condition.READY, "work", SMALL)


def test_rounds_count_anew_once_a_phase_was_left_forward() -> None:
    back_and_on = [*went(5, "review", "work"), *went(6, "work", "review"), *went(7, "review", "done")]
    assert state_of(in_phase("review"), back_and_on).rounds == {}


def test_troubles_are_counted_apart_and_a_good_child_forgets_them() -> None:
    bad = [started(1, "ask"), ended(1, "ask", REPAIR), started(2, "ask"), ended(2, "ask", RETRY)]
    bad += [started(2, "ask", 2), ended(2, "ask", NETWORK)]
    state = state_of(bad)
    assert (state.repairs, state.failures, state.transients) == (1, 1, 1)
    state = state_of(bad, started(2, "ask", 3), ended(2, "ask", {"kind": "continue", "phase": "ask"}))
    assert (state.repairs, state.failures, state.transients, state.transient_since) == (0, 0, 0, None)


def test_a_transient_trouble_is_dated_by_its_first_time() -> None:
    first = [started(1, "ask"), ended(1, "ask", NETWORK, minutes=3)]
    again = [started(1, "ask", 2), ended(1, "ask", NETWORK, minutes=50)]
    assert state_of(first).transient_since == T0 + 180
    assert state_of(first, again).transient_since == T0 + 180


def test_a_transient_trouble_of_an_older_journal_is_dated_by_its_record() -> None:
    record = ended(1, "ask", NETWORK, minutes=3, time=None)
    assert state_of(started(1, "ask"), record).transient_since == T0 + 180


def test_a_usage_limit_is_no_transient_trouble_but_counts_as_a_try() -> None:
    state = state_of(started(1, "ask"), ended(1, "ask", {"kind": "limited", "not_before": T0 + 300}))
    assert (state.transients, state.transient_since) == (1, None)


def test_only_going_on_without_progress_is_standing_still() -> None:
    stuck = [*went(1, "ask", "ask", progress=False), *went(2, "ask", "ask", progress=False)]
    assert state_of(stuck).still == 2
    assert state_of(stuck, started(3, "ask"), ended(3, "ask", REPAIR, progress=False)).still == 2
    assert state_of(stuck, went(3, "ask", "ask")).still == 0


def test_a_record_without_the_word_progress_counts_as_progress() -> None:
    stuck = went(1, "ask", "ask", progress=False)
    older = went(2, "ask", "ask", progress=None)
    assert state_of(stuck, older).still == 0


def test_what_a_person_said_is_told_until_a_child_has_signalled() -> None:
    sent_back = [
        *in_phase("plan"),
        *waited(3, "plan", "plan_approval", file="p.md"),
        opened(3, "plan", "plan_approval", "g2", file="p.md"),
        closed("plan_approval", "changes", "g2", comment="no new dependency"),
    ]
    note = Note("person", "The person wants changes in p.md:", "no new dependency")
    assert state_of(sent_back).notes == [note]
    lost = [started(4, "plan", inbox=["004-plan.inbox.md"]), ended(4, "plan", REPAIR)]
    state = state_of(sent_back, lost)
    assert state.notes == [note, Note("repair", "no signal")]
    assert state.inbox == ["004-plan.inbox.md"]
    state = state_of(sent_back, lost, went(5, "plan", "plan"))
    assert (state.notes, state.inbox) == ([], [])


@pytest.mark.parametrize("kind", ["failed", "blocked", "wait"])
def test_a_child_that_could_not_work_leaves_what_it_was_told_to_the_next(kind: str) -> None:
    told = event("interrupted", iteration=1, attempt=1, note="half done", why="lost")
    state = state_of(started(1, "ask"), told, started(1, "ask", 2), ended(1, "ask", {"kind": kind, "reason": "login"}))
    assert state.notes == [Note("interrupted", "half done")]


def test_the_same_note_is_told_once() -> None:
    decision = NETWORK | {"notes": [{"kind": "git", "text": "a merge is in progress"}]}
    state = state_of(
        started(1, "ask"), ended(1, "ask", decision), started(1, "ask", 2), ended(1, "ask", decision, attempt=2)
    )
    assert state.notes == [Note("git", "a merge is in progress")]


def test_an_interrupted_iteration_runs_again_and_says_so_once() -> None:
    first = event("interrupted", iteration=1, attempt=1, note="one", why="lost")
    second = event("interrupted", iteration=1, attempt=2, note="two", why="lost")
    state = state_of(started(1, "ask"), first, started(1, "ask", 2), second)
    assert (state.condition, state.retry, state.open) == (Condition.READY, True, None)
    assert state.notes == [Note("interrupted", "two")]


def test_an_adopted_child_changes_nothing_but_the_time() -> None:
    before = state_of(started(1, "ask"))
    after = state_of(started(1, "ask"), event("adopted", minutes=9, iteration=1, attempt=1, pid=77))
    before.updated = "2026-11-21T10:09:00.000Z"
    assert after == before


def test_a_wanted_gate_is_opened_later_by_the_signal_in_the_journal() -> None:
    state = state_of(waited(1, "ask", "qa_answers"))
    assert state.wanted == Signal(Status.WAITING, wait_for=GateKind.QA_ANSWERS)
    assert (state.condition, state.gate) == (Condition.WAITING, None)


def test_an_open_gate_is_waited_at() -> None:
    state = state_of(waited(1, "ask", "qa_answers"), opened(1, "ask", "qa_answers", questions=["Q1", "Q2"]))
    assert state.gate == Gate("g1", GateKind.QA_ANSWERS, "ask", 1, questions=("Q1", "Q2"))
    assert (state.condition, state.wanted, state.gates_opened) == (Condition.WAITING, None, 1)
    assert state.reason == "waits for qa_answers"


def test_answers_pass_the_gate_and_are_remembered() -> None:
    state = state_of(in_phase("plan")[:-2])
    assert (state.condition, state.phase, state.gate) == (Condition.READY, "ask", None)
    assert state.passed == {GateKind.QA_ANSWERS}
    assert state.given == {"Q1": {"title": "Which?", "answer": "A"}}
    assert state.notes == [Note("answered", "The person answered Q1 in _qa.md.")]


def test_an_approved_plan_moves_on_without_a_child() -> None:
    state = state_of(in_phase("work"))
    assert (state.condition, state.phase, state.iteration) == (Condition.READY, "work", 3)


def test_a_word_with_the_approval_reaches_the_next_child() -> None:
    records = in_phase("work")
    records[-1] = records[-1].but(comment="mind the tests")
    assert state_of(records).notes == [Note("person", "The person approved p.md and said:", "mind the tests")]


@pytest.mark.parametrize(
    ("kind", "verdict", "note"),
    [
        ("plan_approval", "changes", Note("person", "The person wants changes in p.md:", "shorter")),
        ("human_action", "done", Note("person", "The person did what was asked (plug it in):", "shorter")),
        ("file_update", "updated", Note("person", "The person updated p.md; do not commit it.")),
    ],
)
def test_what_is_no_passing_stays_in_the_phase(kind: str, verdict: str, note: Note) -> None:
    gate = opened(3, "plan", kind, "g2", file="p.md", reason="plug it in")
    state = state_of(in_phase("plan"), waited(3, "plan", kind), gate, closed(kind, verdict, comment="shorter"))
    assert (state.condition, state.phase, state.passed) == (Condition.READY, "plan", set())
    assert state.notes == [note]


def test_a_rejected_plan_stops_the_session_and_resume_plans_anew() -> None:
    records = in_phase("work")
    records[-1] = records[-1].but(verdict=Verdict.REJECT, comment="not worth it")
    state = state_of(records)
    assert (state.condition, state.phase, state.passed) == (Condition.STOPPED, "plan", set())
    assert state.reason == "the plan was rejected by ada: not worth it"
    state = state_of(records, event("resumed", by="ada"))
    assert (state.condition, state.phase, state.passed) == (Condition.READY, "plan", set())


def test_an_approval_does_not_carry_a_phase_over_its_own_gate() -> None:
    """A workflow may allow a plan_approval wait in a phase whose gate is another."""
    gate = opened(1, "ask", "plan_approval", file="p.md")
    state = state_of(waited(1, "ask", "plan_approval", file="p.md"), gate, closed("plan_approval", "approve"))
    assert (state.phase, state.condition) == ("ask", Condition.READY)


def test_a_gate_passed_before_going_back_counts_no_more() -> None:
    state = state_of(in_phase("work"), event("moved", **{"from": "work", "to": "ask", "by": "editor"}))
    assert (state.phase, state.passed) == ("ask", set())


def test_a_closing_without_an_open_gate_changes_nothing() -> None:
    before = state_of()
    after = state_of(closed("qa_answers", "answered"))
    before.updated = after.updated
    assert after == before


def test_a_move_by_a_person_leaves_gate_and_trouble_behind() -> None:
    blocked = [started(4, "work"), ended(4, "work", {"kind": "blocked", "reason": "no database"})]
    move = event("moved", **{"from": "work", "to": "review", "by": "editor"})
    state = state_of(in_phase("work"), blocked, move)
    assert (state.condition, state.phase, state.reason, state.gate) == (Condition.READY, "review", "", None)


def test_resume_renews_every_counter() -> None:
    records = [*in_phase("review"), *went(5, "review", "work"), *went(6, "work", "work", progress=False)]
    records += [event("warned", ceiling="150 iterations", share=0.8), started(7, "work"), ended(7, "work", REPAIR)]
    records += [started(8, "work"), ended(8, "work", {"kind": "blocked", "reason": "twice"}, usage={"cost_usd": 2.0})]
    before, after = state_of(records), state_of(records, event("resumed", by="ada"))
    assert before.rounds == {"review": 1}
    assert before.warned == {"150 iterations"}
    assert (after.phase_iterations, after.repairs, after.failures, after.transients, after.still) == (0, 0, 0, 0, 0)
    assert (after.rounds, after.warned, after.phase_totals) == ({}, set(), {})
    assert after.since_resume.iterations == 0
    assert after.totals == before.totals
    assert (after.condition, after.reason, after.needs) == (Condition.READY, "", "")
    assert after.notes[-1] == Note("resumed", "A person resumed the session. It was blocked: twice")


@pytest.mark.parametrize("kind", ["blocked", "failed", "wait"])
def test_resume_makes_every_rest_ready_again(kind: str) -> None:
    records = [started(1, "ask"), ended(1, "ask", {"kind": kind, "reason": "x"}), event("resumed", by="ada")]
    assert state_of(records).condition is Condition.READY


def test_resume_passes_no_gate() -> None:
    asked = [*waited(1, "ask", "qa_answers")]
    assert state_of(asked, event("resumed", by="ada")).wanted is not None
    state = state_of(asked, opened(1, "ask", "qa_answers", questions=["Q1"]), event("resumed", by="ada"))
    assert (state.condition, state.passed) == (Condition.WAITING, set())
    assert state.gate is not None


def test_resume_keeps_a_limit_unless_now_is_asked_for() -> None:
    limited = [started(1, "ask"), ended(1, "ask", {"kind": "limited", "not_before": T0 + 18000})]
    state = state_of(limited, event("resumed", by="ada", now=False))
    assert (state.condition, state.not_before) == (Condition.LIMITED, T0 + 18000)
    state = state_of(limited, event("resumed", by="ada", now=True))
    assert (state.condition, state.not_before, state.limits, state.retry) == (Condition.READY, None, {}, True)


def test_resume_leaves_a_running_child_and_a_new_session_as_they_are() -> None:
    assert state_of(started(1, "ask"), event("resumed", by="ada")).condition is Condition.RUNNING
    assert fold([created(), event("resumed", by="ada")]).condition is Condition.NEW


def test_a_stop_between_two_attempts_is_followed_by_the_next_attempt() -> None:
    stopped = event("halted", condition="stopped", reason="stopped by a person")
    lost = event("interrupted", iteration=1, attempt=1, note="half done", why="stop")
    state = state_of(started(1, "ask"), lost, stopped)
    assert (state.condition, state.reason) == (Condition.STOPPED, "stopped by a person")
    assert state_of(started(1, "ask"), lost, stopped, event("resumed", by="ada")).retry


def test_a_ceiling_lets_the_session_wait() -> None:
    state = state_of(event("halted", condition="waiting", reason="the ceiling of 150 iterations is reached"))
    assert (state.condition, state.gate) == (Condition.WAITING, None)


def test_the_overview_at_rest_is_remembered_until_the_next_child() -> None:
    rested = event("rested", overview="abc")
    assert state_of(rested).overview_hash == "abc"
    assert state_of(rested, event("resumed", by="ada")).overview_hash == "abc"
    assert state_of(rested, started(1, "ask")).overview_hash is None


def test_another_session_s_limit_holds_here_too() -> None:
    shared = event("limit_shared", provider="claude", not_before=T0 + 900, reason="5 h limit")
    state = state_of(shared)
    assert (state.condition, state.not_before, state.limits) == (Condition.LIMITED, T0 + 900, {"claude": T0 + 900})
    waiting = state_of(waited(1, "ask", "qa_answers"), opened(1, "ask", "qa_answers", questions=["Q1"]), shared)
    assert waiting.condition is Condition.WAITING


def test_a_worktree_that_was_made_again_is_furnished_and_told_once() -> None:
    new = event("worktree_new", why="its folder was removed")
    ready = event("worktree_ready", notes=["The worktree was made anew."])
    assert state_of(new).worktree_is_new
    after = state_of(new, ready)
    assert not after.worktree_is_new
    assert after.notes == [Note("git", "The worktree was made anew.")]


def test_a_root_is_known_until_the_worktree_is_made_anew() -> None:
    rooted = event("rooted", roots={"worktree": {"path": "/w", "inode": 9}, "repository": {"path": "/r", "inode": 8}})
    assert state_of(rooted).roots["worktree"].inode == 9
    anew = state_of(rooted, event("worktree_new", why="gone")).roots["worktree"]
    assert (anew.path, anew.inode) == (Path("/w"), 0)


def test_a_session_that_went_back_stays_where_it_is_placed() -> None:
    placed = event("placed", machine="two", repo="/q/.git", root="/q", worktree="/q/w")
    back = state_of(prepared(), placed, event("rewound", to=0, record=2)).created
    assert (back.repo, back.root, back.worktree) == (Path("/q/.git"), Path("/q"), Path("/q/w"))
    assert back.branch == state_of().created.branch


@pytest.mark.parametrize(
    "after",
    [
        event("worktree_new", why="gone"),
        event("moved", **{"from": "done", "to": "implementation"}, by="ada"),
        event("resumed", by="ada"),
        event("rewound", to=0, record=2),
    ],
    ids=lambda record: record.event,
)
def test_a_session_is_archived_until_somebody_goes_on_with_it(after) -> None:
    archived = prepared(), event("archived", by="ada")
    assert state_of(*archived).archived
    assert not state_of(*archived, after).archived


def test_going_back_does_not_furnish_the_worktree() -> None:
    records = [created(), prepared(), event("worktree_new", why="gone"), event("rewound", to=0, record=2, note="")]
    assert fold(records).worktree_is_new


def test_a_gate_counts_nothing_before_it_is_shown() -> None:
    half = [*waited(1, "ask", "qa_answers"), opened(1, "ask", "qa_answers", shown=False)]
    shown = event("gate_shown", gate="g1")
    assert [state_of(*half).gate.shown, state_of(*half, shown).gate.shown] == [False, True]
    assert not state_of(*half, event("gate_shown", gate="g7")).gate.shown
    assert state_of(shown).gate is None
    assert state_of(*half[:-1], opened(1, "ask", "qa_answers")).gate.shown, "as the first version kept it"


@pytest.mark.parametrize("name", ["noted", "torn", "gate_void"])
def test_records_for_the_report_alone_change_nothing(name: str) -> None:
    before = state_of()
    after = state_of(event(name, gate="g1"))
    before.updated = after.updated
    assert after == before


def test_what_a_worker_could_not_do_holds_the_session_up_until_it_is_tried_again() -> None:
    failed = event("failed", reason="the setup command ended with 1", time=T0)
    held = state_of(failed, failed)
    assert (held.condition, held.reason, held.failures_of_workers) == (Condition.FAILED, held.failure, 2)
    tried = state_of(failed, event("retried"))
    assert (tried.condition, tried.reason, tried.failures_of_workers) == (Condition.READY, "", 1)
    assert state_of(failed, event("retried"), started(1, "ask")).failures_of_workers == 0


def test_guidance_waits_for_a_child_that_answers_it() -> None:
    state = state_of(event("guided", inbox=["a.inbox.md"]), started(1, "ask"))
    assert state.inbox == ["a.inbox.md"]


def test_every_record_type_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8") + Path(__file__).with_name("records.py").read_text()
    assert [name for name in Record.classes if f'"{name}"' not in text] == []


# --- going back -----------------------------------------------------------------------------------------------------


def rewound(record: int, to: int, minutes: float = 30) -> Record:
    return event("rewound", minutes, to=to, record=record, checkpoint="c9", left="l9", by="ada", note=f"Back to {to}.")


def journal_to(phase: str) -> list[Record]:
    return [created(), prepared(), *in_phase(phase)]


def test_going_back_is_the_state_of_then_with_the_numbers_of_now() -> None:
    records = journal_to("review")
    place = 1 + next(i for i, r in enumerate(records) if r.event == "ended" and r.iteration == 2)
    state = fold([*records, rewound(place, 2)])
    assert (state.phase, state.condition) == ("plan", Condition.READY)
    assert (state.iteration, state.totals.iterations, state.gates_opened) == (4, 4, 2)
    assert state.given == {"Q1": {"title": "Which?", "answer": "A"}}
    assert state.passed == set()
    assert state.notes == [Note("rewound", "Back to 2.")]
    assert state.updated == "2026-11-21T10:30:00.000Z"


def test_a_gate_that_was_open_then_is_open_again() -> None:
    records = journal_to("work")
    place = 1 + next(i for i, r in enumerate(records) if r.event == "ended" and r.iteration == 3)
    state = fold([*records, rewound(place, 3)])
    assert (state.condition, state.phase) == (Condition.WAITING, "plan")
    assert state.wanted == Signal(Status.WAITING, wait_for=GateKind.PLAN_APPROVAL, file="p.md")
    place += 1  # as it was after the gate opened
    gate = fold([*records, rewound(place, 3)]).gate
    assert gate is not None
    assert gate.id == "g2"


def test_going_back_before_the_first_child() -> None:
    state = fold([*journal_to("work"), rewound(2, 0)])
    assert (state.phase, state.condition, state.given, state.iteration) == ("ask", Condition.READY, {}, 3)


def test_going_back_twice_and_after_further_work() -> None:
    records = journal_to("review")
    place = 1 + next(i for i, r in enumerate(records) if r.event == "ended" and r.iteration == 2)
    records.append(rewound(place, 2))
    records += waited(5, "plan", "plan_approval", file="q.md")
    further = len(records)
    records.append(opened(5, "plan", "plan_approval", "g3", file="q.md"))
    records.append(closed("plan_approval", "approve", "g3", file="q.md"))
    assert fold(records).phase == "work"
    records += [rewound(2, 0), *went(6, "ask", "ask")]
    state = fold(records)
    assert (state.phase, state.iteration, state.phase_iterations) == ("ask", 6, 1)
    state = fold([*records, rewound(further, 5)])  # into the time after the first way back
    assert (state.phase, state.condition, state.iteration) == ("plan", Condition.WAITING, 6)
    assert state.wanted == Signal(Status.WAITING, wait_for=GateKind.PLAN_APPROVAL, file="q.md")


@pytest.mark.parametrize(
    "decision", [NETWORK, {"kind": "failed", "reason": "x"}, {"kind": "limited", "not_before": T0 + 9}]
)
def test_going_back_leaves_limits_and_failures_behind(decision: dict[str, object]) -> None:
    records = [created(), prepared(), started(1, "ask"), ended(1, "ask", decision)]
    state = fold([*records, rewound(4, 1)])
    assert (state.condition, state.not_before, state.limits, state.retry) == (Condition.READY, None, {}, False)


def test_a_session_that_went_back_can_be_recorded_further(tmp_path: Path) -> None:
    session = Session(tmp_path)
    for record in journal_to("review"):
        session.record(record)
    session.record(Rewound(to=0, record=2, checkpoint="c", left="l", by="ada", note="Back."))
    assert session.state().phase == "ask"
    session.record(Noted(text="on"))
    assert session.state() == Session(tmp_path).state()


# --- records of other versions ----------------------------------------------------------------------------------------


def test_a_record_of_a_newer_version_is_refused_and_nothing_written(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.record(created())
    newer = Noted(at="2026-11-21T10:00:00.000Z", text="moon")
    line = session.journal.line(newer).replace(b"noted", b"teleported")
    whole = session.journal.path.read_bytes() + line
    session.journal.path.write_bytes(re.sub(rb',"seal":"\w+"', b"", whole))
    before = session.journal.path.read_bytes()
    fresh = Session(tmp_path)
    with pytest.raises(SessionError, match="'teleported', which this version does not know: it was written by a newer"):
        fresh.state()
    with pytest.raises(SessionError, match="teleported"):
        fresh.record(Noted(text="x"))
    assert session.journal.path.read_bytes() == before


def test_a_session_of_a_newer_format_is_refused() -> None:
    with pytest.raises(SessionError, match="the session has format 2, this version knows up to 1"):
        fold([created(format=2)])


@pytest.mark.parametrize("kind", [None, 7, ["started"], {}])
def test_a_record_without_a_type_is_refused(kind: object) -> None:
    with pytest.raises(SessionError, match="does not know"):
        read({"event": kind})


@pytest.mark.parametrize(
    "record",
    [
        {"event": "started", "iteration": 1},
        {"event": "ended", "decision": {"kind": "teleport"}},
        {"event": "ended", "decision": "continue"},
        {"event": "gate_opened", "gate": {"kind": "qa_answers"}},
        {"event": "gate_opened", "gate": {"id": "g", "kind": "gold", "phase": "ask", "iteration": 1}},
        {"event": "halted", "condition": "asleep"},
        {"event": "moved"},
    ],
)
def test_a_damaged_record_is_refused_with_a_sentence(record: dict[str, object]) -> None:
    with pytest.raises(SessionError, match=f"record of type '{record['event']}' .* cannot be understood"):
        fold([created(), prepared(), read(record)])


def test_a_workflow_of_an_older_version_has_what_it_did_not_know_by_default() -> None:
    workflow = SMALL.to_json()
    for phase in workflow["phases"]:
        for key in ("summary", "iteration_seconds", "skills"):
            del phase[key]
    del workflow["summary"]
    record = read({"event": "created", "session": "s", "workflow": workflow})
    assert fold([record]).live_workflow == SMALL


def test_a_record_of_a_room_is_kept_and_means_nothing_to_the_core(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.record(created())
    before = session.state()
    said = session.record(RoomRecord(name="backlog.taken", values={"item": 7, "nested": {"at": "dawn"}}))
    assert list(Session(tmp_path).journal.read())[-1] == said
    assert session.state() == Session(tmp_path).state() == before


# --- a journal cut at every byte --------------------------------------------------------------------------------------


def test_cut_at_any_byte_of_its_last_records_it_folds_with_or_without_them(tmp_path: Path) -> None:
    records = journal_to("work")
    lines = [line(record) for record in records]
    whole = b"".join(lines)
    expected = {len(records) - missing: fold(records[: len(records) - missing]) for missing in range(3)}
    path = tmp_path / "_history.jsonl"
    for cut in range(len(whole) - len(lines[-1]) - len(lines[-2]), len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = len(list(Session(tmp_path).journal.read()))
        assert Session(tmp_path).state() == expected[kept]
        if cut % 5 == 0:  # an append is durable, so it costs
            Session(tmp_path).record(Noted(text="after"))
            again = list(Session(tmp_path).journal.read())
            assert again[:kept] == records[:kept]
            assert again[-1].but(at="") == Noted(text="after")
