"""Where due sessions come from: here the registered projects of this person, their sessions and their backlogs."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.api.settings import settings_of
from samoloop.base.durations import growing_pause
from samoloop.base.errors import SamoloopError, sentence
from samoloop.base.files import Stamp, stamp
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.config import loading, projects
from samoloop.core import gates, hearing
from samoloop.core.control import CHILD_LOCK, fleets_mark, is_fleets
from samoloop.core.gates import WAKE, StillOpen
from samoloop.core.journal import FILE_NAME
from samoloop.core.next_steps import outlook
from samoloop.core.overview import FILE_NAME as OVERVIEW
from samoloop.core.records import moment
from samoloop.core.session import Session, all_sessions
from samoloop.core.state import AT_REST, GOING_ON, Condition, State
from samoloop.queue.due import Due
from samoloop.queue.handing import Fleet, Handing, ToFleet
from samoloop.queue.tasks import Tasks
from samoloop.worker import shared_limits
from samoloop.worker.lease import FILES, Lease

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 3600.0  # before a session whose worker failed is tried again


@dataclass
class Projects:
    """The backlogs and the unfinished sessions of every registered project. What is wrong with one is said once."""

    environ: Mapping[str, str]
    say: Callable[[str], None]
    lease: Lease = FILES
    fleet: Callable[[], Fleet] | None = None  # None: what is for a fleet waits
    tasks: Tasks = field(init=False)
    handing: Handing | None = field(init=False)
    _looked: dict[Path, "_Look"] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tasks = Tasks(self.environ, self._say_once)
        self.handing = Handing(self.fleet, self._say_once) if self.fleet else None

    def due(self, now: float) -> list[Due]:
        found: list[Due] = []
        to_fleet: list[ToFleet] = []
        followed: list[Path] = []
        for root in projects.registered(self.environ):
            sessions = self._sessions(root)
            self.tasks.look(root, now, sessions)
            found += [self._of_session(session) for session in sessions if self._is_due(session, now)]
            found += self.tasks.ready(root, now)
            to_fleet += [self._to_fleet(session, root) for session in sessions if self._is_unsent(session)]
            to_fleet += self.tasks.to_fleet(root, now)
            shares = any(is_fleets(session.dir) for session in sessions)
            followed += [root] if self.tasks.waits_for_fleet(root, shares=shares) else []
        if self.handing:
            self.handing.look(now, to_fleet, followed)
        return sorted(found, key=lambda due: due.rank)

    def at_work(self) -> Iterator[Session]:
        for folder, look in self._looked.items():
            if look.moves and self._is_held(folder) and not is_fleets(folder):
                yield Session(folder)

    def provider(self, session: Session) -> str:
        return provider_of(session, self.environ)

    def is_soon(self, now: float) -> bool:
        return self.tasks.is_soon(now) or (self.handing is not None and self.handing.is_busy)

    def summary(self) -> list[str]:
        """How the backlogs stand now, a line a project."""
        return self.tasks.summary(time.time())

    def _is_held(self, folder: Path) -> bool:
        try:
            return self.lease.is_held(folder)
        except SamoloopError:  # its control folder is gone, which its look says
            return False

    def _of_session(self, session: Session) -> Due:
        task = self.tasks.of_session(session)
        state = session.state()
        begun = moment(state.created.at).timestamp() if state.created.at else 0.0
        priority = math.inf if is_held(session.control / CHILD_LOCK) else task.priority if task else 0
        rank = (-priority, 0, task.written if task else begun, session.name)  # a child without a worker comes first
        return Due(session.dir, session.name, rank, lambda: session, lambda: self.provider(session))

    def _is_unsent(self, session: Session) -> bool:
        """Whether it was made for the fleet, which does not have it yet."""
        look = self._looked.get(session.dir)
        return bool(look and look.moves and is_fleets(session.dir) and not fleets_mark(session.dir).get("parcel"))

    def _to_fleet(self, session: Session, root: Path) -> ToFleet:
        rank = self._of_session(session).rank
        return ToFleet(session.dir, session.name, root, rank, lambda mark: session)

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
        if look is None or look.is_stale() or (look.unsaid and not self._is_held(session.dir)):
            look = self._looked[session.dir] = self._look(session)
        waits = look.due is None or look.due > now
        return not (waits or self._is_held(session.dir) or is_fleets(session.dir))

    def _look(self, session: Session) -> "_Look":
        """When it is due, with the files that may change that."""
        known = session.control
        files = [known / FILE_NAME, known / WAKE, session.dir / OVERVIEW]
        stamps = [stamp(path) for path in files]
        moves = unsaid = False
        try:
            state = session.state()
            moves = state.condition in GOING_ON
            if state.gate:
                answers = gates.watched(state.gate, session.dir, session.worktree)
                files, stamps = [*files, *answers], [*stamps, *(stamp(path) for path in answers)]
            due = when_due(session, state, self.environ)
            if due is None and state.condition is not Condition.DONE:
                unsaid = self.lease.is_held(session.dir)
                if not unsaid:
                    self._say_once(_waits(session, state))
        except Exception as error:  # whatever is wrong with one session, the others go on
            self._say_once(f"{session.name} is left alone: {sentence(error)}")
            due = None
        return _Look(tuple(files), tuple(stamps), due, moves, unsaid)

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self.say(sentence)


@frozen
class _Look:
    """What was found, and the files as they were just before."""

    files: tuple[Path, ...]
    stamps: tuple[Stamp, ...]
    due: float | None
    moves: bool  # a worker that is at it does not wait
    unsaid: bool = False  # what it waits for, because its worker had not ended

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
    if state.condition is Condition.DONE and hearing.unread_by(session):
        return 0.0  # one more thing
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


def provider_of(session: Session, environ: Mapping[str, str]) -> str:
    """The CLI that works on the session now, or would next. Raises ConfigError."""
    state = session.state()
    if state.open:
        return state.open.provider
    candidates, now = settings_of(session, environ).candidates(state.phase), time.time()
    free = (name for name in candidates if max(state.limits.get(name, 0.0), limited_until(name, environ, now)) <= now)
    return next(free, candidates[0])


def limited_until(provider: str, environ: Mapping[str, str], now: float) -> float:
    return shared_limits.read(provider, environ, now)[0]


def pause(failures: int) -> float:
    """How long to leave a session alone whose workers failed so often in a row, in seconds."""
    return growing_pause(failures, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
