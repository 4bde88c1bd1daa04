"""Drafts: texts that act on nothing until a button says what they are for: free text, remarks on a plan, new tasks."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

from samoloop.api.deciding import DIGEST, question_hash
from samoloop.base.errors import SessionError
from samoloop.base.files import read_plain, remove, sha256, write_atomic
from samoloop.base.values import frozen
from samoloop.config.bot_folder import LIMIT_BYTES, BotFolder
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.session import session_tag
from samoloop.ui.telegram import buttons, effects
from samoloop.ui.telegram.buttons import Press, Use
from samoloop.ui.telegram.render import Button, Outgoing, Role
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.text import escape, shorten
from samoloop.ui.telegram.updates import Said, signed

MOST_CHOICES = 20
MOST_ANSWERS = 8  # questions of one session that a text may be the answer to


class Purpose(StrEnum):
    """What a draft may become."""

    REMARK = "remark"  # an answer or guidance: the person chooses
    CHANGES = "changes"  # a request for changes to a plan
    TASK = "task"  # a new session
    COMMAND = "command"  # a command for a session that has to be chosen


ASKING = {
    Purpose.REMARK: "What is this for? By itself a message answers and approves nothing.",
    Purpose.CHANGES: "Send this back to planning as a request for changes?",
    Purpose.TASK: "Hand this off as a new session?",
    Purpose.COMMAND: "For which session?",
}
DECISIONS: dict[str, Verdict] = {
    Use.DONE: Verdict.DONE,
    Use.DECLINE: Verdict.DECLINED,
    Use.CHANGES: Verdict.CHANGES,
}


@frozen
class Draft:
    """A person's text, on disk before it is asked what it is for."""

    id: int  # the update that brought it
    purpose: Purpose
    text: str
    by: str
    message_id: int
    thread: int | None = None
    session_dir: str = ""  # a remark's session; empty: it has to be chosen
    gate: str = ""  # of the plan that changes are requested for
    hash: str = ""  # of the plan that was shown
    root: str = ""  # a task's repository; empty: it has to be chosen
    name: str = ""  # a task's session, chosen when the text came, so that a repeated tap starts nothing twice
    sessions: Sequence[str] = ()  # that a command can be meant for: their folders
    asked: int | None = None  # the message with the buttons
    user: int = 0  # who wrote it


class Drafts:
    """All of one bot, a file each."""

    def __init__(self, folder: BotFolder) -> None:
        self._path = folder.path / "drafts"
        self._asked: set[int] = set()  # also where the disk did not take it
        self._changing = Lock()

    def keep(self, said: Said, purpose: Purpose, text: str, **more: Any) -> None:
        """Keep a text; what it is for is asked by whoever sees it in `not_asked`, also after a crash.

        A repeated update changes nothing about it. `more` are fields of the draft.
        """
        if not self._file(said.update_id).exists():
            known = said.update_id, purpose, text, said.name, said.message_id, said.thread
            self._write(Draft(*known, user=said.user, **more))

    def get(self, id: int) -> Draft | None:
        """The text of that update; None when it was used or dropped."""
        try:
            content = json.loads(read_plain(self._file(id), LIMIT_BYTES) or b"")
            return Draft(**{**content, "purpose": Purpose(content["purpose"])})
        except (ValueError, TypeError, KeyError):
            return None

    def not_asked(self) -> list[Draft]:
        """Those whose question has not been sent, oldest first."""
        return [draft for draft in self._all() if draft.id not in self._asked and draft.asked is None]

    def of_message(self, message_id: int) -> Draft | None:
        """The text of that message, as long as it is not used."""
        return next((draft for draft in self._all() if draft.message_id == message_id), None)

    def change(self, draft: Draft, text: str) -> Draft:
        """The person has changed the text; the draft as it is now."""
        return self._changed(draft, text=text)

    def note_asked(self, draft: Draft, message_id: int) -> Draft:
        """Its question was sent; the draft as it is now."""
        self._asked.add(draft.id)
        return self._changed(draft, asked=message_id)

    def _changed(self, draft: Draft, **what: Any) -> Draft:
        with self._changing:  # a text is changed while its question is on its way
            found = replace(self.get(draft.id) or draft, **what)
            if self._file(draft.id).exists():
                self._write(found)
            return found

    def remove(self, id: int) -> None:
        """The text was used or dropped: no second tap can use it again."""
        with self._changing:  # else it is written once more, with the number of its question
            remove(self._file(id))

    def _all(self) -> list[Draft]:
        ids = sorted(int(path.stem) for path in self._path.glob("*.json") if path.stem.isdecimal())
        return [draft for draft in map(self.get, ids) if draft is not None]

    def _write(self, draft: Draft) -> None:
        write_atomic(self._file(draft.id), json.dumps(asdict(draft), ensure_ascii=False), mode=0o600)

    def _file(self, id: int) -> Path:
        return self._path / f"{id}.json"


