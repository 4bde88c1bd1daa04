"""What `stats` prints for people: the sums, and a table for each way to divide them. Fits 80 columns."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

from samoloop.api.stats import DAMAGED, Row, Stats
from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line
from samoloop.config.projects import names_of
from samoloop.ui.terminal.live_block import cells, cut
from samoloop.ui.terminal.status_text import Tinted
from samoloop.ui.terminal.words import count, dollars, spending

_GAP = "  "
_COLUMNS = 79
_LEAST_NAME = 10  # columns of a group's name, where its numbers leave no more
_DAYS_SHOWN = 14
_ROWS_SHOWN = 10
_ORDER = ("done", "running", "ready", "limited", "waiting", "blocked", "failed", "stopped", "new", DAMAGED)
_WORDS = {"waiting": "waiting for people", "limited": "at a limit", DAMAGED: "damaged and left out"}


def stats_lines(stats: Stats) -> list[Tinted]:
    """The whole of `stats`."""
    if not stats.conditions:
        return [(f"{_span(stats)}: nothing", "plain")]
    lines: list[Tinted] = [(f"{_span(stats)}: {_sessions(stats)}", "strong")]
    lines += [(f"  {name:<11} {value}", "plain") for name, value in facts(stats)]
    if not stats.totals["sessions"]:
        return lines
    lines += _table("DAY", dict(list(stats.days.items())[-_DAYS_SHOWN:]), len(stats.days) - _DAYS_SHOWN, "earlier")
    for head, rows in (("WORKFLOW", stats.workflows), ("PHASE", stats.phases), ("PROJECT", by_name(stats.projects))):
        lines += _table(head, dict(list(rows.items())[:_ROWS_SHOWN]), len(rows) - _ROWS_SHOWN, "more")
    lines += _table("PROVIDER", stats.providers, 0, "", waits=False)
    return lines


def facts(stats: Stats) -> list[tuple[str, str]]:
    """The sums in words, each with its name; also for the page."""
    row = stats.totals
    tokens = f"{count(int(row['input_tokens']))} in, {count(int(row['output_tokens']))} out"
    found = [
        ("iterations", f"{row['iterations']:g}; {row['vetoes']:g} {'veto' if row['vetoes'] == 1 else 'vetoes'}"),
        ("cost", money(row)),
        ("tokens", tokens),
        ("work", f"{format_seconds(row['worked_seconds'])} of children at work"),
        (
            "waits",
            f"{format_seconds(row['waited_seconds'])} for people; {format_seconds(row['limited_seconds'])} at limits",
        ),
    ]
    if stats.waiting_now:
        sessions = f"{stats.waiting_now} session{'s' if stats.waiting_now > 1 else ''}"
        found.append(("waits now", f"{sessions}, up to now {format_seconds(stats.waiting_now_seconds)}"))
    if row["checks"]:
        found.append(("checks", f"{first_try(row)} passed when they were first tried"))
    return found


def money(row: Mapping[str, float]) -> str:
    """What was spent, as everywhere: what is unknown is said, what a subscription covers stands apart."""
    return spending(row["cost_usd"], row["virtual_usd"], int(row["unpriced"]))


def first_try(row: Mapping[str, float]) -> str:
    """`18 of 24 (75 %)`; empty where no check was tried."""
    checks, passed = row["checks"], row["checks_first_try"]
    return f"{passed:g} of {checks:g} ({100 * passed / checks:.0f} %)" if checks else ""


def _span(stats: Stats) -> str:
    if not stats.since:
        return "All sessions"
    days = (date.fromisoformat(stats.until) - date.fromisoformat(stats.since)).days + 1
    return f"{stats.since} to {stats.until} ({days} day{'s' if days > 1 else ''})"


def _sessions(stats: Stats) -> str:
    every = sum(stats.conditions.values())
    parts = [f"{stats.conditions[name]} {_WORDS.get(name, name)}" for name in _ORDER if stats.conditions[name]]
    return f"{every} session{'s' if every > 1 else ''}: {', '.join(parts)}"


def by_name(projects: Mapping[str, Row]) -> dict[str, Row]:
    """The rows of projects by what people read for each; also for the page."""
    names = names_of(map(Path, projects))
    return {names[Path(root)]: row for root, row in projects.items()}


def _table(head: str, rows: Mapping[str, Row], left: int, which: str, *, waits: bool = True) -> list[Tinted]:
    """One way to divide the sums; `left` rows are not shown."""
    if not rows:
        return []
    columns = [[head, *map(one_line, rows)]]
    for title, texts in _columns(list(rows.values()), waits=waits):
        width = max(map(len, (title, *texts)))
        columns.append([text.rjust(width) for text in (title, *texts)])
    room = max(_COLUMNS - sum(len(column[0]) + len(_GAP) for column in columns[1:]), _LEAST_NAME)
    names = [_fit(name, room) for name in columns[0]]
    width = max(map(cells, names))
    columns[0] = [name + " " * (width - cells(name)) for name in names]
    first, *others = (_GAP.join(line) for line in zip(*columns, strict=True))
    made: list[Tinted] = [("", "plain"), (first, "dim"), *((line, "plain") for line in others)]
    return [*made, (f"  and {left} {which}: --json gives all", "dim")] if left > 0 else made


def _columns(rows: Sequence[Row], *, waits: bool) -> Iterator[tuple[str, list[str]]]:
    """The columns of numbers that say something, each with its title."""
    for title, key in (("ITERATIONS", "iterations"), ("VETOES", "vetoes")):
        if any(row[key] for row in rows):
            yield title, [f"{row[key]:g}" for row in rows]
    yield "WORK", [format_seconds(row["worked_seconds"]) for row in rows]
    if waits and any(row["waited_seconds"] for row in rows):
        yield "WAITED", [format_seconds(row["waited_seconds"]) for row in rows]
    yield "COST", [spending(row["cost_usd"], 0, int(row["unpriced"])).removeprefix("cost ") for row in rows]
    if any(row["virtual_usd"] for row in rows):
        yield "VIRTUAL", [dollars(row["virtual_usd"]) for row in rows]


def _fit(text: str, columns: int) -> str:
    """The text, cut where it is too long; of a path its end."""
    short = text if cells(text) <= columns or "/" not in text else "…" + text[1 - columns :]
    return "".join(part for part, _ in cut([(short, "plain")], columns))
