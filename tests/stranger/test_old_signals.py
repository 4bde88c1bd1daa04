"""A child that learned the predecessor's signals is understood where there is no doubt, and nowhere else."""

from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.core.records import Ended
from samoloop.core.session import Session, all_sessions

PLAN = "printf '# Plan\\n- [ ] 1.1 it works\\n' >"
UNNAMED = """signal '{"status": "Waiting", "phase": "Planning", "for": "plan_approval"}'"""


def run(tmp_path: Path, planning: str) -> tuple[Session, str]:
    """A session up to the gate of its plan, and how it ended."""
    child = GOOD_CHILD.replace("plan 11-21-0900-plan-x.md;;", f"{planning};;")
    root = scripted_project(tmp_path, child)
    done = samoloop(root, "run", "Add a feature", "--session", "a", "--yes", "--until", "planning", "--no-wait")
    (session,) = all_sessions(root / "_sessions")
    return session, done.stdout + done.stderr


def bad_signals(session: Session) -> list[str]:
    return [record.bad_signal for record in session.journal if isinstance(record, Ended) and record.bad_signal]


def test_the_only_new_plan_is_the_one_that_is_meant(tmp_path: Path) -> None:
    session, said = run(tmp_path, f"{PLAN} 11-21-0900-plan-x.md; {UNNAMED}")
    assert not bad_signals(session), said
    assert "Plan: 11-21-0900-plan-x.md\n" in (session.dir / "_approval.md").read_text()


@pytest.mark.parametrize(
    "written",
    [
        f"{PLAN} 11-21-0900-plan-x.md; {PLAN} 11-21-0901-plan-y.md",  # which?
        "touch -d 2026-01-01 11-21-0900-plan-x.md",  # none is new
        "rm 11-21-0900-plan-x.md",
    ],
)
def test_a_plan_that_is_not_named_is_a_bad_signal_where_another_could_be_meant(tmp_path: Path, written: str) -> None:
    session, _ = run(tmp_path, f"{written}; {UNNAMED}")
    assert bad_signals(session)[0] == 'waiting for "plan_approval" needs "file"'
    assert not (session.dir / "_approval.md").exists()


def test_capital_letters_change_nothing(tmp_path: Path) -> None:
    said = """leave; signal '{"status": "Continue", "phase": "REQUIREMENTS"}'"""
    root = scripted_project(tmp_path, GOOD_CHILD.replace("next requirements", said))
    samoloop(root, "run", "Add a feature", "--session", "a", "--no-wait")
    (session,) = all_sessions(root / "_sessions")
    assert not bad_signals(session)
    assert session.state().phase == "requirements"
