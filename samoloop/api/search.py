"""Search in all that sessions say, see `said`.

The index is a cache in the person's state folder, for that person's eyes alone. It is brought up to date session by
session; only what has changed since is read again.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samoloop.api import said
from samoloop.api.cache import Cache, CacheError
from samoloop.api.said import DOCUMENT, KINDS, Source
from samoloop.base.errors import SamoloopError, sentence
from samoloop.base.files import make_folder
from samoloop.base.locks import Lock
from samoloop.base.places import state_folder
from samoloop.base.printable import printable
from samoloop.base.values import frozen
from samoloop.config.projects import sessions_of
from samoloop.core.session import Session

if TYPE_CHECKING:
    from samoloop.config.loading import Config

_VERSION = 1  # of what is put into the index: another one reads everything again
_SCHEMA = (
    "CREATE TABLE session (id INTEGER PRIMARY KEY, folder TEXT UNIQUE, root TEXT, name TEXT, title TEXT, stamp TEXT)",
    "CREATE TABLE source (id INTEGER PRIMARY KEY, session INTEGER, key TEXT, stamp TEXT, kind TEXT, place TEXT,"
    " iteration INTEGER, at REAL)",
    "CREATE INDEX of_session ON source (session)",
    "CREATE VIRTUAL TABLE said USING fts5 (words, tokenize = 'unicode61 remove_diacritics 2')",
)
_WORDS = 20  # of a query
_QUERY = 400  # characters of it
_SNIPPET_WORDS = 32
_BEGIN, _END = "\x02", "\x03"  # around what was found; `printable` leaves none in a text
_BATCH_SECONDS = 0.5  # of work that is written at once
_TIMES = 3  # that it is begun anew where the file was deleted


@frozen
class Hit:
    """One place where the words stand."""

    project: str  # the path of its root
    session: str  # its name
    folder: str
    title: str
    kind: str  # one of `said.KINDS`
    place: str  # a document's name, the question that was answered, or the phase of an iteration
    iteration: int  # of a log, an answer; 0 where it belongs to none
    at: str  # ISO 8601
    snippet: tuple[tuple[str, bool], ...]  # parts of the text, and whether a part is what was looked for

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@frozen
class Progress:
    """How far the index is brought up to date."""

    sessions: int = 0  # looked at
    every: int = 0
    read: int = 0  # documents, logs and journals that were read
    trouble: str = ""  # why it was not finished


class Index:
    """The index of one person's sessions."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._path = state_folder(environ) / "search.db"
        self._cache = Cache(self._path, _VERSION, _SCHEMA)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self.progress = Progress()

    def update(self, roots: Sequence[Path], seen: Callable[[Progress], None] = lambda progress: None) -> Progress:
        """Read what has changed in the sessions of all these projects; what they have no more is forgotten.

        Raises CacheError, and LockHeld where another process is at it.
        """
        try:
            make_folder(self._path.parent)
            lock = Lock.take(self._path.with_suffix(".lock"), 0, f"{os.getpid()}\n")
        except OSError as error:
            raise CacheError(f"{self._path.parent} cannot be written to: {error.strerror or error}") from None
        with lock:
            for progress in _Update(self._cache, roots, self._environ).run():
                self.progress = progress
                seen(progress)
        return self.progress

    def update_in_background(self, roots: Sequence[Path]) -> None:
        """The same in a thread, unless one is at it; why it failed is said in `progress`."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._quietly, args=(roots,), daemon=True)
                self._thread.start()

    @property
    def is_updating(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wait(self, seconds: float) -> None:
        """Until the background has brought it up to date, or the time is over."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _quietly(self, roots: Sequence[Path]) -> None:
        try:
            self.update(roots)
        except Exception as error:  # nobody else would hear of it
            self.progress = replace(self.progress, trouble=sentence(error))

    def find(
        self, words: str, *, roots: Sequence[Path] = (), newest: bool = False, limit: int = 20, skip: int = 0
    ) -> list[Hit]:
        """Where these words stand, the best places first, or the newest; none for no words. Raises CacheError."""
        query = match_of(words)
        if not query:
            return []
        chosen = [str(root) for root in roots]
        among = f" AND session.root IN ({', '.join('?' * len(chosen))})" if chosen else ""
        places = (
            "SELECT said.rowid FROM said JOIN source ON source.id = said.rowid"
            " JOIN session ON session.id = source.session"
            f" WHERE said MATCH ?{among} ORDER BY {'source.at DESC' if newest else 'rank'} LIMIT ? OFFSET ?"
        )
        shown = (  # apart, so that only of these few the text is gone through
            "SELECT session.root, session.name, session.folder, session.title, source.kind, source.place,"
            " source.iteration, source.at, snippet(said, 0, ?, ?, '…', ?)"
            " FROM said JOIN source ON source.id = said.rowid JOIN session ON session.id = source.session"
            " WHERE said MATCH ? AND said.rowid = ?"
        )

        def look(db: sqlite3.Connection) -> list[Hit]:
            found = db.execute(places, (query, *chosen, limit, skip)).fetchall()
            around = (_BEGIN, _END, _SNIPPET_WORDS, query)
            return [_hit(*db.execute(shown, (*around, number)).fetchone()) for (number,) in found]

        return self._cache.use(look)


