"""Does the person's bot work? Asks Telegram itself, with a time limit, and acknowledges nothing."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from samoloop.config.bot_folder import BotFolder
from samoloop.config.project import user_file
from samoloop.config.telegram_bot import BotSettings

ANSWER_SECONDS = 5.0  # for each of at most four questions
PROBES = 2  # polls of a second each
_UNKNOWN = {code: "it does not know the bot token" for code in (401, 404)}


class NoAnswer(Exception):
    """Why Telegram gave no answer, without the token."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Checked:
    """What was found out about a bot."""

    bot: str  # its name; empty where it is not known
    relay: int | None  # the process that listens for it
    problems: tuple[str, ...]


def check(found: BotSettings, section: Mapping[str, Any], environ: Mapping[str, str]) -> Checked:
    """Ask for the bot's name, for a webhook, and, where no relay of ours listens, for another listener."""
    folder = BotFolder(found, environ)
    problems = list(_readable_by_others(section, environ))
    try:
        me = _ask(found, "getMe")
        bot = str(me.get("username") or me.get("first_name") or "")
    except NoAnswer as error:
        advice = ": run `samoloop telegram setup`" if error.code in _UNKNOWN else ""
        return Checked(
            "", folder.relay_process(), (*problems, f"Telegram does not answer for the bot: {error}{advice}")
        )
    try:
        problems += _competitors(found, folder)
    except NoAnswer as error:
        problems.append(f"Telegram does not answer for the bot: {error}")
    return Checked(bot, folder.relay_process(), tuple(problems))


def _readable_by_others(section: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    path = user_file(environ)
    if section.get("token") and path.exists() and path.stat().st_mode & 0o077:
        yield f"{path} holds the bot token and others can read it: chmod 600 {path}"


def _competitors(found: BotSettings, folder: BotFolder) -> Iterator[str]:
    address = str(_ask(found, "getWebhookInfo").get("url") or "")
    if address:
        host = urlsplit(address).hostname or "an unknown address"
        yield f"the bot has a webhook at {host}, which takes every answer away: delete it, or use a bot of its own here"
    elif not folder.has_relay() and _is_polled(found, folder.offset()):
        yield "another program polls this bot, so answers get lost: end it, or make a bot of its own for samoloop"


def _is_polled(found: BotSettings, offset: int) -> bool:
    """Whether another program polls the bot: it and we would throw each other out."""
    try:
        for _ in range(PROBES):
            _ask(found, "getUpdates", offset=offset, limit=1, timeout=1)
    except NoAnswer as error:
        if error.code == 409:
            return True
        raise
    return False


def _ask(found: BotSettings, method: str, **given: int) -> dict[str, Any]:
    address = f"{found.base_url}{found.token}/{method}"
    try:
        with urllib.request.urlopen(address, urlencode(given).encode(), timeout=ANSWER_SECONDS) as response:
            result = json.load(response)["result"]
    except urllib.error.HTTPError as error:
        raise NoAnswer(_UNKNOWN.get(error.code, f"it answers {error.code}"), error.code) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "reason", None) or error
        raise NoAnswer(f"{urlsplit(found.base_url).hostname} cannot be reached ({type(reason).__name__})") from None
    return result if isinstance(result, dict) else {}
