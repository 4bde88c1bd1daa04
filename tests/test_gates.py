"""The worker opens a gate, only a human closes it; what a child writes, and what a crash cuts off, closes nothing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from arbitrary import PROPERTY, nasty_text
from gate_scene import PLAN, QA, look, make_session, open_gate, refused, wait, why
from hypothesis import given, settings
from hypothesis import strategies as st

from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import sha256
from samoloop.core import gates
from samoloop.core.gates import Closing, Gate, StillOpen, Verdict, Void, questions
from samoloop.core.signals import BadSignal, GateKind, Signal, Status


@pytest.fixture
def session_dir(tmp_path: Path) -> Path:
    return make_session(tmp_path)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    return tmp_path / "worktree"


# --- what a child may ask for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signal",
    [
        Signal(Status.CONTINUE, "testing"),
        Signal(Status.DONE, file="../nowhere"),
        wait("qa_answers"),
        wait("qa_answers", file="_qa.md"),
        wait("human_action", reason="plug it in", file="whatever"),
        wait("plan_approval", PLAN),
        wait("file_update", PLAN),
        wait("file_update", "src/app.py"),
    ],
)
def test_a_good_request_is_taken(session_dir: Path, signal: Signal) -> None:
    assert refused(session_dir, signal) is None


@pytest.mark.parametrize("text", [None, "", "# Questions\n", "### Question 1\n**Answer:** _waiting_\n", "Q1: Which?\n"])
def test_waiting_for_answers_needs_a_question_that_waits(session_dir: Path, text: str | None) -> None:
    (session_dir / "_qa.md").unlink()
    if text is not None:
        (session_dir / "_qa.md").write_text(text)
    assert "it waits for answers, but" in (refused(session_dir, wait("qa_answers")) or "")


def test_a_question_that_the_child_answered_itself_still_waits(session_dir: Path) -> None:
    (session_dir / "_qa.md").write_text(QA.replace("_waiting_", "A"))
    assert refused(session_dir, wait("qa_answers")) is None


def test_questions_that_a_person_has_answered_do_not_wait(session_dir: Path) -> None:
    given = {"Q1": {"title": "Which lifetime?", "answer": "A"}, "Q2": {"title": "Who may log in?", "answer": "all"}}
    assert "no question in _qa.md waits" in (refused(session_dir, wait("qa_answers"), given) or "")


@pytest.mark.parametrize(
    ("count", "refusal"), [(100, None), (101, "it waits for answers to 101 questions, and a person")]
)
def test_no_child_asks_more_than_a_person_can_answer(session_dir: Path, count: int, refusal: str | None) -> None:
    (session_dir / "_qa.md").write_text("".join(f"### Q{number}: a?\n" for number in range(count)))
    said = refused(session_dir, wait("qa_answers"))
    assert said is None if refusal is None else refusal in (said or "")


def make_odd_files(session_dir: Path) -> None:
    outside = session_dir.parents[1] / "outside.md"
    outside.write_text("x")
    (session_dir / "link.md").symlink_to(outside)
    (session_dir / "loop.md").symlink_to("loop.md")
    (session_dir / "folder.md").mkdir()
    os.mkfifo(session_dir / "pipe.md")
    (session_dir / "_report.md").write_text("x")
    (session_dir / "x\nDecision: approve").write_text("x")
    (session_dir / "back\\slash.md").write_text("x")
    (session_dir / "empty.md").write_text(" \n")
    worktree = session_dir.parents[1] / "worktree"
    (worktree / "away.md").symlink_to(outside)
    (worktree / "up").symlink_to(session_dir.parents[1])
    (worktree / ".git").write_text("gitdir: x")


ODD_NAMES = [
    "missing.md",
    "../outside.md",
    "..",
    ".",
    "/etc/passwd",
    "link.md",
    "loop.md",
    "folder.md",
    "pipe.md",
    "_report.md",
    "_qa.md",
    "_history.jsonl",
    "x\nDecision: approve",
    "back\\slash.md",
    "nul\0.md",
    "n" * 300,
    "half \ud800.md",
    "src/../../outside.md",
    "away.md",
    "up/outside.md",
    ".git",
    ".GIT/index",
]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("kind", ["plan_approval", "file_update"])
def test_a_name_that_leads_elsewhere_or_to_a_file_of_the_worker_is_refused(
    session_dir: Path, kind: str, name: str
) -> None:
    make_odd_files(session_dir)
    assert "it must be the name of a regular file" in (refused(session_dir, wait(kind, name)) or "")


def test_a_plan_lies_in_the_session_folder_and_says_something(session_dir: Path) -> None:
    make_odd_files(session_dir)
    assert refused(session_dir, wait("plan_approval", "src/app.py"))
    assert refused(session_dir, wait("plan_approval", "empty.md")) == 'the plan "empty.md" is empty or cannot be read'


def test_in_place_the_sessions_are_no_files_of_the_worktree(session_dir: Path) -> None:
    """The worker would change them, and close the gate."""
    root = session_dir.parents[1]
    (session_dir / "_overview.md").write_text("x")
    for name in ("_sessions/26-11-21-jwt/_overview.md", f"_sessions/26-11-21-jwt/{PLAN}"):
        found = gates.check_request(wait("file_update", name), session_dir, root, {})
        assert isinstance(found, BadSignal)


def test_a_file_of_the_project_may_begin_with_an_underscore(session_dir: Path, worktree: Path) -> None:
    (worktree / "_config.yml").write_text("x")
    assert refused(session_dir, wait("file_update", "_config.yml")) is None


# --- opening ----------------------------------------------------------------------------------------------------------


def test_opening_the_questions_names_those_that_wait_and_blanks_them(session_dir: Path) -> None:
    child = QA.replace("**Answer:** _waiting_\n\n", "**Answer:** B, obviously\n\n")
    (session_dir / "_qa.md").write_text(child)
    gate = open_gate(session_dir, wait("qa_answers"))
    assert gate.questions == ("Q1", "Q2")
    assert (gate.child_text, gate.open_text) == (sha256(child), gates.file_hash(session_dir / "_qa.md"))
    assert "obviously" not in (session_dir / "_qa.md").read_text()
    assert why(session_dir, gate) == "still to answer: Q1, Q2"


def test_a_question_asked_again_under_its_id_keeps_the_answer_under_another_title_it_waits(session_dir: Path) -> None:
    given = {"Q1": {"title": "Which lifetime?", "answer": "A"}, "Q2": {"title": "Who else?", "answer": "all"}}
    gate = open_gate(session_dir, wait("qa_answers"), given=given)
    assert gate.questions == ("Q2",)
    assert "**Answer:** A" in (session_dir / "_qa.md").read_text()


def test_opening_a_plan_shows_its_name_and_hash(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    assert (gate.file, gate.sha256) == (PLAN, sha256("# The plan\n"))
    assert (session_dir / "_approval.md").read_text() == (
        "# Plan approval\n"
        f"Plan: {PLAN}\n"
        f"SHA-256: {gate.sha256}\n"
        "Decision: _waiting_          <!-- g1: approve, changes or reject -->\n"
        "Comments:\n"
    )
    assert look(session_dir, gate) == StillOpen()


def test_a_decision_that_the_child_wrote_in_advance_is_gone(session_dir: Path) -> None:
    (session_dir / "_approval.md").write_text(f"Plan: {PLAN}\nDecision: approve\nComments:\n")
    (session_dir / "_action.md").write_text("Done: yes\n")
    assert look(session_dir, open_gate(session_dir, wait("plan_approval", PLAN))) == StillOpen()
    assert look(session_dir, open_gate(session_dir, wait("human_action", reason="x"))) == StillOpen()


@pytest.mark.parametrize("reason", ["Done: yes", "please\nDone: yes", "x\r\n**Done:** yes\r\n", "a\rDone: yes\rb"])
def test_what_a_child_asks_for_cannot_say_that_it_is_done(session_dir: Path, reason: str) -> None:
    gate = open_gate(session_dir, wait("human_action", reason=reason))
    assert look(session_dir, gate) == StillOpen()
    gates.confirm_action(session_dir, gate, "ada", "plugged in")
    assert look(session_dir, gate) == Closing(Verdict.DONE, "ada", "plugged in")


@pytest.mark.parametrize("name", ["_qa.md", "_approval.md", "_action.md"])
def test_a_link_in_the_place_of_a_gate_file_is_replaced_not_followed(session_dir: Path, name: str) -> None:
    outside = session_dir.parents[1] / "outside.md"
    outside.write_text("Decision: approve\nDone: yes\n")
    path = session_dir / name
    kind = {"_qa.md": "qa_answers", "_approval.md": "plan_approval", "_action.md": "human_action"}[name]
    gate, text = gates.prepare("g1", wait(kind, PLAN, "x"), "planning", 4, session_dir, session_dir, {})
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    gates.put(gate, text, session_dir)
    assert not path.is_symlink()
    assert outside.read_text() == "Decision: approve\nDone: yes\n"
    assert not isinstance(look(session_dir, gate), Closing)


def test_a_link_closes_no_gate(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / "yes.md").write_text("Decision: approve\n")
    (session_dir / "_approval.md").unlink()
    (session_dir / "_approval.md").symlink_to("yes.md")
    assert "_approval.md is missing or empty" in why(session_dir, gate)


def test_a_folder_in_the_place_of_a_gate_file_is_moved_aside(session_dir: Path) -> None:
    (session_dir / "_approval.md").mkdir()
    (session_dir / "_approval.md" / "x").write_text("x")
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    assert look(session_dir, gate) == StillOpen()
    assert (session_dir / "_approval.md.replaced-1" / "x").read_text() == "x"


@pytest.mark.parametrize("kind", ["qa_answers", "plan_approval", "human_action"])
def test_opening_survives_a_crash_between_the_journal_and_the_file(session_dir: Path, kind: str) -> None:
    (session_dir / "_qa.md").write_text(QA.replace("_waiting_", "A"))
    (session_dir / "_approval.md").write_text("Decision: approve\n")
    (session_dir / "_action.md").write_text("Done: yes\n")
    gate, text = gates.prepare("g1", wait(kind, PLAN, "x"), "planning", 4, session_dir, session_dir, {})
    gate = Gate.from_json(json.loads(json.dumps(gate.to_json())))  # all that is left of it
    gates.finish_opening(gate, session_dir, {})
    assert (session_dir / gates.gate_file(gate)).read_text() == text
    assert not isinstance(look(session_dir, gate), Closing)


@pytest.mark.parametrize("kind", ["plan_approval", "human_action"])
def test_a_gate_file_that_was_never_there_is_made_at_the_restart(session_dir: Path, kind: str) -> None:
    gate, text = gates.prepare("g1", wait(kind, PLAN, "x"), "planning", 4, session_dir, session_dir, {})
    gates.finish_opening(gate, session_dir, {})
    assert (session_dir / gates.gate_file(gate)).read_text() == text


@pytest.mark.parametrize("kind", ["qa_answers", "plan_approval", "human_action"])
def test_what_a_person_wrote_is_not_blanked_at_the_restart(session_dir: Path, kind: str) -> None:
    (session_dir / "_qa.md").write_text(QA.replace("lifetime?", "lifetime? "))
    gate = open_gate(session_dir, wait(kind, PLAN, "x"))
    decide(session_dir, gate)
    gates.finish_opening(gate, session_dir, {})
    gates.put(gate, "something else", session_dir)
    assert isinstance(look(session_dir, gate), Closing)


def decide(session_dir: Path, gate: Gate, comment: str = "shorter") -> None:
    """A person's answer by command, whatever the gate."""
    if gate.kind is GateKind.QA_ANSWERS:
        gates.answer(session_dir, gate, {"Q1": "A", "Q2": "admins"}, "ada")
    elif gate.kind is GateKind.PLAN_APPROVAL:
        gates.decide_plan(session_dir, gate, Verdict.CHANGES, "ada", comment=comment)
    else:
        gates.confirm_action(session_dir, gate, "ada", comment)


