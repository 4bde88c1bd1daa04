"""All the rules in one table: what follows from a child, in which phase, after what."""

from dataclasses import replace
from typing import Any

import pytest
from records import SMALL, T0, closed, ended, event, in_phase, opened, started, state_of, waited, went

from samoloop.core.ceilings import Ceilings
from samoloop.core.ceilings import shares as ceiling_shares
from samoloop.core.decision import EXIT_CODES, Note
from samoloop.core.events import Denied, Failure, Result, Trouble
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.limits import EndedBy
from samoloop.core.outcome import Outcome
from samoloop.core.records import Record
from samoloop.core.rules import VETOES, Decision, Kind, ceiling, decide, judge
from samoloop.core.signals import BadSignal, GateKind, Signal, Status
from samoloop.core.stand_in import stand_in
from samoloop.core.state import State
from samoloop.core.workflow import Phase, Workflow

FINE = Outcome(at=T0)
NO_SIGNAL = BadSignal("no _signal.json was written")
ASKED = [*waited(1, "ask", "qa_answers"), opened(1, "ask", "qa_answers", questions=["Q1"])]
ANSWERED = [*ASKED, closed("qa_answers", "answered", answers={"Q1": {"title": "t", "answer": "A"}})]


def gate_closed(phase: str, kind: str, verdict: str) -> list[Record]:
    """In that phase a gate of this kind was opened and closed."""
    iteration = state_of(in_phase(phase)).iteration + 1
    opening = opened(iteration, phase, kind, "g9", file="p.md", questions=["Q1"])
    return [*in_phase(phase), *waited(iteration, phase, kind), opening, closed(kind, verdict, "g9", comment="x")]


def go(phase: str, **more: Any) -> Signal:
    return Signal(Status.CONTINUE, phase, **more)


def wait(kind: str, phase: str | None = None, **more: Any) -> Signal:
    return Signal(Status.WAITING, phase, GateKind(kind), **more)


BLOCKED = Signal(Status.BLOCKED, reason="no database")
DONE = Signal(Status.DONE, summary="all good")


# --- what a well-formed signal means ----------------------------------------------------------------------------------

# (history, signal, kind of decision, phase it names)
ACCEPTED: list[tuple[list[Record], Signal, Kind, str]] = [
    # a gated phase, before its gate
    (in_phase("ask"), go("ask"), Kind.CONTINUE, "ask"),
    (in_phase("ask"), wait("qa_answers"), Kind.WAIT, "ask"),
    (in_phase("ask"), wait("qa_answers", "ask"), Kind.WAIT, "ask"),
    (in_phase("ask"), wait("human_action", reason="x"), Kind.WAIT, "ask"),
    (in_phase("ask"), wait("file_update", file="x.md"), Kind.WAIT, "ask"),
    (in_phase("ask"), BLOCKED, Kind.BLOCKED, "ask"),
    # and after it
    (ANSWERED, go("plan"), Kind.CONTINUE, "plan"),
    (ANSWERED, go("ask"), Kind.CONTINUE, "ask"),
    (ANSWERED, wait("qa_answers"), Kind.WAIT, "ask"),
    (ANSWERED, BLOCKED, Kind.BLOCKED, "ask"),
    # an ungated one, forward, forward by an extra edge, and back
    (in_phase("work"), go("work"), Kind.CONTINUE, "work"),
    (in_phase("work"), go("review"), Kind.CONTINUE, "review"),
    (in_phase("work"), go("done"), Kind.CONTINUE, "done"),
    (in_phase("review"), go("work"), Kind.CONTINUE, "work"),
    (in_phase("work"), wait("human_action", reason="x"), Kind.WAIT, "work"),
    (in_phase("work"), BLOCKED, Kind.BLOCKED, "work"),
    # the last one
    (in_phase("done"), DONE, Kind.DONE, "done"),
    (in_phase("done"), Signal(Status.DONE, "done", summary="all good"), Kind.DONE, "done"),
    (in_phase("done"), go("done"), Kind.CONTINUE, "done"),
    # the number of this iteration, where the child gives one
    ([*in_phase("ask"), started(1, "ask")], go("ask", iteration=1), Kind.CONTINUE, "ask"),
]

