"""An update has its effect once, and is not forgotten before it had one."""

import asyncio
from pathlib import Path

import pytest

from samoloop.config.bot_folder import BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.ui.telegram.handler import Handler
from samoloop.ui.telegram.ledger import Ledger
from samoloop.ui.telegram.machine import Machine
from samoloop.ui.telegram.reactions import Reaction
from samoloop.ui.telegram.relay import Pace, Relay
from samoloop.ui.telegram.sessions import Known, Sessions
from samoloop.ui.telegram.updates import Other, Update

SETTINGS = BotSettings(token="123:abc", chat=7, users=frozenset({7}))


@pytest.fixture
def folder(tmp_path: Path) -> BotFolder:
    return BotFolder(SETTINGS, {"HOME": str(tmp_path)})


class FullDisk:
    """Refuses the first times, then takes the update."""

    def __init__(self, folder: BotFolder, refusals: int) -> None:
        self.folder, self.refusals = folder, refusals
        self.offsets: list[int] = []  # as they were on disk whenever the update was tried

    def handle(self, update: Update) -> list[Reaction]:
        self.offsets.append(self.folder.offset())
        if len(self.offsets) <= self.refusals:
            raise OSError("No space left on device")
        return []


class OneUpdate:
    """Telegram, which has one update, and waits for ever when that was acknowledged."""

    async def updates(self, offset: int, seconds: int) -> list[Update]:
        if offset > 5:
            raise asyncio.CancelledError
        return [Other(5)]


def test_an_update_is_acknowledged_after_its_effect_and_not_before(folder: BotFolder) -> None:
    relay = Relay(SETTINGS, folder, Machine(), Pace(first_wait=0.001))
    handler = FullDisk(folder, refusals=3)
    relay._handler, relay._api = handler, OneUpdate()  # type: ignore[assignment]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(relay._listen())
    assert handler.offsets == [0, 0, 0, 0] and folder.offset() == 6


def test_an_update_that_comes_again_acts_no_second_time(folder: BotFolder, tmp_path: Path) -> None:
    acts: list[int] = []

    def act() -> str:
        acts.append(1)
        return f"done {len(acts)}"

    for _ in range(2):  # the second time by a relay that was started anew
        known = Known(tmp_path, tmp_path, Ledger.load(tmp_path))
        handler = Handler(SETTINGS, folder, Sessions(folder), Machine())
        assert [handler.once(known, 5, act), handler.once(known, 5, act)] == ["done 1", "done 1"]
    assert acts == [1]
