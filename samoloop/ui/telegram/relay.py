"""The relay: the one program that polls a bot, for all sessions of this machine.

Two tasks in one event loop. `_listen` turns updates into effects and saves the offset only after the effect is on disk,
so a killed relay loses nothing and repeats at most one update, whose effect knows its number. `_speak` sends what the
sessions have to say. Neither waits for the other, and no worker waits for either.
"""

import asyncio
import logging
import time
import traceback
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from samoloop.config.telegram_bot import Settings
from samoloop.ui.telegram import commands, held
from samoloop.ui.telegram.api import Api, Refused, TokenRefused
from samoloop.ui.telegram.delivery import STATUS_SECONDS, Delivery
from samoloop.ui.telegram.desk import Desk
from samoloop.ui.telegram.home import Home
from samoloop.ui.telegram.machine import Machine
from samoloop.ui.telegram.reactions import Edit, Post, Toast
from samoloop.ui.telegram.sessions import Sessions
from samoloop.ui.telegram.updates import Said, Update

OVERTAKEN_SECONDS = 1.0
PARTING_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How patient the relay is, in seconds."""

    poll: int = 50  # a long poll's length
    tick: float = 1.0  # how often the sessions' folders are looked at
    first_wait: float = 1.0  # after a failure; doubled up to `longest_wait`
    longest_wait: float = 30.0
    status: float = STATUS_SECONDS


class Relay:
    """Runs until `stop`, in the event loop that `run` is awaited in."""

    def __init__(self, settings: Settings, home: Home, machine: Machine, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._api = Api(settings, first_wait=self._pace.first_wait, longest_wait=self._pace.longest_wait)
        self._home = home
        self._sessions = Sessions(home)
        self._desk = Desk(settings, home, self._sessions, machine)
        self._delivery = Delivery(self._api, status_seconds=self._pace.status)
        self._queue: deque[Post | Edit] = deque()
        self._poke = asyncio.Event()
        self._toasts: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self.rounds = 0  # how often everything that was due has been said

    async def run(self) -> None:
        """Serve until stopped. Raises TokenRefused."""
        listening, speaking = asyncio.create_task(self._listen()), asyncio.create_task(self._speak())
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            done, _ = await asyncio.wait([listening, speaking, stopped], return_when=asyncio.FIRST_COMPLETED)
            if stopped in done:  # a message that is under way gets into the ledger
                self._poke.set()
                await asyncio.wait([speaking], timeout=PARTING_SECONDS)
            for task in done:
                task.result()
        finally:
            tasks = [listening, speaking, stopped, *self._toasts]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._api.close()

    def stop(self) -> None:
        """End `run`. Call it in the relay's own loop."""
        self._stopped.set()

    def hurry(self) -> None:
        """Look at the sessions now. Call it in the relay's own loop."""
        self._poke.set()

    # Hearing

    async def _listen(self) -> None:
        while True:
            for update in await self._api.updates(self._home.offset(), self._pace.poll):
                await self._know_what_it_answers(update)
                while not self._handled(update):
                    await asyncio.sleep(self._pace.first_wait)
                self._home.save_offset(update.update_id + 1)

    async def _know_what_it_answers(self, update: Update) -> None:
        """A quick reply can overtake the server's word that our message was sent: give that a moment."""
        if isinstance(update, Said) and update.reply_to is not None:
            deadline = time.monotonic() + OVERTAKEN_SECONDS
            while update.reply_to > self._sessions.newest_message() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)

    def _handled(self, update: Update) -> bool:
        """Whether the update had its effect. One that breaks the code is passed over, not repeated for ever."""
        try:
            reactions = self._desk.handle(update)
        except OSError as error:
            log.warning("Telegram: an answer could not be written (%s): trying again", error)
            return False
        except Exception:
            self._log_traceback("an update could not be handled and is passed over")
            return True
        for reaction in reactions:
            if isinstance(reaction, Toast):
                task = asyncio.create_task(self._api.toast(reaction.query, reaction.text))
                self._toasts.add(task)
                task.add_done_callback(self._toasts.discard)
            else:
                self._queue.append(reaction)
        self._poke.set()
        return True

    # Speaking

    async def _speak(self) -> None:
        await self._introduce()
        while not self._stopped.is_set():
            self._poke.clear()
            await self._say_reactions()
            await self._ask_about_texts()
            for known in self._sessions.refresh():
                await self._guarded(known.name, self._delivery.serve(known))
            self.rounds += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poke.wait(), self._pace.tick)

    async def _introduce(self) -> None:
        try:
            await self._api.register_commands(commands.MENU)
        except Refused as refused:
            log.warning("Telegram: the commands could not be registered: %s", refused)

    async def _say_reactions(self) -> None:
        while self._queue:
            await self._guarded("a reply", self._react(self._queue.popleft()))

    async def _react(self, reaction: Post | Edit) -> None:
        if isinstance(reaction, Edit):
            await self._api.edit(reaction.message_id, reaction.html)
            return
        for message in await asyncio.to_thread(reaction.make):
            if reaction.known is not None:
                await self._delivery.post(reaction.known, message)
            else:
                await self._api.send(message, reaction.thread)

    async def _ask_about_texts(self) -> None:
        for text in self._home.not_asked():
            message = held.ask(text, self._home, self._sessions)
            try:
                self._home.note_asked(text, await self._delivery.ask(message, text))
            except Refused as refused:
                log.warning("Telegram: could not ask what a text is for: %s", refused)
                self._home.release(text.id)

    async def _guarded(self, what: str, work: Coroutine[Any, Any, object]) -> None:
        """One broken session or message does not silence the others."""
        try:
            await work
        except TokenRefused:
            raise
        except (Refused, OSError) as error:
            log.warning("Telegram: %s: %s", what, error)
        except Exception:
            self._log_traceback(f"{what} could not be told")

    def _log_traceback(self, what: str) -> None:
        """As the others see it: without the token, which a library may have put into an exception's text."""
        log.error("Telegram: %s\n%s", what, self._api.scrub(traceback.format_exc()))
