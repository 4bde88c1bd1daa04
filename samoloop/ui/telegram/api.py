"""The Bot API through python-telegram-bot, and the only module that imports it, or what it stands on.

`telegram.Bot` is used and not `telegram.ext`: the latter acknowledges an update before its handler has run, so a crash
loses answers. One `Bot` belongs to one event loop for its whole life: used again under a second `asyncio.run` it fails.
"""

import asyncio
import logging
import re
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import telegram
from telegram import error as errors
from telegram.request import HTTPXRequest
from telegram.warnings import PTBDeprecationWarning, PTBUserWarning

from samoloop.base.errors import SamoloopError
from samoloop.config.telegram_bot import BotSettings
from samoloop.ui.telegram.render import Button, Outgoing
from samoloop.ui.telegram.text import clean, plain, shorten
from samoloop.ui.telegram.updates import Attachment, Moved, Other, Said, Tap, Update

ANSWER_SECONDS = 10.0  # beyond which a poll that should have ended counts as lost
PROBE_SECONDS = 1  # a poll's length after trouble
LONGEST_WAIT_SECONDS = 10.0  # between two tries
PATIENCE_SECONDS = 30.0  # with one message, then another has its turn
TOKEN_SECONDS = 600.0  # a token that has worked may be refused for, before that is believed
MOST_PATIENT_SECONDS = 600.0  # with sending, whatever the server asks for; with listening it is `PATIENCE_SECONDS`
RIVAL_SECONDS, RIVAL_WAIT_SECONDS = 60.0, 3.0  # without another program it is gone; between two tries beside one
RIVAL = "another program polls this bot, perhaps on another machine"
POOL = 16  # connections
ABOUT_CHAT = ("chat not found", "to send", "administrator rights", "deactivated", "write_forbidden", "peer_id_invalid")
LISTEN_TO = ["message", "edited_message", "callback_query"]
_SUFFIXES = {"voice": ".oga", "photo": ".jpg", "audio": ".mp3", "document": ""}
T = TypeVar("T")

log = logging.getLogger(__name__)


class Refused(Exception):
    """The server will never take this as it is: the text says why, without the token."""


class Unsent(Exception):
    """It could not be sent yet, for long enough that something else should have its turn."""


class TokenRefused(SamoloopError):
    """Telegram does not know the bot token."""


class Outage:
    """One kind of trouble, said once when it begins and once when it is over; in between the waits grow."""

    def __init__(self, what: str, first_seconds: float, longest_seconds: float) -> None:
        self.what = what
        self.why = ""  # empty: there is no trouble
        self.since = 0.0  # monotonic
        self._first, self._longest = first_seconds, longest_seconds
        self.failures = 0
        self._last, self._next = 0.0, 0.0  # monotonic

    def failed(self, why: str) -> float:
        """Note a failure; returns the seconds to wait."""
        if not self.failures:
            self.since = time.monotonic()
            log.warning("Telegram, %s: %s; trying again until it works", self.what, why)
        elif why != self.why:
            log.info("Telegram, %s: now %s", self.what, why)
        self.why = why
        self.failures += 1
        wait = float(min(self._longest, self._first * 2 ** min(self.failures - 1, 16)))
        self._last = time.monotonic()
        self._next = self._last + wait
        return wait

    def over(self) -> None:
        """Note a success."""
        if self.failures:
            log.info("Telegram, %s: works again after %d tries", self.what, self.failures)
        self.failures, self.why = 0, ""

    @property
    def seconds(self) -> float:
        """How long it has lasted; 0 where there is no trouble."""
        return time.monotonic() - self.since if self.why else 0.0

    @property
    def quiet_seconds(self) -> float:
        """How long ago it failed last."""
        return time.monotonic() - self._last

    @property
    def waits(self) -> bool:
        """Whether it is too early for another try."""
        return bool(self.why) and time.monotonic() < self._next


