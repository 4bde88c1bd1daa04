"""Reminders of sessions that wait for a person while no worker is there to give them: for `up`, and for machines of a
fleet.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from samoloop.api.settings import settings_of
from samoloop.base.errors import SamoloopError
from samoloop.config import projects
from samoloop.core.control import is_fleets
from samoloop.core.session import Session
from samoloop.worker import outbox
from samoloop.worker.delivery import Delivery
from samoloop.worker.lease import locked
from samoloop.worker.notices import CALLS
from samoloop.worker.reminders import due

LOOK_SECONDS = 5.0
_IDLE_SECONDS = 60.0  # until a session with nothing to say is looked at again
_DELIVER_SECONDS = 5.0


@dataclass
class Reminders:
    """What is wrong with one session is no matter to the others, and `up` says it by itself."""

    environ: Mapping[str, str]
    fleets_alone: bool = False  # of sessions that machines share
    _next: float = 0.0
    _not_before: dict[Path, float] = field(default_factory=dict)

    def look(self, now: float) -> None:
        """Remind where it is time; cheap where it is not."""
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        for root in projects.registered(self.environ):
            for session in projects.sessions_of(root, self.environ):
                if self._not_before.get(session.dir, 0.0) <= now:
                    with suppress(SamoloopError, OSError):
                        self._remind(session, now)

    def _remind(self, session: Session, now: float) -> None:
        if self.fleets_alone and not is_fleets(session.dir):
            return
        last = outbox.last(session.dir)
        if last is None or last.kind not in CALLS or last.source:  # who announced it on another machine reminds of it
            return
        outlets = replace(settings_of(session, self.environ).outlets, telegram=False)  # its relay reminds by itself
        if not outlets.readers:
            self._not_before[session.dir] = now + _IDLE_SECONDS
            return
        if due(last, session.state(), outlets, now) is None:
            return  # a lease is dear where machines share the session: it asks database and remote
        with locked(session):  # raises LockHeld where a worker is there, which reminds
            session.forget()
            again = due(last, session.state(), outlets, now)
            if again is None or outbox.put(session.dir, again, outlets) is None:
                return
        delivery = Delivery(session.dir, session.state().created.root, outlets, {}, self.environ)
        delivery.start()
        delivery.close(_DELIVER_SECONDS)
