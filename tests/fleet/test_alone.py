"""One process of a machine at a time looks after a copy; a command that acts on one is not taken for its worker."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from at_work import Host, hosts, waits
from kit import GOOD_CHILD, until

from samoloop.base.errors import LockHeld
from samoloop.base.locks import Lock, is_held
from samoloop.fleet.alone import alone_at

ACTS = """
import os, sys
from pathlib import Path
from samoloop.core.session import Session
from samoloop.fleet.lease import FleetLease
with FleetLease(os.environ, "Ann").taken(Session(Path(sys.argv[1]))):
    print("acts", flush=True)
    sys.stdin.read()
"""


@contextmanager
def acting(host: Host, name: str) -> Iterator["subprocess.Popen[str]"]:
    """A person's command on a session of the fleet that takes its time."""
    words = [sys.executable, "-c", ACTS, str(host.folder(name))]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, cwd=host.root, env={**os.environ, **host.env}, stdin=pipe, stdout=pipe, text=True
    ) as it:
        assert it.stdout and it.stdout.readline() == "acts\n"
        try:
            yield it
        finally:
            it.kill()


@pytest.mark.slow  # whole commands
def test_a_command_that_acts_on_a_copy_is_not_ended_by_what_came_from_elsewhere(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, GOOD_CHILD, "ann", "ben") as (ann, ben):
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x"))
        with acting(ann, "x") as command:
            ben.start("--providers", "demo")
            until(lambda: ben.sessions() and waits(ben, "x"))
            ben.say("answer", "x", "Q1=north")
            until(lambda: "x is looked after by process" in ann.said())
            assert command.poll() is None and command.stdin
            command.stdin.close()
            assert command.wait() == 0
        until(lambda: (gate := ann.status("x")["gate"]) and gate["kind"] == "plan_approval")


def test_a_copy_is_looked_after_by_one_at_a_time(tmp_path: Path) -> None:
    copy, environ = tmp_path / "26-11-21-x", {"HOME": str(tmp_path)}
    with (
        alone_at(copy, environ),
        pytest.raises(LockHeld, match=f"26-11-21-x is looked after by process {os.getpid()} on this machine"),
        alone_at(copy, environ, 0),
    ):
        pass
    with alone_at(tmp_path / "26-11-21-y", environ), alone_at(copy, environ, 0):
        pass
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_lock_whose_file_went_with_who_had_it_before_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, environ = tmp_path / "26-11-21-x", {"HOME": str(tmp_path)}
    take, taken = Lock.take, []

    def just_too_late(path: Path, seconds: float, content: str) -> Lock:
        lock = take(path, seconds, content)
        if not taken:
            path.unlink()
            path.touch()  # by the next
        taken.append(lock)
        return lock

    monkeypatch.setattr(Lock, "take", just_too_late)
    with alone_at(copy, environ):
        assert len(taken) == 2 and [is_held(path) for path in tmp_path.rglob("*") if path.is_file()] == [True]
