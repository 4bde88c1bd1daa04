"""What happened in a session, in order: iterations, and beside them all that people, gates and checks did. Pure.

A journal's records go in, entries come out that any face can show: words for people, and the numbers as they are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from samoloop.checks.receipts import RAN
from samoloop.checks.waivers import RECORD as WAIVED
from samoloop.core import records, words
from samoloop.core.finished import FAILED as NOT_FINISHED
from samoloop.core.finished import OPENED, PUSHED
from samoloop.core.gates import Closing, Gate, Verdict
from samoloop.core.headline import CONCLUDED, headline
from samoloop.core.records import Ended, GateClosed, Record, RoomRecord, moment
from samoloop.core.words import Tone


class What(StrEnum):
    """Which kind of thing happened."""

    BEGAN = "began"
    ITERATION = "iteration"
    GATE = "gate"
    CHECK = "check"
    PERSON = "person"  # somebody told, moved, resumed, rewound, waived, archived
    REST = "rest"  # a limit, a ceiling, a stop, a failure of the worker
    NOTE = "note"


@dataclass
class Entry:
    """One thing that happened. Only `timeline` writes to it."""

    what: What
    at: str  # ISO 8601, when it began
    title: str = ""
    lines: list[str] = field(default_factory=list)  # more of it, a sentence each
    tone: Tone = Tone.PLAIN
    until: str = ""  # when it ended: an iteration, a gate
    by: str = ""  # the person
    left: bool = False  # a person went back to before it
    # of an iteration
    iteration: int = 0
    attempt: int = 0
    phase: str = ""
    provider: str = ""
    model: str = ""
    ended: Ended | None = None  # None: it is at work, or was interrupted
    interrupted: bool = False
    checks: list[str] = field(default_factory=list)  # what samoloop ran before it let the phase be left
    vetoed: bool = False
    # of a gate
    gate: Gate | None = None
    decided: str = ""  # how and by whom; empty while it is open

    @property
    def seconds(self) -> float | None:
        """How long it took, or how long people were waited for; None while it lasts."""
        if self.ended:
            return self.ended.outcome.seconds
        return (moment(self.until) - moment(self.at)).total_seconds() if self.at and self.until else None


def timeline(history: Iterable[Record], told: Callable[[str], str] = lambda name: "") -> list[Entry]:
    """The entries, oldest first; `told` reads what a person said, by the name of its file among the logs."""
    made = _Timeline(told)
    for number, record in enumerate(history):
        made.take(number, record)
    return made.entries


class _Timeline:
    def __init__(self, told: Callable[[str], str]) -> None:
        self.entries: list[Entry] = []
        self._told = told
        self._numbers: list[int] = []  # of the record with which each entry began
        self._running: Entry | None = None
        self._gates: dict[str, Entry] = {}

    def take(self, number: int, record: Record) -> None:
        before = len(self.entries)
        match record:
            case records.Created():
                self._created(record)
            case records.Prepared():
                self._prepared(record)
            case records.WorktreeNew():
                self._worktree_new(record)
            case records.WorktreeReady():
                self._worktree_ready(record)
            case records.Started():
                self._started(record)
            case Ended():
                self._ended(record)
            case records.Interrupted():
                self._interrupted(record)
            case records.GateOpened():
                self._gate_opened(record)
            case GateClosed():
                self._gate_closed(record)
            case records.GateVoid():
                self._gate_void(record)
            case records.Guided():
                self._guided(record)
            case records.Moved():
                self._moved(record)
            case records.Extended():
                self._extended(record)
            case records.Resumed():
                self._resumed(record)
            case records.Halted():
                self._halted(record)
            case records.Failed():
                self._failed(record)
            case records.Retried():
                self._retried(record)
            case records.Warned():
                self._warned(record)
            case records.LimitShared():
                self._limit_shared(record)
            case records.Rewound():
                self._rewound(record)
            case records.Archived():
                self._archived(record)
            case records.Noted():
                self._noted(record)
            case RoomRecord():
                self._of_a_room(record)
        self._numbers += [number] * (len(self.entries) - before)

    def _add(self, record: Record, what: What, title: str, *lines: str, **more: Any) -> Entry:
        entry = Entry(what, record.at, title, [line for line in lines if line], **more)
        self.entries.append(entry)
        return entry

    def _created(self, record: records.Created) -> None:
        where = f"from {record.start}" if record.start else ""
        parent = f"a fork of {record.parent.session} after iteration {record.parent.iteration}" if record.parent else ""
        task = f"the task {record.backlog.task} of the backlog" if record.backlog else ""
        self._add(record, What.BEGAN, f"handed off, workflow {record.workflow.name}", parent, task, where)

    def _prepared(self, record: records.Prepared) -> None:
        self._set_up(record, "branch and worktree are ready", record.setup, record.notes)

    def _worktree_new(self, record: records.WorktreeNew) -> None:
        self._add(record, What.NOTE, record.why)

    def _worktree_ready(self, record: records.WorktreeReady) -> None:
        self._set_up(record, "the new worktree is ready", record.setup, record.notes)

    def _set_up(self, record: Record, title: str, setup: records.Setup | None, notes: Sequence[str]) -> None:
        ran = f"{setup.command} ended with exit code {setup.exit_code}" if setup else ""
        tone = Tone.WARN if setup and setup.exit_code else Tone.PLAIN
        self._add(record, What.NOTE, title, ran, *notes, tone=tone)

    def _started(self, record: records.Started) -> None:
        self._running = self._add(
            record,
            What.ITERATION,
            f"iteration {record.iteration}",
            iteration=record.iteration,
            attempt=record.attempt,
            phase=record.phase,
            provider=record.provider,
            model=record.model or "",
            tone=Tone.WORK,
        )

    def _ended(self, record: Ended) -> None:
        entry = self._running
        if entry is None or (entry.iteration, entry.attempt) != (record.iteration, record.attempt):
            entry = self._add(record, What.ITERATION, f"iteration {record.iteration}", iteration=record.iteration)
            entry.attempt, entry.provider = record.attempt, record.provider
        entry.phase, entry.until, entry.ended = record.phase, record.at, record
        entry.model = record.outcome.usage.model or record.model or entry.model
        entry.vetoed = record.decision.vetoed
        entry.tone = Tone.BAD if entry.vetoed else words.DECISIONS[record.decision.kind].tone
        self._running = None

    def _interrupted(self, record: records.Interrupted) -> None:
        if self._running:
            self._running.interrupted, self._running.until = True, record.at
            self._running.lines.append(f"interrupted: {record.why or 'nobody knows why'}; it runs again")
            self._running.tone = Tone.WARN
        self._running = None

    def _gate_opened(self, record: records.GateOpened) -> None:
        title = words.asked(record.gate)
        entry = self._add(record, What.GATE, title, gate=record.gate, phase=record.gate.phase, tone=Tone.WARN)
        self._gates[record.gate.id] = entry

    def _gate_closed(self, record: GateClosed) -> None:
        entry = self._gates.get(record.gate)
        if entry is None:
            entry = self._add(record, What.GATE, words.gate_name(record.kind, record.file))
        closing = Closing(record.verdict, record.by)
        entry.until, entry.by = record.at, record.by
        entry.decided = words.closed(entry.gate, closing) if entry.gate else f"{record.verdict} by {record.by}"
        entry.tone = Tone.WARN if record.verdict in (Verdict.REJECT, Verdict.DECLINED) else Tone.GOOD
        entry.lines += record.said

    def _gate_void(self, record: records.GateVoid) -> None:
        entry = self._gates.get(record.gate)
        if entry:
            entry.until = record.at
        self._add(record, What.NOTE, record.why or "what was approved is not there any more", tone=Tone.WARN)

    def _guided(self, record: records.Guided) -> None:
        self._add(record, What.PERSON, "told to the next child", *(self._told(name) for name in record.inbox))

    def _moved(self, record: records.Moved) -> None:
        self._add(record, What.PERSON, f"moved from {record.source} to {record.target}", by=record.by)

    def _extended(self, record: records.Extended) -> None:
        self._add(record, What.PERSON, f"goes on beyond its end, to {record.workflow.last}")

    def _resumed(self, record: records.Resumed) -> None:
        self._add(record, What.PERSON, "resumed" + (", within a limit" if record.now else ""), by=record.by)

    def _halted(self, record: records.Halted) -> None:
        tone = words.CONDITIONS[record.condition].tone
        self._add(record, What.REST, f"{record.condition}: {record.reason}".rstrip(": "), record.needs, tone=tone)

    def _failed(self, record: records.Failed) -> None:
        self._add(record, What.REST, "a worker could not go on", record.reason, tone=Tone.BAD)

    def _retried(self, record: records.Retried) -> None:
        self._add(record, What.NOTE, "a worker tries again")

    def _warned(self, record: records.Warned) -> None:
        title = f"{record.share:.0%} of the ceiling {record.ceiling} is spent"
        self._add(record, What.REST, title, tone=Tone.WARN)

    def _limit_shared(self, record: records.LimitShared) -> None:
        title = f"{record.provider} is at its usage limit, as another session saw"
        self._add(record, What.REST, title, record.reason, tone=Tone.WARN)

    def _rewound(self, record: records.Rewound) -> None:
        for entry, number in zip(self.entries, self._numbers, strict=True):
            entry.left = entry.left or number >= record.record
        what = f"took back what was decided at gate {record.gate}" if record.gate else ""
        self._running = None
        self._add(record, What.PERSON, what or f"went back to the end of iteration {record.to}", by=record.by)

    def _archived(self, record: records.Archived) -> None:
        self._add(record, What.PERSON, "archived: the worktree was removed", by=record.by)

    def _noted(self, record: records.Noted) -> None:
        if record.text:
            self._add(record, What.NOTE, record.text)

    def _of_a_room(self, record: RoomRecord) -> None:
        said = record.values.get
        match record.name:
            case _ if record.name == RAN and self._running:
                self._running.checks.append(str(said("said", "")))
            case _ if record.name == RAN:
                self._add(record, What.CHECK, str(said("said", "")))
            case _ if record.name == CONCLUDED:
                self._add(record, What.CHECK, headline(record.values), tone=Tone.GOOD)
            case _ if record.name == WAIVED:
                title = f"lets {said('name', '')} pass"
                self._add(record, What.PERSON, title, str(said("why", "")), by=str(said("by", "")))
            case _ if record.name == PUSHED:
                self._add(record, What.NOTE, f"pushed {said('branch', '')} to {said('remote', '')}")
            case _ if record.name == OPENED:
                self._add(record, What.NOTE, f"pull request {said('url', '')}")
            case _ if record.name == NOT_FINISHED:
                self._add(record, What.NOTE, f"not finished: {said('why', '')}", tone=Tone.WARN)
