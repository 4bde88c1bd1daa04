"""Texts that act on nothing until a button says what they are for: free text, remarks on a plan, new tasks."""

from samoloop.base.errors import SessionError
from samoloop.base.files import sha256
from samoloop.core import gates
from samoloop.core.questions import Question
from samoloop.ui.telegram import buttons, effects
from samoloop.ui.telegram.buttons import DIGEST, Held, Press
from samoloop.ui.telegram.home import HeldText, Home, Purpose
from samoloop.ui.telegram.render import Button, Outgoing, Role
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.text import escape, shorten

MOST_CHOICES = 20
ASKING = {
    Purpose.REMARK: "What is this for? By itself a message answers and approves nothing.",
    Purpose.CHANGES: "Send this back to planning as a request for changes?",
    Purpose.TASK: "Hand this off as a new session?",
}


def ask(held: HeldText, home: Home, sessions: Sessions) -> Outgoing:
    """The message that asks what a held text is for."""
    found = _choices(held, home, sessions)
    forget = Press(buttons.Kind.HELD, "", str(held.id), "", Held.DROP)
    asking = ASKING[held.purpose] if found else "There is nothing open that this could be for."
    text = f"{escape(asking)}\n<blockquote>{escape(shorten(held.text, 300))}</blockquote>"
    rows = [(Button(shorten(label, 60), press.pack()),) for label, press in found[:MOST_CHOICES]]
    return Outgoing(text, Role.HELD, rows=(*rows, (Button("🗑 Forget it", forget.pack()),)), reply_to=held.message_id)


def use(known: Known, press: Press, held: HeldText) -> str:
    """Let a held text act on a session. Raises SamoloopError where nothing was changed."""
    choice, _, question = press.choice.partition(":")
    by = effects.signed(held.by, held.id)
    if choice == Held.TELL:
        return effects.tell(known, held.text, held.by, held.id)
    if choice == Held.ANSWER:
        return effects.answer(known, "", question, press.hash, held.text, by)
    if choice == Held.CHANGES:
        return effects.request_changes(known, held.gate, held.hash, held.text, by)
    raise SessionError("This button is not known here.")


def chosen_root(home: Home, press: Press) -> str:
    """The repository that a button names, empty when it is gone."""
    return next((str(root) for root in home.roots() if _root_tag(str(root)) == press.hash), "")


def _choices(held: HeldText, home: Home, sessions: Sessions) -> list[tuple[str, Press]]:
    if held.purpose is Purpose.REMARK:
        return _for_remark(held, sessions)
    if held.purpose is Purpose.CHANGES:
        return _for_changes(held, sessions)
    return _for_task(held, home)


def _press(held: HeldText, known: Known | None, hash: str, choice: str) -> Press:
    tag = buttons.session_tag(known.session_dir) if known else ""
    return Press(buttons.Kind.HELD, tag, str(held.id), hash[:DIGEST], choice)


def _for_remark(held: HeldText, sessions: Sessions) -> list[tuple[str, Press]]:
    found = []
    for known in sessions.refresh():
        if held.session_dir == str(known.session_dir) or (not held.session_dir and not known.ended):
            for question in _only_question(known):
                press = _press(held, known, buttons.question_hash(question), f"{Held.ANSWER}:{question.id}")
                found.append((f"💬 Answer to {question.id} of {known.short}", press))
            found.append((f"🧭 Guidance for {known.short}", _press(held, known, "", Held.TELL)))
    return found


def _only_question(known: Known) -> list[Question]:
    """The one question that waits; none where it could be any of several."""
    if known.gate is None:
        return []
    waiting = [q for q in gates.read_questions(known.session_dir) if q.id in known.gate.questions and not q.answer]
    return waiting if len(waiting) == 1 else []


def _for_changes(held: HeldText, sessions: Sessions) -> list[tuple[str, Press]]:
    return [
        ("✏️ Request changes", _press(held, known, held.hash, Held.CHANGES))
        for known in sessions.refresh()
        if held.session_dir == str(known.session_dir)
    ]


def _for_task(held: HeldText, home: Home) -> list[tuple[str, Press]]:
    roots = [str(root) for root in home.roots() if held.root in ("", str(root))]
    return [
        (f"🚀 Start in {root.rpartition('/')[2]}", _press(held, None, _root_tag(root), Held.START)) for root in roots
    ]


def _root_tag(root: str) -> str:
    return sha256(root)[:DIGEST]
