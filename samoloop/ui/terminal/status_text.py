"""What `status` prints for people, made from the same data that it gives as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from samoloop.base.durations import format_seconds
from samoloop.base.printable import one_line
from samoloop.core import words
from samoloop.core.decision import Condition
from samoloop.core.records import Ended, moment
from samoloop.core.words import Tone
from samoloop.ui.terminal.endings import ended_line, iteration_label, oddities, tokens_so_far
from samoloop.ui.terminal.words import age, resumes, spending

Tinted = tuple[str, str]  # text, and its tone: strong, dim, good, warn, bad, plain


def tone(condition: str) -> str:
    """The tone of a condition."""
    return words.CONDITIONS[Condition(condition)].tone if condition in set(Condition) else Tone.BAD  # damaged


def status_lines(standing: Mapping[str, Any], now: datetime) -> list[Tinted]:
    """The whole of `status`."""
    epoch = now.timestamp()
    lines: list[Tinted] = [
        (one_line(f"{standing['session']}: {standing['title']}"), "strong"),
        (f"  {where(standing)}", tone(standing["condition"])),
    ]
    if standing["waits_for"]:
        lines.append((f"  waits for {one_line(standing['waits_for'])}", "warn"))
    elif standing["decided"]:
        seen = "" if standing["worker"]["alive"] else "; no worker has taken it up yet"
        lines.append((f"  {one_line(standing['decided'])}{seen}", "good"))
    elif standing["reason"]:
        lines.append((f"  {one_line(standing['reason'])}", "plain"))
    if standing["not_before"]:
        lines.append((f"  {resumes(moment(standing['not_before']).timestamp(), epoch)}", "warn"))
    if standing["headline"]:
        lines.append((f"  {one_line(standing['headline'])}", "strong"))
    if standing["summary"]:
        lines.append((f"  {one_line(standing['summary'])}", "plain"))
    for line in standing["finish"]["lines"] if standing["finish"] else ():
        lines.append((f"  {one_line(line)}", "warn" if line.startswith("Not finished") else "plain"))
    if standing["phone"]:
        lines.append((f"  {one_line(standing['phone'])}", "warn"))
    for name, value in facts(standing, now):
        lines.append((f"  {name:<9} {one_line(value)}", "plain"))
    if standing["last"]:
        lines += [("", "plain"), ("  last iterations", "dim")]
        last = [Ended.from_json(value) for value in standing["last"]]
        width = max(len(iteration_label(record)) for record in last)
        for record in last:
            lines.append((f"    {ended_line(record, epoch, width)}", "plain"))
            lines += [(f"      {sentence}", "warn") for sentence in oddities(record)]
    if standing["next"]:
        width = max(len(one_line(step["command"])) for step in standing["next"])
        lines += [("", "plain"), ("  what you can do", "dim")]
        lines += [
            (f"    {one_line(step['command']):<{width}}  # {one_line(step['what'])}", "plain")
            for step in standing["next"]
        ]
    return lines


def word(data: Mapping[str, Any], alive: bool, suspended: bool) -> str:
    """The condition in a word: what was running when its worker was killed is not running."""
    if data["condition"] == "running":
        return "suspended" if suspended else "running" if alive else "interrupted"
    return str(data["condition"])


def where(standing: Mapping[str, Any]) -> str:
    """How far it is, in half a sentence."""
    worker, child = standing["worker"], standing["child"]
    stands = word(standing, worker["alive"] or child["alive"], worker["suspended"])
    phase, number = standing["phase"], standing["iteration"]
    if standing["condition"] == "done":
        return f"done, after {_iterations(number)}"
    if not number:
        return f"{stands}, before {phase}"
    attempt = f", attempt {standing['attempt']}" if standing["attempt"] > 1 else ""
    count = f"{standing['phase_iteration']} of at most {standing['phase_limit']} in this phase"
    needs = f", needs {standing['needs']}" if standing["needs"] else ""
    return f"{stands} in {phase}{needs}; iteration {number}{attempt} ({count})"


def facts(standing: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    """What else is known of it, by name: who works on it, what was spent, where it lies."""
    worker, child, totals = standing["worker"], standing["child"], standing["totals"]
    suspended = ", suspended: in its terminal, fg lets it go on" if worker["suspended"] else ""
    facts = [("machine", f"{standing['machine']}, of the fleet")] if standing["machine"] else []
    if worker["alive"] or not facts:
        facts.append(("worker", f"process {worker['pid']}{suspended}" if worker["alive"] else "none is running"))
    if child["alive"]:
        who = " ".join(word for word in (child["provider"], child["model"]) if word) or "of an earlier iteration"
        since = f", for {format_seconds((now - moment(child['since'])).total_seconds())}" if child["since"] else ""
        process = f", process {child['pid']}" if child["pid"] else ""
        facts.append(("child", f"{who}{process}{since}"))
    ended = totals["iterations"] - (standing["condition"] == "running")  # the one that runs is not spent yet
    spent = f"{_iterations(ended)}, {format_seconds(totals['seconds'])} of work"
    known = (totals["input_tokens"], totals["output_tokens"])
    tokens = tokens_so_far(*known) if any(known) else ""
    sums = totals["cost_usd"], totals["virtual_usd"], totals["unpriced"]
    cost = spending(*sums) if totals["iterations"] else ""
    facts += [
        ("spent", ", ".join(part for part in (spent, cost, tokens) if part)),
        ("changed", f"{age(moment(standing['updated']), now)} ago"),
        ("branch", standing["branch"]),
        ("worktree", standing["worktree"] or "none: it was archived"),
        ("folder", standing["folder"]),
    ]
    if standing["gate"] and standing["gate"]["reads"]:
        facts.append(("plan", standing["gate"]["reads"]))
    if standing["gate"]:
        facts.append(("answer in", standing["gate"]["answer_in"]))
    if standing["report"]:
        facts.append(("report", standing["report"]))
    return facts


def _iterations(number: int) -> str:
    return f"{number} iteration" + ("" if number == 1 else "s")
