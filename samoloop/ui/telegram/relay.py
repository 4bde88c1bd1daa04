"""The relay: the one program that polls a bot, for all sessions of this machine.

Tasks in one event loop, none of which waits for another, as no worker waits for any. `_listen` turns updates into
effects and saves the offset only after the effect is on disk, so a killed relay loses nothing and repeats at most one
update, whose effect knows its number. `_speak` sends what the sessions have to say. `_start_workers` sees by the files
which session a person has moved on from the phone, and starts a worker where none runs. A detached relay also watches
whether anybody needs it.
"""

import asyncio
import logging
import signal
import time
import traceback
from collections import deque
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from samoloop.base.errors import SamoloopError
from samoloop.base.locks import is_held
from samoloop.config.bot_folder import BotFolder
from samoloop.config.loading import load
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.session import all_sessions
from samoloop.core.state import ENDED, Condition
from samoloop.ui.telegram import commands, drafts
from samoloop.ui.telegram.api import Api, Refused, TokenRefused
from samoloop.ui.telegram.chat import STATUS_SECONDS, Chat
from samoloop.ui.telegram.handler import Handler
from samoloop.ui.telegram.ledger import READER
from samoloop.ui.telegram.machine import Machine, attempt
from samoloop.ui.telegram.reactions import Edit, Post, Toast
from samoloop.ui.telegram.render import Outgoing
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.text import escape
from samoloop.ui.telegram.updates import Said, Update
from samoloop.worker import outbox

OVERTAKEN_SECONDS = 1.0
PARTING_SECONDS = 2.0

NEEDS_NOBODY = ENDED | {Condition.STOPPED}  # once all is told; the others wait for a person, or work

log = logging.getLogger(__name__)


def listen(
    settings: BotSettings, folder: BotFolder, environ: Mapping[str, str], *, idle_seconds: float | None = None
) -> None:
    """Run the relay in this process, which holds its lock, until Ctrl-C or SIGTERM. Raises TokenRefused.

    With `idle_seconds` it is a detached one, which also ends when nobody needs it, or a person runs one.
    """
    if idle_seconds is None:
        register_unfinished(folder, environ)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # the shell that detached it had this ignored, for workers too

    async def serve() -> None:
        relay = Relay(settings, folder, Machine(), idle_seconds=idle_seconds)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, relay.stop)
        await relay.run()

    asyncio.run(serve())


