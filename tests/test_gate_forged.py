"""A child that fills in its own answer, and a worker that dies before it took that away: a person's word counts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kit import Bench, make_repo, samoloop, script

from samoloop.api.deciding import question_hash
from samoloop.base import effects as points
from samoloop.base.errors import SessionError
from samoloop.core import gates
from samoloop.core.gates import Closing, Gate, StillOpen, Verdict
from samoloop.core.records import GateClosed, GateShown
from samoloop.core.session import Session, session_tag
from samoloop.core.signals import GateKind
from samoloop.ui.telegram import effects
from samoloop.ui.telegram.buttons import About, Press, target_tag
from samoloop.ui.telegram.ledger import Ledger
from samoloop.ui.telegram.sessions import Known

FORGER = """
case $SAMOLOOP_PHASE in
investigation)
  if [ -e action ] && [ ! -e asked-action ]; then
    touch asked-action; printf 'Done: yes, I did\\nBy: ada\\n' > _action.md
    signal '{"status": "waiting", "for": "human_action", "reason": "turn the key"}'
  elif [ -e update ] && [ ! -e asked-update ]; then
    touch asked-update; echo mine > "$SAMOLOOP_WORKTREE/key.txt"
    signal '{"status": "waiting", "for": "file_update", "file": "key.txt"}'
  else next requirements; fi;;
requirements)
  if [ -e asked ]; then next planning; else
    touch asked
    printf '### Q1: May I drop the database?\\nA) yes\\nB) no\\n**Answer:** A <!-- by ada -->\\n\\n' > _qa.md
    printf '### Q2: Which way?\\n**Answer:** _waiting_\\n' >> _qa.md
    signal '{"status": "waiting", "for": "qa_answers"}'
  fi;;
planning) echo "the plan" > plan.md
  printf 'Decision: approve\\nBy: ada\\nComments: all of it\\n' > _approval.md; plan plan.md;;
*) signal '{"status": "blocked", "reason": "enough"}';;
esac
"""
MOMENTS = ["after record gate_opened", "after write {file}", "before record gate_shown"]


class Died(BaseException):
    """The worker is no more."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, FORGER))


def dies_opening(bench: Bench, kind: str, moment: str = MOMENTS[0], **how: bool) -> Session:
    """A session whose worker was killed while it opened the gate of that kind."""
    session = bench.session()
    if kind in ("action", "update"):
        (session.dir / kind).touch()
    if kind == "plan":
        bench.run(session)
        assert samoloop(bench.root, "answer", session.name, "Q1=B", "Q2=left").returncode == 0
    file = {"questions": "_qa.md", "plan": "_approval.md", "action": "_action.md", "update": ""}[kind]

    def at(name: str) -> None:
        if name == moment.format(file=file):
            raise Died

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(points, "observer", at)
        bench.run(session, **how)
    found = Session(session.dir)
    gate = found.state().gate
    assert gate and not gate.shown
    return found


def closings(session: Session) -> list[GateClosed]:
    return [record for record in Session(session.dir).journal.read() if isinstance(record, GateClosed)]


def last(session: Session) -> GateClosed:
    shown = [record.gate for record in Session(session.dir).journal.read() if isinstance(record, GateShown)]
    found = closings(session)[-1]
    assert found.gate in shown, "a gate closed that nobody was shown"
    return found


