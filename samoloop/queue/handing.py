"""Hands sessions to the fleet beside `up`: what is asked of a remote and a database takes its time, and `up` has none.

The fleet is a room below this one, so whoever puts the program together says what it is.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from samoloop.base.clock import Clock
from samoloop.base.durations import growing_pause
from samoloop.base.errors import sentence
from samoloop.base.values import frozen
from samoloop.core.session import Session
from samoloop.queue.due import Rank

LOOK_SECONDS = 30.0  # between two looks at what became of those that the fleet has
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 300.0  # before one is tried again that could not be handed over


class Fleet(Protocol):
    """Several machines that share sessions."""

    def renew(self, root: Path) -> list[str]:
        """Bring the fleet's sessions of the project here as they are now: the names of those that had gone on."""
        ...

    def hand_over(self, root: Path, made: Callable[[str], Session], needs: Sequence[str]) -> list[str]:
        """Hand over the session that is `made` with the mark of a fleet; sentences. May be asked for again."""
        ...


@frozen
class ToFleet:
    """A task for the fleet, or its session that is not there yet."""

    key: Path
    name: str
    root: Path
    rank: Rank
    session: Callable[[str], Session]  # made where it is not there yet, with this mark
    needs: tuple[str, ...] = ()


@dataclass
class Handing:
    """One round at a time. What is wrong with one of them is said once, and no matter to the others."""

    fleet: Callable[[], Fleet]  # raises SamoloopError where there is none
    say: Callable[[str], None]
    clock: Clock = field(default_factory=Clock)
    _not_before: dict[Path, float] = field(default_factory=dict)
    _failures: dict[Path, int] = field(default_factory=dict)  # in a row
    _thread: threading.Thread | None = None

    def look(self, now: float, asked: Iterable[ToFleet], followed: Iterable[Path]) -> None:
        """Begin a round where there is something to do: `asked` is to be handed over, and `followed` are projects of
        which the backlog waits for the fleet.
        """
        if self.is_busy:
            return
        due = sorted((one for one in asked if self._not_before.get(one.key, 0.0) <= now), key=lambda one: one.rank)
        roots = [root for root in followed if self._not_before.get(root, 0.0) <= now]
        if due or roots:
            self._thread = threading.Thread(target=self._round, args=(due, roots), name="handing", daemon=True)
            self._thread.start()

    @property
    def is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _round(self, due: Sequence[ToFleet], followed: Sequence[Path]) -> None:
        """Copies are renewed first: another machine may have a session of the same task, or an end may be there."""
        for root in dict.fromkeys([*(one.root for one in due), *followed]):
            asked = [one for one in due if one.root == root]
            try:
                if self._renew(root):
                    continue  # what is asked may be answered by what came
            except Exception as error:
                for one in asked:
                    self._leave_alone(one, error)
                if not asked:
                    self.say(f"what the fleet has of {root} is not known now: {sentence(error)}")
                continue
            for one in asked:
                try:
                    self._hand_over(one)
                except Exception as error:  # whatever is wrong with one of them, the others go on
                    self._leave_alone(one, error)

    def _renew(self, root: Path) -> list[str]:
        self._not_before[root] = self.clock.epoch() + LOOK_SECONDS
        return self.fleet().renew(root)

    def _hand_over(self, one: ToFleet) -> None:
        for said in self.fleet().hand_over(one.root, one.session, one.needs):
            self.say(said)
        self._failures.pop(one.key, None)

    def _leave_alone(self, one: ToFleet, error: Exception) -> None:
        failures = self._failures[one.key] = self._failures.get(one.key, 0) + 1
        pause = growing_pause(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        self._not_before[one.key] = self.clock.epoch() + pause
        self.say(f"{one.name} is not handed to the fleet yet, and tried again: {sentence(error)}")
