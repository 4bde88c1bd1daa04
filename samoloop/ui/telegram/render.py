"""Announcements as messages. Pure functions: what is said, in which words, with which buttons."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from samoloop.api.deciding import DIGEST, question_hash, questions_hash
from samoloop.base.durations import format_seconds
from samoloop.base.values import frozen
from samoloop.core import words
from samoloop.core.gates import Verdict
from samoloop.core.gates.questions import Question
from samoloop.core.records import Ended, GateClosed, Halted, Interrupted, Record, Resumed, Rewound, Started, moment
from samoloop.core.session import session_tag
from samoloop.core.state import State
from samoloop.core.words import News
from samoloop.ui.telegram import buttons
from samoloop.ui.telegram.buttons import Press
from samoloop.ui.telegram.text import LABEL_LIMIT, ROOM, escape, inline, markdown, opening, pack, shorten, units
from samoloop.ui.terminal.endings import ended_line, iteration_label
from samoloop.worker.outbox import Announcement

LONG_TEXT = 6000  # characters from which a text travels as a file with its opening in the message
DOCUMENT_LIMIT_BYTES = 40_000_000  # the server takes 50 MB
QUIET = (News.STARTED, News.RESUMED, News.STAND_IN)  # nobody has to do anything about it
LOG_LINES = 15
NO_GAP = re.compile(r"[-*\s]*(none|nothing)\b.{0,40}$", re.IGNORECASE)
MOST_TOGETHER = 8  # questions in one message
MOST_LETTERS = 4  # options that get a button each there
SENTENCE = 600  # characters of one that names commands
OPENING = 1000  # characters of a plan or a long text shown in the message itself


class Role(StrEnum):
    """What a message is for, so that a reply to it, or its closing, is understood."""

    INFO = "info"
    QUESTION = "question"
    SUMMARY = "summary"  # all questions of a gate in one message
    PLAN = "plan"
    ACTION = "action"
    BLOCKED = "blocked"
    STATUS = "status"
    COMMENT = "comment"  # the box that "Request changes" opens
    DECLINE = "decline"  # the box that "Decline" opens
    REMINDER = "reminder"
    LEARN = "learn"  # what is proposed to be learned; it waits for nobody
    DRAFT = "draft"  # asks what to do with one


WHY = {
    Verdict.CHANGES: (Role.COMMENT, "✏️", "what should change in the plan?"),
    Verdict.DECLINED: (Role.DECLINE, "🚫", "why not? The next child is told."),
}


@frozen
class Button:
    label: str
    data: str


Rows = tuple[tuple[Button, ...], ...]


@frozen
class Outgoing:
    """One message to send. With a document, `html` is its caption."""

    html: str
    role: Role = Role.INFO
    gate: str = ""
    target: str = ""  # the question's id
    hash: str = ""  # of the text that it shows
    brief: str = ""  # HTML: what stays of it once its gate is closed
    rows: Rows = ()
    document: tuple[str, bytes] | None = None  # file name, content
    silent: bool = False
    open_reply: bool = False  # the phone opens its reply box
    reply_to: int | None = None


@frozen
class Gated:
    """What buttons need to know of the session."""

    session_dir: Path
    gate: str

    def press(self, kind: buttons.About, hash: str, choice: str = "", question: str = "") -> str:
        target = buttons.target_tag(self.gate, question)
        return Press(kind, session_tag(self.session_dir), target, hash[:DIGEST], choice).pack()


def short_name(session: str) -> str:
    """A session folder's name without its date."""
    return shorten(re.sub(r"^\d\d-\d\d-\d\d-", "", session), 60)


def head(mark: str, session: str, what: str) -> str:
    return f"{mark} <b>{escape(short_name(session))}</b> · {escape(what)}"


def clock(epoch: float) -> str:
    """Local time; with the day where it is another one."""
    moment, today = datetime.fromtimestamp(epoch).astimezone(), datetime.now().astimezone()
    return moment.strftime("%H:%M" if moment.date() == today.date() else "%a %d %b, %H:%M")


