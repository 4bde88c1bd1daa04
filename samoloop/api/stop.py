"""Stop: ask the worker of a session to end, from another process."""

import os
import signal

from samoloop.base.errors import SessionError
from samoloop.core.control import LOCK
from samoloop.core.session import Session
from samoloop.worker.lease import FILES, Lease


def stop(session: Session, *, now: bool = False, lease: Lease = FILES) -> int | None:
    """Ask it to stop after its iteration; with `now`, to end the child too, whose iteration runs again on resume.

    It is a person's wish, so `up` will not take the session up again. Returns the worker's process; None where no
    worker is at work. Raises SessionError where one is, but cannot be found.
    """
    if not lease.is_held(session.dir):
        return None
    pid = lease.holder(session.dir)
    if pid is None:
        raise SessionError(f"the worker of {session.name} cannot be found: {session.control / LOCK} names no process")
    try:
        os.kill(pid, signal.SIGUSR1)
        if now:
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return None  # it has ended meanwhile
    return pid
