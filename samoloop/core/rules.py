"""All the rules: what the worker does after a child, before one, and why.

Pure functions: no files, no clock, no network. Everything they need comes in as values, so the rules are one table of
tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from samoloop.base.durations import format_seconds
from samoloop.core import ceilings
from samoloop.core.ceilings import Ceilings
from samoloop.core.decision import Decision as Decision
from samoloop.core.decision import Kind as Kind
from samoloop.core.decision import Note
from samoloop.core.events import Failure, Trouble
from samoloop.core.evidence import Evidence, Weight, vetoed
from samoloop.core.limits import EndedBy
from samoloop.core.outcome import TRANSIENT, Outcome
from samoloop.core.signals import BadSignal, Signal, Status
from samoloop.core.state import State
from samoloop.core.workflow import Phase, Workflow

VETOES = 3  # of leaving one phase, before a human is asked
TRIES = 2  # of an iteration whose CLI fails
STILL_ITERATIONS = 3  # without any change, before the child is told
FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 2.0, 600.0
FIRST_LIMIT_BACKOFF_SECONDS, LAST_LIMIT_BACKOFF_SECONDS = 300.0, 3600.0  # a usage limit without a reset time
SHORTEST_LIMIT_SECONDS = 5.0  # and with one that is nearly now
TRANSIENT_PATIENCE_SECONDS = 2 * 3600
FARTHEST_RESET_SECONDS = 8 * 24 * 3600  # weekly limits exist; anything beyond is not believed


def decide(
    workflow: Workflow,
    state: State,
    outcome: Outcome,
    signal: Signal | BadSignal,
    evidence: Sequence[Evidence] = (),
) -> Decision:
    """What follows from one child. A valid signal decides, unless what the worker itself saw speaks against it; without
    a signal the strongest trouble does.
    """
    return _with_evidence(state, _decide(workflow, state, outcome, signal), evidence)


def _decide(workflow: Workflow, state: State, outcome: Outcome, signal: Signal | BadSignal) -> Decision:
    if isinstance(signal, Signal):
        verdict = judge(workflow, state, signal)
        if isinstance(verdict, Decision):
            return _without_progress(state, outcome, verdict)
        signal = verdict
    return _without_signal(state, outcome, signal)


def _with_evidence(state: State, decision: Decision, evidence: Sequence[Evidence]) -> Decision:
    """What blocks is for a human, a veto keeps the session in its phase, what is unfinished gets one repair before
    `done`, and the next child is told of the rest.
    """
    by = {weight: [seen for seen in evidence if seen.weight is weight] for weight in Weight}
    if by[Weight.BLOCK] and decision.kind is not Kind.BLOCKED:
        return Decision(Kind.BLOCKED, state.phase, by[Weight.BLOCK][0].text, needs="human_decision")
    if by[Weight.UNFINISHED] and decision.kind is Kind.DONE:
        decision = _second_chance(state, "git", "; ".join(seen.text for seen in by[Weight.UNFINISHED]))
    if by[Weight.VETO] and (leaves(state.phase, decision) or decision.gate):
        said = "; ".join(seen.text for seen in by[Weight.VETO])
        if state.vetoes >= VETOES:
            return Decision(Kind.BLOCKED, state.phase, vetoed(VETOES, by[Weight.VETO]), needs="error_resolution")
        decision = Decision(Kind.CONTINUE, state.phase, said, vetoed=True)
    told = by[Weight.NOTE] + (by[Weight.VETO] if decision.vetoed else [])
    return replace(decision, notes=(*decision.notes, *(Note(seen.source, seen.told) for seen in told)))


def leaves(phase: str, decision: Decision) -> bool:
    """Whether the decision leads out of the phase, to another one or to the end."""
    return decision.kind is Kind.DONE or (decision.kind is Kind.CONTINUE and decision.phase != phase)


def judge(workflow: Workflow, state: State, signal: Signal) -> Decision | BadSignal:
    """What a well-formed signal means here and now, or why it is not allowed."""
    phase = workflow.phase(state.phase)
    if signal.iteration is not None and signal.iteration != state.iteration:
        return BadSignal(f'"iteration" is {signal.iteration}, this is iteration {state.iteration}')
    if signal.status not in phase.signals:
        return BadSignal(
            f'"{signal.status}" is not allowed in {phase.name}; allowed: {", ".join(sorted(phase.signals))}'
        )
    if signal.status is Status.CONTINUE:
        return _judge_continue(workflow, state, phase, signal.phase or "")
    if signal.phase not in (None, phase.name):
        return BadSignal(
            f'with "{signal.status}", "phase" is the present one ({phase.name}) or left out, not "{signal.phase}"'
        )
    if signal.status is Status.WAITING:
        return _judge_waiting(phase, signal)
    if signal.status is Status.BLOCKED:
        return Decision(Kind.BLOCKED, phase.name, signal.reason or "", needs=signal.needs or "human_decision")
    if _gate_ahead(state, phase):
        return _needs_gate(phase)
    if not (signal.summary or "").strip():
        return BadSignal('with "done", "summary" says in a sentence what was achieved; it is missing')
    return Decision(Kind.DONE, phase.name, summary=signal.summary or "")


def _judge_continue(workflow: Workflow, state: State, phase: Phase, target: str) -> Decision | BadSignal:
    allowed = (phase.name, *workflow.next_phases(phase.name))
    if target not in allowed:
        return BadSignal(
            f'"phase" is "{target[:60]}"; from {phase.name} a child may continue with: {", ".join(allowed)}'
        )
    if target == phase.name:
        if state.phase_iterations >= phase.max_iterations:
            return Decision(
                Kind.BLOCKED, phase.name, f"{phase.name} reached its limit of {phase.max_iterations} iterations"
            )
        return Decision(Kind.CONTINUE, target)
    if _gate_ahead(state, phase):
        return _needs_gate(phase)
    if workflow.is_backward(phase.name, target):
        limit = workflow.rounds.get(phase.name, 0)
        if state.rounds.get(phase.name, 0) >= limit:
            return Decision(
                Kind.BLOCKED, phase.name, f"{phase.name} went back to {target} {limit} times and is still not content"
            )
    return Decision(Kind.CONTINUE, target)


def _gate_ahead(state: State, phase: Phase) -> bool:
    return phase.gate is not None and phase.gate not in state.passed


def _needs_gate(phase: Phase) -> BadSignal:
    return BadSignal(f"{phase.name} can be left only after its gate: signal waiting for {phase.gate} first")


def _judge_waiting(phase: Phase, signal: Signal) -> Decision | BadSignal:
    if signal.wait_for not in phase.waits:
        return BadSignal(
            f'{phase.name} may not wait for "{signal.wait_for}"; allowed: {", ".join(sorted(phase.waits))}'
        )
    return Decision(Kind.WAIT, phase.name, signal.reason or "", gate=signal.wait_for)


def _without_progress(state: State, outcome: Outcome, decision: Decision) -> Decision:
    """The same phase again and nothing changed: first the child is told, then a human is asked."""
    if decision.kind is not Kind.CONTINUE or decision.phase != state.phase or outcome.progress:
        return decision
    still = state.still + 1
    evidence = f"{still} iterations of {state.phase} in a row changed neither the code nor the session's files"
    if still > STILL_ITERATIONS:
        return Decision(Kind.BLOCKED, state.phase, f"no progress: {evidence}", needs="human_decision")
    if still == STILL_ITERATIONS:
        note = Note("no_progress", f"{evidence}. Do something else, or signal blocked and say why.")
        return Decision(Kind.CONTINUE, decision.phase, notes=(note,))
    return decision


def _without_signal(state: State, outcome: Outcome, bad: BadSignal) -> Decision:
    """Evidence by its strength: limit, login, denied permission, CLI error, time limit, bad signal."""
    failure = outcome.failure
    if failure and failure.trouble is Trouble.USAGE_LIMIT:
        return usage_limit(state, failure, outcome.at)
    if failure and failure.trouble in (Trouble.LOGIN, Trouble.BILLING):
        return Decision(Kind.BLOCKED, state.phase, f"{failure.trouble}: {failure.message}", needs=failure.trouble)
    if outcome.denied:
        denied = outcome.denied[-1]
        reason = f"the CLI refused {denied.tool} {denied.detail}".strip() + "; allow it, or run with permissions: full"
        return Decision(Kind.BLOCKED, state.phase, reason, needs="human_decision")
    if failure and failure.trouble in TRANSIENT:
        return _transient(state, failure, outcome.at)
    if outcome.cli_failed:
        return _cli_error(state, outcome)
    if outcome.ended_by in (EndedBy.TIME, EndedBy.SILENCE, EndedBy.FIRST_BYTE):
        return _second_chance(state, "time_limit", _limit_sentence(outcome))
    return _second_chance(state, "repair", bad.reason)


def usage_limit(state: State, failure: Failure, now: float) -> Decision:
    """Sleep until the limit is over; without a believable time, ask again after a growing while.

    A CLI that names a time and refuses again right after it is asked ever more rarely too.
    """
    resets_at, tries = failure.resets_at, min(state.transients, 20)
    if resets_at is not None and now < resets_at < now + FARTHEST_RESET_SECONDS:
        pause = min(SHORTEST_LIMIT_SECONDS * 2**tries, LAST_LIMIT_BACKOFF_SECONDS)
        return Decision(Kind.LIMITED, state.phase, failure.message, not_before=max(resets_at, now + pause))
    pause = min(FIRST_LIMIT_BACKOFF_SECONDS * 2**tries, LAST_LIMIT_BACKOFF_SECONDS)
    return Decision(Kind.LIMITED, state.phase, failure.message, delay_seconds=pause)


def _transient(state: State, failure: Failure, now: float) -> Decision:
    since = state.transient_since or now
    if now - since > TRANSIENT_PATIENCE_SECONDS:
        reason = f"{failure.trouble} for {format_seconds(now - since)}: {failure.message}"
        return Decision(Kind.WAIT, state.phase, reason)
    delay = min(FIRST_BACKOFF_SECONDS * 2 ** min(state.transients, 20), LAST_BACKOFF_SECONDS)
    reason = f"{failure.trouble}: {failure.message}"
    return Decision(Kind.RETRY, state.phase, reason, delay_seconds=delay, transient=True)


def _cli_error(state: State, outcome: Outcome) -> Decision:
    if outcome.failure:
        said = outcome.failure.message
    elif outcome.result and not outcome.result.ok:
        said = outcome.result.text or "the CLI reported an error"
    elif outcome.exit_code is not None and outcome.exit_code < 0:
        said = f"the CLI was killed by signal {-outcome.exit_code}"
    else:
        code = "unknown" if outcome.exit_code is None else outcome.exit_code
        said = f"the CLI ended with exit code {code} and wrote no signal"
    hopeless = outcome.failure is not None and outcome.failure.trouble is Trouble.MODEL
    if hopeless or state.failures + 1 >= TRIES:
        return Decision(Kind.FAILED, state.phase, said)
    return Decision(Kind.RETRY, state.phase, said)


def _second_chance(state: State, kind: str, reason: str) -> Decision:
    """One more iteration that is told the exact reason; a second in a row is for a human."""
    if state.repairs:
        return Decision(Kind.BLOCKED, state.phase, f"twice in a row: {reason}", needs="error_resolution")
    return Decision(Kind.REPAIR, state.phase, reason, notes=(Note(kind, reason),))


def _limit_sentence(outcome: Outcome) -> str:
    spent = format_seconds(outcome.seconds)
    sentences = {
        EndedBy.TIME: f"the child was ended at its time limit after {spent}: do a smaller action and signal sooner",
        EndedBy.SILENCE: f"the child was ended after {spent}: it wrote nothing and did nothing for the silence limit",
        EndedBy.FIRST_BYTE: f"the child was ended after {spent}: it never started to answer",
    }
    return sentences[outcome.ended_by]


def ceiling(state: State, session: Ceilings, phases: Mapping[str, Ceilings]) -> Decision | None:
    """Whether a ceiling is reached, before paying for another child."""
    for name, share in ceilings.shares(state, session, phases).items():
        if share >= 1:
            reason = (
                f"the ceiling of {name} is reached; `samoloop resume` grants as much again, `samoloop stop` ends it"
            )
            return Decision(Kind.WAIT, state.phase, reason)
    return None
