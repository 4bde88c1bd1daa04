"""A Bot API of our own on loopback, with the behaviour that a bot meets: what it keeps, refuses and loses.

Written from the public Bot API description. It holds chats and messages, answers long polls, and lets a test be the
person (`person.py`): tap, reply, say. What a message may be stands in `message_rules.py`. Faults are asked for by the
test and happen on the wire, not inside the bot:

    standin.down = True                                           every connection is cut
    standin.fault("sendMessage", "flood", retry_after=3)          429
    standin.fault("*", "refuse", code=502, times=4)               any other error
    standin.fault("sendMessage", "cut" | "lose" | "tear")         not done | done, no answer | done, half an answer
    standin.fault("getUpdates", "slow", seconds=2)                done, late
    standin.fault("getUpdates", "result", content=None)           not done, and this for a result
    standin.fault("getUpdates", "page", content="<html>", code=200)   not done, and this instead of JSON
    chat.forbidden, Person.block, Person.kick, Chat.closed_topics, Chat.allowance, standin.migrate(chat, new_id)
"""

import itertools
import json
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

from message_rules import (
    DOCUMENT_LIMIT_BYTES,
    DOWNLOAD_LIMIT_BYTES,
    TOAST_LIMIT,
    Refused,
    checked_caption,
    checked_markup,
    checked_text,
    too_many,
    units,
)
from person import wire

TOKEN = "7000000001:AAE-stand-in-token-that-must-never-be-shown_0"
BOT = {"id": 7000000001, "is_bot": True, "first_name": "samoloop", "username": "samoloop_test_bot"}
GROUP_ALLOWANCE = 20  # messages a minute that a group takes of a bot
UNASKED = {"chat_member", "message_reaction", "message_reaction_count"}  # sent only where they are asked for
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
CHAT_DETAILS = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(GIFTS, False)}

Message = dict[str, Any]


@dataclass
class Fault:
    """What happens to the next `times` calls of a method ("*" for any)."""

    method: str
    act: str  # refuse, flood, cut, lose, tear, slow, result, page
    times: int = 1
    code: int = 500
    description: str = "Internal Server Error"
    seconds: float = 0.0
    retry_after: int = 0
    content: Any = None
    containing: str = ""  # only calls that say this


