"""Following a log that a child writes, at a bounded cost whatever the child prints."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from samoloop.base.files import open_plain

FAR_BEHIND_BYTES = 1 << 20
KEPT_BYTES = 1 << 16  # of what is new, when too far behind: enough to show
KEPT_AT_THE_END_BYTES = 1 << 18  # and of the last: the result stands there
LONGEST_LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16


class Tail:
    """The lines of a growing file. Memory is bounded by the longest line that is kept."""

    def __init__(self, path: Path) -> None:
        """A file that is missing, or that a child put something else in place of, reads as empty."""
        self._file = _open(path)
        self._descriptor = self._file.fileno()
        self._offset = 0
        self._line = bytearray()  # the unfinished last line
        self._dropping = False  # up to the next newline
        self.complete = True  # False once something was skipped

    def size(self) -> int:
        """How many bytes the file has now."""
        return os.fstat(self._descriptor).st_size

    def lines(self) -> Iterator[bytes]:
        """The whole lines that are new, without their newlines.

        More than FAR_BEHIND_BYTES of news is skipped but for the last KEPT_BYTES; a line that is too long is left out.
        """
        return self._read(KEPT_BYTES)

    def rest(self) -> Iterator[bytes]:
        """The last lines, one without a newline too: for when nobody writes any more."""
        yield from self._read(KEPT_AT_THE_END_BYTES)
        if self._line and not self._dropping:
            yield bytes(self._line)
            self._line.clear()

    def end(self, limit_bytes: int) -> str:
        """The end of the file as text, unreadable bytes replaced."""
        return os.pread(self._descriptor, limit_bytes, max(self.size() - limit_bytes, 0)).decode(errors="replace")

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, kept_bytes: int) -> Iterator[bytes]:
        end = self.size()
        if end - self._offset > FAR_BEHIND_BYTES:
            self._drop_line()
            self._offset = end - kept_bytes
        while self._offset < end:
            chunk = os.pread(self._descriptor, min(_CHUNK_BYTES, end - self._offset), self._offset)
            if not chunk:
                return  # truncated meanwhile
            self._offset += len(chunk)
            yield from self._split(chunk)

    def _split(self, chunk: bytes) -> Iterator[bytes]:
        *ended, unfinished = chunk.split(b"\n")
        for part in ended:
            if not self._dropping:
                yield bytes(self._line) + part
            self._line.clear()
            self._dropping = False
        if not self._dropping:
            self._line += unfinished
        if len(self._line) > LONGEST_LINE_BYTES:
            self._drop_line()

    def _drop_line(self) -> None:
        """Leave out what is up to the next newline."""
        self._line.clear()
        self._dropping = True
        self.complete = False


def _open(path: Path) -> BinaryIO:
    try:
        return open_plain(path)
    except (OSError, ValueError):
        return open(os.devnull, "rb")  # noqa: PTH123 - it is no path of anybody's
