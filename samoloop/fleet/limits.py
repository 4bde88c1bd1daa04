"""Usage limits that all machines of a login respect: this machine's files, and the database's rows, kept the same.

Times go to the database and come from it as differences, so its clock alone decides and no machine's has to be right.
What both sides agreed on last is kept, so that a limit which a person forgot is told from one that nobody met yet.
"""

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.files import make_folder, small_text, write_atomic
from samoloop.base.places import state_folder
from samoloop.base.values import frozen
from samoloop.fleet.database import Database
from samoloop.fleet.here import Here
from samoloop.worker import shared_limits

SAME_SECONDS = 2.0  # two times so close are the same limit, converted at two moments


@frozen
class Settled:
    """What is to be done so that both sides say the same; times are this machine's epoch seconds."""

    give: Mapping[str, float]
    take: Mapping[str, float]
    unlimit: frozenset[str]  # there
    forget: frozenset[str]  # here


def settle(agreed: Mapping[str, float], mine: Mapping[str, float], theirs: Mapping[str, float]) -> Settled:
    """Whoever changed it since both agreed is right; where both did, the later end. Pure."""
    give, take, unlimit, forget = {}, {}, set(), set()
    for provider in {*agreed, *mine, *theirs}:
        was, here, there = (side.get(provider, 0.0) for side in (agreed, mine, theirs))
        if _same(here, there):
            continue
        if _same(here, was) or (not _same(there, was) and there > here):
            if there:
                take[provider] = there
            else:
                forget.add(provider)
        elif here:
            give[provider] = here
        else:
            unlimit.add(provider)
    return Settled(give, take, frozenset(unlimit), frozenset(forget))


def _same(one: float, other: float) -> bool:
    return abs(one - other) < SAME_SECONDS


class Limits:
    """This machine's part in it."""

    def __init__(self, this: Here, environ: Mapping[str, str]) -> None:
        self._login, self._environ = this.login, environ
        self._kept = state_folder(environ) / "fleet-limits.json"
        self._one_at_a_time = threading.Lock()

    @property
    def folder(self) -> Path:
        """Where a session of this machine leaves the limits that it meets."""
        return shared_limits.folder(self._environ)

    def share(self, database: Database) -> list[str]:
        """Bring both sides to say the same; sentences of what this machine heard. Raises DatabaseError, OSError."""
        with self._one_at_a_time:
            found, now = database.limits(self._login), time.time()
            theirs = {provider: now + seconds for provider, (seconds, _) in found.items()}
            known = shared_limits.known(self._environ, now)
            mine = {provider: until for provider, (until, _) in known.items()}
            settled = settle(self._agreed(now), mine, theirs)
            for provider, until in settled.give.items():
                database.limit(self._login, provider, until - now, known[provider][1])
            for provider in settled.unlimit:
                database.unlimit(self._login, provider)
            for provider in {*settled.forget, *settled.take}:
                shared_limits.forget(provider, self._environ)
            for provider, until in settled.take.items():
                shared_limits.write(provider, until, found[provider][1], self._environ, now)
            self._agree(shared_limits.known(self._environ, now))
        return [
            *(f"{name} is limited until {_clock(until)}, met elsewhere" for name, until in settled.take.items()),
            *(f"The limit of {name} was forgotten elsewhere" for name in sorted(settled.forget)),
        ]

    def _agreed(self, now: float) -> dict[str, float]:
        try:
            found = {str(name): float(until) for name, until in json.loads(small_text(self._kept) or "{}").items()}
        except (ValueError, TypeError, AttributeError):
            return {}
        return {name: until for name, until in found.items() if until > now}

    def _agree(self, known: Mapping[str, tuple[float, str]]) -> None:
        make_folder(self._kept.parent)
        write_atomic(self._kept, json.dumps({name: until for name, (until, _) in known.items()}))


def _clock(until: float) -> str:
    return time.strftime("%H:%M", time.localtime(until))
