"""Who polls: workers elect one of themselves, and give way to a `samoloop relay`.

Telegram allows one poller per bot. A member holds a lock of its own while it would poll; the one that gets the poller
lock does. The kernel frees both when a process dies, so the next takes over within about a second.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from samoloop.base.errors import LockHeld, SamoloopError, UsageError
from samoloop.base.locks import Lock, is_held
from samoloop.config.loading import load
from samoloop.config.telegram_bot import Settings
from samoloop.core.session import all_sessions
from samoloop.core.state import ENDED
from samoloop.ui.telegram.home import Home
from samoloop.ui.telegram.ledger import READER
from samoloop.ui.telegram.machine import Machine
from samoloop.worker import outbox

if TYPE_CHECKING:
    from samoloop.ui.telegram.relay import Relay  # importing it costs 25 MB: only the elected one pays

ELECTION_SECONDS = 1.0
TROUBLE_SECONDS = 60.0  # after a token that Telegram does not know

log = logging.getLogger(__name__)


def dedicated(settings: Settings, environ: Mapping[str, str]) -> Lock:
    """What a `samoloop relay` holds, so that workers give way to it. Raises UsageError when there is one already."""
    try:
        return Lock.take(Home(settings, environ).dedicated_lock, 0, str(os.getpid()))
    except LockHeld:
        raise UsageError("a `samoloop relay` for this bot runs already: nothing to do") from None


def register_unfinished(home: Home, environ: Mapping[str, str]) -> None:
    """Have every unfinished session of the registered projects served, also those that ran without Telegram."""
    for root in home.roots():
        try:
            for session in all_sessions(load(root, environ).sessions_dir):
                if session.state().condition not in ENDED:
                    home.register(session.dir, root)
        except (SamoloopError, OSError) as error:
            log.warning("the sessions of %s are left out: %s", root, error)


class Member:
    """Polls when nobody else does, in a thread of its own: for a worker (`dedicated` false) or for `samoloop relay`."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], *, dedicated: bool = False) -> None:
        self._settings = settings
        self._home = Home(settings, environ)
        self._dedicated = dedicated
        self._machine = Machine(starts=dedicated)
        self._closing = threading.Event()
        if dedicated:
            register_unfinished(self._home, environ)
        self._own = Lock.take(self._home.member_lock(), 1.0, str(os.getpid()))
        self._relay: Relay | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._contend, name="telegram", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def register(self, session_dir: Path, root: Path) -> None:
        """Have a session served by whoever polls, now and later."""
        self._home.register(session_dir, root)

    @property
    def polls(self) -> bool:
        """Whether this member is the elected one."""
        return self._relay is not None

    def flush(self, session_dir: Path, seconds: float) -> bool:
        """Wait until everything announced so far is in the chat; False when `seconds` were not enough."""
        deadline = time.monotonic() + seconds
        while any(outbox.pending(session_dir, READER)):
            if time.monotonic() >= deadline or not self._thread.is_alive():
                return False
            self._hurry()
            time.sleep(0.05)
        relay = self._relay
        rounds = relay.rounds + 2 if relay else 0  # one may be under way that began before the last change
        while relay is self._relay and relay and relay.rounds < rounds and time.monotonic() < deadline:
            self._hurry()
            time.sleep(0.02)
        return True

    def close(self) -> str:
        """Stop polling; returns a sentence where nobody listens from now on, else nothing."""
        self._closing.set()
        self._stop_relay()
        self._thread.join(5)
        self._own.release()
        self._home.member_lock().unlink(missing_ok=True)
        if self._home.others_listen():
            return ""
        return (
            "Nobody listens on Telegram now: what you send there is kept by Telegram for a day and handled at the next "
            "`samoloop resume` or `samoloop relay`."
        )

    # In the thread

    def _contend(self) -> None:
        while not self._closing.is_set():
            if not self._dedicated and is_held(self._home.dedicated_lock):
                self._closing.wait(ELECTION_SECONDS)
                continue
            try:
                lock = Lock.take(self._home.poller_lock, 0, str(os.getpid()))
            except LockHeld:
                self._closing.wait(ELECTION_SECONDS)
                continue
            try:
                asyncio.run(self._poll())
            except SamoloopError as error:
                log.error("%s", error)
                self._closing.wait(TROUBLE_SECONDS)
            finally:
                self._relay = None
                lock.release()

    async def _poll(self) -> None:
        from samoloop.ui.telegram.relay import Relay

        self._loop = asyncio.get_running_loop()
        self._relay = Relay(self._settings, self._home, self._machine)
        if self._closing.is_set():
            self._relay.stop()
        watch = asyncio.create_task(self._give_way(self._relay))
        try:
            await self._relay.run()
        finally:
            watch.cancel()

    async def _give_way(self, relay: "Relay") -> None:
        """A relay of its own can start workers, which a worker's cannot: it goes first."""
        while self._dedicated or not is_held(self._home.dedicated_lock):
            await asyncio.sleep(ELECTION_SECONDS)
        relay.stop()

    def _hurry(self) -> None:
        self._in_loop(lambda relay: relay.hurry())

    def _stop_relay(self) -> None:
        self._in_loop(lambda relay: relay.stop())

    def _in_loop(self, act: Callable[["Relay"], None]) -> None:
        relay, loop = self._relay, self._loop
        if relay is not None and loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(act, relay)
