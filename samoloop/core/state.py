"""Where a session stands: a pure fold over its journal. The same records always give the same state."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from samoloop.base.errors import SessionError
from samoloop.core.gates import Gate
from samoloop.core.journal import Event, moment
from samoloop.core.signals import GateKind
from samoloop.core.workflow import Workflow

FORMAT = 1
REWOUND = "rewound"  # the one record that looks at those before it


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


AT_REST = frozenset({Condition.WAITING, Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.DONE})
ENDED = frozenset({Condition.DONE})


@dataclass
class Totals:
    """What was spent. Cost is in USD; `unpriced` counts the children whose cost is unknown."""

    iterations: int = 0
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0

    def add(self, usage: dict[str, Any], seconds: float) -> None:
        self.seconds += seconds
        self.input_tokens += usage.get("input_tokens") or 0
        self.output_tokens += usage.get("output_tokens") or 0
        if usage.get("cost_usd") is None:
            self.unpriced += 1
        else:
            self.cost_usd += usage["cost_usd"]


@dataclass
class State:
    """The fold's result. Only `fold` writes to it; everybody else reads."""

    created: Event = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)  # settings by a person, at the hand-off and at resumes
    prepared: Event | None = None
    workflow: Workflow | None = None
    condition: Condition = Condition.NEW
    phase: str = ""
    iteration: int = 0  # the last one that was started
    attempt: int = 0  # of that iteration
    retry: bool = False  # the next start is another attempt of the same iteration
    open: Event | None = None  # `started` without `ended`
    ended: Event | None = None  # the last `ended`
    wanted: dict[str, Any] | None = None  # the waiting signal whose gate has not been opened yet
    gate: Gate | None = None
    gates_opened: int = 0
    passed: set[GateKind] = field(default_factory=set)  # since the phase was entered
    given: dict[str, dict[str, str]] = field(default_factory=dict)  # human answers: id -> title, answer
    phase_iterations: int = 0  # in this phase since it was entered, or since a human's resume
    rounds: dict[str, int] = field(default_factory=dict)  # backward edges taken, by source phase
    repairs: int = 0  # bad signals or time limits in a row
    failures: int = 0  # CLI errors in a row
    transients: int = 0  # transient troubles and usage limits in a row
    transient_since: float | None = None  # epoch seconds of the first of them
    vetoes: int = 0  # of leaving this phase, since it was entered or a human resumed
    still: int = 0  # iterations in a row without progress
    not_before: float | None = None  # epoch seconds
    limits: dict[str, float] = field(default_factory=dict)  # provider -> epoch seconds of its reset
    reason: str = ""  # why it is waiting, blocked, failed or stopped
    failure: str = ""  # why the last worker could not go on
    failures_of_workers: int = 0  # in a row
    failed_at: float = 0.0  # epoch seconds of the last of them
    needs: str = ""
    summary: str = ""
    notes: list[dict[str, str]] = field(default_factory=list)  # what the next child is to be told: kind, text
    inbox: list[str] = field(default_factory=list)  # guidance files that no child has answered with a signal yet
    totals: Totals = field(default_factory=Totals)
    since_resume: Totals = field(default_factory=Totals)  # for the ceilings: a human's resume renews them
    phase_totals: dict[str, Totals] = field(default_factory=dict)  # for the ceilings of a phase, renewed likewise
    warned: set[str] = field(default_factory=set)  # ceilings announced at 80 %
    overview_hash: str | None = None  # of `_overview.md` since the session came to rest; None: not come to rest
    checkpoint: str | None = None  # the last one
    left_out: set[str] = field(default_factory=set)  # files that gates asked a person for: in no commit or checkpoint
    worktree_is_new: bool = False  # made again, or forked: it lacks what git ignores
    archived: bool = False  # the person removed the worktree
    tree: str | None = None  # code and session content after the last iteration, for progress
    updated: str = ""  # time of the last record

    @property
    def live_workflow(self) -> Workflow:
        """The workflow that the session started with."""
        assert self.workflow is not None
        return self.workflow

    @property
    def rests(self) -> bool:
        """A worker left it for a human to look at, and has nothing more to write or say about it."""
        return self.condition in AT_REST and self.overview_hash is not None


