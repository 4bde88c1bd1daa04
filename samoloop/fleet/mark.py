"""The mark of a fleet's session: a file in its control folder, where no child's sandbox lets it write."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from samoloop.base.errors import SessionError
from samoloop.base.files import SMALL_BYTES, read_plain, remove, write_atomic
from samoloop.base.values import frozen
from samoloop.core.control import FLEET, control_of


@frozen
class Mark:
    """What a machine knows of its copy of a session."""

    project: str  # the id in the remote
    remote: str  # its name here
    machine: str  # this one
    parcel: str = ""  # the last one that was placed here or pushed from here; empty: none yet
    paths: str = ""  # the machine whose folders that parcel's journal speaks of
    needs: str = ""  # until it is handed over: what a machine must have for it


def read(session_dir: Path) -> Mark | None:
    """The mark of a session; None where it is no fleet's. Raises SessionError for one that cannot be read."""
    return load(control_of(session_dir) / FLEET)


def load(path: Path) -> Mark | None:
    """A mark by the path of its file. Raises as `read`."""
    try:
        content = read_plain(path, SMALL_BYTES)
        if content is None:
            return None
        values = json.loads(content)
        return Mark(**{field.name: str(values.get(field.name, "")) for field in fields(Mark)})
    except (ValueError, AttributeError) as error:
        raise SessionError(
            f"{path} cannot be read ({error}): remove it, and the session is this machine's own"
        ) from None


def write(session_dir: Path, mark: Mark) -> None:
    """Set it, durably."""
    write_atomic(control_of(session_dir) / FLEET, text(mark))


def text(mark: Mark) -> str:
    """The content of its file."""
    return json.dumps(asdict(mark)) + "\n"


def at(session_dir: Path, parcel: str, paths: str) -> None:
    """The copy holds just what is in this parcel, or more."""
    if known := read(session_dir):
        write(session_dir, replace(known, parcel=parcel, paths=paths))


def take_off(session_dir: Path) -> None:
    """The session is an ordinary one again."""
    remove(control_of(session_dir) / FLEET)
