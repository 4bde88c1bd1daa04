"""Ignored files of the person's checkout that a fresh worktree needs: copied whole, or not there."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from samoloop.base.effects import effect
from samoloop.base.errors import GitError
from samoloop.base.files import real
from samoloop.base.values import frozen
from samoloop.git.repo import Repo
from samoloop.git.worktree import Worktree

LIST = ".worktreeinclude"  # gitignore patterns of the files to be copied


@frozen
class Included:
    """What `.worktreeinclude` brought into a fresh worktree."""

    copied: list[str]  # by an earlier try too
    left: list[str]  # not ignored in the worktree, so a copy would end in a commit


def copy_included(repo: Repo, worktree: Worktree, ours: Iterable[Path] = ()) -> Included:
    """Copy the ignored files that `.worktreeinclude` names into a worktree in which no child has worked yet.

    May be run again after a crash or a full disk: what differs is copied anew. A file that git does not ignore there
    is left: the worker would commit it. Links are copied as links. Nothing is taken from the folders `ours`, where
    other sessions and their worktrees are. Raises GitError where a file cannot be copied.
    """
    patterns = repo.root / LIST
    if not patterns.is_file():
        return Included([], [])
    listed = repo.git.run("ls-files", "-z", "--others", "--ignored", f"--exclude-from={patterns}")
    without = tuple(f"{os.path.relpath(folder, repo.root)}/" for folder in (worktree.root.parent, *ours))
    names = [name for name in os.fsdecode(listed).split("\0") if name and not name.startswith(without)]
    ignored = _ignored(worktree, names)
    with effect("copy included files"):
        copied = [name for name in names if name in ignored and _copy(repo.root / name, worktree.root, name)]
    return Included(copied, [name for name in names if name not in ignored])


def _ignored(worktree: Worktree, names: list[str]) -> set[str]:
    stdin = b"".join(os.fsencode(name) + b"\0" for name in names)
    done = worktree.git.call("check-ignore", "-z", "--stdin", stdin=stdin)  # exit code 1: none of them
    return set(os.fsdecode(done.stdout).split("\0"))


def _copy(source: Path, root: Path, name: str) -> bool:
    """One file, under another name until it is whole. False for a folder, and where a link leads out."""
    target = root / name
    if source.is_dir() and not source.is_symlink():
        return False
    if not real(target.parent).is_relative_to(real(root)):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if _same(source, target):
        return True
    part = target.with_name(f".{target.name}.samoloop")  # one name, so that the next try replaces what a crash left
    try:
        part.unlink(missing_ok=True)
        shutil.copy2(source, part, follow_symlinks=False)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise GitError(
            f"{name}, which {LIST} names, cannot be copied into {root}: {error.strerror}. Mend that and resume."
        ) from error
    return True


def _same(source: Path, target: Path) -> bool:
    """Whether the target is the copy of an earlier try, and whole."""
    if source.is_symlink():
        return target.is_symlink() and target.readlink() == source.readlink()
    if not target.is_file() or target.is_symlink():
        return False
    wanted, found = source.stat(), target.stat()
    return (wanted.st_size, int(wanted.st_mtime)) == (found.st_size, int(found.st_mtime))
