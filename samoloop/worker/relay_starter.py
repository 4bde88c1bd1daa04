"""The phone as a worker sees it: one detached relay for each bot serves all sessions, and a worker starts it.

The worker itself carries nothing for it: no thread, no Telegram library, only a look at a lock now and then.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samoloop.base.bell import ring
from samoloop.base.errors import ConfigError, LockHeld
from samoloop.base.locks import Lock
from samoloop.children import detached
from samoloop.config import telegram_bot
from samoloop.config.bot_folder import BotFolder

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 10.0  # between two starts, where relays end at once
SAID_SECONDS = 15.0  # that nobody listens is no news while a relay may be about to
LOG_BYTES = 500_000


class RelayStarter:
    """Sees to it that a relay serves the person's bot."""

    def __init__(self, telegram: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        """`telegram` is the person's section of the configuration. Raises ConfigError where it cannot be used."""
        found, problems = telegram_bot.parse(telegram, environ)
        if found is None:
            raise ConfigError("\n".join(problems) or "Telegram is wanted but not configured: samoloop telegram setup")
        self._settings = found
        self._environ = environ
        self._folder: BotFolder | None = None
        self._next_start, self._pause = 0.0, FIRST_PAUSE_SECONDS
        self._deaf_since = 0.0  # monotonic; 0: somebody listens
        self._said = ""  # what a person was told of that

    def serve(self, session_dir: Path, root: Path) -> str:
        """Have a session served, now and when its worker has ended; `root` is its project's main checkout.

        Returns as `look`.
        """
        self._served = session_dir, root
        return self.look()

    def look(self) -> str:
        """Start a relay where none runs, and register the session anew where somebody removed the register.

        Cheap and without fault: it is called again and again. Returns what a person should know, once: that nobody
        hears what they do on the phone, and that somebody does again.
        """
        try:
            why: str | None = self._look()
        except LockHeld:
            why = None  # somebody was quicker
        except OSError as error:
            why = f"nobody listens on Telegram: {error}"
        now = time.monotonic()
        if why is None:
            return ""
        if not why:
            was, self._deaf_since, self._said = self._said, 0.0, ""
            return "The phone is heard again." if was else ""
        self._deaf_since = self._deaf_since or now
        if self._said or now - self._deaf_since < SAID_SECONDS:
            return ""
        self._said = why
        return f"{why[:1].upper()}{why[1:]}."

    def _look(self) -> str | None:
        """Why nobody is heard; None where a relay has just begun. Raises OSError and LockHeld."""
        folder = self._folder = self._folder or BotFolder(self._settings, self._environ)
        folder.make()
        folder.register(*self._served)
        ring(folder.bell)
        if not folder.has_relay() and time.monotonic() >= self._next_start:
            self._next_start = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            start(folder, self._environ)
        found = folder.listener()
        if found is not None and not found.heard:
            return None
        why = folder.why_deaf()
        if not why:
            self._pause = FIRST_PAUSE_SECONDS
        return why


def start(folder: BotFolder, environ: Mapping[str, str]) -> None:
    """Start a detached relay, which inherits its lock: there is no moment in which two could start.

    Raises LockHeld where one runs, OSError where none could be started.
    """
    with Lock.take(folder.relay_lock, 0, "") as lock:
        size = folder.log.stat().st_size if folder.log.exists() else 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | (os.O_TRUNC if size > LOG_BYTES else 0)
        output = os.open(folder.log, flags, 0o600)
        try:
            detached.start(
                [sys.executable, "-m", "samoloop", "relay", "--detached", f"--lock={lock.descriptor}"],
                env={name: value for name, value in environ.items() if _is_for_a_relay(name)},
                output=output,
                keep=lock.descriptor,
            )
        finally:
            os.close(output)


def _is_for_a_relay(name: str) -> bool:
    """Whether it gets this variable: none that is meant for one session, but what says where a fleet is."""
    return not name.startswith("SAMOLOOP_") or name.startswith("SAMOLOOP_FLEET_")
