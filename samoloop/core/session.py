"""One session is one folder; this is how folders are named, found, created and locked."""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError, UsageError, shown
from samoloop.base.files import head, make_folder, make_ignored_folder, real, remove, sha256, sync_folder
from samoloop.base.locks import Lock
from samoloop.base.nearest import near
from samoloop.core import control, journal, old_session
from samoloop.core.control import LOGS
from samoloop.core.decision import Condition
from samoloop.core.fields import read
from samoloop.core.journal import Journal, Written
from samoloop.core.records import DAMAGE, FromBacklog, Rewound
from samoloop.core.state import State, apply, fold

REPORT = "_report.md"
_DATED = re.compile(r"\d\d-\d\d-\d\d-(.+)")
_DOCUMENT = re.compile(r"\d\d-\d\d-\d{4}-[\w.-]+\.md")
_AFTER_TIME = len("11-21-0930-")
_RESULTS = ("summary", "result", "review", "testing", "dive")
_SLUG_LENGTH = 40
_NEW = ".new"  # a session that is being made
_NEW_SECONDS = 10.0  # for another one to be made
_NAME_BYTES = 100
_FIRST_BYTES = 4000  # of a journal, in which its first record says what is short
_BACKLOG = b'"backlog":'
_LISTED = 10  # names in a message
_TAG_DIGITS = 8


class Session:
    """A session folder, with its control folder, its journal and the state folded from it."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = journal.utc_now):
        self.dir = folder
        self._now = now
        self.is_mine: Callable[[], bool] = lambda: True  # whether whoever holds its lease still keeps others out
        self._place: Path | None = None
        self._journal: Journal | None = None
        self._state: State | None = None

    @property
    def name(self) -> str:
        return self.dir.name

    @property
    def control(self) -> Path:
        """What the worker believes of it lies there. Raises SessionError where it cannot be found."""
        if self._place is None:
            self._place = control.place_of(self.dir)
        return control.checked(self.dir, self._place)

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self.control / journal.FILE_NAME, self._now)
        return self._journal

    @property
    def logs(self) -> Path:
        return self.control / LOGS

    def state(self) -> State:
        """Folded from the journal when first asked, then kept up by `record`: only the lock's holder may rely on it."""
        if self._state is None:
            state = fold(self.journal)
            if state.creation is None:
                raise SessionError(
                    f"{self.dir} holds no session: {journal.FILE_NAME} is missing or empty; "
                    f"`samoloop repair {self.name}` takes it from the checkpoints"
                )
            self._state = state
        return self._state

    def forget(self) -> None:
        """Fold again when next asked: what was read before the lock was taken may be old."""
        self._state = self._journal = None

    def record(self, record: Written) -> Written:
        """Journal one record durably, then let it act on the state.

        Refuses, with nothing written, where the journal cannot be understood, and where others may be at it.
        """
        if not self.is_mine():
            raise SessionError(
                f"the lock of {self.name} was removed from {self.control}, so another worker may be at it: "
                f"nothing was recorded. See `samoloop status {self.name}`, then `samoloop resume {self.name}`"
            )
        state = self._state if self._state is not None else self.state() if self.journal.path.exists() else State()
        written = self.journal.append(record)
        # Going back looks at the records before it, so all of them are folded again.
        self._state = fold(self.journal) if isinstance(record, Rewound) else apply(state, written)
        return written

    @property
    def task(self) -> str:
        return self.state().created.title or self.name

    def documents(self) -> list[str]:
        """The names of the documents that its children wrote, oldest first."""
        try:
            return sorted(path.name for path in self.dir.iterdir() if _DOCUMENT.fullmatch(path.name))
        except OSError:
            return []

    def plan(self) -> Path | None:
        """The newest plan that its children wrote."""
        names = [name for name in self.documents() if "-plan-" in name]
        return self.dir / names[-1] if names else None

    def result_document(self) -> Path | None:
        """The document that says what came of it: the newest of the likeliest kind."""
        names = self.documents()
        found = ([name for name in names if name.startswith(kind, _AFTER_TIME)] for kind in _RESULTS)
        newest = next((of_kind[-1] for of_kind in found if of_kind), None)
        return self.dir / newest if newest else None

    @property
    def undated(self) -> str:
        """The name without the date at its start."""
        return undated(self.name)

    @property
    def branch(self) -> str:
        return self.state().created.branch

    @property
    def worktree(self) -> Path:
        return self.state().created.worktree

    def stem(self, iteration: int, phase: str, attempt: int) -> Path:
        """Where the files of one attempt start: `_logs/007-planning`, `_logs/007-planning.2`."""
        return self.logs / (f"{iteration:03d}-{phase}" + (f".{attempt}" if attempt > 1 else ""))


