"""The fleet's phone: of the machines that have one, the first by name brings what all announce to its person.

What is announced travels with its session. The phone's machine puts it into the outbox of its own copy, from where the
relay takes it, and tells the database what has reached the person, so that whoever is the phone next neither repeats
nor loses it; but what waits is shown there once more, because it can only be answered where it is known.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from samoloop.base.errors import LockHeld, SamoloopError
from samoloop.base.files import make_folder
from samoloop.base.locks import Lock
from samoloop.base.values import frozen
from samoloop.config.bot_folder import phone_lock
from samoloop.config.outlets import TELEGRAM
from samoloop.core.session import Session
from samoloop.core.state import State
from samoloop.fleet import parcel as parcels
from samoloop.worker import outbox
from samoloop.worker.outbox import Announcement
from samoloop.worker.relay_starter import RelayStarter
from samoloop.worker.reminders import still_waits

FRESH_SECONDS = 900.0  # of a session whose news nobody's phone has told yet: older ones are no news any more


@frozen
class Told:
    """An announcement of some machine."""

    name: str  # the machine, and its number there
    announcement: Announcement


@frozen
class ToTell:
    """What the phone here is given, in order, and what no phone needs to tell any more."""

    give: Sequence[Announcement]
    over: Sequence[str]


def to_tell(found: Sequence[Told], told: Collection[str], here: Collection[str], state: State, now: float) -> ToTell:
    """`told`: what reached the person by any phone; `here`: what was given to this machine's. Pure."""
    give, over = [], []
    for one in found:
        if one.name in here or one.announcement.reminder:
            continue
        waits = still_waits(one.announcement, state)
        if one.name not in told and not waits and not told and not here and now - one.announcement.at > FRESH_SECONDS:
            over.append(one.name)
        elif one.name not in told or waits:
            give.append(replace(one.announcement, source=one.name, again=one.name in told))
    return ToTell(give, over)


class Phone:
    """This machine's part in it; without a section of the configuration for the phone it never is the fleet's."""

    def __init__(self, machine: str, telegram: Mapping[str, Any] | None, environ: Mapping[str, str]) -> None:
        """Raises ConfigError where the phone cannot be used."""
        self._machine, self._lock = machine, phone_lock(environ)
        self._relay = RelayStarter(telegram, environ) if telegram is not None else None
        self._held: ExitStack | None = None
        self._was_first = False
        self._served: dict[Path, frozenset[str]] = {}  # sessions, and what the database knows to have been told

    @property
    def is_ours(self) -> bool:
        return self._held is not None

    def turn(self, is_first: bool) -> bool:
        """A beat: whether this machine is the fleet's phone from now on, and was not.

        It is from the second beat on, because meanwhile the one before has seen that it is the phone no more.
        """
        begins = is_first and self._was_first and not self.is_ours
        self._was_first = is_first
        if not is_first:
            self.close()
        if begins:
            try:
                make_folder(self._lock.parent)
                with ExitStack() as held:
                    held.enter_context(Lock.take(self._lock, 0, f"{self._machine}\n"))
                    self._held = held.pop_all()
            except LockHeld:
                return False  # at the next beat
        return begins

    def close(self) -> None:
        """The relay serves no session of the fleet any more."""
        if self._held:
            self._held.close()
        self._held, self._served = None, {}

    def look(self) -> str:
        """See that somebody listens; what a person should know of that, once."""
        return self._relay.look() if self._relay and self._served else ""

    def show(self, session: Session, told: Collection[str]) -> list[str]:
        """Give the phone what is news to its person; the names of what is no news any more."""
        session.forget()
        state = session.state()
        found = [
            Told(name, given)
            for name, data in parcels.announced(session.control, self._machine)
            if (given := _read(data)) is not None
        ]
        tell = to_tell(found, told, {name for name, _ in self._given(session.dir)}, state, time.time())
        for given in tell.give:
            outbox.pass_on(session.dir, given, TELEGRAM)
        if self._relay and (tell.give or session.dir not in self._served):
            self._served.setdefault(session.dir, frozenset(told))  # once there is one, `look` keeps the relay alive
            self._relay.serve(session.dir, state.created.root)
        return list(tell.over)

    def reached(self) -> list[tuple[Path, list[str]]]:
        """What has reached the person since it was asked last, by session."""
        found = []
        for folder, known in self._served.items():
            try:
                cursor = outbox.cursor(folder, TELEGRAM)
                names = {name for name, number in self._given(folder) if number <= cursor} - known
            except (SamoloopError, OSError):  # the copy is gone
                continue
            if names:
                found.append((folder, sorted(names)))
        return found

    def is_known(self, folder: Path, names: Collection[str]) -> None:
        """The database knows that they have reached the person."""
        if folder in self._served:
            self._served[folder] |= frozenset(names)

    def _given(self, folder: Path) -> list[tuple[str, int]]:
        return outbox.passed_on(folder)


def _read(data: bytes) -> Announcement | None:
    try:
        return outbox.from_json(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
