"""What the database holds of machines and sessions, as values, and what follows from it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import chain, combinations, product
from typing import Any, TypeVar

from samoloop.base.values import frozen
from samoloop.fleet.rules import pinned

Row = TypeVar("Row")


ARCHIVED = "archived"  # the condition of what a person has put away, and only a person can move again


@frozen
class SessionRow:
    """Where a session stands, for those who have no copy of it. The parcel on the remote is the truth."""

    project: str
    name: str
    parcel: str
    number: int  # how many parcels there were before this one; an older one never replaces a newer
    machine: str  # that has it, or had it last
    title: str
    phase: str
    iteration: int
    condition: str
    reason: str
    provider: str  # that works on it next
    tags: tuple[str, ...]  # that a machine must have
    format: int  # of its journal
    due_in: float | None  # seconds; None: only a person can move it, and no job exists
    at_work: bool = False  # read only: a job of it runs
    wish: str = ""  # read only: what a person asked of the machine at work
    seconds: float = 0.0  # read only: how long it stands so
    told: tuple[str, ...] = ()  # read only: announcements that reached a person by the fleet's phone
    left_by: str = ""  # read only: who began an iteration before, and neither handed it over nor gave it up


@frozen
class MachineRow:
    """A machine, as it says of itself."""

    name: str
    id: str  # a word kept in its state folder, by which two machines of one name are told apart
    host: str
    version: str
    format: int  # of journals, the newest that it reads
    projects: tuple[str, ...]
    providers: tuple[str, ...]
    tags: tuple[str, ...]
    slots: int
    running: int = 0
    phone: bool = False  # announcements reach a person from here
    draining: bool = False
    seconds: float = 0.0  # read only: since it was heard of


def lock(project: str, name: str) -> str:
    """What only one job at a time has."""
    return f"{project}/{name}"


def queue(project: str, provider: str, tags: Iterable[str], journal_format: int) -> str:
    """Where jobs wait that the same machines can serve. Channels have 63 bytes for their names, so it is a digest."""
    parts = (project, provider, str(journal_format), *sorted(set(tags)))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def queue_of(row: SessionRow) -> str:
    return queue(row.project, row.provider, row.tags, row.format)


def own_queue(row: SessionRow, machine: str) -> str:
    """Where a job waits that one machine alone is to take."""
    return queue(row.project, row.provider, (*row.tags, pinned(machine)), row.format)


def is_bound(row: SessionRow) -> bool:
    """Whether a person has said which machine is to have it."""
    return any(tag.startswith(pinned("")) for tag in row.tags)


def queues(machine: MachineRow) -> list[str]:
    """All that the machine can serve: it never gets a job for a project, provider, tag or format that it lacks."""
    formats = range(1, machine.format + 1)
    each = product(machine.projects, machine.providers, _selections(machine.tags), formats)
    return [queue(*one) for one in each]


def can_serve(machine: MachineRow, row: SessionRow) -> bool:
    """The same as a question, for `fleet status`."""
    return (
        row.project in machine.projects
        and row.provider in machine.providers
        and set(row.tags) <= set(machine.tags)
        and row.format <= machine.format
    )


def is_alive(machine: MachineRow, lease_seconds: float) -> bool:
    return machine.seconds <= lease_seconds


def nobody_serves(row: SessionRow, machines: Iterable[MachineRow], lease_seconds: float) -> bool:
    """Whether a session that is due waits for a machine that is not there."""
    live = [machine for machine in machines if is_alive(machine, lease_seconds) and not machine.draining]
    return row.due_in is not None and not row.at_work and not any(can_serve(machine, row) for machine in live)


def forgotten(held: Iterable[int], held_before: Iterable[int], running: Iterable[int]) -> set[int]:
    """Jobs that the database believes to be run here, and are not: the answer to a fetch was lost on its way.

    Seen twice, because one that was fetched this very moment looks the same.
    """
    return set(held) & set(held_before) - set(running)


def _selections(tags: Iterable[str]) -> Iterator[tuple[str, ...]]:
    words = sorted(set(tags))
    return chain.from_iterable(combinations(words, size) for size in range(len(words) + 1))


def of_table(kind: type[Row], row: Mapping[str, Any]) -> Row:
    """A row of the database as a value; lists are tuples there."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(
        **{name: tuple(item) if isinstance(item, list) else item for name, item in row.items() if name in names}
    )


def to_table(value: Any) -> dict[str, Any]:
    """The same the other way."""
    return {name: list(item) if isinstance(item, tuple) else item for name, item in vars(value).items()}
