"""A terminal on which `samoloop watch` runs."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from kit import until


class Watched:
    """`samoloop watch` on a pseudo-terminal, and what it wrote."""

    def __init__(self, folder: Path, columns: int, height: int, env: Mapping[str, str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="xterm-256color", LINES="", COLUMNS="", **env)
            os.execv(sys.executable, [sys.executable, "-m", "samoloop", "watch"])
        os.set_blocking(self.descriptor, False)
        self.resize(columns, height)
        self._bytes = b""
        self._status = 0

    def resize(self, columns: int, height: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, columns, 0, 0))

    @property
    def written(self) -> str:
        with suppress(OSError):
            while data := os.read(self.descriptor, 65536):
                self._bytes += data
        return re.sub(r"\x1b\[[0-9;]*m", "", self._bytes.decode(errors="replace"))

    def press(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def until(self, seen: str) -> None:
        until(lambda: seen in self.written)

    def exit_code(self) -> int:
        """Of the command, once it has ended."""

        def ended() -> bool:
            assert self.written is not None  # so that it can write on
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status
            return pid == self.pid

        until(ended)
        self.pid = 0
        return os.waitstatus_to_exitcode(self._status)


@contextmanager
def watched(
    folder: Path, columns: int = 80, height: int = 24, env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Watched]:
    found = Watched(folder, columns, height, env)
    try:
        yield found
    finally:
        if found.pid:
            os.kill(found.pid, signal.SIGKILL)
            os.waitpid(found.pid, 0)
        os.close(found.descriptor)