def task_of(session: Session) -> FromBacklog | None:
    """The task of the backlog that a session was made from, told by the beginning of its journal alone; else None."""
    try:
        found = head(session.journal.path, _FIRST_BYTES)
        start = found.find(_BACKLOG)
        if start < 0:
            return None
        value, _ = json.JSONDecoder().raw_decode(found[start + len(_BACKLOG) :].decode(errors="replace"))
        return read(FromBacklog, value)
    except (SessionError, OSError, *DAMAGE):
        return None


def session_tag(session_dir: Path) -> str:
    """Names a session's folder in a few characters, for a button or an address; no secret."""
    return sha256(os.fsencode(session_dir))[:_TAG_DIGITS]


def undated(name: str) -> str:
    """A session's name without the date at its start."""
    dated = _DATED.fullmatch(name)
    return dated[1] if dated else name


def title_of(task: str) -> str:
    """The first line of a task, short enough for a heading."""
    line = next((line.strip(" #\t") for line in task.splitlines() if line.strip(" #\t")), "task")
    return line if len(line) <= 80 else line[:79].rstrip() + "…"


def slug_of(task: str) -> str:
    """A folder and branch name from the words of a task."""
    plain = unicodedata.normalize("NFKD", title_of(task)).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    slug = ""
    for word in words:
        if len(slug) + len(word) + 1 > _SLUG_LENGTH:
            break
        slug = f"{slug}-{word}" if slug else word
    return slug or (words[0][:_SLUG_LENGTH] if words else "task")


def check_name(name: str) -> str:
    """A session name that a person gave. Raises UsageError where it could not be a folder of its own."""
    if (
        not re.fullmatch(r"[^\W_][\w.-]*", name)
        or ".." in name
        or name.endswith((".", ".lock"))
        or len(name.encode()) > _NAME_BYTES
    ):
        raise UsageError(
            f"{name[:80]!r} cannot be a session's name: use letters, digits, dots, - and _, no slash, "
            f"starting with a letter or digit, at most {_NAME_BYTES} bytes"
        )
    return name


@contextmanager
def new_folder(sessions: Path, slug: str, today: datetime) -> Iterator[tuple[Path, str]]:
    """A folder to be filled, and the name that it gets in the end: `-2` and so on where the name is taken.

    Nobody sees it before it is whole: what a killed command began is cleared away by the next one. Raises
    SessionError where it cannot be made.
    """
    with folder_called(sessions, lambda: _free_name(sessions, f"{today:%y-%m-%d}-{slug}")) as made:
        yield made


@contextmanager
def folder_called(sessions: Path, choose: Callable[[], str]) -> Iterator[tuple[Path, str]]:
    """As `new_folder`, by the name that is chosen once nobody else makes a session there."""
    folder = sessions / _NEW
    try:
        make_ignored_folder(sessions)
        lock = Lock.take(sessions / f"{_NEW}.lock", _NEW_SECONDS, f"{os.getpid()}\n")
    except OSError as error:
        raise SessionError(f"no session can be made in {sessions}: {error.strerror or error}") from None
    os.set_inheritable(lock.descriptor, True)  # a git that outlives a killed command keeps the lock until it ends
    with lock:
        try:
            remove(folder)
            make_folder(folder)
            control.make(folder)
            name = choose()
        except OSError as error:
            raise SessionError(f"no session can be made in {sessions}: {error.strerror or error}") from None
        yield folder, name
        control.move(folder, sessions / name)
        with effect("show session"):
            folder.rename(sessions / name)
            sync_folder(sessions)


def _free_name(sessions: Path, base: str) -> str:
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, 1000))
    for name in names:
        if not os.path.lexists(sessions / name) and not _is_begun(sessions / name):
            return name
    raise SessionError(f"there are too many sessions called {base} in {sessions}")


