"""Token buckets: a caller may spend what has dripped in since, up to the burst."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """What a plan allows."""

    per_minute: float
    burst: int

    @property
    def per_second(self) -> float:
        return self.per_minute / 60


class Bucket:
    """One caller's tokens. Starts full; time refills it, lazily, when somebody asks."""

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._filled_at = clock()

    def take(self) -> bool:
        """Spend one token, if there is one."""
        self._refill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def seconds_until_next(self) -> float:
        """How long until there is a token again; 0 when there is one."""
        self._refill()
        return max(0.0, (1 - self._tokens) / self._rate.per_second)

    def left(self) -> int:
        """Whole tokens that could be spent now."""
        self._refill()
        return int(self._tokens)

    def _refill(self) -> None:
        now = self._clock()
        dripped = (now - self._filled_at) * self._rate.per_second
        self._tokens = min(self._rate.burst, self._tokens + dripped)
        self._filled_at = now
