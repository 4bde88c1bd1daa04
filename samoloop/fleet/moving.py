"""A session handed to the fleet, taken home again, or bound to one machine."""

from collections.abc import Mapping
from dataclasses import replace

from samoloop.base.errors import UsageError
from samoloop.core.session import Session
from samoloop.fleet import copies, rules
from samoloop.fleet import here as this_machine
from samoloop.fleet import mark as marks
from samoloop.fleet.database import Database
from samoloop.fleet.here import Here, Project
from samoloop.fleet.iteration import STOP, STOP_NOW
from samoloop.fleet.lease import FleetLease
from samoloop.fleet.parcel import Kind
from samoloop.fleet.rows import is_alive

ANY = "any"


def move(
    session: Session, *, home: bool, machine: str, this: Here, database: Database, environ: Mapping[str, str], by: str
) -> list[str]:
    """Sentences that say where it is now. Raises LockHeld while a machine is at work on it, UsageError."""
    mark = copies.mark_of(session.dir)
    if home:
        if mark is None:
            raise UsageError(f"{session.name} is this machine's own already")
        return _take_home(session, this, database, environ, by)
    tags: tuple[str, ...] = ()
    if machine and machine != ANY:
        there = {one.name for one in database.machines() if is_alive(one, this.lease_seconds)}
        if machine not in there:
            raise UsageError(f"no live machine is called {machine}; there are: {', '.join(sorted(there)) or 'none'}")
        tags = (rules.pinned(machine),)
    if mark is None or not mark.parcel:  # it was handed in, as far as that went
        return hand_in(session, this, database, environ, by, tags)
    if not machine:
        raise UsageError(f"{session.name} is the fleet's already: --to MACHINE binds it to one, --here takes it back")
    with FleetLease(environ, by).taken(session):
        wanted = rules.tags_for(copies.needs_of(session), machine if tags else "")
        copies.record_needs(session, wanted)
    return [f"{session.name} goes on on {machine if tags else 'any machine that can'}."]


def stop(session: Session, now: bool, database: Database) -> str:
    """Ask whoever is at work on it, or next, to stop; a sentence that says so."""
    mark = marks.read(session.dir)
    row = database.session(mark.project, session.name) if mark else None
    if mark is None or row is None or (row.due_in is None and not row.at_work):
        return f"No machine is at work on {session.name}."
    database.wish(mark.project, session.name, STOP_NOW if now else STOP)
    if not row.at_work:
        return f"{session.name} is stopped by the machine that takes it next."
    return f"asked {row.machine} to stop {session.name} {'now' if now else 'after this iteration'}."


def hand_in(
    session: Session, this: Here, database: Database, environ: Mapping[str, str], by: str, needs: tuple[str, ...] = ()
) -> list[str]:
    """Make it the fleet's. Raises UsageError for one that works in place, and as `copies.hand_in`."""
    root = session.state().created.root
    project = this_machine.project_at(root, this, environ, joins=True)
    assert project is not None
    return give(session, project, this, database, environ, by, needs)


def give(
    session: Session,
    project: Project,
    this: Here,
    database: Database,
    environ: Mapping[str, str],
    by: str,
    needs: tuple[str, ...] = (),
) -> list[str]:
    """The same, for a project that was asked for."""
    said = copies.hand_in(session, project, this, environ, database, by, needs)
    live = [one.name for one in database.machines() if is_alive(one, this.lease_seconds) and project.id in one.projects]
    who = f"live machines of its project: {', '.join(live)}" if live else "no machine is at work on its project yet"
    more = "" if live else "; on one: samoloop fleet work"
    return [*said, f"{session.name} is the fleet's now; {who}{more}."]


def _take_home(session: Session, this: Here, database: Database, environ: Mapping[str, str], by: str) -> list[str]:
    with FleetLease(environ, by).taken(session):
        mark = marks.read(session.dir)
        assert mark is not None
        copies.hand_over(session, Kind.HOME, this, environ, by, copies.not_again)
        database.put(replace(copies.row_of(session, this, environ), due_in=None))  # the others hear of it
        marks.take_off(session.dir)
        database.forget(mark.project, session.name)
    return [f"{session.name} is this machine's own again: samoloop resume {session.name}"]
