"""`_report.md`: one page that a person audits in a minute, written at the end and whenever a human is needed."""

import re
from collections.abc import Sequence
from pathlib import Path

from samoloop.base.durations import format_seconds
from samoloop.base.files import tail, write_atomic
from samoloop.base.printable import printable
from samoloop.core import gates, words
from samoloop.core.control import ERRORS, OUTPUT, PROMPT, beside
from samoloop.core.finished import finished
from samoloop.core.gates import Verdict
from samoloop.core.headline import concluded, headline
from samoloop.core.limits import EndedBy
from samoloop.core.next_steps import outlook
from samoloop.core.records import (
    Ended,
    GateClosed,
    GateVoid,
    Guided,
    Interrupted,
    Moved,
    Record,
    Rewound,
    RoomRecord,
    WorktreeNew,
    WorktreeReady,
    moment,
)
from samoloop.core.session import REPORT, Session
from samoloop.core.state import AT_REST, ENDED, Condition, State, Totals
from samoloop.core.words import Step
from samoloop.worker import costs, guidance, proofs
from samoloop.worker.documents import newest_documents
from samoloop.worker.keeping import result
from samoloop.worker.learned import proposed
from samoloop.worker.worker import Worker

FILLED = "backlog.filled"  # a room's record of tasks that came of an approved list
_TOLD = re.compile(r"-(?:summary|result)-")  # documents that tell the whole
_TAIL_BYTES = 1500
_COMMITS_SHOWN = 40
_FILES_SHOWN = 60
_WORDS_SHOWN = 2000  # characters of what a person told


def write_report(worker: Worker) -> None:
    """Write the report of the session as it stands, and with it what people said up to now."""
    guidance.keep(worker.session)
    text = render(worker.session, list(worker.session.journal.read()), *result(worker))
    write_atomic(worker.session.dir / REPORT, text)


def render(
    session: Session, records: Sequence[Record], commits: Sequence[tuple[str, str]] = (), diff_stat: str = ""
) -> str:
    """The report's text."""
    state = session.state()
    ended = [record for record in records if isinstance(record, Ended)]
    is_done = state.condition is Condition.DONE
    sections = [
        f"# {_line(session.task)}\n\n{_headline(state, records)}",
        _summary(session, state),
        _section("Where its branch went", "\n".join(f"- {line}" for line in finished(records).lines())),
        _section("In short, in the child's words", proofs.part(session, "In short")) if is_done else "",
        _section("What a person can do now", _next_steps(session)),
        _section("Evidence", proofs.evidence(records)),
        _section("Tests that were there and changed", proofs.changed_tests(records)) if is_done else "",
        _section("Known gaps, in the child's words", proofs.part(session, "Known gaps")) if is_done else "",
        _section("Proposed to be learned, in the child's words", _proposals(session, records)) if is_done else "",
        _section("Phases", _phase_table(ended)),
        _section("Phases that never ran", proofs.never_ran(state, ended)),
        _section("Gates", _gates(records, session.logs)),
        _section("Added to the backlog", _added(records)),
        _section("Documents", proofs.links(session)),
        _section("Commits", _commits(commits, diff_stat)),
        _section("Worth a look", _notes(records)),
        _section("Last evidence", _evidence(session, ended)) if not is_done else "",
        _section(
            "For a pull request", _fenced(asked) if (asked := proofs.pull_request(session, records, commits)) else ""
        ),
    ]
    return printable("\n\n".join(section for section in sections if section) + "\n")


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _line(text: object) -> str:
    """A child's words in one line, so that they cannot pass for a part of the report."""
    return " ".join(str(text).split())


def _fenced(text: str) -> str:
    """A child's words as they are, in a fence that is longer than any in them."""
    ticks = max((len(run) for run in re.findall("`{3,}", text)), default=2) + 1
    return f"{'`' * ticks}\n{text.strip(chr(10))}\n{'`' * ticks}"


def _headline(state: State, records: Sequence[Record]) -> str:
    if state.condition is Condition.DONE:
        return f"**{headline(concluded(records))}**"
    return words.CONDITIONS[state.condition].headline.format(
        condition=state.condition.capitalize(),
        phase=state.phase,
        why=f": {_line(state.reason)}" if state.reason else "",
        needs=f" (needs {state.needs})" if state.needs else "",
    )


