"""What each record changes in a state where nothing is as at the beginning, and what it leaves alone."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import SMALL, T0, closed, created, ended, event, opened, prepared, started

from samoloop.base.errors import SessionError
from samoloop.core.decision import Note
from samoloop.core.events import Usage
from samoloop.core.gates import Gate
from samoloop.core.records import Record
from samoloop.core.roots import Root
from samoloop.core.signals import GateKind, Signal, Status
from samoloop.core.state import Condition, State, Totals, apply, fold

GATE = Gate("g3", GateKind.PLAN_APPROVAL, "plan", 7, file="p.md", shown=False)
WANTED = Signal(Status.WAITING, wait_for=GateKind.FILE_UPDATE, file="f")
CUT = created(SMALL.until("plan"))
RECORD = object()  # stands for the record itself
LOST, TOLD = Note("interrupted", "half done"), Note("git", "a merge is in progress")


def worn(**more: Any) -> State:
    """A session that has seen everything."""
    values: dict[str, Any] = {
        "creation": created(),
        "said": [{"a": 1}],
        "prepared": prepared(),
        "condition": Condition.READY,
        "phase": "work",
        "iteration": 7,
        "attempt": 2,
        "retry": False,
        "open": started(7, "work", 2),
        "ended": ended(6, "work", {"kind": "continue"}),
        "wanted": WANTED,
        "gate": GATE,
        "gates_opened": 3,
        "passed": {GateKind.QA_ANSWERS},
        "given": {"Q1": {"title": "Which?", "answer": "A"}},
        "phase_iterations": 4,
        "rounds": {"review": 1},
        "repairs": 1,
        "failures": 2,
        "transients": 3,
        "transient_since": T0 - 60,
        "vetoes": 2,
        "still": 5,
        "not_before": T0 + 50,
        "limits": {"codex": T0 + 50},
        "stood_in": {"codex": "login"},
        "turn": "codex works again",
        "reason": "why",
        "failure": "disk full",
        "failures_of_workers": 2,
        "failed_at": T0 - 70,
        "needs": "human_decision",
        "summary": "so far",
        "notes": [LOST, TOLD],
        "inbox": ["006-work.inbox.md"],
        "totals": Totals(7, 100.0, 20, 30, 4.0, 1),
        "since_resume": Totals(5, 90.0, 10, 20, 3.0, 1),
        "phase_totals": {"work": Totals(4, 80.0, 5, 10, 2.0, 1)},
        "warned": {"150 iterations"},
        "overview_hash": "o",
        "left_out": {"x"},
        "worktree_is_new": True,
        "archived": True,
        "roots": {"worktree": Root(path=Path("/w"), inode=7), "repository": Root(path=Path("/r"), inode=8)},
        "tree": "t",
        "updated": "u",
    }
    own = {name: copy(value) if isinstance(value, dict | list | set) else value for name, value in more.items()}
    return State(**{**values, **own})


ENDS: dict[str, Any] = {
    "open": None,
    "turn": "",
    "failure": "",
    "failures_of_workers": 0,
    "reason": "",
    "needs": "",
    "tree": "t7",
    "still": 0,
    "repairs": 0,
    "failures": 0,
    "transients": 0,
    "transient_since": None,
    "totals": Totals(7, 160.0, 20, 30, 4.0, 2),
    "since_resume": Totals(5, 150.0, 10, 20, 3.0, 2),
    "phase_totals": {"work": Totals(4, 140.0, 5, 10, 2.0, 2)},
}
RESUMED: dict[str, Any] = {
    "said": [{"a": 1}, {}],
    "phase_iterations": 0,
    "rounds": {},
    "repairs": 0,
    "failures": 0,
    "transients": 0,
    "transient_since": None,
    "vetoes": 0,
    "still": 0,
    "failure": "",
    "failures_of_workers": 0,
    "since_resume": Totals(),
    "phase_totals": {},
    "warned": set(),
    "archived": False,
}
CASES: list[tuple[str, dict[str, Any], Record, dict[str, Any]]] = [
    ("created", {}, created(settings={"b": 2}), {"creation": RECORD, "said": [{"b": 2}], "phase": "init"}),
    (
        "prepared",
        {"gate": None},
        prepared("ask"),
        {"phase": "ask", "passed": set(), "phase_iterations": 0, "vetoes": 0, "still": 0, "tree": "t0"},
    ),
    (
        "prepared at an open gate",
        {"condition": Condition.WAITING},
        prepared("work"),
        {"prepared": RECORD, "passed": set(), "phase_iterations": 0, "vetoes": 0, "still": 0, "tree": "t0"},
    ),
    ("guided", {}, event("guided", inbox=["i"]), {"inbox": ["006-work.inbox.md", "i"]}),
    (
        "started",
        {},
        started(8, "work", inbox=["i"]),
        {
            "condition": Condition.RUNNING,
            "iteration": 8,
            "attempt": 1,
            "open": RECORD,
            "phase_iterations": 5,
            "not_before": None,
            "turn": "",
            "failure": "",
            "failures_of_workers": 0,
            "inbox": ["006-work.inbox.md", "i"],
            "totals": Totals(8, 100.0, 20, 30, 4.0, 1),
            "since_resume": Totals(6, 90.0, 10, 20, 3.0, 1),
            "phase_totals": {"work": Totals(5, 80.0, 5, 10, 2.0, 1)},
            "overview_hash": None,
        },
    ),
    (
        "started again",
        {},
        started(7, "work", 3),
        {
            "condition": Condition.RUNNING,
            "attempt": 3,
            "open": RECORD,
            "not_before": None,
            "turn": "",
            "failure": "",
            "failures_of_workers": 0,
            "overview_hash": None,
        },
    ),
    (
        "started in a new phase",
        {"phase": "review"},
        started(8, "review"),
        {
            "condition": Condition.RUNNING,
            "iteration": 8,
            "attempt": 1,
            "open": RECORD,
            "phase_iterations": 5,
            "not_before": None,
            "turn": "",
            "failure": "",
            "failures_of_workers": 0,
            "totals": Totals(8, 100.0, 20, 30, 4.0, 1),
            "since_resume": Totals(6, 90.0, 10, 20, 3.0, 1),
            "phase_totals": {"work": Totals(4, 80.0, 5, 10, 2.0, 1), "review": Totals(1, 0.0, 0, 0, 0.0, 0)},
            "overview_hash": None,
        },
    ),
    (
        "interrupted",
        {},
        event("interrupted", iteration=7, note="lost again"),
        {"retry": True, "open": None, "wanted": None, "notes": [TOLD, Note("interrupted", "lost again")]},
    ),
    (
        "gate_opened",
        {},
        opened(7, "work", "human_action", "g4", reason="x"),
        {
            "condition": Condition.WAITING,
            "wanted": None,
            "gate": Gate("g4", GateKind.HUMAN_ACTION, "work", 7, reason="x"),
            "gates_opened": 4,
            "reason": "waits for human_action",
            "failure": "",
            "failures_of_workers": 0,
            "overview_hash": None,
        },
    ),
    (
        "gate_opened with a file of the person",
        {},
        event("gate_opened", gate={"id": "g5", "kind": "file_update", "phase": "work", "iteration": 7, "file": "f"}),
        {
            "condition": Condition.WAITING,
            "wanted": None,
            "gate": Gate("g5", GateKind.FILE_UPDATE, "work", 7, file="f"),
            "gates_opened": 4,
            "failure": "",
            "failures_of_workers": 0,
            "overview_hash": None,
            "left_out": {"f", "x"},
        },
    ),
    ("gate_shown", {}, event("gate_shown", gate="g3"), {"gate": replace(GATE, shown=True)}),
    ("gate_shown of another", {}, event("gate_shown", gate="g2"), {}),
    (
        "gate_closed approve",
        {"phase": "plan"},
        closed("plan_approval", "approve", "g3", comment="go on"),
        {
            "phase": "work",
            "gate": None,
            "passed": set(),
            "phase_iterations": 0,
            "vetoes": 0,
            "still": 0,
            "reason": "",
            "notes": [LOST, TOLD, Note("person", "The person approved p.md and said:", "go on")],
        },
    ),
    (
        "gate_closed approve at the end",
        {"phase": "done", "gate": replace(GATE, phase="done")},
        closed("plan_approval", "approve", "g3"),
        {"gate": None, "passed": {GateKind.PLAN_APPROVAL, GateKind.QA_ANSWERS}, "still": 0, "reason": ""},
    ),
    (
        "gate_closed approve in a phase of no gate",
        {"gate": replace(GATE, phase="work")},
        closed("plan_approval", "approve", "g3"),
        {
            "phase": "review",
            "gate": None,
            "passed": set(),
            "phase_iterations": 0,
            "vetoes": 0,
            "still": 0,
            "reason": "",
        },
    ),
    (
        "gate_closed approve of a phase that was left",
        {},
        closed("plan_approval", "approve", "g3"),
        {"gate": None, "still": 0, "reason": ""},
    ),
    (
        "gate_closed changes of a phase that was left",
        {},
        closed("plan_approval", "changes", "g3", comment="smaller"),
        {
            "phase": "plan",
            "gate": None,
            "passed": set(),
            "phase_iterations": 0,
            "vetoes": 0,
            "still": 0,
            "reason": "",
            "notes": [LOST, TOLD, Note("person", "The person wants changes in p.md:", "smaller")],
        },
    ),
    (
        "gate_closed reject",
        {"phase": "plan"},
        closed("plan_approval", "reject", "g3"),
        {
            "condition": Condition.STOPPED,
            "gate": None,
            "still": 0,
            "reason": "the plan was rejected by ada",
            "notes": [LOST, TOLD, Note("person", "The person rejected p.md.")],
        },
    ),
    (
        "gate_closed answered",
        {"gate": replace(GATE, phase="work", kind=GateKind.QA_ANSWERS, questions=("Q2",))},
        closed("qa_answers", "answered", "g3", answers={"Q2": {"title": "Who?", "answer": "B"}}),
        {
            "gate": None,
            "given": {"Q1": {"title": "Which?", "answer": "A"}, "Q2": {"title": "Who?", "answer": "B"}},
            "still": 0,
            "reason": "",
            "notes": [LOST, TOLD, Note("answered", "The person answered Q2 in _qa.md.")],
        },
    ),
    ("gate_closed without one", {"gate": None}, closed("plan_approval", "approve", "g3"), {}),
    (
        "moved",
        {"retry": True},
        event("moved", to="ask"),
        {
            "phase": "ask",
            "retry": False,
            "wanted": None,
            "gate": None,
            "passed": set(),
            "phase_iterations": 0,
            "vetoes": 0,
            "still": 0,
            "reason": "",
            "needs": "",
            "archived": False,
        },
    ),
    (
        "extended",
        {"creation": CUT, "phase": "plan", "condition": Condition.DONE},
        event("extended", workflow=SMALL.to_json()),
        {
            "creation": created(),
            "phase": "work",
            "phase_iterations": 0,
            "passed": set(),
            "vetoes": 0,
            "still": 0,
            "condition": Condition.READY,
            "summary": "",
            "archived": False,
        },
    ),
    (
        "resumed",
        {"condition": Condition.BLOCKED, "gate": None, "wanted": None, "open": None},
        event("resumed", settings={"c": 3}),
        {
            **RESUMED,
            "said": [{"a": 1}, {"c": 3}],
            "condition": Condition.READY,
            "reason": "",
            "needs": "",
            "notes": [LOST, TOLD, Note("resumed", "A person resumed the session. It was blocked: why")],
        },
    ),
    (
        "resumed with a child",
        {"condition": Condition.FAILED, "gate": None, "wanted": None},
        event("resumed"),
        {
            **RESUMED,
            "condition": Condition.RUNNING,
            "reason": "",
            "needs": "",
            "notes": [LOST, TOLD, Note("resumed", "A person resumed the session. It was failed: why")],
        },
    ),
    (
        "resumed at a gate",
        {"condition": Condition.STOPPED, "wanted": None},
        event("resumed"),
        {**RESUMED, "notes": [LOST, TOLD, Note("resumed", "A person resumed the session. It was stopped: why")]},
    ),
    ("resumed before a gate", {"condition": Condition.WAITING, "gate": None}, event("resumed"), RESUMED),
    (
        "resumed now",
        {"condition": Condition.LIMITED, "gate": None, "wanted": None, "open": None},
        event("resumed", now=True),
        {**RESUMED, "condition": Condition.READY, "not_before": None, "limits": {}, "reason": "", "needs": ""},
    ),
    (
        "resumed within a limit",
        {"condition": Condition.LIMITED, "gate": None, "wanted": None},
        event("resumed"),
        RESUMED,
    ),
    (
        "resumed unprepared",
        {"condition": Condition.FAILED, "gate": None, "wanted": None, "prepared": None, "open": None},
        event("resumed"),
        {
            **RESUMED,
            "condition": Condition.NEW,
            "reason": "",
            "needs": "",
            "notes": [LOST, TOLD, Note("resumed", "A person resumed the session. It was failed: why")],
        },
    ),
    ("resumed done", {"condition": Condition.DONE, "gate": None, "wanted": None}, event("resumed"), RESUMED),
    (
        "halted",
        {},
        event("halted", condition="stopped", reason="by a person"),
        {"condition": Condition.STOPPED, "reason": "by a person", "overview_hash": None},
    ),
    (
        "failed ready",
        {},
        event("failed", reason="no disk", time=T0 + 1),
        {
            "condition": Condition.FAILED,
            "reason": "no disk",
            "failure": "no disk",
            "failures_of_workers": 3,
            "failed_at": T0 + 1,
            "needs": "",
        },
    ),
    (
        "failed running",
        {"condition": Condition.RUNNING},
        event("failed", 3, reason="no disk"),
        {
            "condition": Condition.FAILED,
            "reason": "no disk",
            "failure": "no disk",
            "failures_of_workers": 3,
            "failed_at": T0 + 180,
            "needs": "",
        },
    ),
    (
        "failed limited",
        {"condition": Condition.LIMITED},
        event("failed", reason="no disk", time=T0 + 1),
        {
            "condition": Condition.FAILED,
            "reason": "no disk",
            "failure": "no disk",
            "failures_of_workers": 3,
            "failed_at": T0 + 1,
            "needs": "",
        },
    ),
    (
        "failed new",
        {"condition": Condition.NEW},
        event("failed", reason="no disk", time=T0 + 1),
        {
            "condition": Condition.FAILED,
            "reason": "no disk",
            "failure": "no disk",
            "failures_of_workers": 3,
            "failed_at": T0 + 1,
            "needs": "",
        },
    ),
    (
        "failed waiting",
        {"condition": Condition.WAITING},
        event("failed", reason="no disk", time=T0 + 1),
        {"failure": "no disk", "failures_of_workers": 3, "failed_at": T0 + 1},
    ),
    (
        "retried",
        {"condition": Condition.FAILED},
        event("retried"),
        {"condition": Condition.RUNNING, "reason": "", "needs": ""},
    ),
    ("retried ready", {}, event("retried"), {}),
    ("rested", {}, event("rested", overview="p"), {"overview_hash": "p"}),
    ("warned", {}, event("warned", ceiling="2h"), {"warned": {"150 iterations", "2h"}}),
    (
        "limit_shared",
        {},
        event("limit_shared", provider="claude", not_before=T0 + 90, reason="5 h"),
        {
            "condition": Condition.LIMITED,
            "not_before": T0 + 90,
            "limits": {"codex": T0 + 50, "claude": T0 + 90},
            "reason": "5 h",
        },
    ),
    (
        "limit_shared limited",
        {"condition": Condition.LIMITED},
        event("limit_shared", provider="codex", not_before=T0 + 90, reason="5 h"),
        {"not_before": T0 + 90, "limits": {"codex": T0 + 90}, "reason": "5 h"},
    ),
    (
        "limit_shared waiting",
        {"condition": Condition.WAITING},
        event("limit_shared", provider="claude", not_before=T0 + 90, reason="5 h"),
        {"limits": {"codex": T0 + 50, "claude": T0 + 90}},
    ),
    (
        "worktree_new",
        {"worktree_is_new": False},
        event("worktree_new", why="gone"),
        {
            "worktree_is_new": True,
            "archived": False,
            "roots": {"worktree": Root(path=Path("/w")), "repository": Root(path=Path("/r"), inode=8)},
        },
    ),
    (
        "rooted",
        {},
        event("rooted", roots={"worktree": {"path": "/w", "inode": 9}}),
        {"roots": {"worktree": Root(path=Path("/w"), inode=9), "repository": Root(path=Path("/r"), inode=8)}},
    ),
    (
        "worktree_ready",
        {},
        event("worktree_ready", notes=["made anew", "a merge is in progress"]),
        {"notes": [LOST, TOLD, Note("git", "made anew")], "worktree_is_new": False},
    ),
    ("archived", {"archived": False}, event("archived"), {"archived": True}),
    (
        "placed",
        {},
        event("placed", machine="two", repo="/q/.git", root="/q", worktree="/q/w", notes=["It died."]),
        {
            "creation": created(repo="/q/.git", root="/q", worktree="/q/w"),
            "roots": {},
            "notes": [LOST, TOLD, Note("git", "It died.")],
        },
    ),
    ("adopted", {}, event("adopted", iteration=7, attempt=2), {}),
]
ENDED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "continue",
        {},
        {"kind": "continue", "phase": "work"},
        {"signal": {"status": "continue", "phase": "work"}},
        {**ENDS, "notes": [], "inbox": []},
    ),
    (
        "continue without progress",
        {},
        {"kind": "continue", "phase": "work", "vetoed": True},
        {"signal": {"status": "continue"}, "progress": False, "tree": None},
        {**ENDS, "vetoes": 3, "still": 6, "notes": [], "inbox": [], "tree": "t"},
    ),
    (
        "continue with no phase",
        {},
        {"kind": "continue"},
        {"signal": {"status": "continue"}},
        {**ENDS, "notes": [], "inbox": []},
    ),
    (
        "back",
        {"phase": "review"},
        {"kind": "continue", "phase": "work"},
        {"signal": {"status": "continue"}},
        {
            **ENDS,
            "phase": "work",
            "passed": set(),
            "phase_iterations": 0,
            "rounds": {"review": 2},
            "vetoes": 0,
            "notes": [],
            "inbox": [],
            "phase_totals": {"work": Totals(4, 80.0, 5, 10, 2.0, 1), "review": Totals(0, 60.0, 0, 0, 0.0, 1)},
        },
    ),
    (
        "back for the first time",
        {"phase": "review", "rounds": {}},
        {"kind": "continue", "phase": "work"},
        {"signal": {"status": "continue"}},
        {
            **ENDS,
            "phase": "work",
            "passed": set(),
            "phase_iterations": 0,
            "rounds": {"review": 1},
            "vetoes": 0,
            "notes": [],
            "inbox": [],
            "phase_totals": {"work": Totals(4, 80.0, 5, 10, 2.0, 1), "review": Totals(0, 60.0, 0, 0, 0.0, 1)},
        },
    ),
    (
        "on",
        {},
        {"kind": "continue", "phase": "done"},
        {"signal": {"status": "continue"}},
        {**ENDS, "phase": "done", "passed": set(), "phase_iterations": 0, "vetoes": 0, "notes": [], "inbox": []},
    ),
    (
        "repair",
        {},
        {"kind": "repair", "reason": "no signal", "notes": [{"kind": "repair", "text": "no signal"}]},
        {"progress": False},
        {
            **ENDS,
            "repairs": 2,
            "not_before": None,
            "reason": "no signal",
            "notes": [LOST, TOLD, Note("repair", "no signal")],
            "still": 5,
        },
    ),
    (
        "repair of a bad signal",
        {},
        {"kind": "repair", "reason": "bad"},
        {"signal": {"status": "x"}, "bad_signal": "status"},
        {**ENDS, "repairs": 2, "not_before": None, "reason": "bad"},
    ),
    (
        "retry",
        {},
        {"kind": "retry", "reason": "exit code 1"},
        {},
        {**ENDS, "retry": True, "failures": 3, "not_before": None, "reason": "exit code 1", "repairs": 1},
    ),
    (
        "transient",
        {},
        {"kind": "retry", "reason": "network", "transient": True, "not_before": T0 + 600},
        {},
        {
            **ENDS,
            "condition": Condition.LIMITED,
            "retry": True,
            "transients": 4,
            "not_before": T0 + 600,
            "reason": "network",
            "repairs": 1,
            "failures": 2,
            "transient_since": T0 - 60,
        },
    ),
    (
        "transient first",
        {"transient_since": None, "notes": []},
        {"kind": "retry", "reason": "network", "transient": True, "notes": [{"kind": "interrupted", "text": "lost"}]},
        {},
        {
            **ENDS,
            "retry": True,
            "transients": 4,
            "transient_since": T0 + 180,
            "not_before": None,
            "reason": "network",
            "notes": [Note("interrupted", "lost")],
            "repairs": 1,
            "failures": 2,
        },
    ),
    (
        "transient of an older journal",
        {"transient_since": None},
        {"kind": "retry", "reason": "network", "transient": True},
        {"time": None},
        {
            **ENDS,
            "retry": True,
            "transients": 4,
            "transient_since": T0 + 180,
            "not_before": None,
            "reason": "network",
            "repairs": 1,
            "failures": 2,
        },
    ),
    (
        "limited",
        {},
        {
            "kind": "limited",
            "reason": "5 h",
            "not_before": T0 + 900,
            "notes": [{"kind": "interrupted", "text": "lost"}],
        },
        {},
        {
            **ENDS,
            "condition": Condition.LIMITED,
            "retry": True,
            "transients": 4,
            "not_before": T0 + 900,
            "limits": {"codex": T0 + 50, "claude": T0 + 900},
            "reason": "5 h",
            "notes": [TOLD, Note("interrupted", "lost")],
            "repairs": 1,
            "failures": 2,
            "transient_since": T0 - 60,
        },
    ),
    (
        "limited without an end",
        {},
        {"kind": "limited", "reason": "5 h"},
        {},
        {
            **ENDS,
            "retry": True,
            "transients": 4,
            "not_before": None,
            "reason": "5 h",
            "repairs": 1,
            "failures": 2,
            "transient_since": T0 - 60,
        },
    ),
    (
        "stood in",
        {},
        {
            "kind": "limited",
            "reason": "gemini for claude",
            "needs": "login",
            "not_before": T0 + 900,
            "stands_in": "gemini",
        },
        {},
        {
            **ENDS,
            "retry": True,
            "transients": 4,
            "not_before": None,
            "limits": {"codex": T0 + 50, "claude": T0 + 900},
            "stood_in": {"codex": "login", "claude": "login"},
            "turn": "gemini for claude",
            "repairs": 1,
        },
    ),
    (
        "stood in again",
        {"stood_in": {"claude": "login"}},
        {
            "kind": "limited",
            "reason": "gemini for claude",
            "needs": "login",
            "not_before": T0 + 900,
            "stands_in": "gemini",
        },
        {},
        {
            **ENDS,
            "retry": True,
            "transients": 4,
            "not_before": None,
            "limits": {"codex": T0 + 50, "claude": T0 + 900},
            "repairs": 1,
        },
    ),
    (
        "works again",
        {"stood_in": {"claude": "login"}},
        {"kind": "continue", "phase": "work"},
        {"signal": {"status": "continue"}},
        {**ENDS, "stood_in": {}, "turn": "claude works again", "notes": [], "inbox": []},
    ),
    (
        "wait at a gate",
        {},
        {"kind": "wait", "for": "human_action"},
        {"signal": {"status": "waiting", "for": "human_action", "reason": "x"}},
        {
            **ENDS,
            "condition": Condition.WAITING,
            "wanted": Signal(Status.WAITING, wait_for=GateKind.HUMAN_ACTION, reason="x"),
            "notes": [],
            "inbox": [],
        },
    ),
    (
        "wait",
        {},
        {"kind": "wait", "reason": "network for 2h"},
        {"signal": {"status": "waiting", "for": "human_action", "reason": "x"}},
        {**ENDS, "condition": Condition.WAITING, "wanted": None, "reason": "network for 2h", "notes": [], "inbox": []},
    ),
    (
        "blocked",
        {},
        {"kind": "blocked", "reason": "no database", "needs": "clarification"},
        {"signal": {"status": "blocked", "reason": "x"}},
        {
            **ENDS,
            "condition": Condition.BLOCKED,
            "reason": "no database",
            "needs": "clarification",
            "notes": [],
            "inbox": [],
        },
    ),
    (
        "failed",
        {},
        {"kind": "failed", "reason": "exit code 1"},
        {"usage": {"input_tokens": 7, "output_tokens": 9, "cost_usd": 0.5}},
        {
            **ENDS,
            "condition": Condition.FAILED,
            "reason": "exit code 1",
            "totals": Totals(7, 160.0, 27, 39, 4.5, 1),
            "since_resume": Totals(5, 150.0, 17, 29, 3.5, 1),
            "phase_totals": {"work": Totals(4, 140.0, 12, 19, 2.5, 1)},
        },
    ),
    ("stopped", {}, {"kind": "stopped"}, {}, {**ENDS, "condition": Condition.STOPPED}),
    (
        "done",
        {},
        {"kind": "done", "summary": "all"},
        {"signal": {"status": "done"}},
        {**ENDS, "condition": Condition.DONE, "summary": "all", "notes": [], "inbox": []},
    ),
]


@pytest.mark.parametrize(("name", "before", "record", "after"), CASES)
def test_a_record_changes_this_and_nothing_else(
    name: str, before: dict[str, Any], record: Record, after: dict[str, Any]
) -> None:
    named = {key: record if value is RECORD else value for key, value in after.items()}
    assert apply(worn(**before), record) == worn(**{**before, **named, "updated": record.at}), name


@pytest.mark.parametrize(("name", "before", "decision", "more", "after"), ENDED)
def test_the_end_of_a_child_changes_this_and_nothing_else(
    name: str, before: dict[str, Any], decision: dict[str, Any], more: dict[str, Any], after: dict[str, Any]
) -> None:
    record = ended(7, "work", decision, attempt=2, **more)
    assert apply(worn(**before), record) == worn(**{**before, **after, "ended": record, "updated": record.at}), name


@pytest.mark.parametrize(
    ("place", "condition"),
    [
        (2, Condition.READY),
        (3, Condition.READY),
        (4, Condition.READY),
        (6, Condition.BLOCKED),
        (8, Condition.READY),
        (10, Condition.WAITING),
    ],
)
@pytest.mark.parametrize("note", ["Back.", ""])
def test_going_back_keeps_the_numbers_of_now_and_what_became_of_the_worktree(
    place: int, condition: Condition, note: str
) -> None:
    """The places: prepared, running, limited, blocked, failed, waiting at a gate."""
    records = [
        *(created(), prepared(), started(1, "ask"), ended(1, "ask", {"kind": "limited", "not_before": T0 + 900})),
        *(started(1, "ask", 2), ended(1, "ask", {"kind": "blocked", "reason": "x"}, attempt=2)),
        *(started(2, "ask"), ended(2, "ask", {"kind": "failed", "reason": "y"})),
        *(started(3, "ask"), opened(3, "ask", "file_update", file="f")),
        *(event("worktree_new", why="gone"), event("archived"), event("rested", overview="o")),
    ]
    present, expected = fold(records), fold(records[:place])
    back = event("rewound", 30, to=1, record=place, note=note)
    expected.condition, expected.updated = condition, back.at
    expected.notes += [Note("rewound", note)] if note else []
    expected.open = expected.not_before = expected.overview_hash = None
    expected.limits, expected.retry = {}, False
    expected.iteration, expected.attempt, expected.gates_opened = 3, 1, 1
    expected.totals, expected.left_out, expected.worktree_is_new, expected.archived = present.totals, {"f"}, True, False
    assert fold([*records, back]) == expected
    assert fold([*records, back.but(at="")]).updated == present.updated


@pytest.mark.parametrize(
    ("condition", "overview", "rests"),
    [
        (Condition.WAITING, "o", True),
        (Condition.DONE, "o", True),
        (Condition.WAITING, None, False),
        (Condition.RUNNING, "o", False),
    ],
)
def test_a_session_rests_when_a_worker_left_it_so(condition: Condition, overview: str | None, rests: bool) -> None:
    assert worn(condition=condition, overview_hash=overview).rests is rests


def test_a_record_without_a_time_leaves_the_time_of_the_last_one() -> None:
    assert apply(worn(), event("retried").but(at="")).updated == "u"


def test_nothing_was_spent_where_nothing_is_known() -> None:
    totals = Totals()
    totals.add(Usage(), 1.5)
    totals.add(Usage(input_tokens=2, cost_usd=0.0), 0.5)
    totals.add(Usage(output_tokens=3, cost_usd=0.25), 0.0)
    assert totals == Totals(0, 2.0, 2, 3, 0.25, 1)


@pytest.mark.parametrize(
    ("verdict", "condition", "summary"),
    [("approve", Condition.DONE, "p.md is approved"), ("changes", Condition.READY, "so far")],
)
def test_a_session_that_goes_up_to_its_plan_ends_with_the_approval(
    verdict: str, condition: Condition, summary: str
) -> None:
    short = created(SMALL.until("plan"))
    after = apply(worn(creation=short, phase="plan"), closed("plan_approval", verdict, "g3", comment="x"))
    assert (after.condition, after.phase, after.summary) == (condition, "plan", summary)


def test_a_record_that_cannot_act_is_named_with_its_time() -> None:
    record = ended(7, "work", {"kind": "wait", "for": "human_action"}, signal={"status": "never"})
    with pytest.raises(SessionError) as error:
        apply(worn(), record)
    assert str(error.value) == (
        f"the journal's record of type 'ended' at {record.at} cannot be understood ({error.value.__cause__!r}); "
        "put back a good copy of the file, nothing was changed"
    )
    assert isinstance(error.value.__cause__, ValueError)
