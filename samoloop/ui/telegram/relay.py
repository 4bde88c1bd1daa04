"""The relay: the one program that polls a bot, for all sessions of this machine.

Parts in one event loop, none of which waits for another, as no worker waits for any. `_listen` turns updates into
effects and notes an update as used only after its effect is on disk, so a killed relay loses nothing and repeats at
most one update, whose effect knows its number. `_speak` sends what the sessions have to say. `_start_workers` sees by
the files which session a person has moved on from the phone, and starts a worker where none runs. `_watch` says
whether it listens, and ends it where another one does or nobody needs it. Whatever breaks in a round of one of them,
the next round comes.
"""

import asyncio
import logging
import platform
import signal
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from samoloop.base.bell import Bell
from samoloop.base.errors import SamoloopError
from samoloop.base.locks import Lock, is_held
from samoloop.config.bot_folder import BotFolder
from samoloop.config.loading import load
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.session import all_sessions
from samoloop.core.state import ENDED, Condition
from samoloop.ui.telegram import commands, drafts
from samoloop.ui.telegram.api import LONGEST_WAIT_SECONDS, Api, Outage, Refused, TokenRefused, Unsent
from samoloop.ui.telegram.attachments import as_words
from samoloop.ui.telegram.chat import STATUS_SECONDS, Chat
from samoloop.ui.telegram.drafts import Draft
from samoloop.ui.telegram.handler import Handler
from samoloop.ui.telegram.ledger import READER
from samoloop.ui.telegram.machine import Machine, attempt
from samoloop.ui.telegram.reactions import Edit, Post, Toast
from samoloop.ui.telegram.render import Outgoing, short_name
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.text import escape
from samoloop.ui.telegram.updates import Moved, Said, Update, joined, may_go_on
from samoloop.ui.telegram.voice import Unheard
from samoloop.worker import outbox

OVERTAKEN_SECONDS = 1.0
RIVAL_TIMES = 3  # another program has got in between, before that is told
PARTING_SECONDS = 2.0
NAME_SECONDS = 5.0  # for its own name and its chat's number, while nothing else is heard

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


