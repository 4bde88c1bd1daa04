"""What the pages show of all projects: their sessions as rows, read again only where a file of one changed."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from samoloop.api import backlog
from samoloop.api.sessions import KnownProject, roots
from samoloop.base.errors import SessionError, UsageError, sentence, shown
from samoloop.base.printable import one_line
from samoloop.base.values import frozen
from samoloop.config.projects import names_of
from samoloop.core.session import Session, is_session, session_tag, undated

PATIENCE_SECONDS = 2.0  # for the disk of one project

_KEPT = 500

Row = dict[str, Any]
Made = TypeVar("Made")


class Gone(SessionError):
    """The session that a page is about is not there any more."""


class Flight(Generic[Made]):
    """What many ask for is made for one at a time: whoever comes while one is at it shares the next with all others
    who do, so nobody gets what was begun before they asked.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._began = self._ended = 0
        self._made: Made

    def ticket(self) -> int:
        """What somebody who asks now wants: the next one."""
        return self._began + 1

    def share(self, make: Callable[[], Made], ticket: int = 0) -> Made:
        """With the ticket of whoever asked before a thread was free for them."""
        wanted = ticket or self.ticket()
        with self._turn:
            if self._ended < wanted:
                self._began += 1
                self._made = make()
                self._ended = self._began
            return self._made


@frozen
class Project:
    """A project, as it was when its disk last answered. Its rows are those of `api.status`, and besides

    tag, url      names the session in addresses; of its page
    name, project without its day; of the project
    """

    root: Path
    name: str
    rows: list[Row] = field(default_factory=list)
    problem: str = ""  # why its sessions cannot be looked at now, or are shown as they were


@frozen
class Backlog:
    """The tasks of a project, as `samoloop backlog --json` gives them."""

    project: Project
    rows: list[Row] = field(default_factory=list)
    problem: str = ""


class Site:
    """All projects of a person, and the one `here`. Any thread may ask."""

    def __init__(self, environ: Mapping[str, str], here: Path | None = None) -> None:
        self.environ = environ
        self.here = here
        self._looks: dict[Path, _Look] = {}
        self._flight: Flight[list[Project]] = Flight()
        self._flights: dict[tuple[str, ...], Flight[bytes]] = {}
        self._kept: dict[tuple[str, str], tuple[object, Any]] = {}  # by tag and person: the stamps, and what was made
        self._turn = threading.Lock()  # of what is kept; nobody reads a disk meanwhile

    def projects(self, *, archived: bool = False) -> list[Project]:
        """Each as it is now. A disk that is gone or does not answer is said, and holds up no other for long."""
        return self._look(archived=True) if archived else self._flight.share(partial(self._look, archived=False))

    def backlogs(self, now: float) -> list[Backlog]:
        """How the tasks of each project stand at `now` (epoch seconds)."""
        projects, looks = self.projects(), self._looks
        return [looks[one.root].tasks(one, now) for one in projects if one.root in looks]

    def root(self, named: str) -> Path:
        """The project that a form names. Raises UsageError where it is none of those that are shown."""
        found = next((one for one in roots(self.environ, self.here) if str(one) == named), None)
        if found is None:
            raise UsageError(f"{shown(named)} is none of your projects")
        return found

    def flight(self, key: tuple[str, ...]) -> Flight[bytes]:
        """Of a page that many ask for at once, because they were all told of one change."""
        with self._turn:
            flight = self._flights.setdefault(key, Flight())
            while len(self._flights) > _KEPT:
                del self._flights[next(iter(self._flights))]
            return flight

    def kept(self, row: Row, by: str, make: Callable[[], Made]) -> Made:
        """What was made of a session for a person, made anew where a file of it has changed since."""
        key, stamps = (row["tag"], by), row["stamps"]
        with self._turn:
            known = self._kept.get(key)
        if known is None or known[0] != stamps:
            known = stamps, make()
            with self._turn:
                self._kept[key] = known
                while len(self._kept) > _KEPT:
                    del self._kept[next(iter(self._kept))]
        made: Made = known[1]
        return made

    def session(self, tag: str, name: str = "") -> Session:
        """The session behind a tag, also an archived one. Raises Gone."""
        folder = self._folder(tag)
        if folder is None:
            self.projects()
            folder = self._folder(tag)
        if folder is None or not is_session(folder):
            what = f"the session {(folder.name if folder else name)[:100]}".rstrip()
            raise Gone(f"{what} is not there any more: it was deleted or moved, or its project was forgotten")
        return Session(folder)

    def folders(self) -> dict[str, Path]:
        """Those of all sessions by their tags, as of the last look."""
        return {tag: folder for look in self._looks.values() for tag, folder in look.folders.items()}

    def _folder(self, tag: str) -> Path | None:
        return next((look.folders[tag] for look in self._looks.values() if tag in look.folders), None)

    def _look(self, *, archived: bool) -> list[Project]:
        names = names_of(roots(self.environ, self.here))
        with self._turn:
            self._looks = looks = {root: self._looks.get(root) or _Look(root, self.environ) for root in names}
        return [look.sessions(one_line(names[root]), archived=archived) for root, look in looks.items()]


