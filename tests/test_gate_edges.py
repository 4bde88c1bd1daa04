"""Gates at their edges: what is left after a crash, which files count, what a closing means, every sentence whole."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from gate_scene import PLAN, QA, look, make_session, open_gate, refused, wait, why

from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import sha256
from samoloop.core import gates
from samoloop.core.decision import Note
from samoloop.core.gates import Closing, Effect, Gate, StillOpen, Verdict, Void
from samoloop.core.gates.folder import bytes_hash
from samoloop.core.signals import GateKind, Signal, Status


@pytest.fixture
def session_dir(tmp_path: Path) -> Path:
    return make_session(tmp_path)


# --- what a child may ask for -----------------------------------------------------------------------------------------


def test_only_a_waiting_signal_is_asked_for_its_file(session_dir: Path) -> None:
    assert refused(session_dir, Signal(Status.DONE, wait_for=GateKind.FILE_UPDATE, file="../nowhere")) is None


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (wait("plan_approval"), '"file" is "": it must be the name of a regular file in the session folder'),
        (wait("file_update"), '"file" is "": it must be the name of a regular file in the session folder'),
        (
            wait("plan_approval", "n" * 81),
            f'"file" is "{"n" * 80}": it must be the name of a regular file in the session folder',
        ),
        (wait("plan_approval", "nothing.md"), 'the plan "nothing.md" is empty or cannot be read'),
        (wait("plan_approval", "large.md"), 'the plan "large.md" is larger than 4 MB: no person can read that'),
        (wait("plan_approval", "largest.md"), None),
        (wait("file_update", "nothing.md"), 'the file "nothing.md" cannot be read'),
        (
            wait("qa_answers"),
            "it waits for answers, but no question in _qa.md waits "
            '(the shape is "### Q1: …" with an "**Answer:**" line)',
        ),
    ],
)
def test_what_is_wrong_with_a_request_is_said_whole(session_dir: Path, signal: Signal, reason: str | None) -> None:
    (session_dir / "nothing.md").touch()
    (session_dir / "large.md").write_bytes(b"x" * (gates.LIMIT_BYTES + 1))
    (session_dir / "largest.md").write_bytes(b"x" * gates.LIMIT_BYTES)
    (session_dir / "_qa.md").write_text("# None\n")
    assert refused(session_dir, signal) == reason


def test_without_the_file_of_questions_none_waits(session_dir: Path) -> None:
    (session_dir / "_qa.md").unlink()
    assert refused(session_dir, wait("qa_answers")) == "it waits for answers, but _qa.md is missing or cannot be read"
    assert gates.read_questions(session_dir) == []


def test_a_file_to_be_updated_is_read_only_where_it_is_one(session_dir: Path) -> None:
    (session_dir / "link.md").symlink_to(PLAN)
    os.mkfifo(session_dir / "pipe.md")
    found = {path.name: bytes_hash(path) for path in session_dir.iterdir()}
    assert found == {
        PLAN: sha256("# The plan\n"),
        "_qa.md": sha256(QA),
        "link.md": None,
        "pipe.md": None,
    }
    assert [bytes_hash(session_dir / "gone.md"), bytes_hash(session_dir)] == [None, None]


@pytest.mark.parametrize("name", ["{worktree}/src/app.py", "src/../src/app.py", "{session}/x.md", "notes/x.md"])
def test_a_file_has_one_name(session_dir: Path, name: str) -> None:
    """From the folder that it lies in, and nothing deeper in the session's own."""
    (session_dir / "x.md").write_text("x")
    (session_dir / "notes").mkdir()
    (session_dir / "notes" / "x.md").write_text("x")
    name = name.format(worktree=session_dir.parents[1] / "worktree", session=session_dir)
    for kind in ("plan_approval", "file_update"):
        assert "it must be the name of a regular file" in (refused(session_dir, wait(kind, name)) or "")


# --- opening ----------------------------------------------------------------------------------------------------------


def test_answers_that_stood_there_are_kept_as_older_journals_keep_them(session_dir: Path) -> None:
    (session_dir / "_qa.md").write_text(QA.replace("_waiting_", "B", 1))
    (session_dir / "_approval.md").write_text("Decision: **Approve**.\nComments: fine\n")
    (session_dir / "_action.md").write_text("Done: yes\n")
    before = {kind: dict(open_gate(session_dir, wait(kind, PLAN, "x")).before) for kind in GateKind}
    assert before == {
        "qa_answers": {"Q1": sha256("B")[:16]},
        "plan_approval": {"decision": sha256("approve")[:16], "comments": sha256("fine")[:16]},
        "human_action": {"done": sha256("yes")[:16]},
        "file_update": {},
    }


