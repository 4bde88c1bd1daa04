"""One process of this machine at a time looks after a copy: a command, a page, `up`, or `fleet work`.

Whoever has a newer parcel ends what works on the copy here, and must not take a command that acts on it for that.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from samoloop.base.errors import LockHeld
from samoloop.base.files import make_folder, remove
from samoloop.base.locks import Lock, holders
from samoloop.base.places import state_folder
from samoloop.core.control import place_of

_FOLDER = "copies"  # in the state folder: of locks, each there while it is held
_WAIT_SECONDS = 10.0


@contextmanager
def alone_at(copy: Path, environ: Mapping[str, str], seconds: float = _WAIT_SECONDS) -> Iterator[None]:
    """Hold a copy, which need not be there yet. Raises LockHeld where another still has it after so many seconds."""
    path = state_folder(environ) / _FOLDER / place_of(copy).name
    make_folder(path.parent)
    try:
        while not (lock := Lock.take(path, seconds, f"{os.getpid()}\n")).keeps_out(path):
            lock.release()  # who had it before took the file away
    except LockHeld:
        who = ", ".join(f"process {pid}" for pid in holders(path)) or "another process"
        raise LockHeld(f"{copy.name} is looked after by {who} on this machine: try again when that is done") from None
    with lock:
        try:
            yield
        finally:
            remove(path)
