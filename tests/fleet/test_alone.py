"""One process of a machine at a time looks after a copy; a command that acts on one is not taken for its worker."""

import os
from pathlib import Path

import pytest
from at_work import hosts, waits
from kit import GOOD_CHILD, until
from machines import hook

from samoloop.base.errors import LockHeld
from samoloop.base.locks import Lock, is_held
from samoloop.fleet.alone import alone_at

# The first to push waits until it may go on.
HOLDS = 'here=$(dirname "$0"); mkdir "$here/held" 2>/dev/null || exit 0; until [ -e "$here/go" ]; do sleep 0.02; done'


@pytest.mark.slow  # whole commands
def test_a_command_that_acts_on_a_copy_is_not_ended_by_what_came_from_elsewhere(tmp_path: Path, url: str) -> None:
    with hosts(tmp_path, url, GOOD_CHILD, "ann", "ben") as (ann, ben):
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ann, "x"))
        ben.start("--providers", "demo")
        until(lambda: ben.sessions() and waits(ben, "x"))
        remote = Path(ann.git("config", "remote.origin.url"))
        hook(remote, "pre-receive", HOLDS)
        with ann.running("fleet", "move", "x", "--to", "ann") as (command, _):
            until((remote / "hooks" / "held").exists)
            ben.say("answer", "x", "Q1=north")
            until(lambda: "x is looked after by process" in ann.said())
            assert command.poll() is None
            (remote / "hooks" / "go").touch()
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