def ask(draft: Draft, folder: BotFolder, sessions: Sessions) -> Outgoing:
    """The message that asks what a draft is for."""
    found = _choices(draft, folder, sessions)
    forget = Press(buttons.About.DRAFT, "", str(draft.id), "", Use.DROP)
    asking = ASKING[draft.purpose] if found else "There is nothing open that this could be for."
    text = f"{escape(asking)}\n<blockquote>{escape(shorten(draft.text, 300))}</blockquote>"
    rows = [(Button(shorten(label, 60), press.pack()),) for label, press in found[:MOST_CHOICES]]
    return Outgoing(text, Role.DRAFT, rows=(*rows, (Button("🗑 Forget it", forget.pack()),)), reply_to=draft.message_id)


def use(known: Known, press: Press, draft: Draft, tap: int) -> str:
    """Let a draft act on a session, by that tap. Raises SamoloopError where nothing was changed."""
    choice, _, target = press.choice.partition(":")
    by = signed(draft.by, draft.user, tap)
    if choice == Use.TELL:
        return effects.tell(known, draft.text, signed(draft.by, draft.user, draft.id))
    if choice == Use.ANSWER:
        return effects.answer(known, "", target, press.hash, draft.text, by)
    if verdict := DECISIONS.get(choice):
        return effects.decide(known, verdict, target or draft.gate, draft.hash, by, draft.text)
    raise SessionError("This button is not known here.")


def chosen_root(folder: BotFolder, press: Press) -> str:
    """The repository that a button names, empty when it is gone."""
    return next((str(root) for root in folder.roots() if _root_tag(str(root)) == press.hash), "")


def _choices(draft: Draft, folder: BotFolder, sessions: Sessions) -> list[tuple[str, Press]]:
    if draft.purpose is Purpose.REMARK:
        return _for_remark(draft, sessions)
    if draft.purpose is Purpose.CHANGES:
        return _for_changes(draft, sessions)
    if draft.purpose is Purpose.COMMAND:
        return _for_command(draft, sessions)
    return _for_task(draft, folder)


def _press(draft: Draft, known: Known | None, hash: str, choice: str) -> Press:
    tag = session_tag(known.session_dir) if known else ""
    return Press(buttons.About.DRAFT, tag, str(draft.id), hash[:DIGEST], choice)


def _for_remark(draft: Draft, sessions: Sessions) -> list[tuple[str, Press]]:
    found = []
    for known in sessions.refresh():
        if draft.session_dir == str(known.session_dir) or (not draft.session_dir and not known.ended):
            for question in gates.waiting_questions(known.session_dir, known.gate)[:MOST_ANSWERS]:
                press = _press(draft, known, question_hash(question), f"{Use.ANSWER}:{question.id}")
                found.append((f"💬 Answer to {question.id} of {known.label}", press))
            if known.gate and gates.takes(known.gate, Verdict.DONE):
                for mark, use in (("✅ Done", Use.DONE), ("🚫 Declined", Use.DECLINE)):
                    press = _press(draft, known, "", f"{use}:{known.gate.id}")
                    found.append((f"{mark}, {known.label}: these are the words", press))
            found.append((f"🧭 Guidance for {known.label}", _press(draft, known, "", Use.TELL)))
    return found


def _for_changes(draft: Draft, sessions: Sessions) -> list[tuple[str, Press]]:
    return [
        ("✏️ Request changes", _press(draft, known, draft.hash, Use.CHANGES))
        for known in sessions.refresh()
        if draft.session_dir == str(known.session_dir)
    ]


def _for_task(draft: Draft, folder: BotFolder) -> list[tuple[str, Press]]:
    roots = [str(root) for root in folder.roots() if draft.root in ("", str(root))]
    return [
        (f"🚀 Start in {root.rpartition('/')[2]}", _press(draft, None, _root_tag(root), Use.START)) for root in roots
    ]


def _for_command(draft: Draft, sessions: Sessions) -> list[tuple[str, Press]]:
    every = sorted(sessions.refresh(), key=lambda known: known.name, reverse=True)
    found = [known for known in every if str(known.session_dir) in draft.sessions]
    return [(known.label, _press(draft, known, "", Use.RUN)) for known in found]


def _root_tag(root: str) -> str:
    return sha256(root)[:DIGEST]
