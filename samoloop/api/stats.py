"""What sessions cost, and where their time went: sums over the sessions of projects, by day, workflow, phase, provider.

`docs/history.md` says what each number counts. A session is read again only when its journal has changed.
"""

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, TypeVar

from samoloop.api import sessions
from samoloop.api.cache import Cache, CacheError
from samoloop.api.figures import KEYS, TIMES, Entry, Figures, figures
from samoloop.base.errors import UsageError, shown
from samoloop.base.files import Stamp, real, stamp
from samoloop.base.places import state_folder
from samoloop.config.projects import sessions_of
from samoloop.core.session import Session

Found = TypeVar("Found")
DAMAGED = "damaged"
_VERSION = 1  # of what `figures` finds: another one reads every session again
_SCHEMA = ("CREATE TABLE known (folder TEXT PRIMARY KEY, stamp TEXT, figures TEXT)",)
_MIDNIGHTS = 4000  # that one stretch of time may cross: ten years

Row = dict[str, float]  # the numbers of `KEYS`, and how many sessions had a part in them


class Rows(dict[str, Row]):
    """Sums by name, each from nothing."""

    def __missing__(self, name: str) -> Row:
        self[name] = _row()
        return self[name]


@dataclass
class Stats:
    """Sums. A group is by name; days are local ones, as `2026-11-29`."""

    since: str  # the first day; empty for all that there is
    until: str  # today
    totals: Row = field(default_factory=lambda: _row())
    conditions: Counter[str] = field(default_factory=Counter)  # how the sessions stand now
    waiting_now: int = 0  # sessions
    waiting_now_seconds: float = 0.0  # that these wait already, in no other sum
    days: Rows = field(default_factory=Rows)
    workflows: Rows = field(default_factory=Rows)
    phases: Rows = field(default_factory=Rows)
    providers: Rows = field(default_factory=Rows)  # without the times in which no child worked
    projects: Rows = field(default_factory=Rows)  # by the path of the root

    def to_json(self) -> dict[str, Any]:
        """As `samoloop stats --json` gives it. The keys stay; more may come."""
        groups = {name: getattr(self, name) for name in ("days", "workflows", "phases", "providers", "projects")}
        return {
            "since": self.since or None,
            "until": self.until,
            "sessions": dict(sorted(self.conditions.items())),
            "waiting_now": {"sessions": self.waiting_now, "seconds": round(self.waiting_now_seconds, 3)},
            "totals": _rounded(self.totals),
            **{name: [{"name": key, **_rounded(row)} for key, row in rows.items()] for name, rows in groups.items()},
        }


def stats(environ: Mapping[str, str], roots: Sequence[Path], days: int | None, now: float, zone: tzinfo) -> Stats:
    """The sums over the sessions of these projects, of the last `days`, today included (None: of all time)."""
    return gather(environ, roots, lambda known: summed(known, days, now, zone))


def chosen(environ: Mapping[str, str], here: Path | None, project: str | None) -> list[Path]:
    """The roots of the projects that are meant: all that are registered and the one at hand, or those called so.

    `project` is the name of a project's folder, or its path. Raises UsageError where there is none.
    """
    every = sessions.roots(environ, here)
    if project is None:
        return every
    found = [root for root in every if root.name == project] or [root for root in every if _is_at(root, project)]
    if not found:
        there = ", ".join(map(str, every)) or "none yet"
        raise UsageError(f"there is no project {shown(project)}; there are: {there}")
    return found


def _is_at(root: Path, path: str) -> bool:
    with suppress(ValueError, RuntimeError):  # what is no path, or of a person that is none
        return real(root) == real(Path(path).expanduser())
    return False


def gather(
    environ: Mapping[str, str], roots: Iterable[Path], use: Callable[[Iterator[Figures | None]], Found]
) -> Found:
    """What `use` makes of every session's figures: those that were worked out before, and those of journals that have
    changed; None for a journal that cannot be understood. They come one by one: of a year's sessions they are much.
    """
    present = {str(session.dir): session for root in roots for session in sessions_of(root, environ)}
    cache = Cache(state_folder(environ) / "stats.db", _VERSION, _SCHEMA)
    before: dict[str, str] = {}
    with suppress(CacheError):  # it is a cache: without it this takes longer
        before = cache.use(lambda db: dict(db.execute("SELECT folder, stamp FROM known")))
    now = {folder: json.dumps(_stamp(session)) for folder, session in present.items()}
    fresh = {folder: _worked_out(present[folder]) for folder, at in now.items() if before.get(folder) != at}
    gone = [folder for folder in before.keys() - present.keys() if not Path(folder).exists()]
    if fresh or gone:
        rows = [(folder, now[folder], text) for folder, text in fresh.items()]
        with suppress(CacheError):
            cache.use(lambda db: _write(db, rows, gone), writes=True)

    def every(db: sqlite3.Connection | None) -> Iterator[Figures | None]:
        for folder, session in present.items():
            row = (fresh[folder],) if folder in fresh else _row_of(db, folder) if db else None
            text = row[0] if row else _worked_out(session)
            yield Figures.from_json(json.loads(text)) if text else None

    try:
        return cache.use(lambda db: use(every(db)))
    except CacheError:
        return use(every(None))


