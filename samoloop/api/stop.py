"""Stop: ask the worker of a session to end, from another process."""

import os
import signal
from pathlib import Path

from samoloop.base import proc
from samoloop.base.errors import SessionError
from samoloop.children.processes import ExitWatch
from samoloop.core.control import LOCK
from samoloop.core.session import Session
from samoloop.worker.lease import FILES, Lease

_PROGRAM = 6  # words of a command line in which Python is told what to run: `python -X dev -m samoloop`


def stop(session: Session, *, now: bool = False, lease: Lease = FILES) -> int | None:
    """Ask it to stop after its iteration; with `now`, to end the child too, whose iteration runs again on resume.

    It is a person's wish, so `up` will not take the session up again. Returns the worker's process; None where no
    worker is at work. Raises SessionError where one is, but cannot be found, or where what holds the session is none.
    """
    if not lease.is_held(session.dir):
        return None
    pid = lease.holder(session.dir)
    if pid is None:
        raise SessionError(f"the worker of {session.name} cannot be found: {session.control / LOCK} names no process")
    try:
        with ExitWatch(pid) as worker:  # from here on the number cannot come to mean another process
            if lease.holder(session.dir) != pid:
                return stop(session, now=now, lease=lease)
            if not _is_samoloop(pid):
                raise SessionError(
                    f"process {pid} holds {session.control / LOCK} and is no samoloop, so it was not signalled: "
                    f"see what it is with ps -fp {pid}"
                )
            worker.send(signal.SIGUSR1)
            if now:
                worker.send(signal.SIGTERM)
    except ProcessLookupError:
        return None  # it has ended meanwhile
    return pid


def _is_samoloop(pid: int) -> bool:
    """Whether a process is this person's and runs samoloop; True where the system does not tell."""
    if not proc.PROC.is_dir():
        return True
    try:
        place = proc.PROC / str(pid)
        own = place.stat().st_uid == os.getuid()
        is_python = (place / "exe").readlink().name.startswith(("python", "pypy"))
    except OSError:  # gone, or not ours to look at
        return False
    return own and is_python and any(Path(word).name == "samoloop" for word in proc.command(pid)[1:_PROGRAM])
