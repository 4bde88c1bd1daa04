"""The logs of a session's children, from the first byte on, and followed while a child writes: at a bounded cost."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from samoloop.base.errors import SessionError
from samoloop.base.files import open_plain, small_text
from samoloop.base.printable import one_line
from samoloop.base.values import frozen
from samoloop.core.control import ERRORS, LOG_PARTS, OUTPUT, PARTS_FACTS, PROMPT, beside
from samoloop.core.records import Ended, Interrupted, Placed, Record, Started
from samoloop.core.session import Session
from samoloop.core.state import AT_REST, State, fold
from samoloop.providers.base import Reader, Request

if TYPE_CHECKING:
    from samoloop.config.loading import Config

LONGEST_LINE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16
_PAUSE_SECONDS = 0.2  # between two looks at a log that grows
_SETTLED_SECONDS = 1.0  # how long a session must rest before nobody waits for more: --yes closes gates at once


@frozen
class Attempt:
    """One child that was started."""

    started: Started
    ended: Ended | None  # None: it runs, or was interrupted
    interrupted: str  # why, else empty
    stem: Path
    elsewhere: str = ""  # where it ran and how much of its log is here, in a sentence; empty where all of it is
    missing: bool = False  # nothing of its log is here, because it ran on another machine

    @property
    def over(self) -> bool:
        return self.ended is not None or bool(self.interrupted)

    @property
    def log(self) -> Path:
        return beside(self.stem, OUTPUT)

    @property
    def errors(self) -> Path:
        return beside(self.stem, ERRORS)


AtWork = Callable[[], bool]  # whether a worker or a child of the session is alive


Renew = Callable[["Attempt | None"], bool]


def _as_it_is(attempt: "Attempt | None") -> bool:
    """All there is is here."""
    return True


class Sink(Protocol):
    """Takes what children wrote, one child after the other."""

    def begin(self, attempt: Attempt) -> None: ...

    def data(self, chunk: bytes) -> None: ...

    def end(self, attempt: Attempt) -> None: ...


def attempts(records: Sequence[Record], logs: Path) -> list[Attempt]:
    """Every child that was started, in order. Of those that ran on another machine there may be a part."""
    ended: dict[tuple[int, int], Ended] = {}
    interrupted: dict[tuple[int, int], str] = {}
    for record in records:
        if isinstance(record, Ended):
            ended[_key(record)] = record
        elif isinstance(record, Interrupted):
            interrupted[_key(record)] = record.why or "nobody knows why"
    machine, found = "", []
    parts = _Parts(logs.with_name(LOG_PARTS)) if any(isinstance(record, Placed) for record in records) else None
    for record in records:
        if isinstance(record, Placed):
            machine = record.machine
        elif isinstance(record, Started):
            key, own = _key(record), logs / Path(record.stem).name
            stem, said, missing = parts.find(own, machine) if parts else (own, "", False)
            found.append(Attempt(record, ended.get(key), interrupted.get(key, ""), stem, said, missing))
    return found


class _Parts:
    """What is here of logs that are on other machines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._facts = json.loads(small_text(folder / PARTS_FACTS) or "{}")
            self._sizes = {str(name): int(size) for name, size in self._facts.get("sizes", {}).items()}
        except (ValueError, TypeError, AttributeError):
            self._facts, self._sizes = {}, {}

    def find(self, stem: Path, machine: str) -> tuple[Path, str, bool]:
        """The stem of what is here of a child's files, the sentence that says of which machine, and whether none is.
        `machine` is where the journal says that it ran; empty where it does not say it.
        """
        if os.path.lexists(beside(stem, OUTPUT)):
            return stem, "", False
        part = self._folder / stem.name
        log = beside(part, OUTPUT)
        if not os.path.lexists(log):
            where = machine or "another machine"
            return stem, f"It ran on {where}, which has its log: nothing of it is here.", True
        where = self._facts.get("machine") or machine or "another machine"
        at = str(self._facts.get("at", ""))[:16].replace("T", " ")
        whole = self._sizes.get(log.name, 0)
        size = os.lstat(log).st_size
        much = f"the newest {size:,} of {whole:,} bytes of its log" if whole > size else "its log"
        return part, one_line(f"It ran on {where}: {much}, as it was at {at} UTC."), False


def reader_of(session: Session, started: Started, stem: Path, settings: "Config") -> Reader:
    """The reader of a child's log, as its CLI is configured now. Raises SamoloopError where it is not."""
    from samoloop import providers

    request = Request(
        prompt=beside(stem, PROMPT),
        worktree=session.worktree,
        session_dir=session.dir,
        stem=stem,
        title=session.name,
        model=started.model,
    )
    return providers.get(started.provider, settings.provider_settings(started.provider)).reader(request)


