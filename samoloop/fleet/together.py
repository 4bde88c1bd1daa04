"""Two copies that went on at once: a person's act beside an iteration, and work that came too late."""

from samoloop.base.errors import SessionError
from samoloop.base.files import write_atomic
from samoloop.core import gates
from samoloop.core.gates import INBOX
from samoloop.core.session import Session
from samoloop.fleet import acts, transport
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet.parcel import SESSION, Kind, Parcel
from samoloop.fleet.placing import Tell, untold
from samoloop.git.calls import Git
from samoloop.git.repo import Repo
from samoloop.git.restore import put_files


def acts_between(repo: Repo, base: str, theirs: Parcel) -> list[Parcel] | None:
    """The parcels after `base` up to `theirs`, oldest first, where each is a person's act on files alone; else None."""
    found: list[Parcel] = []
    one = theirs
    while one.oid != base:
        before = repo.store.resolve(f"{one.oid}^1")
        if one.kind != Kind.ACT or before is None:
            return None
        found.insert(0, one)
        if before == base:
            return found
        one = parcels.read(repo.store, before)
    return found


def merge(session: Session, base: str, theirs: Parcel, tell: Tell = untold) -> None:
    """Bring what people did elsewhere since `base` into the copy here, on which children went on; the next parcel
    follows from `theirs`. `tell` hears what was not taken. The caller holds the session's lease."""
    store, where = _store(session), f"git show {theirs.oid[:12]}:{SESSION}"
    with gates.changing(session.dir):
        taken = acts.into(session, store, *parcels.load(store, parcels.read(store, base), theirs))
        lost = zip(taken.said, taken.lost, strict=True)
        tell(session, [f"{one}; it is kept: {where}{name}" for one, name in lost])
        put_files(session.dir, taken.files, session.state().left_out)
        if taken.inbox:
            write_atomic(session.control / INBOX, taken.inbox)
    transport.settle(session, theirs)


def unsent(session: Session) -> bool:
    """Whether a person did something to this copy that the remote does not have."""
    mark, store = marks.read(session.dir), _store(session)
    if mark is None or not mark.parcel:
        return False
    return acts.unsent(session, parcels.read(store, mark.parcel))


def _store(session: Session) -> Git:
    repo = session.state().created.repo
    if repo is None:
        raise SessionError(f"{session.name} works in place, so it is no session of a fleet")
    return Git(repo)