# --- gates ----------------------------------------------------------------------------------------------------------


def question(session: str, asked: Question, place: str, gated: Gated) -> list[Outgoing]:
    """One question with its options as buttons under the last message; `place` is "1 of 3"."""
    digest = question_hash(asked)
    lines = [head("❓", session, f"{asked.id}, question {place}"), "", f"<b>{inline(asked.title)}</b>"]
    if asked.why:
        lines += markdown(asked.why)
    lines += ["", *(f"<b>{letter}</b>  {inline(words)}" for letter, words in asked.options)]
    if asked.suggestion:
        lines += ["", f"⭐ Suggested: {inline(asked.suggestion)}"]
    if not asked.options:
        lines += ["", "Reply to this message with your answer."]
    rows = [(Button(_option(asked, letter, words), gated.press(buttons.About.ANSWER, digest, letter, asked.id)),)
            for letter, words in asked.options]  # fmt: skip
    rows.append((Button("✍️ Answer in words", gated.press(buttons.About.WORDS, digest, "", asked.id)),))
    shown = [Outgoing(html, Role.QUESTION, gated.gate, asked.id, digest) for html in pack(lines)]
    brief = "\n".join([head("❓", session, asked.id), f"<b>{inline(shorten(asked.title, 300))}</b>"])
    return [*shown[:-1], replace(shown[-1], rows=tuple(rows), brief=brief)]


def _option(asked: Question, letter: str, words: str) -> str:
    star = " ⭐" if asked.suggested_answer == letter else ""
    return shorten(f"{letter} · {words.replace('`', '').replace('**', '')}", LABEL_LIMIT - len(star)) + star


def change_row(asked: Question, gated: Gated) -> Rows:
    """Under a question that has its answer, while that can be changed."""
    press = gated.press(buttons.About.CHANGE, question_hash(asked), "", asked.id)
    return ((Button(f"✏️ Change {asked.id}", press),),)


def goes_together(asked: Sequence[Question]) -> bool:
    """Whether all questions of a gate fit into one message; else each has its own, and one says what is open."""
    blank = [replace(question, answer="") for question in asked]
    return 1 < len(asked) <= MOST_TOGETHER and units("\n".join(_together(blank, ""))) <= ROOM


def summary(session: str, asked: Sequence[Question], gated: Gated, change: str = "") -> Outgoing:
    """All questions of a gate as they stand, with their buttons; `change` names one whose answer is being changed."""
    digest, whole = questions_hash(asked), goes_together(asked)
    waiting = [question for question in asked if not question.answer or question.id == change]
    first = head("❓", session, f"{len(asked)} questions, {f'{len(waiting)} open' if waiting else 'all answered'}")
    lines = _together(asked, change) if whole else _open_ones(waiting)
    rows = [row for question in asked if whole for row in _summary_row(question, gated, question in waiting)]
    proposed = sum(bool(question.suggestion) for question in waiting)
    if proposed:
        press = gated.press(buttons.About.SUGGESTED, digest)
        rows.insert(0, (Button(f"⭐ Take all suggestions ({proposed})", press),))
    html = pack([first, *lines])[0]
    brief = head("❓", session, f"{len(asked)} questions")
    return Outgoing(html, Role.SUMMARY, gated.gate, "", digest, brief, tuple(rows))


def _together(asked: Sequence[Question], change: str) -> list[str]:
    lines: list[str] = []
    for question in asked:
        lines += ["", f"<b>{question.id}  {inline(question.title)}</b>"]
        if question.answer and question.id != change:
            lines.append(f"✅ {given(question.answer, question.options)}, {escape(names(question.by))}")
            continue
        if question.why:
            lines.append(inline(question.why))
        lines += [f"<b>{letter}</b>  {inline(words)}" for letter, words in question.options]
        if question.suggestion:
            lines.append(f"⭐ {inline(question.suggestion)}")
    if any(not question.answer or question.id == change for question in asked):
        lines += ["", f"Tap, or send <code>{asked[0].id}=A {asked[-1].id}=in words</code>"]
    return lines


