"""A Bot API of our own on loopback, with the behaviour that a bot meets: what it keeps, refuses and loses.

Written from the public Bot API description. It holds chats and messages, answers long polls, and lets a test be the
person: tap, reply, say. Faults are asked for by the test and happen on the wire, not inside the bot.
"""

import html
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "7000000001:AAE-stand-in-token-that-must-never-be-shown_0"
BOT = {"id": 7000000001, "is_bot": True, "first_name": "samoloop", "username": "samoloop_test_bot"}
TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
CALLBACK_LIMIT_BYTES = 64
DOCUMENT_LIMIT_BYTES = 50_000_000
TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"}

Message = dict[str, Any]


class Refused(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Fault:
    """What happens to the next `times` calls of a method ("*" for any)."""

    method: str
    act: str  # refuse, cut (no answer), lose (done, but no answer), slow
    times: int = 1
    code: int = 500
    description: str = "Internal Server Error"
    seconds: float = 0.0
    retry_after: int = 0


@dataclass
class Chat:
    id: int
    type: str = "private"
    is_forum: bool = False
    can_manage_topics: bool = True
    messages: dict[int, Message] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    blocked: bool = False

    def described(self) -> dict[str, Any]:
        title = {"first_name": "Ann"} if self.type == "private" else {"title": "samoloop"}
        return {"id": self.id, "type": self.type, **title, **({"is_forum": True} if self.is_forum else {})}


def plain_text(text: str, parse_mode: str | None) -> str:
    """The text that a person sees. Raises Refused where the server would not understand the HTML."""
    if parse_mode is None:
        return text
    if parse_mode != "HTML":
        raise Refused(400, f"Bad Request: unsupported parse_mode {parse_mode}")
    plain, opened = [], []
    for part in re.split("(<[^>]*>?)", text):
        if not part.startswith("<"):
            plain.append(html.unescape(part))
            continue
        tag = re.fullmatch(r"<(/?)([a-z-]+)(?: [^<>]*)?>", part)
        if not tag or tag[2] not in TAGS:
            raise Refused(
                400, f"Bad Request: can't parse entities: Unsupported start tag {part[:20]!r} at byte offset 0"
            )
        if not tag[1]:
            opened.append(tag[2])
        elif not opened or opened.pop() != tag[2]:
            raise Refused(400, "Bad Request: can't parse entities: Unexpected end tag at byte offset 0")
    if opened:
        raise Refused(400, f"Bad Request: can't parse entities: Can't find end tag corresponding to {opened[-1]}")
    return "".join(plain)


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


class Standin:
    """The server and all that it remembers. Use as a context manager."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.chats: dict[int, Chat] = {}
        self.updates: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.toasts: dict[str, str] = {}  # callback id -> what answerCallbackQuery said
        self.log: list[dict[str, Any]] = []  # the chat as a person saw it
        self.commands: list[dict[str, str]] = []
        self.menu_button: dict[str, Any] | None = None
        self.webhook = ""
        self.conflicts = 0
        self.down = False  # the connection is cut before anything happens
        self._ids = 100
        self._update_ids = 5000
        self.polls = 0  # number of the newest getUpdates; an older one that still waits ends with 409
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.closing = False

    def __enter__(self) -> "Standin":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/bot"

    # What a test does and sees

    def chat(self, chat_id: int, **what: Any) -> Chat:
        with self.changed:
            return self.chats.setdefault(chat_id, Chat(chat_id, **what))

    def fault(self, method: str, act: str, **what: Any) -> None:
        with self.changed:
            self.faults.append(Fault(method, act, **what))

    def wait(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait until `condition` gives something true, and give that; AssertionError after `seconds`."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not (found := condition()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(
                        "nothing like that happened; the chat: " + json.dumps(self.log[-12:], indent=1)
                    )
                self.changed.wait(min(left, 0.05))
            return found

    def messages(self, chat_id: int, containing: str = "") -> list[Message]:
        with self.changed:
            found = [
                m for m in self.chat(chat_id).messages.values() if m["from"]["is_bot"] and containing in m["shown"]
            ]
            return [dict(message) for message in found]  # as they are now

    def wait_message(self, chat_id: int, containing: str, seconds: float = 10.0) -> Message:
        """The newest message of the bot that shows `containing`."""
        found: list[Message] = self.wait(lambda: self.messages(chat_id, containing), seconds)
        return found[-1]

    def called(self, method: str) -> list[dict[str, Any]]:
        with self.changed:
            return [given for name, given in self.calls if name == method]

    def push(self, update: Mapping[str, Any]) -> int:
        """Queue one update; gives its id."""
        with self.changed:
            self._update_ids += 1
            self.updates.append({"update_id": self._update_ids, **update})
            self.changed.notify_all()
            return self._update_ids

    # The server's side

    def next_id(self) -> int:
        self._ids += 1
        return self._ids

    def handle(self, method: str, given: dict[str, Any]) -> Any:
        action = getattr(self, f"_do_{method}", None)
        if action is None:
            raise Refused(404, "Not Found: method not found")
        if method == "getUpdates":
            return action(given)
        with self.changed:
            self.calls.append((method, given))
            result = action(given)
            self.changed.notify_all()
            return result

    def take_fault(self, method: str) -> Fault | None:
        with self.changed:
            for fault in self.faults:
                if fault.method in ("*", method):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
            return None

    def _do_getUpdates(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + float(given.get("timeout", 0))
        with self.changed:
            if self.webhook:
                raise Refused(
                    409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first"
                )
            self.polls += 1
            mine = self.polls
            self.changed.notify_all()
            offset = int(given.get("offset", 0))
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            while not self.updates and not self.closing and time.monotonic() < deadline:
                self.changed.wait(min(1.0, max(0.0, deadline - time.monotonic())))
                if self.polls != mine:
                    self.conflicts += 1
                    raise Refused(
                        409, "Conflict: terminated by other getUpdates request; make sure that only one bot runs"
                    )
            return self.updates[: int(given.get("limit", 100))]

    def _do_getMe(self, given: dict[str, Any]) -> dict[str, Any]:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    def _do_getChat(self, given: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._known_chat(given).described(),
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": {
                "unlimited_gifts": False,
                "limited_gifts": False,
                "unique_gifts": False,
                "premium_subscription": False,
                "gifts_from_channels": False,
            },
        }

    def _do_getWebhookInfo(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.webhook, "has_custom_certificate": False, "pending_update_count": len(self.updates)}

    def _do_deleteWebhook(self, given: dict[str, Any]) -> bool:
        self.webhook = ""
        return True

    def _do_setMyCommands(self, given: dict[str, Any]) -> bool:
        self.commands = json.loads(given["commands"])
        if not all(1 <= len(c["command"]) <= 32 and 1 <= len(c["description"]) <= 256 for c in self.commands):
            raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
        return True

    def _do_setChatMenuButton(self, given: dict[str, Any]) -> bool:
        self.menu_button = json.loads(given["menu_button"])
        return True

    def _do_createForumTopic(self, given: dict[str, Any]) -> dict[str, Any]:
        chat = self._known_chat(given)
        if not chat.is_forum:
            raise Refused(400, "Bad Request: the chat is not a forum")
        if not chat.can_manage_topics:
            raise Refused(400, "Bad Request: not enough rights to create a topic")
        if not 1 <= len(given["name"]) <= 128:
            raise Refused(400, "Bad Request: TOPIC_TITLE_INVALID")
        service = self._store(chat, {"from": BOT, "forum_topic_created": {"name": given["name"], "icon_color": 0}}, "")
        chat.topics[service["message_id"]] = given["name"]
        return {"message_thread_id": service["message_id"], "name": given["name"], "icon_color": 0}

    def _do_sendMessage(self, given: dict[str, Any]) -> Message:
        return self._send(given, given.get("text", ""), TEXT_LIMIT, {})

    def _do_sendDocument(self, given: dict[str, Any]) -> Message:
        upload = (
            given["files"][given["document"].removeprefix("attach://")]
            if "document" in given
            else given["files"]["document"]
        )
        name, content = upload
        if len(content) > DOCUMENT_LIMIT_BYTES:
            raise Refused(413, "Request Entity Too Large")
        if not content:
            raise Refused(400, "Bad Request: file must be non-empty")
        document = {
            "file_id": f"file-{self._ids}",
            "file_unique_id": f"u{self._ids}",
            "file_name": name,
            "file_size": len(content),
        }
        return self._send(given, given.get("caption", ""), CAPTION_LIMIT, {"document": document}, content)

    def _send(
        self, given: dict[str, Any], text: str, limit: int, extra: dict[str, Any], content: bytes = b""
    ) -> Message:
        chat = self._known_chat(given)
        if chat.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        shown = self._checked_text(text, given.get("parse_mode"), limit, empty_allowed=bool(extra))
        message: Message = {"from": BOT, **extra, **({"caption": shown} if extra else {"text": shown})}
        if markup := self._markup(given):
            message["reply_markup"] = markup
        if thread := int(given.get("message_thread_id", 0)):
            if thread not in chat.topics:
                raise Refused(400, "Bad Request: message thread not found")
            message.update(message_thread_id=thread, is_topic_message=True)
        if "reply_parameters" in given:
            self._attach_reply(chat, message, json.loads(given["reply_parameters"]))
        stored = self._store(chat, message, shown, silent=given.get("disable_notification") == "true", content=content)
        return _wire(stored)

    def _attach_reply(self, chat: Chat, message: Message, reply: dict[str, Any]) -> None:
        target = chat.messages.get(int(reply["message_id"]))
        if target is not None:
            message["reply_to_message"] = {k: v for k, v in _wire(target).items() if k != "reply_to_message"}
        elif not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")

    def _do_editMessageText(self, given: dict[str, Any]) -> Message:
        message = self._own_message(given)
        shown = self._checked_text(given["text"], given.get("parse_mode"), TEXT_LIMIT)
        return self._edit(message, {"text": shown}, shown, self._markup(given))

    def _do_editMessageReplyMarkup(self, given: dict[str, Any]) -> Message:
        message = self._own_message(given)
        return self._edit(message, {}, message["shown"], self._markup(given))

    def _edit(self, message: Message, text: dict[str, str], shown: str, markup: dict[str, Any] | None) -> Message:
        if shown == message["shown"] and markup == message.get("reply_markup"):
            raise Refused(400, "Bad Request: message is not modified: specified new message content is the same")
        message.pop("reply_markup", None)
        message.update(
            {**text, "shown": shown, "edit_date": int(time.time()), **({"reply_markup": markup} if markup else {})}
        )
        self._note("edit", message)
        return _wire(message)

    def _do_answerCallbackQuery(self, given: dict[str, Any]) -> bool:
        if given["callback_query_id"] in self.toasts:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.toasts[given["callback_query_id"]] = given.get("text", "")
        if given.get("text"):
            self.log.append({"what": "toast", "text": given["text"]})
        return True

    def _known_chat(self, given: dict[str, Any]) -> Chat:
        chat = self.chats.get(int(given["chat_id"]))
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        return chat

    def _own_message(self, given: dict[str, Any]) -> Message:
        message = self._known_chat(given).messages.get(int(given["message_id"]))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if not message["from"]["is_bot"]:
            raise Refused(400, "Bad Request: message can't be edited")
        return message

    def _checked_text(self, text: str, parse_mode: str | None, limit: int, *, empty_allowed: bool = False) -> str:
        shown = plain_text(text, parse_mode).strip()
        if not shown and not empty_allowed:
            raise Refused(400, "Bad Request: message text is empty")
        if units(shown) > limit:
            raise Refused(
                400, "Bad Request: message caption is too long" if empty_allowed else "Bad Request: message is too long"
            )
        return shown

    def _markup(self, given: dict[str, Any]) -> dict[str, Any] | None:
        markup: dict[str, Any] | None = json.loads(given["reply_markup"]) if given.get("reply_markup") else None
        for row in (markup or {}).get("inline_keyboard", []):
            for button in row:
                if not 1 <= len(button.get("callback_data", "").encode()) <= CALLBACK_LIMIT_BYTES:
                    raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        return markup if markup and markup.get("inline_keyboard") != [] else None

    def _store(
        self, chat: Chat, message: Message, shown: str, *, silent: bool = False, content: bytes = b""
    ) -> Message:
        whole = {"message_id": self.next_id(), "date": int(time.time()), "chat": chat.described(), **message}
        whole.update(shown=shown, silent=silent, content=content)
        chat.messages[whole["message_id"]] = whole
        self._note("send", whole)
        return whole

    def _note(self, what: str, message: Message) -> None:
        buttons = [[b["text"] for b in row] for row in message.get("reply_markup", {}).get("inline_keyboard", [])]
        self.log.append(
            {
                "what": what,
                "id": message["message_id"],
                "from": message["from"]["first_name"],
                "text": message["shown"],
                "buttons": buttons,
                "file": message.get("document", {}).get("file_name", ""),
                "silent": message["silent"],
                "reply_to": message.get("reply_to_message", {}).get("message_id"),
                "thread": message.get("message_thread_id"),
                "at": time.time(),
            }
        )
        self.changed.notify_all()


def _wire(message: Message) -> Message:
    """What the bot is sent of a message: of the keyboards, the inline ones only."""
    hidden = {"shown", "silent", "content"} | (
        {"reply_markup"} if "force_reply" in message.get("reply_markup", {}) else set()
    )
    return {key: value for key, value in message.items() if key not in hidden}


class Person:
    """Somebody with a phone, in one chat."""

    def __init__(self, standin: Standin, user_id: int, name: str, chat: Chat) -> None:
        self.standin, self.chat = standin, chat
        self.user = {"id": user_id, "is_bot": False, "first_name": name}

    def say(self, text: str, *, reply_to: Message | None = None, thread: int = 0) -> int:
        """Type a message; gives the update's id. In a topic every message answers the topic's first one."""
        with self.standin.changed:
            message: Message = {"from": self.user, "text": text}
            if text.startswith("/"):
                message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}]
            thread = thread or (reply_to or {}).get("message_thread_id", 0)
            target = reply_to or (self.chat.messages[thread] if thread else None)
            if target is not None:
                message["reply_to_message"] = {k: v for k, v in _wire(target).items() if k != "reply_to_message"}
            if thread:
                message.update(message_thread_id=thread, is_topic_message=True)
            stored = self.standin._store(self.chat, message, text)
            return self.standin.push({"message": _wire(stored)})

    def reply(self, message: Message, text: str) -> int:
        return self.say(text, reply_to=message)

    def tap(self, message: Message, button: str) -> str:
        """Tap the button whose words begin with `button`, as the message shows it now; gives the tap's id."""
        with self.standin.changed:
            now = self.chat.messages[message["message_id"]]
            shown = [b for row in now.get("reply_markup", {}).get("inline_keyboard", []) for b in row]
            found = [b for b in shown if b["text"].startswith(button)]
            assert found, f"no button {button!r} on {now['shown']!r}, there are {[b['text'] for b in shown]}"
            return self.tap_data(now, found[0]["callback_data"], found[0]["text"])

    def tap_data(self, message: Message, data: str, words: str = "") -> str:
        """Tap a button that the phone still shows, whatever the server holds now."""
        with self.standin.changed:
            tap_id = f"tap-{self.standin.next_id()}"
            self.standin.log.append(
                {"what": "tap", "from": self.user["first_name"], "id": message["message_id"], "text": words}
            )
            query = {"id": tap_id, "from": self.user, "message": _wire(message), "chat_instance": "1", "data": data}
            self.standin.push({"callback_query": query})
            return tap_id

    def toast(self, tap_id: str) -> str:
        """What the tap was answered with, once it is."""
        self.standin.wait(lambda: tap_id in self.standin.toasts)
        return self.standin.toasts[tap_id]


def _handler(standin: Standin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token, _, method = self.path.removeprefix("/bot").partition("/")
            fault = standin.take_fault(method)
            if standin.down or (fault and fault.act == "cut"):
                return self._cut()
            if fault and fault.act == "refuse":
                parameters = {"retry_after": fault.retry_after} if fault.retry_after else {}
                return self._answer(
                    fault.code, {"ok": False, "description": fault.description, "parameters": parameters}
                )
            if fault and fault.act == "slow":
                time.sleep(fault.seconds)
            if token != TOKEN:
                return self._answer(401, {"ok": False, "description": "Unauthorized"})
            try:
                result = standin.handle(method, _parameters(self.headers.get("Content-Type", ""), body))
            except Refused as refused:
                content = {"ok": False, "description": refused.description, "parameters": refused.parameters}
                return self._answer(refused.code, content)
            if standin.down or (fault and fault.act == "lose"):
                return self._cut()
            return self._answer(200, {"ok": True, "result": result})

        def _answer(self, code: int, content: dict[str, Any]) -> None:
            body = json.dumps(content if content["ok"] else {**content, "error_code": code}).encode()
            try:
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the bot is gone

        def _cut(self) -> None:
            self.close_connection = True

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # the bot was killed
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _parameters(content_type: str, body: bytes) -> dict[str, Any]:
    """Form fields; uploads under "files" as name -> (file name, bytes)."""
    if not content_type.startswith("multipart/"):
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    parsed = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    given: dict[str, Any] = {"files": {}}
    for part in parsed.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename() is None:
            given[name] = content.decode()
        else:
            given["files"][name] = (part.get_filename(), content)
    return given
