"""Which files of the session folder belong to its past, and what of them counts as progress."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from samoloop.staging import LIMIT_BYTES

# The journal and the logs are never put back; locks and signals are of the moment; the rest is git's own.
_LEFT_OUT = frozenset(
    {"_logs", "_history.jsonl", "_signal.json", "_lock", "_child.lock", "_wake", "_git", "_outbox", "_outbox.jsonl"}
)
# Written by the worker or by people, so no sign of a child's progress.
_NOT_THE_CHILDS = frozenset({"_approval.md", "_action.md", "_inbox.md", "_report.md", "_task.md"})
_WORKERS_LINES = re.compile(rb"^(Phase|Iteration|Blocked):.*$", re.MULTILINE)


def session_files(session_dir: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The session's own files, by path relative to the folder, sorted: plain and readable, at most 50 MB each.

    Links are left out, so that a child cannot put a file from elsewhere into a checkpoint.
    """
    yield from sorted(_walk(session_dir, ""))


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if path in _LEFT_OUT or entry.name.lower() == ".git" or _is_temporary(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if os.access(entry, os.R_OK | os.X_OK):
                    yield from _walk(Path(entry), path + "/")
                continue
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_size <= LIMIT_BYTES and os.access(entry, os.R_OK):
                yield path, found


def _is_temporary(name: str) -> bool:
    return name.startswith(".") and name.endswith(".tmp")


def fingerprint(session_dir: Path) -> str:
    """A hash over the session's own files, for the detection of progress; needs no git.

    What the worker and people write (the worker's lines of `_overview.md`, approvals, the report) does not change it.
    """
    total = hashlib.sha256()
    for path, _ in session_files(session_dir):
        if path in _NOT_THE_CHILDS:
            continue
        try:
            content = (session_dir / path).read_bytes()
        except FileNotFoundError:
            continue  # an editor has just replaced it
        if path == "_overview.md":
            content = _WORKERS_LINES.sub(b"", content)
        total.update(os.fsencode(path) + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()
