"""The projects that have sessions: each registers itself with its first one, so that `up` and the phone find them."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.base.files import make_folder, small_text, write_atomic
from samoloop.base.locks import Lock
from samoloop.base.places import state_folder
from samoloop.config.project import sessions_folder
from samoloop.core.session import Session, all_sessions

_LOCK_SECONDS = 10.0


def _file(environ: Mapping[str, str]) -> Path:
    return state_folder(environ) / "projects.json"


def registered(environ: Mapping[str, str]) -> list[Path]:
    """The roots of the registered projects, in the order of their registration; those that are gone too."""
    try:
        value = json.loads(small_text(_file(environ), follow=True))
    except ValueError:
        return []
    return [Path(item) for item in value if isinstance(item, str)] if isinstance(value, list) else []


def names_of(roots: Iterable[Path]) -> dict[Path, str]:
    """What people read for each where all of these are shown: its folder's name, or its path where another has that
    name too.
    """
    every = list(roots)
    alike = Counter(root.name for root in every)
    return {root: root.name if root.name and alike[root.name] == 1 else str(root) for root in every}


def sessions_of(root: Path, environ: Mapping[str, str]) -> list[Session]:
    """The sessions of a project, newest first; none where its disk is gone, or may not be looked at."""
    try:
        return all_sessions(sessions_folder(root, environ))
    except OSError:
        return []


def register(root: Path, environ: Mapping[str, str]) -> None:
    """Remember a project. Raises OSError, and LockHeld where another process keeps the list locked."""
    if root not in registered(environ):
        _change(environ, lambda known: known if root in known else [*known, root])


def forget(root: Path, environ: Mapping[str, str]) -> None:
    """Forget a project; its sessions stay as they are. Raises UsageError where it was not registered."""
    known = registered(environ)
    if root not in known:
        there = ", ".join(map(str, known)) or "none"
        raise UsageError(f"{root} is not a registered project; there are: {there}")
    _change(environ, lambda known: [path for path in known if path != root])


def _change(environ: Mapping[str, str], change: Callable[[list[Path]], list[Path]]) -> None:
    """Read, change and write with nobody between: many hand-offs may come at the same time."""
    file = _file(environ)
    make_folder(file.parent)
    with Lock.take(file.with_suffix(".lock"), _LOCK_SECONDS, f"{os.getpid()}\n"):
        write_atomic(file, json.dumps([str(root) for root in change(registered(environ))], indent=2) + "\n")
