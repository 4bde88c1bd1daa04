"""What the programs that share one bot keep on disk: who listens, which updates were used, which sessions there are.

`~/.local/state/samoloop/telegram/<hash of the token>/`, readable by its owner only.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from samoloop.base.errors import LockHeld, UsageError
from samoloop.base.files import make_folder, read_plain, real, remove, sha256, small_text, stamp, write_atomic
from samoloop.base.locks import Lock, holders, is_held
from samoloop.base.places import state_folder
from samoloop.config import projects
from samoloop.config.telegram_bot import BotSettings

LIMIT_BYTES = 1_000_000
MOST_USED = 200  # updates that are remembered
KEPT_SECONDS = 86_400.0  # updates, by Telegram
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
        self.environ = environ
        self.path = state_folder(environ) / "telegram" / settings.token_hash
        make_folder(self.path)
        for name in ("sessions", "drafts"):
            (self.path / name).mkdir(exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        self._used: list[int] | None = None  # in the order of use; None: not read yet
        self._used_at = 0.0  # epoch seconds
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

    @property
    def bell(self) -> Path:
        """A worker rings it when it has announced something: the relay looks at once."""
        return self.path / "bell"

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

    # Which updates were used

    def offset(self) -> int:
        """The first update that was not used yet; 0 where none was for a day.

        Telegram keeps none for longer, and numbers them anew after a quiet week.
        """
        used = self._used_updates()
        return used[-1] + 1 if used and time.time() - self._used_at < KEPT_SECONDS else 0

    def was_used(self, update_id: int) -> bool:
        """Whether an update had its effect: a server may hand one out again."""
        return update_id in self._used_updates()

    def use(self, update_id: int) -> None:
        """An update has had its effect, which is on disk. Where this raises OSError, it holds for this process only."""
        self._used = [*self._used_updates(), update_id][-MOST_USED:]
        self._used_at = time.time()
        self.keep_used()

    def keep_used(self) -> None:
        """Write down what was used. Raises OSError."""
        write_atomic(self.path / "used", "".join(f"{number}\n" for number in self._used_updates()), mode=0o600)

    def _used_updates(self) -> list[int]:
        if self._used is None:
            found = stamp(self.path / "used")
            self._used_at = found[0] / 1e9 if found else 0.0
            self._used = [int(word) for word in small_text(self.path / "used").split() if word.isdecimal()]
        return self._used

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
        return sorted(root for root in projects.registered(self.environ) if root.is_dir())
