"""The gate of a plan: the child writes it, a person approves exactly that text, in `_approval.md`."""

from contextlib import suppress
from pathlib import Path

from samoloop.base.errors import SessionError, UsageError
from samoloop.core.gates import questions
from samoloop.core.gates.behaviour import Behaviour, person
from samoloop.core.gates.fields import fields, nothing_said
from samoloop.core.gates.folder import LIMIT_BYTES, file_hash, named_file, read_text, writable
from samoloop.core.gates.gate import Act, Closing, Effect, Gate, Given, StillOpen, Verdict, Void
from samoloop.core.signals import Signal

APPROVAL = "_approval.md"


class Approval(Behaviour):
    FILE = APPROVAL
    VERDICTS = (Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT)

    def named(self, name: str | None, session_dir: Path, worktree: Path) -> Path | None:
        return named_file(name or "", session_dir, None)

    def meant(self, session_dir: Path, since: float) -> str | None:
        with suppress(OSError):
            plans = [path for path in session_dir.glob("*-plan-*.md") if path.lstat().st_mtime >= since]
            return plans[0].name if len(plans) == 1 else None
        return None

    def problem(self, signal: Signal, session_dir: Path, worktree: Path, given: Given) -> str:
        path = self.named(signal.file, session_dir, worktree)
        assert path is not None
        text = read_text(path)
        if text is None and path.stat().st_size > LIMIT_BYTES:
            return f'the plan "{signal.file}" is larger than {LIMIT_BYTES // 1024 // 1024} MB: no person can read that'
        return "" if (text or "").strip() else f'the plan "{signal.file}" is empty or cannot be read'

    def text(self, gate: Gate, before: str, given: Given) -> str:
        return approval_text(gate)

    def answers_in(self, text: str) -> dict[str, str]:
        found = fields(text)
        said = {"decision": _word(found.get("decision", "")), "comments": found.get("comments", "")}
        return {key: words for key, words in said.items() if words}

    def without(self, gate: Gate, text: str, forged: frozenset[str]) -> str:
        said = {key: words for key, words in self.answers_in(text).items() if key not in forged}
        return approval_text(
            gate, said.get("decision", questions.WAITING), questions.harmless(said.get("comments", ""))
        )

    def examine_text(self, gate: Gate, text: str, session_dir: Path) -> Closing | StillOpen | Void:
        found = fields(text)
        decision = found.get("decision", "")
        if not decision:
            return nothing_said(self.FILE, text)
        word, comment, by = _word(decision), found.get("comments", ""), found.get("by", "") or "editor"
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
        shown = found.get("shown")
        if shown and shown != present:
            return Void(
                f"{gate.file} has changed since it was approved ({shown[:8]}… is now {present[:8]}…): please look again"
            )
        return Closing(Verdict.APPROVE, by, comment, present)

    def written(self, gate: Gate, text: str, act: Act, session_dir: Path) -> str:
        said = questions.harmless(writable(act.words)) if questions.words(act.words) else ""
        if act.verdict is Verdict.CHANGES and not said:
            raise UsageError('say what should change: samoloop changes SESSION -m "..."')
        decided = self.examine_text(gate, text, session_dir)
        if isinstance(decided, Closing) and not act.takes_place_of(decided.by):
            raise SessionError(f"the plan was decided already: {decided.verdict} (by {decided.by})")
        present = file_hash(session_dir / (gate.file or ""))
        if act.verdict is Verdict.APPROVE and present is None:
            raise SessionError(f"the plan {gate.file} is missing in {session_dir}: put it back, or ask for changes")
        if act.verdict is Verdict.APPROVE and act.shown is not None and act.shown != present:
            raise SessionError(
                f"the plan has changed: you saw {act.shown[:8]}…, it is now {(present or '')[:8]}…; look again"
            )
        return approval_text(gate, act.verdict, said, shown=act.shown or present or "", by=writable(act.by))

    def consent(self, gate: Gate, session_dir: Path) -> Act | None:
        if not isinstance(self.examine(gate, session_dir, session_dir), StillOpen):
            return None
        return Act(Verdict.APPROVE, "--yes")

    def effect(self, gate: Gate, closing: Closing) -> Effect:
        comment = closing.comment
        if closing.verdict is Verdict.APPROVE:
            note = person(f"The person approved {gate.file} and said:", comment) if comment else None
            return Effect(note, passes=True, leaves=True, summary=f"{gate.file} is approved")
        if closing.verdict is Verdict.CHANGES:
            return Effect(person(f"The person wants changes in {gate.file}:", comment))
        stops = f"the plan was rejected by {closing.by}" + (f": {comment}" if comment else "")
        return Effect(person(f"The person rejected {gate.file}.", comment), stops=stops)


def approval_text(gate: Gate, decision: str = questions.WAITING, comment: str = "", **bound: str) -> str:
    """`_approval.md`. The gate's id makes it another text each time, so that a person's file is never taken for the
    child's. What an approval is bound to stands before the decision: a file that was cut off binds nothing less."""
    lines = "".join(f"{key.capitalize()}: {' '.join(value.split())}\n" for key, value in bound.items() if value)
    return (
        "# Plan approval\n"
        f"Plan: {gate.file}\n"
        f"SHA-256: {gate.sha256}\n"
        f"{lines}"
        f"Decision: {decision}          <!-- {gate.id}: approve, changes or reject -->\n"
        f"Comments: {comment}".rstrip()
        + "\n"
    )


def _word(decision: str) -> str:
    return decision.strip(" .!*_`").lower()


BEHAVIOUR = Approval()