# (history, signal, part of the reason)
REFUSED: list[tuple[list[Record], Signal, str]] = [
    (in_phase("ask"), go("plan"), "ask can be left only after its gate: signal waiting for qa_answers first"),
    (in_phase("plan"), go("work"), "plan can be left only after its gate: signal waiting for plan_approval first"),
    (in_phase("ask"), go("work"), "from ask a child may continue with: ask, plan"),
    (ANSWERED, go("work"), "from ask a child may continue with: ask, plan"),
    (ANSWERED, go("init"), '"phase" is "init"'),
    (in_phase("work"), go("plan"), "from work a child may continue with: work, review, done"),
    (in_phase("work"), go("nowhere"), '"phase" is "nowhere"'),
    (in_phase("done"), go("review"), "from done a child may continue with: done"),
    # waiting or blocked together with the next phase
    (in_phase("plan"), wait("plan_approval", "work", file="p.md"), '"phase" is the present one (plan) or left out'),
    (in_phase("ask"), wait("qa_answers", "plan"), 'with "waiting", "phase" is the present one (ask)'),
    (in_phase("ask"), replace(BLOCKED, phase="plan"), 'with "blocked", "phase" is the present one (ask)'),
    (in_phase("done"), replace(DONE, phase="review"), 'with "done", "phase" is the present one (done)'),
    # done too early
    (in_phase("review"), DONE, '"done" is not allowed in review; allowed: blocked, continue, waiting'),
    (in_phase("plan"), replace(DONE, phase="plan"), '"done" is not allowed in plan'),
    (in_phase("work"), Signal(Status.DONE, "done"), '"done" is not allowed in work'),
    # a gate of a kind that is not the phase's
    (in_phase("ask"), wait("plan_approval", file="p.md"), 'ask may not wait for "plan_approval"'),
    (in_phase("work"), wait("qa_answers"), 'work may not wait for "qa_answers"; allowed: file_update, human_action'),
    # left over from another iteration
    (in_phase("work"), go("review", iteration=2), '"iteration" is 2, this is iteration 3'),
    (in_phase("done"), replace(DONE, iteration=99), '"iteration" is 99'),
    # what was closed is not the gate of the phase, or was no passing
    (gate_closed("ask", "human_action", "done"), go("plan"), "only after its gate"),
    (gate_closed("ask", "file_update", "updated"), go("plan"), "only after its gate"),
    (gate_closed("plan", "human_action", "done"), go("work"), "only after its gate"),
    (gate_closed("plan", "plan_approval", "changes"), go("work"), "only after its gate"),
    ([*gate_closed("plan", "plan_approval", "reject"), event("resumed")], go("work"), "only after its gate"),
    ([*ANSWERED, event("resumed")], go("work"), "may continue with: ask, plan"),
    # it was passed, but in an earlier visit
    ([*in_phase("work"), event("moved", **{"from": "work", "to": "ask"})], go("plan"), "only after its gate"),
    ([*in_phase("work"), event("moved", **{"from": "work", "to": "plan"})], go("work"), "only after its gate"),
    (
        [*in_phase("work"), event("rewound", to=2, record=8, note="")],
        go("work"),
        "only after its gate",
    ),
]


@pytest.mark.parametrize(("history", "signal", "kind", "phase"), ACCEPTED)
@pytest.mark.parametrize(
    "outcome",
    [
        FINE,
        replace(FINE, exit_code=1),
        replace(FINE, ended_by=EndedBy.GRACE, exit_code=-15),
        replace(FINE, denied=(Denied("Bash", "rm"),)),
        replace(FINE, failure=Failure(Trouble.USAGE_LIMIT, "5 h", resets_at=T0 + 60)),
        replace(FINE, failure=Failure(Trouble.LOGIN, "log in")),
        replace(FINE, failure=Failure(Trouble.NETWORK, "gone")),
        replace(FINE, ended_by=EndedBy.TIME, exit_code=-9),
        replace(FINE, result=Result(False, "sorry")),
    ],
)
def test_an_allowed_signal_decides_whatever_else_happened(
    history: list[Record], signal: Signal, kind: Kind, phase: str, outcome: Outcome
) -> None:
    decision = decide(SMALL, state_of(history), outcome, signal)
    assert (decision.kind, decision.phase) == (kind, phase)


@pytest.mark.parametrize(("history", "signal", "reason"), REFUSED)
def test_a_signal_that_is_not_allowed_is_a_bad_signal(history: list[Record], signal: Signal, reason: str) -> None:
    state = state_of(history)
    verdict = judge(SMALL, state, signal)
    assert isinstance(verdict, BadSignal)
    assert reason in verdict.reason
    decision = decide(SMALL, state, FINE, signal)
    assert (decision.kind, decision.phase) == (Kind.REPAIR, state.phase)
    assert decision.notes == (Note("repair", verdict.reason),)


def test_a_decision_carries_what_the_signal_said() -> None:
    state = state_of(in_phase("work"))
    blocked = decide(SMALL, state, FINE, BLOCKED)
    assert (blocked.reason, blocked.needs) == ("no database", "human_decision")
    waiting = decide(SMALL, state, FINE, wait("human_action", reason="plug it in"))
    assert (waiting.reason, waiting.gate) == ("plug it in", GateKind.HUMAN_ACTION)
    assert decide(SMALL, state_of(in_phase("done")), FINE, DONE).summary == "all good"


