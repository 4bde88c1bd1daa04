"""`_outbox/telegram.jsonl` in a session folder: which message shows what, and which updates had their effect.

It stands in the outbox because that is left out of checkpoints: a rewind must not forget what is in the chat.
Append-only and fsynced. Only the elected relay writes it; a child could, as it could any file of its user.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from samoloop.base.files import read_plain
from samoloop.core.control import control_of
from samoloop.worker.outbox import FOLDER

READER = "telegram"
LIMIT_BYTES = 50_000_000


@dataclass(frozen=True)
class Sent:
    """A message that is in the chat."""

    id: int
    role: str
    at: float  # epoch seconds
    item: int = 0  # of the outbox; 0: none
    part: str = ""  # which message of that item
    gate: str = ""
    target: str = ""  # the question's id
    hash: str = ""
    brief: str = ""  # HTML: what stays of the message once its gate is closed
    waits: bool = False  # it has buttons that will go


@dataclass
class Ledger:
    """What the file says, kept up to date while it is written."""

    path: Path
    messages: dict[int, Sent] = field(default_factory=dict)
    parts: set[tuple[int, str]] = field(default_factory=set)  # (item, part) that were sent
    newest: int = 0  # message
    live: dict[int, Sent] = field(default_factory=dict)  # messages whose buttons still stand
    effects: dict[int, str] = field(default_factory=dict)  # update id -> what became of it
    topic: int | None = None  # 0: this session goes to the plain chat
    status: int | None = None
    reminders: dict[str, tuple[int, float]] = field(default_factory=dict)  # gate -> how many, when the last

    @classmethod
    def load(cls, session_dir: Path) -> "Ledger":
        """What is on disk; lines that cannot be read are passed over."""
        folder = control_of(session_dir) / FOLDER
        folder.mkdir(exist_ok=True)
        ledger = cls(folder / f"{READER}.jsonl")
        for record in _records(ledger.path):
            try:
                ledger._apply(record)
            except (KeyError, TypeError, ValueError):
                continue
        return ledger

    def sent(self, message: Sent) -> None:
        self._append({"event": "sent", **{k: v for k, v in asdict(message).items() if v not in ("", 0, False)}})

    def closed(self, message_id: int) -> None:
        """The message shows its last form."""
        self._append({"event": "closed", "id": message_id})

    def effect(self, update_id: int, outcome: str) -> None:
        """That update has had its effect: it will have no other."""
        self._append({"event": "effect", "update": update_id, "outcome": outcome})

    def has_topic(self, thread: int) -> None:
        self._append({"event": "topic", "thread": thread})

    def reminded(self, gate: str, count: int, at: float) -> None:
        self._append({"event": "reminded", "gate": gate, "count": count, "at": at})

    def _append(self, record: dict[str, Any]) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path, flags, 0o644)
        try:
            os.write(descriptor, b"\n" + json.dumps(record, ensure_ascii=False).encode())  # ends a line torn before
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._apply(record)

    def _apply(self, record: dict[str, Any]) -> None:
        event = record["event"]
        if event == "sent":
            self._apply_sent(Sent(**{key: value for key, value in record.items() if key != "event"}))
        elif event == "closed":
            self.live.pop(record["id"], None)
        elif event == "effect":
            self.effects[record["update"]] = record["outcome"]
        elif event == "topic":
            self.topic = record["thread"]
        elif event == "reminded":
            self.reminders[record["gate"]] = record["count"], record["at"]

    def _apply_sent(self, message: Sent) -> None:
        self.messages[message.id] = message
        self.newest = max(self.newest, message.id)
        if message.item:
            self.parts.add((message.item, message.part))
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
