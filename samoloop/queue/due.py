"""What a worker could do now, as a value, and who says so."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from samoloop.base.values import frozen
from samoloop.core.session import Session

Rank = tuple[float, int, float, str]  # less priority, begun before not begun, age, name: the least comes first


@frozen
class Due:
    """A session to go on with, or a task that gets one when it starts."""

    key: Path  # the folder of the session, or the file of the task with when it was written: another text is another
    name: str
    rank: Rank
    session: Callable[[], Session]  # made where it is not there yet; raises SamoloopError
    provider: Callable[[], str]  # the CLI that works on it next; raises SamoloopError

    @property
    def is_begun(self) -> bool:
        """Whether there is a session."""
        return self.rank[1] == 0


class Source(Protocol):
    """Where work comes from."""

    def due(self, now: float) -> Iterable[Due]:
        """What is due at `now` (epoch seconds), the first to be started first; nothing that a worker is at."""
        ...

    def at_work(self) -> Iterable[Session]:
        """As of the last look: sessions that workers are at and that do not wait, whoever started them."""
        ...

    def provider(self, session: Session) -> str:
        """The CLI that works on it now, or would next. Raises SamoloopError."""
        ...

    def is_soon(self, now: float) -> bool:
        """Whether something is due in a moment."""
        ...
