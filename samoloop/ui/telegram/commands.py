"""The slash commands: one function each, under a line that registers it. What it changes is changed when it returns."""

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from samoloop.api.deciding import DIGEST
from samoloop.base.errors import SamoloopError
from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.session import Session, slug_of
from samoloop.core.state import AT_REST, Condition
from samoloop.ui.telegram import effects, gate_messages, render, tasks
from samoloop.ui.telegram.drafts import Draft, Purpose
from samoloop.ui.telegram.machine import attempt
from samoloop.ui.telegram.reactions import Post, Reaction
from samoloop.ui.telegram.render import Outgoing
from samoloop.ui.telegram.sessions import Known
from samoloop.ui.telegram.text import escape, shorten
from samoloop.ui.telegram.updates import Said, Tap, answers_in

if TYPE_CHECKING:
    from samoloop.ui.telegram.handler import Handler  # it imports this module

RESTING = (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED)
ABOUT = (
    "<b>Tap</b> a button, or <b>reply</b> to a message: a reply to a question is its answer, a reply to a plan asks "
    "for changes, a reply to a blocked session is its guidance. <code>Q1=A Q2=in words</code> answers several "
    "questions. Any other message does nothing until you say what it is for. What you decided can be changed while it "
    "waits: tap or reply again, or edit your message. A voice message counts as its words, and a picture or file goes "
    "where the words with it go.\n\n"
)
UNKNOWN = "No project is known yet: a project's first session is started on the machine."
DIGITS = re.compile(f"[0-9a-f]{{{DIGEST},64}}")  # that name a plan
NAMING = "\n\nWith several sessions, name one (its beginning is enough), or tap the one that is meant."

Alone = Callable[["Handler", Said, str], list[Reaction]]
About = Callable[["Handler", Said, Known, str], list[Reaction]]


@frozen
class Command:
    """One word behind a slash; one of `alone` and `about` is there."""

    what: str  # for the menu
    alone: Alone | None = None  # given the words after it
    about: About | None = None  # is about one session, given the words after its name
    words: bool = False  # takes words of any kind, so that only a whole name is a name
    fits: Callable[[Known], bool] = lambda known: True  # the sessions that can be meant where none is named


COMMANDS: dict[str, Command] = {}


def alone(name: str, what: str) -> Callable[[Alone], Alone]:
    """Register a command that is about no session."""

    def register(act: Alone) -> Alone:
        COMMANDS[name] = Command(what, alone=act)
        return act

    return register


def about_one(
    name: str, what: str, *, words: bool = False, fits: Callable[[Known], bool] = lambda known: True
) -> Callable[[About], About]:
    """Register a command that is about one session."""

    def register(act: About) -> About:
        COMMANDS[name] = Command(what, about=act, words=words, fits=fits)
        return act

    return register


def menu() -> list[tuple[str, str]]:
    """Every command with what it does, in the order in which they are written."""
    return [(name, command.what) for name, command in COMMANDS.items()]


def run(handler: "Handler", said: Said) -> list[Reaction]:
    """Carry out the command that the message begins with; where it is not clear for which session, ask."""
    name, rest = _split(said.text)
    command = COMMANDS.get("help" if name == "start" else name)
    if command is None:
        return [handler.say(said, f"There is no command /{shorten(name, 30)}. /help lists what there is.")]
    if command.alone:
        return command.alone(handler, said, rest)
    found, rest = _meant(handler, said, command, rest)
    if not found:
        return [handler.say(said, "No session has run with Telegram on yet: /new hands off a task.")]
    if len(found) == 1 and command.about:
        return command.about(handler, said, found[0], rest)
    return which(handler, said, found, f"/{name} {rest}")


def which(handler: "Handler", said: Said, found: Sequence[Known], text: str) -> list[Reaction]:
    """Ask which session a command is for; a tap carries it out."""
    folders = [str(known.session_dir) for known in found]
    handler.drafts.keep(said, Purpose.COMMAND, text, sessions=folders)
    return []


