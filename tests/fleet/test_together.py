"""Two people, or a person and a child, at two copies of one session: what fits together is kept, the rest is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kit import git
from machines import Machine, make_fleet, remote_git

from samoloop.api.rewind import rewind
from samoloop.base.errors import SessionError
from samoloop.core import gates, hearing
from samoloop.core.decision import Condition
from samoloop.core.gates import questions
from samoloop.core.records import Halted
from samoloop.core.session import Session
from samoloop.fleet import mark as marks
from samoloop.fleet import placing, together
from samoloop.fleet.parcel import Kind, Parcel
from samoloop.fleet.transport import Moved
from samoloop.git import calls
from samoloop.worker.lease import FILES, locked

pytestmark = pytest.mark.slow

TWO_QUESTIONS = """
case $SAMOLOOP_PHASE in
investigation) echo "what I found" > 11-21-0900-dive-x.md; next requirements;;
requirements)
  if [ -f asked ]; then next planning
  else
    touch asked
    printf '# Questions\\n\\n### Q1: Which way?\\nA) one\\nB) two\\n**Answer:** _waiting_\\n\\n' > _qa.md
    printf '### Q2: How far?\\nA) near\\nB) far\\n**Answer:** _waiting_\\n' >> _qa.md
    signal '{"status": "waiting", "for": "qa_answers"}'
  fi;;
planning) echo "the plan" > 11-21-0900-plan-x.md; plan 11-21-0900-plan-x.md;;
*) signal '{"status": "blocked", "reason": "that is all", "needs": "clarification"}';;
esac
"""


@pytest.fixture
def machines(tmp_path: Path) -> list[Machine]:
    return make_fleet(tmp_path, TWO_QUESTIONS, ("one", "two", "three"))


def at_questions(machines: list[Machine]) -> list[Session]:
    """A copy on each machine, at the gate of two questions."""
    session = machines[0].hand_in()
    while session.state().gate is None:
        machines[0].iterate(session)
    machines[0].send(session, Kind.ITERATION)
    return [session, *(machine.place(session.name)[0] for machine in machines[1:])]


def answer(machine: Machine, session: Session, by: str, **answers: str) -> None:
    with machine.at_work():
        session.forget()
        gates.answer(session.dir, session.state().gate, answers, by)


def give(machine: Machine, session: Session, by: str) -> list[str]:
    """What a machine does with an act of a person's: push it, or bring it together with what came first."""
    said: list[str] = []
    for _ in range(3):
        try:
            machine.send(session, Kind.ACT, by)
            return said
        except Moved:
            theirs = machine.fetch(session.name)
            with machine.at_work():
                said += machine.renew(session, theirs)
                if not together.unsent(session):
                    return said
    raise AssertionError("refused three times")


def newest(machine: Machine, name: str) -> Session:
    return machine.place(name)[0]


def answers_of(session: Session) -> dict[str, tuple[str, str]]:
    text = gates.read_text(session.dir / "_qa.md") or ""
    return {question.id: (question.answer, question.by) for question in questions.parse(text)}


def test_two_people_answer_different_questions_at_once_and_both_count(machines: list[Machine]) -> None:
    _, second, third = at_questions(machines)
    answer(machines[1], second, "ada", Q1="A")
    answer(machines[2], third, "bob", Q2="B")
    assert give(machines[1], second, "ada") == []
    assert give(machines[2], third, "bob") == []
    first = newest(machines[0], second.name)
    assert answers_of(first) == {"Q1": ("A", "ada"), "Q2": ("B", "bob")}
    machines[0].iterate(first)
    with machines[0].at_work():
        assert {id: given["answer"] for id, given in first.state().given.items()} == {"Q1": "A", "Q2": "B"}


