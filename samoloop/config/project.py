"""Which project a command is in, told from the file system alone: no git process, so cheap for every command."""

from collections.abc import Mapping
from pathlib import Path

from samoloop.core import journal
from samoloop.git import checkout

FILE_NAME = ".samoloop.yaml"
_SESSIONS = "_sessions"
_SETTINGS = (FILE_NAME, ".samocode")
_MARKS = (_SESSIONS, *_SETTINGS)


def find_root(start: Path) -> Path | None:
    """The folder whose settings and sessions are meant at `start`; None where there is none.

    In a repository it is the main checkout, also from inside a session's worktree: a child can write there, so its
    settings do not count. Sessions in place are found by their `_sessions`, in a folder of a larger repository too
    (many a home folder is one); outside git any folder above with `_sessions` or a settings file will do.
    """
    start = start.resolve()
    found = checkout.locate(start)
    root = checkout.main_checkout(start)
    if found is None or root is None:
        return next((folder for folder in (start, *start.parents) if _is_marked(folder)), None)
    if found.linked:
        return root
    inside = (folder for folder in (start, *start.parents) if folder.is_relative_to(root))
    return next((folder for folder in inside if _holds_sessions(folder)), root)


def sessions_folder(root: Path, environ: Mapping[str, str]) -> Path:
    """Where the project's sessions are. The settings, 30 ms of imports, are read only where there are some.

    Raises ConfigError.
    """
    if not user_file(environ).is_file() and not any((root / name).is_file() for name in _SETTINGS):
        return root / _SESSIONS
    from samoloop.config import loading

    return loading.load(root, environ).sessions_dir


def user_file(environ: Mapping[str, str]) -> Path:
    """The person's own settings."""
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".config")
    return Path(base) / "samoloop" / "config.yaml"


def _is_marked(folder: Path) -> bool:
    return any((folder / name).exists() for name in _MARKS)


def _holds_sessions(folder: Path) -> bool:
    return any((folder / _SESSIONS).glob(f"*/{journal.FILE_NAME}"))