def fold(events: Iterable[Event]) -> State:
    """The state after these records. Raises SessionError for a record that this version does not understand."""
    seen: list[Event] = []
    state = State()
    for event in events:
        seen.append(event)
        state = _rewound(event, seen, state) if event.get("event") == REWOUND else apply(state, event)
    return state


def apply(state: State, event: Event) -> State:
    """Let one record act on the state, and return it."""
    kind = event.get("event")
    handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
    if handler is None:
        raise SessionError(
            f"the journal holds a record of type {kind!r}, which this version does not know: "
            "it was written by a newer samoloop; use that one, nothing was changed"
        )
    try:
        handler(state, event)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SessionError(
            f"the journal's record of type {kind!r} at {event.get('at')} cannot be understood ({error!r}); "
            "put back a good copy of the file, nothing was changed"
        ) from error
    state.updated = event.get("at", state.updated)
    return state


def _created(state: State, event: Event) -> None:
    if event.get("format", FORMAT) > FORMAT:
        raise SessionError(
            f"the session has format {event['format']}, this version knows up to {FORMAT}: use a newer one"
        )
    state.created = event
    state.said = [event.get("settings") or {}]
    state.workflow = Workflow.from_json(event["workflow"])
    state.phase = state.workflow.names[0]


def _prepared(state: State, event: Event) -> None:
    state.prepared = event
    state.tree = event.get("tree")
    _enter(state, event["phase"])
    state.condition = Condition.READY


def _started(state: State, event: Event) -> None:
    _went_on(state)
    if event["iteration"] != state.iteration:
        state.totals.iterations += 1
        state.since_resume.iterations += 1
        _phase_totals(state).iterations += 1
        state.phase_iterations += 1
    state.iteration = event["iteration"]
    state.attempt = event["attempt"]
    state.inbox += event.get("inbox") or []
    state.open = event
    state.retry = False
    state.not_before = None
    state.overview_hash = None
    state.condition = Condition.RUNNING


def _ended(state: State, event: Event) -> None:
    state.open = None
    state.ended = event
    usage, seconds = event.get("usage") or {}, event.get("outcome", {}).get("seconds", 0.0)
    for totals in (state.totals, state.since_resume, _phase_totals(state)):
        totals.add(usage, seconds)
    _went_on(state)
    state.checkpoint = event.get("checkpoint") or state.checkpoint
    state.tree = event.get("tree") or state.tree
    _decided(state, event, event["decision"])


def _decided(state: State, event: Event, decision: dict[str, Any]) -> None:
    kind = decision["kind"]
    state.reason, state.needs = decision.get("reason") or "", decision.get("needs") or ""
    state.retry = kind in ("retry", "limited")
    if event.get("signal") and not event.get("bad_signal"):
        state.notes, state.inbox = [], []  # a child that signalled has read them; any other may not have
    _note(state, decision.get("notes") or [])
    _count_troubles(state, event, decision)
    _count_still(state, event, kind)
    state.vetoes += bool(decision.get("vetoed"))
    if kind == "continue":
        _continue(state, decision["phase"])
    elif kind in ("repair", "retry", "limited"):
        state.not_before = decision.get("not_before")
        state.condition = Condition.LIMITED if state.not_before else Condition.READY
        if kind == "limited" and state.not_before:
            state.limits[event.get("provider", "")] = state.not_before
    elif kind == "wait":
        state.wanted = event.get("signal") if decision.get("for") else None
        state.condition = Condition.WAITING
    else:
        state.condition = Condition(kind)
        state.summary = decision.get("summary") or state.summary


def _note(state: State, notes: list[dict[str, str]]) -> None:
    """What the next child is told; of the attempts that did not end properly the last one says it all."""
    again = any(note["kind"] == "interrupted" for note in notes)
    kept = [note for note in state.notes if not (again and note["kind"] == "interrupted")]
    state.notes = [*kept, *(note for note in notes if note not in kept)]


def _count_troubles(state: State, event: Event, decision: dict[str, Any]) -> None:
    """Each kind of trouble is counted apart; a retry of the iteration keeps the counts of the others."""
    kind, transient = decision["kind"], bool(decision.get("transient"))
    if kind == "repair":
        state.repairs += 1
    elif not state.retry:
        state.repairs = 0
    if kind == "retry" and not transient:
        state.failures += 1
    elif not state.retry:
        state.failures = 0
    if transient or kind == "limited":
        state.transients += 1
    else:
        state.transients = 0
    if kind == "retry" and transient:
        ended = event.get("time") or moment(event["at"]).timestamp()
        state.transient_since = state.transient_since or ended
    elif kind != "limited":
        state.transient_since = None


