"""Three ways to give out what children wrote: readable lines, JSON lines, and the bytes themselves."""

import codecs
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from samoloop.api.logs import Attempt, Lines, Sink, reader_of
from samoloop.base.errors import SamoloopError
from samoloop.base.files import tail
from samoloop.base.printable import printable
from samoloop.core.events import Event, Text
from samoloop.core.session import Session
from samoloop.providers.base import Reader
from samoloop.ui.terminal.endings import ended_line
from samoloop.ui.terminal.rendering import Line, LineTone, Renderer, event_json, head_line, read_line

if TYPE_CHECKING:
    from samoloop.config.loading import Config

_STDERR_TAIL_BYTES = 4096
_STDERR_LINES = 5

ReaderFor = Callable[[Attempt], Reader]


class EventSink(Protocol):
    """Takes the events of children, one child after the other."""

    def begin(self, attempt: Attempt) -> None: ...

    def events(self, events: list[Event]) -> None: ...

    def end(self, attempt: Attempt) -> None: ...


def reader_for(session: Session, settings: Callable[[], "Config"], warn: Callable[[str], None]) -> ReaderFor:
    """How to find the reader of each child's log: that of its CLI, if it is still configured."""

    def found(attempt: Attempt) -> Reader:
        try:
            return reader_of(session, attempt.started, attempt.stem, settings())
        except SamoloopError as error:
            warn(f"{error} Its output is shown as it stands.")
            return TextReader()

    return found


def left_out(size_bytes: int) -> str:
    return f"… a line of {size_bytes:,} bytes is left out here; --raw shows it"


class ByEvents:
    """Feeds the bytes of each log to its CLI's reader."""

    def __init__(self, reader_for: ReaderFor, sink: EventSink, left_out: Callable[[int], str] = left_out) -> None:
        """`left_out` says of a line that is too long that it is, by how many bytes were read of it."""
        self._reader_for = reader_for
        self._sink = sink
        self._left_out = left_out

    def begin(self, attempt: Attempt) -> None:
        self._reader = self._reader_for(attempt)
        self._lines = Lines()
        self._sink.begin(attempt)

    def data(self, chunk: bytes) -> None:
        for line in self._lines.feed(chunk):
            self._take(line)

    def rest(self) -> None:
        """What has no newline, and will have none."""
        for line in self._lines.rest():
            self._take(line)

    def end(self, attempt: Attempt) -> None:
        self.rest()
        if attempt.ended:
            self._sink.events(_finish(self._reader, attempt))
        self._sink.end(attempt)

    def _take(self, line: bytes | int) -> None:
        if isinstance(line, int):
            self._sink.events([Text(self._left_out(line))])
        else:
            self._sink.events(read_line(self._reader, line))


class Readable:
    """Lines for a person, with a head line for each child and a last line that says how it ended."""

    def __init__(self, write: Callable[[Line], None], now: Callable[[], float]) -> None:
        self._write = write
        self._now = now

    def begin(self, attempt: Attempt) -> None:
        self._renderer = Renderer()
        self._write(head_line(attempt.started))

    def events(self, events: list[Event]) -> None:
        for line in self._renderer.lines(events):
            self._write(line)

    def end(self, attempt: Attempt) -> None:
        if attempt.ended:
            if attempt.ended.outcome.exit_code not in (0, None) and (said := _stderr_end(attempt)):
                self._write(Line(LineTone.TROUBLE, f"standard error ends:\n{said}"))
            self._write(Line(LineTone.HEAD, ended_line(attempt.ended, self._now())))
        elif attempt.interrupted:
            self._write(Line(LineTone.TROUBLE, printable(f"✗ interrupted: {attempt.interrupted}")))


class AsJson:
    """One JSON object a line: `iteration`, `attempt`, `phase`, `event` and the event's own fields; `ended` is last."""

    def __init__(self, write: Callable[[dict[str, Any]], None]) -> None:
        self._write = write

    def begin(self, attempt: Attempt) -> None:
        self._where = {key: getattr(attempt.started, key) for key in ("iteration", "attempt", "phase")}

    def events(self, events: list[Event]) -> None:
        for event in events:
            self._give(event_json(event))

    def end(self, attempt: Attempt) -> None:
        if attempt.ended:
            ended = attempt.ended.to_json()
            known = ("provider", "model", "outcome", "usage", "signal", "decision")
            self._give({"event": "ended", **{key: ended[key] for key in known}})
        elif attempt.interrupted:
            self._give({"event": "interrupted", "why": attempt.interrupted})

    def _give(self, fields: dict[str, Any]) -> None:
        self._write({**self._where, **fields})


class Raw:
    """Byte for byte what the CLI printed; on a terminal its control characters are shown instead of acted on."""

    def __init__(self, write: Callable[[bytes], None], *, terminal: bool) -> None:
        self._write = write
        self._terminal = terminal

    def begin(self, attempt: Attempt) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def data(self, chunk: bytes) -> None:
        self._write(printable(self._decoder.decode(chunk)).encode() if self._terminal else chunk)

    def end(self, attempt: Attempt) -> None:
        """Nothing of ours is added."""


class Noting:
    """Says of a child that ran on another machine where that was, and how much of its log is here."""

    def __init__(self, sink: Sink, say: Callable[[str], None]) -> None:
        self._sink, self._say = sink, say

    def begin(self, attempt: Attempt) -> None:
        self._sink.begin(attempt)
        if attempt.elsewhere:
            self._say(attempt.elsewhere)

    def data(self, chunk: bytes) -> None:
        self._sink.data(chunk)

    def end(self, attempt: Attempt) -> None:
        self._sink.end(attempt)


class TextReader:
    """Reads the log of a CLI that is no longer configured: every line is text."""

    def feed(self, line: bytes) -> list[Event]:
        return [Text(line.decode("utf-8", "replace"))]

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        return []


def _finish(reader: Reader, attempt: Attempt) -> list[Event]:
    assert attempt.ended is not None
    try:
        return reader.finish(attempt.ended.outcome.exit_code, _stderr_end(attempt))
    except Exception:
        return []


def _stderr_end(attempt: Attempt) -> str:
    """The last lines of standard error, safe to show."""
    return printable("\n".join(tail(attempt.errors, _STDERR_TAIL_BYTES).splitlines()[-_STDERR_LINES:]))