def test_where_nothing_was_said_nothing_stood_there(session_dir: Path) -> None:
    for kind in GateKind:
        assert open_gate(session_dir, wait(kind, PLAN, "x")).before == {}


CRASHED = [
    (
        "qa_answers",
        QA.replace("_waiting_", "B", 1),
        ("_waiting_", "admins"),
        ("**Answer:** _waiting_", "**Answer:** admins"),
    ),
    (
        "plan_approval",
        "Decision: approve\nComments: fine\n",
        ("fine", "not so"),
        ("Decision: _waiting_", "Comments: not so"),
    ),
    (
        "plan_approval",
        "Decision: approve\nComments: fine\n",
        ("approve", "reject"),
        ("Decision: reject", "Comments:\n"),
    ),
    ("plan_approval", "Comments: fine\n", ("fine", "not so"), ("Decision: _waiting_", "Comments: not so")),
    ("human_action", "Done: yes\n", ("yes", "plugged in"), ("Done: plugged in", "> plug it in")),
    ("human_action", "Done: yes\n", ("yes\n", "yes\nPS: thanks\n"), ("Done: _waiting_", "> plug it in")),
    ("human_action", "Done:\n", ("Done:\n", "Nothing yet\n"), ("Done: _waiting_", "> plug it in")),
]


@pytest.mark.parametrize(("kind", "child", "edit", "left"), CRASHED)
def test_after_a_crash_what_a_person_typed_stays_and_what_the_child_typed_goes(
    session_dir: Path, kind: str, child: str, edit: tuple[str, str], left: tuple[str, str]
) -> None:
    path = session_dir / {"qa_answers": "_qa.md", "plan_approval": "_approval.md", "human_action": "_action.md"}[kind]
    path.write_text(child)
    gate, _ = gates.prepare("g1", wait(kind, PLAN, "plug it in"), "planning", 4, session_dir, session_dir, {})
    gate = Gate.from_json(json.loads(json.dumps(gate.to_json())))
    path.write_text(child.replace(*edit, 1))
    assert gates.finish_opening(gate, session_dir, {}) == replace(gate, shown=True)
    text = path.read_text()
    assert [part for part in left if part not in text] == []


@pytest.mark.parametrize("kind", ["qa_answers", "plan_approval", "human_action"])
@pytest.mark.parametrize("present", [None, "", "as the worker put it"])
def test_after_a_crash_a_file_that_says_nothing_more_is_left_alone(
    session_dir: Path, kind: str, present: str | None
) -> None:
    (session_dir / "_approval.md").write_text("Decision: approve\n")
    (session_dir / "_action.md").write_text("Done: yes\n")
    gate, text = gates.prepare("g1", wait(kind, PLAN, "x"), "planning", 4, session_dir, session_dir, {})
    path = session_dir / gates.gate_file(gate)
    path.unlink()
    if present is not None:
        path.write_text(text or "" if present else "")
    before = path.stat() if path.exists() else None
    assert gates.finish_opening(gate, session_dir, {}).shown is True
    after = path.stat() if path.exists() else None
    assert after == before


def test_a_gate_without_a_file_of_its_own_is_open_at_once(session_dir: Path) -> None:
    gate, text = gates.prepare("g1", wait("file_update", PLAN), "planning", 4, session_dir, session_dir, {})
    assert (gate.shown, text) == (False, None)
    assert gates.finish_opening(gate, session_dir, {}) == replace(gate, shown=True)
    shown = open_gate(session_dir, wait("plan_approval", PLAN))
    assert gates.finish_opening(shown, session_dir, {}) == shown


def test_half_written_files_of_a_person_s_answers_are_cleared_away(session_dir: Path) -> None:
    names = ["._qa.md.a1.tmp", "._wake.a1.tmp", ".plan.md.a1.tmp", "._qa.md.a1", "._inbox.md.a2.tmp", "._QA.MD.a3.tmp"]
    for name in names:
        (session_dir / name).touch()
    gates.remove_leftovers(session_dir)
    assert [name for name in names if (session_dir / name).exists()] == [
        "._wake.a1.tmp",
        ".plan.md.a1.tmp",
        "._qa.md.a1",
        "._QA.MD.a3.tmp",
    ]