def _count_still(state: State, event: Event, kind: str) -> None:
    """Only a child that goes on in its phase can be without progress: a repair is bounded by itself."""
    if event.get("progress", True):
        state.still = 0
    elif kind == "continue":
        state.still += 1


def _continue(state: State, phase: str) -> None:
    if phase == state.phase:
        state.condition = Condition.READY
        return
    if state.live_workflow.is_backward(state.phase, phase):
        state.rounds[state.phase] = state.rounds.get(state.phase, 0) + 1
    _enter(state, phase)
    state.condition = Condition.READY


def _enter(state: State, phase: str) -> None:
    state.phase = phase
    state.phase_iterations = 0
    state.passed = set()
    state.still = state.vetoes = 0


def _interrupted(state: State, event: Event) -> None:
    state.open = None
    state.retry = True
    state.condition = Condition.READY
    _note(state, [{"kind": "interrupted", "text": event["note"]}])


def _adopted(state: State, event: Event) -> None:
    """The child that a dead worker left is waited for; nothing changes."""


def _gate_opened(state: State, event: Event) -> None:
    state.gate = Gate.from_json(event["gate"])
    if state.gate.kind is GateKind.FILE_UPDATE:
        state.left_out.add(state.gate.gate_file)
    state.gates_opened += 1
    state.wanted = None
    state.overview_hash = None
    state.condition = Condition.WAITING
    state.reason = event.get("reason") or state.reason
    _went_on(state)


def _gate_closed(state: State, event: Event) -> None:
    gate, state.gate = state.gate, None
    if gate is None:
        return
    verdict, comment = event["verdict"], event.get("comment") or ""
    state.reason = ""
    state.condition = Condition.READY
    state.still = 0
    if verdict in ("answered", "approve"):
        state.passed.add(gate.kind)
    if verdict == "answered":
        state.given |= event.get("answers") or {}
        state.notes.append({"kind": "answered", "text": f"The person answered {', '.join(gate.questions)} in _qa.md."})
    elif verdict == "approve":
        following = state.live_workflow.after(state.phase)
        if comment:
            state.notes.append(_words(f"The person approved {gate.file} and said:", comment))
        phase = state.live_workflow.phase(state.phase)
        if following and phase.gate in (None, *state.passed):
            _continue(state, following)
        elif not following and phase.gate is gate.kind and not comment:
            # the gate was the end, as after `run --until planning`; a comment is for one more child
            state.condition, state.summary = Condition.DONE, f"{gate.file} is approved"
    elif verdict == "changes":
        state.notes.append(_words(f"The person wants changes in {gate.file}:", comment))
    elif verdict == "reject":
        state.condition = Condition.STOPPED
        state.reason = f"the plan was rejected by {event.get('by')}" + (f": {comment}" if comment else "")
        state.notes.append(_words(f"The person rejected {gate.file}.", comment))
    elif verdict == "done":
        state.notes.append(_words(f"The person did what was asked ({gate.reason}):", comment))
    elif verdict == "updated":
        state.notes.append({"kind": "person", "text": f"The person updated {gate.file}; do not commit it."})


def _words(text: str, words: str) -> dict[str, str]:
    """A note with a person's own words, which the prompt fences."""
    return {"kind": "person", "text": text, "words": words}


def _moved(state: State, event: Event) -> None:
    _enter(state, event["to"])
    state.gate, state.wanted = None, None
    state.retry = False
    state.condition = Condition.READY
    state.reason = state.needs = ""


def _resumed(state: State, event: Event) -> None:
    """A human's resume renews the counters, so no state is a dead end."""
    state.phase_iterations = state.repairs = state.failures = state.transients = state.still = state.vetoes = 0
    state.transient_since = None
    state.rounds = {}
    state.since_resume = Totals()
    state.phase_totals = {}
    state.warned = set()
    state.said = [*state.said, event.get("settings") or {}]
    _went_on(state)
    if event.get("now"):
        state.not_before, state.limits = None, {}
    if state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED):
        state.notes.append(
            {"kind": "resumed", "text": f"A person resumed the session. It was {state.condition}: {state.reason}"}
        )
    stays = (Condition.NEW, Condition.RUNNING, Condition.DONE)
    held = state.gate is not None or state.wanted is not None or state.condition in stays
    if not held and not (state.condition is Condition.LIMITED and state.not_before):
        _unfreeze(state)


