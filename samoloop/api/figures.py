"""What one session's journal says in numbers, each with its time, phase and provider. Pure.

`docs/history.md` says what exactly is counted; the sums over sessions are made by `stats`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from samoloop.base.values import frozen
from samoloop.checks.judging import GREEN, SUCCEEDED, VETO
from samoloop.checks.receipts import JUDGED
from samoloop.core.records import Created, Ended, Prepared, Record, Rewound, RoomRecord, Started, WorktreeNew, moment
from samoloop.core.state import Condition, State, apply, fold

WORKED, WAITED, LIMITED = "worked_seconds", "waited_seconds", "limited_seconds"
TIMES = (WORKED, WAITED, LIMITED)
MONEY = ("cost_usd", "virtual_usd", "unpriced")
KEYS = ("iterations", *MONEY, "input_tokens", "output_tokens", *TIMES, "vetoes", "checks", "checks_first_try")
_STANDS = {  # what a session's time is spent on while no child is at work
    Condition.WAITING: WAITED,
    Condition.BLOCKED: WAITED,
    Condition.FAILED: WAITED,
    Condition.LIMITED: LIMITED,
}
_PASSED = (GREEN, SUCCEEDED)


class Entry(NamedTuple):
    """Numbers of one moment; those of `TIMES` are seconds that ended then."""

    at: float  # epoch seconds
    phase: str
    provider: str  # empty for what no provider did
    counts: Mapping[str, float]


@frozen
class Figures:
    """All that is counted of one session."""

    root: str  # of its project
    workflow: str
    condition: str
    updated: float  # epoch seconds of its last record
    waits_since: float | None  # epoch seconds since when it waits for a person, now
    entries: tuple[Entry, ...]

    def to_json(self) -> list[Any]:
        return [self.root, self.workflow, self.condition, self.updated, self.waits_since, self.entries]

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> "Figures":
        root, workflow, condition, updated, waits_since, entries = value
        return cls(root, workflow, condition, updated, waits_since, tuple([Entry(*entry) for entry in entries]))


@dataclass
class _Reading:
    """The journal, read so far."""

    state: State = field(default_factory=State)
    at: float = 0.0  # of the last record
    spent_on: str = ""  # one of `_STANDS`
    since: float = 0.0
    tried: set[str] = field(default_factory=set)  # checks that were judged


def figures(history: Sequence[Record]) -> Figures:
    """The numbers of a session. Raises SessionError for a journal that cannot be understood."""
    reading, entries = _Reading(), []
    inherited = _inherited(history)
    for place, record in enumerate(history):
        found = list(_entries(reading, record, history, place))
        if place >= inherited:
            entries += found
        else:
            reading.tried, reading.since = set(), reading.at
    state = reading.state
    waits = reading.spent_on == WAITED and not state.archived
    return Figures(
        root=str(state.created.root),
        workflow=state.live_workflow.name,
        condition=str(state.condition),
        updated=reading.at,
        waits_since=reading.since if waits else None,
        entries=tuple(entries),
    )


def _inherited(history: Sequence[Record]) -> int:
    """How many records a fork took over: they count where it was forked from."""
    created = history[0] if history else None
    if not isinstance(created, Created) or created.parent is None:
        return 0
    upto = 0
    for place, record in enumerate(history, 1):
        ends = isinstance(record, Ended) and record.iteration == created.parent.iteration
        if ends or (created.parent.iteration == 0 and isinstance(record, Prepared)):
            upto = place
    forked = (place for place, record in enumerate(history[upto:], upto + 1) if isinstance(record, WorktreeNew))
    return next(forked, upto)


def _entries(reading: _Reading, record: Record, history: Sequence[Record], place: int) -> Iterator[Entry]:
    """What one record, which stands at `place`, adds. It acts on the reading."""
    state = reading.state
    phase, at = state.phase, moment(record.at).timestamp() if record.at else reading.at
    match record:
        case Started() if record.iteration != state.iteration:
            yield Entry(at, record.phase, record.provider, {"iterations": 1})
        case Ended():
            yield Entry(record.outcome.at or at, record.phase, record.provider, _of_child(record))
        case RoomRecord(name=name) if name == JUDGED:
            yield from _of_check(reading, record, at)
    if isinstance(record, Rewound):
        reading.state = fold(history[: place + 1])
    else:
        reading.state = apply(state, record)
    stands = "" if reading.state.archived else _STANDS.get(reading.state.condition, "")
    if reading.spent_on and (stands, reading.state.phase) != (reading.spent_on, phase) and at > reading.since:
        yield Entry(at, phase, "", {reading.spent_on: at - reading.since})
        reading.since = at
    if stands != reading.spent_on:
        reading.spent_on, reading.since = stands, at
    reading.at = at


def _of_child(record: Ended) -> dict[str, float]:
    """Money as `status` counts it: what a subscription covers stands apart, what is unknown is counted as such."""
    usage = record.outcome.usage
    counts: dict[str, float] = {WORKED: record.outcome.seconds, "vetoes": int(record.decision.vetoed)}
    counts |= {"input_tokens": usage.input_tokens or 0, "output_tokens": usage.output_tokens or 0}
    if usage.virtual:
        counts["virtual_usd"] = usage.cost_usd or 0.0
    elif usage.cost_usd is None:
        counts["unpriced"] = 1
    else:
        counts["cost_usd"] = usage.cost_usd
    return {key: value for key, value in counts.items() if value}


def _of_check(reading: _Reading, record: RoomRecord, at: float) -> Iterator[Entry]:
    """The first verdict on a check in this session that says yes or no."""
    check, verdict = (record.values.get(key) for key in ("check", "verdict"))
    if not isinstance(check, str) or check in reading.tried or verdict not in (*_PASSED, VETO):
        return
    reading.tried.add(check)
    child = reading.state.open or reading.state.ended
    counts = {"checks": 1} | ({"checks_first_try": 1} if verdict in _PASSED else {})
    yield Entry(at, reading.state.phase, child.provider if child else "", counts)
