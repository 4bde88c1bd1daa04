"""Gates answered where they are shown: the real command at a terminal, and answers from elsewhere beside it."""

import os
import signal
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, Terminal, make_repo, samoloop, script

from samoloop.core.records import GateClosed
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import Condition

END = """signal '{"status": "blocked", "reason": "as far as it goes"}'"""
TWO_QUESTIONS = f"""
[ $SAMOLOOP_PHASE = requirements ] || {{ next requirements; exit; }}
if [ -f asked ]; then {END}; else touch asked
printf '### Q1: One?\\nA) a\\nB) b\\n**Suggestion:** A - why\\n**Answer:** _waiting_\\n\\n' > _qa.md
printf '### Q2: Two \\033[2J?\\n**Answer:** _waiting_\\n' >> _qa.md
signal '{{"status": "waiting", "for": "qa_answers"}}'; fi
"""
LONG_PLAN = f"""
[ $SAMOLOOP_PHASE = planning ] || {{ next planning; exit; }}
if [ -f planned ]; then {END}; else touch planned
seq 1 60 > 11-21-0900-plan-x.md; plan 11-21-0900-plan-x.md; fi
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = make_repo(tmp_path / "repo")
    return Bench(root, script(tmp_path, GOOD_CHILD))


def only(bench: Bench) -> Session:
    [session] = all_sessions(bench.root / "_sessions")
    return session


def closings(session: Session) -> list[tuple[str, str]]:
    """How each gate was closed, and by what."""
    records = Session(session.dir).journal
    return [(str(r.verdict), r.by.rpartition(" ")[2]) for r in records if isinstance(r, GateClosed)]


def at(bench: Bench, body: str, *, workflow: str = "feature") -> Session:
    """A session at the gate that its first child asks for."""
    bench.child.write_text(script(bench.child.parent, body, "other.sh").read_text())
    bench.settings = {"workflow": workflow}
    session = bench.session()
    assert bench.run(session).exit_code == 3
    return session


def resume(bench: Bench, session: Session, *words: str, **env: str) -> Terminal:
    return Terminal(bench.root, "resume", session.name, *words, env={"PAGER": "cat", **env})


def test_questions_and_plan_are_answered_where_they_stand_and_the_session_goes_on(bench: Bench) -> None:
    session = bench.session()
    terminal = resume(bench, session)
    terminal.answer(r"Your answer \(Enter: A, e: editor, s: skip\)", "")
    terminal.answer("Your decision", "")  # silence is no consent
    terminal.answer("Your decision", "y")
    terminal.answer("Your decision", "a plan that I do not like")
    terminal.answer("Your decision", "A")
    assert terminal.end() == 0, terminal.screen
    assert "│ the plan" in terminal.screen
    assert terminal.screen.count("the first letter will do.") == 3
    assert closings(session) == [("answered", "(terminal)"), ("approve", "(terminal)")]
    assert "samoloop questions" not in terminal.screen
    here = terminal.screen.partition("requirements waits")[2].partition("003 ")[0].splitlines()
    assert max(map(len, here)) <= 80


def test_an_answer_from_elsewhere_wins_and_is_said(bench: Bench) -> None:
    session = at(bench, TWO_QUESTIONS)
    terminal = resume(bench, session)
    terminal.wait_for("Your answer")
    assert samoloop(bench.root, "answer", session.name, "Q1=B").returncode == 0
    terminal.wait_for("Your answer")  # the next question, by itself
    assert "Q1 was answered meanwhile by" in terminal.screen
    terminal.type("half a", end="")
    assert samoloop(bench.root, "answer", session.name, "Q2=yes").returncode == 0
    assert terminal.end() == 4, terminal.screen
    assert "Q1, Q2 answered by" in terminal.screen
    assert "\x1b[2J" not in terminal.screen
    assert "Two ␛[2J?" in terminal.screen


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--no-input", "Ctrl-D"])
def test_without_input_it_waits_as_ever(bench: Bench, how: str) -> None:
    session = at(bench, TWO_QUESTIONS)
    terminal = resume(bench, session, *([how] if how == "--no-input" else []))
    if how == "Ctrl-D":
        terminal.wait_for("Your answer")
        terminal.press("D")
        terminal.wait_for_text("Nothing more is asked here")
    terminal.wait_for_text("samoloop answer")
    assert samoloop(bench.root, "answer", session.name, "Q1=A", "Q2=no").returncode == 0
    assert terminal.end() == 4, terminal.screen
    assert ("Your answer" in terminal.screen) is (how == "Ctrl-D")


@pytest.mark.slow
def test_skip_words_pasted_lines_and_keys_that_are_no_words(bench: Bench) -> None:
    session = at(bench, TWO_QUESTIONS)
    terminal = resume(bench, session)
    terminal.answer("Your answer", "s")
    terminal.answer("Your answer", "")
    assert "Nothing is suggested here" not in terminal.screen
    terminal.answer("Your answer", "\x1b[A")
    terminal.answer("Your answer", "first\n\nthird")
    terminal.wait_for_text("(several lines: an empty one ends them)")
    terminal.type("")
    terminal.answer("Enter asks again", "")
    terminal.answer("Your answer", "z")
    terminal.answer("Your answer", "b")
    assert terminal.end() == 4, terminal.screen
    assert "Nothing is suggested here" in terminal.screen
    assert "keys in it that no answer can hold" in terminal.screen
    assert "Q1 has the options A, B, got 'z'" in terminal.screen
    [closed] = [record for record in Session(session.dir).journal if isinstance(record, GateClosed)]
    assert closed.answers["Q2"]["answer"] == "first\n\nthird"
    assert closed.answers["Q1"]["answer"] == "b"


@pytest.mark.slow
def test_what_was_typed_before_the_question_stood_there_answers_nothing(bench: Bench, tmp_path: Path) -> None:
    go = tmp_path / "go"
    body = f"while [ ! -e {go} ]; do sleep 0.02; done\n" + TWO_QUESTIONS
    bench.child.write_text(script(tmp_path, body, "other.sh").read_text())
    bench.settings = {"workflow": "feature"}
    session = bench.session()
    terminal = resume(bench, session)
    terminal.wait_for_text("001 investigation")
    terminal.type("B\nB\nB")
    go.touch()
    terminal.wait_for("Your answer")
    assert not Session(session.dir).state().given
    terminal.press("C")
    assert terminal.end() == 130
    assert Session(session.dir).state().condition is Condition.WAITING


@pytest.mark.slow
def test_after_ctrl_z_it_asks_again_and_after_the_terminal_died_it_waits_on(bench: Bench) -> None:
    session = at(bench, TWO_QUESTIONS)
    terminal = resume(bench, session)
    terminal.wait_for("Your answer")
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(terminal.process.pid, number)
    terminal.answer("Your answer", "A")
    terminal.wait_for("Your answer")
    os.close(terminal.fd)
    assert samoloop(bench.root, "answer", session.name, "Q2=fine").returncode == 0
    assert terminal.process.wait(30) == 4
    assert Session(session.dir).state().condition is Condition.BLOCKED


@pytest.mark.slow
def test_an_editor_answers_and_ctrl_c_in_it_is_for_it(bench: Bench, tmp_path: Path) -> None:
    session = at(bench, TWO_QUESTIONS)
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\ntrap 'echo trapped' INT\necho editing; read line\nsed -i 's/_waiting_/by hand/' \"$1\"\n"
        "echo saved; read line\n"
    )
    editor.chmod(0o755)
    terminal = resume(bench, session, EDITOR=str(editor))
    terminal.answer("Your answer", "e")
    terminal.wait_for_text("editing")
    terminal.press("C")
    terminal.wait_for_text("trapped")
    terminal.type("")
    terminal.wait_for_text("saved")
    terminal.type("")
    assert terminal.end() == 4, terminal.screen
    assert closings(session) == [("answered", "editor")]


@pytest.mark.slow
def test_a_long_plan_is_shown_by_the_pager_and_a_decision_from_elsewhere_ends_that(
    bench: Bench, tmp_path: Path
) -> None:
    session = at(bench, LONG_PLAN, workflow="fix")
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ncat\necho paging; exec sleep 60\n")
    pager.chmod(0o755)
    terminal = resume(bench, session, PAGER=str(pager))
    terminal.wait_for_text("60\n- [ ] 1.1 it works\npaging")
    assert samoloop(bench.root, "approve", session.name).returncode == 0
    assert terminal.end() == 4, terminal.screen
    assert "plan 11-21-0900-plan-x.md approved by" in terminal.screen


@pytest.mark.slow
def test_the_commands_without_arguments_ask_in_the_same_way(bench: Bench) -> None:
    session = bench.session()
    bench.run(session)
    terminal = Terminal(bench.root, "answer")
    terminal.answer("Your answer", "b")
    assert terminal.end() == 0
    assert f"go on with: samoloop resume {session.name}" in terminal.screen
    bench.run(session)
    terminal = Terminal(bench.root, "approve", env={"PAGER": "cat"})
    terminal.answer("Your decision", "c")
    terminal.answer("What should change", "")
    terminal.answer("Your decision", "changes the order")
    assert terminal.end() == 0
    assert "Nothing was decided" in terminal.screen
    bench.run(session)
    assert closings(session) == [("answered", "(terminal)"), ("changes", "(terminal)")]
    terminal = Terminal(bench.root, "approve")
    terminal.wait_for("Your decision")
    terminal.press("C")
    assert terminal.end() == 130
    terminal = Terminal(bench.root, "approve")
    terminal.wait_for("Your decision")
    terminal.press("D")
    assert terminal.end() == 0


@pytest.mark.slow
def test_an_action_and_a_file_are_asked_for_too(bench: Bench) -> None:
    body = """
    case $SAMOLOOP_ITERATION in
    1) signal '{"status": "waiting", "for": "human_action", "reason": "plug it in"}';;
    2) echo old > key.txt; signal '{"status": "waiting", "for": "file_update", "file": "key.txt"}';;
    *) next done; signal '{"status": "done", "summary": "all good"}';;
    esac
    """
    session = at(bench, body, workflow="exec")
    terminal = resume(bench, session, EDITOR="sh -c 'echo new > \"$0\"'")
    terminal.answer("Is it done", "")
    terminal.answer("Is it done", "done with the blue cable")
    terminal.answer("It goes on when the file has changed", "e")
    assert terminal.end() == 0, terminal.screen
    assert closings(session) == [("done", "(terminal)"), ("updated", "editor")]
    assert "> plug it in" in terminal.screen
