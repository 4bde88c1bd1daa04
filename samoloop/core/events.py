"""What a child's output means, whatever CLI wrote it: the seven events, and why a CLI could not do its work."""

from dataclasses import asdict
from enum import StrEnum
from typing import Any

from samoloop.base.values import frozen


class Trouble(StrEnum):
    """Why a CLI could not do its work, by the CLI's own structured word."""

    LOGIN = "login"
    BILLING = "billing"
    USAGE_LIMIT = "usage_limit"  # a quota that comes back at a time
    RATE = "rate"  # 429 without a quota behind it
    OVERLOAD = "overload"  # 5xx, "at capacity"
    NETWORK = "network"
    MODEL = "model"  # unknown, or not allowed
    CONTEXT = "context"  # prompt or conversation too long
    OTHER = "other"


@frozen
class Started:
    """The CLI is up: a first event that comes before any model reply."""

    session_id: str | None = None


@frozen
class Text:
    """Words of the model."""

    text: str


@frozen
class Tool:
    """A tool call: `running` while it is under way, else finished (`ok` tells how)."""

    id: str
    name: str
    detail: str = ""  # one line for a person: the command, the path
    running: bool = False
    ok: bool = True


@frozen
class Usage:
    """Tokens and cost of this child so far: totals that replace what an earlier Usage said; None is unknown."""

    input_tokens: int | None = None  # cached ones included
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    model: str | None = None
    virtual: bool = False  # the cost is what a subscription covers: nobody pays it by the token

    def to_json(self) -> dict[str, Any]:
        """For the journal, without what is unknown."""
        return {key: value for key, value in asdict(self).items() if value is not None and value is not False}


@frozen
class Denied:
    """A permission was refused inside the CLI."""

    tool: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.tool}: {self.detail}"

    @classmethod
    def from_json(cls, text: str) -> "Denied":
        tool, _, detail = text.partition(": ")
        return cls(tool, detail)


@frozen
class Failure:
    """Something went wrong; `fatal` means that the CLI gave up on it."""

    trouble: Trouble
    message: str
    fatal: bool = True
    resets_at: float | None = None  # epoch seconds, for USAGE_LIMIT (or a Retry-After)


@frozen
class Result:
    """The CLI's own word that the run is over. A later one replaces an earlier one."""

    ok: bool
    text: str = ""

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """The journal keeps what a failed one said."""
        return cls(ok=False, text=text)


Event = Started | Text | Tool | Usage | Denied | Failure | Result
