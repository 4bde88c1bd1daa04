"""What a child did, as the lines that `log` shows, a bounded part of its log at a time."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from samoloop.api.logs import LONGEST_LINE_BYTES, Attempt, Lines, reader_of
from samoloop.api.settings import settings_of
from samoloop.base.errors import SamoloopError
from samoloop.base.files import open_plain, tail
from samoloop.core.events import Event, Text
from samoloop.core.session import Session
from samoloop.providers.base import Reader
from samoloop.ui.terminal.endings import ended_line
from samoloop.ui.terminal.log_output import TextReader
from samoloop.ui.terminal.rendering import Line, Renderer, head_line, read_line
from samoloop.ui.web.words import terminal

PAGE_BYTES = 200_000  # of a log, on one page
TAIL_BYTES = 60_000  # of the log of a child at work
_TAIL_LINES = 60
_ERROR_BYTES = 20_000


@dataclass(frozen=True)
class Part:
    """Some lines of a log."""

    head: str  # which child
    lines: Sequence[Line]
    end: str  # how it ended; empty while it is at work
    page: int  # from 1
    pages: int
    errors: Markup  # the end of what it wrote to standard error


def page_of(session: Session, attempt: Attempt, environ: Mapping[str, str], page: int) -> Part:
    """A page of a child's log, the first is 1. A line belongs to the page that it begins on."""
    size = _size(attempt)
    pages = max(-(-size // PAGE_BYTES), 1)
    page = min(max(page, 1), pages)
    start = (page - 1) * PAGE_BYTES
    lines = _lines(session, attempt, environ, start, min(start + PAGE_BYTES, size))
    errors = terminal(tail(attempt.errors, _ERROR_BYTES)) if page == pages else Markup()
    return Part(head_line(attempt.started).text, lines, _end(attempt), page, pages, errors)


def end_of(session: Session, attempt: Attempt, environ: Mapping[str, str]) -> Part:
    """The last lines that a child wrote, at a cost that does not grow with its log."""
    size = _size(attempt)
    lines = _lines(session, attempt, environ, max(size - TAIL_BYTES, 0), size)[-_TAIL_LINES:]
    return Part(head_line(attempt.started).text, lines, _end(attempt), 1, 1, Markup())


def _end(attempt: Attempt) -> str:
    if attempt.ended:
        return ended_line(attempt.ended, time.time())
    return f"✗ interrupted: {attempt.interrupted}" if attempt.interrupted else ""


def _size(attempt: Attempt) -> int:
    try:
        with open_plain(attempt.log) as file:
            return os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return 0


def _lines(session: Session, attempt: Attempt, environ: Mapping[str, str], start: int, end: int) -> list[Line]:
    """The lines that begin between two places of the log."""
    reader, renderer, lines = _reader(session, attempt, environ), Renderer(), Lines()
    place = max(start - 1, 0)  # a line begins behind a newline
    data = _read(attempt, place, end + LONGEST_LINE_BYTES)
    first = data.find(b"\n", 0, end - place - 1) + 1 if start else 0
    if start and not first:
        return renderer.lines([Text("… in the midst of a long line")])
    last = data.find(b"\n", max(end - place - 1, 0)) + 1
    fed = [*lines.feed(data[first : last or None])]
    if attempt.over or len(data) > LONGEST_LINE_BYTES:
        fed += lines.rest()
    return renderer.lines(event for line in fed for event in _events(reader, line))


def _events(reader: Reader, line: bytes | int) -> list[Event]:
    if isinstance(line, int):
        return [Text("… a line of more than 1 MB is left out here; the download has it")]
    return read_line(reader, line)


def _read(attempt: Attempt, start: int, end: int) -> bytes:
    try:
        with open_plain(attempt.log) as file:
            return os.pread(file.fileno(), end - start, start)
    except (OSError, ValueError):
        return b""


def _reader(session: Session, attempt: Attempt, environ: Mapping[str, str]) -> Reader:
    """That of its CLI; where it is not configured any more, its output is shown as it stands."""
    try:
        return reader_of(session, attempt.started, attempt.stem, settings_of(session, environ))
    except SamoloopError:
        return TextReader()