def _open_ones(waiting: Sequence[Question]) -> list[str]:
    return [f"Open: {', '.join(question.id for question in waiting)}"] if waiting else []


def _summary_row(asked: Question, gated: Gated, waits: bool) -> Rows:
    digest = question_hash(asked)
    if not waits:
        return change_row(asked, gated)
    words = gated.press(buttons.About.WORDS, digest, "", asked.id)
    if not asked.options:
        return ((Button(f"✍️ {asked.id} in words", words),),)
    if len(asked.options) > MOST_LETTERS:
        press = gated.press(buttons.About.CHANGE, digest, "", asked.id)
        return ((Button(f"{asked.id}: choose", press),),)
    picks = [
        Button(f"{asked.id} {letter}" + (" ⭐" if asked.suggested_answer == letter else ""),
               gated.press(buttons.About.PICK, digest, letter, asked.id))
        for letter, _ in asked.options
    ]  # fmt: skip
    return ((*picks, Button("✍️", words)),)


def given(answer: str, options: Sequence[tuple[str, str]]) -> str:
    """An answer as a person reads it, as HTML: a letter with what it stands for."""
    said = next((f"{letter} · {text}" for letter, text in options if letter == answer.strip().upper()), answer)
    return f"<b>{escape(shorten(said, 300))}</b>"


def names(by: str) -> str:
    """Who gave the word that stands, without the number of the update or the way it came."""
    every = ("an editor" if name in ("", "editor") else name.partition(" (")[0] for name in by.split(", "))
    return " and ".join(dict.fromkeys(every))


def answer_box(session: str, asked: Question, gated: Gated, message_id: int) -> Outgoing:
    """Opens the reply box for an answer in words."""
    text = f"✍️ {escape(short_name(session))}: your answer to <b>{asked.id}</b>, {inline(asked.title)}"
    digest = question_hash(asked)
    return Outgoing(text, Role.QUESTION, gated.gate, asked.id, digest, open_reply=True, reply_to=message_id)


def plan(session: str, file: str, text: str, digest: str, gated: Gated, checks: str = "") -> list[Outgoing]:
    """The plan as a document, then its opening with the buttons; `checks` says what samoloop will run itself."""
    whole = Outgoing(head("📄", session, "the plan"), document=(file, text.encode()), silent=True)
    lines = [
        head(words.NEWS[News.PLAN].mark, session, words.NEWS[News.PLAN].title),
        "",
        *markdown(opening(text, OPENING)),
    ]
    if checks:
        lines += ["", f"🧪 {escape(shorten(checks, SENTENCE))}"]
    lines += ["", f"Plan <code>{digest[:8]}</code>. Nothing is built before you decide."]
    brief = head("📋", session, "the plan")
    return [whole, Outgoing(pack(lines)[-1], Role.PLAN, gated.gate, "", digest, brief, plan_buttons(digest, gated))]


def plan_buttons(digest: str, gated: Gated) -> Rows:
    def button(label: str, choice: buttons.Plan) -> Button:
        return Button(label, gated.press(buttons.About.PLAN, digest, choice))

    approve = button("✅ Approve", buttons.Plan.APPROVE)
    return (approve,), (button("✏️ Request changes", buttons.Plan.CHANGES), button("🛑 Reject", buttons.Plan.REJECT))


def reject_buttons(digest: str, gated: Gated) -> Rows:
    """Reject asks once."""
    really = Button("🛑 Yes, reject it", gated.press(buttons.About.PLAN, digest, buttons.Plan.REALLY_REJECT))
    return ((really, Button("↩️ No", gated.press(buttons.About.CHANGE, digest))),)


def again_row(digest: str, gated: Gated) -> Rows:
    """Under a plan or a request that was decided, while that can be changed."""
    return ((Button("✏️ Decide anew", gated.press(buttons.About.CHANGE, digest)),),)


def why_box(session: str, verdict: Verdict, gated: Gated, digest: str, message_id: int) -> Outgoing:
    """Opens the reply box for what should change in a plan, or why something will not be done."""
    role, mark, asks = WHY[verdict]
    text = f"{mark} {escape(short_name(session))}: {asks}"
    return Outgoing(text, role, gated.gate, "", digest, open_reply=True, reply_to=message_id)


