"""The relay's parts, one by one, where something breaks: they go on, and remember what was done."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from phone import Phone
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, RetryAfter

from samoloop.config.bot_folder import BotFolder
from samoloop.config.telegram_bot import BotSettings
from samoloop.core.decision import Condition
from samoloop.core.records import Halted
from samoloop.ui.telegram import ledger as ledger_module
from samoloop.ui.telegram.api import Api, Refused, TokenRefused, Unsent
from samoloop.ui.telegram.chat import Chat
from samoloop.ui.telegram.ledger import Ledger, Sent
from samoloop.ui.telegram.machine import Machine
from samoloop.ui.telegram.reactions import Reaction
from samoloop.ui.telegram.relay import Relay
from samoloop.ui.telegram.render import Outgoing
from samoloop.ui.telegram.sessions import Sessions
from samoloop.ui.telegram.supervision import Pace
from samoloop.ui.telegram.updates import Other, Tap, Update

SETTINGS = BotSettings(token="123:abc", chat=-7, users=frozenset({7}))
PACE = Pace(tick=0.001, first_wait=0.001, longest_wait=0.001)
TAP = Tap(5, -7, 7, "Ann", 1, "query", "a|nobodys|x|y|A")


@pytest.fixture
def folder(tmp_path: Path) -> BotFolder:
    return BotFolder(SETTINGS, {"HOME": str(tmp_path)})


def within(folder: BotFolder, act: Callable[[Relay], Awaitable[None]]) -> None:
    """Do something with a relay in its loop."""

    async def run() -> None:
        await asyncio.wait_for(act(Relay(SETTINGS, folder, Machine(), PACE)), 5)

    asyncio.run(run())


@pytest.mark.parametrize("error", [OSError(28, "full"), RuntimeError("a mistake"), Refused("no"), Unsent("later")])
def test_a_part_goes_on_whatever_breaks_in_a_round(folder: BotFolder, error: Exception) -> None:
    rounds: list[int] = []

    async def act(relay: Relay) -> None:
        async def go_round() -> None:
            rounds.append(1)
            if len(rounds) == 3:
                relay.stop()
            raise error

        await relay._supervision.keep("listening", go_round, relay._stopped)

    within(folder, act)
    assert len(rounds) == 3


def test_of_what_works_again_nothing_is_kept(folder: BotFolder) -> None:
    """A relay runs for months, and each of its messages is guarded by a name of its own."""

    async def act(relay: Relay) -> None:
        async def work() -> None:
            pass

        kept = weakref.ref(relay._supervision.trouble("asking about text 7"))
        await relay._supervision.guarded("asking about text 7", work)
        assert kept() is None

    within(folder, act)


def test_two_sessions_of_one_name_have_a_status_each(phone: Phone) -> None:
    """The status of one does not pass for the other's, which would have both edited without end."""
    _, blog = phone.work(project="shop"), phone.work(project="blog")

    async def act() -> None:
        api = Api(phone.settings)
        chat, sessions = Chat(api, lambda: True, status_seconds=0), Sessions(phone.folder, phone.settings.chat)
        for _ in range(3):
            for known in sessions.refresh():
                await chat.serve(known)
        assert not phone.standin.called("editMessageText")
        blog.session.record(Halted(condition=Condition.BLOCKED, reason="no database"))
        for known in sessions.refresh():
            await chat.serve(known)
        await api.close()

    asyncio.run(act())
    (edited,) = phone.standin.called("editMessageText")
    assert int(edited["message_id"]) == phone.bot("blog · jwt-auth")["message_id"] and "no database" in edited["text"]


def answers(api: Api, *given: Any) -> None:
    """What the library gives or raises for polls and messages, one after the other."""
    rest = list(given)

    async def answer(*_: object, **__: object) -> Any:
        found = rest.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    class Bot:
        do_api_request = staticmethod(answer)
        send_message = staticmethod(answer)

    api._bot = Bot()  # type: ignore[assignment]


@pytest.mark.parametrize(
    "odd",
    [None, 7, "x", {"a": 1}, [None], [{}], [{"update_id": "5"}], [{"update_id": 2**40}], [{"update_id": True}],
     BadRequest("no"), Forbidden("no"), KeyError("result"), TypeError()],
)  # fmt: skip
def test_an_odd_answer_to_a_poll_is_waited_out(odd: Any) -> None:
    async def poll() -> list[Update]:
        api = Api(SETTINGS, first_wait=0, longest_wait=0)
        answers(api, odd, odd, [{"update_id": 5}])
        return await api.updates(1, 1)

    assert asyncio.run(poll()) == [Other(5)]


def test_a_server_that_asks_for_a_million_seconds_is_asked_again_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samoloop.ui.telegram.api.PATIENCE_SECONDS", 0.01)

    async def poll() -> list[Update]:
        api = Api(SETTINGS, first_wait=0, longest_wait=0)
        answers(api, RetryAfter(10**6), [{"update_id": 5}])
        return await asyncio.wait_for(api.updates(1, 1), 5)

    assert asyncio.run(poll()) == [Other(5)]


