"""Gates: the worker opens one, only a human closes it.

A gate is a file in the session folder. Every way of answering (an editor, a command, the phone) is the same change of
that file; what closes a gate is decided here, by its content alone. What is different from kind to kind stands in the
module that is named after the kind.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from samoloop.base.errors import SamoloopError, SessionError
from samoloop.base.files import sha256, write_atomic
from samoloop.core.gates.behaviour import behaviour, digest
from samoloop.core.gates.folder import (
    INBOX,
    LIMIT_BYTES,
    WAKE,
    as_told,
    changing,
    file_hash,
    lay_wake,
    read_text,
    remove_leftovers,
    tell,
    wake,
)
from samoloop.core.gates.gate import Act, Closing, Effect, Gate, Given, StillOpen, Verdict, Void
from samoloop.core.gates.qa_answers import read_questions, suggested, waiting_questions
from samoloop.core.signals import BadSignal, GateKind, Signal, Status, lacks, needs

__all__ = [
    "INBOX",
    "LIMIT_BYTES",
    "WAKE",
    "Act",
    "Closing",
    "Effect",
    "Gate",
    "StillOpen",
    "Verdict",
    "Void",
    "as_told",
    "behaviour",
    "changing",
    "file_hash",
    "lay_wake",
    "read_questions",
    "read_text",
    "remove_leftovers",
    "suggested",
    "tell",
    "waiting_questions",
    "wake",
]

FILES = tuple(name for kind in GateKind if (name := behaviour(kind).FILE))  # in which people answer, in every session


# --- what a child's request for a gate must look like -------------------------------------------------------------


def completed(signal: Signal, session_dir: Path, since: float) -> Signal | BadSignal:
    """The signal with the file that it can only mean, where it names none; bad where more than one could be meant."""
    kind = signal.wait_for
    if signal.status is not Status.WAITING or kind is None or not lacks(signal):
        return signal
    name = behaviour(kind).meant(session_dir, since)
    return BadSignal(needs(kind)) if name is None else Signal.from_json({**signal.raw, kind.field: name})


def check_request(signal: Signal, session_dir: Path, worktree: Path, given: Given) -> Signal | BadSignal:
    """The signal itself, or what is wrong with the files that it refers to."""
    if signal.status is not Status.WAITING or signal.wait_for is None:
        return signal
    kind = behaviour(signal.wait_for)
    if signal.wait_for.field == "file" and kind.named(signal.file, session_dir, worktree) is None:
        return BadSignal(
            f'"file" is "{(signal.file or "")[:80]}": it must be the name of a regular file in the session folder'
        )
    problem = kind.problem(signal, session_dir, worktree, given)
    return BadSignal(problem) if problem else signal


# --- opening --------------------------------------------------------------------------------------------------------


def prepare(
    id: str, signal: Signal, phase: str, iteration: int, session_dir: Path, worktree: Path, given: Given
) -> tuple[Gate, str | None]:
    """The gate that a checked signal asks for, and the text that its file is to hold (None: it stays as it is)."""
    assert signal.wait_for is not None
    kind = behaviour(signal.wait_for)
    named = signal.file if signal.wait_for.field == "file" else None
    path = kind.named(named, session_dir, worktree)
    sha = kind.hash_named(path) if path else None
    gate = Gate(id, signal.wait_for, phase, iteration, named, sha, reason=signal.reason)
    return _with_text(gate, session_dir, given)


def reopen(id: str, gate: Gate, session_dir: Path, given: Given) -> tuple[Gate, str | None]:
    """The same question to the human again, for the plan as it is now."""
    sha = behaviour(gate.kind).hash_named(session_dir / (gate.file or ""))
    return _with_text(replace(gate, id=id, sha256=sha), session_dir, given)


def _with_text(gate: Gate, session_dir: Path, given: Given) -> tuple[Gate, str | None]:
    kind = behaviour(gate.kind)
    before = read_text(session_dir / kind.FILE) if kind.FILE else None
    text = kind.text(gate, before or "", given)
    if text is None:
        return replace(gate, shown=False), None
    opening = replace(
        gate,
        questions=kind.question_ids(text),
        child_text=sha256(before) if before is not None else None,
        open_text=sha256(text),
        before={key: digest(words) for key, words in kind.answers_in(before or "").items()},
        shown=False,
    )
    return opening, text


def put(gate: Gate, text: str | None, session_dir: Path) -> Gate:
    """Put the gate's file in place, unless a person has been there since the gate was journaled. The gate as shown."""
    if text is not None:
        path = session_dir / gate_file(gate)
        with changing(session_dir):
            if path.is_symlink() or file_hash(path) in (None, gate.child_text):
                write_atomic(path, text)
    return replace(gate, shown=True)


