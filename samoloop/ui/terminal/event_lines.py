"""What happens in a session, for a program: one JSON object a line."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from samoloop.core.outcome import Collector
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.ui.terminal.live_block import abandon
from samoloop.ui.terminal.output import say_json
from samoloop.worker.outbox import Announcement
from samoloop.worker.view import Running


def say_event(event: str, session: str, values: Mapping[str, Any]) -> None:
    """A line at once. Where the reader is gone, nothing; the work goes on."""
    try:
        say_json({"event": event, "session": session, **values}, indent=None)
    except (OSError, ValueError):
        abandon(sys.stdout)


class EventLines:
    """One who looks on and passes on each event: said, started, ended, waiting, announced."""

    def __init__(self, session: str) -> None:
        self._session = session

    def say(self, sentence: str) -> None:
        self._say("said", {"text": sentence})

    def started(self, running: Running) -> None:
        self._say("started", asdict(running))

    def progress(self, collector: Collector) -> None:
        """Only the end is worth a line."""

    def ended(self, record: Ended, decision: Decision) -> None:
        self._say("ended", record.to_json())

    def waiting(self, decision: Decision) -> None:
        said = {"phase": decision.phase, "for": decision.gate, "reason": decision.reason}
        self._say("waiting", {**said, "not_before": decision.not_before})

    def announced(self, announcement: Announcement) -> None:
        self._say("announced", announcement.as_json())

    def _say(self, event: str, values: Mapping[str, Any]) -> None:
        say_event(event, self._session, values)
