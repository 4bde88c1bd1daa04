"""A bell: a named pipe by which one process tells another at once that there is news, and nothing more.

Whoever hears it looks for the news where it is. It may be missing, so one who listens also looks by itself, slowly.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from samoloop.base.files import remove


def ring(path: Path) -> None:
    """Ring; nothing happens where nobody listens."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"!")
        finally:
            os.close(descriptor)


class Bell:
    """The listener's side: a descriptor that can be read from when it rang."""

    def __init__(self, path: Path, listen: Callable[[int], object], forget: Callable[[int], object]) -> None:
        """`listen` and `forget` are told the descriptor to watch, and to watch no longer."""
        self._path = path
        self._listen, self._forget = listen, forget
        self._descriptor: int | None = None

    def hang(self) -> None:
        """Hang it where it does not hang, or another file is in its place. Raises OSError."""
        with suppress(FileNotFoundError):
            found = self._path.lstat()
            if self._descriptor is not None and os.path.samestat(found, os.fstat(self._descriptor)):
                return
            remove(self._path)
        self.close()
        os.mkfifo(self._path, 0o600)
        # for reading and writing, so that it is never at its end when nobody else has it open
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._listen(self._descriptor)

    def hush(self) -> None:
        """It was heard: it may ring anew."""
        with suppress(BlockingIOError):
            while self._descriptor is not None and os.read(self._descriptor, 4096):
                pass

    def close(self) -> None:
        if self._descriptor is not None:
            self._forget(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
