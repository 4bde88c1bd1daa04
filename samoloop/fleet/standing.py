"""How the fleet stands, as data: what `fleet status` shows, and what it gives as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from samoloop.fleet.rows import MachineRow, SessionRow, is_alive, nobody_serves

_ORDER = ("waiting", "blocked", "failed", "stopped")  # who needs a person comes first


def standing(machines: Sequence[MachineRow], sessions: Sequence[SessionRow], lease_seconds: float) -> dict[str, Any]:
    """machines: name, host, version, providers, tags, slots, running, draining, alive, seconds (since heard of)
    sessions: session, project, title, machine, phase, iteration, condition, reason, provider, tags, at_work, due_in
              (seconds, null where only a person can act), unserved (what no live machine has; empty where one has it)
    """
    return {
        "machines": [_machine(one, lease_seconds) for one in machines],
        "sessions": [_session(one, machines, lease_seconds) for one in sorted(sessions, key=_rank)],
    }


def _rank(row: SessionRow) -> tuple[int, float]:
    return _ORDER.index(row.condition) if row.condition in _ORDER and not row.at_work else len(_ORDER), row.seconds


def _machine(one: MachineRow, lease_seconds: float) -> dict[str, Any]:
    found = asdict(one) | {"alive": is_alive(one, lease_seconds)}
    found["tags"] = [tag for tag in one.tags if not tag.startswith("@")]
    del found["id"], found["format"], found["projects"], found["phone"]
    return found


def _session(row: SessionRow, machines: Sequence[MachineRow], lease_seconds: float) -> dict[str, Any]:
    found = asdict(row) | {"session": row.name, "unserved": ""}
    if nobody_serves(row, machines, lease_seconds):
        live = [one for one in machines if is_alive(one, lease_seconds) and not one.draining]
        found["unserved"] = missing(row, live)
    for name in ("name", "parcel", "number", "format", "wish", "told"):
        del found[name]
    return found


def missing(row: SessionRow, live: Sequence[MachineRow]) -> str:
    """What a session needs that no live machine has, in words; where each has a part of it, all of it."""
    if not live:
        return "no machine is at work; on one: samoloop fleet work"
    if not any(row.project in one.projects for one in live):
        return "none serves its project; in a clone of it: samoloop fleet work"
    if not any(row.format <= one.format for one in live):
        return "all have an older samoloop: update one"
    lacks = [row.provider] if not any(row.provider in one.providers for one in live) else []
    lacks += [tag for tag in row.tags if not any(tag in one.tags for one in live)]
    return f"none has {' and '.join(lacks or [row.provider, *row.tags])}"
