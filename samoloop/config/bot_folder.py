"""What the programs that share one bot keep on disk: who listens, how far it came, which sessions there are.

`~/.local/state/samoloop/telegram/<hash of the token>/`, readable by its owner only.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from samoloop.base.errors import LockHeld, UsageError
from samoloop.base.files import make_folder, read_plain, real, remove, sha256, write_atomic
from samoloop.base.locks import Lock, holders, is_held
from samoloop.base.places import state_folder
from samoloop.config import projects
from samoloop.config.telegram_bot import BotSettings

LIMIT_BYTES = 1_000_000
GIVES_WAY_SECONDS = 15.0  # for a detached relay to see that it has to


@dataclass(frozen=True)
class Registered:
    """A session that the relay serves."""

    session_dir: Path
    root: Path  # where its commands are run: the main checkout


class BotFolder:
    """The state folder of one bot."""

    def __init__(self, settings: BotSettings, environ: Mapping[str, str]) -> None:
        """Raises OSError where it cannot be made."""
        self._environ = environ
        self.path = state_folder(environ) / "telegram" / settings.token_hash
        make_folder(self.path)
        for name in ("sessions", "drafts"):
            (self.path / name).mkdir(exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        self._sessions_read = 0  # modification time of the register when it was read
        self._sessions: list[Registered] = []

    # Who listens: Telegram allows one program per bot

    @property
    def relay_lock(self) -> Path:
        """Held by the one relay; the kernel frees it when that dies."""
        return self.path / "poller.lock"

    @property
    def foreground_lock(self) -> Path:
        """Held by a `samoloop relay` that a person runs: a detached one gives way to it."""
        return self.path / "dedicated.lock"

    @property
    def log(self) -> Path:
        """What a detached relay has to say."""
        return self.path / "relay.log"

    def has_relay(self) -> bool:
        """Whether one listens, or is about to."""
        return is_held(self.relay_lock) or is_held(self.foreground_lock)

    def relay_process(self) -> int | None:
        """The process that listens; None where none does, or the system does not tell."""
        return next(iter(holders(self.relay_lock)), None)

    @contextmanager
    def foreground(self) -> Iterator[None]:
        """Be the one that listens, for a person. A detached relay gives way; raises UsageError for another person's."""
        own = f"{os.getpid()}\n"
        try:
            foreground = Lock.take(self.foreground_lock, 0, own)
        except LockHeld:
            raise UsageError("a `samoloop relay` uses this bot right now: stop it, then try again") from None
        with foreground, Lock.take(self.relay_lock, GIVES_WAY_SECONDS, own):
            yield

    # How far the updates were handled

    def offset(self) -> int:
        """The first update that was not handled yet; 0 at the very beginning."""
        try:
            return int(read_plain(self.path / "offset", 40) or b"0")
        except ValueError:
            return 0

    def save_offset(self, offset: int) -> None:
        """Only after the effect of everything before it is on disk."""
        write_atomic(self.path / "offset", f"{offset}\n", mode=0o600)

    # Which sessions and repositories there are

    def register(self, session_dir: Path, root: Path) -> None:
        """Have a session served, also while no worker of its own runs; `root` is its project's main checkout."""
        known = {"session": str(real(session_dir)), "root": str(real(root))}
        path = self.path / "sessions" / f"{sha256(known['session'])[:16]}.json"
        if not path.exists():
            write_atomic(path, json.dumps(known), mode=0o600)

    def sessions(self) -> list[Registered]:
        """Those whose folder is still there, by name; others are forgotten."""
        changed = (self.path / "sessions").stat().st_mtime_ns
        if changed != self._sessions_read:
            self._sessions_read, self._sessions = changed, self._read_sessions()
        return [known for known in self._sessions if known.session_dir.is_dir()]

    def _read_sessions(self) -> list[Registered]:
        found = []
        for path in (self.path / "sessions").glob("*.json"):
            with suppress(ValueError, KeyError, TypeError):
                known = json.loads(read_plain(path, LIMIT_BYTES) or b"")
                session = Registered(Path(known["session"]), Path(known["root"]))
                if session.session_dir.is_dir():
                    found.append(session)
                else:
                    remove(path)
        return sorted(found, key=lambda known: known.session_dir.name)

    def roots(self) -> list[Path]:
        """Projects that had a session: where `/new` can begin one."""
        return sorted(root for root in projects.registered(self._environ) if root.is_dir())
