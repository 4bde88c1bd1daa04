"""What a person does at a gate that was shown to them elsewhere is bound to what they saw, and to who said it first."""

from pathlib import Path

import pytest
from session_work import QUESTIONS, Work

from samoloop.api import deciding
from samoloop.api.deciding import Decided, Stale, Who, question_hash
from samoloop.base.errors import SamoloopError
from samoloop.core import gates
from samoloop.core.gates import Verdict

ANN, BOB = Who("Ann (page)", "Ann (page)"), Who("Bob (page)", "Bob (page)")


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def hashes(work: Work) -> dict[str, str]:
    return {question.id: question_hash(question) for question in gates.read_questions(work.dir)}


def say(work: Work, who: Who, answers: dict[str, str], shown: dict[str, str] | None = None) -> str:
    return deciding.answer(work.dir, work.gate, answers, hashes(work) if shown is None else shown, who)


def test_answers_are_given_changed_by_the_same_person_and_stand_against_another_one(work: Work) -> None:
    work.ask()
    assert say(work, ANN, {"Q1": "A"}) == "Q1 answered. Still open: Q2."
    assert say(work, ANN, {"Q1": "B"}) == "Q1 changed. Still open: Q2."
    with pytest.raises(Decided, match=r"Q1: B\. That was decided by Ann, so it stands"):
        say(work, BOB, {"Q1": "A", "Q2": "A"})
    assert [question.answer for question in gates.read_questions(work.dir)] == ["B", ""]
    assert say(work, BOB, {"Q2": "A"}) == "Q2 answered, that was all."


@pytest.mark.parametrize("part", ["Which library?", "B) our own", "A - limits the damage"])
def test_a_question_that_reads_differently_is_not_answered(work: Work, part: str) -> None:
    work.ask()
    seen = hashes(work)
    (work.dir / "_qa.md").write_text(QUESTIONS.replace(part, f"{part}!"))
    with pytest.raises(Stale, match="changed since it was shown: nothing was changed"):
        say(work, ANN, {"Q1": "A", "Q2": "B"}, seen)
    assert not any(question.answer for question in gates.read_questions(work.dir))


def test_an_act_that_has_a_name_of_its_own_counts_once(work: Work) -> None:
    work.ask()
    first, second = (Who(f"Ann (Telegram 4711/{number})", "Ann (Telegram 4711/") for number in (7, 8))
    say(work, first, {"Q1": "A"})
    assert say(work, first, {"Q1": "B"}) == "Q1 is answered: A"
    assert say(work, second, {"Q1": "B"}) == "Q1 changed. Still open: Q2."


def test_a_plan_is_decided_by_whoever_is_first_and_by_them_alone_anew(work: Work) -> None:
    gate = work.show_plan()
    deciding.decide(work.dir, work.root, gate, Verdict.APPROVE, ANN, shown=gate.sha256)
    deciding.decide(work.dir, work.root, gate, Verdict.CHANGES, ANN, "shorter")
    with pytest.raises(Decided, match="decided by Ann"):
        deciding.decide(work.dir, work.root, gate, Verdict.REJECT, BOB)
    closing = work.decision()
    assert closing and (closing.verdict, closing.by, closing.comment) == (Verdict.CHANGES, "Ann (page)", "shorter")


def test_an_approval_holds_for_the_text_that_was_seen(work: Work) -> None:
    gate = work.show_plan()
    (work.dir / (gate.file or "")).write_text("# Another plan\n")
    with pytest.raises(SamoloopError, match="the plan has changed"):
        deciding.decide(work.dir, work.root, gate, Verdict.APPROVE, ANN, shown=gate.sha256)
    assert work.decision() is None


def test_what_an_editor_wrote_stands(work: Work) -> None:
    gate = work.ask_for_action()
    (work.dir / "_action.md").write_text(work.read("_action.md").replace("_waiting_", "yes"))
    with pytest.raises(Decided, match="by somebody in an editor"):
        deciding.decide(work.dir, work.root, gate, Verdict.DECLINED, ANN, "no")
