"""Where a session stands: a pure fold over its journal. The same records always give the same state."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from samoloop.core import gates, records
from samoloop.core.decision import Condition as Condition
from samoloop.core.decision import Kind, Note
from samoloop.core.events import Usage
from samoloop.core.gates import Closing, Effect, Gate
from samoloop.core.records import Record, moment, not_understood
from samoloop.core.roots import Root
from samoloop.core.signals import GateKind, Signal
from samoloop.core.workflow import Workflow

AT_REST = frozenset({Condition.WAITING, Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.DONE})
ENDED = frozenset({Condition.DONE})
GOING_ON = frozenset({Condition.NEW, Condition.READY, Condition.RUNNING})  # by a worker, for none of them waits


@dataclass
class Totals:
    """What was spent, in USD: money, and apart from it what a subscription covers. `unpriced` counts the children whose
    cost in money is unknown.
    """

    iterations: int = 0
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    virtual_usd: float = 0.0

    def add(self, usage: Usage, seconds: float) -> None:
        self.seconds += seconds
        self.input_tokens += usage.input_tokens or 0
        self.output_tokens += usage.output_tokens or 0
        if usage.virtual:
            self.virtual_usd += usage.cost_usd or 0.0
        elif usage.cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd += usage.cost_usd


@dataclass
class State:
    """The fold's result. Only `fold` writes to it; everybody else reads."""

    creation: records.Created | None = None
    said: list[Mapping[str, Any]] = field(default_factory=list)  # settings by a person, at the hand-off and at resumes
    prepared: records.Prepared | None = None
    condition: Condition = Condition.NEW
    phase: str = ""
    iteration: int = 0  # the last one that was started
    attempt: int = 0  # of that iteration
    retry: bool = False  # the next start is another attempt of the same iteration
    open: records.Started | None = None  # no `ended` follows it yet
    ended: records.Ended | None = None  # the last one
    wanted: Signal | None = None  # the waiting signal whose gate has not been opened yet
    gate: Gate | None = None
    gates_opened: int = 0
    passed: set[GateKind] = field(default_factory=set)  # since the phase was entered
    given: dict[str, Mapping[str, str]] = field(default_factory=dict)  # human answers: id -> title, answer
    phase_iterations: int = 0  # in this phase since it was entered, or since a human's resume
    rounds: dict[str, int] = field(
        default_factory=dict
    )  # backward edges taken since it was left forward, by source phase
    repairs: int = 0  # bad signals or time limits in a row
    failures: int = 0  # CLI errors in a row
    transients: int = 0  # transient troubles and usage limits in a row
    transient_since: float | None = None  # epoch seconds of the first of them
    vetoes: int = 0  # of leaving this phase, since it was entered or a human resumed
    still: int = 0  # iterations in a row without progress
    not_before: float | None = None  # epoch seconds
    limits: dict[str, float] = field(default_factory=dict)  # provider -> epoch seconds until which it is unavailable
    stood_in: dict[str, str] = field(default_factory=dict)  # provider for which another stood in last -> its trouble
    turn: str = ""  # what the last child changed about who stands in for whom
    reason: str = ""  # why it is waiting, blocked, failed or stopped
    failure: str = ""  # why the last worker could not go on
    failures_of_workers: int = 0  # in a row
    failed_at: float = 0.0  # epoch seconds of the last of them
    needs: str = ""
    summary: str = ""
    notes: list[Note] = field(default_factory=list)  # what the next child is to be told
    inbox: list[str] = field(default_factory=list)  # guidance files that no child has answered with a signal yet
    totals: Totals = field(default_factory=Totals)
    since_resume: Totals = field(default_factory=Totals)  # for the ceilings: a human's resume renews them
    phase_totals: dict[str, Totals] = field(default_factory=dict)  # for the ceilings of a phase, renewed likewise
    warned: set[str] = field(default_factory=set)  # ceilings announced at 80 %
    overview_hash: str | None = None  # of `_overview.md` since the session came to rest; None: not come to rest
    left_out: set[str] = field(default_factory=set)  # files that gates asked a person for: in no commit or checkpoint
    worktree_is_new: bool = False  # made again, or forked: it lacks what git ignores
    archived: bool = False  # the person put it away, worktree and all, and has not gone on with it since
    roots: dict[str, Root] = field(default_factory=dict)  # folders by what they are to the session
    tree: str | None = None  # code and session content after the last iteration, for progress
    updated: str = ""  # time of the last record

    @property
    def created(self) -> records.Created:
        """The first record, which every session has."""
        assert self.creation is not None
        return self.creation

    @property
    def live_workflow(self) -> Workflow:
        """The workflow that the session started with."""
        return self.created.workflow

    @property
    def rests(self) -> bool:
        """A worker left it for a human to look at, and has nothing more to write or say about it."""
        return self.condition in AT_REST and self.overview_hash is not None


