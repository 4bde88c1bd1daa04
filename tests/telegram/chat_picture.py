"""Draws a chat that the tests recorded as an SVG, for the README: the real messages, in the order a person saw them."""

import html
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chat_text import is_status

WIDTH, MARGIN, PAD, LINE = 460, 16, 12, 18
BUBBLE = 380
CHARACTERS = 52  # of a bubble's line, on average
MOST_LINES = 24
MARKS = ("✅", "✏️", "🛑")  # begin the line that says how a gate was closed
SKIN = {
    "bot": "#ffffff",
    "person": "#e1fec6",
    "button": "#e9f0f7",
    "tapped": "#bcdcf5",
    "back": "#d6e4ee",
    "note": "#2f7a35",
    "head": "#24608f",
}


@dataclass
class Bubble:
    """One message as it looked when it came, and what became of it."""

    lines: list[str]
    mine: bool = False
    rows: list[list[str]] = field(default_factory=list)
    tapped: str = ""
    became: list[str] = field(default_factory=list)


def bubbles(log: list[dict[str, Any]]) -> Iterator[Bubble]:
    """What is worth showing: no status message, no edit that repeats another."""
    shown: dict[int, Bubble] = {}
    for entry in log:
        known = shown.get(entry.get("id", 0))
        if entry["what"] == "send" and not is_status(entry):
            words = f"📎 {entry['file']}\n{entry['text']}" if entry["file"] else entry["text"]
            bubble = Bubble(_wrapped(words), entry["from"] != "samoloop", entry["buttons"])
            shown[entry["id"]] = bubble
        elif entry["what"] == "tap" and known:
            known.tapped = entry["text"]
        elif entry["what"] == "edit" and known and not entry["buttons"]:
            said = entry["text"].splitlines()
            marked = min((number for number, line in enumerate(said) if line.startswith(MARKS)), default=len(said))
            known.became = _wrapped("\n".join(["", *said[marked:]]))
    yield from shown.values()


def _wrapped(text: str) -> list[str]:
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, CHARACTERS) or [""]]
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 4], "…", *lines[-2:]]


def draw(log: list[dict[str, Any]]) -> str:
    """The whole picture."""
    parts: list[str] = []
    y = MARGIN
    for bubble in bubbles(log):
        drawn, height = _draw_bubble(bubble, y)
        parts.append(drawn)
        y += height + 10
    size = f'width="{WIDTH}" height="{y + MARGIN}" viewBox="0 0 {WIDTH} {y + MARGIN}"'
    font = 'font-family="system-ui, Segoe UI, Helvetica, DejaVu Sans, sans-serif" font-size="13" fill="#1b1b1b"'
    back = f'<rect width="100%" height="100%" rx="14" fill="{SKIN["back"]}"/>'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>'
    return "\n".join([start, back, *parts, "</svg>"]) + "\n"


def _draw_bubble(bubble: Bubble, y: int) -> tuple[str, int]:
    lines = [(line, "") for line in bubble.lines] + [(line, SKIN["note"]) for line in bubble.became]
    if not bubble.mine:
        lines[0] = lines[0][0], SKIN["head"]
    height = len(lines) * LINE + PAD * 2 - 6
    longest = max(len(line) for line, _ in lines)
    width = BUBBLE if not bubble.mine else min(BUBBLE, longest * 8 + PAD * 2)
    x = WIDTH - MARGIN - width if bubble.mine else MARGIN
    parts = [_box(x, y, width, height, SKIN["person" if bubble.mine else "bot"])]
    for number, (line, colour) in enumerate(lines):
        parts.append(_text(x + PAD, y + PAD + 10 + number * LINE, line, colour))
    for row in bubble.rows:
        parts += _draw_row(row, bubble.tapped, x, y + height + 4, width)
        height += 32
    return "\n".join(parts), height


def _draw_row(row: list[str], tapped: str, x: int, y: int, width: int) -> Iterator[str]:
    each = (width - 4 * (len(row) - 1)) // len(row)
    for number, label in enumerate(row):
        left = x + number * (each + 4)
        yield _box(left, y, each, 28, SKIN["tapped" if label == tapped else "button"])
        yield f'<text x="{left + each // 2}" y="{y + 19}" text-anchor="middle">{html.escape(label)}</text>'


def _box(x: int, y: int, width: int, height: int, fill: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="10" fill="{fill}"/>'


def _text(x: int, y: int, line: str, colour: str) -> str:
    style = f' fill="{colour}" font-weight="600"' if colour else ""
    return f'<text x="{x}" y="{y}"{style} xml:space="preserve">{html.escape(line)}</text>'
