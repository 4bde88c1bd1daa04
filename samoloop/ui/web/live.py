"""What changes while somebody looks: one watcher for all sessions tells the pages that are open, which then ask anew.

GET /live is a stream of events: `changed`, with what changed in a line: tags of sessions, `backlog`, `overview`, or `*`
for whatever may have. It says nothing about how things stand, so that there is one way in which a page is made. While
no page is open nothing is watched.
"""

import asyncio
import logging
import os
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from samoloop.api.sessions import roots
from samoloop.base.files import entries_of, stamp
from samoloop.base.places import state_folder
from samoloop.config.project import BACKLOG, sessions_folder
from samoloop.core.control import CHILD_LOCK, LOCK, LOGS, PRIVATE, place_of
from samoloop.core.session import session_tag
from samoloop.queue.background import LOCK as UP_LOCK
from samoloop.ui.cli import failures
from samoloop.ui.cli.fleet_copies import kept_new

if TYPE_CHECKING:
    from samoloop.ui.web.site import Project, Site

STREAMS = 200  # at once; a browser has one for all its tabs
HEARTBEAT_SECONDS = 20.0
LINGER_SECONDS = 10.0  # that it is watched after the last page was closed: the next page opens in a moment
LOOK_SECONDS = 5.0  # between two looks at everything, for file systems that report nothing
QUICK_SECONDS, LOG_SECONDS = 0.2, 1.0  # between two tellings at least; of what a child prints
_PROJECTS = 30  # that are watched; those beyond are looked at
OVERVIEW, BACKLOGS, ALL = "overview", "backlog", "*"
_LOCKS = (LOCK, CHILD_LOCK, UP_LOCK)

What = tuple[str, bool] | None
Meaning = Callable[[Sequence[str]], What]  # of a path in a watched folder
Tell = Callable[[str, bool], None]  # what changed, and whether it is only what a child prints


class Live:
    """The pages that are open, and the one watcher that runs for them."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._listeners: set[_Listener] = set()
        self._watcher: _Watcher | None = None
        self._fresh: set[str] = set()
        self._told = 0.0  # monotonic
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        return len(self._listeners) >= STREAMS

    async def changes(self) -> AsyncIterator[str]:
        """What to send to one page, until it is closed."""
        listener = _Listener()
        self._listeners.add(listener)
        loop = asyncio.get_running_loop()
        if self._watcher is None or not self._watcher.stay():
            self._watcher = _Watcher(self._site, partial(self._hear_of, loop))
            self._watcher.start()
        elif loop.time() - self._told < LOOK_SECONDS:  # between the making of the page and now
            listener.hear({ALL})
        try:
            yield "retry: 2000\n\n"
            while True:
                yield await listener.news()
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._watcher.leave()

    def _hear_of(self, loop: asyncio.AbstractEventLoop, what: str, is_log: bool) -> None:
        with suppress(RuntimeError):  # the page was closed
            loop.call_soon_threadsafe(self._hear, what, is_log)

    def _hear(self, what: str, is_log: bool) -> None:
        """Tell it at once, or a little later where something was told just now."""
        loop = asyncio.get_running_loop()
        self._fresh.add(what)
        at = max(self._told + (LOG_SECONDS if is_log else QUICK_SECONDS), loop.time())
        if self._timer is not None and self._timer.when() <= at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(at, self._tell)

    def _tell(self) -> None:
        self._timer, self._told = None, asyncio.get_running_loop().time()
        fresh, self._fresh = self._fresh, set()
        for listener in self._listeners:
            listener.hear(fresh)


class _Listener:
    """One open page."""

    def __init__(self) -> None:
        self._fresh: set[str] = set()
        self._event = asyncio.Event()

    def hear(self, what: set[str]) -> None:
        self._fresh |= what
        self._event.set()

    async def news(self) -> str:
        """The next event, or after a while without one a sign of life."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._event.wait()
        except TimeoutError:
            return ": still here\n\n"
        self._event.clear()
        fresh, self._fresh = self._fresh, set()
        return f"event: changed\ndata: {' '.join(sorted(fresh))}\n\n"


