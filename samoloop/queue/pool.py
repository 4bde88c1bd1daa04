"""`up`: every unfinished session of every registered project gets a worker while it has something to do.

A session that waits for a human costs no process: its gate file is looked at, and a worker starts when it was
answered. At most `jobs` workers, so at most so many children, run at once. Workers are processes of their own: when
`up` dies they go on, and the next `up` leaves them alone, because they hold their sessions' locks.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.base.clock import Clock
from samoloop.base.errors import SamoloopError
from samoloop.base.locks import is_held
from samoloop.children.stop import StopRequest
from samoloop.config import loading, projects
from samoloop.core import gates
from samoloop.core.gates import StillOpen
from samoloop.core.session import LOCK, Session, all_sessions
from samoloop.core.state import AT_REST, Condition, State
from samoloop.worker import shared_limits
from samoloop.worker.waiting import Stamp, stamp

LOOK_SECONDS = 1.0
STAGGER_SECONDS = 0.5  # between two starts, so that a machine that comes up is not hit at once
AGAIN_SECONDS = 30.0  # before a session whose worker ended with an error is tried again
_LOOKED_AT = ("_history.jsonl", "_wake", "_qa.md", "_approval.md", "_action.md", "_overview.md")


@dataclass
class Pool:
    """The workers that run, and what is known of the sessions that do not."""

    environ: Mapping[str, str]
    jobs: int
    say: Callable[[str], None]
    clock: Clock = field(default_factory=Clock)
    stop: StopRequest = field(default_factory=StopRequest)
    running: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict)
    not_before: dict[Path, float] = field(default_factory=dict)
    _seen: dict[Path, tuple[Stamp, ...]] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def run(self, once: bool = False) -> None:
        """Until told to stop; with `once`, until no session can go on without a human or a later time."""
        while not self.stop.finish:
            self._reap()
            started = self._start_one()
            if once and not started and not self.running:
                return
            self.clock.wait([self.stop.finish_fd], STAGGER_SECONDS if started else LOOK_SECONDS)

    def finish(self) -> None:
        """Ask every worker to end after its iteration, and wait; a second request ends the children too."""
        import signal

        for process in self.running.values():
            process.send_signal(signal.SIGUSR1)
        told_now = False
        while self.running:
            if self.stop.now and not told_now:
                told_now = True
                for process in self.running.values():
                    process.terminate()
            self._reap()
            self.clock.wait([] if told_now else [self.stop.now_fd], 0.1)

    def _reap(self) -> None:
        for folder, process in list(self.running.items()):
            code = process.poll()
            if code is not None:
                del self.running[folder]
                self.say(f"{folder.name}: its worker ended with {code}")
                if code not in (0, 3, 4, 5, 6):
                    self.not_before[folder] = self.clock.epoch() + AGAIN_SECONDS

    def _start_one(self) -> bool:
        """Start a worker for the next session that can go on, if there is room."""
        if len(self.running) >= self.jobs:
            return False
        for root in projects.registered(self.environ):
            for session in reversed(self._sessions(root)):
                if self._is_due(session):
                    self._start(root, session)
                    return True
        return False

    def _sessions(self, root: Path) -> list[Session]:
        if not root.is_dir():
            self._say_once(f"{root} is gone; forget it with: samoloop projects forget {root}")
            return []
        try:
            return all_sessions(loading.load(root, self.environ).sessions_dir)
        except SamoloopError as error:
            self._say_once(f"{root} is left alone: {error}")
            return []

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self.say(sentence)

    def _is_due(self, session: Session) -> bool:
        folder = session.dir
        if folder in self.running or self.not_before.get(folder, 0.0) > self.clock.epoch():
            return False
        marks = tuple(stamp(folder / name) for name in _LOOKED_AT)
        if self._seen.get(folder) == marks and folder not in self.not_before:
            return False
        if is_held(folder / LOCK):
            return False
        try:
            state = session.state()
            due = can_go_on(session, state, self.clock.epoch(), self.environ)
        except (SamoloopError, OSError) as error:
            self._say_once(f"{folder.name} is left alone: {error}")
            due = None
        if due is None:
            self._seen[folder] = marks
            self.not_before.pop(folder, None)
            return False
        self.not_before[folder] = due
        return due <= self.clock.epoch()

    def _start(self, root: Path, session: Session) -> None:
        self.not_before.pop(session.dir, None)
        self._seen.pop(session.dir, None)
        with (session.logs / "worker.log").open("ab") as log:
            self.running[session.dir] = subprocess.Popen(
                [sys.executable, "-m", "samoloop", "resume", session.name, "--worker", "--no-wait"],
                cwd=root,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.say(f"{session.name}: worker {self.running[session.dir].pid} started in {root}")


def can_go_on(session: Session, state: State, now: float, environ: Mapping[str, str]) -> float | None:
    """When a worker would have something to do (epoch seconds, 0 is now); None where only a human can act."""
    if state.open or state.wanted or state.condition in (Condition.NEW, Condition.READY):
        return 0.0
    if state.condition in AT_REST and not state.rests:
        return 0.0  # its worker died before it had told anybody
    if state.gate:
        found = gates.examine(state.gate, session.dir, session.worktree)
        return None if isinstance(found, StillOpen) else 0.0
    if state.condition is Condition.LIMITED:
        provider = str((state.ended or {}).get("provider", ""))
        return max(state.not_before or 0.0, shared_limits.read(provider, environ)[0] if provider else 0.0)
    return None
