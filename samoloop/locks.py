"""Locks on files that outlive nobody: flock, freed by the kernel when the last process holding it is gone."""

from pathlib import Path
from typing import Self


class Lock:
    """An flock on a file, held until `release` and by every process that inherited its descriptor.

    It is never unlocked, only closed: an flock belongs to the open file, so unlocking it here would take it from the
    child that inherited it.
    """

    @classmethod
    def take(cls, path: Path, timeout_seconds: float, content: str) -> Self:
        """Lock `path` (made if missing) and replace what it holds by `content`.

        Raises LockHeld, naming the process, when another still holds it after `timeout_seconds`.
        """
        raise NotImplementedError

    @property
    def descriptor(self) -> int:
        """The locked file's descriptor, close-on-exec: hand it to a child by `pass_fds`."""
        raise NotImplementedError

    def release(self) -> None:
        """Close the descriptor. The lock is free once the processes that inherited it have ended too."""
        raise NotImplementedError


def is_held(path: Path) -> bool:
    """Whether some process holds a lock on `path`."""
    raise NotImplementedError


def holders(path: Path) -> list[int]:
    """The processes whose open file holds the lock on `path`, oldest first; empty where /proc cannot tell."""
    raise NotImplementedError