def run_for(handler: "Handler", draft: Draft, known: Known, tap: Tap) -> list[Reaction]:
    """Carry out a command for the session that was chosen."""
    name, rest = _split(draft.text)
    command = COMMANDS.get(name)
    user, message = draft.user or tap.user, draft.message_id
    said = Said(tap.update_id, tap.chat, user, draft.by, message, draft.text, time.time(), thread=draft.thread)
    return command.about(handler, said, known, rest) if command and command.about else []


def _split(text: str) -> tuple[str, str]:
    first, *words = text.split(maxsplit=1)
    return first[1:].partition("@")[0].lower(), "".join(words)


def _meant(handler: "Handler", said: Said, command: Command, rest: str) -> tuple[list[Known], str]:
    """The sessions that can be meant, and the words after the name: by name, topic, reply, or what fits."""
    first, _, after = rest.partition(" ")
    if named := handler.sessions.named(first, whole=command.words):
        return named, after.strip()
    if said.thread and (known := handler.sessions.by_thread(said.thread)):
        return [known], rest
    if said.reply_to and (known := handler.sessions.by_message(said.reply_to)):
        return [known], rest
    likely = handler.sessions.likely()
    return [known for known in likely if command.fits(known)] or likely, rest


def _post(said: Said, message: Outgoing, known: Known | None = None) -> Post:
    return Post(lambda: [message], known, said.thread)


# --- looking ----------------------------------------------------------------------------------------------------------


