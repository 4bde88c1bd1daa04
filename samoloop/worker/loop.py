"""The life of a worker: one iteration after the other until the session is done, or needs a human.

while True:
    decision = due(worker) or step(worker)
    if not await_turn(worker, decision):
        return rest(worker, decision)
"""

from contextlib import suppress

from samoloop.base.errors import UsageError
from samoloop.core import gates, overview, rules
from samoloop.core.gates import file_hash, read_text
from samoloop.core.next_steps import outlook
from samoloop.core.records import Halted, Moved, Rested
from samoloop.core.rules import Decision, Kind
from samoloop.core.state import AT_REST, Condition
from samoloop.git.worktree import WorktreeGone
from samoloop.worker import gatekeeper, outbox
from samoloop.worker.iteration import step
from samoloop.worker.keeping import keep_present
from samoloop.worker.news import tell_decision, tell_start, tell_turn
from samoloop.worker.prepare import prepare
from samoloop.worker.report import write_report
from samoloop.worker.waiting import watching
from samoloop.worker.worker import Worker

PATIENT_SECONDS = 10.0  # a delay that is waited for even under --no-wait


def run(worker: Worker) -> Decision:
    """Work on the session until nothing more can be done without a human; the caller holds its lock."""
    wake_up(worker)
    tell_start(worker)
    while True:
        decision = due(worker) or iterate(worker)
        if not await_turn(worker, decision):
            return rest(worker, decision)


def iterate(worker: Worker) -> Decision:
    """One iteration, and a word about it to the person."""
    decision = step(worker)
    tell_turn(worker, decision)
    tell_decision(worker, decision)
    return decision


def wake_up(worker: Worker) -> None:
    """Take up what is on disk: a session that was never prepared, a move by a human, a gate that was half opened."""
    gates.remove_leftovers(worker.session.dir)
    outbox.remove_leftovers(worker.session.dir)
    if worker.state.prepared is None:
        prepare(worker)
    elif not worker.state.open and not worker.state.rests:
        clear_locks(worker)
    take_move(worker)
    if worker.state.gate:
        gatekeeper.finish_opening(worker)


def clear_locks(worker: Worker) -> None:
    """Remove the index.lock of a git that was killed with its worker: no child and no person could commit there."""
    if worker.config.commit:
        with suppress(WorktreeGone):  # that is mended before the next child
            worker.worktree.remove_stale_locks()


def due(worker: Worker) -> Decision | None:
    """What stands between here and the next child; None when it can start."""
    state = worker.state
    if worker.stop.finish and not worker.stop.by_person:
        return Decision(Kind.STOPPED, state.phase, "ended by a signal")  # the machine goes down: `up` goes on later
    if worker.stop.finish:
        return halt(worker, Condition.STOPPED, "stopped by a person")
    if state.open:
        return None
    if state.wanted:
        gatekeeper.open_gate(worker, state.wanted)
    if state.gate:
        decision = gatekeeper.look(worker)
        if decision:
            return decision
    if state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.DONE):
        return Decision(Kind(state.condition), state.phase, state.reason, needs=state.needs, summary=state.summary)
    if state.condition is Condition.WAITING:
        return Decision(Kind.WAIT, state.phase, state.reason)
    held = worker.stations.hold(worker)
    if held:
        return held
    decision = rules.ceiling(state, worker.config.ceilings, worker.config.phase_ceilings())
    return halt(worker, Condition.WAITING, decision.reason) if decision else None


def await_turn(worker: Worker, decision: Decision) -> bool:
    """Wait for whatever the decision waits for. False: this worker's run is over."""
    if decision.goes_on or (decision.sleeps and worker.stations.hold(worker) is None):
        return True
    waits_for_gate = decision.kind is Kind.WAIT and (worker.state.gate or worker.state.wanted)
    if not (waits_for_gate or decision.sleeps):
        return False
    if worker.state.wanted:
        return True  # the gate is opened by the next look
    patient = decision.not_before is not None and decision.not_before - worker.clock.epoch() <= PATIENT_SECONDS
    if worker.no_wait and not patient:
        return False
    worker.view.waiting(decision)
    wait_for_news(worker, decision)
    worker.look_anew()
    return True