def match_of(words: str) -> str:
    """What FTS5 is asked for a person's words: all of them, a "phrase" as it is, `word*` also where it begins another.

    Nothing that a person types is syntax: each word goes in quotes. Empty where there is no letter or digit.
    """
    parts = words[:_QUERY].replace("\0", " ").split('"')
    found: list[str] = []
    for number, part in enumerate(parts):
        is_phrase = number % 2 == 1 and number < len(parts) - 1  # the quote was closed
        for word in [part] if is_phrase else part.split():
            if any(letter.isalnum() for letter in word):
                begins = "*" if word.endswith("*") and not is_phrase else ""
                found.append(f'"{word}"{begins}')
    return " ".join(found[:_WORDS])


def _hit(
    root: str, name: str, folder: str, title: str, kind: str, place: str, iteration: int, at: float, text: str
) -> Hit:
    parts: list[tuple[str, bool]] = []
    for number, part in enumerate(text.split(_BEGIN)):
        marked, _, after = part.rpartition(_END) if number else ("", "", part)
        parts += [(one, is_marked) for one, is_marked in ((marked, True), (after, False)) if one]
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Hit(root, name, folder, title, kind, place, iteration, when, tuple(parts))


class _Update:
    """One time of bringing the index up to date."""

    def __init__(self, cache: Cache, roots: Sequence[Path], environ: Mapping[str, str]) -> None:
        self._cache = cache
        self._environ = environ
        self._sessions = [(root, session) for root in roots for session in sessions_of(root, environ)]
        self._settings: dict[Path, Config | None] = {}  # by project
        self._progress = Progress(every=len(self._sessions))

    def run(self) -> Iterator[Progress]:
        """How far it is, again and again. Raises CacheError."""
        folders = {str(session.dir) for _, session in self._sessions}
        yield self._progress
        for _ in range(_TIMES):
            self._cache.use(lambda db: _forget_all_but(db, folders), writes=True)
            left = iter(self._sessions)
            self._progress = replace(self._progress, sessions=0)
            while self._cache.use(lambda db: self._batch(db, left), writes=True):  # noqa: B023
                yield self._progress
            if self._cache.use(_count) >= len(folders):  # else somebody deleted the file meanwhile
                break
        yield self._progress

    def _batch(self, db: sqlite3.Connection, left: Iterator[tuple[Path, Session]]) -> bool:
        """Some sessions, in one transaction. Whether there may be more."""
        until = time.monotonic() + _BATCH_SECONDS
        for root, session in left:
            self._look(db, root, session)
            session.forget()  # its records; there may be thousands of sessions
            self._progress = replace(self._progress, sessions=self._progress.sessions + 1)
            if time.monotonic() > until:
                return True
        return False

    def _look(self, db: sqlite3.Connection, root: Path, session: Session) -> None:
        """Bring one session up to date."""
        found = db.execute("SELECT id, stamp FROM session WHERE folder = ?", (str(session.dir),)).fetchone()
        number, before = found or (_insert(db, root, session), "")
        sources = list(said.documents(session))
        kept = {DOCUMENT}
        stamp = said.stamp_of_journal(session)
        if stamp != before:
            self._progress = replace(self._progress, read=self._progress.read + 1)
            title, more = said.of_journal(session, partial(self._settings_of, root))
            db.execute("UPDATE session SET stamp = ?, title = ? WHERE id = ?", (stamp, title, number))
            sources += more
            kept = {*KINDS}
        known = {
            key: (id, stamp)
            for id, key, stamp, kind in db.execute(
                "SELECT id, key, stamp, kind FROM source WHERE session = ?", (number,)
            )
            if kind in kept
        }
        for source in sources:
            id, stamp = known.pop(source.key, (None, ""))
            if stamp == source.stamp:
                continue
            if id is not None:
                _remove(db, [id])
            self._put(db, number, source)
        _remove(db, [id for id, _ in known.values()])

    def _put(self, db: sqlite3.Connection, session: int, source: Source) -> None:
        try:
            text = source.read()
        except Exception:  # a file that cannot be read now says nothing; when it changes it is looked at again
            text = ""
        self._progress = replace(self._progress, read=self._progress.read + 1)
        values = (session, source.key, source.stamp, source.kind, source.place, source.iteration, source.at)
        columns = "session, key, stamp, kind, place, iteration, at"
        id = db.execute(f"INSERT INTO source ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values).lastrowid
        db.execute("INSERT INTO said (rowid, words) VALUES (?, ?)", (id, printable(text)))

    def _settings_of(self, root: Path) -> "Config | None":
        if root not in self._settings:
            self._settings[root] = _settings(root, self._environ)
        return self._settings[root]


def _settings(root: Path, environ: Mapping[str, str]) -> "Config | None":
    from samoloop.config import loading  # for logs alone

    try:
        return loading.load(root, environ)
    except SamoloopError:
        return None


def _insert(db: sqlite3.Connection, root: Path, session: Session) -> int:
    values = (str(session.dir), str(root), session.name, session.name)
    sql = "INSERT INTO session (folder, root, name, title, stamp) VALUES (?, ?, ?, ?, '')"
    return db.execute(sql, values).lastrowid or 0


def _count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM session").fetchone()[0])


def _remove(db: sqlite3.Connection, sources: Iterable[int]) -> None:
    for id in sources:
        db.execute("DELETE FROM said WHERE rowid = ?", (id,))
        db.execute("DELETE FROM source WHERE id = ?", (id,))


def _forget_all_but(db: sqlite3.Connection, folders: set[str]) -> None:
    """Sessions that are gone, and those of projects that were forgotten."""
    for number, folder in db.execute("SELECT id, folder FROM session").fetchall():
        if folder not in folders:
            _remove(db, [id for (id,) in db.execute("SELECT id FROM source WHERE session = ?", (number,)).fetchall()])
            db.execute("DELETE FROM session WHERE id = ?", (number,))
