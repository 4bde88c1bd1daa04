"""A session's control folder: what its worker believes of it, outside of all that a child's own sandbox lets it write.

The session folder holds what people and children write. Journal, logs, locks, the outbox and guidance lie in the
person's state folder, in a folder named after the session's path; links in the session folder lead there for
reading, and the worker never follows them.
"""

import json
import os
import shlex
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from samoloop.base.effects import effect
from samoloop.base.errors import SessionError
from samoloop.base.files import is_folder, make_folder, real, remove, sha256, small_text, sync_folder
from samoloop.base.places import state_folder

JOURNAL, LOGS = "_history.jsonl", "_logs"
LOCK, CHILD_LOCK = "_lock", "_child.lock"
BASE_LOCK = "_base.lock"  # of a check that works beside the first children
FLEET_LOCK = "fleet.lock"  # in the state folder: of the one process that works for a fleet here
PRIVATE = "_git"  # the repository of a session in place
FLEET = "_fleet"  # of a session that several machines share: what of it is here
LOG_PARTS, PARTS_FACTS = "_log_parts", "_parts.json"  # of logs that are on another machine, and what it says of them
_LINKED = (JOURNAL, LOGS)
NAMES = frozenset({*_LINKED, LOCK, CHILD_LOCK, "_wake", "_outbox", "_inbox.md", PRIVATE, FLEET})  # what is kept in it
# The files of one child, each behind the stem that `Session.stem` gives.
OUTPUT, ERRORS, PROMPT, ADDITIONS = ".jsonl", ".err", ".prompt.md", ".notes.md"
_DIGITS = 16
_SHOWN = 60  # characters of the session's name


def place_of(session_dir: Path) -> Path:
    """Where the control folder of a session at this path is, whether or not there is one."""
    path = real(session_dir.parent) / session_dir.name  # the folder itself may have become a link
    name = f"{session_dir.name[:_SHOWN]}-{sha256(os.fsencode(path))[:_DIGITS]}"
    return state_folder(os.environ) / "control" / name


def beside(stem: Path, ending: str) -> Path:
    """A file of the stem. (The stem may hold dots, so `with_suffix` would be wrong.)"""
    return stem.with_name(stem.name + ending)


def control_of(session_dir: Path) -> Path:
    """The control folder; the session folder itself for a session of an earlier version that no worker took up since.

    Raises SessionError where it lies elsewhere: the session was moved, or belongs to another person or home.
    """
    return checked(session_dir, place_of(session_dir))


def checked(session_dir: Path, place: Path) -> Path:
    """`control_of` a session whose `place` is known."""
    if is_folder(place) and is_folder(os.path.dirname(place)):  # noqa: PTH120 - asked for at every step
        return place
    for path in (place, place.parent):
        if path.is_symlink():
            raise SessionError(f"{path} is a link to {str(path.readlink())[:200]}: put back the folder that it was")
    link = session_dir / JOURNAL
    if is_lost(session_dir):
        raise SessionError(f"{place} is gone: `samoloop repair {session_dir.name}` makes it anew from the checkpoints")
    if link.is_symlink():
        name, elsewhere = session_dir.name, Path(os.readlink(link)).parent  # noqa: PTH115
        raise SessionError(
            f"what the worker knows of {name} is not in {place} but in {elsewhere}: it was begun by another person, "
            f"with another home, or at another path. Go on as it was begun; if you moved the project, move that too: "
            f"mv {shlex.quote(str(elsewhere))} {shlex.quote(str(place))}"
        )
    return session_dir


def make(session_dir: Path) -> None:
    """An empty control folder for a session that is being made."""
    place = place_of(session_dir)
    remove(place)
    make_folder(place / LOGS)


def move(session_dir: Path, target: Path) -> None:
    """Rename the control folder with its session, which gets the path `target` next."""
    place = place_of(target)
    lay_links(session_dir, place)
    remove(place)  # of a session whose making was cut off here
    sync_folder(place_of(session_dir))
    with effect("move control"):
        place_of(session_dir).rename(place)
        sync_folder(place.parent)


def is_begun(session_dir: Path) -> bool:
    """Whether there is a control folder for this path: of a session, or of one whose folder was removed."""
    return place_of(session_dir).is_dir()


def is_fleets(session_dir: Path) -> bool:
    """Whether several machines share the session, so that here lies a copy of it."""
    return (place_of(session_dir) / FLEET).exists()


def fleets_mark(session_dir: Path) -> Mapping[str, Any]:
    """What the mark of a session of the fleet says; empty where it is none's, or the mark cannot be read."""
    try:
        found = json.loads(small_text(place_of(session_dir) / FLEET) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_lost(session_dir: Path) -> bool:
    """Whether a control folder was here, to which the session's links still lead, and is gone."""
    link = session_dir / JOURNAL
    return link.is_symlink() and Path(os.readlink(link)).parent == place_of(session_dir)  # noqa: PTH115


def lay_links(session_dir: Path, control: Path) -> None:
    """The links for people who look at the files; what a child put in their place goes.

    Raises SessionError where there is no session folder any more.
    """
    if control == session_dir:
        return
    if session_dir.is_symlink() or not session_dir.is_dir():
        raise SessionError(f"the session's folder {session_dir} is gone; its journal and logs are kept in {control}")
    for name in _LINKED:
        path, target = session_dir / name, control / name
        if path.is_symlink() and os.readlink(path) == str(target):  # noqa: PTH115
            continue
        remove(path)
        path.symlink_to(target)


def strangers(session_dir: Path) -> list[str]:
    """Names in the session folder that look like the worker's and are not, so nobody reads them."""
    return sorted(name for name in NAMES - {*_LINKED} if os.path.lexists(session_dir / name))


def _no_files(folder: str, names: list[str]) -> list[str]:
    """Pipes and the like, which a child left: nothing can be copied of them."""
    kinds = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
    return [name for name in names if stat.S_IFMT((Path(folder) / name).lstat().st_mode) not in kinds]


def take_up(session_dir: Path, lock: Callable[[Path], None]) -> None:
    """Give a session of an earlier version its control folder; the caller holds its lock and no child is alive.

    `lock` takes the new lock, before anybody else can see it. May be run again after a crash: until the folder has
    its name, the session folder is what counts.
    """
    place = place_of(session_dir)
    fresh = place.with_name(f"{place.name}.new")
    remove(fresh)
    make_folder(fresh / LOGS)
    for name in NAMES - {LOCK, CHILD_LOCK}:
        path = session_dir / name
        if path.is_symlink():
            continue
        if path.is_dir():
            shutil.copytree(path, fresh / name, symlinks=True, dirs_exist_ok=True, ignore=_no_files)
        elif path.is_file():
            shutil.copy2(path, fresh / name)
    lock(fresh / LOCK)
    with effect("take up session"):
        os.sync()  # a whole tree was copied, and the originals go next
        fresh.rename(place)
        sync_folder(place.parent)
    for name in NAMES - {*_LINKED}:
        remove(session_dir / name)
    lay_links(session_dir, place)
