"""Does the person's bot work? Asks Telegram itself, with a time limit, and acknowledges nothing."""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from samoloop.base.errors import shown
from samoloop.base.values import frozen
from samoloop.config.bot_folder import BotFolder, Listener
from samoloop.config.project import user_file
from samoloop.config.telegram_bot import BotSettings

ANSWER_SECONDS = 5.0  # for each of at most six questions
PROBES = 2  # polls of a second each
_MOST_READ, _MOST_SAID = 10_000, 200  # of an error
_NEW_CHAT = "open a chat with it and press Start, add it to the group, or run `samoloop telegram setup`"
_UNKNOWN = {code: "it does not know the bot token" for code in (401, 404)}


class NoAnswer(Exception):
    """Why Telegram gave no answer, without the token."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


@frozen
class Checked:
    """What was found out about a bot."""

    bot: str  # its name; empty where it is not known
    relay: Listener | None
    problems: tuple[str, ...]


def check(found: BotSettings, section: Mapping[str, Any], environ: Mapping[str, str]) -> Checked:
    """Ask for the bot's name, its chat and its rights there, a webhook, and another listener.

    Whether another one listens is asked where no relay of ours does; a relay knows it. Raises OSError.
    """
    folder = BotFolder(found, environ)
    now = folder.chat_of(found)
    relay, problems = folder.listener(), [*_readable_by_others(section, environ), *_cannot_hear(found, environ)]
    if relay and (why := folder.why_deaf()):
        problems.append(why)
    if now.chat != found.chat:
        problems.append(f"the group has become a supergroup: set telegram.chat to {now.chat}")
    try:
        me = _ask(found, "getMe")
    except NoAnswer as error:
        advice = ": run `samoloop telegram setup`" if error.code in _UNKNOWN else ""
        return Checked("", relay, (*problems, f"Telegram does not answer for the bot: {error}{advice}"))
    bot = str(me.get("username") or me.get("first_name") or "")
    for look in (_competitors(found, folder), _in_chat(now, me)):
        try:
            problems += look
        except NoAnswer as error:
            problems.append(f"Telegram does not answer for the bot: {error}")
    return Checked(bot, relay, tuple(problems))


def _readable_by_others(section: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    path = user_file(environ)
    if section.get("token") and path.exists() and path.stat().st_mode & 0o077:
        yield f"{path} holds the bot token and others can read it: chmod 600 {path}"


def _cannot_hear(found: BotSettings, environ: Mapping[str, str]) -> Iterator[str]:
    if found.transcribe and not shutil.which(found.transcribe[0], path=environ.get("PATH")):
        yield f"telegram.transcribe: there is no program {shown(found.transcribe[0])}, so voice messages are not heard"


def _competitors(found: BotSettings, folder: BotFolder) -> Iterator[str]:
    address = str(_ask(found, "getWebhookInfo").get("url") or "")
    if address:
        host = urlsplit(address).hostname or "an unknown address"
        yield f"the bot has a webhook at {host}, which takes every answer away: delete it, or use a bot of its own here"
    elif not folder.has_relay() and _is_polled(found, folder.offset()):
        yield "another program polls this bot, so answers get lost: end it, or make a bot of its own for samoloop"


def _in_chat(found: BotSettings, me: Mapping[str, Any]) -> Iterator[str]:
    """Whether the chat is there, and what the bot may do in it."""
    try:
        chat = _ask(found, "getChat", chat_id=found.chat)
        if found.chat > 0:
            return  # a private chat; whether the bot was blocked there shows only when it sends
        own = _ask(found, "getChatMember", chat_id=found.chat, user_id=int(me.get("id") or 0))
    except NoAnswer as error:
        if error.code not in (400, 403):
            raise
        yield f"the bot does not reach the chat {found.chat}: {error}: {_NEW_CHAT}"
        return
    status = own.get("status")
    if status in ("left", "kicked"):
        yield f"the bot is no member of the group {found.chat}: add it there again"
    elif status == "restricted" and not own.get("can_send_messages"):
        yield f"the bot may not write in the group {found.chat}: let it send messages there"
    elif found.topics and chat.get("is_forum") and not own.get("can_manage_topics"):
        yield "the bot may not open topics in the group, so all sessions share it: make it an admin who manages topics"


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
        raise NoAnswer(_UNKNOWN.get(error.code) or _described(error), error.code) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "reason", None) or error
        raise NoAnswer(f"{urlsplit(found.base_url).hostname} cannot be reached ({type(reason).__name__})") from None
    return result if isinstance(result, dict) else {}


def _described(error: urllib.error.HTTPError) -> str:
    """What the server says of it, shortly."""
    try:
        said = str(json.loads(error.read(_MOST_READ))["description"])
    except (OSError, ValueError, KeyError, TypeError):
        said = ""
    return f"it answers {error.code}" + (f" ({said[:_MOST_SAID]})" if said else "")