class _Request(HTTPXRequest):
    """Takes for an answer of the Bot API only what looks like one."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        found = HTTPXRequest.parse_json_payload(payload)
        if not isinstance(found, dict) or not ("result" in found or found.get("ok") is False):
            raise errors.TelegramError("the answer is none of the Bot API")
        if not isinstance(found.get("parameters", {}), dict):
            del found["parameters"]
        return found


class Api:
    """One bot in one chat. Every call waits out outages and raises only Refused, Unsent and TokenRefused."""

    def __init__(
        self,
        settings: BotSettings,
        *,
        first_wait: float = 1.0,
        longest_wait: float = LONGEST_WAIT_SECONDS,
        moved: Callable[[int], None] = lambda chat: None,
    ) -> None:
        """`moved` is told the number that the chat has from now on: a group may become a supergroup."""
        quiet_libraries()
        self.settings = settings
        request = _Request(connection_pool_size=POOL), _Request(connection_pool_size=1)
        self._bot = telegram.Bot(
            settings.token, base_url=settings.base_url, request=request[0], get_updates_request=request[1]
        )
        self._moved = moved
        self._has_worked = False
        self.sending = Outage("sending", first_wait, longest_wait)
        self.listening = Outage("listening", first_wait, longest_wait)
        # while somebody else takes updates
        self.rival = Outage("listening, alone", first_wait, min(longest_wait, RIVAL_WAIT_SECONDS))

    async def close(self) -> None:
        """Let go of the connections."""
        for request in self._bot._request:  # `shutdown` does nothing on a bot that was never initialized
            await request.shutdown()

    # What a person sees

    async def send(self, message: Outgoing, thread: int | None = None) -> int:
        """Send to the chat; returns the message's number. Text that the server cannot parse goes as plain words."""
        reply = (
            telegram.ReplyParameters(message.reply_to, allow_sending_without_reply=True) if message.reply_to else None
        )
        markup = telegram.ForceReply(selective=True) if message.open_reply else _keyboard(message.rows)

        async def call(text: str, mode: str | None) -> telegram.Message:
            if message.document is None:
                return await self._bot.send_message(
                    self.settings.chat, text, mode, reply_markup=markup, message_thread_id=thread,
                    reply_parameters=reply, disable_notification=message.silent,
                    link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
                )  # fmt: skip
            name, content = message.document
            return await self._bot.send_document(
                self.settings.chat, telegram.InputFile(content, name), caption=text, parse_mode=mode,
                reply_markup=markup, message_thread_id=thread, reply_parameters=reply,
                disable_notification=message.silent, write_timeout=60,
            )  # fmt: skip

        sent = await self._formatted(call, message.html)
        return getattr(sent, "message_id", 0)  # an odd answer does not say: the message is in the chat all the same

    async def edit(self, message_id: int, html: str, rows: Sequence[Sequence[Button]] = ()) -> None:
        """Replace text and buttons of a message of ours; nothing happens where they are the same already."""

        async def call(text: str, mode: str | None) -> object:
            chat, markup = self.settings.chat, _keyboard(rows)
            return await self._bot.edit_message_text(text, chat, message_id, parse_mode=mode, reply_markup=markup)

        try:
            await self._formatted(call, html)
        except Refused as refused:
            if "not modified" not in str(refused):
                raise

    async def toast(self, query: str, text: str) -> None:
        """Answer a tap, else the phone shows a spinner. Once and without patience: it expires in seconds."""
        try:
            await self._bot.answer_callback_query(query, shorten(text, 200), show_alert=len(text) > 60)
        except errors.TelegramError as error:
            log.debug("a tap could not be answered: %s", self.scrub(str(error)))

    async def new_topic(self, name: str) -> int:
        """Open a forum topic; returns its thread number."""
        topic = await self._persist(lambda: self._bot.create_forum_topic(self.settings.chat, shorten(name, 120)))
        return topic.message_thread_id

    # What the bot hears and knows

    async def updates(self, offset: int, poll_seconds: int) -> list[Update]:
        """The next updates from `offset` on, which acknowledges all before it; waits up to `poll_seconds`."""

        async def poll() -> list[dict[str, Any]]:
            nonlocal offset
            seconds = min(poll_seconds, PROBE_SECONDS) if self.listening.why else poll_seconds  # does it work again?
            asked = {"offset": offset, "timeout": seconds, "allowed_updates": LISTEN_TO}
            try:
                # not `get_updates`: one update that the library cannot read would hide all the others for ever
                raw: Any = await self._bot.do_api_request("getUpdates", asked, read_timeout=seconds + ANSWER_SECONDS)
            except errors.BadRequest:
                offset = 0  # it may be that which is refused
                raise
            given = raw if isinstance(raw, list) else [raw]
            found = [one for one in given if isinstance(one, dict) and _is_number(one.get("update_id"))]
            if given and not found:
                raise errors.TelegramError("the answer holds no updates")
            return found

        return [self._read(update) for update in await self._persist(poll, self.listening)]

    def _read(self, raw: dict[str, Any]) -> Update:
        try:
            update = telegram.Update.de_json(raw, self._bot)
            return _in_our_words(update, int(self.settings.token.partition(":")[0]))
        except Exception as error:
            log.warning("Telegram: an update could not be read and is passed over: %r", error)
            return Other(raw["update_id"])

    async def download(self, file_id: str, most_bytes: int) -> bytes:
        """What a person sent. Raises Refused where the server gives it no more, or it is larger."""
        raw: Any = await self._persist(lambda: self._bot.do_api_request("getFile", {"file_id": file_id}))
        path = raw.get("file_path") if isinstance(raw, dict) else None
        if not isinstance(path, str) or path.startswith("/") or ".." in path.split("/"):
            raise Refused("Telegram does not say where the file is")
        address = f"{self.settings.base_url.removesuffix('bot')}file/bot{self.settings.token}/{quote(path)}"
        data = await self._persist(lambda: _fetch(address, most_bytes))
        if len(data) > most_bytes:
            raise Refused(f"it is larger than {most_bytes // 1_000_000} MB")
        return data

    async def bot_name(self) -> str:
        """The bot's user name."""
        me = await self._persist(self._bot.get_me)
        return me.username or me.first_name

    async def find_chat(self) -> None:
        """Learn, and tell `moved`, where the chat goes on under another number. Raises Refused where it is closed."""
        await self._persist(lambda: self._bot.send_chat_action(self.settings.chat, "typing"))  # only writing is told

    async def is_forum(self) -> bool:
        """Whether the chat is a group with topics."""
        return bool((await self._persist(lambda: self._bot.get_chat(self.settings.chat))).is_forum)

    async def register_commands(self, commands: Sequence[tuple[str, str]]) -> None:
        """Tell the phone which commands there are, and show them behind the menu button."""
        await self._persist(lambda: self._bot.set_my_commands(commands))
        await self._persist(lambda: self._bot.set_chat_menu_button(menu_button=telegram.MenuButtonCommands()))

    def scrub(self, text: str) -> str:
        """Without the token, wherever a library put it."""
        return text.replace(self.settings.token, "<token>")

    async def _formatted(self, call: Callable[[str, str | None], Awaitable[T]], html: str) -> T:
        try:
            return await self._persist(lambda: call(html, "HTML"))
        except Refused as refused:
            if "parse entities" not in str(refused):
                raise
            log.warning("a message was sent without its formatting: %s", refused)
            return await self._persist(lambda: call(plain(html), None))

    async def _persist(self, call: Callable[[], Awaitable[T]], outage: Outage | None = None) -> T:
        """Call until it works. A reply that got lost may send a message twice; that is all a repetition can do."""
        listens, outage = outage is self.listening, outage or self.sending
        patience = None if listens else time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                result = await call()
            except errors.RetryAfter as error:
                outage.failed("too many messages for Telegram's taste")
                most = PATIENCE_SECONDS if listens else MOST_PATIENT_SECONDS
                await asyncio.sleep(min(_seconds(error.retry_after), most))
                continue
            except errors.ChatMigrated as error:
                self.move(error.new_chat_id)
                continue
            except errors.InvalidToken as error:
                if not _is_page(error) and (not self._has_worked or outage.seconds > TOKEN_SECONDS):
                    raise TokenRefused("Telegram does not know the bot token: run `samoloop telegram setup`") from None
                why = error.message
            except errors.Conflict as error:
                if "webhook" not in error.message:
                    await asyncio.sleep(self.rival.failed(RIVAL))
                    continue
                why = "a webhook is set, which takes every answer away (`samoloop doctor` says where)"
            except errors.TelegramError as error:
                if not listens and _refuses(error):
                    raise Refused(self.scrub(error.message)) from None
                why = error.message
            except Exception as error:
                if not listens:
                    raise Refused(self.scrub(repr(error))) from None
                why = repr(error)
            else:
                outage.over()
                self._has_worked = True
                if listens and self.rival.quiet_seconds > RIVAL_SECONDS:
                    self.rival.over()
                return result
            wait = outage.failed(self.scrub(shorten(why, 200)))
            if patience is not None and time.monotonic() + wait > patience:
                raise Unsent(outage.why)
            await asyncio.sleep(wait)

    def move(self, chat: int) -> None:
        """The chat goes on under another number."""
        log.warning("Telegram: the chat %d goes on as %d", self.settings.chat, chat)
        self.settings = replace(self.settings, chat=chat)
        self._moved(chat)


