"""What a kind of gate must know. One module a kind, named after it, holds it as `BEHAVIOUR`."""

from functools import cache
from importlib import import_module
from pathlib import Path

from samoloop.base.files import sha256
from samoloop.core.decision import Note
from samoloop.core.gates.folder import file_hash, read_text
from samoloop.core.gates.gate import Act, Closing, Effect, Gate, Given, StillOpen, Verdict, Void
from samoloop.core.signals import GateKind, Signal


class Behaviour:
    """How one kind of gate is asked for, opened, answered and closed. A kind overrides what is different for it."""

    FILE = ""  # in which a person answers; empty: the file that the signal names
    VERDICTS: tuple[Verdict, ...] = ()  # how a person can close it

    def problem(self, signal: Signal, session_dir: Path, worktree: Path, given: Given) -> str:
        """What is wrong with the files that a signal refers to; empty where it may open the gate."""
        return ""

    def named(self, name: str | None, session_dir: Path, worktree: Path) -> Path | None:
        """The file that the signal names; None where it names none, or one that is not allowed."""
        return None

    def meant(self, session_dir: Path, since: float) -> str | None:
        """The file that a signal without a name can only mean, by what was written `since` then (epoch seconds)."""
        return None

    def hash_named(self, path: Path) -> str | None:
        """SHA-256 of the named file as it is now."""
        return file_hash(path)

    def question_ids(self, text: str) -> tuple[str, ...]:
        """The questions that wait in the text of an open gate."""
        return ()

    def text(self, gate: Gate, before: str, given: Given) -> str | None:
        """What the gate's file holds when it opens, after `before`; None leaves it alone."""
        return None

    def answers_in(self, text: str) -> dict[str, str]:
        """What the text says that could close a gate, by a name for each part."""
        return {}

    def without(self, gate: Gate, text: str, forged: frozenset[str]) -> str:
        """The text with only what a person wrote: without the named answers, and unsigned."""
        return text

    def examine(self, gate: Gate, session_dir: Path, worktree: Path) -> Closing | StillOpen | Void:
        """What the gate's file says now. Empty, missing and half-saved files close nothing."""
        text = read_text(session_dir / self.FILE)
        if text is None or not text.strip():
            return StillOpen(f"{self.FILE} is missing or empty; `samoloop resume` with the file put back goes on")
        return self.examine_text(gate, text, session_dir)

    def examine_text(self, gate: Gate, text: str, session_dir: Path) -> Closing | StillOpen | Void:
        """The same, for the text of the file."""
        raise NotImplementedError

    def written(self, gate: Gate, text: str, act: Act, session_dir: Path) -> str:
        """The gate's file after an act. Raises SessionError or UsageError for one that cannot be."""
        raise NotImplementedError

    def consent(self, gate: Gate, session_dir: Path) -> Act | None:
        """What `--yes` does; None where it can say nothing."""
        return None

    def effect(self, gate: Gate, closing: Closing) -> Effect:
        """What its closing means for the session."""
        raise NotImplementedError


@cache
def behaviour(kind: GateKind) -> Behaviour:
    """What that kind of gate does."""
    found: Behaviour = import_module(f"{__package__}.{kind}").BEHAVIOUR
    return found


def digest(words: str) -> str:
    """Of an answer, to tell later whether it is the same."""
    return sha256(words)[:16]


def person(text: str, words: str = "") -> Note:
    """What the next child is told, with a person's own words."""
    return Note("person", text, words)