def fold(history: Iterable[Record]) -> State:
    """The state after these records, which can be gone through again. Raises SessionError for what cannot be."""
    state = State()
    for record in history:
        state = _rewound(record, history, state) if isinstance(record, records.Rewound) else apply(state, record)
    return state


def apply(state: State, record: Record) -> State:
    """Let one record act on the state, and return it. Those that have no effect are for the report, or of a room."""
    effect = _EFFECTS.get(type(record))
    try:
        if effect:
            effect(state, record)
    except records.DAMAGE as error:
        raise not_understood(record.event, record.at, error) from error
    state.updated = record.at or state.updated
    return state


def _created(state: State, record: records.Created) -> None:
    state.creation = record
    state.said = [record.settings]
    state.phase = record.workflow.names[0]


def _prepared(state: State, record: records.Prepared) -> None:
    state.prepared = record
    state.tree = record.tree
    _enter(state, record.phase)
    state.condition = Condition.WAITING if state.gate else Condition.READY


def _guided(state: State, record: records.Guided) -> None:
    state.inbox += record.inbox


def _started(state: State, record: records.Started) -> None:
    _went_on(state)
    if record.iteration != state.iteration:
        state.totals.iterations += 1
        state.since_resume.iterations += 1
        _phase_totals(state).iterations += 1
        state.phase_iterations += 1
    state.iteration, state.attempt = record.iteration, record.attempt
    state.inbox += record.inbox
    state.open = record
    state.turn = ""
    state.retry = False
    state.not_before = None
    state.overview_hash = None
    state.condition = Condition.RUNNING


def _ended(state: State, record: records.Ended) -> None:
    state.open = None
    state.ended = record
    for totals in (state.totals, state.since_resume, _phase_totals(state)):
        totals.add(record.outcome.usage, record.outcome.seconds)
    _went_on(state)
    state.tree = record.tree or state.tree
    decision = record.decision
    state.reason, state.needs = decision.reason, decision.needs
    state.retry = decision.sleeps
    if record.signalled and not record.bad_signal:
        state.notes, state.inbox = [], []  # a child that signalled has read them; any other may not have
    _note(state, decision.notes)
    _count_troubles(state, record)
    _take_turns(state, record)
    _count_still(state, record)
    state.vetoes += decision.vetoed
    match decision.kind:
        case Kind.CONTINUE:
            _continue(state, decision.phase or state.phase)
        case Kind.REPAIR | Kind.RETRY | Kind.LIMITED as kind:
            if kind is Kind.LIMITED and decision.not_before:
                state.limits[record.provider] = decision.not_before
            state.not_before = None if decision.stands_in else decision.not_before
            state.condition = Condition.LIMITED if state.not_before else Condition.READY
        case Kind.WAIT:
            state.wanted = record.signal if decision.gate else None
            state.condition = Condition.WAITING
        case _:
            state.condition = Condition(decision.kind)
            state.summary = decision.summary or state.summary


def _note(state: State, notes: Iterable[Note]) -> None:
    """What the next child is told; of the attempts that did not end properly the last one says it all."""
    again = any(note.kind == "interrupted" for note in notes)
    kept = [note for note in state.notes if not (again and note.kind == "interrupted")]
    state.notes = [*kept, *(note for note in notes if note not in kept)]


def _count_troubles(state: State, record: records.Ended) -> None:
    """Each kind of trouble is counted apart; a retry of the iteration keeps the counts of the others."""
    kind, transient = record.decision.kind, record.decision.transient
    if kind is Kind.REPAIR:
        state.repairs += 1
    elif not state.retry:
        state.repairs = 0
    if kind is Kind.RETRY and not transient:
        state.failures += 1
    elif not state.retry:
        state.failures = 0
    if transient or kind is Kind.LIMITED:
        state.transients += 1
    else:
        state.transients = 0
    if kind is Kind.RETRY and transient:
        ended = record.outcome.at or moment(record.at).timestamp()
        state.transient_since = state.transient_since or ended
    elif kind is not Kind.LIMITED:
        state.transient_since = None


