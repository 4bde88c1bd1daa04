"""Whatever children do and whenever a worker dies: no gate opens by itself, nothing goes on for ever, nobody is stuck.

`Life` does to a journal what the worker does, without files, processes and clocks: it starts a child, lets the rules
decide, records the end, opens a gate, closes it by a person's word.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from arbitrary import PROPERTY
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from records import SMALL, T0, created, prepared

from samoloop.config import workflow_files
from samoloop.core.events import Denied, Failure, Result, Trouble
from samoloop.core.gates import Gate
from samoloop.core.limits import EndedBy
from samoloop.core.next_steps import without_gate
from samoloop.core.outcome import Outcome
from samoloop.core.records import Record, read
from samoloop.core.rules import Ceilings, Decision, ceiling, decide, judge
from samoloop.core.signals import BadSignal, GateKind, Signal, parse
from samoloop.core.state import AT_REST, Condition, State, apply, fold
from samoloop.core.words import steps
from samoloop.core.workflow import Workflow

SHIPPED = {name: workflow_files.load(name, None) for name in workflow_files.names(None)}
WORKFLOWS = {"small": SMALL, **SHIPPED}
NO_CEILING = Ceilings(None, None, None)
FOR_A_PERSON = (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.DONE)
VERDICTS = {
    GateKind.QA_ANSWERS: ["answered"],
    GateKind.PLAN_APPROVAL: ["approve", "changes", "reject"],
    GateKind.HUMAN_ACTION: ["done"],
    GateKind.FILE_UPDATE: ["updated"],
}


class Life:
    """One session's journal and the state that follows from it."""

    def __init__(self, workflow: Workflow, ceilings: Ceilings = NO_CEILING) -> None:
        self.records: list[Record] = [created(workflow), prepared(workflow.first_with_child)]
        self.state = fold(self.records)
        self.workflow = workflow
        self.ceilings = ceilings
        self.now = T0
        self.children = 0  # since a person last did something
        self.passed: set[str] = set()  # phases whose gate a person passed
        self.visits = [False, False]  # after each record: whether a person passed the gate in this visit of the phase

    def record(self, name: str, **fields: Any) -> None:
        record = read(json.loads(json.dumps({"event": name, "at": "2026-11-21T10:00:00.000Z", **fields})))
        before, passed = self.state.phase, self.visits[-1] or self.passes(record)
        self.records.append(record)
        self.state = fold(self.records) if name == "rewound" else apply(self.state, record)
        if name == "rewound":
            passed = self.visits[record.record - 1]
        elif self.state.phase != before:
            assert passed or name == "moved" or not self.workflow.phase(before).gate, "out of a gated phase, unpassed"
            passed = False
        self.visits.append(passed)

    def passes(self, record: Record) -> bool:
        """Whether a person passes the gate of the phase by this."""
        if record.event != "gate_closed" or record.verdict not in ("answered", "approve"):
            return False
        phase = self.workflow.phase(self.state.phase)
        if record.kind == phase.gate:
            self.passed.add(phase.name)
        return bool(record.kind == phase.gate)

    def restart(self) -> None:
        """A new worker knows what is in the journal."""
        self.state = fold(self.records)

    def can_start(self) -> bool:
        """As the loop asks before each child; time passes as it must."""
        state = self.state
        if state.wanted:
            self.open_gate()
        if state.gate or state.condition in (*FOR_A_PERSON, Condition.WAITING):
            return False
        if ceiling(state, self.ceilings, {}):
            self.record("halted", condition="waiting", reason="the ceiling is reached")
            return False
        self.now = max(self.now, state.not_before or 0.0)
        return True

    def start(self) -> None:
        state = self.state
        iteration, attempt = (state.iteration, state.attempt + 1) if state.retry else (state.iteration + 1, 1)
        self.record(
            "started", iteration=iteration, attempt=attempt, phase=state.phase, provider="claude", time=self.now
        )
        self.children += 1

    def end(self, outcome: Outcome, signal: Signal | BadSignal) -> None:
        """As an iteration is finished."""
        self.now += 60
        outcome = replace(outcome, at=self.now, seconds=60.0)
        state = self.state
        assert state.open
        if isinstance(signal, Signal):
            verdict = judge(self.workflow, state, signal)
            checked = verdict if isinstance(verdict, BadSignal) else signal
        else:
            checked = signal
        decision = decide(self.workflow, state, outcome, checked)
        if decision.delay_seconds:
            decision = replace(decision, not_before=self.now + decision.delay_seconds)
        self.record(
            "ended",
            iteration=state.open.iteration,
            attempt=state.open.attempt,
            phase=state.open.phase,
            provider="claude",
            time=self.now,
            outcome=outcome.to_json(),
            signal=dict(signal.raw) if isinstance(signal, Signal) else None,
            bad_signal=checked.reason if isinstance(checked, BadSignal) else None,
            decision=decision.to_json(),
            usage={},
            progress=outcome.progress,
        )

    def lose(self) -> None:
        """The worker died, and nobody knows how its child ended."""
        self.restart()
        assert self.state.open
        self.record("interrupted", iteration=self.state.iteration, attempt=self.state.attempt, note="lost", why="lost")

    def open_gate(self) -> None:
        state = self.state
        assert state.wanted
        kind = state.wanted.wait_for
        ids = ("Q1",) if kind is GateKind.QA_ANSWERS else ()
        id = f"g{state.gates_opened + 1}"
        gate = Gate(id, kind, state.phase, state.iteration, state.wanted.file, questions=ids)
        self.record("gate_opened", gate=gate.to_json(), reason=f"waits for {kind}")

    def close_gate(self, verdict: str) -> None:
        """A person's word."""
        gate = self.state.gate
        assert gate
        answers = {id: {"title": "t", "answer": "A"} for id in gate.questions}
        self.record(
            "gate_closed", gate=gate.id, kind=gate.kind, verdict=verdict, by="ada", comment="x", answers=answers
        )
        self.children = 0

    def resume(self, now: bool = True) -> None:
        self.record("resumed", by="ada", now=now)
        self.children = 0

    def can_move(self, target: str) -> bool:
        """As a move by a person's edit is allowed: never past a gate that was not passed."""
        state, order = self.state, self.workflow.names
        between = self.workflow.phases[order.index(state.phase) : order.index(target)]
        return self.workflow.phase(target).child and all(
            not phase.gate or (phase.name == state.phase and phase.gate in state.passed) for phase in between
        )


