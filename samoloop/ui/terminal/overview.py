"""What `list` prints for people: who needs them first, a line a session, and why below it where there is no room.

On a terminal the name stands without its date where it is the only one. It is cut where there is no room, and never
what a session waits for. Made from what `list` gives as JSON.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from samoloop.base.printable import one_line
from samoloop.core.records import moment
from samoloop.core.session import undated
from samoloop.ui.terminal.live_block import cells, cut
from samoloop.ui.terminal.status_text import Tinted, tone, word
from samoloop.ui.terminal.words import age, resumes, spending, wrapped

_GAP = "  "
_BELOW = "    "  # before what stands under a session's line
_ROOM_BESIDE = 40  # columns that the reason needs beside the rest; with less it goes below
_LONGEST_WHY = 400
_TIMELESS = ("damaged", "ready", "new", "limited", "decided")  # words that no age goes with


def overview(
    rows: Sequence[Mapping[str, Any]], now: datetime, width: int | None, *, projects: bool = False
) -> list[Tinted]:
    """The whole of `list`, at most `width` columns wide; None is as wide as need be, a line a session."""
    head, found = blocks(rows, now, width, projects=projects)
    return [head, *(line for block in found for line in block)]


def blocks(
    rows: Sequence[Mapping[str, Any]], now: datetime, width: int | None, *, projects: bool = False
) -> tuple[Tinted, list[list[Tinted]]]:
    """The head line, and the lines of each session."""
    head = (*(("PROJECT",) if projects else ()), "SESSION", "STANDS", "PHASE", "COST")
    most = [*([10 if width and width < 120 else 24] * projects), _name_width(width), 99, 99, 99]
    names = Counter(undated(row["session"]) for row in rows if width is not None)
    table = [head, *(_fields(row, now, projects, names) for row in rows)]
    table = [tuple(_fit(field, room) for field, room in zip(line, most, strict=True)) for line in table]
    widths = [max(cells(line[column]) for line in table) for column in range(len(head))]
    lines = [_GAP.join(_padded(field, room) for field, room in zip(line, widths, strict=True)) for line in table]
    used = sum(widths) + len(_GAP) * len(widths)
    found = [_block(row, line, why(row, now), width, used) for row, line in zip(rows, lines[1:], strict=True)]
    return (_fit(lines[0].rstrip(), width - 1 if width else used), "dim"), found


def _block(row: Mapping[str, Any], line: str, why: str, width: int | None, used: int) -> list[Tinted]:
    """One session: its line, and where there is no room beside it, why below."""
    tone = tone_of(row)
    if width is None:
        return [(f"{line}{_GAP}{why}".rstrip(), tone)]
    if width - used >= _ROOM_BESIDE:
        first, *more = wrapped(why, width - used - 1)
        return [(f"{line}{_GAP}{first}".rstrip(), tone), *((" " * used + part, tone) for part in more)]
    below = wrapped(why, max(width - len(_BELOW) - 1, 1)) if why else ()
    return [(_fit(line.rstrip(), width - 1), tone), *((_BELOW + part, tone) for part in below)]


def _name_width(width: int | None) -> int:
    return 10_000 if width is None else max(width // 3 if width < 120 else width // 5, 12)


def _fields(row: Mapping[str, Any], now: datetime, projects: bool, names: Mapping[str, int]) -> tuple[str, ...]:
    short = undated(row["session"])
    name = short if names[short] == 1 else row["session"]
    where = (one_line(Path(row["root"]).name),) if projects else ()
    since = f" {long}" if (long := how_long(row, now)) else ""
    plan = f" {row['plan'][0]}/{row['plan'][1]}" if row["plan"] else ""
    phase = "" if row["condition"] in ("done", "damaged") else row["phase"]
    cost = spending(row["cost_usd"], row["virtual_usd"], row["unpriced"]) if row["iteration"] else ""
    return (*where, one_line(name), f"{stands(row)}{since}", one_line(f"{phase}{plan}"), cost)


def how_long(row: Mapping[str, Any], now: datetime) -> str:
    """How long it stands so; empty beside a word that no age goes with."""
    return age(moment(row["since"]), now) if row["since"] and stands(row) not in _TIMELESS else ""


def stands(row: Mapping[str, Any]) -> str:
    """How it stands, in a word: a worker that died or was suspended is not at work."""
    if row["archived"]:
        return "archived"
    if row["decided"]:
        return "decided"
    found = word(row, row["worker_alive"] or row["child_alive"], row["worker_suspended"])
    return {"waiting": "waits", "running": "works"}.get(found, found)


def tone_of(row: Mapping[str, Any]) -> str:
    found = stands(row)
    return {"interrupted": "bad", "suspended": "warn", "archived": "dim"}.get(found) or tone(row["condition"])


def why(row: Mapping[str, Any], now: datetime) -> str:
    """What it waits for, what it does, why it stands still, or how it ended."""
    if row["waits_for"]:
        why = f"waits for {row['waits_for']}"
    elif row["decided"]:
        nobody = "no machine" if row["machine"] else "no worker"
        why = row["decided"] + ("" if row["worker_alive"] else f"; {nobody} has taken it up yet")
    elif row["worker_suspended"]:
        why = "its worker is suspended; in its terminal: fg"
    elif row["not_before"]:
        why = f"{resumes(moment(row['not_before']).timestamp(), now.timestamp())}: {row['reason']}"
    elif row["condition"] in ("running", "ready", "new") and not row["worker_alive"]:
        why = f"the fleet's, last on {row['machine']}" if row["machine"] else "no worker is running"
    elif row["condition"] == "running":
        why = "; ".join(filter(None, (f"▸ {row['last_tool']}" if row.get("last_tool") else "", row["evidence"])))
    else:
        why = row["headline"] or row["reason"]
    return one_line(why, _LONGEST_WHY)


def _fit(text: str, columns: int) -> str:
    return "".join(part for part, _ in cut([(text, "plain")], columns))


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - cells(text))
