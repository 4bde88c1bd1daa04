"""The files that worker, child and person share: read with a limit, changed by one at a time."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samoloop.base import files
from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import open_plain, read_plain, sha256, write_atomic
from samoloop.base.locks import gain, holders
from samoloop.core.control import control_of

INBOX, WAKE = "_inbox.md", "_wake"
LIMIT_BYTES = 4 * 1024 * 1024
_TURN_SECONDS = 3.0  # for another one's change of a human's file, which takes milliseconds


def read_text(path: Path) -> str | None:
    """A person's or a child's file as text; None where it is missing, a link, or too large to be one."""
    try:
        data = read_plain(path, LIMIT_BYTES)
    except ValueError:
        return None
    if data is None or len(data) > LIMIT_BYTES:
        return None
    return data.decode("utf-8-sig", "replace")


def file_hash(path: Path) -> str | None:
    """SHA-256 of a gate's file as text; None where it cannot be read."""
    text = read_text(path)
    return None if text is None else sha256(text)


def bytes_hash(path: Path) -> str | None:
    """SHA-256 of a file of any size and kind; None where it cannot be read, or is empty as a half-saved one is."""
    try:
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if os.fstat(file.fileno()).st_size else None
    except (OSError, ValueError):
        return None


def named_file(name: str, session_dir: Path, worktree: Path | None) -> Path | None:
    """The file that a waiting signal names; None where the name is not allowed or leads to no regular file.

    It lies in the session folder, or in the worktree where one is given. What the worker writes itself is never
    allowed: it would close the gate without a person.
    """
    if not name.isprintable() or "\\" in name or name.startswith("/") or ".." in Path(name).parts:
        return None
    if "/" not in name and not name.startswith("_") and _is_plain_file(session_dir / name):
        return session_dir / name
    if worktree is None or ".git" in Path(name.lower()).parts:
        return None
    path = worktree / name
    if not _is_plain_file(path) or not files.real(path).is_relative_to(files.real(worktree)):
        return None
    # In place, the sessions lie inside the working folder.
    return None if files.real(path).is_relative_to(files.real(session_dir.parent)) else path


def _is_plain_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except (OSError, ValueError):  # a name that no file can have
        return False


@contextmanager
def changing(session_dir: Path) -> Iterator[None]:
    """One change of a human's file at a time; afterwards the worker is woken.

    Raises SessionError where another process is at it for too long.
    """
    descriptor = _open_wake(session_dir)
    try:
        if not gain(descriptor, _TURN_SECONDS):
            path = control_of(session_dir) / WAKE
            pids = ", ".join(map(str, holders(path)[:5])) or "another process"
            raise SessionError(
                f"{path} has been locked for {_TURN_SECONDS:.0f} s (by {pids}), so nothing was changed: "
                "end what holds it, then try again"
            )
        yield
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def lay_wake(session_dir: Path) -> None:
    """Make sure that `_wake` is there to be looked at. Raises OSError."""
    os.close(_open_wake(session_dir))


def _open_wake(session_dir: Path) -> int:
    path = control_of(session_dir) / WAKE
    files.make_way(path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)


def wake(session_dir: Path) -> None:
    """Tell the worker to look now."""
    with changing(session_dir):
        pass


def remove_leftovers(session_dir: Path) -> None:
    """Remove half-written files of a killed worker or command; only for the holder of the session's lock."""
    with changing(session_dir):
        files.remove_leftovers(session_dir, lambda name: name.startswith("_") and name.endswith(".md"))


def tell(session_dir: Path, text: str, by: str) -> None:
    """Guidance for the next iteration, added to what is there already."""
    if not text.strip():
        raise UsageError("there is nothing to tell: the text is empty")
    with changing(session_dir):
        path = control_of(session_dir) / INBOX
        before = read_text(path)
        if before is None and path.is_file() and not path.is_symlink():
            raise SessionError(f"{path} cannot be read or is too large: move it away, then say it again")
        write_atomic(path, (before or "") + as_told(text, by))


def as_told(text: str, by: str) -> str:
    """Words of a person as the next child is told. A line of theirs that would begin another person's is moved in."""
    lines = (f" {line}" if line.startswith("From ") else line for line in writable(text).strip().splitlines())
    return "\n".join((f"From {' '.join(writable(by).split())}:", *lines, "", ""))


def writable(text: str) -> str:
    """Words of a person without what no UTF-8 file can hold, such as bytes of another encoding in an argument."""
    return text.encode("utf-8", "replace").decode()
