"""All sessions on one screen, for `watch`: what is drawn, as lines. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from samoloop.api.status import is_at_work
from samoloop.base.values import frozen
from samoloop.ui.terminal.live_block import Line, cells, cut
from samoloop.ui.terminal.overview import blocks

_MARK, _NO_MARK = "> ", "  "
_HEAD_FROM = 8  # rows of a screen that has room for the names of the columns
_KEYS = (
    "↑↓ choose  enter log  a answer  v show  s stop  r resume  q quit",
    "enter log  a answer  v show  s stop  q quit",
    "l log  a answer  s stop  q quit",
    "l a s r q",
)


@frozen
class Look:
    """Which session is chosen, the first one that is drawn, and a sentence in the place of the keys."""

    chosen: str = ""  # its folder
    place: int = 0  # where it stood in the list, for when it is gone
    top: int = 0
    said: str = ""
    tone: str = "dim"


def chosen(look: Look, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The session that is chosen; the one in its place where it is gone."""
    found = next((row for row in rows if row["folder"] == look.chosen), None)
    return found or (rows[min(look.place, len(rows) - 1)] if rows else None)


def moved(look: Look, rows: Sequence[Mapping[str, Any]], by: int) -> Look:
    """The choice, so many sessions further down."""
    row = chosen(look, rows)
    if row is None:
        return look
    place = min(max(rows.index(row) + by, 0), len(rows) - 1)
    return replace(look, chosen=rows[place]["folder"], place=place, said="")


def frame(
    rows: Sequence[Mapping[str, Any]], look: Look, now: datetime, columns: int, height: int
) -> tuple[list[Line], Look]:
    """The lines of a screen, exactly `height` of them, and the look with the list scrolled to the choice."""
    width = max(columns - len(_MARK), 1)
    head, found = blocks(rows, now, width, projects=len({row["root"] for row in rows}) > 1)
    row = chosen(look, rows)
    place = rows.index(row) if row else 0
    heads: list[Line] = [[]]
    if height >= _HEAD_FROM and rows:
        heads.append([(_NO_MARK + head[0], head[1])])
    room = max(height - len(heads) - 1, 0)
    top = min(look.top, place)
    while top < place and sum(map(len, found[top : place + 1])) > room:
        top += 1
    lines: list[Line] = []
    for number, block in enumerate(found[top:], top):
        for part, (text, tone) in enumerate(block):
            mark = _MARK if number == place and part == 0 else _NO_MARK
            lines.append([(mark, "strong"), (text, tone)])
    below = sum(1 for number in range(top, len(found)) if sum(map(len, found[top : number + 1])) > room)
    hidden = ", ".join(f"{arrow} {count}" for arrow, count in (("↑", top), ("↓", below)) if count)
    heads[0] = [(_counted(rows), "strong"), (f"   {hidden}" if hidden else "", "dim")]
    lines = lines[:room] + [[("", "plain")]] * (room - len(lines))
    keys = next((keys for keys in _KEYS if cells(keys) < columns), _KEYS[-1])
    drawn = [*heads, *lines, [(look.said or keys, look.tone if look.said else "dim")]]
    folder = str(row["folder"]) if row else ""
    return [cut(line, max(columns - 1, 1)) for line in drawn][-height:], replace(
        look, chosen=folder, place=place, top=top
    )


def _counted(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return 'no session yet: samoloop run "TASK"'
    needing = sum(row["needs_you"] for row in rows)
    working = sum(map(is_at_work, rows))
    rest = len(rows) - needing - working
    counts = [f"{needing} need{'s' * (needing == 1)} you", f"{working} at work", f"{rest} more"]
    return ", ".join(text for text, number in zip(counts, (1, 1, rest), strict=True) if number)
