"""`_history.jsonl`: the append-only journal, one JSON object a line, fsynced. It is the worker's truth."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from samoloop.errors import SessionError

FILE_NAME = "_history.jsonl"
Event = dict[str, Any]


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
        """Every whole record. A torn last line is left out; damage before the end is a SessionError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return
        lines = data.split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                event = json.loads(line)
            except ValueError:
                if number == len(lines) or _is_torn_record(lines, number):
                    continue
                raise SessionError(
                    f"line {number} of {self.path} is damaged; put back a good copy of the file, nothing was changed"
                ) from None
            if not isinstance(event, dict):
                raise SessionError(f"line {number} of {self.path} is not a record; put back a good copy of the file")
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
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if not self._mended:
                _close_torn_line(descriptor, self.compose("torn"))
                self._mended = True
            self._mended = False  # a failing write below may tear a line: look again next time
            view = memoryview(line)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
            self._mended = True
        finally:
            os.close(descriptor)
        record: Event = json.loads(line)
        return record


def _close_torn_line(descriptor: int, record: bytes) -> None:
    """End a line that a crash cut off, and say so in a record of its own."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n" + record)


def _is_torn_record(lines: list[bytes], number: int) -> bool:
    """Whether the line after the unreadable one (1-based) is the `torn` record that closed it."""
    following = next((line for line in lines[number:] if line), b"")
    try:
        event: Mapping[str, Any] = json.loads(following)
    except ValueError:
        return False
    return isinstance(event, dict) and event.get("event") == "torn"
