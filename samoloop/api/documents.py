"""What a session holds to be read: its documents, with earlier versions, and the files of its children."""

import os
from collections.abc import Mapping
from pathlib import Path

from samoloop.api.assembly import onlooker
from samoloop.api.logs import Attempt
from samoloop.base.errors import SessionError
from samoloop.base.files import is_folder, read_plain, sha256
from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.control import ADDITIONS, ERRORS, OUTPUT, PROMPT, beside
from samoloop.core.overview import FILE_NAME as OVERVIEW
from samoloop.core.overview import OLDER_FILE, TASK_FILE
from samoloop.core.session import REPORT, Session
from samoloop.git import checkpoint
from samoloop.worker.guidance import FILE_NAME as GUIDANCE

# What samoloop and people write beside the report, the likeliest to be looked for first.
OWN = (OVERVIEW, TASK_FILE, *gates.FILES, GUIDANCE, OLDER_FILE)


@frozen
class Version:
    """A document as it was at the end of an iteration."""

    oid: str
    iteration: int | None  # None: a step of the worker's or a person's
    seconds: float  # when, since the epoch


def names(session: Session) -> list[str]:
    """What there is to read, the newest of the children's documents first, then what samoloop and people write."""
    return [*session.documents()[::-1], *(name for name in (REPORT, *OWN) if (session.dir / name).is_file())]


def path_of(session: Session, name: str) -> Path:
    """Where a document of that name lies. Raises SessionError for any other name."""
    if name not in (REPORT, *OWN, *session.documents()):
        raise SessionError(f"{session.name} has no document of that name")
    return session.dir / name


def log_of(session: Session, attempts: list[Attempt], name: str) -> Path:
    """Where a file of one of these children lies, by its name among the logs. Raises SessionError for any other."""
    for attempt in attempts:
        for ending in (OUTPUT, ERRORS, PROMPT, ADDITIONS):
            if (path := beside(attempt.stem, ending)).name == name:
                return path
    raise SessionError(f"{session.name} has no log of that name")


def told(attempt: Attempt) -> list[Path]:
    """The files with all that a child was told, as far as they are there."""
    files = (beside(attempt.stem, ending) for ending in (PROMPT, ADDITIONS))
    return [path for path in files if os.path.lexists(path)]


def beginning(path: Path, limit_bytes: int) -> str:
    """The text of a file, of which one byte more than the limit is read. Raises SessionError where it is none."""
    if not is_folder(path.parent):
        raise SessionError(f"{path.parent} is gone")
    try:
        data = read_plain(path, limit_bytes)
    except (ValueError, OSError) as error:
        raise SessionError(f"it is not shown: {error}") from None
    if data is None:
        raise SessionError(f"{path.name} is not there, or not there any more")
    return data.decode("utf-8-sig", "replace")


def versions(session: Session, environ: Mapping[str, str], name: str) -> list[Version]:
    """What the checkpoints hold of a document, newest first. Raises GitError where they cannot be read."""
    worker = onlooker(session, environ)
    found = checkpoint.changing(worker.store, worker.ref, name)
    return [Version(one.oid, one.iteration, one.seconds) for one in found]


def as_of(session: Session, environ: Mapping[str, str], name: str, version: Version) -> bytes:
    """A document as it was. Raises SessionError where it was not there."""
    found = checkpoint.read(onlooker(session, environ).store, version.oid, name)
    if found is None:
        raise SessionError(f"{name} was not there then")
    return found


def with_hash(session: Session, environ: Mapping[str, str], name: str, sha: str) -> str | None:
    """The text of a document that had this hash; None where no checkpoint has it. Raises as `versions`."""
    worker = onlooker(session, environ)
    texts = (text.decode("utf-8-sig", "replace") for text in checkpoint.versions(worker.store, worker.ref, name))
    return next((text for text in texts if sha256(text) == sha), None)
