"""An update has its effect once, and is not forgotten before it had one."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from session_work import Work

from samoloop.config.bot_folder import KEPT_SECONDS, BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.records import GateVoid, Rewound
from samoloop.ui.telegram.api import Outage
from samoloop.ui.telegram.ledger import Ledger
from samoloop.ui.telegram.listening import Listening
from samoloop.ui.telegram.machine import Machine
from samoloop.ui.telegram.reactions import Reaction
from samoloop.ui.telegram.relay import Relay
from samoloop.ui.telegram.sessions import Known
from samoloop.ui.telegram.supervision import Pace
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
        self.offsets.append(BotFolder(SETTINGS, self.folder.environ).offset())
        if len(self.offsets) <= self.refusals:
            raise OSError("No space left on device")
        return []


class Updates:
    """Telegram, which has these updates, and waits for ever when they were acknowledged."""

    def __init__(self, *ids: int) -> None:
        self.ids = ids
        self.rival = Outage("listening, alone", 1, 1)

    async def updates(self, offset: int, seconds: int) -> list[Update]:
        return [Other(id) for id in self.ids]


def heard(folder: BotFolder, handler: FullDisk, *ids: int) -> None:
    """Have a relay take one batch of updates."""

    async def listen() -> None:
        relay = Relay(SETTINGS, folder, Machine(), Pace(first_wait=0.001))
        listening = relay._listening
        listening._handler, listening._api = handler, Updates(*ids)  # type: ignore[assignment]
        await listening.go_round(relay._may_serve)

    asyncio.run(listen())


def test_an_update_is_acknowledged_after_its_effect_and_not_before(
    folder: BotFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Listening, "_disk_refuses", lambda listening: True)
    handler = FullDisk(folder, refusals=3)
    heard(folder, handler, 5)
    assert handler.offsets == [0, 0, 0, 0] and BotFolder(SETTINGS, folder.environ).offset() == 6


def test_an_update_that_comes_again_acts_no_second_time(folder: BotFolder) -> None:
    handler = FullDisk(folder, refusals=0)
    for _ in range(2):  # the second time by a relay that was started anew
        heard(BotFolder(SETTINGS, folder.environ), handler, 5, 7, 5)
    assert len(handler.offsets) == 2


def test_what_was_used_and_could_not_be_noted_is_not_used_again(
    folder: BotFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(folder, "keep_used", refuse)
    handler = FullDisk(folder, refusals=0)
    heard(folder, handler, 5, 5)
    heard(folder, handler, 5)
    assert len(handler.offsets) == 1 and folder.offset() == 6


def test_numbers_that_begin_anew_after_a_quiet_day_are_asked_for(folder: BotFolder) -> None:
    folder.use(900_000)
    a_day_ago = time.time() - KEPT_SECONDS - 1
    os.utime(folder.path / "used", (a_day_ago, a_day_ago))
    later = BotFolder(SETTINGS, folder.environ)
    assert later.offset() == 0
    later.use(17)
    assert later.offset() == 18


def test_what_is_new_in_a_journal_acts_on_the_state_as_if_all_were_read_anew(tmp_path: Path) -> None:
    work = Work(tmp_path)
    known = Known(work.dir, work.root, Ledger.load(work.dir))
    known.look()
    acts = [lambda: work.ask(), lambda: work.session.record(GateVoid(gate="g1")), lambda: work.show_plan(), work.block]
    for act in [*acts, lambda: work.session.record(Rewound(to=0, record=2)), lambda: work.ask()]:
        act()
        assert known.look()
        anew = Known(work.dir, work.root, known.ledger)
        anew.look()
        assert (known.state, known.closings) == (anew.state, anew.closings)