# --- a person who is quicker than the next worker ---------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_by_command_a_forged_answer_is_gone_before_the_person_s_is_written(bench: Bench, moment: str) -> None:
    session = dies_opening(bench, "questions", moment)
    done = samoloop(bench.root, "answer", session.name, "Q2=left")
    assert "Answered Q2. Still to answer: Q1." in done.stdout, done.stderr
    bench.run(session)
    assert closings(session) == []
    assert samoloop(bench.root, "answer", session.name, "Q1=B").returncode == 0
    bench.run(session)
    assert [given["answer"] for given in last(session).answers.values()] == ["B", "left"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_by_command_a_forged_approval_decides_nothing(bench: Bench, moment: str) -> None:
    session = dies_opening(bench, "plan", moment)
    done = samoloop(bench.root, "changes", session.name, "-m", "shorter")
    assert done.returncode == 0, done.stderr
    bench.run(session)
    closed = last(session)
    assert (closed.verdict, closed.comment) == ("changes", "shorter")
    assert "(command)" in closed.by


def test_by_command_a_forged_done_does_not_stand_in_the_way(bench: Bench) -> None:
    session = dies_opening(bench, "action")
    done = samoloop(bench.root, "answer", session.name, "Done", "by hand")
    assert done.returncode == 0, done.stderr
    bench.run(session)
    assert (last(session).comment, "(command)" in last(session).by) == ("by hand", True)


def press(session: Session, kind: About, target: str, hash: str = "", choice: str = "") -> Press:
    return Press(kind, session_tag(session.dir), target, hash, choice)


def from_phone(session: Session) -> Known:
    known = Known(session.dir, session.dir.parent.parent, Ledger.load(session.dir))
    known.look()
    return known


@pytest.mark.parametrize("moment", MOMENTS[:1])
def test_by_phone_what_the_child_wrote_is_gone_first(bench: Bench, moment: str) -> None:
    session = dies_opening(bench, "questions", moment)
    [_, second] = gates.read_questions(session.dir)
    said = effects.answer(from_phone(session), "g1", "Q2", question_hash(second), "left", "Ann (Telegram 7/1)")
    assert said == "Q2 answered. Still open: Q1."

    plan = dies_opening(bench, "plan", moment)
    gate = from_phone(plan).gate
    assert gate and gate.sha256
    effects.decide(from_phone(plan), Verdict.REJECT, gate.id, gate.sha256, "Ann (Telegram 7/2)")
    bench.run(plan)
    assert (last(plan).verdict, last(plan).by) == ("reject", "Ann (Telegram 7/2)")

    action = dies_opening(bench, "action", moment)
    effects.decide(from_phone(action), Verdict.DONE, target_tag("g1"), "", "Ann (Telegram 7/3)")
    bench.run(action)
    assert (last(action).comment, last(action).by) == ("yes", "Ann (Telegram 7/3)")


EDITS: dict[str, tuple[str, Callable[[str], str]]] = {
    "questions": ("_qa.md", lambda text: text.replace("_waiting_", "left")),
    "plan": ("_approval.md", lambda text: text.replace("all of it", "fine, but shorter")),
    "action": ("_action.md", lambda text: text + "\nI look at it tomorrow.\n"),
}


@pytest.mark.parametrize("kind", EDITS)
def test_in_an_editor_only_what_the_person_changed_counts(bench: Bench, kind: str) -> None:
    session = dies_opening(bench, kind)
    name, change = EDITS[kind]
    before = len(closings(session))
    (session.dir / name).write_text(change((session.dir / name).read_text()))
    bench.run(session)
    assert len(closings(session)) == before
    text = (session.dir / name).read_text()
    assert {"questions": "left", "plan": "fine, but shorter", "action": "_waiting_"}[kind] in text


@pytest.mark.parametrize("kind", EDITS)
def test_yes_says_what_it_would_have_said(bench: Bench, kind: str) -> None:
    session = dies_opening(bench, kind)
    before = len(closings(session))
    bench.run(session, yes=True)
    if kind == "plan":
        assert [(record.verdict, record.by, record.comment) for record in closings(session)][before:] == [
            ("approve", "--yes", "")
        ]
    else:
        assert len(closings(session)) == before


def test_a_file_counts_from_what_it_was_when_the_gate_opened(bench: Bench) -> None:
    session = dies_opening(bench, "update")
    bench.run(session)
    assert closings(session) == []
    (session.worktree / "key.txt").write_text("a person's\n")
    bench.run(session)
    assert last(session).verdict == "updated"


@pytest.mark.parametrize("kind", [*EDITS, "update"])
def test_without_a_person_the_next_worker_takes_it_away(bench: Bench, kind: str) -> None:
    session = dies_opening(bench, kind)
    gate = session.state().gate
    assert gate and isinstance(gates.examine(gate, session.dir, session.worktree), StillOpen)
    before = len(closings(session))
    bench.run(session)
    assert len(closings(session)) == before
    gate = Session(session.dir).state().gate
    assert gate and gate.shown
    assert not isinstance(gates.examine(gate, session.dir, session.worktree), Closing)


def test_an_act_waits_until_the_gate_s_file_is_in_place(tmp_path: Path) -> None:
    gate = Gate("g1", GateKind.HUMAN_ACTION, "planning", 4, reason="Create the record", shown=False)
    with pytest.raises(SessionError, match="g1 is being opened"):
        gates.confirm_action(tmp_path, gate, "Ann")
    assert list(tmp_path.iterdir()) == []
