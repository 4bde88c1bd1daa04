"""Journal records as a worker writes them, for tests of what is folded from them; and a small workflow."""

from collections.abc import Mapping
from typing import Any

from samoloop.core.records import Record, read
from samoloop.core.signals import GateKind, Status
from samoloop.core.state import State, fold
from samoloop.core.workflow import Phase, Workflow

_ALL = frozenset({Status.CONTINUE, Status.WAITING, Status.BLOCKED})
_ASIDE = frozenset({GateKind.HUMAN_ACTION, GateKind.FILE_UPDATE})
SMALL = Workflow(
    name="small",
    phases=(
        Phase("init", child=False, signals=frozenset({Status.CONTINUE})),
        Phase("ask", signals=_ALL, gate=GateKind.QA_ANSWERS, waits=_ASIDE | {GateKind.QA_ANSWERS}, max_iterations=3),
        Phase("plan", signals=_ALL, gate=GateKind.PLAN_APPROVAL, waits=_ASIDE | {GateKind.PLAN_APPROVAL}),
        Phase("work", signals=_ALL, waits=_ASIDE, max_iterations=4),
        Phase("review", signals=_ALL, waits=_ASIDE, max_iterations=4),
        Phase("done", signals=_ALL | {Status.DONE}, waits=_ASIDE, max_iterations=3),
    ),
    edges={"review": ("work",), "work": ("done",)},
    rounds={"review": 2},
    protocol="protocol\n",
)
T0 = 1_795_255_200.0  # 2026-11-21 10:00 UTC, in epoch seconds


def at(minutes: float = 0) -> str:
    return f"2026-11-21T{10 + int(minutes) // 60:02d}:{int(minutes) % 60:02d}:00.000Z"


def created(workflow: Workflow = SMALL, **more: Any) -> Record:
    return read(
        {
            "event": "created",
            "at": at(),
            "format": 1,
            "session": "26-11-21-add-login",
            "title": "Add login",
            "workflow": workflow.to_json(),
            "settings": {},
            "repo": "/p/.git",
            "root": "/p",
            "base": "0123456789abcdef",
            "branch": "samoloop/add-login",
            "worktree": "/p/.samoloop/worktrees/26-11-21-add-login",
            "in_place": False,
            **more,
        }
    )


def prepared(phase: str = "ask", **more: Any) -> Record:
    return read({"event": "prepared", "at": at(1), "phase": phase, "notes": [], "setup": None, "tree": "t0", **more})


def started(iteration: int, phase: str, attempt: int = 1, minutes: float = 2, **more: Any) -> Record:
    return read(
        {
            "event": "started",
            "at": at(minutes),
            "iteration": iteration,
            "attempt": attempt,
            "phase": phase,
            "provider": "claude",
            "model": None,
            "marker": f"m{iteration}-{attempt}",
            "boot": "b",
            "time": T0 + minutes * 60,
            "stem": f"{iteration:03d}-{phase}",
            "inbox": [],
            "head": "h",
            "stashes": [],
            **more,
        }
    )


def ended(
    iteration: int,
    phase: str,
    decision: Mapping[str, Any],
    *,
    attempt: int = 1,
    minutes: float = 3,
    signal: Mapping[str, Any] | None = None,
    progress: bool = True,
    seconds: float = 60.0,
    usage: Mapping[str, Any] | None = None,
    **more: Any,
) -> Record:
    return read(
        {
            "event": "ended",
            "at": at(minutes),
            "iteration": iteration,
            "attempt": attempt,
            "phase": phase,
            "provider": "claude",
            "model": None,
            "time": T0 + minutes * 60,
            "outcome": {"ended_by": "exit", "exit_code": 0, "seconds": seconds},
            "signal": dict(signal) if signal else None,
            "bad_signal": None if signal else "no _signal.json was written",
            "decision": dict(decision),
            "usage": dict(usage or {}),
            "usage_complete": True,
            "swept": 0,
            "left": [],
            "progress": progress,
            "tree": f"t{iteration}",
            "head": "h",
            "notes": [],
            "said": "",
            **more,
        }
    )


def went(iteration: int, phase: str, to: str, **more: Any) -> list[Record]:
    """A whole iteration whose child continued."""
    signal = {"status": "continue", "phase": to}
    decision = {"kind": "continue", "phase": to}
    return [started(iteration, phase), ended(iteration, phase, decision, signal=signal, **more)]


def waited(iteration: int, phase: str, kind: str, **more: Any) -> list[Record]:
    """A whole iteration whose child asked for a gate, not opened yet."""
    needed = {"plan_approval": {"file": "p.md"}, "file_update": {"file": "f"}, "human_action": {"reason": "log in"}}
    signal = {"status": "waiting", "for": kind, **needed.get(kind, {}), **more}
    return [
        started(iteration, phase),
        ended(iteration, phase, {"kind": "wait", "phase": phase, "for": kind}, signal=signal),
    ]


def opened(iteration: int, phase: str, kind: str, id: str = "g1", **more: Any) -> Record:
    gate = {"id": id, "kind": kind, "phase": phase, "iteration": iteration, **more}
    return read({"event": "gate_opened", "at": at(4), "gate": gate, "reason": f"waits for {kind}"})


def closed(kind: str, verdict: str, id: str = "g1", **more: Any) -> Record:
    return read(
        {"event": "gate_closed", "at": at(5), "gate": id, "kind": kind, "verdict": verdict, "by": "ada", **more}
    )


def event(name: str, minutes: float = 6, **more: Any) -> Record:
    return read({"event": name, "at": at(minutes), **more})


def state_of(*parts: Record | list[Record], workflow: Workflow = SMALL) -> State:
    """The state after `created`, `prepared` and these."""
    first = next(phase.name for phase in workflow.phases if phase.child)
    records = [created(workflow), prepared(first)]
    for part in parts:
        records += part if isinstance(part, list) else [part]
    return fold(records)


def in_phase(phase: str) -> list[Record]:
    """How a session of the small workflow came to a phase, its gates passed by a person."""
    asked = [*waited(1, "ask", "qa_answers"), opened(1, "ask", "qa_answers", questions=["Q1"])]
    answered = [closed("qa_answers", "answered", answers={"Q1": {"title": "Which?", "answer": "A"}})]
    planned = [*waited(3, "plan", "plan_approval", file="p.md"), opened(3, "plan", "plan_approval", "g2", file="p.md")]
    way = {
        "ask": [],
        "plan": [*asked, *answered, *went(2, "ask", "plan")],
        "work": [*planned, closed("plan_approval", "approve", "g2", file="p.md", sha256="s")],
        "review": went(4, "work", "review"),
        "done": went(5, "review", "done"),
    }
    records: list[Record] = []
    for name, part in way.items():
        records += part
        if name == phase:
            return records
    raise KeyError(phase)