GATED_END = Workflow(
    "end",
    (
        Phase("init", child=False),
        Phase(
            "sign",
            signals=frozenset(Status),
            gate=GateKind.PLAN_APPROVAL,
            waits=frozenset({GateKind.PLAN_APPROVAL}),
        ),
    ),
)


def test_the_gate_of_the_last_phase_stands_before_done() -> None:
    before = state_of(workflow=GATED_END)
    assert isinstance(judge(GATED_END, before, DONE), BadSignal)
    approval = [
        *waited(1, "sign", "plan_approval", file="p.md"),
        opened(1, "sign", "plan_approval", file="p.md"),
        closed("plan_approval", "approve"),
    ]
    after = state_of(approval, workflow=GATED_END)
    assert after.phase == "sign"
    assert decide(GATED_END, after, FINE, DONE).kind is Kind.DONE


def test_changes_send_a_plan_gate_of_any_phase_back_to_that_phase() -> None:
    phases = tuple(replace(phase, name={"plan": "roadmap"}.get(phase.name, phase.name)) for phase in SMALL.phases)
    build = Workflow("build", phases, SMALL.edges, SMALL.rounds)
    asked = [*ANSWERED, *went(2, "ask", "roadmap"), *waited(3, "roadmap", "plan_approval", file="r.md")]
    asked.append(opened(3, "roadmap", "plan_approval", "g2", file="r.md"))
    changes = state_of(asked, closed("plan_approval", "changes", "g2", comment="shorter"), workflow=build)
    assert (changes.phase, changes.condition) == ("roadmap", "ready")
    assert isinstance(judge(build, changes, go("work")), BadSignal)
    approved = state_of(asked, closed("plan_approval", "approve", "g2"), workflow=build)
    assert (approved.phase, approved.condition) == ("work", "ready")


# --- limits of phases and rounds --------------------------------------------------------------------------------------


def many(phase: str, first: int, count: int) -> list[Record]:
    return [record for number in range(first, first + count) for record in went(number, phase, phase)]


def test_a_phase_may_go_on_with_itself_until_its_limit() -> None:
    below = state_of(in_phase("work"), many("work", 4, 2), started(6, "work"))
    assert decide(SMALL, below, FINE, go("work")).kind is Kind.CONTINUE
    reached = state_of(in_phase("work"), many("work", 4, 3), started(7, "work"))
    decision = decide(SMALL, reached, FINE, go("work"))
    assert (decision.kind, decision.reason) == (Kind.BLOCKED, "work reached its limit of 4 iterations")


def test_at_its_limit_a_phase_can_still_be_left_waited_in_and_resumed() -> None:
    records = [*in_phase("work"), *many("work", 4, 3), started(7, "work")]
    assert decide(SMALL, state_of(records), FINE, go("review")).kind is Kind.CONTINUE
    assert decide(SMALL, state_of(records), FINE, wait("human_action", reason="x")).kind is Kind.WAIT
    blocked = ended(7, "work", {"kind": "blocked", "reason": "limit"}, signal={"status": "continue"})
    resumed = state_of(records, blocked, event("resumed"), started(8, "work"))
    assert decide(SMALL, resumed, FINE, go("work")).kind is Kind.CONTINUE


def test_going_back_is_bounded_by_rounds_and_renewed_by_resume() -> None:
    once = [*went(5, "review", "work"), *went(6, "work", "review")]
    twice = [*once, *went(7, "review", "work"), *went(8, "work", "review")]
    assert decide(SMALL, state_of(in_phase("review"), once), FINE, go("work")).kind is Kind.CONTINUE
    decision = decide(SMALL, state_of(in_phase("review"), twice), FINE, go("work"))
    assert decision.kind is Kind.BLOCKED
    assert decision.reason == "review went back to work 2 times and is still not content"
    assert decide(SMALL, state_of(in_phase("review"), twice), FINE, go("done")).kind is Kind.CONTINUE
    resumed = state_of(in_phase("review"), twice, event("resumed"))
    assert decide(SMALL, resumed, FINE, go("work")).kind is Kind.CONTINUE


# --- without a valid signal: the strength of evidence -----------------------------------------------------------------

LIMIT = Failure(Trouble.USAGE_LIMIT, "5 h limit", resets_at=T0 + 3600)
DENIED = (Denied("Bash", "git push"),)


def failing(trouble: Trouble, message: str = "it said so") -> Outcome:
    return replace(FINE, failure=Failure(trouble, message), exit_code=1)


