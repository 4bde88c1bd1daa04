"""The faults of the phone's run: of the server, the network, the disk, one session, and by SIGKILL."""

import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from bot_api import Standin

from samoloop.base.locks import holders
from samoloop.config.bot_folder import BotFolder
from samoloop.core.control import LOCK, control_of

PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
FOR_EVER = 10_000  # times
BEGINS_SECONDS = 10.0  # that a relay may take to be there
BROKEN_SECONDS = 2.0  # how long what is broken stays so
UNLOCKS = "the state folder is removed"


def kill(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


class Harms:
    """What can be done to one bot, its relay, its sessions' workers, and one session that nobody counts on."""

    def __init__(self, standin: Standin, folder: BotFolder, sessions: Mapping[str, Path], victim: Path) -> None:
        self.standin, self.folder, self.sessions, self.victim = standin, folder, sessions, victim
        self.killed_relay: list[float] = []  # when
        self.killed = 0

    # By SIGKILL

    def relays(self) -> list[int]:
        return holders(self.folder.relay_lock)

    def worker(self, session: Path) -> int | None:
        """The process that holds a session."""
        try:
            return int((control_of(session) / LOCK).read_text())
        except (OSError, ValueError):
            return None

    def kill_relay(self) -> None:
        deadline = time.monotonic() + BEGINS_SECONDS
        while not self.relays() and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in self.relays():
            if kill(pid):
                self.killed += 1
                self.killed_relay.append(time.monotonic())

    def kill_worker(self, chance: random.Random) -> None:
        workers = [pid for session in self.sessions.values() if (pid := self.worker(session)) is not None]
        if workers:
            self.killed += kill(chance.choice(workers))

    # All others, by name: each returns what puts things right again

    def all(self) -> dict[str, Callable[[], Callable[[], object] | None]]:
        odd = {
            "400 to getUpdates": {"act": "refuse", "code": 400, "description": "Bad Request: odd"},
            "409 to getUpdates": {"act": "refuse", "code": 409, "description": "Conflict: terminated by other"},
            "no result": {"act": "result", "content": None},
            "an update without an id": {"act": "result", "content": [{"message": {"text": "hello"}}]},
            "a page instead of updates": {"act": "page", "content": PAGE, "code": 200},
            "a page with 502": {"act": "page", "content": PAGE, "code": 502},
            "half an answer": {"act": "tear"},
            "a poll that is cut": {"act": "cut"},
        }
        sends = {
            "429 to a message": {"method": "sendMessage", "act": "flood", "retry_after": 1},
            "429 to an edit": {"method": "editMessageText", "act": "flood", "retry_after": 1},
            "429 to a toast": {"method": "answerCallbackQuery", "act": "flood", "retry_after": 1},
            "a lost answer to a message": {"method": "sendMessage", "act": "lose"},
            "half an answer to a message": {"method": "sendMessage", "act": "tear"},
            "500 to a message": {"method": "sendMessage", "act": "refuse", "code": 500},
            "a page instead of a message": {"method": "sendMessage", "act": "page", "content": PAGE, "code": 502},
        }
        found: dict[str, Callable[[], Callable[[], object] | None]] = {
            "the network is cut": self.cut_network,
            "a full disk": self.fill_disk,
            UNLOCKS: self.remove_state,
            "a folder in the place of the ledger": lambda: self.replace_ledger(Path.mkdir),
            "a link in the place of the ledger": lambda: self.replace_ledger(lambda at: at.symlink_to("/etc/passwd")),
            "a link in the place of the outbox": self.replace_outbox,
            "a message that is refused for ever": self.refuse_for_ever,
        }
        for name, given in {**{name: {"method": "getUpdates", **what} for name, what in odd.items()}, **sends}.items():
            found[name] = lambda given=given: self.standin.fault(**given)
        return found

    def cut_network(self) -> Callable[[], object]:
        self.standin.down = True
        return lambda: setattr(self.standin, "down", False)

    def fill_disk(self) -> Callable[[], object]:
        """The relay can write no byte to any file."""
        limits = [(pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)) for pid in self.relays()]
        for pid, (_, most) in limits:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))

        def undo() -> None:
            for pid, before in limits:
                with suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

        return undo

    def remove_state(self) -> None:
        shutil.rmtree(self.folder.path, ignore_errors=True)

    def replace_ledger(self, put: Callable[[Path], object]) -> Callable[[], object]:
        ledger = control_of(self.victim) / "_outbox" / "telegram.jsonl"
        kept = ledger.with_suffix(".kept")
        with suppress(FileNotFoundError):
            ledger.rename(kept)
        put(ledger)

        def undo() -> None:
            ledger.unlink() if ledger.is_symlink() else shutil.rmtree(ledger, ignore_errors=True)
            with suppress(OSError):
                kept.rename(ledger)

        return undo

    def replace_outbox(self) -> Callable[[], object]:
        outbox = control_of(self.victim) / "_outbox"
        kept = outbox.with_name("_outbox.kept")
        outbox.rename(kept)
        outbox.symlink_to(kept)

        def undo() -> None:
            if outbox.is_symlink():
                outbox.unlink()
            if outbox.exists():  # made anew
                shutil.rmtree(kept)
            else:
                kept.rename(outbox)

        return undo

    def refuse_for_ever(self) -> Callable[[], object]:
        """What the victim says the server does not take."""
        known = list(self.standin.faults)
        self.standin.fault(
            "sendMessage", "refuse", code=400, description="Bad Request: odd", times=FOR_EVER, containing="victim"
        )
        mine = [fault for fault in self.standin.faults if fault not in known]
        return lambda: [self.standin.faults.remove(fault) for fault in mine]