class _Watcher:
    """A thread that watches the disk while pages are open, and ends by itself a little after the last was closed."""

    def __init__(self, site: "Site", tell: Tell) -> None:
        self._site = site
        self._tell = tell
        self._turn = threading.Condition()
        self._left: float | None = None  # monotonic; None while a page is open
        self._is_over = False
        self._looks_now = False

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="live").start()

    def stay(self) -> bool:
        """Go on, for a page that was opened, and look at once: it may be of what was begun just now. False where it
        has ended.
        """
        with self._turn:
            self._left = None
            self._looks_now = True
            self._turn.notify()
            return not self._is_over

    def leave(self) -> None:
        """The last page was closed."""
        with self._turn:
            self._left = time.monotonic()
            self._turn.notify()

    def _run(self) -> None:
        events, seen = _Events(self._site, self._tell), dict[str, Any]()
        try:
            events.follow(self._site.projects())
            self._tell(ALL, False)
            with kept_new(self._folders, self._say):
                while True:
                    projects = self._site.projects()
                    seen = self._look(projects, seen)
                    if not self._pause():
                        return
                    events.follow(projects)
        finally:
            self._is_over = True
            events.stop()

    def _folders(self) -> list[Path]:
        return [sessions_folder(root, self._site.environ) for root in roots(self._site.environ, self._site.here)]

    def _say(self, behind: str) -> None:
        if behind:
            failures.say(behind)

    def _pause(self) -> bool:
        """Until it is time to look at everything; False where nobody is there any more."""
        look = time.monotonic() + LOOK_SECONDS
        with self._turn:
            while not self._looks_now:
                end = look if self._left is None else self._left + LINGER_SECONDS
                if (seconds := end - time.monotonic()) <= 0:
                    self._is_over = self._left is not None
                    return not self._is_over
                self._turn.wait(seconds)
            self._looks_now = False
            return True

    def _look(self, projects: Sequence["Project"], seen: dict[str, Any]) -> dict[str, Any]:
        """Tell what is not as it was when last looked at: not all file systems report what happens."""
        found: dict[str, Any] = {row["tag"]: row for project in projects for row in project.rows}
        found[OVERVIEW] = [(project.root, project.problem) for project in projects], sorted(found)
        found[BACKLOGS] = [_stamps(project.root / BACKLOG) for project in projects if not project.problem]
        for what in found:
            if seen and seen.get(what) != found[what]:
                self._tell(what, False)
        return found


def _stamps(folder: Path) -> list[tuple[str, object]]:
    with suppress(OSError):  # a file that goes meanwhile
        return sorted((entry.name, stamp(Path(entry.path))) for entry in entries_of(folder))
    return []


class _Events:
    """What the system reports of the folders in which sessions and backlogs lie."""

    def __init__(self, site: "Site", tell: Tell) -> None:
        self._site = site
        self._tell = tell
        self._watches: dict[Path, tuple[int, Any]] = {}  # the inode that is watched, and the watch
        self._tags: dict[str, str] = {}  # of sessions, by the names of their control folders
        self._observer: Any = None

    def follow(self, projects: Sequence["Project"]) -> None:
        """Watch what is there and is not watched yet. What cannot be watched is left to the looks."""
        self._tags = {place_of(folder).name: tag for tag, folder in self._site.folders().items()}
        state = state_folder(self._site.environ)
        self._watch(state, self._of_state, recursive=False)
        self._watch(state / "control", self._of_control)
        for project in projects[:_PROJECTS]:
            if not project.problem:
                sessions = sessions_folder(project.root, self._site.environ)
                self._watch(sessions, partial(self._of_session, sessions))
                self._watch(project.root / BACKLOG, lambda parts: (BACKLOGS, False))

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()

    def _watch(self, folder: Path, meaning: Meaning, *, recursive: bool = True) -> None:
        found = stamp(folder)
        inode, watch = self._watches.get(folder, (0, None))
        if found is None or found[2] == inode:
            return
        with suppress(OSError, KeyError):  # too many are watched, or it went
            observer = self._start()
            if watch is not None:
                observer.unschedule(watch)
            handler = _handler(folder, meaning, self._tell)
            watch = observer.schedule(handler, str(folder), recursive=recursive, event_filter=_kinds())
            self._watches[folder] = found[2], watch

    def _start(self) -> Any:
        if self._observer is None:
            from watchdog.observers import Observer

            logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # it calls a late event after a stop an error
            warnings.filterwarnings("ignore", category=RuntimeWarning, module="watchdog")  # a folder seen twice
            self._observer = Observer()
            self._observer.daemon = True
            self._observer.start()
        return self._observer

    def _of_state(self, parts: Sequence[str]) -> What:
        return (OVERVIEW, False) if parts[0] in ("projects.json", UP_LOCK) else None

    def _of_control(self, parts: Sequence[str]) -> What:
        if len(parts) < 2 or parts[1] == PRIVATE:
            return None
        return self._tags.get(parts[0], OVERVIEW), parts[1] == LOGS

    def _of_session(self, sessions: Path, parts: Sequence[str]) -> What:
        return session_tag(sessions / parts[0]) if len(parts) > 1 else OVERVIEW, LOGS in parts[1:2]


def _kinds() -> list[Any]:
    from watchdog import events

    files = [events.FileCreatedEvent, events.FileModifiedEvent, events.FileMovedEvent, events.FileDeletedEvent]
    return [*files, events.FileClosedEvent, events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent]


def _handler(folder: Path, meaning: Meaning, tell: Tell) -> Any:
    from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            path = os.fsdecode(event.dest_path or event.src_path)
            parts = Path(path).relative_to(folder).parts if Path(path).is_relative_to(folder) else ()
            if not parts or parts[0][:1] == "." or parts[-1][:1] == ".":  # it is being made
                return
            if isinstance(event, FileClosedEvent) and parts[-1] not in _LOCKS:  # that it was written was told
                return
            if what := meaning(parts):
                tell(*what)

    return Handler()


async def live(request: Request) -> Response:
    """GET /live: what changes, as it does."""
    known: Live = request.app.state.live
    if known.is_full:
        return PlainTextResponse("too many pages are open", 503)
    return StreamingResponse(known.changes(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


ROUTES: list[BaseRoute] = [Route("/live", live)]
