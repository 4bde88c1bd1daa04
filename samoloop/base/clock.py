"""Time, as something that can be handed in: a test crosses a five-hour limit in milliseconds."""

import select
import time
from collections.abc import Sequence
from datetime import UTC, datetime


class Clock:
    """The real one."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.epoch(), UTC)

    def local(self) -> datetime:
        return self.now().astimezone()

    def epoch(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, descriptors: Sequence[int], seconds: float | None) -> bool:
        """Until one of the descriptors is readable (True) or the time is over (False)."""
        ready, _, _ = select.select(descriptors, [], [], None if seconds is None else max(seconds, 0.0))
        return bool(ready)
