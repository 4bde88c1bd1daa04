"""`up`: every due session and every task that is ready gets a worker while there is room.

A session that waits for a human costs no process: its gate file is looked at, and a worker starts when it was
answered. At most `jobs` workers, so at most so many children, run at once, those among them that an earlier `up` left:
when `up` dies its workers go on, and the next `up` leaves them alone, because they hold their sessions' leases.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.api.detach import LOG
from samoloop.base.clock import Clock
from samoloop.base.errors import SamoloopError, sentence
from samoloop.children.stop import StopRequest
from samoloop.core.decision import EXIT_CODES
from samoloop.core.session import Session
from samoloop.queue.due import Due, Source
from samoloop.queue.night import Night
from samoloop.queue.runner import Run, Runner
from samoloop.queue.source import FIRST_PAUSE_SECONDS, pause

LOOK_SECONDS = 1.0
STAGGER_SECONDS = 0.5  # between two starts, so that a machine that comes up is not hit at once


@dataclass
class Pool:
    """The workers that run."""

    source: Source
    runner: Runner
    jobs: int
    say: Callable[[str], None]
    slots: Mapping[str, int] = field(default_factory=dict)  # workers at once, by CLI
    night: Night | None = None
    clock: Clock = field(default_factory=Clock)
    stop: StopRequest = field(default_factory=StopRequest)
    each_look: Callable[[float], None] = lambda now: None  # what else is to be done, at `now` (epoch seconds)
    started: Callable[[Session], None] = lambda session: None  # a worker of it, for whoever wants to know
    ended: Callable[[Session, int], None] = lambda session, code: None  # with this exit code
    running: dict[Path, Run] = field(default_factory=dict)
    _silent: dict[Path, int] = field(default_factory=dict)  # workers in a row that could not even record why they ended
    _not_before: dict[Path, float] = field(default_factory=dict)
    _said: dict[Path, str] = field(default_factory=dict)  # the last failure that was said

    def run(self, once: bool = False) -> None:
        """Until told to stop, or until the night is over; with `once`, until no session can go on without a human or
        a later time.
        """
        while not self.stop.finish:
            now = self.clock.epoch()
            self._reap()
            self.each_look(now)
            if why := self._night_is_over(now):
                self.say(f"The night is over: {why}. Each running iteration is finished first.")
                self.rest()
                return
            started = self._start_one(now)
            if once and not started and not self.running and not self._goes_on(now):
                return
            self.clock.wait([self.stop.finish_fd], STAGGER_SECONDS if started else LOOK_SECONDS)

    def _goes_on(self, now: float) -> bool:
        """Whether something may come of what others do, or is due in a moment."""
        return self.source.is_soon(now) or any(True for _ in self.source.at_work())

    def _night_is_over(self, now: float) -> str:
        if self.night is None:
            return ""
        for folder in self.running:
            self.night.look(Session(folder))
        return self.night.over(now)

    def rest(self) -> None:
        """Ask every worker to end after its iteration, for somebody to go on later, and wait."""
        self._wind_up(lambda run: run.ask_to_rest())

    def finish(self) -> None:
        """Ask every worker to end after its iteration, and wait; a second request ends the children too."""
        self._wind_up(lambda run: run.ask_to_finish())

    def _wind_up(self, ask: Callable[[Run], None]) -> None:
        for run in self.running.values():
            ask(run)
        told_now = False
        while self.running:
            if self.stop.now and not told_now:
                told_now = True
                for run in self.running.values():
                    run.ask_now()
            self._reap()
            self.clock.wait([] if told_now else [self.stop.now_fd], 0.1)

    def _reap(self) -> None:
        for folder, run in list(self.running.items()):
            code = run.ended()
            if code is not None:
                del self.running[folder]
                if self.night:
                    self.night.look(Session(folder))
                self._ended(Session(folder), code)

    def _ended(self, session: Session, code: int) -> None:
        """Say how a worker ended: why it failed once, however often it is tried again."""
        self.ended(session, code)
        if code in EXIT_CODES.values():
            self._silent.pop(session.dir, None)
            failure = _failure(session)
        else:
            failure = f"its worker ended with {code}; see {session.logs / LOG}"
            self._leave_alone(session.dir)
        if not failure:
            self._said.pop(session.dir, None)
            self.say(f"{session.name}: its worker ended with {code}, {session.state().condition}")
        elif self._said.get(session.dir) != failure:
            self._said[session.dir] = failure
            self.say(f"{session.name}: failed, and is tried again from time to time: {failure}")

    def _leave_alone(self, key: Path) -> None:
        """For a while that grows, where nothing could be recorded."""
        self._silent[key] = failures = self._silent.get(key, 0) + 1
        self._not_before[key] = self.clock.epoch() + pause(failures)

    def _start_one(self, now: float) -> bool:
        """Start a worker for the first that can go on, if there is room: for it, and for its CLI."""
        every = self.source.due(now)
        others = [session for session in self.source.at_work() if session.dir not in self.running]
        if len(self.running) + len(others) >= self.jobs:
            return False
        busy = self._busy(others) if self.slots else Counter()
        for due in every:
            if due.key in self.running or self._not_before.get(due.key, 0.0) > now:
                continue
            try:
                if self.slots and busy[provider := due.provider()] >= self.slots.get(provider, self.jobs):
                    continue
                session = due.session()
                if self.night:
                    self.night.began(session)
                self.running[session.dir] = run = self.runner.start(session)
            except (SamoloopError, OSError) as error:
                if due.is_begun:
                    self._leave_alone(due.key)
                else:  # nothing was made, and a person may mend at any time what stands in the way
                    self._not_before[due.key] = now + FIRST_PAUSE_SECONDS
                self._say_new(due, f"{due.name} is left alone for now: {sentence(error)}")
                continue
            self.started(session)
            if session.dir not in self._said:
                self.say(f"{session.name}: {run.name} started")
            return True
        return False

    def _say_new(self, due: Due, text: str) -> None:
        if self._said.get(due.key) != text:
            self._said[due.key] = text
            self.say(text)

    def _busy(self, others: list[Session]) -> Counter[str]:
        """How many workers are at work by CLI."""
        found: Counter[str] = Counter()
        for session in (*map(Session, self.running), *others):
            try:
                found[self.source.provider(session)] += 1
            except (SamoloopError, OSError):  # its worker says why
                continue
        return found


def _failure(session: Session) -> str:
    """Why the session's last worker could not go on; empty where it could."""
    try:
        return session.state().failure
    except Exception as error:  # whatever is wrong with one session, the others go on
        return sentence(error)
