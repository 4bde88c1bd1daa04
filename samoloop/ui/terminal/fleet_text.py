"""What `fleet status` prints for people: the machines, then the sessions, those first that need somebody."""

from collections.abc import Mapping, Sequence
from typing import Any

from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line
from samoloop.fleet.rows import ARCHIVED
from samoloop.ui.terminal.status_text import Tinted, tone

_NAME = 22  # columns of a name


def fleet_lines(found: Mapping[str, Any]) -> list[Tinted]:
    """All of it, made from what `fleet status --json` gives."""
    machines, sessions = found["machines"], found["sessions"]
    lines: list[Tinted] = [("MACHINES", "dim")]
    lines += [_machine(one) for one in machines] or [("  none; on each machine: samoloop fleet work", "warn")]
    lines += [("", "plain"), ("SESSIONS", "dim")]
    shown = [one for one in sessions if one["condition"] != ARCHIVED]
    lines += [line for one in shown for line in _session(one)] or [
        ('  none; hand one in: samoloop run "TASK" --fleet', "plain")
    ]
    if away := len(sessions) - len(shown):
        lines.append((f"  {away} archived; what is kept of them goes with: samoloop clean", "dim"))
    return lines


def _machine(one: Mapping[str, Any]) -> Tinted:
    slots = f"{one['running']} of {one['slots']} at work"
    if not one["alive"]:
        return f"  {_name(one['name'])}  not heard of for {format_seconds(one['seconds'])}", "bad"
    serves = ", ".join([*one["providers"], *one["tags"]]) or "no CLI"
    drains = "takes nothing new, " if one["draining"] else ""
    return f"  {_name(one['name'])}  {slots}, {drains}{serves}", "warn" if one["draining"] else "plain"


def _session(one: Mapping[str, Any]) -> Sequence[Tinted]:
    where = f"on {one['machine']}" if one["at_work"] else f"last on {one['machine']}"
    head = f"  {_name(one['session'])}  {_stands(one)}, {where}, {one['phase']}, iteration {one['iteration']}"
    shade = "bad" if one["unserved"] else tone(one["condition"])
    lines = [(head, shade)]
    if one["unserved"]:
        lines.append((f"      waits for a machine that is not there: {one_line(one['unserved'])}", shade))
    elif one["reason"] and not one["at_work"]:
        lines.append((f"      {one_line(one['reason'], 300)}", shade))
    return lines


def _stands(one: Mapping[str, Any]) -> str:
    if one["at_work"]:
        return "at work"
    if one["due_in"] is None:
        return "waits for a person" if one["condition"] == "waiting" else str(one["condition"])
    return "waits for its turn" if one["due_in"] <= 0 else f"goes on in {format_seconds(one['due_in'])}"


def _name(name: str) -> str:
    name = one_line(name)
    return f"{name if len(name) <= _NAME else name[: _NAME - 1] + '…':<{_NAME}}"
