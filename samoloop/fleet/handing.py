"""What `up` does with a fleet: tasks of a backlog handed to it, and copies here kept as new as the remote."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from samoloop.base.errors import LockHeld, SessionError, UsageError
from samoloop.core.control import is_fleets
from samoloop.core.gates import INBOX
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.fleet import copies, moving, transport, unattended
from samoloop.fleet import here as this_machine
from samoloop.fleet import mark as marks
from samoloop.fleet.alone import alone_at
from samoloop.fleet.database import Database
from samoloop.fleet.here import Here, Project
from samoloop.fleet.mark import Mark
from samoloop.fleet.parcel import Kind


class Handing:
    """A fleet as `up` sees it."""

    def __init__(self, environ: Mapping[str, str], by: str) -> None:
        self._environ, self._by = environ, by

    def renew(self, root: Path) -> list[str]:
        """Bring the fleet's sessions of the project here as they are now: the names of those that had gone on. Where
        `fleet work` is on, it does that for those that are here.

        Raises UsageError where this machine is in no fleet, RemoteGone and Refused.
        """
        this = this_machine.here(self._environ)
        project = this_machine.project_at(root, this, self._environ, joins=False)
        if project is None:
            return []
        found, kept = [], not unattended.is_so(self._environ)
        for name, oid in transport.listed(project.repo, project.remote).items():
            mark = copies.mark_of(project.sessions / name)
            if (mark.parcel != oid and not kept) if mark else not copies.is_home(project, name, oid):
                try:
                    copies.follow(project, name, this, self._environ)
                except LockHeld:
                    continue  # whoever is at it here hands it over
                found.append(name)
        return found

    def hand_over(self, root: Path, made: Callable[[str], Session], needs: Sequence[str]) -> list[str]:
        """Hand over the session that is `made` with the mark of a fleet, once all is there that it takes; sentences.

        May be asked for again, whatever became of it before. Raises SamoloopError.
        """
        this = this_machine.here(self._environ)
        with Database(this.database, this.machine) as database:
            database.check()
            project = this_machine.project_at(root, this, self._environ, joins=True)
            assert project is not None
            session = made(marks.text(Mark(project.id, project.remote, this.machine, needs=" ".join(needs))))
            mark = marks.read(session.dir)
            if mark is None:
                raise UsageError(f"{session.name} is this machine's own: samoloop fleet move {session.name}")
            if mark.parcel:
                return []
            wanted = tuple(mark.needs.split())
            try:
                return moving.give(session, project, this, database, self._environ, self._by, wanted)
            except SessionError:
                if not self._gives_way(session, project, this):
                    raise
                return []

    def _gives_way(self, session: Session, project: Project, this: Here) -> bool:
        """Whether the fleet had another session of that name a moment earlier, so that this one, on which nobody was
        at work or said a word, is gone and that one here: two machines can have the same backlog.
        """
        theirs = transport.fetch(project.repo, project.remote, session.name)
        session.forget()
        untouched = session.state().condition is Condition.NEW and not (session.control / INBOX).exists()
        if theirs is None or theirs.kind == Kind.HOME or not untouched or not is_fleets(session.dir):
            return False
        with alone_at(session.dir, self._environ):
            copies.drop(session.dir, theirs, self._environ)
            copies.follow_alone(project, session.name, this, self._environ)
        return True
