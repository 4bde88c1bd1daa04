"""Gates: the worker opens one, only a human closes it.

A gate is a file in the session folder. Every way of answering (an editor, a command, the phone) is the same change of
that file; what closes a gate is decided here, by its content alone.
"""

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from samoloop.base import files
from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import read_plain, sha256, write_atomic
from samoloop.core import questions
from samoloop.core.signals import BadSignal, GateKind, Signal, Status

APPROVAL, ACTION, INBOX, WAKE = "_approval.md", "_action.md", "_inbox.md", "_wake"
LIMIT_BYTES = 4 * 1024 * 1024
_NAMES_A_FILE = (GateKind.PLAN_APPROVAL, GateKind.FILE_UPDATE)
_FIELD = re.compile(r"\s*[*_]*(Plan|SHA-256|Shown|Decision|Done|By|Comments)[*_]*:[*_]{0,2}\s?(.*)$", re.IGNORECASE)
_REFUSAL = re.compile(r"(no|not|never|false)\b", re.IGNORECASE)


class Verdict(StrEnum):
    """How a human closed a gate."""

    ANSWERED = "answered"
    APPROVE = "approve"
    CHANGES = "changes"
    REJECT = "reject"
    DONE = "done"
    UPDATED = "updated"


@dataclass(frozen=True)
class Gate:
    """An open gate, as the journal keeps it."""

    id: str  # unique in the session
    kind: GateKind
    phase: str
    iteration: int
    file: str | None = None  # the plan, or the file to be updated
    sha256: str | None = None  # of that file when the gate opened
    questions: tuple[str, ...] = ()  # the ids that wait
    reason: str | None = None  # what the person is asked to do
    child_text: str | None = None  # hash of the gate file as the child left it
    open_text: str | None = None  # hash of the gate file as the worker put it

    @property
    def gate_file(self) -> str:
        """The file in which a person answers."""
        if self.kind is GateKind.FILE_UPDATE:
            return self.file or ""
        names = {
            GateKind.QA_ANSWERS: questions.FILE_NAME,
            GateKind.PLAN_APPROVAL: APPROVAL,
            GateKind.HUMAN_ACTION: ACTION,
        }
        return names[self.kind]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Gate":
        return cls(**{**value, "kind": GateKind(value["kind"]), "questions": tuple(value.get("questions") or ())})


@dataclass(frozen=True)
class Closing:
    """What a human decided."""

    verdict: Verdict
    by: str
    comment: str = ""
    sha256: str | None = None  # the text that an approval binds
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # id -> title, answer


@dataclass(frozen=True)
class StillOpen:
    """The gate stays open; `why` is a sentence where something was there but did not count."""

    why: str = ""


@dataclass(frozen=True)
class Void:
    """The plan is no longer the text that was approved: the gate must open again."""

    why: str


# --- what a child's request for a gate must look like -------------------------------------------------------------


def check_request(
    signal: Signal, session_dir: Path, worktree: Path, given: Mapping[str, Mapping[str, str]]
) -> Signal | BadSignal:
    """The signal itself, or what is wrong with the files that it refers to."""
    if signal.status is not Status.WAITING:
        return signal
    if signal.wait_for is GateKind.QA_ANSWERS:
        text = read_text(session_dir / questions.FILE_NAME)
        if text is None:
            return BadSignal(f"it waits for answers, but {questions.FILE_NAME} is missing or cannot be read")
        if not questions.waiting(questions.opened(text, given)):
            return BadSignal(
                f"it waits for answers, but no question in {questions.FILE_NAME} waits "
                '(the shape is "### Q1: …" with an "**Answer:**" line)'
            )
    if signal.wait_for in _NAMES_A_FILE:
        path = requested_file(signal, session_dir, worktree)
        if path is None:
            return BadSignal(
                f'"file" is "{(signal.file or "")[:80]}": it must be the name of a regular file in the session folder'
            )
        if signal.wait_for is GateKind.PLAN_APPROVAL and not (read_text(path) or "").strip():
            return BadSignal(f'the plan "{signal.file}" is empty or cannot be read')
        if signal.wait_for is GateKind.FILE_UPDATE and _bytes_hash(path) is None:
            return BadSignal(f'the file "{signal.file}" cannot be read')
    return signal


