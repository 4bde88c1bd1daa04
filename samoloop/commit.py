"""After each iteration: commit what the child left, without hooks, signing, or a branch that is not the session's."""

from collections.abc import Sequence
from dataclasses import dataclass

from samoloop.tree_state import Skipped
from samoloop.worktree import Snapshot, Worktree


@dataclass(frozen=True)
class Committed:
    """What became of the child's leftovers."""

    oid: str | None  # the commit made; None: nothing to commit, or it must not be made
    snapshot: Snapshot  # the code for the checkpoint; `snapshot.head` is HEAD now
    skipped: Sequence[Skipped]  # too large, unreadable, nested repository
    notes: Sequence[str]  # sentences for the journal, the report and the next child
    blocked: str | None  # a sentence with both branch names: only a human can go on


def commit(
    worktree: Worktree,
    message: str,
    *,
    since: str,
    quiet_since: float | None = None,
    stashes: Sequence[str] | None = None,
) -> Committed:
    """Commit what the child left uncommitted to the session's branch.

    `since` is HEAD when the iteration began (`snapshot.head` of the previous one): it brings back a branch that the
    child deleted. `quiet_since` is when the child's processes were found to be gone (epoch seconds): lock files that
    are not younger are removed; None removes none. `stashes` is `worktree.stashes()` from before the child.

    No commit while a merge or rebase is in progress, with conflicts, or on a branch that does not contain the
    session's: the snapshot holds the content then. Raises WorktreeGone, GitError.
    """
    raise NotImplementedError
