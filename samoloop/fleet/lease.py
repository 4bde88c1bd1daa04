"""The lease of a session that several machines share, for a person's command on any of them.

While the command acts no machine begins an iteration; it sees what the remote has, and what it did goes there before
anybody else goes on.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.core.session import Session
from samoloop.fleet import copies, together, transport
from samoloop.fleet import here as this_machine
from samoloop.fleet import mark as marks
from samoloop.fleet.alone import alone_at
from samoloop.fleet.database import Database
from samoloop.fleet.parcel import Kind
from samoloop.worker.lease import FILES


class FleetLease:
    """Held by the database for as long as its connection lives."""

    def __init__(self, environ: Mapping[str, str], by: str) -> None:
        self._environ, self._by = environ, by

    @contextmanager
    def taken(self, session: Session) -> Iterator[None]:
        """Raises LockHeld that names the machine at work, UsageError where no database is named here, DatabaseGone,
        RemoteGone."""
        project = copies.project_of(session)
        try:
            this = this_machine.here(self._environ)
        except UsageError as error:
            raise UsageError(f"{session.name} is the fleet's, and {error}") from None
        with Database(this.database, this.machine) as database:
            database.check()
            with database.hold(project.id, session.name), alone_at(session.dir, self._environ):
                mark = copies.mark_of(session.dir)
                if not mark or transport.newest(project.repo, project.remote, session.name) != mark.parcel:
                    copies.follow_alone(project, session.name, this, self._environ)
                with FILES.taken(session):
                    session.forget()
                    try:
                        yield
                    finally:
                        self._hand_over(session, this, database)

    def _hand_over(self, session: Session, this: this_machine.Here, database: Database) -> None:
        mark = marks.read(session.dir)
        if mark is None:
            return  # it was taken home
        session.forget()
        is_new = not mark.parcel
        if is_new:  # somebody made it the fleet's, and could not hand it over
            copies.record_needs(session, mark.needs.split())
        worked = copies.worked(session)
        if is_new or worked or together.unsent(session):
            kind = Kind.HANDED_IN if is_new else Kind.MOVED if worked else Kind.ACT
            copies.hand_over(session, kind, this, self._environ, self._by, copies.not_again)
        row = copies.row_of(session, this, self._environ)
        database.put(row)
        database.wish(row.project, row.name, "")  # what a person says now takes the place of an earlier stop

    def is_held(self, session_dir: Path) -> bool:
        return FILES.is_held(session_dir)

    def holder(self, session_dir: Path) -> int | None:
        return FILES.holder(session_dir)