# (outcome, kind, part of the reason); every row is weaker than those above, and has what they have not
EVIDENCE: list[tuple[str, Outcome, Kind, str]] = [
    ("usage limit", replace(FINE, failure=LIMIT, denied=DENIED, exit_code=1), Kind.LIMITED, "5 h limit"),
    ("login", replace(failing(Trouble.LOGIN), denied=DENIED), Kind.BLOCKED, "login: it said so"),
    ("billing", replace(failing(Trouble.BILLING), denied=DENIED), Kind.BLOCKED, "billing: it said so"),
    ("denied beside network", replace(failing(Trouble.NETWORK), denied=DENIED), Kind.BLOCKED, "refused Bash git push"),
    ("denied beside an error", replace(failing(Trouble.OTHER), denied=DENIED), Kind.BLOCKED, "permissions: full"),
    ("denied alone", replace(FINE, denied=DENIED), Kind.BLOCKED, "the CLI refused Bash git push"),
    ("denied and out of time", replace(FINE, denied=DENIED, ended_by=EndedBy.TIME), Kind.BLOCKED, "refused Bash"),
    ("429", failing(Trouble.RATE), Kind.RETRY, "rate: it said so"),
    ("5xx", failing(Trouble.OVERLOAD), Kind.RETRY, "overload: it said so"),
    ("network, out of time", replace(failing(Trouble.NETWORK), ended_by=EndedBy.TIME), Kind.RETRY, "network"),
    ("unknown model", failing(Trouble.MODEL), Kind.FAILED, "it said so"),
    ("context", failing(Trouble.CONTEXT), Kind.RETRY, "it said so"),
    ("other failure", failing(Trouble.OTHER), Kind.RETRY, "it said so"),
    ("failure behind exit 0", replace(failing(Trouble.OTHER), exit_code=0), Kind.RETRY, "it said so"),
    ("failure, out of time", replace(failing(Trouble.OTHER), ended_by=EndedBy.TIME), Kind.RETRY, "it said so"),
    ("error result behind exit 0", replace(FINE, result=Result(False, "sorry")), Kind.RETRY, "sorry"),
    ("error result without words", replace(FINE, result=Result(False)), Kind.RETRY, "the CLI reported an error"),
    ("exit code", replace(FINE, exit_code=2), Kind.RETRY, "the CLI ended with exit code 2 and wrote no signal"),
    ("killed", replace(FINE, exit_code=-9), Kind.RETRY, "the CLI was killed by signal 9"),
    ("exit code unknown", replace(FINE, exit_code=None), Kind.RETRY, "the CLI ended with exit code unknown"),
    (
        "total limit",
        replace(FINE, ended_by=EndedBy.TIME, exit_code=-15, seconds=1800),
        Kind.REPAIR,
        "time limit after 30m 00s",
    ),
    ("silence", replace(FINE, ended_by=EndedBy.SILENCE, exit_code=-15, seconds=700), Kind.REPAIR, "silence limit"),
    ("no first byte", replace(FINE, ended_by=EndedBy.FIRST_BYTE, exit_code=-15), Kind.REPAIR, "never started"),
    ("nothing at all", FINE, Kind.REPAIR, "no _signal.json was written"),
    ("a good result, no signal", replace(FINE, result=Result(True, "all done")), Kind.REPAIR, "no _signal.json"),
]


@pytest.mark.parametrize(("outcome", "kind", "reason"), [row[1:] for row in EVIDENCE], ids=[row[0] for row in EVIDENCE])
@pytest.mark.parametrize("signal", [NO_SIGNAL, go("nowhere")], ids=["no signal", "not allowed"])
def test_without_a_valid_signal_the_strongest_evidence_decides(
    outcome: Outcome, kind: Kind, reason: str, signal: Signal | BadSignal
) -> None:
    decision = decide(SMALL, state_of(in_phase("work")), outcome, signal)
    assert decision.kind is kind
    assert decision.phase == "work"
    if signal is NO_SIGNAL or kind is not Kind.REPAIR or outcome.ended_by is not EndedBy.EXIT:
        assert reason in decision.reason
    else:
        assert '"phase" is "nowhere"' in decision.reason


def test_what_needs_a_person_says_what_it_needs() -> None:
    state = state_of(in_phase("work"))
    assert decide(SMALL, state, failing(Trouble.LOGIN), NO_SIGNAL).needs == "login"
    assert decide(SMALL, state, failing(Trouble.BILLING), NO_SIGNAL).needs == "billing"
    assert decide(SMALL, state, replace(FINE, denied=DENIED), NO_SIGNAL).needs == "human_decision"


def after(*decisions: dict[str, Any]) -> State:
    """In `work`, after children that came to these decisions."""
    records, iteration, attempt = in_phase("work"), 4, 1
    for decision in decisions:
        records += [started(iteration, "work", attempt), ended(iteration, "work", decision)]
        again = decision["kind"] in ("retry", "limited")
        iteration, attempt = (iteration, attempt + 1) if again else (iteration + 1, 1)
    return state_of(records)


RETRY = {"kind": "retry", "reason": "exit code 1"}
TRANSIENT = {"kind": "retry", "reason": "network", "transient": True, "not_before": T0 + 2}
LIMITED = {"kind": "limited", "reason": "5 h", "not_before": T0 + 18000}
REPAIR = {"kind": "repair", "reason": "no signal"}
CONTINUE = {"kind": "continue", "phase": "work"}


