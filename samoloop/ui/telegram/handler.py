"""What a person sends becomes an effect on files, and something to say back.

Nothing here waits for the network: effects are on disk when `handle` returns, the reactions are sent later.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from samoloop.api import learned
from samoloop.base.errors import SamoloopError, SessionError
from samoloop.base.files import remove
from samoloop.config.bot_folder import BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.session import Session
from samoloop.ui.telegram import buttons, commands, drafts, effects, gate_messages, render, tasks
from samoloop.ui.telegram.address import meant
from samoloop.ui.telegram.attachments import MOST_BYTES, Attachments, named
from samoloop.ui.telegram.buttons import About, Press, Use, target_tag
from samoloop.ui.telegram.drafts import Draft, Drafts, Purpose
from samoloop.ui.telegram.ledger import Sent
from samoloop.ui.telegram.machine import Machine, attempt
from samoloop.ui.telegram.reactions import Edit, Post, Reaction, Toast
from samoloop.ui.telegram.render import Gated, Outgoing, Role
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.text import escape, shorten
from samoloop.ui.telegram.updates import Moved, Other, Said, Tap, Update, answers_in

BOXES = ((About.PLAN, buttons.Plan.CHANGES), (About.ACTION, buttons.Done.DECLINE))
ROLES = {About.ANSWER: Role.QUESTION, About.PICK: Role.SUMMARY, About.SUGGESTED: Role.SUMMARY, About.PLAN: Role.PLAN,
         About.ACTION: Role.ACTION}  # fmt: skip
DECISIONS: dict[tuple[About, str], Verdict] = {
    (About.PLAN, buttons.Plan.APPROVE): Verdict.APPROVE,
    (About.PLAN, buttons.Plan.REALLY_REJECT): Verdict.REJECT,
    (About.ACTION, buttons.Done.YES): Verdict.DONE,
}
ASKED_FOR: dict[str, Verdict] = {role: verdict for verdict, (role, _, _) in render.WHY.items()}  # by reply
REALLY = "🛑 <b>Reject it?</b> The session stops then."
UNKNOWN = "That is no button of this message: nothing was changed. /questions and /plan show what waits now."
STRANGE = "Not a session of this machine: it was removed, or is another machine's. Nothing was changed."

DEAF = (
    "I cannot hear: no command is set that turns voice into words (`transcribe` of the section `telegram` in your own "
    "settings file). Please type it."
)

log = logging.getLogger(__name__)


class Handler:
    """Takes updates, one at a time, in order."""

    def __init__(self, settings: BotSettings, folder: BotFolder, sessions: Sessions, machine: Machine) -> None:
        self.folder, self.sessions, self.machine = folder, sessions, machine
        self.drafts = Drafts(folder)
        self.attachments = Attachments(folder)
        self.bot = ""  # its user name, where it is known
        self._users, self.chat = settings.users, settings.chat
        self._first_chat = settings.chat  # what was said there counts, also where the chat has another number since
        self._hears = bool(settings.transcribe)
        self._strangers: set[int] = set()

    def handle(self, update: Update) -> list[Reaction]:
        """Do what the update asks for. Raises OSError where the disk refuses: then it was not handled."""
        if isinstance(update, Moved | Other) or not self.allows(update):
            return []
        if update.chat != self.chat:
            update = _said_before_the_move(update)
        if isinstance(update, Tap):
            return self._tap(update)
        if update.spoken or update.document:  # it was meant for us
            return self._said(update)
        in_topic = update.thread is not None and self.sessions.by_thread(update.thread) is not None
        said = meant(update, self.bot, in_topic=in_topic)
        if said is None:
            return []
        if said.attachment and said.edited:
            return [self.say(said, "What came with a file is read once: say it as a new message.")]
        return self._attached(said) if said.attachment else self._said(said)

    def refuse(self, update: Update, why: str) -> list[Reaction]:
        """Say that an update had no effect."""
        words = f"Nothing was changed: {why}. Once that is mended, do it again."
        if isinstance(update, Tap):
            return [Toast(update.query, words)]
        return [self.say(update, words)] if isinstance(update, Said) else []

    def allows(self, update: Update) -> bool:
        """Whether it comes from somebody who may act, in the chat where they may."""
        if isinstance(update, Other | Moved):
            return False
        if update.chat in (self.chat, self._first_chat) and update.user in self._users:
            return True
        if update.user not in self._strangers:
            self._strangers.add(update.user)
            log.warning("Telegram: user %d in chat %d is not on the allow list: ignored", update.user, update.chat)
        return False

    def is_strange(self, update: Update) -> bool:
        """Whether an update is about a session that this machine does not know."""
        if isinstance(update, Moved | Other) or not self.allows(update):
            return False
        if isinstance(update, Said):
            return update.answers_bot and self.sessions.by_message(update.reply_to or 0) is None
        press = buttons.unpack(update.data)
        return press is not None and bool(press.session) and self.sessions.by_tag(press.session) is None

    # Taps

    def _tap(self, tap: Tap) -> list[Reaction]:
        press = buttons.unpack(tap.data)
        if press is None:
            return [Toast(tap.query, UNKNOWN)]
        if press.kind is About.DRAFT:
            return self._tap_draft(tap, press)
        known = self.sessions.by_tag(press.session)
        if known is None:
            return [Toast(tap.query, STRANGE)]
        if not self._belongs(known, press, tap):
            return [Toast(tap.query, UNKNOWN)]
        if press.kind is About.LEARN:
            return self._learn(known, press, tap)
        _adopt(known, press, tap)
        if (press.kind, press.choice) in BOXES or press.kind is About.WORDS:
            return self._open_box(known, press, tap)
        if press.kind is About.CHANGE or (press.kind, press.choice) == (About.PLAN, buttons.Plan.REJECT):
            return self._show_again(known, press, tap)
        return [Toast(tap.query, self.outcome(known, partial(_act, known, press, tap)))]

    def _belongs(self, known: Known, press: Press, tap: Tap) -> bool:
        """Whether the message that was tapped can have had such a button: no other one's is acted on."""
        owner = self.sessions.by_message(tap.message_id)
        if owner is None:  # a crash kept it out of the ledger
            return True
        message = owner.ledger.messages[tap.message_id]
        ids = (message.target,) if message.target else known.gate.questions if known.gate else ()
        return owner is known and press.target in {target_tag(message.gate, id) for id in ("", *ids)}

    def _learn(self, known: Known, press: Press, tap: Tap) -> list[Reaction]:
        """Take over what was shown with the button, and show what is left."""
        if press.hash != learned.digest(learned.proposals(Session(known.session_dir))):
            return [Toast(tap.query, effects.OLD)]
        said = self.outcome(
            known, lambda: "\n".join(self.machine.learn(known.session_dir, tasks.numbers(known, press.choice)))
        )
        edits = [Edit(tap.message_id, one.html, one.rows) for one in tasks.proposals(known)]
        return [Toast(tap.query, said), *edits]

    def _open_box(self, known: Known, press: Press, tap: Tap) -> list[Reaction]:
        """Open the reply box on the phone; nothing is changed yet."""
        try:
            box = _box(known, press, tap)
        except SamoloopError as error:
            return [Toast(tap.query, str(error))]
        return [Toast(tap.query, ""), Post(lambda: [box], known)]

    def _show_again(self, known: Known, press: Press, tap: Tap) -> list[Reaction]:
        """Show the buttons of what was decided, or ask whether a plan is really to be rejected; nothing is changed."""
        message, gate = known.ledger.messages.get(tap.message_id), known.gate
        asked = gate.questions if gate else ()
        id = next((id for id in asked if gate and target_tag(gate.id, id) == press.target), "")
        shown = gate_messages.again(known, message, id) if message else None
        if shown is None or gate is None or (not id and press.target != target_tag(gate.id)):
            return [Toast(tap.query, effects.OLD)]
        if press.kind is About.CHANGE:
            return [Toast(tap.query, ""), Edit(tap.message_id, shown.html, shown.rows)]
        rows = render.reject_buttons(shown.hash, Gated(known.session_dir, gate.id))
        return [Toast(tap.query, ""), Edit(tap.message_id, f"{shown.html}\n\n{REALLY}", rows)]

    def outcome(self, known: Known, act: Callable[[], str], message: int = 0) -> str:
        """What became of an act on a session, as a sentence; a file that came with update `message` is put there."""
        document = self.attachments.put(message, known.session_dir)
        try:
            said = act()
        except SamoloopError as error:
            if document:
                remove(document)
            said = str(error)
        self.attachments.forget(message)
        with suppress(SamoloopError):
            known.look()
        return said

    # Messages

    def _said(self, said: Said) -> list[Reaction]:
        if not said.text.strip():
            return [] if said.edited else [self.say(said, "I can read words, pictures, files and voice messages.")]
        if said.document:
            return self._with_document(said)
        if said.forwarded:
            return self.keep(said, Purpose.REMARK, self.sessions.by_thread(said.thread) if said.thread else None)
        if said.edited and (draft := self.drafts.of_message(said.message_id)):
            return self._edited(draft, said)
        if said.text.startswith("/") and not said.spoken:
            again = "A command that was edited does nothing: send it as a new message."
            return [self.say(said, again)] if said.edited else commands.run(self, said)
        known = self.sessions.by_message(said.reply_to) if said.reply_to else None
        if known is None and said.thread:
            known = self.sessions.by_thread(said.thread)
        if pairs := answers_in(said.text):
            return commands.pairs_said(self, said, pairs, known)
        if known is not None and said.reply_to in known.ledger.messages:
            return self._reply(known, known.ledger.messages[said.reply_to], said)
        if said.edited:
            return [self.say(said, "That was used or forgotten already: send it as a new message.", known)]
        return self.keep(said, Purpose.REMARK, known)

    def _attached(self, said: Said) -> list[Reaction]:
        """Have what came with a message fetched: it comes back with its words."""
        if said.attachment and said.attachment.size > MOST_BYTES:
            return [self.say(said, f"That is larger than {MOST_BYTES // 1_000_000} MB: put it on the machine.")]
        if said.attachment and said.attachment.is_voice and not self._hears:
            return [self.say(said, DEAF)]
        self.attachments.keep(said)
        return []

    def _with_document(self, said: Said) -> list[Reaction]:
        """A file goes where its words go; one without words is named to the next child of the session that is meant."""
        known = self.sessions.by_message(said.reply_to) if said.reply_to else None
        to = known.ledger.messages[said.reply_to] if known and said.reply_to else None
        if known is None and said.thread:
            known = self.sessions.by_thread(said.thread)
        has_words = said.text != named("", said.document)
        if known and to and has_words:
            return self._reply(known, to, said)
        those = [known] if known else [one for one in self.sessions.refresh() if not one.ended]
        asked = [one for one in those if one.gate]
        if said.forwarded or len(those) != 1 or (asked and (has_words or known is None)):
            return self.keep(said, Purpose.REMARK, known)
        known = those[0]
        tell = partial(effects.tell, known, said.text, said.by)
        return [self.say(said, self.outcome(known, tell, said.update_id), known)]

    def _reply(self, known: Known, to: Sent, said: Said) -> list[Reaction]:
        """A reply acts where the message asked for one; elsewhere it only says which session is meant."""
        if to.role == Role.PLAN:
            return self.keep(said, Purpose.CHANGES, known, to)
        act = _asked_for(known, to, said)
        if act is None:
            return self.keep(said, Purpose.REMARK, known)
        came_late = said.spoken or said.document
        if came_late and effects.overtaken(known, to.target, said.by):
            self.attachments.forget(said.update_id)
            return [self.say(said, "You have said something else since, so that stands: nothing was changed.", known)]
        return [self.say(said, self.outcome(known, act, said.update_id), known)]

    def _edited(self, draft: Draft, said: Said) -> list[Reaction]:
        """A text that waits for a word has changed."""
        changed = self.drafts.change(draft, said.text)
        if changed.asked is None:
            return []
        message = drafts.ask(changed, self.folder, self.sessions)
        return [Edit(changed.asked, message.html, message.rows)]

    def say(self, said: Said, words: str, known: Known | None = None) -> Post:
        """A short answer to a message; of one that was spoken it repeats what was heard."""
        words = f"🎙 “{shorten(said.text, 500)}”\n{words}" if said.spoken else words
        message = Outgoing(escape(words), silent=True, reply_to=said.message_id)
        return Post(lambda: [message], known, said.thread)

    # Texts that wait for a word

    def keep(self, said: Said, purpose: Purpose, known: Known | None, to: Sent | None = None) -> list[Reaction]:
        """Keep the text as a draft: it is asked what it is for."""
        more = {"gate": to.gate, "hash": to.hash} if to else {}
        self.drafts.keep(said, purpose, said.text, session_dir=str(known.session_dir) if known else "", **more)
        return []

    def _tap_draft(self, tap: Tap, press: Press) -> list[Reaction]:
        text = self.drafts.get(int(press.target)) if press.target.isdecimal() else None
        if self.sessions.by_message(tap.message_id):
            return [Toast(tap.query, UNKNOWN)]
        if text is None:
            return [Toast(tap.query, "That text was used or forgotten already: send it as a new message.")]
        if press.choice == Use.DROP:
            self.drafts.remove(text.id)
            self.attachments.forget(text.id)
            return [Toast(tap.query, "Forgotten."), Edit(tap.message_id, "🗑 Forgotten.")]
        if press.choice == Use.START:
            return self._start(tap, press, text)
        known = self.sessions.by_tag(press.session)
        if known is None:
            return [Toast(tap.query, STRANGE)]
        if press.choice == Use.RUN:
            chosen = Edit(tap.message_id, f"→ <b>{escape(known.label)}</b>: {escape(shorten(text.text, 300))}")
            reactions = [Toast(tap.query, ""), chosen, *commands.run_for(self, text, known, tap)]
            self.drafts.remove(text.id)
            return reactions
        outcome = self.outcome(known, partial(drafts.use, known, press, text, tap.update_id), text.id)
        self.drafts.remove(text.id)
        return [Toast(tap.query, outcome), Edit(tap.message_id, escape(outcome))]

    def _start(self, tap: Tap, press: Press, text: Draft) -> list[Reaction]:
        root = drafts.chosen_root(self.folder, press)
        if not root:
            return [Toast(tap.query, "That project is gone: /new and the task again shows those that are there.")]

        def start() -> list[Outgoing]:
            why = attempt(partial(self.machine.start, Path(root), text.name, text.text))
            if not why:
                self.drafts.remove(text.id)
            return [Outgoing(f"⚠️ Not started: {escape(shorten(why, 500))}")] if why else []

        shown = f"🚀 Starting <b>{escape(text.name)}</b> in {escape(root.rpartition('/')[2])}."
        return [Toast(tap.query, "Starting."), Edit(tap.message_id, shown), Post(start)]


