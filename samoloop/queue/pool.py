"""`up`: every due session gets a worker while there is room.

A session that waits for a human costs no process: its gate file is looked at, and a worker starts when it was
answered. At most `jobs` workers, so at most so many children, run at once. When `up` dies its workers go on, and the
next `up` leaves them alone, because they hold their sessions' leases.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.api.detach import LOG
from samoloop.base.clock import Clock
from samoloop.base.errors import SamoloopError, sentence
from samoloop.children.stop import StopRequest
from samoloop.core.decision import EXIT_CODES
from samoloop.core.session import Session
from samoloop.queue.runner import Run, Runner
from samoloop.queue.source import Source, pause

LOOK_SECONDS = 1.0
STAGGER_SECONDS = 0.5  # between two starts, so that a machine that comes up is not hit at once


@dataclass
class Pool:
    """The workers that run."""

    source: Source
    runner: Runner
    jobs: int
    say: Callable[[str], None]
    clock: Clock = field(default_factory=Clock)
    stop: StopRequest = field(default_factory=StopRequest)
    each_look: Callable[[float], None] = lambda now: None  # what else is to be done, at `now` (epoch seconds)
    running: dict[Path, Run] = field(default_factory=dict)
    _silent: dict[Path, int] = field(default_factory=dict)  # workers in a row that could not even record why they ended
    _not_before: dict[Path, float] = field(default_factory=dict)
    _said: dict[Path, str] = field(default_factory=dict)  # the last failure that was said

    def run(self, once: bool = False) -> None:
        """Until told to stop; with `once`, until no session can go on without a human or a later time."""
        while not self.stop.finish:
            self._reap()
            self.each_look(self.clock.epoch())
            started = self._start_one()
            if once and not started and not self.running:
                return
            self.clock.wait([self.stop.finish_fd], STAGGER_SECONDS if started else LOOK_SECONDS)

    def finish(self) -> None:
        """Ask every worker to end after its iteration, and wait; a second request ends the children too."""
        for run in self.running.values():
            run.ask_to_finish()
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
                self._ended(Session(folder), code)

    def _ended(self, session: Session, code: int) -> None:
        """Say how a worker ended: why it failed once, however often it is tried again."""
        if code in EXIT_CODES.values():
            self._silent.pop(session.dir, None)
            failure = _failure(session)
        else:
            failure = f"its worker ended with {code}; see {session.logs / LOG}"
            self._leave_alone(session)
        if not failure:
            self._said.pop(session.dir, None)
            self.say(f"{session.name}: its worker ended with {code}, {session.state().condition}")
        elif self._said.get(session.dir) != failure:
            self._said[session.dir] = failure
            self.say(f"{session.name}: failed, and is tried again from time to time: {failure}")

    def _leave_alone(self, session: Session) -> None:
        """For a while that grows, where nothing could be recorded."""
        self._silent[session.dir] = failures = self._silent.get(session.dir, 0) + 1
        self._not_before[session.dir] = self.clock.epoch() + pause(failures)

    def _start_one(self) -> bool:
        """Start a worker for the next session that can go on, if there is room."""
        if len(self.running) >= self.jobs:
            return False
        now = self.clock.epoch()
        for session in self.source.due(now):
            if session.dir in self.running or self._not_before.get(session.dir, 0.0) > now:
                continue
            try:
                self.running[session.dir] = run = self.runner.start(session)
            except (SamoloopError, OSError) as error:
                self._leave_alone(session)
                self.say(f"{session.name} is left alone for now: {sentence(error)}")
                continue
            if session.dir not in self._said:
                self.say(f"{session.name}: {run.name} started")
            return True
        return False


def _failure(session: Session) -> str:
    """Why the session's last worker could not go on; empty where it could."""
    try:
        return session.state().failure
    except Exception as error:  # whatever is wrong with one session, the others go on
        return sentence(error)