def _is_number(value: object) -> bool:
    """Whether it can be the number of an update: a greater one, asked for next, would hide all that come."""
    return type(value) is int and 0 < value < 2**31


def _refuses(error: errors.TelegramError) -> bool:
    """Whether it is this message that the server does not take, and not the chat or the moment."""
    about_chat = any(words in error.message.lower() for words in ABOUT_CHAT)
    return (isinstance(error, errors.BadRequest) and not about_chat) or "Too Large" in error.message


def _is_page(error: BaseException | None) -> bool:
    """Whether the answer was a page of some server between us and Telegram."""
    return error is not None and ("Parsing the server response" in str(error) or _is_page(error.__cause__))


def _seconds(wait: float | timedelta) -> float:
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


async def _fetch(address: str, most_bytes: int) -> bytes:
    """What is at an address, at most a little more than that many bytes. Raises TelegramError."""
    data = bytearray()
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client, client.stream("GET", address) as answer:
            if answer.status_code in (400, 404):
                raise errors.BadRequest("Telegram does not have the file any more")
            answer.raise_for_status()
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > most_bytes:
                    break
    except httpx.HTTPStatusError as error:
        raise errors.NetworkError(f"the server answers {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise errors.NetworkError(f"a file could not be fetched ({type(error).__name__})") from None
    return bytes(data)


def quiet_libraries() -> None:
    """Their log lines hold request addresses, and those hold the token."""
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=PTBDeprecationWarning)  # raised while it reads `retry_after`
    warnings.filterwarnings("ignore", category=PTBUserWarning, message=".*do_api_request")  # meant so, see `updates`


