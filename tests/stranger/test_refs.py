"""Refs of a child's own in the repository: none shows git other content, and none keeps a command waiting."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import GOOD_CHILD, IDENTITY, git, samoloop, scripted_project

from samoloop.api import unseen
from samoloop.git.calls import Git

ONCE = "if [ $SAMOLOOP_PHASE = investigation ]; then\n{deed}\nfi\n{child}"
IDENTIFIED = " ".join(["git", *IDENTITY])
MOST_BYTES = 8 << 30  # that a command may map: a git that reads a device takes all that there is


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_a_replacement_of_a_childs_shows_git_no_other_content(tmp_path: Path):
    """By git's own rule a ref below refs/replace stands in for an object, for every command that does not say no."""
    deed = f"""
cd "$SAMOLOOP_WORKTREE"; base=$(git rev-parse HEAD)
echo forged > hello.txt; git add hello.txt
git update-ref refs/replace/$base $({IDENTIFIED} commit-tree $(git write-tree) -m First)
git reset -q --hard; cd "$SAMOLOOP_SESSION_DIR"
"""
    root = scripted_project(tmp_path, ONCE.format(deed=deed, child=GOOD_CHILD))
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 0
    assert git(root, "show", "HEAD:hello.txt") == "forged"  # what a person's git shows
    assert Git(root / ".git").line("show", "HEAD:hello.txt") == "hello"  # what the worker's does


def test_a_device_among_the_refs_is_not_read(tmp_path: Path):
    deed = "rm -rf $main/.git/refs/samoloop; ln -s /dev/zero $main/.git/refs/samoloop"
    child = ONCE.format(
        deed=f'main=$(git -C "$SAMOLOOP_WORKTREE" rev-parse --git-common-dir)/..\n{deed}', child=GOOD_CHILD
    )
    root = scripted_project(tmp_path, child)
    assert samoloop(root, "run", "Task", "--session", "a", "--yes").returncode == 4
    for command in ("diff", "status", "log", "list"):
        said = samoloop(root, command, *(["a"] if command != "list" else []))
        assert said.returncode == 0, said.stdout + said.stderr


def test_a_device_in_the_place_of_gits_own_files_is_not_read_before_it_is_mended(tmp_path: Path):
    """The folder of the worktrees is a link, so the session is blocked before anything in it is put right."""
    deed = """
cd "$(git -C "$SAMOLOOP_WORKTREE" rev-parse --path-format=absolute --git-dir)"; ln -sf /dev/zero commondir
top=$(dirname "$SAMOLOOP_WORKTREE"); mv "$top" "$top.moved"; ln -s "$top.moved" "$top"; cd "$SAMOLOOP_SESSION_DIR"
"""
    root = scripted_project(tmp_path, ONCE.format(deed=deed, child=GOOD_CHILD))
    for words in (["run", "Task", "--session", "a", "--yes"], ["resume", "a", "-m", "go on"]):
        said = samoloop(root, *words)
        assert said.returncode == 4 and "is reached through a link" in said.stdout + said.stderr, said
    top = root / ".samoloop" / "worktrees"
    top.unlink()
    top.with_name("worktrees.moved").rename(top)
    worktree = next(path for path in top.iterdir() if path.is_dir())
    assert unseen.git_of(root / ".git", worktree).git_dir == root / ".git"
