"""What a worker believes lies in the control folder, also for a session that an earlier version began in its own."""

import json
import shutil
from pathlib import Path

from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.core import control
from samoloop.core.session import Session


def asked(tmp_path: Path) -> tuple[Path, Path]:
    """A project with a session that waits for an answer, and its folder."""
    root = scripted_project(tmp_path, GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    return root, Path(row["folder"])


def as_before(folder: Path) -> list[str]:
    """Lay the session out as 0.1.0 did, all in its own folder; gives the events of its journal."""
    place = control.place_of(folder)
    for path in place.iterdir():
        control.remove(folder / path.name)
        shutil.move(path, folder / path.name)
    place.rmdir()
    return [record.event for record in Session(folder).journal.read()]


def test_a_session_of_an_earlier_version_is_taken_up_whole(tmp_path: Path):
    root, folder = asked(tmp_path)
    before = as_before(folder)
    logs = {path.name for path in (folder / "_logs").iterdir()}
    assert samoloop(root, "status", "a").returncode == 0
    assert samoloop(root, "answer", "a", "--suggested").returncode == 0
    assert samoloop(root, "tell", "a", "KEEP the tests").returncode == 0
    assert samoloop(root, "resume", "a", "--no-wait").returncode == 3
    assert {path.name for path in folder.iterdir() if path.is_symlink()} == {"_history.jsonl", "_logs"}
    assert control.strangers(folder) == []
    session = Session(folder)
    assert [record.event for record in session.journal.read()][: len(before)] == before
    assert logs <= {path.name for path in session.logs.iterdir()}
    assert any("KEEP the tests" in path.read_text() for path in session.logs.glob("*.prompt.md"))
    assert session.control == control.place_of(folder)


def test_a_project_that_was_moved_is_told_what_to_move_with_it(tmp_path: Path):
    root, folder = asked(tmp_path)
    moved = root.with_name("elsewhere")
    root.rename(moved)
    said = samoloop(moved, "resume", "a", "--no-wait")
    assert said.returncode == 2 and "Traceback" not in said.stderr
    old, new = said.stderr.rpartition("move that too: mv ")[2].split()
    assert Path(old) == control.place_of(folder)
    Path(old).rename(new)
    assert json.loads(samoloop(moved, "status", "a", "--json").stdout)["gate"]["kind"] == "qa_answers"
