"""The person's main checkout: looked at, given branches and worktrees, never changed otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from samoloop.worktree import Worktree


@dataclass(frozen=True)
class Included:
    """What `.worktreeinclude` brought into a fresh worktree."""

    copied: list[str]
    left: list[str]  # not ignored in the worktree, so a copy would end in a commit


@dataclass(frozen=True)
class Repo:
    """The main checkout of a repository."""

    root: Path
    git_dir: Path  # the common one, shared by all worktrees

    @classmethod
    def find(cls, start: Path) -> "Repo":
        """The main checkout that `start` is in, also from inside a linked worktree.

        Raises GitError where there is none (naming --in-place), for a bare repository, and without a first commit.
        """
        raise NotImplementedError

    def resolve(self, revision: str) -> str:
        """The full id of a commit. Raises GitError with the value."""
        raise NotImplementedError

    def head_line(self, base: str) -> str:
        """One line for a person: which commit a session starts from, and how many uncommitted files are not in it."""
        raise NotImplementedError

    def exclude(self, patterns: Iterable[str]) -> None:
        """Make the whole repository ignore `patterns`, through `.git/info/exclude`; each is added once."""
        raise NotImplementedError

    def new_branch_name(self, prefix: str, slug: str) -> str:
        """A branch name that is free: `samoloop/auth`, else `samoloop/auth-2`; `samoloop-auth` where a branch
        called `samoloop` is in the way."""
        raise NotImplementedError

    def add_worktree(self, path: Path, branch: str, base: str) -> Worktree:
        """A worktree at `path` on the new `branch` at commit `base`.

        May be called again after a crash: what was half made is made anew, what is whole is returned.
        """
        raise NotImplementedError

    def recreate_worktree(self, path: Path, branch: str, code: str, head: str) -> tuple[Worktree, str]:
        """The worktree back after WorktreeGone, and a sentence that says what was done.

        A folder that is still there keeps its content (git had only forgotten it); one that is gone comes back from
        the branch (from `head` where that is gone too), with the content of the snapshot `code`.
        """
        raise NotImplementedError

    def copy_included(self, worktree: Worktree) -> Included:
        """Copy the ignored files that `.worktreeinclude` names (gitignore patterns) into a fresh worktree."""
        raise NotImplementedError
