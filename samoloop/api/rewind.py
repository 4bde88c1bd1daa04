"""The way back: put a session to the end of an earlier iteration, or start another one from there.

The journal is never rewritten: going back is one more record in it, and what was left stays reachable.
"""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from samoloop.api.assembly import onlooker
from samoloop.api.unseen import last_seen
from samoloop.base.errors import LockHeld, SessionError, UsageError
from samoloop.base.files import make_ignored_folder, write_atomic
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.checks import waivers
from samoloop.core import gates, opening
from samoloop.core import session as sessions
from samoloop.core.control import CHILD_LOCK
from samoloop.core.gates import Act
from samoloop.core.next_steps import outlook
from samoloop.core.records import (
    Archived,
    Created,
    Ended,
    Extended,
    GateClosed,
    Guided,
    Moved,
    Parent,
    Prepared,
    Record,
    Rewound,
    RoomRecord,
    Rooted,
    Started,
    WorktreeNew,
)
from samoloop.core.session import Session
from samoloop.git import checkpoint, restore
from samoloop.git.checkpoint import Checkpoint
from samoloop.git.compare import commits_between, diff_stat
from samoloop.git.repo import Repo
from samoloop.worker import gatekeeper
from samoloop.worker.lease import locked
from samoloop.worker.outside import SETTINGS_FILE
from samoloop.worker.roots import check, hold
from samoloop.worker.worker import Worker
from samoloop.worker.worktrees import mend_worktree

_SHOWN = 20  # files that a line names


def rewind(session: Session, iteration: int, by: str, environ: Mapping[str, str]) -> list[str]:
    """Go back to the end of `iteration`; 0 is before the first child. Returns sentences that say what happened.

    Raises LockHeld while a worker is at it, SessionError while a child lives, and for an iteration that is not there.
    """
    with locked(session):
        hold(session)
        return _rewind(onlooker(session, environ), iteration, by)


@frozen
class Leaving:
    """What going back would leave: it stays reachable, and is no longer what the session goes on from."""

    iterations: Sequence[Ended]  # oldest first
    commits: Sequence[tuple[str, str]]  # id, subject; of the branch
    stat: str  # what would change in the code, as `git diff --stat` tells it


def leaving(session: Session, iteration: int, environ: Mapping[str, str]) -> Leaving:
    """Look at what `rewind` would leave, as of the last checkpoint. Raises as `rewind` for what cannot be."""
    worker = onlooker(session, environ)
    target, record = _locate(worker, iteration)
    ended = [one for one in list(session.journal.read())[record:] if isinstance(one, Ended)]
    last = checkpoint.tip(worker.store, worker.ref) or target
    commits = commits_between(worker.store, target.head, last.head)
    return Leaving(ended, commits, diff_stat(worker.store, last.code, target.code))


def _rewind(worker: Worker, iteration: int, by: str) -> list[str]:
    session = worker.session
    target, record = _locate(worker, iteration)
    mended = mend_worktree(worker)
    restored = restore.restore(worker.worktree, session.dir, worker.ref, target)
    session.record(
        Rewound(
            to=iteration,
            record=record,
            checkpoint=restored.checkpoint.oid,
            left=restored.left.oid,
            by=by,
            note=f"A person put code and session back to the end of iteration {iteration}; later work was left.",
        )
    )
    worker.restore_overview()
    lines = [f"{session.name} is back at the end of iteration {iteration}, phase {session.state().phase}."]
    lines += mended
    lines += [f"moved out of the way: {path}" for path in restored.aside]
    lines += _named("removed, because they were not there then", restored.removed)
    lines += _named("kept, because they were made since the last iteration", restored.kept)
    lines += list(restored.notes)
    lines += _open_gate(worker)
    where = f"--git-dir={shlex.quote(str(worker.private_repository))} " if session.state().created.in_place else ""
    return [*lines, f"What was left is kept: git {where}log {restored.left.oid[:12]}"]