def register_unfinished(folder: BotFolder, environ: Mapping[str, str]) -> None:
    """Have every unfinished session of the registered projects served, also those that ran without Telegram."""
    for root in folder.roots():
        try:
            for session in all_sessions(load(root, environ).sessions_dir):
                if session.state().condition not in ENDED:
                    folder.register(session.dir, root)
        except (SamoloopError, OSError) as error:
            log.warning("the sessions of %s are left out: %s", root, error)


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

    def __init__(
        self,
        settings: BotSettings,
        folder: BotFolder,
        machine: Machine,
        pace: Pace | None = None,
        *,
        idle_seconds: float | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._api = Api(settings, first_wait=self._pace.first_wait, longest_wait=self._pace.longest_wait)
        self._folder = folder
        self._machine = machine
        self._sessions = Sessions(folder)
        self._handler = Handler(settings, folder, self._sessions, machine)
        self._chat = Chat(self._api, status_seconds=self._pace.status)
        self._queue: deque[Post | Edit] = deque()
        self._poke = asyncio.Event()  # there is something to say
        self._moved = asyncio.Event()  # a person may have moved a session on
        self._taken_up: dict[Path, str] = {}  # what was last done from the phone, for which a worker was started
        self._idle_seconds = idle_seconds
        self._needed_at = time.monotonic()
        self._toasts: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Serve until stopped. Raises TokenRefused."""
        speaking = asyncio.create_task(self._speak())
        stopped = asyncio.create_task(self._stopped.wait())
        tasks = [speaking, stopped, *map(asyncio.create_task, (self._listen(), self._start_workers()))]
        if self._idle_seconds is not None:
            tasks.append(asyncio.create_task(self._watch_need(self._idle_seconds)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if stopped in done:  # a message that is under way gets into the ledger
                self._poke.set()
                await asyncio.wait([speaking], timeout=PARTING_SECONDS)
            for task in done:
                task.result()
        finally:
            for task in [*tasks, *self._toasts]:
                task.cancel()
            await asyncio.gather(*tasks, *self._toasts, return_exceptions=True)
            await self._api.close()

    def stop(self) -> None:
        """End `run`. Call it in the relay's own loop."""
        self._stopped.set()

    # Hearing

    async def _listen(self) -> None:
        while True:
            for update in await self._api.updates(self._folder.offset(), self._pace.poll):
                await self._know_what_it_answers(update)
                while not self._handled(update):
                    await asyncio.sleep(self._pace.first_wait)
                self._folder.save_offset(update.update_id + 1)

    async def _know_what_it_answers(self, update: Update) -> None:
        """A quick reply can overtake the server's word that our message was sent: give that a moment."""
        if isinstance(update, Said) and update.reply_to is not None:
            deadline = time.monotonic() + OVERTAKEN_SECONDS
            while update.reply_to > self._sessions.newest_message() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)

    def _handled(self, update: Update) -> bool:
        """Whether the update had its effect. One that breaks the code is passed over, not repeated for ever."""
        try:
            reactions = self._handler.handle(update)
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
        self._moved.set()
        self._needed_at = time.monotonic()
        return True

    # Working

    async def _start_workers(self) -> None:
        """What a person did from the phone is in the files: where no worker takes it up, start one, once."""
        while True:
            self._moved.clear()
            for known in self._sessions.refresh():
                await self._guarded(known.name, self._start_worker(known))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), self._pace.tick)

    async def _start_worker(self, known: Known) -> None:
        act, by = known.phone_act()
        if not act or self._taken_up.get(known.session_dir) == act or known.has_worker:
            return
        self._taken_up[known.session_dir] = act
        why = await asyncio.to_thread(attempt, partial(self._machine.resume, known.session_dir, by))
        if why and known.has_worker:  # one that a person started meanwhile; it may be about to end
            del self._taken_up[known.session_dir]
        elif why:
            message = Outgoing(f"⚠️ {escape(known.short)} could not go on: {escape(why)}")
            self._queue.append(Post(lambda: [message], known))
            self._poke.set()

    async def _watch_need(self, idle_seconds: float) -> None:
        """End when a person runs a relay, the state folder is gone, or no session has needed this one for long."""
        look_at_need = 0.0
        while True:
            now = time.monotonic()
            if is_held(self._folder.foreground_lock) or not self._folder.relay_lock.exists():
                break
            if now >= look_at_need:
                look_at_need = now + idle_seconds / 10
                self._needed_at = now if self._is_needed() else self._needed_at
                if now - self._needed_at >= idle_seconds:
                    break
            await asyncio.sleep(min(self._pace.tick, idle_seconds / 10))
        self.stop()

    def _is_needed(self) -> bool:
        if self._queue or self._handler.drafts.not_asked():
            return True
        return any(
            known.state.condition not in NEEDS_NOBODY or any(outbox.pending(known.session_dir, READER))
            for known in self._sessions.refresh()
        )

    # Speaking

    async def _speak(self) -> None:
        await self._introduce()
        while not self._stopped.is_set():
            self._poke.clear()
            await self._say_reactions()
            await self._ask_about_texts()
            for known in self._sessions.refresh():
                await self._guarded(known.name, self._chat.serve(known))
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
                await self._chat.post(reaction.known, message)
            else:
                await self._api.send(message, reaction.thread)

    async def _ask_about_texts(self) -> None:
        for draft in self._handler.drafts.not_asked():
            message = drafts.ask(draft, self._folder, self._sessions)
            try:
                self._handler.drafts.note_asked(draft, await self._chat.ask(message, draft))
            except Refused as refused:
                log.warning("Telegram: could not ask what a text is for: %s", refused)
                self._handler.drafts.remove(draft.id)

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