def test_a_person_s_act_is_given_on_by_four_processes_of_git(
    machines: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are most of what a person waits for."""
    _, second, _ = at_questions(machines)
    answer(machines[1], second, "ada", Q1="A")
    machines[1].send(second, Kind.ACT, "ada")
    answer(machines[1], second, "ada", Q2="A")
    asked: list[str] = []
    run = calls.programs.run

    def counted(command: list[str], **rest: Any) -> Any:
        asked.append(command[1 + 2 * len(calls.OPTIONS) :][0])
        return run(command, **rest)

    monkeypatch.setattr(calls.programs, "run", counted)
    with machines[1].at_work():
        assert together.unsent(second)
    assert asked == []
    machines[1].send(second, Kind.ACT, "ada")
    assert asked == ["ls-tree", "cat-file", "-c", "update-ref"]  # the third is the push, as the person


def test_a_parcel_says_how_many_there_were_before_it(machines: list[Machine]) -> None:
    first, second, third = at_questions(machines)
    answer(machines[1], second, "ada", Q1="A")
    answer(machines[2], third, "bob", Q2="B")
    give(machines[1], second, "ada")
    give(machines[2], third, "bob")
    parcel, begun = machines[0].fetch(first.name), first.state().created.base
    counted = machines[0].git("rev-list", "--count", "--first-parent", parcel.oid, f"^{begun}")
    assert parcel.number == int(counted) == 4


def test_of_two_answers_to_one_question_the_first_counts_and_the_second_person_is_told(machines: list[Machine]) -> None:
    _, second, third = at_questions(machines)
    answer(machines[1], second, "ada", Q1="A")
    answer(machines[2], third, "bob", Q1="B, because it is shorter", Q2="B")
    give(machines[1], second, "ada")
    said = give(machines[2], third, "bob")
    told = " ".join(said)
    assert "Q1 was answered by ada first" in told and "B, because it is shorter" in told
    assert answers_of(third) == {"Q1": ("A", "ada"), "Q2": ("B", "bob")}
    ref = machines[2].git("for-each-ref", "--format=%(refname)", "refs/samoloop/aside")
    assert "because it is shorter" in machines[2].git("show", f"{ref}:session/_qa.md")
    assert ref in told
    assert answers_of(newest(machines[0], second.name))["Q1"] == ("A", "ada")


def test_an_answer_to_a_gate_that_is_closed_is_told_and_kept(machines: list[Machine]) -> None:
    _, second, third = at_questions(machines)
    answer(machines[1], second, "ada", Q1="A", Q2="A")
    give(machines[1], second, "ada")
    machines[1].iterate(second)
    machines[1].send(second, Kind.ITERATION)
    answer(machines[2], third, "bob", Q1="B")
    said = give(machines[2], third, "bob")
    assert len(said) == 2
    assert "the gate of _qa.md was closed by somebody else first" in said[1] and '"B"' in said[1]
    with machines[2].at_work():
        assert third.state().phase == "planning"
    ref = machines[2].git("for-each-ref", "--format=%(refname)", "refs/samoloop/aside")
    assert "bob" in machines[2].git("show", f"{ref}:session/_qa.md")


def test_a_decision_that_came_second_is_not_mixed_into_the_first(machines: list[Machine]) -> None:
    _, second, third = at_questions(machines)
    answer(machines[1], second, "ada", Q1="A", Q2="A")
    give(machines[1], second, "ada")
    for _ in range(4):
        machines[1].iterate(second)
        with machines[1].at_work():
            if second.state().gate:
                break
    machines[1].send(second, Kind.ITERATION)
    third = newest(machines[2], second.name)
    with machines[1].at_work():
        gates.decide_plan(second.dir, second.state().gate, gates.Verdict.APPROVE, "ada")
    with machines[2].at_work():
        gates.decide_plan(third.dir, third.state().gate, gates.Verdict.CHANGES, "bob", comment="more tests")
    give(machines[1], second, "ada")
    said = give(machines[2], third, "bob")
    assert "_approval.md was decided by somebody else first" in said[1] and "more tests" in said[1]
    text = (third.dir / "_approval.md").read_text()
    assert "more tests" not in text and "ada" in text


def test_words_that_were_told_during_an_iteration_come_to_the_next_child(machines: list[Machine]) -> None:
    one, two = machines[:2]
    here = one.hand_in()
    there, _ = two.place(here.name)
    with two.at_work():
        hearing.tell(there, "use the short way", "ada")
    give(two, there, "ada")
    one.iterate(here)
    with pytest.raises(Moved):
        one.send(here, Kind.ITERATION)
    theirs = one.fetch(here.name)
    with one.at_work():
        base = marks.read(here.dir)
        assert base is not None
        between = together.acts_between(one.repo, base.parcel, theirs)
        assert between is not None and [act.by for act in between] == ["ada"]
        said: list[str] = []
        together.merge(here, base.parcel, theirs, lambda _, new: said.extend(new))
        assert said == []
    one.send(here, Kind.ITERATION)
    there = newest(two, here.name)
    with two.at_work():
        assert gates.read_text(there.control / gates.INBOX) == "From ada:\nuse the short way\n\n"
        assert there.state().iteration == 1
    two.iterate(there)
    with two.at_work():
        prompts = sorted(there.logs.glob("*.prompt.md"))
        assert "use the short way" in prompts[-1].read_text()
        assert not (there.control / gates.INBOX).exists()


def test_words_that_a_child_was_given_are_not_given_again_where_somebody_says_more(machines: list[Machine]) -> None:
    one, two = machines[:2]
    here = one.hand_in()
    with one.at_work():
        hearing.tell(here, "use the short way", "ada")
    one.send(here, Kind.ACT, "ada")
    there, _ = two.place(here.name)
    with two.at_work():
        hearing.tell(there, "and be quick", "bob")
    one.iterate(here)
    one.send(here, Kind.ITERATION)
    give(two, there, "bob")
    with two.at_work():
        assert gates.read_text(there.control / gates.INBOX) == "From bob:\nand be quick\n\n"


def test_words_that_a_child_had_whose_work_is_set_aside_come_to_the_next_one(machines: list[Machine]) -> None:
    one, two = machines[:2]
    here = one.hand_in()
    there, _ = two.place(here.name)
    with two.at_work():
        hearing.tell(there, "use the short way", "ada")
    give(two, there, "ada")
    newest(one, here.name)
    with one.at_work():
        hearing.tell(here, "and be quick", "bob")
    one.iterate(here)
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    here = newest(one, here.name)
    with one.at_work():
        assert gates.read_text(here.control / gates.INBOX) == "From bob:\nand be quick\n\n"


def answered_too_late(one: Machine, two: Machine) -> Session:
    """A copy on one, where somebody answered at a gate of work that the other was faster than."""
    here = one.hand_in()
    there, _ = two.place(here.name)
    while here.state().gate is None:
        one.iterate(here)
    answer(one, here, "ada", Q1="only for admins")
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    return here


def test_who_answered_a_gate_that_only_work_had_which_came_too_late_is_told(machines: list[Machine]) -> None:
    one = machines[0]
    here = answered_too_late(one, machines[1])
    theirs = one.fetch(here.name)
    with one.at_work():
        said = one.renew(here, theirs)
    assert len(said) == 2 and 'about that work (Q1: "only for admins")' in said[1]
    assert one.git("for-each-ref", "refs/samoloop/aside").count("\n") == 0


def test_an_answer_on_a_machine_that_went_on_counts_where_the_gate_is_open_still(machines: list[Machine]) -> None:
    here, there, _ = at_questions(machines)
    one, two = machines[:2]
    answer(one, here, "ada", Q1="B")
    with one.at_work(), locked(here, FILES):
        here.record(Halted(condition=Condition.STOPPED, reason="stopped by a person"))
    answer(two, there, "bob", Q2="A")
    give(two, there, "bob")
    theirs = one.fetch(here.name)
    with one.at_work():
        one.renew(here, theirs)
        assert answers_of(here) == {"Q1": ("B", "ada"), "Q2": ("A", "bob")}


def test_an_iteration_between_is_no_act(machines: list[Machine]) -> None:
    one, two = machines[:2]
    here = one.hand_in()
    with one.at_work():
        base = marks.read(here.dir)
    there, _ = two.place(here.name)
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    theirs = one.fetch(here.name)
    assert base is not None
    with one.at_work():
        assert together.acts_between(one.repo, base.parcel, theirs) is None
        assert together.acts_between(one.repo, "0" * 40, theirs) is None


def test_work_that_came_too_late_is_refused_and_set_aside_whole(machines: list[Machine]) -> None:
    """A machine that was cut off went on; its work is on a ref of its own, and theirs counts."""
    one, two = machines[:2]
    here = one.hand_in()
    there, _ = two.place(here.name)
    one.iterate(here)
    one.iterate(here)
    with one.at_work():
        hearing.tell(here, "said while it was cut off", "ada")
        late = {"tip": one.git("rev-parse", here.branch), "journal": here.journal.content}
        (here.worktree / "late.txt").write_text("uncommitted\n")
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    with pytest.raises(Moved):
        one.send(here, Kind.ITERATION)
    before = remote_git(one, "for-each-ref")
    theirs: Parcel = one.fetch(here.name)
    with one.at_work():
        said = one.renew(here, theirs)
    ref = one.git("for-each-ref", "--format=%(refname)", "refs/samoloop/aside")
    assert len(said) == 1 and ref in said[0] and "what was done" in said[0] and "worktree" in said[0]
    parents = one.git("rev-list", "--parents", "-n1", ref).split()
    assert late["tip"] in parents
    assert any("late.txt" in one.git("ls-tree", "-r", "--name-only", oid).split() for oid in parents)
    kept = one.git("show", f"{ref}:control/tail.jsonl")
    assert late["journal"].decode().strip().endswith(kept[-200:])  # type: ignore[union-attr]
    assert not (here.worktree / "late.txt").exists()
    with one.at_work():
        assert here.state().iteration == 1
        assert gates.read_text(here.control / gates.INBOX) == "From ada:\nsaid while it was cut off\n\n"
    assert remote_git(one, "for-each-ref") == before
    assert give(one, here, "ada") == []
    one.iterate(here)
    one.send(here, Kind.ITERATION)


def test_what_came_without_checkpoints_is_not_mixed_with_those_of_work_that_was_set_aside(
    machines: list[Machine],
) -> None:
    one, two = machines[:2]
    there = one.hand_in()
    here, _ = two.place(there.name)
    two.iterate(here)
    with one.at_work():
        hearing.tell(there, "use the short way", "bob")
    give(one, there, "bob")
    theirs = two.fetch(here.name)
    with two.at_work():
        two.renew(here, theirs)
        assert here.state().iteration == 0
    two.iterate(here)
    two.send(here, Kind.ITERATION)
    there = newest(one, here.name)
    with one.at_work():
        assert (there.state().iteration, there.state().condition) == (1, Condition.READY)


def test_who_closed_a_gate_in_a_journal_that_is_set_aside_is_told(machines: list[Machine]) -> None:
    one, two = machines[:2]
    here = one.hand_in()
    there, _ = two.place(here.name)
    while here.state().gate is None:
        one.iterate(here)
    answer(one, here, "ada", Q1="only for admins", Q2="as far as it goes")
    one.iterate(here)
    with one.at_work():
        (here.dir / "_qa.md").unlink()
    two.iterate(there)
    two.send(there, Kind.ITERATION)
    theirs = one.fetch(here.name)
    with one.at_work():
        said = one.renew(here, theirs)
    assert any("only for admins" in one and "as far as it goes" in one for one in said)


def test_a_parcel_that_came_to_the_remote_unseen_changes_nothing_here(machines: list[Machine]) -> None:
    """The answer to the push was lost; what a child has not committed yet stays where it is."""
    one = machines[0]
    here = one.hand_in()
    one.iterate(here)
    one.send(here, Kind.ITERATION)
    with one.at_work():
        before = marks.read(here.dir)
        assert before is not None
        (here.worktree / "half.txt").write_text("not committed\n")
        hearing.tell(here, "and be quick", "ada")
    one.send(here, Kind.ACT, "ada")
    with one.at_work():
        marks.at(here.dir, before.parcel, before.paths)
        assert one.renew(here, one.fetch(here.name)) == []
        assert (here.worktree / "half.txt").read_text() == "not committed\n"


def test_after_going_back_the_branch_travels_with_the_session(machines: list[Machine]) -> None:
    """The remote's branch has what was left, so it does not take the shorter one; the parcel has it."""
    one, two = machines[:2]
    here = at_questions(machines)[0]
    with one.at_work():
        (here.worktree / "extra.txt").write_text("x")
        git(here.worktree, "add", ".")
        git(here.worktree, "commit", "--quiet", "-m", "More")
    one.send(here, Kind.MOVED)
    with one.at_work():
        marked = marks.read(here.dir)
        assert marked is not None
        marks.take_off(here.dir)  # a command of one machine's own, in place of the lease that a fleet installs
        rewind(here, 1, "ada", one.environ)
        marks.write(here.dir, marked)
    notes = one.send(here, Kind.MOVED)
    assert notes and "did not take refs/heads/" in notes[0]
    there, said = two.place(here.name)
    assert said == []
    with two.at_work():
        assert two.git("rev-parse", here.branch) == one.git("rev-parse", here.branch)
        assert there.state().phase == here.state().phase == "requirements"
        assert there.state().condition is Condition.READY
    two.iterate(there)


def test_what_is_not_taken_over_is_told_before_it_is_written_over(machines: list[Machine]) -> None:
    """Whoever dies in between tells it again; told after, nobody would ever hear of it."""
    one = machines[0]
    here = answered_too_late(one, machines[1])

    def dies(session: Session, said: Sequence[str]) -> None:
        raise SessionError(said[1])

    with pytest.raises(SessionError, match="only for admins"), one.at_work():
        placing.renew(here, one.fetch(here.name), one.environ, one.name, dies)
    assert any("only for admins" in sentence for sentence in one.renew(here, one.fetch(here.name)))