def requested_file(signal: Signal, session_dir: Path, worktree: Path) -> Path | None:
    """The file that a waiting signal names; None where the name is not allowed or leads to no regular file.

    What the worker writes itself is never allowed: it would close the gate without a person.
    """
    name = signal.file or ""
    if not name.isprintable() or "\\" in name or name.startswith("/") or ".." in Path(name).parts:
        return None
    if "/" not in name and not name.startswith("_") and _is_plain_file(session_dir / name):
        return session_dir / name
    if signal.wait_for is not GateKind.FILE_UPDATE or ".git" in Path(name.lower()).parts:
        return None
    path = worktree / name
    if not _is_plain_file(path) or not path.resolve().is_relative_to(worktree.resolve()):
        return None
    # In place, the sessions lie inside the working folder.
    return None if path.resolve().is_relative_to(session_dir.parent.resolve()) else path


def _is_plain_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except (OSError, ValueError):  # a name that no file can have
        return False


def read_text(path: Path) -> str | None:
    """A person's or a child's file as text; None where it is missing, a link, or too large to be one."""
    try:
        data = read_plain(path, LIMIT_BYTES)
    except ValueError:
        return None
    if data is None or len(data) > LIMIT_BYTES:
        return None
    return data.decode("utf-8-sig", "replace")


def file_hash(path: Path) -> str | None:
    """SHA-256 of a gate's file as text; None where it cannot be read."""
    text = read_text(path)
    return None if text is None else sha256(text)


def _bytes_hash(path: Path) -> str | None:
    """SHA-256 of a file of any size and kind; None where it cannot be read, or is empty as a half-saved one is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not found.st_size:
            return None
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- opening --------------------------------------------------------------------------------------------------------


def prepare(
    id: str,
    signal: Signal,
    phase: str,
    iteration: int,
    session_dir: Path,
    worktree: Path,
    given: Mapping[str, Mapping[str, str]],
) -> tuple[Gate, str | None]:
    """The gate that a checked signal asks for, and the text that its file is to hold (None: it stays as it is)."""
    assert signal.wait_for is not None
    named = signal.file if signal.wait_for in _NAMES_A_FILE else None
    path = requested_file(signal, session_dir, worktree) if named else None
    hash_of = file_hash if signal.wait_for is GateKind.PLAN_APPROVAL else _bytes_hash
    gate = Gate(
        id=id,
        kind=signal.wait_for,
        phase=phase,
        iteration=iteration,
        file=named,
        sha256=hash_of(path) if path else None,
        reason=signal.reason,
    )
    return _with_text(gate, session_dir, given)


def reopen(id: str, gate: Gate, session_dir: Path, given: Mapping[str, Mapping[str, str]]) -> tuple[Gate, str | None]:
    """The same question to the human again, for the plan as it is now."""
    fresh = replace(gate, id=id, sha256=file_hash(session_dir / (gate.file or "")))
    return _with_text(fresh, session_dir, given)


def _with_text(gate: Gate, session_dir: Path, given: Mapping[str, Mapping[str, str]]) -> tuple[Gate, str | None]:
    if gate.kind is GateKind.FILE_UPDATE:
        return gate, None
    before = read_text(session_dir / gate.gate_file)
    waiting: tuple[str, ...] = ()
    if gate.kind is GateKind.QA_ANSWERS:
        text = questions.opened(before or "", given)
        waiting = tuple(question.id for question in questions.waiting(text))
    elif gate.kind is GateKind.PLAN_APPROVAL:
        text = approval_text(gate)
    else:
        text = action_text(gate)
    child_text = sha256(before) if before is not None else None
    return replace(gate, questions=waiting, child_text=child_text, open_text=sha256(text)), text


def put(gate: Gate, text: str | None, session_dir: Path) -> None:
    """Put the gate's file in place, unless a person has been there since the gate was journaled."""
    path = session_dir / gate.gate_file
    if text is None:
        return
    with changing(session_dir):
        if path.is_symlink() or file_hash(path) in (None, gate.child_text):
            write_atomic(path, text)


