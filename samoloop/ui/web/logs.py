"""What a child did, as the lines that `log` shows, a bounded part of its log at a time."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup, escape

from samoloop.api.logs import LONGEST_LINE_BYTES, Attempt
from samoloop.api.settings import settings_of
from samoloop.base.files import open_plain, tail
from samoloop.base.values import frozen
from samoloop.core.events import Event, Text
from samoloop.core.session import Session
from samoloop.ui.terminal.endings import ended_line
from samoloop.ui.terminal.log_output import ByEvents, reader_for
from samoloop.ui.terminal.rendering import Line, Renderer, head_line
from samoloop.ui.web.words import terminal

PAGE_BYTES = 200_000  # of a log, on one page
TAIL_BYTES = 60_000  # of the log of a child at work
_TAIL_LINES = 60
_ERROR_BYTES = 20_000


@frozen
class Part:
    """Some lines of a log."""

    head: str  # which child
    lines: Sequence[Line]
    end: str  # how it ended; empty while it is at work
    page: int  # from 1
    pages: int
    errors: Markup  # what it wrote to standard error, or the end of that


def page_of(session: Session, attempt: Attempt, environ: Mapping[str, str], page: int) -> Part:
    """A page of a child's log, the first is 1. A line belongs to the page that it begins on."""
    size = _size(attempt.log)
    pages = max(-(-size // PAGE_BYTES), 1)
    page = min(max(page, 1), pages)
    start = (page - 1) * PAGE_BYTES
    lines = _lines(session, attempt, environ, start, min(start + PAGE_BYTES, size))
    errors = ending(attempt.errors, _ERROR_BYTES) if page == pages else Markup()
    return Part(head_line(attempt.started).text, lines, _end(attempt), page, pages, errors)


def end_of(session: Session, attempt: Attempt, environ: Mapping[str, str]) -> Part:
    """The last lines that a child wrote, at a cost that does not grow with its log."""
    size = _size(attempt.log)
    lines = _lines(session, attempt, environ, max(size - TAIL_BYTES, 0), size)[-_TAIL_LINES:]
    return Part(head_line(attempt.started).text, lines, _end(attempt), 1, 1, Markup())


def _end(attempt: Attempt) -> str:
    if attempt.ended:
        return ended_line(attempt.ended, time.time())
    return f"✗ interrupted: {attempt.interrupted}" if attempt.interrupted else ""


def ending(path: Path, most_bytes: int) -> Markup:
    """What a program wrote, or the end of it, and that it is the end."""
    size = _size(path)
    said = f"… the last {most_bytes:,} of {size:,} bytes:\n" if size > most_bytes else ""
    return escape(said) + terminal(tail(path, most_bytes))


def _size(path: Path) -> int:
    try:
        with open_plain(path) as file:
            return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return 0


class _Shown:
    """Keeps lines; an `EventSink`."""

    def begin(self, attempt: Attempt) -> None:
        self._renderer = Renderer()
        self.lines: list[Line] = []

    def events(self, events: list[Event]) -> None:
        self.lines += self._renderer.lines(events)

    def end(self, attempt: Attempt) -> None:
        """The page says how it ended."""


def _lines(session: Session, attempt: Attempt, environ: Mapping[str, str], start: int, end: int) -> list[Line]:
    """The lines that begin between two places of the log. What stands before them is read too and not shown: what a
    line means may hang on that.
    """
    shown = _Shown()
    read = ByEvents(reader_for(session, lambda: settings_of(session, environ), lambda said: None), shown, _left_out)
    read.begin(attempt)
    place, most = max(start - PAGE_BYTES, 0), end + LONGEST_LINE_BYTES
    data = _read(attempt, place, most)
    first, last = _line_from(data, start - place), _line_from(data, end - place)
    if start and first >= end - place:
        return Renderer().lines([Text("… in the midst of a long line")])
    read.data(data[_line_from(data, min(place, 1)) : first])
    shown.lines.clear()
    read.data(data[first:last])
    if len(data) == most - place:
        read.rest()  # the log goes on, with no end of a line so far: it is too long
    elif attempt.over and last == len(data):
        read.end(attempt)
    return shown.lines


def _line_from(data: bytes, place: int) -> int:
    """Where the first line begins at a place or after it; the end of the data where none does."""
    return (data.find(b"\n", place - 1) + 1 or len(data)) if place > 0 else 0


def _left_out(size_bytes: int) -> str:
    return "… a line of more than 1 MB is left out here; the download has it"


def _read(attempt: Attempt, start: int, end: int) -> bytes:
    try:
        with open_plain(attempt.log) as file:
            return os.pread(file.fileno(), end - start, start)
    except (OSError, ValueError):
        return b""
