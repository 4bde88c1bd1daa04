"""What happened in an iteration, as lines that a person reads: any provider's events, and how it ended."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from samoloop.durations import format_seconds
from samoloop.providers.base import Denied, Event, Failure, Reader, Result, Started, Text, Tool, Usage
from samoloop.signals import GateKind
from samoloop.terminal import clock_time, count, dollars, one_line, printable

_LONGEST_TEXT = 20_000  # characters of one message of a child
_LONGEST_LINE = 500
_SHOWN_DENIALS = 3
_WAITS: dict[str, str] = {
    GateKind.QA_ANSWERS: "waits for answers",
    GateKind.PLAN_APPROVAL: "waits for approval of the plan",
    GateKind.FILE_UPDATE: "waits for a file",
    GateKind.HUMAN_ACTION: "waits for you",
}


class Tone(StrEnum):
    """What a line is, so that a terminal can colour it."""

    HEAD = "head"
    TEXT = "text"
    TOOL = "tool"
    TROUBLE = "trouble"
    RESULT = "result"


@dataclass(frozen=True)
class Line:
    """One or more lines of text, without a last newline, that only show: no control characters."""

    tone: Tone
    text: str


class Renderer:
    """Turns the events of one child into lines; remembers what it has shown already."""

    def __init__(self) -> None:
        self._running: set[str] = set()  # tool calls that were shown when they began
        self._last_text = ""

    def lines(self, events: Iterable[Event]) -> list[Line]:
        return [line for event in events if (line := self._line(event))]

    def _line(self, event: Event) -> Line | None:
        match event:
            case Text(text):
                self._last_text = text.strip()
                return Line(Tone.TEXT, _message(text)) if text.strip() else None
            case Tool():
                return self._tool(event)
            case Denied(tool, detail):
                return Line(Tone.TROUBLE, one_line(f"⊘ permission denied: {tool} {detail}", _LONGEST_LINE))
            case Failure(trouble, message, fatal):
                lead = "✗" if fatal else "! passing"
                return Line(Tone.TROUBLE, one_line(f"{lead} {trouble}: {message}", _LONGEST_LINE))
            case Result(ok, text):
                return self._result(ok, text)
            case Started() | Usage():
                return None

    def _tool(self, tool: Tool) -> Line | None:
        called = f"▸ {tool.name or 'tool'} {tool.detail}"
        if tool.running:
            self._running.add(tool.id)
            return Line(Tone.TOOL, one_line(called, _LONGEST_LINE))
        known = tool.id in self._running
        self._running.discard(tool.id)
        if tool.ok:
            return None if known else Line(Tone.TOOL, one_line(called, _LONGEST_LINE))
        return Line(Tone.TROUBLE, one_line(f"✗ {tool.name or 'tool'} failed: {tool.detail}", _LONGEST_LINE))

    def _result(self, ok: bool, text: str) -> Line | None:
        """The CLI's last word; most repeat the last message, which is shown already."""
        if not ok:
            return Line(Tone.TROUBLE, _message(f"✗ the run failed: {text}"))
        return None if text.strip() in ("", self._last_text) else Line(Tone.RESULT, _message(f"= {text}"))


def read_line(reader: Reader, line: bytes) -> list[Event]:
    """The events of one line of a log. A line that a reader chokes on has none: a log must be readable to its end."""
    try:
        return reader.feed(line)
    except Exception:
        return []


def event_json(event: Event) -> dict[str, Any]:
    """An event for programs: its kind under `event`, its fields as `providers/base.py` names them, unknown left out."""
    fields = {key: value for key, value in asdict(event).items() if value is not None}
    return {"event": type(event).__name__.lower(), **fields}


def iteration_label(record: Mapping[str, Any]) -> str:
    """`003 planning`, `003.2 planning` for a second attempt; of a `started` or `ended` record."""
    attempt = f".{record['attempt']}" if record.get("attempt", 1) > 1 else ""
    return f"{record['iteration']:03d}{attempt} {record['phase']}"


def head_line(started: Mapping[str, Any]) -> Line:
    """Which child speaks: `── 003 planning · claude opus · 21 Nov 10:05`."""
    who = " ".join(word for word in (started.get("provider"), started.get("model")) if word)
    at = f"{datetime.fromisoformat(started['at']).astimezone():%d %b %H:%M}"
    return Line(Tone.HEAD, one_line(f"── {iteration_label(started)} · {who} · {at}", _LONGEST_LINE))


def ended_line(ended: Mapping[str, Any], now: float, width: int = 0) -> str:
    """How an iteration ended: `003 planning  12s  0.04 USD  → waits for approval`. `width` pads the label."""
    usage = ended.get("usage") or {}
    cost = dollars(usage.get("cost_usd"))
    if usage.get("cost_usd") is None and (tokens := tokens_so_far(usage)):
        cost = tokens
    seconds = format_seconds(ended["outcome"]["seconds"])
    return f"{one_line(iteration_label(ended)):<{width}}  {seconds:>7}  {cost}  → {one_line(follows(ended, now))}"


def follows(ended: Mapping[str, Any], now: float) -> str:
    """What follows from an iteration, as its `decision` says."""
    decision = ended["decision"]
    kind, phase, reason = decision["kind"], decision.get("phase") or ended["phase"], decision.get("reason") or ""
    later = decision.get("not_before")
    match kind:
        case "continue":
            return f"{phase} again" if phase == ended["phase"] else phase
        case "repair":
            return f"{phase} again, told: {reason}"
        case "retry" | "limited":
            when = f"again at {clock_time(later, now)}" if later and later > now else "again"
            return f"{when}: {reason}" if reason else when
        case "wait":
            words = _WAITS.get(decision.get("for") or "", "waits")
            return f"{words}: {reason}" if reason else words
        case "done":
            return f"done: {decision['summary']}" if decision.get("summary") else "done"
    return f"{kind}: {reason}" if reason else kind


def oddities(ended: Mapping[str, Any]) -> list[str]:
    """What a person should know of an iteration beside what follows from it: refused permissions, CLI errors."""
    outcome, decision = ended["outcome"], ended["decision"]
    denied = outcome.get("denied") or []
    found = [f"permission denied: {what}" for what in denied[:_SHOWN_DENIALS]]
    if len(denied) > _SHOWN_DENIALS:
        found.append(f"and {len(denied) - _SHOWN_DENIALS} more permissions denied")
    failure = outcome.get("failure")
    if failure and failure["message"] not in (decision.get("reason") or ""):
        found.append(f"the CLI reported {failure['trouble']}: {failure['message']}")
    if ended.get("left"):
        found.append(f"processes that could not be ended: {', '.join(map(str, ended['left']))}")
    return [one_line(sentence, _LONGEST_LINE) for sentence in found]


def tokens_so_far(usage: Mapping[str, Any]) -> str:
    """`12.3k in, 1.2k out`; empty where nothing is known."""
    known = [(usage.get("input_tokens"), "in"), (usage.get("output_tokens"), "out")]
    return ", ".join(f"{count(number)} {way}" for number, way in known if number is not None)


def _message(text: str) -> str:
    text = text.strip()
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}\n… and {len(text) - _LONGEST_TEXT} characters more"
    return printable(text)
