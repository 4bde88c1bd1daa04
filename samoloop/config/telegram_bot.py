"""The Telegram section of the configuration.

It is read from the environment and the person's own file only, never from a repository: a cloned project must not be
able to send the bot's token to another server, nor add people to the allow list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from samoloop.base.files import sha256

PUBLIC_API = "https://api.telegram.org/bot"
TOKEN_SHAPE = re.compile(r"\d{3,}:[A-Za-z0-9_-]{20,}")
KEYS = frozenset({"token", "chat", "users", "topics", "remind", "quiet", "announce_started", "base_url"})
DURATION = re.compile(r"(\d+)(s|m|h|)")
UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Settings:
    """One bot, one chat, and the people who may act there."""

    token: str
    chat: int  # a private chat's id is positive and is the person's own id; a group's is negative
    users: frozenset[int]  # never empty
    topics: bool = True  # in a forum group, one topic per session
    remind_seconds: float = 1800.0  # first reminder of an open gate; each next one waits twice as long; 0: never
    quiet: tuple[time, time] | None = None  # local times between which nothing reminds
    announce_started: bool = True
    base_url: str = PUBLIC_API  # without the token, which is appended to it

    @property
    def token_hash(self) -> str:
        """Names the bot in lock and state files without telling its token."""
        return sha256(self.token)[:16]

    def __repr__(self) -> str:
        """Without the token: a traceback or a log line may hold this."""
        return f"Settings(chat={self.chat}, users={sorted(self.users)}, base_url={self.base_url!r})"


def parse(section: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """Settings from the person's `telegram:` section and the environment, and every problem as one sentence each.

    (None, []) when nothing at all is configured: Telegram is off. TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID win over
    the file.
    """
    token = environ.get("TELEGRAM_BOT_TOKEN") or section.get("token") or ""
    chat = environ.get("TELEGRAM_CHAT_ID") or section.get("chat") or ""
    if not section and not (token and chat):
        return None, []
    problems = [
        f"telegram.{key} is unknown; there are {', '.join(sorted(KEYS))}" for key in sorted(section.keys() - KEYS)
    ]
    if not isinstance(token, str) or not TOKEN_SHAPE.fullmatch(token):
        problems.append("the Telegram bot token is missing or is no token: run `samoloop telegram setup`")
    chat_id = _chat(chat, problems)
    users = _users(section.get("users"), chat_id, problems)
    remind_seconds = _remind(section.get("remind", "30m"), problems)
    quiet = _quiet(section.get("quiet"), problems)
    for key in ("topics", "announce_started"):
        if not isinstance(section.get(key, True), bool):
            problems.append(f"telegram.{key} must be true or false, got {section[key]!r}")
    base_url = section.get("base_url", PUBLIC_API)
    if (
        not isinstance(base_url, str)
        or not base_url.startswith(("https://", "http://"))
        or not base_url.endswith("/bot")
    ):
        problems.append(f"telegram.base_url must be an address that ends in /bot, got {base_url!r}")
    if problems:
        return None, problems
    topics, announce_started = section.get("topics", True), section.get("announce_started", True)
    return Settings(token, chat_id, users, topics, remind_seconds, quiet, announce_started, base_url), []


def _chat(given: object, problems: list[str]) -> int:
    try:
        return int(str(given))
    except ValueError:
        problems.append(f"telegram.chat must be the number of a chat, got {given!r}: run `samoloop telegram setup`")
        return 0


def _users(given: object, chat: int, problems: list[str]) -> frozenset[int]:
    """Who may act. In a private chat the one person there, when nobody is named; a group must name its people."""
    if given is None:
        given = [chat] if chat > 0 else []
    if not isinstance(given, list) or not all(type(user) is int and user > 0 for user in given):
        problems.append(f"telegram.users must be a list of user numbers, got {given!r}")
        return frozenset()
    if not given and chat:
        problems.append("telegram.users is empty: name the numbers of the people who may answer and approve")
    return frozenset(given)


def _remind(given: object, problems: list[str]) -> float:
    if given is False or given == "off":  # YAML reads a bare `off` as false
        return 0.0
    found = DURATION.fullmatch(str(given))
    if not found or not int(found[1]):
        problems.append(f"telegram.remind must be off or a duration such as 30m, got {given!r}")
        return 0.0
    return float(int(found[1]) * UNIT_SECONDS[found[2]])


def _quiet(given: object, problems: list[str]) -> tuple[time, time] | None:
    if given is None:
        return None
    try:
        start, end = str(given).split("-")
        return time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    except ValueError:
        problems.append(f'telegram.quiet must be two local times such as "22:00-07:30", got {given!r}')
        return None