def _take_turns(state: State, record: records.Ended) -> None:
    """Another provider stands in for this one, or this one works again; it is news once."""
    decision, provider, state.turn = record.decision, record.provider, ""
    if decision.stands_in:
        state.failures, state.transient_since = 0, None  # the other one has its own
        state.turn = decision.reason if state.stood_in.get(provider) != decision.needs else ""
        state.stood_in[provider] = decision.needs
        state.reason = state.needs = ""
    elif record.signalled and state.stood_in.pop(provider, ""):
        state.turn = f"{provider} works again"


def _count_still(state: State, record: records.Ended) -> None:
    """Only a child that goes on in its phase can be without progress: a repair is bounded by itself."""
    if record.outcome.progress:
        state.still = 0
    elif record.decision.kind is Kind.CONTINUE:
        state.still += 1


def _continue(state: State, phase: str) -> None:
    if phase == state.phase:
        state.condition = Condition.READY
        return
    if state.live_workflow.is_backward(state.phase, phase):
        state.rounds[state.phase] = state.rounds.get(state.phase, 0) + 1
    else:
        state.rounds.pop(state.phase, None)  # it is content: whoever comes back later begins anew
    _enter(state, phase)
    state.condition = Condition.READY


def _enter(state: State, phase: str) -> None:
    state.phase = phase
    state.phase_iterations = 0
    state.passed = set()
    state.still = state.vetoes = 0


def _interrupted(state: State, record: records.Interrupted) -> None:
    state.open = state.wanted = None
    state.retry = True
    state.condition = Condition.READY
    _note(state, [Note("interrupted", record.note)])


def _gate_opened(state: State, record: records.GateOpened) -> None:
    state.gate = record.gate
    if not gates.behaviour(record.gate.kind).FILE:
        state.left_out.add(gates.gate_file(record.gate))  # a file of the person's own
    state.gates_opened += 1
    state.wanted = None
    state.overview_hash = None
    state.condition = Condition.WAITING
    state.reason = record.reason or state.reason
    _went_on(state)


def _gate_shown(state: State, record: records.GateShown) -> None:
    """The gate's file is in place: what a person writes there counts."""
    if state.gate and state.gate.id == record.gate:
        state.gate = replace(state.gate, shown=True)


def _gate_closed(state: State, record: records.GateClosed) -> None:
    gate, state.gate = state.gate, None
    if gate is None:
        return
    effect = gates.effect(gate, Closing(record.verdict, record.by, record.comment, record.sha256, record.answers))
    state.reason = effect.stops
    state.condition = Condition.STOPPED if effect.stops else Condition.READY
    state.still = 0
    state.given |= record.answers
    if effect.note:
        state.notes.append(effect.note)
    if gate.phase != state.phase:  # it was left already, in a session that was taken over
        if not effect.passes and not effect.stops:
            _enter(state, gate.phase)
        return
    if effect.passes:
        state.passed.add(gate.kind)
    if effect.leaves:
        _leave(state, gate, effect)


def _leave(state: State, gate: Gate, effect: Effect) -> None:
    """Out of a phase whose gate was passed; where nothing follows, as after `run --until planning`, it was the end."""
    following = state.live_workflow.after(state.phase)
    phase = state.live_workflow.phase(state.phase)
    if following and phase.gate in (None, *state.passed):
        _continue(state, following)
    elif not following and phase.gate is gate.kind:
        state.condition, state.summary = Condition.DONE, effect.summary


def _moved(state: State, record: records.Moved) -> None:
    _enter(state, record.target)
    state.gate, state.wanted = None, None
    state.retry = state.archived = False
    state.condition = Condition.READY
    state.reason = state.needs = ""


def _extended(state: State, record: records.Extended) -> None:
    """What was the end is a phase like others now, and was left."""
    state.creation = state.created.but(workflow=record.workflow)
    _enter(state, record.workflow.after(state.phase) or state.phase)
    state.condition, state.summary, state.archived = Condition.READY, "", False


def _resumed(state: State, record: records.Resumed) -> None:
    """A human's resume renews the counters, so no state is a dead end."""
    state.phase_iterations = state.repairs = state.failures = state.transients = state.still = state.vetoes = 0
    state.transient_since = None
    state.rounds = {}
    state.since_resume = Totals()
    state.phase_totals = {}
    state.warned, state.archived = set(), False
    state.said = [*state.said, record.settings]
    _went_on(state)
    if record.now:
        state.not_before, state.limits = None, {}
    if state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED):
        was = f"A person resumed the session. It was {state.condition}: {state.reason}"
        state.notes.append(Note("resumed", was))
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


