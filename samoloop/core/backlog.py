"""The backlog: tasks that wait for a session of their own, and how each stands. Values and pure rules.

What a task says is in its file, what became of it in the sessions that were made from it: nothing is stored twice, so
how it stands is worked out anew by each look.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from datetime import tzinfo
from enum import StrEnum
from typing import Any

from samoloop.base.nearest import named
from samoloop.base.values import frozen
from samoloop.core import schedule
from samoloop.core.decision import Condition


@frozen
class Task:
    """One file of the backlog."""

    name: str
    text: str  # what is to be done, word for word
    after: tuple[str, ...] = ()  # names of tasks, or of sessions of this project
    workflow: str | None = None
    provider: str | None = None
    base: str | None = None
    priority: int = 0  # the higher, the sooner
    at: float | None = None  # epoch seconds; not before
    every: str = ""  # a schedule; a session for each of its times
    finish: str | None = None
    ceilings: Mapping[str, Any] = field(default_factory=dict)
    hold: bool = False
    fleet: bool = False  # machines of the fleet work on it
    needs: tuple[str, ...] = ()  # what a machine of the fleet must have
    written: float = 0.0  # epoch seconds: when the file was


@frozen
class Run:
    """A session, as far as a task depends on it."""

    session: str
    condition: Condition
    over: bool = False  # done, and its worker has nothing more to write
    due: float = 0.0  # the time of a schedule that it was for
    text_sha256: str = ""  # of its task
    why: str = ""  # why it rests
    not_before: float | None = None


class Standing(StrEnum):
    """What a task waits for; in the order in which a list shows them."""

    WAITS = "waits"  # for a person
    WRONG = "wrong"  # its file cannot be used
    RUNS = "runs"
    READY = "ready"
    LIMITED = "limited"  # until a provider's limit is over
    AFTER = "after"  # another one
    LATER = "later"  # a time
    HELD = "held"  # by a person, or by one before it that does not go on
    DONE = "done"


@frozen
class Stands:
    """How a task stands."""

    name: str
    standing: Standing
    why: str = ""  # a clause
    task: Task | None = None  # None where its file cannot be used
    run: Run | None = None  # its session; of several the one that counts
    at: float | None = None  # epoch seconds: when it goes on by itself, or the time of a schedule that is due
    holds: tuple[str, ...] = ()  # those that wait for it, where it does not go on by itself
    machine: str = ""  # of the fleet, the one that worked on it last


def counts(runs: Iterable[Run]) -> Run | None:
    """Of the sessions of a task, the newest last, the one that counts: of a schedule's last time, and of those one that
    is done, as a second attempt may be.
    """
    found = list(runs)
    latest = max((run.due for run in found), default=0.0)
    found = [run for run in found if run.due == latest]
    return next((run for run in reversed(found) if run.over), found[-1] if found else None)


def cycles(tasks: Mapping[str, Task]) -> dict[str, tuple[str, ...]]:
    """For each task that waits for itself the way around: `a`, `b`, `a`."""
    from graphlib import CycleError, TopologicalSorter

    graph = {name: [other for other in task.after if other in tasks] for name, task in tasks.items()}
    found: dict[str, tuple[str, ...]] = {}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            around = tuple(error.args[1])[::-1]  # each waits for the next
            for name in around[:-1]:
                place = around.index(name)
                found[name] = (*around[place:-1], *around[: place + 1])
                graph[name] = []
            continue
        return found


def in_order(tasks: Mapping[str, Task]) -> list[str]:
    """The names, each after those that it waits for; of tasks without cycles."""
    from graphlib import TopologicalSorter

    graph = {name: [other for other in task.after if other in tasks] for name, task in tasks.items()}
    return list(TopologicalSorter(graph).static_order())


def stand(
    tasks: Mapping[str, Task],
    faults: Mapping[str, str],
    runs: Mapping[str, Run],
    sessions: Callable[[str], Run | str],
    now: float,
    zone: tzinfo,
) -> list[Stands]:
    """How each task stands at `now` (epoch seconds), each after those that it waits for.

    `faults` are the files that cannot be used, with what is wrong; `runs` the session of a task that counts; `sessions`
    finds a session that a task names and that no task is called like, or says why there is none.
    """
    faults = dict(faults)
    for name, around in cycles({name: task for name, task in tasks.items() if name not in faults}).items():
        faults[name] = f"it waits for itself: {' → '.join(around)}"
    found: dict[str, Stands] = {name: Stands(name, Standing.WRONG, why) for name, why in faults.items()}
    sound = {name: task for name, task in tasks.items() if name not in faults}
    for name in in_order(sound):
        found[name] = _one(sound[name], runs.get(name), found, sessions, now, zone)
    return _holding(found, tasks)


def _one(
    task: Task,
    run: Run | None,
    before: Mapping[str, Stands],
    sessions: Callable[[str], Run | str],
    now: float,
    zone: tzinfo,
) -> Stands:
    stands = Stands(task.name, Standing.READY, task=task, run=run)
    if run and not (task.every and (run.over or run.condition is Condition.STOPPED)):
        standing, why = of_run(run)
        return replace(stands, standing=standing, why=why, at=run.not_before)
    if task.hold:
        return replace(stands, standing=Standing.HELD, why="held by you")
    waits = [_before(name, before, sessions) for name in task.after]
    for standing, between in ((Standing.WRONG, "; "), (Standing.HELD, "; "), (Standing.AFTER, ", ")):
        if whys := [why for found, why in waits if found is standing]:
            return replace(stands, standing=standing, why=between.join(whys))
    if task.at is not None and task.at > now:
        return replace(stands, standing=Standing.LATER, at=task.at)
    if task.every:
        since = max(run.due if run else 0.0, task.written if run is None else 0.0, task.at or 0.0)
        due = schedule.last_due(task.every, since, now, zone)
        if due is None:
            return replace(stands, standing=Standing.LATER, at=schedule.upcoming(task.every, now, zone))
        return replace(stands, at=due)
    return stands


def of_run(run: Run) -> tuple[Standing, str]:
    """How a task stands by its session."""
    match run.condition:
        case Condition.DONE:
            return (Standing.DONE, run.why) if run.over else (Standing.RUNS, "")
        case Condition.WAITING:
            return Standing.WAITS, run.why
        case Condition.LIMITED:
            return Standing.LIMITED, run.why
        case Condition.BLOCKED | Condition.FAILED | Condition.STOPPED:
            return Standing.WAITS, f"{run.condition}: {run.why}".rstrip(": ")
        case _:
            return Standing.RUNS, ""


def _before(
    name: str, before: Mapping[str, Stands], sessions: Callable[[str], Run | str]
) -> tuple[Standing | None, str]:
    """What waiting for one of `after` comes to; None where it is done."""
    stands = before.get(name)
    if stands is None:
        other = sessions(name)
        return (Standing.WRONG, other) if isinstance(other, str) else _waiting_for(name, other)
    if stands.standing is Standing.WRONG:
        return Standing.HELD, f"{name} cannot be used"
    run, again = stands.run, stands.task is not None and bool(stands.task.every)
    if run is not None and not (again and run.condition is Condition.STOPPED):
        return _waiting_for(name, run)
    held = stands.standing is Standing.HELD
    return (Standing.HELD, f"{name} is held") if held else (Standing.AFTER, name)


def _waiting_for(name: str, run: Run) -> tuple[Standing | None, str]:
    if run.over:
        return None, ""
    stuck = run.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED)
    return (Standing.HELD, f"{name} is {run.condition}") if stuck else (Standing.AFTER, name)


def nobody(name: str) -> Run | str:
    """No session is called like that."""
    return unknown(name, ())


def unknown(name: str, tasks: Iterable[str]) -> str:
    """Why a task cannot wait for `name`."""
    return f"after names {named(name, tasks)}, and neither a task nor a session is called so"


def _holding(found: Mapping[str, Stands], tasks: Mapping[str, Task]) -> list[Stands]:
    """The same, those that hold others up with the names of all that wait for them."""
    after: dict[str, list[str]] = {}
    for task in tasks.values():
        for name in task.after:
            after.setdefault(name, []).append(task.name)
    return [
        replace(stands, holds=_dependents(name, after)) if is_stuck(stands) else stands
        for name, stands in found.items()
    ]


def is_stuck(stands: Stands) -> bool:
    """Whether only a person can make it go on, and not by way of another."""
    if stands.standing is Standing.WRONG or (stands.standing is Standing.HELD and stands.task and stands.task.hold):
        return True
    return stands.run is not None and stands.run.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED)


def _dependents(name: str, after: Mapping[str, list[str]]) -> tuple[str, ...]:
    """All that wait for it, at first or second hand, by name."""
    found: set[str] = set()
    new = [name]
    while new:
        one = new.pop()
        new += [other for other in after.get(one, ()) if other not in found]
        found.update(after.get(one, ()))
    return tuple(sorted(found - {name}))


def ready(stands: Iterable[Stands]) -> list[Stands]:
    """Those that can start, the first to be started first: by priority, then by age."""
    return sorted((one for one in stands if one.standing is Standing.READY), key=lambda one: rank(one.task))


def rank(task: Task | None) -> tuple[int, float, str]:
    """What orders tasks that can start."""
    return (-task.priority, task.written, task.name) if task else (0, 0.0, "")
