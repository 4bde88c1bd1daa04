"""The slash commands. Each gives reactions; what it changes is changed when it returns."""

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from samoloop.base.errors import SamoloopError
from samoloop.checks import receipts
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.session import slug_of
from samoloop.core.state import AT_REST, Condition
from samoloop.ui.telegram import effects, render
from samoloop.ui.telegram.drafts import Draft, Purpose
from samoloop.ui.telegram.machine import attempt
from samoloop.ui.telegram.reactions import Post, Reaction
from samoloop.ui.telegram.render import Outgoing
from samoloop.ui.telegram.sessions import Known
from samoloop.ui.telegram.text import escape, shorten
from samoloop.ui.telegram.updates import Said

if TYPE_CHECKING:
    from samoloop.ui.telegram.handler import Handler  # it imports this module

LOG_LINES = 15
RESTING = (Condition.BLOCKED, Condition.FAILED, Condition.STOPPED)

MENU = (
    ("status", "where a session stands"),
    ("sessions", "all sessions"),
    ("questions", "the questions that wait for you"),
    ("plan", "the plan, with its buttons while it waits"),
    ("log", "what was done last"),
    ("diff", "what has changed in the code"),
    ("tell", "guidance for the next iteration"),
    ("stop", "stop after this iteration"),
    ("resume", "go on, with words of yours if you like"),
    ("new", "hand off a task"),
    ("help", "what you can do here"),
)
HELP = (
    "<b>Tap</b> a button, or <b>reply</b> to a message: a reply to a question is its answer, a reply to a plan asks "
    "for changes, a reply to a blocked session is its guidance. A message that replies to nothing does nothing until "
    "you say what it is for.\n\n"
    + "\n".join(f"/{name}: {what}" for name, what in MENU)
    + "\n\nWith several sessions, name one first: <code>/tell jwt-auth use the small library</code>"
)


def run(handler: "Handler", said: Said) -> list[Reaction]:
    """Carry out the command that the message begins with."""
    first, *words = said.text.split(maxsplit=1)
    name, rest = first[1:].partition("@")[0].lower(), "".join(words)
    if name in ("help", "start"):
        return [_post(said, Outgoing(HELP))]
    if name == "sessions":
        return [_post(said, _all(handler))]
    if name == "new":
        return _new(handler, said, rest)
    act = _ABOUT_ONE.get(name)
    if act is None:
        return [handler.say(said, f"There is no command /{shorten(name, 30)}. /help lists what there is.")]
    known, rest = _session(handler, said, rest)
    if known is None:
        names = ", ".join(other.short for other in handler.sessions.refresh() if not other.ended)
        return [handler.say(said, f"Which session? /{name} NAME. There are: {names or 'none that is open'}.")]
    return act(handler, said, known, rest)


def _session(handler: "Handler", said: Said, rest: str) -> tuple[Known | None, str]:
    """The session that is meant, and the words after its name: by name, topic, reply, or because there is one only."""
    first, _, after = rest.partition(" ")
    if named := handler.sessions.by_name(first):
        return named, after.strip()
    if said.thread and (known := handler.sessions.by_thread(said.thread)):
        return known, rest
    if said.reply_to and (known := handler.sessions.by_message(said.reply_to)):
        return known, rest
    everything = handler.sessions.refresh()
    candidates = [known for known in everything if not known.ended] or everything
    return (candidates[0], rest) if len(candidates) == 1 else (None, rest)


def _post(said: Said, message: Outgoing, known: Known | None = None) -> Post:
    return Post(lambda: [message], known, said.thread)


# --- looking ----------------------------------------------------------------------------------------------------------


def _all(handler: "Handler") -> Outgoing:
    found = sorted(handler.sessions.refresh(), key=lambda known: known.name, reverse=True)
    lines = [f"<b>{escape(k.short)}</b>: {escape(k.state.condition)}, {escape(k.state.phase)}" for k in found[:20]]
    return Outgoing("\n".join(lines) or "No session has run with Telegram on yet.")


