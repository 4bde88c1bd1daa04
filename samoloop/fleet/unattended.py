"""Copies on a machine where no `fleet work` runs: a command makes them as new as the remote first, and gives on what it
did."""

from collections.abc import Iterator, Mapping, Sequence

from samoloop.base.locks import is_held
from samoloop.core.control import CHILD_LOCK
from samoloop.core.session import Session
from samoloop.fleet import copies, together, transport
from samoloop.fleet import here as this_machine
from samoloop.fleet.database import Database
from samoloop.worker.lease import FILES


def is_so(environ: Mapping[str, str]) -> bool:
    """Whether nobody else here looks after the copies."""
    return not is_held(this_machine.lock_file(environ))


def renew(sessions: Sequence[Session], environ: Mapping[str, str]) -> Iterator[str]:
    """Sentences of what was not taken over. Raises as `copies.follow`, and UsageError where no database is named."""
    this = this_machine.here(environ)
    for session in _behind(sessions):
        if FILES.holder(session.dir) is None and not is_held(session.control / CHILD_LOCK):
            yield from copies.follow(copies.project_of(session), session.name, this, environ)
            session.forget()


def _behind(sessions: Sequence[Session]) -> list[Session]:
    """Those that may have a newer parcel: of several of a project one call tells."""
    if len(sessions) == 1:
        return list(sessions)
    found, listed = [], dict[str, dict[str, str]]()
    for session in sessions:
        project, mark = copies.project_of(session), copies.mark_of(session.dir)
        if project.id not in listed:
            listed[project.id] = transport.listed(project.repo, project.remote)
        if mark and listed[project.id].get(session.name, mark.parcel) != mark.parcel:  # one may be put away there
            found.append(session)
    return found


def give_on(session: Session, environ: Mapping[str, str]) -> list[str]:
    """What a person did on this copy goes to the remote. Sentences of what was not taken; raises as
    `copies.give_on`."""
    session.forget()
    if not together.unsent(session):
        return []
    this = this_machine.here(environ)
    with Database(this.database, this.machine) as database:
        database.check()
        return copies.give_on(session, this, environ, database)