@dataclass(frozen=True)
class Pace:
    """How patient the relay is, in seconds."""

    poll: int = 50  # a long poll's length
    tick: float = 1.0  # how often the sessions' folders are looked at where nobody rings
    part: float = 1.0  # how long the next part of a long message may take
    first_wait: float = 1.0  # after a failure; doubled up to `longest_wait`
    longest_wait: float = LONGEST_WAIT_SECONDS
    status: float = STATUS_SECONDS
    told: float = 5.0  # after which trouble is told
    left: float = 30.0  # an update of another machine's session is left to it


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
        self._folder = folder
        self._machine = machine
        self._sessions = Sessions(folder, settings.chat)
        self._handler = Handler(settings, folder, self._sessions, machine)
        self._chat = Chat(self._api, status_seconds=self._pace.status)
        self._queue: deque[Post | Edit] = deque()
        self._poke = asyncio.Event()  # there is something to say
        self._handling = asyncio.Lock()
        self._came = asyncio.Event()  # there may be something to fetch
        self._moved = asyncio.Event()  # a person may have moved a session on
        self._taken_up: dict[Path, str] = {}  # what was last done from the phone, for which a worker was started
        self._troubles: dict[str, Outage] = {}  # by what does not work
        self._introduced = False
        self._lock = lock
        self._heard = time.time()
        self._noted = ""  # what others were told of it last
        self._deaf_message = 0  # which says in the chat that nobody is heard
        self._told_broken: dict[Path, str] = {}
        self._leaving: tuple[int, float] = (0, 0.0)  # an update that may be another machine's, and since when
        self.is_replaced = False
        self._idle_seconds = idle_seconds
        self._needed_at, self._look_at_need = time.monotonic(), 0.0
        self._toasts: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Serve until stopped. Raises TokenRefused."""
        try:
            await self._guarded("finding its chat", self._find_chat)
            await self._serve()
        finally:
            await self._api.close()

    async def _find_chat(self) -> None:
        """A group may be another one by now, and the note of that was removed: what comes from it counts."""
        if self._api.settings.chat < 0:
            await asyncio.wait_for(self._api.find_chat(), NAME_SECONDS)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._bell = Bell(self._folder.bell, lambda pipe: loop.add_reader(pipe, self._rung), loop.remove_reader)
        speaking = asyncio.create_task(self._keep("speaking", self._speak))
        stopped = asyncio.create_task(self._stopped.wait())
        parts = {
            "listening": self._listen,
            "fetching": self._fetch,
            "starting workers": self._start_workers,
            "watching": self._watch,
        }
        tasks = [speaking, stopped, *(asyncio.create_task(self._keep(*part)) for part in parts.items())]
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
            self._bell.close()

    def stop(self) -> None:
        """End `run`. Call it in the relay's own loop."""
        self._stopped.set()

    # What breaks

    async def _keep(self, part: str, go_round: Callable[[], Awaitable[None]]) -> None:
        """One round after the other, whatever becomes of one."""
        while not self._stopped.is_set():
            await self._guarded(part, go_round)
            while self._trouble(part).waits:
                await asyncio.sleep(self._pace.first_wait)

    async def _guarded(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """One broken session or message does not silence the others: it is said once, and its tries grow rare."""
        trouble = self._trouble(what)
        if trouble.waits:
            return
        try:
            await work()
        except TokenRefused:
            raise
        except Unsent:
            pass  # the outage is known
        except (Refused, SamoloopError, OSError) as error:
            trouble.failed(str(error))
        except Exception as error:
            if repr(error) != trouble.why:
                self._log_traceback(what)
            trouble.failed(repr(error))
        else:
            trouble.over()

    def _trouble(self, what: str) -> Outage:
        first, longest = self._pace.first_wait, self._pace.longest_wait
        return self._troubles.setdefault(what, Outage(what, first, longest))

    def _log_traceback(self, what: str) -> None:
        """As the others see it: without the token, which a library may have put into an exception's text."""
        log.error("Telegram: %s\n%s", what, self._api.scrub(traceback.format_exc()))

    # Hearing

    async def _listen(self) -> None:
        updates = await self._hear()
        self._heard = time.time()
        for update in joined(updates):
            if self._lock is not None and not self._lock.keeps_out(self._folder.relay_lock):
                self.is_replaced = True  # the register went with the lock: the next relay knows the sessions again
                self.stop()
                return
            if isinstance(update, Moved) and update.chat == self._api.settings.chat:
                self._api.move(update.to)
            if not self._folder.was_used(update.update_id):
                if self._is_another_machines(update):
                    await asyncio.sleep(self._pace.first_wait)
                    return
                await self._guarded("asking for its name", partial(self._know_own_name, update))
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
            while (update.reply_to or 0) > self._sessions.newest_message() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)

    async def _handle(self, update: Update) -> None:
        """Let an update have its effect. What breaks the code is passed over, not repeated for ever."""
        disk = self._trouble("keeping answers")
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
                self._log_traceback("an update could not be handled and is passed over")
                reactions = self._handler.refuse(update, "samoloop made a mistake, which its log describes")
                break
            else:
                disk.over()
                break
        for reaction in reactions:
            if isinstance(reaction, Toast):
                task = asyncio.create_task(self._api.toast(reaction.query, reaction.text))
                self._toasts.add(task)
                task.add_done_callback(self._toasts.discard)
            else:
                self._queue.append(reaction)
        self._poke.set()
        self._came.set()
        self._moved.set()
        self._needed_at = time.monotonic()

    def _disk_refuses(self) -> bool:
        """Whether nothing can be kept at all, or only what concerns one session."""
        try:
            self._folder.check_room()
        except OSError:
            return True
        return False

    async def _use(self, update: Update) -> None:
        keeping = self._trouble("noting what was used")
        try:
            self._folder.use(*update.parts if isinstance(update, Said) else (), update.update_id)
        except OSError as error:  # this process remembers it, and the server when it is asked for the next
            keeping.failed(str(error))
        else:
            keeping.over()

    async def _fetch(self) -> None:
        """What came with messages is fetched, and heard as the words that it becomes, beside all that is only words."""
        self._came.clear()
        for said in self._handler.attachments.waiting():
            await self._guarded(f"what came with message {said.message_id}", partial(self._take_in, said))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._came.wait(), self._pace.tick)

    async def _take_in(self, said: Said) -> None:
        try:
            words = await as_words(said, self._api, self._handler.attachments, self._folder.environ)
        except Unheard as error:
            self._queue.append(self._handler.say(said, f"{error}: please type it, or send it again."))
            self._poke.set()
        else:
            await self._handle(words)
        self._handler.attachments.settled(said.update_id)

    # Working

    async def _start_workers(self) -> None:
        """What a person did from the phone is in the files: where no worker takes it up, start one, once."""
        self._moved.clear()
        for known in self._sessions.refresh():
            await self._guarded(f"a worker for {known.name}", partial(self._start_worker, known))
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

    # Being heard, and needed

    async def _watch(self) -> None:
        """Say how it goes. End where another one listens, and a detached one where a person's or nobody needs it."""
        idle = self._idle_seconds
        await asyncio.sleep(min(self._pace.tick, idle / 10 if idle else self._pace.tick))
        now = time.monotonic()
        if self._lock is not None:
            self.is_replaced = not self._lock.keeps_out(self._folder.relay_lock)
            self._note(self._lock)
        if self.is_replaced or (idle and is_held(self._folder.foreground_lock)):
            self.stop()
        elif idle and now >= self._look_at_need:
            self._look_at_need = now + idle / 10
            self._needed_at = now if self._is_needed() else self._needed_at
            if now - self._needed_at >= idle:
                self.stop()

    def _why_deaf(self) -> str:
        """Why a person is not heard; empty where it is no more than a moment's trouble."""
        rival, others = self._api.rival, (self._api.listening, self._trouble("keeping answers"))
        if rival.failures >= RIVAL_TIMES:
            return rival.why
        return next((trouble.why for trouble in others if trouble.seconds > self._pace.told), "")

    def _note(self, lock: Lock) -> None:
        sending = self._api.sending
        mute = f"nothing can be sent: {sending.why}" if sending.seconds > self._pace.told else ""
        trouble = self._why_deaf() or mute
        if (noted := f"{self._heard} {trouble}") != self._noted:
            self._folder.note(lock, self._heard, trouble)
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
        if self._queue or self._handler.drafts.not_asked() or self._handler.attachments.waiting():
            return True
        return any(
            known.state.condition not in NEEDS_NOBODY or any(outbox.pending(known.session_dir, READER))
            for known in self._sessions.refresh()
        )

    # Speaking

    def _rung(self) -> None:
        """A worker has announced something."""
        self._bell.hush()
        self._poke.set()

    async def _speak(self) -> None:
        self._poke.clear()
        with suppress(OSError):  # without it the slow look remains
            self._bell.hang()
        if not self._introduced:
            await self._guarded("introducing itself", self._introduce)
        if not self._api.sending.why:
            await self._guarded("saying that nobody is heard", self._say_deafness)
        await self._say_reactions()
        for draft in self._handler.drafts.not_asked():
            await self._guarded(f"asking about text {draft.id}", partial(self._ask_about, draft))
        for known in self._sessions.refresh():
            await self._guarded(known.name, partial(self._chat.serve, known))
        for path, why in list(self._sessions.broken.items()):
            await self._guarded(f"reading {path.name}", partial(self._say_broken, path, why))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._poke.wait(), self._pace.tick)

    async def _introduce(self) -> None:
        await self._api.register_commands(commands.menu())
        self._introduced = True

    async def _say_deafness(self) -> None:
        why, here = self._why_deaf(), escape(platform.node())
        if why and not self._deaf_message:
            text = f"🙉 {here}: I may not hear you: {escape(why)}. What you send is kept, and counts when I hear it."
            self._deaf_message = await self._api.send(Outgoing(text))
        elif not why and self._deaf_message:
            message, self._deaf_message = self._deaf_message, 0
            await self._api.edit(message, f"👂 {here}: I hear you again.")

    async def _say_broken(self, path: Path, why: str) -> None:
        """Once; what another program is just changing may be sound again in a moment."""
        if self._told_broken.get(path) != why:
            self._told_broken[path] = why
            await self._api.send(Outgoing(f"⚠️ {escape(short_name(path.name))} is left out here: {escape(why)}"))

    async def _say_reactions(self) -> None:
        for _ in range(len(self._queue)):
            reaction = self._queue.popleft()
            try:
                await self._react(reaction)
            except TokenRefused:
                raise
            except Unsent:  # an edit
                self._queue.append(reaction)
            except (Refused, SamoloopError, OSError) as error:
                log.warning("Telegram: a reply could not be given: %s", error)
            except Exception:
                self._log_traceback("a reply could not be given")

    async def _react(self, reaction: Post | Edit) -> None:
        if isinstance(reaction, Edit):
            await self._api.edit(reaction.message_id, reaction.html, reaction.rows)
            return
        messages = await asyncio.to_thread(reaction.make)
        for number, message in enumerate(messages):
            try:
                if reaction.known is not None:
                    await self._chat.post(reaction.known, message)
                else:
                    await self._api.send(message, reaction.thread)
            except Unsent:  # what was made is not made again, and what was sent not sent again
                self._queue.append(replace(reaction, make=partial(list, messages[number:])))
                return

    async def _ask_about(self, draft: Draft) -> None:
        message = drafts.ask(draft, self._folder, self._sessions)
        try:
            now = self._handler.drafts.note_asked(draft, await self._chat.ask(message, draft))
        except Refused:
            self._handler.drafts.remove(draft.id)
            raise
        if now.asked and now.text != draft.text:  # it was edited meanwhile
            message = drafts.ask(now, self._folder, self._sessions)
            self._queue.append(Edit(now.asked, message.html, message.rows))
