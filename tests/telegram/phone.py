"""A chat, a person, sessions, and a relay that runs in this process."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot_api import TOKEN, Chat, Standin
from person import Person
from session_work import Work

from samoloop.base.locks import holders
from samoloop.config import projects
from samoloop.config.bot_folder import BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.ui.telegram.machine import Machine
from samoloop.ui.telegram.relay import Relay
from samoloop.ui.telegram.supervision import Pace

ANN, GROUP = 4711, -500
PACE = Pace(poll=5, tick=0.03, part=0.2, first_wait=0.02, longest_wait=0.1, status=0.1)


class Still(Machine):
    """A machine on which no worker is started."""

    def resume(self, session_dir: Path, by: str) -> None: ...


class Phone:
    """Everything that a test of the relay needs."""

    def __init__(self, standin: Standin, tmp_path: Path) -> None:
        self.standin = standin
        self.tmp_path = tmp_path
        self.chat = standin.chat(ANN)
        self.ann = Person(standin, ANN, "Ann", self.chat)
        self.settings = BotSettings(TOKEN, ANN, frozenset({ANN}), base_url=standin.base_url, remind_seconds=0)
        self.environ = own_home(tmp_path)
        self.machine: Machine = Still()
        self._works: list[Work] = []

    @property
    def folder(self) -> BotFolder:
        return BotFolder(self.settings, self.environ)

    def work(self, name: str = "26-11-21-jwt-auth", project: str = "project") -> Work:
        work = Work(self.tmp_path / project, name)
        self._works.append(work)
        self.folder.register(work.dir, work.root)
        projects.register(work.root, self.environ)
        return work

    def another(self, number: int, name: str, *, heard: bool = False, chat: Chat | None = None) -> Person:
        """Somebody else in this chat, or in one of their own; `heard`: they may act too. Before the relay runs."""
        if heard:
            self.settings = replace(self.settings, users=self.settings.users | {number})
        return Person(self.standin, number, name, chat or self.chat)

    def in_group(self, number: int = GROUP, **what: Any) -> None:
        """From now on the bot's chat is a group."""
        self.chat = self.standin.chat(number, **{"type": "supergroup", **what})
        self.ann = Person(self.standin, ANN, "Ann", self.chat)
        self.settings = replace(self.settings, chat=number)

    @property
    def section(self) -> dict[str, object]:
        return own_section(self.standin.base_url)

    def remember(self, **more: object) -> dict[str, str]:
        """Write the person's own file; gives the environment of a process that reads it."""
        return own_settings(self.tmp_path, self.standin.base_url, **more)

    def relays(self) -> list[int]:
        """The processes that hold the bot's lock."""
        return holders(self.folder.relay_lock)

    def end_relays(self) -> None:
        """kill -9 for what a worker of this test has started."""
        for pid in self.relays():
            if pid != os.getpid():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def end_work(self) -> None:
        """This process holds no session any more: what descends from it would pass for a child's."""
        for work in self._works:
            work.die()

    @contextmanager
    def relay(self, pace: Pace = PACE) -> Iterator[None]:
        """A relay in a thread of its own; an error in it fails the test."""
        started = threading.Event()
        box: list[tuple[asyncio.AbstractEventLoop, Relay]] = []

        async def run() -> None:
            box.append((asyncio.get_running_loop(), Relay(self.settings, self.folder, self.machine, pace)))
            started.set()
            await box[0][1].run()

        failed: list[BaseException] = []

        def body() -> None:
            try:
                asyncio.run(run())
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        started.wait(5)
        try:
            yield
        finally:
            loop, relay = box[0]
            if thread.is_alive():
                loop.call_soon_threadsafe(relay.stop)
            thread.join(10)
        if failed:
            raise failed[0]

    def bot(self, containing: str) -> dict:  # type: ignore[type-arg]
        """The newest message of the bot that shows this, once it is there."""
        return self.standin.wait_message(self.chat.id, containing)

    def shown(self, message: dict) -> str:  # type: ignore[type-arg]
        """What a message shows now."""
        return str(self.chat.messages[message["message_id"]]["shown"])


def own_section(base_url: str, chat: int = ANN) -> dict[str, object]:
    """The person's `telegram:` section."""
    return {"token": TOKEN, "chat": chat, "users": [ANN], "base_url": base_url, "remind": "off"}


def own_settings(home: Path, base_url: str, chat: int = ANN, **more: object) -> dict[str, str]:
    """Write the person's own file in that home; gives the environment of a process that reads it."""
    folder = home / "config" / "samoloop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps({"telegram": own_section(base_url, chat), **more}))
    return {**os.environ, **own_home(home), "XDG_CONFIG_HOME": str(folder.parent)}


def own_home(home: Path) -> dict[str, str]:
    """The part of the environment that names the home of a process."""
    return {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
