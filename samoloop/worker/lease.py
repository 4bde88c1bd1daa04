"""Whose a session is: only the holder of its lease acts on it. Here a lock on a file; elsewhere it may be a row."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from samoloop.base.errors import LockHeld, SessionError
from samoloop.base.locks import Lock, holders, is_held
from samoloop.core.session import LOCK, Session

WAIT_SECONDS = 1.0


class Lease(Protocol):
    """The right to act on a session, one holder at a time."""

    def taken(self, session: Session) -> AbstractContextManager[None]:
        """Hold it while the block runs. Raises LockHeld that names who holds it."""
        ...

    def is_held(self, session_dir: Path) -> bool:
        """Whether somebody holds it now, this process included."""
        ...

    def holder(self, session_dir: Path) -> int | None:
        """The process on this machine that holds it; None where nobody does or it cannot be told."""
        ...


class FileLease:
    """A flock on `_lock`, freed by the kernel when its last holder is gone."""

    @contextmanager
    def taken(self, session: Session) -> Iterator[None]:
        try:
            lock = Lock.take(session.dir / LOCK, WAIT_SECONDS, f"{os.getpid()}\n")
        except LockHeld as error:
            raise LockHeld(
                f"a worker is at work on {session.name} already ({error}); watch it: samoloop log {session.name} -f"
            ) from None
        os.set_inheritable(lock.descriptor, True)  # a git that outlives a killed worker keeps the lock until it ends
        with lock:
            yield

    def is_held(self, session_dir: Path) -> bool:
        return is_held(session_dir / LOCK)

    def holder(self, session_dir: Path) -> int | None:
        path = session_dir / LOCK
        try:
            written = int(path.read_text().strip() or 0)
        except (OSError, ValueError):
            written = 0
        found = holders(path)
        if found:
            return written if written in found else found[0]
        return written if written > 1 and is_held(path) else None  # no /proc: what the holder wrote is all there is


FILES = FileLease()


@contextmanager
def locked(session: Session, lease: Lease = FILES) -> Iterator[None]:
    """Hold the session's lease, and forget what was folded before: another holder may have moved the session since.

    Raises LockHeld, and SessionError where the folder has gone meanwhile.
    """
    if not session.dir.is_dir():
        raise SessionError(f"the session's folder {session.dir} is gone")
    with lease.taken(session):
        session.forget()
        yield