@pytest.mark.parametrize(
    ("before", "outcome", "kind"),
    [
        ((), failing(Trouble.OTHER), Kind.RETRY),
        ((RETRY,), failing(Trouble.OTHER), Kind.FAILED),
        ((RETRY, TRANSIENT), failing(Trouble.OTHER), Kind.FAILED),
        ((RETRY, LIMITED), failing(Trouble.OTHER), Kind.FAILED),
        ((TRANSIENT, TRANSIENT), failing(Trouble.OTHER), Kind.RETRY),
        ((RETRY,), failing(Trouble.NETWORK), Kind.RETRY),
        ((RETRY, CONTINUE), failing(Trouble.OTHER), Kind.RETRY),
        ((), FINE, Kind.REPAIR),
        ((REPAIR,), FINE, Kind.BLOCKED),
        ((REPAIR,), replace(FINE, ended_by=EndedBy.TIME, exit_code=-15), Kind.BLOCKED),
        ((REPAIR, RETRY), FINE, Kind.BLOCKED),
        ((REPAIR, TRANSIENT), FINE, Kind.BLOCKED),
        ((REPAIR,), failing(Trouble.OTHER), Kind.RETRY),
        ((REPAIR, CONTINUE), FINE, Kind.REPAIR),
    ],
)
def test_two_tries_for_the_cli_and_one_repair_for_the_child(
    before: tuple[dict[str, Any], ...], outcome: Outcome, kind: Kind
) -> None:
    assert decide(SMALL, after(*before), outcome, NO_SIGNAL).kind is kind


def test_a_second_bad_signal_in_a_row_is_for_a_person() -> None:
    decision = decide(SMALL, after(REPAIR), FINE, BadSignal('"status" is missing'))
    assert (decision.reason, decision.needs) == ('twice in a row: "status" is missing', "error_resolution")


@pytest.mark.parametrize("before", [(REPAIR,), (RETRY,)])
def test_resume_gives_every_second_chance_again(before: tuple[dict[str, Any], ...]) -> None:
    outcome = FINE if before == (REPAIR,) else failing(Trouble.OTHER)
    last = {"kind": "blocked" if before == (REPAIR,) else "failed", "reason": "x"}
    records = [*in_phase("work"), started(4, "work"), ended(4, "work", before[0])]
    records += [started(5, "work"), ended(5, "work", last), event("resumed")]
    assert decide(SMALL, state_of(records), outcome, NO_SIGNAL).kind in (Kind.REPAIR, Kind.RETRY)


# --- waiting for the provider -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tries", "resets_in", "not_before", "delay"),
    [
        (0, 18000.0, 18000.0, 0.0),
        (0, 7 * 86400.0, 7 * 86400.0, 0.0),
        (0, 2.0, 5.0, 0.0),  # nearly now
        (3, 2.0, 40.0, 0.0),  # and again and again
        (30, 2.0, 3600.0, 0.0),
        (0, -10.0, None, 300.0),  # in the past
        (0, 0.0, None, 300.0),
        (0, 9 * 86400.0, None, 300.0),  # absurdly far
        (0, 1e18, None, 300.0),
        (0, None, None, 300.0),
        (1, None, None, 600.0),
        (3, None, None, 2400.0),
        (4, None, None, 3600.0),
        (2000, None, None, 3600.0),
    ],
)
def test_a_usage_limit_is_slept_through(
    tries: int, resets_in: float | None, not_before: float | None, delay: float
) -> None:
    resets_at = None if resets_in is None else T0 + resets_in
    outcome = replace(FINE, failure=Failure(Trouble.USAGE_LIMIT, "5 h limit", resets_at=resets_at), exit_code=1)
    state = after()
    state.transients = tries
    decision = decide(SMALL, state, outcome, NO_SIGNAL)
    assert decision.kind is Kind.LIMITED
    assert decision.reason == "5 h limit"
    assert decision.not_before == (None if not_before is None else T0 + not_before)
    assert decision.delay_seconds == delay


@pytest.mark.parametrize(("tries", "delay"), [(0, 2), (1, 4), (5, 64), (8, 512), (9, 600), (5000, 600)])
def test_a_transient_trouble_is_tried_again_after_a_growing_while(tries: int, delay: float) -> None:
    state = after()
    state.transients, state.transient_since = tries, T0 - 60
    decision = decide(SMALL, state, failing(Trouble.OVERLOAD), NO_SIGNAL)
    assert (decision.kind, decision.delay_seconds, decision.transient) == (Kind.RETRY, delay, True)


