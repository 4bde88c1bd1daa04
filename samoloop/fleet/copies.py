"""Copies of the fleet's sessions on this machine: kept as new as the remote, and what happens on one given to it."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from samoloop.api.assembly import onlooker
from samoloop.base.errors import LockHeld, SamoloopError, SessionError, UsageError, sentence, warn
from samoloop.base.files import remove, sha256
from samoloop.base.locks import is_held
from samoloop.children.processes import ExitWatch
from samoloop.core.control import CHILD_LOCK, FLEET, place_of
from samoloop.core.outcome import Collector
from samoloop.core.records import FORMAT, Failed, Interrupted, RoomRecord
from samoloop.core.session import Session, all_sessions
from samoloop.core.words import News
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet import placing, rules, together, transport
from samoloop.fleet.address import growing_waits
from samoloop.fleet.alone import alone_at
from samoloop.fleet.database import Database
from samoloop.fleet.here import Here, Project
from samoloop.fleet.mark import Mark
from samoloop.fleet.parcel import Kind, Parcel
from samoloop.fleet.placing import Tell
from samoloop.fleet.rows import ARCHIVED, SessionRow
from samoloop.fleet.rules import AfterRefusal
from samoloop.fleet.transport import Moved, RemoteGone
from samoloop.git.checkout import registered
from samoloop.git.checkpoint import ref_name
from samoloop.git.repo import Repo
from samoloop.queue.source import provider_of, when_due
from samoloop.worker import iteration
from samoloop.worker.lease import FILES, locked
from samoloop.worker.news import about

NEEDS = "fleet.needs"  # the record of what a machine must have for the session
_PUSHES = 20  # against people who act faster than one can push
_END_SECONDS = 60.0  # for a worker that was told to end its child
Wait = Callable[[float], bool]  # whether it is worth trying again after so many seconds


def not_again(seconds: float) -> bool:
    """Whoever asks is a person, who sees what is wrong and tries again by themselves."""
    return False


def mark_of(session_dir: Path) -> Mark | None:
    """None also where no such session is here."""
    return marks.load(place_of(session_dir) / FLEET)


def project_of(session: Session) -> Project:
    """The project of a copy, as its mark names it. Raises SessionError where it is no copy."""
    mark, created = marks.read(session.dir), session.state().created
    if mark is None or created.repo is None:
        raise SessionError(f"{session.name} is the fleet's no more: try again")
    return Project(mark.project, created.root, Repo(created.root, created.repo), mark.remote, session.dir.parent)


def here(project: Project) -> list[Path]:
    """The folders of the fleet's sessions in this project, as far as they are on this machine."""
    found = []
    for session in all_sessions(project.sessions):
        with suppress(SessionError):
            found += [session.dir] if mark_of(session.dir) else []
    return found


# --- from the remote --------------------------------------------------------------------------------------------------


def newest(project: Project, name: str, wait: Wait) -> Parcel | None:
    """The newest parcel of a session on the remote. Raises RemoteGone where that is away longer than `wait` says."""
    for pause in growing_waits():
        try:
            return transport.fetch(project.repo, project.remote, name)
        except RemoteGone:
            if not wait(pause):
                raise
    return None


def follow(project: Project, name: str, this: Here, environ: Mapping[str, str], wait: Wait = not_again) -> list[str]:
    """Make the copy as new as the remote, and end whatever still works on it here: it is another machine's turn.

    Raises LockHeld where somebody else here looks after it.
    """
    with alone_at(project.sessions / name, environ):
        return follow_alone(project, name, this, environ, wait)


def follow_alone(
    project: Project, name: str, this: Here, environ: Mapping[str, str], wait: Wait = not_again
) -> list[str]:
    """The same, for a caller that is alone at the copy."""
    theirs = newest(project, name, wait)
    folder = project.sessions / name
    mark = mark_of(folder)
    if theirs is None or (mark and mark.parcel == theirs.oid):
        return []
    if theirs.kind == Kind.HOME:
        return drop(folder, theirs, environ) if mark else []
    renew(project, theirs, this, environ)
    return []


def _late(environ: Mapping[str, str]) -> Tell:
    """Lets the person hear that somebody else was first: at this terminal, and where they listen."""

    def tell(session: Session, said: Sequence[str]) -> None:
        if not said:
            return
        for one in said:
            warn(one)
        try:
            worker = onlooker(session, environ)
            worker.announce(about(worker, News.LATE, "\n\n".join(said)))
        except SamoloopError as error:  # its copy has to be renewed all the same
            warn(f"{session.name}: this could not be announced: {sentence(error)}")

    return tell


