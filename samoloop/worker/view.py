"""What the worker shows while it works. The worker speaks to this; the terminal is one way of listening."""

from collections.abc import Sequence
from typing import Protocol

from samoloop.base.values import frozen
from samoloop.core.outcome import Collector
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.worker.outbox import Announcement


@frozen
class Running:
    """The child that is at work."""

    session: str
    phase: str
    iteration: int
    attempt: int
    provider: str
    model: str | None
    limit_seconds: float


class View(Protocol):
    """One who looks on."""

    def say(self, sentence: str) -> None:
        """A lasting line."""
        ...

    def started(self, running: Running) -> None:
        """A child began."""
        ...

    def progress(self, collector: Collector) -> None:
        """It was looked at; called a few times a second at most, also where it says nothing."""
        ...

    def ended(self, record: Ended, decision: Decision) -> None:
        """It ended, and this follows."""
        ...

    def waiting(self, decision: Decision) -> None:
        """The session waits."""
        ...

    def announced(self, announcement: Announcement) -> None:
        """Something that a person is to notice, wherever they are."""
        ...


class Quiet:
    """Shows nothing."""

    def say(self, sentence: str) -> None: ...

    def started(self, running: Running) -> None: ...

    def progress(self, collector: Collector) -> None: ...

    def ended(self, record: Ended, decision: Decision) -> None: ...

    def waiting(self, decision: Decision) -> None: ...

    def announced(self, announcement: Announcement) -> None: ...


class Several:
    """Several who look on, each told in turn."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views

    def say(self, sentence: str) -> None:
        for view in self._views:
            view.say(sentence)

    def started(self, running: Running) -> None:
        for view in self._views:
            view.started(running)

    def progress(self, collector: Collector) -> None:
        for view in self._views:
            view.progress(collector)

    def ended(self, record: Ended, decision: Decision) -> None:
        for view in self._views:
            view.ended(record, decision)

    def waiting(self, decision: Decision) -> None:
        for view in self._views:
            view.waiting(decision)

    def announced(self, announcement: Announcement) -> None:
        for view in self._views:
            view.announced(announcement)
