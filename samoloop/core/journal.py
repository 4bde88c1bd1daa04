"""`_history.jsonl`: the append-only journal, one JSON object a line, fsynced. It is the worker's truth."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError
from samoloop.base.files import open_plain, read_plain, remove, write_atomic
from samoloop.core import records
from samoloop.core.records import Record, Torn

FILE_NAME = "_history.jsonl"
_TAIL_BYTES = 64 * 1024
_APPENDING = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CHUNK_BYTES = 16 * 1024  # read at once; more costs memory, and with it time

Written = TypeVar("Written", bound=Record)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """One session's journal. Only the holder of the session's lock appends."""

    def __init__(self, path: Path, now: Callable[[], datetime] = utc_now):
        self.path = path
        self._now = now
        self._mended = False
        self._known: bytearray | None = None  # what the file holds, as this process read and wrote it

    def __iter__(self) -> Iterator[Record]:
        return self.read()

    def read(self) -> Iterator[Record]:
        """Every whole record. What a crash tore off is left out; damage of another kind is a SessionError."""
        try:
            with open_plain(self.path) as file:
                data = file.read()
        except FileNotFoundError:
            return
        except ValueError as error:
            raise SessionError(f"{error}; put back a good copy at {self.path}") from None
        self._known = bytearray(data)
        start = 0
        while start < len(data):
            end = data.find(b"}\n", start + _CHUNK_BYTES) + 2
            end = end if end > 1 else len(data)
            values = _all_at_once(data[start:end])
            if values is None:
                yield from map(records.read, self._one_by_one(data, start))
                return
            yield from map(records.read, values)
            start = end

    def _one_by_one(self, data: bytes, start: int) -> Iterator[dict[str, Any]]:
        torn: int | None = None  # the first of the unreadable lines just before
        for number, line in enumerate(data[start:].split(b"\n"), data.count(b"\n", 0, start) + 1):
            if not line:
                continue
            value = _object(line)
            if value is None:
                torn = torn or number
                continue
            if torn and value.get("event") != Torn.event:
                raise SessionError(
                    f"line {torn} of {self.path} is damaged; put back a good copy of the file, nothing was changed"
                )
            torn = None
            yield value

    def stamp(self, record: Written) -> Written:
        """The record with the time, unless it has one: so that a checkpoint can carry the line before it is written."""
        return record if record.at else record.but(at=records.timestamp(self._now()))

    def append(self, record: Written) -> Written:
        """Write one record durably and return it as it would be read.

        Raises OSError with nothing but a torn line left behind.
        """
        line = records.line(self.stamp(record))
        value = json.loads(line)
        descriptor = os.open(self.path, _APPENDING, 0o644)
        try:
            known = bytearray() if os.fstat(descriptor).st_size == 0 else self._known
            self._known = None  # a failing write below may tear a line: look again next time
            closing = b"" if self._mended else _close_torn_line(descriptor, records.line(self.stamp(Torn())))
            self._mended = False
            with effect(f"record {value['event']}"):
                _write(descriptor, line)
                os.fsync(descriptor)
            self._mended = True
            if known is not None:
                known += closing + line
            self._known = known
        finally:
            os.close(descriptor)
        return type(record).from_json(value)

    def put_right(self) -> bool:
        """Make the file again what this process read and wrote; whether it was anything else. For the lock's holder."""
        if self._known is None:
            return False
        try:
            present = read_plain(self.path, len(self._known))
        except ValueError:
            present = None
        if present is not None and bytearray(present) == self._known:
            return False
        remove(self.path)
        write_atomic(self.path, bytes(self._known))
        return True


def _all_at_once(data: bytes) -> list[dict[str, Any]] | None:
    """The objects of lines that nothing has damaged, twice as fast as line by line; else None."""
    if not data.endswith(b"}\n"):
        return None
    try:
        values = json.loads(b"[" + data[:-1].replace(b"}\n{", b"},{") + b"]")
    except ValueError:
        return None
    return values if all(isinstance(value, dict) for value in values) else None


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line holds; None for one that is torn."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _close_torn_line(descriptor: int, record: bytes) -> bytes:
    """End a line that a crash cut off, and say so in a record of its own. Gives what was written.

    That may have been cut off itself, even just behind its newline: so the last line is read, not the last byte alone.
    """
    last, whole = _last_line(descriptor)
    if last and not (whole and _object(last)):
        closing = record if whole else b"\n" + record
        _write(descriptor, closing)
        return closing
    return b""


def _last_line(descriptor: int) -> tuple[bytes, bool]:
    """The last line that is not empty, and whether a newline ends it."""
    size = os.fstat(descriptor).st_size
    length = _TAIL_BYTES
    while True:
        start = max(size - length, 0)
        tail = os.pread(descriptor, size - start, start)
        _, newline, line = tail.rstrip(b"\n").rpartition(b"\n")
        if newline or start == 0:
            return line, tail.endswith(b"\n")
        length *= 16