def finish_opening(gate: Gate, session_dir: Path, given: Given) -> Gate:
    """After a crash between journal and rename: take away what the child wrote. The gate as shown.

    A person may have been there in an editor meanwhile. What they wrote stays; an answer that stood there before the
    gate opened does not.
    """
    kind = behaviour(gate.kind)
    path = session_dir / gate_file(gate)
    if gate.shown or gate.open_text is None:
        return replace(gate, shown=True)
    with changing(session_dir):
        present = read_text(path)
        found = None if present is None else sha256(present)
        if found == gate.child_text:
            write_atomic(path, _with_text(gate, session_dir, given)[1] or "")
        elif present and found != gate.open_text:
            said = kind.answers_in(present)
            forged = frozenset(key for key, words in said.items() if gate.before.get(key) == digest(words))
            write_atomic(path, kind.without(gate, present, forged))
    return replace(gate, shown=True)


# --- closing --------------------------------------------------------------------------------------------------------


def gate_file(gate: Gate) -> str:
    """The name of the file in which a person answers."""
    return behaviour(gate.kind).FILE or gate.file or ""


def answer_in(gate: Gate, session_dir: Path, worktree: Path) -> Path:
    """The file in which a person answers; one that the child named may lie in the worktree."""
    kind = behaviour(gate.kind)
    return (
        session_dir / kind.FILE
        if kind.FILE
        else kind.named(gate.file, session_dir, worktree) or worktree / (gate.file or "")
    )


def to_read(gate: Gate, session_dir: Path) -> list[Path]:
    """The documents that a person has to read before answering."""
    return [session_dir / gate.file] if gate.file and takes(gate, Verdict.APPROVE) else []


def watched(gate: Gate, session_dir: Path, worktree: Path) -> list[Path]:
    """The files whose change may close the gate or make it void."""
    named = behaviour(gate.kind).named(gate.file, session_dir, worktree)
    return list({answer_in(gate, session_dir, worktree), *([named] if named else [])})


def takes(gate: Gate | None, *verdicts: Verdict) -> bool:
    """Whether a person can close the gate so, by a command or the phone."""
    return gate is not None and any(verdict in behaviour(gate.kind).VERDICTS for verdict in verdicts)


def examine(gate: Gate, session_dir: Path, worktree: Path) -> Closing | StillOpen | Void:
    """What the gate's file says now. Nothing counts before the worker has put the file in place."""
    if not gate.shown:
        return StillOpen(left=gate.questions)
    return behaviour(gate.kind).examine(gate, session_dir, worktree)


def effect(gate: Gate, closing: Closing) -> Effect:
    """What the closing of a gate means for its session."""
    return behaviour(gate.kind).effect(gate, closing)


def say_yes(gate: Gate, session_dir: Path) -> None:
    """`--yes`: take the suggestions, approve the plan. What has no suggestion still waits for a human."""
    consent = behaviour(gate.kind).consent(gate, session_dir)
    if consent:
        with suppress(SamoloopError):  # no plan, or one that a person has decided half: for a person to look at
            act(session_dir, gate, consent)


# --- the acts of a human by command or phone ------------------------------------------------------------------------


def act(session_dir: Path, gate: Gate | None, what: Act) -> tuple[str, ...]:
    """Let a person's act change the gate's file; returns the questions that still wait.

    Raises SessionError where the gate cannot be closed so, is not in place yet, or was decided already, UsageError for
    words that cannot be an answer.
    """
    if gate is None or not takes(gate, what.verdict):
        waits = f"it waits for {gate.kind}" if gate else "no gate is open"
        raise SessionError(f"nothing waits to be closed as {what.verdict}: {waits}")
    if not gate.shown:
        raise SessionError(f"the gate {gate.id} is being opened: say it again in a moment")
    kind = behaviour(gate.kind)
    path = session_dir / kind.FILE
    with changing(session_dir):
        text = kind.written(gate, read_text(path) or "", what, session_dir)
        write_atomic(path, text)
    return tuple(id for id in kind.question_ids(text) if id in gate.questions)


def answer(session_dir: Path, gate: Gate | None, answers: Mapping[str, str], by: str) -> tuple[str, ...]:
    """Answer questions of the open gate; returns the ids that still wait. Raises as `act`."""
    return act(session_dir, gate, Act(Verdict.ANSWERED, by, answers=answers))


def decide_plan(
    session_dir: Path, gate: Gate | None, verdict: Verdict, by: str, *, comment: str = "", shown: str | None = None
) -> None:
    """Approve, send back or reject the plan. `shown` is the hash of the text that the person saw. Raises as `act`."""
    act(session_dir, gate, Act(verdict, by, comment, shown=shown))


def confirm_action(session_dir: Path, gate: Gate | None, by: str, words: str = "yes") -> None:
    """Say that what the child asked for is done. Raises as `act`."""
    act(session_dir, gate, Act(Verdict.DONE, by, words))
