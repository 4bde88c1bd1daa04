"""Where a session stands, as data: what `status` and `list` show, and what they give as JSON."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from samoloop.base import proc
from samoloop.base.errors import SamoloopError, sentence
from samoloop.base.files import small_text, tail
from samoloop.base.locks import is_held
from samoloop.base.places import state_folder
from samoloop.checks import items
from samoloop.core import gates
from samoloop.core.control import CHILD_LOCK, LOCK, OUTPUT, beside, fleets_mark
from samoloop.core.decision import Condition
from samoloop.core.finished import finished
from samoloop.core.headline import CONCLUDED, headline
from samoloop.core.next_steps import outlook
from samoloop.core.records import Archived, Ended, LimitShared, Noted, Rested, Rooted, Warned, timestamp
from samoloop.core.session import REPORT, Session
from samoloop.core.state import GOING_ON, State

_RECENT_BYTES = 1 << 16
_RECENT = 3
_LAST_BYTES = 1 << 12
_DONE_BYTES = 20_000
_LEAVE_DONE = frozenset({kind.event for kind in (Archived, LimitShared, Noted, Rested, Rooted, Warned)})
RAN = "checks.ran"  # by `checks.receipts`, whose imports a look need not pay


def at_work(session: Session) -> bool:
    """Whether a worker or a child of the session is alive."""
    return is_held(session.control / LOCK) or is_held(session.control / CHILD_LOCK)


def standing(session: Session) -> dict[str, Any]:
    """All that is known of a session. The keys stay; more may come.

    session, title, folder, workflow, branch, base, worktree (paths as text; no worktree of an archived one)
    condition     new, ready, running, waiting, limited, blocked, failed, stopped, done
    phase, iteration, attempt, phase_iteration, phase_limit
    reason, needs, summary
    headline      how it ended, with who checked what; empty where it is not done
    finish        null, or of a session that is done: pushed (the commit), pull_request (its address), draft, failed
                  (why the last try came to nothing), lines (the same in sentences)
    waits_for     what the open gate waits for, in words; empty where it waits for nobody
    decided       how a person decided the open gate, in words, until a worker acts on it; else empty
    gate          null, or id, kind, phase, iteration, file, sha256, questions (ids), answer_in (a path), reason, reads
                  (the path of a document to be read first, or null)
    not_before    null, or the time (ISO 8601) at which it goes on by itself
    next          what a person can do: a list of command, what
    worker        alive, pid (null when none), suspended (by Ctrl-Z)
    child         alive, pid, provider, model, since
    machine       of a session that several share, the one that worked on it last; else empty
    created, updated   ISO 8601
    totals        iterations, seconds, input_tokens, output_tokens, cost_usd (the known part, in money),
                  virtual_usd (what a subscription covers), unpriced (children whose cost in money is unknown)
    last          the last iterations, newest last: their `ended` records
    report        null, or its path
    phone         why nobody hears what is done on the phone, in words; empty where somebody does, or it has no phone
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
        "worktree": None if state.archived and not created.in_place else str(session.worktree),
        "condition": str(state.condition),
        "phase": state.phase,
        "iteration": state.iteration,
        "attempt": state.attempt,
        "phase_iteration": state.phase_iterations,
        "phase_limit": state.live_workflow.phase(state.phase).max_iterations,
        "reason": state.reason,
        "needs": state.needs,
        "summary": state.summary,
        "headline": _headline(tail(session.journal.path, _RECENT_BYTES), state),
        "finish": finished(session.journal).to_json() if state.condition is Condition.DONE else None,
        "waits_for": ahead.waits_for,
        "decided": ahead.decided,
        "gate": _gate(session, state),
        "not_before": _iso(state.not_before),
        "next": [asdict(step) for step in ahead.steps],
        "worker": worker,
        "child": child,
        "machine": _machine(session),
        "created": created.at,
        "updated": state.updated,
        "totals": asdict(state.totals),
        "last": [record.to_json() for record in recent(session)],
        "report": str(session.dir / REPORT) if (session.dir / REPORT).is_file() else None,
        "phone": _deaf_phone(session, state),
    }