def _is_begun(folder: Path) -> bool:
    """Whether what is known of a session of that name must be kept, though its folder is gone.

    One whose making was cut off in its last step is not a session yet.
    """
    place = control.place_of(folder)
    if not place.is_dir():
        return False
    try:
        return len(list(Journal(place / journal.FILE_NAME).read())) > 1
    except SessionError:
        return True


def is_session(folder: Path) -> bool:
    """Whether it is a session's folder, though a child may have removed what leads to its journal.

    One that may not be looked into is, so that its row says what is wrong.
    """
    try:
        os.lstat(folder / journal.FILE_NAME)
    except FileNotFoundError:
        return folder.is_dir() and control.is_begun(folder)
    except NotADirectoryError:
        return False
    except OSError:
        return True
    return True


def all_sessions(sessions: Path) -> list[Session]:
    """Every session, newest first."""
    if not sessions.is_dir():
        return []
    visible = [path for path in sessions.iterdir() if not path.name.startswith(".")]
    folders = [path for path in visible if is_session(path)]
    return [Session(path) for path in sorted(folders, key=lambda path: path.name, reverse=True)]


def sound_sessions(sessions: Path) -> list[Session]:
    """Those whose journal can be read, newest first."""
    return [session for session in all_sessions(sessions) if _is_sound(session)]


def find(sessions: Path, name: str) -> Session | None:
    """The exact folder, else the newest one that is a date and exactly that name: `auth` is never `…-fix-auth`."""
    check_name(name)
    if is_session(sessions / name):
        return Session(sessions / name)
    for session in all_sessions(sessions):
        match = _DATED.fullmatch(session.name)
        if match and match[1] == name:
            return session
    return None


def resolve(sessions: Path, name: str | None, wanted: Callable[[State], bool] = lambda state: True) -> Session:
    """The session that a command means; a beginning of its name is enough, where only one begins so.

    Without a name there must be one candidate for which `wanted` holds.

    Raises SessionError that lists what there is.
    """
    if name is not None:
        return _named(sessions, name)
    candidates = [session for session in sound_sessions(sessions) if wanted(session.state())]
    if len(candidates) > 1:
        unfinished = [session for session in candidates if session.state().condition is not Condition.DONE]
        candidates = unfinished if len(unfinished) == 1 else candidates
    if len(candidates) != 1:
        names = ", ".join(session.name for session in candidates[:_LISTED])
        what = (
            f"name one of: {names}"
            if candidates
            else f'there is none that fits in {sessions}; start one: samoloop run "TASK"'
        )
        raise SessionError(f"which session? {what}")
    return candidates[0]


def names_one(sessions: Path, word: str) -> bool:
    """Whether a word names a session, or begins the name of one alone."""
    try:
        return bool(_named(sessions, word))
    except SessionError:
        return False


def _named(sessions: Path, name: str) -> Session:
    """By its name, by what follows its date, by a beginning of either that only one has, or by its folder."""
    if os.sep in name and real(Path(name)).parent == real(sessions):
        name = real(Path(name)).name
    with suppress(UsageError):  # what cannot be a name is none
        if session := find(sessions, name):
            return session
    every = all_sessions(sessions)
    begun = [
        session for session in every if name and (session.name.startswith(name) or session.undated.startswith(name))
    ]
    if len(begun) == 1:
        return begun[0]
    if begun:
        several = ", ".join(session.name for session in begun[:_LISTED]) + (", ..." if len(begun) > _LISTED else "")
        raise SessionError(f"{name!r} is the beginning of several sessions; which one: {several}?")
    known = ", ".join(session.name for session in every[:_LISTED]) or "none yet"
    meant = near(name, [name for session in every for name in (session.undated, session.name)])
    old = old_session.named(sessions, name)
    hint = f"; {old.name} is one of samocode: samoloop import {old}" if old else ""
    raise SessionError(f"there is no session {shown(name)}{meant} in {sessions}; there are: {known}{hint}")


def _is_sound(session: Session) -> bool:
    """Whether its journal can be read: a damaged session is reached by its name, and in nobody's way."""
    try:
        session.state()
    except (SessionError, OSError):
        return False
    return True
