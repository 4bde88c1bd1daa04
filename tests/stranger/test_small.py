"""Small things that a child or its surroundings can do to the person's commands."""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

from kit import GOOD_CHILD, samoloop, scripted_project, until

from samoloop.core.gates import WAKE
from samoloop.core.session import Session


def asked(tmp_path: Path) -> tuple[Path, Path]:
    """A project with a session that waits for answers, and its folder."""
    root = scripted_project(tmp_path, GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    [found] = json.loads(samoloop(root, "list", "--json").stdout)
    return root, Path(found["folder"])


def test_a_command_does_not_wait_for_ever_for_its_turn(tmp_path: Path):
    root, folder = asked(tmp_path)
    words = ["tell", "a", "Use sqlite."]
    with (Session(folder).control / WAKE).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = samoloop(root, *words)
    assert said.returncode == 2 and "has been locked for 3 s" in said.stderr and "nothing was changed" in said.stderr
    assert samoloop(root, *words).returncode == 0


def test_a_waiting_worker_ends_when_its_folder_is_gone(tmp_path: Path):
    root, folder = asked(tmp_path)
    words = [sys.executable, "-m", "samoloop", "resume", "a"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=root, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as worker:
        assert worker.stdout is not None
        until(lambda: "waits" in worker.stdout.readline())
        shutil.rmtree(folder)
        said = "".join(worker.communicate(timeout=60))
    assert worker.returncode == 5 and f"the session's folder {folder} is gone" in said


def test_a_report_of_3000_files_is_still_read(tmp_path: Path):
    many = 'if [ $SAMOLOOP_PHASE = implementation ]; then (cd "$SAMOLOOP_WORKTREE"; seq 3000 | xargs touch); fi\n'
    root = scripted_project(tmp_path, many + GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    [found] = json.loads(samoloop(root, "list", "--json").stdout)
    report = (Path(found["folder"]) / "_report.md").read_text()
    assert len(report.splitlines()) < 200
    assert "more files" in report and "3001 files changed" in report
