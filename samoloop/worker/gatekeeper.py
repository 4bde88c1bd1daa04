"""The gates of a running session: open them durably, look at them, close them by what a human wrote."""

from contextlib import suppress

from samoloop.base.errors import SamoloopError
from samoloop.core import gates, questions
from samoloop.core.gates import Closing, Gate, StillOpen, Verdict, Void
from samoloop.core.questions import Question
from samoloop.core.records import GateClosed, GateOpened, GateVoid
from samoloop.core.rules import Decision, Kind
from samoloop.core.signals import GateKind, Signal
from samoloop.worker.keeping import keep_present
from samoloop.worker.outbox import Announcement, Asked
from samoloop.worker.outbox import Kind as Said
from samoloop.worker.worker import Worker


def open_gate(worker: Worker, signal: Signal) -> None:
    """Open the gate that a signal asked for: journal first, then the file, then a checkpoint, then tell."""
    session, state = worker.session, worker.state
    id = f"g{state.gates_opened + 1}"
    gate, text = gates.prepare(id, signal, state.phase, state.iteration, session.dir, session.worktree, state.given)
    _put(worker, gate, text)


def reopen_gate(worker: Worker, old: Gate, why: str) -> None:
    """The plan is not what was approved: ask again."""
    session, state = worker.session, worker.state
    session.record(GateVoid(gate=old.id, why=why))
    worker.view.say(why)
    gate, text = gates.reopen(f"g{state.gates_opened + 1}", old, session.dir, state.given)
    _put(worker, gate, text, replaces=True)


def _put(worker: Worker, gate: Gate, text: str | None, replaces: bool = False) -> None:
    worker.session.record(GateOpened(gate=gate, reason=describe(gate)))
    gates.put(gate, text, worker.session.dir)
    worker.restore_overview()
    keep_present(worker, f"{gate.iteration:03d} {gate.phase}: gate {gate.id} opened")
    worker.announce(announcement(worker, gate))


def finish_opening(worker: Worker, gate: Gate) -> None:
    """What a worker that died while it opened the gate may not have come to. All of it may be done again."""
    gates.restore_text(gate, worker.session.dir, worker.state.given)
    worker.announce(announcement(worker, gate))


def look(worker: Worker) -> Decision | None:
    """Close the open gate if a human has decided; else the decision to wait, with what is missing."""
    gate = worker.state.gate
    assert gate is not None
    if worker.yes:
        say_yes(worker, gate)
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
    worker.view.say(sentence(gate, closing))


def say_yes(worker: Worker, gate: Gate) -> None:
    """`--yes`: take the suggestions, approve the plan. What has no suggestion still waits for a human."""
    session_dir = worker.session.dir
    if gate.kind is GateKind.QA_ANSWERS:
        answers = gates.suggested(session_dir, gate)
        if answers:
            gates.answer(session_dir, gate, answers, by="--yes")
    elif gate.kind is GateKind.PLAN_APPROVAL and isinstance(gates.examine(gate, session_dir, session_dir), StillOpen):
        with suppress(SamoloopError):  # no plan, or one that a person has decided half: for a person to look at
            gates.decide_plan(session_dir, gate, Verdict.APPROVE, by="--yes")


def wait_decision(worker: Worker, missing: str = "") -> Decision:
    gate = worker.state.gate
    assert gate is not None
    return Decision(Kind.WAIT, gate.phase, describe(gate) + (f" ({missing})" if missing else ""), gate=gate.kind)


def describe(gate: Gate) -> str:
    """What the session waits for, in a sentence's half."""
    sentences = {
        GateKind.QA_ANSWERS: f"waits for answers to {', '.join(gate.questions)} in {questions.FILE_NAME}",
        GateKind.PLAN_APPROVAL: f"waits for approval of the plan {gate.file}",
        GateKind.FILE_UPDATE: f"waits for a change of {gate.file}" + (f": {gate.reason}" if gate.reason else ""),
        GateKind.HUMAN_ACTION: f"waits for a person to do this: {gate.reason}",
    }
    return sentences[gate.kind]


def sentence(gate: Gate, closing: Closing) -> str:
    """How the gate was closed, for the screen."""
    who = f"by {closing.by}"
    sentences = {
        Verdict.ANSWERED: f"{', '.join(gate.questions)} answered {who}",
        Verdict.APPROVE: f"plan {gate.file} approved {who}",
        Verdict.CHANGES: f"changes to {gate.file} asked for {who}",
        Verdict.REJECT: f"plan {gate.file} rejected {who}",
        Verdict.DONE: f"done {who}: {gate.reason}",
        Verdict.UPDATED: f"{gate.file} updated {who}; it stays out of commits and checkpoints",
    }
    return sentences[closing.verdict]


def announcement(worker: Worker, gate: Gate) -> Announcement:
    """What a person hears when a gate opens."""
    state, session = worker.state, worker.session
    kinds = {GateKind.QA_ANSWERS: Said.QUESTIONS, GateKind.PLAN_APPROVAL: Said.PLAN}
    waiting = [q for q in gates.read_questions(session.dir) if q.id in gate.questions and not q.answer]
    return Announcement(
        kind=kinds.get(gate.kind, Said.ACTION),
        session=session.name,
        title=session.task,
        phase=gate.phase,
        iteration=gate.iteration,
        text=gate.reason or describe(gate),
        gate=gate.id,
        file=gate.file or "",
        sha=gate.sha256 or "",
        questions=tuple(_asked(question) for question in waiting),
        branch=session.branch,
        cost_usd=state.totals.cost_usd if not state.totals.unpriced else None,
        command=command_line(session.name, gate),
    )


def command_line(name: str, gate: Gate) -> str:
    """What to type to close the gate."""
    commands = {
        GateKind.QA_ANSWERS: f"samoloop answer {name} " + " ".join(f"{id}=…" for id in gate.questions),
        GateKind.PLAN_APPROVAL: f"samoloop approve {name}",
        GateKind.FILE_UPDATE: f"edit {gate.file}",
        GateKind.HUMAN_ACTION: f"samoloop answer {name} done",
    }
    return commands[gate.kind]


def _asked(question: Question) -> Asked:
    return Asked(question.id, question.title, question.why, question.options, question.suggestion)
