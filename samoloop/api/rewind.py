"""The way back: put a session to the end of an earlier iteration, or start another one from there.

The journal is never rewritten: going back is one more record in it, and what was left stays reachable.
"""

import json
from pathlib import Path

from samoloop.base.errors import SessionError, UsageError
from samoloop.base.locks import is_held
from samoloop.core import session as sessions
from samoloop.core.journal import Event
from samoloop.core.session import CHILD_LOCK, Session
from samoloop.git import checkpoint
from samoloop.git import rewind as git_rewind
from samoloop.git.checkpoint import Checkpoint
from samoloop.git.repo import Repo
from samoloop.worker.worker import Worker
from samoloop.worker.worktrees import mend_worktree


def rewind(worker: Worker, iteration: int, by: str) -> list[str]:
    """Go back to the end of `iteration`; 0 is before the first child. Returns sentences that say what happened.

    The caller holds the session's lock. Raises SessionError while a child lives, and for an iteration that is not
    there.
    """
    session = worker.session
    mended = mend_worktree(worker)
    target, record = _locate(worker, iteration)
    restored = git_rewind.restore(worker.worktree, session.dir, worker.ref, target)
    session.record(
        "rewound",
        to=iteration,
        record=record,
        checkpoint=restored.checkpoint.oid,
        left=restored.left.oid,
        by=by,
        note=f"A person put code and session back to the end of iteration {iteration}; later work was left.",
    )
    worker.restore_overview()
    lines = [f"{session.name} is back at the end of iteration {iteration}, phase {session.state().phase}."]
    lines += mended
    lines += [f"moved out of the way: {path}" for path in restored.aside]
    lines += list(restored.notes)
    return [*lines, f"What was left is kept: git log {restored.left.oid[:12]}"]


def fork(worker: Worker, iteration: int, name: str) -> Session:
    """A new session with its own branch and worktree that stands where this one stood after `iteration`."""
    config = worker.config
    sessions.check_name(name)
    if sessions.find(config.sessions_dir, name) is not None:
        raise UsageError(f"there is a session {name} already; choose another name")
    mend_worktree(worker)
    source, record = _locate(worker, iteration)
    created = worker.state.created
    repo = Repo.find(Path(created["root"]))
    with sessions.new_folder(config.sessions_dir, name, worker.clock.local()) as (folder, session_name):
        branch = repo.new_branch_name(config.branch_prefix, name)
        path = config.worktrees_dir / session_name
        path.parent.mkdir(parents=True, exist_ok=True)
        worktree = git_rewind.fork(repo, worker.worktree, source, folder, path, branch)
        events = list(worker.session.journal.read())[:record]
        parent = {"session": worker.session.name, "iteration": iteration, "checkpoint": source.oid}
        own = {"session": session_name, "branch": branch, "worktree": str(worktree.root), "parent": parent}
        new = Session(folder)
        for event in [{**events[0], **own}, *events[1:]]:
            new.record_line(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        snapshot = worktree.snapshot()
        ref = checkpoint.ref_name(session_name)
        summary = f"{iteration:03d} forked from {worker.session.name}"
        checkpoint.make(worktree, folder, ref, snapshot, summary=summary, iteration=iteration)
    return Session(config.sessions_dir / session_name)


def _locate(worker: Worker, iteration: int) -> tuple[Checkpoint, int]:
    """The checkpoint of an iteration, and how many journal records there were at its end."""
    session = worker.session
    if is_held(session.dir / CHILD_LOCK):
        raise SessionError(
            f"a child of {session.name} is at work: wait for it, or `samoloop stop {session.name} --now`"
        )
    if not worker.config.commit:
        raise SessionError("commit: false keeps no checkpoints, so there is no way back")
    source = checkpoint.find(worker.worktree, worker.ref, iteration)
    record = _record_of(list(session.journal.read()), iteration)
    if record is None:
        raise SessionError(f"{session.name} has no iteration {iteration} in its journal")
    return source, record


def _record_of(events: list[Event], iteration: int) -> int | None:
    """The place, counted from 1, of the last record that ended the iteration."""
    found = None
    for place, event in enumerate(events, 1):
        ends = event["event"] == "ended" and event["iteration"] == iteration
        if ends or (iteration == 0 and event["event"] == "prepared"):
            found = place
    return found
