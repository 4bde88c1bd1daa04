"""What a child does, as lines that a person reads: the events of any provider."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from samoloop.base.printable import cut_at, one_line, printable
from samoloop.base.values import frozen
from samoloop.core import records
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.providers.base import Reader
from samoloop.ui.terminal.endings import iteration_label

_LONGEST_TEXT = 20_000  # characters of one message of a child
_LONGEST_LINE = 500


class LineTone(StrEnum):
    """What a line is, so that a terminal can colour it."""

    HEAD = "head"
    TEXT = "text"
    TOOL = "tool"
    TROUBLE = "trouble"
    RESULT = "result"


@frozen
class Line:
    """One or more lines of text, without a last newline, that only show: no control characters."""

    tone: LineTone
    text: str


class Renderer:
    """Turns the events of one child into lines; remembers what it has shown already."""

    def __init__(self) -> None:
        self._running: set[str] = set()  # tool calls that were shown when they began
        self._last_text = ""
        self._last_failure = ""

    def lines(self, events: Iterable[Event]) -> list[Line]:
        return [line for event in events if (line := self._line(event))]

    def _line(self, event: Event) -> Line | None:
        match event:
            case Text(text):
                self._last_text = text.strip()
                return Line(LineTone.TEXT, _message(text)) if text.strip() else None
            case Tool():
                return self._tool(event)
            case Denied(tool, detail):
                return Line(LineTone.TROUBLE, one_line(f"⊘ permission denied: {tool} {detail}", _LONGEST_LINE))
            case Failure(trouble, message, fatal):
                self._last_failure = message.strip()
                kind = "" if trouble is Trouble.OTHER else f"{trouble.replace('_', ' ')}: "
                return Line(LineTone.TROUBLE, one_line(f"{'✗' if fatal else '!'} {kind}{message}", _LONGEST_LINE))
            case Result(ok, text):
                return self._result(ok, text)
            case Started() | Usage():
                return None

    def _tool(self, tool: Tool) -> Line | None:
        called = f"▸ {tool.name or 'tool'} {tool.detail}"
        if tool.running:
            self._running.add(tool.id)
            return Line(LineTone.TOOL, one_line(called, _LONGEST_LINE))
        known = tool.id in self._running
        self._running.discard(tool.id)
        if tool.ok:
            return None if known else Line(LineTone.TOOL, one_line(called, _LONGEST_LINE))
        failed = f"✗ {tool.name or 'tool'} failed" + (f": {tool.detail}" if tool.detail else "")
        return Line(LineTone.TROUBLE, one_line(failed, _LONGEST_LINE))

    def _result(self, ok: bool, text: str) -> Line | None:
        """The CLI's last word; most repeat the last message or failure, which is shown already."""
        text = text.strip()
        if not ok:
            said = text and text == self._last_failure
            return None if said else Line(LineTone.TROUBLE, _message(f"✗ the run failed: {text}".rstrip(": ")))
        return None if text in ("", self._last_text) else Line(LineTone.RESULT, _message(f"= {text}"))


def read_line(reader: Reader, line: bytes) -> list[Event]:
    """The events of one line of a log. A line that a reader chokes on has none: a log must be readable to its end."""
    try:
        return reader.feed(line)
    except Exception:
        return []


def event_json(event: Event) -> dict[str, Any]:
    """An event for programs: its kind under `event`, its fields as `providers/base.py` names them, unknown left out."""
    fields = {key: value for key, value in asdict(event).items() if value is not None}
    if fields.get("virtual") is False:  # as the journal keeps it
        del fields["virtual"]
    return {"event": type(event).__name__.lower(), **fields}


def head_line(started: records.Started) -> Line:
    """Which child speaks: `── 003 planning · claude opus · 21 Nov 10:05`."""
    who = " ".join(word for word in (started.provider, started.model) if word)
    at = f"{datetime.fromisoformat(started.at).astimezone():%d %b %H:%M}"
    return Line(LineTone.HEAD, one_line(f"── {iteration_label(started)} · {who} · {at}", _LONGEST_LINE))


def _message(text: str) -> str:
    return printable(cut_at(text.strip(), _LONGEST_TEXT))
