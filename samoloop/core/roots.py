"""Folders that a worker acts in, told apart by what they are and not by their path, which a child can redirect."""

import os
from collections.abc import Mapping
from pathlib import Path

from samoloop.base import files
from samoloop.base.errors import SessionError
from samoloop.core.fields import Fields


class RootChanged(SessionError):
    """A folder is no longer the one that the session was given: nothing was touched in it."""


class Root(Fields):
    """A folder as it was when the worker first saw it.

    Its device is not among the facts, because devices get other numbers when a machine starts again; a folder on
    another one can only be reached through a link, and none may be on the way.
    """

    path: Path  # without links on the way
    inode: int = 0  # 0: it is made anew, at that path


def _seen(path: Path) -> tuple[Path, int | None]:
    """Where the folder at `path` really is, and its inode; None where nothing is there.

    Raises RootChanged for a link or no folder.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return real(path), None
    except OSError as error:
        if path.is_symlink():
            raise RootChanged(f"{path} is a link to {str(path.readlink())[:200]}") from None
        raise RootChanged(f"{path} cannot be opened as a folder: {error.strerror}") from None
    try:
        return path if _leads_straight_to(path, descriptor) else real(path), os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def _leads_straight_to(path: Path, descriptor: int) -> bool:
    """Whether what was opened there is at just that path: one question to the kernel in place of one a folder above."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == str(path)  # noqa: PTH115
    except OSError:
        return False


def real(path: Path) -> Path:
    """The path without links on the way; the last name stays as it is."""
    return files.real(path.parent) / path.name


def differences(known: Mapping[str, Root], folders: Mapping[str, Path]) -> tuple[dict[str, Root], list[str]]:
    """The folders that are not known yet, as they are, and a sentence about each that is not what it was.

    A folder that is missing is no difference, as long as another one would be made in its place.
    """
    fresh: dict[str, Root] = {}
    wrong = []
    for name, path in folders.items():
        before, why = known.get(name), ""
        try:
            place, inode = _seen(path)
        except RootChanged as error:
            place, inode, why = real(path), None, f"the {name} {error}"
        if before and before.path != place:
            wrong.append(f"the {name} {path} is reached through a link: it is {place} and was {before.path}")
            continue
        if why:
            wrong.append(why)
        if inode is None:
            continue
        if before is None or not before.inode:
            fresh[name] = Root(path=place, inode=inode)
        elif inode != before.inode:
            wrong.append(f"the {name} {path} is another folder than it was")
    return fresh, wrong
