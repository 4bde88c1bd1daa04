"""Where a check runs: in a copy of the worktree that is thrown away, at the same path, with all that git ignores.

What a test run writes is not the session's work, and files of another tree are put in place there only. bubblewrap
makes such a copy in milliseconds. Without it a check runs in the worktree itself, which is put right afterwards, and
what needs other files in a real copy at another path.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from samoloop.base.errors import SamoloopError
from samoloop.base.files import put_folder, remove
from samoloop.checks.swap import Swap
from samoloop.children import sandbox
from samoloop.children.sandbox import Box, Maker, NoSandbox
from samoloop.core.permissions import Access, Sandboxing, SandboxMode
from samoloop.git.calls import Git
from samoloop.git.tree_files import entries
from samoloop.git.worktree import Worktree

COPY, WORKTREE, MOVED = "copy", "worktree", "moved copy"  # where a check ran


def can_be_made() -> bool:
    """Whether there is a bubblewrap here that makes copies."""
    maker = _maker()
    return maker is not None and maker.overlays


def around(settings: Sandboxing, box: Box, root: Path, source: Path | None = None) -> tuple[list[str], str]:
    """The words in front of a check, and what of the worktree at `root` it has then.

    The box is a child's; of what it may write there the check keeps only what the settings add, in a copy of the
    worktree, or of the folder `source` at its path. Raises NoSandbox where the settings require a sandbox and there is
    none.
    """
    maker = _maker()
    place = COPY if maker and maker.overlays else WORKTREE
    if settings.mode is SandboxMode.OFF or sandbox.is_missing(settings):
        return (_overlay(maker.program, root, source or root) if maker and maker.overlays else []), place
    paths: dict[Path, Access] = {
        path: Access.READ if access is Access.WRITE else access for path, access in box.paths.items()
    }
    paths |= {path.expanduser(): Access.WRITE for path in settings.write}
    paths[root] = Access.CACHE if place == COPY else Access.WRITE
    box = replace(box, paths=paths, sources={root: source or root}, network=settings.network is not False)
    return sandbox.words_for(settings, box), place


def _maker() -> Maker | None:
    try:
        return sandbox.find()
    except NoSandbox:
        return None


def _overlay(program: str, root: Path, source: Path) -> list[str]:
    """A copy, and all else as it is."""
    name = str(root)
    return [program, "--dev-bind", "/", "/", "--overlay-src", str(source), "--tmp-overlay", name, "--chdir", name, "--"]


@contextmanager
def moved(root: Path, target: Path) -> Iterator[Path]:
    """A copy at another path, without git's files."""
    remove(target)
    try:
        shutil.copytree(root, target, symlinks=True, ignore=_without_git)
        yield target
    finally:
        remove(target)


def _without_git(folder: str, names: Sequence[str]) -> list[str]:
    return [*_odd(folder, names), ".git"]


def _odd(folder: str, names: Sequence[str]) -> list[str]:
    """What is no file, folder or link."""
    paths = [Path(folder, name) for name in names]
    return [path.name for path in paths if not (path.is_symlink() or path.is_file() or path.is_dir())]


class TooLarge(SamoloopError):
    """A folder is not copied, because of its size."""


def keep(root: Path, target: Path, most_bytes: int) -> None:
    """Copy a worktree as it is now, so that others can change it meanwhile. Raises TooLarge and OSError."""
    left = most_bytes

    def copied(source: str, name: str) -> str:
        nonlocal left
        left -= os.lstat(source).st_size
        if left < 0:
            raise TooLarge(f"{root} holds more than {most_bytes // 1_000_000} MB, so it is not copied")
        return shutil.copy2(source, name, follow_symlinks=False)

    remove(target)
    shutil.copytree(root, target, symlinks=True, ignore=_odd, copy_function=copied)


@contextmanager
def put_right(worktree: Worktree) -> Iterator[None]:
    """Afterwards the worktree is again what it was: what a check changed is put back, and what it left is removed."""
    before = set(worktree.state().unstaged)
    try:
        yield
    finally:
        state = worktree.state()
        fresh = [path for path in state.unstaged if path not in before]
        if fresh and state.head and not state.operation:
            kept = entries(worktree.store, state.head)
            for path in fresh:
                if path not in kept:
                    remove(worktree.root / path.rstrip("/"))
            changed = [path for path in fresh if path in kept]
            worktree.git.run("checkout-index", "-f", "-q", "-z", "--stdin", stdin=_listed(changed))


@contextmanager
def archive(store: Git, swap: Swap, root: Path) -> Iterator[Path | None]:
    """The files that are put in place, and the list of those that go, as one file; None where there is nothing."""
    if swap.is_empty:
        yield None
        return
    import tarfile  # only where a test was changed
    import tempfile

    with tempfile.TemporaryDirectory(prefix="samoloop-swap-") as name:
        files, gone, target = Path(name, "files"), Path(name, "gone"), Path(name, "swap.tar")
        put_folder(files)
        if swap.back:
            git = Git(store.git_dir, work_tree=files, index=Path(name, "index"), lfs=False)
            git.run("read-tree", swap.tree)
            git.run("checkout-index", "-f", "-q", "-z", "--stdin", stdin=_listed(swap.back))
        for path, text in swap.written.items():
            (files / path).parent.mkdir(parents=True, exist_ok=True)
            (files / path).write_text(text, encoding="utf-8")
        paths = [*swap.gone, *swap.back, *swap.written]
        gone.write_bytes(_listed([*_links(root, paths), *paths], "./"))
        with tarfile.open(target, "w") as tar:
            tar.add(files, "files")
            tar.add(gone, "gone")
        yield target


def _listed(paths: Sequence[str], before: str = "") -> bytes:
    return b"".join(os.fsencode(before + path) + b"\0" for path in paths)


def _links(root: Path, paths: Sequence[str]) -> list[str]:
    """Links that a child laid where folders on the way to these paths should be: through one nothing is written."""
    above = {parent for path in paths for parent in Path(path).parents if parent != Path()}
    return sorted(str(folder) for folder in above if (root / folder).is_symlink())
