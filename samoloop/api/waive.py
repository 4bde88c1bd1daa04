"""A person lets one kind of evidence pass in one session."""

from samoloop.base.errors import UsageError
from samoloop.checks.waivers import KINDS, RECORD, checks_of
from samoloop.core import hearing
from samoloop.core.records import RoomRecord
from samoloop.core.session import Session
from samoloop.worker.lease import locked

LONGEST = 500  # characters of a reason


def waive(session: Session, name: str, why: str, by: str) -> str:
    """Journal that what is called `name` vetoes no longer; a sentence that says so.

    Raises UsageError for a name that means nothing here, LockHeld while a worker is at the session.
    """
    reason = " ".join(why.split())
    if not reason:
        raise UsageError(f'say why, for the report: samoloop waive {name} -m "..."')
    if len(reason) > LONGEST:
        raise UsageError(f"a reason has at most {LONGEST} characters, this one has {len(reason)}")
    with locked(session):
        hearing.refuse_unheard(session)
        known = dict.fromkeys([*KINDS, *checks_of(session.journal)])
        if name not in known:
            raise UsageError(f"{name!r} is no kind of evidence and no check of {session.name}: {', '.join(known)}")
        session.record(RoomRecord(name=RECORD, values={"name": name, "why": reason, "by": by}))
    return f"{name} vetoes no longer in {session.name}; what it sees is told and reported all the same."
