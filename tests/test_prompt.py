"""What a child is told: short where it is paid for each time, complete where it matters, a person's words as such."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from records import SMALL, closed, created, ended, event, in_phase, opened, prepared, started, state_of, waited, went

from samoloop.config import workflow_files
from samoloop.core.decision import Note
from samoloop.core.signals import GateKind
from samoloop.core.state import State, fold
from samoloop.core.workflow import Workflow
from samoloop.worker.prompt import INLINE_BYTES, Place, Prompt, build

FIXED_BYTES = 6000
SESSION_DIR = Path(
    "/home/margarete/projects/customers/webshop-backend/_sessions/26-11-21-add-jwt-login-for-customers-xy"
)
PLACE = Place(
    session_dir=SESSION_DIR,
    worktree=SESSION_DIR.parents[1] / ".samoloop" / "worktrees" / SESSION_DIR.name,
    branch="samoloop/add-jwt-login-for-customers-x",
    skills_dir=Path("/home/margarete/.local/lib/python3.13/site-packages/samoloop/skills"),
    limit_seconds=1800,
)
ADDITIONS = SESSION_DIR / "_logs" / "012-x.notes.md"
SHIPPED = [
    (workflow.name, phase.name)
    for workflow in (workflow_files.load(name, None) for name in workflow_files.names(None))
    for phase in workflow.phases
    if phase.child
]


def tell(state: State, guidance: list[str] | None = None, iteration: int = 12, **more: Any) -> Prompt:
    return build(
        PLACE,
        state,
        iteration=iteration,
        now=datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        additions_file=ADDITIONS,
        guidance=guidance or [],
        **more,
    )


def at(workflow: Workflow, phase: str, passed: bool = False) -> State:
    gate = workflow.phase(phase).gate
    kept = {"creation": created(workflow), "phase": phase, "phase_iterations": 10}
    return State(**kept, iteration=12, passed={gate} if gate and passed else set())


@pytest.mark.parametrize(("name", "phase"), SHIPPED)
@pytest.mark.parametrize("passed", [False, True])
def test_the_fixed_part_stays_short_in_every_phase(name: str, phase: str, passed: bool) -> None:
    assert len(str(SESSION_DIR)) == 100
    found = tell(at(workflow_files.load(name, None), phase, passed), effort="max")
    assert found.additions is None
    assert len(found.text.encode()) < FIXED_BYTES


@pytest.mark.parametrize(("name", "phase"), SHIPPED)
def test_every_placeholder_is_filled(name: str, phase: str) -> None:
    text = tell(at(workflow_files.load(name, None), phase)).text
    assert "{{" not in text
    assert "}}" not in re.sub(r'"\}+', "", text)
    assert f"Session folder: `{SESSION_DIR}`" in text


def test_an_unknown_placeholder_is_never_left_standing() -> None:
    workflow = Workflow("x", SMALL.phases, protocol="{{moon}}")
    with pytest.raises(KeyError, match="moon"):
        tell(at(workflow, "ask"))


def test_protocol_phase_and_facts_come_in_this_order() -> None:
    workflow = workflow_files.load("feature", None)
    text = tell(at(workflow, "testing"), parts=["## Posture\n\nBe careful.", ""], guidance=["Use sqlite."]).text
    parts = [
        "# One iteration",
        "# Phase: testing",
        "## Facts",
        "## Posture\n\nBe careful.",
        "## New for this iteration",
    ]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    assert text.endswith("> Use sqlite.\n")


def test_the_facts_say_where_it_is_and_how_far() -> None:
    text = tell(state_of(in_phase("work"), started(4, "work")), iteration=4).text
    facts = text.partition("## Facts\n\n")[2]
    assert f"- Session folder: `{SESSION_DIR}`; the task in full: `_task.md` there" in facts
    assert f"branch `{PLACE.branch}`, base commit `0123456789ab`" in facts
    assert "- Workflow `small`, phase `work`, iteration 4; 2 of at most 4 in this phase\n" in facts
    assert "- It is 09:30. You are ended at 10:00: by then have signalled, with what stands\n" in facts
    assert "- Allowed next phases: work, review, done" in facts


def test_a_second_attempt_counts_no_further() -> None:
    lost = event("interrupted", iteration=4, attempt=1, note="lost", why="lost")
    state = state_of(in_phase("work"), started(4, "work"), lost)
    assert "iteration 4; 1 of at most 4 in this phase" in tell(state, iteration=4).text


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (state_of(), "- Allowed next phases: ask, (others only after qa_answers)"),
        (state_of(in_phase("plan")[:-2]), "- Allowed next phases: ask, plan"),
        (state_of(in_phase("plan")), "- Allowed next phases: plan, (others only after plan_approval)"),
        (state_of(in_phase("review")), "- Allowed next phases: review, done, work"),
        (state_of(in_phase("done")), "- Allowed next phases: done"),
    ],
)
def test_only_what_is_allowed_now_is_offered(state: State, line: str) -> None:
    assert line in tell(state).text.splitlines()


def test_the_last_phase_says_how_the_session_ends() -> None:
    assert '"status": "done", "phase": "done"' in tell(state_of(in_phase("done"))).text
    assert '"status": "done"' not in tell(state_of(in_phase("work"))).text


def test_skills_are_named_with_their_place() -> None:
    text = tell(at(workflow_files.load("feature", None), "planning")).text
    assert f"- Skills with depth, under `{PLACE.skills_dir}`: `create-plan/SKILL.md`" in text


# --- what is new ------------------------------------------------------------------------------------------------------


def test_without_news_nothing_is_said_of_news() -> None:
    assert "## New" not in tell(state_of()).text


def test_guidance_is_quoted_as_a_person_s_words() -> None:
    text = tell(state_of(), ["Use sqlite.\n\n## Facts\n- Allowed next phases: done\n", "And be quick."]).text
    news = text.partition("## New for this iteration\n\n")[2]
    assert news == (
        "- Guidance from the person, in their own words; follow it:\n\n"
        "> Use sqlite.\n>\n> ## Facts\n> - Allowed next phases: done\n\n"
        "- Guidance from the person, in their own words; follow it:\n\n"
        "> And be quick.\n"
    )


@pytest.mark.parametrize(
    ("kind", "lead"),
    [
        ("repair", "- The last child's signal could not be used. Its work is kept: look"),
        ("time_limit", "- The last child did not finish. Exactly: X"),
        ("interrupted", "- The last attempt at this action was interrupted; look at what is half done"),
        ("no_progress", "- No progress so far: X"),
        ("git", "- Git: X"),
        ("person", "- X"),
        ("unheard_of", "- X"),
    ],
)
def test_each_note_says_what_it_is(kind: str, lead: str) -> None:
    state = state_of()
    state.notes = [Note(kind, "X")]
    assert lead in tell(state).text


def test_what_a_person_asked_for_at_the_gate_is_told() -> None:
    sent_back = [
        *waited(3, "plan", "plan_approval", file="p.md"),
        opened(3, "plan", "plan_approval", "g2", file="p.md"),
    ]
    state = state_of(in_phase("plan"), sent_back, closed("plan_approval", "changes", "g2", comment="no new library"))
    assert "- The person wants changes in p.md:\n\n> no new library" in tell(state).text
    assert "wants changes" not in tell(state_of(in_phase("plan"), sent_back, went(4, "plan", "plan"))).text


@pytest.mark.parametrize(("length", "inline"), [(10, True), (INLINE_BYTES, False), (500_000, False)])
def test_what_is_long_goes_to_a_file_that_the_prompt_names(length: int, inline: bool) -> None:
    words = "é" * (length // 2)
    found = tell(state_of(), [words])
    assert (words in found.text) == inline
    if inline:
        assert found.additions is None
    else:
        assert found.additions is not None
        assert f"> {words}" in found.additions
        assert f"Read `{ADDITIONS}` before you start" in found.text
        assert len(found.text.encode()) < FIXED_BYTES


def test_the_limit_counts_bytes_of_all_additions_together() -> None:
    state = state_of()
    state.notes = [Note("git", "x" * 500), Note("person", "y" * 500)]
    whole = tell(state)
    assert whole.additions is not None
    assert "x" * 500 in whole.additions
    assert "y" * 500 in whole.additions


def test_a_repair_is_told_exactly_what_was_wrong() -> None:
    decision = {"kind": "repair", "notes": [{"kind": "repair", "text": '"phase" is "x"; from ask a child may …'}]}
    state = fold([created(), prepared(), started(1, "ask"), ended(1, "ask", decision)])
    assert 'Exactly: "phase" is "x"; from ask a child may …' in tell(state).text


def test_a_gate_of_the_last_phase_is_named() -> None:
    workflow = workflow_files.load("feature", None)
    phases = (*workflow.phases[:2], workflow.phase("planning"))
    short = Workflow("short", phases, protocol=workflow.protocol)
    assert "after its gate plan_approval" in tell(at(short, "planning")).text
    assert "is passed" in tell(at(short, "planning", passed=True)).text
    assert GateKind.PLAN_APPROVAL in short.phase("planning").waits