# --- what children do -------------------------------------------------------------------------------------------------

FAILURES = [Failure(trouble, "x", resets_at=resets) for trouble in Trouble for resets in (None, T0, T0 + 9e4, 1e18)]
OUTCOMES = (
    [Outcome(), Outcome(exit_code=1), Outcome(exit_code=None), Outcome(result=Result(False)), Outcome(progress=False)]
    + [Outcome(ended_by=by, exit_code=-15) for by in (EndedBy.TIME, EndedBy.SILENCE, EndedBy.FIRST_BYTE, EndedBy.GRACE)]
    + [Outcome(denied=(Denied("Bash"),))]
    + [Outcome(failure=failure) for failure in FAILURES]
)


def signals_of(workflow: Workflow) -> list[Signal | BadSignal]:
    """Every signal that names anything of the workflow, and no signal."""
    objects: list[dict[str, Any]] = [{"status": "done"}, {"status": "blocked", "reason": "x"}]
    for phase in (*workflow.names, "nowhere"):
        objects.append({"status": "continue", "phase": phase})
        objects.append({"status": "done", "phase": phase})
        objects.append({"status": "waiting", "phase": phase, "for": "qa_answers"})
    objects += [{"status": "waiting", "for": kind, "file": "p.md", "reason": "x"} for kind in GateKind]
    objects += [{"status": "continue", "phase": workflow.last, "iteration": number} for number in (1, 2, 999)]
    parsed = [parse(json.dumps(value).encode()) for value in objects]
    return [BadSignal("no signal"), *parsed]


SIGNALS = {name: signals_of(workflow) for name, workflow in WORKFLOWS.items()}


def allowed(state: State, signals: list[Signal | BadSignal]) -> list[Signal]:
    """What a good child could write now: one signal for each thing that can follow."""
    found = {}
    for signal in signals:
        if isinstance(signal, Signal):
            verdict = judge(state.live_workflow, state, signal)
            if isinstance(verdict, Decision):
                found[verdict.kind, verdict.phase, verdict.gate] = signal
    return list(found.values())


def person_acts(life: Life, dice: random.Random) -> None:
    """One of the things that a person can do with a session at rest."""
    state, targets = life.state, [name for name in life.workflow.names if life.can_move(name)]
    places = [place for place, record in enumerate(life.records, 1) if record.event in ("prepared", "ended")]
    if state.gate and dice.random() < 0.8:
        life.close_gate(dice.choice(VERDICTS[state.gate.kind]))
    elif targets and dice.random() < 0.3:
        life.record("moved", **{"from": state.phase, "to": dice.choice(targets), "by": "editor"})
    elif dice.random() < 0.2:
        life.record("rewound", to=0, record=dice.choice(places), note="back")
    elif state.condition is not Condition.DONE:
        life.resume()
    life.children = 0


