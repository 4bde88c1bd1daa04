"""A chat, a person, sessions, and a relay that runs in this process."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot_api import TOKEN, Person, Standin
from session_work import Work

from samoloop.config import projects
from samoloop.config.telegram_bot import Settings
from samoloop.ui.telegram.home import Home
from samoloop.ui.telegram.machine import Machine
from samoloop.ui.telegram.relay import Pace, Relay

ANN = 4711
PACE = Pace(poll=5, tick=0.03, first_wait=0.02, longest_wait=0.1, status=0.1)


class Phone:
    """Everything that a test of the relay needs."""

    def __init__(self, standin: Standin, tmp_path: Path) -> None:
        self.standin = standin
        self.tmp_path = tmp_path
        self.chat = standin.chat(ANN)
        self.ann = Person(standin, ANN, "Ann", self.chat)
        self.settings = Settings(TOKEN, ANN, frozenset({ANN}), base_url=standin.base_url, remind_seconds=0)
        self.environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
        self.machine = Machine(starts=False)

    @property
    def home(self) -> Home:
        return Home(self.settings, self.environ)

    def work(self, name: str = "26-11-21-jwt-auth") -> Work:
        work = Work(self.tmp_path / "project", name)
        self.home.register(work.dir, work.root)
        projects.register(work.root, self.environ)
        return work

    @contextmanager
    def relay(self, pace: Pace = PACE) -> Iterator[None]:
        """A relay in a thread of its own; an error in it fails the test."""
        started = threading.Event()
        box: list[tuple[asyncio.AbstractEventLoop, Relay]] = []

        async def run() -> None:
            box.append((asyncio.get_running_loop(), Relay(self.settings, self.home, self.machine, pace)))
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