def untold(project: Project, rows: Sequence[SessionRow]) -> list[str]:
    """Sessions of which the remote has what the database was never told. Raises RemoteGone."""
    told = {row.name: row.parcel for row in rows}
    busy = {row.name for row in rows if row.at_work}  # whoever is at work on it tells
    newest = transport.listed(project.repo, project.remote)
    return [
        name
        for name, oid in newest.items()
        if oid != told.get(name) and name not in busy and not is_home(project, name, oid)
    ]


def is_home(project: Project, name: str, oid: str) -> bool:
    """Whether it is known here that one machine has it as its own; a fetch that goes on has no ref yet."""
    store = project.repo.store
    return store.ref(transport.fleet_ref(name)) == oid and parcels.read(store, oid).kind == Kind.HOME


def tell(project: Project, name: str, this: Here, environ: Mapping[str, str], database: Database) -> list[str]:
    """Tell the database what the remote has of a session: whoever gave it there died, or lost the database, before."""
    folder = project.sessions / name
    with alone_at(folder, environ):
        said = follow_alone(project, name, this, environ)
        if mark_of(folder):
            session = Session(folder)
            with locked(session, FILES):
                if not worked(session):
                    database.put(row_of(session, this, environ))
    return said


def renew(project: Project, theirs: Parcel, this: Here, environ: Mapping[str, str]) -> None:
    """Place a parcel. The caller is alone at the copy."""
    folder = project.sessions / theirs.name
    if mark_of(folder):
        end_work(Session(folder), environ)
    placing.place(theirs, project.root, environ, this.machine, tell=_late(environ))


def end_work(session: Session, environ: Mapping[str, str]) -> None:
    """End the worker and the child that are at the session here: what they do counts no more."""
    if (pid := FILES.holder(session.dir)) is not None:
        with suppress(ProcessLookupError), ExitWatch(pid) as worker:
            worker.send(signal.SIGTERM)
            worker.wait(_END_SECONDS)
    if is_held(session.control / CHILD_LOCK):
        with locked(session, FILES):
            _end_child(session, environ)


def _end_child(session: Session, environ: Mapping[str, str]) -> None:
    """The caller holds the copy's lock."""
    worker = onlooker(session, environ)
    worker.stop.ask_now()
    if session.state().open:
        iteration.wait(worker, iteration.adopt(worker), Collector())


def drop(folder: Path, theirs: Parcel, environ: Mapping[str, str]) -> list[str]:
    """The copy of a session that one machine has as its own again goes, unless something of it is here alone."""
    session = Session(folder)
    with locked(session, FILES):
        if worked(session) or together.unsent(session):
            return [f"{session.name} is {theirs.machine}'s own again; what was done here stays in {folder}"]
        store, worktree = _repo(session).store, session.worktree
        if registered(store.git_dir, worktree):
            onlooker(session, environ).worktree.remove()
        for ref in (f"refs/heads/{session.branch}", ref_name(session.name)):
            store.run("update-ref", "-d", ref)
        remove(folder)
        remove(place_of(folder))
    return [f"{session.name} is {theirs.machine}'s own again, so its copy here was removed"]


# --- to the remote ----------------------------------------------------------------------------------------------------


def worked(session: Session) -> bool:
    """Whether a worker went on here since the last parcel. The caller holds its lock."""
    mark = marks.read(session.dir)
    if mark is None or not mark.parcel:
        return False
    base = parcels.read(_repo(session).store, mark.parcel)
    return sha256(parcels.travelling(session)[0]) != base.sha256


def hand_over(session: Session, kind: Kind, this: Here, environ: Mapping[str, str], by: str, wait: Wait) -> list[str]:
    """Give the remote what happened on this copy; the caller holds its lock. Sentences of what it did not take.

    Raises RemoteGone where that is away for longer than `wait` says, Refused where it does not take it.
    """
    said: list[str] = []
    waits = growing_waits()
    _leave_nothing_open(session, kind, environ)
    for _ in range(_PUSHES):
        try:
            said += transport.push(session, parcels.pack(session, kind, this.machine, by, said))
            return said
        except Moved:
            mark, project = marks.read(session.dir), _repo(session)
            assert mark is not None
            theirs = transport.fetch(project, mark.remote, session.name)
            if theirs is None:
                continue
            only_acts = together.acts_between(project, mark.parcel, theirs) is not None
            if rules.after_refusal(kind, only_acts) is AfterRefusal.MERGE:
                together.merge(session, mark.parcel, theirs, _late(environ))
                continue
            placing.renew(session, theirs, environ, this.machine, _late(environ))
            kind = Kind.ACT
            if not together.unsent(session):
                return said
        except RemoteGone:
            if not wait(next(waits)):
                raise
    raise RemoteGone(f"{session.name} was changed elsewhere each time that it was to be handed over from here")


