"""The phone as a worker sees it: one detached relay for each bot serves all sessions, and a worker starts it.

The worker itself carries nothing for it: no thread, no Telegram library, only a look at a lock now and then.
"""

import logging
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

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 600.0  # between two starts, where relays end at once
LOG_BYTES = 500_000

log = logging.getLogger(__name__)


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

    def serve(self, session_dir: Path, root: Path) -> None:
        """Have a session served, now and when its worker has ended; `root` is its project's main checkout."""
        try:
            self._folder = BotFolder(self._settings, self._environ)
            self._folder.register(session_dir, root)
        except OSError as error:
            log.warning("the phone hears nothing of %s: %s", session_dir.name, error)
        self.look()

    def look(self) -> None:
        """Tell the relay that there may be news; start one where none runs. Cheap and without fault."""
        folder = self._folder
        if folder is None:
            return
        ring(folder.bell)
        try:
            if folder.has_relay() or time.monotonic() < self._next_start:
                return
            self._next_start = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            start(folder, self._environ)
        except LockHeld:
            return  # somebody was quicker
        except OSError as error:
            log.warning("no relay could be started for the phone: %s", error)


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
                env={name: value for name, value in environ.items() if not name.startswith("SAMOLOOP_")},
                output=output,
                keep=lock.descriptor,
            )
        finally:
            os.close(output)