class _Look:
    """Looks at one project, in a thread that is left behind where its disk does not answer."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.folders: dict[str, Path] = {}  # of its sessions, by their tags
        self._root = root
        self._environ = environ
        self._project = Project(root, "")
        self._known = KnownProject(root)
        self._listed: list[Path] = []
        self._backlog = Backlog(self._project)
        self._known_tasks = backlog.Known()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def sessions(self, name: str, *, archived: bool) -> Project:
        """The project, under the name that it has among the others."""
        with self._turn:
            if self._is_read(partial(self._read_sessions, name, archived)):
                return self._project
            return replace(self._project, name=name, problem=self._slow)

    def tasks(self, project: Project, now: float) -> Backlog:
        """Its backlog, where its sessions were looked at just before."""
        with self._turn:
            if project.problem not in ("", self._slow):
                return Backlog(project, problem=project.problem)
            if not project.problem and self._is_read(partial(self._read_tasks, project, now)):
                return self._backlog
            return replace(self._backlog, project=project, problem=self._slow)

    @property
    def _slow(self) -> str:
        return f"the disk of {self._root} does not answer: what is shown of it is as it was"

    def _is_read(self, read: Callable[[], None]) -> bool:
        """Whether that is done; nothing is begun while an earlier one still waits for the disk."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=read, daemon=True)
            self._thread.start()
            self._thread.join(PATIENCE_SECONDS)
        return not self._thread.is_alive()

    def _read_sessions(self, name: str, archived: bool) -> None:
        try:
            if not self._root.is_dir():
                why = f"{self._root} is gone; forget it with: samoloop projects forget {self._root}"
                self._project = Project(self._root, name, problem=why)
                return
            rows = list(self._known.rows(self._environ, archived=archived))
            if self._listed != self._known.folders:
                self._listed = self._known.folders
                self.folders = {session_tag(path): path for path in self._listed}
            for row in rows:
                if "tag" not in row:
                    row |= _address(Path(row["folder"]))
                row["project"] = name
            self._project = Project(self._root, name, rows)
        except Exception as error:  # whatever is wrong with one project, the others are shown
            problem = f"{self._root} cannot be looked at: {sentence(error)}"
            self._project = Project(self._root, name, problem=problem)

    def _read_tasks(self, project: Project, now: float) -> None:
        try:
            found = backlog.look(self._root, self._environ, now, known=self._known_tasks)
            self._backlog = Backlog(project, [backlog.row(found, one) for one in found.stands])
        except Exception as error:
            self._backlog = Backlog(project, problem=sentence(error))


def _address(folder: Path) -> Row:
    """How a session is named in addresses, and for people."""
    return {"tag": session_tag(folder), "url": url_of(Session(folder)), "name": one_line(undated(folder.name))}


def url_of(session: Session) -> str:
    """The address of a session's page; the tag alone finds it, the name is for people."""
    return f"/s/{session_tag(session.dir)}/{quote(session.name, safe='', errors='replace')}"
