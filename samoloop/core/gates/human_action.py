"""The gate of something to be done by hand: a person says in `_action.md` that it is done."""

import re
from pathlib import Path

from samoloop.base.errors import SessionError, UsageError
from samoloop.core.gates import questions
from samoloop.core.gates.behaviour import Behaviour, person
from samoloop.core.gates.fields import fields, nothing_said
from samoloop.core.gates.folder import writable
from samoloop.core.gates.gate import Act, Closing, Effect, Gate, Given, StillOpen, Verdict

ACTION = "_action.md"
_REFUSAL = re.compile(r"(no|not|never|false)\b", re.IGNORECASE)


class Action(Behaviour):
    FILE = ACTION
    VERDICTS = (Verdict.DONE,)

    def text(self, gate: Gate, before: str, given: Given) -> str:
        return action_text(gate)

    def answers_in(self, text: str) -> dict[str, str]:
        done = fields(text).get("done", "")
        return {"done": done} if done else {}

    def without(self, gate: Gate, text: str, forged: frozenset[str]) -> str:
        done = "" if "done" in forged else self.answers_in(text).get("done", "")
        return action_text(gate, questions.harmless(done) or questions.WAITING)

    def examine_text(self, gate: Gate, text: str, session_dir: Path) -> Closing | StillOpen:
        found = fields(text)
        done = found.get("done", "")
        if not done:
            return nothing_said(self.FILE, text)
        if _REFUSAL.match(done):
            return StillOpen(f"Done is {done[:60]!r}: write yes once it is done")
        return Closing(Verdict.DONE, found.get("by", "") or "editor", done)

    def written(self, gate: Gate, text: str, act: Act, session_dir: Path) -> str:
        if _REFUSAL.match(act.words.strip()):
            raise UsageError(f"{act.words.strip()[:60]!r} says that it is not done: say it once it is")
        said = questions.harmless(" ".join(writable(act.words).split())) if questions.words(act.words) else "yes"
        done = self.examine_text(gate, text, session_dir)
        if isinstance(done, Closing):
            raise SessionError(f"it is done already: {done.comment[:60]} (by {done.by})")
        return action_text(gate, said, writable(act.by))

    def effect(self, gate: Gate, closing: Closing) -> Effect:
        return Effect(person(f"The person did what was asked ({gate.reason}):", closing.comment))


def action_text(gate: Gate, done: str = questions.WAITING, by: str = "") -> str:
    """`_action.md`. The child's words are quoted, so that no line of them is a field."""
    asked = "\n".join(f"> {line}".rstrip() for line in re.split(r"\r\n|\r|\n", (gate.reason or "").strip()))
    bound = f"By: {' '.join(by.split())}\n" if by else ""
    hint = f"<!-- {gate.id}: yes, and a word on how, once it is done -->"
    return f"# Please do this\n\n{asked}\n\n{bound}Done: {' '.join(done.split())}          {hint}\n"


BEHAVIOUR = Action()
