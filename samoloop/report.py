"""`_report.md`: one page that a person audits in a minute, written at the end and whenever a human is needed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.durations import format_seconds
from samoloop.files import write_atomic
from samoloop.journal import Event
from samoloop.session import REPORT, Session
from samoloop.state import Condition, State, Totals
from samoloop.worker import Worker

_TAIL_BYTES = 1500
_COMMITS_SHOWN = 40


def write_report(worker: Worker) -> None:
    """Write the report of the session as it stands."""
    base, head = worker.state.created.get("base"), None
    diff_stat = ""
    if worker.config.commit and worker.state.prepared:
        worktree = worker.worktree
        head = worktree.state().head
        base = base or worker.state.prepared.get("head")
        diff_stat = worktree.diff_stat(base, head) if base and head and base != head else ""
    text = render(worker.session, list(worker.session.journal.read()), diff_stat)
    write_atomic(worker.session.dir / REPORT, text)


def render(session: Session, events: Sequence[Event], diff_stat: str = "") -> str:
    """The report's text."""
    state = session.state()
    ended = [event for event in events if event["event"] == "ended"]
    sections = [
        f"# {session.task}\n\n{_headline(state)}",
        _summary(session, state),
        _section("What a person can do now", _next_steps(session.name, state)),
        _section("Phases", _phase_table(ended)),
        _section("Gates", _gates(events)),
        _section("Commits", _commits(ended, diff_stat)),
        _section("Worth a look", _notes(events)),
        _section("Last evidence", _evidence(session, ended)) if state.condition is not Condition.DONE else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _headline(state: State) -> str:
    reason = f": {state.reason}" if state.reason else ""
    headlines = {
        Condition.DONE: "**Done.**",
        Condition.BLOCKED: f"**Blocked** in {state.phase}{reason}" + (f" (needs {state.needs})" if state.needs else ""),
        Condition.FAILED: f"**Failed** in {state.phase}{reason}",
        Condition.STOPPED: f"**Stopped** in {state.phase}{reason}",
        Condition.WAITING: f"**Waiting** in {state.phase}{reason}",
    }
    return headlines.get(state.condition, f"**{state.condition.capitalize()}** in {state.phase}{reason}")


def _summary(session: Session, state: State) -> str:
    totals = state.totals
    lines = [
        state.summary,
        f"- Session: `{session.dir}`",
        f"- Branch: `{session.branch}`, worktree `{session.worktree}`",
        f"- Spent: {totals.iterations} iterations, {format_seconds(totals.seconds)} of work, "
        f"{money(totals)}, {tokens(totals)}",
    ]
    return "\n".join([lines[0], "", *lines[1:]] if lines[0] else lines[1:])


def money(totals: Totals) -> str:
    """Cost as known: an unknown part is said, never counted as nothing."""
    if not totals.unpriced:
        return f"{totals.cost_usd:.2f} USD"
    known = f"{totals.cost_usd:.2f} USD and " if totals.cost_usd else "cost "
    return f"{known}unknown for {totals.unpriced} iteration{'s' if totals.unpriced > 1 else ''}"


def tokens(totals: Totals) -> str:
    return f"{totals.input_tokens:,} tokens in, {totals.output_tokens:,} out"


def _next_steps(name: str, state: State) -> str:
    commands: list[tuple[str, str]] = []
    if state.gate:
        commands += {
            "qa_answers": [
                (f"samoloop questions {name}", "read the questions"),
                (f"samoloop answer {name} Q1=A", "answer"),
            ],
            "plan_approval": [
                (f"samoloop approve {name}", "approve the plan"),
                (f'samoloop changes {name} -m "..."', "ask for changes"),
                (f"samoloop reject {name}", "reject it and stop"),
            ],
            "human_action": [(f"samoloop answer {name} done", "say that it is done")],
            "file_update": [(f"edit {state.gate.file}", "change the file")],
        }[state.gate.kind]
    elif state.condition is Condition.DONE:
        commands += [
            (f"git merge {state.created.get('branch')}", "take the work over, after a look"),
            (f"samoloop archive {name}", "remove the worktree"),
        ]
    elif state.condition in (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED, Condition.WAITING):
        commands += [
            (f'samoloop resume {name} -m "..."', "go on, with a word of guidance for the next child"),
            (
                f"samoloop rewind {name} {max(state.iteration - 1, 0)}",
                "go back to before the last iteration, then resume",
            ),
            (f"samoloop fork {name} {max(state.iteration - 1, 0)} --session NEW", "try another way beside this one"),
            (f"samoloop stop {name}", "leave it as it is"),
        ]
    width = max((len(command) for command, _ in commands), default=0)
    return (
        "```\n" + "\n".join(f"{command:<{width}}  # {what}" for command, what in commands) + "\n```" if commands else ""
    )


def _phase_table(ended: Sequence[Event]) -> str:
    rows: dict[str, Totals] = {}
    providers: dict[str, set[str]] = {}
    for event in ended:
        row = rows.setdefault(event["phase"], Totals())
        row.iterations += 1
        row.add(event.get("usage") or {}, event["outcome"]["seconds"])
        providers.setdefault(event["phase"], set()).add(event["provider"])
    lines = ["| phase | iterations | time | cost | by |", "|---|---|---|---|---|"]
    for phase, row in rows.items():
        by = ", ".join(sorted(providers[phase]))
        lines.append(f"| {phase} | {row.iterations} | {format_seconds(row.seconds)} | {money(row)} | {by} |")
    return "\n".join(lines) if rows else ""


def _gates(events: Sequence[Event]) -> str:
    lines = []
    for event in events:
        if event["event"] == "gate_closed":
            what = {"qa_answers": "questions", "plan_approval": f"plan {event.get('file')}"}.get(
                event["kind"], event["kind"]
            )
            bound = f", text {event['sha256'][:12]}" if event.get("sha256") and event["verdict"] == "approve" else ""
            comment = f": {event['comment']}" if event.get("comment") else ""
            lines.append(
                f"- {event['at'][:16].replace('T', ' ')} {what}: {event['verdict']} by {event['by']}{bound}{comment}"
            )
            lines += [
                f"  - {id} {given['title']}: {given['answer']}" for id, given in (event.get("answers") or {}).items()
            ]
        elif event["event"] == "gate_void":
            lines.append(f"- {event['at'][:16].replace('T', ' ')} {event['why']}")
        elif event["event"] == "moved":
            lines.append(
                f"- {event['at'][:16].replace('T', ' ')} moved from {event['from']} to {event['to']} by {event['by']}"
            )
    return "\n".join(lines)


def _commits(ended: Sequence[Event], diff_stat: str) -> str:
    commits = [pair for event in ended for pair in event.get("commits") or []]
    lines = [f"- `{oid[:10]}` {subject}" for oid, subject in commits[-_COMMITS_SHOWN:]]
    if len(commits) > _COMMITS_SHOWN:
        lines.insert(0, f"- … and {len(commits) - _COMMITS_SHOWN} earlier ones")
    if diff_stat.strip():
        lines.append(f"\n```\n{diff_stat.strip()}\n```")
    return "\n".join(lines)


def _notes(events: Sequence[Event]) -> str:
    """What went otherwise than it should, iteration by iteration."""
    lines = []
    for event in events:
        if event["event"] == "ended":
            where = f"- iteration {event['iteration']} ({event['phase']}): "
            lines += [where + sentence for sentence in _oddities(event)]
        elif event["event"] == "interrupted":
            lines.append(f"- iteration {event['iteration']}: interrupted, {event['why']}")
        elif event["event"] == "rewound":
            lines.append(f"- rewound to iteration {event.get('to')}; what was left is {event.get('left', '')[:12]}")
    return "\n".join(lines)


def _oddities(event: Mapping[str, Any]) -> list[str]:
    outcome = event["outcome"]
    found = []
    if event.get("bad_signal"):
        found.append(f"bad signal: {event['bad_signal']}")
    if outcome.get("failure"):
        found.append(f"the CLI reported {outcome['failure']['trouble']}: {outcome['failure']['message']}")
    found += [f"permission denied: {denied}" for denied in outcome.get("denied", [])]
    if outcome["ended_by"] not in ("exit", "grace"):
        found.append(f"ended by the {outcome['ended_by']} limit after {format_seconds(outcome['seconds'])}")
    elif outcome["ended_by"] == "exit" and outcome["exit_code"] not in (0, None):
        found.append(f"exit code {outcome['exit_code']}")
    if event.get("swept"):
        found.append(f"{event['swept']} processes that it left behind were ended")
    if event.get("left"):
        found.append(f"processes that could not be ended: {', '.join(map(str, event['left']))}")
    if not event.get("usage_complete", True):
        found.append("its output was too fast to follow, so tokens and cost may be incomplete")
    return found + list(event.get("notes") or [])


def _evidence(session: Session, ended: Sequence[Event]) -> str:
    if not ended:
        return ""
    last = ended[-1]
    stem = session.stem(last["iteration"], last["phase"], last["attempt"])
    parts = []
    if last.get("said"):
        parts.append(f"The last child said:\n\n```\n{last['said'].strip()}\n```")
    errors = tail(stem.with_name(stem.name + ".err"), _TAIL_BYTES)
    if errors:
        parts.append(f"Its standard error ends:\n\n```\n{errors}\n```")
    parts.append(f"Everything it wrote: `{stem}.jsonl`, what it was told: `{stem}.prompt.md`")
    return "\n\n".join(parts)


def tail(path: Path, limit_bytes: int) -> str:
    """The end of a log, as text; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - limit_bytes, 0))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""