def no_gate_opened_by_itself(life: Life) -> None:
    """Neither in front of the phase where it is, nor before its end."""
    done = life.state.condition is Condition.DONE
    behind = life.workflow.phases[: None if done else life.workflow.names.index(life.state.phase)]
    assert {phase.name for phase in behind if phase.gate} <= life.passed


class Session(RuleBasedStateMachine):
    """A session, its children, its workers and its person, in any order."""

    @initialize(name=st.sampled_from(sorted(WORKFLOWS)))
    def begin(self, name: str) -> None:
        self.life = Life(WORKFLOWS[name])
        self.signals = SIGNALS[name]

    @precondition(lambda self: not self.life.state.open)
    @rule()
    def start(self) -> None:
        if self.life.can_start():
            self.life.start()

    @rule(data=st.data())
    def good_child(self, data: st.DataObject) -> None:
        if self.life.state.open or self.life.can_start():
            if not self.life.state.open:
                self.life.start()
            self.life.end(Outcome(), data.draw(st.sampled_from(allowed(self.life.state, self.signals))))

    @precondition(lambda self: self.life.state.open)
    @rule(outcome=st.sampled_from(OUTCOMES), data=st.data())
    def any_end(self, outcome: Outcome, data: st.DataObject) -> None:
        self.life.end(outcome, data.draw(st.sampled_from(self.signals)))

    @precondition(lambda self: self.life.state.open)
    @rule()
    def lose(self) -> None:
        self.life.lose()

    @precondition(lambda self: self.life.state.gate)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        gate = self.life.state.gate
        assert gate
        self.life.close_gate(data.draw(st.sampled_from(VERDICTS[gate.kind])))

    @precondition(lambda self: self.life.state.condition is not Condition.DONE)
    @rule(now=st.booleans())
    def resume(self, now: bool) -> None:
        self.life.resume(now)

    @precondition(lambda self: self.life.state.condition in AT_REST and not self.life.state.open)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(self.life.workflow.names))
        if target != self.life.state.phase and self.life.can_move(target):
            self.life.record("moved", **{"from": self.life.state.phase, "to": target, "by": "editor"})

    @precondition(lambda self: self.life.state.condition in AT_REST and not self.life.state.open)
    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        places = [place for place, r in enumerate(self.life.records, 1) if r.event in ("prepared", "ended")]
        place = data.draw(st.sampled_from(places))
        self.life.record("rewound", to=0, record=place, note="back")

    @precondition(lambda self: self.life.state.condition is Condition.READY)
    @rule()
    def stop(self) -> None:
        self.life.record("halted", condition="stopped", reason="stopped by a person")

    @rule()
    def restart(self) -> None:
        known = self.life.state
        self.life.restart()
        assert self.life.state == known

    @invariant()
    def no_gate_opens_by_itself(self) -> None:
        no_gate_opened_by_itself(self.life)

    @invariant()
    def a_person_has_a_next_step_and_it_helps(self) -> None:
        state = self.life.state
        assert steps("x", state.gate) if state.gate else without_gate("x", state, at_work=False)
        if state.condition is Condition.DONE:
            return
        again = fold([*self.life.records, read({"event": "resumed", "at": state.updated, "now": True})])
        if state.gate or state.wanted:
            assert again.gate or again.wanted  # resume passes no gate: its own command does
        else:
            assert again.condition in (Condition.READY, Condition.RUNNING)


TestSession = Session.TestCase
TestSession.settings = settings(PROPERTY, max_examples=60, stateful_step_count=50)


# --- nothing goes on for ever ----------------------------------------------------------------------------------------


def children_until_rest(life: Life, next_end: Iterator[tuple[Outcome, Signal | BadSignal]], limit: int) -> int:
    """How many children are paid for before a person is asked, or the session is done."""
    while life.can_start():
        life.start()
        life.end(*next(next_end))
        assert life.children <= limit, "it never asks a person"
    return life.children