def _machine(session: Session) -> str:
    mark = fleets_mark(session.dir)
    return str(mark.get("paths") or mark.get("machine") or "")


def _deaf_phone(session: Session, state: State) -> str:
    if state.condition in (Condition.DONE, Condition.STOPPED) or not (state_folder(os.environ) / "telegram").is_dir():
        return ""
    from samoloop.api.phone import why_deaf  # most have none, and need not pay for it

    return why_deaf(session.dir, os.environ)


def row(session: Session) -> dict[str, Any]:
    """The short form for `list`; a damaged session has `condition` "damaged" and the `reason`.

    `since` is when it came to stand as it does: at work when its iteration began. `plan` is null, or how many items
    are ticked and how many there are; `evidence` what the last check came to; `last_tool` is empty here, `list` asks
    for it; `next` the likeliest command.

    Keys: session, title, folder, root, condition, phase, iteration, created, updated, since, cost_usd, virtual_usd,
    unpriced, waits_for, decided, not_before, worker_alive, worker_suspended, child_alive, machine, archived, needs_you,
    plan, evidence, last_tool, reason, headline, next.
    """
    try:
        state = session.state()
        worker = _worker(session)
        ahead = outlook(session, at_work=worker["alive"])
        end = tail(session.journal.path, _RECENT_BYTES)
    except Exception as error:
        known = {"session": session.name, "folder": str(session.dir), "condition": "damaged", "reason": sentence(error)}
        return known | _NOTHING
    since = state.open.at if state.open and state.condition is Condition.RUNNING else state.updated
    undecided = state.condition is Condition.WAITING and not ahead.decided
    return {
        "session": session.name,
        "title": session.task,
        "folder": str(session.dir),
        "root": str(state.created.root),
        "condition": str(state.condition),
        "phase": state.phase,
        "iteration": state.iteration,
        "created": state.created.at,
        "updated": state.updated,
        "since": since,
        "cost_usd": state.totals.cost_usd,
        "virtual_usd": state.totals.virtual_usd,
        "unpriced": state.totals.unpriced,
        "waits_for": ahead.waits_for,
        "decided": ahead.decided,
        "not_before": _iso(state.not_before),
        "worker_alive": worker["alive"],
        "worker_suspended": worker["suspended"],
        "child_alive": is_held(session.control / CHILD_LOCK),
        "machine": _machine(session),
        "archived": state.archived,
        "needs_you": undecided or state.condition in (Condition.BLOCKED, Condition.FAILED),
        "plan": None if state.condition is Condition.DONE else _plan(session),
        "evidence": _evidence(end),
        "last_tool": "",
        "reason": state.reason,
        "headline": _headline(end, state),
        "next": ahead.steps[0].command if ahead.steps else "",
    }


_NOTHING: dict[str, Any] = {
    "title": "",
    "root": "",
    "phase": "",
    "iteration": 0,
    "created": None,
    "updated": None,
    "since": None,
    "cost_usd": 0.0,
    "virtual_usd": 0.0,
    "unpriced": 0,
    "waits_for": "",
    "decided": "",
    "not_before": None,
    "worker_alive": False,
    "worker_suspended": False,
    "child_alive": False,
    "machine": "",
    "archived": False,
    "needs_you": True,
    "plan": None,
    "evidence": "",
    "last_tool": "",
    "headline": "",
    "next": "",
}


def is_put_away(session: Session) -> bool:
    """Whether it was archived last, told by the end of its journal alone: most sessions of a year were."""
    try:
        last = tail(session.journal.path, _LAST_BYTES).rstrip("\n").rpartition("\n")[2]
        return f'"event":"{Archived.event}"' in last and json.loads(last).get("event") == Archived.event
    except (SamoloopError, OSError, ValueError):
        return False