def file_wanted(session: str, file: str, reason: str) -> list[Outgoing]:
    """A file to be changed; that closes the gate, so there is no button."""
    text = [f"It waits for a change of <code>{escape(file)}</code> on the machine."]
    return _texts(head("📝", session, "waits for a file"), reason, text, Role.INFO)


def action(session: str, reason: str, gated: Gated) -> list[Outgoing]:
    """Something to be done by hand."""
    *rest, last = _texts(head("🙋", session, "please do this"), reason, [], Role.ACTION)
    done = Button("✅ Done", gated.press(buttons.About.ACTION, ""))
    decline = Button("🚫 Decline", gated.press(buttons.About.ACTION, "", buttons.Done.DECLINE))
    brief = f"{head('🙋', session, 'asked for')}\n{escape(shorten(reason, 300))}"
    return [*rest, replace(last, gate=gated.gate, brief=brief, rows=((done, decline),))]


# --- everything else --------------------------------------------------------------------------------------------------


def news(given: Announcement) -> list[Outgoing]:
    """An announcement that opens no gate."""
    row = words.NEWS[given.kind]
    what, _, why = given.text.partition(": ")
    text = {News.STARTED: given.title, News.STAND_IN: why}.get(given.kind, given.text)
    title = row.title.format(
        where=f" in {given.phase}" if given.phase else "",
        took=f" in {format_seconds(given.seconds)}" if given.seconds else "",
        what=shorten(what, 200),
    )
    role = Role.BLOCKED if row.asks else Role.INFO
    shown = _texts(head(row.mark, given.session, title), text, _tail(given, text), role)
    return [replace(message, silent=message.silent or given.kind in QUIET) for message in shown]


def _tail(given: Announcement, text: str) -> list[str]:
    """The closing lines."""
    match given.kind:
        case News.STARTED if given.branch:
            return [f"Branch <code>{escape(given.branch)}</code>"]
        case News.BLOCKED:
            needs = f"It needs {escape(words.needs(given.needs))}."
            return ["", f"{needs} <b>Reply to this message</b>: your words are its guidance, and it goes on."]
        case News.LIMITED if given.resumes_at:
            return [f"It resumes by itself, {clock(given.resumes_at)}."]
        case News.STAND_IN if text and given.resumes_at:
            return [f"It is tried again, {clock(given.resumes_at)}."]
        case News.BUDGET if given.ceiling_usd:
            return [f"Spent {money(given.cost_usd, given.virtual_usd)} of {money(given.ceiling_usd)}."]
        case News.DONE:
            return _result(given)
        case News.STOPPED | News.FAILED if given.command:
            return [f"Next: <code>{escape(given.command)}</code>"]
    return []


def _result(given: Announcement) -> list[str]:
    gaps = "" if NO_GAP.match(given.gaps) else given.gaps
    tail = ["", "⚠️ Open, in the child's words:", *markdown(opening(gaps, OPENING))] if gaps else []
    tail += [""] if given.text or gaps else []
    if given.branch:
        tail.append(f"🌿 <code>{escape(given.branch)}</code>")
    tail += [f"• {escape(line)}" for line in given.commits[:12]]
    if len(given.commits) > 12:
        tail.append(f"… and {len(given.commits) - 12} more commits")
    if given.diff_stat:
        tail += ["", f"<pre>{escape(opening(given.diff_stat, 1000))}</pre>"]
    tail.append(f"💰 {money(given.cost_usd, given.virtual_usd)}")
    return tail


def money(cost_usd: float | None, virtual_usd: float = 0.0) -> str:
    """A cost in money, and apart from it what a subscription covers."""
    known = "cost unknown" if cost_usd is None else f"${cost_usd:.2f}" if cost_usd or not virtual_usd else ""
    return " + ".join(filter(None, [known, f"${virtual_usd:.2f} virtual" if virtual_usd else ""]))