def decide_again(session: Session, what: Act, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Let a person's act take the place of what was decided at the last gate, as long as no child has acted on that.

    Returns the questions that still wait. Raises LockHeld while a worker is at it, SessionError where a child has
    started since, and as `gates.act`.
    """
    gate, what = opening.ready_gate(session), replace(what, replace=True)
    if gates.takes(gate, what.verdict):
        return gates.act(session.dir, gate, what)
    with locked(session):
        hold(session)
        _take_back(session, what)
        onlooker(session, environ).restore_overview()
        return gates.act(session.dir, session.state().gate, what)


def _take_back(session: Session, what: Act) -> None:
    """Put the session to where its last gate was open."""
    records, name = list(session.journal.read()), session.name
    place = max((place for place, record in enumerate(records) if isinstance(record, GateClosed)), default=-1)
    closed = records[place] if place >= 0 else None
    if not isinstance(closed, GateClosed) or what.verdict not in gates.behaviour(closed.kind).VERDICTS:
        raise SessionError(f"nothing that {name} was told last can be {what.verdict} instead")
    after = next((one for one in records[place:] if isinstance(one, Started | Moved | Extended | Rewound)), None)
    if isinstance(after, Started):
        raise SessionError(
            f"a child has acted on it (iteration {after.iteration}): `samoloop rewind {name} {after.iteration - 1}` "
            f'goes back to before, `samoloop tell {name} "..."` tells the next child'
        )
    if after is not None:
        raise SessionError(f"{name} was moved since: `samoloop rewind {name} N` goes back to before")
    session.record(Rewound(to=session.state().iteration, record=place, by=what.by, gate=closed.gate))


def _named(what: str, paths: Sequence[str]) -> list[str]:
    """How many files were removed or kept, and the first of them; nothing where there are none."""
    if not paths:
        return []
    more = ", ..." if len(paths) > _SHOWN else ""
    return [f"{what} ({len(paths)}): {', '.join(paths[:_SHOWN])}{more}"]


def fork(session: Session, iteration: int, name: str, environ: Mapping[str, str]) -> Session:
    """A new session with its own branch and worktree that stands where this one stood after `iteration`."""
    worker = onlooker(session, environ)
    check(session)
    config = worker.config
    sessions.check_name(name)
    if sessions.find(config.sessions_dir, name) is not None:
        raise UsageError(f"there is a session {name} already; choose another name")
    created = worker.state.created
    if created.in_place:
        raise UsageError("A session that works in place has no second worktree: copy the folder and start one there.")
    source, record = _locate(worker, iteration)
    repo = Repo.find(created.root)
    with sessions.new_folder(config.sessions_dir, name, worker.clock.local()) as (folder, session_name):
        branch = repo.new_branch_name(config.branch_prefix, name)
        path = config.worktrees_dir / session_name
        make_ignored_folder(path.parent)
        worktree = restore.fork(repo, source, folder, path, branch)
        parent = Parent(session=worker.session.name, iteration=iteration, checkpoint=source.oid)
        own = created.but(session=session_name, branch=branch, worktree=worktree.root, parent=parent)
        new = Session(folder)
        for known in list(worker.session.journal.read())[:record]:
            for name in known.inbox if isinstance(known, Guided) else ():
                if said := gates.read_text(worker.session.logs / name):
                    write_atomic(new.logs / name, said)
            new.record(_as_of_fork(known, own))
        if settings := last_seen(worker.session):
            write_atomic(new.control / SETTINGS_FILE, settings)
        why = f"The worktree is a fork of {worker.session.name}'s at iteration {iteration}."
        new.record(WorktreeNew(why=why))
        snapshot = worktree.snapshot()
        ref = checkpoint.ref_name(session_name)
        summary = f"{iteration:03d} forked from {worker.session.name}"
        part = checkpoint.Part(new.journal.content)
        checkpoint.make(worktree, folder, ref, snapshot, summary=summary, journal=part, iteration=iteration)
    forked = Session(config.sessions_dir / session_name)
    with suppress(LockHeld), locked(forked):  # `up` may have been quicker, and opens it too
        _open_gate(Worker(forked, config))
    return forked


def _as_of_fork(known: Record, created: Created) -> Record:
    """A record of the session that was forked, in the fork: its folders are seen when it goes on, and what a person let
    pass counts there and not here.
    """
    if isinstance(known, Created):
        return created
    left = isinstance(known, Rooted) or (isinstance(known, RoomRecord) and known.name == waivers.RECORD)
    return Rooted(roots={}) if left else known


def _open_gate(worker: Worker) -> list[str]:
    """Open the gate that the iteration asked for, so that it can be answered at once; a sentence that says so."""
    if worker.state.wanted is None:
        return []
    gatekeeper.open_gate(worker, worker.state.wanted)
    if worker.state.gate is None:
        return []
    ahead = outlook(worker.session, at_work=False)
    return [f"It waits for {ahead.waits_for}: {ahead.steps[0].command}"]


def archive(session: Session, by: str, environ: Mapping[str, str]) -> str:
    """Remove the worktree, if nothing uncommitted is in it; a sentence that says what is left.

    Raises LockHeld while a worker is at it, and UsageError, SessionError or GitError where it must stay.
    """
    with locked(session):
        hold(session)
        return _archive(onlooker(session, environ), by)


def _archive(worker: Worker, by: str) -> str:
    session = worker.session
    refuse_beside_child(session)
    in_place = session.state().created.in_place
    left = f"{session.dir} stays" if in_place else f"branch {session.branch} and {session.dir} stay"
    if session.state().archived:
        return f"{session.name} was archived already; {left}."
    if in_place:
        session.record(Archived(by=by))
        return f"{session.name} is put away; {left}."
    if session.worktree.exists():
        worker.worktree.remove()
    session.record(Archived(by=by))
    return f"Removed the worktree of {session.name}; {left}."


def refuse_beside_child(session: Session) -> None:
    """Raises SessionError while a child lives, whose work would be moved away under it."""
    if is_held(session.control / CHILD_LOCK):
        raise SessionError(
            f"a child of {session.name} is at work: wait for it, or `samoloop stop {session.name} --now`"
        )


def _locate(worker: Worker, iteration: int) -> tuple[Checkpoint, int]:
    """The checkpoint of an iteration, and how many journal records there were at its end."""
    session = worker.session
    refuse_beside_child(session)
    if not worker.config.commit:
        raise SessionError("commit: false keeps no checkpoints, so there is no way back")
    source = checkpoint.find(worker.store, worker.ref, iteration)
    record = _record_of(list(session.journal.read()), iteration)
    if record is None:
        raise SessionError(f"{session.name} has no iteration {iteration} in its journal")
    return source, record


def _record_of(records: list[Record], iteration: int) -> int | None:
    """The place, counted from 1, of the last record that ended the iteration."""
    found = None
    for place, record in enumerate(records, 1):
        ends = isinstance(record, Ended) and record.iteration == iteration
        if ends or (iteration == 0 and isinstance(record, Prepared)):
            found = place
    return found
