"""Whose a session is: also a git that outlives its killed worker keeps the next one out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, make_repo, script, until

from samoloop.base.locks import holders
from samoloop.core.control import LOCK
from samoloop.core.session import Session
from samoloop.worker import lease
from samoloop.worker.lease import FILES, locked

WORKER = """
import sys
from pathlib import Path
from samoloop.core.session import Session
from samoloop.git.calls import Git
from samoloop.worker.lease import locked

folder = Path(sys.argv[1])
with locked(Session(folder)):
    Git(folder).call("status")
"""
SLOW_GIT = """#!/bin/sh
BEGUN=$(dirname "$0")/begun
echo $$ > "$BEGUN.new" && mv "$BEGUN.new" "$BEGUN"
while ! [ -e "$BEGUN.go" ]; do sleep 0.02; done
"""


def test_a_git_that_outlives_its_worker_holds_the_session(tmp_path: Path) -> None:
    folder, begun = tmp_path / "session", tmp_path / "begun"
    folder.mkdir()
    git = tmp_path / "git"
    git.write_text(SLOW_GIT)
    git.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], env=environ)
    try:
        until(begun.exists)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(20)
    try:
        assert FILES.is_held(folder)
    finally:
        Path(f"{begun}.go").touch()
    until(lambda: not FILES.is_held(folder))


def test_what_was_started_for_another_session_meanwhile_does_not_hold_it(tmp_path: Path) -> None:
    """A process that works for several has all their locks, and its gits inherit them."""
    folder = tmp_path / "session"
    folder.mkdir()
    with locked(Session(folder)):
        another = subprocess.Popen(["sleep", "1000"], close_fds=False)
    try:
        assert not FILES.is_held(folder)
    finally:
        another.kill()
        another.wait()


def test_what_was_folded_before_the_lease_was_taken_counts_no_more(tmp_path: Path) -> None:
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))
    session = bench.session()
    early = Session(session.dir)
    assert early.state().iteration == 0
    bench.run(session)
    with locked(early):
        assert early.state().iteration == 2


def test_the_worker_is_the_oldest_that_holds_it_whatever_number_stands_there(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    session = Session(folder)
    with locked(session), subprocess.Popen(["sleep", "1000"], close_fds=False) as git:
        lock = session.control / LOCK
        until(lambda: set(holders(lock)) == {os.getpid(), git.pid})
        lock.write_text(f"{git.pid}\n")
        assert FILES.holder(folder) == os.getpid()
        git.kill()


def test_nobody_is_looked_for_in_the_open_files_of_all_processes_where_the_lease_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    session = Session(folder)
    looked: list[Path] = []
    monkeypatch.setattr(lease, "holders", lambda path: looked.append(path) or holders(path))
    with locked(session):
        assert FILES.holder(folder) == os.getpid()
    assert looked == [session.control / LOCK]
    assert FILES.holder(folder) is None
    assert len(looked) == 1