# --- the files of a gate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "file", "answer", "read", "watched"),
    [
        ("qa_answers", None, "session/_qa.md", [], ["session/_qa.md"]),
        ("qa_answers", PLAN, "session/_qa.md", [], ["session/_qa.md"]),
        (
            "plan_approval",
            PLAN,
            "session/_approval.md",
            [f"session/{PLAN}"],
            [f"session/{PLAN}", "session/_approval.md"],
        ),
        ("plan_approval", "gone.md", "session/_approval.md", ["session/gone.md"], ["session/_approval.md"]),
        ("plan_approval", None, "session/_approval.md", [], ["session/_approval.md"]),
        ("human_action", PLAN, "session/_action.md", [], ["session/_action.md"]),
        ("file_update", PLAN, f"session/{PLAN}", [], [f"session/{PLAN}"]),
        ("file_update", "src/app.py", "worktree/src/app.py", [], ["worktree/src/app.py"]),
        ("file_update", "gone.md", "worktree/gone.md", [], ["worktree/gone.md"]),
    ],
)
def test_each_gate_has_its_files(
    session_dir: Path, kind: str, file: str | None, answer: str, read: list[str], watched: list[str]
) -> None:
    worktree = session_dir.parents[1] / "worktree"
    gate = Gate("g1", GateKind(kind), "planning", 4, file=file)

    def named(path: Path) -> str:
        inside = path.is_relative_to(session_dir)
        return f"session/{path.name}" if inside else f"worktree/{path.relative_to(worktree)}"

    assert named(gates.answer_in(gate, session_dir, worktree)) == answer
    assert [named(path) for path in gates.to_read(gate, session_dir)] == read
    assert sorted(named(path) for path in gates.watched(gate, session_dir, worktree)) == watched


def test_a_gate_that_lost_its_name_watches_no_stranger(session_dir: Path) -> None:
    worktree = session_dir.parents[1] / "worktree"
    gate = Gate("g1", GateKind.FILE_UPDATE, "planning", 4)
    assert gates.answer_in(gate, session_dir, worktree) == worktree
    assert gates.watched(gate, session_dir, worktree) == [worktree]


# --- what a closing means ---------------------------------------------------------------------------------------------


def person(text: str, words: str = "") -> Note:
    return Note("person", text, words)


@pytest.mark.parametrize(
    ("kind", "verdict", "comment", "effect"),
    [
        (
            "qa_answers",
            "answered",
            "",
            Effect(Note("answered", "The person answered Q1, Q2 in _qa.md."), passes=True),
        ),
        ("plan_approval", "approve", "", Effect(None, True, True, summary="p.md is approved")),
        (
            "plan_approval",
            "approve",
            "go on",
            Effect(person("The person approved p.md and said:", "go on"), True, True, summary="p.md is approved"),
        ),
        ("plan_approval", "changes", "less", Effect(person("The person wants changes in p.md:", "less"))),
        (
            "plan_approval",
            "reject",
            "",
            Effect(person("The person rejected p.md."), stops="the plan was rejected by ada"),
        ),
        (
            "plan_approval",
            "reject",
            "no",
            Effect(person("The person rejected p.md.", "no"), stops="the plan was rejected by ada: no"),
        ),
        (
            "human_action",
            "done",
            "in the vault",
            Effect(person("The person did what was asked (plug it in):", "in the vault")),
        ),
        ("file_update", "updated", "", Effect(person("The person updated p.md; do not commit it."))),
    ],
)
def test_what_a_closing_means(kind: str, verdict: str, comment: str, effect: Effect) -> None:
    gate = Gate("g1", GateKind(kind), "planning", 4, file="p.md", questions=("Q1", "Q2"), reason="plug it in")
    assert gates.effect(gate, Closing(Verdict(verdict), "ada", comment)) == effect


def test_an_updated_file_is_named_by_what_it_says_now(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("file_update", PLAN))
    (session_dir / PLAN).write_text("# Mine\n")
    assert look(session_dir, gate) == Closing(Verdict.UPDATED, "editor", sha256=sha256("# Mine\n"))


@pytest.mark.parametrize(
    ("kind", "verdicts"),
    [
        ("qa_answers", [Verdict.ANSWERED]),
        ("plan_approval", [Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT]),
        ("human_action", [Verdict.DONE, Verdict.DECLINED]),
        ("file_update", [Verdict.UPDATED]),
    ],
)
def test_each_gate_takes_its_own_verdicts(kind: str, verdicts: list[Verdict]) -> None:
    gate = Gate("g1", GateKind(kind), "planning", 4)
    assert [verdict for verdict in Verdict if gates.takes(gate, verdict)] == verdicts
    assert gates.takes(gate, *Verdict)
    assert not gates.takes(None, *Verdict)
    assert not gates.takes(gate)