@about_one("status", "where a session stands")
def _status(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    shown = known.status(said.at)
    worker = "" if known.has_worker or known.ended or known.is_fleets else "\nNo worker runs for it."
    return [_post(said, Outgoing(shown.html + worker), known)]


@alone("sessions", "all sessions")
def _all(handler: "Handler", said: Said, rest: str) -> list[Reaction]:
    found = sorted(handler.sessions.refresh(), key=lambda known: known.name, reverse=True)
    lines = [f"<b>{escape(k.label)}</b>: {escape(k.state.condition)}, {escape(k.state.phase)}" for k in found[:20]]
    return [_post(said, Outgoing("\n".join(lines) or "No session has run with Telegram on yet."))]


@about_one("questions", "the questions that wait for you", fits=lambda known: gates.takes(known.gate, Verdict.ANSWERED))
def _questions(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    gate = known.gate
    asked = gate_messages.questions(known, gate) if gate and gate.questions else []
    if not asked:
        return [
            handler.say(
                said, f"{known.label} asks nothing now: it is {known.state.condition}. /status tells more.", known
            )
        ]
    return [Post(lambda: asked, known)]


@about_one(
    "plan", "the plan, with its buttons while it waits", fits=lambda known: gates.takes(known.gate, Verdict.APPROVE)
)
def _plan(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if known.gate and gates.takes(known.gate, Verdict.APPROVE) and (waiting := gate_messages.plan(known, known.gate)):
        return [Post(lambda: waiting, known)]
    found = Session(known.session_dir).plan()
    text = gates.read_text(found) if found else None
    if found is None or not text:
        return [handler.say(said, f"{known.label} has no plan yet: it is in {known.state.phase}.", known)]
    document = Outgoing(render.head("📄", known.label, "the plan"), document=(found.name, text.encode()))
    return [_post(said, document, known)]


@about_one(
    "approve", "the plan; with its number, as in /approve 3f2a0c7d, approve it",
    fits=lambda known: gates.takes(known.gate, Verdict.APPROVE),
)  # fmt: skip
def _approve(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    """A typed approval names the text; else there are the buttons."""
    shown = rest.strip("`… ").lower()
    if known.gate is None or not DIGITS.fullmatch(shown):
        return _plan(handler, said, known, rest)
    act = partial(effects.decide, known, Verdict.APPROVE, known.gate.id, shown, said.by)
    return [handler.say(said, handler.outcome(known, act), known)]


@about_one("log", "what was done last")
def _log(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    return [_post(said, render.log(known.label, known.records(), said.at), known)]


@about_one("diff", "what has changed in the code")
def _diff(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    def make() -> list[Outgoing]:
        try:
            changes = handler.machine.diff(known.session_dir)
        except SamoloopError as error:
            return [Outgoing(f"⚠️ {escape(str(error))}")]
        return [render.diff(known.label, changes, f"{known.short}.diff")]

    return [Post(make, known)]


# --- acting -----------------------------------------------------------------------------------------------------------


@about_one("answer", "answer: Q1=A Q2=in words; or done, or declined and why", words=True,
           fits=lambda known: gates.takes(known.gate, Verdict.ANSWERED, Verdict.DONE))  # fmt: skip
def _answer(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if pairs := answers_in(rest):
        return answer_pairs(handler, said, known, pairs)
    first, _, after = rest.partition(" ")
    gate = known.gate
    if gate is None or first.lower() not in (Verdict.DONE, Verdict.DECLINED):
        return [
            handler.say(
                said, f"Answer so: /answer {known.short} Q1=A Q2=in words; or done, or declined and why.", known
            )
        ]
    verdict = Verdict(first.lower())
    act = partial(effects.decide, known, verdict, gate.id, "", said.by, after)
    return [handler.say(said, handler.outcome(known, act), known)]


def answer_pairs(handler: "Handler", said: Said, known: Known, pairs: dict[str, str]) -> list[Reaction]:
    """Answer several questions as they were shown here before the person wrote that."""
    gate, to = known.gate, known.ledger.messages.get(said.reply_to or 0)
    if to and to.gate and (gate is None or to.gate != gate.id):
        return [handler.say(said, effects.OLD, known)]
    shown = gate_messages.shown_before(known, gate, said.message_id) if gate else {}
    unseen = [id for id in pairs if gate and id in gate.questions and id not in shown]
    if unseen:
        text = f"Not shown here as it reads now: {', '.join(unseen)}. Nothing was changed; /questions shows it."
        return [handler.say(said, text, known)]
    act = partial(effects.answer_all, known, gate.id if gate else "", pairs, shown, said.by)
    return [handler.say(said, handler.outcome(known, act), known)]


def pairs_said(handler: "Handler", said: Said, pairs: dict[str, str], known: Known | None) -> list[Reaction]:
    """`Q1=B Q2=A` without a command: for the session that is named by topic or reply, else the one that asks so."""
    asking = [
        one
        for one in ([known] if known else handler.sessions.refresh())
        if one.gate and pairs.keys() & set(one.gate.questions)
    ]
    if not asking:
        text = f"Nothing asks {', '.join(pairs)} now: nothing was changed. /questions shows what waits."
        return [handler.say(said, text, known)]
    if len(asking) > 1:
        return which(handler, said, asking, f"/answer {said.text}")
    return answer_pairs(handler, said, asking[0], pairs)


@about_one("tell", "guidance for the next iteration", words=True)
def _tell(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if not rest:
        return [handler.say(said, f"Tell it what? /tell {known.short} and your words.", known)]
    outcome = handler.outcome(known, partial(effects.tell, known, rest, said.by))
    return [handler.say(said, outcome, known)]


@about_one("stop", "stop after this iteration", fits=lambda known: known.is_at_work)
def _stop(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    def stop() -> str:
        now = rest.strip().lower() == "now"
        if known.is_fleets:
            became = handler.machine.stop_in_fleet(known.session_dir, now)
            return f"{became[0].upper()}{became[1:]}"
        if not handler.machine.stop(known.session_dir, now):
            return f"No worker is at work on {known.label}: it is {known.state.condition}."
        return f"{known.label} stops {'now' if now else 'after this iteration'}."

    return [handler.say(said, handler.outcome(known, stop), known)]


@about_one("resume", "go on, with words of yours if you like", words=True)
def _resume(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if known.is_at_work and known.state.condition not in RESTING:
        return [handler.say(said, f"{known.label} has a worker already: it is {known.state.condition}.", known)]
    if known.is_fleets and known.gate is not None and not rest:
        return [handler.say(said, f"{known.label} {known.note()}; its machines go on then.", known)]
    rests = known.state.condition in AT_REST
    reactions: list[Reaction] = []
    if known.ended and rest:
        outcome = handler.outcome(known, partial(effects.reopen, known, rest, said.by))
        return [handler.say(said, outcome, known)]
    if rest or known.has_worker:  # one that is about to end: words of a phone start the next
        words = rest or "Please go on."
        outcome = handler.outcome(known, partial(effects.tell, known, words, said.by))
        reactions = [handler.say(said, outcome, known)]
        if rests:
            return reactions

    def start() -> list[Outgoing]:
        why = attempt(partial(handler.machine.resume, known.session_dir, said.by))
        return [Outgoing(f"⚠️ {escape(why)}" if why else f"▶️ {escape(known.label)} goes on.", silent=True)]

    return [*reactions, Post(start, known)]


@about_one("learn", "take over what it proposes to remember: /learn NAME 1 3", fits=lambda known: known.ended)
def _learn(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    shown = tasks.proposals(known)
    if not shown:
        return [handler.say(said, f"{known.short} proposes nothing to be learned.", known)]
    numbers = tasks.numbers(known, rest)
    if not numbers:
        return [Post(lambda: shown, known)]
    taken = handler.outcome(known, lambda: "\n".join(handler.machine.learn(known.session_dir, numbers)))
    return [handler.say(said, taken, known)]


@alone("backlog", "the tasks that wait for a session, and how they stand")
def _backlog(handler: "Handler", said: Said, rest: str) -> list[Reaction]:
    def make() -> list[Outgoing]:
        found = {root: rows for root in handler.folder.roots() if (rows := handler.machine.backlog(root))}
        return [Outgoing(tasks.backlogs(found) or "The backlog is empty: /add puts a task into it.")]

    return [Post(make, None, said.thread)]


@alone("add", "put a task into the backlog: /add after NAME: the task")
def _add(handler: "Handler", said: Said, rest: str) -> list[Reaction]:
    roots, root, words = _project(handler, rest)
    if not roots:
        return [handler.say(said, UNKNOWN)]
    if root is None or not words:
        names = ", ".join(root.name for root in roots)
        return [handler.say(said, f"Add what? /add PROJECT and the task. Projects: {names}.")]
    after, task = tasks.wanted(words)
    try:
        name = handler.machine.add(root, task, after)
    except (SamoloopError, OSError) as error:
        return [handler.say(said, f"Nothing was added: {error}")]
    return [handler.say(said, f"{name} is in the backlog of {root.name}; `samoloop up` starts it when its turn comes.")]


def _project(handler: "Handler", rest: str) -> tuple[list[Path], Path | None, str]:
    """All projects, the one that the first word names, or the only one, and the words after its name."""
    roots = handler.folder.roots()
    first, _, after = rest.partition(" ")
    named = next((root for root in roots if root.name.lower() == first.lower() and after.strip()), None)
    only = roots[0] if len(roots) == 1 else None
    return roots, named or only, after.strip() if named else rest.strip()


@alone("new", "hand off a task")
def _new(handler: "Handler", said: Said, rest: str) -> list[Reaction]:
    roots, root, task = _project(handler, rest)
    if not roots:
        return [handler.say(said, UNKNOWN)]
    if not task:
        names = ", ".join(root.name for root in roots)
        return [handler.say(said, f"Hand off what? /new PROJECT and the task. Projects: {names}.")]
    name = _free_name(slug_of(task), handler)
    handler.drafts.keep(said, Purpose.TASK, task, root=str(root or ""), name=name)
    return []


def _free_name(slug: str, handler: "Handler") -> str:
    taken = {known.short for known in handler.sessions.refresh()}
    return next(name for name in (slug, *(f"{slug}-{n}" for n in range(2, 10_000))) if name not in taken)


@alone("help", "what you can do here")
def _help(handler: "Handler", said: Said, rest: str) -> list[Reaction]:
    lines = [f"/{name}: {escape(what)}" for name, what in menu()]
    return [_post(said, Outgoing(ABOUT + "\n".join(lines) + NAMING))]
