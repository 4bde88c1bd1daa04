"""A session with a plan, questions and a worktree beside it, and its gates as the worker opens them."""

from pathlib import Path
from typing import Any

from samoloop.core import gates
from samoloop.core.gates import Closing, Gate, StillOpen, Void, examine
from samoloop.core.signals import BadSignal, GateKind, Signal, Status

PLAN = "11-21-0930-plan-jwt.md"
QA = """\
# Questions

### Q1: Which lifetime?
A) 15 minutes
B) 24 hours
**Suggestion:** A - limits the damage
**Answer:** _waiting_

### Q2: Who may log in?
**Answer:** _waiting_
"""


def make_session(root: Path) -> Path:
    folder = root / "_sessions" / "26-11-21-jwt"
    folder.mkdir(parents=True)
    (folder / PLAN).write_text("# The plan\n")
    (folder / "_qa.md").write_text(QA)
    (root / "worktree" / "src").mkdir(parents=True)
    (root / "worktree" / "src" / "app.py").write_text("print()\n")
    return folder


def wait(kind: str, file: str | None = None, reason: str | None = None) -> Signal:
    return Signal(Status.WAITING, wait_for=GateKind(kind), file=file, reason=reason)


def open_gate(session_dir: Path, signal: Signal, id: str = "g1", given: Any = None) -> Gate:
    """As the worker opens it, without a crash."""
    gate, text = gates.prepare(id, signal, "planning", 4, session_dir, session_dir.parents[1] / "worktree", given or {})
    return gates.put(gate, text, session_dir)


def look(session_dir: Path, gate: Gate) -> Closing | StillOpen | Void:
    return examine(gate, session_dir, session_dir.parents[1] / "worktree")


def why(session_dir: Path, gate: Gate) -> str:
    found = look(session_dir, gate)
    assert isinstance(found, StillOpen)
    return found.why


def refused(session_dir: Path, signal: Signal, given: Any = None) -> str | None:
    found = gates.check_request(signal, session_dir, session_dir.parents[1] / "worktree", given or {})
    return found.reason if isinstance(found, BadSignal) else None
