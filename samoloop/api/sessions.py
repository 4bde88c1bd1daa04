"""The sessions of every project, for whoever looks again and again: only what changed on disk is read anew."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samoloop.api import status
from samoloop.base.errors import SamoloopError
from samoloop.base.files import Stamp, stamp
from samoloop.base.locks import is_held
from samoloop.config.project import sessions_folder
from samoloop.config.projects import registered
from samoloop.core import gates
from samoloop.core.control import CHILD_LOCK, LOCK, OUTPUT, beside
from samoloop.core.decision import Condition
from samoloop.core.session import Session, all_sessions

_SETTLED_NS = 2_000_000_000  # file systems tell two changes apart that are so far from each other


def roots(environ: Mapping[str, str], here: Path | None = None) -> list[Path]:
    """Every registered project, those that are gone too, and the one `here`."""
    return list(dict.fromkeys([*registered(environ), *([here] if here else [])]))


class KnownSession:
    """A session, and its row as it was when its files last changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_away = False  # it was archived, and its row is not worked out
        self._files: tuple[str, ...] = ()
        self._stamps: tuple[Stamp, ...] = ()
        self._locks: tuple[Path, ...] = ()
        self._session: Session | None = None  # kept while somebody is at work on it: a year's journals are large
        self._row: dict[str, Any] = {}
        self._log: tuple[object, str] = (None, "")

    def row(self, environ: Mapping[str, str], *, archived: bool = False) -> dict[str, Any] | None:
        """As `status.row`, with `last_tool` of a child at work, and `stamps` of the files that it was made of.

        None where it was put away and those are not wanted.
        """
        now = tuple(map(_stamp, self._files))
        same = bool(self._stamps) and None not in now[:1] and now == self._stamps
        if same and self.is_away and not archived:
            return None
        works = any(map(is_held, self._locks))
        if same and not works and self._session is None and self._row:
            return self._row
        session = self._session if same and self._session else Session(self.folder)
        return self._read(session, environ, archived=archived)

    def _read(self, session: Session, environ: Mapping[str, str], *, archived: bool) -> dict[str, Any] | None:
        try:
            self._locks = (session.control / LOCK, session.control / CHILD_LOCK)
            self._files = (str(session.journal.path), str(self.folder))
        except (SamoloopError, OSError):
            self._locks = self._files = ()
        before = tuple(map(_stamp, self._files))  # what changes while it is read is read again
        self._row, self._session = {}, None
        self.is_away = status.is_put_away(session)
        if self.is_away and not archived:
            self._stamps = before
            return None
        more = self._more(session)
        self._files, self._stamps = (*self._files, *more), (*before, *map(_stamp, more))
        found = status.row(session) | {"stamps": self._stamps}
        if found["archived"] or found["condition"] in (Condition.DONE, Condition.STOPPED):
            self._locks = ()  # whoever takes it up again says so in the journal
        if found["child_alive"]:
            found["last_tool"] = self._tool(session, environ)
        if found["worker_alive"] or found["child_alive"]:
            self._session = session
        self.is_away = found["archived"]
        self._row = found
        return found if archived or not found["archived"] else None

    def _more(self, session: Session) -> tuple[str, ...]:
        """The other files that its row tells of: where its gate is answered, and its plan."""
        try:
            gate = session.state().gate
        except Exception:  # its row says what is wrong
            return ()
        answers = gates.watched(gate, self.folder, session.worktree) if gate else []
        return tuple(map(str, (*answers, *filter(None, [session.plan()]))))

    def _tool(self, session: Session, environ: Mapping[str, str]) -> str:
        started = session.state().open
        if started is None:
            return ""
        log = beside(session.logs / Path(started.stem).name, OUTPUT)
        present: object = (log, stamp(log))
        if present != self._log[0]:
            self._log = present, status.last_tool(session, environ)
        return self._log[1]


def _stamp(path: str) -> Stamp:
    """As `files.stamp`; a look at all sessions asks it thousands of times."""
    try:
        found = os.stat(path)  # noqa: PTH116  what Path.stat adds is what is to be saved
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class KnownProject:
    """A project, and its sessions as they were last seen."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[Path, KnownSession] = {}
        self._listed: tuple[Path, Stamp] | None = None  # the folder of its sessions, as it was when they were listed

    @property
    def folders(self) -> list[Path]:
        """Of all its sessions, also of those that were put away, as of the last look."""
        return list(self._known)

    def rows(self, environ: Mapping[str, str], *, archived: bool = False) -> Iterator[dict[str, Any]]:
        """The row of each session, the newest first. Raises OSError where they cannot be looked at."""
        folder = sessions_folder(self.root, environ)
        now = folder, stamp(folder)
        if now != self._listed:
            present = [session.dir for session in all_sessions(folder)]
            self._known = {path: self._known.get(path) or KnownSession(path) for path in present}
            is_settled = now[1] is not None and time.time_ns() - now[1][0] > _SETTLED_NS
            self._listed = now if is_settled else None
        for known in self._known.values():
            found = known.row(environ, archived=archived)
            if found is not None:
                yield found