def _texts(first: str, text: str, tail: Sequence[str], role: Role) -> list[Outgoing]:
    """A heading, a text of any length, closing lines. A very long text is attached, its opening shown."""
    if len(text) > LONG_TEXT:
        file = Outgoing(escape("The whole text"), document=("text.md", text.encode()), silent=True)
        body = markdown(opening(text, OPENING))
        return [*(Outgoing(message, role) for message in pack([first, "", *body, *tail])), file]
    lines = [first, *(["", *markdown(text)] if text.strip() else []), *tail]
    return [Outgoing(message, role) for message in pack(lines)]


def log(session: str, records: Sequence[Record], now: float) -> Outgoing:
    """What the journal knows of the last steps, oldest first, and what runs now."""
    lines = [line for record in records if (line := _step(record, now))]
    last = next((record for record in reversed(records) if isinstance(record, Started | Ended | Interrupted)), None)
    if isinstance(last, Started):
        lines.append(f"{_at(last)}  {iteration_label(last)} runs, by {last.provider}")
    title = head("📜", session, "what was done last")
    return listing(title, "\n".join(shorten(line, 300) for line in lines[-LOG_LINES:]), "log.txt")


def _step(record: Record, now: float) -> str:
    match record:
        case Ended():
            what = "  ".join(ended_line(record, now).split())
        case GateClosed():
            given = ", ".join(f"{id}={answer['answer']}" for id, answer in record.answers.items())
            what = f"{words.VERDICTS[Verdict(record.verdict)].mark} by {names(record.by)}"
            what += f": {given or record.comment}" if given or record.comment else ""
        case Interrupted():
            what = f"{record.iteration:03d} interrupted: {record.why or record.note}"
        case Resumed():
            what = f"▶️ resumed by {names(record.by)}"
        case Halted():
            what = f"{words.CONDITIONS[record.condition].mark} {record.condition}: {record.reason}"
        case Rewound():
            what = f"⏪ back to the end of iteration {record.to}, by {names(record.by)}"
        case _:
            return ""
    return f"{_at(record)}  {what}"


def _at(record: Record) -> str:
    return clock(moment(record.at).timestamp()) if record.at else "?"


def diff(session: str, text: str, file: str) -> Outgoing:
    """Changes of code: in the message where they are short, else as a file; always how much it is."""
    files = sum(line.startswith("diff --git ") for line in text.splitlines())
    added, removed = (
        sum(line.startswith(mark) and not line.startswith(mark * 3) for line in text.splitlines()) for mark in "+-"
    )
    much = f"{files} file{'s' if files != 1 else ''}, +{added} −{removed}" if text.strip() else "none yet"
    return listing(head("🧾", session, f"changes so far: {much}"), text, file, "diff")


def listing(title: str, text: str, file: str, language: str = "") -> Outgoing:
    """Output of a command: in the message where it is short, else as a file."""
    text = text.strip() or "(nothing)"
    if len(text) > OPENING * 2:
        return Outgoing(title, document=(file, text.encode()[:DOCUMENT_LIMIT_BYTES]))
    code = f'<code class="language-{language}">{escape(text)}</code>' if language else escape(text)
    return Outgoing(f"{title}\n<pre>{code}</pre>")


def status(session: str, state: State, seconds: float, note: str = "") -> Outgoing:
    """The one message that is edited in place and never buzzes; `note` says what it waits for, or why it rests."""
    what = f"{state.phase}, iteration {state.iteration}"
    lines = [head(words.CONDITIONS[state.condition].mark, session, what)]
    if state.created.title:
        lines.append(f"<i>{escape(shorten(state.created.title, 120))}</i>")
    elapsed = format_seconds(seconds) if seconds < 60 else format_seconds(seconds // 60 * 60)
    totals = state.totals
    cost = None if totals.unpriced and not totals.cost_usd else totals.cost_usd
    lines.append(f"{escape(state.condition)} · {elapsed} · {money(cost, totals.virtual_usd)}")
    if note:
        lines.append(escape(shorten(note, 200)))
    return Outgoing("\n".join(lines), Role.STATUS, silent=True)