def is_done_by_its_end(session: Session) -> bool:
    """Whether it is done and rests, where the end of its journal alone tells; False leaves it to the fold."""
    rests = False
    for line in reversed(tail(session.journal.path, _DONE_BYTES).split("\n")):
        try:
            value = json.loads(line)
            event = value["event"]
            if event == Ended.event:
                return rests and bool(value["decision"]["kind"] == Condition.DONE)
        except (ValueError, TypeError, KeyError):
            return False
        if event not in _LEAVE_DONE and "." not in event:
            return False
        rests = rests or event == Rested.event
    return False


def ranked(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Who needs the person first, then what nobody goes on with, what is at work, and what is over.

    Those that wait the longest come first, and of what is over the newest.
    """
    groups: dict[Group, list[dict[str, Any]]] = {name: [] for name in Group}
    for row in sorted(rows, key=lambda row: (row["since"] or "", row["session"])):
        groups[group(row)].append(row)
    for name in (Group.OVER, Group.ARCHIVED):
        groups[name].reverse()
    return [row for found in groups.values() for row in found]


class Group(StrEnum):
    """Sessions that stand together, in the order of `list`."""

    YOU = "you"  # need a person
    READY = "ready"  # nobody goes on with them
    WORK = "work"  # here, or by the machines of a fleet
    LIMITED = "limited"  # their workers wait until a usage limit is over
    OVER = "over"
    ARCHIVED = "archived"


def group(row: Mapping[str, Any]) -> Group:
    """Where a session stands among others."""
    if row["archived"]:
        return Group.ARCHIVED
    if row["condition"] in ("done", "stopped"):
        return Group.OVER
    if row["needs_you"]:
        return Group.YOU
    if not row["machine"] and (not row["worker_alive"] or row["worker_suspended"]):
        return Group.READY
    return Group.LIMITED if row["condition"] == "limited" else Group.WORK


def is_at_work(row: Mapping[str, Any]) -> bool:
    """Whether somebody goes on with it: a worker here, or the machines of the fleet that has it."""
    return row["condition"] in GOING_ON and bool(row["worker_alive"] or row["machine"])


def last_tool(session: Session, environ: Mapping[str, str]) -> str:
    """What the child at work does, by the end of its log; empty where that does not tell. It reads the settings."""
    from samoloop.api.logs import reader_of  # with the settings, which only sessions at work need
    from samoloop.api.settings import settings_of
    from samoloop.core.outcome import Collector

    started = session.state().open
    if started is None:
        return ""
    stem = session.logs / Path(started.stem).name
    found = Collector()
    with suppress(Exception):  # it is a help, and no more
        reader = reader_of(session, started, stem, settings_of(session, environ, {}))
        for line in tail(beside(stem, OUTPUT), _RECENT_BYTES).split("\n"):
            found.take(reader.feed(line.encode()))
    return found.last_tool or found.last_text


def _plan(session: Session) -> list[int] | None:
    plan = session.plan()
    done, every = items.progress(gates.read_text(plan) or "") if plan else (0, 0)
    return [done, every] if every else None


def _evidence(end: str) -> str:
    """The last run of a check, in a sentence, from the journal's end."""
    said = next(_newest(end, RAN), {}).get("said")
    return said if isinstance(said, str) else ""


def recent(session: Session) -> list[Ended]:
    """The last few `ended` records, read from the journal's end alone."""
    found = (Ended.from_json(value) for value in _newest(tail(session.journal.path, _RECENT_BYTES), "ended"))
    return list(islice(found, _RECENT))[::-1]


def _headline(end: str, state: State) -> str:
    """How it ended, from the journal's end alone."""
    return headline(next(_newest(end, CONCLUDED), {})) if state.condition is Condition.DONE else ""


def _newest(end: str, event: str) -> Iterator[dict[str, Any]]:
    """The last records of a type as JSON, the newest first, in the end of a journal."""
    if f'"event":"{event}"' not in end:
        return
    for line in reversed(end.split("\n")):
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
