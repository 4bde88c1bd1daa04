"""What a session has to say, brought to the chat: its outbox, what became of its gates, its status, reminders."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from samoloop.config.outlets import is_quiet, reminder_seconds
from samoloop.core import gates
from samoloop.core.state import AT_REST, ENDED
from samoloop.core.words import News
from samoloop.ui.telegram import gate_messages, render, tasks
from samoloop.ui.telegram.api import Api, Refused
from samoloop.ui.telegram.drafts import Draft
from samoloop.ui.telegram.ledger import READER, Sent
from samoloop.ui.telegram.render import Outgoing, Role
from samoloop.ui.telegram.sessions import Known
from samoloop.ui.telegram.text import escape
from samoloop.worker import outbox
from samoloop.worker.outbox import Announcement, Item

REFUSED_SECONDS = 600.0  # until a status that the server did not take is tried again
NO_TOPIC = ("thread not found", "TOPIC_CLOSED", "TOPIC_DELETED")
RESTS = AT_REST - ENDED

log = logging.getLogger(__name__)


@dataclass
class _Shown:
    """The status message as it stands."""

    html: str = ""
    condition: str = ""
    at: float = 0.0  # monotonic


class Chat:
    """Sends for all sessions of one chat; every call returns when what it sends is in the chat."""

    def __init__(self, api: Api, may_serve: Callable[[], bool], *, status_seconds: float) -> None:
        """Where another relay serves the sessions by now, which `may_serve` tells, it is that which says the rest."""
        self._api, self._may_serve = api, may_serve
        self._status_seconds = status_seconds
        self._shown: dict[Path, _Shown] = {}  # by session
        self._looked: dict[Path, tuple[int, frozenset[int]]] = {}  # what the open gates were last compared with
        self._topics: bool | None = None  # whether the chat has them; None: not asked yet

    async def serve(self, known: Known) -> None:
        """Everything that is due for one session now."""
        if not self._may_serve():
            return
        known.ledger.look()
        for item in list(outbox.pending(known.session_dir, READER)):
            known.look()
            await self._deliver(known, item)
        if known.ledger.has_moved:
            await self._show_again(known)
        await self.update_gates(known)
        await self._update_status(known)
        await self._remind(known)

    async def _show_again(self, known: Known) -> None:
        """What waits was shown in another chat, whose buttons are worth nothing any more."""
        shown = {message.gate for message in known.ledger.live.values()}  # it came just then, here already
        waits = known.gate.id if known.gate and known.gate.id not in shown else ""
        given = outbox.last(known.session_dir, waits) if waits else None
        for message in messages(known, given, started=False) if given else ():
            await self.post(known, message)
        known.ledger.shown_again()

    # The outbox

    async def _deliver(self, known: Known, item: Item) -> None:
        counted: Counter[str] = Counter()
        quiet = is_quiet(self._api.settings.quiet, datetime.now().astimezone())
        started = self._api.settings.announce_started
        for message in messages(known, item.announcement, started=started) if item.announcement else ():
            name = f"{message.role} {message.target}"  # not its place: an answered question is left out the next time
            counted[name] += 1
            part = f"{name} {counted[name]}"
            if not self._may_serve():
                return
            if (item.number, part) not in known.ledger.parts:
                await self.post(known, replace(message, silent=quiet or message.silent), item=item.number, part=part)
            quiet = quiet or not message.silent  # one sound is enough
        outbox.acknowledge(known.session_dir, READER, item.number)

    async def post(self, known: Known, message: Outgoing, *, item: int = 0, part: str = "") -> int:
        """Send one message of a session, into its topic where there are topics, and remember what it was.

        One that the server refuses is set aside, and said to be; returns 0 where even that is refused.
        """
        try:
            number = await self._send(known, message)
        except Refused as refused:
            log.warning("a message of %s was refused: %s", known.name, refused)
            text = f"⚠️ {escape(known.short)}: a message could not be shown here ({escape(str(refused))})."
            number = await self._send_if_taken(known, Outgoing(text))
        what = message.gate, message.target, message.hash, message.brief
        waits = bool(message.rows and message.role is not Role.LEARN) or message.role in (Role.REMINDER, Role.SUMMARY)
        known.ledger.sent(Sent(number, message.role, time.time(), item, part, *what, waits=waits))
        return number

    async def _send_if_taken(self, known: Known, message: Outgoing) -> int:
        try:
            return await self._send(known, message)
        except Refused as refused:
            log.warning("nor was that: %s", refused)
            return 0

    async def _send(self, known: Known, message: Outgoing) -> int:
        thread = await self._thread(known)
        try:
            return await self._api.send(message, thread)
        except Refused as refused:
            if thread is None or not any(words in str(refused) for words in NO_TOPIC):
                raise
            log.warning("the topic of %s is gone or closed: it goes to the plain chat", known.name)
            known.ledger.has_topic(0)
            return await self._api.send(message)

    async def _thread(self, known: Known) -> int | None:
        """The session's topic, opened when it first has something to say; None in a plain chat."""
        if self._topics is None:
            self._topics = self._api.settings.topics and await self._is_forum()
        if not self._topics or known.ledger.topic == 0:
            return None
        if known.ledger.topic is None:
            try:
                known.ledger.has_topic(await self._api.new_topic(known.short))
            except Refused as refused:
                log.warning("no topics in this chat, all sessions share it: %s", refused)
                self._topics = False
                return None
        return known.ledger.topic

    async def _is_forum(self) -> bool:
        try:
            return await self._api.is_forum()
        except Refused:
            return False

    async def ask(self, message: Outgoing, draft: Draft) -> int:
        """Ask what a text is for, where it was said. Raises Refused."""
        try:
            return await self._api.send(message, draft.thread)
        except Refused:
            if draft.thread is None:
                raise
            return await self._api.send(message)

    # Gates, as answers come

    async def update_gates(self, known: Known) -> None:
        """Edit the messages of gates: what was answered, wherever, and the buttons that this leaves."""
        seen = known.changes, frozenset(known.ledger.live)
        if self._looked.get(known.session_dir) == seen:
            return
        asked = {question.id: question for question in gates.read_questions(known.session_dir)}
        for message in list(known.ledger.live.values()):
            form = gate_messages.form(known, message, asked)
            if form is None or known.ledger.forms.get(message.id) == form.digest:
                continue
            try:
                await self._api.edit(message.id, form.html, form.rows)
            except Refused as refused:  # the person deleted it
                log.info("message %d of %s could not be edited: %s", message.id, known.name, refused)
            if form.final:
                known.ledger.closed(message.id)
            else:
                known.ledger.shows(message.id, form.digest)
        self._looked[known.session_dir] = seen

    # The status message

    async def _update_status(self, known: Known) -> None:
        now, shown = time.monotonic(), self._shown.setdefault(known.session_dir, _Shown())
        if known.ledger.status is None and known.ended:
            return
        message = known.status(time.time())
        if message.html == shown.html:
            return
        news = known.state.condition != shown.condition
        if not news and now - shown.at < self._status_seconds:
            return
        number = known.ledger.status
        if number is not None:
            try:
                await self._api.edit(number, message.html)
            except Refused as refused:
                number = None if "not found" in str(refused) else number  # the person deleted it
        if number is None and not await self.post(known, message):
            now += REFUSED_SECONDS
        self._shown[known.session_dir] = _Shown(message.html, known.state.condition, now)

    # Reminders

    async def _remind(self, known: Known) -> None:
        """Say that a gate is still open: after the chosen time, then after twice that, never in quiet hours."""
        first = self._api.settings.remind_seconds
        key = known.waits_with
        waits = [m for m in known.ledger.messages.values() if _still_asks(known, m)]
        if not first or not waits or is_quiet(self._api.settings.quiet, datetime.now().astimezone()):
            return
        count, last = known.ledger.reminders.get(key, (0, waits[-1].at))
        if time.time() - last < reminder_seconds(first, count):
            return
        since = render.clock(waits[0].at)
        what = "still blocked" if known.gate is None else "still waits for you"
        text = render.head("🔔", known.label, f"{what}, since {since}")
        await self.post(known, Outgoing(text, Role.REMINDER, key, brief=text, reply_to=waits[0].id))
        known.ledger.reminded(key, count + 1, time.time())


