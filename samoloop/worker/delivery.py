"""Brings what a worker announces to those who listen: a command, a webhook, the phone.

The worker's loop writes the outbox and goes on; a slow command or a dead network never delays an iteration, so a
command and a webhook have a thread each. The phone needs none: a relay of its own reads the outbox. What could not be
delivered before the worker ends is delivered by the next one, in order.
"""

import json
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from samoloop.base.errors import SessionError
from samoloop.config.outlets import Outlets
from samoloop.worker import outbox
from samoloop.worker.notices import CALLS, show_on_desktop
from samoloop.worker.outbox import Announcement
from samoloop.worker.relay_starter import RelayStarter

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 300.0
COMMAND_SECONDS, WEBHOOK_SECONDS = 60.0, 20.0
STALE_SECONDS = 900.0  # of a notice on the desktop: what still waits then is reminded of

log = logging.getLogger(__name__)
Send = Callable[[Announcement], None]


class NotDelivered(Exception):
    """Why a command or webhook did not take an announcement; it is tried again."""


class Delivery:
    """What one worker runs for its announcements, from its start to its end."""

    def __init__(
        self, session_dir: Path, root: Path, outlets: Outlets, telegram: Mapping[str, Any], environ: Mapping[str, str]
    ) -> None:
        """`telegram` is the person's section of the configuration. Raises ConfigError where it cannot be used."""
        self._session_dir, self._root = session_dir, root
        self._hooks = [Hook(session_dir, name, send) for name, send in _hooks(outlets, root, environ).items()]
        self._relay = RelayStarter(telegram, environ) if outlets.telegram else None

    def start(self) -> None:
        """Begin to deliver, what an earlier worker left first."""
        for hook in self._hooks:
            hook.start()
        if self._relay:
            self._relay.serve(self._session_dir, self._root)

    def look(self) -> str:
        """There may be news, or nobody to bring it: cheap, for each announcement and each look of a wait.

        Returns what a person should know; empty where there is nothing new.
        """
        for hook in self._hooks:
            hook.look()
        return self._relay.look() if self._relay else ""

    def close(self, seconds: float = 10.0) -> list[str]:
        """Give commands and webhooks what is left, for at most `seconds`; returns what a person should know."""
        deadline = time.monotonic() + seconds
        sentences = [hook.close(deadline - time.monotonic()) for hook in self._hooks]
        return [sentence for sentence in sentences if sentence]


class Hook:
    """One reader of the outbox that takes items one by one, each until it is taken."""

    def __init__(self, session_dir: Path, reader: str, send: Send) -> None:
        self._session_dir, self._reader, self._send = session_dir, reader, send
        self._failures = 0
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"announce-{reader}", daemon=True)

    def start(self) -> None:
        outbox.remove_leftovers(self._session_dir, f"{self._reader}.cursor")
        self._thread.start()

    def look(self) -> None:
        """Deliver what is new; where the last try failed the wait goes on."""
        if not self._failures:
            self._wake.set()

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
        try:
            return any(outbox.pending(self._session_dir, self._reader))
        except SessionError:  # the control folder is gone, and what was in it
            return True

    def _run(self) -> None:
        while not self._closing.is_set():
            self._failures = 0 if self._deliver_all() else self._failures + 1
            pause = min(FIRST_WAIT_SECONDS * 2 ** min(self._failures - 1, 16), LONGEST_WAIT_SECONDS)
            self._wake.wait(pause if self._failures else None)
            self._wake.clear()

    def _deliver_all(self) -> bool:
        """Everything in order; False at the first that was not taken, which is logged once per outage."""
        try:
            for item in list(outbox.pending(self._session_dir, self._reader)):
                if item.announcement is not None:
                    self._send(item.announcement)
                outbox.acknowledge(self._session_dir, self._reader, item.number)
        except (NotDelivered, SessionError, OSError) as error:  # the control folder may be gone
            if not self._failures:
                log.warning("announce %s: %s; trying again until it works", self._reader, error)
            return False
        return True


def _hooks(outlets: Outlets, root: Path, environ: Mapping[str, str]) -> dict[str, Send]:
    found: dict[str, Send] = {}
    if outlets.command:
        clean = {name: value for name, value in environ.items() if not name.startswith("TELEGRAM_")}
        found["command"] = lambda given: run_command(outlets.command, given.as_json(), root, clean)
    if outlets.webhook:
        found["webhook"] = lambda given: post(outlets.webhook, given.as_json())
    if outlets.desktop:
        found["desktop"] = lambda given: _on_desktop(given, environ)
    return found


def _on_desktop(given: Announcement, environ: Mapping[str, str]) -> None:
    """Show what calls for a person; what is older than that makes sense is passed over. Raises NotDelivered."""
    if given.kind in CALLS and time.time() - given.at < STALE_SECONDS and (why := show_on_desktop(given, environ)):
        raise NotDelivered(why)


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
