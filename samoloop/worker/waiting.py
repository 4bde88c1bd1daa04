"""Waiting for a human or for a time, by event: no polling but a slow look beside it.

A command or the phone touches `_wake`: the worker looks at once. A plain save in an editor counts when the file has
been quiet for a second, because editors save half words. Editors replace files, so the folder is watched and the
content decides (a file system that reports nothing, such as NFS, is covered by the slow look).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

from samoloop.base.clock import Clock
from samoloop.base.errors import SessionError
from samoloop.base.files import Stamp, stamp
from samoloop.children.stop import StopRequest
from samoloop.core.control import control_of
from samoloop.core.gates import WAKE, lay_wake

QUIET_SECONDS = 1.0
LOOK_SECONDS = 5.0


class FileWatch:
    """The files of one gate, from the moment it was armed: changes made before `wait` are not missed."""

    def __init__(self, session_dir: Path, files: Sequence[Path], reader: int, each_look: Callable[[], None]):
        self._session_dir = session_dir
        self._each_look = each_look
        self._wake = control_of(session_dir) / WAKE
        self._files = files
        self._reader = reader
        self._seen_wake = stamp(self._wake)
        self._seen = self._stamps()

    def _stamps(self) -> list[Stamp]:
        return [stamp(path) for path in self._files]

    def wait(self, clock: Clock, stop: StopRequest, until: float | None = None) -> bool:
        """Until there is something to look at (True); False when the worker shall stop or `until` (epoch) is over.

        Raises SessionError where the session's folder has gone meanwhile.
        """
        changed_at: float | None = None
        while not stop.finish:
            if not self._session_dir.is_dir():
                raise SessionError(f"the session's folder {self._session_dir} is gone")
            self._each_look()
            if stamp(self._wake) != self._seen_wake:
                self._seen_wake, self._seen = stamp(self._wake), self._stamps()
                return True
            present = self._stamps()
            if present != self._seen:
                self._seen, changed_at = present, clock.monotonic()
            if changed_at is not None and clock.monotonic() - changed_at >= QUIET_SECONDS:
                return True
            if until is not None and clock.epoch() >= until:
                return False
            clock.wait([self._reader, stop.finish_fd], self._pause(clock, changed_at, until))
            self._drain()
        return False

    def _pause(self, clock: Clock, changed_at: float | None, until: float | None) -> float:
        pauses = [LOOK_SECONDS]
        if changed_at is not None:
            pauses.append(changed_at + QUIET_SECONDS - clock.monotonic())
        if until is not None:
            pauses.append(until - clock.epoch())
        return max(min(pauses), 0.0)

    def _drain(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            pass


@contextmanager
def watching(
    session_dir: Path, files: Sequence[Path], each_look: Callable[[], None] = lambda: None
) -> Iterator[FileWatch]:
    """Watch the folders of these files and `_wake`. Arm it, then look, then wait; `each_look` comes along slowly."""
    with suppress(OSError):  # the slow look remains
        lay_wake(session_dir)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    observer = _observe({session_dir, control_of(session_dir), *(path.parent for path in files)}, writer)

    def end() -> None:
        if observer is not None:
            observer.stop()
            observer.join()
        os.close(reader)
        os.close(writer)

    try:
        yield FileWatch(session_dir, files, reader, each_look)
    finally:
        Thread(target=end, daemon=True).start()  # the kernel takes its time to forget a watch: nobody waits for that


def _observe(folders: set[Path], writer: int) -> Any:
    """A running observer that writes a byte at each change; None where watching is impossible."""
    import logging

    from watchdog.events import (
        FileClosedEvent,
        FileCreatedEvent,
        FileDeletedEvent,
        FileModifiedEvent,
        FileMovedEvent,
        FileSystemEvent,
        FileSystemEventHandler,
    )
    from watchdog.observers import Observer

    class Wake(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            with suppress(BlockingIOError):  # the pipe is full: the waiter has its news already
                os.write(writer, b"!")

    changes = [FileCreatedEvent, FileModifiedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent]
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # it calls a late event after a wait an error
    observer = Observer()
    observer.daemon = True
    try:
        for folder in folders:
            if folder.is_dir():
                observer.schedule(Wake(), str(folder), recursive=False, event_filter=changes)
        observer.start()
    except OSError:  # no inotify instance left, folder gone: the slow look remains
        observer.unschedule_all()
        return None
    return observer