def test_an_offset_that_is_refused_is_not_asked_for_again() -> None:
    asked: list[int] = []

    async def poll() -> None:
        api = Api(SETTINGS, first_wait=0, longest_wait=0)

        class Bot:
            async def do_api_request(self, name: str, given: dict[str, Any], **_: object) -> list[object]:
                asked.append(given["offset"])
                if given["offset"]:
                    raise BadRequest("invalid offset")
                return []

        api._bot = Bot()  # type: ignore[assignment]
        await api.updates(900, 1)

    asyncio.run(poll())
    assert asked == [900, 0]


def test_a_token_is_given_up_where_it_never_worked_and_kept_where_it_did() -> None:
    async def poll(*given: Any) -> None:
        api = Api(SETTINGS, first_wait=0, longest_wait=0)
        answers(api, *given)
        await api.updates(1, 1)
        await api.updates(1, 1)

    asyncio.run(poll([], InvalidToken("Unauthorized"), []))
    with pytest.raises(TokenRefused):
        asyncio.run(poll(InvalidToken("Unauthorized"), [], []))


def test_a_chat_that_has_moved_is_followed_and_remembered(folder: BotFolder) -> None:
    async def act(relay: Relay) -> None:
        api = relay._api
        answers(api, ChatMigrated(-1007), type("Message", (), {"message_id": 3}))
        assert await api.send(Outgoing("hello")) == 3
        assert (api.settings.chat, relay._handler.chat) == (-1007, -1007)

    within(folder, act)
    assert folder.chat_of(SETTINGS).chat == -1007


class Stubborn:
    """A handler whose session cannot be written to."""

    chat = -7

    def __init__(self, knows: bool = True) -> None:
        self.knows, self.handled = knows, 0

    def handle(self, update: Update) -> list[Reaction]:
        self.handled += 1
        raise OSError(30, "Read-only file system")

    def refuse(self, update: Update, why: str) -> list[Reaction]:
        return []

    def is_strange(self, update: Update) -> bool:
        return not self.knows

    def allows(self, update: Update) -> bool:
        return True


async def _listen_once(relay: Relay, handler: Stubborn) -> None:
    async def updates(offset: int, seconds: int) -> list[Update]:
        return [TAP]

    relay._listening._handler = handler  # type: ignore[assignment]
    relay._api.updates = updates  # type: ignore[method-assign]
    await relay._listening.go_round(relay._may_serve)


def test_an_answer_that_only_its_session_refuses_is_tried_once_and_holds_up_nobody(folder: BotFolder) -> None:
    handler = Stubborn()
    within(folder, lambda relay: _listen_once(relay, handler))
    assert (handler.handled, folder.was_used(5)) == (1, True)


@pytest.mark.parametrize("is_contested", [True, False])
def test_what_another_machine_may_know_is_left_to_it(folder: BotFolder, is_contested: bool) -> None:
    handler = Stubborn(knows=False)

    async def act(relay: Relay) -> None:
        if is_contested:
            relay._api.rival.failed("another program polls this bot")
        await _listen_once(relay, handler)

    within(folder, act)
    assert (handler.handled, folder.was_used(5)) == ((0, False) if is_contested else (1, True))


def test_what_was_sent_is_remembered_where_the_disk_refuses_it_and_written_when_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.load(tmp_path)
    ledger.look()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(ledger_module, "open_log", refuse)
        ledger.sent(Sent(3, "question", 1.0, item=1, part="x"))
        ledger.sent(Sent(4, "question", 1.0, item=1, part="y"))
        assert ledger.parts == {(1, "x"), (1, "y")}
        assert not ledger.path.exists()
    ledger.look()
    assert Ledger.load(tmp_path).parts == {(1, "x"), (1, "y")}


def test_an_outbox_that_a_child_removed_is_numbered_anew(tmp_path: Path) -> None:
    ledger = Ledger.load(tmp_path)
    ledger.look()
    ledger.sent(Sent(3, "question", 1.0, item=1, part="x"))
    ledger.look()
    assert ledger.parts
    ledger.path.parent.rename(tmp_path / "away")
    ledger.look()
    assert not ledger.parts


def test_messages_of_another_chat_are_none_of_this_one(tmp_path: Path) -> None:
    ledger = Ledger.load(tmp_path, -7)
    ledger.look()
    ledger.sent(Sent(3, "question", 1.0, item=1, part="x", waits=True))
    moved = Ledger.load(tmp_path, -1007)
    assert (moved.live, moved.parts, moved.has_moved) == ({}, {(1, "x")}, True)
    moved.shown_again()
    assert not Ledger.load(tmp_path, -1007).has_moved
