"""Where a session stands, as data: what `status` and `list` show, and what they give as JSON."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from samoloop.base import proc
from samoloop.base.errors import sentence
from samoloop.base.files import small_text, tail
from samoloop.base.locks import is_held
from samoloop.core import gates
from samoloop.core.control import CHILD_LOCK, LOCK
from samoloop.core.decision import Condition
from samoloop.core.headline import CONCLUDED, headline
from samoloop.core.next_steps import outlook
from samoloop.core.records import Ended, timestamp
from samoloop.core.session import REPORT, Session
from samoloop.core.state import State

_RECENT_BYTES = 1 << 16
_RECENT = 3


def at_work(session: Session) -> bool:
    """Whether a worker or a child of the session is alive."""
    return is_held(session.control / LOCK) or is_held(session.control / CHILD_LOCK)


def standing(session: Session) -> dict[str, Any]:
    """All that is known of a session. The keys stay; more may come.

    session, title, folder, workflow, branch, base, worktree (paths as text)
    condition     new, ready, running, waiting, limited, blocked, failed, stopped, done
    phase, iteration, attempt, phase_iteration, phase_limit
    reason, needs, summary
    headline      how it ended, with who checked what; empty where it is not done
    waits_for     what the open gate waits for, in words; empty where it waits for nobody
    decided       how a person decided the open gate, in words, until a worker acts on it; else empty
    gate          null, or id, kind, phase, iteration, file, sha256, questions (ids), answer_in (a path), reason, reads
                  (the path of a document to be read first, or null)
    not_before    null, or the time (ISO 8601) at which it goes on by itself
    next          what a person can do: a list of command, what
    worker        alive, pid (null when none), suspended (by Ctrl-Z)
    child         alive, pid, provider, model, since
    created, updated   ISO 8601
    totals        iterations, seconds, input_tokens, output_tokens, cost_usd (the known part, in money),
                  virtual_usd (what a subscription covers), unpriced (children whose cost in money is unknown)
    last          the last iterations, newest last: their `ended` records
    report        null, or its path
    """
    state, created = session.state(), session.state().created
    worker = _worker(session)
    child = _child(session, state)
    ahead = outlook(session, at_work=worker["alive"])
    return {
        "session": session.name,
        "title": session.task,
        "folder": str(session.dir),
        "workflow": state.live_workflow.name,
        "branch": session.branch,
        "base": created.base,
        "worktree": str(session.worktree),
        "condition": str(state.condition),
        "phase": state.phase,
        "iteration": state.iteration,
        "attempt": state.attempt,
        "phase_iteration": state.phase_iterations,
        "phase_limit": state.live_workflow.phase(state.phase).max_iterations,
        "reason": state.reason,
        "needs": state.needs,
        "summary": state.summary,
        "headline": _headline(session, state),
        "waits_for": ahead.waits_for,
        "decided": ahead.decided,
        "gate": _gate(session, state),
        "not_before": _iso(state.not_before),
        "next": [asdict(step) for step in ahead.steps],
        "worker": worker,
        "child": child,
        "created": created.at,
        "updated": state.updated,
        "totals": asdict(state.totals),
        "last": [record.to_json() for record in recent(session)],
        "report": str(session.dir / REPORT) if (session.dir / REPORT).is_file() else None,
    }


def row(session: Session) -> dict[str, Any]:
    """The short form for `list`; a damaged session has `condition` "damaged" and the `reason`.

    Keys: session, title, folder, condition, phase, iteration, created, updated, cost_usd, virtual_usd, unpriced,
    waits_for, decided, not_before, worker_alive, worker_suspended, child_alive, reason, headline.
    """
    try:
        state = session.state()
        worker = _worker(session)
        ahead = outlook(session, at_work=worker["alive"])
    except Exception as error:
        known = {"session": session.name, "folder": str(session.dir), "condition": "damaged", "reason": sentence(error)}
        return known | {"title": "", "phase": "", "iteration": 0, "created": None, "updated": None} | _NOTHING
    return {
        "session": session.name,
        "title": session.task,
        "folder": str(session.dir),
        "condition": str(state.condition),
        "phase": state.phase,
        "iteration": state.iteration,
        "created": state.created.at,
        "updated": state.updated,
        "cost_usd": state.totals.cost_usd,
        "virtual_usd": state.totals.virtual_usd,
        "unpriced": state.totals.unpriced,
        "waits_for": ahead.waits_for,
        "decided": ahead.decided,
        "not_before": _iso(state.not_before),
        "worker_alive": worker["alive"],
        "worker_suspended": worker["suspended"],
        "child_alive": is_held(session.control / CHILD_LOCK),
        "reason": state.reason,
        "headline": _headline(session, state),
    }


_NOTHING: dict[str, Any] = {
    "cost_usd": 0.0,
    "virtual_usd": 0.0,
    "unpriced": 0,
    "waits_for": "",
    "decided": "",
    "not_before": None,
    "worker_alive": False,
    "worker_suspended": False,
    "child_alive": False,
    "headline": "",
}


def recent(session: Session) -> list[Ended]:
    """The last few `ended` records, read from the journal's end alone."""
    found = (Ended.from_json(value) for value in _newest(session, "ended"))
    return list(islice(found, _RECENT))[::-1]


def _headline(session: Session, state: State) -> str:
    """How it ended, from the journal's end alone."""
    return headline(next(_newest(session, CONCLUDED), {})) if state.condition is Condition.DONE else ""


def _newest(session: Session, event: str) -> Iterator[dict[str, Any]]:
    """The last records of a type as JSON, the newest first."""
    for line in reversed(tail(session.journal.path, _RECENT_BYTES).split("\n")):
        if f'"event":"{event}"' in line:
            with suppress(ValueError):  # the first line read may be the end of one
                value = json.loads(line)
                if value.get("event") == event:
                    yield value


def _worker(session: Session) -> dict[str, Any]:
    alive = is_held(session.control / LOCK)
    pid = _number(session.control / LOCK) if alive else None
    return {"alive": alive, "pid": pid, "suspended": pid is not None and proc.stat(pid)[:1] == ["T"]}


def _child(session: Session, state: State) -> dict[str, Any]:
    """The child at work. Its lock counts, not the journal: it may outlive its worker, or have died with it."""
    alive = is_held(session.control / CHILD_LOCK)
    started = state.open if alive else None
    return {
        "alive": alive,
        "pid": _number(session.logs / f"{Path(started.stem).name}.pid") if started else None,
        "provider": started.provider if started else None,
        "model": started.model if started else None,
        "since": started.at if started else None,
    }


def _gate(session: Session, state: State) -> dict[str, Any] | None:
    gate = state.gate
    if gate is None:
        return None
    known = ("id", "kind", "phase", "iteration", "file", "sha256", "reason")
    fields = {key: getattr(gate, key) for key in known}
    reads = [str(path) for path in gates.to_read(gate, session.dir)]
    path = gates.answer_in(gate, session.dir, session.worktree)
    more = {"questions": list(gate.questions), "answer_in": str(path), "reads": reads[0] if reads else None}
    return {**fields, **more}


def _iso(epoch: float | None) -> str | None:
    return timestamp(datetime.fromtimestamp(epoch).astimezone()) if epoch is not None else None


def _number(path: Path) -> int | None:
    try:
        return int(small_text(path).strip())
    except ValueError:
        return None
