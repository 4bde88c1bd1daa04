"""Tells which copy of a session somebody did something on: at once by `_wake`, a plain save when it has been quiet."""

import asyncio
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from samoloop.base.files import make_folder, real
from samoloop.base.places import state_folder
from samoloop.config.outlets import TELEGRAM
from samoloop.core.control import place_of
from samoloop.core.gates import WAKE
from samoloop.worker.waiting import QUIET_SECONDS

_CURSOR = f"{TELEGRAM}.cursor"


class CopyWatch:
    """Two watches a project and not two a session, so a thousand sessions at gates cost no more than one."""

    def __init__(
        self,
        sessions: Iterable[Path],
        environ: Mapping[str, str],
        tell: Callable[[Path], None],
        beside: tuple[Path, Callable[[], object]],
        reached: Callable[[], object],
    ) -> None:
        """`tell` is called in the running loop, with the folder of the session; what is `beside` them, a folder, has a
        call of its own. `reached`: the phone's person got something.
        """
        self._sessions = [real(folder) for folder in sessions]
        self._control = state_folder(environ) / "control"
        self._tell, self._loop = tell, asyncio.get_running_loop()
        self._beside, self._tell_beside = real(beside[0]), beside[1]
        self._reached = reached
        self._folders: dict[str, Path] = {}  # by the name of the control folder
        self._quiet: dict[Path, asyncio.TimerHandle] = {}
        self._observer: Any = None

    def __enter__(self) -> Self:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        watch = self

        class Changes(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type not in ("opened", "closed_no_write"):
                    watch._see(Path(os.fsdecode(event.dest_path or event.src_path)))

        warnings.filterwarnings("ignore", category=RuntimeWarning, module="watchdog")  # a folder seen twice
        self._observer = Observer()
        self._observer.daemon = True
        for folder in [self._control, self._beside, *self._sessions]:
            make_folder(folder)
            self._observer.schedule(Changes(), str(folder), recursive=True)
        self._observer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._observer.stop()
        self._observer.join()

    def _see(self, path: Path) -> None:
        """In the observer's thread."""
        if path.name == WAKE and path.parent.parent == self._control:
            self._loop.call_soon_threadsafe(self._woken, path.parent.name)
            return
        if path.name == _CURSOR:
            self._loop.call_soon_threadsafe(self._reached)
            return
        if path.parent == self._beside:
            self._loop.call_soon_threadsafe(self._tell_beside)
            return
        for sessions in self._sessions:
            if sessions in path.parents and path.parent != sessions:
                name = path.relative_to(sessions).parts[0]
                if not name.startswith("."):  # one that is being made
                    self._loop.call_soon_threadsafe(self._saved, sessions / name)

    def _woken(self, name: str) -> None:
        if name not in self._folders:
            self._folders = {
                place_of(folder).name: folder for sessions in self._sessions for folder in sessions.iterdir()
            }
        if name in self._folders:
            self._tell(self._folders[name])

    def _saved(self, folder: Path) -> None:
        """An editor saves half words: it counts when it has been quiet."""
        if folder in self._quiet:
            self._quiet[folder].cancel()

        def quiet() -> None:
            del self._quiet[folder]
            self._tell(folder)

        self._quiet[folder] = self._loop.call_later(QUIET_SECONDS, quiet)