def show(session: Session, iteration: int | None, sink: Sink) -> None:
    """All attempts of one iteration (None: the last one), as far as they are written. Raises SessionError."""
    known = attempts(list(session.journal.read()), session.logs)
    for attempt in known[_first(session, known, iteration) :]:
        if iteration in (None, attempt.started.iteration):
            _pour(attempt, sink)


def follow(session: Session, iteration: int | None, sink: Sink, at_work: AtWork, renew: Renew = _as_it_is) -> State:
    """From one iteration on (None: the last one) until the session rests or nobody works on it; returns its state.

    `renew` is called again and again, and brings what other machines have: with a child of which nothing is here it
    says whether to wait for that no longer.

    Raises SessionError where there is no such iteration, KeyboardInterrupt where a person has seen enough.
    """
    news = _News(session)
    known = attempts(news.records, session.logs)
    shown = _first(session, known, iteration) if known or iteration is not None else 0
    rested_since: float | None = None
    while True:
        while shown < len(known):
            if known[shown].missing:
                if not renew(known[shown]):
                    break
                known = attempts(news.records, session.logs)
            _pour_while_running(session, known[shown], sink, news, at_work)
            known = attempts(news.records, session.logs)
            shown += 1
        state = fold(news.records)
        resting = shown >= len(known) and (state.condition in AT_REST or not at_work())
        rested_since = (rested_since or time.monotonic()) if resting else None
        if rested_since and time.monotonic() - rested_since >= _SETTLED_SECONDS:
            return state
        time.sleep(_PAUSE_SECONDS)
        if shown >= len(known):
            renew(None)
        if news.look():
            known = attempts(news.records, session.logs)


class Lines:
    """Cuts chunks into lines; a line that is too long is left out and counted."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._dropped = 0  # bytes of the present line, once it is too long

    def feed(self, chunk: bytes) -> Iterator[bytes | int]:
        """Whole lines without their newlines, and for a line that was left out its length in bytes."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield self._dropped + len(part) if self._dropped else bytes(self._line) + part
            self._line.clear()
            self._dropped = 0
        if self._dropped:
            self._dropped += len(rest)
            return
        self._line += rest
        if len(self._line) > LONGEST_LINE_BYTES:
            self._dropped = len(self._line)
            self._line.clear()

    def rest(self) -> Iterator[bytes | int]:
        """The last line, when it has no newline and nobody writes any more."""
        if self._dropped or self._line:
            yield self._dropped or bytes(self._line)


class _News:
    """The journal's records, read again only when the file has changed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._stamp: tuple[int, int] | None = None
        self.records: list[Record] = []
        self.look()

    def look(self) -> bool:
        """Whether there are new records."""
        found = self._session.journal.path.stat()
        stamp = (found.st_size, found.st_mtime_ns)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self.records = list(self._session.journal.read())
        return True


class _Growing:
    """A file that may not be there yet and may still grow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def chunks(self) -> Iterator[bytes]:
        """What is new since the last call."""
        try:
            file = open_plain(self._path)
        except (OSError, ValueError):
            return
        with file:
            while chunk := os.pread(file.fileno(), _CHUNK_BYTES, self._offset):
                self._offset += len(chunk)
                yield chunk


def _pour(attempt: Attempt, sink: Sink) -> None:
    sink.begin(attempt)
    for chunk in _Growing(attempt.log).chunks():
        sink.data(chunk)
    sink.end(attempt)


def _pour_while_running(session: Session, attempt: Attempt, sink: Sink, news: _News, at_work: AtWork) -> None:
    sink.begin(attempt)
    file = _Growing(attempt.log)
    while not attempt.over:
        for chunk in file.chunks():
            sink.data(chunk)
        if not news.look() and not at_work():
            break
        found = attempts(news.records, session.logs)
        same = next((one for one in found if _key(one.started) == _key(attempt.started)), None)
        if same is None:  # another machine went on without it
            break
        attempt = same
        if not attempt.over:
            time.sleep(_PAUSE_SECONDS)
    for chunk in file.chunks():
        sink.data(chunk)
    sink.end(attempt)


def _first(session: Session, known: Sequence[Attempt], iteration: int | None) -> int:
    """The place of the first attempt of an iteration. Raises SessionError."""
    if not known:
        raise SessionError(f"{session.name} has started no child yet; watch it: samoloop log {session.name} -f")
    wanted = known[-1].started.iteration if iteration is None else iteration
    for place, attempt in enumerate(known):
        if attempt.started.iteration == wanted:
            return place
    last = known[-1].started.iteration
    raise SessionError(f"{session.name} has no iteration {wanted}; there are 1 to {last}")


def _key(record: Started | Ended | Interrupted) -> tuple[int, int]:
    return record.iteration, record.attempt