def _keyboard(rows: Sequence[Sequence[Button]]) -> telegram.InlineKeyboardMarkup | None:
    if not rows:
        return None
    return telegram.InlineKeyboardMarkup(
        [[telegram.InlineKeyboardButton(button.label, callback_data=button.data) for button in row] for row in rows]
    )


def _in_our_words(update: telegram.Update, bot: int) -> Update:
    """Our own words for an update that the `bot` of this number got."""
    query, message = update.callback_query, update.message or update.edited_message
    if query is not None and query.message is not None and query.data is not None:
        name, chat, number = _name(query.from_user), query.message.chat.id, query.message.message_id
        text = getattr(query.message, "text", None) or ""  # a very old message is told without it
        return Tap(update.update_id, chat, query.from_user.id, name, number, query.id, query.data, text)
    if message is not None and message.migrate_to_chat_id:
        return Moved(update.update_id, message.chat.id, message.migrate_to_chat_id)
    if message is None or message.from_user is None or message.sender_chat is not None:  # nobody, or anybody of a chat
        return Other(update.update_id)
    sent, attachment = message.effective_attachment, _attachment(message)
    if message.text is None and sent is None:
        return Other(update.update_id)  # that a topic was made, and the like
    thread = message.message_thread_id if message.is_topic_message else None
    replied = message.reply_to_message
    if replied is not None and replied.message_id == thread:
        replied = None  # in a topic every plain message answers the topic's first one
    return Said(
        update.update_id,
        message.chat.id,
        message.from_user.id,
        _name(message.from_user),
        message.message_id,
        clean(message.text or message.caption or ""),
        message.date.timestamp(),
        replied.message_id if replied else None,
        thread,
        forwarded=message.forward_origin is not None or message.via_bot is not None,
        answers_bot=bool(replied and replied.from_user and replied.from_user.id == bot),
        attachment=attachment,
        edited=update.edited_message is not None,
    )


def _attachment(message: telegram.Message) -> Attachment | None:
    """The voice message, picture or file that is in a message."""
    for kind in ("voice", "photo", "document", "audio", "video", "animation", "video_note"):
        found = getattr(message, kind)
        if found:
            file = found[-1] if kind == "photo" else found  # the largest of its sizes is the last
            name = getattr(file, "file_name", None) or f"{kind}{_SUFFIXES.get(kind, '.mp4')}"
            return Attachment(file.file_id, name, file.file_size or 0, kind == "voice")
    return None


def _name(user: telegram.User) -> str:
    """A person's name, fit to stand in a line of a file."""
    return shorten(re.sub(r"[<>(),]", "", clean(user.first_name)).replace("--", "-"), 40) or str(user.id)