def _status(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    shown = render.status(known.progress(said.at))
    worker = "" if known.has_worker or known.ended else "\nNo worker runs for it."
    return [_post(said, Outgoing(shown.html + worker), known)]


def _questions(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    asked = open_questions(known)
    return [Post(lambda: asked, known)] if asked else [handler.say(said, f"{known.short} asks nothing now.", known)]


def open_questions(known: Known) -> list[Outgoing]:
    """A message for each question that waits."""
    gate = known.gate
    if gate is None or not gate.questions:
        return []
    gated = render.Gated(known.session_dir, gate.id)
    asked = [question for question in gates.read_questions(known.session_dir) if question.id in gate.questions]
    return [
        message
        for number, question in enumerate(asked, 1)
        if not question.answer
        for message in render.question(known.name, question, f"{number} of {len(asked)}", gated)
    ]


def _plan(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if waiting := open_plan(known):
        return [Post(lambda: waiting, known)]
    found = max(known.session_dir.glob("*-plan-*.md"), key=lambda path: path.stat().st_mtime, default=None)
    text = gates.read_text(found) if found else None
    if found is None or not text:
        return [handler.say(said, f"{known.short} has no plan yet.", known)]
    document = Outgoing(render.head("📄", known.name, "the plan"), document=(found.name, text.encode()))
    return [_post(said, document, known)]


def open_plan(known: Known) -> list[Outgoing]:
    """The plan that waits, with its buttons; nothing where none waits or its text is not the one of the gate."""
    gate = known.gate
    if gate is None or not gate.file or not gates.takes(gate, Verdict.APPROVE):
        return []
    text = gates.read_text(known.session_dir / gate.file)
    if text is None or not gate.sha256 or gates.file_hash(known.session_dir / gate.file) != gate.sha256:
        return []
    gated = render.Gated(known.session_dir, gate.id)
    return render.plan(known.name, gate.file, text, gate.sha256, gated, checks_of(known))


def checks_of(known: Known) -> str:
    """What samoloop will run itself, as the terminal says it; empty where the workflow asks for no checks."""
    standing = receipts.standing(known.records())
    if standing.found:
        return standing.found.said
    return receipts.NONE_FOUND if any(phase.checks for phase in known.state.live_workflow.phases) else ""


def _log(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    text = gates.read_text(known.session_dir / "_overview.md") or ""
    flow = re.search(r"^## Flow Log\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in (flow[1] if flow else "").splitlines() if line.strip()]
    title = render.head("📜", known.name, "what was done last")
    return [_post(said, render.listing(title, "\n".join(lines[-LOG_LINES:]), "log.txt"), known)]


def _diff(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    def make() -> list[Outgoing]:
        try:
            changes = handler.machine.diff(known.session_dir)
        except SamoloopError as error:
            return [Outgoing(f"⚠️ {escape(str(error))}")]
        return [render.listing(render.head("🧾", known.name, "changes so far"), changes, f"{known.short}.diff")]

    return [Post(make, known)]


# --- acting -----------------------------------------------------------------------------------------------------------


def _tell(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if not rest:
        return [handler.say(said, "Tell it what? /tell NAME and your words.", known)]
    outcome = handler.outcome(known, partial(effects.tell, known, rest, said.name, said.update_id))
    return [handler.say(said, outcome, known)]


def _stop(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    def stop() -> str:
        now = rest.strip().lower() == "now"
        if not handler.machine.stop(known.session_dir, now):
            return f"No worker is at work on {known.short}."
        return f"{known.short} stops {'now' if now else 'after this iteration'}."

    return [handler.say(said, handler.outcome(known, stop), known)]


def _resume(handler: "Handler", said: Said, known: Known, rest: str) -> list[Reaction]:
    if known.has_worker and known.state.condition not in RESTING:
        return [handler.say(said, f"{known.short} has a worker already: it is {known.state.condition}.", known)]
    rests = known.state.condition in AT_REST
    reactions: list[Reaction] = []
    if known.ended and rest:
        outcome = handler.outcome(known, partial(effects.reopen, known, rest, said.name, said.update_id))
        return [handler.say(said, outcome, known)]
    if rest or known.has_worker:  # one that is about to end: words of a phone start the next
        words = rest or "Please go on."
        outcome = handler.outcome(known, partial(effects.tell, known, words, said.name, said.update_id))
        reactions = [handler.say(said, outcome, known)]
        if rests:
            return reactions

    def start() -> list[Outgoing]:
        by = effects.signed(said.name, said.update_id)
        why = attempt(partial(handler.machine.resume, known.session_dir, by))
        return [Outgoing(f"⚠️ {escape(why)}" if why else f"▶️ {escape(known.short)} goes on.", silent=True)]

    return [*reactions, Post(start, known)]


def _new(handler: "Handler", said: Said, rest: str) -> list[Reaction]:
    roots = handler.folder.roots()
    first, _, after = rest.partition(" ")
    named = next((root for root in roots if root.name.lower() == first.lower() and after.strip()), None)
    task = after.strip() if named else rest
    if not roots:
        return [handler.say(said, "No project is known yet: a project's first session is started on the machine.")]
    if not task:
        names = ", ".join(root.name for root in roots)
        return [handler.say(said, f"Hand off what? /new PROJECT and the task. Projects: {names}.")]
    name = _free_name(slug_of(task), handler)
    draft = Draft(said.update_id, Purpose.TASK, task, said.name, said.message_id, said.thread,
                    root=str(named or ""), name=name)  # fmt: skip
    handler.drafts.keep(draft)
    return []


def _free_name(slug: str, handler: "Handler") -> str:
    taken = {known.short for known in handler.sessions.refresh()}
    return next(name for name in (slug, *(f"{slug}-{n}" for n in range(2, 10_000))) if name not in taken)


_ABOUT_ONE: dict[str, Callable[["Handler", Said, Known, str], list[Reaction]]] = {
    "status": _status,
    "questions": _questions,
    "plan": _plan,
    "log": _log,
    "diff": _diff,
    "tell": _tell,
    "stop": _stop,
    "resume": _resume,
}
