"""The gates of a running session: open them durably, look at them, close them by what a human wrote."""

from dataclasses import replace

from samoloop.core import gates, opening, words
from samoloop.core.gates import Closing, Gate, StillOpen, Void
from samoloop.core.gates.questions import Question
from samoloop.core.records import GateClosed, GateOpened, GateShown, GateVoid, Interrupted
from samoloop.core.rules import Decision, Kind
from samoloop.core.signals import BadSignal, Signal
from samoloop.worker.keeping import keep_present
from samoloop.worker.outbox import Announcement, Asked
from samoloop.worker.worker import Worker


def open_gate(worker: Worker, signal: Signal) -> None:
    """Open the gate that a signal asked for: journal first, then the file, then a checkpoint, then tell.

    Where what it asked about is gone meanwhile, nobody could close it: the iteration runs again, told so.
    """
    session, state = worker.session, worker.state
    checked = gates.check_request(signal, session.dir, session.worktree, state.given)
    if isinstance(checked, BadSignal):
        note = f"The gate that iteration {state.iteration} asked for could not be opened: {checked.reason}."
        worker.view.say(note)
        session.record(
            Interrupted(
                iteration=state.iteration, attempt=state.attempt, phase=state.phase, note=note, why=checked.reason
            )
        )
        return
    id = f"g{state.gates_opened + 1}"
    gate, text = gates.prepare(id, signal, state.phase, state.iteration, session.dir, session.worktree, state.given)
    _put(worker, gate, text)


def reopen_gate(worker: Worker, old: Gate, why: str) -> None:
    """The plan is not what was approved: ask again."""
    session, state = worker.session, worker.state
    session.record(GateVoid(gate=old.id, why=why))
    worker.view.say(why)
    gate, text = gates.reopen(f"g{state.gates_opened + 1}", old, session.dir, state.given)
    _put(worker, gate, text)


def _put(worker: Worker, gate: Gate, text: str | None) -> None:
    session = worker.session
    session.record(GateOpened(gate=gate, reason=words.asked(gate)))
    gates.put(gate, text, session.dir)
    session.record(GateShown(gate=gate.id))
    worker.restore_overview()
    keep_present(worker, f"{gate.iteration:03d} {gate.phase}: gate {gate.id} opened")
    _ask(worker)


def finish_opening(worker: Worker) -> None:
    """What a worker that died while it opened the gate may not have come to. All of it may be done again."""
    opening.finish(worker.session)
    _ask(worker)


def _ask(worker: Worker) -> None:
    """Tell people of the open gate, unless `--yes` closes it."""
    session, gate = worker.session, worker.state.gate
    assert gate is not None
    if worker.yes:
        gates.say_yes(gate, session.dir)
    if not worker.yes or isinstance(gates.examine(gate, session.dir, session.worktree), StillOpen):
        worker.announce(announcement(worker, gate))


def look(worker: Worker) -> Decision | None:
    """Close the open gate if a human has decided; else the decision to wait, with what is missing."""
    gate = worker.state.gate
    assert gate is not None
    if worker.yes:
        gates.say_yes(gate, worker.session.dir)
    found = gates.examine(gate, worker.session.dir, worker.session.worktree)
    if isinstance(found, Void):
        reopen_gate(worker, gate, found.why)
        return look(worker) if worker.yes else wait_decision(worker, found.why)
    if isinstance(found, StillOpen):
        return wait_decision(worker, found.why)
    close_gate(worker, gate, found)
    return None


def close_gate(worker: Worker, gate: Gate, closing: Closing) -> None:
    """Record what a human decided; the state moves on by that record alone."""
    worker.session.record(
        GateClosed(
            gate=gate.id,
            kind=gate.kind,
            verdict=closing.verdict,
            by=closing.by,
            comment=closing.comment,
            sha256=closing.sha256,
            answers=closing.answers,
            file=gate.file,
        )
    )
    worker.view.say(words.closed(gate, closing))


def wait_decision(worker: Worker, missing: str = "") -> Decision:
    gate = worker.state.gate
    assert gate is not None
    return Decision(Kind.WAIT, gate.phase, words.asked(gate) + (f" ({missing})" if missing else ""), gate=gate.kind)


def announcement(worker: Worker, gate: Gate) -> Announcement:
    """What a person hears when a gate opens."""
    state, session = worker.state, worker.session
    waiting = gates.waiting_questions(session.dir, gate)
    steps = words.steps(session.name, replace(gate, questions=tuple(question.id for question in waiting)))
    return Announcement(
        kind=words.GATES[gate.kind].news,
        session=session.name,
        title=session.task,
        phase=gate.phase,
        iteration=gate.iteration,
        text=gate.reason or words.asked(gate),
        gate=gate.id,
        file=gate.file or "",
        sha=gate.sha256 or "",
        questions=tuple(_asked(question) for question in waiting),
        branch=session.branch,
        cost_usd=state.totals.cost_usd if not state.totals.unpriced else None,
        virtual_usd=state.totals.virtual_usd,
        command=steps[0].command,
    )


def _asked(question: Question) -> Asked:
    return Asked(question.id, question.title, question.why, question.options, question.suggestion)
