"""One child: start it, watch it, end it, find it again after the worker died, sweep up what it left."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from samoloop.limits import EndedBy, Limits
from samoloop.providers.base import Event, Reader
from samoloop.stop import StopRequest

MARKER = "SAMOLOOP_MARKER"  # in the environment of a child and of all that it starts


@dataclass(frozen=True)
class Spec:
    """A child to be started."""

    argv: Sequence[str]
    env: Mapping[str, str]  # the whole environment; the marker is added to it
    cwd: Path
    stdin: Path | None  # None: empty
    stem: Path  # <session>/_logs/NNN-phase[.attempt]: .jsonl, .err, .pid and .exit are put beside each other there
    lock: Path
    marker: str  # unique to the attempt


class Habits(Protocol):
    """How a CLI behaves; every Provider says so."""

    @property
    def interrupt_first(self) -> bool: ...
    @property
    def starts_at_once(self) -> bool: ...
    @property
    def has_result(self) -> bool: ...


@dataclass(frozen=True)
class Ended:
    """How a child's run ended."""

    exit_code: int | None  # None: unknown. Negative: the signal that ended the CLI
    by: EndedBy
    seconds: float  # from its start
    usage_complete: bool  # False: part of the output was skipped, so usage may be missing
    swept: int  # processes that the child left behind and that were ended
    left: Sequence[int]  # processes that could not be ended


class Child:
    """A child CLI that was started, or found again."""

    @classmethod
    def spawn(cls, spec: Spec, clock: Callable[[], float] = time.monotonic) -> Self:
        """Start it, holding the lock. Nothing of an earlier attempt is overwritten.

        Raises ProviderError when the program cannot be run, LockHeld when something of an earlier child is still
        alive, FileExistsError when the stem was used before.
        """
        raise NotImplementedError

    @classmethod
    def adopt(
        cls,
        *,
        stem: Path,
        lock: Path,
        marker: str,
        started_at: float,
        boot: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Find a child that an earlier worker started at `started_at` (epoch seconds) in the boot `boot`.

        Always gives a Child, whose `wait` tells what became of it: alive, it is waited for with what remains of the
        limits; ended, its exit code and its events come at once; `EndedBy.LOST` when there is neither exit code nor
        process. `wait` sweeps in each case.
        """
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """Whether its process was there when it was started or found."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None:
        """The process that is waited for."""
        raise NotImplementedError

    def wait(
        self,
        limits: Limits,
        *,
        habits: Habits,
        reader: Reader,
        signal_ready: Callable[[], bool],
        on_events: Callable[[list[Event]], None],
        stop: StopRequest,
    ) -> Ended:
        """Wait until it ends, or end it at a limit or when `stop.now`; then sweep.

        `on_events` gets the events of the output while it runs, about four times a second at most, and the last of
        them (those of `reader.finish` too) before this returns.
        """
        raise NotImplementedError
