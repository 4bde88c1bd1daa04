"""Announcements as messages. Pure functions: what is said, in which words, with which buttons."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from samoloop.base.durations import format_seconds
from samoloop.core import words
from samoloop.core.gates.questions import Question
from samoloop.core.state import Condition
from samoloop.core.words import News
from samoloop.ui.telegram import buttons
from samoloop.ui.telegram.buttons import Press
from samoloop.ui.telegram.text import LABEL_LIMIT, escape, inline, markdown, opening, pack, shorten
from samoloop.worker.outbox import Announcement

LONG_TEXT = 6000  # characters from which a text travels as a file with its opening in the message
DOCUMENT_LIMIT_BYTES = 40_000_000  # the server takes 50 MB
SENTENCE = 600  # characters of one that names commands
OPENING = 1000  # characters of a plan or a long text shown in the message itself


class Role(StrEnum):
    """What a message is for, so that a reply to it, or its closing, is understood."""

    INFO = "info"
    QUESTION = "question"
    PLAN = "plan"
    ACTION = "action"
    BLOCKED = "blocked"
    STATUS = "status"
    COMMENT = "comment"  # the box that "Request changes" opens
    DRAFT = "draft"  # asks what to do with one


@dataclass(frozen=True)
class Button:
    label: str
    data: str


@dataclass(frozen=True)
class Outgoing:
    """One message to send. With a document, `html` is its caption."""

    html: str
    role: Role = Role.INFO
    gate: str = ""
    target: str = ""  # the question's id
    hash: str = ""  # of the text that it shows
    brief: str = ""  # HTML: what stays of it once its gate is closed
    rows: tuple[tuple[Button, ...], ...] = ()
    document: tuple[str, bytes] | None = None  # file name, content
    silent: bool = False
    open_reply: bool = False  # the phone opens its reply box
    reply_to: int | None = None


@dataclass(frozen=True)
class Gated:
    """What buttons need to know of the session."""

    session_dir: Path
    gate: str

    def press(self, kind: buttons.About, hash: str, choice: str = "", question: str = "") -> str:
        target = buttons.target_tag(self.gate, question)
        return Press(kind, buttons.session_tag(self.session_dir), target, hash[: buttons.DIGEST], choice).pack()


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
    digest = buttons.question_hash(asked)
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


def answer_box(session: str, asked: Question, gated: Gated, message_id: int) -> Outgoing:
    """Opens the reply box for an answer in words."""
    text = f"✍️ {escape(short_name(session))}: your answer to <b>{asked.id}</b>, {inline(asked.title)}"
    digest = buttons.question_hash(asked)
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


def plan_buttons(digest: str, gated: Gated) -> tuple[tuple[Button, ...], ...]:
    def button(label: str, choice: buttons.Plan) -> Button:
        return Button(label, gated.press(buttons.About.PLAN, digest, choice))

    approve = button("✅ Approve", buttons.Plan.APPROVE)
    return (approve,), (button("✏️ Request changes", buttons.Plan.CHANGES), button("🛑 Reject", buttons.Plan.REJECT))


def comment_box(session: str, gated: Gated, digest: str, message_id: int) -> Outgoing:
    """Opens the reply box for a request for changes."""
    text = f"✏️ {escape(short_name(session))}: what should change in the plan?"
    return Outgoing(text, Role.COMMENT, gated.gate, "", digest, open_reply=True, reply_to=message_id)


def action(given: Announcement, gated: Gated) -> list[Outgoing]:
    """Something to be done by hand, or a file to be changed (then the file closes the gate, no button)."""
    if given.file:
        text = [f"It waits for a change of <code>{escape(given.file)}</code> on the machine."]
        return _texts(head("📝", given.session, "waits for a file"), given.text, text, Role.INFO)
    *rest, last = _texts(head("🙋", given.session, "please do this"), given.text, [], Role.ACTION)
    done = Button("✅ Done", gated.press(buttons.About.ACTION, ""))
    brief = f"{head('🙋', given.session, 'asked for')}\n{escape(shorten(given.text, 300))}"
    return [*rest, replace(last, gate=gated.gate, brief=brief, rows=((done,),))]


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
    return _texts(head(row.mark, given.session, title), text, _tail(given, text), role)


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
    tail = [""] if given.text else []
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


def listing(title: str, text: str, file: str) -> Outgoing:
    """Output of a command: in the message where it is short, else as a file with its end shown."""
    text = text.strip() or "(nothing)"
    if len(text) <= OPENING * 2:
        return Outgoing(f"{title}\n<pre>{escape(text)}</pre>")
    return Outgoing(title, document=(file, text.encode()[:DOCUMENT_LIMIT_BYTES]))


@dataclass(frozen=True)
class Progress:
    """What the status message shows."""

    session: str
    title: str
    status: Condition
    phase: str
    iteration: int
    seconds: float
    cost_usd: float | None
    note: str = ""  # what it waits for, or why it rests
    virtual_usd: float = 0.0


def status(shown: Progress) -> Outgoing:
    """The one message that is edited in place and never buzzes."""
    lines = [head(words.CONDITIONS[shown.status].mark, shown.session, f"{shown.phase}, iteration {shown.iteration}")]
    if shown.title:
        lines.append(f"<i>{escape(shorten(shown.title, 120))}</i>")
    elapsed = format_seconds(shown.seconds) if shown.seconds < 60 else format_seconds(shown.seconds // 60 * 60)
    lines.append(f"{escape(shown.status)} · {elapsed} · {money(shown.cost_usd, shown.virtual_usd)}")
    if shown.note:
        lines.append(escape(shorten(shown.note, 200)))
    return Outgoing("\n".join(lines), Role.STATUS, silent=True)
