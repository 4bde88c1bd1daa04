"""What the programs that share one bot keep on disk: who polls, how far it came, which sessions there are.

`~/.local/state/samoloop/telegram/<hash of the token>/`, readable by its owner only.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from samoloop.base.files import read_plain, sha256, write_atomic
from samoloop.base.locks import is_held
from samoloop.config import projects
from samoloop.config.loading import state_folder
from samoloop.config.telegram_bot import Settings

LIMIT_BYTES = 1_000_000


@dataclass(frozen=True)
class Registered:
    """A session that the relay serves."""

    session_dir: Path
    root: Path  # where its commands are run: the main checkout


class Purpose(StrEnum):
    """What a held text may become."""

    REMARK = "remark"  # an answer or guidance: the person chooses
    CHANGES = "changes"  # a request for changes to a plan
    TASK = "task"  # a new session


@dataclass(frozen=True)
class HeldText:
    """A person's text that acts on nothing until a button says what it is for. On disk before it is asked about."""

    id: int  # the update that brought it
    purpose: Purpose
    text: str
    by: str
    message_id: int
    thread: int | None = None
    session_dir: str = ""  # a remark's session; empty: it has to be chosen
    gate: str = ""  # of the plan that changes are requested for
    hash: str = ""  # of the plan that was shown
    root: str = ""  # a task's repository; empty: it has to be chosen
    name: str = ""  # a task's session, chosen when the text came, so that a repeated tap starts nothing twice
    asked: int | None = None  # the message with the buttons


class Home:
    """The state folder of one bot."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.folder = state_folder(environ) / "telegram" / settings.token_hash
        for name in ("sessions", "held", "members"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        self._sessions_read = 0  # modification time of the register when it was read
        self._sessions: list[Registered] = []

    @property
    def poller_lock(self) -> Path:
        """Held by the one program that polls."""
        return self.folder / "poller.lock"

    @property
    def dedicated_lock(self) -> Path:
        """Held by a `samoloop relay`: workers leave the polling to it."""
        return self.folder / "dedicated.lock"

    def member_lock(self) -> Path:
        """Held by this process while it would poll if nobody else did."""
        return self.folder / "members" / f"{os.getpid()}.lock"

    def others_listen(self) -> bool:
        """Whether another process polls or would take over. Locks that a dead one left are cleared away."""
        others = [path for path in (self.folder / "members").glob("*.lock") if path != self.member_lock()]
        alive = [path for path in others if is_held(path)]
        for path in set(others) - set(alive):
            path.unlink(missing_ok=True)
        return bool(alive)

    # How far the updates were handled

    def offset(self) -> int:
        """The first update that was not handled yet; 0 at the very beginning."""
        try:
            return int(read_plain(self.folder / "offset", 40) or b"0")
        except ValueError:
            return 0

    def save_offset(self, offset: int) -> None:
        """Only after the effect of everything before it is on disk."""
        write_atomic(self.folder / "offset", f"{offset}\n", mode=0o600)

    # Which sessions and repositories there are

    def register(self, session_dir: Path, root: Path) -> None:
        """Have a session served, also while no worker of its own runs; `root` is its project's main checkout."""
        known = {"session": str(session_dir.resolve()), "root": str(root.resolve())}
        path = self.folder / "sessions" / f"{sha256(known['session'])[:16]}.json"
        if not path.exists():
            write_atomic(path, json.dumps(known), mode=0o600)

    def sessions(self) -> list[Registered]:
        """Those whose folder is still there, by name; others are forgotten."""
        changed = (self.folder / "sessions").stat().st_mtime_ns
        if changed != self._sessions_read:
            self._sessions_read, self._sessions = changed, self._read_sessions()
        return [known for known in self._sessions if known.session_dir.is_dir()]

    def _read_sessions(self) -> list[Registered]:
        found = []
        for path in (self.folder / "sessions").glob("*.json"):
            with suppress(ValueError, KeyError, TypeError):
                known = json.loads(read_plain(path, LIMIT_BYTES) or b"")
                session = Registered(Path(known["session"]), Path(known["root"]))
                if session.session_dir.is_dir():
                    found.append(session)
                else:
                    path.unlink(missing_ok=True)
        return sorted(found, key=lambda known: known.session_dir.name)

    def roots(self) -> list[Path]:
        """Projects that had a session: where `/new` can begin one."""
        return sorted(root for root in projects.registered(self._environ) if root.is_dir())

    # Texts that wait for a word

    def hold(self, held: HeldText) -> None:
        """Keep a text; a repeated update changes nothing about it."""
        if not self._held(held.id).exists():
            self._write(held)

    def _write(self, held: HeldText) -> None:
        write_atomic(self._held(held.id), json.dumps(asdict(held), ensure_ascii=False), mode=0o600)

    def held(self, id: int) -> HeldText | None:
        """The text of that update; None when it was used or dropped."""
        try:
            content = json.loads(read_plain(self._held(id), LIMIT_BYTES) or b"")
            return HeldText(**{**content, "purpose": Purpose(content["purpose"])})
        except (ValueError, TypeError, KeyError):
            return None

    def not_asked(self) -> list[HeldText]:
        """Held texts whose question has not been sent, oldest first."""
        ids = sorted(int(path.stem) for path in (self.folder / "held").glob("*.json") if path.stem.isdecimal())
        return [held for held in map(self.held, ids) if held is not None and held.asked is None]

    def note_asked(self, held: HeldText, message_id: int) -> None:
        self._write(replace(held, asked=message_id))

    def release(self, id: int) -> None:
        """The text was used or dropped: no second tap can use it again."""
        self._held(id).unlink(missing_ok=True)

    def _held(self, id: int) -> Path:
        return self.folder / "held" / f"{id}.json"
