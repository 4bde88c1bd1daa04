"""Looks after the pull requests of all projects, beside `up`: asking a forge takes its time, and `up` has none.

What a look finds is left for the next child; the session is due then, and `up` starts a worker for it.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.api.pull_request import is_watched, look
from samoloop.api.status import is_put_away
from samoloop.base.errors import LockHeld, SamoloopError, sentence
from samoloop.config import projects
from samoloop.core.session import Session

LOOK_SECONDS = 120.0


@dataclass
class PullRequests:
    """What is wrong with one of them is said once, and no matter to the others."""

    environ: Mapping[str, str]
    say: Callable[[str], None]
    _next: float = 0.0
    _over: dict[Path, int] = field(default_factory=dict)  # of sessions that need no look: how long their journal was
    _said: set[str] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def look(self, now: float) -> None:
        """Begin a look where it is time."""
        if now >= self._next and not (self._thread and self._thread.is_alive()):
            self._next = now + LOOK_SECONDS
            self._thread = threading.Thread(target=self._look, name="pull-requests", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        for root in projects.registered(self.environ):
            for session in projects.sessions_of(root, self.environ):
                if is_put_away(session):
                    continue
                with suppress(LockHeld):  # a worker is there, which finishes by itself
                    try:
                        self._look_at(session)
                    except (SamoloopError, OSError) as error:
                        self._say_once(f"{session.name}: its pull request cannot be looked at: {sentence(error)}")

    def _look_at(self, session: Session) -> None:
        length = session.journal.path.stat().st_size
        if self._over.get(session.dir) == length:
            return
        if not is_watched(session, self.environ):
            self._over[session.dir] = length
            return
        seen = look(session, self.environ)
        self._say_once(seen.says)
        if seen.is_over:
            self._over[session.dir] = session.journal.path.stat().st_size

    def _say_once(self, sentence: str) -> None:
        if sentence and sentence not in self._said:
            self._said.add(sentence)
            self.say(sentence)
