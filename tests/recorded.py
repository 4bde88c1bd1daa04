"""Session folders as a worker leaves them, written record by record without a worker, git or a child."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.config import workflow_files
from samoloop.core.records import Ended, read
from samoloop.core.session import Session

PLAN = "11-21-0930-plan-jwt.md"


def make_session(root: Path, name: str = "26-11-21-auth", title: str = "Add JWT auth", **created: Any) -> Session:
    """A session that was prepared and stands before its first child."""
    folder = root / "_sessions" / name
    (folder / "_logs").mkdir(parents=True)
    session = Session(folder)
    known: dict[str, Any] = {
        "format": 1,
        "session": name,
        "title": title,
        "workflow": workflow_files.load("feature", None).to_json(),
        "settings": {},
        "repo": None,
        "root": str(root),
        "base": "b" * 40,
        "branch": "samoloop/auth",
        "worktree": str(root),
        "in_place": True,
    }
    _record(session, "created", **{**known, **created})
    _record(session, "prepared", phase="investigation", notes=[], setup=None, tree=None)
    return session


def _record(into: Session, event: str, **fields: Any) -> Any:
    return into.record(read({"event": event, **fields}))


def start(session: Session, provider: str = "claude", model: str | None = None, attempt: int = 1) -> Path:
    """Record the next child as started; returns the stem of its files."""
    state = session.state()
    iteration = state.iteration + (1 if attempt == 1 else 0)
    stem = session.stem(iteration, state.phase, attempt)
    _record(
        session,
        "started",
        iteration=iteration,
        attempt=attempt,
        phase=state.phase,
        provider=provider,
        model=model,
        marker="m",
        boot="b",
        time=time.time(),
        stem=stem.name,
        inbox=[],
    )
    return stem


def end(
    session: Session,
    decision: Mapping[str, Any],
    *,
    seconds: float = 12.0,
    usage: Mapping[str, Any] | None = None,
    signal: Mapping[str, Any] | None = None,
    outcome: Mapping[str, Any] | None = None,
    said: str = "",
) -> Ended:
    """Record the running child as ended."""
    started = session.state().open
    assert started is not None
    return _record(
        session,
        "ended",
        **{key: getattr(started, key) for key in ("iteration", "attempt", "phase", "provider", "model")},
        outcome={"ended_by": "exit", "exit_code": 0, "seconds": seconds, **(outcome or {})},
        signal=dict(signal) if signal else None,
        bad_signal=None,
        decision=dict(decision),
        usage={"cost_usd": 0.04, "input_tokens": 12_300, "output_tokens": 950} if usage is None else dict(usage),
        usage_complete=True,
        swept=0,
        left=[],
        progress=True,
        tree=None,
        head=None,
        notes=[],
        said=said,
    )


def iterate(session: Session, phase: str, lines: Sequence[bytes | Mapping[str, Any]] = (), **how: Any) -> Path:
    """One whole iteration that goes on in `phase`, with these lines in its log."""
    stem = start(session)
    write_log(stem, lines)
    end(session, {"kind": "continue", "phase": phase}, **how)
    return stem


def write_log(stem: Path, lines: Sequence[bytes | Mapping[str, Any]]) -> None:
    """Add lines to the log of a child: bytes as they are, all else as JSON."""
    with stem.with_name(stem.name + ".jsonl").open("ab") as log:
        for line in lines:
            log.write((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")


def ask_questions(session: Session, *ids: str) -> None:
    """Let the session wait for answers to these questions."""
    start(session)
    end(
        session,
        {"kind": "wait", "phase": "requirements", "for": "qa_answers"},
        signal={"status": "waiting", "for": "qa_answers"},
    )
    blocks = [
        f"### {id}: Which way {id}?\nA) one\nB) two\n**Suggestion:** A - simpler\n**Answer:** _waiting_\n" for id in ids
    ]
    (session.dir / "_qa.md").write_text("# Questions\n\n" + "\n".join(blocks))
    open_gate(session, "qa_answers", questions=list(ids))


def ask_approval(session: Session) -> None:
    """Let the session wait for approval of its plan."""
    start(session)
    signal = {"status": "waiting", "for": "plan_approval", "file": PLAN}
    end(session, {"kind": "wait", "phase": "planning", "for": "plan_approval"}, signal=signal)
    (session.dir / PLAN).write_text("# Plan\n")
    open_gate(session, "plan_approval", file=PLAN, sha256="3f2a" * 16)


def open_gate(session: Session, kind: str, **gate: Any) -> None:
    state = session.state()
    fields = {"id": "g1", "kind": kind, "phase": state.phase, "iteration": state.iteration, **gate}
    _record(session, "gate_opened", gate=fields, reason=f"waits for {kind}")


def claude_text(text: str) -> dict[str, Any]:
    """A message of the model as Claude Code prints it."""
    return {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}}


def claude_tool(id: str, name: str, **arguments: str) -> dict[str, Any]:
    block = {"type": "tool_use", "id": id, "name": name, "input": arguments}
    return {"type": "assistant", "message": {"content": [block]}}


def claude_tool_result(id: str, is_error: bool = False) -> dict[str, Any]:
    return {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": id, "is_error": is_error}]}}


def claude_result(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": text, "total_cost_usd": 0.04, **fields}
