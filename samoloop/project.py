"""Which project a command is in, told from the file system alone: no git process, so cheap for every command."""

from pathlib import Path

from samoloop import checkout, journal

_SESSIONS = "_sessions"
_MARKS = (_SESSIONS, ".samoloop.yaml", ".samocode")


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


def _is_marked(folder: Path) -> bool:
    return any((folder / name).exists() for name in _MARKS)


def _holds_sessions(folder: Path) -> bool:
    return any((folder / _SESSIONS).glob(f"*/{journal.FILE_NAME}"))