def _row_of(db: sqlite3.Connection, folder: str) -> tuple[str] | None:
    row: tuple[str] | None = db.execute("SELECT figures FROM known WHERE folder = ?", (folder,)).fetchone()
    return row


def _write(db: sqlite3.Connection, rows: Iterable[tuple[str, str, str]], gone: Iterable[str]) -> None:
    db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", rows)
    db.executemany("DELETE FROM known WHERE folder = ?", [(folder,) for folder in gone])


def _stamp(session: Session) -> Stamp:
    with suppress(Exception):
        return stamp(session.journal.path)
    return None


def _worked_out(session: Session) -> str:
    """The figures as JSON; empty for a session that is damaged."""
    try:
        return json.dumps(figures(session.journal.read()).to_json(), separators=(",", ":"))
    except Exception:  # one journal, whatever is wrong with it, is no reason to show nothing of the others
        return ""
    finally:
        session.forget()  # its records; there may be thousands of sessions


def summed(known: Iterable[Figures | None], days: int | None, now: float, zone: tzinfo) -> Stats:
    """The sums, of the last `days`, today included. Pure.

    A stretch of time is divided at the midnights of `zone`; all else belongs to the day of its moment. A session
    counts where something of it was recorded in that time.
    """
    today = datetime.fromtimestamp(now, zone).date()
    first = today - timedelta(days=days - 1) if days is not None else None
    result = Stats(since=first.isoformat() if first else "", until=today.isoformat())
    clock = _Days(zone, first)
    for one in known:
        if one is None:
            result.conditions[DAMAGED] += 1
            continue
        if clock.of(one.updated) is None:
            continue
        result.conditions[one.condition] += 1
        if one.waits_since is not None:
            result.waiting_now += 1
            result.waiting_now_seconds += max(now - one.waits_since, 0.0)
        _add(result, one, clock)
    result.days = Rows(sorted(result.days.items()))
    for name in ("workflows", "phases", "providers", "projects"):
        rows: Rows = getattr(result, name)
        setattr(result, name, Rows(sorted(rows.items(), key=lambda item: (-item[1]["iterations"], item[0]))))
    return result


def _add(result: Stats, one: Figures, clock: "_Days") -> None:
    touched: dict[int, Row] = {id(result.totals): result.totals}
    for entry in one.entries:
        for day, counts in clock.parts(entry):
            rows = [
                result.totals,
                result.days[day],
                result.workflows[one.workflow],
                result.phases[entry.phase],
                result.projects[one.root],
            ]
            if entry.provider:
                rows.append(result.providers[entry.provider])
            for row in rows:
                for key, value in counts.items():
                    row[key] += value
            touched |= {id(row): row for row in rows}
    for row in touched.values():
        row["sessions"] += 1


class _Days:
    """Which local day a moment belongs to, and whether that is looked at."""

    def __init__(self, zone: tzinfo, first: date | None) -> None:
        self._zone = zone
        self._first = first
        self._known: dict[int, tuple[str, float]] = {}  # by quarter of an hour: its day, and when that began

    def of(self, at: float) -> str | None:
        """The day; None for one before those that are looked at, and for what is no time."""
        return self._day(at)[0] or None

    def _day(self, at: float) -> tuple[str, float]:
        quarter = int(at // 900)  # no zone's day begins within one
        if quarter not in self._known:
            try:
                day = datetime.fromtimestamp(at, self._zone).date()
                began = datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()
            except (ValueError, OverflowError, OSError):
                return "", -math.inf
            is_seen = self._first is None or day >= self._first
            self._known[quarter] = day.isoformat() if is_seen else "", began
        return self._known[quarter]

    def parts(self, entry: Entry) -> Iterator[tuple[str, Mapping[str, float]]]:
        """What an entry is for each day."""
        seconds = max((entry.counts.get(key, 0.0) for key in TIMES), default=0.0)
        day, began = self._day(entry.at)
        if entry.at - seconds >= began:
            if day:
                yield day, entry.counts
            return
        rest = {key: value for key, value in entry.counts.items() if key not in TIMES}
        if day and rest:
            yield day, rest
        key = next(key for key in TIMES if entry.counts.get(key))
        yield from ((day, {key: part}) for day, part in self._stretch(entry.at - seconds, entry.at) if day)

    def _stretch(self, start: float, end: float) -> Iterator[tuple[str, float]]:
        """The parts of a stretch of time, the last one first."""
        for _ in range(_MIDNIGHTS):
            day, began = self._day(end) if end > start else ("", start)
            if end <= start or not day:
                return
            yield day, end - max(began, start)
            end = began - 1e-6


def _row() -> Row:
    return {"sessions": 0, **dict.fromkeys(KEYS, 0)}


def _rounded(row: Row) -> Row:
    """Sums of money and time without what adding them up leaves at their end."""
    return {key: round(value, 6) for key, value in row.items()}
