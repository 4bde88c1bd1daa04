"""Killed at any moment of a commit, a checkpoint, a way back or a fresh worktree, the next try ends as it should."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from git_scene import Scene, begin, git, isolate, write
from kit import kill_with_git

from samoloop.base.locks import Lock
from samoloop.git import checkpoint
from samoloop.git.commit import commit
from samoloop.git.repo import Repo
from samoloop.git.restore import restore
from samoloop.git.worktree import Worktree

KILLS = int(os.environ.get("SAMOLOOP_TEST_KILLS", "4"))
WORKER = """
import os, sys, time
from pathlib import Path
from samoloop.git import checkpoint, restore
from samoloop.git.commit import commit
from samoloop.base.locks import Lock
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree
what, root, session, base = sys.argv[1:]
os.set_inheritable(Lock.take(Path(session, "_lock"), 5, "worker").descriptor, True)
repo, ref = Repo.find(Path(root)), checkpoint.ref_name("26-11-21-auth")
path = Path(root, ".samoloop/worktrees/26-11-21-auth")
worktree = None if what == "add" else Worktree.open(repo.git_dir, path, "samoloop/auth")
print("ready", flush=True)
if what == "add":
    repo.add_worktree(path.with_name("fresh"), "samoloop/fresh", base)
elif what == "commit":
    done = commit(worktree, "Work", since=base)
    checkpoint.make(worktree, Path(session), ref, done.snapshot, summary="2", iteration=2)
else:
    restore.restore(worktree, Path(session), ref, checkpoint.find(worktree.store, ref, 1))
"""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    isolate(monkeypatch, tmp_path / "home")
    return begin(tmp_path)


def _kill_at_random(scene: Scene, what: str, chance: random.Random, longest_seconds: float) -> None:
    arguments = [sys.executable, "-c", WORKER, what, str(scene.repo.root), str(scene.session), scene.base]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.readline()
    time.sleep(chance.uniform(0, longest_seconds))
    if chance.random() < 0.5:
        kill_with_git(process.pid)  # git dies too and leaves its locks
    else:
        process.kill()  # git goes on
    process.wait()
    process.stdout.close()
    Lock.take(scene.session / "_lock", 5, "the next worker").release()  # free once the last git has ended


def _assert_sound(scene: Scene) -> None:
    assert git(scene.repo.root, "fsck", "--full", "--strict", "--no-dangling", "--connectivity-only") == ""
    assert [path for path in scene.repo.git_dir.rglob("*.lock") if "worktrees/fresh" not in str(path)] == []
    assert list(scene.repo.git_dir.rglob("samoloop.index*")) == []


def test_killed_while_it_commits_and_checkpoints(scene: Scene) -> None:
    chance = random.Random(1)
    scene.iterate(1)
    for number in range(KILLS):
        write(scene.root, f"file{number}.py", "1\n")
        write(scene.session, "plan.md", f"plan {number}\n")
        _kill_at_random(scene, "commit", chance, 0.03)
        done = commit(scene.worktree, "Work", since=scene.base)
        checkpoint.make(scene.worktree, scene.session, scene.ref, done.snapshot, summary="2", iteration=2)
        assert done.blocked is None
        assert f"file{number}.py" in scene.files_of(scene.branch_tip())
        assert scene.child("status", "--porcelain") == ""
        assert checkpoint.read(scene.worktree.store, scene.ref, "plan.md") == f"plan {number}\n".encode()
        scene.base = done.snapshot.head
        _assert_sound(scene)


def test_killed_on_the_way_back(scene: Scene) -> None:
    chance = random.Random(2)
    write(scene.root, "one.py", "1\n")
    write(scene.session, "plan.md", "plan 1\n")
    target = scene.iterate(1)
    for number in range(KILLS):
        write(scene.root, "one.py", f"later {number}\n")
        write(scene.root, f"new{number}.py", "untracked\n")
        write(scene.session, "plan.md", f"plan later {number}\n")
        _kill_at_random(scene, "restore", chance, 0.06)
        restore(scene.worktree, scene.session, scene.ref, target)
        made = {f"?? new{n}.py" for n in range(number + 1)}  # by a person since the last checkpoint, so it stays
        assert (scene.root / "one.py").read_text() == "1\n"
        assert (scene.session / "plan.md").read_text() == "plan 1\n"
        assert set(scene.child("status", "--porcelain").splitlines()) == made
        assert scene.branch_tip() == target.head
        kept = [scene.files_of(c.code) for c in checkpoint.timeline(scene.worktree.store, scene.ref)]
        assert any(f"new{number}.py" in names for names in kept)
        _assert_sound(scene)


def test_killed_while_it_makes_a_worktree(scene: Scene) -> None:
    chance = random.Random(3)
    path = scene.root.with_name("fresh")
    for _ in range(KILLS):
        _kill_at_random(scene, "add", chance, 0.02)
        worktree = scene.repo.add_worktree(path, "samoloop/fresh", scene.base)
        assert worktree.state().clean
        assert (path / "app.py").exists()
        assert Worktree.open(scene.repo.git_dir, path, "samoloop/fresh") == worktree
        _assert_sound(scene)
        worktree.remove()
        git(scene.repo.root, "branch", "-D", "samoloop/fresh")
        assert Repo.find(path.parent) == scene.repo
