"""How long a child may take, and why its run was over. Values only; the rule is in `watch`."""

from enum import StrEnum

from samoloop.base.values import frozen


@frozen
class Limits:
    """All in seconds; None is no such limit."""

    total: float
    silence: float | None
    first_byte: float | None
    grace: float | None
    terminate: float  # from asking the child to end until it is killed


class EndedBy(StrEnum):
    """Why a child's run is over."""

    EXIT = "exit"  # it ended by itself
    GRACE = "grace"  # it had said all, with a valid signal, and lingered: a success
    TIME = "time"
    SILENCE = "silence"
    FIRST_BYTE = "first_byte"
    STOP = "stop"  # the worker was told to stop now
    LOST = "lost"  # adoption found neither exit code nor process: nobody knows how it ended
