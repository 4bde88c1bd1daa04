"""What one `git status` says of a worktree."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """A path that a commit or snapshot leaves out."""

    path: str
    why: str


@dataclass(frozen=True)
class TreeState:
    """HEAD, branch and changes of a worktree at one moment."""

    head: str | None  # None: the branch has no commit
    branch: str | None  # None: detached
    operation: str | None  # "merge", "rebase", "cherry-pick", "revert": in progress
    conflicts: Sequence[str]  # unmerged paths
    unstaged: Sequence[str]  # paths whose content differs from the index, untracked ones too
    staged: bool  # the index differs from HEAD
    notes: Sequence[str] = ()  # what had to be mended to read it

    @property
    def clean(self) -> bool:
        """Nothing is uncommitted."""
        return not (self.conflicts or self.unstaged or self.staged)
