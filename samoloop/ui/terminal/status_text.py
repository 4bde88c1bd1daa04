"""What `status` and `list` print for people, made from the same data that they give as JSON."""

from collections.abc import Mapping, Sequence
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


def _tone(condition: str) -> str:
    return words.CONDITIONS[Condition(condition)].tone if condition in set(Condition) else Tone.BAD  # damaged


def status_lines(standing: Mapping[str, Any], now: datetime) -> list[Tinted]:
    """The whole of `status`."""
    epoch = now.timestamp()
    lines: list[Tinted] = [
        (one_line(f"{standing['session']}: {standing['title']}"), "strong"),
        (f"  {_where(standing)}", _tone(standing["condition"])),
    ]
    if standing["waits_for"]:
        lines.append((f"  waits for {one_line(standing['waits_for'])}", "warn"))
    elif standing["decided"]:
        lines.append((f"  {one_line(standing['decided'])}", "good"))
    elif standing["reason"]:
        lines.append((f"  {one_line(standing['reason'])}", "plain"))
    if standing["not_before"]:
        lines.append((f"  {resumes(moment(standing['not_before']).timestamp(), epoch)}", "warn"))
    if standing["headline"]:
        lines.append((f"  {one_line(standing['headline'])}", "strong"))
    if standing["summary"]:
        lines.append((f"  {one_line(standing['summary'])}", "plain"))
    for name, value in _facts(standing, now):
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


def table(rows: Sequence[Mapping[str, Any]], now: datetime, width: int | None) -> list[Tinted]:
    """The whole of `list`: a head line and one line a session, cut to `width` columns."""
    head = ("SESSION", "STANDS", "ITERATION", "LAST", "COST", "")
    cells = [head, *(_cells(row, now) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    tones = ["dim", *(_tone(row["condition"]) for row in rows)]
    lines = []
    for line, tone in zip(cells, tones, strict=True):
        text = "  ".join(f"{cell:<{columns}}" for cell, columns in zip(line, widths, strict=True)).rstrip()
        lines.append((text if width is None or len(text) <= width else text[: width - 1] + "…", tone))
    return lines


def _cells(row: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    word = _word(row, row["worker_alive"] or row["child_alive"], row["worker_suspended"])
    stands = word if word in ("done", "damaged") else f"{word} {row['phase']}"
    last = age(moment(row["updated"]), now) if row["updated"] else ""
    waits = f"waits for {row['waits_for']}" if row["waits_for"] else row["decided"] or row["reason"] or row["headline"]
    if row["not_before"]:
        waits = f"{resumes(moment(row['not_before']).timestamp(), now.timestamp())}: {waits}"
    elif row["condition"] in ("running", "ready") and not row["worker_alive"]:
        waits = "no worker is running"
    elif row["worker_suspended"]:
        waits = "its worker is suspended; in its terminal: fg"
    cost = spending(row["cost_usd"], row["virtual_usd"], row["unpriced"]) if row["iteration"] else ""
    return one_line(row["session"]), one_line(stands), str(row["iteration"] or ""), last, cost, one_line(waits)


def _word(data: Mapping[str, Any], alive: bool, suspended: bool) -> str:
    """The condition in a word: what was running when its worker was killed is not running."""
    if data["condition"] == "running":
        return "suspended" if suspended else "running" if alive else "interrupted"
    return str(data["condition"])


def _where(standing: Mapping[str, Any]) -> str:
    worker, child = standing["worker"], standing["child"]
    word = _word(standing, worker["alive"] or child["alive"], worker["suspended"])
    phase, number = standing["phase"], standing["iteration"]
    if standing["condition"] == "done":
        return f"done, after {_iterations(number)}"
    if not number:
        return f"{word}, before {phase}"
    attempt = f", attempt {standing['attempt']}" if standing["attempt"] > 1 else ""
    count = f"{standing['phase_iteration']} of at most {standing['phase_limit']} in this phase"
    needs = f", needs {standing['needs']}" if standing["needs"] else ""
    return f"{word} in {phase}{needs}; iteration {number}{attempt} ({count})"


def _facts(standing: Mapping[str, Any], now: datetime) -> list[tuple[str, str]]:
    worker, child, totals = standing["worker"], standing["child"], standing["totals"]
    suspended = ", suspended: in its terminal, fg lets it go on" if worker["suspended"] else ""
    facts = [("worker", f"process {worker['pid']}{suspended}" if worker["alive"] else "none is running")]
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
    money = spending(*sums) if totals["iterations"] else ""
    facts += [
        ("spent", ", ".join(word for word in (spent, money, tokens) if word)),
        ("changed", f"{age(moment(standing['updated']), now)} ago"),
        ("branch", standing["branch"]),
        ("worktree", standing["worktree"]),
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
