"""Which files of the session folder belong to its past."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from samoloop.core.control import NAMES
from samoloop.git.staging import LIMIT_BYTES

DEEPEST = 100  # folders in one another; nobody reads what a child hid deeper
# Signals are of the moment; the rest is the worker's, and lay here in earlier versions.
LEFT_OUT = frozenset({"_signal.json", *NAMES})


def session_files(session_dir: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The session's own files, by path relative to the folder, sorted: plain and readable, at most 50 MB each, and
    at most 100 folders deep.

    Links are left out, so that a child cannot put a file from elsewhere into a checkpoint.
    """
    yield from sorted(_walk(session_dir, "", DEEPEST))


def _walk(folder: Path, prefix: str, deepest: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if path in LEFT_OUT or entry.name.lower() == ".git" or _is_temporary(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if deepest and os.access(entry, os.R_OK | os.X_OK):
                    yield from _walk(Path(entry), path + "/", deepest - 1)
                continue
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_size <= LIMIT_BYTES and os.access(entry, os.R_OK):
                yield path, found


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")
