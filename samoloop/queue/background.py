"""`up` in the background: turned on and off by somebody who is at no terminal. Its lock says whether it is on."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.clock import Clock
from samoloop.base.errors import SamoloopError
from samoloop.base.files import make_folder, open_log, small_text, tail, write_anew
from samoloop.base.locks import Lock, is_held
from samoloop.base.places import state_folder
from samoloop.children import detached

LOCK, LOG = "up.lock", "up.log"
_TURN = "up.turn.lock"  # of those who turn it on
START_SECONDS, END_SECONDS = 15.0, 10.0


def process(environ: Mapping[str, str]) -> int | None:
    """The process of the `up` that is on, however it was started; None where none is. 0 where that cannot be told."""
    lock = state_folder(environ) / LOCK
    if not is_held(lock):
        return None
    try:
        return int(small_text(lock).strip())
    except ValueError:
        return 0


def last_words(environ: Mapping[str, str]) -> list[str]:
    """The end of what it said, where it was turned on here."""
    return tail(state_folder(environ) / LOG, 4000).strip().splitlines()[-8:]


def turn_on(environ: Mapping[str, str], jobs: int) -> bool:
    """Start it, for at most so many children at once. It stays when its starter is gone. False where it was on.

    Raises SamoloopError where it does not come up.
    """
    folder = state_folder(environ)
    make_folder(folder)
    with Lock.take(folder / _TURN, START_SECONDS + 1, f"{os.getpid()}\n"):  # whoever comes meanwhile finds it on
        if process(environ) is not None:
            return False
        _start(environ, jobs, folder / LOG)
    return True


def _start(environ: Mapping[str, str], jobs: int, path: Path) -> None:
    write_anew(path, "")
    clock = Clock()
    with open_log(path) as log:
        argv = [sys.executable, "-m", "samoloop", "up", "--jobs", str(jobs)]
        detached.start(argv, env=dict(environ), output=log.fileno(), keep=log.fileno())
    deadline = clock.monotonic() + START_SECONDS
    while process(environ) is None:
        if clock.monotonic() > deadline:
            raise SamoloopError(f"samoloop up did not come up; it said:\n{tail(path, 1000)}")
        clock.wait([], 0.05)


def turn_off(environ: Mapping[str, str]) -> bool:
    """Have it start nothing more, and end. What it began goes on to its own rest. False where it was not on.

    Raises SamoloopError where it cannot be told, or does not end.
    """
    pid = process(environ)
    if pid is None:
        return False
    try:
        if not pid:
            raise ProcessLookupError
        os.kill(pid, signal.SIGUSR1)
    except (ProcessLookupError, PermissionError):
        raise SamoloopError("samoloop up is on, and its process cannot be told to end: end it where it runs") from None
    clock = Clock()
    deadline = clock.monotonic() + END_SECONDS
    while process(environ) == pid and clock.monotonic() < deadline:
        clock.wait([], 0.05)
    if process(environ) == pid:
        raise SamoloopError(f"samoloop up, process {pid}, was told to end and is still at it: look again in a moment")
    return True
