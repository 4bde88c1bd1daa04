"""What the programs that share one bot keep on disk: who listens, which updates were used, which sessions there are.

`~/.local/state/samoloop/telegram/<hash of the token>/`, readable by its owner only.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from samoloop.base.errors import LockHeld, UsageError
from samoloop.base.files import make_folder, read_plain, real, remove, sha256, small_text, stamp, write_atomic
from samoloop.base.locks import Lock, holders, is_held
from samoloop.base.places import state_folder
from samoloop.base.values import frozen
from samoloop.config import projects
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.control import is_fleets

BOTS = "telegram"  # in the state folder; a folder for each bot
LIMIT_BYTES = 1_000_000
MOST_USED = 200  # updates that are remembered
KEPT_SECONDS = 86_400.0  # updates, by Telegram
DEAF_SECONDS = 180.0  # without an answer of Telegram, whose polls take a minute
ROOM_BYTES = 65_536  # more than an answer takes
MOST_SAID = 200  # characters
GIVES_WAY_SECONDS = 15.0  # for a detached relay to see that it has to


@frozen
class Registered:
    """A session that the relay serves."""

    session_dir: Path
    root: Path  # where its commands are run: the main checkout


@frozen
class Listener:
    """The relay, as it says of itself."""

    pid: int
    heard: float = 0.0  # epoch seconds: when Telegram answered last
    trouble: str = ""  # why a person is not heard


def phone_lock(environ: Mapping[str, str]) -> Path:
    """Held while this machine is the phone of its fleet: only then the relay serves sessions of that."""
    return state_folder(environ) / "fleet-phone.lock"


def entry_of(bot: Path, session_dir: Path) -> Path:
    """The file that registers a session, in the folder of a bot."""
    return bot / "sessions" / f"{sha256(str(real(session_dir)))[:16]}.json"


class BotFolder:
    """The state folder of one bot."""

    def __init__(self, settings: BotSettings, environ: Mapping[str, str]) -> None:
        """Raises OSError where it cannot be made."""
        self.environ = environ
        self.path = state_folder(environ) / BOTS / settings.token_hash
        self.make()
        self._used: list[int] | None = None  # in the order of use; None: not read yet
        self._used_at = 0.0  # epoch seconds
        self._sessions_read = 0  # modification time of the register when it was read
        self._sessions: list[Registered] = []

    def make(self) -> None:
        """Make sure that it is there. Raises OSError."""
        make_folder(self.path)
        for name in ("sessions", "drafts"):
            (self.path / name).mkdir(exist_ok=True, mode=0o700)
        self.path.chmod(0o700)

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

    def listener(self) -> Listener | None:
        """Who listens; None where nobody does."""
        if not is_held(self.relay_lock):
            return None
        pid, _, note = small_text(self.relay_lock).partition("\n")
        try:
            said = json.loads(note)
            return Listener(int(pid), float(said["heard"]), str(said["trouble"]))
        except (ValueError, KeyError, TypeError):  # it has only begun
            return Listener(next(iter(holders(self.relay_lock)), 0))

    def note(self, lock: Lock, heard: float, trouble: str) -> None:
        """What the relay, which holds that lock, says of itself. Raises OSError."""
        said = json.dumps({"heard": heard, "trouble": trouble[:MOST_SAID]}, ensure_ascii=False)
        lock.note(f"{os.getpid()}\n{said}\n")

    def why_deaf(self) -> str:
        """Why nobody hears what a person does on the phone, as a sentence; empty where somebody does."""
        found = self.listener()
        if found is None:
            ended = f" (why the last one ended: {self.log})" if self.log.exists() else ""
            return f"nobody listens on Telegram now: `samoloop relay` would{ended}"
        if found.trouble:
            return f"the phone is not heard: {found.trouble}"
        if found.heard and time.time() - found.heard > DEAF_SECONDS:
            since = time.strftime("%H:%M", time.localtime(found.heard))
            return (
                f"the relay (process {found.pid}) has heard nothing of Telegram since {since}: end it, another begins"
            )
        return ""

    @contextmanager
    def foreground(self) -> Iterator[Lock]:
        """Be the one that listens, for a person. A detached relay gives way; raises UsageError for another person's.

        Gives the lock that says so.
        """
        own = f"{os.getpid()}\n"
        try:
            foreground = Lock.take(self.foreground_lock, 0, own)
        except LockHeld:
            raise UsageError("a `samoloop relay` uses this bot right now: stop it, then try again") from None
        with foreground, Lock.take(self.relay_lock, GIVES_WAY_SECONDS, own) as lock:
            yield lock

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

    def use(self, *update_ids: int) -> None:
        """Updates have had their effect, which is on disk. Where this raises OSError, this process alone knows."""
        self._used = [*self._used_updates(), *update_ids][-MOST_USED:]
        self._used_at = time.time()
        self.keep_used()

    def check_room(self) -> None:
        """Raises OSError where nothing more can be kept in the person's state folder."""
        write_atomic(self.path / "room", bytes(ROOM_BYTES), mode=0o600)
        remove(self.path / "room")

    def keep_used(self) -> None:
        """Write down what was used. Raises OSError."""
        write_atomic(self.path / "used", "".join(f"{number}\n" for number in self._used_updates()), mode=0o600)

    def _used_updates(self) -> list[int]:
        if self._used is None:
            found = stamp(self.path / "used")
            self._used_at = found[0] / 1e9 if found else 0.0
            self._used = [int(word) for word in small_text(self.path / "used").split() if word.isdecimal()]
        return self._used

    # Which chat it is: a group that becomes a supergroup gets another number

    def chat_of(self, settings: BotSettings) -> BotSettings:
        """The settings with the number that their chat has by now."""
        before, _, now = small_text(self.path / "chat").partition(" ")
        moved = before == str(settings.chat) and now.strip().lstrip("-").isdecimal()
        return replace(settings, chat=int(now)) if moved else settings

    def move_chat(self, settings: BotSettings, now: int) -> None:
        """The chat of these settings, which are the person's, has that number now. Raises OSError."""
        write_atomic(self.path / "chat", f"{settings.chat} {now}\n", mode=0o600)

    # Which sessions and repositories there are

    @property
    def is_complete(self) -> bool:
        """Whether the register was ever filled: somebody may have removed it."""
        return (self.path / "registered").exists()

    def complete(self) -> None:
        """Every unfinished session is in the register."""
        write_atomic(self.path / "registered", "", mode=0o600)

    def register(self, session_dir: Path, root: Path) -> None:
        """Have a session served, also while no worker of its own runs; `root` is its project's main checkout."""
        known = {"session": str(real(session_dir)), "root": str(real(root))}
        path = entry_of(self.path, session_dir)
        if not path.exists():
            write_atomic(path, json.dumps(known), mode=0o600)

    def sessions(self) -> list[Registered]:
        """Those whose folder is still there and that this phone has to do with, by name; others are forgotten."""
        changed = (self.path / "sessions").stat().st_mtime_ns
        if changed != self._sessions_read:
            self._sessions_read, self._sessions = changed, self._read_sessions()
        phone = is_held(phone_lock(self.environ))
        there = [known for known in self._sessions if known.session_dir.is_dir()]
        return there if phone else [known for known in there if not is_fleets(known.session_dir)]

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
