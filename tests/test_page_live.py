"""What changes is told to the pages that are open: by event, by a slow look beside it, and by nobody when none is."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import recorded
from kit import until

from samoloop.base.locks import Lock
from samoloop.core.control import LOCK, LOGS, place_of
from samoloop.core.session import Session, session_tag
from samoloop.ui.web import live as live_module
from samoloop.ui.web.live import Live
from samoloop.ui.web.site import Site

SECONDS = 30.0


@pytest.fixture
def session(root: Path) -> Session:
    (place_of(root / "_sessions" / "26-11-21-auth") / LOGS).mkdir(parents=True)
    return recorded.make_session(root, "26-11-21-auth")


@pytest.fixture(autouse=True)
def only_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look beside them would tell the same, a little later."""
    monkeypatch.setattr(live_module, "LOOK_SECONDS", 1000.0)
    monkeypatch.setattr(live_module, "LINGER_SECONDS", 0.05)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "live"]


async def next_news(stream: AsyncIterator[str]) -> set[str]:
    async with asyncio.timeout(SECONDS):
        while "data: " not in (event := await anext(stream)):
            pass
    return set(event.split("data: ")[1].split())


async def news_of(stream: AsyncIterator[str], what: str) -> None:
    while what not in await next_news(stream):
        pass


def watched(test: Callable[[AsyncIterator[str]], Coroutine[Any, Any, None]]) -> None:
    """Run it with a page that is open, and watched by events."""

    async def run() -> None:
        stream = Live(Site(os.environ)).changes()
        await news_of(stream, "*")
        try:
            await test(stream)
        finally:
            await stream.aclose()

    asyncio.run(run())
    until(lambda: not threads())


def test_a_record_in_the_journal_is_told(session: Session) -> None:
    async def test(stream: AsyncIterator[str]) -> None:
        recorded.iterate(session, "requirements")
        await news_of(stream, session_tag(session.dir))

    watched(test)


def test_an_answer_written_in_an_editor_is_told(session: Session) -> None:
    async def test(stream: AsyncIterator[str]) -> None:
        (session.dir / "_qa.md").write_text("B\n")
        await news_of(stream, session_tag(session.dir))

    watched(test)


def test_a_worker_that_comes_and_one_that_goes_are_told(session: Session) -> None:
    async def test(stream: AsyncIterator[str]) -> None:
        lock = Lock.take(session.control / LOCK, 0, "1\n")
        await news_of(stream, session_tag(session.dir))
        await asyncio.sleep(0)
        lock.release()
        await news_of(stream, session_tag(session.dir))

    watched(test)


def test_a_new_session_is_told(session: Session, root: Path) -> None:
    async def test(stream: AsyncIterator[str]) -> None:
        recorded.make_session(root, "26-11-22-next")
        await news_of(stream, "overview")

    watched(test)


def test_a_task_of_the_backlog_is_told(session: Session, root: Path) -> None:
    (root / ".samoloop" / "backlog").mkdir(parents=True)

    async def test(stream: AsyncIterator[str]) -> None:
        (root / ".samoloop" / "backlog" / "x.md").write_text("do it\n")
        await news_of(stream, "backlog")

    watched(test)


def test_many_changes_are_few_events(session: Session) -> None:
    async def test(stream: AsyncIterator[str]) -> None:
        stem = recorded.start(session)
        await news_of(stream, session_tag(session.dir))
        for number in range(300):
            recorded.write_log(stem, [{"number": number}])
            await asyncio.sleep(0)
        told = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * live_module.LOG_SECONDS):
                while await next_news(stream):
                    told += 1
        assert 1 <= told <= 3

    watched(test)


def test_a_disk_that_reports_nothing_is_looked_at(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(live_module._Events, "follow", lambda self, projects: None)

    looked = threading.Event()
    real = live_module._Watcher._look

    def look(*given: Any) -> dict[str, Any]:
        found = real(*given)
        looked.set()
        return found

    monkeypatch.setattr(live_module._Watcher, "_look", look)

    async def test(stream: AsyncIterator[str]) -> None:
        await asyncio.to_thread(looked.wait, SECONDS)  # the first look, against which the next one compares
        recorded.iterate(session, "requirements")
        await news_of(stream, session_tag(session.dir))

    watched(test)


def test_one_watcher_serves_all_pages_and_ends_with_the_last(session: Session) -> None:
    async def run() -> None:
        live = Live(Site(os.environ))
        streams = [live.changes() for _ in range(50)]
        for stream in streams:
            await anext(stream)
        assert threads() == ["live"]
        await news_of(streams[0], "*")
        recorded.iterate(session, "requirements")
        for stream in streams:
            await news_of(stream, session_tag(session.dir))
        for stream in streams[1:]:
            await stream.aclose()
        for phase in ("planning", "requirements", "planning"):  # each told after more time than the watcher lingers
            recorded.iterate(session, phase)
            await news_of(streams[0], session_tag(session.dir))
        assert threads() == ["live"]
        await streams[0].aclose()
        while threads():
            await asyncio.sleep(0.01)
        again = live.changes()  # who comes later is told again
        await news_of(again, "*")
        recorded.iterate(session, "planning")
        await news_of(again, session_tag(session.dir))
        await again.aclose()

    asyncio.run(asyncio.wait_for(run(), 2 * SECONDS))


def test_a_page_that_is_told_nothing_gets_a_sign_of_life(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "HEARTBEAT_SECONDS", 0.1)

    async def test(stream: AsyncIterator[str]) -> None:
        assert (await anext(stream)).startswith(":")

    watched(test)


def test_of_very_many_pages_only_so_many_are_told(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "STREAMS", 2)

    async def run() -> None:
        live = Live(Site(os.environ))
        first, second = live.changes(), live.changes()
        await anext(first)
        assert not live.is_full
        await anext(second)
        assert live.is_full
        await first.aclose()
        assert not live.is_full
        await second.aclose()

    asyncio.run(run())