def messages(known: Known, announced: Announcement, *, started: bool) -> list[Outgoing]:
    """What an announcement looks like now: a gate that was closed meanwhile gets no buttons."""
    given = replace(announced, session=known.label)
    if given.kind in render.QUIET and not started:
        return []
    if given.kind not in (News.QUESTIONS, News.PLAN, News.ACTION):
        return [*render.news(given), *(tasks.proposals(known) if given.kind is News.DONE else ())]
    if known.gate is None or known.gate.id != given.gate:
        return [Outgoing(render.head("☑️", given.session, f"a gate was opened and closed meanwhile ({given.kind})"))]
    if found := gate_messages.waiting(known):
        if given.again:
            note = "📱 Shown here again, because another machine was the phone before."
            found = [replace(found[0], html=f"{note}\n\n{found[0].html}"), *found[1:]]
        return found
    what = f"a gate waits for you ({given.kind}), but its text has changed since: look on the machine"
    return [Outgoing(render.head("✋", given.session, what))]


def _still_asks(known: Known, message: Sent) -> bool:
    """Whether a message is what the session still waits for."""
    if message.role == Role.REMINDER:
        return False
    if known.gate is not None:
        return message.waits and message.gate == known.gate.id and message.id in known.ledger.live
    return message.role == Role.BLOCKED and known.state.condition in RESTS and message is _last_blocked(known)


def _last_blocked(known: Known) -> Sent | None:
    return next((m for m in reversed(known.ledger.messages.values()) if m.role == Role.BLOCKED), None)