@pytest.mark.parametrize(("since", "kind"), [(0.0, Kind.RETRY), (7200.0, Kind.RETRY), (7201.0, Kind.WAIT)])
def test_a_transient_trouble_of_over_two_hours_waits_for_a_person(since: float, kind: Kind) -> None:
    first = [started(4, "work"), ended(4, "work", TRANSIENT, minutes=0)]
    state = state_of(in_phase("work"), first, started(4, "work", 2))
    decision = decide(SMALL, state, replace(failing(Trouble.NETWORK, "no route"), at=T0 + since), NO_SIGNAL)
    assert decision.kind is kind
    if kind is Kind.WAIT:
        assert decision.reason == "network for 2h 00m: no route"
        assert decision.gate is None


def test_a_clock_that_goes_back_costs_nobody_patience() -> None:
    state = after(TRANSIENT)
    decision = decide(SMALL, state, replace(failing(Trouble.NETWORK), at=T0 - 90_000), NO_SIGNAL)
    assert decision.kind is Kind.RETRY


# --- no progress ------------------------------------------------------------------------------------------------------

STILL = replace(FINE, progress=False)


def stuck(count: int, phase: str = "work", first: int = 4) -> list[Record]:
    return [r for number in range(first, first + count) for r in went(number, phase, phase, progress=False)]


@pytest.mark.parametrize(
    ("before", "kind", "notes"),
    [(0, Kind.CONTINUE, 0), (1, Kind.CONTINUE, 0), (2, Kind.CONTINUE, 1), (3, Kind.BLOCKED, 0)],
)
def test_without_progress_the_child_is_told_once_and_then_a_person_is_asked(
    before: int, kind: Kind, notes: int
) -> None:
    workflow = replace(SMALL, phases=tuple(replace(phase, max_iterations=50) for phase in SMALL.phases))
    state = state_of(in_phase("work"), stuck(before), started(4 + before, "work"), workflow=workflow)
    decision = decide(workflow, state, STILL, go("work"))
    assert (decision.kind, len(decision.notes)) == (kind, notes)
    if notes:
        assert decision.notes[0].kind == "no_progress"
        assert (
            "3 iterations of work in a row changed neither the code nor the session's files" in decision.notes[0].text
        )
    if kind is Kind.BLOCKED:
        assert decision.reason.startswith("no progress: 4 iterations of work in a row")


def test_any_change_another_phase_or_a_gate_is_progress_enough() -> None:
    state = state_of(in_phase("work"), stuck(3))
    assert decide(SMALL, state, replace(STILL, progress=True), go("review")).kind is Kind.CONTINUE
    assert decide(SMALL, state, STILL, go("review")).kind is Kind.CONTINUE
    assert decide(SMALL, state, STILL, wait("human_action", reason="x")).kind is Kind.WAIT
    assert (
        decide(SMALL, state_of(in_phase("work"), stuck(3), event("resumed")), STILL, go("work")).kind is Kind.CONTINUE
    )


def test_a_repair_among_them_does_not_take_the_warning_away() -> None:
    repair = [started(6, "work"), ended(6, "work", REPAIR, progress=False)]
    state = state_of(in_phase("work"), stuck(2), repair)
    assert len(decide(SMALL, state, STILL, go("work")).notes) == 1


# --- ceilings ---------------------------------------------------------------------------------------------------------


def spent(iterations: int = 0, seconds: float = 0.0, cost: float = 0.0) -> list[Record]:
    """In `work`, after so much."""
    records = [*in_phase("work"), event("resumed")]
    for number in range(4, 4 + iterations):
        usage = {"cost_usd": cost / iterations}
        records += went(number, "work", "work", seconds=seconds / iterations, usage=usage)
    return records


@pytest.mark.parametrize(
    ("records", "name", "share"),
    [
        (spent(120), "150 iterations", 0.8),
        (spent(150), "150 iterations", 1.0),
        (spent(1, seconds=69120), "24h 00m of work", 0.8),
        (spent(1, seconds=86400), "24h 00m of work", 1.0),
        (spent(1, cost=40), "50.00 USD", 0.8),
        (spent(1, cost=50), "50.00 USD", 1.0),
    ],
)
def test_the_share_of_a_ceiling_is_known_and_all_of_it_waits_for_a_person(
    records: list[Record], name: str, share: float
) -> None:
    state = state_of(records)
    assert ceiling_shares(state, Ceilings(), {})[name] == pytest.approx(share)
    decision = ceiling(state, Ceilings(), {})
    if share < 1:
        assert decision is None
    else:
        assert decision is not None
        assert decision.kind is Kind.WAIT
        assert name in decision.reason
        assert "samoloop resume" in decision.reason


def test_a_phase_has_ceilings_of_its_own() -> None:
    phases = {"work": Ceilings(iterations=5, wall_seconds=None, cost_usd=1.0), "plan": Ceilings(iterations=1)}
    state = state_of(spent(4, cost=0.9))
    assert ceiling_shares(state, Ceilings(None, None, None), phases) == {
        "5 iterations in work": 0.8,
        "1.00 USD in work": pytest.approx(0.9),
    }
    assert ceiling(state, Ceilings(), phases) is None
    decision = ceiling(state_of(spent(5)), Ceilings(), phases)
    assert decision is not None
    assert "5 iterations in work" in decision.reason