@dataclass
class Chat:
    id: int
    type: str = "private"
    is_forum: bool = False
    is_admin: bool = True  # the bot; else it hears commands and replies only
    can_manage_topics: bool = True
    messages: dict[int, Message] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    closed_topics: set[int] = field(default_factory=set)
    forbidden: str = ""  # why nothing of the bot's gets in any more
    migrated_to: int = 0
    allowance: int | None = None  # messages and edits in `window` seconds; None: as many as its type takes
    window: float = 60.0
    taken: list[float] = field(default_factory=list)  # when

    def described(self) -> dict[str, Any]:
        title = {"first_name": "Ann"} if self.type == "private" else {"title": "samoloop"}
        return {"id": self.id, "type": self.type, **title, **({"is_forum": True} if self.is_forum else {})}

    def check_open(self) -> None:
        """Raises Refused where the bot is shut out, or the chat is another one now."""
        if self.forbidden:
            raise Refused(403, f"Forbidden: {self.forbidden}")
        if self.migrated_to:
            why = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, why, migrate_to_chat_id=self.migrated_to)

    def count(self) -> None:
        """One more message or edit. Raises Refused where they are too many."""
        most = self.allowance if self.allowance is not None else GROUP_ALLOWANCE * (self.type != "private")
        now = time.monotonic()
        self.taken = [at for at in self.taken if at > now - self.window]
        if most and len(self.taken) >= most:
            raise too_many(int(self.taken[0] + self.window - now) + 1)
        self.taken.append(now)


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
        self.lost: list[float] = []  # when something happened and its answer did not arrive
        self._ids = itertools.count(101)
        self.newest_update = 5000
        self.allowed: set[str] = set()  # kinds of updates that the bot asked for last; empty: all but `UNASKED`
        self.files: dict[str, bytes] = {}  # file path -> what a person sent
        self.bot = BOT
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

    def migrate(self, chat: Chat, new_id: int) -> Chat:
        """The group becomes a supergroup under another number."""
        with self.changed:
            chat.migrated_to = new_id
            new = self.chat(new_id, type="supergroup")
            admin = {"id": 1, "is_bot": False, "first_name": "Admin"}
            for where, said in ((chat, {"migrate_to_chat_id": new_id}), (new, {"migrate_from_chat_id": chat.id})):
                self.push({"message": wire(self.store(where, {"from": admin, **said}, ""))})
            return new

    def fault(self, method: str, act: str, **what: Any) -> None:
        with self.changed:
            self.faults.append(Fault(method, act, **what))

    def wait(self, condition: Callable[[], Any], seconds: float = 40.0) -> Any:
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

    def wait_message(self, chat_id: int, containing: str, seconds: float = 40.0) -> Message:
        """The newest message of the bot that shows `containing`."""
        found: list[Message] = self.wait(lambda: self.messages(chat_id, containing), seconds)
        return found[-1]

    def called(self, method: str) -> list[dict[str, Any]]:
        with self.changed:
            return [given for name, given in self.calls if name == method]

    def push(self, update: Mapping[str, Any]) -> int:
        """Queue one update, where the bot asked for its kind; gives its id."""
        with self.changed:
            number = self.newest_update = self.newest_update + 1
            if update.keys() <= self.allowed or (not self.allowed and not update.keys() & UNASKED):
                self.updates.append({"update_id": number, **update})
                self.changed.notify_all()
            return number

    # What a person does

    def hears(self, chat: Chat, message: Message) -> bool:
        """Whether the bot is told: as no admin of a group it hears commands and what replies to it."""
        replied = message.get("reply_to_message", {}).get("from", {})
        return chat.type == "private" or chat.is_admin or replied == BOT or "entities" in message

    def edit_of_person(self, message_id: int, chat: Chat, text: str) -> int:
        message = chat.messages[message_id]
        message.update(text=text, shown=text, edit_date=int(time.time()))
        self._note("edit", message)
        return self.push({"edited_message": wire(message)})

    def keep_file(self, kind: str, content: bytes, name: str) -> Message:
        """Take in what a person sends."""
        number = self.next_id()
        ending = name.rpartition(".")[2] if "." in name else ""
        self.files[f"{kind}s/file_{number}" + (f".{ending}" if ending.isalnum() else "")] = content
        return {"file_id": f"file-{number}", "file_unique_id": f"u{number}", "file_size": len(content)}

    # The server's side

    def next_id(self) -> int:
        return next(self._ids)

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

    def take_fault(self, method: str, body: bytes) -> Fault | None:
        with self.changed:
            for fault in self.faults:
                if fault.method in ("*", method) and fault.containing.encode() in body:
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
                    409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete "
                    "the webhook first",
                )  # fmt: skip
            self.polls += 1
            mine = self.polls
            self.changed.notify_all()
            if "allowed_updates" in given:
                self.allowed = set(json.loads(given["allowed_updates"]))
            offset = int(given.get("offset", 0))
            if offset < 0:  # counted from the newest on; all before it is forgotten
                self.updates = self.updates[offset:]
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            while not self.updates and not self.closing and time.monotonic() < deadline:
                self.changed.wait(min(1.0, max(0.0, deadline - time.monotonic())))
                if self.polls != mine:
                    self.conflicts += 1
                    raise Refused(
                        409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance "
                        "is running",
                    )  # fmt: skip
            return self.updates[: int(given.get("limit", 100))]

    def _do_getMe(self, given: dict[str, Any]) -> dict[str, Any]:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    def _do_getChat(self, given: dict[str, Any]) -> dict[str, Any]:
        chat = self._known_chat(given)
        chat.check_open()
        return {**chat.described(), **CHAT_DETAILS}

    def _do_getChatMember(self, given: dict[str, Any]) -> dict[str, Any]:
        """Of the bot itself, and of people as plain members."""
        chat = self._known_chat(given)
        chat.check_open()
        if int(given["user_id"]) != BOT["id"]:
            return {"status": "member", "user": {"id": int(given["user_id"]), "is_bot": False, "first_name": "Ann"}}
        if chat.type == "private" or not chat.is_admin:
            return {"status": "member", "user": BOT}
        rights = ("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members",
                  "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories",
                  "can_delete_stories", "is_anonymous", "can_be_edited")  # fmt: skip
        held = {right: False for right in rights} | {"can_manage_topics": chat.can_manage_topics}
        return {"status": "administrator", "user": BOT, **held}

    def _do_getWebhookInfo(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.webhook, "has_custom_certificate": False, "pending_update_count": len(self.updates)}

    def _do_deleteWebhook(self, given: dict[str, Any]) -> bool:
        self.webhook = ""
        if given.get("drop_pending_updates") == "true":
            self.updates = []
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
        chat.check_open()
        if not chat.is_forum:
            raise Refused(400, "Bad Request: the chat is not a forum")
        if not chat.can_manage_topics:
            raise Refused(400, "Bad Request: not enough rights to create a topic")
        if not 1 <= len(given["name"]) <= 128:
            raise Refused(400, "Bad Request: TOPIC_TITLE_INVALID")
        service = self.store(chat, {"from": BOT, "forum_topic_created": {"name": given["name"], "icon_color": 0}}, "")
        chat.topics[service["message_id"]] = given["name"]
        return {"message_thread_id": service["message_id"], "name": given["name"], "icon_color": 0}

    def _do_sendMessage(self, given: dict[str, Any]) -> Message:
        self._open_chat(given)
        text = checked_text(given.get("text", ""), given.get("parse_mode"))
        return self._send(given, {"text": text}, text)

    def _do_sendDocument(self, given: dict[str, Any]) -> Message:
        self._open_chat(given)
        name, content = given["files"][given.get("document", "document").removeprefix("attach://")]
        if len(content) > DOCUMENT_LIMIT_BYTES:
            raise Refused(413, "Request Entity Too Large")
        if not content:
            raise Refused(400, "Bad Request: file must be non-empty")
        number = self.next_id()
        document = {"file_id": f"file-{number}", "file_unique_id": f"u{number}", "file_name": name}
        caption = checked_caption(given.get("caption", ""), given.get("parse_mode"))
        content_of = {"document": {**document, "file_size": len(content)}, **({"caption": caption} if caption else {})}
        return self._send(given, content_of, caption, content)

    def _send(self, given: dict[str, Any], what: dict[str, Any], shown: str, content: bytes = b"") -> Message:
        chat = self._open_chat(given)
        message: Message = {"from": BOT, **what}
        if markup := checked_markup(given.get("reply_markup", "")):
            message["reply_markup"] = markup
        if thread := int(given.get("message_thread_id", 0)):
            if thread not in chat.topics:
                raise Refused(400, "Bad Request: message thread not found")
            if thread in chat.closed_topics and not chat.can_manage_topics:
                raise Refused(400, "Bad Request: TOPIC_CLOSED")
            message.update(message_thread_id=thread, is_topic_message=True)
        if "reply_parameters" in given:
            self._attach_reply(chat, message, json.loads(given["reply_parameters"]))
        chat.count()
        return wire(self.store(chat, message, shown, silent=given.get("disable_notification") == "true",
                               content=content))  # fmt: skip

    def _attach_reply(self, chat: Chat, message: Message, reply: dict[str, Any]) -> None:
        target = chat.messages.get(int(reply["message_id"]))
        if target is not None:
            message["reply_to_message"] = {k: v for k, v in wire(target).items() if k != "reply_to_message"}
        elif not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")

    def _do_editMessageText(self, given: dict[str, Any]) -> Message:
        message = self._own_message(given)
        shown = checked_text(given["text"], given.get("parse_mode"))
        return self._edit(given, message, {"text": shown}, shown)

    def _do_editMessageCaption(self, given: dict[str, Any]) -> Message:
        message = self._own_message(given)
        shown = checked_caption(given.get("caption", ""), given.get("parse_mode"))
        return self._edit(given, message, {"caption": shown}, shown)

    def _do_editMessageReplyMarkup(self, given: dict[str, Any]) -> Message:
        message = self._own_message(given)
        return self._edit(given, message, {}, message["shown"])

    def _edit(self, given: dict[str, Any], message: Message, what: dict[str, str], shown: str) -> Message:
        markup = checked_markup(given.get("reply_markup", ""))
        if "text" in what and "document" in message:
            raise Refused(400, "Bad Request: there is no text in the message to edit")
        if shown == message["shown"] and markup == message.get("reply_markup"):
            raise Refused(
                400, "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )  # fmt: skip
        self.chats[int(given["chat_id"])].count()
        message.pop("reply_markup", None)
        message.update(
            {**what, "shown": shown, "edit_date": int(time.time()), **({"reply_markup": markup} if markup else {})}
        )
        self._note("edit", message)
        return wire(message)

    def _do_deleteMessage(self, given: dict[str, Any]) -> bool:
        chat = self._open_chat(given)
        if chat.messages.pop(int(given["message_id"]), None) is None:
            raise Refused(400, "Bad Request: message to delete not found")
        return True

    def _do_sendChatAction(self, given: dict[str, Any]) -> bool:
        self._open_chat(given)
        return True

    def _do_answerCallbackQuery(self, given: dict[str, Any]) -> bool:
        if given["callback_query_id"] in self.toasts:
            raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if units(given.get("text", "")) > TOAST_LIMIT:
            raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
        self.toasts[given["callback_query_id"]] = given.get("text", "")
        if given.get("text"):
            self.log.append({"what": "toast", "tap": given["callback_query_id"], "text": given["text"]})
        return True

    def _do_getFile(self, given: dict[str, Any]) -> dict[str, Any]:
        number = given["file_id"].removeprefix("file-")
        for path, content in self.files.items():
            if path.partition("/file_")[2].partition(".")[0] == number:
                if len(content) > DOWNLOAD_LIMIT_BYTES:
                    raise Refused(400, "Bad Request: file is too big")
                return {"file_id": given["file_id"], "file_unique_id": f"u{number}", "file_size": len(content),
                        "file_path": path}  # fmt: skip
        raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")

    def _known_chat(self, given: dict[str, Any]) -> Chat:
        chat = self.chats.get(int(given["chat_id"]))
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        return chat

    def _open_chat(self, given: dict[str, Any]) -> Chat:
        chat = self._known_chat(given)
        chat.check_open()
        return chat

    def _own_message(self, given: dict[str, Any]) -> Message:
        message = self._open_chat(given).messages.get(int(given["message_id"]))
        if message is None:
            raise Refused(400, "Bad Request: message to edit not found")
        if not message["from"]["is_bot"]:
            raise Refused(400, "Bad Request: message can't be edited")
        return message

    def store(self, chat: Chat, message: Message, shown: str, *, silent: bool = False, content: bytes = b"") -> Message:
        """One more message in a chat, with what a person sees of it."""
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
                "chat": message["chat"]["id"],
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


def _handler(standin: Standin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: the body would wait for the head's receipt

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if len(body) < size:  # the bot was killed
                self.close_connection = True
                return
            token, _, method = self.path.removeprefix("/bot").partition("/")
            fault = standin.take_fault(method, body) or Fault(method, "")
            if standin.down or fault.act == "cut":
                self.close_connection = True
                return
            if fault.act == "page":
                return self._answer(fault.code, str(fault.content).encode(), "text/html")
            if fault.act == "slow":
                time.sleep(fault.seconds)
            try:
                result = self._result(fault, token, method, body)
            except Refused as refused:
                content = {"ok": False, "error_code": refused.code, "description": refused.description}
                return self._answer(refused.code, _json({**content, "parameters": refused.parameters}))
            if standin.down or fault.act in ("lose", "tear"):
                standin.lost.append(time.monotonic())
            if standin.down or fault.act == "lose":
                self.close_connection = True
                return
            self._answer(200, _json({"ok": True, "result": result}), torn=fault.act == "tear")

        def _result(self, fault: Fault, token: str, method: str, body: bytes) -> Any:
            if fault.act == "flood":
                raise too_many(fault.retry_after)
            if fault.act == "refuse":
                more = {"retry_after": fault.retry_after} if fault.retry_after else {}
                raise Refused(fault.code, fault.description, **more)
            if fault.act == "result":
                return fault.content
            if token != TOKEN:
                raise Refused(401, "Unauthorized")
            return standin.handle(method, parameters_of(self.headers.get("Content-Type", ""), body))

        def do_GET(self) -> None:
            """What a person sent, at the place that getFile named."""
            content = standin.files.get(self.path.removeprefix(f"/file/bot{TOKEN}/"))
            if standin.down:
                self.close_connection = True
            elif content is None:
                self._answer(404, _json({"ok": False, "error_code": 404, "description": "Not Found"}))
            else:
                self._answer(200, content, "application/octet-stream")

        def _answer(self, code: int, body: bytes, kind: str = "application/json", *, torn: bool = False) -> None:
            try:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if torn else body)
                self.close_connection = self.close_connection or torn
            except OSError:
                self.close_connection = True  # the bot is gone

        def handle(self) -> None:
            with suppress(ConnectionResetError):  # the bot was killed
                super().handle()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def parameters_of(content_type: str, body: bytes) -> dict[str, Any]:
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
