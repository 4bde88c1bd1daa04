"""Somebody with a phone: says, replies, edits, forwards, speaks, sends pictures, taps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from message_rules import TEXT_LIMIT, units

if TYPE_CHECKING:
    from bot_api import Chat, Message, Standin


class Person:
    """One person in one chat."""

    def __init__(self, standin: "Standin", user_id: int, name: str, chat: "Chat") -> None:
        self.standin, self.chat = standin, chat
        self.user = {"id": user_id, "is_bot": False, "first_name": name}
        self.said: list[Message] = []  # the newest last

    def say(self, text: str, *, reply_to: "Message | None" = None, thread: int = 0, **more: Any) -> int:
        """Type a message; gives its update's id (0: the bot is not told). What is too long goes in parts."""
        number = 0
        for part in _parts(text):
            content: Message = {"text": part, **more}
            if part.startswith("/"):
                command = {"type": "bot_command", "offset": 0, "length": len(part.split()[0])}
                content["entities"] = [command]
            number = self._send(content, part, reply_to, thread)
        return number

    def reply(self, message: "Message", text: str) -> int:
        return self.say(text, reply_to=message)

    def forward(self, text: str, author: str = "Mallory") -> int:
        """Pass on what somebody else wrote."""
        origin = {"type": "hidden_user", "sender_user_name": author, "date": 1_700_000_000}
        return self.say(text, forward_origin=origin)

    def send(
        self, kind: str, content: bytes, caption: str = "", name: str = "", *, reply_to: "Message | None" = None,
        thread: int = 0,
    ) -> int:  # fmt: skip
        """Send a voice message, a photo or a document (`kind`); gives the update's id."""
        with self.standin.changed:
            file = self.standin.keep_file(kind, content, name)
            given = {kind: [{**file, "width": 90, "height": 90}, {**file, "width": 800, "height": 800}]}
            if kind in ("voice", "audio"):
                given = {kind: {**file, "duration": 3, "mime_type": "audio/ogg"}}
            elif kind != "photo":
                given = {kind: {**file, **({"file_name": name} if name else {})}}
            return self._send({**given, **({"caption": caption} if caption else {})}, caption, reply_to, thread)

    def edit(self, text: str, message: "Message | None" = None) -> int:
        """Change what was said (the newest where none is named); gives the update's id."""
        with self.standin.changed:
            return self.standin.edit_of_person((message or self.said[-1])["message_id"], self.chat, text)

    def delete(self, message: "Message") -> None:
        """The message is gone from the chat; the bot is not told."""
        with self.standin.changed:
            del self.chat.messages[message["message_id"]]

    def block(self, blocked: bool = True) -> None:
        """Block the bot, or let it in again."""
        with self.standin.changed:
            self.chat.forbidden = "bot was blocked by the user" if blocked else ""
            self.standin.push({"my_chat_member": self._membership("kicked" if blocked else "member")})

    def kick(self, kicked: bool = True) -> None:
        """Remove the bot from the group, or take it in again."""
        with self.standin.changed:
            self.chat.forbidden = f"bot was kicked from the {self.chat.type} chat" if kicked else ""
            self.standin.push({"my_chat_member": self._membership("kicked" if kicked else "member")})

    def tap(self, message: "Message", button: str) -> str:
        """Tap the button whose words begin with `button`, as the message shows it now; gives the tap's id."""
        with self.standin.changed:
            now = self.chat.messages[message["message_id"]]
            shown = [b for row in now.get("reply_markup", {}).get("inline_keyboard", []) for b in row]
            found = [b for b in shown if b["text"].startswith(button)]
            assert found, f"no button {button!r} on {now['shown']!r}, there are {[b['text'] for b in shown]}"
            return self.tap_data(now, found[0]["callback_data"], found[0]["text"])

    def tap_data(self, message: "Message", data: str, words: str = "") -> str:
        """Tap a button that the phone still shows, whatever the server holds now."""
        with self.standin.changed:
            tap_id = f"tap-{self.standin.next_id()}"
            tapped = {"what": "tap", "tap": tap_id, "id": message["message_id"], "text": words}
            self.standin.log.append({**tapped, "from": self.user["first_name"]})
            query = {"id": tap_id, "from": self.user, "message": wire(message), "chat_instance": "1", "data": data}
            self.standin.push({"callback_query": query})
            return tap_id

    def toast(self, tap_id: str) -> str:
        """What the tap was answered with, once it is."""
        self.standin.wait(lambda: tap_id in self.standin.toasts)
        return self.standin.toasts[tap_id]

    def _send(self, content: "Message", shown: str, reply_to: "Message | None", thread: int) -> int:
        """In a topic every message answers the topic's first one."""
        with self.standin.changed:
            message = {"from": self.user, **content}
            thread = thread or (reply_to or {}).get("message_thread_id", 0)
            target = reply_to or (self.chat.messages[thread] if thread else None)
            if target is not None:
                message["reply_to_message"] = {k: v for k, v in wire(target).items() if k != "reply_to_message"}
            if thread:
                message.update(message_thread_id=thread, is_topic_message=True)
            self.said.append(self.standin.store(self.chat, message, shown))
            heard = self.standin.hears(self.chat, self.said[-1])
            return self.standin.push({"message": wire(self.said[-1])}) if heard else 0

    def _membership(self, status: str) -> dict[str, Any]:
        member = {"user": self.standin.bot, "status": status, **({"until_date": 0} if status == "kicked" else {})}
        return {"chat": self.chat.described(), "from": self.user, "date": 0, "old_chat_member": member,
                "new_chat_member": member}  # fmt: skip


def wire(message: "Message") -> "Message":
    """What the bot is sent of a message: of the keyboards, the inline ones only."""
    hidden = {"shown", "silent", "content"}
    if "force_reply" in message.get("reply_markup", {}):
        hidden.add("reply_markup")
    return {key: value for key, value in message.items() if key not in hidden}


def _parts(text: str) -> Sequence[str]:
    parts = [""]
    for character in text:
        if units(parts[-1]) + units(character) > TEXT_LIMIT:
            parts.append("")
        parts[-1] += character
    return parts