def wait_for_news(worker: Worker, decision: Decision) -> None:
    """Sleep until a human acted, the time has come, or the worker shall stop."""
    session, gate = worker.session, worker.state.gate
    files = gates.watched(gate, session.dir, session.worktree) if gate else []
    with watching(session.dir, files, worker.deliver) as watch:
        while gate is not None:
            found = gatekeeper.look(worker)
            if found is None or worker.state.gate is not gate:
                return
            if found.reason != decision.reason:
                worker.view.waiting(found)
                decision = found
            if not watch.wait(worker.clock, worker.stop):
                return
        watch.wait(worker.clock, worker.stop, decision.not_before)


def halt(worker: Worker, condition: Condition, reason: str) -> Decision:
    """Come to rest between two iterations; at a gate or in a limit the session stays where it is."""
    state = worker.state
    decision = Decision(Kind.WAIT if condition is Condition.WAITING else Kind.STOPPED, state.phase, reason)
    if state.condition is Condition.READY:
        worker.session.record(Halted(condition=condition, reason=reason))
        tell_decision(worker, decision)
    return decision


def rest(worker: Worker, decision: Decision) -> Decision:
    """Leave the folder so that people can read it, and remember the overview, whose phase they may change."""
    state = worker.state
    if state.condition in AT_REST:
        if not state.rests and decision.kind in (state.condition, Kind.WAIT):
            tell_decision(worker, decision)  # a worker may have died before it did; said twice, it is written once
        worker.restore_overview()
        write_report(worker)
        keep_present(worker, f"{worker.state.iteration:03d} {worker.state.phase}: at rest, {worker.state.condition}")
        worker.session.record(Rested(overview=file_hash(worker.session.dir / overview.FILE_NAME)))
    return decision


def pass_it(worker: Worker) -> str:
    """What to do instead of moving a session past a gate."""
    name, gate = worker.session.name, worker.state.gate
    if gate is None:
        return f"Put Phase: {worker.state.phase} back, then `samoloop resume {name}`: a child asks for it"
    how = outlook(worker.session, at_work=False)
    return f"It waits for {how.waits_for}: `{how.steps[0].command}`, then `samoloop resume {name}`"


def take_move(worker: Worker) -> None:
    """A human's edit of `Phase:` in a session at rest is a move; never past a gate that was not passed.

    Raises UsageError for a phase that does not exist or cannot be reached so.
    """
    state = worker.state
    path = worker.session.dir / overview.FILE_NAME
    if not state.overview_hash or file_hash(path) in (None, state.overview_hash):
        return
    target = overview.phase_line(read_text(path) or "")
    if target is None or target == state.phase:
        return
    workflow = state.live_workflow
    if target not in workflow.names or not workflow.phase(target).child:
        raise UsageError(
            f"{path.name} says Phase: {target}; there is no such phase to go to: {', '.join(workflow.names[1:])}"
        )
    asked_in = state.gate.phase if state.gate else state.phase  # an open gate may be that of a phase before
    here, there = workflow.names.index(asked_in), workflow.names.index(target)
    for phase in workflow.phases[here:there]:
        if phase.gate and not (phase.name == state.phase and phase.gate in state.passed):
            if target == workflow.after(phase.name) and outlook(worker.session, at_work=True).decided:
                return  # a person decided at the gate too: that moves the session, or not
            raise UsageError(
                f"{path.name} says Phase: {target}, but the gate of {phase.name} was not passed. {pass_it(worker)}"
            )
    worker.session.record(Moved(source=state.phase, target=target, by="editor"))
    worker.view.say(f"moved to {target} by a person's edit of {path.name}")