def _said_before_the_move(update: Said | Tap) -> Said | Tap:
    """Without the numbers of messages: in the chat as it is now they are those of others."""
    return replace(update, message_id=0) if isinstance(update, Tap) else replace(update, message_id=0, reply_to=None)


def _adopt(known: Known, press: Press, tap: Tap) -> None:
    """Take up a message of ours that a crash kept out of the ledger, so that it is given its last form too."""
    gate, role = known.gate, ROLES.get(press.kind)
    if gate is None or role is None or tap.message_id in known.ledger.messages:
        return
    target = next((id for id in ("", *gate.questions) if target_tag(gate.id, id) == press.target), None)
    if target is None:
        return
    lines = [line for line in tap.text.splitlines() if line.strip()][: 2 if role is Role.QUESTION else 1]
    brief = "\n".join(f"<b>{escape(line)}</b>" for line in lines)
    digest = press.hash
    if role is Role.SUMMARY:
        target, digest = "", press.hash if press.kind is About.SUGGESTED else ""  # else what it shows is not known
    known.ledger.sent(Sent(tap.message_id, role, time.time(), 0, "", gate.id, target, digest, brief, waits=True))


def _box(known: Known, press: Press, tap: Tap) -> Outgoing:
    """The reply box that a button opens. Raises SessionError where the gate waits no longer."""
    if press.kind is About.WORDS:
        gate, question = effects.asked(known, press.target)
        return render.answer_box(known.label, question, Gated(known.session_dir, gate.id), tap.message_id)
    verdict = Verdict.DECLINED if press.kind is About.ACTION else Verdict.CHANGES
    gate = effects.waiting(known, verdict, press.target, press.hash)
    return render.why_box(known.label, verdict, Gated(known.session_dir, gate.id), gate.sha256 or "", tap.message_id)


