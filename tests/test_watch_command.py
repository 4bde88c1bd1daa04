"""`watch`: the board as lines, and the whole command on a terminal of its own."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import recorded
from kit import samoloop
from session_work import Work
from watch_terminal import watched

from samoloop.api import status
from samoloop.api.sessions import KnownProject
from samoloop.api.status import row
from samoloop.base.clock import Clock
from samoloop.core.session import Session
from samoloop.fleet import mark as marks
from samoloop.fleet.mark import Mark
from samoloop.ui.terminal.board import Look, chosen, frame, moved
from samoloop.ui.terminal.keys import _keys


def sessions(root: Path, count: int) -> list[Session]:
    found = []
    for number in range(count):
        session = recorded.make_session(root, f"26-11-{number + 10}-task-{number}")
        recorded.iterate(session, "requirements")
        recorded.ask_questions(session, "Q1")
        found.append(session)
    return found


def board(rows: list[dict[str, Any]], look: Look, columns: int, height: int) -> tuple[list[str], Look]:
    lines, look = frame(rows, look, Clock().now(), columns, height)
    return ["".join(text for text, _ in line) for line in lines], look


def test_what_changes_while_a_row_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = recorded.make_session(tmp_path)
    plan = session.dir / recorded.PLAN
    plan.write_text("- [ ] 1.1 one\n- [ ] 1.2 two\n")

    def ticked_meanwhile(read: Session) -> dict[str, Any]:
        found = row(read)
        plan.write_text("- [x] 1.1 one\n- [ ] 1.2 two\n")
        return found

    known = KnownProject(tmp_path)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(status, "row", ticked_meanwhile)
        assert [one["plan"] for one in known.rows(os.environ)] == [[0, 2]]
    assert [one["plan"] for one in known.rows(os.environ)] == [[1, 2]]


# --- the board --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("columns", "height"), [(40, 10), (80, 24), (200, 50), (10, 3), (1, 1)])
def test_a_board_fits_its_screen_and_shows_the_choice(tmp_path: Path, columns: int, height: int) -> None:
    rows = [row(session) for session in sessions(tmp_path, 9)]
    look = Look()
    for place in (0, 4, 8, 2):
        look = moved(Look(chosen=rows[place]["folder"], top=look.top), rows, 0)
        text, look = board(rows, look, columns, height)
        assert len(text) == height and all(len(line) <= max(columns - 1, 1) for line in text)
        if height >= 10:
            assert [line for line in text if line.startswith(f"> task-{place}")]


def test_the_board_says_how_many_are_above_and_below(tmp_path: Path) -> None:
    rows = [row(session) for session in sessions(tmp_path, 9)]
    text, _ = board(rows, Look(chosen=rows[8]["folder"]), 80, 10)
    assert text[0] == "9 need you, 0 at work   ↑ 6"
    text, _ = board(rows, Look(), 80, 10)
    assert text[0].endswith("↓ 6")


def test_the_choice_stays_with_its_session_and_takes_the_next_one_where_that_is_gone(tmp_path: Path) -> None:
    rows = [row(session) for session in sessions(tmp_path, 3)]
    look = moved(Look(), rows, 1)
    assert chosen(look, rows[::-1]) == rows[1]
    left = [rows[0], rows[2]]
    assert chosen(look, left) == rows[2]
    assert chosen(look, []) is None and moved(look, [], 1) == look
    assert moved(look, rows, 99).chosen == rows[2]["folder"]


def test_an_empty_board_names_the_first_command() -> None:
    text, _ = board([], Look(), 80, 10)
    assert text[0].startswith('no session yet: samoloop run "TASK"')


def test_what_a_damaged_session_says_is_drawn_and_does_nothing(tmp_path: Path) -> None:
    (session,) = sessions(tmp_path, 1)
    session.journal.path.write_text("{\x1b[2J}\n{}\n")
    text, _ = board([row(Session(session.dir))], Look(), 80, 10)
    assert "damaged" in text[2] and "\x1b" not in "".join(text)


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("jq", ["down", "q"]),
        ("\x1b[A\x1bOB", ["up", "down"]),
        ("\x1b[5~\x1b[6~", ["page up", "page down"]),
        ("\x1b[1;5Ca\x1b", ["a"]),  # Ctrl-Right means nothing, and Escape alone neither
        ("\r", ["enter"]),
        ("\x04", ["q"]),
    ],
)
def test_keys_have_names(typed: str, keys: list[str]) -> None:
    assert _keys(typed) == keys


# --- the command ------------------------------------------------------------------------------------------------------


def test_watch_shows_all_follows_what_changes_and_gives_the_terminal_back(tmp_path: Path) -> None:
    first, _ = sessions(tmp_path, 2)
    with watched(tmp_path, columns=40, height=10) as terminal:
        terminal.until("2 need you")
        assert "\x1b[?1049h" in terminal.written
        qa = first.dir / "_qa.md"
        qa.write_text(qa.read_text().replace("_waiting_", "A"))
        terminal.until("1 needs you")
        terminal.resize(120, 30)
        os.kill(terminal.pid, signal.SIGWINCH)
        terminal.until("r resume")  # there is room for it now
        terminal.press("j")
        terminal.until("> task-0")
        terminal.press("a")
        terminal.until(f"{first.name} asks nothing now")
        terminal.press("q")
        assert terminal.exit_code() == 0
        assert terminal.written.rpartition("\x1b[?1049l")[2].strip() == ""


def test_of_a_fleet_s_session_a_machine_is_at_work_and_can_be_stopped(tmp_path: Path) -> None:
    session = Work(tmp_path).session
    marks.write(session.dir, Mark("p", "origin", "here", paths="one"))
    with watched(tmp_path, columns=120) as terminal:
        terminal.until("0 need you, 1 at work")
        terminal.press("r")
        terminal.until(f"{session.name} is at work already")
        terminal.press("s")
        terminal.until(f"stop {session.name} after this iteration? y")
        terminal.press("y")
        terminal.until("no database of a fleet is named on this machine")


def test_nothing_is_drawn_where_nothing_changed(tmp_path: Path) -> None:
    session = recorded.make_session(tmp_path, "26-11-20-new")  # an age would change
    with watched(tmp_path) as terminal:
        terminal.until("no worker is running")
        before = terminal.written
        terminal.press("s")
        terminal.until(f"no worker is at work on {session.name}")
        assert terminal.written.removeprefix(before).count("SESSION") == 1


@pytest.mark.parametrize("way", ["ctrl-c", "end of input", "terminated"])
def test_every_way_out_gives_the_terminal_back(tmp_path: Path, way: str) -> None:
    sessions(tmp_path, 1)
    with watched(tmp_path) as terminal:
        terminal.until("needs you")
        if way == "terminated":
            os.kill(terminal.pid, signal.SIGTERM)
        else:
            terminal.press("\x03" if way == "ctrl-c" else "\x04")
        assert terminal.exit_code() == 0
        assert terminal.written.rstrip().endswith("\x1b[?1049l")


def test_a_key_hands_the_terminal_to_the_question_and_takes_it_back(tmp_path: Path) -> None:
    (session,) = sessions(tmp_path, 1)
    with watched(tmp_path) as terminal:
        terminal.until("1 needs you")
        terminal.press("a")
        terminal.until("Your answer")
        terminal.press("A\n")
        terminal.until("-- Enter goes back to the sessions --")
        terminal.press("\n")
        terminal.until("0 need you")
        assert "**Answer:** A" in (session.dir / "_qa.md").read_text()
        terminal.press("q")
        assert terminal.exit_code() == 0


def test_without_a_terminal_it_names_what_works_there(tmp_path: Path) -> None:
    sessions(tmp_path, 1)
    done = samoloop(tmp_path, "watch")
    assert done.returncode == 2
    assert "watch needs a terminal that can move its cursor; here: samoloop list" in done.stderr
