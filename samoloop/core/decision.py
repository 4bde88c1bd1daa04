"""What follows from a child, or from none: a decision, and the condition that it leaves the session in. Values only."""

from enum import StrEnum
from typing import Any, ClassVar

from samoloop.base.values import frozen
from samoloop.core import fields
from samoloop.core.signals import GateKind


class Kind(StrEnum):
    """What the worker does next."""

    CONTINUE = "continue"  # another child, in `phase`
    REPAIR = "repair"  # another child in the same phase, told what was wrong with the signal
    RETRY = "retry"  # the same iteration again
    LIMITED = "limited"  # the same iteration again, once the provider's limit is over
    WAIT = "wait"  # for a human: at a gate (`gate`), or at a ceiling
    BLOCKED = "blocked"
    FAILED = "failed"
    STOPPED = "stopped"
    DONE = "done"


class Condition(StrEnum):
    """What the session is doing, or what it would do when a worker starts."""

    NEW = "new"  # not prepared yet: no branch, no worktree
    READY = "ready"  # the next child can start
    RUNNING = "running"  # a child was started and its end is not recorded
    WAITING = "waiting"  # for a human
    LIMITED = "limited"  # until a time
    BLOCKED = "blocked"
    FAILED = "failed"
    STOPPED = "stopped"
    DONE = "done"


EXIT_CODES = {
    Kind.DONE: 0,
    Kind.WAIT: 3,
    Kind.LIMITED: 3,
    Kind.RETRY: 3,
    Kind.BLOCKED: 4,
    Kind.FAILED: 5,
    Kind.STOPPED: 6,
}


@frozen
class Note:
    """Something that the next child is told."""

    kind: str  # interrupted, repair, time_limit, still, git, answered, person, resumed, rewound
    text: str
    words: str = ""  # a person's own, which the prompt fences

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "text": self.text} | ({"words": self.words} if self.words else {})


@frozen
class Decision:
    """One decision with its reason, a sentence for a person."""

    KEYS: ClassVar = {"gate": "for"}
    kind: Kind
    phase: str | None = None
    reason: str = ""
    gate: GateKind | None = None
    needs: str = ""
    summary: str = ""
    delay_seconds: float = 0.0  # before the next attempt, without jitter; never recorded
    not_before: float | None = None  # epoch seconds
    transient: bool = False  # a RETRY that is not held against the CLI
    stands_in: str = ""  # LIMITED: another provider, which goes on at once while this one is unavailable
    vetoed: bool = False  # the child wanted to leave the phase, and what the worker saw speaks against it
    notes: tuple[Note, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Another child can start now."""
        return self.kind in (Kind.CONTINUE, Kind.REPAIR)

    @property
    def sleeps(self) -> bool:
        """Another child can start later, without a human."""
        return self.kind in (Kind.RETRY, Kind.LIMITED)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.kind]

    def to_json(self) -> dict[str, Any]:
        """For the journal, without empty fields."""
        value = fields.to_json(self)
        del value["delay_seconds"]
        return {key: item for key, item in value.items() if item}
