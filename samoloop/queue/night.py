"""When `up` ends by itself: at a time, or when enough was spent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from samoloop.api.settings import settings_of
from samoloop.base.errors import SamoloopError
from samoloop.core.session import Session


@dataclass
class Night:
    """What sessions spent counts from the moment at which this `up` started their first worker.

    That is money; what a subscription covers counts where the session's `ceilings` say `virtual: stop`, as for those.
    """

    environ: Mapping[str, str]
    until: float | None = None  # epoch seconds
    budget: float | None = None  # USD over all
    _before: dict[Path, float] = field(default_factory=dict)
    _spent: dict[Path, float] = field(default_factory=dict)

    def began(self, session: Session) -> None:
        """A worker is about to start."""
        if self.budget is not None and session.dir not in self._before:
            self._before[session.dir] = self._cost(session)

    def look(self, session: Session) -> None:
        """A worker is at work on it, or has just ended."""
        if session.dir in self._before:
            self._spent[session.dir] = self._cost(session) - self._before[session.dir]

    def over(self, now: float) -> str:
        """Why the night is over; empty while it is not."""
        if self.until is not None and now >= self.until:
            return f"it is {datetime.fromtimestamp(now).astimezone():%H:%M}"
        spent = sum(self._spent.values())
        if self.budget is not None and spent >= self.budget:
            return f"{spent:.2f} of {self.budget:.2f} USD were spent"
        return ""

    def _cost(self, session: Session) -> float:
        try:
            totals = Session(session.dir).state().totals
            counts = settings_of(session, self.environ).ceilings.virtual_stops
        except (SamoloopError, OSError):  # it is said elsewhere
            return self._before.get(session.dir, 0.0) + self._spent.get(session.dir, 0.0)
        return totals.cost_usd + (totals.virtual_usd if counts else 0.0)
