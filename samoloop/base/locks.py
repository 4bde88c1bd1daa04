"""Locks on files that leave nothing stale behind: flock, freed by the kernel when its last holder is gone."""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from samoloop.base.errors import LockHeld
from samoloop.base.files import is_own, make_way
from samoloop.base.proc import PROC, started_ticks

# Node and some native CLIs close or reuse low descriptors that they did not open; from 200 up they keep them.
_LOWEST_DESCRIPTOR = 200
_RETRY_SECONDS = 0.02
NOTE_BYTES = 1000  # less than a block


class Lock:
    """An flock on a file, held until `release` and by every process that inherited its descriptor.

    It is only closed: an flock belongs to the open file, so unlocking it here would take it from the child that
    inherited it. Where that is meant, there is `unlock`.
    """

    def __init__(self, descriptor: int) -> None:
        """Use `take`."""
        self.descriptor = descriptor  # close-on-exec: hand it to a child by `pass_fds`

    @classmethod
    def take(cls, path: Path, timeout_seconds: float, content: str) -> Self:
        """Lock `path` (made if missing) and replace what it holds by `content`.

        Raises LockHeld, naming the process, when another still holds it after `timeout_seconds`, and OSError where the
        disk refuses it, which then nobody holds.
        """
        deadline = time.monotonic() + timeout_seconds
        while (descriptor := _try(path)) is None:
            if time.monotonic() >= deadline:
                raise LockHeld(f"{path} is locked by {_describe_holder(path)}: end it, or wait for it")
            time.sleep(_RETRY_SECONDS)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content.encode(), 0)
        except OSError:
            os.close(descriptor)
            raise
        return cls(descriptor)

    @classmethod
    def inherit(cls, path: Path, descriptor: int, content: str) -> Self:
        """Go on with the lock on `path` that the process which started this one took and left.

        Raises LockHeld where the descriptor is no such lock.
        """
        try:
            same = os.path.samestat(os.fstat(descriptor), path.stat())
        except OSError:
            same = False
        if not same:
            raise LockHeld(f"{path} is not what this process was started with")
        os.set_inheritable(descriptor, False)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content.encode(), 0)
        return cls(descriptor)

    def keeps_out(self, path: Path) -> bool:
        """Whether others find this lock at `path`: somebody may have removed the file, or put another there."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), path.lstat())
        except OSError:
            return False

    def note(self, content: str) -> None:
        """Say more to those who look at the file, in room that it has already: a full disk does not refuse that."""
        os.pwrite(self.descriptor, content.encode()[:NOTE_BYTES].ljust(NOTE_BYTES), 0)

    def release(self) -> None:
        """Close the descriptor. The lock is free once the processes that inherited it have ended too."""
        os.close(self.descriptor)

    def unlock(self) -> None:
        """Free it, whoever inherited it."""
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether some process holds a lock on `path`. Testing does not disturb another test, and a taker retries.

    What is no file that can be opened, such as a link that a child put there, is no lock of ours.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def gain(descriptor: int, timeout_seconds: float) -> bool:
    """Lock an open file; False where another still holds it after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_RETRY_SECONDS)


def holders(path: Path) -> list[int]:
    """The processes whose open file holds the lock on `path`, oldest first; empty where /proc cannot tell.

    /proc/locks names who took the lock, which may have died since; the open files name who holds it now.
    """
    try:
        file = path.stat()
    except OSError:
        return []
    pids = {int(link.parts[-3]) for link in _open_files() if _is_locked_by(link, file)}
    return sorted(pids, key=lambda pid: (started_ticks(pid), pid))  # a tick is long enough for two of them


def taken_by(pid: int) -> set[str]:
    """The names of the files whose lock a process holds, or inherited; of those that only test one it is none."""
    found = set()
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = link.readlink()
                if target.is_absolute() and _locks(link) == "WRITE":  # most of a program's are pipes and sockets
                    found.add(target.name.removesuffix(" (deleted)"))
    return found


def _open_files() -> Iterator[Path]:
    """The open files of every process; one that ends meanwhile, or that is not ours to look at, has none."""
    for process in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield from (process / "fd").iterdir()


def _try(path: Path) -> int | None:
    """A locked descriptor; None when another holds the lock. What stands there and is no file, a child's work, goes."""
    if not is_held(path):
        make_way(path)
    low = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(low, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_own(path):
            return None  # a child was quicker
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _LOWEST_DESCRIPTOR)
    except BlockingIOError:
        return None
    finally:
        os.close(low)


def _is_locked_by(link: Path, file: os.stat_result) -> bool:
    """Whether the open file behind /proc/<pid>/fd/<n> is `file` and holds its lock (not merely reads or tests it)."""
    with contextlib.suppress(OSError):
        return os.path.samestat(link.stat(), file) and _locks(link) == "WRITE"
    return False


def _locks(link: Path) -> str:
    """How the open file behind /proc/<pid>/fd/<n> holds an flock: `WRITE`, `READ`; empty where it holds none."""
    found = re.search(r"FLOCK\s+ADVISORY\s+(\w+)", (link.parents[1] / "fdinfo" / link.name).read_text())
    return found[1] if found else ""


def _describe_holder(path: Path) -> str:
    pids = holders(path)
    return f"process {pids[0]}" if pids else "another process"
