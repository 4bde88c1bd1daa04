"""Speaking: what the sessions announce, what a person is answered, and that nobody is heard."""

import asyncio
import logging
import platform
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from samoloop.base.bell import Bell
from samoloop.base.errors import SamoloopError
from samoloop.config.bot_folder import BotFolder
from samoloop.ui.telegram import commands, drafts
from samoloop.ui.telegram.api import Api, Refused, TokenRefused, Unsent
from samoloop.ui.telegram.chat import Chat
from samoloop.ui.telegram.drafts import Draft
from samoloop.ui.telegram.handler import Handler
from samoloop.ui.telegram.reactions import Edit, Post, Reaction, Toast
from samoloop.ui.telegram.render import Outgoing, short_name
from samoloop.ui.telegram.supervision import Pace, Supervision
from samoloop.ui.telegram.text import escape

log = logging.getLogger(__name__)


class Speaking:
    """The voice of one relay."""

    def __init__(
        self, api: Api, folder: BotFolder, handler: Handler, watch: Supervision, pace: Pace,
        why_deaf: Callable[[], str], may_serve: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._api, self._folder, self._handler, self._watch, self._pace = api, folder, handler, watch, pace
        self._sessions, self._why_deaf = handler.sessions, why_deaf
        self._chat = Chat(api, may_serve, status_seconds=pace.status)
        self._queue: deque[Post | Edit] = deque()
        self._poke = asyncio.Event()  # there is something to say
        self._toasts: set[asyncio.Task[None]] = set()
        self._introduced = False
        self._deaf_message = 0  # which says in the chat that nobody is heard
        self._told_broken: dict[Path, str] = {}
        self._bell = Bell(folder.bell, self._hear_bell, lambda pipe: asyncio.get_running_loop().remove_reader(pipe))

    @property
    def is_at_it(self) -> bool:
        """Whether an answer is under way."""
        return bool(self._queue)

    def say(self, reactions: Sequence[Reaction]) -> None:
        """Have something said, as soon as it can be; a tap is answered at once."""
        for reaction in reactions:
            if isinstance(reaction, Toast):
                task = asyncio.create_task(self._api.toast(reaction.query, reaction.text))
                self._toasts.add(task)
                task.add_done_callback(self._toasts.discard)
            else:
                self._queue.append(reaction)
        self._poke.set()

    def close(self) -> None:
        """Say nothing more."""
        self._bell.close()
        for task in self._toasts:
            task.cancel()

    def _hear_bell(self, pipe: int) -> None:
        asyncio.get_running_loop().add_reader(pipe, self._rung)

    def _rung(self) -> None:
        """A worker has announced something."""
        self._bell.hush()
        self._poke.set()

    async def go_round(self) -> None:
        """Say all that is to be said, then wait until there is more."""
        self._poke.clear()
        with suppress(OSError):  # without it the slow look remains
            self._bell.hang()
        if not self._introduced:
            await self._watch.guarded("introducing itself", self._introduce)
        if not self._api.sending.why:
            await self._watch.guarded("saying that nobody is heard", self._say_deafness)
        await self._say_reactions()
        for draft in self._handler.drafts.not_asked():
            await self._watch.guarded(f"asking about text {draft.id}", partial(self._ask_about, draft))
        for known in self._sessions.refresh():
            await self._watch.guarded(str(known.session_dir), partial(self._chat.serve, known))
        for path, why in list(self._sessions.broken.items()):
            await self._watch.guarded(f"reading {path}", partial(self._say_broken, path, why))
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
                self._watch.log_traceback("a reply could not be given")

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
