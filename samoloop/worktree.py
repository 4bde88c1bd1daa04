"""A session's own working tree: opened, looked at, kept as a snapshot. Every call names its repository."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samoloop.errors import GitError
from samoloop.git import Git
from samoloop.tree_state import Skipped, TreeState


class WorktreeGone(GitError):
    """The worktree's folder, or what git knows of it, is no longer there."""


@dataclass(frozen=True)
class Snapshot:
    """The worktree's content as a commit that no branch names."""

    commit: str  # equal to `head` where nothing is uncommitted
    head: str
    tree: str  # the content: two snapshots with one tree are no progress
    skipped: Sequence[Skipped] = ()  # what is not in it


@dataclass(frozen=True)
class Worktree:
    """The folder a session's children work in, with its branch."""

    root: Path
    git_dir: Path  # of this worktree alone: HEAD and index
    common_dir: Path  # objects and branches; the same as `git_dir` in place
    branch: str

    @classmethod
    def open(cls, common_dir: Path, root: Path, branch: str) -> "Worktree":
        """The existing worktree at `root`; `common_dir` is `Repo.git_dir`. Raises WorktreeGone.

        A missing or replaced `.git` is put right by `repair`.
        """
        raise NotImplementedError

    @classmethod
    def in_place(cls, folder: Path, private: Path, branch: str, excludes: Sequence[str]) -> "Worktree":
        """`folder` itself, recorded in a private repository at `private` (made, with a first commit of what is
        there, if missing). A repository that the person has in `folder` is not touched.

        `excludes` are gitignore patterns of what is never recorded, such as the sessions folder.
        """
        raise NotImplementedError

    @property
    def is_in_place(self) -> bool:
        """The session works in the person's own folder."""
        return self.git_dir == self.common_dir

    @property
    def git(self) -> Git:
        """Git on this worktree."""
        return Git(self.git_dir, self.root, lfs=False)

    def repair(self) -> list[str]:
        """Mend the `.git` file that a child deleted or replaced. Sentences for the report; empty: all was well.

        A repository that the child made in its place is moved aside, never deleted. Raises WorktreeGone.
        """
        raise NotImplementedError

    def state(self) -> TreeState:
        """Branch, operation in progress, changes: one `git status`. Mends a corrupt index first (in `state.notes`)."""
        raise NotImplementedError

    def snapshot(self, state: TreeState | None = None) -> Snapshot:
        """The worktree as it is, uncommitted work too. Moves no ref and leaves the index alone."""
        raise NotImplementedError

    def stashes(self) -> list[str]:
        """Commit ids of the repository's stash, which all worktrees share: compare before and after a child."""
        raise NotImplementedError

    def commits_between(self, old: str, new: str) -> list[tuple[str, str]]:
        """(id, subject) of the commits in `new` that are not in `old`, oldest first."""
        raise NotImplementedError

    def diff_stat(self, old: str, new: str) -> str:
        """`git diff --stat` of two commits, for the report."""
        raise NotImplementedError

    def changed_paths(self, old: str, new: str) -> list[str]:
        """Paths that differ between two commits."""
        raise NotImplementedError

    def remove(self) -> None:
        """Remove the worktree for `archive`; its branch stays. Raises GitError unless it is clean and unlocked."""
        raise NotImplementedError
