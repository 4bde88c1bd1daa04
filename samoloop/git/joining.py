"""Commits of several sessions brought together without a worktree, as far as git can without a choice."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from samoloop.git import drivers
from samoloop.git.commit import identity
from samoloop.git.objects import Objects
from samoloop.git.repo import Repo


class Joined(NamedTuple):
    """What became of it."""

    commit: str  # that holds what could be merged
    left: tuple[str, ...] = ()  # commits that meet it in a conflict, or that this git cannot merge without a worktree


def is_in(repo: Repo, commit: str, other: str) -> bool:
    """Whether `other` has the commit in its history. False too where one of them is not there."""
    return repo.store.call("merge-base", "--is-ancestor", commit, other).returncode == 0


def branch_with(repo: Repo, commit: str) -> str:
    """A branch, of a remote too, that has the commit in its history; empty where none has, or it is not there."""
    refs = ("--format=%(refname:lstrip=2)", "--count=1", "refs/heads", "refs/remotes")
    done = repo.store.call("for-each-ref", f"--contains={commit}", *refs)
    return os.fsdecode(done.stdout).strip() if done.returncode == 0 else ""


def join(repo: Repo, commits: Sequence[str], names: Sequence[str]) -> Joined:
    """A commit with the first one and, merged in this order, all others that meet no conflict. No branch is moved.

    `names` are what the commits are called in the messages of the merges.
    """
    known = list(dict.fromkeys(commits))
    kept = [one for one in known if not any(other != one and is_in(repo, one, other) for other in known)]
    base, left = kept[0], []
    for commit in kept[1:]:
        tree = _merged_tree(repo, base, commit)
        if tree is None:
            left.append(commit)
            continue
        message = f"Merge {names[list(commits).index(commit)]}\n"
        base = Objects.of(repo.git_dir, base).commit(
            tree, [base, commit], os.fsencode(message), *identity(repo.git_dir)
        )
    return Joined(base, tuple(left))


def _merged_tree(repo: Repo, one: str, other: str) -> str | None:
    """The tree of a merge without a conflict, by git alone: no merge driver of the configuration is run."""
    off = drivers.without(repo.store.programs())
    done = repo.store.call("merge-tree", "--write-tree", "--no-messages", one, other, env=off)
    return done.stdout.decode().strip() if done.returncode == 0 else None
