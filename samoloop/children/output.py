"""A running child's words, as events."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from samoloop.children.tail import Tail
from samoloop.children.watch import Watch
from samoloop.core.events import Event
from samoloop.providers.base import Reader

_STDERR_TAIL_BYTES = 4096


class Output:
    """What a child says, handed on as events; at each look, so also where it says nothing."""

    def __init__(self, stdout: Path, stderr: Path, reader: Reader, on_events: Callable[[list[Event]], None]) -> None:
        """A file that is missing reads as empty."""
        self._stdout = Tail(stdout)
        self._stderr = Tail(stderr)
        self._reader = reader
        self._on_events = on_events
        self._size = 0  # of both

    @property
    def complete(self) -> bool:
        """Whether all of it was read; what was skipped may have held usage."""
        return self._stdout.complete

    def look(self, watch: Watch, now: float) -> None:
        """Hand on what is new and tell the watch."""
        size = self._stdout.size() + self._stderr.size()
        events = self._tell(self._stdout.lines())
        watch.saw(now, output=self._stdout.size() > 0, written=size != self._size, events=events)
        self._size = size

    def finish(self, exit_code: int | None) -> None:
        """Hand on the rest, when nobody writes any more."""
        self._tell(self._stdout.rest())
        last = self._reader.finish(exit_code, self._stderr.end(_STDERR_TAIL_BYTES))
        if last:
            self._on_events(last)

    def _tell(self, lines: Iterable[bytes]) -> list[Event]:
        events = [event for line in lines for event in self._reader.feed(line)]
        self._on_events(events)
        return events

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stdout.close()
        self._stderr.close()
