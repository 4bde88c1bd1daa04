"""`_report.md`: one page that a person audits in a minute, written at the end and whenever a human is needed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from samoloop.base.durations import format_seconds
from samoloop.base.files import tail, write_atomic
from samoloop.core.gates import Verdict
from samoloop.core.journal import Event
from samoloop.core.limits import EndedBy
from samoloop.core.next_steps import Step, next_steps
from samoloop.core.session import REPORT, Session
from samoloop.core.signals import GateKind
from samoloop.core.state import AT_REST, ENDED, Condition, State, Totals
from samoloop.worker.keeping import result
from samoloop.worker.worker import Worker

_TAIL_BYTES = 1500
_COMMITS_SHOWN = 40


def write_report(worker: Worker) -> None:
    """Write the report of the session as it stands."""
    text = render(worker.session, list(worker.session.journal.read()), *result(worker))
    write_atomic(worker.session.dir / REPORT, text)


def render(
    session: Session, events: Sequence[Event], commits: Sequence[tuple[str, str]] = (), diff_stat: str = ""
) -> str:
    """The report's text."""
    state = session.state()
    ended = [event for event in events if event["event"] == "ended"]
    sections = [
        f"# {_line(session.task)}\n\n{_headline(state)}",
        _summary(session, state),
        _section("What a person can do now", _next_steps(session.name, state)),
        _section("Phases", _phase_table(ended)),
        _section("Gates", _gates(events)),
        _section("Commits", _commits(commits, diff_stat)),
        _section("Worth a look", _notes(events)),
        _section("Last evidence", _evidence(session, ended)) if state.condition is not Condition.DONE else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _line(text: object) -> str:
    """A child's words in one line, so that they cannot pass for a part of the report."""
    return " ".join(str(text).split())


def _fenced(text: str) -> str:
    """A child's words as they are, in a fence that is longer than any in them."""
    ticks = max((len(run) for run in re.findall("`{3,}", text)), default=2) + 1
    return f"{'`' * ticks}\n{text.strip()}\n{'`' * ticks}"


def _headline(state: State) -> str:
    reason = f": {_line(state.reason)}" if state.reason else ""
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
    summary = "\n".join(f"> {line}".rstrip() for line in state.summary.splitlines())
    lines = [
        summary,
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
    steps = next_steps(name, state, at_work=False)
    if state.gate is None and state.condition in AT_REST - ENDED:
        steps = [*steps, Step(f"samoloop stop {name}", "or leave it: without a worker it stays as it is")]
    width = max((len(step.command) for step in steps), default=0)
    return _fenced("\n".join(f"{step.command:<{width}}  # {step.what}" for step in steps)) if steps else ""


def _phase_table(ended: Sequence[Event]) -> str:
    rows: dict[str, Totals] = {}
    providers: dict[str, set[str]] = {}
    for event in ended:
        row = rows.setdefault(event["phase"], Totals())
        row.iterations += 1
        row.add(event.get("usage") or {}, _outcome(event).get("seconds", 0.0))
        providers.setdefault(event["phase"], set()).add(event.get("provider") or "?")
    lines = ["| phase | iterations | time | cost | by |", "|---|---|---|---|---|"]
    for phase, row in rows.items():
        by = ", ".join(sorted(providers[phase]))
        lines.append(f"| {phase} | {row.iterations} | {format_seconds(row.seconds)} | {money(row)} | {by} |")
    return "\n".join(lines) if rows else ""


def _gates(events: Sequence[Event]) -> str:
    lines = []
    for event in events:
        when = f"- {event['at'][:16].replace('T', ' ')}"
        if event["event"] == "gate_closed":
            lines.append(f"{when} {_closed(event)}")
            answers = (event.get("answers") or {}).items()
            lines += [f"  - {id} {_line(given['title'])}: {_line(given['answer'])}" for id, given in answers]
        elif event["event"] == "gate_void":
            lines.append(f"{when} {_line(event['why'])}")
        elif event["event"] == "moved":
            lines.append(f"{when} moved from {event['from']} to {event['to']} by {event['by']}")
    return "\n".join(lines)


def _closed(event: Mapping[str, Any]) -> str:
    """What was decided, by whom, and about which text."""
    names = {GateKind.QA_ANSWERS: "questions", GateKind.PLAN_APPROVAL: f"plan {event.get('file')}"}
    what = names.get(event["kind"], event["kind"])
    bound = f", text {event['sha256'][:12]}" if event.get("sha256") and event["verdict"] == Verdict.APPROVE else ""
    comment = f": {_line(event['comment'])}" if event.get("comment") else ""
    return f"{what}: {event['verdict']} by {event['by']}{bound}{comment}"


def _commits(commits: Sequence[tuple[str, str]], diff_stat: str) -> str:
    lines = [f"- `{oid[:10]}` {_line(subject)}" for oid, subject in commits[-_COMMITS_SHOWN:]]
    if len(commits) > _COMMITS_SHOWN:
        lines.insert(0, f"- … and {len(commits) - _COMMITS_SHOWN} earlier ones")
    if diff_stat.strip():
        lines.append("\n" + _fenced(diff_stat))
    return "\n".join(lines)


def _notes(events: Sequence[Event]) -> str:
    """What went otherwise than it should, iteration by iteration; what stays so is said once."""
    lines: list[str] = []
    said: set[str] = set()
    for event in events:
        if event["event"] == "ended":
            where = f"- iteration {event['iteration']} ({event['phase']}): "
            lines += [where + _line(sentence) for sentence in _oddities(event) if sentence not in said]
            said.update(event.get("notes") or [])
        elif event["event"] == "interrupted":
            lines.append(f"- iteration {event['iteration']}: interrupted, {event.get('why') or event['note']}")
        elif event["event"] == "worktree_new":
            lines.append(f"- {_line(event['why'])}")
        elif event["event"] == "worktree_ready":
            lines += [f"- {_line(note)}" for note in event["notes"]]
        elif event["event"] == "rewound":
            lines.append(f"- rewound to iteration {event.get('to')}; what was left is {event.get('left', '')[:12]}")
    return "\n".join(lines)


def _outcome(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return event.get("outcome") or {}


def _oddities(event: Mapping[str, Any]) -> list[str]:
    outcome = _outcome(event)
    ended_by, seconds = outcome.get("ended_by", EndedBy.EXIT), outcome.get("seconds", 0.0)
    found = []
    if event.get("bad_signal"):
        found.append(f"bad signal: {event['bad_signal']}")
    if outcome.get("failure"):
        found.append(f"the CLI reported {outcome['failure']['trouble']}: {outcome['failure']['message']}")
    found += [f"permission denied: {denied}" for denied in outcome.get("denied", [])]
    if ended_by not in (EndedBy.EXIT, EndedBy.GRACE):
        found.append(f"ended by the {ended_by} limit after {format_seconds(seconds)}")
    elif ended_by == EndedBy.EXIT and outcome.get("exit_code") not in (0, None):
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
    stem = session.stem(last["iteration"], last["phase"], last.get("attempt", 1))
    parts = []
    if last.get("said"):
        parts.append(f"The last child said:\n\n{_fenced(last['said'])}")
    errors = tail(stem.with_name(stem.name + ".err"), _TAIL_BYTES)
    if errors:
        parts.append(f"Its standard error ends:\n\n{_fenced(errors)}")
    parts.append(f"Everything it wrote: `{stem}.jsonl`, what it was told: `{stem}.prompt.md`")
    return "\n\n".join(parts)
