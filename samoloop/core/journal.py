"""`_history.jsonl`: the append-only journal, one JSON object a line, fsynced. It is the worker's truth.

Each line ends in a seal, a hash over all bytes of the file before it: what somebody else wrote or changed is seen by
whoever reads it next. Journals of earlier versions begin without seals, and are believed up to the first one.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError
from samoloop.base.files import is_own, open_plain, read_plain, remove, write_atomic
from samoloop.core import records
from samoloop.core.records import Record, Torn

FILE_NAME = "_history.jsonl"
_SEAL_DIGITS = 16
_SEAL = re.compile(rb',"seal":"([0-9a-f]{%d})"}$' % _SEAL_DIGITS)
_APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CHUNK_BYTES = 16 * 1024  # read at once; more costs memory, and with it time

Written = TypeVar("Written", bound=Record)


def utc_now() -> datetime:
    return datetime.now(UTC)


class JournalChanged(SessionError):
    """Somebody else than a worker changed the journal."""


class Journal:
    """One session's journal. Only the holder of the session's lock appends."""

    def __init__(self, path: Path, now: Callable[[], datetime] = utc_now):
        self.path = path
        self._now = now
        self._mended = False
        self._known: bytearray | None = None  # what the file holds, as this process read and wrote it
        self._stamp: tuple[int, ...] = ()  # of the file when it held just that
        self._hash = hashlib.sha256()  # over that
        self._records: list[Record] = []  # those of its first bytes, which nobody has to read again
        self._end = 0  # of these bytes
        self._chosen: dict[Callable[[Record], bool], tuple[int, list[Record]]] = {}  # of so many of them, by `only`
        self._pending = b""  # of which a failed append may have written a part
        self._put_right = False  # since it was last asked

    def __iter__(self) -> Iterator[Record]:
        return iter(self.read())

    @property
    def content(self) -> bytes:
        """The whole file, as this process last read and wrote it."""
        return bytes(self._bytes())

    def read(self) -> list[Record]:
        """Every whole record. What a crash tore off is left out; damage of another kind is a SessionError.

        Raises JournalChanged where a line is not a worker's.
        """
        data = self._present()
        if data is not self._known and data != self._known:
            if not is_sealed(data):
                number = data.count(b"\n", 0, sealed_bytes(data)) + 1
                raise JournalChanged(
                    f"{self.path} is not what a worker wrote, from line {number} on: look who changed it, "
                    "then `samoloop repair NAME` puts it right"
                )
            self._learn(data)
        while self._end < len(data):
            end = data.find(b"}\n", self._end + _CHUNK_BYTES) + 2
            end = end if end > 1 else len(data)
            values = _all_at_once(data[self._end : end])
            if values is None:
                return [*self._records, *map(records.read, self._one_by_one(data, self._end))]
            self._records += [*map(records.read, values)]  # all of them, or none where one cannot be understood
            self._end = end
        return self._records[:]

    def only(self, wanted: Callable[[Record], bool]) -> list[Record]:
        """The records for which a function holds, which is asked about each once: a journal gets long."""
        every, sure = self.read(), len(self._records)
        asked, found = self._chosen.get(wanted, (0, []))
        found = [*found, *filter(wanted, every[asked:sure])]
        self._chosen[wanted] = sure, found
        return [*found, *filter(wanted, every[sure:])]

    def _one_by_one(self, data: bytes | bytearray, start: int) -> Iterator[dict[str, Any]]:
        torn: int | None = None  # the first of the unreadable lines just before
        for number, line in enumerate(bytes(data[start:]).split(b"\n"), data.count(b"\n", 0, start) + 1):
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

    def line(self, record: Record) -> bytes:
        """What `append` writes next for a stamped record: its line, and before it the end of one that was cut off."""
        closing = b"" if self._mended else self._closing(self._bytes())
        digest = self._hash.copy()
        digest.update(closing)
        return closing + _sealed(record, digest)

    def append(self, record: Written) -> Written:
        """Write one record durably and return it as it would be read.

        Raises OSError with nothing but a torn line left behind.
        """
        record = self.stamp(record)
        self._take_stock()
        self._pending = self.line(record)
        self._mended = False
        descriptor = os.open(self.path, _APPENDING, 0o644)
        try:
            with effect(f"record {record.type_name}"):
                _write(descriptor, self._pending)
                os.fsync(descriptor)
                written = _stamp(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        line = self._pending.split(b"\n")[-2]
        self._grow(self._pending)
        self._stamp = written if self._known is not None and written[1] == len(self._known) else ()
        self._mended = True
        return type(record).from_json(json.loads(line))

    def put_right(self) -> bool:
        """Make the file again what this process read and wrote; whether it was anything else. For the lock's holder."""
        if self._known is None:
            return False
        limit = len(self._known) + len(self._pending)
        try:
            present = read_plain(self.path, limit) or b""
        except ValueError:
            present = b""
        more = present[len(self._known) :]
        ours = is_own(self.path) and present.startswith(self._known) and self._pending.startswith(more)
        if ours or not (limit or os.path.lexists(self.path)):
            self._grow(more)
        else:
            remove(self.path)
            write_atomic(self.path, bytes(self._known))
            self._pending = b""
            self._put_right = True
        found, self._put_right = self._put_right, False
        return found

    def _take_stock(self) -> None:
        """Know what the file holds before it grows. What is not ours is put right, and said when next asked."""
        if self._pending or not self._has_size(len(self._bytes())):
            self._put_right = self.put_right()

    def _has_size(self, size: int) -> bool:
        return self.path.lstat().st_size == size if is_own(self.path) else not size and not os.path.lexists(self.path)

    def _present(self) -> bytes | bytearray:
        try:
            if self._known is not None and _stamp(self.path.lstat()) == self._stamp:
                return self._known
            with open_plain(self.path) as file:
                return file.read()
        except FileNotFoundError:
            return b""
        except ValueError as error:
            raise JournalChanged(f"{error} ({self.path}): `samoloop repair NAME` puts it right") from None

    def _bytes(self) -> bytearray:
        if self._known is None:
            return self._learn(self._present())
        return self._known

    def _learn(self, data: bytes | bytearray) -> bytearray:
        if self._known is None or not data.startswith(self._known[: self._end]):
            self._records, self._end, self._chosen = [], 0, {}
        self._known, self._hash, self._pending = bytearray(data), hashlib.sha256(data), b""
        return self._known

    def _grow(self, data: bytes) -> None:
        assert self._known is not None
        self._known += data
        self._hash.update(data)
        self._pending = b""

    def _closing(self, known: bytearray) -> bytes:
        """The end of a line that a crash cut off, and a record that says so; empty where none was.

        That record may have been cut off itself, even just behind its newline: so the last line is looked at, not the
        last byte alone.
        """
        end = len(known)
        while end and known[end - 1 : end] == b"\n":
            end -= 1
        whole = end < len(known)
        if not end or (whole and _object(bytes(known[known.rfind(b"\n", 0, end) + 1 : end]))):
            return b""
        newline = b"" if whole else b"\n"
        digest = self._hash.copy()
        digest.update(newline)
        return newline + _sealed(self.stamp(Torn()), digest)


