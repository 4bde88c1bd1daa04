"""The gate of a file: it closes when the file that the child names says something else than it did."""

from pathlib import Path

from samoloop.core.gates.behaviour import Behaviour, person
from samoloop.core.gates.folder import bytes_hash, named_file
from samoloop.core.gates.gate import Closing, Effect, Gate, Given, StillOpen, Verdict
from samoloop.core.signals import Signal


class Update(Behaviour):
    VERDICTS = (Verdict.UPDATED,)

    def named(self, name: str | None, session_dir: Path, worktree: Path) -> Path | None:
        return named_file(name or "", session_dir, worktree)

    def hash_named(self, path: Path) -> str | None:
        return bytes_hash(path)

    def problem(self, signal: Signal, session_dir: Path, worktree: Path, given: Given) -> str:
        path = self.named(signal.file, session_dir, worktree)
        return f'the file "{signal.file}" cannot be read' if path is None or bytes_hash(path) is None else ""

    def examine(self, gate: Gate, session_dir: Path, worktree: Path) -> Closing | StillOpen:
        path = self.named(gate.file, session_dir, worktree)
        present = bytes_hash(path) if path else None
        if present is None or present == gate.sha256:
            return StillOpen()
        return Closing(Verdict.UPDATED, "editor", sha256=present)

    def effect(self, gate: Gate, closing: Closing) -> Effect:
        return Effect(person(f"The person updated {gate.file}; do not commit it."))


BEHAVIOUR = Update()
