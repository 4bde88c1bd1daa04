"""The Telegram section of the configuration.

It is read from the environment and the person's own file only, never from a repository: a cloned project must not be
able to send the bot's token to another server, nor add people to the allow list.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from samoloop.base.errors import shown
from samoloop.base.files import sha256
from samoloop.base.values import frozen
from samoloop.config.outlets import REMIND_SECONDS, Hours, quiet_hours, remind_seconds
from samoloop.config.schema import Fault, address, command, flag, key, path, read_keys, table_of

PUBLIC_API = "https://api.telegram.org/bot"
TOKEN_SHAPE = re.compile(r"\d{3,}:[A-Za-z0-9_-]{20,}")
VARIABLES = {"TELEGRAM_BOT_TOKEN": "token", "TELEGRAM_CHAT_ID": "chat"}  # they win over the file
_SETUP = "run `samoloop telegram setup`"


def _token(value: object) -> str:
    if not isinstance(value, str) or not TOKEN_SHAPE.fullmatch(value):
        raise ValueError(f"it is no token of a bot: {_SETUP}")  # and is not shown
    return value


def _chat(value: object) -> int:
    try:
        return int(str(value)[:40])
    except ValueError:
        raise ValueError(f"it must be the number of a chat, got {shown(value)}: {_SETUP}") from None


def _users(value: object) -> frozenset[int]:
    if not isinstance(value, list) or not all(type(user) is int and user > 0 for user in value):
        raise ValueError(f"it must be a list of user numbers, got {shown(value)}")
    return frozenset(value)


def _program(value: object) -> tuple[str, ...]:
    """A command; its program may be below a home folder."""
    first, *others = command(value)
    return str(path(first).expanduser()), *others


def _base_url(value: object) -> str:
    if not address(value).endswith("/bot"):
        raise ValueError(f"it must be an address that ends in /bot, got {shown(value)}")
    return address(value)


@frozen
class BotSettings:
    """One bot, one chat, and the people who may act there."""

    token: str = key(_token, MISSING, "of the bot; `TELEGRAM_BOT_TOKEN` wins")
    # a private chat's id is positive and is the person's own id; a group's is negative
    chat: int = key(_chat, MISSING, "number of the chat; `TELEGRAM_CHAT_ID` wins")
    users: frozenset[int] = key(  # never empty
        _users, MISSING, "numbers of those who may act; needed in a group, else the one person of the chat"
    )
    topics: bool = key(flag, True, "in a group with topics, one for each session; true if not set")
    remind_seconds: float = key(  # 0: never; each next one waits twice as long
        remind_seconds,
        REMIND_SECONDS,
        "first reminder of an open gate, each next one twice as late; 30m if not set, or off",
        name="remind",
    )
    quiet: Hours = key(
        quiet_hours, None, 'local times without reminders and sounds, such as "22:00-07:30"; what you asked for has one'
    )
    announce_started: bool = key(
        flag, True, "say it when a session starts or goes on, and which CLI stands in; true if not set"
    )
    transcribe: tuple[str, ...] = key(  # empty: voice messages are not understood, which is said
        _program,
        (),
        "program and arguments that print a voice message as words; its file is the last argument",
        example="[~/bin/hear]",
    )
    base_url: str = key(_base_url, PUBLIC_API, "another Bot API server; ends in /bot")  # the token is appended to it

    @property
    def token_hash(self) -> str:
        """Names the bot in lock and state files without telling its token."""
        return sha256(self.token)[:16]

    def __repr__(self) -> str:
        """Without the token: a traceback or a log line may hold this."""
        return f"BotSettings(chat={self.chat}, users={sorted(self.users)}, base_url={self.base_url!r})"


TABLE = table_of(BotSettings)


def parse(section: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[BotSettings | None, list[str]]:
    """As `read`, with every problem as one sentence."""
    faults: list[Fault] = []
    return read(section, environ, faults), [str(fault) for fault in faults]


def read(section: Mapping[str, Any], environ: Mapping[str, str], faults: list[Fault]) -> BotSettings | None:
    """Settings from the person's `telegram:` section and the environment; None where they have faults.

    None without a fault when nothing at all is configured: Telegram is off. The environment wins over the file.
    """
    given = {**section, **{name: environ[variable] for variable, name in VARIABLES.items() if environ.get(variable)}}
    if not section and not given.keys() >= {"token", "chat"}:
        return None
    before = len(faults)
    found = read_keys(TABLE, given, faults, ("telegram",))
    faults += [
        Fault(("telegram", name), f"it is missing: {_SETUP}") for name in ("token", "chat") if not given.get(name)
    ]
    if given.get("users") is None and found.get("chat", 0) > 0:
        found["users"] = frozenset({found["chat"]})  # the one person of a private chat
    if "chat" in found and not found.get("users", given.get("users")):
        sentence = "it is empty: name the numbers of the people who may answer and approve"
        faults.append(Fault(("telegram", "users"), sentence))
    made: BotSettings | None = TABLE.make(found) if len(faults) == before else None
    return made
