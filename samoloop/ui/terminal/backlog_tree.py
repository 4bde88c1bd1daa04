"""What `backlog` prints for people: a tree, each task below the last of those that it waits for; made from its JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from samoloop.base.printable import one_line
from samoloop.core.backlog import Standing
from samoloop.core.records import moment
from samoloop.ui.terminal.live_block import cells, cut
from samoloop.ui.terminal.status_text import Tinted
from samoloop.ui.terminal.words import clock_time, wrapped

_GAP = "  "
_BELOW = "    "
_ROOM_BESIDE = 34  # columns that the reason needs beside the rest; with less it goes below
_LONGEST_WHY = 500
_DEEPEST = 16  # columns of a tree; what lies deeper stands there too
_DONE_SHOWN = 5  # of those that are done, with all that waited for them
_ORDER = {str(standing): place for place, standing in enumerate(Standing)}
_TONES = {
    Standing.WAITS: "warn",
    Standing.WRONG: "bad",
    Standing.RUNS: "good",
    Standing.HELD: "warn",
    Standing.DONE: "dim",
}
Row = Mapping[str, Any]


def tree(rows: Sequence[Row], now: datetime, width: int | None) -> list[Tinted]:
    """All tasks of one project, at most `width` columns wide; None is as wide as need be, a line a task."""
    below = _below(rows)
    ranks = _ranks(rows, below)
    every = sorted(below[""], key=lambda row: ranks[row["name"]])
    over = [row for row in every if ranks[row["name"]][0] == _ORDER[Standing.DONE]]
    hidden = over[_DONE_SHOWN:] if width else []
    lines = list(_branches([row for row in every if row not in hidden], below, ranks))
    names = max((cells(text) for text, _ in lines), default=0)
    room = names if width is None else min(names, max(width // 2, 12))
    words = max((len(row["stands"]) for _, row in lines), default=0)
    found = [part for text, row in lines for part in _line(_fit(text, room), row, now, width, words)]
    many = len(list(_branches(hidden, below, ranks)))
    return [*found, *([(f"and {many} more that are done: samoloop backlog --json", "dim")] if many else [])]


def _below(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """By the name of a task the tasks that stand below it; by the empty name those that stand below none."""
    places = {row["name"]: place for place, row in enumerate(rows)}
    found: dict[str, list[Row]] = {"": []}
    for row in rows:
        above = [name for name in row["after"] if places.get(name, len(rows)) < places[row["name"]]]
        found.setdefault(max(above, key=lambda name: places[name], default=""), []).append(row)
    return found


def _ranks(rows: Sequence[Row], below: Mapping[str, list[Row]]) -> dict[str, tuple[int, int, str]]:
    """What needs a person most, in a task or below it, comes first. Rows stand after those that they wait for."""
    found: dict[str, tuple[int, int, str]] = {}
    for row in reversed(rows):
        inner = [found[one["name"]][0] for one in below.get(row["name"], ())]
        found[row["name"]] = (min([_ORDER[row["stands"]], *inner]), -row["priority"], row["name"])
    return found


def _branches(
    roots: Sequence[Row], below: Mapping[str, list[Row]], ranks: Mapping[str, tuple[int, int, str]]
) -> Iterator[tuple[str, Row]]:
    """Each task with its name after the lines of the tree that lead to it; a backlog may be one long chain."""
    left = [("", "", row) for row in reversed(roots)]
    while left:
        before, on, row = left.pop()
        yield f"{before}{one_line(row['name'])}", row
        inner = sorted(below.get(row["name"], ()), key=lambda one: ranks[one["name"]])
        deep = len(on) >= _DEEPEST
        for place, one in reversed(list(enumerate(inner))):
            last = place == len(inner) - 1
            lead, then = ("└ ", "  ") if last else ("├ ", "│ ")
            left.append((on[:-2] + lead if deep else on + lead, on if deep else on + then, one))


def _line(name: str, row: Row, now: datetime, width: int | None, words: int) -> Iterator[Tinted]:
    tone = _TONES.get(Standing(row["stands"]), "plain")
    start = f"{name}{_GAP}{row['stands']:<{words}}"
    why = one_line(reason(row, now), _LONGEST_WHY)
    used = cells(start) + len(_GAP)
    if width is None:
        yield f"{start}{_GAP}{why}".rstrip(), tone
    elif width - used >= min(_ROOM_BESIDE, cells(why)):
        first, *more = (_cut(part, width - used) for part in wrapped(why, width - used - 1))
        yield f"{start}{_GAP}{first}".rstrip(), tone
        yield from ((" " * used + part, tone) for part in more)
    else:
        yield start.rstrip(), tone
        room = max(width - len(_BELOW) - 1, 1)
        yield from ((_BELOW + _cut(part, room), tone) for part in wrapped(why, room))


def reason(row: Row, now: datetime) -> str:
    """Why a task stands so, and whom it holds up."""
    parts = [row["why"].replace("\n", "; ")]
    if row["at"] and row["stands"] in (Standing.LATER, Standing.LIMITED):
        parts.append(clock_time(moment(row["at"]).timestamp(), now.timestamp()))
    if row["stands"] == Standing.READY and row["priority"]:
        parts.append(f"priority {row['priority']}")
    if row["machine"]:
        parts.append(f"on {row['machine']}, of the fleet")
    elif row["fleet"] and not row["session"]:
        parts.append("for the fleet" + (f", a machine with {', '.join(row['needs'])}" if row["needs"] else ""))
    if row["holds"]:
        parts.append(f"holds {', '.join(row['holds'])}")
    if row["edited"]:
        parts.append("its text was changed since, and its session keeps the one that it was given")
    return "; ".join(part for part in parts if part)


def _fit(text: str, columns: int) -> str:
    found = _cut(text, columns)
    return found + " " * (columns - cells(found))


def _cut(text: str, columns: int) -> str:
    return "".join(part for part, _ in cut([(text, "plain")], columns))


def heading(root: str) -> Tinted:
    """Above the tasks of one project, where there are several."""
    return one_line(f"{Path(root).name}  {root}"), "head"