def restore_text(gate: Gate, session_dir: Path, given: Mapping[str, Mapping[str, str]]) -> None:
    """After a crash between journal and rename: blank what the child wrote, if it is still the child's text."""
    path = session_dir / gate.gate_file
    if (
        gate.kind is not GateKind.FILE_UPDATE
        and gate.child_text != gate.open_text
        and file_hash(path) == gate.child_text
    ):
        _, text = _with_text(gate, session_dir, given)
        put(gate, text, session_dir)


def approval_text(gate: Gate, decision: str = questions.WAITING, comment: str = "", **fields: str) -> str:
    """`_approval.md`. The gate's id makes it another text each time, so that a person's file is never taken for the
    child's. What an approval is bound to stands before the decision: a file that was cut off binds nothing less."""
    bound = "".join(f"{key.capitalize()}: {' '.join(value.split())}\n" for key, value in fields.items() if value)
    return (
        "# Plan approval\n"
        f"Plan: {gate.file}\n"
        f"SHA-256: {gate.sha256}\n"
        f"{bound}"
        f"Decision: {decision}          <!-- {gate.id}: approve, changes or reject -->\n"
        f"Comments: {comment}".rstrip()
        + "\n"
    )


def action_text(gate: Gate, done: str = questions.WAITING, by: str = "") -> str:
    """`_action.md`. The child's words are quoted, so that no line of them is a field."""
    asked = "\n".join(f"> {line}".rstrip() for line in re.split(r"\r\n|\r|\n", (gate.reason or "").strip()))
    bound = f"By: {' '.join(by.split())}\n" if by else ""
    hint = f"<!-- {gate.id}: yes, and a word on how, once it is done -->"
    return f"# Please do this\n\n{asked}\n\n{bound}Done: {' '.join(done.split())}          {hint}\n"


# --- closing --------------------------------------------------------------------------------------------------------


def examine(gate: Gate, session_dir: Path, worktree: Path) -> Closing | StillOpen | Void:
    """What the gate's file says now. Empty, missing and half-saved files close nothing."""
    if gate.kind is GateKind.FILE_UPDATE:
        return _examine_update(gate, session_dir, worktree)
    text = read_text(session_dir / gate.gate_file)
    if text is None or not text.strip():
        return StillOpen(f"{gate.gate_file} is missing or empty; `samoloop resume` with the file put back goes on")
    if gate.kind is GateKind.QA_ANSWERS:
        return _examine_answers(gate, text)
    if gate.kind is GateKind.PLAN_APPROVAL:
        return _examine_approval(gate, text, session_dir)
    return _examine_action(text)


def _examine_answers(gate: Gate, text: str) -> Closing | StillOpen:
    found = {question.id: question for question in questions.parse(text)}
    missing = [id for id in gate.questions if id not in found]
    if missing:
        return StillOpen(
            f"{', '.join(missing)} is no longer in {questions.FILE_NAME}: put the question back and answer it"
        )
    open_ids = [id for id in gate.questions if not found[id].answer]
    if open_ids:
        return StillOpen(f"still to answer: {', '.join(open_ids)}")
    answered = [found[id] for id in gate.questions]
    by = ", ".join(sorted({question.by or "editor" for question in answered}))
    return Closing(Verdict.ANSWERED, by, answers={q.id: {"title": q.title, "answer": q.answer} for q in answered})


def _examine_approval(gate: Gate, text: str, session_dir: Path) -> Closing | StillOpen | Void:
    fields = _fields(text)
    decision = fields.get("decision", "")
    if not decision:
        return _nothing_said(APPROVAL, text)
    word = decision.strip(" .!*_`").lower()
    comment = fields.get("comments", "")
    by = fields.get("by", "") or "editor"
    if word == Verdict.CHANGES:
        if not comment:
            return StillOpen("`changes` needs a comment: say under Comments what should change")
        return Closing(Verdict.CHANGES, by, comment, gate.sha256)
    if word == Verdict.REJECT:
        return Closing(Verdict.REJECT, by, comment, gate.sha256)
    if word != Verdict.APPROVE:
        return StillOpen(f"Decision is {decision[:60]!r}: write approve, changes or reject")
    present = file_hash(session_dir / (gate.file or ""))
    if present is None:
        return StillOpen(f"the plan {gate.file} is missing: put it back, or write changes")
    shown = fields.get("shown")
    if shown and shown != present:
        return Void(
            f"{gate.file} has changed since it was approved ({shown[:8]}… is now {present[:8]}…): please look again"
        )
    return Closing(Verdict.APPROVE, by, comment, present)


