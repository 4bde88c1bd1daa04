"""`_outbox/telegram.jsonl` in a session's control folder: which message shows what.

It stands in the outbox because that is left out of checkpoints: a rewind must not forget what is in the chat.
Append-only and fsynced. Only the relay writes it; a child could, as it could any file of its user. What the disk
refuses is remembered all the same: what was sent is not sent again for want of a record of it.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from samoloop.base.files import open_log, put_folder, read_plain
from samoloop.base.values import frozen
from samoloop.core.control import control_of
from samoloop.worker.outbox import FOLDER

READER = "telegram"
LIMIT_BYTES = 50_000_000

log = logging.getLogger(__name__)


@frozen
class Sent:
    """A message that is in the chat."""

    id: int  # 0: it was set aside, or the server did not say
    role: str
    at: float  # epoch seconds
    item: int = 0  # of the outbox; 0: none
    part: str = ""  # which message of that item
    gate: str = ""
    target: str = ""  # the question's id
    hash: str = ""
    brief: str = ""  # HTML: what stays of the message once its gate is closed
    waits: bool = False  # it will show something else when its gate is closed
    chat: int = 0  # 0: the one that the bot had when that was not noted


@dataclass
class Ledger:
    """What the file says, kept up to date while it is written."""

    path: Path
    chat: int  # whose messages count; those of another are numbered otherwise
    has_moved: bool = False  # what is open has to be shown in this chat, too
    messages: dict[int, Sent] = field(default_factory=dict)
    parts: set[tuple[int, str]] = field(default_factory=set)  # (item, part) that were sent
    newest: int = 0  # message
    live: dict[int, Sent] = field(default_factory=dict)  # messages whose buttons still stand
    forms: dict[int, str] = field(default_factory=dict)  # message -> which of its later forms it shows
    topic: int | None = None  # 0: this session goes to the plain chat
    status: int | None = None
    reminders: dict[str, tuple[int, float]] = field(default_factory=dict)  # gate -> how many, when the last
    _unwritten: list[dict[str, Any]] = field(default_factory=list)
    _outbox: int | None = None  # the inode of the folder whose items `parts` names

    @classmethod
    def load(cls, session_dir: Path, chat: int = 0) -> "Ledger":
        """What is on disk; lines that cannot be read are passed over. Raises SessionError and OSError."""
        ledger = cls(control_of(session_dir) / FOLDER / f"{READER}.jsonl", chat)
        for record in _records(ledger.path):
            try:
                ledger._apply(record)
            except (KeyError, TypeError, ValueError):
                continue
        return ledger

    def look(self) -> None:
        """Where a child has removed the outbox, its items are numbered anew. Raises OSError."""
        put_folder(self.path.parent)
        found = self.path.parent.stat().st_ino
        if self._outbox not in (None, found):
            self.parts.clear()
        self._outbox = found
        if self._unwritten:
            with suppress(OSError):  # said when it began
                self._write()

    def move(self, chat: int) -> None:
        """From now on another chat counts."""
        self.chat, self.has_moved = chat, True
        self.newest, self.topic, self.status = 0, None, None
        self.messages, self.live = {}, {}  # not cleared: somebody may be looking through them

    def sent(self, message: Sent) -> None:
        given = asdict(replace(message, chat=self.chat))
        self._append({"event": "sent", **{k: v for k, v in given.items() if v not in ("", 0, False)}})

    def closed(self, message_id: int) -> None:
        """The message shows its last form."""
        self._append({"event": "closed", "id": message_id})

    def shows(self, message_id: int, form: str) -> None:
        """The message shows one of its later forms."""
        self._append({"event": "shows", "id": message_id, "form": form})

    def has_topic(self, thread: int) -> None:
        self._append({"event": "topic", "thread": thread, "chat": self.chat})

    def shown_again(self) -> None:
        """What is open stands in this chat."""
        self._append({"event": "shown", "chat": self.chat})

    def reminded(self, gate: str, count: int, at: float) -> None:
        self._append({"event": "reminded", "gate": gate, "count": count, "at": at})

    def _append(self, record: dict[str, Any]) -> None:
        self._apply(record)
        kept = not self._unwritten
        self._unwritten.append(record)
        try:
            self._write()
        except OSError as error:
            if kept:
                log.warning("%s cannot be written (%s): it is kept in memory until it can", self.path, error)

    def _write(self) -> None:
        lines = b"".join(b"\n" + json.dumps(record, ensure_ascii=False).encode() for record in self._unwritten)
        with open_log(self.path) as file:
            file.write(lines)  # it begins with a newline: that ends a line torn before
            file.flush()
            os.fsync(file.fileno())
        self._unwritten.clear()

    def _apply(self, record: dict[str, Any]) -> None:
        event = record["event"]
        if event == "sent":
            self._apply_sent(Sent(**{"id": 0, **{key: value for key, value in record.items() if key != "event"}}))
        elif event == "closed":
            self.live.pop(record["id"], None)
        elif event == "shows":
            self.forms[record["id"]] = record["form"]
        elif event == "topic" and record.get("chat", self.chat) == self.chat:
            self.topic = record["thread"]
        elif event == "shown" and record["chat"] == self.chat:
            self.has_moved = False
        elif event == "reminded":
            self.reminders[record["gate"]] = record["count"], record["at"]

    def _apply_sent(self, message: Sent) -> None:
        if message.item:
            self.parts.add((message.item, message.part))
        if message.chat not in (0, self.chat):
            self.has_moved = True
            return
        if not message.id:
            return
        self.messages[message.id] = message
        self.newest = max(self.newest, message.id)
        if message.waits:
            self.live[message.id] = message
        if message.role == "status":
            self.status = message.id


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        data = read_plain(path, LIMIT_BYTES) or b""
    except ValueError:
        return
    for line in data.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
