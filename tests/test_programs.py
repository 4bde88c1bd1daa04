"""A program is run to its end, or ended with all that it started."""

import math
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kit import make_repo, until

from samoloop.base import programs
from samoloop.base.errors import GitError
from samoloop.base.programs import Cut
from samoloop.git import calls
from samoloop.git.calls import Git

STARTS = "sleep 1000 & echo $! > pid; wait"


def run(folder: Path, script: str, **how: Any) -> "subprocess.CompletedProcess[bytes]":
    how = {"seconds": 60.0, "environ": dict(os.environ), **how}
    return programs.run(["sh", "-c", script], name="it", cwd=folder, **how)


def is_gone(folder: Path) -> bool:
    pid = int((folder / "pid").read_text())
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] == "Z"
    except OSError:
        return True


def test_what_it_says_and_its_exit_code_are_given(tmp_path: Path):
    done = run(tmp_path, "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    with (tmp_path / "log").open("wb") as log:
        assert run(tmp_path, "echo out; echo err >&2", output=log).returncode == 0
    assert (tmp_path / "log").read_bytes() == b"out\nerr\n"


def test_much_is_written_to_one_that_reads_slowly(tmp_path: Path):
    much = b"x" * 1_000_000
    assert run(tmp_path, "sleep 0.6; cat", stdin=much).stdout == much


@pytest.mark.parametrize("starts", ["sleep 1000 &", "setsid sleep 1000 &"])
def test_what_it_leaves_behind_does_not_keep_it(tmp_path: Path, starts: str):
    done = run(tmp_path, f"echo out; {starts} echo $! > pid; echo err >&2; exit 4")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"out\n", b"err\n")
    with suppress(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_over_its_time_it_ends_with_all_that_it_started(tmp_path: Path):
    with pytest.raises(subprocess.TimeoutExpired):
        run(tmp_path, f"trap : TERM; {STARTS}; sleep 1000", seconds=1.0)
    until(lambda: is_gone(tmp_path))


def test_it_ends_when_this_process_shall_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(programs, "process_patience", lambda: 0.5 if (tmp_path / "pid").exists() else math.inf)
    start = time.monotonic()
    with pytest.raises(Cut, match="it was ended, because samoloop was asked to stop"):
        run(tmp_path, STARTS)
    assert time.monotonic() - start > 0.5
    until(lambda: is_gone(tmp_path))


def test_one_that_ends_in_time_is_not_cut(tmp_path: Path):
    assert run(tmp_path, "echo done", patience=lambda: 30.0).stdout == b"done\n"


def test_a_git_that_hangs_is_a_sentence(tmp_path: Path):
    words = ("-c", f"alias.hang=!{STARTS}", "hang")
    with pytest.raises(GitError, match=rf"git hang did not end within 0.5s in {tmp_path} and was ended"):
        calls.execute(words, cwd=tmp_path, environ=calls.environment(), seconds=0.5)
    until(lambda: is_gone(tmp_path))


def test_a_git_that_waits_for_a_pipe_goes_on_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(programs, "STUCK_SECONDS", 0.5)
    root = make_repo(tmp_path / "repo")
    (root / "deep").mkdir()
    (root / "deep" / "file").touch()
    os.mkfifo(root / "deep" / ".gitignore")
    os.mkfifo(root / ".git" / "refs" / "odd")
    os.mkfifo(root / "own")
    found = Git(root / ".git", root)
    assert found.line("status", "--porcelain", "--untracked-files=all") == "?? deep/file"
    assert found.line("for-each-ref", "--format=%(refname)") == "refs/heads/trunk"
    assert [path.name for path in root.rglob("*") if path.is_fifo()] == ["own"]
