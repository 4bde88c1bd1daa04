"""The records of a journal as values: one frozen class a type, one reader, one writer.

A new type is a class here and its effect in `state`. What a room beside the core wants to remember is a `RoomRecord`,
whose name has a dot (`room.word`): a samoloop without that room keeps it and goes on.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

from samoloop.base.errors import SessionError, shown
from samoloop.core import fields
from samoloop.core.decision import Condition, Decision
from samoloop.core.fields import Fields
from samoloop.core.gates import Gate, Verdict
from samoloop.core.outcome import Outcome
from samoloop.core.roots import Root
from samoloop.core.signals import GateKind, Signal
from samoloop.core.workflow import Workflow

FORMAT = 1
# What reading a record, or letting it act, raises where its values are not those that were written.
DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def timestamp(moment: datetime) -> str:
    """`2026-11-21T10:05:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The inverse of `timestamp`. Raises ValueError or OverflowError for what is no time."""
    return datetime.fromisoformat(text).astimezone(UTC)


class Record(Fields):
    """One line of a journal."""

    event: ClassVar[str]  # the type's name in the journal
    classes: ClassVar[dict[str, "type[Record]"]] = {}
    at: str = ""  # ISO 8601; the journal stamps what it appends

    def __init_subclass__(cls, event: str = "", **more: Any):
        super().__init_subclass__(**more)
        if event:
            cls.event = event
            cls.classes[event] = cls

    @property
    def type_name(self) -> str:
        """What the journal calls it."""
        return self.event

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return fields.read(cls, value)

    def to_json(self) -> dict[str, Any]:
        return {"event": self.event, **fields.to_json(self)}


class Parent(Fields):
    """Where a fork comes from."""

    session: str
    iteration: int
    checkpoint: str


class Merge(Fields):
    """Work of another session that a child has to merge before all else."""

    session: str
    branch: str
    commit: str


class FromBacklog(Fields):
    """The task of the backlog that a session was made from."""

    task: str  # its name
    due: float = 0.0  # epoch seconds; the time of its schedule that the session is for, where it has one
    merges: tuple[Merge, ...] = ()  # what could not be merged without a choice


class Created(Record, event="created"):
    """The first record: what the session was made from."""

    format: int = FORMAT
    session: str  # the folder's name
    title: str = ""
    task_sha256: str = ""
    backlog: FromBacklog | None = None  # before what is long, so that a look at the line's beginning finds it
    workflow: Workflow
    settings: Mapping[str, Any] = _NOTHING  # flags to be remembered, by configuration key
    environment: Mapping[str, Any] = _NOTHING  # what the person's environment said then, likewise
    repo: Path | None = None  # its git folder; None: in place
    root: Path = Path()
    base: str | None = None  # the commit that the branch starts from
    start: str = ""  # what the person calls that commit, where it is not simply the checkout's
    branch: str = ""
    worktree: Path = Path()
    in_place: bool = False
    found: bool = False  # branch and worktree were there before, made by somebody else
    parent: Parent | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        if (known := value.get("format", FORMAT)) > FORMAT:
            raise SessionError(f"the session has format {known}, this version knows up to {FORMAT}: use a newer one")
        return super().from_json(value)

    def to_json(self) -> dict[str, Any]:
        value = super().to_json()
        left = {key for key in ("parent", "backlog") if value[key] is None}
        return {key: item for key, item in value.items() if key not in left}


class Setup(Fields):
    """The project's own command for a fresh worktree, as it ran."""

    command: str
    exit_code: int


class Prepared(Record, event="prepared"):
    """The phase `init` is done."""

    phase: str  # the first one with a child
    notes: tuple[str, ...] = ()
    setup: Setup | None = None
    tree: str | None = None


class Guided(Record, event="guided"):
    """A person's words are about to become files for the next child."""

    inbox: tuple[str, ...]  # their names in `_logs`


class Started(Record, event="started"):
    """A child is about to be spawned."""

    iteration: int
    attempt: int
    phase: str
    provider: str
    model: str | None = None
    marker: str = ""  # in the environment of the child and of all that it starts
    boot: str = ""
    time: float = 0.0  # epoch seconds
    stem: str = ""  # the name that the attempt's files in `_logs` begin with
    inbox: tuple[str, ...] = ()  # guidance files that it is given, in journals from before `guided`
    head: str | None = None
    stashes: tuple[str, ...] = ()
    seen: Mapping[str, str] = _NOTHING  # by room: a hash of what it saw before, to be compared after the child


class Adopted(Record, event="adopted"):
    """The child that a dead worker left is waited for."""

    iteration: int
    attempt: int
    pid: int | None = None


class Ended(Record, event="ended"):
    """A child's end, and what was decided."""

    KEYS = {"signalled": "signal"}  # noqa: RUF012
    iteration: int
    attempt: int = 1
    phase: str
    provider: str = ""
    model: str | None = None
    outcome: Outcome
    signalled: Mapping[str, Any] | None = None  # the signal as the child wrote it, unknown fields too
    bad_signal: str | None = None  # why it could not be used, or that there was none
    decision: Decision
    usage_complete: bool = True
    swept: int = 0  # processes that it left behind and that were ended
    left: tuple[int, ...] = ()  # those that could not be
    tree: str | None = None  # code and session content, for progress
    head: str | None = None
    notes: tuple[str, ...] = ()
    said: str = ""

    @property
    def signal(self) -> Signal | None:
        return Signal.from_json(self.signalled) if self.signalled else None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        beside = {key: value.get(key) for key in ("time", "usage", "progress")}
        return super().from_json({**value, "outcome": {**(value.get("outcome") or {}), **beside}})

    def to_json(self) -> dict[str, Any]:
        outcome = self.outcome
        return super().to_json() | {"time": outcome.at, "usage": outcome.usage.to_json(), "progress": outcome.progress}


class Interrupted(Record, event="interrupted"):
    """Nobody knows how far a child came: its iteration runs again."""

    iteration: int
    attempt: int = 1
    phase: str = ""
    note: str  # for the next child
    why: str = ""


class GateOpened(Record, event="gate_opened"):
    """A human is asked."""

    gate: Gate
    reason: str = ""


class GateShown(Record, event="gate_shown"):
    """The gate's file is in place: what stands in it from now on is a person's."""

    gate: str  # its id


class GateClosed(Record, event="gate_closed"):
    """A human decided."""

    gate: str  # its id
    kind: GateKind
    verdict: Verdict
    by: str = ""
    comment: str = ""
    sha256: str | None = None  # the text that an approval binds
    answers: Mapping[str, Mapping[str, str]] = _NOTHING  # id -> title, answer
    file: str | None = None

    @property
    def said(self) -> list[str]:
        """What they said, a line each."""
        given = [f"{id} {one.get('title', '')}: {one.get('answer', '')}" for id, one in self.answers.items()]
        return [line for line in (*given, self.comment) if line]


class GateVoid(Record, event="gate_void"):
    """What was approved is no longer what is there; the gate opens again under another id."""

    gate: str  # its id
    why: str = ""


class Moved(Record, event="moved"):
    """A human put the session into another phase."""

    KEYS = {"source": "from", "target": "to"}  # noqa: RUF012
    source: str = ""
    target: str
    by: str = ""


class Extended(Record, event="extended"):
    """A person goes on with a session beyond the phase that it was to end with."""

    workflow: Workflow  # the whole


class Resumed(Record, event="resumed"):
    """A human wants it to go on, `now` even within a limit."""

    by: str = ""
    now: bool = False
    settings: Mapping[str, Any] = _NOTHING  # flags to be remembered, by configuration key
    shown: str | None = None  # the hash of the project's settings files that they go on with


class Halted(Record, event="halted"):
    """The worker came to rest by itself between iterations: stopped, or at a ceiling."""

    condition: Condition
    reason: str = ""
    needs: str = ""  # the command, where only that helps


class Failed(Record, event="failed"):
    """A worker could not go on."""

    reason: str
    time: float = 0.0  # epoch seconds


class Retried(Record, event="retried"):
    """A worker tries again what the last one could not do."""


class Rested(Record, event="rested"):
    """The worker has nothing more to write or to say; `overview` is the hash of `_overview.md` as it left it."""

    overview: str | None = None


class Warned(Record, event="warned"):
    """A ceiling came near, and a person was told."""

    ceiling: str
    share: float = 0.0


class LimitShared(Record, event="limit_shared"):
    """Another session met the provider's limit first."""

    provider: str
    not_before: float  # epoch seconds
    reason: str = ""


class Rewound(Record, event="rewound"):
    """A human went back to the end of an iteration."""

    to: int
    record: int  # how many records there were at its end
    checkpoint: str | None = None
    left: str = ""  # the checkpoint that holds what was left
    gate: str = ""  # whose decision was taken back, before a child had acted on it
    by: str = ""
    note: str = ""  # for the next child


class Rooted(Record, event="rooted"):
    """Folders that the worker saw for the first time, or that a person said are the right ones."""

    roots: Mapping[str, Root]  # by what they are to the session


class WorktreeNew(Record, event="worktree_new"):
    """The worktree is about to be made again, or was forked: it lacks what git ignores."""

    why: str


class WorktreeReady(Record, event="worktree_ready"):
    """The new worktree got what git ignores, as far as that can be."""

    notes: tuple[str, ...]  # for the next child and the report
    setup: Setup | None = None


class Placed(Record, event="placed"):
    """The session goes on on another machine, or at another place: its folders are these from now on."""

    machine: str
    repo: Path  # its git folder
    root: Path
    worktree: Path
    notes: tuple[str, ...] = ()  # for the next child


class Archived(Record, event="archived"):
    """A human removed the worktree."""

    by: str = ""


class Noted(Record, event="noted"):
    """Something for the report alone."""

    text: str = ""


class Torn(Record, event="torn"):
    """A line that a crash cut off was closed; it holds nothing."""


class RoomRecord(Record):
    """What a room beside the core remembers; to the core it means nothing."""

    event: ClassVar[str] = ""  # its name says it
    name: str  # `room.word`
    values: Mapping[str, Any] = _NOTHING

    @property
    def type_name(self) -> str:
        return self.name

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        values = {key: item for key, item in value.items() if key not in ("event", "at", "seal")}
        return cls(name=value["event"], at=value.get("at", ""), values=values)

    def to_json(self) -> dict[str, Any]:
        if "." not in self.name:
            raise ValueError(f"{self.name!r} is no name for a record of a room: `room.word`")
        return {**self.values, "event": self.name, "at": self.at}


def read(value: Mapping[str, Any]) -> Record:
    """The record that a JSON object spells. Raises SessionError for one that this version does not understand."""
    name = value.get("event")
    kind = Record.classes.get(name) if isinstance(name, str) else None
    if kind is None and isinstance(name, str) and "." in name:
        kind = RoomRecord
    if kind is None:
        raise SessionError(
            f"the journal holds a record of type {shown(name)}, which this version does not know: "
            "it was written by a newer samoloop; use that one, nothing was changed"
        )
    try:
        record = kind.from_json(value)
        if record.at:
            moment(record.at)
    except DAMAGE as error:
        raise not_understood(name, value.get("at"), error) from error
    return record


def not_understood(name: object, at: object, error: Exception) -> SessionError:
    return SessionError(
        f"the journal's record of type {shown(name)} at {str(at)[:40]} cannot be understood ({shown(error)}); "
        "put back a good copy of the file, nothing was changed"
    )


def line(record: Record) -> bytes:
    """The record as a line of the journal."""
    return json.dumps(record.to_json(), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
