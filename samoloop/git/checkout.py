"""Where the main checkout is, read from the file system alone: no git process, so cheap for every command."""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from samoloop.base.files import real, same_place, small_text
from samoloop.base.values import frozen


@frozen
class Location:
    """A repository as found above some folder."""

    top: Path  # the folder whose `.git` was found; of a bare repository, itself
    common_dir: Path  # objects and branches
    linked: bool  # `top` is a linked worktree
    bare: bool  # found inside a repository without working files


def locate(start: Path) -> Location | None:
    """The repository around `start`; None where there is none."""
    start = real(start)
    for folder in (start, *start.parents):
        entry = folder / ".git"
        if entry.is_dir() and (entry / "HEAD").exists():
            return Location(folder, entry, linked=False, bare=False)
        if entry.is_file():
            git_dir = pointed_to(entry)
            if git_dir and git_dir.is_dir():
                common = common_dir(git_dir)
                return Location(folder, common, linked=common != git_dir, bare=False)
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            if folder.name == ".git":
                return Location(folder.parent, folder, linked=False, bare=False)
            return Location(folder, folder, linked=False, bare=True)
    return None


def main_checkout(start: Path) -> Path | None:
    """The main checkout around `start`, also from inside a linked worktree; None where it cannot be told."""
    found = locate(start)
    if found is None or found.bare:
        return None
    if not found.linked:
        return found.top
    return found.common_dir.parent if found.common_dir.name == ".git" else None


def pointed_to(dot_git: Path) -> Path | None:
    """The folder that a `.git` file names; None where it names none."""
    text = small_text(dot_git)
    return _relative_to(dot_git.parent, text.removeprefix("gitdir: ")) if text.startswith("gitdir: ") else None


def common_dir(git_dir: Path) -> Path:
    """The repository that a worktree's own folder in `.git/worktrees` belongs to, or `git_dir` itself."""
    return _relative_to(git_dir, small_text(git_dir / "commondir")) or git_dir


def refs_in_files(common: Path) -> bool:
    """Whether HEAD, branches and reflogs are files to be read; in a repository with reftables only git knows them."""
    return not (common / "reftable").is_dir()


def registered(common: Path, root: Path) -> Path | None:
    """What git keeps for the linked worktree at `root` (a folder of `.git/worktrees`); None where it knows none."""
    worktrees = common / "worktrees"
    likely = worktrees / root.name  # git names it after the folder, where that is free
    for entry in chain([likely], _sorted(worktrees)):
        if entry.is_symlink():
            continue  # git makes none
        target = linked_folder(entry)
        if target and same_place(target, root):
            return entry
    if likely.is_symlink():
        return None
    target = linked_folder(likely)
    if target is None and os.path.lexists(likely / "gitdir"):
        return likely  # a child wrote something else there
    return likely if target and not target.exists() else None  # the main checkout was moved, its worktrees with it


def _sorted(folder: Path) -> Iterator[Path]:
    """What is in a folder, looked at only when asked for."""
    yield from sorted(folder.glob("*"))


def linked_folder(entry: Path) -> Path | None:
    """The worktree that a folder of `.git/worktrees` stands for; None where it does not say."""
    link = _relative_to(entry, small_text(entry / "gitdir"))
    return link.parent if link else None


def _relative_to(base: Path, text: str) -> Path | None:
    named = text.partition("\0")[0].rstrip("\r\n")
    return Path(os.path.normpath(base / named)) if named else None