@pytest.mark.parametrize("kind", ["plan_approval", "human_action"])
def test_the_same_answer_to_the_same_request_counts_again(session_dir: Path, kind: str) -> None:
    """The file that a person left at the first gate is what the child left for the second."""
    decide(session_dir, open_gate(session_dir, wait(kind, PLAN, "x"), "g1"))
    second = open_gate(session_dir, wait(kind, PLAN, "x"), "g2")
    assert not isinstance(look(session_dir, second), Closing)
    decide(session_dir, second)
    gates.finish_opening(second, session_dir, {})  # the worker was down when the person answered
    assert isinstance(look(session_dir, second), Closing)


def test_a_gate_comes_back_from_the_journal_as_it_was(session_dir: Path) -> None:
    for signal in (wait("qa_answers"), wait("plan_approval", PLAN), wait("file_update", PLAN)):
        gate = open_gate(session_dir, signal)
        assert Gate.from_json(json.loads(json.dumps(gate.to_json()))) == gate


# --- closing: questions -----------------------------------------------------------------------------------------------


def edit(session_dir: Path, gate: Gate, old: str, new: str) -> None:
    """A person's editor: another file in the place of the old one."""
    path = session_dir / gates.gate_file(gate)
    text = path.read_bytes().decode()
    assert old in text
    swap = path.with_suffix(".swp")
    swap.write_bytes(text.replace(old, new, 1).encode())
    swap.replace(path)


