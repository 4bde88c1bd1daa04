"""Whole-file writes that a crash cannot tear, and reads that a child cannot abuse."""

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from samoloop.base.effects import effect, on_file


def write_atomic(path: Path, text: str | bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `text`: temporary file beside it, fsync, rename, fsync of the folder.

    A reader sees the old content or the new, never a part. A folder in the way, a child's work, is moved aside.
    Raises OSError with the target untouched.
    """
    import tempfile  # most commands only read

    data = text.encode() if isinstance(text, str) else text
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        with effect(on_file("write", path.name)):
            if path.is_dir() and not path.is_symlink():
                numbers = range(1, 10_000)
                path.rename(next(aside for n in numbers if not (aside := Path(f"{path}.replaced-{n}")).exists()))
            Path(name).replace(path)
            sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Remove what a killed `write_atomic` left of the files called so in `folder`; nobody may be writing one."""
    for path in folder.glob(".*.tmp"):
        name = path.name[1:].removesuffix(".tmp").rpartition(".")[0]
        if is_ours(name):
            path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Make `path` not exist, whatever a child put there."""
    with effect(on_file("remove", path.name)):
        if path.is_dir() and not path.is_symlink():
            import shutil

            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make `path` a folder, with those above it, so that a power cut does not take it away again."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename, creation or removal in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_plain(path: Path, limit_bytes: int) -> bytes | None:
    """The bytes of a regular file, at most `limit_bytes + 1` of them; None where there is none.

    Raises ValueError when `path` is a link or no regular file: a child must not make the worker read elsewhere or
    wait on a pipe.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            raise ValueError(f"{path.name} is a link") from None
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path.name} is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit_bytes + 1)


def tail(path: Path, limit_bytes: int) -> str:
    """The end of a log, as text; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - limit_bytes, 0))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


Stamp = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """What changes when a file is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def sha256(data: str | bytes) -> str:
    """The hexadecimal SHA-256 of a text (as UTF-8) or of bytes."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