def test_resume_grants_as_much_again() -> None:
    limits = {"work": Ceilings(iterations=3)}
    records = spent(3)
    assert ceiling(state_of(records), Ceilings(), limits)
    assert ceiling(state_of(records, event("resumed")), Ceilings(), limits) is None
    assert ceiling(state_of(spent(150), event("resumed")), Ceilings(), {}) is None


def test_without_ceilings_nothing_is_ever_reached() -> None:
    assert ceiling_shares(state_of(spent(300, 1e9, 1e9)), Ceilings(None, None, None), {}) == {}


def test_retries_are_not_counted_as_iterations() -> None:
    records = in_phase("work")
    for attempt in range(1, 9):
        records += [started(4, "work", attempt), ended(4, "work", TRANSIENT)]
    assert state_of(records).since_resume.iterations == 4


# --- what a decision is -----------------------------------------------------------------------------------------------


def test_every_way_to_end_a_run_has_its_exit_code() -> None:
    expected = {"done": 0, "wait": 3, "limited": 3, "retry": 3, "blocked": 4, "failed": 5, "stopped": 6}
    assert {kind.value: code for kind, code in EXIT_CODES.items()} == expected
    for kind in Kind:
        decision = Decision(kind)
        assert decision.goes_on or decision.exit_code == expected[kind]


@pytest.mark.parametrize(
    ("kind", "goes_on", "sleeps"),
    [
        (Kind.CONTINUE, True, False),
        (Kind.REPAIR, True, False),
        (Kind.RETRY, False, True),
        (Kind.LIMITED, False, True),
        (Kind.WAIT, False, False),
        (Kind.DONE, False, False),
    ],
)
def test_a_decision_knows_whether_a_child_can_follow(kind: Kind, goes_on: bool, sleeps: bool) -> None:
    assert (Decision(kind).goes_on, Decision(kind).sleeps) == (goes_on, sleeps)


def test_the_journal_gets_a_decision_without_its_empty_fields() -> None:
    assert Decision(Kind.CONTINUE, "work").to_json() == {"kind": "continue", "phase": "work"}
    full = Decision(Kind.WAIT, "ask", "please", gate=GateKind.QA_ANSWERS, notes=(Note("git", "x"),))
    assert full.to_json() == {
        "kind": "wait",
        "phase": "ask",
        "reason": "please",
        "for": "qa_answers",
        "notes": [{"kind": "git", "text": "x"}],
    }


# --- who stands in ----------------------------------------------------------------------------------------------------


def failed(trouble: str, message: str = "no", **more: Any) -> Outcome:
    return Outcome(exit_code=1, at=T0, failure=Failure(Trouble(trouble), message, **more))


CRASHED = Outcome(exit_code=1, at=T0)
# (outcome, CLI errors before it, why the first is unavailable, seconds until it is tried again)
STAND_INS = [
    (failed("usage_limit", resets_at=T0 + 5000), 0, "usage_limit", 5000),
    (failed("login"), 0, "login", 600),
    (failed("billing"), 0, "billing", 600),
    (failed("overload"), 0, "overload", 600),
    (failed("rate"), 0, "rate", 600),
    (failed("model"), 0, "model", 600),
    (CRASHED, 1, "crash", 600),
    (failed("other"), 1, "other", 600),
]


@pytest.mark.parametrize("outcome, failures, trouble, seconds", STAND_INS, ids=[row[2] for row in STAND_INS])
def test_a_free_cli_stands_in_for_one_that_cannot(
    outcome: Outcome, failures: int, trouble: str, seconds: float
) -> None:
    state = state_of(in_phase("ask"))
    state.failures = failures
    alone = decide(SMALL, state, outcome, NO_SIGNAL)
    assert stand_in(alone, outcome, "claude", "") == alone
    found = stand_in(alone, outcome, "claude", "codex")
    assert (found.kind, found.stands_in, found.needs) == (Kind.LIMITED, "codex", trouble)
    assert found.not_before == T0 + seconds
    assert found.reason.startswith("codex stands in for claude: ")


@pytest.mark.parametrize(
    "history, outcome, signal",
    [
        (in_phase("ask"), CRASHED, NO_SIGNAL),  # tried once more first
        (in_phase("ask"), failed("network"), NO_SIGNAL),
        (in_phase("ask"), FINE, NO_SIGNAL),
        (in_phase("ask"), replace(FINE, denied=(Denied("Bash"),)), NO_SIGNAL),
        (in_phase("ask"), replace(FINE, ended_by=EndedBy.TIME), NO_SIGNAL),
        (in_phase("ask"), failed("overload"), BLOCKED),
        (in_phase("ask"), failed("overload"), wait("qa_answers")),
    ],
)
def test_nobody_stands_in_for_what_is_not_the_clis_fault(
    history: list[Record], outcome: Outcome, signal: Signal | BadSignal
) -> None:
    decision = decide(SMALL, state_of(history), outcome, signal)
    assert stand_in(decision, outcome, "claude", "codex") == decision


