"""Checkpoints: one commit per iteration on a ref of the session's own, with the session folder as its tree.

Parents are the previous checkpoint and a snapshot of the code, so `git log --first-parent` on the ref is the session's
timeline and nothing that it reaches is ever collected.
"""

from dataclasses import dataclass
from pathlib import Path

from samoloop.worktree import Snapshot, Worktree


@dataclass(frozen=True)
class Checkpoint:
    """The session at the end of one iteration."""

    oid: str
    tree: str  # the session folder
    code: str  # commit of the worktree's content
    head: str  # the commit the branch was on: `code`, or its parent where work was uncommitted
    summary: str
    iteration: int | None = None  # None: a rewind or another step of the worker
    attempt: int | None = None
    time: float = 0.0  # epoch seconds
    first: bool = False  # nothing came before it: the session is new, or its ref was deleted


def ref_name(session: str) -> str:
    """The ref of a session, by the name of its folder; what git allows in no ref is percent-encoded."""
    raise NotImplementedError


def make(
    worktree: Worktree,
    session_dir: Path,
    ref: str,
    code: Snapshot,
    *,
    summary: str,
    journal: bytes = b"",
    iteration: int | None = None,
    attempt: int | None = None,
) -> Checkpoint:
    """Put the session folder and the code on top of the timeline.

    `journal` are the iteration's journal lines, kept byte for byte in the message. Raises GitError, also where
    another process moved the ref meanwhile.
    """
    raise NotImplementedError


def tip(worktree: Worktree, ref: str) -> Checkpoint | None:
    """The newest checkpoint. A restarted worker skips `make` where it names the iteration and attempt at hand."""
    raise NotImplementedError


def timeline(worktree: Worktree, ref: str) -> list[Checkpoint]:
    """All checkpoints, newest first."""
    raise NotImplementedError


def find(worktree: Worktree, ref: str, iteration: int) -> Checkpoint:
    """The last checkpoint of an iteration. Raises GitError with the iterations there are."""
    raise NotImplementedError


def read(worktree: Worktree, ref: str, name: str) -> bytes | None:
    """A session file as the newest checkpoint has it; None where it has none."""
    raise NotImplementedError


def fingerprint(session_dir: Path) -> str:
    """A hash over the session's own files, for the detection of progress; needs no git.

    What the worker writes (its lines of `_overview.md`, approvals, the report) does not change it.
    """
    raise NotImplementedError
