"""The relay: the one program that polls a bot, for all sessions of this machine.

Parts in one event loop, none of which waits for another, as no worker waits for any: it listens, it speaks, it starts
a worker where the files say that a person has moved a session on from the phone and none runs, and it says whether it
hears and ends where another one does or nobody needs it. Whatever breaks in a round of a part, the next round comes.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from samoloop.base.errors import SamoloopError
from samoloop.base.locks import Lock, is_held
from samoloop.config.bot_folder import BotFolder
from samoloop.config.loading import load
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.session import all_sessions
from samoloop.core.state import ENDED, Condition
from samoloop.ui.telegram.api import Api
from samoloop.ui.telegram.handler import Handler
from samoloop.ui.telegram.ledger import READER
from samoloop.ui.telegram.listening import KEEPING, Listening
from samoloop.ui.telegram.machine import Machine, attempt
from samoloop.ui.telegram.reactions import Post, Reaction
from samoloop.ui.telegram.render import Outgoing
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.speaking import Speaking
from samoloop.ui.telegram.supervision import Pace, Supervision
from samoloop.ui.telegram.text import escape
from samoloop.worker import outbox

RIVAL_TIMES = 3  # another program has got in between, before that is told
PARTING_SECONDS = 2.0

NEEDS_NOBODY = ENDED | {Condition.STOPPED}  # once all is told; the others wait for a person, or work

log = logging.getLogger(__name__)


def listen(
    settings: BotSettings,
    folder: BotFolder,
    environ: Mapping[str, str],
    lock: Lock,
    *,
    idle_seconds: float | None = None,
) -> bool:
    """Run the relay in this process, which holds its lock, until Ctrl-C or SIGTERM. Raises TokenRefused.

    With `idle_seconds` it is a detached one, which also ends when nobody needs it, or a person runs one. Returns
    whether it ended because its lock keeps nobody out any more: the state folder was removed.
    """
    if idle_seconds is None or not folder.is_complete:
        register_unfinished(folder, environ)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # the shell that detached it had this ignored, for workers too

    async def serve() -> bool:
        relay = Relay(settings, folder, Machine(), lock=lock, idle_seconds=idle_seconds)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, relay.stop)
        await relay.run()
        return relay.is_replaced

    return asyncio.run(serve())


def register_unfinished(folder: BotFolder, environ: Mapping[str, str]) -> None:
    """Have every unfinished session of the registered projects served, also those that ran without Telegram."""
    for root in folder.roots():
        try:
            for session in all_sessions(load(root, environ).sessions_dir):
                if session.state().condition not in ENDED:
                    folder.register(session.dir, root)
        except (SamoloopError, OSError) as error:
            log.warning("the sessions of %s are left out: %s", root, error)
    with suppress(OSError):
        folder.complete()


class Relay:
    """Runs until `stop`, in the event loop that `run` is awaited in."""

    def __init__(
        self,
        settings: BotSettings,
        folder: BotFolder,
        machine: Machine,
        pace: Pace | None = None,
        *,
        lock: Lock | None = None,
        idle_seconds: float | None = None,
    ) -> None:
        """`lock` is the bot's, and says to others how it goes."""
        self._pace = pace or Pace()
        self._configured, settings = settings, folder.chat_of(settings)
        first, longest = self._pace.first_wait, self._pace.longest_wait
        self._api = Api(settings, first_wait=first, longest_wait=longest, moved=self._move)
        self._folder, self._machine, self._lock = folder, machine, lock
        self._sessions = Sessions(folder, settings.chat)
        self._handler = Handler(self._configured, folder, self._sessions, machine)
        self._handler.chat = settings.chat
        self._supervision = Supervision(self._api, self._pace)
        parts = self._api, folder, self._handler, self._supervision, self._pace
        self._listening = Listening(*parts, self._react)
        self._speaking = Speaking(*parts, self._why_deaf, self._may_serve)
        self._moved = asyncio.Event()  # a person may have moved a session on
        self._taken_up: dict[Path, str] = {}  # what was last done from the phone, for which a worker was started
        self._left_to_it: dict[Path, str] = {}  # the same, while a worker was at work
        self._noted = ""  # what others were told of it last
        self.is_replaced = False
        self._idle_seconds = idle_seconds
        self._needed_at, self._look_at_need = time.monotonic(), 0.0
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Serve until stopped. Raises TokenRefused."""
        try:
            await self._supervision.guarded("finding its chat", self._listening.find_chat)
            await self._serve()
        finally:
            self._speaking.close()
            await self._api.close()

    async def _serve(self) -> None:
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "speaking": self._speaking.go_round,
            "listening": partial(self._listening.go_round, self._may_serve),
            "fetching": self._listening.fetch,
            "starting workers": self._start_workers,
            "watching": self._watch,
        }
        stopped = asyncio.create_task(self._stopped.wait())
        tasks = [asyncio.create_task(self._supervision.keep(*part, self._stopped)) for part in parts.items()]
        try:
            done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if stopped in done:  # a message that is under way gets into the ledger
                self._speaking.say(())
                await asyncio.wait(tasks[:1], timeout=PARTING_SECONDS)
            for task in done:
                task.result()
        finally:
            for task in (stopped, *tasks):
                task.cancel()
            await asyncio.gather(stopped, *tasks, return_exceptions=True)

    def stop(self) -> None:
        """End `run`. Call it in the relay's own loop."""
        self._stopped.set()

    def _may_serve(self) -> bool:
        """Whether its lock keeps others out; where the register went with it, the next relay knows the sessions."""
        if self._lock is not None and not self._lock.keeps_out(self._folder.relay_lock):
            self.is_replaced = True
            self.stop()
        return not self.is_replaced

    def _react(self, reactions: Sequence[Reaction]) -> None:
        """A person did something."""
        self._speaking.say(reactions)
        self._moved.set()
        self._needed_at = time.monotonic()

    # Working

    async def _start_workers(self) -> None:
        """What a person did from the phone is in the files: where no worker takes it up, start one, once."""
        self._moved.clear()
        for known in self._sessions.refresh():
            await self._supervision.guarded(f"a worker for {known.session_dir}", partial(self._start_worker, known))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), self._pace.tick)

    async def _start_worker(self, known: Known) -> None:
        act, by = known.phone_act()
        if not act or self._taken_up.get(known.session_dir) == act:
            return
        if known.is_at_work:
            self._left_to_it[known.session_dir] = act
            return
        if known.state.condition is Condition.STOPPED and self._left_to_it.get(known.session_dir) == act:
            return  # who stopped it had said that before
        self._taken_up[known.session_dir] = act
        why = await asyncio.to_thread(attempt, partial(self._machine.resume, known.session_dir, by))
        if why and known.has_worker:  # one that a person started meanwhile; it may be about to end
            del self._taken_up[known.session_dir]
        elif why:
            message = Outgoing(f"⚠️ {escape(known.short)} could not go on: {escape(why)}")
            self._speaking.say([Post(lambda: [message], known)])

    # Being heard, and needed

    async def _watch(self) -> None:
        """Say how it goes. End where another one listens, and a detached one where a person's or nobody needs it."""
        idle = self._idle_seconds
        await asyncio.sleep(min(self._pace.tick, idle / 10 if idle else self._pace.tick))
        now = time.monotonic()
        if self._lock is not None:
            self._note(self._lock)
        if not self._may_serve() or (idle and is_held(self._folder.foreground_lock)):
            self.stop()
        elif idle and now >= self._look_at_need:
            self._look_at_need = now + idle / 10
            self._needed_at = now if self._is_needed() else self._needed_at
            if now - self._needed_at >= idle:
                self.stop()

    def _why_deaf(self) -> str:
        """Why a person is not heard; empty where it is no more than a moment's trouble."""
        rival, others = self._api.rival, (self._api.listening, self._supervision.trouble(KEEPING))
        if rival.failures >= RIVAL_TIMES:
            return rival.why
        return next((trouble.why for trouble in others if trouble.seconds > self._pace.told), "")

    def _note(self, lock: Lock) -> None:
        sending = self._api.sending
        mute = f"nothing can be sent: {sending.why}" if sending.seconds > self._pace.told else ""
        trouble = self._why_deaf() or mute
        if (noted := f"{self._listening.heard} {trouble}") != self._noted:
            self._folder.note(lock, self._listening.heard, trouble)
            self._noted = noted

    def _move(self, chat: int) -> None:
        """The group has become a supergroup."""
        self._handler.chat = chat
        self._sessions.move(chat)
        try:
            self._folder.move_chat(self._configured, chat)
        except OSError as error:
            log.warning("Telegram: the new number of the chat could not be noted: %s", error)

    def _is_needed(self) -> bool:
        if self._speaking.is_at_it or self._handler.drafts.not_asked() or self._handler.attachments.waiting():
            return True
        return any(
            known.state.condition not in NEEDS_NOBODY or any(outbox.pending(known.session_dir, READER))
            for known in self._sessions.refresh()
        )
