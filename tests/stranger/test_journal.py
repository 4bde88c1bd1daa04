"""The journal is what the worker wrote, whatever a child does to it while it is at work."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.core.session import Session

FORGED = {
    "event": "moved",
    "at": "2026-11-21T10:00:00.000Z",
    "from": "requirements",
    "to": "implementation",
    "by": "editor",
}
DEEDS = {
    "a line more": f"printf '%s\\n' '{json.dumps(FORGED)}' >> \"$journal\"",
    "a line less": "sed -i '$d' \"$journal\"",
    "another word": 'sed -i s/investigation/planning/ "$journal"',
    "empty": ': > "$journal"',
    "gone": 'rm "$journal"',
    "a link": 'rm "$journal"; ln -s /etc/passwd "$journal"',
    "a pipe": 'rm "$journal"; mkfifo "$journal"',
    "a folder": 'rm "$journal"; mkdir "$journal"',
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_journal_that_a_child_changed_is_put_right_and_a_human_looks(tmp_path: Path, deed: str):
    once = 'journal=$(readlink "$SAMOLOOP_SESSION_DIR/_history.jsonl")\n'
    once += f"if [ $SAMOLOOP_PHASE = requirements ] && mkdir {tmp_path}/did 2>/dev/null; then {deed}; fi\n"
    root = scripted_project(tmp_path, once + GOOD_CHILD)
    said = samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    assert said.returncode == 4 and "it is again what the worker wrote" in said.stdout, said.stdout + said.stderr
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    session = Session(Path(row["folder"]))
    assert [record.event for record in session.journal.read()].count("moved") == 0
    assert session.state().phase == "requirements" and session.state().iteration == 2
    (session.dir / "asked").unlink()
    said = samoloop(root, "resume", "a", "--no-wait")
    assert said.returncode == 3, said.stdout  # it asks, as it would have done


def test_a_child_that_removes_what_leads_to_the_journal_removes_a_link(tmp_path: Path):
    child = 'cd "$SAMOLOOP_SESSION_DIR"; rm -rf _history.jsonl _logs; echo forged > _inbox.md; cd - > /dev/null\n'
    root = scripted_project(tmp_path, child + GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    folder = Path(row["folder"])
    assert (folder / "_history.jsonl").is_symlink() and (folder / "_logs").is_symlink()
    prompts = [path.read_text() for path in (folder / "_logs").glob("*.prompt.md")]
    assert len(prompts) > 3 and not any("forged" in prompt for prompt in prompts)
    assert any("_inbox.md in the session's folder is not the worker's" in prompt for prompt in prompts)


BETWEEN = {
    "a line more": lambda path: path.write_bytes(path.read_bytes() + json.dumps(FORGED).encode() + b"\n"),
    "another word": lambda path: path.write_bytes(path.read_bytes().replace(b"investigation", b"planning")),
    "lines less": lambda path: path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4])),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "all gone": lambda path: shutil.rmtree(path.parent),
}


@pytest.mark.parametrize("change", BETWEEN.values(), ids=BETWEEN)
def test_a_journal_that_changed_while_nobody_looked_needs_a_person(tmp_path: Path, change: Callable[[Path], object]):
    root = scripted_project(tmp_path, GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    session = Session(Path(row["folder"]))
    journal = session.journal.path
    whole = journal.read_bytes()
    change(journal)
    (Path(row["folder"]) / "_qa.md").write_text((Path(row["folder"]) / "_qa.md").read_text().replace("_waiting_", "A"))
    tries = (["resume", "a", "--yes", "--no-wait"], ["up", "--once"], ["status", "a"], ["list"], ["rewind", "a", "1"])
    for words in tries:
        said = samoloop(root, *words)
        assert "Traceback" not in said.stderr and "fault of samoloop" not in said.stderr
        if words[0] == "resume":
            assert said.returncode not in (0, 3) and "samoloop repair" in said.stdout + said.stderr
            assert "samoloop resume a" not in said.stdout, "that would not help"
    said = samoloop(root, "repair", "a")
    assert said.returncode == 0 and "It stands in phase requirements, iteration 2" in said.stdout, said.stderr
    assert "samoloop repair" not in samoloop(root, "status", "a").stdout
    right = journal.read_bytes()
    assert right.startswith(whole[: whole.rindex(b'{"event":"rested"')]) and b"moved" not in right
    said = samoloop(root, "resume", "a", "--yes")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_sound_journal_is_left_as_it_is(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    path = Session(Path(row["folder"])).journal.path
    before = path.read_bytes()
    assert "Nothing had changed" in samoloop(root, "repair", "a").stdout
    assert path.read_bytes() == before


def test_after_the_repair_of_what_is_done_no_command_is_named_that_would_be_refused(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    assert "go on with: samoloop resume" in samoloop(root, "repair", "a").stdout
    samoloop(root, "resume", "a", "--yes")
    said = samoloop(root, "repair", "a").stdout
    assert "It stands in phase done" in said and "samoloop resume" not in said


def test_a_start_that_finds_all_well_says_nothing(tmp_path: Path):
    root = scripted_project(tmp_path, GOOD_CHILD)
    samoloop(root, "run", "Task", "--session", "a", "--no-wait")
    for _ in range(3):
        said = samoloop(root, "resume", "a", "--yes")
        assert "repair" not in said.stdout + said.stderr
