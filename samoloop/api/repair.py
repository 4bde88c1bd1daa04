"""Put a session right that no worker goes on with, because something of it is not what it was: a person says so."""

from pathlib import Path

from samoloop.base.errors import GitError, SessionError
from samoloop.base.files import make_folder, open_plain, put_folder, remove, write_atomic
from samoloop.core import control
from samoloop.core.journal import FILE_NAME, sealed_bytes
from samoloop.core.records import Noted
from samoloop.core.session import Session
from samoloop.git import checkpoint
from samoloop.git.calls import Git
from samoloop.git.checkout import locate
from samoloop.worker.lease import OWN
from samoloop.worker.roots import take_anew


def repair(session: Session, by: str) -> list[str]:
    """Make the journal what workers wrote, from itself and the checkpoints, and take the folders as they are now.

    Returns sentences that say what was done. Raises LockHeld while a worker is at it, RootChanged where a folder is a
    link (nobody works through one), and SessionError where no journal can be found.
    """
    place = control.place_of(session.dir)
    if not place.is_dir() and control.is_lost(session.dir):
        make_folder(place / control.LOGS)
    with OWN.taken(session):
        lines = _right_journal(session)
        session.forget()
        state = session.state()
        lines += [f"the {name} is {root.path}" for name, root in take_anew(session).items()]
        put_folder(session.logs)
        control.lay_links(session.dir, session.control)
        if lines:
            session.record(Noted(text=f"{by} repaired the session: {'; '.join(lines)}"))
    return [*(lines or ["Nothing had changed."]), f"It stands in phase {state.phase}, iteration {state.iteration}."]


def _right_journal(session: Session) -> list[str]:
    """Put back what workers wrote, keep the file that was there, and say so; nothing where all was well."""
    path = session.control / FILE_NAME
    present = _bytes(path)
    sound = present[: sealed_bytes(present)] if present else b""
    kept = _from_checkpoints(session)
    right = sound if not kept or sound.startswith(kept) else kept
    if not right:
        raise SessionError(f"no journal of {session.name} is left, neither in {path} nor in the checkpoints")
    if right == present:
        return []
    count, before = right.count(b"\n"), (present or b"").count(b"\n")
    lines = [f"the journal has {count} lines again, and had {before}"]
    if present is not None:
        aside = next(name for n in range(1, 1000) if not (name := path.with_name(f"{FILE_NAME}.replaced-{n}")).exists())
        write_atomic(aside, present)
        lines.append(f"what was there is in {aside}")
    remove(path)
    write_atomic(path, right)
    return lines


def _bytes(path: Path) -> bytes | None:
    """The file as it is; None where there is none, or something else."""
    try:
        with open_plain(path) as file:
            return file.read()
    except (FileNotFoundError, ValueError):
        return None


def _from_checkpoints(session: Session) -> bytes:
    """The journal as the session's checkpoints hold it; empty where none can be found."""
    private, found = session.control / control.PRIVATE, locate(session.dir)
    git_dir = private if private.is_dir() and not private.is_symlink() else found.common_dir if found else None
    if git_dir is None:
        return b""
    try:
        return checkpoint.journal(Git(git_dir), checkpoint.ref_name(session.name))
    except GitError:
        return b""
