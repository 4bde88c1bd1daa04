"""What happened to one child: a fold over its events, and how it ended. Values only."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

from samoloop.base.values import frozen
from samoloop.core import fields
from samoloop.core.events import Denied, Event, Failure, Result, Started, Text, Tool, Trouble, Usage
from samoloop.core.limits import EndedBy

_STRENGTH = (Trouble.USAGE_LIMIT, Trouble.LOGIN, Trouble.BILLING)
TRANSIENT = frozenset({Trouble.RATE, Trouble.OVERLOAD, Trouble.NETWORK})
_DENIED_KEPT = 20
NO_USAGE = Usage()


@frozen
class Outcome:
    """One child, after its end."""

    KEYS: ClassVar = {"at": "time", "result": "result_failed"}
    ended_by: EndedBy = EndedBy.EXIT
    exit_code: int | None = 0  # None: unknown; negative: the signal that ended it
    seconds: float = 0.0
    at: float = 0.0  # epoch seconds of its end
    failure: Failure | None = None  # the strongest fatal one
    denied: tuple[Denied, ...] = ()
    result: Result | None = None
    usage: Usage = NO_USAGE
    progress: bool = True  # code or session files changed

    @property
    def cli_failed(self) -> bool:
        """The CLI itself says or shows that it could not do its work; how it ended counts only if we did not end it."""
        failed_result = self.result is not None and not self.result.ok
        own_end = self.ended_by is EndedBy.EXIT
        return self.failure is not None or (own_end and (self.exit_code != 0 or failed_result))

    def to_json(self) -> dict[str, Any]:
        """For the journal: short, without empty fields. Usage, progress and time stand beside it there."""
        value: dict[str, Any] = {
            "ended_by": self.ended_by,
            "exit_code": self.exit_code,
            "seconds": round(self.seconds, 3),
        }
        if self.failure:
            value["failure"] = asdict(self.failure) | {"message": self.failure.message[:500]}
        if self.denied:
            value["denied"] = [f"{denied.tool}: {denied.detail[:200]}" for denied in self.denied]
        if self.result and not self.result.ok:
            value["result_failed"] = self.result.text[:500]
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """As the journal kept it, with `usage`, `progress` and `time` put in."""
        return fields.read(cls, value)


@dataclass
class Collector:
    """Gathers the events of one running child."""

    failures: list[Failure] = field(default_factory=list)
    denied: list[Denied] = field(default_factory=list)
    result: Result | None = None
    usage: Usage = field(default_factory=Usage)
    last_tool: str = ""  # for the screen
    last_text: str = ""
    session_id: str | None = None  # the CLI's own name for its conversation

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Started(session_id):
                    self.session_id = session_id or self.session_id
                case Text(text):
                    self.last_text = text[-2000:]
                case Tool(name=name, detail=detail, running=True):
                    self.last_tool = f"{name} {detail}".strip()
                case Tool():
                    pass
                case Usage():
                    self.usage = event
                case Denied():
                    self.denied = [*self.denied, event][-_DENIED_KEPT:]
                case Failure():
                    self.failures = [*self.failures, event][-50:]
                case Result():
                    self.result = event

    def outcome(self, ended_by: EndedBy, exit_code: int | None, seconds: float, at: float) -> Outcome:
        return Outcome(
            ended_by=ended_by,
            exit_code=exit_code,
            seconds=seconds,
            at=at,
            failure=strongest(self.failures),
            denied=tuple(self.denied),
            result=self.result,
            usage=self.usage,
        )


def strongest(failures: Iterable[Failure]) -> Failure | None:
    """The fatal failure that says most: a usage limit, then login, then billing, then the last one."""
    fatal = [failure for failure in failures if failure.fatal]
    for trouble in _STRENGTH:
        for failure in reversed(fatal):
            if failure.trouble is trouble:
                return failure
    return fatal[-1] if fatal else None
