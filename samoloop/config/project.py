"""Which project a command is in, told from the file system alone: no git process, so cheap for every command."""

import re
from collections.abc import Mapping
from pathlib import Path

from samoloop.config import samocode
from samoloop.core import journal
from samoloop.git import checkout

FILE_NAME = ".samoloop.yaml"
BACKLOG = Path(".samoloop") / "backlog"  # of tasks, a file each
LEARNED = Path(".samoloop") / "learned.md"  # what earlier sessions found out, and a person took over
_SESSIONS = "_sessions"
_LONGEST_NAME = 255  # bytes, on most file systems
_MARKS = (_SESSIONS, FILE_NAME, samocode.FILE_NAME)


def find_root(start: Path) -> Path | None:
    """The folder whose settings and sessions are meant at `start`; None where there is none.

    In a repository it is the main checkout, also from inside a session's worktree: a child can write there, so its
    settings do not count. Sessions in place are found by their `_sessions`, in a folder of a larger repository too
    (many a home folder is one); outside git any folder above with `_sessions` or a settings file will do, and where
    an old `.samocode` there names a repository, that one is meant.
    """
    start = start.resolve()
    found = checkout.locate(start)
    root = checkout.main_checkout(start)
    if found is None or root is None:
        marked = next((folder for folder in (start, *start.parents) if _is_marked(folder)), None)
        return marked and (main_repo(marked) or marked)
    if found.linked:
        return root
    inside = (folder for folder in (start, *start.parents) if folder.is_relative_to(root))
    return next((folder for folder in inside if _holds_sessions(folder)), root)


def main_repo(folder: Path) -> Path | None:
    """The main checkout that a `.samocode` in this folder, which is in no repository, is about."""
    named = samocode.main_repo(folder / samocode.FILE_NAME)
    return checkout.main_checkout(named) if named else None


def sessions_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """Where the project's sessions are. Other faults of the settings are no matter: one must be able to look and stop.

    YAML, 10 ms of imports, is read only where a file names the folder.
    """
    own = _named_folder(root / FILE_NAME)
    if own is None and not (root / FILE_NAME).is_file() and (old := samocode.find(root)):
        own = samocode.folders(old, root).get("sessions")
    try:
        return root / Path(own or _named_folder(user_file(environ)) or _SESSIONS).expanduser()
    except RuntimeError:  # ~nobody
        return root / _SESSIONS


def _named_folder(path: Path) -> str | None:
    """What a settings file says of `sessions`, as far as it can be read."""
    from samoloop.config import yaml_text

    try:
        text = yaml_text.read_file(path)
    except (OSError, ValueError):
        return None
    line = re.search(r"^(?>[^#\n]*?\bsessions\b)[^:\n]*:[ \t]*['\"]?([^'\"#\n]*)", text, re.MULTILINE)
    if line is None:
        return None
    try:
        found = yaml_text.read_mapping(text).get("sessions")
    except ValueError:
        found = line[1] if len(line[1]) <= _LONGEST_NAME else None
    return found.strip() or None if isinstance(found, str) and "\0" not in found else None


def user_file(environ: Mapping[str, str]) -> Path:
    """The person's own settings."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "samoloop" / "config.yaml"


def _is_marked(folder: Path) -> bool:
    return any((folder / name).exists() for name in _MARKS)


def _holds_sessions(folder: Path) -> bool:
    return any((folder / _SESSIONS).glob(f"*/{journal.FILE_NAME}"))