def _failed(state: State, record: records.Failed) -> None:
    """A worker could not go on. It holds up what would go on; what rests already stays as it is."""
    state.failure, state.failed_at = record.reason, record.time or moment(record.at).timestamp()
    state.failures_of_workers += 1
    if state.condition in GOING_ON or state.condition is Condition.LIMITED:
        state.condition, state.reason, state.needs = Condition.FAILED, state.failure, ""


def _retried(state: State, record: records.Retried) -> None:
    """A worker tries again what the last one could not do; the count of failures goes on until something was done."""
    if state.condition is Condition.FAILED:
        _unfreeze(state)


def _went_on(state: State) -> None:
    state.failure, state.failures_of_workers = "", 0


def _halted(state: State, record: records.Halted) -> None:
    state.condition, state.reason, state.needs = record.condition, record.reason, record.needs or state.needs
    state.overview_hash = None


def _rested(state: State, record: records.Rested) -> None:
    state.overview_hash = record.overview


def _warned(state: State, record: records.Warned) -> None:
    state.warned.add(record.ceiling)


def _limit_shared(state: State, record: records.LimitShared) -> None:
    state.limits[record.provider] = record.not_before
    if state.condition in (Condition.READY, Condition.LIMITED):
        state.not_before = record.not_before
        state.condition = Condition.LIMITED
        state.reason = record.reason


def _worktree_new(state: State, record: records.WorktreeNew) -> None:
    """The old one is gone: what takes its place lacks what git ignores."""
    state.worktree_is_new, state.archived = True, False
    if known := state.roots.get("worktree"):
        state.roots["worktree"] = known.but(inode=0)


def _rooted(state: State, record: records.Rooted) -> None:
    state.roots |= record.roots


def _worktree_ready(state: State, record: records.WorktreeReady) -> None:
    state.worktree_is_new = False
    _note(state, [Note("git", text) for text in record.notes])


def _placed(state: State, record: records.Placed) -> None:
    state.creation = state.created.but(repo=record.repo, root=record.root, worktree=record.worktree)
    state.roots = {}  # another machine's
    _note(state, [Note("git", text) for text in record.notes])


def _archived(state: State, record: records.Archived) -> None:
    state.archived = True


def _phase_totals(state: State) -> Totals:
    return state.phase_totals.setdefault(state.phase, Totals())


def _rewound(record: records.Rewound, history: Iterable[Record], present: State) -> State:
    """The state at the end of an earlier iteration; numbers and totals go on from the present."""
    past = fold(list(islice(history, record.record)))
    past.iteration, past.attempt, past.retry = present.iteration, present.attempt, False
    past.totals, past.gates_opened = present.totals, present.gates_opened
    past.left_out = present.left_out
    past.roots = present.roots
    past.creation = past.created.but(**{name: getattr(present.created, name) for name in ("repo", "root", "worktree")})
    past.worktree_is_new, past.archived = present.worktree_is_new, False
    past.open = None
    past.not_before, past.limits = None, {}
    past.overview_hash = None
    past.updated = record.at or present.updated
    if past.condition in (Condition.LIMITED, Condition.RUNNING, Condition.FAILED):
        past.condition = Condition.READY
    if record.note:
        past.notes.append(Note("rewound", record.note))
    return past


_EFFECTS: dict[type[Record], Callable[[State, Any], None]] = {
    records.Created: _created,
    records.Prepared: _prepared,
    records.Guided: _guided,
    records.Started: _started,
    records.Ended: _ended,
    records.Interrupted: _interrupted,
    records.GateOpened: _gate_opened,
    records.GateShown: _gate_shown,
    records.GateClosed: _gate_closed,
    records.Moved: _moved,
    records.Extended: _extended,
    records.Resumed: _resumed,
    records.Halted: _halted,
    records.Failed: _failed,
    records.Retried: _retried,
    records.Rested: _rested,
    records.Warned: _warned,
    records.LimitShared: _limit_shared,
    records.Rooted: _rooted,
    records.WorktreeNew: _worktree_new,
    records.WorktreeReady: _worktree_ready,
    records.Placed: _placed,
    records.Archived: _archived,
}
