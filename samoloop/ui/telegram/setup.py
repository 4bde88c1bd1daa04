"""`samoloop telegram setup` and `test`: from a token to an answered question, and the file that remembers it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from samoloop.base.errors import SamoloopError, UsageError
from samoloop.config import telegram_bot as config
from samoloop.config.bot_folder import BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.config.telegram_section import remember
from samoloop.ui.telegram.api import Api, Refused, Unsent
from samoloop.ui.telegram.render import Button, Outgoing
from samoloop.ui.telegram.updates import Said, Tap

REACH_SECONDS = 30
PERSON_SECONDS = 600
POLL_SECONDS = 10
CODE_BYTES = 16
T = TypeVar("T")
Say = Callable[[str], None]


class NoReply(SamoloopError):
    """Nothing came back from Telegram or from the person in time."""


def connect(
    token: str, base_url: str, environ: Mapping[str, str], say: Say, confirm: Callable[[str], bool]
) -> tuple[BotSettings, Path]:
    """All of the setup: the bot and the file that remembers it, written when its person was found, was confirmed on
    this terminal, and has tapped. Raises UsageError, NoReply, ConfigError, TokenRefused, each with nothing written.
    """
    found = blank(token, base_url)
    with BotFolder(found, environ).foreground():
        name = bot_name(found)
        say(f"The bot is @{name}.")
        said = find_person(found, name, environ, say)
        where = "a private chat" if said.chat > 0 else f"the group {said.chat}"
        say(f"Found {said.name} (user {said.user}) in {where}.")
        if not confirm("Is that you? Only this user may answer and approve"):
            raise UsageError("nothing was written, and the code is worth nothing any more: run the setup again")
        found = replace(found, chat=said.chat, users=frozenset({said.user}))
        who = try_out(found, environ, say)
        path = remember(found, environ)
    say(f"{who} tapped: it works. Remembered in {path}.")
    return found, path


def blank(token: str, base_url: str) -> BotSettings:
    """A bot whose chat is not known yet. Raises UsageError for what is no token."""
    if not config.TOKEN_SHAPE.fullmatch(token):
        raise UsageError("that is no bot token: it looks like 123456789:AAF…, get one from @BotFather in Telegram")
    return BotSettings(token, 0, frozenset(), base_url=base_url)


def bot_name(found: BotSettings) -> str:
    """The bot's user name. Raises TokenRefused, NoReply."""
    asking = _with_api(found, lambda api: api.bot_name())
    return asyncio.run(_in_time(asking, REACH_SECONDS, "Telegram cannot be reached: check the network and try again"))


def find_person(
    found: BotSettings, name: str, environ: Mapping[str, str], say: Say, seconds: float = PERSON_SECONDS
) -> Said:
    """The first message that is `/start CODE`: it tells chat and user, and no stranger can know it.

    The code is made when all that was sent before has been passed over. Raises NoReply.
    """
    folder = BotFolder(found, environ)

    async def listen(api: Api) -> Said:
        start = -1  # the newest; the server forgets those before it
        while passed := await api.updates(start, 0):
            folder.use(passed[-1].update_id)
            start = passed[-1].update_id + 1
        code = secrets.token_hex(CODE_BYTES)
        say(f"Open this on your phone and tap Start:\n  https://t.me/{name}?start={code}")
        say(f"or, to use it in a group:\n  https://t.me/{name}?startgroup={code}")
        say(f"or send it exactly this, in the chat that shall be used:\n  /start {code}")

        def holds(update: Said | Tap) -> Said | None:
            if not isinstance(update, Said) or update.forwarded:
                return None
            in_group = update.text.lower() == f"/start@{name} {code}".lower()
            return update if in_group or update.text == f"/start {code}" else None

        return await _first(api, folder, holds)

    late = "no message with the code came: run the setup again"
    return asyncio.run(_in_time(_with_api(found, listen), seconds, late))


def test(found: BotSettings, environ: Mapping[str, str], say: Say) -> None:
    """Try out a bot that is set up. Raises UsageError where a person's relay listens to it, NoReply."""
    folder = BotFolder(found, environ)
    with folder.foreground():
        say(f"{try_out(folder.chat_of(found), environ, say)} tapped: it works.")


def try_out(found: BotSettings, environ: Mapping[str, str], say: Say, seconds: float = PERSON_SECONDS) -> str:
    """Send a question with buttons and wait for the tap; returns who tapped. Raises NoReply."""
    mark = f"test|{secrets.token_hex(CODE_BYTES)}"
    folder = BotFolder(found, environ)

    async def ask(api: Api) -> str:
        rows = ((Button("👍 Yes, I see it", f"{mark}|yes"), Button("🙂 And I can tap", f"{mark}|tap")),)
        message = await api.send(Outgoing("👋 samoloop here. Does this reach you? Tap a button.", rows=rows))
        say("A question is on your phone: tap one of its buttons.")

        def tapped(update: Said | Tap) -> Tap | None:
            if not isinstance(update, Tap) or (update.chat, update.message_id) != (found.chat, message):
                return None
            return update if update.user in found.users and update.data.startswith(mark) else None

        tap = await _first(api, folder, tapped)
        await api.toast(tap.query, "That works.")
        await api.edit(message, f"👋 samoloop here. It works, {tap.name}: questions and plans will come to this chat.")
        return tap.name

    return asyncio.run(_in_time(_with_api(found, ask), seconds, "nobody tapped: nothing was changed, try it again"))


async def _first(api: Api, folder: BotFolder, wanted: Callable[[Said | Tap], T | None]) -> T:
    """The first update that fits; what came before it is acknowledged and dropped."""
    while True:
        updates = await api.updates(folder.offset(), POLL_SECONDS)
        for update in updates:
            if isinstance(update, Said | Tap) and (found := wanted(update)) is not None:
                folder.use(update.update_id)
                return found
        if updates:
            folder.use(updates[-1].update_id)


async def _with_api(found: BotSettings, use: Callable[[Api], Awaitable[T]]) -> T:
    api = Api(found)
    try:
        return await use(api)
    except (Refused, Unsent) as refused:
        raise NoReply(f"Telegram refuses: {refused}") from None
    finally:
        await api.close()


async def _in_time(work: Awaitable[T], seconds: float, otherwise: str) -> T:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise NoReply(otherwise) from None
