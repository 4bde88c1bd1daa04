"""What a child or a killed git breaks in a worktree's own git files, put right without touching anything else."""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from samoloop.base import proc
from samoloop.base.files import entries_of, is_own, same_place, small_text, write_atomic
from samoloop.git.calls import is_oid
from samoloop.git.checkout import common_dir, linked_folder, pointed_to


def remove_odd(*git_dirs: Path) -> list[str]:
    """Remove the links and pipes among worktrees' own git files, of which git makes none: it would write where a link
    leads, and wait for ever on a pipe."""
    notes = []
    for path in odd_files(*git_dirs):
        path.unlink(missing_ok=True)
        notes.append(f"{path.name[:200]} among the worktree's git files was a link or no file and is gone.")
    return notes


def odd_files(*git_dirs: Path) -> Iterator[Path]:
    """Those links, pipes and devices; git must not be called while one is there."""
    for folder in (folder / below for folder in git_dirs if not folder.is_symlink() for below in ("", "logs")):
        for entry in entries_of(folder):
            if not entry.is_dir(follow_symlinks=False) and not is_own(path := Path(entry.path)):
                yield path


def mend_head(git_dir: Path, ref: str) -> list[str]:
    """Let an unreadable HEAD name `ref` again; without it git takes the folder for no repository at all."""
    head = git_dir / "HEAD"
    text = small_text(head).strip()
    if text.startswith("ref: refs/") or is_oid(text):
        return []
    write_atomic(head, f"ref: {ref}\n")
    return [f"HEAD of the worktree was unreadable ({text[:40]!r}) and is on {ref.removeprefix('refs/heads/')} again."]


def mend_common(git_dir: Path, common: Path) -> list[str]:
    """Let git's record of a worktree name its own repository again, and none whose branches it would move."""
    if same_place(common_dir(git_dir), common):
        return []
    write_atomic(git_dir / "commondir", "../..\n")
    return ["What git knows of the worktree named another repository and is right again."]


def mend_link(root: Path, git_dir: Path) -> list[str]:
    """Let the worktree's `.git` file and git's record of the worktree name each other again.

    A repository that the child made in its place is moved into `git_dir`, never deleted.
    """
    link, back = root / ".git", git_dir / "gitdir"
    known = linked_folder(git_dir)
    if known is None or not same_place(known, root):
        write_atomic(back, f"{link}\n")
    if link.is_symlink():
        note = f"The .git file of {root} was a link and is right again."
    elif link.is_dir():
        aside = next(path for n in range(1, 1000) if not (path := git_dir / f"replaced-git-{n}").exists())
        shutil.move(link, aside)
        note = f"The .git file of {root} was replaced by a repository, which is now in {aside}."
    elif not link.exists():
        note = f"The .git file of {root} was missing and is back."
    else:
        target = pointed_to(link)
        if target and same_place(target, git_dir):
            return []
        note = f"The .git file of {root} led elsewhere and is right again."
    write_atomic(link, f"gitdir: {git_dir}\n")
    return [note]


def remove_stale_locks(locks: Iterable[Path], root: Path, *others: Path) -> list[str]:
    """Remove those of `locks` that a killed git left: all of them, unless a git is at work in or below `root`, or in
    one of `others`. Elsewhere than on Linux nobody can see that, and the caller knows that there is none. Sentences for
    the report.
    """
    present = [lock for lock in locks if os.path.lexists(lock)]
    at_work = proc.folders_of("git") if present else []
    if any(folder.is_relative_to(root) or folder in others for folder in at_work):
        return []
    for lock in present:
        lock.unlink(missing_ok=True)
    return [f"A killed git had left {lock.name}; it was removed." for lock in present]