def _leave_nothing_open(session: Session, kind: Kind, environ: Mapping[str, str]) -> None:
    """An iteration that its worker could not bring to its end runs again, wherever that is: another machine has neither
    its child nor the code that it left, and would take its signal alone for what it came to."""
    state = session.state()
    started, has_child = state.open, is_held(session.control / CHILD_LOCK)
    if started is None or (has_child and kind is not Kind.ITERATION):
        return  # one whose child is at work is not handed over for a person: packing says so
    if has_child:
        _end_child(session, environ)
    why = state.failure or "its worker could not go on"
    note = iteration.half_done(started, why)
    session.record(
        Interrupted(iteration=started.iteration, attempt=started.attempt, phase=started.phase, note=note, why=why)
    )
    if state.failure:
        session.record(Failed(reason=state.failure))  # it waits as it did before


def _repo(session: Session) -> Repo:
    created = session.state().created
    assert created.repo is not None
    return Repo(created.root, created.repo)


def give_on(session: Session, this: Here, environ: Mapping[str, str], database: Database) -> list[str]:
    """Give the remote what a person did on this copy, and see that the session goes on where it can."""
    if mark_of(session.dir) is None:
        return []  # it was taken home
    with alone_at(session.dir, environ):
        try:
            with locked(session, FILES):
                if worked(session) or not together.unsent(session):
                    return []
                said = hand_over(session, Kind.ACT, this, environ, f"a person on {this.machine}", not_again)
                database.put(row_of(session, this, environ))
        except LockHeld:
            return []  # the worker that holds it sees what was done, and hands it over
    return said


def hand_in(
    session: Session,
    project: Project,
    this: Here,
    environ: Mapping[str, str],
    database: Database,
    by: str,
    needs: Sequence[str] = (),
) -> list[str]:
    """Make a session of this machine one of the fleet's; as `hand_over`. Raises UsageError for a name that is taken.

    One that was the fleet's from its first moment on stays that, whatever goes wrong.
    """
    with alone_at(session.dir, environ), locked(session, FILES):
        known = marks.read(session.dir)
        theirs = transport.fetch(project.repo, project.remote, session.name)
        if theirs and theirs.kind != Kind.HOME:
            if known is None:
                raise UsageError(f"the fleet has a session called {session.name} already: choose another --session")
            placing.renew(session, theirs, environ, this.machine, _late(environ))  # it came there after all
            database.put(row_of(session, this, environ))
            return []
        before = theirs.oid if theirs else ""
        marks.write(session.dir, Mark(project.id, project.remote, this.machine, before, needs=" ".join(needs)))
        try:
            record_needs(session, needs)
            said = hand_over(session, Kind.HANDED_IN, this, environ, by, not_again)
        except RemoteGone:
            raise  # it may have come there: the mark says so to whoever tries again
        except Exception:
            if known is None and _is_at(project, session.name, before):
                marks.take_off(session.dir)
            raise
        database.put(row_of(session, this, environ))
    return said


def _is_at(project: Project, name: str, parcel: str) -> bool:
    """Whether this is surely the newest that the remote has of a session; "": nothing."""
    try:
        return transport.newest(project.repo, project.remote, name) == parcel
    except SamoloopError:
        return False


def record_needs(session: Session, needs: Sequence[str]) -> None:
    """Write down what a machine must have for the session. The caller holds its lock."""
    if tuple(needs) != needs_of(session):
        session.record(RoomRecord(name=NEEDS, values={"tags": list(needs)}))


def needs_of(session: Session) -> tuple[str, ...]:
    """What a machine must have for the session."""
    found: tuple[str, ...] = ()
    for record in session.journal.read():
        if isinstance(record, RoomRecord) and record.name == NEEDS:
            found = tuple(str(tag) for tag in record.values.get("tags", ()))
    return found


def row_of(session: Session, this: Here, environ: Mapping[str, str]) -> SessionRow:
    """Where the session stands as of the copy's last parcel. The caller holds its lock."""
    state, mark = session.state(), marks.read(session.dir)
    assert mark is not None
    due_in = rules.due_in(when_due(session, state, environ), time.time())
    return SessionRow(
        project=mark.project,
        name=session.name,
        parcel=mark.parcel,
        number=parcels.read(_repo(session).store, mark.parcel).number,
        machine=mark.paths or this.machine,
        title=session.task,
        phase=state.phase,
        iteration=state.iteration,
        condition=ARCHIVED if state.archived and due_in is None else str(state.condition),
        reason=state.reason,
        provider=provider_of(session, environ),
        tags=needs_of(session),
        format=FORMAT,
        due_in=due_in,
    )
