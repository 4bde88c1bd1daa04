"""What the tests of git share: a person's repository with work of their own in it, and a session beside it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from samoloop.base.files import make_ignored_folder
from samoloop.git import checkpoint
from samoloop.git.checkpoint import Checkpoint
from samoloop.git.commit import Committed, commit
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree

REFS = os.environ.get("SAMOLOOP_TEST_REFS", "files")  # "reftable" where git knows that format, from 2.45


def isolate(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """A home with nothing in it but a name for git; no GIT_* of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n"
        f"[init]\n\tdefaultBranch = trunk\n\tdefaultRefFormat = {REFS}\n"
        '[protocol "file"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(where: Path, *args: str, check: bool = True) -> str:
    """Git as a child or a person runs it: found from the current folder."""
    done = subprocess.run(["git", *args], cwd=where, capture_output=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"git {args}: {done.stderr.decode(errors='replace')}")
    return os.fsdecode(done.stdout).strip()


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def new_repository(root: Path) -> Path:
    """A repository with one commit."""
    root.mkdir(parents=True)
    git(root, "init", "--quiet")
    write(root, "app.py", "print('one')\n")
    write(root, "docs/guide.md", "guide\n")
    write(root, ".gitignore", "*.log\nbuild/\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "Start")
    return root


def picture(root: Path) -> dict[str, object]:
    """Everything of the person's checkout that the worker must leave alone."""
    without_refresh = ("-c", "core.fsmonitor=false", "--no-optional-locks")
    ours = (root / ".git", root / ".samoloop", root / "_sessions")
    files = [path for path in root.rglob("*") if path.is_file() and not any(o in path.parents for o in ours)]
    return {
        "index": (root / ".git/index").read_bytes(),
        "status": git(root, *without_refresh, "status", "--porcelain=v2", "--branch", "-uall"),
        "stash": git(root, "stash", "list"),
        "head": (root / ".git/HEAD").read_text(),
        "branches": git(root, "for-each-ref", "refs/heads/trunk", "refs/heads/mine", "refs/tags"),
        "config": (root / ".git/config").read_bytes(),
        "files": {str(path): path.read_bytes() for path in files},
    }


@dataclass
class Scene:
    """A session in the middle of its work."""

    repo: Repo
    worktree: Worktree
    session: Path
    base: str
    ref: str = checkpoint.ref_name("26-11-21-auth")

    @property
    def root(self) -> Path:
        """The folder the child works in."""
        return self.worktree.root

    def child(self, *args: str, check: bool = True) -> str:
        """Git as the child calls it."""
        return git(self.root, *args, check=check)

    def commit(self, message: str = "samoloop: work", **more: object) -> Committed:
        return commit(self.worktree, message, since=self.base, **more)  # type: ignore[arg-type]

    def iterate(self, number: int) -> Checkpoint:
        """What the worker does at the end of an iteration."""
        committed = self.commit(f"samoloop: work of iteration {number}")
        self.base = committed.snapshot.head
        return checkpoint.make(
            self.worktree, self.session, self.ref, committed.snapshot, summary=f"{number:03d} testing", iteration=number
        )

    def branch_tip(self) -> str:
        return git(self.repo.root, "rev-parse", self.worktree.ref)

    def files_of(self, commit: str) -> list[str]:
        return git(self.repo.root, "ls-tree", "-r", "--name-only", "--full-tree", commit).splitlines()

    def text_of(self, commit: str, name: str) -> str:
        return git(self.repo.root, "show", f"{commit}:{name}")


def begin(tmp_path: Path) -> Scene:
    """A person's dirty checkout, and a session that has just been set up."""
    root = new_repository(tmp_path / "project")
    write(root, "stashed.txt", "the person's stash\n")
    git(root, "add", "stashed.txt")
    git(root, "stash", "--quiet")
    write(root, "app.py", "print('half done by the person')\n")
    write(root, "staged.txt", "staged by the person\n")
    git(root, "add", "staged.txt")
    write(root, "notes.txt", "untracked\n")
    write(root, "build/out.log", "ignored\n")
    repo = Repo.find(root)
    for folder in ("_sessions", ".samoloop/worktrees"):
        make_ignored_folder(root / folder)
    base = repo.resolve("HEAD")
    worktree = repo.add_worktree(root / ".samoloop/worktrees/26-11-21-auth", "samoloop/auth", base)
    session = root / "_sessions/26-11-21-auth"
    write(session, "_overview.md", "# Auth\n\n## Status\nPhase: testing\nIteration: 1\nBlocked: no\n")
    return Scene(repo, worktree, session, base)