# --- --yes ------------------------------------------------------------------------------------------------------------


def test_yes_takes_suggestions_and_approves_and_does_nothing_by_hand(session_dir: Path) -> None:
    asked = open_gate(session_dir, wait("qa_answers"))
    gates.say_yes(asked, session_dir)
    assert why(session_dir, asked) == "still to answer: Q2"
    assert "**Answer:** A <!-- by --yes -->" in (session_dir / "_qa.md").read_text()
    plan = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.say_yes(plan, session_dir)
    assert look(session_dir, plan) == Closing(Verdict.APPROVE, "--yes", "", plan.sha256)
    for signal in (wait("human_action", reason="x"), wait("file_update", PLAN)):
        gate = open_gate(session_dir, signal)
        gates.say_yes(gate, session_dir)
        assert look(session_dir, gate) == StillOpen()


def test_yes_leaves_to_a_person_what_it_cannot_say(session_dir: Path) -> None:
    (session_dir / "_qa.md").write_text("### Q1: Which?\n**Answer:** _waiting_\n")
    asked = open_gate(session_dir, wait("qa_answers"))
    before = (session_dir / "_qa.md").stat()
    gates.say_yes(asked, session_dir)
    assert why(session_dir, asked) == "still to answer: Q1"
    assert (session_dir / "_qa.md").stat() == before
    plan = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, plan, Verdict.APPROVE, "ada", shown=plan.sha256)
    (session_dir / PLAN).write_text("# Another plan\n")
    decided = (session_dir / "_approval.md").read_text()
    gates.say_yes(plan, session_dir)  # void: the person is to look again
    assert (session_dir / "_approval.md").read_text() == decided
    (session_dir / PLAN).unlink()
    gates.say_yes(plan, session_dir)
    assert (session_dir / "_approval.md").read_text() == decided


# --- the acts of a person ---------------------------------------------------------------------------------------------


def asked_for_three(session_dir: Path) -> Gate:
    """Q2 is answered already; Q4 was no part of the gate."""
    (session_dir / "_qa.md").write_text(QA + "\n### Q3: And?\n**Answer:** _waiting_\n")
    gate = open_gate(session_dir, wait("qa_answers"))
    text = (session_dir / "_qa.md").read_text()
    text = text.replace("log in?\n**Answer:** _waiting_", "log in?\n**Answer:** " + "x" * 61)
    (session_dir / "_qa.md").write_text(text + "\n### Q4: Late?\n**Answer:** yes\n")
    return gate


@pytest.mark.parametrize(
    ("id", "words", "sentence"),
    [
        ("Q4", "A", "no question Q4 waits; waiting: Q1, Q2, Q3"),
        ("Q2", "A", f"Q2 has its answer already: {'x' * 60!r} (by editor)"),
        ("Q1", "_waiting_", "the answer to Q1 says nothing ('_waiting_'); give a letter or words"),
        ("Q1", "d ", "Q1 has the options A, B, got 'd'; words are welcome too"),
        (
            "Q1",
            " A, q3=b" + "x" * 60,
            "the answer to Q1 holds one to Q3 too ('A, q3=b" + "x" * 53 + "'): "
            "write them apart, such as Q1=A Q3=B, or Q1='words'",
        ),
        ("Q1", "A Q2=B", None),
        ("Q1", "A Q4=B", None),
        (
            "Q1",
            "A Q1=B",
            "the answer to Q1 holds one to Q1 too ('A Q1=B'): write them apart, such as Q1=A Q1=B, or Q1='words'",
        ),
    ],
)
def test_an_answer_is_refused_with_the_whole_reason(
    session_dir: Path, id: str, words: str, sentence: str | None
) -> None:
    gate = asked_for_three(session_dir)
    if sentence is None:
        assert gates.answer(session_dir, gate, {id: words}, "ada") == ("Q3",)
        return
    with pytest.raises(UsageError) as error:
        gates.answer(session_dir, gate, {id: words}, "ada")
    assert str(error.value) == sentence