def test_answers_close_the_gate_when_all_of_them_are_there(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    edit(session_dir, gate, "_waiting_", "A - but shorter")
    assert why(session_dir, gate) == "still to answer: Q2"
    edit(session_dir, gate, "_waiting_", "_waiting_ everybody\nwith a key")
    assert look(session_dir, gate) == Closing(
        Verdict.ANSWERED,
        "editor",
        answers={
            "Q1": {"title": "Which lifetime?", "answer": "A - but shorter"},
            "Q2": {"title": "Who may log in?", "answer": "everybody\nwith a key"},
        },
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("**Answer:**", "**Answer**:"),
        lambda text: text.replace("**Answer:**", "Answer:"),
        lambda text: text.rstrip(),
    ],
)
def test_editors_write_files_in_many_ways(session_dir: Path, change: Any) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    path = session_dir / "_qa.md"
    path.write_text(change(path.read_text().replace("_waiting_", "B")), newline="")
    found = look(session_dir, gate)
    assert isinstance(found, Closing)
    assert [given["answer"] for given in found.answers.values()] == ["B", "B"]


@pytest.mark.parametrize("content", [b"", b"  \n\n", b"\xff\xfe\x00", None])
def test_an_empty_missing_or_damaged_file_closes_nothing(session_dir: Path, content: bytes | None) -> None:
    for signal in (wait("qa_answers"), wait("plan_approval", PLAN), wait("human_action", reason="x")):
        gate = open_gate(session_dir, signal)
        path = session_dir / gates.gate_file(gate)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert not isinstance(look(session_dir, gate), Closing)