def bound(workflow: Workflow) -> int:
    """No session may start more children than this without a person: every phase to its limit in every round."""
    rounds = 1 + sum(workflow.rounds.values())
    visits = sum(phase.max_iterations + 1 for phase in workflow.phases if phase.child)
    return rounds * visits * 2 * 25  # a repair between any two, and two hours of backoff for each


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
@settings(PROPERTY, max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_any_children_come_to_an_end_without_ceilings_and_no_gate_opens_by_itself(name: str, seed: int) -> None:
    """Except at a usage limit, which is waited out as long as it lasts."""
    dice = random.Random(seed)
    outcomes = [o for o in OUTCOMES if not (o.failure and o.failure.trouble is Trouble.USAGE_LIMIT)]
    life = Life(WORKFLOWS[name])
    good = dice.choice([0.0, 0.5, 0.9, 1.0])  # how many of them mean well; without a word to a person

    def ends() -> Iterator[tuple[Outcome, Signal | BadSignal]]:
        while True:
            goes_on = [s for s in allowed(life.state, SIGNALS[name]) if s.status in ("continue", "waiting")]
            if goes_on and dice.random() < good:
                yield Outcome(progress=dice.random() < 0.9), dice.choice(goes_on)
            else:
                yield dice.choice(outcomes), dice.choice([BadSignal("none"), BadSignal("none"), *SIGNALS[name]])

    assert children_until_rest(life, ends(), bound(life.workflow))
    for _ in range(25):
        person_acts(life, dice)
        children_until_rest(life, ends(), bound(life.workflow))
        no_gate_opened_by_itself(life)


# A child that never does anything else, and how many of it a person pays for at most. Every phase is tried.
STUBBORN: list[tuple[str, Outcome, int]] = [
    ("no signal", Outcome(), 2),
    ("exit code", Outcome(exit_code=1), 2),
    ("killed", Outcome(exit_code=-9), 2),
    ("out of time", Outcome(ended_by=EndedBy.TIME, exit_code=-15), 2),
    ("denied", Outcome(denied=(Denied("Bash"),)), 1),
    ("login", Outcome(failure=Failure(Trouble.LOGIN, "x")), 1),
    ("billing", Outcome(failure=Failure(Trouble.BILLING, "x")), 1),
    ("model", Outcome(failure=Failure(Trouble.MODEL, "x")), 1),
    ("network", Outcome(failure=Failure(Trouble.NETWORK, "x")), 25),
]


@pytest.mark.parametrize(("outcome", "most"), [row[1:] for row in STUBBORN], ids=[row[0] for row in STUBBORN])
def test_a_child_that_always_fails_alike_is_soon_for_a_person(outcome: Outcome, most: int) -> None:
    def ends() -> Iterator[tuple[Outcome, BadSignal]]:
        while True:
            yield outcome, BadSignal("none")

    life = Life(SMALL)
    assert children_until_rest(life, ends(), most) <= most
    life.resume()
    assert 0 < children_until_rest(life, ends(), most) <= most  # and again after a person's resume


def test_troubles_that_take_turns_come_to_an_end() -> None:
    turns = [STUBBORN[0][1], STUBBORN[8][1], STUBBORN[1][1]]

    def ends() -> Iterator[tuple[Outcome, BadSignal]]:
        while True:
            yield from ((outcome, BadSignal("none")) for outcome in turns)

    assert children_until_rest(Life(SMALL), ends(), 20) <= 20


@pytest.mark.parametrize("resets_in", [None, 1.0, -60.0, 1e12])
def test_a_limit_that_never_ends_is_asked_about_ever_more_rarely(resets_in: float | None) -> None:
    life = Life(SMALL)
    while life.now < T0 + 7 * 86400:
        assert life.can_start()
        life.start()
        resets_at = None if resets_in is None else life.now + 60 + resets_in
        life.end(Outcome(failure=Failure(Trouble.USAGE_LIMIT, "x", resets_at=resets_at)), BadSignal("none"))
    assert life.children < 7 * 24 + 20


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_the_default_ceiling_ends_everything_else(name: str) -> None:
    """A workflow may be very long; a night is not."""
    life = Life(WORKFLOWS[name], Ceilings())

    def again() -> Iterator[tuple[Outcome, Signal | BadSignal]]:
        while True:
            yield Outcome(), parse(json.dumps({"status": "continue", "phase": life.state.phase}).encode())

    assert children_until_rest(life, again(), 150) <= 150


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_good_child_and_a_person_bring_every_workflow_to_its_end(name: str) -> None:
    life = Life(WORKFLOWS[name])
    for _ in range(100):
        if life.state.condition is Condition.DONE:
            break
        if not life.can_start():
            assert life.state.gate
            life.close_gate(VERDICTS[life.state.gate.kind][0])
            continue
        life.start()
        phase, state = life.workflow.phase(life.state.phase), life.state
        following = life.workflow.after(phase.name)
        value: dict[str, Any] = {"status": "continue", "phase": following}
        if phase.gate and phase.gate not in state.passed:
            value = {"status": "waiting", "for": phase.gate, "file": "p.md"}
        elif following is None:
            value = {"status": "done", "summary": "all good"}
        life.end(Outcome(), parse(json.dumps(value).encode()))
    assert life.state.condition is Condition.DONE
    assert life.state.summary == "all good"
    assert {phase.name for phase in life.workflow.phases if phase.gate} == life.passed