# --- edges ------------------------------------------------------------------------------------------------------------


def test_a_decision_that_goes_nowhere_names_the_present_phase() -> None:
    reached = state_of(in_phase("work"), many("work", 4, 3), started(7, "work"))
    long_down = after()
    long_down.transient_since = T0 - 8000
    unknown = replace(FINE, failure=replace(LIMIT, resets_at=None), exit_code=1)
    decisions = [
        decide(SMALL, reached, FINE, go("work")),
        decide(SMALL, after(), unknown, NO_SIGNAL),
        decide(SMALL, long_down, failing(Trouble.NETWORK), NO_SIGNAL),
        decide(replace(SMALL, rounds={"review": 0}), state_of(in_phase("review")), FINE, go("work")),
    ]
    assert [(found.kind, found.phase) for found in decisions] == [
        (Kind.BLOCKED, "work"),
        (Kind.LIMITED, "work"),
        (Kind.WAIT, "work"),
        (Kind.BLOCKED, "review"),
    ]


@pytest.mark.parametrize(("rounds", "kind"), [({}, Kind.BLOCKED), ({"review": 1}, Kind.CONTINUE)])
def test_a_phase_goes_back_as_often_as_its_rounds_say(rounds: dict[str, int], kind: Kind) -> None:
    assert decide(replace(SMALL, rounds=rounds), state_of(in_phase("review")), FINE, go("work")).kind is kind


def test_a_gate_without_a_reason_has_none() -> None:
    assert decide(SMALL, state_of(in_phase("ask")), FINE, wait("qa_answers")).reason == ""


def test_a_reset_in_eight_days_is_not_believed() -> None:
    far = replace(FINE, failure=replace(LIMIT, resets_at=T0 + 8 * 24 * 3600), exit_code=1)
    decision = decide(SMALL, after(), far, NO_SIGNAL)
    assert (decision.not_before, decision.delay_seconds) == (None, 300.0)


def test_a_cli_that_reports_an_error_without_a_word_gets_one() -> None:
    outcome = replace(FINE, result=Result(False, ""), exit_code=1)
    assert decide(SMALL, after(), outcome, NO_SIGNAL).reason == "the CLI reported an error"


def test_without_progress_the_phase_is_named_and_a_person_decides() -> None:
    state = after()
    state.still = 2
    told = decide(SMALL, state, STILL, go("work"))
    assert (told.kind, told.phase, [note.kind for note in told.notes]) == (Kind.CONTINUE, "work", ["no_progress"])
    state.still = 3
    blocked = decide(SMALL, state, STILL, go("work"))
    assert (blocked.kind, blocked.phase, blocked.needs) == (Kind.BLOCKED, "work", "human_decision")


def test_a_second_chance_names_its_cause_and_the_next_failure_its_phase() -> None:
    late = replace(FINE, ended_by=EndedBy.TIME, seconds=60.0)
    state = after()
    assert [note.kind for note in decide(SMALL, state, late, NO_SIGNAL).notes] == ["time_limit"]
    state.repairs = 1
    blocked = decide(SMALL, state, late, NO_SIGNAL)
    assert (blocked.kind, blocked.phase, blocked.needs) == (Kind.BLOCKED, "work", "error_resolution")


def test_a_refusal_of_the_cli_says_what_to_do() -> None:
    reason = decide(SMALL, after(), replace(FINE, denied=DENIED), NO_SIGNAL).reason
    assert reason == "the CLI refused Bash git push; allow it, or run with permissions: full"


def test_a_ceiling_waits_in_the_present_phase() -> None:
    found = ceiling(after(), Ceilings(iterations=1), {})
    assert found is not None and (found.kind, found.phase) == (Kind.WAIT, "work")


@pytest.mark.parametrize("summary", [None, "", " \n"])
def test_done_says_what_was_achieved(summary: str | None) -> None:
    said = judge(SMALL, state_of(in_phase("done")), Signal(Status.DONE, summary=summary))
    assert isinstance(said, BadSignal) and '"summary"' in said.reason


def test_what_is_vetoed_too_often_is_blocked_in_its_phase() -> None:
    state = state_of(in_phase("done"))
    state.vetoes = VETOES
    decision = decide(SMALL, state, FINE, DONE, [Evidence("check", Weight.VETO, "two tests fail")])
    assert (decision.kind, decision.phase) == (Kind.BLOCKED, "done")
