"""What remote and database keep of sessions that are archived: it can go where all of it is on this machine too.

The copies on other machines stay as they are. Whoever takes such a session up again gives it back with all its parcels.
"""

from collections.abc import Iterator, Mapping, Sequence

from samoloop.base.errors import SamoloopError, sentence
from samoloop.base.values import frozen
from samoloop.core.session import Session
from samoloop.fleet import copies, log_parts, together, transport
from samoloop.fleet.alone import alone_at
from samoloop.fleet.database import Database
from samoloop.fleet.here import Project
from samoloop.git.checkpoint import ref_name
from samoloop.worker.lease import FILES, locked

_BELOW = (transport.PARCELS, log_parts.REFS, ref_name(""))
_NOT_THERE = "what was done here is not there yet"


@frozen
class Kept:
    """What the fleet keeps of a session."""

    session: Session
    project: Project
    refs: Mapping[str, str]  # of the remote, with what they name
    is_listed: bool  # by the database
    stays: str = ""  # why it cannot go; empty: it can

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def what(self) -> str:
        refs = f"its refs on {self.project.remote}" if self.refs else ""
        row = "its row in the fleet's database" if self.is_listed else ""
        return " and ".join(filter(None, (refs, row)))


def look(sessions: Sequence[Session], database: Database) -> list[Kept]:
    """What is kept of those among the sessions that are the fleet's and archived.

    Raises RemoteGone, Refused, DatabaseGone, and SessionError for a copy that cannot be read.
    """
    known: dict[str, tuple[dict[str, str], set[str]]] = {}  # by project: the remote's refs, the database's names
    found = []
    for session in sessions:
        if copies.mark_of(session.dir) is None or not session.state().archived:
            continue
        project = copies.project_of(session)
        if project.id not in known:
            rows = database.sessions(project.id)
            known[project.id] = transport.standing(project.repo, project.remote, _BELOW), {row.name for row in rows}
        refs, listed = known[project.id]
        own = {ref: refs[ref] for ref in _refs(session.name) if ref in refs}
        if own or session.name in listed:
            found.append(Kept(session, project, own, session.name in listed, _stays(session, own)))
    return found


def remove(kept: Sequence[Kept], environ: Mapping[str, str], database: Database) -> Iterator[str]:
    """Have go what can; a sentence for each session as it is done. Each is looked at again, with nobody else at it."""
    for one in kept:
        try:
            if not one.stays:
                with (
                    database.hold(one.project.id, one.name),
                    alone_at(one.session.dir, environ),
                    locked(one.session, FILES),
                ):
                    yield _remove(one, database)
        except (SamoloopError, OSError) as error:
            yield f"{one.name}: {one.what} stays: {sentence(error)}"


def _remove(kept: Kept, database: Database) -> str:
    project, session = kept.project, kept.session
    why = _stays(session, kept.refs) or (_NOT_THERE if copies.worked(session) else "")
    if not why and kept.refs:
        why = transport.let_go(project.repo, project.remote, kept.refs)
    if why:
        return f"{kept.name}: {kept.what} stays: {why}"
    database.forget(project.id, kept.name)
    return f"Removed of {kept.name}: {kept.what}"


def _refs(name: str) -> list[str]:
    return [transport.fleet_ref(name), log_parts.ref_of(name), ref_name(name)]


def _stays(session: Session, refs: Mapping[str, str]) -> str:
    """Why what the remote has cannot go; empty where it can."""
    mark, newest = copies.mark_of(session.dir), refs.get(transport.fleet_ref(session.name))
    if mark is None or not session.state().archived:
        return "somebody took it up again"
    if newest not in (None, mark.parcel):
        return f"it is not what is here: `samoloop status {session.name}` brings what is there"
    return _NOT_THERE if together.unsent(session) else ""