def _act(known: Known, press: Press, tap: Tap) -> str:
    if press.kind in (About.ANSWER, About.PICK):
        if press.choice not in dict(effects.asked(known, press.target)[1].options):
            raise SessionError(UNKNOWN)
        return effects.answer(known, "", press.target, press.hash, press.choice, tap.by)
    if (press.kind, press.choice) == (About.SUGGESTED, ""):
        return effects.take_suggestions(known, press, tap.by)
    if verdict := DECISIONS.get((press.kind, press.choice)):
        return effects.decide(known, verdict, press.target, press.hash, tap.by)
    raise SessionError(UNKNOWN)


def _asked_for(known: Known, to: Sent, said: Said) -> Callable[[], str] | None:
    """What a reply to that message does; None where it asked for nothing, or for one of several things."""
    if to.role == Role.QUESTION:
        return partial(effects.answer, known, to.gate, to.target, to.hash, said.text, said.by)
    if to.role == Role.SUMMARY and known.gate and known.gate.id == to.gate:
        waiting = gates.waiting_questions(known.session_dir, known.gate)
        shown = gate_messages.shown_before(known, known.gate, said.message_id)
        if len(waiting) == 1:
            id = waiting[0].id
            return partial(effects.answer, known, to.gate, id, shown.get(id, ""), said.text, said.by)
    if verdict := ASKED_FOR.get(to.role):
        return partial(effects.decide, known, verdict, to.gate, to.hash, said.by, said.text)
    if to.role == Role.BLOCKED:
        return partial(effects.tell, known, said.text, said.by)
    return None