def test_a_question_that_is_gone_from_the_file_is_in_no_other_s_way(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    (session_dir / "_qa.md").write_text((session_dir / "_qa.md").read_text().partition("### Q2")[0])
    with pytest.raises(UsageError) as error:
        gates.answer(session_dir, gate, {"Q2": "A"}, "ada")
    assert str(error.value) == "no question Q2 waits; waiting: Q1, Q2"
    assert gates.answer(session_dir, gate, {"Q1": "A"}, "ada") == ()


def test_the_questions_of_a_gate_wait_until_they_are_answered(session_dir: Path) -> None:
    gate = asked_for_three(session_dir)
    assert [question.id for question in gates.waiting_questions(session_dir, gate)] == ["Q1", "Q3"]
    assert gates.waiting_questions(session_dir, None) == []
    assert gates.waiting_questions(session_dir, Gate("g", GateKind.PLAN_APPROVAL, "x", 1)) == []


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("human_action", "Done: yes", "_action.md ends in the middle of a line: end its last line"),
        ("human_action", f"Done: no {'x' * 60}\n", f"Done is {'no ' + 'x' * 57!r}: write yes once it is done"),
        ("plan_approval", "Decision: approve X\n", "Decision is 'approve X': write approve, changes or reject"),
        ("plan_approval", f"Decision: {'x' * 61}\n", f"Decision is {'x' * 60!r}: write approve, changes or reject"),
        (
            "plan_approval",
            "Decision: changes\n",
            "`changes` needs a comment: say under Comments what should change",
        ),
        (
            "plan_approval",
            " \n",
            "_approval.md is missing or empty; `samoloop resume` with the file put back goes on",
        ),
        ("qa_answers", "# Gone\n", "Q1, Q2 is no longer in _qa.md: put the question back and answer it"),
    ],
)
def test_why_a_gate_is_still_open_is_said_whole(session_dir: Path, kind: str, text: str, sentence: str) -> None:
    gate = open_gate(session_dir, wait(kind, PLAN, "x"))
    (session_dir / gates.gate_file(gate)).write_text(text)
    assert why(session_dir, gate) == sentence


def test_a_word_that_says_nothing_is_a_yes(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("human_action", reason="x"))
    gates.confirm_action(session_dir, gate, "ada", "...")
    assert look(session_dir, gate) == Closing(Verdict.DONE, "ada", "yes")


def test_what_an_act_is_refused_for_is_said_whole(session_dir: Path) -> None:
    action = open_gate(session_dir, wait("human_action", reason="x"))
    plan = open_gate(session_dir, wait("plan_approval", PLAN))
    hidden = replace(plan, shown=False)
    said: list[str] = []

    def refuses(act: str, *, gate: Gate | None = action, words: str = "") -> None:
        with pytest.raises((UsageError, SessionError)) as error:
            if act == "done":
                gates.confirm_action(session_dir, gate, "ada", words)
            else:
                gates.decide_plan(session_dir, gate, Verdict(act), "ada", comment=words)
        said.append(str(error.value))

    refuses("done", words=" not " + "x" * 60)
    refuses("done", gate=plan)
    refuses("approve", gate=None)
    refuses("approve", gate=hidden)
    refuses("changes", gate=plan)
    gates.confirm_action(session_dir, action, "bob", "x" * 61)
    refuses("done")
    (session_dir / PLAN).unlink()
    refuses("approve", gate=plan)
    assert said == [
        f"{'not ' + 'x' * 56!r} says that it is not done: say it once it is",
        "nothing waits to be closed as done: it waits for plan_approval",
        "nothing waits to be closed as approve: no gate is open",
        "the gate g1 is being opened: say it again in a moment",
        'say what should change: samoloop changes SESSION -m "..."',
        f"it is done already: {'x' * 60} (by bob)",
        f"the plan {PLAN} is missing in {session_dir}: put it back, or ask for changes",
    ]


def test_words_for_nobody_are_refused_whole(session_dir: Path) -> None:
    with pytest.raises(UsageError) as error:
        gates.tell(session_dir, "\n", "ada")
    assert str(error.value) == "there is nothing to tell: the text is empty"


def test_the_questions_that_wait_are_told_with_the_reason(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("qa_answers"))
    gates.answer(session_dir, gate, {"Q1": "A"}, "ada")
    assert look(session_dir, gate) == StillOpen("still to answer: Q2", ("Q2",))
    text = (session_dir / "_qa.md").read_text()
    (session_dir / "_qa.md").write_text(text.replace("### Q2", "### Question 2"))
    sentence = "Q2 is no longer in _qa.md: put the question back and answer it"
    assert look(session_dir, gate) == StillOpen(sentence, ("Q1", "Q2"))
    assert look(session_dir, replace(gate, shown=False)) == StillOpen("", ("Q1", "Q2"))


