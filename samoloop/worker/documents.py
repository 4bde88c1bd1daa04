"""What children wrote, and what they changed, so that the next one finds it without reading everything."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from samoloop.base.files import read_plain, write_anew
from samoloop.worker.keeping import code_so_far
from samoloop.worker.worker import Worker

OPINION = "opinion"  # of another model, which only who judges it is told of
CHANGE_FILE = "change.diff"
DOCUMENT = re.compile(r"(\d\d-\d\d-\d{4})-([a-z]+)-[\w.-]{1,80}\.md")
_MOST = 12  # kinds of documents
_EARLIER = "earlier-"  # begins the name of a copy
_COVERAGE = "# Coverage"  # begins a list of what there is to cover
_EARLIER_SESSIONS, _EARLIER_BYTES = 20, 100_000


def newest_documents(session_dir: Path) -> list[str]:
    """The newest document of each kind, by name."""
    newest: dict[str, tuple[int, str]] = {}
    with suppress(OSError), os.scandir(session_dir) as entries:
        for entry in entries:
            match = DOCUMENT.fullmatch(entry.name)
            if match and match[2] != OPINION and entry.is_file(follow_symlinks=False):
                known = (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                newest[match[2]] = max(known, newest.get(match[2], known))
    return sorted(name for _, name in newest.values())[:_MOST]


def keep_change(worker: Worker) -> Mapping[str, str]:
    """In place no branch holds what the session changed: keep it as a file for the next child. A station of a worker,
    which looks."""
    if worker.state.created.in_place:
        write_anew(worker.session.logs / CHANGE_FILE, code_so_far(worker))
    return {}


def keep_earlier(worker: Worker) -> Mapping[str, str]:
    """A sandbox has no other session in it: where a phase's instructions speak of them, copies of the newest coverage
    lists of the project lie among the logs. A station of a worker, which looks."""
    logs = worker.session.logs
    if f"{logs.name}/{_EARLIER}" in worker.state.live_workflow.phase(worker.state.phase).body:
        for folder in _other_sessions(worker):
            for name in newest_documents(folder):
                with suppress(OSError, ValueError):
                    text = (read_plain(folder / name, _EARLIER_BYTES) or b"").decode("utf-8", "replace")
                    if text.startswith(_COVERAGE):
                        write_anew(logs / f"{_EARLIER}{folder.name[:100]}-{name}", text)
    return {}


def _other_sessions(worker: Worker) -> list[Path]:
    """The newest folders of sessions beside this one."""
    with os.scandir(worker.session.dir.parent) as entries:
        folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(set(folders) - {worker.session.dir}, reverse=True)[:_EARLIER_SESSIONS]