def _unfreeze(state: State) -> None:
    """Where a session stands that goes on after it was held up."""
    state.condition = Condition.READY
    if state.prepared is None:
        state.condition = Condition.NEW
    elif state.open is not None:
        state.condition = Condition.RUNNING
    state.reason = state.needs = ""


def _failed(state: State, event: Event) -> None:
    """A worker could not go on. It holds up what would go on; what rests already stays as it is."""
    state.failure, state.failed_at = event["reason"], event.get("time") or moment(event["at"]).timestamp()
    state.failures_of_workers += 1
    if state.condition in (Condition.NEW, Condition.READY, Condition.RUNNING, Condition.LIMITED):
        state.condition, state.reason, state.needs = Condition.FAILED, state.failure, ""


def _retried(state: State, event: Event) -> None:
    """A worker tries again what the last one could not do; the count of failures goes on until something was done."""
    if state.condition is Condition.FAILED:
        _unfreeze(state)


def _went_on(state: State) -> None:
    state.failure, state.failures_of_workers = "", 0


def _halted(state: State, event: Event) -> None:
    """The worker came to rest by itself between iterations: stopped, or at a ceiling."""
    state.condition = Condition(event["condition"])
    state.reason = event.get("reason") or ""
    state.overview_hash = None


def _rested(state: State, event: Event) -> None:
    state.overview_hash = event.get("overview")


def _warned(state: State, event: Event) -> None:
    state.warned.add(event["ceiling"])


def _limit_shared(state: State, event: Event) -> None:
    """Another session met the provider's limit first."""
    state.limits[event["provider"]] = event["not_before"]
    if state.condition in (Condition.READY, Condition.LIMITED):
        state.not_before = event["not_before"]
        state.condition = Condition.LIMITED
        state.reason = event.get("reason") or ""


def _worktree_new(state: State, event: Event) -> None:
    """The old one is gone: what takes its place lacks what git ignores."""
    state.worktree_is_new, state.archived = True, False


def _worktree_ready(state: State, event: Event) -> None:
    state.worktree_is_new = False
    _note(state, [{"kind": "git", "text": text} for text in event["notes"]])


def _archived(state: State, event: Event) -> None:
    state.archived = True


def _torn(state: State, event: Event) -> None:
    """A line that a crash cut off was closed; it holds nothing."""


def _noted(state: State, event: Event) -> None:
    """Something for the report alone."""


def _phase_totals(state: State) -> Totals:
    return state.phase_totals.setdefault(state.phase, Totals())


def _rewound(event: Event, seen: list[Event], present: State) -> State:
    """The state at the end of an earlier iteration; numbers and totals go on from the present."""
    past = fold(seen[: event["record"]])
    past.iteration, past.attempt, past.retry = present.iteration, present.attempt, False
    past.totals, past.gates_opened = present.totals, present.gates_opened
    past.left_out = present.left_out
    past.worktree_is_new, past.archived = present.worktree_is_new, present.archived
    past.checkpoint = event.get("checkpoint")
    past.open = None
    past.not_before, past.limits = None, {}
    past.overview_hash = None
    past.updated = event.get("at", present.updated)
    if past.condition in (Condition.LIMITED, Condition.RUNNING, Condition.FAILED):
        past.condition = Condition.READY
    if event.get("note"):
        past.notes.append({"kind": "rewound", "text": event["note"]})
    return past


_HANDLERS = {
    "created": _created,
    "prepared": _prepared,
    "started": _started,
    "adopted": _adopted,
    "ended": _ended,
    "interrupted": _interrupted,
    "gate_opened": _gate_opened,
    "gate_closed": _gate_closed,
    "gate_void": _noted,
    "moved": _moved,
    "resumed": _resumed,
    "halted": _halted,
    "failed": _failed,
    "retried": _retried,
    "rested": _rested,
    "warned": _warned,
    "limit_shared": _limit_shared,
    "noted": _noted,
    "torn": _torn,
    "worktree_new": _worktree_new,
    "worktree_ready": _worktree_ready,
    "archived": _archived,
}
