"""A cache of the person's: an SQLite file that may be deleted at any time, and is made anew where it cannot be used.

It lies in the state folder and not among the caches of the home folder, which children may read: it holds what all
projects say.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from samoloop.base.errors import LockHeld, SamoloopError
from samoloop.base.files import is_own, make_folder, make_way, remove
from samoloop.base.locks import Lock

Found = TypeVar("Found")
BUSY_SECONDS = 5.0  # for another process that writes
_MODE = 0o600
# What SQLite says of a file that another program or a fault of the disk has made useless.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_FORMAT})
_WORDS = {
    sqlite3.SQLITE_BUSY: "another program keeps {path} locked: end it, or delete the file, which is made anew",
    sqlite3.SQLITE_LOCKED: "another program keeps {path} locked: end it, or delete the file, which is made anew",
    sqlite3.SQLITE_FULL: "there is no room on the disk for {path}: make some; nothing else needs that file",
}


class CacheError(SamoloopError):
    """The cache cannot be used now; whatever it is a cache of is as it was."""


class Cache:
    """An SQLite file with a schema of ours. What is in it can be read again from the sessions."""

    def __init__(self, path: Path, version: int, schema: Iterable[str]) -> None:
        self.path = path
        self._version = version
        self._schema = tuple(schema)

    def use(self, work: Callable[[sqlite3.Connection], Found], *, writes: bool = False) -> Found:
        """What `work` makes of an open file, in one transaction; a damaged file is made anew, and `work` done again.

        Raises CacheError where the file is locked, the disk is full or refuses it.
        """
        try:
            with closing(self._open()) as db:
                inode = self._inode()
                try:
                    return self._in_transaction(db, work, writes)
                except sqlite3.DatabaseError as error:
                    if not _is_useless(error):
                        raise
            with self._making():
                if self._inode() == inode:  # else another process was quicker
                    remove(self.path)
            with closing(self._open()) as db:
                return self._in_transaction(db, work, writes)
        except (sqlite3.DatabaseError, OSError, LockHeld) as error:
            raise self._trouble(error) from None

    def _in_transaction(
        self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], Found], writes: bool
    ) -> Found:
        if self._is_empty(db):
            db.execute("BEGIN IMMEDIATE")
            for statement in (*self._schema, f"PRAGMA user_version = {self._version:d}") if self._is_empty(db) else ():
                db.execute(statement)
        else:
            db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        if not self._is_ours(db):
            raise _ForeignError
        found = work(db)
        db.execute("COMMIT")
        return found

    def _is_empty(self, db: sqlite3.Connection) -> bool:
        return not db.execute("SELECT 1 FROM sqlite_master").fetchone()

    def _is_ours(self, db: sqlite3.Connection) -> bool:
        """Whether this version made it."""
        made = {sql for (sql,) in db.execute("SELECT sql FROM sqlite_master")}
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return version == self._version and made.issuperset(self._schema)

    def _open(self) -> sqlite3.Connection:
        if not is_own(self.path):
            make_folder(self.path.parent)
            with self._making():
                if not is_own(self.path):
                    make_way(self.path)  # what lies beside it, of one that was deleted, SQLite removes
                    os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE))
        elif self.path.stat().st_mode & 0o777 != _MODE:
            self.path.chmod(_MODE)
        return sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)

    def _making(self) -> Lock:
        """Keeps others from making the file, or from making it anew, at the same time."""
        return Lock.take(self.path.with_suffix(".making"), BUSY_SECONDS, f"{os.getpid()}\n")

    def _inode(self) -> int | None:
        with suppress(OSError):
            return self.path.stat().st_ino
        return None

    def _trouble(self, error: Exception) -> CacheError:
        words = _WORDS.get(_code(error), "{path} cannot be used ({error}); it may be deleted, and is made anew")
        return CacheError(words.format(path=self.path, error=error))


class _ForeignError(sqlite3.DatabaseError):
    """Another version made the file, or another program."""


def _is_useless(error: sqlite3.DatabaseError) -> bool:
    return isinstance(error, _ForeignError) or _code(error) in _DAMAGED


def _code(error: Exception) -> int:
    """SQLite's primary code; -1 for an error that is none of its."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code
