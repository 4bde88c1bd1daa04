"""Where due sessions come from: here the registered projects of this person."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from samoloop.api.settings import settings_of
from samoloop.base.errors import SamoloopError, sentence
from samoloop.base.files import Stamp, stamp
from samoloop.config import loading, projects
from samoloop.core import gates
from samoloop.core.gates import WAKE, StillOpen
from samoloop.core.journal import FILE_NAME
from samoloop.core.next_steps import outlook
from samoloop.core.overview import FILE_NAME as OVERVIEW
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import AT_REST, Condition, State
from samoloop.worker import shared_limits
from samoloop.worker.lease import FILES, Lease

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 3600.0  # before a session whose worker failed is tried again


class Source(Protocol):
    """Sessions that a worker could go on with."""

    def due(self, now: float) -> Iterator[Session]:
        """Those that are due at `now` (epoch seconds), the first to be started first; none that a worker is at."""
        ...


@dataclass
class Projects:
    """The unfinished sessions of every registered project. What is wrong with one of them is said once."""

    environ: Mapping[str, str]
    say: Callable[[str], None]
    lease: Lease = FILES
    _looked: dict[Path, "_Look"] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def due(self, now: float) -> Iterator[Session]:
        for root in projects.registered(self.environ):
            for session in reversed(self._sessions(root)):
                if self._is_due(session, now):
                    yield session

    def _sessions(self, root: Path) -> list[Session]:
        if not root.is_dir():
            self._say_once(f"{root} is gone; forget it with: samoloop projects forget {root}")
            return []
        try:
            return all_sessions(loading.load(root, self.environ).sessions_dir)
        except (SamoloopError, OSError) as error:
            self._say_once(f"{root} is left alone: {sentence(error)}")
            return []

    def _is_due(self, session: Session, now: float) -> bool:
        look = self._looked.get(session.dir)
        if look is None or look.is_stale():
            look = self._looked[session.dir] = self._look(session)
        return look.due is not None and look.due <= now and not self.lease.is_held(session.dir)

    def _look(self, session: Session) -> "_Look":
        """When it is due, with the files that may change that."""
        known = session.control
        files = [known / FILE_NAME, known / WAKE, session.dir / OVERVIEW]
        stamps = [stamp(path) for path in files]
        try:
            state = session.state()
            if state.gate:
                answers = gates.watched(state.gate, session.dir, session.worktree)
                files, stamps = [*files, *answers], [*stamps, *(stamp(path) for path in answers)]
            due = when_due(session, state, self.environ)
            if due is None and state.condition is not Condition.DONE and not self.lease.is_held(session.dir):
                self._say_once(_waits(session, state))
        except Exception as error:  # whatever is wrong with one session, the others go on
            self._say_once(f"{session.name} is left alone: {sentence(error)}")
            due = None
        return _Look(tuple(files), tuple(stamps), due)

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self.say(sentence)


@dataclass(frozen=True)
class _Look:
    """What was found, and the files as they were just before."""

    files: tuple[Path, ...]
    stamps: tuple[Stamp, ...]
    due: float | None

    def is_stale(self) -> bool:
        return tuple(stamp(path) for path in self.files) != self.stamps


def _waits(session: Session, state: State) -> str:
    """What a session that only a human can move waits for, and the command for it."""
    ahead = outlook(session, at_work=False)
    what = f"waits for {ahead.waits_for}" if ahead.waits_for else f"{state.condition}: {state.reason}".rstrip(": ")
    command = f"; {ahead.steps[0].command}" if ahead.steps else ""
    return f"{session.name}: {what}{command}"


def when_due(session: Session, state: State, environ: Mapping[str, str]) -> float | None:
    """When a worker would have something to do (epoch seconds, 0 is now); None where only a human can act."""
    if state.failure:
        return state.failed_at + pause(state.failures_of_workers)
    if state.rests and state.condition in (Condition.BLOCKED, Condition.STOPPED):
        return None  # its child may still be open
    if state.open or state.wanted or state.condition in (Condition.NEW, Condition.READY):
        return 0.0
    if state.condition in AT_REST and not state.rests:
        return 0.0  # its worker died before it had told anybody
    if state.gate:
        found = gates.examine(state.gate, session.dir, session.worktree)
        return None if isinstance(found, StillOpen) else 0.0
    if state.condition is Condition.LIMITED:
        if state.not_before not in state.limits.values():
            return state.not_before or 0.0  # a backoff
        candidates = settings_of(session, environ).candidates(state.phase)
        now = time.time()
        return min(max(state.limits.get(name, 0.0), shared_limits.read(name, environ, now)[0]) for name in candidates)
    return None


def pause(failures: int) -> float:
    """How long to leave a session alone whose workers failed so often in a row, in seconds."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** min(failures - 1, 20), LONGEST_PAUSE_SECONDS))