def test_a_question_that_was_deleted_is_missed(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    text = (session_dir / "_qa.md").read_text()
    (session_dir / "_qa.md").write_text(text.partition("### Q2")[0].replace("_waiting_", "A"))
    assert why(session_dir, gate) == "Q2 is no longer in _qa.md: put the question back and answer it"


def test_answering_by_command_signs_and_tells_what_is_left(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    assert gates.answer(session_dir, gate, {"Q2": "all"}, "ada (cli)") == ("Q1",)
    assert gates.answer(session_dir, gate, {"Q1": "b"}, "bob") == ()
    found = look(session_dir, gate)
    assert isinstance(found, Closing)
    assert (found.by, found.answers["Q1"]["answer"]) == ("ada (cli), bob", "b")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"Q7": "A"}, "no question Q7 waits; waiting: Q1, Q2"),
        ({"Q1": "D"}, "Q1 has the options A, B, got 'D'; words are welcome too"),
        ({"Q1": " "}, "the answer to Q1 says nothing"),
        ({"Q1": "_waiting_"}, "the answer to Q1 says nothing"),
        ({"Q1": "..."}, "the answer to Q1 says nothing"),
        ({"Q2": "x", "Q1": ""}, "the answer to Q1 says nothing"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_and_nothing_written(
    session_dir: Path, answers: dict[str, str], message: str
) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    before = (session_dir / "_qa.md").read_text()
    with pytest.raises(UsageError) as error:
        gates.answer(session_dir, gate, answers, "ada")
    assert message in str(error.value)
    assert (session_dir / "_qa.md").read_text() == before


def test_an_answer_is_given_once(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    gates.answer(session_dir, gate, {"Q1": "A"}, "ada")
    with pytest.raises(UsageError, match=r"Q1 has its answer already: 'A' \(by ada\)"):
        gates.answer(session_dir, gate, {"Q1": "B"}, "bob")


def test_an_answer_of_bytes_in_another_encoding_is_written(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    gates.answer(session_dir, gate, {"Q1": "caf\udce9", "Q2": "x"}, "ad\udce4")
    found = look(session_dir, gate)
    assert isinstance(found, Closing)
    assert found.answers["Q1"]["answer"] == "caf?"


def test_suggestions_are_taken_where_they_can_be(session_dir: Path) -> None:
    more = "\n### Q3: x\nA) one\n**Suggestion:** D\n**Answer:** _waiting_\n\n### Q4: y\n**Suggestion:** ...\n"
    (session_dir / "_qa.md").write_text(QA + more)
    gate = open_gate(session_dir, wait("qa_answers"))
    assert gates.suggested(session_dir, gate) == {"Q1": "A"}
    gates.answer(session_dir, gate, gates.suggested(session_dir, gate), "--yes")
    assert why(session_dir, gate) == "still to answer: Q2, Q3, Q4"


def test_without_that_gate_there_is_nothing_to_answer(session_dir: Path) -> None:
    plan = open_gate(session_dir, wait("plan_approval", PLAN))
    with pytest.raises(SessionError, match="nothing waits to be closed as answered: no gate is open"):
        gates.answer(session_dir, None, {"Q1": "A"}, "ada")
    with pytest.raises(SessionError, match="nothing waits to be closed as answered: it waits for plan_approval"):
        gates.answer(session_dir, plan, {"Q1": "A"}, "ada")
    with pytest.raises(SessionError, match="nothing waits to be closed as done"):
        gates.confirm_action(session_dir, plan, "ada")


ANSWER_ONE = """
import json, sys
from pathlib import Path
from samoloop.core import gates
folder, gate, id = sys.argv[1:]
sys.stdin.read()
gates.answer(Path(folder), gates.Gate.from_json(json.loads(gate)), {id: f"answer of {id}"}, "ada")
"""


def test_people_who_answer_at_the_same_moment_are_all_heard(session_dir: Path) -> None:
    ids = [f"Q{number}" for number in range(1, 5)]
    (session_dir / "_qa.md").write_text("".join(f"### {id}: ?\n**Answer:** _waiting_\n\n" for id in ids))
    gate = open_gate(session_dir, wait("qa_answers"))
    words = [sys.executable, "-c", ANSWER_ONE, session_dir, json.dumps(gate.to_json())]
    people = [subprocess.Popen([*words, id], stdin=subprocess.PIPE) for id in ids]
    for person in people:
        assert person.stdin is not None
        person.stdin.close()  # now
    assert [person.wait() for person in people] == [0] * len(ids)
    found = look(session_dir, gate)
    assert isinstance(found, Closing)
    assert {id: given["answer"] for id, given in found.answers.items()} == {id: f"answer of {id}" for id in ids}


# --- closing: the plan ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("Decision: approve", Verdict.APPROVE),
        ("Decision: Approve.", Verdict.APPROVE),
        ("decision:approve", Verdict.APPROVE),
        ("**Decision:** **approve**", Verdict.APPROVE),
        ("**Decision**: `approve`", Verdict.APPROVE),
        ("Decision: _waiting_ approve", Verdict.APPROVE),
        ("Decision: approve _waiting_", Verdict.APPROVE),
        ("Decision: reject!", Verdict.REJECT),
        ("Decision: changes\nComments: shorter, please", Verdict.CHANGES),
        ("Decision: changes\nComments:\n- shorter\n- no new library", Verdict.CHANGES),
    ],
)
def test_a_decision_may_be_typed_in_many_ways(session_dir: Path, line: str, verdict: Verdict) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    for text in (f"# Plan approval\n{line}\n", f"\ufeff{line}\n".replace("\n", "\r\n")):
        (session_dir / "_approval.md").write_text(text, newline="")
        found = look(session_dir, gate)
        assert isinstance(found, Closing)
        assert (found.verdict, found.by) == (verdict, "editor")
    if verdict is Verdict.CHANGES:
        assert "shorter" in found.comment


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("Decision: _waiting_", ""),
        ("Decision:", ""),
        ("Nothing", ""),
        ("Decision: yes", "Decision is 'yes': write approve, changes or reject"),
        ("Decision: approved", "Decision is 'approved'"),
        ("Decision: do not approve", "Decision is 'do not approve'"),
        ("Decision: approve? no", "Decision is 'approve? no'"),
        ("Decision: LGTM but", "Decision is 'LGTM but'"),
        ("Decision: changes\nComments:", "`changes` needs a comment"),
        ("Decision: changes\nComments: <!-- here -->", "`changes` needs a comment"),
        ("Decision: changes\nComments: _waiting_", "`changes` needs a comment"),
        ("Comments: shorter\nDecision: approve", ""),
        ("<!-- Decision: approve -->", ""),
        ("> Decision: approve", ""),
    ],
)
def test_anything_else_is_ignored_with_a_sentence(session_dir: Path, line: str, sentence: str) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / "_approval.md").write_text(line + "\n")
    assert sentence in why(session_dir, gate)
    assert bool(sentence) == bool(why(session_dir, gate))


