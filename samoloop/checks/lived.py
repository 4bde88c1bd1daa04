"""What the journal says of the life that counts: the records without those that a rewind left behind."""

from collections.abc import Iterable, Iterator, Sequence

from samoloop.core.gates import Verdict
from samoloop.core.records import GateClosed, Moved, Record, Rewound, Started
from samoloop.core.signals import GateKind


def lived(records: Iterable[Record]) -> list[Record]:
    """The records that count, in order."""
    known = list(records)
    if not any(isinstance(record, Rewound) for record in known):
        return known
    before: list[int] = []  # for each record the one that it follows in its life, -1 for none
    last = [-1]  # the newest record that counts after so many
    for place, record in enumerate(known):
        before.append(last[-1])
        last.append(last[min(record.record, place)] if isinstance(record, Rewound) else place)
    found = []
    place = last[-1]
    while place >= 0:
        found.append(known[place])
        place = before[place]
    return found[::-1]


def since_entered(counted: Sequence[Record], phase: str) -> list[Started]:
    """The children of this phase since it was entered last, oldest first."""
    return list(_backward(counted, phase))[::-1]


def _backward(counted: Sequence[Record], phase: str) -> Iterator[Started]:
    for record in reversed(counted):
        if isinstance(record, Started) and record.phase == phase:
            yield record
        elif isinstance(record, Started | Moved):
            return


def approval(counted: Sequence[Record]) -> GateClosed | None:
    """The last approval of a plan."""
    for record in reversed(counted):
        if isinstance(record, GateClosed) and (record.kind, record.verdict) == (
            GateKind.PLAN_APPROVAL,
            Verdict.APPROVE,
        ):
            return record
    return None


def first_after_approval(counted: Sequence[Record], phase: str) -> Started | None:
    """The first child of the phase that had the plan which a person approved last; None without such a plan."""
    closed = approval(counted)
    after = counted[counted.index(closed) + 1 :] if closed else ()
    return next((record for record in after if isinstance(record, Started) and record.phase == phase), None)
