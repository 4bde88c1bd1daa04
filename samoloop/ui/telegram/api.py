"""The Bot API through python-telegram-bot, and the only module that imports it.

`telegram.Bot` is used and not `telegram.ext`: the latter acknowledges an update before its handler has run, so a crash
loses answers. One `Bot` belongs to one event loop for its whole life: used again under a second `asyncio.run` it fails.
"""

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import telegram
from telegram import error as errors
from telegram.warnings import PTBDeprecationWarning, PTBUserWarning

from samoloop.base.errors import SamoloopError
from samoloop.config.telegram_bot import BotSettings
from samoloop.ui.telegram.render import Button, Outgoing
from samoloop.ui.telegram.text import clean, plain, shorten
from samoloop.ui.telegram.updates import Other, Said, Tap, Update

ANSWER_SECONDS = 10.0  # beyond which a poll that should have ended counts as lost
LISTEN_TO = ["message", "callback_query"]
T = TypeVar("T")

log = logging.getLogger(__name__)


class Refused(Exception):
    """The server will never take this as it is: the text says why, without the token."""


class TokenRefused(SamoloopError):
    """Telegram does not know the bot token."""


class Outage:
    """One kind of trouble, said once when it begins and once when it is over; in between the waits grow."""

    def __init__(self, what: str, first_seconds: float, longest_seconds: float) -> None:
        self.what = what
        self._first, self._longest = first_seconds, longest_seconds
        self._failures = 0

    def failed(self, why: str) -> float:
        """Note a failure; returns the seconds to wait."""
        if not self._failures:
            log.warning("Telegram, %s: %s; trying again until it works", self.what, why)
        self._failures += 1
        return float(min(self._longest, self._first * 2 ** min(self._failures - 1, 16)))

    def over(self) -> None:
        """Note a success."""
        if self._failures:
            log.info("Telegram, %s: works again after %d tries", self.what, self._failures)
        self._failures = 0


class Api:
    """One bot in one chat. Every call waits out outages and raises only Refused and TokenRefused."""

    def __init__(self, settings: BotSettings, *, first_wait: float = 1.0, longest_wait: float = 30.0) -> None:
        quiet_libraries()
        self.settings = settings
        self._bot = telegram.Bot(settings.token, base_url=settings.base_url)
        self._sending = Outage("sending", first_wait, longest_wait)
        self._listening = Outage("listening", first_wait, longest_wait)

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

        return (await self._formatted(call, message.html)).message_id

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
        waits = {"timeout": poll_seconds, "allowed_updates": LISTEN_TO}
        raw = await self._persist(
            # not `get_updates`: one update that the library cannot read would hide all the others for ever
            lambda: self._bot.do_api_request(
                "getUpdates", {"offset": offset, **waits}, read_timeout=poll_seconds + ANSWER_SECONDS
            ),
            self._listening,
        )
        return [self._read(update) for update in raw]

    def _read(self, raw: dict[str, Any]) -> Update:
        try:
            update = telegram.Update.de_json(raw, self._bot)
            return _in_our_words(update)
        except Exception as error:
            log.warning("Telegram: an update could not be read and is passed over: %r", error)
            return Other(int(raw["update_id"]))

    async def bot_name(self) -> str:
        """The bot's user name."""
        me = await self._persist(self._bot.get_me)
        return me.username or me.first_name

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
        outage = outage or self._sending
        while True:
            try:
                result = await call()
            except errors.RetryAfter as error:
                wait = error.retry_after
                seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
                await asyncio.sleep(max(seconds, outage.failed("too many messages for Telegram's taste")))
            except errors.InvalidToken:
                raise TokenRefused("Telegram does not know the bot token: run `samoloop telegram setup`") from None
            except (errors.BadRequest, errors.ChatMigrated) as error:
                raise Refused(self.scrub(error.message)) from None
            except errors.Conflict:
                why = "another program polls this bot, or a webhook is set (`samoloop doctor` tells)"
                await asyncio.sleep(outage.failed(why))
            except errors.TelegramError as error:
                await asyncio.sleep(outage.failed(self.scrub(shorten(error.message, 200))))
            else:
                outage.over()
                return result


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


def _in_our_words(update: telegram.Update) -> Update:
    """Our own words for an update."""
    query, message = update.callback_query, update.message
    if query is not None and query.message is not None and query.data is not None:
        name, chat, number = _name(query.from_user), query.message.chat.id, query.message.message_id
        text = getattr(query.message, "text", None) or ""  # a very old message is told without it
        return Tap(update.update_id, chat, query.from_user.id, name, number, query.id, query.data, text)
    if message is None or message.from_user is None or message.sender_chat is not None:  # nobody, or anybody of a chat
        return Other(update.update_id)
    thread = message.message_thread_id if message.is_topic_message else None
    replied = message.reply_to_message.message_id if message.reply_to_message else None
    return Said(
        update.update_id,
        message.chat.id,
        message.from_user.id,
        _name(message.from_user),
        message.message_id,
        message.text or "",
        message.date.timestamp(),
        None if replied == thread else replied,  # in a topic every plain message answers the topic's first one
        thread,
        message.forward_origin is not None or message.via_bot is not None,
    )


def _name(user: telegram.User) -> str:
    """A person's name, fit to stand in a line of a file."""
    return shorten(clean(user.first_name).replace("<", "").replace(">", "").replace("--", "-"), 40) or str(user.id)
