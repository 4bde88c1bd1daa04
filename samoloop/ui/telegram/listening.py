"""Listening: what Telegram hands out becomes effects, and an update is noted as used only after its effect is on disk.

So a killed relay loses nothing and repeats at most one update, whose effect knows its number.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from samoloop.config.bot_folder import BotFolder
from samoloop.ui.telegram.api import Api
from samoloop.ui.telegram.attachments import as_words
from samoloop.ui.telegram.handler import Handler
from samoloop.ui.telegram.reactions import Reaction
from samoloop.ui.telegram.supervision import Pace, Supervision
from samoloop.ui.telegram.updates import Moved, Said, Update, joined, may_go_on
from samoloop.ui.telegram.voice import Unheard

OVERTAKEN_SECONDS = 1.0
NAME_SECONDS = 5.0  # for the bot's own name and its chat's number, while nothing else is heard
KEEPING = "keeping answers"


class Listening:
    """The ears of one relay."""

    def __init__(
        self, api: Api, folder: BotFolder, handler: Handler, watch: Supervision, pace: Pace,
        react: Callable[[list[Reaction]], None],
    ) -> None:  # fmt: skip
        """`react` is told what is to be said after an update had its effect."""
        self._api, self._folder, self._handler, self._watch, self._pace = api, folder, handler, watch, pace
        self._react = react
        self._handling = asyncio.Lock()
        self._came = asyncio.Event()  # there may be something to fetch
        self._leaving: tuple[int, float] = (0, 0.0)  # an update that may be another machine's, and since when
        self.heard = time.time()

    async def find_chat(self) -> None:
        """A group may be another one by now, and the note of that was removed: what comes from it counts."""
        if self._api.settings.chat < 0:
            await asyncio.wait_for(self._api.find_chat(), NAME_SECONDS)

    async def go_round(self, may_serve: Callable[[], bool]) -> None:
        """Take the next updates, as long as this relay `may_serve` the sessions."""
        updates = await self._hear()
        self.heard = time.time()
        for update in joined(updates):
            if not may_serve():
                return
            if isinstance(update, Moved) and update.chat == self._api.settings.chat:
                self._api.move(update.to)
            if not self._folder.was_used(update.update_id):
                if self._is_another_machines(update):
                    await asyncio.sleep(self._pace.first_wait)
                    return
                await self._watch.guarded("asking for its name", partial(self._know_own_name, update))
                await self._know_what_it_answers(update)
                await self._handle(update)
            await self._use(update)

    def _is_another_machines(self, update: Update) -> bool:
        """Whether an update is to be left where it is, for another program that polls this bot and may know it."""
        if not self._api.rival.why or not self._handler.is_strange(update):
            return False
        if self._leaving[0] != update.update_id:
            self._leaving = update.update_id, time.monotonic()
        return time.monotonic() - self._leaving[1] < self._pace.left

    async def _know_own_name(self, update: Update) -> None:
        """Which bot is meant is asked for where a name is in a message."""
        if isinstance(update, Said) and "@" in update.text and not self._handler.bot and self._handler.allows(update):
            self._handler.bot = await asyncio.wait_for(self._api.bot_name(), NAME_SECONDS)

    async def _hear(self) -> list[Update]:
        """The next updates; what may be the first part of a long message, together with the rest."""
        updates = await self._api.updates(self._folder.offset(), self._pace.poll)
        if updates and may_go_on(updates[-1]) and self._handler.allows(updates[-1]):
            await asyncio.sleep(self._pace.part)
            updates = await self._api.updates(self._folder.offset(), 0) or updates
        return updates

    async def _know_what_it_answers(self, update: Update) -> None:
        """A quick reply can overtake the server's word that our message was sent: give that a moment."""
        if isinstance(update, Said) and update.answers_bot and self._handler.allows(update):
            deadline = time.monotonic() + OVERTAKEN_SECONDS
            while (update.reply_to or 0) > self._handler.sessions.newest_message() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)

    async def _handle(self, update: Update) -> None:
        """Let an update have its effect. What breaks the code is passed over, not repeated for ever."""
        disk = self._watch.trouble(KEEPING)
        while True:
            try:
                async with self._handling:
                    reactions = await asyncio.to_thread(self._handler.handle, update)
            except OSError as error:
                if not self._disk_refuses():
                    reactions = self._handler.refuse(update, f"it could not be written ({error.strerror})")
                    break
                await asyncio.sleep(disk.failed(str(error)))
            except Exception:
                self._watch.log_traceback("an update could not be handled and is passed over")
                reactions = self._handler.refuse(update, "samoloop made a mistake, which its log describes")
                break
            else:
                disk.over()
                break
        self._came.set()
        self._react(reactions)

    def _disk_refuses(self) -> bool:
        """Whether nothing can be kept at all, or only what concerns one session."""
        try:
            self._folder.check_room()
        except OSError:
            return True
        return False

    async def _use(self, update: Update) -> None:
        keeping = self._watch.trouble("noting what was used")
        try:
            self._folder.use(*update.parts if isinstance(update, Said) else (), update.update_id)
        except OSError as error:  # this process remembers it, and the server when it is asked for the next
            keeping.failed(str(error))
        else:
            keeping.over()

    async def fetch(self) -> None:
        """What came with messages is fetched, and heard as the words that it becomes, beside all that is only words."""
        self._came.clear()
        for said in self._handler.attachments.waiting():
            await self._watch.guarded(f"what came with message {said.message_id}", partial(self._take_in, said))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), self._pace.tick)

    async def _take_in(self, said: Said) -> None:
        try:
            words = await as_words(said, self._api, self._handler.attachments, self._folder.environ)
        except Unheard as error:
            self._react([self._handler.say(said, f"{error}: please type it, or send it again.")])
        else:
            await self._handle(words)
        self._handler.attachments.settled(said.update_id)
