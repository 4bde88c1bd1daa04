"""The gate of something to be done by hand: a person says in `_action.md` that it is done, or why they decline."""

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
    VERDICTS = (Verdict.DONE, Verdict.DECLINED)

    def text(self, gate: Gate, before: str, given: Given) -> str:
        return action_text(gate)

    def answers_in(self, text: str) -> dict[str, str]:
        found = fields(text)
        return {key: found[key] for key in ("done", "declined") if found.get(key)}

    def without(self, gate: Gate, text: str, forged: frozenset[str]) -> str:
        said = {key: words for key, words in self.answers_in(text).items() if key not in forged}
        done, declined = (questions.harmless(said.get(key, "")) for key in ("done", "declined"))
        return action_text(gate, done or questions.WAITING, declined=declined)

    def examine_text(self, gate: Gate, text: str, session_dir: Path) -> Closing | StillOpen:
        found = fields(text)
        done, declined = found.get("done", ""), found.get("declined", "")
        if done and declined:
            return StillOpen("both Done and Declined say something: leave one of them")
        if declined:
            return Closing(Verdict.DECLINED, found.get("by", "") or "editor", declined)
        if not done:
            return nothing_said(self.FILE, text)
        if _REFUSAL.match(done):
            return StillOpen(f"Done is {done[:60]!r}: write yes once it is done")
        return Closing(Verdict.DONE, found.get("by", "") or "editor", done)

    def written(self, gate: Gate, text: str, act: Act, session_dir: Path) -> str:
        declines = act.verdict is Verdict.DECLINED
        if not declines and _REFUSAL.match(act.words.strip()):
            raise UsageError(f"{act.words.strip()[:60]!r} says that it is not done: say it once it is")
        said = questions.harmless(" ".join(writable(act.words).split())) if questions.words(act.words) else ""
        if declines and not said:
            raise UsageError('say why: samoloop answer SESSION declined "..."')
        closed = self.examine_text(gate, text, session_dir)
        if isinstance(closed, Closing) and not act.takes_place_of(closed.by):
            raise SessionError(f"it is {closed.verdict} already: {closed.comment[:60]} (by {closed.by})")
        if declines:
            return action_text(gate, by=writable(act.by), declined=said)
        return action_text(gate, said or "yes", writable(act.by))

    def effect(self, gate: Gate, closing: Closing) -> Effect:
        if closing.verdict is Verdict.DECLINED:
            return Effect(person(f"The person declined to do what was asked ({gate.reason}):", closing.comment))
        return Effect(person(f"The person did what was asked ({gate.reason}):", closing.comment))


def action_text(gate: Gate, done: str = questions.WAITING, by: str = "", declined: str = "") -> str:
    """`_action.md`. The child's words are quoted, so that no line of them is a field."""
    asked = "\n".join(f"> {line}".rstrip() for line in re.split(r"\r\n|\r|\n", (gate.reason or "").strip()))
    bound = f"By: {' '.join(by.split())}\n" if by else ""
    hint = f"<!-- {gate.id}: yes, and a word on how, once it is done; or a line Declined: and why -->"
    refusal = f"Declined: {' '.join(declined.split())}\n" if declined else ""
    return f"# Please do this\n\n{asked}\n\n{bound}{refusal}Done: {' '.join(done.split())}          {hint}\n"


BEHAVIOUR = Action()