@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT])
def test_a_decision_is_written_with_what_it_is_bound_to(session_dir: Path, verdict: Verdict) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, verdict, "ada\n b", comment="short\ner")
    assert (session_dir / "_approval.md").read_text() == (
        "# Plan approval\n"
        f"Plan: {PLAN}\n"
        f"SHA-256: {gate.sha256}\n"
        f"Shown: {gate.sha256}\n"
        "By: ada b\n"
        f"Decision: {verdict}          <!-- g1: approve, changes or reject -->\n"
        "Comments: short\ner\n"
    )
    assert look(session_dir, gate) == Closing(verdict, "ada b", "short\ner", gate.sha256)
    with pytest.raises(SessionError) as error:
        gates.decide_plan(session_dir, gate, Verdict.APPROVE, "bob")
    assert str(error.value) == f"the plan was decided already: {verdict} (by ada b)"


def test_a_plan_that_is_gone_is_sent_back_bound_to_nothing(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    (session_dir / PLAN).unlink()
    gates.decide_plan(session_dir, gate, Verdict.CHANGES, "ada", comment="where is it?")
    assert "Shown" not in (session_dir / "_approval.md").read_text()


def test_a_thing_done_is_written_with_who_did_it(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("human_action", reason=" create\r\n\raccount \n"))
    gates.confirm_action(session_dir, gate, "ada\n b", "done\nso")
    assert (session_dir / "_action.md").read_text() == (
        "# Please do this\n\n> create\n>\n> account\n\nBy: ada b\n"
        "Done: done so          <!-- g1: yes, and a word on how, once it is done; or a line Declined: and why -->\n"
    )


def test_a_thing_to_be_done_without_words_asks_for_nothing_in_particular() -> None:
    gate = Gate("g1", GateKind.HUMAN_ACTION, "planning", 4)
    assert gates.behaviour(gate.kind).text(gate, "", {}) == (
        "# Please do this\n\n>\n\n"
        "Done: _waiting_          <!-- g1: yes, and a word on how, once it is done; or a line Declined: and why -->\n"
    )


def test_an_approval_in_one_line_is_whole_and_void_once_the_plan_changed(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    old, new = sha256("# The plan\n"), sha256("# Another plan\n")
    (session_dir / "_approval.md").write_text(f"Shown: {old}\nDecision: approve\n")
    assert look(session_dir, gate) == Closing(Verdict.APPROVE, "editor", "", old)
    (session_dir / PLAN).write_text("# Another plan\n")
    assert look(session_dir, gate) == Void(
        f"{PLAN} has changed since it was approved ({old[:8]}… is now {new[:8]}…): please look again"
    )


@pytest.mark.parametrize("kind", GateKind)
def test_a_gate_keeps_what_it_was_asked_for(session_dir: Path, kind: GateKind) -> None:
    signal = Signal(Status.WAITING, wait_for=kind, file=PLAN, reason="plug it in")
    gate, _ = gates.prepare("g7", signal, "planning", 4, session_dir, session_dir, {})
    file = PLAN if kind in (GateKind.PLAN_APPROVAL, GateKind.FILE_UPDATE) else None
    assert (gate.id, gate.kind, gate.phase, gate.iteration) == ("g7", kind, "planning", 4)
    assert (gate.file, gate.sha256, gate.reason) == (file, file and sha256("# The plan\n"), "plug it in")
    assert gate.shown is False


def test_questions_that_vanished_before_the_gate_opened_are_none(session_dir: Path) -> None:
    (session_dir / "_qa.md").unlink()
    gate, text = gates.prepare("g1", wait("qa_answers"), "planning", 4, session_dir, session_dir, {})
    assert (gate.questions, gate.child_text, text) == ((), None, "\n")


def test_a_gate_without_any_file_names_none() -> None:
    assert gates.gate_file(Gate("g1", GateKind.FILE_UPDATE, "planning", 4)) == ""


def test_a_person_may_approve_without_a_word(session_dir: Path) -> None:
    gate = open_gate(session_dir, wait("plan_approval", PLAN))
    gates.decide_plan(session_dir, gate, Verdict.APPROVE, "ada")
    assert look(session_dir, gate) == Closing(Verdict.APPROVE, "ada", "", gate.sha256)
