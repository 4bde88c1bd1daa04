"""`samoloop telegram setup` and `test`: from a token to an answered question, and the file that remembers it."""

import asyncio
import re
import secrets
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from samoloop.base.errors import ConfigError, SamoloopError, UsageError
from samoloop.base.files import write_atomic
from samoloop.config import telegram_bot as config
from samoloop.config.bot_folder import BotFolder
from samoloop.config.project import user_file
from samoloop.config.telegram_bot import BotSettings
from samoloop.config.yaml_text import read_file, read_mapping
from samoloop.ui.telegram.api import Api, Refused
from samoloop.ui.telegram.render import Button, Outgoing
from samoloop.ui.telegram.updates import Said, Tap

REACH_SECONDS = 30
PERSON_SECONDS = 600
POLL_SECONDS = 10
T = TypeVar("T")
Say = Callable[[str], None]


class NoReply(SamoloopError):
    """Nothing came back from Telegram or from the person in time."""


def blank(token: str, base_url: str) -> BotSettings:
    """A bot whose chat is not known yet. Raises UsageError for what is no token."""
    if not config.TOKEN_SHAPE.fullmatch(token):
        raise UsageError("that is no bot token: it looks like 123456789:AAF…, get one from @BotFather in Telegram")
    return BotSettings(token, 0, frozenset(), base_url=base_url)


def bot_name(found: BotSettings) -> str:
    """The bot's user name. Raises TokenRefused, NoReply."""

    async def ask() -> str:
        return await _with_api(found, lambda api: api.bot_name())

    return asyncio.run(_in_time(ask(), REACH_SECONDS, "Telegram cannot be reached: check the network and try again"))


def find_person(found: BotSettings, environ: Mapping[str, str], say: Say, seconds: float = PERSON_SECONDS) -> Said:
    """The first message that holds the code shown: it tells chat and user, and no stranger can know it."""
    code = f"{secrets.randbelow(9000) + 1000}"

    async def listen() -> Said:
        return await _with_api(found, lambda api: _first(api, folder, lambda said: _holds(said, code)))

    folder = BotFolder(found, environ)
    with folder.foreground():
        say(f"Now send it this message, in the chat or group that shall be used:  /start {code}")
        return asyncio.run(_in_time(listen(), seconds, f"no message with {code} came: run the setup again"))


def _holds(update: Said | Tap, code: str) -> Said | None:
    return update if isinstance(update, Said) and code in update.text.split() else None


def try_out(found: BotSettings, environ: Mapping[str, str], say: Say, seconds: float = PERSON_SECONDS) -> str:
    """Send a question with buttons and wait for the tap; returns who tapped. Raises NoReply."""
    mark = f"test|{secrets.token_hex(4)}"

    async def ask(api: Api) -> str:
        rows = ((Button("👍 Yes, I see it", f"{mark}|yes"), Button("🙂 And I can tap", f"{mark}|tap")),)
        message = await api.send(Outgoing("👋 samoloop here. Does this reach you? Tap a button.", rows=rows))
        say("A question is on your phone: tap one of its buttons.")

        def tapped(update: Said | Tap) -> Tap | None:
            fits = isinstance(update, Tap) and update.data.startswith(mark) and update.user in found.users
            return update if fits and isinstance(update, Tap) else None

        tap = await _first(api, folder, tapped)
        await api.toast(tap.query, "That works.")
        await api.edit(message, f"👋 samoloop here. It works, {tap.name}: questions and plans will come to this chat.")
        return tap.name

    folder = BotFolder(found, environ)
    with folder.foreground():
        return asyncio.run(
            _in_time(_with_api(found, ask), seconds, "nobody tapped: run `samoloop telegram test` again")
        )


async def _first(api: Api, folder: BotFolder, wanted: Callable[[Said | Tap], T | None]) -> T:
    """The first update that fits; what came before it is acknowledged and dropped."""
    while True:
        for update in await api.updates(folder.offset(), POLL_SECONDS):
            folder.save_offset(update.update_id + 1)
            if isinstance(update, Said | Tap) and (found := wanted(update)) is not None:
                return found


async def _with_api(found: BotSettings, use: Callable[[Api], Awaitable[T]]) -> T:
    api = Api(found)
    try:
        return await use(api)
    except Refused as refused:
        raise NoReply(f"Telegram refuses: {refused}") from None
    finally:
        await api.close()


async def _in_time(work: Awaitable[T], seconds: float, otherwise: str) -> T:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise NoReply(otherwise) from None


# --- what is remembered -----------------------------------------------------------------------------------------------


def with_person(found: BotSettings, said: Said) -> BotSettings:
    """The settings for the chat and the person of that message."""
    return replace(found, chat=said.chat, users=frozenset({said.user}))


def remember(found: BotSettings, environ: Mapping[str, str]) -> Path:
    """Write the section into the person's own file, readable by nobody else; everything else there stays.

    Raises ConfigError where the file is not what it should be.
    """
    path = user_file(environ)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        before = read_file(path) if path.exists() else ""
    except ValueError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    text = with_section(before, section(found))
    _check_kept(before, text, path)
    write_atomic(path, text, mode=stat.S_IRUSR | stat.S_IWUSR)
    return path


def section(found: BotSettings) -> str:
    lines = [
        "telegram:",
        f'  token: "{found.token}"',
        f"  chat: {found.chat}",
        f"  users: [{', '.join(map(str, sorted(found.users)))}]   # who may answer and approve",
    ]
    if found.base_url != config.PUBLIC_API:
        lines.append(f'  base_url: "{found.base_url}"')
    return "\n".join(lines) + "\n"


def with_section(text: str, section: str) -> str:
    """`text` with its `telegram:` block replaced, or the block added at the end; comments elsewhere are kept."""
    without = re.sub(r"^telegram:.*\n?(?:(?:[ \t].*)?\n|[ \t].*\Z)*", "", text, flags=re.MULTILINE)
    without = without.rstrip("\n")
    return f"{without}\n\n{section}" if without else section


def _check_kept(before: str, after: str, path: Path) -> None:
    """Nothing but the section may have changed."""
    try:
        same = {**read_mapping(before), "telegram": None} == {**read_mapping(after), "telegram": None}
    except ValueError:
        same = False
    if not same:
        raise ConfigError(f"{path} cannot be changed safely: add this to it by hand, then run `samoloop telegram test`")
