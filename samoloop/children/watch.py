"""When a running child has to be ended: a pure rule over times and over what was seen of the child."""

from collections.abc import Iterable

from samoloop.core.events import Event, Result, Tool
from samoloop.core.limits import EndedBy, Limits

_BUSY_SECONDS = 0.25  # between two looks at a child that writes
_QUIET_SECONDS = 1.0  # and at one that does not
_LOOKS_AT_CPU = 4  # within the silence limit
_IDLE_SHARE = 0.02  # of one core: the event loops of idle CLIs use some
_CPU_GRAIN_SECONDS = 0.02  # two ticks of the kernel's clock


class Watch:
    """Decides from the times at which things were seen. All times are seconds of one monotonic clock.

    Silence counts while no tool runs, nothing is written and the child's processes are idle: a long build that prints
    nothing is no stall. Should a tool's end get lost with skipped output, only the total limit is left.
    """

    def __init__(self, limits: Limits, started: float, now: float) -> None:
        """`started` may lie before `now`, for an adopted child."""
        self._limits = limits
        self._started = started
        self._written_at = now
        self._idle_since = now
        self._cpu: tuple[float, float] | None = None  # when it was last looked at, and how much it was
        self._wrote = False
        self._result = False
        self._tools: set[str] = set()
        self._pause = _BUSY_SECONDS

    def saw(self, now: float, *, output: bool, written: bool, events: Iterable[Event]) -> None:
        """A look at the child: whether it has any output, whether it wrote since the last look, what it said."""
        self._wrote = output
        for event in events:
            self._note(event)
        if written:
            self._written_at = self._idle_since = now
            self._cpu = None
        self._pause = _BUSY_SECONDS if written else min(self._pause * 2, _QUIET_SECONDS)

    def wants_cpu(self, now: float) -> bool:
        """Whether it is time to look at the processor time again; that costs a walk over all processes."""
        return self._limits.silence is not None and now >= self._next_cpu(self._limits.silence)

    def saw_cpu(self, now: float, seconds: float) -> None:
        """The processor time that the child's processes have used so far. Less than before: some have ended."""
        if self._cpu:
            then, before = self._cpu
            idle = 0 <= seconds - before <= _CPU_GRAIN_SECONDS + _IDLE_SHARE * (now - then)
            if not idle:
                self._idle_since = now
        self._cpu = (now, seconds)

    def may_be_done(self, now: float) -> bool:
        """Whether the child has given its result and was quiet for the grace; a valid signal is what is missing."""
        grace = self._limits.grace
        return self._result and grace is not None and now - self._written_at >= grace

    def limit(self, now: float) -> EndedBy | None:
        """The limit that has been reached, if any."""
        return next((by for by, at in self._deadlines() if now >= at), None)

    def pause_seconds(self, now: float) -> float:
        """How long to wait for an event before the next look."""
        times = [now + self._pause, *(at for _, at in self._deadlines())]
        if self._limits.silence is not None:
            times.append(self._next_cpu(self._limits.silence))
        if self._result and self._limits.grace is not None:
            times.append(self._written_at + self._limits.grace)
        return min([at - now for at in times if at > now], default=0.0)

    def _next_cpu(self, silence: float) -> float:
        last = self._cpu[0] if self._cpu else self._idle_since
        return last + silence / _LOOKS_AT_CPU

    def _deadlines(self) -> Iterable[tuple[EndedBy, float]]:
        yield EndedBy.TIME, self._started + self._limits.total
        if self._limits.first_byte is not None and not self._wrote:
            yield EndedBy.FIRST_BYTE, self._started + self._limits.first_byte
        if self._limits.silence is not None and not self._tools:
            yield EndedBy.SILENCE, self._idle_since + self._limits.silence

    def _note(self, event: Event) -> None:
        match event:
            case Tool(running=True):
                self._tools.add(event.id)
            case Tool():
                self._tools.discard(event.id)
            case Result():
                self._result = True
                self._tools.clear()
            case _:
                pass