def _sealed(record: Record, before: "hashlib._Hash") -> bytes:
    """The record's line with its seal; `before` is the hash over all that comes before it."""
    words = records.line(record)[:-2]
    digest = before.copy()
    digest.update(words)
    return words + b',"seal":"%s"}\n' % digest.hexdigest()[:_SEAL_DIGITS].encode()


def is_sealed(data: bytes | bytearray) -> bool:
    """Whether a journal is what workers wrote: its last whole line has a seal that holds, or no line has one."""
    end = len(data)
    while end and b',"seal":"' in data:
        start = data.rfind(b"\n", 0, end - 1) + 1
        line = data[start:end].rstrip(b"\n")
        if seal := _SEAL.search(line):
            return _seals(hashlib.sha256(memoryview(data)[: start + seal.start()]), seal)
        if _object(line) is not None:
            return False
        end = start  # a crash tore it
    return True


def sealed_bytes(data: bytes | bytearray) -> int:
    """How much of a journal, from its start, is what workers wrote: up to the end of the last line whose seal holds."""
    if is_sealed(data):
        return len(data)
    sound, start, before = 0, 0, hashlib.sha256()
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        line = data[start:end]
        if seal := _SEAL.search(line.rstrip(b"\n")):
            digest = before.copy()
            digest.update(line[: seal.start()])
            sound = end if _seals(digest, seal) else sound
        before.update(line)
        start = end
    return sound


def _seals(before: "hashlib._Hash", seal: re.Match[bytes]) -> bool:
    return before.hexdigest()[:_SEAL_DIGITS].encode() == seal[1]


def _all_at_once(data: bytes | bytearray) -> list[dict[str, Any]] | None:
    """The objects of lines that nothing has damaged, twice as fast as line by line; else None."""
    if not data.endswith(b"}\n"):
        return None
    try:
        values = json.loads(b"[" + data[:-1].replace(b"}\n{", b"},{") + b"]")
    except ValueError:
        return None
    return values if all(isinstance(value, dict) for value in values) else None


def _object(line: bytes | bytearray) -> dict[str, Any] | None:
    """The JSON object that a line holds; None for one that is torn."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    """Inode, bytes and times: another whenever somebody wrote to the file since, or put something else there."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
