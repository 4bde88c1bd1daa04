"""How an iteration ended and what follows, in one line for a person: from its `ended` record."""

from collections.abc import Mapping
from typing import Any

from samoloop.base.durations import format_seconds
from samoloop.core.signals import GateKind
from samoloop.ui.terminal.words import clock_time, count, dollars, one_line

_LONGEST_LINE = 500
_SHOWN_DENIALS = 3
_WAITS: dict[str, str] = {
    GateKind.QA_ANSWERS: "waits for answers",
    GateKind.PLAN_APPROVAL: "waits for approval of the plan",
    GateKind.FILE_UPDATE: "waits for a file",
    GateKind.HUMAN_ACTION: "waits for you",
}


def iteration_label(record: Mapping[str, Any]) -> str:
    """`003 planning`, `003.2 planning` for a second attempt; of a `started` or `ended` record."""
    attempt = f".{record['attempt']}" if record.get("attempt", 1) > 1 else ""
    return f"{record['iteration']:03d}{attempt} {record['phase']}"


def ended_line(ended: Mapping[str, Any], now: float, width: int = 0) -> str:
    """How an iteration ended: `003 planning  12s  0.04 USD  → waits for approval`. `width` pads the label."""
    usage = ended.get("usage") or {}
    cost = dollars(usage.get("cost_usd"))
    if usage.get("cost_usd") is None and (tokens := tokens_so_far(usage)):
        cost = tokens
    seconds = format_seconds(ended["outcome"]["seconds"])
    return f"{one_line(iteration_label(ended)):<{width}}  {seconds:>7}  {cost}  → {one_line(follows(ended, now))}"


def follows(ended: Mapping[str, Any], now: float) -> str:
    """What follows from an iteration, as its `decision` says."""
    decision = ended["decision"]
    kind, phase, reason = decision["kind"], decision.get("phase") or ended["phase"], decision.get("reason") or ""
    later = decision.get("not_before")
    match kind:
        case "continue":
            return f"{phase} again" if phase == ended["phase"] else phase
        case "repair":
            return f"{phase} again, told: {reason}"
        case "retry" | "limited":
            when = f"again at {clock_time(later, now)}" if later and later > now else "again"
            return f"{when}: {reason}" if reason else when
        case "wait":
            words = _WAITS.get(decision.get("for") or "", "waits")
            return f"{words}: {reason}" if reason else words
        case "done":
            return f"done: {decision['summary']}" if decision.get("summary") else "done"
    return f"{kind}: {reason}" if reason else kind


def oddities(ended: Mapping[str, Any]) -> list[str]:
    """What a person should know of an iteration beside what follows from it: refused permissions, CLI errors."""
    outcome, decision = ended["outcome"], ended["decision"]
    denied = outcome.get("denied") or []
    found = [f"permission denied: {what}" for what in denied[:_SHOWN_DENIALS]]
    if len(denied) > _SHOWN_DENIALS:
        found.append(f"and {len(denied) - _SHOWN_DENIALS} more permissions denied")
    failure = outcome.get("failure")
    if failure and failure["message"] not in (decision.get("reason") or ""):
        found.append(f"the CLI reported {failure['trouble']}: {failure['message']}")
    if ended.get("left"):
        found.append(f"processes that could not be ended: {', '.join(map(str, ended['left']))}")
    return [one_line(sentence, _LONGEST_LINE) for sentence in found]


def tokens_so_far(usage: Mapping[str, Any]) -> str:
    """`12.3k in, 1.2k out`; empty where nothing is known."""
    known = [(usage.get("input_tokens"), "in"), (usage.get("output_tokens"), "out")]
    return ", ".join(f"{count(number)} {way}" for number, way in known if number is not None)