def _examine_action(text: str) -> Closing | StillOpen:
    fields = _fields(text)
    done = fields.get("done", "")
    if not done:
        return _nothing_said(ACTION, text)
    if _REFUSAL.match(done):
        return StillOpen(f"Done is {done[:60]!r}: write yes once it is done")
    return Closing(Verdict.DONE, fields.get("by", "") or "editor", done)


def _nothing_said(name: str, text: str) -> StillOpen:
    return StillOpen("" if text.endswith("\n") else f"{name} ends in the middle of a line: end its last line")


def _examine_update(gate: Gate, session_dir: Path, worktree: Path) -> Closing | StillOpen:
    signal = Signal(Status.WAITING, wait_for=GateKind.FILE_UPDATE, file=gate.file)
    path = requested_file(signal, session_dir, worktree)
    present = _bytes_hash(path) if path else None
    if present is None or present == gate.sha256:
        return StillOpen()
    return Closing(Verdict.UPDATED, "editor", sha256=present)


def _fields(text: str) -> dict[str, str]:
    """`Key: value` lines up to Comments, whose value is the rest of the file. The first line of a key counts.

    A line without its end may be half a line; only a comment is good so.
    """
    fields: dict[str, str] = {}
    lines = re.split(r"\r\n|\r|\n", text)
    for index, line in enumerate(lines):
        match = _FIELD.match(line)
        if not match:
            continue
        key = match[1].lower()
        if key == "comments":
            fields[key] = questions.words("\n".join([match[2], *lines[index + 1 :]]))
            break
        if index + 1 < len(lines):
            fields.setdefault(key, questions.words(match[2]))
    return fields


# --- the acts of a human by command or phone ------------------------------------------------------------------------


def refuse_inside_child(environ: Mapping[str, str]) -> None:
    """Gate commands are for humans. Raises UsageError in a process that a worker started."""
    if "SAMOLOOP_MARKER" in environ:
        raise UsageError("this is a child's environment: a child asks, only a human answers or approves")


@contextmanager
def changing(session_dir: Path) -> Iterator[None]:
    """One change of a human's file at a time; afterwards the worker is woken."""
    path = session_dir / WAKE
    if path.is_symlink() or path.is_dir():
        files.remove(path)  # a child's work: it would lead elsewhere, or nowhere
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def wake(session_dir: Path) -> None:
    """Tell the worker to look now."""
    with changing(session_dir):
        pass


def remove_leftovers(session_dir: Path) -> None:
    """Remove half-written files of a killed worker or command; only for the holder of the session's lock."""
    with changing(session_dir):
        files.remove_leftovers(session_dir, lambda name: name.startswith("_") and name.endswith(".md"))


def read_questions(session_dir: Path) -> list[questions.Question]:
    """The questions of a session; empty where it has none."""
    return questions.parse(read_text(session_dir / questions.FILE_NAME) or "")


def answer(session_dir: Path, gate: Gate | None, answers: Mapping[str, str], by: str) -> list[str]:
    """Answer questions of the open gate; returns the ids that still wait.

    Raises SessionError where no question waits, UsageError for an unknown question, an option that does not exist, or
    a question that has an answer already.
    """
    gate = _expect(gate, GateKind.QA_ANSWERS)
    with changing(session_dir):
        path = session_dir / questions.FILE_NAME
        text = read_text(path) or ""
        found = {question.id: question for question in questions.parse(text)}
        for id, words in answers.items():
            _check_answer(gate, found, id, words)
        text = questions.with_answers(text, {id: _writable(words) for id, words in answers.items()}, _writable(by))
        write_atomic(path, text)
    return [question.id for question in questions.waiting(text) if question.id in gate.questions]


def _check_answer(gate: Gate, found: Mapping[str, questions.Question], id: str, words: str) -> None:
    if id not in gate.questions or id not in found:
        raise UsageError(f"no question {id} waits; waiting: {', '.join(gate.questions)}")
    question = found[id]
    if question.answer:
        raise UsageError(f"{id} has its answer already: {question.answer[:60]!r} (by {question.by or 'editor'})")
    if not questions.words(words):
        raise UsageError(f"the answer to {id} says nothing ({words!r}); give a letter or words")
    if not _is_option(question, words):
        letters = ", ".join(letter for letter, _ in question.options)
        raise UsageError(f"{id} has the options {letters}, got {words.strip()!r}; words are welcome too")