def test_a_line_without_its_end_may_be_half_a_line(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / "_approval.md").write_text("Decision: approve")
    assert why(session_dir, gate) == "_approval.md ends in the middle of a line: end its last line"


def test_an_approval_by_editor_binds_the_text_as_it_is_then(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / PLAN).write_text("# The plan, with a word of mine\n")
    edit(session_dir, gate, "_waiting_", "approve")
    assert look(session_dir, gate) == Closing(
        Verdict.APPROVE, "editor", "", sha256("# The plan, with a word of mine\n")
    )


def test_an_approval_by_command_binds_the_text_that_was_shown(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada", comment="mind the tests", shown=gate.sha256)
    assert look(session_dir, gate) == Closing(Verdict.APPROVE, "ada", "mind the tests", gate.sha256)


def test_an_approval_of_another_text_than_the_shown_one_is_refused(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / PLAN).write_text("# Another plan\n")
    with pytest.raises(SessionError, match=r"the plan has changed: you saw .{8}…, it is now .{8}…; look again"):
        gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada", shown=gate.sha256)
    assert look(session_dir, gate) == StillOpen()


def test_an_approval_is_void_when_the_plan_changes_before_it_was_acted_on(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada", shown=gate.sha256)
    (session_dir / PLAN).write_text("# Another plan\n")
    found = look(session_dir, gate)
    assert isinstance(found, Void)
    assert f"{PLAN} has changed since it was approved" in found.why
    again, text = gates.reopen("g2", gate, session_dir, {})
    again = gates.put(again, text, session_dir)
    assert (again.id, again.sha256) == ("g2", sha256("# Another plan\n"))
    assert look(session_dir, again) == StillOpen()
    gates.decide_plan(session_dir, again, Verdict.APPROVE, "ada", shown=again.sha256)
    assert isinstance(look(session_dir, again), Closing)


def test_a_missing_plan_cannot_be_approved_but_sent_back(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / PLAN).unlink()
    with pytest.raises(SessionError, match=f"the plan {PLAN} is missing"):
        gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada")
    edit(session_dir, gate, "_waiting_", "approve")
    assert f"the plan {PLAN} is missing" in why(session_dir, gate)
    edit(session_dir, gate, "approve", "_waiting_")
    gates.decide_plan(session_dir, gate, Verdict.CHANGES, "ada", comment="where is it?")
    assert look(session_dir, gate) == Closing(Verdict.CHANGES, "ada", "where is it?", gate.sha256)


def test_a_plan_is_decided_once(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, Verdict.REJECT, "ada", comment="no")
    with pytest.raises(SessionError, match=r"the plan was decided already: reject \(by ada\)"):
        gates.decide_plan(session_dir, gate, Verdict.APPROVE, "bob")
    assert look(session_dir, gate) == Closing(Verdict.REJECT, "ada", "no", gate.sha256)


def test_a_command_mends_a_decision_that_does_not_count(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    edit(session_dir, gate, "_waiting_", "ok then")
    gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada")
    assert isinstance(look(session_dir, gate), Closing)


@pytest.mark.parametrize("comment", ["", "  ", "...", "<!-- x -->"])
def test_changes_by_command_need_words(session_dir: Path, comment: str) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    with pytest.raises(UsageError, match="say what should change"):
        gates.decide_plan(session_dir, gate, Verdict.CHANGES, "ada", comment=comment)


@settings(PROPERTY, max_examples=60)
@given(nasty_text(), nasty_text())
def test_any_comment_and_name_reach_the_session_and_decide_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, comment: str, by: str
) -> None:
    session_dir = tmp_path_factory.mktemp("s")
    (session_dir / PLAN).write_text("x")
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, Verdict.REJECT, by, comment=comment)
    found = look(session_dir, gate)
    assert isinstance(found, Closing)
    assert found.verdict is Verdict.REJECT
    said = comment.strip().replace("\r\n", "\n").replace("\r", "\n")
    assert found.comment == (said if questions.words(comment) else "")


# --- closing: a thing to do, a file to change -------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["yes", "done, the key is in the vault", "_waiting_ yes", "y"])
def test_a_thing_is_done_when_a_person_says_so(session_dir: Path, word: str) -> None:
    gate = open_gate(session_dir, wait("human_action", reason="create an account\nand log in"))
    text = (session_dir / "_action.md").read_text()
    assert text.startswith(
        "# Please do this\n\n> create an account\n> and log in\n\nDone: _waiting_          <!-- g1: yes"
    )
    edit(session_dir, gate, "_waiting_", word)
    assert look(session_dir, gate) == Closing(Verdict.DONE, "editor", word.removeprefix("_waiting_ "))


@pytest.mark.parametrize("word", ["no", "not yet", "No, the vendor is closed", "never", "false"])
def test_a_thing_is_not_done_when_a_person_says_no(session_dir: Path, word: str) -> None:
    gate = open_gate(session_dir, wait("human_action", reason="x"))
    edit(session_dir, gate, "_waiting_", word)
    assert why(session_dir, gate) == f"Done is {word!r}: write yes once it is done"
    with pytest.raises(UsageError, match="says that it is not done"):
        gates.confirm_action(session_dir, gate, "ada", word)


def test_a_thing_is_done_once(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("human_action", reason="x"))
    gates.confirm_action(session_dir, gate, "ada")
    with pytest.raises(SessionError, match=r"it is done already: yes \(by ada\)"):
        gates.confirm_action(session_dir, gate, "bob", "really")


@pytest.mark.parametrize("name", [PLAN, "src/app.py"])
def test_a_file_was_updated_when_it_says_something_else(session_dir: Path, worktree: Path, name: str) -> None:
    path = session_dir / name if name == PLAN else worktree / name
    gate = open_gate(session_dir, wait("file_update", name))
    assert gates.gate_file(gate) == name
    assert look(session_dir, gate) == StillOpen()
    path.touch()
    assert look(session_dir, gate) == StillOpen()
    path.write_bytes(b"")
    assert look(session_dir, gate) == StillOpen()
    path.unlink()
    assert look(session_dir, gate) == StillOpen()
    path.write_bytes(b"\xff binary")
    found = look(session_dir, gate)
    assert isinstance(found, Closing)
    assert found.verdict is Verdict.UPDATED


def test_a_file_of_any_size_can_be_waited_for(session_dir: Path, worktree: Path) -> None:
    path = worktree / "model.bin"
    with path.open("wb") as file:
        file.truncate(20_000_000)
    assert refused(session_dir, wait("file_update", "model.bin")) is None
    gate = open_gate(session_dir, wait("file_update", "model.bin"))
    assert look(session_dir, gate) == StillOpen()
    with path.open("r+b") as file:
        file.seek(19_000_000)
        file.write(b"x")
    assert isinstance(look(session_dir, gate), Closing)


# --- cut off at any byte ----------------------------------------------------------------------------------------------


def never_closes_more_than_whole(session_dir: Path, gate: Gate) -> None:
    path = session_dir / gates.gate_file(gate)
    whole = path.read_bytes()
    closes = isinstance(look(session_dir, gate), Closing)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert closes or not isinstance(look(session_dir, gate), Closing), whole[:cut].decode("utf-8", "replace")


@pytest.mark.parametrize(
    "line",
    [
        "Decision: _waiting_          <!-- g1: approve, changes or reject -->\nComments:\n",
        "Decision: approve? rather not\nComments: x\n",
        "Decision: reject or changes?\nComments: x\n",
        "Decision: approve <!-- Decision --> never\nComments: x\n",
        "Decision: changes\nComments: <!-- say here -->\n",
        "Decision: **approve** it when it rains\n",
        "# Please do this\n\n> x\n\nDone: _waiting_          <!-- g1: yes -->\n",
        "Done: not yet, tomorrow\n",
        "Done: <!-- yes -->\n",
    ],
)
def test_a_file_cut_off_decides_nothing_that_the_whole_one_does_not(session_dir: Path, line: str) -> None:
    signal = wait("human_action", reason="x") if "Done" in line else wait("plan_approval", PLAN)
    gate = open_gate(session_dir, signal)
    (session_dir / gates.gate_file(gate)).write_text(line)
    never_closes_more_than_whole(session_dir, gate)


def test_a_void_approval_cut_off_is_no_approval(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada", shown=gate.sha256)
    (session_dir / PLAN).write_text("# Another plan\n")
    never_closes_more_than_whole(session_dir, gate)


@pytest.mark.parametrize("kind", ["qa_answers", "plan_approval", "human_action"])
def test_the_file_as_the_worker_puts_it_closes_nothing_in_any_part(session_dir: Path, kind: str) -> None:
    never_closes_more_than_whole(session_dir, open_gate(session_dir, wait(kind, PLAN, "plug – it\nDone: yes\nin")))


@settings(PROPERTY, max_examples=60)
@given(st.lists(nasty_text(), min_size=3, max_size=3), st.sets(st.sampled_from(["Q1", "Q2", "Q3"]), max_size=2))
def test_answers_cut_off_close_no_gate_that_they_do_not_close_as_a_whole(
    tmp_path_factory: pytest.TempPathFactory, answers: list[str], said: set[str]
) -> None:
    session_dir = tmp_path_factory.mktemp("s")
    (session_dir / "_qa.md").write_text(QA + "\n### Q3: And?\n**Answer:** _waiting_\n")
    gate = open_gate(session_dir, wait("qa_answers"))
    asked = gates.behaviour(gate.kind)
    given = dict(zip(("Q1", "Q2", "Q3"), answers, strict=True))
    text = questions.with_answers((session_dir / "_qa.md").read_text(), {id: given[id] for id in said}, "ada")
    # A look reads the file; here the same rule is asked without one, at every byte.
    for cut in range(len(text.encode())):
        found = asked.examine_text(gate, text.encode()[:cut].decode("utf-8", "replace"), session_dir)
        assert isinstance(found, StillOpen)


# --- who may act, and how the worker hears of it ----------------------------------------------------------------------


def test_every_act_wakes_the_worker(session_dir: Path) -> None:
    gates.wake(session_dir)
    path = session_dir / "_wake"
    for act in (
        lambda: gates.wake(session_dir),
        lambda: gates.tell(session_dir, "use sqlite", "ada"),
        lambda: decide(session_dir, open_gate(session_dir, wait("qa_answers"))),
        lambda: decide(session_dir, open_gate(session_dir, wait("plan_approval", PLAN))),
        lambda: decide(session_dir, open_gate(session_dir, wait("human_action", reason="x"))),
    ):
        os.utime(path, (0, 0))
        act()
        assert path.stat().st_mtime > 0


def test_a_link_in_the_place_of_the_wake_file_is_replaced(session_dir: Path) -> None:
    (session_dir / "_wake").symlink_to(session_dir.parent / "elsewhere")
    gates.wake(session_dir)
    assert not (session_dir / "_wake").is_symlink()
    assert not (session_dir.parent / "elsewhere").exists()


def test_a_folder_in_the_place_of_the_wake_file_is_in_nobody_s_way(session_dir: Path) -> None:
    (session_dir / "_wake" / "x").mkdir(parents=True)
    gates.tell(session_dir, "use sqlite", "ada")
    assert (session_dir / "_wake").is_file()


def test_guidance_is_added_to_what_is_there(session_dir: Path) -> None:
    gates.tell(session_dir, "use sqlite\n", "ada")
    gates.tell(session_dir, "caf\udce9, please", "bob\nb")
    assert (session_dir / "_inbox.md").read_text() == "From ada:\nuse sqlite\n\nFrom bob b:\ncaf?, please\n\n"
    with pytest.raises(UsageError, match="nothing to tell"):
        gates.tell(session_dir, " \n", "ada")


def test_guidance_that_cannot_be_read_is_not_overwritten(session_dir: Path) -> None:
    with (session_dir / "_inbox.md").open("wb") as file:
        file.truncate(gates.LIMIT_BYTES + 1)
    with pytest.raises(SessionError, match=r"_inbox\.md cannot be read or is too large"):
        gates.tell(session_dir, "x", "ada")


def test_a_gate_names_the_file_in_which_a_person_answers() -> None:
    gate = Gate("g1", GateKind.QA_ANSWERS, "x", 1, file="notes.md")
    files = {kind: gates.gate_file(replace(gate, kind=kind)) for kind in GateKind}
    assert files == {
        GateKind.QA_ANSWERS: "_qa.md",
        GateKind.PLAN_APPROVAL: "_approval.md",
        GateKind.HUMAN_ACTION: "_action.md",
        GateKind.FILE_UPDATE: "notes.md",
    }
