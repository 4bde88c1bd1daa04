"""What one `git status` says of a worktree."""

import os
from collections.abc import Sequence
from pathlib import Path

from samoloop.base.values import frozen

STATUS = (
    "status",
    "--porcelain=v2",
    "--branch",
    "-z",
    "--untracked-files=all",
    "--no-renames",
    "--ignore-submodules=dirty",  # a child cannot commit for a submodule, so its files must not count for ever
)
# Fields before the path in a line of the porcelain format v2 (git help status).
_FIELDS = {b"1": 8, b"u": 10}
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply/applying": "am",
    "rebase-apply": "rebase",
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "sequencer": "cherry-pick",
    "BISECT_LOG": "bisect",
}


@frozen
class Skipped:
    """A path that a commit or snapshot leaves out."""

    path: str
    why: str


@frozen
class TreeState:
    """HEAD, branch and changes of a worktree at one moment. Paths are relative; a nested repository ends in a slash."""

    head: str | None  # None: the branch has no commit
    branch: str | None  # None: detached
    operation: str | None  # in progress: the git command that began it, such as "merge"
    conflicts: Sequence[str]  # unmerged paths
    unstaged: Sequence[str]  # paths whose content differs from the index, untracked ones too
    staged: bool  # the index differs from HEAD
    changed: int  # files that differ from HEAD, untracked ones too
    notes: Sequence[str] = ()  # what had to be mended to read it
    added: Sequence[str] = ()  # files that HEAD has not got, untracked ones too

    @property
    def clean(self) -> bool:
        """Nothing is uncommitted."""
        return not (self.conflicts or self.unstaged or self.staged)

    @property
    def to_stage(self) -> list[str]:
        """The paths that bring the index to the worktree's content."""
        return [*self.conflicts, *self.unstaged]


def parse(output: bytes, operation: str | None = None, notes: Sequence[str] = ()) -> TreeState:
    """The output of `git` with the arguments `STATUS`, and the operation in progress."""
    head = branch = None
    conflicts, unstaged, staged, changed = [], [], False, 0
    added = []
    for record in output.split(b"\0"):
        kind, _, rest = record.partition(b" ")
        if kind == b"#":
            name, _, value = rest.partition(b" ")
            if name == b"branch.oid" and value != b"(initial)":
                head = value.decode()
            elif name == b"branch.head" and value != b"(detached)":
                branch = os.fsdecode(value)
        elif kind == b"?":
            changed += 1
            unstaged.append(os.fsdecode(rest))
            added.append(os.fsdecode(rest))
        elif kind in _FIELDS:
            changed += 1
            path = os.fsdecode(record.split(b" ", _FIELDS[kind])[-1])
            if kind == b"u":
                conflicts.append(path)
                continue
            staged = staged or rest[:1] != b"."
            if rest[:1] == b"A":
                added.append(path)
            if rest[1:2] != b".":
                unstaged.append(path)
    return TreeState(head, branch, operation, conflicts, unstaged, staged, changed, notes, added)


def operation_in(git_dir: Path) -> str | None:
    """The command whose work waits for its end by the files in `git_dir`: merge, rebase, am, cherry-pick, revert or
    bisect."""
    return next((name for file, name in _OPERATIONS.items() if (git_dir / file).exists()), None)
