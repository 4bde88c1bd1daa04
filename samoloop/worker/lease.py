"""Whose a session is: only the holder of its lease acts on it. Here a lock on a file; elsewhere it may be a row."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from samoloop.base.errors import LockHeld
from samoloop.base.files import small_text
from samoloop.base.locks import Lock, holders, is_held
from samoloop.base.proc import PROC
from samoloop.core.control import CHILD_LOCK, LOCK, control_of, is_fleets, lay_links, take_up
from samoloop.core.journal import FILE_NAME
from samoloop.core.session import Session
from samoloop.worker.roots import refuse_another

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
        with ExitStack() as held:

            def take(path: Path) -> None:
                lock = held.enter_context(Lock.take(path, WAIT_SECONDS, f"{os.getpid()}\n"))
                session.is_mine = lambda: lock.keeps_out(session.control / LOCK)
                os.set_inheritable(lock.descriptor, True)  # a git that outlives a killed worker keeps it until it ends
                held.callback(lock.unlock)  # a git of another session that began meanwhile keeps it as well

            try:
                control = None
                while control != session.control:  # somebody may take the session up meanwhile: its lock lies elsewhere
                    held.close()
                    control = session.control
                    take(control / LOCK)
            except LockHeld as error:
                raise LockHeld(
                    f"a worker is at work on {session.name} already ({error}); watch it: samoloop log {session.name} -f"
                ) from None
            _take_up(session, take)
            try:
                yield
            finally:
                session.is_mine = lambda: True

    def is_held(self, session_dir: Path) -> bool:
        return is_held(control_of(session_dir) / LOCK)

    def holder(self, session_dir: Path) -> int | None:
        path = control_of(session_dir) / LOCK
        if not is_held(path):
            return None  # else the open files of all processes would be looked at
        if PROC.is_dir():
            return next(iter(holders(path)), None)  # the oldest: a git that it started holds it too
        try:
            written = int(small_text(path).strip() or 0)
        except ValueError:
            written = 0
        return written if written > 1 else None  # all that there is


def _take_up(session: Session, lock: Callable[[Path], None]) -> None:
    """Give a session of an earlier version its control folder, unless a child of that version is still at work."""
    if session.control != session.dir or not (session.dir / FILE_NAME).exists():
        return
    if session.state().open is None and not is_held(session.dir / CHILD_LOCK):
        take_up(session.dir, lock)


FILES = FileLease()


class OwnLease:
    """Each session's own: of one that several machines share, what whoever put the program together has `installed`."""

    installed: Callable[[], Lease] | None = None

    def taken(self, session: Session) -> AbstractContextManager[None]:
        if not is_fleets(session.dir):
            return FILES.taken(session)
        if self.installed is None:
            raise LockHeld(
                f"{session.name} is the fleet's, so nothing is done with this copy of it: "
                f"`samoloop fleet status` says where it is, `samoloop fleet move {session.name} --here` takes it back"
            )
        return self.installed().taken(session)

    def is_held(self, session_dir: Path) -> bool:
        return FILES.is_held(session_dir)

    def holder(self, session_dir: Path) -> int | None:
        return FILES.holder(session_dir)


OWN = OwnLease()


@contextmanager
def locked(session: Session, lease: Lease = OWN) -> Iterator[None]:
    """Hold the session's lease, and forget what was folded before: another holder may have moved the session since.

    Raises LockHeld, and SessionError where the folder has gone meanwhile.
    """
    with lease.taken(session):
        session.forget()
        refuse_another(session)
        lay_links(session.dir, session.control)
        yield
