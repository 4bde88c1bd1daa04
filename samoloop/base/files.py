"""Whole-file writes that a crash cannot tear, and reads that a child cannot abuse."""

import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from samoloop.base.effects import effect, on_file

_READ_BYTES = 8192  # at once, also of a file that says it is empty
SMALL_BYTES = 1_000_000  # of a file that a person, git or another program of theirs keeps for a few facts


def write_atomic(path: Path, text: str | bytes, *, mode: int = 0o644) -> None:
    """Replace `path` by `text`: temporary file beside it, fsync, rename, fsync of the folder.

    A reader sees the old content or the new, never a part. A folder in the way, a child's work, is moved aside.
    Raises OSError with the target untouched.
    """
    data = text.encode() if isinstance(text, str) else text
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
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
            temporary.replace(path)
            sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path, is_ours: Callable[[str], bool]) -> None:
    """Remove what a killed `write_atomic` left of the files called so in `folder`; nobody may be writing one."""
    for path in folder.glob(".*.tmp"):
        name = path.name[1:].removesuffix(".tmp").rpartition(".")[0]
        if is_ours(name):
            path.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Make `path` not exist, whatever a child put there, however deep it is. Raises OSError."""
    with effect(on_file("remove", path.name)):
        if not path.is_dir() or path.is_symlink():
            path.unlink(missing_ok=True)
            return
        top = _open_to_change(path)
        try:
            _empty(top)
        finally:
            os.close(top)
        path.rmdir()


def _empty(top: int) -> None:
    """Remove all that is in an open folder. What lies deeper is lifted up first: no path and no call grows with it."""
    numbers = itertools.count()
    while folders := _without_files(top):
        for name in folders:
            folder = _open_to_change(name, top)
            try:
                for inner in _without_files(folder):
                    os.close(_open_to_change(inner, folder))  # else it could not be moved
                    os.rename(inner, _unused(top, numbers), src_dir_fd=folder, dst_dir_fd=top)
            finally:
                os.close(folder)
            os.rmdir(name, dir_fd=top)


def _open_to_change(name: str | Path, parent: int | None = None) -> int:
    """An open folder that may be changed, also where it was read-only, as some tools leave what they download."""
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    if os.fstat(folder).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        with contextlib.suppress(PermissionError):  # another's
            os.fchmod(folder, stat.S_IRWXU)
    return folder


def _without_files(folder: int) -> list[str]:
    """The folders in an open folder, from which all else is removed."""
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in found:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in found if is_folder]


def _unused(folder: int, numbers: Iterator[int]) -> str:
    names = (f".removed-{number}" for number in numbers)
    return next(name for name in names if not _is_there(name, folder))


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where there is none, or it cannot be read. Cheaper than `Path.glob`, by far."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def make_folder(path: Path) -> None:
    """Make `path` a folder, with those above it, so that a power cut does not take it away again."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def make_ignored_folder(path: Path) -> None:
    """A folder of ours that git, also one that begins later, neither shows nor commits nor cleans away."""
    make_folder(path)
    ignore = path / ".gitignore"
    if not small_text(ignore, follow=True):  # two bytes are there or not, so nothing beside it has to be cleared away
        with open_log(ignore) as file:
            file.write(b"*\n")


def put_folder(path: Path) -> None:
    """Make `path` a folder of its own, whatever a child put in its place."""
    if path.is_symlink() or not path.is_dir():
        remove(path)
        make_folder(path)


def write_anew(path: Path, text: str) -> None:
    """A new file in the place of whatever a child put there; a crash may tear it."""
    if os.path.lexists(path):
        remove(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def sync_folder(folder: Path) -> None:
    """Make a rename, creation or removal in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_plain(path: Path, *, follow: bool = False) -> BufferedReader:
    """A regular file, to be read. `follow` is for the person's own settings, which may be links to elsewhere.

    Raises FileNotFoundError, and ValueError when `path` is a link or no regular file: a child must not make the worker
    read elsewhere or wait on a pipe.
    """
    descriptor, _ = _open_plain(path, follow)
    return os.fdopen(descriptor, "rb")


def _open_plain(path: Path, follow: bool) -> tuple[int, int]:
    """Its descriptor, and how many bytes it holds."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_symlink():
            raise ValueError(f"{path.name} is a link") from None
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ValueError(f"{path.name} is not a regular file")
    return descriptor, found.st_size


def read_plain(path: Path, limit_bytes: int, *, follow: bool = False) -> bytes | None:
    """The bytes of a regular file, at most `limit_bytes + 1` of them; None where there is none.

    Raises ValueError as `open_plain` does.
    """
    try:
        descriptor, size = _open_plain(path, follow)
    except FileNotFoundError:
        return None
    try:
        data = b""
        while more := os.read(descriptor, min(max(size - len(data), _READ_BYTES), limit_bytes - len(data)) + 1):
            data += more  # of one byte too many nothing more is asked for
        return data
    finally:
        os.close(descriptor)


def small_text(path: Path, *, follow: bool = False) -> str:
    """The text of a small regular file; empty where there is none, or something else."""
    try:
        data = read_plain(path, SMALL_BYTES, follow=follow) or b""
    except ValueError:
        return ""
    return "" if len(data) > SMALL_BYTES else os.fsdecode(data)


def is_plainly(path: Path, content: bytes) -> bool:
    """Whether a regular file holds just that."""
    try:
        return read_plain(path, len(content)) == content
    except ValueError:
        return False


def head(path: Path, limit_bytes: int) -> bytes:
    """The beginning of a log; empty where there is none."""
    try:
        with open_plain(path) as file:
            return file.read(limit_bytes)
    except (OSError, ValueError):
        return b""


def tail(path: Path, limit_bytes: int) -> str:
    """The end of a log, as text; empty where there is none."""
    try:
        with open_plain(path) as file:
            size = file.seek(0, 2)
            file.seek(max(size - limit_bytes, 0))
            return file.read(limit_bytes).decode("utf-8", "replace").strip()
    except (OSError, ValueError):
        return ""


def real(path: Path) -> Path:
    """The path without links; where they lead in a circle, as far as it goes. (`Path.resolve` would raise.)"""
    return Path(os.path.realpath(path))


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths lead to one place."""
    return one == other or real(one) == real(other)


def is_folder(path: str | Path) -> bool:
    """Whether a folder itself is there, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def is_own(path: Path) -> bool:
    """Whether a regular file is there that has no other name: what is written to it is written nowhere else."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def make_way(path: Path) -> None:
    """Remove what a child put in the place of a file that is to be written to, also one with another name elsewhere."""
    if os.path.lexists(path) and not is_own(path):
        remove(path)


def open_log(path: Path) -> BinaryIO:
    """A log to be appended to; what else a child put in its place goes. Raises OSError."""
    make_way(path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o644), "ab")


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
