"""The values of a gate: what was asked, what a person decided, and what follows from that."""

from collections.abc import Mapping
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any

from samoloop.base.values import frozen
from samoloop.core.decision import Note
from samoloop.core.signals import GateKind

Given = Mapping[str, Mapping[str, str]]  # the answers that people gave before: id -> title, answer


class Verdict(StrEnum):
    """How a human closed a gate."""

    ANSWERED = "answered"
    APPROVE = "approve"
    CHANGES = "changes"
    REJECT = "reject"
    DONE = "done"
    DECLINED = "declined"  # a person will not do it, and says why
    UPDATED = "updated"


@frozen
class Gate:
    """A gate, as the journal keeps it."""

    id: str  # unique in the session
    kind: GateKind
    phase: str
    iteration: int
    file: str | None = None  # the plan, or the file to be updated
    sha256: str | None = None  # of that file when the gate opened
    questions: tuple[str, ...] = ()  # the ids that wait
    reason: str | None = None  # what the person is asked to do
    child_text: str | None = None  # hash of the gate file as the child left it
    open_text: str | None = None  # hash of the gate file as the worker put it
    before: Mapping[str, str] = field(default_factory=dict)  # hashes of the answers that stood there: they never count
    shown: bool = True  # its file is in place: what a person writes counts

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Gate":
        return cls(**{**value, "kind": GateKind(value["kind"]), "questions": tuple(value.get("questions") or ())})


@frozen
class Closing:
    """What a human decided."""

    verdict: Verdict
    by: str
    comment: str = ""
    sha256: str | None = None  # the text that an approval binds
    answers: Given = field(default_factory=dict)


@frozen
class StillOpen:
    """The gate stays open; `why` is a sentence where something was there but did not count."""

    why: str = ""
    left: tuple[str, ...] = ()  # the questions that have no answer yet


@frozen
class Void:
    """The plan is no longer the text that was approved: the gate must open again."""

    why: str


@frozen
class Act:
    """What a person does at a gate by a command or the phone."""

    verdict: Verdict
    by: str
    words: str = ""  # a comment, or how it was done
    answers: Mapping[str, str] = field(default_factory=dict)  # id -> answer
    shown: str | None = None  # hash of the text that the person saw
    replace: bool = False  # what was decided before, as long as nobody has acted on it
    own: str = ""  # how the names of those begin whose earlier word it takes the place of: one's own; empty: nobody's

    def takes_place_of(self, by: str) -> bool:
        """Whether what was decided by somebody may be decided anew by this."""
        return self.replace or (bool(self.own) and by.startswith(self.own))


@frozen
class Effect:
    """What the closing of a gate means for its session."""

    note: Note | None = None  # what the next child is told
    passes: bool = False  # the phase can be left now
    leaves: bool = False  # and is: no child is needed for it
    stops: str = ""  # the session stops, for this reason
    summary: str = ""  # of a session that ends with this gate
