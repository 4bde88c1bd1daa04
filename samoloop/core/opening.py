"""A gate between the journal and its file: a command that answers finishes what a killed worker began."""

import os
from contextlib import suppress

from samoloop.base.errors import LockHeld
from samoloop.base.locks import Lock
from samoloop.core import gates
from samoloop.core.control import LOCK
from samoloop.core.gates import Gate
from samoloop.core.records import GateShown
from samoloop.core.session import Session

LOCK_WAIT_SECONDS = 1.0


def finish(session: Session) -> None:
    """Put the file of the open gate in place and journal that it is; the caller holds the session's lock."""
    gate = session.state().gate
    if gate is not None and not gate.shown:
        gates.finish_opening(gate, session.dir, session.state().given)
        session.record(GateShown(gate=gate.id))


def ready_gate(session: Session) -> Gate | None:
    """The open gate, with nothing in its file that stood there before it opened; None where none is open.

    A gate that a killed worker left half opened is opened here; one that a worker is just opening may not be shown
    yet, and takes no answer.
    """
    gate = session.state().gate
    if gate is None or gate.shown:
        return gate
    with suppress(LockHeld), Lock.take(session.control / LOCK, LOCK_WAIT_SECONDS, f"{os.getpid()}\n"):
        finish(Session(session.dir))
    return Session(session.dir).state().gate
