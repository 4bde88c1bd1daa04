"""Brings what a worker announces to those who listen: a command, a webhook, Telegram. Always in threads of its own.

The worker's loop writes the outbox and goes on; a dead network or a slow command never delays an iteration. What could
not be delivered before the worker ends is delivered by the next one, in order.
"""

import json
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from samoloop.base.errors import ConfigError
from samoloop.config.outlets import Outlets
from samoloop.worker import outbox
from samoloop.worker.outbox import FOLDER

if TYPE_CHECKING:
    from samoloop.ui.telegram.member import Member

LOOK_SECONDS = 0.5
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 300.0
COMMAND_SECONDS, WEBHOOK_SECONDS = 60.0, 20.0

log = logging.getLogger(__name__)
Send = Callable[[Mapping[str, Any]], None]


class NotDelivered(Exception):
    """Why a command or webhook did not take an announcement; it is tried again."""


class Courier:
    """What one worker runs for its announcements, from its start to its end."""

    def __init__(
        self, session_dir: Path, root: Path, outlets: Outlets, telegram: Mapping[str, Any], environ: Mapping[str, str]
    ) -> None:
        """`telegram` is the person's section of the configuration. Raises ConfigError where it cannot be used."""
        self._session_dir = session_dir
        self._hooks = [Hook(session_dir, name, send) for name, send in _hooks(outlets, root, environ).items()]
        self._member: Member | None = None
        if outlets.telegram:
            self._member = _join(telegram, environ)
            self._member.register(session_dir, root)

    def start(self) -> None:
        """Begin to deliver, what an earlier worker left first."""
        for hook in self._hooks:
            hook.start()
        if self._member:
            self._member.start()

    def close(self, seconds: float = 10.0) -> list[str]:
        """Deliver what is left, for at most `seconds`; returns what a person should know."""
        deadline = time.monotonic() + seconds
        sentences = [hook.close(deadline - time.monotonic()) for hook in self._hooks]
        if self._member:
            if not self._member.flush(self._session_dir, deadline - time.monotonic()):
                sentences.append("Telegram could not be reached; what it has not heard is kept for the next start.")
            sentences.append(self._member.close())
        return [sentence for sentence in sentences if sentence]


class Hook:
    """One reader of the outbox that takes items one by one, each until it is taken."""

    def __init__(self, session_dir: Path, reader: str, send: Send) -> None:
        self._session_dir, self._reader, self._send = session_dir, reader, send
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"announce-{reader}", daemon=True)

    def start(self) -> None:
        outbox.remove_leftovers(self._session_dir, f"{self._reader}.cursor")
        self._thread.start()

    def close(self, seconds: float) -> str:
        """Try at once what is left, then end; says so where something stays behind."""
        deadline = time.monotonic() + seconds
        self._wake.set()
        while self._left() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._closing.set()
        self._wake.set()
        return f"The announce {self._reader} does not work: what it has not heard is kept." if self._left() else ""

    def _left(self) -> bool:
        return any(outbox.pending(self._session_dir, self._reader))

    def _run(self) -> None:
        seen: object = None
        failures = 0
        while not self._closing.is_set():
            stamp = _stamp(self._session_dir / FOLDER)
            if failures or stamp != seen:
                seen = stamp
                failures = 0 if self._deliver_all(failures) else failures + 1
            wait = min(FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 16), LONGEST_WAIT_SECONDS)
            self._wake.wait(wait if failures else LOOK_SECONDS)
            self._wake.clear()

    def _deliver_all(self, failures: int) -> bool:
        """Everything in order; False at the first that was not taken, which is logged once per outage."""
        for item in list(outbox.pending(self._session_dir, self._reader)):
            try:
                self._send(item.announcement.as_json())
                outbox.acknowledge(self._session_dir, self._reader, item.number)
            except (NotDelivered, OSError) as error:
                if not failures:
                    log.warning("announce %s: %s; trying again until it works", self._reader, error)
                return False
        return True


def _stamp(folder: Path) -> object:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return None


def _hooks(outlets: Outlets, root: Path, environ: Mapping[str, str]) -> dict[str, Send]:
    found: dict[str, Send] = {}
    if outlets.command:
        clean = {name: value for name, value in environ.items() if not name.startswith("TELEGRAM_")}
        found["command"] = lambda content: run_command(outlets.command, content, root, clean)
    if outlets.webhook:
        found["webhook"] = lambda content: post(outlets.webhook, content)
    return found


def run_command(command: Sequence[str], content: Mapping[str, Any], root: Path, environ: Mapping[str, str]) -> None:
    """Give an announcement to a command on its standard input. Raises NotDelivered unless it exits with 0."""
    try:
        done = subprocess.run(
            command, input=json.dumps(content, ensure_ascii=False).encode(), cwd=root, env=environ,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotDelivered(f"{command[0]} did not end within {COMMAND_SECONDS:.0f} s") from None
    except OSError as error:
        raise NotDelivered(f"{command[0]} cannot be run: {error.strerror}") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise NotDelivered(f"{command[0]} exits with {done.returncode}" + (f": {words[-1][:200]}" if words else ""))


def post(address: str, content: Mapping[str, Any]) -> None:
    """POST an announcement as JSON. Raises NotDelivered, naming the host only: the address may hold a secret."""
    import urllib.error
    import urllib.request

    body = json.dumps(content, ensure_ascii=False).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", "User-Agent": "samoloop"})
    try:
        with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS):
            return
    except urllib.error.HTTPError as error:
        raise NotDelivered(f"{urlsplit(address).hostname} answers {error.code}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise NotDelivered(f"{urlsplit(address).hostname} cannot be reached: {type(why).__name__}") from None


def _join(telegram: Mapping[str, Any], environ: Mapping[str, str]) -> "Member":
    """Become one of those who would poll."""
    from samoloop.config import telegram_bot
    from samoloop.ui.telegram.member import Member

    found, problems = telegram_bot.parse(telegram, environ)
    if found is None:
        raise ConfigError("\n".join(problems) or "Telegram is wanted but not configured: samoloop telegram setup")
    return Member(found, environ)