def _summary(session: Session, state: State) -> str:
    totals = state.totals
    summary = "\n".join(f"> {line}".rstrip() for line in state.summary.splitlines())
    lines = [
        summary,
        f"- Session: `{session.dir}`",
        *(
            f"- In its own words, gaps included: `{name}`"
            for name in newest_documents(session.dir)
            if _TOLD.search(name)
        ),
        f"- Branch: `{session.branch}`, worktree `{session.worktree}`",
        f"- Spent: {totals.iterations} iterations, {format_seconds(totals.seconds)} of work, "
        f"{money(totals)}, {tokens(totals)}",
        f"- From {_local(state.created.at)} to {_local(state.updated)}",
    ]
    return "\n".join([lines[0], "", *lines[1:]] if lines[0] else lines[1:])


def _local(at: str) -> str:
    return f"{moment(at).astimezone():%Y-%m-%d %H:%M}" if at else "?"


def money(totals: Totals) -> str:
    """Cost as known: an unknown part is said, never counted as nothing; what a subscription covers stands apart."""
    virtual = f"{totals.virtual_usd:.2f} USD virtual (a subscription covers it)" if totals.virtual_usd else ""
    if totals.unpriced:
        known = f"{totals.cost_usd:.2f} USD and " if totals.cost_usd else "cost "
        money = f"{known}unknown for {totals.unpriced} iteration{'s' if totals.unpriced > 1 else ''}"
    else:
        money = f"{totals.cost_usd:.2f} USD" if totals.cost_usd or not virtual else ""
    return " and ".join(filter(None, [money, virtual]))


def tokens(totals: Totals) -> str:
    return f"{totals.input_tokens:,} tokens in, {totals.output_tokens:,} out"


def _next_steps(session: Session) -> str:
    steps, state = outlook(session, at_work=False).steps, session.state()
    if state.gate is None and state.condition in AT_REST - ENDED:
        steps = [*steps, Step(f"samoloop stop {session.name}", "or leave it: without a worker it stays as it is")]
    width = max((len(step.command) for step in steps), default=0)
    return _fenced("\n".join(f"{step.command:<{width}}  # {step.what}" for step in steps)) if steps else ""


def _added(records: Sequence[Record]) -> str:
    """The tasks that an approved list became."""
    found = [record.values for record in records if isinstance(record, RoomRecord) and record.name == FILLED]
    names = [_line(name) for values in found for name in values.get("names") or ()]
    lines = [f"- `{name}`" for name in dict.fromkeys(names)]
    return "\n".join([*lines, "\n`samoloop backlog` shows how they stand, `samoloop up` starts them"]) if lines else ""


def _proposals(session: Session, records: Sequence[Record]) -> str:
    """What a person may take over, by number."""
    found = proposed(records)
    lines = [f"{number}. {_line(one.line)} (evidence: {_line(one.evidence)})" for number, one in enumerate(found, 1)]
    lines += [f"\nWhat you take over, every session here is told: `samoloop learn {session.name}`"] if found else []
    return "\n".join(lines)


def _phase_table(ended: Sequence[Ended]) -> str:
    rows: dict[str, Totals] = {}
    providers: dict[str, set[str]] = {}
    for record in ended:
        row = rows.setdefault(record.phase, Totals())
        row.iterations += 1
        row.add(record.outcome.usage, record.outcome.seconds)
        providers.setdefault(record.phase, set()).add(record.provider or "?")
    lines = ["| phase | iterations | time | cost | by |", "|---|---|---|---|---|"]
    for phase, row in rows.items():
        by = ", ".join(sorted(providers[phase]))
        lines.append(f"| {phase} | {row.iterations} | {format_seconds(row.seconds)} | {money(row)} | {by} |")
    return "\n".join(lines) if rows else ""


def _gates(records: Sequence[Record], logs: Path) -> str:
    """What people decided, and what they told the children."""
    lines = []
    for record in records:
        when = f"- {_local(record.at)}" if record.at else "-"
        match record:
            case GateClosed():
                lines.append(f"{when} {_closed(record)}")
                for id, given in record.answers.items():
                    lines.append(f"  - {id} {_line(given.get('title', ''))}: {_start(_line(given.get('answer', '')))}")
            case Guided():
                told = "\n".join(gates.read_text(logs / name) or "" for name in record.inbox)
                lines.append(f"{when} guidance: {_start(_line(told))}")
            case GateVoid():
                lines.append(f"{when} {_line(record.why)}")
            case Moved():
                lines.append(f"{when} moved from {record.source} to {record.target} by {record.by}")
    return "\n".join(lines)


