"""What earlier sessions of the same shape took, by their journals: of this project, else of all registered ones."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from samoloop.base.durations import format_seconds
from samoloop.base.values import frozen
from samoloop.config import projects
from samoloop.config.project import sessions_folder
from samoloop.core.session import sound_sessions
from samoloop.core.state import Condition, Totals
from samoloop.core.workflow import Workflow

_MOST = 50  # of a project, the newest: a journal is read whole


@frozen
class Spread:
    """A number over several sessions."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread | None":
        return cls(median(numbers), min(numbers), max(numbers)) if numbers else None


@frozen
class Earlier:
    """What finished sessions with the same workflow, to the same last phase, took."""

    sessions: int
    of: str  # "this project" or "all projects"
    iterations: Spread
    seconds: Spread  # of work; waiting does not count
    cost_usd: Spread | None  # in money, of those sessions whose cost is known; None: of none
    virtual_usd: Spread | None  # what a subscription covered; None: nothing

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def earlier(workflow: Workflow, sessions: Path, environ: Mapping[str, str]) -> Earlier | None:
    """None where there is no earlier session."""
    if found := _finished(workflow, [sessions]):
        return _spread(found, "this project")
    others = (sessions_folder(root, environ) for root in projects.registered(environ))
    found = _finished(workflow, (folder for folder in others if folder != sessions))
    return _spread(found, "all projects") if found else None


def in_words(found: Earlier | None, workflow: str) -> str:
    """For a person."""
    if found is None:
        return "no earlier session of this shape"
    plural = "" if found.sessions == 1 else "s"
    parts = [
        _words(found.iterations, lambda number: f"{number:g}") + " iterations",
        _words(found.seconds, format_seconds) + " of work",
        "cost unknown" if found.cost_usd is None else _words(found.cost_usd, _sum) + " USD",
        _words(found.virtual_usd, _sum) + " USD virtual" if found.virtual_usd else "",
    ]
    if found.virtual_usd and found.cost_usd and not found.cost_usd.high:
        del parts[2]  # nobody paid anything
    took = ", ".join(filter(None, parts))
    middle = ", in the middle" if found.sessions > 1 else ""
    return f"{found.sessions} {workflow} session{plural} of {found.of} took{middle}: {took}"


def _finished(workflow: Workflow, folders: Iterable[Path]) -> list[Totals]:
    found = []
    for folder in folders:
        for session in islice(sound_sessions(folder), _MOST):
            state = session.state()
            lived = state.live_workflow
            if state.condition is Condition.DONE and (lived.name, lived.last) == (workflow.name, workflow.last):
                found.append(state.totals)
    return found


def _spread(found: Sequence[Totals], of: str) -> Earlier:
    iterations, seconds = (
        Spread.of([float(getattr(totals, name)) for totals in found]) for name in ("iterations", "seconds")
    )
    assert iterations and seconds
    known = Spread.of([totals.cost_usd for totals in found if not totals.unpriced])
    virtual = Spread.of([totals.virtual_usd for totals in found if totals.virtual_usd])
    return Earlier(len(found), of, iterations, seconds, known, virtual)


def _words(spread: Spread, write: Callable[[float], str]) -> str:
    middle, low, high = map(write, (spread.median, spread.low, spread.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def _sum(usd: float) -> str:
    return f"{usd:.2f}"
