"""What follows from what a machine finds. Pure: no git, no database, no clock."""

from enum import StrEnum

from samoloop.base.durations import growing_pause
from samoloop.core.decision import EXIT_CODES
from samoloop.fleet.parcel import Kind

BEAT_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 300.0
ABNORMAL_ENDS = 3  # of the process of one iteration, before the session is left alone for a while


class AfterRefusal(StrEnum):
    """What follows where the remote had another parcel first."""

    MERGE = "merge"  # their acts into the work that was done here, which goes on from them
    RENEW = "renew"  # the copy, with what a person did here put onto theirs, and what was worked here set aside


def after_refusal(kind: str, only_acts: bool) -> AfterRefusal:
    """`kind` of the parcel that was refused; `only_acts`: nothing but people's acts came before it."""
    return AfterRefusal.MERGE if only_acts and kind != Kind.ACT else AfterRefusal.RENEW


class AfterEnd(StrEnum):
    """What follows from the end of an iteration's process."""

    HAND_OVER = "hand over"
    AGAIN = "again"  # it was killed: the next one adopts the child, or says that it was interrupted
    LEAVE = "leave"  # the session is another machine's, or nobody knows
    FAILED = "failed"


def after_end(code: int, ends: int, *, asked: bool, lost: bool) -> AfterEnd:
    """`ends`: how often the process has ended so; `asked`: it was told to; `lost`: this machine's turn is over."""
    if lost:
        return AfterEnd.LEAVE
    if asked or code in EXIT_CODES.values():
        return AfterEnd.HAND_OVER
    return AfterEnd.AGAIN if ends < ABNORMAL_ENDS else AfterEnd.FAILED


def pause(failures: int) -> float:
    """For how long a session is left alone which could not be gone on with so often in a row, in seconds."""
    return growing_pause(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)


def beat_seconds(lease_seconds: float) -> float:
    """How often a machine says that it lives, and one of them sweeps: a beat may be late without its being dead."""
    return min(BEAT_SECONDS, lease_seconds / 3)


def due_in(due: float | None, now: float) -> float | None:
    """In how many seconds a worker has something to do; None where only a person can act."""
    return None if due is None else max(due - now, 0.0)


def pinned(machine: str) -> str:
    """The tag that only this machine has."""
    return f"@{machine}"


def tags_for(tags: tuple[str, ...], machine: str) -> tuple[str, ...]:
    """A session's tags with the one machine that it is to run on; empty: on any."""
    others = tuple(tag for tag in tags if not tag.startswith("@"))
    return (*others, pinned(machine)) if machine else others