def _start(words: str) -> str:
    """A person's words, as far as a page bears them."""
    return words if len(words) <= _WORDS_SHOWN else f"{words[:_WORDS_SHOWN]}… (the whole: {guidance.FILE_NAME})"


def _closed(record: GateClosed) -> str:
    """What was decided, by whom, and about which text."""
    what = words.gate_name(record.kind, record.file)
    bound = f", text {record.sha256[:12]}" if record.sha256 and record.verdict is Verdict.APPROVE else ""
    comment = f": {_start(_line(record.comment))}" if record.comment else ""
    return f"{what}: {record.verdict} by {record.by}{bound}{comment}"


def _commits(commits: Sequence[tuple[str, str]], diff_stat: str) -> str:
    lines = [f"- `{oid[:10]}` {_line(subject)}" for oid, subject in commits[-_COMMITS_SHOWN:]]
    if len(commits) > _COMMITS_SHOWN:
        lines.insert(0, f"- … and {len(commits) - _COMMITS_SHOWN} earlier ones")
    if diff_stat.strip():
        lines.append("\n" + _fenced(_shortened(diff_stat)))
    return "\n".join(lines)


def _shortened(diff_stat: str) -> str:
    """The first rows, and the last one, which counts them all."""
    rows = diff_stat.strip("\n").split("\n")
    left = len(rows) - 1 - _FILES_SHOWN
    return "\n".join([*rows[:_FILES_SHOWN], f" … and {left} more files", rows[-1]]) if left > 1 else diff_stat


def _notes(records: Sequence[Record]) -> str:
    """What went otherwise than it should, iteration by iteration; what stays so is said once."""
    lines: list[str] = []
    said: set[str] = set()
    for record in records:
        match record:
            case Ended():
                where = f"- iteration {record.iteration} ({record.phase}): "
                lines += [where + _line(sentence) for sentence in _oddities(record) if sentence not in said]
                said.update(record.notes)
            case Interrupted():
                lines.append(f"- iteration {record.iteration}: interrupted, {record.why or record.note}")
            case WorktreeNew():
                lines.append(f"- {_line(record.why)}")
            case WorktreeReady():
                lines += [f"- {_line(note)}" for note in record.notes]
            case RoomRecord(name=costs.RECORD):
                lines.append(f"- {_line(record.values.get('why', ''))}")
            case Rewound(gate=gate) if gate:
                lines.append(f"- {_line(f'what was decided at gate {gate} was taken back by {record.by}')}")
            case Rewound():
                lines.append(f"- rewound to iteration {record.to}; what was left is {record.left[:12]}")
    return "\n".join(lines)


def _oddities(record: Ended) -> list[str]:
    outcome = record.outcome
    found = []
    if record.bad_signal:
        found.append(f"bad signal: {record.bad_signal}")
    if outcome.failure:
        found.append(f"the CLI reported {outcome.failure.trouble}: {outcome.failure.message}")
    found += [f"permission denied: {denied}" for denied in outcome.denied]
    if outcome.ended_by not in (EndedBy.EXIT, EndedBy.GRACE):
        found.append(f"ended by the {outcome.ended_by} limit after {format_seconds(outcome.seconds)}")
    elif outcome.ended_by is EndedBy.EXIT and outcome.exit_code not in (0, None):
        found.append(f"exit code {outcome.exit_code}")
    if record.swept:
        found.append(f"{record.swept} processes that it left behind were ended")
    if record.left:
        found.append(f"processes that could not be ended: {', '.join(map(str, record.left))}")
    if not record.usage_complete:
        found.append("its output was too fast to follow, so tokens and cost may be incomplete")
    return [*found, *record.notes]


def _evidence(session: Session, ended: Sequence[Ended]) -> str:
    if not ended:
        return ""
    last = ended[-1]
    stem = session.stem(last.iteration, last.phase, last.attempt)
    parts = []
    if last.said:
        parts.append(f"The last child said:\n\n{_fenced(last.said)}")
    errors = tail(beside(stem, ERRORS), _TAIL_BYTES)
    if errors:
        parts.append(f"Its standard error ends:\n\n{_fenced(errors)}")
    parts.append(f"Everything it wrote: `{beside(stem, OUTPUT)}`, what it was told: `{beside(stem, PROMPT)}`")
    return "\n\n".join(parts)