def _is_option(question: questions.Question, words: str) -> bool:
    """False for a single letter that is none of the options."""
    letters = [letter for letter, _ in question.options]
    return not letters or not re.fullmatch("[A-Za-z]", words.strip()) or words.strip().upper() in letters


def _writable(text: str) -> str:
    """Words of a person without what no UTF-8 file can hold, such as bytes of another encoding in an argument."""
    return text.encode("utf-8", "replace").decode()


def suggested(session_dir: Path, gate: Gate) -> dict[str, str]:
    """The suggested answers of the questions that wait; a question without a usable suggestion is left out."""
    waiting = [q for q in read_questions(session_dir) if q.id in gate.questions and not q.answer]
    found = {q.id: q.suggested_answer for q in waiting if _is_option(q, q.suggestion)}
    return {id: words for id, words in found.items() if questions.words(words)}


def decide_plan(
    session_dir: Path, gate: Gate | None, verdict: Verdict, by: str, *, comment: str = "", shown: str | None = None
) -> None:
    """Approve, send back or reject the plan of the open gate. `shown` is the hash of the text that the person saw.

    Raises SessionError where no plan waits, it was decided already, or the plan is not the text that was shown.
    """
    gate = _expect(gate, GateKind.PLAN_APPROVAL)
    said = questions.harmless(_writable(comment)) if questions.words(comment) else ""
    if verdict is Verdict.CHANGES and not said:
        raise UsageError('say what should change: samoloop changes SESSION -m "..."')
    with changing(session_dir):
        decided = _examine_approval(gate, read_text(session_dir / APPROVAL) or "", session_dir)
        if isinstance(decided, Closing):
            raise SessionError(f"the plan was decided already: {decided.verdict} (by {decided.by})")
        present = file_hash(session_dir / (gate.file or ""))
        if verdict is Verdict.APPROVE and present is None:
            raise SessionError(f"the plan {gate.file} is missing in {session_dir}: put it back, or ask for changes")
        if verdict is Verdict.APPROVE and shown is not None and shown != present:
            raise SessionError(
                f"the plan has changed: you saw {shown[:8]}…, it is now {(present or '')[:8]}…; look again"
            )
        text = approval_text(gate, verdict, said, shown=shown or present or "", by=_writable(by))
        write_atomic(session_dir / APPROVAL, text)


def confirm_action(session_dir: Path, gate: Gate | None, by: str, words: str = "yes") -> None:
    """Say that what the child asked for is done. Raises SessionError where nothing was asked, or it is done already."""
    gate = _expect(gate, GateKind.HUMAN_ACTION)
    if _REFUSAL.match(words.strip()):
        raise UsageError(f"{words.strip()[:60]!r} says that it is not done: say it once it is")
    said = questions.harmless(" ".join(_writable(words).split())) if questions.words(words) else "yes"
    with changing(session_dir):
        done = _examine_action(read_text(session_dir / ACTION) or "")
        if isinstance(done, Closing):
            raise SessionError(f"it is done already: {done.comment[:60]} (by {done.by})")
        write_atomic(session_dir / ACTION, action_text(gate, said, _writable(by)))


def tell(session_dir: Path, text: str, by: str) -> None:
    """Guidance for the next iteration, added to what is there already."""
    if not text.strip():
        raise UsageError("there is nothing to tell: the text is empty")
    with changing(session_dir):
        path = session_dir / INBOX
        before = read_text(path)
        if before is None and path.is_file() and not path.is_symlink():
            raise SessionError(f"{path} cannot be read or is too large: move it away, then say it again")
        said = f"From {' '.join(_writable(by).split())}:\n{_writable(text).strip()}\n\n"
        write_atomic(path, (before or "") + said)


def _expect(gate: Gate | None, kind: GateKind) -> Gate:
    if gate is None or gate.kind is not kind:
        waits = f"it waits for {gate.kind}" if gate else "no gate is open"
        raise SessionError(f"the session does not wait for {kind}: {waits}")
    return gate
