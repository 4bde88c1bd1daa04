"""`_history.jsonl`: the append-only journal, one JSON object a line, fsynced. It is the worker's truth."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError

FILE_NAME = "_history.jsonl"
Event = dict[str, Any]
_TAIL_BYTES = 64 * 1024


def utc_now() -> datetime:
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """`2026-11-21T10:05:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The inverse of `timestamp`."""
    return datetime.fromisoformat(text)


class Journal:
    """One session's journal. Only the holder of the session's lock appends."""

    def __init__(self, path: Path, now: Callable[[], datetime] = utc_now):
        self.path = path
        self._now = now
        self._mended = False

    def read(self) -> Iterator[Event]:
        """Every whole record. What a crash tore off is left out; damage of another kind is a SessionError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        yield from _all_at_once(data) or self._one_by_one(data)

    def _one_by_one(self, data: bytes) -> Iterator[Event]:
        torn: int | None = None  # the first of the unreadable lines just before
        for number, line in enumerate(data.split(b"\n"), 1):
            if not line:
                continue
            event = _record(line)
            if event is None:
                torn = torn or number
                continue
            if torn and event.get("event") != "torn":
                raise SessionError(
                    f"line {torn} of {self.path} is damaged; put back a good copy of the file, nothing was changed"
                )
            torn = None
            yield event

    def compose(self, event: str, **fields: Any) -> bytes:
        """The line that `append_line` will write: so that a checkpoint can carry the same bytes."""
        record = {"event": event, "at": timestamp(self._now()), **fields}
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"

    def append(self, event: str, **fields: Any) -> Event:
        """Write one record durably and return it as it would be read."""
        return self.append_line(self.compose(event, **fields))

    def append_line(self, line: bytes) -> Event:
        """Write a composed line durably. Raises OSError with nothing but a torn line left behind."""
        record: Event = json.loads(line)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not self._mended:
                _close_torn_line(descriptor, self.compose("torn"))
            self._mended = False  # a failing write below may tear a line: look again next time
            with effect(f"record {record['event']}"):
                _write(descriptor, line)
                os.fsync(descriptor)
            self._mended = True
        finally:
            os.close(descriptor)
        return record


def _all_at_once(data: bytes) -> list[Event]:
    """Every record of a journal that nothing has damaged, twice as fast as line by line; else an empty list."""
    if not data.endswith(b"}\n"):
        return []
    try:
        events = json.loads(b"[" + data[:-1].replace(b"}\n{", b"},{") + b"]")
    except ValueError:
        return []
    return events if all(isinstance(event, dict) for event in events) else []


def _record(line: bytes) -> Event | None:
    """The record that a line holds; None for one that is torn."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _close_torn_line(descriptor: int, record: bytes) -> None:
    """End a line that a crash cut off, and say so in a record of its own.

    That may have been cut off itself, even just behind its newline: so the last line is read, not the last byte alone.
    """
    last, whole = _last_line(descriptor)
    if last and not (whole and _record(last)):
        _write(descriptor, record if whole else b"\n" + record)


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
