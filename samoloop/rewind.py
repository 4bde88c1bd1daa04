"""The way back: put code and session folder to an earlier checkpoint, show what an iteration changed, branch off."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samoloop.checkpoint import Checkpoint
from samoloop.repo import Repo
from samoloop.worktree import Worktree


@dataclass(frozen=True)
class Restored:
    """What `restore` did."""

    checkpoint: Checkpoint  # on top now, with the old tree and code
    left: Checkpoint  # the state that was left: it stays reachable under this id
    aside: Sequence[Path]  # files that were in no checkpoint and in the way, and where they are now
    notes: Sequence[str]


def restore(worktree: Worktree, session_dir: Path, ref: str, target: Checkpoint) -> Restored:
    """Go back to `target`: checkpoint the present, put code and session files back, checkpoint that on top.

    The branch is set to `target.head`; what was uncommitted then is uncommitted again. A merge or rebase in progress
    is given up. `_logs`, `_history.jsonl` and ignored files stay. May be run again after a crash. The caller holds
    the session's lock and no child is alive. Raises GitError.
    """
    raise NotImplementedError


def diff(worktree: Worktree, ref: str, iteration: int, *, color: bool = False) -> str:
    """What an iteration changed: the code, then the session's files."""
    raise NotImplementedError


def fork(repo: Repo, worktree: Worktree, source: Checkpoint, session_dir: Path, path: Path, branch: str) -> Worktree:
    """A new worktree at `path` on the new `branch` with the code of `source`, and its session files in the existing
    folder `session_dir`. Raises GitError, also where `worktree` is in place."""
    raise NotImplementedError


def put_back_session(worktree: Worktree, session_dir: Path, source: Checkpoint) -> list[str]:
    """Make the session's files those of `source` (made if missing) and return the names that changed."""
    raise NotImplementedError
